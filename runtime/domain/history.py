"""History: years of the past as one value, which is everything a history run may know of the market.

    History
      candles      symbol -> SymbolHistory: hourly candles as columns (`Hours`), and closed days as rows
      pools        dated upstream documents, oldest first: each is known from its date on
      instruments  the filters of pairs, where the source brings Binance's own; others are derived from prices

Columns, because five years of twelve symbols are half a million candles: an array of floats costs eight bytes a value,
and an open price is made a `Decimal` once, when it is read. An hour that is missing from a symbol's columns is an hour
without a candle: the pair was halted or not listed, or, if no symbol has one, the exchange was closed.

The value is as good as its reader made it: times rise, lie on the hour, and prices are above 0.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any

from runtime.domain.instruments import Instrument
from runtime.domain.market import Candle
from runtime.domain.slots import DAY_MS

Floats = Sequence[float]


@dataclass(frozen=True, slots=True)
class Hours:
    """Hourly candles of one symbol as columns of one length, oldest first. Prices in quote units, `open_ms` epoch ms.

    `quote_volume` is NaN where it is unknown.
    """

    open_ms: Sequence[int]
    open: Sequence[Decimal]
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    quote_volume: Floats


@dataclass(frozen=True, slots=True)
class SymbolHistory:
    """What is known of one pair: its hours, and its closed days (contiguous, oldest first)."""

    symbol: str
    hours: Hours
    days: Sequence[Candle]


@dataclass(frozen=True, slots=True)
class DatedPool:
    """An upstream document and the UTC date from which it is known."""

    known_from: date
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class History:
    """Everything a run over the past may know; see the module's docstring."""

    candles: Mapping[str, SymbolHistory]
    pools: tuple[DatedPool, ...] = ()
    instruments: Mapping[str, Instrument] = field(default_factory=dict)

    def digest(self) -> str:
        """SHA-256 (hex) over every value: the same past has the same digest on every machine."""
        sha = sha256()
        for symbol, known in sorted(self.candles.items()):
            hours = known.hours
            sha.update(symbol.encode())
            sha.update(array("q", hours.open_ms).tobytes())
            sha.update(" ".join(map(str, hours.open)).encode())
            for column in (hours.high, hours.low, hours.close, hours.volume, hours.quote_volume):
                sha.update(array("d", column).tobytes())
            sha.update(repr(known.days).encode())
        documents = [[str(pool.known_from), pool.document] for pool in self.pools]
        sha.update(json.dumps(documents, sort_keys=True).encode())
        sha.update(repr(sorted(self.instruments.items())).encode())
        return sha.hexdigest()


def days_of(hours: Hours) -> list[Candle]:
    """The closed UTC days of hourly candles: a day is what its hours were, also where some are missing.

    The last day counts only if its last hour is there; the quote volume is unknown if one of the hours' is.
    """
    days: list[Candle] = []
    first, count = 0, len(hours.open_ms)
    while first < count:
        day_ms = hours.open_ms[first] - hours.open_ms[first] % DAY_MS
        stop = first
        while stop < count and hours.open_ms[stop] < day_ms + DAY_MS:
            stop += 1
        if stop < count or hours.open_ms[stop - 1] == day_ms + DAY_MS - 3_600_000:
            days.append(_day(hours, day_ms, slice(first, stop)))
        first = stop
    return days


def _day(hours: Hours, day_ms: int, of_day: slice) -> Candle:
    quoted = sum(hours.quote_volume[of_day])
    return Candle(
        day_ms,
        float(hours.open[of_day.start]),
        max(hours.high[of_day]),
        min(hours.low[of_day]),
        hours.close[of_day.stop - 1],
        sum(hours.volume[of_day]),
        None if quoted != quoted else quoted,  # noqa: PLR0124 - NaN is the only value that differs from itself
    )
