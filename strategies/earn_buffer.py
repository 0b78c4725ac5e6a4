"""Beside the cash buffer: when BNB is bought to pay fees with. How much cash moves is `domain.planning`'s."""

from __future__ import annotations

from decimal import Decimal

from runtime.domain.decision import Gate
from runtime.domain.money import CASH, FUEL, plain
from runtime.domain.orders import Sleeve
from runtime.domain.settings import StrategySettings

FUEL_PAIR = FUEL + CASH


def refuel(value: Decimal, cash: Decimal, done: tuple[str, ...], settings: StrategySettings) -> Gate | None:
    """What stops the purchase of fuel when BNB is worth `value` and `cash` is at hand; None = buy."""
    if value >= settings.fuel_min:
        return Gate("fuel_enough", Sleeve.CASH, FUEL_PAIR, {"value": plain(value), "min": plain(settings.fuel_min)})
    if "fuel" in done:
        return Gate("fuel_done", Sleeve.CASH, FUEL_PAIR)
    if cash < settings.fuel_order:
        return Gate("no_cash", Sleeve.CASH, FUEL_PAIR, {"cash": plain(cash), "min": plain(settings.fuel_order)})
    return None
