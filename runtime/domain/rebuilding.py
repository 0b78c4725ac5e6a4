"""Rebuilding: the state of an account from the exchange's own records, after ours was lost.

Everything that moved a managed coin is lived through again, oldest first, by the very rules that booked it the first
time: orders that carry an id of ours, manual trades, deposits and withdrawals. That gives positions, average costs,
entry hours, and what was already done today. What the account held before is what it holds now less all of that: coins
were and stay reserved, USDT and BNB managed. At the end the account is right: where it holds less than was booked,
somebody else sold, and the position shrinks to what is there.

What no record tells starts anew: the return index with its peak and latch, the accepted pool, last hour's prices, a
breaker that was cooling since an earlier day, adopted coins that were not sold (reserved until adopted again). Where
the records are vague, the rebuilt state does less: a trim that filled in part counts as every tier, and the tiers of an
old episode count until 20 calm days clear them. Today's sleeve return is rebuilt with today's trades, so a breaker that
tripped today trips again. Fees paid in BNB are valued by the hour; what left by other hands today, at today's price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from runtime.domain.booking import IN_TRANSIT, book_order
from runtime.domain.decision import ExitReason, HoldingMemory
from runtime.domain.evidence import Flow
from runtime.domain.instruments import Instrument
from runtime.domain.ledger import Balances, Book, Entry, Posting, fees, transfer
from runtime.domain.market import Account, EarnPosition
from runtime.domain.money import CASH, CORE, FUEL, ONE, ZERO
from runtime.domain.orders import (
    EarnRecord,
    Intent,
    Kind,
    Leg,
    Order,
    OwnId,
    Side,
    Sleeve,
    Status,
    client_id,
    read_client_id,
)
from runtime.domain.reconciliation import MANAGED_ON_ARRIVAL, fitted_positions, flow_entry
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import HOUR_MS, slot_at, slot_date
from runtime.domain.state import DayBook, State
from runtime.domain.valuation import is_dust


@dataclass(frozen=True, slots=True)
class Records:
    """What the exchange remembers.

    `orders` are ours, finished, with fills, oldest first; `flows` what else moved their coins since the first of them;
    `moves` Earn moves that have not arrived. `closes` are yesterday's daily closes by asset, `prices` today's by pair,
    `fuel` BNB's by the start of the hour (USDT, epoch ms).
    """

    account: Account
    earn: Mapping[str, EarnPosition]
    orders: Sequence[Order]
    prices: Mapping[str, Decimal]
    flows: Sequence[Flow] = ()
    moves: Sequence[EarnRecord] = ()
    closes: Mapping[str, Decimal] = field(default_factory=dict)
    fuel: Mapping[int, Decimal] = field(default_factory=dict)
    instruments: Mapping[str, Instrument] = field(default_factory=dict)


def rebuilt_state(
    account: str, now_ms: int, records: Records, settings: StrategySettings
) -> tuple[State, tuple[Entry, ...]]:
    """The state as of `now_ms` (exchange clock), and the opening entry that makes its ledger equal the account."""
    slot = slot_at(now_ms)
    replay = _Replay(account, slot, records, settings)
    for event in _events(records):
        replay.live(event)
    state = replay.ended()
    moves = _moves_on_the_way(account, records)
    entry = _opening(state, slot, now_ms, records)
    position = records.earn.get(CASH)
    state = replace(
        state,
        initialised_ms=now_ms,
        reconciled_ms=now_ms,
        ledger=Balances().posted((entry,)),
        earn_rewards={CASH: position.rewards} if position else {},
        intents=(*replay.intents_of_the_slot(), *moves),
    )
    return replace(fitted_positions(state), prices={}), (entry,)


def with_highs(state: State, highs: Mapping[str, Decimal]) -> State:
    """The state that remembers, for each held trend pair of `highs`, the highest price since its entry (USDT)."""
    holdings = {s: HoldingMemory(max(high, state.positions[s].average)) for s, high in highs.items()}
    return replace(state, memory=replace(state.memory, holdings=holdings))


def trend_positions(state: State) -> tuple[str, ...]:
    """Pairs of the trend sleeve with a position, sorted."""
    return tuple(sorted(state.positions.keys() - {CORE + CASH, FUEL + CASH}))


def _events(records: Records) -> list[Order | Flow]:
    """Flows and orders, oldest first; of one moment, flows first, and orders of a pair in the order of their ids."""
    flows = sorted(records.flows, key=lambda flow: (flow.time_ms, flow.id))
    orders = sorted(records.orders, key=lambda order: (order.time_ms, order.symbol, order.order_id))
    return sorted([*flows, *orders], key=lambda event: event.time_ms)


class _Replay:
    """The account's history, one event after the other; `state` is what is known after the last one."""

    def __init__(self, account: str, slot: str, records: Records, settings: StrategySettings) -> None:
        self.state = State(account, prices=records.prices, ledger=_ledger_before(records))
        self._account, self._slot, self._records, self._settings = account, slot, records, settings
        self._today = slot_date(slot)
        self._hour = ""
        self._held: Mapping[str, Decimal] = {}
        self._intents: list[Intent] = []

    def live(self, event: Order | Flow) -> None:
        """Book one event as the hour it happened in did."""
        if isinstance(event, Flow):
            self._open_day(slot_at(event.time_ms))
            entry = flow_entry(event, slot_at(event.time_ms), self.state.ledger)
            self.state = fitted_positions(replace(self.state, ledger=self.state.ledger.posted((entry,))))
            return
        own = read_client_id(self._account, event.client_id)
        if own is not None:
            self._live_order(event, own)

    def ended(self) -> State:
        """The state after everything, with today's book open; without the stand-ins for what strategies remember."""
        self._open_day(self._slot)
        return replace(self.state, memory=replace(self.state.memory, holdings={}))

    def intents_of_the_slot(self) -> tuple[Intent, ...]:
        """What this slot sent already, and stand-ins for its other attempts, whose ids must not be used again."""
        known = {intent.id: intent for intent in self._intents if intent.slot == self._slot}
        for intent in tuple(known.values()):
            own = read_client_id(self._account, intent.id)
            for attempt in range(own.attempt if own else 0):
                leg = Leg(intent.sleeve, intent.symbol, intent.side)
                name = client_id(self._account, self._slot, leg, attempt)
                missing = replace(intent, id=name, status=Status.ABSENT, order=None, detail="not at the exchange")
                known.setdefault(name, missing)
        return tuple(known.values())

    def _live_order(self, order: Order, own: OwnId) -> None:
        if own.slot != self._hour:
            self.state = fitted_positions(self.state)
            self._hour, self._held = own.slot, dict(self.state.ledger.assets(Book.SPOT))
        self._open_day(own.slot)
        self._adopt_what_was_sold(order)
        watched = {order.symbol: HoldingMemory(ZERO)} if self._was_holding(order) else {}
        self.state = replace(self.state, memory=replace(self.state.memory, holdings=watched))
        intent = _intent(order, own, self._reason(order, own.sleeve))
        fuel = self._records.fuel.get(order.time_ms - order.time_ms % HOUR_MS)
        prices = self.state.prices if fuel is None else {**self.state.prices, FUEL + CASH: fuel}
        self.state, _ = book_order(self.state, intent, prices)
        self._intents.append(intent)

    def _open_day(self, slot: str) -> None:
        """Open today's book before its first event: what was held at 00:00, at yesterday's closes."""
        if slot_date(slot) != self._today or self.state.day is not None:
            return
        self.state = replace(self.state, day=_day(self._today, self.state.ledger, self._records))

    def _adopt_what_was_sold(self, order: Order) -> None:
        """More was sold than we ever bought: it had been adopted before."""
        asset, ledger = order.symbol.removesuffix(CASH), self.state.ledger
        if order.side is not Side.SELL or asset in MANAGED_ON_ARRIVAL:
            return
        lacking = order.executed_qty + fees(order).get(asset, ZERO) - ledger.of(Book.SPOT, asset)
        amount = min(lacking, ledger.of(Book.RESERVED, asset))
        if amount > 0:
            moved = transfer(Book.RESERVED, Book.SPOT, asset, amount)
            entry = Entry(f"adopted:{order.order_id}", self._hour, order.time_ms, "adopt", moved)
            self.state = replace(self.state, ledger=ledger.posted((entry,)))

    def _was_holding(self, order: Order) -> bool:
        """Whether what was held when the order's hour began was worth managing, at the price the order got."""
        held = self._held.get(order.symbol.removesuffix(CASH), ZERO)
        return not is_dust(held * order.average_price, self._records.instruments.get(order.symbol), self._settings)

    def _reason(self, order: Order, sleeve: Sleeve) -> str:
        """Why the order was sent, as far as its id and size tell."""
        if sleeve is Sleeve.CASH:
            return "fuel"
        if sleeve is Sleeve.TREND:
            return "entry" if order.side is Side.BUY else "exit"
        return "dca" if order.side is Side.BUY else self._trim(order)

    def _trim(self, order: Order) -> str:
        """A trim's tier is the one whose share of the holding it sold, its earlier parts included."""
        tiers = self._settings.trim_tiers
        held = self._held.get(CORE, ZERO)
        parts = (i for i in self._intents if i.slot == self._hour and i.symbol == order.symbol and i.side is Side.SELL)
        sold = sum((i.quantity for i in parts), order.executed_qty)
        share = sold / held if held > 0 else ONE
        nearest = min(range(len(tiers)), key=lambda at: abs(tiers[at][2] - share))
        reached = nearest if order.status == "FILLED" else len(tiers) - 1
        return f"{ExitReason.TRIM}:{'+'.join(tier[0] for tier in tiers[: reached + 1])}"


