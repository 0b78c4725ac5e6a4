"""Booking: what a finished order changes, in the ledger, in the cost of the position, and in what is done today.

Only a fill makes something done: marks, tiers and sums follow from what executed, never from what was asked for.
Everything here is one pure step from state to state, so that closing an intent and booking its fills can be one write.

A fill belongs to the day of its intent's slot. One that is settled only after midnight is therefore not done today, but
what was held at midnight included it: the day's opening quantity is corrected, or it would read as a profit or a loss.

Two holdings of a symbol are told apart: what the lot step left over from an old one must not lend its entry time to a
new one, whose trailing high would then begin in the past and sell it at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from runtime.domain.changing import changed
from runtime.domain.decision import ExitReason, Memory, TrimMemory
from runtime.domain.ledger import Book, Entry, fees, fill_entry, priced, transfer
from runtime.domain.money import CASH, ZERO
from runtime.domain.orders import Intent, Kind, Order, Side, Sleeve, Status
from runtime.domain.state import DayBook, Position, State


def book_order(state: State, intent: Intent, prices: Mapping[str, Decimal]) -> tuple[State, tuple[Entry, ...]]:
    """State and entries after the finished order of `intent`; `prices` value fees that were paid in a third asset."""
    order = intent.order if intent.status is Status.DONE else None
    entry = None if order is None else fill_entry(intent, order, order.symbol.removesuffix(CASH), CASH)
    if order is None or entry is None:
        return state, ()
    entry = priced(entry, {pair: price for pair, price in prices.items() if pair != order.symbol})
    day = state.day
    if day is not None and intent.slot[:10] == day.day.isoformat():
        day = _day_after(day, intent, order, prices)
    elif day is not None and intent.sleeve is Sleeve.TREND and intent.slot[:10] < day.day.isoformat():
        day = _opening_after(day, order)
    fresh = intent.sleeve is Sleeve.TREND and order.symbol not in state.memory.holdings
    return changed(
        state,
        ledger=state.ledger.posted((entry,)),
        positions=_positions_after(state.positions, order, prices, fresh=fresh),
        day=day,
        memory=_memory_after(state.memory, intent),
    ), (entry,)


def _fee_cost(order: Order, prices: Mapping[str, Decimal]) -> tuple[Decimal, Decimal, Decimal]:
    """(fee in base units, fee in USDT, USDT value of fees in a third asset)."""
    base_fee, cash_fee, other = ZERO, ZERO, ZERO
    for asset, paid in fees(order).items():
        if asset + CASH == order.symbol:
            base_fee += paid
        elif asset == CASH:
            cash_fee += paid
        else:
            other += paid * prices.get(asset + CASH, ZERO)
    return base_fee, cash_fee, other


def _positions_after(
    positions: Mapping[str, Position], order: Order, prices: Mapping[str, Decimal], *, fresh: bool
) -> dict[str, Position]:
    """Positions after the order; `fresh` = what was there is no holding but a remainder, so a purchase opens anew."""
    base_fee, cash_fee, other = _fee_cost(order, prices)
    after = dict(positions)
    old = positions.get(order.symbol)
    if order.side is Side.BUY:
        cost = order.quote_qty + cash_fee + other + (old.cost if old else ZERO)
        quantity = order.executed_qty - base_fee + (old.quantity if old else ZERO)
        opened_ms = order.time_ms if old is None or fresh else old.opened_ms
        after[order.symbol] = Position(cost, quantity, opened_ms)
    elif old is not None:
        left = old.quantity - order.executed_qty - base_fee
        if left > 0:
            after[order.symbol] = changed(old, cost=old.cost * left / old.quantity, quantity=left)
        else:
            del after[order.symbol]
    return after


def _opening_after(day: DayBook, order: Order) -> DayBook:
    """The day whose opening quantity lacked a fill of the day before; a close that is not known is its price."""
    asset = order.symbol.removesuffix(CASH)
    moved = order.executed_qty if order.side is Side.BUY else -order.executed_qty
    quantity = day.start_quantities.get(asset, ZERO) + moved - fees(order).get(asset, ZERO)
    closes = {asset: order.average_price, **day.start_closes}
    return changed(day, start_quantities={**day.start_quantities, asset: quantity}, start_closes=closes)


def _day_after(day: DayBook, intent: Intent, order: Order, prices: Mapping[str, Decimal]) -> DayBook:
    _, cash_fee, other = _fee_cost(order, prices)
    done = dict.fromkeys(day.done)
    done.update(dict.fromkeys(_marks(intent, order)))
    bought, sold, all_buys = day.bought, day.sold, day.buys_all
    if order.side is Side.BUY:
        all_buys += order.quote_qty
    if intent.sleeve is Sleeve.TREND:
        if order.side is Side.BUY:
            bought += order.quote_qty + cash_fee + other
        else:
            sold += order.quote_qty - cash_fee - other
    peak = max(day.net_peak, bought - sold)
    return changed(day, done=tuple(done), bought=bought, sold=sold, net_peak=peak, buys_all=all_buys)


def _marks(intent: Intent, order: Order) -> tuple[str, ...]:
    if intent.sleeve is Sleeve.TREND:
        return (f"{'buy' if order.side is Side.BUY else 'sold'}:{order.symbol}",)
    return (intent.reason.partition(":")[0],)


def _memory_after(memory: Memory, intent: Intent) -> Memory:
    action, _, tiers = intent.reason.partition(":")
    if action != ExitReason.TRIM:
        return memory
    done = dict.fromkeys((*memory.trim.tiers, *tiers.split("+")))
    return changed(memory, trim=TrimMemory(tuple(done)))


IN_TRANSIT = "in_transit"


def book_earn(state: State, intent: Intent, now_ms: int) -> tuple[State, Intent, tuple[Entry, ...]]:
    """State, intent and entries as an Earn move stands now: out of its source once the exchange accepted it, into its
    target once it arrived, back where it came from if it failed after that. Never a flow.
    """
    source, target = (Book.EARN, Book.SPOT) if intent.kind is Kind.REDEEM else (Book.SPOT, Book.EARN)
    out = bool(intent.before.get(IN_TRANSIT))
    steps: list[tuple[str, Book, Book]] = []
    accepted = bool(intent.before.get("move_id"))
    if not out and (intent.status is Status.DONE or (intent.status is Status.UNKNOWN and accepted)):
        steps.append(("out", source, Book.TRANSIT))
    if intent.status is Status.DONE:
        steps.append(("in", Book.TRANSIT, target))
    elif out and not intent.open:
        steps.append(("back", Book.TRANSIT, source))
    entries = tuple(
        Entry(
            f"earn:{intent.id}:{step}",
            intent.slot,
            now_ms,
            f"earn_{intent.kind}",
            transfer(giver, taker, intent.symbol, intent.quantity),
            intent.id,
        )
        for step, giver, taker in steps
    )
    if steps and steps[-1][0] == "out":
        intent = changed(intent, before={**intent.before, IN_TRANSIT: "1"})
    return changed(state, ledger=state.ledger.posted(entries)), intent, entries
