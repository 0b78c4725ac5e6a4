"""Market folders: every answer is what was known at the moment, in Binance's shape."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.simulated.markets import EMBEDDED, FolderMarket
from runtime.domain.candles import closed_series
from runtime.domain.market import Candle
from runtime.domain.slots import DAY_MS, HOUR_MS, MINUTE_MS, slot_start_ms
from runtime.errors import BadInput, BadPayload, Rejected
from runtime.ports import MarketData
from tests.support.folders import alter_candles, row, write_candles

DAY = slot_start_ms("2026-03-12T00Z")
STEPS = {"1d": DAY_MS, "1h": HOUR_MS}


def market_at(folder: Path, now_ms: int, symbols: Sequence[str] | None = None) -> MarketData:
    return FolderMarket(folder, SimulatedClock(now_ms), symbols)


def small_folder(folder: Path) -> Path:
    """AUSDT with hours 0..7 of DAY except 3 and 4 (price 100 + hour, close +0.5), and five closed days before it."""
    write_candles(folder, "1d", "AUSDT", [row(DAY - n * DAY_MS, f"{90 - n}", "5", "450") for n in range(5, -1, -1)])
    hours = [
        row(DAY + h * HOUR_MS, f"{100 + h} {110 + h} {80 + h} {100 + h}.5", "2", "200") for h in (0, 1, 2, 5, 6, 7)
    ]
    write_candles(folder, "1h", "AUSDT", hours)
    write_candles(folder, "1d", "BUSDT", [row(DAY - DAY_MS, "0.00001234"), row(DAY, "7")])
    return folder


# --- prices -----------------------------------------------------------------------------------------------------------


def test_the_price_in_an_hour_is_the_open_of_its_candle(tmp_path: Path) -> None:
    for minute in (0, 59):
        market = market_at(small_folder(tmp_path), DAY + 2 * HOUR_MS + minute * MINUTE_MS)
        assert market.prices()["AUSDT"] == Decimal(102)


@pytest.mark.parametrize(("hour", "price"), [(3, "102.5"), (4, "102.5"), (5, "105"), (8, "107.5"), (11, "107.5")])
def test_a_missing_hour_has_the_last_close_for_up_to_three_hours(tmp_path: Path, hour: int, price: str) -> None:
    assert market_at(small_folder(tmp_path), DAY + hour * HOUR_MS).prices()["AUSDT"] == Decimal(price)


def test_without_a_candle_for_more_than_three_hours_there_is_no_price(tmp_path: Path) -> None:
    assert "AUSDT" not in market_at(small_folder(tmp_path), DAY + 12 * HOUR_MS).prices()


@pytest.mark.parametrize(("days", "price"), [(0, "0.00001234"), (0.9, "0.00001234"), (1, "7"), (3, "7"), (3.1, None)])
def test_a_pair_without_hours_has_the_last_daily_close_for_two_days(
    tmp_path: Path, days: float, price: str | None
) -> None:
    market = market_at(small_folder(tmp_path), DAY + int(days * DAY_MS))
    assert market.prices().get("BUSDT") == (None if price is None else Decimal(price))


def test_where_hours_and_days_end_together_the_daily_close_stands_for_two_days(tmp_path: Path) -> None:
    write_candles(tmp_path, "1h", "AUSDT", [row(DAY + h * HOUR_MS, "5") for h in range(24)])
    write_candles(tmp_path, "1d", "AUSDT", [row(DAY, "5")])
    assert market_at(tmp_path, DAY + 3 * DAY_MS).prices() == {"AUSDT": Decimal(5)}
    assert market_at(tmp_path, DAY + 3 * DAY_MS + HOUR_MS).prices() == {}


def test_prices_follow_the_clock_and_cannot_be_altered_from_outside(tmp_path: Path) -> None:
    clock = SimulatedClock(DAY)
    market = FolderMarket(small_folder(tmp_path), clock)
    first = dict(market.prices())
    market.prices()["AUSDT"] = Decimal(1)  # type: ignore[index]
    assert market.prices() == first
    clock.sleep(3600)
    assert market.prices()["AUSDT"] == Decimal(101)
    assert market.server_time_ms() == DAY + HOUR_MS


def test_a_pair_has_no_price_before_its_first_candle(tmp_path: Path) -> None:
    assert market_at(small_folder(tmp_path), DAY - 6 * DAY_MS).prices() == {}


# --- candles ----------------------------------------------------------------------------------------------------------


def test_the_open_day_is_made_of_its_closed_hours_and_the_present_price(tmp_path: Path) -> None:
    market = market_at(small_folder(tmp_path), DAY + 2 * HOUR_MS + 5 * MINUTE_MS)
    *closed, forming = market.candles("AUSDT", "1d", None, 3)
    assert [candle.open_time_ms for candle in closed] == [DAY - 2 * DAY_MS, DAY - DAY_MS]
    assert forming == Candle(DAY, 100.0, 111.0, 80.0, 102.0, 4.0, 400.0)


def test_the_open_day_of_a_pair_without_hours_is_its_price_alone(tmp_path: Path) -> None:
    market = market_at(small_folder(tmp_path), DAY + 2 * HOUR_MS)
    price = 0.00001234
    assert market.candles("BUSDT", "1d", None, 1) == [Candle(DAY, price, price, price, price, 0.0, 0.0)]


def test_the_quote_volume_of_the_open_day_is_unknown_if_one_hours_is(tmp_path: Path) -> None:
    write_candles(tmp_path, "1d", "AUSDT", [row(DAY - DAY_MS, "1")])
    write_candles(
        tmp_path, "1h", "AUSDT", [row(DAY, "1", "1", "1"), row(DAY + HOUR_MS, "1"), row(DAY + 2 * HOUR_MS, "1")]
    )
    assert market_at(tmp_path, DAY + 2 * HOUR_MS).candles("AUSDT", "1d", None, 1)[0].quote_volume is None


def test_the_open_hour_is_its_first_price_and_a_missing_hour_is_missing(tmp_path: Path) -> None:
    folder = small_folder(tmp_path)
    assert market_at(folder, DAY + 5 * HOUR_MS + 1).candles("AUSDT", "1h", None, 1) == [
        Candle(DAY + 5 * HOUR_MS, 105.0, 105.0, 105.0, 105.0, 0.0, 0.0)
    ]
    opens = [c.open_time_ms for c in market_at(folder, DAY + 4 * HOUR_MS).candles("AUSDT", "1h", DAY, 9)]
    assert opens == [DAY, DAY + HOUR_MS, DAY + 2 * HOUR_MS]


@pytest.mark.parametrize(
    ("start", "limit", "days"), [(-3, 2, [-3, -2]), (-1, 9, [-1, 0]), (0, 9, [0]), (1, 9, []), (-99, 1, [-5])]
)
def test_klines_from_a_start_are_the_first_of_them(tmp_path: Path, start: int, limit: int, days: list[int]) -> None:
    found = market_at(small_folder(tmp_path), DAY + HOUR_MS).candles("AUSDT", "1d", DAY + start * DAY_MS, limit)
    assert [(candle.open_time_ms - DAY) // DAY_MS for candle in found] == days


def test_a_candle_is_closed_from_the_millisecond_the_next_one_opens(tmp_path: Path) -> None:
    folder = small_folder(tmp_path)
    before = market_at(folder, DAY + HOUR_MS - 1).candles("AUSDT", "1h", DAY, 9)
    after = market_at(folder, DAY + HOUR_MS).candles("AUSDT", "1h", DAY, 9)
    assert [candle.close for candle in before] == [100.0]
    assert [candle.close for candle in after] == [100.5, 101.0]


def test_no_more_than_a_thousand_klines_in_one_answer(tmp_path: Path) -> None:
    write_candles(tmp_path, "1h", "AUSDT", [row(DAY + h * HOUR_MS, "1") for h in range(1200)])
    market = market_at(tmp_path, DAY + 1199 * HOUR_MS)
    assert len(market.candles("AUSDT", "1h", None, 5000)) == 1000
    assert market.candles("AUSDT", "1h", None, 5000)[-1].open_time_ms == DAY + 1199 * HOUR_MS
    assert len(market.candles("AUSDT", "1h", DAY, 5000)) == 1000
    assert market.candles("AUSDT", "1d", None, 10) == [], "a pair without a daily file has no daily candles"


@pytest.mark.parametrize(
    ("symbol", "interval", "limit", "code"),
    [("NOUSDT", "1d", 1, -1121), ("AUSDT", "1w", 1, -1120), ("AUSDT", "1d", 0, -1130)],
)
def test_klines_refuse_with_binances_codes(tmp_path: Path, symbol: str, interval: str, limit: int, code: int) -> None:
    with pytest.raises(Rejected) as caught:
        market_at(small_folder(tmp_path), DAY).candles(symbol, interval, None, limit)
    assert caught.value.code == code


def test_a_pair_is_unknown_before_its_first_candle(tmp_path: Path) -> None:
    market = market_at(small_folder(tmp_path), DAY - DAY_MS - 1)
    assert market.candles("AUSDT", "1d", None, 1)
    with pytest.raises(Rejected, match=r"-1121 Invalid symbol\."):
        market.candles("BUSDT", "1d", None, 1)
    with pytest.raises(Rejected, match=r"-1121 Invalid symbol\."):
        market.instruments(["AUSDT", "BUSDT"])


# --- no look-ahead ----------------------------------------------------------------------------------------------------


def answers(folder: Path, moments: Sequence[int]) -> list[Any]:
    clock = SimulatedClock(0)
    market = FolderMarket(folder, clock)
    found: list[Any] = []
    for moment in moments:
        clock.set(moment)
        prices = market.prices()
        found += [market.server_time_ms(), prices, market.instruments(sorted(prices))]
        for symbol in sorted(prices):
            found += [market.candles(symbol, interval, None, 1000) for interval in STEPS]
            found += [market.candles(symbol, interval, moment - 5 * DAY_MS, 1000) for interval in STEPS]
    return found


@pytest.mark.parametrize("now", ["2026-03-15T09Z", "2026-03-15T00Z", "2026-03-20T23Z", "2026-03-05T11Z"])
@pytest.mark.parametrize("fate", ["altered", "dropped"])
@pytest.mark.parametrize("minutes", [0, 7])
def test_no_answer_depends_on_what_comes_later(tmp_path: Path, now: str, fate: str, minutes: int) -> None:
    """Rows that open after now change at will or vanish; of the rows in progress only the hour's open is kept."""
    now_ms = slot_start_ms(now) + minutes * MINUTE_MS
    changed = tmp_path / "changed"
    shutil.copytree(EMBEDDED, changed)

    def alter(step_ms: int, cells: Sequence[str]) -> Sequence[str] | None:
        opens = int(cells[0])
        if opens + step_ms <= now_ms:
            return cells
        if opens <= now_ms and step_ms == HOUR_MS:
            return [*cells[:2], "999999", "0.00001", "5", "77", "77", ""]
        return None if fate == "dropped" else [cells[0], "4", "999999", "0.00001", "5", "77", "77", ""]

    alter_candles(changed, alter, STEPS)
    moments = [now_ms - 30 * DAY_MS, now_ms - 3 * DAY_MS, now_ms - HOUR_MS, now_ms]
    assert answers(changed, moments) == answers(EMBEDDED, moments)
    assert answers(changed, [now_ms + 2 * DAY_MS]) != answers(EMBEDDED, [now_ms + 2 * DAY_MS]), (
        "the change must show later"
    )


