"""Why a candle file was refused: each broken row with its number, column, value and fix.

Reached only for a text that `rows` refused, so it may take its time. A file that is broken throughout would fill a
screen: the first few faults are named and the others counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from runtime.adapters.candles.rows import HEADER, PUBLIC, TIME_MAX_MS, TIME_MIN_MS, Shape
from runtime.domain.candles import PRICE_MAX, PRICE_MIN, VOLUME_MAX
from runtime.errors import BadPayload

SHOWN_MAX = 5
_PRICES = ("open", "high", "low", "close")
_OPTIONAL = frozenset({"quote_volume", "trades"})
_UNREAD = frozenset({"taker_base", "taker_quote", "unused"})
_DIGITS = frozenset("0123456789.eE+-")


def header_fault(where: str, first_line: bytes) -> str:
    """What is wrong with a first line that no shape fits."""
    shown = first_line.decode("ascii", "replace")
    cells = shown.split(",")
    missing = [name for name in HEADER.split(",") if name not in cells]
    if cells[0].isdigit():
        fix = f"has no header: put {HEADER} before it"
    else:
        fix = (f"lacks {', '.join(missing)}; " if missing else "") + f"must be {HEADER}"
    return str(BadPayload(f"{where} row 1", shown, fix))


def row_faults(where: str, body: bytes, shape: Shape, step_ms: int) -> list[str]:
    """The first faults of a file's rows, and how many more there are; never empty."""
    found = _faults(where, body, shape, step_ms)
    shown = list(islice(found, SHOWN_MAX))
    more = sum(1 for _ in found)
    if more:
        shown.append(f"{where}: {more} more such rows")
    return shown or [str(BadPayload(where, "its rows", "could not be read; write the file again"))]


def _faults(where: str, body: bytes, shape: Shape, step_ms: int) -> Iterator[str]:
    lines = body.replace(b"\r\n", b"\n").split(b"\n")
    cut = lines.pop()
    newest = 0
    for number, line in enumerate(lines, shape.first_row):
        row = _Row(f"{where} row {number}", line.decode("ascii", "backslashreplace"), shape, step_ms)
        yield from (str(fault) for fault in row.faults(newest))
        newest = max(newest, row.open_ms)
    if cut:
        number = len(lines) + shape.first_row
        fix = "is the last line and does not end: the file was cut; write it again, with a line break at its end"
        yield str(BadPayload(f"{where} row {number}", cut.decode("ascii", "backslashreplace"), fix))


class _Row:
    """One row, under suspicion: at most one fault, the first in the order of its cells."""

    def __init__(self, where: str, line: str, shape: Shape, step_ms: int) -> None:
        self.where, self.line, self.shape, self.step_ms = where, line, shape, step_ms
        self.cells = dict(zip(shape.names, line.split(","), strict=False))
        self.open_ms = 0

    def faults(self, newest: int) -> Iterator[BadPayload]:
        """What is wrong with it; `newest` is the latest open time of the rows before (ms)."""
        count = self.line.count(",") + 1
        if count != len(self.shape.names):
            names = ",".join(self.shape.names)
            yield BadPayload(self.where, self.line, f"has {count} columns, must have {len(self.shape.names)}: {names}")
            return
        faults = (*self._time(newest), *self._numbers(), *self._range())
        yield from faults[:1]

    def _time(self, newest: int) -> Iterator[BadPayload]:
        text = self.cells["open_time_ms"]
        microseconds = self.shape is PUBLIC and len(text) > len(str(TIME_MAX_MS))
        unit = 1000 if microseconds else 1
        time = int(text) // unit if text.isdecimal() else 0
        if not TIME_MIN_MS <= time < TIME_MAX_MS:
            yield self._fault("open_time_ms", "must be 13 digits, epoch milliseconds")
        elif time % self.step_ms or int(text) % unit:
            yield self._fault("open_time_ms", f"must be a multiple of {self.step_ms} ms: is it of another interval?")
        elif time == newest:
            yield self._fault("open_time_ms", "repeats the row before it; keep one of them")
        elif time < newest:
            yield self._fault("open_time_ms", f"must be later than the rows before it ({newest}); sort the file")
        elif self.shape is PUBLIC and self.cells["close_time"] != str((time + self.step_ms) * unit - 1):
            fix = f"must be the end of the interval, {(time + self.step_ms) * unit - 1}: is it of another interval?"
            yield self._fault("close_time", fix)
        self.open_ms = time if TIME_MIN_MS <= time < TIME_MAX_MS else 0

    def _numbers(self) -> Iterator[BadPayload]:
        for name in self.shape.names:
            if name in {"open_time_ms", "close_time"} | _UNREAD or (name in _OPTIONAL and not self.cells[name]):
                continue
            value = self._value(name)
            if value is None:
                yield self._fault(name, "must be a number such as 0.0123")
            elif name in _PRICES and not PRICE_MIN <= value <= PRICE_MAX:
                yield self._fault(name, f"must be a price above 0 ({PRICE_MIN} to {PRICE_MAX})")
            elif not 0 <= value <= VOLUME_MAX:
                yield self._fault(name, "must be finite and not negative")
        yield from (
            self._fault(name, "must be made of digits, a dot and an exponent")
            for name in sorted(_UNREAD & set(self.shape.names))
            if not set(self.cells[name]) <= _DIGITS
        )

    def _range(self) -> Iterator[BadPayload]:
        values = [self._value(name) for name in _PRICES]
        if None in values:
            return
        opened, high, low, close = (value for value in values if value is not None)
        if low > high:
            yield self._fault("low", f"must not be above the high, {self.cells['high']}")
        for name, value in (("open", opened), ("close", close)):
            if not low <= value <= high:
                limits = f"low {self.cells['low']} and high {self.cells['high']}"
                yield self._fault(name, f"must lie between {limits}")

    def _value(self, name: str) -> float | None:
        text = self.cells[name]
        try:
            return float(text) if set(text) <= _DIGITS else None
        except ValueError:
            return None

    def _fault(self, name: str, fix: str) -> BadPayload:
        return BadPayload(f"{self.where} {name}", self.cells[name], fix)
