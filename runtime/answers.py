"""Answers: what an operator may ask of an account between hours, read from its store alone.

The command line and the messenger ask here, so both say the same. Nothing is written and no lease is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from runtime.domain.control import Control, Mode
from runtime.domain.costs import MonthCosts
from runtime.domain.ledger import Book
from runtime.domain.limits import account_losses
from runtime.domain.money import CASH, ZERO
from runtime.domain.pool import PoolStatus
from runtime.domain.slots import MINUTE_MS, parse_slot
from runtime.domain.state import State, refuse_unusable
from runtime.domain.why import Card, card_of, unpacked
from runtime.errors import Abort, BadInput
from runtime.last_hours import figure_of
from runtime.operations import NO_STATE
from runtime.ports import CycleRecord, Loaded, Store

Kept = Callable[[str | None], Mapping[str, Any] | None]
"""The report that this machine keeps of a slot, or of the newest slot it has one of; None where there is none."""


@dataclass(frozen=True, slots=True)
class Position:
    """A managed holding: `quantity` base units at spot, `price`, `average` (entry) and `value` USDT; None = not known.

    Prices are those of the last hour. `done` marks what was traded in it today.
    """

    symbol: str
    quantity: Decimal
    price: Decimal | None
    average: Decimal | None
    value: Decimal | None
    profit: Decimal | None
    stop: Decimal | None
    opened_ms: int


@dataclass(frozen=True, slots=True)
class Status:
    """An account between hours: when its last hour ended and how, the control in force, and what it holds (USDT)."""

    account: str
    slot: str
    exit_code: int | None
    age_minutes: int | None
    control: Control
    mode: Mode
    equity: Decimal | None
    drawdown: Decimal | None
    pool: PoolStatus | None
    missed: int
    open_intents: int
    drift: Mapping[str, Decimal]
    incidents: tuple[str, ...]
    waiting: int
    leased_until_ms: int | None


NO_HOUR = "no hour has ended yet: run one (main.py), then ask again"


def nothing_kept(slot: str | None) -> Mapping[str, Any] | None:
    """For who has no folder of reports."""
    del slot
    return None


def card_for(store: Store, account: str, slot: str | None = None, kept: Kept = nothing_kept) -> Card:
    """Why, of a slot or of the newest one; `BadInput` says what became of an hour that has no card.

    The store's own card stands before a report of this machine: an hour that was aborted first and done later is done.
    Only an hour that ended early after the last one that is done is told from its report.
    """
    named = None if slot is None else parse_slot(slot)
    state = store.load().state
    refuse_unusable(state, account)
    record = next(iter(store.cycles(1, "" if named is None else f"{named}~")), None)
    found = record if record is not None and named in {None, record.slot} else None
    report = kept(named)
    if report is not None and (found is None or (named is None and str(report.get("slot", "")) > found.slot)):
        return card_of(report)
    if found is not None and found.card:
        return unpacked(found.card, found.slot)
    shown = named or (found.slot if found else "the newest")
    raise BadInput("slot", shown, _what_became_of(named, found, record, state))


def status_of(store: Store, account: str) -> Status:
    """How the account stands; `Abort` without a state document."""
    loaded = store.load()
    state = _opened(loaded, account)
    newest, control = next(iter(store.cycles(1)), None), store.control()
    lease = loaded.lease
    return Status(
        account=account,
        slot=state.slot_done,
        exit_code=newest.exit_code if newest else None,
        age_minutes=(loaded.read_ms - newest.ended_ms) // MINUTE_MS if newest else None,
        control=control,
        mode=control.at(loaded.read_ms),
        equity=figure_of(newest, "equity") if newest else None,
        drawdown=round(account_losses(state)[1], 6),
        pool=state.pool_status,
        missed=len(state.missed),
        open_intents=len(state.open_intents),
        drift=state.drift,
        incidents=tuple(sorted(state.incidents)),
        waiting=len(state.outbox),
        leased_until_ms=lease.expires_ms if lease and lease.expires_ms > loaded.read_ms else None,
    )


def positions_of(store: Store, account: str) -> list[Position]:
    """The managed holdings but cash, the largest first, at the last hour's prices."""
    state = _opened(store.load(), account)
    found = []
    for asset in sorted({*state.ledger.assets(Book.SPOT), *state.ledger.assets(Book.EARN)} - {CASH}):
        quantity = state.ledger.owned(asset)
        if quantity:
            found.append(_position(state, asset + CASH, quantity))
    return sorted(found, key=lambda position: -(position.value or ZERO))


def costs_of(store: Store, account: str) -> dict[str, MonthCosts]:
    """What the last months cost, the newest first."""
    months = _opened(store.load(), account).costs
    return {month: months[month] for month in sorted(months, reverse=True)}


def _position(state: State, symbol: str, quantity: Decimal) -> Position:
    price, known = state.prices.get(symbol), state.positions.get(symbol)
    value = None if price is None else quantity * price
    memory = state.memory.holdings.get(symbol)
    return Position(
        symbol,
        quantity,
        price,
        known.average if known else None,
        value,
        None if value is None or known is None else value - known.average * quantity,
        memory.stop if memory else None,
        known.opened_ms if known else 0,
    )


def _opened(loaded: Loaded, account: str) -> State:
    refuse_unusable(loaded.state, account)
    if loaded.state is None or not loaded.state.initialised_ms:
        raise Abort(NO_STATE)
    return loaded.state


def _what_became_of(
    named: str | None, found: CycleRecord | None, nearest: CycleRecord | None, state: State | None
) -> str:
    if found is not None:
        return "has no card: an older version wrote it; see the report of its run"
    if state is not None and named in state.missed:
        return "was missed: no run completed this hour, so nothing was seen and nothing decided"
    newest = state.slot_done if state is not None else ""
    if not newest:
        return NO_HOUR
    before = f"; the last one before it is {nearest.slot}" if nearest is not None else ""
    return f"must be an hour that this account completed{before}; the newest is {newest}"
