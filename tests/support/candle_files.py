"""Candle folders for tests of history: rows of hours and days, in our shape and in Binance's own."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

from runtime.domain.candle_columns import CandleQuery
from runtime.domain.slots import DAY_MS, HOUR_MS
from tests.support.folders import HEADER

T0 = 1_609_459_200_000  # 2021-01-01
DAYS = 5
QUERY = CandleQuery(T0, T0 + DAYS * DAY_MS)


def cells(at: int, step_ms: int = HOUR_MS) -> list[str]:
    """The cells of the row `at` steps after 2021-01-01, every one different from its neighbours'."""
    return [
        str(T0 + at * step_ms),
        f"{100 + at}.10",
        f"{102 + at}",
        f"{99 + at}.005",
        f"{101 + at}.5",
        f"{3 + at}.25",
        f"{900 + at}",
        f"{at}",
    ]


def rows(first: int = 0, stop: int = DAYS * 24) -> list[str]:
    """Hours from `first` up to `stop`."""
    return [",".join(cells(at)) for at in range(first, stop)]


def day_rows(first: int = 0, stop: int = DAYS) -> list[str]:
    """The days that those hours make."""
    made = []
    for day in range(first, stop):
        morning, night = cells(24 * day), cells(24 * day + 23)
        sums = [str(sum(float(cells(24 * day + at)[column]) for at in range(24))) for column in (5, 6)]
        made.append(",".join([morning[0], morning[1], night[2], morning[3], night[4], *sums, ""]))
    return made


def public_rows(first: int = 0, stop: int = DAYS * 24, unit: int = 1, step_ms: int = HOUR_MS) -> list[str]:
    """Hours in the shape of Binance's public files; `unit` 1000 writes microseconds."""
    made = []
    for at in range(first, stop):
        own = cells(at, step_ms)
        opened, closed = int(own[0]) * unit, (int(own[0]) + step_ms) * unit - 1
        made.append(",".join([str(opened), *own[1:6], str(closed), *own[6:], "1.5", "450", "0"]))
    return made


def text(lines: Iterable[str], header: str | None = HEADER) -> bytes:
    """The bytes of a file."""
    return "".join(f"{line}\n" for line in ([header] if header else []) + list(lines)).encode()


def put(folder: Path, name: str, lines: Sequence[str] | bytes, header: str | None = HEADER) -> Path:
    """Write a candle file, compressed where its name says so."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = lines if isinstance(lines, bytes) else text(lines, header)
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return path
