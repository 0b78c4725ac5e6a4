"""Operations: what an operator does to an account between hours. Each takes the lease, so it never races an hour.

Every change names who and why. It is written where the engine reads it next (the control document, the state), and
what it did to the books is a ledger entry like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from runtime.config import Settings
from runtime.domain.control import Control, Mode
from runtime.domain.ledger import Book, Entry, transfer
from runtime.domain.money import CASH, ZERO, plain
from runtime.domain.orders import Intent, Status
from runtime.domain.slots import MINUTE_MS, slot_at
from runtime.domain.state import Position, State
from runtime.errors import Abort, BadInput
from runtime.hour import LEASE_S
from runtime.ports import Changes, Held, World
from runtime.rebuild import first_state

EXISTS = "there is a state document already; init and rebuild are for an account without one"


def start_account(settings: Settings, world: World) -> State:
    """`init` and `rebuild`: write an account's first state, by `settings.first_run`; never over an existing one."""
    loaded = world.store.load()
    if loaded.state is not None and loaded.state.initialised_ms:
        raise Abort(EXISTS)
    now_ms = world.market.server_time_ms()
    world.exchange.sync_clock(now_ms - world.clock.now_ms())
    state, entries = first_state(settings, world, loaded.state)
    held = world.store.take_lease(loaded, world.owner, slot_at(now_ms), LEASE_S)
    world.store.commit(held, Changes(state, entries=entries, release=True))
    return state


def adopt(world: World, asset: str, amount: Decimal) -> State:
    """Move `amount` of a reserved coin under management, at its price now; it is no profit, now or later."""
    state, held = _leased(world)
    reserved = state.ledger.of(Book.RESERVED, asset)
    if not ZERO < amount <= reserved:
        raise BadInput(
            "amount", plain(amount), f"must be above 0 and at most what is reserved: {plain(reserved)} {asset}"
        )
    price = world.market.prices().get(asset + CASH)
    if price is None:
        raise BadInput("asset", asset, f"must be traded against {CASH}")
    now_ms = world.clock.now_ms()
    entry = Entry(
        f"adopt:{asset}:{now_ms}", slot_at(now_ms), now_ms, "adopt", transfer(Book.RESERVED, Book.SPOT, asset, amount)
    )
    old = state.positions.get(asset + CASH)
    position = Position(
        cost=amount * price + (old.cost if old else ZERO),
        quantity=amount + (old.quantity if old else ZERO),
        opened_ms=old.opened_ms if old else now_ms,
    )
    day = state.day
    if day is not None:
        bought = day.bought + amount * price
        day = replace(day, bought=bought, net_peak=max(day.net_peak, bought - day.sold))
    equity = state.performance.equity
    grown = replace(state.performance, equity=None if equity is None else equity + amount * price)
    after = replace(
        state,
        ledger=state.ledger.posted((entry,)),
        positions={**state.positions, asset + CASH: position},
        performance=grown,
        day=day,
    )
    world.store.commit(held, Changes(after, entries=(entry,), release=True))
    return after


def set_control(world: World, mode: Mode, who: str, why: str, minutes: int | None) -> Control:
    """Set the kill switch; it takes effect at the next send of any hour, running or not."""
    if not why.strip():
        raise BadInput("why", why, "must say why: it is read by whoever comes next")
    now_ms = world.clock.now_ms()
    expires = None if minutes is None else now_ms + minutes * MINUTE_MS
    control = Control(mode, who, now_ms, why, expires)
    world.store.set_control(control)
    return control


def open_intents(world: World) -> Sequence[Intent]:
    """What no hour could settle yet."""
    state = world.store.load().state
    return () if state is None else state.open_intents


def settle_by_hand(world: World, intent_id: str, who: str, why: str) -> Intent:
    """Close an unknown intent as not placed, on the operator's word. An order that exists is adopted by the next hour
    as unexplained balance, so look at the exchange first.
    """
    state, held = _leased(world)
    intent = next((i for i in state.open_intents if i.id == intent_id), None)
    if intent is None:
        raise BadInput("order", intent_id, "must be the id of an open intent: see `orders`")
    closed = intent.moved(Status.ABSENT, detail=f"settled by {who}: {why}")
    after = replace(state, intents=tuple(closed if i.id == intent_id else i for i in state.intents))
    world.store.commit(held, Changes(after, intents=(closed,), release=True))
    return closed


def _leased(world: World) -> tuple[State, Held]:
    loaded = world.store.load()
    if loaded.state is None:
        raise Abort("there is no state document: run init or rebuild first")
    return loaded.state, world.store.take_lease(loaded, world.owner, slot_at(world.clock.now_ms()), LEASE_S)
