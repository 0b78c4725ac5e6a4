"""Operations: what an operator does to an account between hours. Each takes the lease, so it never races an hour.

Every change names who and why, or is a ledger entry like any other. Everything is judged before the lease is taken and
written with its release: a command that refuses, or dies, never keeps an hour waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

from runtime.domain.audit import Event, EventKind, event
from runtime.domain.booking import book_earn
from runtime.domain.control import Control, Mode
from runtime.domain.ledger import Book, Entry, priced, transfer
from runtime.domain.money import CASH, CORE, ZERO, plain
from runtime.domain.orders import Intent, Kind, Status
from runtime.domain.performance import moved_outside
from runtime.domain.slots import MINUTE_MS, slot_at
from runtime.domain.state import Position, State, refuse_moved, refuse_unusable
from runtime.errors import Abort, BadInput, StateUnreadable
from runtime.first_reads import sync
from runtime.hour import LEASE_S
from runtime.ports import Changes, Loaded, World
from runtime.rebuild import first_state
from runtime.run_settings import Settings

HEARTBEAT_MINUTES = 75
"""How long ago the last hour may have ended: one that is a little late is not missing."""

EXISTS = "there is a state document already; init and rebuild are for an account without one"
NO_STATE = "there is no state document: run init or rebuild first"


def start_account(settings: Settings, world: World) -> State:
    """`init` and `rebuild`: write an account's first state, by `settings.first_run`; never over an existing one."""
    loaded = world.store.load()
    refuse_unusable(loaded.state, settings.account)
    if loaded.state is not None and loaded.state.initialised_ms:
        raise Abort(EXISTS)
    state, entries = first_state(settings, world, loaded.state)
    again = world.store.load()  # it may have taken minutes
    if again.state is not None and again.state.initialised_ms:
        raise Abort(EXISTS)
    opened = _event(world, EventKind.OPENED, how=settings.first_run, entries=str(len(entries)))
    _write(world, again, Changes(state, entries=entries, release=True, events=(opened,)))
    return state


def adopt(world: World, asset: str, amount: Decimal) -> State:
    """Move `amount` of a reserved coin under management, at its price now; it is no profit, now or later."""
    loaded, state = _loaded(world)
    reserved = state.ledger.of(Book.RESERVED, asset)
    if not reserved:
        raise BadInput("asset", asset, "must be a reserved coin: see `status`")
    if not ZERO < amount <= reserved:
        raise BadInput(
            "amount", plain(amount), f"must be above 0 and at most what is reserved: {plain(reserved)} {asset}"
        )
    price = world.market.prices().get(asset + CASH)
    if price is None:
        raise BadInput("asset", asset, f"must be traded against {CASH}")
    now_ms = world.market.server_time_ms()
    moved = transfer(Book.RESERVED, Book.SPOT, asset, amount)
    entry = priced(Entry(f"adopt:{asset}:{now_ms}", slot_at(now_ms), now_ms, "adopt", moved), {asset + CASH: price})
    equity, day = state.performance.equity, state.day
    worth = amount * price
    after = replace(
        state,
        ledger=state.ledger.posted((entry,)),
        positions={**state.positions, asset + CASH: _joined(state, asset + CASH, Position(worth, amount, now_ms))},
        performance=replace(state.performance, equity=None if equity is None else equity + worth),
        day=None if day is None else moved_outside(day, asset, -amount, price),
    )
    adopted = _event(world, EventKind.ADOPTED, asset=asset, amount=plain(amount))
    _write(world, loaded, Changes(after, entries=(entry,), release=True, events=(adopted,)))
    return after


def _joined(state: State, symbol: str, new: Position) -> Position:
    """The position with `new` added. Like a purchase, it opens anew where what was there is no holding but dust."""
    old = state.positions.get(symbol)
    if old is None:
        return new
    bought_now = state.day is not None and f"buy:{symbol}" in state.day.done
    held = symbol in state.memory.holdings or bought_now or symbol == CORE + CASH
    return Position(old.cost + new.cost, old.quantity + new.quantity, old.opened_ms if held else new.opened_ms)


def accept_drift(world: World, asset: str, who: str, why: str) -> State:
    """Declare the open drift of an asset explained, on the operator's word: it is booked as outside money, so buys may
    go on; a coin that arrived stays reserved until it is adopted.
    """
    _need_why(why)
    loaded, state = _loaded(world)
    amount = state.drift.get(asset)
    if amount is None:
        open_ones = ", ".join(sorted(state.drift)) or "none"
        raise BadInput("asset", asset, f"must be one with open drift: {open_ones}")
    now_ms = world.market.server_time_ms()
    moved = transfer(Book.FLOWS, Book.UNEXPLAINED, asset, amount)
    entry = Entry(f"accepted:{asset}:{now_ms}", slot_at(now_ms), now_ms, "drift_accepted", moved, f"{who}: {why}")
    after = replace(
        state, ledger=state.ledger.posted((entry,)), drift={a: d for a, d in state.drift.items() if a != asset}
    )
    accepted = _event(world, EventKind.DRIFT_ACCEPTED, actor=who, asset=asset, amount=plain(amount), why=why)
    _write(world, loaded, Changes(after, entries=(entry,), release=True, events=(accepted,)))
    return after


