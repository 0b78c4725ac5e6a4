"""What a kill must not change: the portfolio of the undisturbed hour, wherever the kill was harmless.

A run that is repeated in its own hour sees the same prices, so it must come to the same portfolio: exactly where
nothing had been sent yet or all was done, and within a lot or two where it died in the middle, because what is left to
buy is sized on an equity that has paid fees by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache

from runtime.adapters.memory import MemoryStore
from runtime.domain.money import CASH, ONE, ZERO
from tests.scenarios.matrix.rig import CLOCK, MARKET, Rig
from tests.scenarios.matrix.situations import SITUATIONS, prepared

SHARE_MAX = Decimal("0.002")
CENT = Decimal("0.05")
_WRITES = ("store.commit", "exchange.send_order", "exchange.send_earn")


@cache
def undisturbed(situation: str, hours: int) -> Mapping[str, Decimal]:
    """The portfolio that the same number of undisturbed hours leads to."""
    start = prepared(situation)
    before_ms = CLOCK.now_ms()
    store = MemoryStore(CLOCK)
    rig = Rig.at(start.now_ms, start.copied_books(), SITUATIONS[situation].settings, lambda: store)
    start.plant(store)
    rig.hour()
    for _ in range(hours - 1):
        rig.next_slot()
        rig.hour()
    found = portfolio(rig)
    CLOCK.set(before_ms)
    return found


def portfolio(rig: Rig) -> dict[str, Decimal]:
    """Units of each asset at spot and in Earn together."""
    held = {asset: balance.total for asset, balance in rig.exchange.venue.books.balances.items() if balance.total}
    for holding in rig.exchange.venue.positions():
        held[holding.asset] = held.get(holding.asset, ZERO) + holding.amount
    return held


def differences(situation: str, rig: Rig, rerun: str) -> list[str]:
    """Where the portfolio is not the undisturbed one's, if the killed hour was done again within itself."""
    first, second = rig.history[:2]
    done_again = rerun == "lease" or (first.report is not None or "alerter.deliver" in first.wire.calls)
    if not done_again or second.crash:
        return []
    reached = [call for call in first.wire.calls if call in _WRITES]
    exact = not reached or not any(call.startswith("exchange.send") for call in reached) or second.sent == 0
    hours = len(rig.history) - (rerun != "next")
    wanted, found, prices = undisturbed(situation, hours), portfolio(rig), MARKET.prices()
    total = sum((_worth(asset, units, prices) for asset, units in wanted.items()), ZERO)
    allowed = CENT if exact else total * SHARE_MAX
    return [
        f"{asset}: {found.get(asset, ZERO)} instead of {wanted.get(asset, ZERO)}, the undisturbed portfolio's"
        for asset in sorted(wanted.keys() | found.keys())
        if abs(_worth(asset, found.get(asset, ZERO) - wanted.get(asset, ZERO), prices)) > allowed
    ]


def _worth(asset: str, units: Decimal, prices: Mapping[str, Decimal]) -> Decimal:
    return units if asset == CASH else units * prices.get(asset + CASH, ONE)
