"""Downloading candles: which are missing, how fast they may be asked for, and what a page of them is.

A *span* is a range of open times, from `start_ms` up to, not including, `end_ms`, on the interval's grid. What a file
covers is one span, also where the exchange has no candles in it (a listing, an outage): covered means asked for and
answered. So a file only ever grows at its two ends, and asking for a span far away fills what lies between.

Binance counts what every call weighs, by address and minute, and says the sum in each answer. The engine's own hours
may run at the same address, so a download takes only a share of that minute and waits for the next one: an order must
never be refused because somebody fetched history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runtime.domain.slots import DAY_MS, HOUR_MS, MINUTE_MS

STEPS = {"1h": HOUR_MS, "1d": DAY_MS}
PAGE_ROWS = 1000
INFO_WEIGHT, PAGE_WEIGHT = 20, 2
SHARE = 0.5
"""How much of the request weight of a minute may be used, by this download and all others at the address together."""
SETTLED_MS = 5 * MINUTE_MS
"""How long a candle must have been closed: for a moment after its end it may not be listed yet, or not be final."""


@dataclass(frozen=True, slots=True)
class Span:
    """Open times from `start_ms` up to, not including, `end_ms` (epoch ms)."""

    start_ms: int
    end_ms: int

    @property
    def length_ms(self) -> int:
        """How long it is; 0 if it is empty."""
        return max(0, self.end_ms - self.start_ms)


@dataclass(frozen=True, slots=True)
class KlineFile:
    """One file of a download: all candles of a symbol in an interval."""

    interval: str
    symbol: str

    @property
    def step_ms(self) -> int:
        """The length of a candle."""
        return STEPS[self.interval]

    @property
    def name(self) -> str:
        """Where it lies in its folder."""
        return f"{self.interval}/{self.symbol}.csv.gz"


@dataclass(frozen=True, slots=True)
class KlineRow:
    """One candle as the exchange wrote it: its open time (epoch ms) and the line of a candle file."""

    open_ms: int
    line: str


@dataclass(frozen=True, slots=True)
class KlinePage:
    """The candles of one answer, oldest first, and the weight used in this minute, if the answer said it."""

    rows: tuple[KlineRow, ...]
    used_weight: int | None


def settled(span: Span, step_ms: int, now_ms: int) -> Span:
    """The part of a span whose candles have closed for good at `now_ms`, on the interval's grid."""
    last_ms = min(span.end_ms, now_ms - SETTLED_MS)
    start_ms = -(-span.start_ms // step_ms) * step_ms
    return Span(start_ms, max(start_ms, last_ms // step_ms * step_ms))


def missing(asked: Span, covered: Span | None) -> Sequence[Span]:
    """What must be fetched so that one span covers all that is asked and all that was covered before."""
    if not asked.length_ms:
        return ()
    if covered is None:
        return (asked,)
    before = Span(asked.start_ms, covered.start_ms)
    after = Span(covered.end_ms, asked.end_ms)
    return [span for span in (before, after) if span.length_ms]


def joined(first: Span, second: Span | None) -> Span:
    """The span from the earlier start to the later end of two that touch."""
    if second is None:
        return first
    return Span(min(first.start_ms, second.start_ms), max(first.end_ms, second.end_ms))


@dataclass(frozen=True, slots=True)
class Budget:
    """The request weight of the minute `minute` (number of the minute since 1970): `used` of `limit`."""

    limit: int
    minute: int = 0
    used: int = 0

    def at(self, now_ms: int) -> Budget:
        """The same at a later moment: a new minute begins with nothing used."""
        minute = now_ms // MINUTE_MS
        return self if minute == self.minute else replace(self, minute=minute, used=0)

    def after(self, now_ms: int, weight: int, said: int | None) -> Budget:
        """The same after a call of `weight`; the exchange's own sum counts, where it `said` one."""
        now = self.at(now_ms)
        return replace(now, used=now.used + weight if said is None else said)

    def wait_ms(self, now_ms: int, weight: int) -> int:
        """How long to wait before a call of `weight`: until the next minute, if this one's share is used up.

        One call a minute always fits, whatever others use.
        """
        used = self.at(now_ms).used
        return 0 if not used or used + weight <= self.limit * SHARE else MINUTE_MS - now_ms % MINUTE_MS
