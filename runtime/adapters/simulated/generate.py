"""How the embedded market was made: `python -m runtime.adapters.simulated.generate [FOLDER]` makes it again.

Nothing in it was ever quoted anywhere: it is random, seeded, and pinned. Each pair is a geometric walk of daily steps,
a common market factor times the pair's beta plus its own noise, bent so that it passes through a few chosen prices
(`Pair.route`, a Brownian bridge between them). The routes are chosen so that the default hour is instructive: Bitcoin
in an uptrend and fairly valued, pool pairs that qualify, more than are selected, and some that do not. Later SOL falls.

Prices are whole ticks and volumes whole lots from the start, so that hours add up to their days exactly: each hour
opens where the last one closed, and a day is the aggregate of its hours wherever there are hours.
"""

from __future__ import annotations

import gzip
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from random import Random

from runtime.adapters.simulated.candle_files import COLUMNS
from runtime.adapters.simulated.generated_listing import exchange_info
from runtime.domain.slots import DAY_MS, HOUR_MS, day_start_ms

SEED = 20260315
LAST_DAY = date(2026, 3, 30)
DEFAULT_AT = "2026-03-15T09Z"
DAYS_AFTER = 16  # from the last closed day of the default hour, where routes count from, to the last day
HOURLY_DAYS = 21
BTC_DAYS, PAIR_DAYS = 760, 320
MARKET_VOL = 0.016


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair to invent: `route` maps days (0 = the last closed day of the default hour) to closes in USDT.

    `tick` and `lot` are decimals of price and of volume, `turnover` USDT a day, `noise` its own daily volatility.
    """

    base: str
    tick: int
    lot: int
    turnover: float
    beta: float
    noise: float
    route: Mapping[int, float]

    @property
    def days(self) -> int:
        """How many daily candles it gets."""
        return BTC_DAYS if self.base == "BTC" else PAIR_DAYS


_BTC = {-744: 61800.0, -600: 57500.0, -480: 66000.0, -400: 71500.0, -330: 64500.0, -260: 69800.0, -200: 71200.0,
        -150: 74300.0, -90: 79400.0, -50: 82600.0, -20: 84300.0, 0: 87600.0, 16: 90200.0}  # fmt: skip
PAIRS = (
    Pair("BTC", 2, 2, 1.7e9, 1.0, 0.006, _BTC),
    Pair("ETH", 2, 1, 1.1e9, 1.2, 0.012, {-304: 2310, -200: 2380, -120: 2450, -60: 2620, -20: 2850, 0: 3135, 16: 3290}),
    Pair("BNB", 2, 1, 2.2e8, 0.8, 0.010, {-304: 610, -200: 640, -120: 655, -60: 690, -20: 705, 0: 722, 16: 731}),
    Pair(
        "SOL",
        2,
        0,
        5.4e8,
        1.4,
        0.018,
        {-304: 112, -200: 121, -120: 126, -60: 134, -20: 148, 0: 166, 5: 171, 12: 149, 16: 153},
    ),
    Pair("XRP", 4, 0, 4.1e8, 1.1, 0.019, {-304: 1.36, -200: 1.42, -120: 1.49, -60: 1.58, -20: 1.74, 0: 1.91, 16: 1.88}),
    Pair(
        "LINK", 2, 0, 7.5e7, 1.3, 0.018, {-304: 14.1, -200: 15.2, -120: 16.8, -60: 18.4, -20: 17.9, 0: 16.3, 16: 16.9}
    ),
    Pair(
        "AVAX", 2, 0, 6.1e7, 1.4, 0.020, {-304: 24.6, -200: 23.1, -120: 22.4, -60: 21.8, -20: 22.6, 0: 23.0, 16: 24.1}
    ),
    Pair("ADA", 4, 0, 9.2e7, 1.2, 0.019, {-304: 0.64, -200: 0.61, -120: 0.58, -60: 0.57, -20: 0.60, 0: 0.61, 16: 0.6}),
    Pair("DOGE", 5, 0, 2.6e8, 1.3, 0.022, {-304: 0.161, -200: 0.15, -120: 0.148, -60: 0.152, 0: 0.163, 16: 0.168}),
    Pair("TRX", 4, 0, 8.8e7, 0.5, 0.008, {-304: 0.244, -200: 0.262, -120: 0.271, -60: 0.28, 0: 0.291, 16: 0.294}),
    Pair("ATOM", 3, 0, 1.9e7, 1.2, 0.017, {-304: 4.9, -200: 4.4, -120: 4.2, -60: 4.05, 0: 4.11, 16: 4.2}),
    Pair("LTC", 2, 1, 1.1e8, 0.9, 0.014, {-304: 88, -200: 92, -120: 94, -60: 96, -20: 97.5, 0: 98.4, 16: 97.0}),
    Pair("BCH", 1, 1, 7.0e7, 0.9, 0.016, {-304: 402, -200: 431, -120: 447, -60: 462, -20: 470, 0: 489, 16: 502}),
)
POOL = {
    "as_of_date": "2026-03-01",
    "version": "2026-03-01-core_major",
    "mode": "core_major",
    "pool_size": 5,
    "symbols": [base + "USDT" for base in ("ETH", "SOL", "XRP", "LINK", "LTC")],
    "symbol_map": {base + "USDT": {"base_asset": base} for base in ("ETH", "SOL", "XRP", "LINK", "LTC")},
    "source_project": "embedded-market",
}
MANIFEST = {
    "name": "embedded market",
    "default_at": DEFAULT_AT,
    "about": "Synthetic: seeded random walks, no real quotes. Made by runtime/adapters/simulated/generate.py.",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A candle in whole ticks and lots; `quote` is whole USDT, at most what rounding takes below volume times price."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote: int


def generate(folder: Path) -> None:
    """Write the whole market folder; the same bytes every time, but for the compression library's own version."""
    market_days = _noise("market days", BTC_DAYS + 1, MARKET_VOL)
    market_hours = _noise("market hours", HOURLY_DAYS * 24, MARKET_VOL / math.sqrt(24))
    for pair in PAIRS:
        closes = daily_closes(pair, market_days)
        hours = hourly_bars(pair, closes, market_hours)
        days = [*early_days(pair, closes), *whole_days(hours)]
        _write_bars(folder / "1d" / f"{pair.base}USDT.csv.gz", pair, days)
        _write_bars(folder / "1h" / f"{pair.base}USDT.csv.gz", pair, hours)
    for name, document in (("pool", POOL), ("market", MANIFEST), ("exchangeInfo", exchange_info())):
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def daily_closes(pair: Pair, market: Sequence[float]) -> list[int]:
    """One close more than the pair has days (the first day opens at it), in ticks, on the pair's route."""
    own = _noise(f"{pair.base} days", pair.days + 1, pair.noise)
    steps = [pair.beta * common + noise for common, noise in zip(market[-pair.days - 1 :], own, strict=True)]
    walk = [math.fsum(steps[: at + 1]) for at in range(len(steps))]
    start = DAYS_AFTER - pair.days
    pins = [(offset - start, math.log(price) - walk[offset - start]) for offset, price in sorted(pair.route.items())]
    return [_ticks(pair, math.exp(value + _between(pins, at))) for at, value in enumerate(walk)]


