"""Downloading candles: page after page into a folder, within a share of the exchange's limits, resumable at any moment.

The order of things: what the folder has is checked first, all of it, before the first call. Then file by file and span
by span; each page is kept before the next one is asked for. A symbol that the exchange does not know stops nothing else
and is told at the end. What passes is waited for: a pause that the exchange asks for, a minute whose share of weight is
used up, a few failures in a row. A longer pause ends the run: the same command goes on later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from runtime.domain.downloads import PAGE_WEIGHT, Budget, KlineFile, KlinePage, KlineRow, Span, missing, settled
from runtime.domain.slots import minute_text
from runtime.errors import BadCandles, BadInput, RateLimited, Rejected, Unavailable
from runtime.ports import Clock

T = TypeVar("T")
PAUSE_MAX_MS = 600_000
"""The longest pause that is waited for; a ban of hours is better spent otherwise."""
RETRY_DELAYS_S = (2.0, 10.0, 30.0, 60.0)
UNKNOWN_SYMBOL = -1121


class KlineSource(Protocol):
    """The exchange, as a download sees it. Reads raise `Unavailable`, `RateLimited`, `Misconfigured`, `Rejected` or
    `BadPayload`.
    """

    def now_ms(self) -> int:
        """The exchange's clock."""

    def budget(self) -> Budget:
        """What the requests of a minute may weigh, and what of it is used."""

    def page(self, file: KlineFile, span: Span) -> KlinePage:
        """The first candles of a span."""


class Archive(Protocol):
    """Where candles are kept."""

    def opened(self) -> AbstractContextManager[None]:
        """Hold it for one download."""

    def covered(self, file: KlineFile) -> Span | None:
        """What the finished file covers."""

    def begin(self, file: KlineFile, span: Span) -> int:
        """Where to go on with a span."""

    def append(self, file: KlineFile, span: Span, rows: Sequence[KlineRow]) -> None:
        """Keep a page of a span."""

    def finish(self, file: KlineFile, span: Span) -> int:
        """The span is complete; how many candles the file has."""

    def tidy(self, file: KlineFile) -> None:
        """Nothing is missing of this file."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far a download is: `done_ms` of `total_ms` of candles; `pause_s` = it waits that long, for `why`."""

    file: KlineFile
    done_ms: int
    total_ms: int
    pause_s: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What a download did: candles by file (0 = the exchange has none in the span), symbols that it does not know, and
    how many pages it took.
    """

    rows: Mapping[str, int]
    unknown: tuple[str, ...]
    pages: int


class Download:
    """One run: the same command after a kill makes another one, which goes on where this one was."""

    def __init__(
        self, source: KlineSource, archive: Archive, clock: Clock, tell: Callable[[Step], object] = lambda _: None
    ) -> None:
        """`tell` hears of every page and every pause."""
        self._source, self._archive, self._clock, self._tell = source, archive, clock, tell
        self._budget = Budget(0)
        self._step = Step(KlineFile("1h", ""), 0, 0)
        self._pages = 0

    def run(self, wanted: Mapping[KlineFile, Span]) -> Downloaded:
        """Fetch what is missing of each file's span.

        `BadCandles` names all files that must not be touched; `Unavailable` and `RateLimited` end a run that can go on
        later.
        """
        with self._archive.opened():
            covered = self._covered(wanted)
            self._budget = self._patiently(self._source.budget)
            now_ms = self._source.now_ms()
            work = {file: missing(settled(span, file.step_ms, now_ms), covered[file]) for file, span in wanted.items()}
            total_ms = sum(gap.length_ms for gaps in work.values() for gap in gaps)
            self._step = replace(self._step, total_ms=total_ms)
            rows: dict[str, int] = {}
            unknown: list[str] = []
            for file, gaps in work.items():
                self._step = replace(self._step, file=file)
                if file.symbol not in unknown and not self._fetch_all(file, gaps, rows):
                    unknown.append(file.symbol)
            return Downloaded(rows, tuple(unknown), self._pages)

    def _covered(self, files: Iterable[KlineFile]) -> dict[KlineFile, Span | None]:
        covered: dict[KlineFile, Span | None] = {}
        problems = []
        for file in files:
            try:
                covered[file] = self._archive.covered(file)
            except BadInput as error:
                problems.append(str(error))
        if problems:
            raise BadCandles(tuple(problems))
        return covered

    def _fetch_all(self, file: KlineFile, gaps: Sequence[Span], rows: dict[str, int]) -> bool:
        """Fetch a file's spans; False if the exchange does not know its symbol."""
        try:
            for gap in gaps:
                self._fetch(file, gap)
                rows[file.name] = self._archive.finish(file, gap)
        except Rejected as error:
            if error.code != UNKNOWN_SYMBOL:
                raise
            return False
        if not gaps:
            self._archive.tidy(file)
        return True

    def _fetch(self, file: KlineFile, gap: Span) -> None:
        before_ms, at_ms = self._step.done_ms, self._archive.begin(file, gap)
        while at_ms < gap.end_ms:
            self._tell_done(before_ms + at_ms - gap.start_ms)
            page = self._page(file, Span(at_ms, gap.end_ms))
            if not page.rows:
                break
            self._archive.append(file, gap, page.rows)
            at_ms = page.rows[-1].open_ms + file.step_ms
        self._tell_done(before_ms + gap.length_ms)

    def _page(self, file: KlineFile, span: Span) -> KlinePage:
        """The next page, in the exchange's own time."""
        while wait_ms := self._budget.wait_ms(self._source.now_ms(), PAGE_WEIGHT):
            self._wait(wait_ms / 1000, "this minute's share of the request weight is used")
        page = self._patiently(lambda: self._source.page(file, span))
        self._pages += 1
        self._budget = self._budget.after(self._source.now_ms(), PAGE_WEIGHT, page.used_weight)
        return page

    def _patiently(self, call: Callable[[], T]) -> T:
        """The answer of a read, after the pauses and failures that pass."""
        delays = iter(RETRY_DELAYS_S)
        while True:
            try:
                return call()
            except RateLimited as error:
                wait_ms = error.retry_at_ms - self._source.now_ms()
                if next(delays, None) is None or wait_ms > PAUSE_MAX_MS:
                    until = f"no requests before {minute_text(error.retry_at_ms)}; run the same command again then"
                    raise Unavailable(error.what, f"{error.why} ({until})") from None
                self._wait(max(0, wait_ms) / 1000, "the exchange asked for a pause")
            except Unavailable as error:
                delay_s = next(delays, None)
                if delay_s is None:
                    again = "what was fetched is kept; run the same command again"
                    raise Unavailable(error.what, f"{error.why} ({again})") from None
                self._wait(delay_s, error.why)

    def _wait(self, seconds: float, why: str) -> None:
        self._tell(replace(self._step, pause_s=seconds, why=why))
        self._clock.sleep(seconds)

    def _tell_done(self, done_ms: int) -> None:
        self._step = replace(self._step, done_ms=done_ms)
        self._tell(self._step)
