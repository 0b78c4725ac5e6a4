"""What is missing: before the start, in the middle, at the end; and which of it a run may live with.

The worked problem: Binance was closed 28 times between 2017 and 2023, once for 33 hours, and no source has those
candles. That is history and must be replayed as such. But a file that lacks a month was downloaded badly, and a run
over it would trade on prices that stood still. The limit between the two is a number of hours (`gap_hours_max`).

A file whose rows are all four hours apart lies on the grid of hours and has only short holes, so it is told apart by
their evenness: several equal steps in a row are another interval, not an outage.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from runtime.adapters.candles.findings import Findings
from runtime.domain.candle_columns import CandleColumns, CandleQuery
from runtime.domain.slots import DAY_MS, HOUR_MS, minute_text

EVEN_STEPS = 5
AGREEMENT = 1e-6  # relative; some sources write 32-bit prices
_ANYWAY = "or pass --allow-gaps"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The candles of one file; `first_row` is the number of the row of its first candle."""

    where: str
    first_row: int
    columns: CandleColumns

    def row(self, index: int) -> str:
        """The file and the row of a candle, for a message."""
        return f"{self.where} row {index + self.first_row}"

    @property
    def end_ms(self) -> int:
        """When the last candle closes (epoch ms, exclusive)."""
        return self.columns.opens_ms[-1] + self.columns.step_ms


@dataclass(frozen=True, slots=True)
class Hole:
    """Candles that are missing before the row at index `after`: the first one's open time, and how many."""

    after: int
    from_ms: int
    count: int


