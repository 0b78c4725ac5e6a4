"""A folder of candle files as one set of columns, or everything that is wrong with it in one text.

What is refused, with file, row, value and fix: folders and files that are missing or double (`layout`); files that are
damaged, cut, or wrong in a row (`rows`, `faults`); what is missing beyond the limit, and a range that bitcoin's hours
do not cover (`holes`). A symbol that was listed after the start, and the hours in which the exchange was closed, are
allowed and noted.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from runtime.adapters.candles.faults import header_fault, row_faults
from runtime.adapters.candles.findings import Findings
from runtime.adapters.candles.holes import Loaded, check_days, check_hours, check_interval, closed_note
from runtime.adapters.candles.layout import BITCOIN, STEPS, find_files
from runtime.adapters.candles.rows import parse, shape_of
from runtime.domain.candle_columns import CandleColumns, CandleQuery, CandleSet, daily_from_hourly
from runtime.domain.slots import DAY_MS, HOUR_MS, minute_text
from runtime.errors import BadInput, BadPayload

BYTES_MAX = 268_435_456  # hundred times the hours of ten years
_GZIP = 31  # zlib's name for the format
_GZIP_MAGIC = b"\x1f\x8b"


def read_candles(folder: Path, query: CandleQuery) -> CandleSet:
    """The candles that `query` asks for; `BadInput` for a range without hours, `BadCandles` for what is wrong."""
    _check_range(query)
    found = Findings()
    files = find_files(folder, query.symbols, found)
    found.settle()
    reader = _Reader(found)
    loaded = {
        interval: {symbol: reader.read(path, symbol, STEPS[interval]) for symbol, path in of.items()}
        for interval, of in files.items()
    }
    found.settle()
    hours = {symbol: file for symbol, file in loaded["1h"].items() if file and _overlaps(file, query, found)}
    days = {symbol: file for symbol, file in loaded["1d"].items() if file and symbol in hours}
    for symbol, file in hours.items():
        check_hours(file, query, found, whole=symbol == BITCOIN)
        if symbol in days:
            check_days(days[symbol], file, query, found)
    found.settle()
    return _cut(hours, days, query, reader)


class _Reader:
    """Reads files one after the other and remembers what they were."""

    def __init__(self, found: Findings) -> None:
        self.found = found
        self.digest = sha256()

    def read(self, path: Path, symbol: str, step_ms: int) -> Loaded | None:
        """The candles of a file; None and a problem where it cannot be used."""
        try:
            packed = _packed(path)
            self.digest.update(sha256(packed).digest())
            data = _unpacked(path, packed)
        except BadPayload as error:
            self.found.problems.append(str(error))
            return None
        first_line = data[: data.find(b"\n") + 1 or len(data)]
        shape = shape_of(first_line.rstrip(b"\r\n"))
        if shape is None:
            self.found.problems.append(header_fault(str(path), first_line.rstrip(b"\r\n")))
            return None
        body = data[len(first_line) if shape.first_row > 1 else 0 :]
        columns = parse(body, shape, symbol, step_ms)
        if columns is None:
            self.found.problems.extend(row_faults(str(path), body, shape, step_ms))
            return None
        if not len(columns):
            self.found.problem(str(path), "no rows", "must hold candles below its header")
            return None
        file = Loaded(str(path), shape.first_row, columns)
        check_interval(file, self.found)
        return file


def _check_range(query: CandleQuery) -> None:
    for name, moment in (("start", query.start_ms), ("end", query.end_ms)):
        if moment % HOUR_MS:
            raise BadInput(f"candles {name}", minute_text(moment), "must be a full hour")
    if query.start_ms >= query.end_ms:
        until = minute_text(query.end_ms)
        raise BadInput("candles start", minute_text(query.start_ms), f"must be earlier than the end, {until}")


def _packed(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise BadPayload(str(path), "no regular file", "must be a file of candles")
        if path.stat().st_size > BYTES_MAX:
            raise BadPayload(str(path), f"{path.stat().st_size} bytes", f"must have {BYTES_MAX} at most")
        return path.read_bytes()
    except OSError as error:
        raise BadPayload(str(path), error.strerror or str(error), "must be readable") from None


def _unpacked(path: Path, packed: bytes) -> bytes:
    """The text of a file; gzip may come in several parts, as joined files do."""
    if not packed.startswith(_GZIP_MAGIC):
        if path.suffix == ".gz":
            raise BadPayload(str(path), packed[:2], "is not a gzip file; compress it, or name it .csv")
        return packed
    parts: list[bytes] = []
    try:
        while packed:
            unpacker = zlib.decompressobj(_GZIP)
            parts.append(unpacker.decompress(packed, BYTES_MAX))
            if not unpacker.eof:
                raise BadPayload(str(path), f"{len(packed)} bytes", "is not a whole gzip file; write it again")
            packed = unpacker.unused_data
    except zlib.error as error:
        raise BadPayload(str(path), str(error), "is not a whole gzip file; write it again") from None
    return b"".join(parts)


def _overlaps(file: Loaded, query: CandleQuery, found: Findings) -> bool:
    """Whether a symbol has any hour of the range; else it is left out with a note, or refused if it was asked for."""
    symbol, first_ms = file.columns.symbol, file.columns.opens_ms[0]
    if (first_ms < query.end_ms and file.end_ms > query.start_ms) or symbol == BITCOIN:
        return True
    has = f"{minute_text(first_ms)} to {minute_text(file.end_ms)}"
    if query.symbols is None:
        found.note(f"{symbol} is left out: its hours are {has}")
    else:
        asked = f"{minute_text(query.start_ms)} to {minute_text(query.end_ms)}"
        found.problem(file.where, has, f"has no hour from {asked}: ask for another range, or leave the symbol out")
    return False


def _cut(
    hours: Mapping[str, Loaded], days: Mapping[str, Loaded], query: CandleQuery, reader: _Reader
) -> CandleSet:  # fmt: skip
    """What a run may see of the files: from the warm-up to the end."""
    from_ms = query.start_ms - query.warmup_days * DAY_MS
    from_ms -= from_ms % DAY_MS
    closed_note(hours[BITCOIN].columns, query, reader.found)
    hourly = {symbol: _between(file.columns, from_ms, query.end_ms) for symbol, file in hours.items()}
    daily = {
        symbol: _between(days[symbol].columns, from_ms, query.end_ms) if symbol in days else daily_from_hourly(columns)
        for symbol, columns in hourly.items()
    }
    return CandleSet(query, hourly, daily, tuple(reader.found.notes), reader.digest.hexdigest())


def _between(columns: CandleColumns, from_ms: int, end_ms: int) -> CandleColumns:
    return columns.cut(columns.index_at(from_ms), columns.index_at(end_ms))
