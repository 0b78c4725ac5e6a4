"""Candles as columns: the same rows, the same prices to the last digit, and days made of hours."""

from __future__ import annotations

from array import array
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.candle_columns import CandleColumns, CandleQuery, CandleSet, daily_from_hourly, exact_column
from runtime.domain.market import Candle
from runtime.domain.slots import DAY_MS, HOUR_MS
from tests.support.klines import real_candles

T0 = 1_609_459_200_000  # 2021-01-01
NAN = float("nan")


def columns_of(candles: list[Candle], step_ms: int = HOUR_MS, symbol: str = "AUSDT") -> CandleColumns:
    return CandleColumns(
        symbol,
        step_ms,
        array("q", [c.open_time_ms for c in candles]),
        array("d", [c.open for c in candles]),
        array("d", [c.high for c in candles]),
        array("d", [c.low for c in candles]),
        array("d", [c.close for c in candles]),
        array("d", [c.volume for c in candles]),
        array("d", [NAN if c.quote_volume is None else c.quote_volume for c in candles]),
        exact_column([repr(c.open) for c in candles]),
        exact_column([repr(c.close) for c in candles]),
    )


def hour(at: int, price: float = 10.0, quote: float | None = 5.0) -> Candle:
    return Candle(T0 + at * HOUR_MS, price, price + 1, price - 1, price + 0.5, 2.0, quote)


texts = st.decimals("0.00000001", 10**9, places=8).map(str)


@given(prices=st.lists(texts, max_size=80), data=st.data())
def test_exact_prices_come_out_as_they_were_written_wherever_they_are_cut(
    prices: list[str], data: st.DataObject
) -> None:
    column, kept = exact_column(prices), prices
    for _ in range(2):
        first = data.draw(st.integers(0, len(kept)))
        stop = data.draw(st.integers(first, len(kept)))
        column, kept = column.cut(first, stop), kept[first:stop]
        assert len(column) == len(kept)
    first, stop = data.draw(st.integers(-5, 90)), data.draw(st.integers(-5, 90))
    assert column.texts(first, stop) == kept[max(0, first) : max(0, stop)]
    assert column.between(first, stop) == [Decimal(text) for text in kept[max(0, first) : max(0, stop)]]


@given(hours=st.sets(st.integers(0, 100), max_size=40), now=st.integers(-HOUR_MS, 110 * HOUR_MS))
def test_rows_are_found_by_time_and_cut_like_a_list(hours: set[int], now: int) -> None:
    rows = [hour(at, quote=None if at % 3 else 7.0) for at in sorted(hours)]
    columns, moment = columns_of(rows), T0 + now
    assert columns.candles(-3, 1000) == rows
    assert columns.closed_at(moment) == sum(row.open_time_ms + HOUR_MS - 1 < moment for row in rows)
    first = columns.index_at(moment)
    assert first == sum(row.open_time_ms < moment for row in rows)
    tail = columns.cut(first, 1000)
    assert tail.candles(0, 1000) == rows[first:]
    assert tail.exact_open.between(0, 1000) == [Decimal("10.0")] * len(rows[first:])
    assert len(tail.exact_close) == len(tail)


@given(hours=st.sets(st.integers(0, 24 * 9), max_size=150))
def test_days_made_of_hours_are_what_grouping_the_rows_by_date_gives(hours: set[int]) -> None:
    rows = [hour(at, 10.0 + (at * 7919 % 50)) for at in sorted(hours)]
    days: dict[int, list[Candle]] = {}
    for row in rows:
        days.setdefault(row.open_time_ms // DAY_MS * DAY_MS, []).append(row)
    if days and max(hours) % 24 != 23:
        days.pop(max(days))
    made = daily_from_hourly(columns_of(rows))
    assert made.step_ms == DAY_MS
    assert made.candles(0, 100) == [
        Candle(
            day,
            of[0].open,
            max(row.high for row in of),
            min(row.low for row in of),
            of[-1].close,
            2.0 * len(of),
            5.0 * len(of),
        )
        for day, of in days.items()
    ]
    assert [float(price) for price in made.exact_close.between(0, 100)] == list(made.close)
    assert [float(price) for price in made.exact_open.between(0, 100)] == list(made.open)


def test_one_unknown_quote_volume_makes_the_days_unknown() -> None:
    rows = [hour(at, quote=None if at == 5 else 1.0) for at in range(48)]
    assert [day.quote_volume for day in daily_from_hourly(columns_of(rows)).candles(0, 9)] == [None, 24.0]


def test_hours_without_any_candle_are_those_the_exchange_was_closed() -> None:
    query = CandleQuery(T0, T0 + 10 * HOUR_MS)
    bitcoin, other = columns_of([hour(at) for at in (0, 1, 2, 6, 9)]), columns_of([hour(at) for at in (4, 6)])
    candles = CandleSet(query, {"BTCUSDT": bitcoin, "AUSDT": other}, {})
    assert candles.closed_hours() == {T0 + at * HOUR_MS for at in (3, 5, 7, 8)}


@pytest.mark.parametrize("symbol", ["BTCUSDT", "SOLUSDT", "AAVEUSDT"])
def test_real_days_are_the_sum_of_real_hours(symbol: str) -> None:
    """Binance's own daily candles against those made of its hourly ones, listing day and outages included."""
    made = daily_from_hourly(columns_of(list(real_candles(symbol, "1h"))))
    real = {day.open_time_ms: day for day in real_candles(symbol)}
    for day in made.candles(0, len(made)):
        own = real[day.open_time_ms]
        for name in ("open", "high", "low", "close", "volume"):
            assert getattr(day, name) == pytest.approx(getattr(own, name), rel=1e-6), (day, name)
