"""Folders of made-up candles, hours and the days they make, for machines without the real ones: the same everywhere."""

from __future__ import annotations

import gzip
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from runtime.domain.slots import DAY_MS, HOUR_MS

HEADER = "open_time_ms,open,high,low,close,volume,quote_volume,trades"
HOURS = 24
Row = tuple[int, float, float, float, float, float, float]


def walked_folder(folder: Path, symbols: Sequence[str], first_day_ms: int, days: int) -> Path:
    """Geometric walks that drift up a little, a file a symbol under `1h` and `1d`; the symbol is the seed."""
    for symbol in symbols:
        hours = list(_hours(symbol, first_day_ms, days * HOURS))
        _write(folder / "1h" / f"{symbol}.csv.gz", hours)
        _write(folder / "1d" / f"{symbol}.csv.gz", [_day(hours[at : at + HOURS]) for at in range(0, len(hours), HOURS)])
    return folder


def _hours(symbol: str, first_ms: int, hours: int) -> Iterator[Row]:
    dice = random.Random(symbol)
    close = 20_000.0 if symbol == "BTCUSDT" else 10.0
    for hour in range(hours):
        opened, close = close, close * math.exp(dice.gauss(0.0001, 0.008))
        high, low = max(opened, close) * (1 + dice.random() / 200), min(opened, close) * (1 - dice.random() / 200)
        turnover = 1e7 * (0.5 + dice.random())
        yield first_ms + hour * HOUR_MS, opened, high, low, close, turnover / close, turnover


def _day(hours: Sequence[Row]) -> Row:
    opened_ms = hours[0][0] // DAY_MS * DAY_MS
    high, low = max(row[2] for row in hours), min(row[3] for row in hours)
    return opened_ms, hours[0][1], high, low, hours[-1][4], sum(r[5] for r in hours), sum(r[6] for r in hours)


def _write(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (",".join([str(row[0]), *(f"{value:.4f}" for value in row[1:]), ""]) for row in rows)
    path.write_bytes(gzip.compress("\n".join([HEADER, *lines, ""]).encode(), mtime=0))