def hourly_bars(pair: Pair, closes: Sequence[int], market: Sequence[float]) -> list[Bar]:
    """The hours of the last days: each day a bridge from its open to its close."""
    rng = _rng(f"{pair.base} hours")
    first_ms = day_start_ms(LAST_DAY) - (HOURLY_DAYS - 1) * DAY_MS
    bars: list[Bar] = []
    for day, (opened, closed) in enumerate(pairwise(closes[-HOURLY_DAYS - 1 :])):
        walk = [0.0]
        for common in market[day * 24 : day * 24 + 24]:
            walk.append(walk[-1] + pair.beta * common + rng.gauss(0, pair.noise / math.sqrt(24)))
        slope = (math.log(closed / opened) - walk[-1]) / 24
        levels = [opened, *(round(opened * math.exp(walk[h] + h * slope)) for h in range(1, 24)), closed]
        for hour, (before, after) in enumerate(pairwise(levels)):
            open_ms = first_ms + day * DAY_MS + hour * HOUR_MS
            bars.append(_bar(pair, rng, open_ms, (before, after), HOUR_MS))
    return bars


def early_days(pair: Pair, closes: Sequence[int]) -> list[Bar]:
    """The days that have no hours."""
    rng = _rng(f"{pair.base} ranges")
    first_ms = day_start_ms(LAST_DAY) - (pair.days - 1) * DAY_MS
    moves = list(pairwise(closes))[:-HOURLY_DAYS]
    return [_bar(pair, rng, first_ms + day * DAY_MS, move, DAY_MS) for day, move in enumerate(moves)]