@given(
    hours=st.dictionaries(st.integers(0, 71), st.integers(1, 9), min_size=1),
    minutes=st.integers(0, 80 * 60),
    limit=st.integers(1, 60),
    start=st.none() | st.integers(0, 80),
)
def test_hourly_klines_are_the_closed_rows_and_the_hours_open(
    hours: dict[int, int], minutes: int, limit: int, start: int | None
) -> None:
    """Against a plain filter over all rows."""
    now = DAY + minutes * MINUTE_MS
    begin = None if start is None else DAY + start * HOUR_MS
    rows = {DAY + h * HOUR_MS: price for h, price in sorted(hours.items())}
    expected = [(ms, p * 2.0) for ms, p in rows.items() if ms + HOUR_MS <= now and ms >= (begin or 0)]
    expected += [(ms, float(p)) for ms, p in rows.items() if ms <= now < ms + HOUR_MS and ms >= (begin or 0)]
    expected = expected[-limit:] if begin is None else expected[:limit]
    with tempfile.TemporaryDirectory() as folder:
        write_candles(Path(folder), "1h", "AUSDT", [row(ms, f"{p} {p * 2} {p} {p * 2}") for ms, p in rows.items()])
        market = market_at(Path(folder), now)
        if min(rows) > now:
            with pytest.raises(Rejected):
                market.candles("AUSDT", "1h", begin, limit)
            return
        assert [(c.open_time_ms, c.close) for c in market.candles("AUSDT", "1h", begin, limit)] == expected


