"""Made-up pasts for tests: a few pairs, hours and days of a walk that is the same on every machine."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from runtime.adapters.simulated.past_files import fixed_pool
from runtime.config import Settings, parse_settings
from runtime.domain.history import History, Hours, SymbolHistory, days_of
from runtime.domain.slots import HOUR_MS, day_start_ms

BEGIN = date(2022, 1, 1)
BEGIN_MS = day_start_ms(BEGIN)
PAIRS = ("ETHUSDT", "SOLUSDT", "XRPUSDT", "LINKUSDT", "AVAXUSDT")
FIRST_PRICE = {"BTCUSDT": 30_000.0, "BNBUSDT": 300.0}


def hours_of(symbol: str, count: int, first_ms: int = BEGIN_MS, drift: float = 0.0002) -> Hours:
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
        rows.append((first_ms + hour * HOUR_MS, Decimal(str(opened)), high, low, closed, 1000.0, closed * 1000.0))
    times, opens, *floats = zip(*rows, strict=True)
    return Hours(array("q", times), list(opens), *(array("d", column) for column in floats))


def a_past(count: int, symbols: Sequence[str] = ("BTCUSDT", "BNBUSDT", *PAIRS), drift: float = 0.0002) -> History:
    """A history of `count` hours of each pair, with the first five of `PAIRS` as an unchanging pool."""
    made = {symbol: hours_of(symbol, count, drift=drift) for symbol in symbols}
    candles = {symbol: SymbolHistory(symbol, hours, days_of(hours)) for symbol, hours in made.items()}
    end = date.fromordinal(BEGIN.toordinal() + count // 24 + 1)
    return History(candles, fixed_pool(PAIRS, (BEGIN, end)))


def without(history: History, symbol: str, gone: range) -> History:
    """The history with the hours of one pair that begin in `gone` (epoch ms) taken out."""
    return with_hours(history, {symbol: _thinned(history.candles[symbol].hours, gone)})


def _thinned(hours: Hours, gone: range) -> Hours:
    kept = [at for at, opened in enumerate(hours.open_ms) if not gone.start <= opened < gone.stop]
    pick = [array("d", [column[at] for at in kept]) for column in _floats(hours)]
    return Hours(array("q", [hours.open_ms[at] for at in kept]), [hours.open[at] for at in kept], *pick)


def _floats(hours: Hours) -> tuple[Sequence[float], ...]:
    return hours.high, hours.low, hours.close, hours.volume, hours.quote_volume


def with_hours(history: History, changed: Mapping[str, Hours]) -> History:
    """The history with other hours, and the days that they make."""
    made = {symbol: SymbolHistory(symbol, hours, days_of(hours)) for symbol, hours in changed.items()}
    return replace(history, candles={**history.candles, **made})


def past_settings(**named: str) -> Settings:
    """Settings for a run over the past; names as in the environment."""
    return parse_settings(named, {"first_run": "fresh"})
