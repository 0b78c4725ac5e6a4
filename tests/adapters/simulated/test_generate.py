"""The market that ships: made again alike, consistent, small, and instructive at its default hour."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.simulated.generate import generate
from runtime.adapters.simulated.markets import EMBEDDED, FolderMarket, FolderPoolSource, manifest
from runtime.domain.candles import check_candles, closed_series
from runtime.domain.instruments import parse_instrument
from runtime.domain.market import Candle, DailyMarket, Facts, SymbolFacts
from runtime.domain.settings import LadderSettings, StrategySettings
from runtime.domain.slots import DAY_MS, HOUR_MS, date_at, slot_date, slot_start_ms
from strategies.indicators import absolute_momentum, ahr999, facts_of, relative_score
from tests.support.folders import read_rows

SYMBOLS = {
    base + "USDT"
    for base in ("BTC", "BNB", "ETH", "SOL", "XRP", "LINK", "AVAX", "ADA", "DOGE", "TRX", "ATOM", "LTC", "BCH")
}
DEFAULT_AT = manifest(EMBEDDED).default_at or ""
NOW = slot_start_ms(DEFAULT_AT)
SETTINGS = StrategySettings()


def market() -> FolderMarket:
    return FolderMarket(EMBEDDED, SimulatedClock(NOW))


@pytest.fixture(scope="module")
def facts() -> Facts:
    series = {symbol: closed_series(symbol, market().candles(symbol, "1d", None, 700), NOW) for symbol in SYMBOLS}
    return facts_of(DailyMarket(slot_date(DEFAULT_AT), series), SETTINGS)


def rows(symbol: str, interval: str) -> list[list[str]]:
    return [line.split(",") for line in read_rows(EMBEDDED / interval / f"{symbol}.csv.gz")]


def content(folder: Path) -> Mapping[str, bytes]:
    """Every file, unpacked: libraries may compress the same text differently."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found[path.relative_to(folder).as_posix()] = gzip.decompress(data) if path.suffix == ".gz" else data
    return found


def test_the_script_makes_the_shipped_market_again(tmp_path: Path) -> None:
    generate(tmp_path)
    assert content(tmp_path) == content(EMBEDDED)


def test_the_shipped_market_is_small() -> None:
    assert sum(path.stat().st_size for path in EMBEDDED.rglob("*") if path.is_file()) <= 400_000


def test_every_pair_has_the_days_and_hours_it_should() -> None:
    assert set(market().prices()) == SYMBOLS
    for symbol in SYMBOLS:
        assert len(rows(symbol, "1d")) == (760 if symbol == "BTCUSDT" else 320)
        assert len(rows(symbol, "1h")) == 21 * 24
        assert int(rows(symbol, "1h")[-1][0]) >= NOW + 10 * DAY_MS


def test_hours_add_up_to_their_days_exactly() -> None:
    for symbol in SYMBOLS:
        days = {row[0]: row for row in rows(symbol, "1d")}
        hours = rows(symbol, "1h")
        for at in range(0, len(hours), 24):
            day = hours[at : at + 24]
            opens, highs, lows, closes, volumes, quotes = (
                [Decimal(row[column]) for row in day] for column in range(1, 7)
            )
            found = [Decimal(cell) for cell in days[day[0][0]][1:7]]
            assert found == [opens[0], max(highs), min(lows), closes[-1], sum(volumes), sum(quotes)]


def test_every_series_is_whole_and_its_turnover_fits_its_prices() -> None:
    for symbol in SYMBOLS:
        for interval, step_ms in (("1d", DAY_MS), ("1h", HOUR_MS)):
            candles = [
                Candle(int(row[0]), *(float(cell) for cell in row[1:6]), float(row[6]))  # type: ignore[call-arg]
                for row in rows(symbol, interval)
            ]
            check_candles(symbol, candles, step_ms)
            for candle in candles:
                assert candle.quote_volume is not None
                assert candle.low * candle.volume - 24 <= candle.quote_volume <= candle.high * candle.volume


def test_prices_are_whole_ticks_and_volumes_whole_lots() -> None:
    document = json.loads((EMBEDDED / "exchangeInfo.json").read_text())
    assert {pair["symbol"] for pair in document["symbols"]} == SYMBOLS
    for pair in document["symbols"]:
        instrument = parse_instrument(pair)
        filters = {each["filterType"]: each for each in pair["filters"]}
        assert {"LOT_SIZE", "MARKET_LOT_SIZE", "NOTIONAL", "PRICE_FILTER"} <= set(filters)
        assert instrument.tradable
        tick = Decimal(filters["PRICE_FILTER"]["tickSize"])
        for row in rows(instrument.symbol, "1d") + rows(instrument.symbol, "1h"):
            assert all(Decimal(cell) % tick == 0 for cell in row[1:5])
            assert Decimal(row[5]) % instrument.step == 0


def test_the_pool_is_a_valid_release_for_every_hour_of_the_market() -> None:
    pool = FolderPoolSource(EMBEDDED, SimulatedClock(NOW)).read()
    ladder = LadderSettings()
    last = int(rows("BTCUSDT", "1h")[-1][0])
    assert pool["mode"] in ladder.acceptable_modes
    assert pool["pool_size"] == len(pool["symbols"]) == len(set(pool["symbols"])) == ladder.expected_size
    assert pool["version"] == f"{pool['as_of_date']}-{pool['mode']}"
    released = date.fromisoformat(pool["as_of_date"])
    assert released <= slot_date(DEFAULT_AT)
    assert (date_at(last) - released).days <= ladder.max_age_days
    assert pool["symbol_map"] == {s: {"base_asset": s.removesuffix("USDT")} for s in pool["symbols"]}
    assert set(pool["symbols"]) <= SYMBOLS - {"BTCUSDT", "BNBUSDT"}


def test_the_default_hour_buys_some_bitcoin_and_trims_none(facts: Facts) -> None:
    btc = facts.btc
    assert btc is not None
    assert not facts.missing
    assert btc.close is not None
    assert btc.ma200 is not None
    assert btc.ma200_slope is not None
    assert btc.close > btc.ma200, "regime on"
    assert btc.ma200_slope > 0, "regime on"
    value = ahr999(float(market().prices()["BTCUSDT"]), btc, SETTINGS, slot_date(DEFAULT_AT))
    assert value is not None
    assert value < SETTINGS.dca_bands[-1][0], "a purchase is due"
    assert btc.zscore is not None
    assert btc.sell_trigger is not None
    assert btc.zscore < btc.sell_trigger, "no trim"


def test_the_default_hour_has_qualified_pairs_to_spare_and_others_that_fail(facts: Facts) -> None:
    pool = FolderPoolSource(EMBEDDED, SimulatedClock(NOW)).read()["symbols"]
    qualified = [symbol for symbol in pool if qualifies(facts, facts.symbols[symbol])]
    assert SETTINGS.top_n < len(qualified) < len(pool)


def qualifies(facts: Facts, symbol: SymbolFacts) -> bool:
    """Section 5 of the strategy contract, the regime being on."""
    assert facts.btc is not None
    close = symbol.close or 0.0
    score = relative_score(symbol, facts.btc, SETTINGS)
    momentum = absolute_momentum(symbol, SETTINGS)
    above = all(average is not None and close > average for average in (symbol.sma20, symbol.sma60, symbol.sma200))
    return symbol.complete and above and (score or 0) > 0 and (momentum or 0) > 0
