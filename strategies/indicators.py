"""Indicators: pure arithmetic on closed daily candles (strategy contract, sections 2, 3 and 5).

An indicator is a fact about the last closed day: the live price enters nowhere but in `ahr999`. Nothing is estimated:
where days are too few or a volume is absent the answer is None, and a series that ends on another day than yesterday
gives no answer at all, because a stale average looks exactly like a fresh one.

All results are floats and feed decisions, never amounts. Fractions are plain (0.05 = 5 %), volatility is per day,
averages and ranges are in quote units. The published values that these rules reproduce stand in the tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache
from operator import mul, sub
from typing import Literal

from runtime.domain.market import BtcFacts, DailyMarket, DailySeries, Facts, SymbolFacts
from runtime.domain.money import CASH, CORE
from runtime.domain.remembering import remembered
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import DAY_MS, date_at, day_start_ms
from strategies.windows import mean_of_last, quantile, rate_of_change, share_above_mean, volatility, zscores

BTC_SYMBOL = CORE + CASH
GENESIS = date(2009, 1, 3)
GROWTH_SLOPE, GROWTH_SHIFT = 5.84, 17.01

SMA_DAYS = 200
SLOPE_DAYS = 20
VOL_DAYS = 20
ATR_DAYS = 14
PERSIST_DAYS = 90
QUANTILE_DAYS = 365
ZSCORE_DAYS_MAX = 40  # where `zscore_days` stops counting: twice what ends a trim episode, well within 700 days
BTC_DAYS_NEEDED = SMA_DAYS + QUANTILE_DAYS - 1
BTC_DAYS_USED = BTC_DAYS_NEEDED + ZSCORE_DAYS_MAX - 1  # scores of earlier days are not even computed

Smoothing = Literal["sma", "wilder"]
Cost = Literal["geometric", "arithmetic", "harmonic", "cost_only"]


def facts_of(daily: DailyMarket, settings: StrategySettings) -> Facts:
    """All indicators on the last closed day before `daily.day`; `missing` says by symbol why they are incomplete.

    Too few days leave a symbol with the facts there are; a refused or stale series leaves it with none. BTCUSDT has
    its snapshot and, for its volumes, ordinary facts too. The same object and settings are computed once.
    """
    return _described(decisive_facts(daily, settings), daily)


@remembered
def decisive_facts(daily: DailyMarket, settings: StrategySettings) -> Facts:
    """`facts_of` without what no rule looks at: the longer turnovers and the persistence of a trend, which are costly
    and only reported.
    """
    cost, share = settings.ahr999_cost, settings.zscore_quantile
    return _facts(daily, settings.atr_smoothing, cost, settings.zscore_floor, share)


@remembered
def _described(facts: Facts, daily: DailyMarket) -> Facts:
    symbols = {symbol: _with_reported(known, daily.series[symbol]) for symbol, known in facts.symbols.items()}
    return replace(facts, symbols=symbols)


@lru_cache(maxsize=4)
def _facts(daily: DailyMarket, smoothing: Smoothing, cost: Cost, floor: float, share: float) -> Facts:
    missing = dict(daily.refused)
    if BTC_SYMBOL not in daily.series:
        missing.setdefault(BTC_SYMBOL, "no daily candles")
    expected_ms, symbols = day_start_ms(daily.day) - DAY_MS, dict[str, SymbolFacts]()
    for symbol, series in daily.series.items():
        if series.last_open_ms != expected_ms:
            missing.setdefault(symbol, _staleness(series, expected_ms))
        if symbol in missing:
            continue
        symbols[symbol] = _decisive(series, smoothing)
        needed, known = BTC_DAYS_NEEDED if symbol == BTC_SYMBOL else SMA_DAYS, len(series.close)
        if known < needed:
            missing[symbol] = f"needs {needed} closed days, has {known}"
    btc = btc_facts(daily.series[BTC_SYMBOL].close, cost, floor, share) if BTC_SYMBOL in symbols else None
    return Facts(btc, symbols, missing)


def _staleness(series: DailySeries, expected_ms: int) -> str:
    return f"last closed day is {date_at(series.last_open_ms)}, needs {date_at(expected_ms)}"


def symbol_facts(series: DailySeries, smoothing: Smoothing = "sma") -> SymbolFacts:
    """Section 2 on the last day of a series of at least one day; what needs more days than there are is None."""
    return _with_reported(_decisive(series, smoothing), series)


def _with_reported(facts: SymbolFacts, series: DailySeries) -> SymbolFacts:
    return replace(
        facts,
        avg_quote_vol_90=mean_of_last(series.quote_volume, 90),
        avg_quote_vol_180=mean_of_last(series.quote_volume, 180),
        trend_persist_90=share_above_mean(series.close, SMA_DAYS, PERSIST_DAYS),
    )


def _decisive(series: DailySeries, smoothing: Smoothing) -> SymbolFacts:
    closes = series.close[-SMA_DAYS:]
    averages = mean_of_last(closes, 20), mean_of_last(closes, 60), mean_of_last(closes, SMA_DAYS)
    rates = rate_of_change(closes, 20), rate_of_change(closes, 60), rate_of_change(closes, 120)
    return SymbolFacts(
        closes[-1],
        *averages,
        *rates,
        volatility(closes, VOL_DAYS),
        average_true_range(series, ATR_DAYS, smoothing),
        avg_quote_vol_30=mean_of_last(series.quote_volume, 30),
        age_days=len(series.close),
    )


def btc_facts(closes: Sequence[float], cost: Cost, floor: float, share: float) -> BtcFacts:
    """Section 3 on the last of at least one close; `floor` and `share` (0..1) make the sell trigger.

    `zscore_days` counts each day against its own trigger. It stops at a day that lacks a whole 365-day window, and at
    40 days, so it may be less than the truth, never more.
    """
    closes = closes[-BTC_DAYS_USED:]
    scores = zscores(closes, SMA_DAYS)
    ma200, geometric = mean_of_last(closes, SMA_DAYS), cost_of_last(closes, "geometric")
    return BtcFacts(
        close=closes[-1],
        ma200=ma200,
        ma200_slope=_slope(ma200, closes),
        zscore=scores[-1] if scores else None,
        sell_trigger=_sell_trigger(scores, floor, share),
        geom200=geometric,
        cost200=geometric if cost in {"geometric", "cost_only"} else cost_of_last(closes, cost),
        cost_variant=cost,
        roc20=rate_of_change(closes, 20),
        roc60=rate_of_change(closes, 60),
        roc120=rate_of_change(closes, 120),
        zscore_days=_days_below_trigger(scores, floor, share),
    )


def ahr999(price: float, btc: BtcFacts, settings: StrategySettings, day: date) -> float | None:
    """AHR999 of a BTC `price` on the UTC date `day`, with the 200-day cost of the settings' variant.

    (price / cost200) x (price / growth valuation); `cost_only` is price / geom200. A fixture's own value wins. None if
    the cost is missing, or if anything is not finite and positive. Source of the definition: RuochenLyu/ahr999-dataset.
    """
    cost_only = settings.ahr999_cost == "cost_only"
    cost = btc.geom200 if cost_only else btc.cost200
    if btc.ahr999 is not None:
        value: float | None = btc.ahr999
    elif cost is None or not _positive(cost) or not _positive(price):
        value = None
    elif cost_only:
        value = price / cost
    else:
        growth = growth_valuation(day)
        value = None if growth is None else (price / cost) * (price / growth)
    return value if value is not None and _positive(value) else None


def growth_valuation(day: date) -> float | None:
    """The power law 10^(5.84 log10(age) - 17.01) in USD, age in whole days since 2009-01-03; None up to that day."""
    age = (day - GENESIS).days
    return 10.0 ** (GROWTH_SLOPE * math.log10(age) - GROWTH_SHIFT) if age > 0 else None


def relative_score(facts: SymbolFacts, btc: BtcFacts, settings: StrategySettings) -> float | None:
    """Weighted lead over BTC in units of daily volatility (section 5); None if a part is missing or vol20 not > 0."""
    own, of_btc = _rates(facts), _rates(btc)
    if own is None or of_btc is None or facts.vol20 is None or not _positive(facts.vol20):
        return None
    lead = _weighted(list(map(sub, own, of_btc)), settings)
    score = lead / facts.vol20 if lead is not None else math.nan
    return score if math.isfinite(score) else None


def absolute_momentum(facts: SymbolFacts, settings: StrategySettings) -> float | None:
    """Weighted rate of change over 20, 60 and 120 days, a fraction (section 5); None if one is missing."""
    rates = _rates(facts)
    return None if rates is None else _weighted(rates, settings)


def _rates(facts: SymbolFacts | BtcFacts) -> tuple[float, float, float] | None:
    if facts.roc20 is None or facts.roc60 is None or facts.roc120 is None:
        return None
    return facts.roc20, facts.roc60, facts.roc120


def _weighted(rates: Sequence[float], settings: StrategySettings) -> float | None:
    terms = list(map(mul, settings.score_weights, rates))
    return math.fsum(terms) if all(map(math.isfinite, terms)) else None


def average_true_range(series: DailySeries, days: int, smoothing: Smoothing) -> float | None:
    """Mean true range in quote units; None if there are too few days.

    `sma`: of the last `days` ranges, each with its previous close, so `days` + 1 candles. `wilder`: seeded with the
    mean of the first `days` ranges of the series (the very first is high - low) and smoothed by 1/days since; what the
    start leaves fades to under 1e-6 by the 200th day.
    """
    first = len(series.close) - days if smoothing == "sma" else 1
    if first < 1:
        return None
    rows = zip(series.high[first:], series.low[first:], series.close[first - 1 :], strict=False)
    # Comparisons, because `max` and `min` cost three times as much, for each day of each pair.
    ranges = [
        (high if high > before else before) - (low if low < before else before)  # noqa: FURB136 - see above
        for high, low, before in rows
    ]
    if smoothing == "sma":
        return math.fsum(ranges) / days
    ranges[:0] = map(sub, series.high[:1], series.low)
    if len(ranges) < days:
        return None
    average = math.fsum(ranges[:days]) / days
    for true_range in ranges[days:]:
        average = (average * (days - 1) + true_range) / days
    return average


def cost_of_last(closes: Sequence[float], cost: Cost) -> float | None:
    """The 200-day cost in quote units: a mean of the last 200 closes; `cost_only` takes the geometric one."""
    if len(closes) < SMA_DAYS:
        return None
    last = closes[-SMA_DAYS:]
    if cost == "arithmetic":
        return mean_of_last(last, SMA_DAYS)
    if cost == "harmonic":
        return SMA_DAYS / math.fsum(1 / close for close in last)
    return math.exp(math.fsum(map(math.log, last)) / SMA_DAYS)


def _slope(ma200: float | None, closes: Sequence[float]) -> float | None:
    before = mean_of_last(closes[-SMA_DAYS - SLOPE_DAYS : -SLOPE_DAYS], SMA_DAYS)
    return None if ma200 is None or before is None else ma200 / before - 1


def _sell_trigger(scores: Sequence[float], floor: float, share: float) -> float | None:
    return max(floor, quantile(scores[-QUANTILE_DAYS:], share)) if len(scores) >= QUANTILE_DAYS else None


def _days_below_trigger(scores: Sequence[float], floor: float, share: float) -> int:
    count = 0
    for end in range(len(scores), QUANTILE_DAYS - 1, -1):
        score = scores[end - 1]
        # A score at or below the floor is at or below any trigger: the quantile is worked out only above it.
        if score > floor and score > quantile(scores[end - QUANTILE_DAYS : end], share):
            break
        count += 1
    return count


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0
