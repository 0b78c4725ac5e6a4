"""The closed days of one pair in the past: a series that is continued day by day is another part of the same columns.

Nothing is copied. A series that was handed out before is known by identity; any other one is first compared with the
columns, value by value.
"""

from __future__ import annotations

import math
from bisect import bisect_right

from runtime.domain.candle_columns import CandleColumns
from runtime.domain.market import DailySeries, Part
from runtime.domain.slots import DAY_MS


class PastDays:
    """The daily candles of one pair."""

    def __init__(self, columns: CandleColumns) -> None:
        """`columns` are its days, checked by whoever built them."""
        self._symbol, self._opens_ms = columns.symbol, columns.opens_ms
        self._high, self._low, self._close = tuple(columns.high), tuple(columns.low), tuple(columns.close)
        rows = zip(columns.quote_volume, columns.close, columns.volume, strict=True)
        self._turnover = tuple([close * volume if math.isnan(quote) else quote for quote, close, volume in rows])
        self._given: DailySeries | None = None
        self._first, self._stop = 0, 0

    def after(self, cached: DailySeries, count: int, now_ms: int) -> DailySeries | None:
        """`cached` with the one day that has closed since, of all of them the newest `count`; None if it is not just
        one, or if `cached` holds other days than the columns.
        """
        if cached is not self._given and not self._found(cached):
            return None
        at, opens_ms = self._stop, self._opens_ms
        next_ms = opens_ms[at - 1] + DAY_MS
        if not next_ms + DAY_MS <= now_ms < next_ms + 2 * DAY_MS or at == len(opens_ms) or opens_ms[at] != next_ms:
            return None
        self._first, self._stop = max(self._first, at + 1 - count), at + 1
        self._given = self._cut(self._first, self._stop)
        return self._given

    def _found(self, series: DailySeries) -> bool:
        """Whether the columns hold just the days of `series`, without a gap; then that is where they go on."""
        stop = bisect_right(self._opens_ms, series.last_open_ms)
        first = stop - len(series.close)
        if first < 0 or self._cut(first, stop) != series or self._opens_ms[stop - 1] != series.last_open_ms:
            return False
        self._given, self._first, self._stop = series, first, stop
        return True

    def _cut(self, first: int, stop: int) -> DailySeries:
        """The days from index `first` up to, not including, `stop`."""
        return DailySeries(
            self._symbol,
            self._opens_ms[first],
            Part(self._high, first, stop),
            Part(self._low, first, stop),
            Part(self._close, first, stop),
            Part(self._turnover, first, stop),
        )
