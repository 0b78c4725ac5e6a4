"""Rebuilding: the state of an account from the exchange's own records, after ours was lost.

Orders that carry an id of ours are booked again, oldest first, by the very rules that booked them the first time. That
gives positions, average costs, entry hours, and what was already done today. What the account holds beyond that was
never ours and is reserved; where it holds less, somebody else sold, and the position shrinks to what is there.

What no record tells starts anew: the return index, the accepted pool, a cooling breaker, adopted coins (reserved until
adopted again). Today's sleeve return is rebuilt with today's trades, so a breaker that tripped today trips again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from runtime.domain.booking import book_order
from runtime.domain.decision import ExitReason
from runtime.domain.ledger import Balances, Book, Entry, Posting, transfer
from runtime.domain.market import Account, EarnPosition
from runtime.domain.money import CASH, CORE, FUEL, ZERO
from runtime.domain.orders import Intent, Kind, Order, Side, Sleeve, Status, read_client_id
from runtime.domain.reconciliation import fitted_positions
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import slot_date
from runtime.domain.state import DayBook, State


@dataclass(frozen=True, slots=True)
class Records:
    """What the exchange remembers. `orders` are ours, finished, with fills, oldest first; `closes` are yesterday's
    daily closes by asset and `prices` today's by pair (USDT).
    """

    account: Account
    earn: Mapping[str, EarnPosition]
    orders: Sequence[Order]
    closes: Mapping[str, Decimal]
    prices: Mapping[str, Decimal]


def rebuilt_state(
    account: str, slot: str, now_ms: int, records: Records, settings: StrategySettings
) -> tuple[State, Entry]:
    """The state as of `slot`, and the opening entry that makes its ledger equal the account."""
    state = State(account=account, initialised_ms=now_ms, reconciled_ms=now_ms, prices=records.prices)
    today = slot_date(slot)
    for order in records.orders:
        intent = _intent(account, order, state, settings)
        if intent is None:
            continue
        if slot_date(intent.slot) == today:
            state = _day_opened(state, today, records.closes)
        state, _ = book_order(state, intent, records.prices)
        if intent.slot == slot:
            state = replace(state, intents=(*state.intents, intent))
    state = _day_opened(state, today, records.closes)
    entry = _opening(state, slot, now_ms, records)
    position = records.earn.get(CASH)
    rewards = {CASH: position.rewards} if position else {}
    state = replace(state, ledger=Balances().posted((entry,)), earn_rewards=rewards)
    return fitted_positions(state), entry


def _intent(account: str, order: Order, state: State, settings: StrategySettings) -> Intent | None:
    own = read_client_id(account, order.client_id)
    if own is None or own.side is not order.side:
        return None
    return Intent(
        id=order.client_id,
        slot=own.slot,
        kind=Kind.ORDER,
        sleeve=own.sleeve,
        symbol=order.symbol,
        side=order.side,
        quantity=order.executed_qty,
        reason=_reason(own.sleeve, order, state, settings),
        recorded_ms=order.time_ms,
        send_before_ms=order.time_ms,
        status=Status.DONE,
        order=order,
    )


def _reason(sleeve: Sleeve, order: Order, state: State, settings: StrategySettings) -> str:
    """Why the order was sent, as far as its id and size tell: a trim's tier is the one whose share it sold."""
    if sleeve is Sleeve.CASH:
        return "fuel"
    if sleeve is Sleeve.TREND:
        return "entry" if order.side is Side.BUY else "exit"
    if order.side is Side.BUY:
        return "dca"
    held = state.ledger.owned(CORE)
    share = order.executed_qty / held if held > 0 else Decimal(1)
    tiers = settings.trim_tiers
    nearest = min(range(len(tiers)), key=lambda at: abs(tiers[at][2] - share))
    return f"{ExitReason.TRIM}:{'+'.join(tier[0] for tier in tiers[: nearest + 1])}"


def _day_opened(state: State, today: date, closes: Mapping[str, Decimal]) -> State:
    if state.day is not None and state.day.day == today:
        return state
    owned = {asset: state.ledger.owned(asset) for asset in state.ledger.assets(Book.SPOT)}
    trend = {asset: held for asset, held in owned.items() if held > 0 and asset not in {CASH, FUEL, CORE}}
    return replace(state, day=DayBook(today, trend, {asset: closes[asset] for asset in trend if asset in closes}))


def _opening(state: State, slot: str, now_ms: int, records: Records) -> Entry:
    postings: list[Posting] = []
    for asset, balance in sorted(records.account.balances.items()):
        booked = balance.total if asset in {CASH, FUEL} else max(ZERO, state.ledger.owned(asset))
        managed = min(booked, balance.total)
        for book, amount in ((Book.SPOT, managed), (Book.RESERVED, balance.total - managed)):
            if amount:
                postings.extend(transfer(Book.OPENING, book, asset, amount))
    position = records.earn.get(CASH)
    if position is not None and position.total:
        postings.extend(transfer(Book.OPENING, Book.EARN, CASH, position.total))
    return Entry(f"rebuilt:{now_ms}", slot, now_ms, "opening", tuple(postings))
