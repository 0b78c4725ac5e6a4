"""Telling: one attempt at every alert that waits, over the channels there are.

Telegram comes first. What it does not take goes to the second channel, where there is one, if it is urgent or has
waited before (`domain.alerts.for_the_second`); an alert that one channel took is told, and no other tells it again.
What none took waits in the outbox, so it is told once where the first channel answers, perhaps twice where its answer
is lost, and never not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runtime.domain.alerts import Alert, for_the_second
from runtime.domain.changing import changed
from runtime.domain.dependencies import TELEGRAM, failed, is_open, worked
from runtime.domain.state import State
from runtime.ports import Receipt, World

Receipts = tuple[Receipt, ...]
OK = "ok"


def told(world: World, state: State, now_ms: int) -> tuple[State, Receipts]:
    """The state after one attempt at its outbox, and what became of each alert. A first channel whose breaker is open
    is probed, and left alone where that fails.
    """
    known, waiting = state.dependencies, state.outbox
    if not waiting:
        return state, ()
    down = is_open(known, TELEGRAM) and any(verdict != OK for verdict in world.alerter.probe().values())
    first = {} if down else {receipt.alert_id: receipt for receipt in world.alerter.deliver(waiting)}
    taken = any(receipt.delivered for receipt in first.values())
    second = _by_the_second(world, for_the_second(waiting, first, first_is_down=down))
    receipts = {**first, **second}
    left = (alert for alert in waiting if not (alert.id in receipts and receipts[alert.id].delivered))
    outbox = tuple([replace(alert, attempts=alert.attempts + (alert.id in receipts)) for alert in left])
    after = worked(known, TELEGRAM, now_ms) if taken else failed(known, TELEGRAM)
    return changed(state, outbox=outbox, dependencies=after), tuple(receipts.values())


def tell_at_once(world: World, alerts: Sequence[Alert]) -> Receipts:
    """One attempt at alerts that no outbox keeps: what the first channel does not take, the second is asked to."""
    first = {receipt.alert_id: receipt for receipt in world.alerter.deliver(alerts)}
    second = _by_the_second(world, for_the_second(alerts, first, first_is_down=True))
    return tuple({**first, **second}.values())


def _by_the_second(world: World, alerts: Sequence[Alert]) -> dict[str, Receipt]:
    """The receipts of the second channel for what it took; what it did not take keeps the first channel's word."""
    if world.second is None or not alerts:
        return {}
    return {receipt.alert_id: receipt for receipt in world.second.deliver(alerts) if receipt.delivered}
