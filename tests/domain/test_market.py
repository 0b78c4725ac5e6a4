"""Candles: only whole, closed days become a series, and each fault has its own words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.candles import check_candles, closed_high, closed_series, extended_series
from runtime.domain.documents import decode, encode
from runtime.domain.market import Account, Balance, Candle, DailyMarket, DailySeries, EarnPosition, Part, exact
from runtime.domain.slots import DAY_MS, HOUR_MS, MINUTE_MS, date_at
from runtime.errors import BadSeries

START = 20_000 * DAY_MS
NAN, INF = math.nan, math.inf


def candle(row: int = 0, step: int = DAY_MS, **changed: Any) -> Candle:
    return replace(Candle(START + row * step, 10.0, 12.0, 9.0, 11.0, 5.0, 50.0), **changed)


def days(count: int) -> list[Candle]:
    return [candle(row, high=12.0 + row, quote_volume=50.0 + row) for row in range(count)]


def changed_at(row: int, candles: Sequence[Candle], **changed: Any) -> list[Candle]:
    return [replace(c, **changed) if at == row else c for at, c in enumerate(candles)]


def test_closed_days_become_columns_in_their_order() -> None:
    series = closed_series("ETHUSDT", days(4), START + 4 * DAY_MS)
    assert (series.symbol, series.first_open_ms) == ("ETHUSDT", START)
    assert series.last_open_ms == START + 3 * DAY_MS
    assert series.high == (12.0, 13.0, 14.0, 15.0)
    assert series.low == (9.0,) * 4
    assert series.close == (11.0,) * 4
    assert series.quote_volume == (50.0, 51.0, 52.0, 53.0)


def test_a_quote_volume_that_is_absent_is_close_times_volume() -> None:
    assert closed_series("ETHUSDT", [candle(quote_volume=None)], START + DAY_MS).quote_volume == (55.0,)


@pytest.mark.parametrize(
    ("after_midnight_ms", "closed"), [(-MINUTE_MS, 3), (-1, 3), (0, 4), (5000, 4), (DAY_MS - 1, 4), (DAY_MS, 5)]
)
def test_the_candle_in_progress_is_left_out_by_its_close_time(after_midnight_ms: int, closed: int) -> None:
    """At 00:00:05 the day that has just begun is open and the one before it is closed."""
    assert len(closed_series("ETHUSDT", days(5), START + 4 * DAY_MS + after_midnight_ms).close) == closed


def test_just_after_midnight_the_new_candle_may_not_exist_yet() -> None:
    assert len(closed_series("ETHUSDT", days(4), START + 4 * DAY_MS + 5000).close) == 4


def test_the_open_candle_may_hold_anything_because_it_is_not_read() -> None:
    candles = [*days(4), candle(4, close=NAN, high=-1.0)]
    assert len(closed_series("ETHUSDT", candles, START + 4 * DAY_MS + 5000).close) == 4


@pytest.mark.parametrize("candles", [[], days(1)])
def test_a_series_without_a_closed_day_is_refused(candles: list[Candle]) -> None:
    with pytest.raises(BadSeries, match="ETHUSDT candles: 0 – at least one closed daily candle is needed"):
        closed_series("ETHUSDT", candles, START + 5)


PRICES = "prices must be finite and above 0"
RANGE = "open and close must lie between low and high"


@pytest.mark.parametrize(
    ("changed", "value", "message"),
    [
        ({"open": NAN}, "nan", PRICES),
        ({"high": INF}, "inf", PRICES),
        ({"low": 0.0}, "0.0", PRICES),
        ({"close": -11.0}, "-11.0", PRICES),
        ({"close": -INF}, "-inf", PRICES),
        ({"high": 1e31}, "1e+31", PRICES),
        ({"low": 1e-31}, "1e-31", PRICES),
        ({"high": 8.5}, "8.5", "high must not be below low"),
        ({"open": 15.5}, "15.5", RANGE),
        ({"open": 8.5}, "8.5", RANGE),
        ({"close": 15.5}, "15.5", RANGE),
        ({"close": 8.5}, "8.5", RANGE),
        ({"volume": -1.0}, "-1.0", "TUSDT candle 2: -1.0 – volume must be finite and not negative"),
        ({"volume": NAN}, "nan", "TUSDT candle 2: nan – volume must be finite and not negative"),
        ({"quote_volume": -2.0}, "-2.0", "TUSDT candle 2: -2.0 – quote volume must be finite and not negative"),
        ({"quote_volume": INF}, "inf", "TUSDT candle 2: inf – quote volume must be finite and not negative"),
        ({"open_time_ms": START + 2 * DAY_MS + 1}, "", f"open time must be a multiple of {DAY_MS} ms"),
        ({"open_time_ms": START + 1 * DAY_MS}, "", "repeats the open time before it"),
        ({"open_time_ms": START}, "", "is older than the row before it"),
        ({"open_time_ms": START + 3 * DAY_MS}, "", f"1 candle(s) missing after {START + DAY_MS}"),
        ({"open_time_ms": START + 9 * DAY_MS}, "", f"7 candle(s) missing after {START + DAY_MS}"),
    ],
)
def test_each_fault_names_symbol_row_value_and_what_should_be(
    changed: dict[str, float], value: str, message: str
) -> None:
    with pytest.raises(BadSeries) as caught:
        check_candles("TUSDT", changed_at(2, days(5), **changed), DAY_MS)
    assert str(caught.value).startswith("TUSDT candle 2: ")
    assert message in str(caught.value)
    assert value in str(caught.value)


@given(st.integers(1, 60))
def test_whole_series_of_any_length_pass(count: int) -> None:
    check_candles("TUSDT", days(count), DAY_MS)


@given(count=st.integers(3, 40), data=st.data())
def test_a_day_left_out_is_a_gap_and_never_closes_up(count: int, data: st.DataObject) -> None:
    lost = data.draw(st.integers(1, count - 2))
    candles = days(count)
    del candles[lost]
    with pytest.raises(BadSeries, match=rf"candle {lost}: .*1 candle\(s\) missing"):
        closed_series("TUSDT", candles, START + count * DAY_MS)


@given(st.permutations(range(6)))
def test_any_other_order_than_by_time_is_refused(order: list[int]) -> None:
    candles = [days(6)[row] for row in order]
    if order == sorted(order):
        check_candles("TUSDT", candles, DAY_MS)
    else:
        with pytest.raises(BadSeries, match=r"older than the row before it|missing after"):
            check_candles("TUSDT", candles, DAY_MS)


def test_candles_of_another_interval_are_checked_on_its_grid() -> None:
    check_candles("TUSDT", [candle(row, HOUR_MS) for row in range(5)], HOUR_MS)
    with pytest.raises(BadSeries, match="missing after"):
        check_candles("TUSDT", days(2), HOUR_MS)


@given(count=st.integers(2, 40), data=st.data())
def test_a_cached_series_continued_is_the_series_fetched_whole(count: int, data: st.DataObject) -> None:
    known = data.draw(st.integers(1, count))
    since = data.draw(st.integers(1, known))
    kept = data.draw(st.integers(1, count + 5))
    whole = closed_series("TUSDT", days(count), START + count * DAY_MS)
    cached = closed_series("TUSDT", days(known), START + count * DAY_MS)
    fetched = closed_series("TUSDT", days(count)[min(since, count - 1) :], START + count * DAY_MS)
    merged, revised = extended_series(cached, fetched, kept)
    assert revised == {}
    assert merged.last_open_ms == whole.last_open_ms
    assert merged.high == whole.high[-kept:]
    assert merged.quote_volume == whole.quote_volume[-kept:]
    assert len(merged.high) == len(merged.low) == len(merged.close) == len(merged.quote_volume)


def test_a_day_the_exchange_revised_is_taken_and_named() -> None:
    cached = closed_series("TUSDT", days(3), START + 3 * DAY_MS)
    newer = [candle(2, high=99.0), candle(3)]
    merged, revised = extended_series(cached, closed_series("TUSDT", newer, START + 4 * DAY_MS), 10)
    assert merged.high == (12.0, 13.0, 99.0, 12.0)
    assert list(revised) == [date_at(START + 2 * DAY_MS).isoformat()]
    assert "(14.0, 9.0, 11.0) became (99.0, 9.0, 11.0)" in next(iter(revised.values()))


def hours(*highs: float) -> list[Candle]:
    return [candle(row, HOUR_MS, high=high) for row, high in enumerate(highs)]


def test_the_highest_high_is_that_of_closed_hours_since_the_entry() -> None:
    candles = hours(99.0, 13.0, 12.5, 14.0, 98.0)
    now_ms = START + 4 * HOUR_MS + MINUTE_MS
    assert closed_high("TUSDT", candles, START + HOUR_MS, now_ms) == Decimal("14.0")
    assert closed_high("TUSDT", candles, START, now_ms) == Decimal("99.0")
    assert closed_high("TUSDT", candles, START + HOUR_MS, START + 3 * HOUR_MS) == Decimal("13.0")


def test_there_is_no_high_before_the_first_hour_has_closed() -> None:
    assert closed_high("TUSDT", hours(13.0), START, START + HOUR_MS - 1) is None
    assert closed_high("TUSDT", [], START, START + DAY_MS) is None
    assert closed_high("TUSDT", hours(13.0), START, START + HOUR_MS) == Decimal("13.0")


def test_hours_the_exchange_was_closed_leave_the_high_of_the_others() -> None:
    candles = hours(13.0, 20.0, 12.5)
    del candles[1]
    assert closed_high("TUSDT", candles, START, START + DAY_MS) == Decimal("13.0")


def test_a_malformed_hour_is_refused_where_it_counts_and_only_there() -> None:
    candles = changed_at(1, hours(13.0, 14.0, 15.0), high=NAN)
    with pytest.raises(BadSeries, match=r"TUSDT hourly candle 1: .*prices must be finite"):
        closed_high("TUSDT", candles, START, START + DAY_MS)
    assert closed_high("TUSDT", candles, START + 2 * HOUR_MS, START + DAY_MS) == Decimal("15.0")
    assert closed_high("TUSDT", candles, START, START + HOUR_MS) == Decimal("13.0")


@given(st.decimals(min_value=Decimal("1e-8"), max_value=Decimal(9999999), places=8))
def test_a_price_read_as_a_float_gives_its_text_back(price: Decimal) -> None:
    assert exact(float(str(price))) == price


def test_a_market_is_itself_and_no_copy_so_that_it_is_a_key() -> None:
    first, second = (DailyMarket(date_at(START), {}) for _ in range(2))
    assert first == first  # noqa: PLR0124 - identity is what is tested
    assert first != second
    assert len({first, second, first}) == 2


def test_an_asset_the_account_does_not_list_is_nothing() -> None:
    account = Account({"BTC": Balance(Decimal("0.3"), Decimal("0.1"))})
    assert (account.free("BTC"), account.total("BTC")) == (Decimal("0.3"), Decimal("0.4"))
    assert (account.free("ETH"), account.total("ETH")) == (Decimal(0), Decimal(0))


def test_only_what_is_not_pledged_and_open_for_redemption_can_be_redeemed() -> None:
    position = EarnPosition("USDT", "USDT001", Decimal(100), pledged=Decimal(30))
    assert position.redeemable == 70
    assert replace(position, can_redeem=False).redeemable == 0
    assert replace(position, pledged=Decimal(130)).redeemable == 0


bounds = st.none() | st.integers(-12, 12)


@given(st.lists(st.floats(1, 9), max_size=9), st.integers(0, 9), st.integers(0, 9), bounds, bounds)
def test_a_part_of_a_column_is_read_like_the_tuple_of_its_values(
    column: list[float], first: int, length: int, begin: int | None, end: int | None
) -> None:
    whole = (0.5, *column, 0.25)  # a neighbour on either side
    first = min(first, len(column)) + 1
    stop = min(first + length, len(column) + 1)
    part, plain = Part(whole, first, stop), whole[first:stop]
    assert (len(part), tuple(part), [*reversed(part)]) == (len(plain), plain, [*reversed(plain)])
    for step in (None, 1, 2, -1):
        assert part[begin:end:step] == plain[begin:end:step]
    assert part == plain == part == Part(plain, 0, len(plain))
    assert part != (*plain, 1.0)
    assert (hash(part), repr(part)) == (hash(plain), repr(plain))
    for at in range(-11, 11):
        if -len(plain) <= at < len(plain):
            assert part[at] == plain[at]
        else:
            with pytest.raises(IndexError):
                part[at]


def test_a_series_of_parts_is_stored_and_read_like_one_of_tuples() -> None:
    column = (1.0, 2.0, 3.0, 4.0)
    plain = DailySeries("ETHUSDT", START, *[column[1:3]] * 4)
    parts = DailySeries("ETHUSDT", START, *[Part(column, 1, 3)] * 4)
    columns = {name: [2.0, 3.0] for name in ("high", "low", "close", "quote_volume")}
    assert encode(parts) == encode(plain) == {"symbol": "ETHUSDT", "first_open_ms": START, **columns}
    read = decode(DailySeries, encode(parts), "cache")
    assert read == parts == plain
    assert type(read.close) is tuple
