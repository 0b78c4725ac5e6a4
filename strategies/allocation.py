"""Allocation: how much of equity belongs to bitcoin, how much to the trend sleeve."""

from __future__ import annotations

import math
from decimal import Decimal

from runtime.domain.market import ratio
from runtime.domain.money import ONE, ZERO, clamp
from runtime.domain.settings import StrategySettings


def btc_target_ratio(equity: Decimal, settings: StrategySettings) -> Decimal:
    """Bitcoin's share of equity (fraction): base + slope x ln(1 + max(E, 1) / scale), within [0, max]."""
    growth = ratio(math.log1p(float(max(equity, ONE) / settings.btc_ratio_scale)))
    return clamp(settings.btc_ratio_base + settings.btc_ratio_slope * growth, ZERO, settings.btc_ratio_max)


def btc_base_order(equity: Decimal, settings: StrategySettings) -> Decimal:
    """USDT of one daily purchase at multiplier 1."""
    return max(settings.btc_order_min, settings.btc_order_ratio * equity)
