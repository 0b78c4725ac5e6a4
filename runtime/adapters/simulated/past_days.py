"""The closed days of one pair in the past: a series that is continued day by day is another part of the same columns.

Nothing is copied. A series that was handed out before is known by identity; any other one is first compared with the
columns, value by value.
"""

from __future__ import annotations

import math
from bisect import bisect_left

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
        self._given: tuple[DailySeries | None, int] = (None, 0)

    def after(self, cached: DailySeries, count: int, now_ms: int) -> DailySeries | None:
        """`cached` with the one day that has closed since, of all of them the newest `count`; None if it is not just
        one, or if `cached` holds other days than the columns.
        """
        next_ms, opens_ms = cached.last_open_ms + DAY_MS, self._opens_ms
        if not next_ms + DAY_MS <= now_ms < next_ms + 2 * DAY_MS:
            return None
        given, at = self._given
        if cached is not given:
            at = bisect_left(opens_ms, next_ms)
            if not self._holds(cached, at):
                return None
        if at == len(opens_ms) or opens_ms[at] != next_ms:
            return None
        made = self._cut(at + 1 - min(count, len(cached.close) + 1), at + 1)
        self._given = made, at + 1
        return made

    def _holds(self, cached: DailySeries, stop: int) -> bool:
        """Whether the days before index `stop` are those of `cached`, without a gap."""
        first, opens_ms = stop - len(cached.close), self._opens_ms
        if first < 0 or opens_ms[stop - 1] - opens_ms[first] != (stop - 1 - first) * DAY_MS:
            return False
        return self._cut(first, stop) == cached

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
