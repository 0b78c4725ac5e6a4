"""One candle file: `<SYMBOL>.csv.gz`, a row per candle, read lazily and trusted only as far as it was checked.

The worked problem: a history folder holds some 60 files with up to 60 000 rows each, and one hour needs one row of
each. So a file is unpacked and split once, its order is proved in one pass over the raw lines (13 digits of open time
sort as text), and only the rows that are asked for are ever parsed. Prices come from the row's text as `Decimal`,
never by way of a float. Whatever is wrong is named with file, row and column, when it is read.

Columns: `open_time_ms,open,high,low,close,volume,quote_volume,trades`; epoch ms UTC, prices and quote volume in quote
units, volume in base units; an empty quote volume or trades is unknown.
"""

from __future__ import annotations

import gzip
import re
import zlib
from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from functools import cached_property
from itertools import islice
from operator import lt
from pathlib import Path

from runtime.domain.market import Candle
from runtime.errors import BadPayload, Unavailable

COLUMNS = ("open_time_ms", "open", "high", "low", "close", "volume", "quote_volume", "trades")
_NUMBER = rb"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?"
_FIELDS = (rb"[0-9]{13}", *[_NUMBER] * 5, rb"(?:%b)?" % _NUMBER, rb"(?:%b)?" % _NUMBER)
_ROW = re.compile(b",".join(b"(%b)" % field for field in _FIELDS))
_FIRST_ROW = 2  # row 1 is the header, as an editor counts


class CandleFile:
    """The candles of one symbol and interval (`step_ms`), addressed by index, oldest first."""

    def __init__(self, path: Path, step_ms: int) -> None:
        """Nothing is read yet."""
        self.path, self.step_ms = path, step_ms
        self._candles: dict[int, Candle] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def index_at(self, open_ms: int) -> int:
        """The index of the first candle that opens at or after `open_ms`; the length if there is none."""
        return bisect_left(self._rows, b"%013d" % max(0, open_ms))

    def closed_at(self, now_ms: int) -> int:
        """How many candles have closed at `now_ms`: the index of the first one that has not."""
        return self.index_at(now_ms - self.step_ms + 1)

    def open_ms(self, index: int) -> int:
        """When the candle opens (epoch ms), on the interval's grid."""
        value = int(self._fields(index)[0])
        if value % self.step_ms:
            raise self._fault(index, 0, value, f"must be a multiple of {self.step_ms} ms")
        return value

    def price(self, index: int, column: str) -> Decimal:
        """`open` or `close` of a candle in quote units, exactly as written."""
        number = COLUMNS.index(column)
        text = self._fields(index)[number].decode("ascii")
        value = Decimal(text)
        if not value:
            raise self._fault(index, number, text, "must be a price above 0")
        return value

    def candle(self, index: int) -> Candle:
        """The whole candle; whether its prices make sense is judged with the series (`domain.market`)."""
        known = self._candles.get(index)
        if known is None:
            fields = self._fields(index)
            opened, high, low, close, volume = map(float, fields[1:6])
            quote_volume = float(fields[6]) if fields[6] else None
            known = Candle(self.open_ms(index), opened, high, low, close, volume, quote_volume)
            self._candles[index] = known
        return known

    def candles(self, first: int, stop: int) -> list[Candle]:
        """The candles from index `first` up to, not including, `stop`."""
        return [self.candle(index) for index in range(max(0, first), min(stop, len(self)))]

    @cached_property
    def _rows(self) -> Sequence[bytes]:
        lines = self._unpack().splitlines()
        header = lines.pop(0).decode("ascii", "replace") if lines else ""
        if header != ",".join(COLUMNS):
            missing = [name for name in COLUMNS if name not in header.split(",")]
            fix = f"lacks {', '.join(missing)}; " if missing else ""
            raise BadPayload(f"{self.path} row 1", header, f"{fix}must be {','.join(COLUMNS)}")
        self._check_order(lines)
        return lines

    def _unpack(self) -> bytes:
        try:
            return gzip.decompress(self.path.read_bytes())
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise BadPayload(str(self.path), str(error), "is not a whole gzip file; write it again") from None
        except OSError as error:
            raise Unavailable(str(self.path), error.strerror or str(error)) from None

    def _check_order(self, lines: Sequence[bytes]) -> None:
        """The part of each line up to its first comma rises from row to row; any wrong row breaks that or its shape."""
        keys = [line[:14] for line in lines]
        ordered = all(map(lt, keys, islice(keys, 1, None))) and all(key.endswith(b",") for key in keys)
        if ordered:
            return
        previous = b""
        for index, key in enumerate(keys):
            if not re.fullmatch(rb"[0-9]{13},", key):
                raise self._fault(index, 0, key.decode("ascii", "replace"), "must be 13 digits, epoch ms, and a comma")
            if key <= previous:
                raise self._fault(index, 0, key[:-1].decode(), "must be later than the row before it; sort the file")
            previous = key

    def _fields(self, index: int) -> tuple[bytes, ...]:
        row = self._rows[index]
        match = _ROW.fullmatch(row)
        if match is None:
            raise self._malformed(index, row)
        return match.groups()

    def _malformed(self, index: int, row: bytes) -> BadPayload:
        cells = row.split(b",")
        if len(cells) != len(COLUMNS):
            shown = row.decode("ascii", "replace")
            return BadPayload(f"{self.path} row {index + _FIRST_ROW}", shown, f"must have {len(COLUMNS)} columns")
        wrong = next(at for at, cell in enumerate(cells) if not re.fullmatch(_FIELDS[at], cell))
        fix = "must be 13 digits, epoch ms" if wrong == 0 else "must be a plain number, not negative"
        return self._fault(index, wrong, cells[wrong].decode("ascii", "replace"), fix)

    def _fault(self, index: int, column: int, value: object, fix: str) -> BadPayload:
        return BadPayload(f"{self.path} row {index + _FIRST_ROW} {COLUMNS[column]}", value, fix)