def holes(columns: CandleColumns) -> list[Hole]:
    """All holes between the first row and the last."""
    times, step = columns.opens_ms, columns.step_ms
    if len(columns) <= 1 or times[-1] - times[0] == step * (len(columns) - 1):
        return []
    steps = enumerate(pairwise(times), 1)
    return [Hole(at, a + step, (b - a) // step - 1) for at, (a, b) in steps if b - a > step]


def check_interval(file: Loaded, found: Findings) -> None:
    """A problem if the file's rows are evenly spaced by more than the interval that it stands for."""
    run, before = 0, Hole(0, 0, 0)
    for hole in holes(file.columns):
        run = run + 1 if (hole.after, hole.count) == (before.after + 1, before.count) else 1
        before = hole
        if run == EVEN_STEPS:
            step = file.columns.step_ms // HOUR_MS
            apart = f"{EVEN_STEPS} rows {(hole.count + 1) * step} h apart"
            found.problem(file.row(hole.after), apart, f"must be {step} h apart: is the file of another interval?")
            return


def check_hours(file: Loaded, query: CandleQuery, found: Findings, *, whole: bool) -> None:
    """Problems and notes on a symbol's hours; `whole` = they must cover the range from start to end (bitcoin's)."""
    first_ms, symbol = file.columns.opens_ms[0], file.columns.symbol
    if first_ms > query.start_ms:
        if whole:
            fix = f"must reach back to {minute_text(query.start_ms)}: start later, or download what is missing"
            found.problem(file.row(0), f"begins {minute_text(first_ms)}", fix)
        else:
            found.note(f"{symbol} begins at {minute_text(first_ms)}, after the start: it joins then")
    late = (query.end_ms - file.end_ms) // HOUR_MS
    if late > 0:
        _tail(file, query, found, late=late, whole=whole)
    _middle(file, query, found)


def _tail(file: Loaded, query: CandleQuery, found: Findings, *, late: int, whole: bool) -> None:
    last = file.row(len(file.columns) - 1)
    ends = f"ends {minute_text(file.end_ms)}"
    if not whole and (query.allow_gaps or late <= query.gap_hours_max):
        found.note(f"{file.columns.symbol} {ends}, {late} h before the end: from then on it has no price")
        return
    fix = f"must reach {minute_text(query.end_ms)}: end earlier, "
    if whole:
        fix += "or download what is missing"
    else:
        fix += f"download what is missing, leave the symbol out, {_ANYWAY} (it then counts as delisted)"
    found.problem(last, ends, fix)


def _middle(file: Loaded, query: CandleQuery, found: Findings) -> None:
    for hole in holes(file.columns):
        inside = hole.from_ms < query.end_ms and file.columns.opens_ms[hole.after] > _read_from(query)
        if not inside or hole.count <= query.gap_hours_max:
            continue
        text = f"{hole.count} h missing before it, from {minute_text(hole.from_ms)}"
        if query.allow_gaps:
            found.note(f"{file.row(hole.after)}: {text}")
        else:
            fix = f"may be {query.gap_hours_max} h at most: download them, leave the symbol out, {_ANYWAY}"
            found.problem(file.row(hole.after), text, fix)


def check_days(days: Loaded, hours: Loaded, query: CandleQuery, found: Findings) -> None:
    """Problems of a symbol's days: missing ones, and such that the hours contradict."""
    from_ms = max(_floor(hours.columns.opens_ms[0]), _floor(_read_from(query)))
    until_ms = _floor(min(query.end_ms, hours.end_ms))
    first_ms = days.columns.opens_ms[0]
    remove = "download them, or remove the file (days are then made of hours)"
    if first_ms > from_ms:
        fix = f"must reach back to {minute_text(from_ms)}, as the hours do: {remove}"
        found.problem(days.row(0), f"begins {minute_text(first_ms)}", fix)
    if days.end_ms < until_ms:
        fix = f"must reach {minute_text(until_ms)}, as the hours do: {remove}"
        found.problem(days.row(len(days.columns) - 1), f"ends {minute_text(days.end_ms)}", fix)
    for hole in holes(days.columns):
        if hole.from_ms < query.end_ms and days.columns.opens_ms[hole.after] > _read_from(query):
            text = f"{hole.count} d missing before it, from {minute_text(hole.from_ms)}"
            found.problem(days.row(hole.after), text, f"days must follow each other: {remove}")
    _check_agreement(days, hours, found)


def _check_agreement(days: Loaded, hours: Loaded, found: Findings) -> None:
    """The close of a day is the close of its last hour; the first day that says otherwise is a problem."""
    closes = dict(zip(hours.columns.opens_ms, hours.columns.close, strict=True))
    for index, (open_ms, close) in enumerate(zip(days.columns.opens_ms, days.columns.close, strict=True)):
        hourly = closes.get(open_ms + DAY_MS - HOUR_MS, close)
        if not math.isclose(hourly, close, rel_tol=AGREEMENT):
            fix = f"the last hour of that day closes at {hourly!r} in {hours.where}; take both from one source"
            found.problem(f"{days.row(index)} close", close, fix)
            return


def hole_notes(hours: Mapping[str, CandleColumns], bitcoin: str, query: CandleQuery, found: Findings) -> None:
    """Notes on the hours that lack in the range: bitcoin's, and those of others in which bitcoin has a candle."""
    inside = {symbol: _inside(columns, query) for symbol, columns in hours.items()}
    own_holes = inside[bitcoin]
    closed = _hours_of(own_holes)
    if closed:
        longest = max(own_holes, key=lambda hole: hole.count)
        found.note(
            f"{bitcoin} lacks {len(closed)} h of the range (holes: {len(own_holes)}, the longest {longest.count} h "
            f"from {minute_text(longest.from_ms)}): the exchange counts as closed where no other pair has a candle"
        )
    for symbol, gaps in inside.items():
        alone = sorted(_hours_of(gaps) - closed)
        if alone:
            found.note(f"{symbol} lacks {len(alone)} h in which {bitcoin} traded, the first {minute_text(alone[0])}")


def _inside(columns: CandleColumns, query: CandleQuery) -> list[Hole]:
    return [hole for hole in holes(columns) if query.start_ms <= hole.from_ms < query.end_ms]


def _hours_of(gaps: Iterable[Hole]) -> set[int]:
    return {hole.from_ms + at * HOUR_MS for hole in gaps for at in range(hole.count)}


def _read_from(query: CandleQuery) -> int:
    """The first moment that a run looks at."""
    return query.start_ms - query.warmup_days * DAY_MS


def _floor(ms: int) -> int:
    return ms - ms % DAY_MS
