"""Allocation: how much of equity belongs to bitcoin, how much to the trend sleeve, and how large one order may be."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal

from runtime.domain.market import Facts, ratio
from runtime.domain.money import ONE, ZERO, clamp
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
    caps = dict.fromkeys(symbols, settings.order_ratio_max * equity)
    for symbol, cap in caps.items():
        known = facts.symbols.get(symbol)
        turnover = known.avg_quote_vol_30 if known is not None else None
        if turnover is not None and math.isfinite(turnover):
            caps[symbol] = min(cap, settings.order_volume_ratio_max * ratio(turnover))
    return caps
