"""Cash moves: redeem from or subscribe to flexible Earn, at most once each an hour.

An Earn call has no id of ours, so it is never repeated: its intent is written before it is sent, and what became of
it is told by the exchange's own records. Until it arrived the amount is in transit: part of equity, not spendable, no
flow.
"""

from __future__ import annotations

from decimal import Decimal

from runtime.domain.alerts import AlertKind
from runtime.domain.changing import changed
from runtime.domain.control import Mode
from runtime.domain.decision import Gate
from runtime.domain.limits import quiet_hours
from runtime.domain.money import CASH, ZERO, plain
from runtime.domain.orders import Intent, Kind, Leg, Refused, Side, Sleeve, Status, Suppressed, client_id
from runtime.errors import EngineError
from runtime.execution import attempts, note_refusal, permitted
from runtime.hour import Hour, heed
from runtime.recovery import close, settled_earn

EARN_WAITS_S = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


def move_cash(hour: Hour, kind: Kind, amount: Decimal) -> None:
    """Redeem from or subscribe to flexible Earn, once; waits, bounded, until it arrived.

    A redemption that has not arrived in time stays in transit and is settled by a later hour.
    """
    heed(hour.world)
    try:
        product_id = _product(hour, kind, amount)
    except EngineError as error:
        hour.problems["earn_product"] = str(error)
        return
    if not product_id:
        return
    intent = _recorded_move(hour, kind, amount, product_id)
    stamp_ms = hour.now_ms()
    mode, stop = permitted(hour, stamp_ms)
    if quiet_hours(stamp_ms) is not None:
        stop = stop or "Earn is closed from 23:50 to 00:10 UTC"  # the hour began before, its sends took until now
    if mode is Mode.HALT or stop:
        close(hour, [intent.moved(Status.ABSENT, detail=f"not sent: {stop or 'control is halt'}")])
        heed(hour.world)
        return
    hour.sent += 1
    intent = changed(intent, sent_ms=stamp_ms)
    outcome = hour.world.exchange.send_earn(kind, product_id, amount, stamp_ms)
    if isinstance(outcome, Refused):
        note_refusal(hour, outcome)
        intent = intent.moved(Status.REFUSED, detail=f"{outcome.code} {outcome.message}")
        hour.lasting(AlertKind.EARN_FAILED, move=kind.value, amount=plain(amount), asset=CASH, why=intent.detail)
    elif isinstance(outcome, Suppressed):
        intent = intent.moved(Status.ABSENT, detail=outcome.why)
    else:
        move_id = getattr(outcome, "move_id", None)
        if move_id is not None:
            intent = changed(intent, before={**intent.before, "move_id": str(move_id)})
        intent = _arrived(hour, intent)
    close(hour, [intent])
    if intent.status is Status.DONE and kind is Kind.REDEEM:
        _look_at_balances(hour)


def _look_at_balances(hour: Hour) -> None:
    """What was redeemed may be spent only once the exchange shows it; unread, what was free before stays the limit."""
    try:
        hour.account = hour.world.exchange.account()
    except EngineError as error:
        hour.problems["balances"] = str(error)
        hour.account = hour.observed.account


def _product(hour: Hour, kind: Kind, amount: Decimal) -> str:
    """The product to move with; empty, with a gate, where the exchange would refuse."""
    if kind is Kind.REDEEM:
        position = (hour.earn or {}).get(CASH)
        return position.product_id if position else ""
    product = hour.world.exchange.earn_product(CASH)
    if product is None or not product.can_purchase:
        hour.gates.append(Gate("earn_closed", Sleeve.CASH, CASH))
        return ""
    if amount < product.min_purchase:
        numbers = {"amount": plain(amount), "min": plain(product.min_purchase)}
        hour.gates.append(Gate("earn_minimum", Sleeve.CASH, CASH, numbers))
        return ""
    if product.left_quota is not None and amount > product.left_quota:
        numbers = {"amount": plain(amount), "quota": plain(product.left_quota)}
        hour.gates.append(Gate("earn_quota", Sleeve.CASH, CASH, numbers))
        return ""
    return product.product_id


def _recorded_move(hour: Hour, kind: Kind, amount: Decimal, product_id: str) -> Intent:
    side = Side.SELL if kind is Kind.REDEEM else Side.BUY
    leg = Leg(Sleeve.CASH, CASH, side)
    position = (hour.earn or {}).get(CASH)
    intent = Intent(
        id=client_id(hour.settings.account, hour.slot, leg, attempts(hour, leg, ())),
        slot=hour.slot,
        kind=kind,
        sleeve=Sleeve.CASH,
        symbol=CASH,
        side=side,
        quantity=amount,
        reason="earn_buffer",
        recorded_ms=hour.now_ms(),
        send_before_ms=hour.send_before_ms,
        before={"product_id": product_id, "position": plain(position.total if position else ZERO)},
    )
    hour.take(hour.state, [intent])
    hour.commit((intent,))
    return intent


def _arrived(hour: Hour, intent: Intent) -> Intent:
    """Ask for the record at growing intervals, 60 s at most, until the move is settled or failed."""
    for wait in EARN_WAITS_S:
        waited = hour.waited(wait)
        try:
            intent = settled_earn(hour, intent)
        except EngineError as error:
            intent = intent.moved(Status.UNKNOWN, detail=str(error))
        if not intent.open or not waited:
            break
    return intent
