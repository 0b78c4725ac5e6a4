"""Candles for tests: years of real ones where they lie beside the checkout, and made-up walks that are always there.

The real ones are gzipped CSV files, `../shared/data/klines/<interval>/<SYMBOL>.csv.gz`, with the columns
`open_time_ms,open,high,low,close,volume,quote_volume,trades` (an empty field is unknown).
"""

from __future__ import annotations

import csv
import gzip
import math
import random
from functools import cache

import pytest

from runtime.domain.candles import closed_series
from runtime.domain.market import Candle, DailySeries
from runtime.domain.slots import DAY_MS
from tests.support.sources import ROOT

FOLDER = ROOT.parent / "shared" / "data" / "klines"
FAR_MS = 4_102_444_800_000  # 2100-01-01: by then every candle has closed


@cache
def real_candles(symbol: str, interval: str = "1d") -> tuple[Candle, ...]:
    """All real candles of a pair, oldest first; the test is skipped where the file is absent."""
    path = FOLDER / interval / f"{symbol}.csv.gz"
    if not path.exists():
        pytest.skip(f"no real candles beside this checkout ({path.name})")
    with gzip.open(path, "rt", encoding="ascii", newline="") as lines:
        return tuple(_candle(row) for row in csv.DictReader(lines))


def _candle(row: dict[str, str]) -> Candle:
    volume = row["quote_volume"]
    return Candle(
        int(row["open_time_ms"]),
        float(row["open"]),
        float(row["high"]),
        float(row["low"]),
        float(row["close"]),
        float(row["volume"]),
        float(volume) if volume else None,
    )


@cache
def real_series(symbol: str) -> DailySeries:
    """All real days of a pair as a series; the test is skipped where the file is absent."""
    return closed_series(symbol, real_candles(symbol), FAR_MS)


def walk_candles(symbol: str, days: int, first_open_ms: int) -> list[Candle]:
    """Made-up days: a geometric walk seeded by the symbol, with ranges and volumes, the same on every machine."""
    dice = random.Random(symbol)
    close = 100.0
    candles = []
    for day in range(days):
        opened, close = close, close * math.exp(dice.gauss(0.001, 0.04))
        high = max(opened, close) * (1 + dice.random() / 50)
        low = min(opened, close) * (1 - dice.random() / 50)
        candles.append(Candle(first_open_ms + day * DAY_MS, opened, high, low, close, 1000 * dice.random(), None))
    return candles


def walk(symbol: str, days: int, first_open_ms: int) -> DailySeries:
    """Made-up days as a series."""
    return closed_series(symbol, walk_candles(symbol, days, first_open_ms), FAR_MS)


def cut(series: DailySeries, days: int) -> DailySeries:
    """The first `days` days of a series: what was known then."""
    return DailySeries(
        series.symbol,
        series.first_open_ms,
        series.high[:days],
        series.low[:days],
        series.close[:days],
        series.quote_volume[:days],
    )


def last_days(series: DailySeries, days: int) -> DailySeries:
    """The last `days` days of a series: what a shorter fetch would have given."""
    return DailySeries(
        series.symbol,
        series.last_open_ms - (days - 1) * DAY_MS,
        series.high[-days:],
        series.low[-days:],
        series.close[-days:],
        series.quote_volume[-days:],
    )
