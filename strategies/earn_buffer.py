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
    numbers = {
        "fuel_enough": {"value": plain(value), "min": plain(settings.fuel_min)},
        "no_cash": {"cash": plain(cash), "min": plain(settings.fuel_order)},
    }
    name = refuel_gate(value, cash, done, settings)
    return Gate(name, Sleeve.CASH, FUEL_PAIR, numbers.get(name, {})) if name else None


def refuel_gate(value: Decimal, cash: Decimal, done: tuple[str, ...], settings: StrategySettings) -> str:
    """The name of the gate that stops the purchase of fuel; empty = buy."""
    if value >= settings.fuel_min:
        return "fuel_enough"
    if "fuel" in done:
        return "fuel_done"
    return "no_cash" if cash < settings.fuel_order else ""
