"""Recovery: settle what was left open, before anything new. It only settles; it never sends.

Also used for the hour's own unclear sends: a dead hour and a lost answer are the same case. An intent is closed by
evidence alone:

    found       an order with its id, no older than the write-ahead: adopt it, with fills from the trades
    absent      the fence has passed (nothing of it can arrive any more), two look-ups at least 2 s apart know nothing
                of it, no order is open under its id, and the symbol's trades since the write-ahead lack it (where there
                are any, the list of orders says whose they are); or the exchange archived it unfilled; or its pair is
                gone, and the account holds of both coins what the ledger says
    otherwise   unknown: it blocks its own symbol and all buys until an hour can tell

What turns out absent is closed as not placed; whether it is still wanted is the new decision's business.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.domain.alerts import AlertKind
from runtime.domain.booking import book_earn, book_order
from runtime.domain.changing import changed
from runtime.domain.costs import spent_on, with_spent
from runtime.domain.ledger import Entry, fees
from runtime.domain.money import CASH, plain
from runtime.domain.orders import EarnRecord, Intent, Kind, Order, Status
from runtime.domain.reconciliation import spot_differences
from runtime.domain.slots import HOUR_MS, slot_start_ms, slots_between
from runtime.domain.state import State
from runtime.errors import EngineError, Rejected
from runtime.hour import BACK_END_MS, RECV_WINDOW_MS, SHOWN_MS, Hour

LOOK_UPS_APART_S = 2.0
ORDER_TIME_SPARE_MS = 1_000


def recover(hour: Hour) -> None:
    """Settle every open intent of earlier runs, in one commit."""
    open_intents = hour.state.open_intents
    if not open_intents:
        return
    hour.recovered = settle(hour, open_intents)
    close(hour, hour.recovered)


def close(hour: Hour, intents: Sequence[Intent]) -> None:
    """Write settled intents, book what they did and queue what tells it: one atomic commit for all of it."""
    state, entries = hour.state, list[Entry]()
    closed: list[Intent] = []
    for intent in intents:
        if intent.kind is Kind.ORDER:
            state, booked = book_order(state, intent, hour.prices)
            state = _charged(hour, state, intent) if booked else state
            closed.append(intent)
            _tell(hour, intent)
        else:
            state, moved, booked = book_earn(state, intent, hour.now_ms())
            closed.append(moved)
        entries.extend(booked)
    hour.take(state, closed, entries)
    hour.commit(tuple(closed), tuple(entries))


def _charged(hour: Hour, state: State, intent: Intent) -> State:
    """The state with what a booked order cost, which the hour counts too."""
    if intent.order is None:
        return state
    spent = spent_on(intent, intent.order, hour.prices)
    hour.spent = hour.spent.plus(spent)
    return changed(state, costs=with_spent(state.costs, intent.slot, spent))


def settle(hour: Hour, intents: Sequence[Intent]) -> tuple[Intent, ...]:
    """Each intent as far as the exchange can tell now; look-ups are shared in two rounds."""
    ripe = {intent.id for intent in intents if intent.kind is Kind.ORDER and _fence_passed(hour, intent)}
    first: list[Intent] = []
    for intent in intents:
        first.append(_looked_up(hour, intent, first))
    suspects = [i for i in _not_found(first) if i.id in ripe]
    if not suspects or not hour.waited(LOOK_UPS_APART_S):
        return tuple(first)
    second = [_looked_up(hour, intent) for intent in suspects]
    newest = {intent.id: intent for intent in (*second, *_proved_absent(hour, _not_found(second)))}
    return tuple(newest.get(intent.id, intent) for intent in first)


def _not_found(intents: Sequence[Intent]) -> list[Intent]:
    return [i for i in intents if i.status is Status.UNKNOWN and i.order is None and i.detail == NOT_FOUND]


NOT_FOUND = "not found yet"
ARCHIVED, PAIR_GONE = -2026, -1121
"""Codes of a look-up that no later look-up will improve: archived because nothing of it ever executed; no such pair."""
OVERDUE_HOURS = 3


def fence_ms(intent: Intent) -> int:
    """When nothing of the intent can appear any more (exchange clock): its last possible timestamp, the window in
    which that is accepted, what the back end may still take, and what look-ups may lag behind it.
    """
    return (intent.sent_ms or intent.send_before_ms) + RECV_WINDOW_MS + BACK_END_MS + SHOWN_MS


def _fence_passed(hour: Hour, intent: Intent) -> bool:
    return hour.now_ms() > fence_ms(intent)


def _looked_up(hour: Hour, intent: Intent, beside: Sequence[Intent] = ()) -> Intent:
    try:
        return _settled_order(hour, intent) if intent.kind is Kind.ORDER else settled_earn(hour, intent, beside)
    except Rejected as error:
        return _refused_look_up(hour, intent, error)
    except EngineError as error:
        return intent.moved(Status.UNKNOWN, detail=str(error))


def _refused_look_up(hour: Hour, intent: Intent, error: Rejected) -> Intent:
    try:
        if intent.kind is Kind.ORDER and _fence_passed(hour, intent) and _proves_absence(hour, intent, error):
            return intent.moved(Status.ABSENT, detail=f"not placed: {error}")
    except EngineError as unread:
        return intent.moved(Status.UNKNOWN, detail=f"{error}; {unread}")
    return intent.moved(Status.UNKNOWN, detail=str(error))


def _proves_absence(hour: Hour, intent: Intent, error: Rejected) -> bool:
    """Whether a look-up that was refused for good shows all the same that nothing executed."""
    if error.code == PAIR_GONE:
        off = spot_differences(hour.state.ledger, hour.world.exchange.account())
        return not off.keys() & {intent.symbol.removesuffix(CASH), CASH}
    return error.code == ARCHIVED


def _settled_order(hour: Hour, intent: Intent) -> Intent:
    order = hour.world.exchange.find_order(intent.symbol, intent.id)
    if order is None or not _ours(intent, order):
        return intent.moved(Status.UNKNOWN, detail=NOT_FOUND)
    return adopted(hour, intent, order)


def _ours(intent: Intent, order: Order) -> bool:
    """An id may be used again once its order is closed, so an older order with this id is another one."""
    return order.time_ms >= intent.recorded_ms - ORDER_TIME_SPARE_MS and order.side is intent.side


def adopted(hour: Hour, intent: Intent, order: Order) -> Intent:
    """The intent with the order that was found for it; done once the order is finished and its fills are complete."""
    if not order.fills_complete:
        order = hour.world.exchange.with_fills(order)
    if order.finished and order.fills_complete:
        return intent.moved(Status.DONE, detail=order.status, order=order)
    return intent.moved(Status.UNKNOWN, detail=f"{order.status}, fills incomplete", order=order)


def _proved_absent(hour: Hour, missing: Sequence[Intent]) -> list[Intent]:
    """What two look-ups did not find, by what else the exchange knows: open orders, asked for once for all, and each
    pair's trades.
    """
    if not missing:
        return []
    try:
        resting = hour.world.exchange.open_orders()
    except EngineError as error:
        return [intent.moved(Status.UNKNOWN, detail=str(error)) for intent in missing]
    return [_judged(hour, intent, resting) for intent in missing]


def _judged(hour: Hour, intent: Intent, resting: Sequence[Order]) -> Intent:
    exchange, since = hour.world.exchange, intent.recorded_ms - ORDER_TIME_SPARE_MS
    try:
        traders = set(exchange.trades_since(intent.symbol, since))
        orders = [*resting, *(exchange.orders_since(intent.symbol, since) if traders else ())]
        found = next((order for order in orders if order.client_id == intent.id and _ours(intent, order)), None)
        if found is not None:
            return adopted(hour, intent, found)
    except EngineError as error:
        return intent.moved(Status.UNKNOWN, detail=str(error))
    unlisted = traders - {order.order_id for order in orders if order.symbol == intent.symbol}
    if unlisted:
        numbers = ", ".join(map(str, sorted(unlisted)))
        return intent.moved(Status.UNKNOWN, detail=f"trades of an order that no list shows: {numbers}")
    return intent.moved(Status.ABSENT, detail="not placed: proved absent after its fence")


def settled_earn(hour: Hour, intent: Intent, beside: Sequence[Intent] = ()) -> Intent:
    """An Earn move as its records show it; never repeated, only found, failed, waiting, or absent.

    Known by the id that the exchange gave it, or else by being newer than the write-ahead with exactly its amount, and
    no other intent's: neither of the state and the journal, nor of those settled `beside` it.
    """
    since, ripe = intent.recorded_ms - ORDER_TIME_SPARE_MS, _fence_passed(hour, intent)
    records = hour.world.exchange.earn_records(intent.kind, intent.symbol, since)
    known = intent.before.get("move_id")
    if known:
        record = next((record for record in records if str(record.move_id) == known), None)
    else:
        record = _unclaimed(hour, intent, beside, [r for r in records if r.amount == intent.quantity])
    if record is None:
        if known or not ripe:
            return intent.moved(Status.UNKNOWN, detail=NOT_FOUND)
        return intent.moved(Status.ABSENT, detail="no record of it after its fence")
    found = changed(intent, before={**intent.before, "move_id": str(record.move_id)})
    if record.failed:
        return found.moved(Status.REFUSED, detail="failed at the exchange")
    if record.settled:
        return found.moved(Status.DONE, detail="settled")
    return found.moved(Status.UNKNOWN, detail="accepted, not credited yet")


def _unclaimed(
    hour: Hour, intent: Intent, beside: Sequence[Intent], records: Sequence[EarnRecord]
) -> EarnRecord | None:
    """The oldest of the records by whose id no other intent of ours is known."""
    if not records:
        return None
    store, slots = hour.world.store, (intent.slot, *slots_between(intent.slot, hour.slot))
    written = (other for slot in slots for other in store.journal(slot))
    others = (i for i in (*hour.state.intents, *beside, *written) if i.kind is intent.kind and i.id != intent.id)
    claimed = {other.before.get("move_id") for other in others}
    return next((record for record in records if str(record.move_id) not in claimed), None)


def tell_unknown(hour: Hour, intent: Intent) -> None:
    """Tell that nobody knows yet what became of an order; after 3 hours it is the operator's to settle."""
    facts = {"side": intent.side.value, "quantity": plain(intent.quantity), "symbol": intent.symbol}
    facts |= {"client_id": intent.id, "detail": intent.detail}
    hours = (slot_start_ms(hour.slot) - slot_start_ms(intent.slot)) // HOUR_MS
    if hours < OVERDUE_HOURS:
        hour.lasting(AlertKind.ORDER_UNKNOWN, intent.id, **facts)
        return
    hour.seen.add(f"{AlertKind.ORDER_UNKNOWN}:{intent.id}")  # not over: it became this
    hour.lasting(AlertKind.ORDER_UNKNOWN, f"{intent.id} overdue", **facts, overdue=f"{OVERDUE_HOURS} h")


def _tell(hour: Hour, intent: Intent) -> None:
    if intent.status is Status.UNKNOWN:
        tell_unknown(hour, intent)
    elif intent.status is Status.ABSENT or not hour.world.told:
        return
    elif intent.status is Status.DONE and intent.order is not None and intent.order.executed_qty:
        order = intent.order
        hour.tell(
            AlertKind.TRADE,
            intent.id,
            side=intent.side.value,
            symbol=intent.symbol,
            quantity=plain(order.executed_qty),
            price=plain(round(order.average_price, 8)),
            quote=plain(round(order.quote_qty, 2)),
            fees=" + ".join(f"{plain(paid)} {asset}" for asset, paid in fees(order).items()) or "0",
            reason=intent.reason,
        )
    else:
        facts = {"side": intent.side.value, "quantity": plain(intent.quantity), "symbol": intent.symbol}
        hour.tell(AlertKind.ORDER_FAILED, intent.id, reason=intent.reason, detail=intent.detail, **facts)
