"""A series that is continued day by day is the one that the day's candles make, and any other one is not continued."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.simulated.past import PastMarket
from runtime.adapters.simulated.past_days import PastDays
from runtime.domain.candle_columns import CandleColumns
from runtime.domain.candles import closed_series
from runtime.domain.changing import changed
from runtime.domain.market import DailySeries, Part
from runtime.domain.slots import DAY_MS, MINUTE_MS
from tests.support.pasts import BEGIN_MS, a_past, columns_of, hours_of, rows_of, with_hours

DAYS, KEPT = 30, 9


@cache
def days() -> CandleColumns:
    return a_past(DAYS * 24, ("ETHUSDT",)).candles.daily["ETHUSDT"]


def moment(day: int) -> int:
    """A quarter past midnight of the day with that number; so many days have closed."""
    return BEGIN_MS + day * DAY_MS + 15 * MINUTE_MS


def series(day: int, count: int = KEPT) -> DailySeries:
    """The newest `count` closed days, as candles make them."""
    return closed_series("ETHUSDT", days().candles(max(0, day - count), day), moment(day))


def test_each_day_continues_the_series_as_its_candles_do() -> None:
    past, known = PastDays(days()), series(2)
    for day in range(3, DAYS + 1):
        grown = past.after(known, KEPT, moment(day))
        assert grown == series(day)
        assert grown is not None
        assert isinstance(grown.close, Part)
        known = grown


def test_a_series_from_elsewhere_goes_on_only_if_it_holds_the_same_days() -> None:
    past, known = PastDays(days()), series(12)
    for column in ("high", "low", "close", "quote_volume"):
        was = getattr(known, column)
        assert past.after(changed(known, **{column: (*was[:3], was[3] * 2, *was[4:])}), KEPT, moment(13)) is None
    assert past.after(known, KEPT, moment(13)) == series(13)
    other = replace(known, close=tuple(close * 2 for close in known.close))
    assert past.after(other, KEPT, moment(13)) is None
    assert past.after(known, KEPT, moment(13)) == series(13)


def test_one_that_was_handed_out_is_not_confused_with_another_of_the_same_days() -> None:
    past = PastDays(days())
    given = past.after(series(12), KEPT, moment(13))
    assert given is not None
    assert past.after(replace(given, close=tuple(close + 1 for close in given.close)), KEPT, moment(14)) is None
    assert past.after(given, KEPT, moment(14)) == series(14)


@pytest.mark.parametrize("later", [-1, 0, 2, 5])
def test_only_the_one_day_that_closed_since_is_added(later: int) -> None:
    past = PastDays(days())
    assert past.after(series(12), KEPT, moment(12 + later)) is None
    assert past.after(series(12), KEPT, moment(13) - 16 * MINUTE_MS) is None
    assert past.after(series(DAYS), KEPT, moment(DAYS + 1)) is None


def test_a_day_that_is_missing_is_not_passed_over() -> None:
    hours = hours_of("ETHUSDT", DAYS * 24)
    gone = with_hours(a_past(DAYS * 24, ("ETHUSDT",)), {"ETHUSDT": without_day(hours, 12)}).candles.daily["ETHUSDT"]
    past = PastDays(gone)
    assert past.after(series(12), KEPT, moment(13)) is None
    assert past.after(series(12), KEPT, moment(14)) is None
    assert past.after(series(14), KEPT, moment(15)) is None, "it holds a day that the columns have not"


def without_day(hours: CandleColumns, day: int) -> CandleColumns:
    rows = rows_of(hours)
    return columns_of("ETHUSDT", [*rows[: day * 24], *rows[day * 24 + 24 :]])


def test_days_without_a_quote_volume_have_close_times_volume() -> None:
    columns = days()
    unknown = replace(columns, quote_volume=type(columns.quote_volume)("d", [float("nan")] * len(columns)))
    known = closed_series("ETHUSDT", unknown.candles(3, 12), moment(12))
    grown = PastDays(unknown).after(known, KEPT, moment(13))
    assert grown == closed_series("ETHUSDT", unknown.candles(4, 13), moment(13))


def test_the_market_continues_each_pair_by_its_own_days() -> None:
    candles = a_past(DAYS * 24, ("ETHUSDT", "BTCUSDT")).candles
    market = PastMarket(candles, SimulatedClock(moment(12)))
    for day in (12, 13):
        for symbol, columns in candles.daily.items():
            known = closed_series(symbol, columns.candles(day - 5, day), moment(day))
            grown = closed_series(symbol, columns.candles(day - 5, day + 1), moment(day + 1))
            assert market.days(known, KEPT, moment(day + 1)) == grown
