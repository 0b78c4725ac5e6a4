"""Years of candles as columns: what a run of history reads once and then only looks up.

The worked problem: 12 symbols x 5 years are half a million hourly candles. As objects they cost 200 bytes and a
microsecond each; as columns they cost 75 bytes and are loaded, cut and handed to other processes as a whole.

- Times, highs, lows, volumes are arrays (`array("q")`, `array("d")`); nobody writes to them.
- Opens and closes are prices that money may be paid at, so they are kept as they were written besides, and come out as
  `Decimal` (`exact_open`, `exact_close`). 24 of them share one text, which costs a tenth of as many Decimals.
- Rows rise in time, lie on the interval's grid and make sense each (low <= open, close <= high, all above 0): whoever
  builds a column has checked that. A row may be *missing*: the exchange was closed, or its symbol was halted.
- A quote volume of NaN is unknown. `candle` and `candles` give rows as the rest of the engine knows them.

Days that no file holds are made of hours (`daily_from_hourly`), as Binance makes them: of those hours that exist.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runtime.domain.market import Candle
from runtime.domain.slots import DAY_MS, HOUR_MS

GROUP = 24  # prices a text: the hours of a day
WARMUP_DAYS = 700
"""Days before the start that are read along: the longest look back of any indicator (bitcoin's z-score)."""


@dataclass(frozen=True, slots=True)
class ExactColumn:
    """Prices exactly as written, 24 to a text; `skip` prices of the first text come before the column's first."""

    groups: tuple[str, ...]
    length: int
    skip: int = 0

    def __len__(self) -> int:
        return self.length

    def between(self, first: int, stop: int) -> list[Decimal]:
        """The prices from index `first` up to, not including, `stop`."""
        return list(map(Decimal, self.texts(first, stop)))

    def texts(self, first: int, stop: int) -> list[str]:
        """The same as they were written."""
        first, stop = self.skip + max(0, first), self.skip + min(stop, self.length)
        if first >= stop:
            return []
        begin = first // GROUP
        joined = ",".join(self.groups[begin : (stop - 1) // GROUP + 1]).split(",")
        return joined[first - begin * GROUP : stop - begin * GROUP]

    def cut(self, first: int, stop: int) -> ExactColumn:
        """The part from index `first` up to `stop`."""
        begin, end = self.skip + first, self.skip + stop
        groups = self.groups[begin // GROUP : (end - 1) // GROUP + 1] if stop > first else ()
        return ExactColumn(groups, max(0, stop - first), begin % GROUP)


def exact_column(texts: Sequence[str]) -> ExactColumn:
    """The column of prices that are written as `texts`."""
    groups = tuple([",".join(texts[at : at + GROUP]) for at in range(0, len(texts), GROUP)])
    return ExactColumn(groups, len(texts))


@dataclass(frozen=True, slots=True)
class CandleColumns:
    """The candles of one symbol and interval (`step_ms`), oldest first; all columns have the same length.

    `opens_ms` are open times (epoch ms UTC), prices in quote units, volume in base units, quote volume in quote units
    (NaN = unknown).
    """

    symbol: str
    step_ms: int
    opens_ms: array[int]
    open: array[float]
    high: array[float]
    low: array[float]
    close: array[float]
    volume: array[float]
    quote_volume: array[float]
    exact_open: ExactColumn
    exact_close: ExactColumn

    def __len__(self) -> int:
        return len(self.opens_ms)

    def index_at(self, open_ms: int) -> int:
        """The index of the first candle that opens at or after `open_ms`; the length if there is none."""
        return bisect_left(self.opens_ms, open_ms)

    def closed_at(self, now_ms: int) -> int:
        """How many candles have closed at `now_ms`: the index of the first one that has not."""
        return self.index_at(now_ms - self.step_ms + 1)

    def candle(self, index: int) -> Candle:
        """The candle at `index`."""
        quote = self.quote_volume[index]
        return Candle(
            self.opens_ms[index],
            self.open[index],
            self.high[index],
            self.low[index],
            self.close[index],
            self.volume[index],
            None if math.isnan(quote) else quote,
        )

    def candles(self, first: int, stop: int) -> list[Candle]:
        """The candles from index `first` up to, not including, `stop`."""
        return [self.candle(index) for index in range(max(0, first), min(stop, len(self)))]

    def cut(self, first: int, stop: int) -> CandleColumns:
        """The candles from index `first` up to, not including, `stop`, as columns of their own."""
        first, stop = max(0, first), min(stop, len(self))
        return CandleColumns(
            self.symbol,
            self.step_ms,
            self.opens_ms[first:stop],
            self.open[first:stop],
            self.high[first:stop],
            self.low[first:stop],
            self.close[first:stop],
            self.volume[first:stop],
            self.quote_volume[first:stop],
            self.exact_open.cut(first, stop),
            self.exact_close.cut(first, stop),
        )


@dataclass(frozen=True, slots=True)
class CandleQuery:
    """What a run of history asks of its candles: hours that open from `start_ms` up to, not including, `end_ms`.

    `symbols` None means all there are; bitcoin is read in any case. Days and hours of `warmup_days` before the start
    are read along where they exist. A hole of more than `gap_hours_max` is refused unless `allow_gaps`.
    """

    start_ms: int
    end_ms: int
    symbols: tuple[str, ...] | None = None
    warmup_days: int = WARMUP_DAYS
    gap_hours_max: int = 48
    allow_gaps: bool = False


@dataclass(frozen=True, slots=True)
class CandleSet:
    """The candles of a query by symbol; every symbol of `hourly` is in `daily` too.

    Everything in it has closed at `query.end_ms`. `notes` are what an operator should know, such as a symbol that was
    listed after the start. `fingerprint` is a SHA-256 over the files it was read from, for a run's record.
    """

    query: CandleQuery
    hourly: Mapping[str, CandleColumns]
    daily: Mapping[str, CandleColumns]
    notes: tuple[str, ...] = ()
    fingerprint: str = ""

    def closed_hours(self) -> frozenset[int]:
        """The hours (open time, epoch ms) of the range in which no symbol has a candle: the exchange was closed."""
        hours = set(range(self.query.start_ms, self.query.end_ms, HOUR_MS))
        for columns in self.hourly.values():
            if not hours:
                break
            hours.difference_update(columns.opens_ms)
        return frozenset(hours)


def daily_from_hourly(hourly: CandleColumns) -> CandleColumns:
    """The days that the hours make up; the last one only if its last hour is there (otherwise it has not closed).

    A first day that begins late is kept: that is what a listing looks like. A day without any hour is missing.
    """
    stops = _day_stops(hourly.opens_ms)
    parts = list(zip([0, *stops], stops, strict=False))
    firsts, lasts = [first for first, _ in parts], [stop - 1 for stop in stops]
    opens, closes = hourly.exact_open.texts(0, len(hourly)), hourly.exact_close.texts(0, len(hourly))
    return CandleColumns(
        hourly.symbol,
        DAY_MS,
        array("q", [hourly.opens_ms[at] // DAY_MS * DAY_MS for at in firsts]),
        array("d", [hourly.open[at] for at in firsts]),
        _by_day(max, hourly.high, parts),
        _by_day(min, hourly.low, parts),
        array("d", [hourly.close[at] for at in lasts]),
        _by_day(math.fsum, hourly.volume, parts),
        _by_day(math.fsum, hourly.quote_volume, parts),
        exact_column([opens[at] for at in firsts]),
        exact_column([closes[at] for at in lasts]),
    )


def _by_day(
    of: Callable[[list[float]], float], column: array[float], parts: Sequence[tuple[int, int]]
) -> array[float]:  # fmt: skip
    values = column.tolist()
    return array("d", [of(values[first:stop]) for first, stop in parts])


def _day_stops(opens_ms: array[int]) -> list[int]:
    """For each day that is there, the index after its last hour."""
    stops, at, length = [], 0, len(opens_ms)
    while at < length:
        day_end = opens_ms[at] // DAY_MS * DAY_MS + DAY_MS
        at = bisect_left(opens_ms, day_end, at, min(length, at + GROUP))
        stops.append(at)
    if stops and (opens_ms[-1] + HOUR_MS) % DAY_MS:
        stops.pop()
    return stops
