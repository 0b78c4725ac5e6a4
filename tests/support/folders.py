"""Market folders for tests: candle files written from rows, and shipped ones copied and altered."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

HEADER = "open_time_ms,open,high,low,close,volume,quote_volume,trades"


def row(open_ms: int, prices: str, volume: str = "1", quote_volume: str = "") -> str:
    """A row; `prices` is one price for all four, or open, high, low and close separated by blanks."""
    four = prices.split() if " " in prices else [prices] * 4
    return ",".join([str(open_ms), *four, volume, quote_volume, ""])


def write_candles(folder: Path, interval: str, symbol: str, rows: Iterable[str]) -> Path:
    """Write `<folder>/<interval>/<symbol>.csv.gz` with the header and `rows`; returns its path."""
    path = folder / interval / f"{symbol}.csv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in [HEADER, *rows]).encode(), mtime=0))
    return path


def read_rows(path: Path) -> list[str]:
    """The rows of a candle file, without its header."""
    return gzip.decompress(path.read_bytes()).decode().splitlines()[1:]


def alter_candles(
    folder: Path, alter: Callable[[int, Sequence[str]], Sequence[str] | None], steps: dict[str, int]
) -> None:
    """Pass every row's cells through `alter(step_ms, cells)`, for all intervals in `steps`; None drops the row."""
    for interval, step_ms in steps.items():
        for path in (folder / interval).glob("*.csv.gz"):
            kept = [alter(step_ms, line.split(",")) for line in read_rows(path)]
            write_candles(folder, interval, path.name.split(".")[0], [",".join(c) for c in kept if c is not None])