# --- folders ----------------------------------------------------------------------------------------------------------


def test_only_the_wanted_pairs_are_listed(tmp_path: Path) -> None:
    market = market_at(small_folder(tmp_path), DAY, ["AUSDT", "NOTHERE"])
    assert set(market.prices()) == {"AUSDT"}


def test_a_folder_without_candles_and_a_misnamed_file_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="must hold candles"):
        market_at(tmp_path / "nothing", DAY)
    write_candles(tmp_path, "1d", "btcusdt", [])
    with pytest.raises(BadInput, match="upper-case USDT pair"):
        market_at(tmp_path, DAY)


def test_a_bad_file_is_named_when_it_is_read_and_not_before(tmp_path: Path) -> None:
    folder = small_folder(tmp_path)
    (folder / "1h" / "AUSDT.csv.gz").write_bytes(b"no")
    market = market_at(folder, DAY)
    assert market.candles("BUSDT", "1d", None, 1)
    with pytest.raises(BadPayload, match=r"1h.AUSDT\.csv\.gz"):
        market.prices()


def test_closed_candles_of_a_folder_make_a_series(tmp_path: Path) -> None:
    now = DAY + 3 * HOUR_MS
    series = closed_series("AUSDT", market_at(small_folder(tmp_path), now).candles("AUSDT", "1d", None, 700), now)
    assert series.close == (85.0, 86.0, 87.0, 88.0, 89.0)
