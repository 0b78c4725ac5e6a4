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

from runtime.adapters.candles.cache import ColumnCache
from runtime.adapters.candles.faults import header_fault, row_faults
from runtime.adapters.candles.findings import Findings
from runtime.adapters.candles.holes import Loaded, check_days, check_hours, check_interval, hole_notes
from runtime.adapters.candles.layout import BITCOIN, STEPS, find_files
from runtime.adapters.candles.manifest import Files, read_manifest
from runtime.adapters.candles.rows import OWN, parse, shape_of
from runtime.domain.candle_columns import CandleColumns, CandleQuery, CandleSet, daily_from_hourly
from runtime.domain.slots import DAY_MS, HOUR_MS, minute_text
from runtime.errors import BadCandles, BadInput, Unavailable

BYTES_MAX = 67_108_864  # the hours of ten years have a tenth of it
_GZIP = 31  # zlib's name for the format
_GZIP_MAGIC = b"\x1f\x8b"


def read_candles(folder: Path, query: CandleQuery, cache_folder: Path | None = None) -> CandleSet:
    """The candles that `query` asks for; `BadInput` for a range without hours, `BadCandles` for what is wrong.

    With a `cache_folder` (never the operator's own), files that were read before are not parsed again.
    """
    _check_range(query)
    found = Findings()
    files = find_files(folder, query.symbols, found)
    found.settle()
    reader = _Reader(folder, found, ColumnCache(cache_folder))
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

    def __init__(self, folder: Path, found: Findings, cache: ColumnCache) -> None:
        self.folder, self.found, self.cache = folder, found, cache
        self.digest = sha256()
        self.manifest = self._manifest()

    def read(self, path: Path, symbol: str, step_ms: int) -> Loaded | None:
        """The candles of a file; None and problems where it cannot be used."""
        try:
            packed = _packed(path)
            content = sha256(packed).hexdigest()
            self._hold_against_manifest(path, content)
            self.digest.update(f"{symbol} {step_ms} {content}\n".encode())
            known = self.cache.find(content, symbol, step_ms)
            if known is None:
                known = _parsed(path, _unpacked(path, packed), symbol, step_ms)
                self.cache.keep(content, *known)
        except BadCandles as error:
            self.found.problems.extend(error.problems)
            return None
        file = Loaded(str(path), *known)
        check_interval(file, self.found)
        return file

    def _hold_against_manifest(self, path: Path, content: str) -> None:
        """`BadCandles` if a download's manifest names this file with another digest."""
        name = str(path.relative_to(self.folder))
        listed = self.manifest.get(name)
        if listed is None or listed.of(content):
            return
        self.manifest = self._manifest()  # a download may just have replaced both
        listed = self.manifest.get(name)
        if listed and not listed.of(content):
            raise _unusable(path, "not as in manifest.json", "was changed since its download; download it again")

    def _manifest(self) -> Files:
        try:
            return read_manifest(self.folder)
        except (BadInput, Unavailable) as error:
            raise BadCandles((str(error),)) from None


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
            raise _unusable(path, "no regular file", "must be a file of candles")
        size = path.stat().st_size
        if size > BYTES_MAX:
            raise _unusable(path, f"{size} bytes", f"must have {BYTES_MAX} at most")
        return path.read_bytes()
    except OSError as error:
        raise _unusable(path, error.strerror or str(error), "must be readable") from None


def _unpacked(path: Path, packed: bytes) -> bytes:
    """The text of a file; gzip may come in several parts, as joined files do."""
    if not packed.startswith(_GZIP_MAGIC):
        if path.suffix == ".gz":
            raise _unusable(path, packed[:2], "is not a gzip file; compress it, or name it .csv")
        return packed
    parts: list[bytes] = []
    room = BYTES_MAX
    try:
        while packed:
            unpacker = zlib.decompressobj(_GZIP)
            parts.append(unpacker.decompress(packed, room))
            room -= len(parts[-1])
            if room <= 0:
                raise _unusable(path, "its text", f"must have {BYTES_MAX} bytes at most")
            if not unpacker.eof:
                raise _unusable(path, f"{len(packed)} bytes", "is not a whole gzip file; write it again")
            packed = unpacker.unused_data
    except zlib.error as error:
        raise _unusable(path, str(error), "is not a whole gzip file; write it again") from None
    return b"".join(parts)


def _parsed(path: Path, data: bytes, symbol: str, step_ms: int) -> tuple[int, CandleColumns]:
    """The number of the first row and the candles of a file's text."""
    first_line = data[: data.find(b"\n") + 1 or len(data)]
    shape = shape_of(first_line.rstrip(b"\r\n"))
    if shape is None:
        raise BadCandles((header_fault(str(path), first_line.rstrip(b"\r\n")),))
    body = data[len(first_line) :] if shape is OWN else data
    columns = parse(body, shape, symbol, step_ms)
    if columns is None:
        raise BadCandles(tuple(row_faults(str(path), body, shape, step_ms)))
    if not len(columns):
        raise _unusable(path, "no rows", "must hold candles below its header")
    return shape.first_row, columns


def _unusable(path: Path, value: object, fix: str) -> BadCandles:
    return BadCandles((str(BadInput(str(path), value, fix)),))


def _overlaps(file: Loaded, query: CandleQuery, found: Findings) -> bool:
    """Whether a symbol has any hour of the range; else it is left out, with a note or as a problem if asked for."""
    symbol, first_ms = file.columns.symbol, file.columns.opens_ms[0]
    if (first_ms < query.end_ms and file.end_ms > query.start_ms) or symbol == BITCOIN:
        return True
    has = f"{minute_text(first_ms)} to {minute_text(file.end_ms)}"
    if query.symbols is None or query.allow_gaps:
        found.note(f"{symbol} is left out: its hours are {has}")
    else:
        asked = f"{minute_text(query.start_ms)} to {minute_text(query.end_ms)}"
        found.problem(file.where, has, f"has no hour from {asked}: ask for another range, or leave the symbol out")
    return False


def _cut(
    hours: Mapping[str, Loaded], days: Mapping[str, Loaded], query: CandleQuery, reader: _Reader
) -> CandleSet:  # fmt: skip
    """What a run may see of the files: from the warm-up on, what has closed at the end."""
    from_ms = query.start_ms - query.warmup_days * DAY_MS
    from_ms -= from_ms % DAY_MS
    hole_notes({symbol: file.columns for symbol, file in hours.items()}, BITCOIN, query, reader.found)
    hourly = {symbol: _between(file.columns, from_ms, query.end_ms) for symbol, file in hours.items()}
    daily = {
        symbol: _between(days[symbol].columns, from_ms, query.end_ms) if symbol in days else daily_from_hourly(columns)
        for symbol, columns in hourly.items()
    }
    return CandleSet(query, hourly, daily, tuple(reader.found.notes), reader.digest.hexdigest())


def _between(columns: CandleColumns, from_ms: int, end_ms: int) -> CandleColumns:
    return columns.cut(columns.index_at(from_ms), columns.closed_at(end_ms))
