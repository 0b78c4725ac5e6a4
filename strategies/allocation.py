"""Allocation: how much of equity belongs to bitcoin, how much to the trend sleeve, and how large one order may be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal

from runtime.domain.market import Facts, ratio
from runtime.domain.money import ONE, ZERO, clamp
from runtime.domain.remembering import remembered
from runtime.domain.settings import StrategySettings


def btc_target_ratio(equity: Decimal, settings: StrategySettings) -> Decimal:
    """Bitcoin's share of equity (fraction): base + slope x ln(1 + max(E, 1) / scale), within [0, max]."""
    growth = ratio(math.log1p(float(max(equity, ONE) / settings.btc_ratio_scale)))
    return clamp(settings.btc_ratio_base + settings.btc_ratio_slope * growth, ZERO, settings.btc_ratio_max)


def btc_base_order(equity: Decimal, settings: StrategySettings) -> Decimal:
    """USDT of one daily purchase at multiplier 1."""
    return max(settings.btc_order_min, settings.btc_order_ratio * equity)


def order_caps(symbols: Iterable[str], equity: Decimal, facts: Facts, settings: StrategySettings) -> dict[str, Decimal]:
    """The largest purchase in USDT by pair: a share of equity, and of the mean daily turnover where it is known.

    The turnover may be null by contract (a pair too young, a payload without it): then equity alone caps.
    """
    by_equity, least = settings.order_ratio_max * equity, _least_turnover(facts)
    if least is None or by_equity <= settings.order_volume_ratio_max * least:
        return dict.fromkeys(symbols, by_equity)
    by_turnover = _turnover_caps(facts, settings)
    return {symbol: min(by_equity, by_turnover.get(symbol, by_equity)) for symbol in symbols}


@remembered
def _least_turnover(facts: Facts) -> Decimal | None:
    """The least of the known turnovers: most hours no order comes near it."""
    known = _turnovers(facts).values()
    return ratio(min(known)) if known else None


@remembered
def _turnover_caps(facts: Facts, settings: StrategySettings) -> Mapping[str, Decimal]:
    return {symbol: settings.order_volume_ratio_max * ratio(volume) for symbol, volume in _turnovers(facts).items()}


def _turnovers(facts: Facts) -> Mapping[str, float]:
    known = {symbol: of.avg_quote_vol_30 for symbol, of in facts.symbols.items()}
    return {symbol: volume for symbol, volume in known.items() if volume is not None and math.isfinite(volume)}
