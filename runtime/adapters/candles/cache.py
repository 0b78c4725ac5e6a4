"""Parsed candle files, kept as the bytes of their columns, so that a second run does not parse them again.

The worked problem: half a million rows take a second to parse and a twentieth of one to copy. A cache that could ever
serve yesterday's rows for today's file would be worse than none. So nothing is looked up by name, size or time: the key
is the SHA-256 of the file's own bytes, of the code that parses them, and of the machine's number format. Another file
is another key. An entry begins with a digest of itself; one that is cut or damaged counts as absent.

Entries lie in a folder of their own, never beside the operator's files; the oldest are removed beyond a number. A
folder that cannot be written costs time, not the run.
"""

from __future__ import annotations

import os
import struct
import sys
from array import array
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import mkstemp

from runtime.adapters.candles import rows
from runtime.domain import candle_columns
from runtime.domain.candle_columns import CandleColumns, ExactColumn

ENTRIES_MAX = 200
_HEAD = struct.Struct("<QQQQ")  # number of the first row, rows, bytes of the opens as text, bytes of the closes as text
_DIGEST_BYTES = 32
_CELL_BYTES = 8
_FLOATS = 6  # open, high, low, close, volume, quote volume


CODE = tuple(Path(module.__file__ or "") for module in (rows, candle_columns, sys.modules[__name__]))


class ColumnCache:
    """A folder of parsed files; without a folder, nothing is kept."""

    def __init__(self, folder: Path | None, code: tuple[Path, ...] = CODE) -> None:
        """`folder` is created with the first entry; `code` is what makes the columns: if it changes, all is parsed."""
        self._folder = folder
        self._code = sha256(b"".join(path.read_bytes() for path in code if folder)).hexdigest()

    def find(self, content: str, symbol: str, step_ms: int) -> tuple[int, CandleColumns] | None:
        """The first row's number and the columns of the file whose SHA-256 is `content` (hex), if they are kept."""
        if self._folder is None:
            return None
        try:
            data = self._path(self._folder, content, step_ms).read_bytes()
        except OSError:
            return None
        return _unpacked(data, symbol, step_ms)

    def keep(self, content: str, first_row: int, columns: CandleColumns) -> None:
        """Keep the columns of the file whose SHA-256 is `content`."""
        if self._folder is None:
            return
        with suppress(OSError):  # a full or read-only disk: the next run parses again
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(self._path(self._folder, content, columns.step_ms), _packed(first_row, columns))
            _remove_oldest(self._folder)

    def _path(self, folder: Path, content: str, step_ms: int) -> Path:
        key = sha256(f"{content} {step_ms} {sys.byteorder} {self._code}".encode()).hexdigest()
        return folder / f"{key}.columns"


def _packed(first_row: int, columns: CandleColumns) -> bytes:
    opens, closes = ("\n".join(column.groups).encode() for column in (columns.exact_open, columns.exact_close))
    numbers = (
        columns.opens_ms,
        columns.open,
        columns.high,
        columns.low,
        columns.close,
        columns.volume,
        columns.quote_volume,
    )
    head = _HEAD.pack(first_row, len(columns), len(opens), len(closes))
    body = b"".join([head, *(column.tobytes() for column in numbers), opens, closes])
    return sha256(body).digest() + body


def _unpacked(data: bytes, symbol: str, step_ms: int) -> tuple[int, CandleColumns] | None:
    body = memoryview(data)[_DIGEST_BYTES:]
    if sha256(body).digest() != data[:_DIGEST_BYTES]:
        return None
    first_row, count, opens, closes = _HEAD.unpack_from(body)
    width = count * _CELL_BYTES
    at = _HEAD.size + (1 + _FLOATS) * width
    columns = [bytes(body[start : start + width]) for start in range(_HEAD.size, at, width)]
    open_, high, low, close, volume, quote_volume = (array("d", column) for column in columns[1:])
    texts = (bytes(part).decode() for part in (body[at : at + opens], body[at + opens : at + opens + closes]))
    exact = [ExactColumn(tuple(text.split("\n") if text else ()), count) for text in texts]
    times = array("q", columns[0])
    return first_row, CandleColumns(symbol, step_ms, times, open_, high, low, close, volume, quote_volume, *exact)


def _write(path: Path, data: bytes) -> None:
    """Under its name only when whole; a run beside this one writes the same bytes."""
    handle, temporary = mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).rename(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _remove_oldest(folder: Path) -> None:
    entries = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in entries[ENTRIES_MAX:]:
        path.unlink(missing_ok=True)
