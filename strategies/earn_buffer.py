"""The cash buffer and the fuel: when USDT may move between spot and Earn, and when BNB is bought for fees."""

from __future__ import annotations

from decimal import Decimal

from runtime.domain.decision import Gate
from runtime.domain.money import CASH, FUEL, plain
from runtime.domain.orders import Sleeve
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import DAY_MS, MINUTE_MS

QUIET_BEFORE_MS = 10 * MINUTE_MS
QUIET_AFTER_MS = 10 * MINUTE_MS
FUEL_PAIR = FUEL + CASH


def quiet_hours(now_ms: int) -> Gate | None:
    """The gate that stops Earn moves from 23:50 to 00:10 UTC, when Binance settles; None outside."""
    of_day = now_ms % DAY_MS
    if QUIET_AFTER_MS <= of_day < DAY_MS - QUIET_BEFORE_MS:
        return None
    return Gate("earn_window", Sleeve.CASH, CASH, {"minute_of_day": str(of_day // MINUTE_MS), "quiet": "23:50-00:10"})


def refuel(value: Decimal, cash: Decimal, done: tuple[str, ...], settings: StrategySettings) -> Gate | None:
    """What stops the purchase of fuel when BNB is worth `value` and `cash` is at hand; None = buy."""
    if value >= settings.fuel_min:
        return Gate("fuel_enough", Sleeve.CASH, FUEL_PAIR, {"value": plain(value), "min": plain(settings.fuel_min)})
    if "fuel" in done:
        return Gate("fuel_done", Sleeve.CASH, FUEL_PAIR)
    if cash < settings.fuel_order:
        return Gate("no_cash", Sleeve.CASH, FUEL_PAIR, {"cash": plain(cash), "min": plain(settings.fuel_order)})
    return None
