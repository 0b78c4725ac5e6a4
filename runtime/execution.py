"""Execution: record, send once, confirm, close.

A batch of orders costs two commits: the write-ahead (every intent is in the store before anything is sent) and the
close (intents and the postings of their fills in one write). Each order is sent once. Its timestamp is taken before the
last read of lease and control, so that the exchange itself refuses what is sent after a pause; what was not sent
because control or the fence forbade it is closed as absent, because this process knows that it never sent it.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.domain.alerts import AlertKind
from runtime.domain.audit import EventKind
from runtime.domain.changing import changed
from runtime.domain.control import Mode
from runtime.domain.decision import Gate, PlannedOrder
from runtime.domain.money import plain
from runtime.domain.orders import Intent, Kind, Leg, Order, Refused, Side, Sleeve, Status, Suppressed, client_id
from runtime.domain.slots import minute_text
from runtime.domain.state import Dependency
from runtime.errors import EngineError
from runtime.hour import Hour, heed
from runtime.ports import OrderRequest
from runtime.recovery import adopted, close, fence_ms, settle

CHECK_VALID_MS = 2_000
CONFIRM_SPARE_MS = 20_000
FIX_ACCESS = "check the key, its permissions and IP list, and where the runner stands"
PAUSED = "exchange_paused"
"""The problem that stops every further send of the hour."""
_REDUCING = frozenset({Side.SELL})


def carry_out(hour: Hour, orders: Sequence[PlannedOrder]) -> None:
    """Send a batch and close it; what stays unclear is looked up again at the end of the batch."""
    if not orders:
        return
    heed(hour.world)
    intents = _recorded(hour, orders)
    results = _send_all(hour, intents)
    results = _confirmed(hour, results)
    close(hour, results)
    if any(not intent.sent_ms for intent in results):
        heed(hour.world)


def _recorded(hour: Hour, orders: Sequence[PlannedOrder]) -> list[Intent]:
    """Write-ahead: every intent of the batch, in one commit, before anything is sent."""
    intents: list[Intent] = []
    for order in orders:
        leg = Leg(order.sleeve, order.symbol, order.side)
        attempt = attempts(hour, leg, intents)
        intents.append(
            Intent(
                id=client_id(hour.settings.account, hour.slot, leg, attempt),
                slot=hour.slot,
                kind=Kind.ORDER,
                sleeve=order.sleeve,
                symbol=order.symbol,
                side=order.side,
                quantity=order.quantity,
                reason=order.reason,
                recorded_ms=hour.now_ms(),
                send_before_ms=hour.send_before_ms,
                decision_price=order.price,
                budget=order.budget,
            )
        )
    if hour.world.told:
        listed = " ".join(f"{i.side}:{i.symbol}:{plain(i.quantity)}" for i in intents)
        hour.log(EventKind.ORDERS, intents[0].id, orders=listed, count=str(len(intents)))
    hour.take(hour.state, intents)
    hour.commit(tuple(intents))
    return intents


def attempts(hour: Hour, leg: Leg, batch: Sequence[Intent]) -> int:
    """How often this slot has meant to send this leg: the number of its next attempt."""
    mine = [i for i in (*hour.state.intents, *batch) if i.slot == hour.slot and i.symbol == leg.symbol]
    return sum(1 for i in mine if i.sleeve is leg.sleeve and i.side is leg.side)


def _send_all(hour: Hour, intents: Sequence[Intent]) -> list[Intent]:
    results: list[Intent] = []
    stop = ""
    stamp_ms, mode = 0, Mode.HALT
    for intent in intents:
        if not stop and hour.now_ms() - stamp_ms > CHECK_VALID_MS:
            stamp_ms = hour.now_ms()
            mode, stop = permitted(hour, stamp_ms)
        stop = stop or hour.world.stop()
        why = stop or _forbidden(intent, mode) or _unpriced(hour, intent) or _blocked(intent, results)
        if why:
            results.append(intent.moved(Status.ABSENT, detail=f"not sent: {why}"))
            hour.gates.append(Gate("not_sent", intent.sleeve, intent.symbol, {"why": why}))
            continue
        sent = _send(hour, intent, stamp_ms)
        results.append(sent)
        stop = hour.problems.get(PAUSED, "")
    return results


def permitted(hour: Hour, stamp_ms: int) -> tuple[Mode, str]:
    """Control and lease, read after the timestamp was taken; the fence that no timestamp may pass; a pause that the
    exchange asked for earlier in this hour; and a signal to stop.
    """
    mode = hour.permit()
    late = "the cycle's time is up" if stamp_ms > hour.send_before_ms else ""
    return mode, late or hour.problems.get(PAUSED, "") or hour.world.stop()


def _forbidden(intent: Intent, mode: Mode) -> str:
    if mode is Mode.HALT:
        return "control is halt"
    allowed = intent.side in _REDUCING or intent.sleeve is Sleeve.CASH
    return "" if mode is Mode.RUN or allowed else "control is reduce_only"


def _unpriced(hour: Hour, intent: Intent) -> str:
    """Nothing is sent on a price that is too old, or gone from the exchange's list."""
    age_ms, limit_s = hour.now_ms() - hour.observed.priced_ms, hour.settings.strategy.price_age_max_s
    if age_ms > limit_s * 1000 or intent.symbol in hour.unpriced:
        return f"its price is older than {limit_s} s"
    return ""


