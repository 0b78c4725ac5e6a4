"""The past as a market: `MarketData` over a `History` in memory, each answer as it was known at the clock's moment.

It answers exactly as a market folder of the same candles does (`markets`; a test holds the two together), but from
columns that are lined up once, so that an hour costs no search. *No look-ahead*:

- The price in an hour is the open of its hourly candle: the last trade known when the hour begins, and the only one of
  that hour that is. Without that candle it is the close of the candle before, for at most 3 hours; then there is none.
- An hour in which no pair at all has a candle is an outage: the exchange is closed, and every call is `Unavailable`.
- Of candles, those that have closed are given, and the open one as far as it has happened: one price, or the day's
  closed hours and the present price. No row is read that begins after now.
- A pair is unknown before its first candle; it trades while it has candles within two days.
- Derived filters are reviewed once a calendar month, at the first price of that month: filters change rarely.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from runtime.adapters.simulated.listing import derived
from runtime.domain.history import DatedPool, Hours, SymbolHistory
from runtime.domain.instruments import Instrument
from runtime.domain.market import Candle, exact
from runtime.domain.pool import Rung
from runtime.domain.slots import DAY_MS, HOUR_MS, date_at, day_start_ms
from runtime.errors import Rejected, Unavailable
from runtime.ports import Clock

KLINES_MAX = 1000
PRICE_AGE_MAX = 3
"""Hours for which a close stands for a price that is missing."""
TRADING_AGE_MAX_MS = 2 * DAY_MS
Row = tuple[Decimal | None, ...]


class PastMarket:
    """`MarketData` over the candles of a history, for clocks between `start_ms` and `end_ms` (epoch ms)."""

    def __init__(
        self,
        candles: Mapping[str, SymbolHistory],
        clock: Clock,
        span_ms: tuple[int, int],
        filters: Mapping[str, Instrument] | None = None,
    ) -> None:
        """Line the prices up over the span; `filters` are the pairs' own, where they are known."""
        self._candles, self._clock, self._filters = candles, clock, filters or {}
        self._start_ms = _floor(span_ms[0], HOUR_MS)
        self._symbols = tuple(sorted(candles))
        grid = range(self._start_ms, span_ms[1], HOUR_MS)
        columns = [lined_up(candles[symbol].hours, grid) for symbol in self._symbols]
        self._rows: list[Row] = list(zip(*columns, strict=True))
        self._open = opened(candles, grid)
        self._priced: tuple[int, Mapping[str, Decimal]] = (-1, {})
        self._reviewed: dict[tuple[str, int, bool], Instrument] = {}

    def open_at(self, now_ms: int) -> bool:
        """Whether the exchange is open in that hour: some pair has a candle."""
        return bool(self._open[(now_ms - self._start_ms) // HOUR_MS])

    def server_time_ms(self) -> int:
        return self._clock.now_ms()

    def prices(self) -> Mapping[str, Decimal]:
        at = self._at()
        if self._priced[0] != at:
            found = dict(zip(self._symbols, self._rows[at], strict=True))
            if None in found.values():
                found = {symbol: price for symbol, price in found.items() if price is not None}
            self._priced = at, found  # type: ignore[assignment] # nothing is None any more
        return self._priced[1]

    def instruments(self, symbols: Sequence[str]) -> tuple[int, Mapping[str, Instrument]]:
        now = self._clock.now_ms()
        self._at()
        return now, {symbol: self._instrument(symbol, now) for symbol in symbols}

    def candles(self, symbol: str, interval: str, start_ms: int | None, limit: int) -> Sequence[Candle]:
        now = self._clock.now_ms()
        self._at()
        known = self._listed(symbol, now, f"klines {symbol}")
        if interval not in {"1d", "1h"}:
            raise Rejected(f"klines {symbol} {interval}", -1120, "Invalid interval.")
        if limit < 1:
            raise Rejected(f"klines {symbol} limit {limit}", -1130, "Data sent for parameter 'limit' is not valid.")
        count = min(limit, KLINES_MAX)
        if interval == "1d":
            return self._days(known, start_ms, count, now)
        return self._hours(known.hours, start_ms, count, now)

    def _at(self) -> int:
        """The clock's hour in the columns; `Unavailable` while the exchange is closed."""
        at = (self._clock.now_ms() - self._start_ms) // HOUR_MS
        if not self._open[at]:
            raise Unavailable("exchange", "closed: no pair has a candle in this hour")
        return at

    def _instrument(self, symbol: str, now: int) -> Instrument:
        known = self._listed(symbol, now, f"exchangeInfo {symbol}").hours
        closed = bisect_right(known.open_ms, now - HOUR_MS)
        trading = not closed or now - known.open_ms[closed - 1] - HOUR_MS <= TRADING_AGE_MAX_MS
        month_ms = day_start_ms(date_at(now).replace(day=1))
        key = (symbol, month_ms, trading)
        if key not in self._reviewed:
            self._reviewed[key] = self._review(symbol, month_ms, now, trading=trading)
        return self._reviewed[key]

    def _review(self, symbol: str, month_ms: int, now: int, *, trading: bool) -> Instrument:
        """The pair's own filters, or those that follow from its first price of the month, or else its last one."""
        own = self._filters.get(symbol)
        if own is not None:
            return own if trading or not own.tradable else replace(own, status="BREAK")
        hours = self._candles[symbol].hours
        at = bisect_left(hours.open_ms, month_ms)
        begun = at < len(hours.open_ms) and hours.open_ms[at] <= now
        return derived(symbol, hours.open[at] if begun else exact(hours.close[at - 1]), trading=trading)

    def _listed(self, symbol: str, now: int, what: str) -> SymbolHistory:
        known = self._candles.get(symbol)
        if known is None or known.hours.open_ms[0] > now:
            raise Rejected(what, -1121, "Invalid symbol.")
        return known

    def _days(self, known: SymbolHistory, start_ms: int | None, count: int, now: int) -> Sequence[Candle]:
        days = known.days
        closed = bisect_right(days, now - DAY_MS, key=_open_ms)
        forming = self._forming(known, now)
        if start_ms is None:
            return [*days[max(0, closed - count) : closed], *forming][-count:]
        first = bisect_left(days, start_ms, key=_open_ms)
        rest = [day for day in forming if day.open_time_ms >= start_ms]
        return [*days[first : min(closed, first + count)], *rest][:count]

    def _forming(self, known: SymbolHistory, now: int) -> list[Candle]:
        """The day in progress: its closed hours and the present price."""
        day_ms, hours = _floor(now, DAY_MS), known.hours
        of_day = range(bisect_left(hours.open_ms, day_ms), bisect_right(hours.open_ms, now - HOUR_MS))
        parts = [candle_at(hours, at) for at in of_day]
        price = self.prices().get(known.symbol)
        if price is not None:
            parts.append(_flat(_floor(now, HOUR_MS), float(price)))
        if not parts:
            return []
        quoted = [part.quote_volume for part in parts if part.quote_volume is not None]
        return [
            Candle(
                day_ms,
                parts[0].open,
                max(part.high for part in parts),
                min(part.low for part in parts),
                parts[-1].close,
                sum(part.volume for part in parts),
                sum(quoted) if len(quoted) == len(parts) else None,
            )
        ]

    @staticmethod
    def _hours(hours: Hours, start_ms: int | None, count: int, now: int) -> Sequence[Candle]:
        closed = bisect_right(hours.open_ms, now - HOUR_MS)
        running = closed < len(hours.open_ms) and hours.open_ms[closed] <= now
        first = max(0, closed - count) if start_ms is None else bisect_left(hours.open_ms, start_ms)
        found = [candle_at(hours, at) for at in range(first, min(closed, first + count))]
        if running and (start_ms is None or hours.open_ms[closed] >= start_ms):
            found.append(_flat(hours.open_ms[closed], float(hours.open[closed])))
        return found[-count:] if start_ms is None else found[:count]


def lined_up(hours: Hours, grid: range) -> list[Decimal | None]:
    """The price in each hour of `grid` (epoch ms): the open, or the close of at most 3 hours ago, or None."""
    column: list[Decimal | None] = [None] * len(grid)
    if not grid:
        return column
    at, age, last = bisect_left(hours.open_ms, grid.start), PRICE_AGE_MAX + 1, None
    if at:
        age, last = (grid.start - hours.open_ms[at - 1]) // HOUR_MS - 1, at - 1
    count = len(hours.open_ms)
    for row, hour in enumerate(grid):
        if at < count and hours.open_ms[at] == hour:
            column[row], age, last = hours.open[at], 0, at
            at += 1
        else:
            if last is not None and age <= PRICE_AGE_MAX:
                column[row] = exact(hours.close[last])
            age += 1
    return column


def opened(candles: Mapping[str, SymbolHistory], grid: range) -> bytearray:
    """For each hour of `grid` 1 if some pair has a candle in it, else 0."""
    found = bytearray(len(grid))
    for known in candles.values():
        times = known.hours.open_ms
        for at in range(bisect_left(times, grid.start), bisect_left(times, grid.stop)):
            found[(times[at] - grid.start) // HOUR_MS] = 1
    return found


def candle_at(hours: Hours, at: int) -> Candle:
    """One hour as a candle."""
    quoted = hours.quote_volume[at]
    return Candle(
        hours.open_ms[at],
        float(hours.open[at]),
        hours.high[at],
        hours.low[at],
        hours.close[at],
        hours.volume[at],
        None if quoted != quoted else quoted,  # noqa: PLR0124 - NaN is the only value that differs from itself
    )


def _open_ms(candle: Candle) -> int:
    return candle.open_time_ms


def _flat(open_ms: int, price: float) -> Candle:
    """A candle at its first moment: one price, nothing traded yet."""
    return Candle(open_ms, price, price, price, price, 0.0, 0.0)


def _floor(now_ms: int, step_ms: int) -> int:
    return now_ms - now_ms % step_ms


class PastPools:
    """The upstream rung of a history: the newest document that is known at the clock's date."""

    rung = Rung.FRESH_UPSTREAM
    where = "pools of the past"

    def __init__(self, pools: Sequence[DatedPool], clock: Clock) -> None:
        """`pools` come oldest first."""
        self._pools, self._clock = pools, clock

    def read(self) -> Mapping[str, Any]:
        today = date_at(self._clock.now_ms())
        known = bisect_right(self._pools, today, key=lambda pool: pool.known_from)
        if not known:
            raise Unavailable(self.where, f"holds no pool dated {today} or earlier")
        return self._pools[known - 1].document