def whole_days(hours: Sequence[Bar]) -> list[Bar]:
    """Hours added up to their days."""
    days = [hours[at : at + 24] for at in range(0, len(hours), 24)]
    return [
        Bar(
            day[0].open_ms,
            day[0].open,
            max(hour.high for hour in day),
            min(hour.low for hour in day),
            day[-1].close,
            sum(hour.volume for hour in day),
            sum(hour.quote for hour in day),
        )
        for day in days
    ]


def _bar(pair: Pair, rng: Random, open_ms: int, move: tuple[int, int], step_ms: int) -> Bar:
    """A bar that goes from one close to the next, with wicks and turnover."""
    share = step_ms / DAY_MS
    reach = 0.5 * math.hypot(pair.beta * MARKET_VOL, pair.noise) * math.sqrt(share)
    high = math.ceil(max(move) * math.exp(reach * abs(rng.gauss(0, 1))))
    low = max(1, math.floor(min(move) * math.exp(-reach * abs(rng.gauss(0, 1)))))
    turnover = pair.turnover * share * math.exp(rng.gauss(0, 0.3))
    typical = (sum(move) + high + low) / 4  # ticks; within the bar, so that volume times price bounds the turnover
    volume = max(1, round(turnover / (typical * 10.0**-pair.tick) * 10**pair.lot))
    quote = int(volume * typical / 10 ** (pair.tick + pair.lot))
    return Bar(open_ms, move[0], high, low, move[1], volume, quote)


def _between(pins: Sequence[tuple[int, float]], at: int) -> float:
    """The straight line through the pins, level before the first."""
    for (left, before), (right, after) in pairwise(pins):
        if left <= at <= right:
            return before + (after - before) * (at - left) / (right - left)
    return pins[0][1]


def _ticks(pair: Pair, price: float) -> int:
    return round(price * 10.0**pair.tick)


def _noise(name: str, count: int, scale: float) -> list[float]:
    rng = _rng(name)
    return [rng.gauss(0, scale) for _ in range(count)]


def _rng(name: str) -> Random:
    return Random(f"{SEED}:{name}")  # noqa: S311 - repeatable prices, no secret


def _write_bars(path: Path, pair: Pair, bars: Iterable[Bar]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join(COLUMNS)]
    for bar in bars:
        prices = ",".join(_text(ticks, pair.tick) for ticks in (bar.open, bar.high, bar.low, bar.close))
        lines.append(f"{bar.open_ms},{prices},{_text(bar.volume, pair.lot)},{bar.quote},")
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode("ascii"), 9, mtime=0))


def _text(units: int, places: int) -> str:
    whole, part = divmod(units, 10**places)
    return f"{whole}.{part:0{places}d}" if places else str(whole)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("embedded"))