def _blocked(intent: Intent, earlier: Sequence[Intent]) -> str:
    """An order whose outcome is unknown blocks its own pair and all buys, also within its batch."""
    unclear = [other for other in earlier if other.status is Status.UNKNOWN]
    blocking = (other for other in unclear if intent.side is Side.BUY or other.symbol == intent.symbol)
    first = next(blocking, None)
    return f"the outcome of {first.id} is unknown" if first is not None else ""


def _send(hour: Hour, intent: Intent, stamp_ms: int) -> Intent:
    hour.sent += 1
    intent = changed(intent, sent_ms=stamp_ms)
    request = OrderRequest(intent.id, intent.symbol, intent.side, intent.quantity, stamp_ms)
    outcome = hour.world.exchange.send_order(request)
    if isinstance(outcome, Order):
        return _adopt(hour, intent, outcome)
    if isinstance(outcome, Refused):
        note_refusal(hour, outcome)
        return intent.moved(Status.REFUSED, detail=f"{outcome.code} {outcome.message}")
    status = Status.ABSENT if isinstance(outcome, Suppressed) else Status.UNKNOWN
    return intent.moved(status, detail=outcome.why)


def _adopt(hour: Hour, intent: Intent, order: Order) -> Intent:
    try:
        return adopted(hour, intent, order)
    except EngineError as error:
        return intent.moved(Status.UNKNOWN, detail=str(error), order=order)


def note_refusal(hour: Hour, refusal: Refused) -> None:
    """Remember what concerns more than this one order: a pause the exchange asked for, or a broken permission."""
    if refusal.retry_at_ms is not None:
        pause = Dependency(1, refusal.retry_at_ms)
        hour.state = changed(hour.state, dependencies={**hour.state.dependencies, "binance": pause})
        hour.problems[PAUSED] = f"the exchange asked for a pause: {refusal.message}"
        hour.lasting(AlertKind.RATE_LIMITED, what="binance", until=minute_text(refusal.retry_at_ms))
    elif refusal.misconfigured:
        hour.problems[PAUSED] = f"the exchange refuses this account or place: {refusal.message}"
        hour.lasting(AlertKind.MISCONFIGURED, what="binance", why=refusal.message, fix=FIX_ACCESS)


def _confirmed(hour: Hour, results: list[Intent]) -> list[Intent]:
    """Look up what is unclear: at once, and once more after its fence if the budget allows the wait.

    Not while the exchange wants no requests at all: then the next hour looks.
    """
    for wait in (False, True):
        unclear = [intent for intent in results if intent.status is Status.UNKNOWN]
        if not unclear or PAUSED in hour.problems:
            break
        if wait:
            until = max(fence_ms(intent) for intent in unclear) + 1
            if until > hour.deadline_ms - CONFIRM_SPARE_MS:
                break
            hour.world.clock.sleep(max(0, until - hour.now_ms()) / 1000)
        newest = {intent.id: intent for intent in settle(hour, unclear)}
        results = [newest.get(intent.id, intent) for intent in results]
    return results
