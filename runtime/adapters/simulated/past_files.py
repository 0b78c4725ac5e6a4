"""Reading a past: a folder of candles, and the pools that go with it, into one `History`.

    1h/<SYMBOL>.csv.gz      hourly candles, needed; without the folder, <SYMBOL>.csv.gz beside each other
    1d/<SYMBOL>.csv.gz      daily candles; a pair without them has the days that its hours make
    exchangeInfo.json       the pairs' filters (optional)
    pool.json, pools/       the upstream documents (optional)

Columns: `open_time_ms,open,high,low,close,volume,quote_volume,trades`, as in `candle_files`. Whatever is wrong is one
error that names file and row.
"""

from __future__ import annotations

import gzip
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from runtime.adapters.simulated.candle_files import COLUMNS
from runtime.adapters.simulated.documents import read_object
from runtime.adapters.simulated.listing import listed
from runtime.domain.history import DatedPool, History, Hours, SymbolHistory, days_of
from runtime.domain.market import Candle
from runtime.domain.money import CASH
from runtime.domain.slots import DAY_MS, HOUR_MS
from runtime.errors import BadInput, BadPayload, Unavailable

SUFFIX = ".csv.gz"
_HEADER = ",".join(COLUMNS).encode()
_NAN = b"nan"


def read_history(folder: Path, symbols: Sequence[str] | None = None) -> History:
    """The candles and filters of a folder, of `symbols` alone if they are given; its pools are `read_pools`'."""
    hourly = folder / "1h" if (folder / "1h").is_dir() else folder
    found = {path.name.removesuffix(SUFFIX): path for path in sorted(hourly.glob(f"*{CASH}{SUFFIX}"))}
    chosen = {symbol: path for symbol, path in found.items() if symbols is None or symbol in symbols}
    if not chosen:
        raise BadInput("--history", str(folder), "must hold hourly candles as 1h/<SYMBOL>.csv.gz or <SYMBOL>.csv.gz")
    candles = {symbol: _symbol(symbol, path, folder / "1d" / path.name) for symbol, path in chosen.items()}
    info = folder / "exchangeInfo.json"
    return History(candles, instruments=listed(info) if info.exists() else {})


def _symbol(symbol: str, hourly: Path, daily: Path) -> SymbolHistory:
    hours = read_columns(hourly, HOUR_MS)
    days = days_of(hours) if hourly.parent == daily.parent or not daily.exists() else _days(read_columns(daily, DAY_MS))
    return SymbolHistory(symbol, hours, days)


def _days(columns: Hours) -> list[Candle]:
    quoted = (None if value != value else value for value in columns.quote_volume)  # noqa: PLR0124 - NaN alone
    rows = zip(
        columns.open_ms, map(float, columns.open), columns.high, columns.low, columns.close, columns.volume, quoted,
        strict=True,
    )  # fmt: skip
    return [Candle(*row) for row in rows]


def read_columns(path: Path, step_ms: int) -> Hours:
    """A candle file as columns; `BadPayload` names file and row of the first fault."""
    lines = _unpacked(path).splitlines()
    if not lines or lines[0] != _HEADER:
        shown = lines[0].decode("ascii", "replace") if lines else ""
        raise BadPayload(f"{path} row 1", shown, f"must be {','.join(COLUMNS)}")
    rows = [line.split(b",") for line in islice(lines, 1, None)]
    if not rows:
        raise BadPayload(str(path), "no rows", "must hold at least one candle")
    try:
        times, opens, highs, lows, closes, volumes, quoted, _ = zip(*rows, strict=True)
        columns = Hours(
            array("q", map(int, times)),
            _decimals(opens),
            array("d", map(float, highs)),
            array("d", map(float, lows)),
            array("d", map(float, closes)),
            array("d", map(float, volumes)),
            array("d", (float(value or _NAN) for value in quoted)),
        )
    except (ValueError, InvalidOperation):
        raise _malformed(path, rows) from None
    _check(path, columns, step_ms)
    return columns


def _decimals(texts: Sequence[bytes]) -> list[Decimal]:
    """Each price exactly as written; the same text is the same object."""
    made = {text: Decimal(text.decode()) for text in set(texts)}
    return [made[text] for text in texts]


def _unpacked(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadPayload(str(path), str(error), "is not a whole gzip file; write it again") from None
    except OSError as error:
        raise Unavailable(str(path), error.strerror or str(error)) from None


def _malformed(path: Path, rows: Sequence[Sequence[bytes]]) -> BadPayload:
    for number, row in enumerate(rows, 2):
        if len(row) != len(COLUMNS):
            return BadPayload(f"{path} row {number}", b",".join(row).decode("ascii", "replace"), "must have 8 columns")
        for name, cell in zip(COLUMNS, row, strict=True):
            if not _number(cell) and (cell or name not in {"quote_volume", "trades"}):
                shown = cell.decode("ascii", "replace")
                return BadPayload(f"{path} row {number} {name}", shown, "must be a plain number")
    return BadPayload(str(path), "its columns", "must be plain numbers")


def _number(cell: bytes) -> bool:
    try:
        Decimal(cell.decode("ascii"))
    except (InvalidOperation, UnicodeDecodeError):
        return False
    return True


def _check(path: Path, columns: Hours, step_ms: int) -> None:
    for number, (before, after) in enumerate(pairwise(columns.open_ms), 3):
        if after <= before:
            raise BadPayload(f"{path} row {number} open_time_ms", after, "must be later than the row before it")
    for number, opened in enumerate(columns.open_ms, 2):
        if opened % step_ms:
            raise BadPayload(f"{path} row {number} open_time_ms", opened, f"must be a multiple of {step_ms} ms")
    for number, (price, low) in enumerate(zip(columns.open, columns.low, strict=True), 2):
        if not (price > 0 and low > 0):
            raise BadPayload(f"{path} row {number} open", str(price), "must be a price above 0, and low too")


def read_pools(path: Path) -> tuple[DatedPool, ...]:
    """Dated documents (`YYYY-MM-DD*.json`, in the folder or its `pools/`), oldest first; `BadInput` if none is there."""
    places = (path / "pools", path)
    dated = {file.stem: file for place in places for file in place.glob("[0-9]*.json") if _dated(file)}
    if not dated:
        raise BadInput("--pools", str(path), "must hold documents named YYYY-MM-DD*.json, or be one document")
    newest = {_dated(file): file for _, file in sorted(dated.items())}
    return tuple(DatedPool(day, read_object(file)) for day, file in sorted(newest.items()) if day is not None)


def _dated(file: Path) -> date | None:
    try:
        return date.fromisoformat(file.name[:10])
    except ValueError:
        return None


def fixed_pool(symbols: Sequence[str], span: tuple[date, date]) -> tuple[DatedPool, ...]:
    """The same symbols published anew on the first of every month of the span: a pool that never changes or ages."""
    return tuple(DatedPool(day, _release(symbols, day)) for day in _months(*span))


def _months(first: date, last: date) -> Iterator[date]:
    day = first.replace(day=1)
    while day <= last:
        yield day
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _release(symbols: Sequence[str], day: date) -> Mapping[str, Any]:
    return {
        "as_of_date": day.isoformat(),
        "version": f"{day.isoformat()}-core_major",
        "mode": "core_major",
        "pool_size": len(symbols),
        "symbols": list(symbols),
        "symbol_map": {symbol: {"base_asset": symbol.removesuffix(CASH)} for symbol in symbols},
        "source_project": "fixed",
    }
