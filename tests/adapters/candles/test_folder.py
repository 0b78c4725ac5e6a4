"""Candle folders: both layouts give the same columns; what is missing or wrong is named, all at once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from runtime.adapters.candles import read_candles
from runtime.domain.candle_columns import CandleQuery
from runtime.domain.slots import DAY_MS, HOUR_MS
from tests.support.folders import row, write_candles

T0 = 1_609_459_200_000  # 2021-01-01
WEEK = CandleQuery(T0, T0 + 7 * DAY_MS)


def hours(first: int = 0, stop: int = 7 * 24) -> list[str]:
    return [
        row(T0 + at * HOUR_MS, f"{at + 100}.10 {at + 102} {at + 99} {at + 101}.0", "3", "9")
        for at in range(first, stop)
    ]


def test_hours_become_columns_and_days(tmp_path: Path) -> None:
    write_candles(tmp_path, "1h", "BTCUSDT", hours())
    candles = read_candles(tmp_path, WEEK)
    bitcoin = candles.hourly["BTCUSDT"]
    assert (len(bitcoin), len(candles.daily["BTCUSDT"])) == (168, 7)
    assert bitcoin.exact_open.between(1, 2) == [Decimal("101.10")]
    assert candles.daily["BTCUSDT"].high[0] == 125.0
    assert candles.notes == ()
