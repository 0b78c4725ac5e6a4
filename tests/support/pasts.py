"""Made-up pasts for tests: a few pairs, hours and days of a walk that is the same on every machine."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from runtime.adapters.simulated.past_pools import fixed_pool
from runtime.config import parse_settings
from runtime.domain.candle_columns import CandleColumns, CandleQuery, CandleSet, daily_from_hourly, exact_column
from runtime.domain.costs import NO_COSTS
from runtime.domain.history import History
from runtime.domain.slots import HOUR_MS, date_at, day_start_ms
from runtime.domain.state import State
from runtime.run_settings import Settings

BEGIN = date(2022, 1, 1)
BEGIN_MS = day_start_ms(BEGIN)
PAIRS = ("ETHUSDT", "SOLUSDT", "XRPUSDT", "LINKUSDT", "AVAXUSDT")
FIRST_PRICE = {"BTCUSDT": 30_000.0, "BNBUSDT": 300.0}


def hours_of(symbol: str, count: int, first_ms: int = BEGIN_MS, drift: float = 0.0002) -> CandleColumns:
    """`count` hours of a walk seeded by the symbol."""
    dice = random.Random(symbol)
    price = FIRST_PRICE.get(symbol, 20.0 + dice.random() * 10)
    rows = []
    for hour in range(count):
        opened = round(price, 4)
        price = max(0.01, price * math.exp(dice.gauss(drift, 0.01)))
        closed = round(price, 4)
        high = round(max(opened, closed) * (1 + dice.random() / 200), 4)
        low = round(min(opened, closed) * (1 - dice.random() / 200), 4)
        rows.append((first_ms + hour * HOUR_MS, opened, high, low, closed, 1000.0, closed * 1000.0))
    return columns_of(symbol, rows)


def columns_of(symbol: str, rows: Sequence[tuple[float, ...]]) -> CandleColumns:
    """Rows of open time, open, high, low, close, volume and quote volume as hours."""
    times, *floats = zip(*rows, strict=True)
    opens, highs, lows, closes, volumes, quoted = (array("d", column) for column in floats)
    exact_open, exact_close = (exact_column([repr(price) for price in column]) for column in (opens, closes))
    opens_ms = array("q", [int(time) for time in times])
    return CandleColumns(
        symbol, HOUR_MS, opens_ms, opens, highs, lows, closes, volumes, quoted, exact_open, exact_close
    )  # fmt: skip


def rows_of(hours: CandleColumns) -> list[tuple[float, ...]]:
    """The rows that `columns_of` takes."""
    floats = (hours.open, hours.high, hours.low, hours.close, hours.volume, hours.quote_volume)
    return list(zip(hours.opens_ms, *floats, strict=True))


def a_past(count: int, symbols: Sequence[str] = ("BTCUSDT", "BNBUSDT", *PAIRS), drift: float = 0.0002) -> History:
    """A history of `count` hours of each pair, with `PAIRS` as an unchanging pool."""
    made = {symbol: hours_of(symbol, count, drift=drift) for symbol in symbols}
    end_ms = BEGIN_MS + count * HOUR_MS
    return History(candles_of(made, end_ms), fixed_pool(PAIRS, (BEGIN, date_at(end_ms))))


def candles_of(hours: Mapping[str, CandleColumns], end_ms: int) -> CandleSet:
    """A set of candles, with the days that the hours make."""
    return CandleSet(CandleQuery(BEGIN_MS, end_ms), hours, {s: daily_from_hourly(made) for s, made in hours.items()})


def with_hours(history: History, changed: Mapping[str, CandleColumns]) -> History:
    """The history with other hours, and the days that they make."""
    known = history.candles
    return replace(history, candles=candles_of({**known.hourly, **changed}, known.query.end_ms))


def without(history: History, symbol: str, gone: range) -> History:
    """The history with the hours of one pair that begin in `gone` (epoch ms) taken out."""
    rows = rows_of(history.candles.hourly[symbol])
    return with_hours(
        history, {symbol: columns_of(symbol, [row for row in rows if not gone.start <= row[0] < gone.stop])}
    )


def past_settings(**named: str) -> Settings:
    """Settings for a run over the past; names as in the environment."""
    return parse_settings(named, {"first_run": "fresh"})


def unbilled(state: State | None) -> State | None:
    """The state without the minutes of its runs: one that retries takes some. A month is kept for what it traded."""
    if state is None:
        return None
    months = {month: replace(costs, minutes=0) for month, costs in state.costs.items() if costs.spent != NO_COSTS}
    return replace(state, costs=months)
