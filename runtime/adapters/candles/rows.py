"""One candle file's text as columns: quickly, or not at all.

The worked problem: half a million rows in a second of plain Python. Nothing here looks at one row alone: the text is
split once, a column is every ninth cell of it, and each rule is one pass over whole columns in C. So a text either
passes every rule or is refused as a whole (None); `faults` then walks it row by row to say what is wrong. It never
decides: what it cannot explain stays refused.

The rules: every row ends with a line break and has the shape's cells; open times rise, on the interval's grid; prices
are above 0 with low <= open, close <= high; volumes are not negative; quote volume and trades may be empty (unknown).
In Binance's own shape the close time must be the interval's too, and times may be microseconds (they are since 2025).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import le, lt

from runtime.domain.candle_columns import GROUP, CandleColumns, ExactColumn
from runtime.domain.candles import PRICE_MAX, PRICE_MIN, VOLUME_MAX

COLUMNS = ("open_time_ms", "open", "high", "low", "close", "volume", "quote_volume", "trades")
HEADER = ",".join(COLUMNS)
TIME_MIN_MS, TIME_MAX_MS = 1_262_304_000_000, 4_102_444_800_000  # 2010 and 2100: whatever lies outside is no ms
_ALLOWED = b"0123456789.eE+-,\n"


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of a file; `names` are those of a row's cells, in order, `first_row` is the number of the first."""

    names: tuple[str, ...]
    first_row: int

    def at(self, name: str) -> int:
        """The place of a column."""
        return self.names.index(name)


OWN = Shape(COLUMNS, 2)
PUBLIC = Shape((*COLUMNS[:6], "close_time", *COLUMNS[6:], "taker_base", "taker_quote", "unused"), 1)


def shape_of(first_line: bytes) -> Shape | None:
    """The shape that a file's first line speaks of; None if it is neither our header nor a row of Binance's."""
    if first_line.rstrip(b"\r") == HEADER.encode():
        return OWN
    cells = first_line.split(b",")
    return PUBLIC if len(cells) == len(PUBLIC.names) and cells[0].isdigit() else None


def parse(body: bytes, shape: Shape, symbol: str, step_ms: int) -> CandleColumns | None:
    """The candles of the rows in `body` (a header is not part of it), or None if any rule is broken."""
    body = body.replace(b"\r\n", b"\n")
    if body.translate(None, _ALLOWED):
        return None
    cells = body.replace(b"\n", b",\n,").split(b",")
    if cells.pop():
        return None  # the last line has no end
    pitch = len(shape.names) + 1
    ends = cells[pitch - 1 :: pitch]
    if len(cells) != pitch * len(ends) or ends.count(b"\n") != len(ends):
        return None
    try:
        return _columns(lambda name: cells[shape.at(name) :: pitch], shape, symbol, step_ms)
    except (ValueError, OverflowError):  # a cell that is no number
        return None


def _columns(
    column: Callable[[str], Sequence[bytes]], shape: Shape, symbol: str, step_ms: int
) -> CandleColumns | None:  # fmt: skip
    times = array("q", map(int, column("open_time_ms")))
    if shape is PUBLIC:
        closes = array("q", map(int, column("close_time")))
        if not all(map(_whole, times, closes, [step_ms] * len(times))):
            return None
        times = array("q", map(_milliseconds, times))
    opens, closes_text = column("open"), column("close")
    open_, high, low, close = map(_floats, (opens, column("high"), column("low"), closes_text))
    volume, quoted, trades = _floats(column("volume")), column("quote_volume"), column("trades")
    quote_volume, known = _optional(quoted)
    if not (_timely(times, step_ms) and _sound(open_, high, low, close) and _counts(trades)):
        return None
    if not (_not_negative(volume) and _not_negative(known)):
        return None
    exact_open, exact_close = _exact(opens), _exact(closes_text)
    return CandleColumns(
        symbol, step_ms, times, open_, high, low, close, volume, quote_volume, exact_open, exact_close
    )  # fmt: skip


def _exact(texts: Sequence[bytes]) -> ExactColumn:
    groups = [b",".join(texts[at : at + GROUP]) for at in range(0, len(texts), GROUP)]
    return ExactColumn(tuple(b"\n".join(groups).decode("ascii").split("\n")) if groups else (), len(texts))


def _optional(texts: Sequence[bytes]) -> tuple[array[float], array[float]]:
    """A column whose cells may be empty: with NaN for those, and without them."""
    if b"" not in texts:
        values = _floats(texts)
        return values, values
    return _floats([text or b"nan" for text in texts]), _floats(filter(None, texts))


def _counts(texts: Sequence[bytes]) -> bool:
    joined = b"".join(texts)
    return not joined or joined.isdigit() or _not_negative(_floats(filter(None, texts)))


def _floats(texts: Iterable[bytes]) -> array[float]:
    return array("d", map(float, texts))


def _milliseconds(time: int) -> int:
    return time // 1000 if time > TIME_MAX_MS else time


def _whole(opened: int, closed: int, step_ms: int) -> bool:
    """Whether a row's close time is the last moment of its interval, in the unit of its open time."""
    unit = 1000 if opened > TIME_MAX_MS else 1
    return closed == opened + step_ms * unit - 1 and opened % unit == 0


def _timely(times: array[int], step_ms: int) -> bool:
    if not times:
        return True
    if times[0] < TIME_MIN_MS or times[-1] >= TIME_MAX_MS or times[0] % step_ms:
        return False
    if times == array("q", range(times[0], times[-1] + 1, step_ms)):
        return True
    return all(map(lt, times, islice(times, 1, None))) and not any(time % step_ms for time in times)


def _sound(opens: array[float], highs: array[float], lows: array[float], closes: array[float]) -> bool:
    if not lows:
        return True
    ranges = (lows, opens), (opens, highs), (lows, closes), (closes, highs)
    return min(lows) >= PRICE_MIN and max(highs) <= PRICE_MAX and all(all(map(le, a, b)) for a, b in ranges)


def _not_negative(amounts: array[float]) -> bool:
    return min(amounts, default=0) >= 0 and max(amounts, default=0) <= VOLUME_MAX
