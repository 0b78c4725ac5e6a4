"""The pairs of a market folder: Binance's own filters where the folder brings them, sensible ones elsewhere."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.simulated.listing import derived, step_worth
from runtime.adapters.simulated.markets import EMBEDDED, FolderMarket
from runtime.domain.instruments import Instrument, LotRule, buy_lots
from runtime.domain.slots import DAY_MS, slot_start_ms
from runtime.errors import BadPayload, Rejected
from tests.support.folders import row, write_candles

DAY = slot_start_ms("2026-03-12T00Z")


def instrument(folder: Path, symbol: str, now_ms: int = DAY) -> Instrument:
    asked, found = FolderMarket(folder, SimulatedClock(now_ms)).instruments([symbol])
    assert asked == now_ms
    return found[symbol]


def folder_of(folder: Path, symbol: str, price: str) -> Path:
    write_candles(folder, "1d", symbol, [row(DAY - n * DAY_MS, price) for n in (2, 1)])
    return folder


@pytest.mark.parametrize(("symbol", "step"), [("BTCUSDT", "0.00001"), ("ETHUSDT", "0.0001"), ("DOGEUSDT", "1")])
def test_well_known_pairs_have_their_live_step(tmp_path: Path, symbol: str, step: str) -> None:
    found = instrument(folder_of(tmp_path, symbol, "12"), symbol)
    assert found.lot.step == found.lot.min_qty == found.step == Decimal(step)
    assert found.min_notional == 5
    assert found.market_lot.step == 0, "as on Binance, where the market lot only caps"
    assert (found.base, found.quote, found.status) == (symbol.removesuffix("USDT"), "USDT", "TRADING")


@given(price=st.decimals("0.00000001", "1000000", places=8).filter(lambda price: price > 0))
def test_an_unknown_pairs_step_is_a_power_of_ten_worth_one_to_ten_cents(price: Decimal) -> None:
    step = step_worth(price)
    assert step.as_tuple().digits == (1,)
    assert Decimal("0.01") < step * price <= Decimal("0.1") or step == Decimal(10) ** 8


@given(price=st.decimals("0.0001", "1000000", places=4).filter(lambda price: price > 0))
def test_a_derived_pair_can_be_bought_for_fifteen_dollars(price: Decimal) -> None:
    lots = buy_lots(derived("NEWUSDT", price), Decimal(15), price, Decimal(0))
    assert lots.total * price <= 15
    assert lots.total * price > Decimal("14.9")


def test_the_folders_own_exchange_information_comes_first(tmp_path: Path) -> None:
    document = json.loads((EMBEDDED / "exchangeInfo.json").read_text())
    document["symbols"][0]["filters"][1]["stepSize"] = "0.5"
    document["symbols"][1]["status"] = "HALT"
    (folder_of(tmp_path, "BTCUSDT", "90000") / "exchangeInfo.json").write_text(json.dumps(document))
    folder_of(tmp_path, "ETHUSDT", "3000")
    folder_of(tmp_path, "NEWUSDT", "3")
    assert instrument(tmp_path, "BTCUSDT").lot.step == Decimal("0.5")
    assert instrument(tmp_path, "ETHUSDT").status == "HALT"
    assert instrument(tmp_path, "ETHUSDT", DAY + 9 * DAY_MS).status == "HALT", "the folder's word is not softened"
    assert instrument(tmp_path, "NEWUSDT").lot == LotRule(Decimal("0.01"), Decimal(900_000), Decimal("0.01"))


@pytest.mark.parametrize(("days", "status"), [(0, "TRADING"), (2, "TRADING"), (2.1, "BREAK")])
@pytest.mark.parametrize("listed", [True, False])
def test_a_pair_without_candles_for_two_days_is_on_break(
    tmp_path: Path, days: float, status: str, *, listed: bool
) -> None:
    folder = folder_of(tmp_path, "BTCUSDT", "90000")
    if listed:
        (folder / "exchangeInfo.json").write_bytes((EMBEDDED / "exchangeInfo.json").read_bytes())
    assert instrument(folder, "BTCUSDT", DAY + int(days * DAY_MS)).status == status


def test_a_pair_trades_on_its_first_day(tmp_path: Path) -> None:
    assert instrument(folder_of(tmp_path, "NEWUSDT", "3"), "NEWUSDT", DAY - 2 * DAY_MS).status == "TRADING"


def test_one_unknown_pair_fails_the_whole_call(tmp_path: Path) -> None:
    market = FolderMarket(folder_of(tmp_path, "BTCUSDT", "90000"), SimulatedClock(DAY))
    with pytest.raises(Rejected) as caught:
        market.instruments(["BTCUSDT", "NOUSDT"])
    assert caught.value.code == -1121


@pytest.mark.parametrize(
    "document", [{}, {"symbols": {}}, {"symbols": ["BTCUSDT"]}, {"symbols": [{"symbol": "BTCUSDT"}]}, []]
)
def test_malformed_exchange_information_is_a_named_fault(tmp_path: Path, document: Any) -> None:
    (folder_of(tmp_path, "BTCUSDT", "90000") / "exchangeInfo.json").write_text(json.dumps(document))
    with pytest.raises(BadPayload, match="exchangeInfo"):
        instrument(tmp_path, "BTCUSDT")