def key_fits(world: World) -> str:
    """Whose API key it is: `the same` account's as the state's, `another`'s, or `unknown` where one does not tell."""
    known = _loaded(world)[1].account_digest
    found = _account_of_key(world)
    return "unknown" if not (known and found) else "the same" if known == found else "another"


def accept_account(settings: Settings, world: World, who: str, why: str) -> State:
    """Let the account that the API key answers for now be the state's. What its balances differ by is drift, which the
    next hour tells and which stops buys; what is open must be settled first, because only the account that it was sent
    to can tell its end.
    """
    _need_why(why)
    loaded, state = _loaded(world)
    if state.open_intents:
        raise Abort(f"account: {len(state.open_intents)} open intents are the old account's; see `orders --settle`")
    found = _account_of_key(world)
    if found in {"", state.account_digest}:
        raise BadInput("account", settings.account, "is the API key's own: there is nothing to accept")
    after = replace(state, account_digest=found)
    accepted = _event(world, EventKind.ACCOUNT_ACCEPTED, actor=who, why=why)
    _write(world, loaded, Changes(after, release=True, events=(accepted,)))
    return after


def set_control(world: World, mode: Mode, who: str, why: str, minutes: int | None) -> Control:
    """Set the kill switch; it takes effect at the next send of any hour, running or not."""
    _need_why(why)
    if minutes is not None and minutes < 1:
        raise BadInput("minutes", minutes, "must be at least 1; without it the mode has no end")
    with suppress(StateUnreadable):  # the switch must work when the state cannot be read, but not where nobody looks
        refuse_moved(world.store.load().state)
    now_ms = world.clock.now_ms()  # and when the exchange does not answer
    expires = None if minutes is None else now_ms + minutes * MINUTE_MS
    control = Control(mode, who, now_ms, why, expires)
    facts = {"actor": who, "mode": mode.value, "why": why, "minutes": str(minutes or "")}
    world.store.set_control(control, (event(world.run, EventKind.CONTROL, now_ms, facts),))
    return control


def open_intents(world: World) -> Sequence[Intent]:
    """What no hour could settle yet."""
    state = world.store.load().state
    return () if state is None else state.open_intents


def settle_by_hand(world: World, intent_id: str, who: str, why: str) -> Intent:
    """Close an unknown intent as not placed, on the operator's word. An order that exists is adopted by the next hour
    as unexplained balance, so look at the exchange first.
    """
    _need_why(why)
    loaded, state = _loaded(world)
    intent = next((i for i in state.open_intents if i.id == intent_id), None)
    if intent is None:
        raise BadInput("order", intent_id, "must be the id of an open intent: see `orders`")
    closed = intent.moved(Status.ABSENT, detail=f"settled by {who}: {why}")
    entries: tuple[Entry, ...] = ()
    if closed.kind is not Kind.ORDER:
        state, closed, entries = book_earn(state, closed, world.market.server_time_ms())
    after = replace(state, intents=tuple(closed if i.id == intent_id else i for i in state.intents))
    settled = _event(world, EventKind.SETTLED, actor=who, order=intent_id, why=why)
    _write(world, loaded, Changes(after, intents=(closed,), entries=entries, release=True, events=(settled,)))
    return closed


def _account_of_key(world: World) -> str:
    sync(world, world.market.server_time_ms() - world.clock.now_ms())
    return world.exchange.account().digest


def _event(world: World, kind: EventKind, **facts: str) -> Event:
    now_ms = world.clock.now_ms()
    return event(world.run, kind, now_ms, {**facts, "slot": slot_at(now_ms)})


def _need_why(why: str) -> None:
    if not why.strip():
        raise BadInput("why", why, "must say why: it is read by whoever comes next")


def _loaded(world: World) -> tuple[Loaded, State]:
    loaded = world.store.load()
    if loaded.state is not None:
        refuse_unusable(loaded.state, loaded.state.account)
    if loaded.state is None or not loaded.state.initialised_ms:
        raise Abort(NO_STATE)
    return loaded, loaded.state


def _write(world: World, loaded: Loaded, changes: Changes) -> None:
    """Take the lease and write; `LeaseLost`, and nothing changed, while an hour runs or if one ran since `loaded`."""
    held = world.store.take_lease(loaded, world.owner, slot_at(world.clock.now_ms()), LEASE_S)
    world.store.commit(held, changes)