def _intent(order: Order, own: OwnId, reason: str) -> Intent:
    return Intent(
        id=order.client_id,
        slot=own.slot,
        kind=Kind.ORDER,
        sleeve=own.sleeve,
        symbol=order.symbol,
        side=order.side,
        quantity=order.executed_qty,
        reason=reason,
        recorded_ms=order.time_ms,
        send_before_ms=order.time_ms,
        status=Status.DONE,
        order=order,
    )


def _moved(records: Records) -> dict[str, Decimal]:
    """What all events together added to each asset."""
    moved: dict[str, Decimal] = {}
    for flow in records.flows:
        moved[flow.asset] = moved.get(flow.asset, ZERO) + flow.amount
    for order in records.orders:
        asset, sign = order.symbol.removesuffix(CASH), 1 if order.side is Side.BUY else -1
        moved[asset] = moved.get(asset, ZERO) + sign * order.executed_qty
        for paid_in, paid in fees(order).items():
            moved[paid_in] = moved.get(paid_in, ZERO) - paid
    return moved


def _ledger_before(records: Records) -> Balances:
    """What was there before the first event: what is there now, less what moved."""
    moved = _moved(records)
    before = {asset: records.account.total(asset) - amount for asset, amount in sorted(moved.items())}
    managed = {asset: amount for asset, amount in before.items() if amount > 0 and asset in MANAGED_ON_ARRIVAL}
    reserved = {asset: amount for asset, amount in before.items() if amount > 0 and asset not in MANAGED_ON_ARRIVAL}
    return Balances({Book.SPOT: managed, Book.RESERVED: reserved})


