"""A span in progress: its pages as they came, in a file that a killed run leaves behind and the next one takes up.

The first line names the span's start, so that rows of another span are never taken for these; then a row a line. What
a kill leaves of a half-written line is cut off. A part that breaks a rule is thrown away: it is only a copy of what the
exchange will say again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from runtime.adapters.candles.faults import row_faults
from runtime.adapters.candles.manifest import place
from runtime.adapters.candles.rows import OWN, parse
from runtime.domain.downloads import KlineFile, KlineRow, Span
from runtime.errors import BadCandles


class Part:
    """The rows of one span of one file."""

    def __init__(self, folder: Path, file: KlineFile, span: Span) -> None:
        """Nothing is read or made yet."""
        self.path = (folder / file.name).with_name(f".{file.symbol}.part")
        self._file, self._span = file, span
        self._mark = f"span from {span.start_ms}\n".encode()

    def begin(self) -> int:
        """Take up what an earlier run left, or begin anew; the open time (epoch ms) to go on from."""
        rows = self.rows()
        if rows is None:
            place(self.path, self._mark)
            return self._span.start_ms
        with self.path.open("r+b") as file:
            file.truncate(len(self._mark) + len(rows))
        last = rows[rows.rfind(b"\n", 0, -1) + 1 :]
        return int(last.split(b",")[0]) + self._file.step_ms if last else self._span.start_ms

    def append(self, rows: Sequence[KlineRow]) -> None:
        """Add a page, flushed to the disk; `BadCandles` if a row of it breaks a rule."""
        lines = "".join(f"{row.line}\n" for row in rows).encode()
        if parse(lines, OWN, self._file.symbol, self._file.step_ms) is None:
            where = f"klines {self._file.symbol} {self._file.interval}"
            raise BadCandles(tuple(row_faults(where, lines, OWN, self._file.step_ms)))
        with self.path.open("ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def rows(self) -> bytes | None:
        """The whole lines so far; None if there is no part of this span that can be used."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        if not data.startswith(self._mark):
            return None
        rows = data[len(self._mark) : data.rfind(b"\n") + 1]
        columns = parse(rows, OWN, self._file.symbol, self._file.step_ms)
        if columns is None:
            return None
        inside = (
            not len(columns) or self._span.start_ms <= columns.opens_ms[0] <= columns.opens_ms[-1] < self._span.end_ms
        )
        return rows if inside else None

    def remove(self) -> None:
        """The span is done."""
        self.path.unlink(missing_ok=True)