def _day(today: date, ledger: Balances, records: Records) -> DayBook:
    trend = {a: q for a, q in ledger.assets(Book.SPOT).items() if q > 0 and a not in {CASH, FUEL, CORE}}
    known = {asset: records.closes.get(asset, records.prices.get(asset + CASH)) for asset in trend}
    return DayBook(today, trend, {asset: close for asset, close in known.items() if close is not None})


def _moves_on_the_way(account: str, records: Records) -> list[Intent]:
    intents: list[Intent] = []
    for record in records.moves:
        slot, side = slot_at(record.time_ms), Side.SELL if record.kind is Kind.REDEEM else Side.BUY
        leg = Leg(Sleeve.CASH, CASH, side)
        same = sum(1 for intent in intents if intent.slot == slot and intent.side is side)
        intents.append(
            Intent(
                id=client_id(account, slot, leg, same),
                slot=slot,
                kind=record.kind,
                sleeve=Sleeve.CASH,
                symbol=CASH,
                side=side,
                quantity=record.amount,
                reason="earn_buffer",
                recorded_ms=record.time_ms,
                send_before_ms=record.time_ms,
                status=Status.UNKNOWN,
                before={"move_id": str(record.move_id), IN_TRANSIT: "1"},
            )
        )
    return intents


def _opening(state: State, slot: str, now_ms: int, records: Records) -> Entry:
    postings: list[Posting] = []
    for asset, balance in sorted(records.account.balances.items()):
        booked = balance.total if asset in MANAGED_ON_ARRIVAL else max(ZERO, state.ledger.owned(asset))
        managed = min(booked, balance.total)
        for book, amount in ((Book.SPOT, managed), (Book.RESERVED, balance.total - managed)):
            if amount:
                postings.extend(transfer(Book.OPENING, book, asset, amount))
    position = records.earn.get(CASH)
    if position is not None and position.total:
        postings.extend(transfer(Book.OPENING, Book.EARN, CASH, position.total))
    on_the_way = sum((record.amount for record in records.moves), ZERO)
    if on_the_way:
        postings.extend(transfer(Book.OPENING, Book.TRANSIT, CASH, on_the_way))
    return Entry(f"rebuilt:{now_ms}", slot, now_ms, "opening", tuple(postings))
