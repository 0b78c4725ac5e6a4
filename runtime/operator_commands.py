"""The commands that answer from the account's store alone: `why`, `status`, `positions`, `costs`, and `orders`.

They need no key, no exchange and no lease. Each prints a table for people and ends with one JSON line that holds
everything; with `--json` that line stands alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from runtime.answers import card_for, costs_of, positions_of, status_of
from runtime.auditing import run_audit
from runtime.desk import Desk
from runtime.domain.costs import spent_document
from runtime.domain.documents import encode
from runtime.domain.ledger import Book
from runtime.domain.money import plain
from runtime.domain.orders import Intent, Kind
from runtime.domain.state import State, refuse_unusable
from runtime.domain.texts import Language
from runtime.domain.why_text import worded
from runtime.pool_commands import run_pool
from runtime.state_commands import run_state, run_tapes

Answer = Mapping[str, object]


def add_answer_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The arguments of the commands."""
    commands.add_parser("status", help="how the account stands: last hour, control, holdings, what is wrong")
    why = commands.add_parser("why", help="of a slot: what it saw, decided, did, and what stopped the rest")
    why.add_argument("slot", nargs="?", metavar="SLOT", help="a UTC hour, as 2026-11-21T09; default: the newest")
    commands.add_parser("costs", help="fees, slippage and job minutes, month by month, beside their budgets")
    commands.add_parser("positions", help="what is held, with entry, value and stop, at the last hour's prices")


def run_status(desk: Desk, given: argparse.Namespace) -> Answer:
    """How the account stands; `state: none` for one that nobody opened."""
    from runtime.operator_tables import status_text  # noqa: PLC0415 - a table library is for those who ask for a table

    state = desk.store.load().state
    refuse_unusable(state, desk.account)
    if state is None or not state.initialised_ms:
        return {"state": "none"}
    status, short = status_of(desk.store, desk.account), overview(state)
    if not given.json:
        desk.say(status_text(status, short, colour=desk.colour))
        return short
    told = encode(status)
    more = {name: told[name] for name in told if name not in {"slot", "drift", "exit_code"}}
    return {**short, "ended_with": status.exit_code, **more}


def run_why(desk: Desk, given: argparse.Namespace) -> Answer:
    """The card of a slot; in JSON each trade not made has `needs`, what would have to change, in English."""
    from runtime.operator_tables import why_text  # noqa: PLC0415 - as above

    card = card_for(desk.store, desk.account, given.slot, desk.places.kept)
    if not given.json:
        desk.say(why_text(card, desk.language, colour=desk.colour))
        return {"slot": card.slot, "status": card.status, "held_back": len(card.held)}
    document = encode(card)
    for held, told in zip(document["held"], worded(card, Language.EN).held, strict=True):
        held["needs"] = list(told.needs)
    return {"card": document}


def run_positions(desk: Desk, given: argparse.Namespace) -> Answer:
    """What is held."""
    from runtime.operator_tables import positions_text  # noqa: PLC0415 - as above

    found = positions_of(desk.store, desk.account)
    if not given.json:
        desk.say(positions_text(found, colour=desk.colour))
        return {"positions": len(found)}
    return {"positions": [encode(position) for position in found]}


def run_costs(desk: Desk, given: argparse.Namespace) -> Answer:
    """What trading and running cost, the newest month first."""
    from runtime.operator_tables import costs_text  # noqa: PLC0415 - as above

    months = costs_of(desk.store, desk.account)
    budgets = desk.settings.budgets
    if not given.json:
        desk.say(costs_text(months, budgets, colour=desk.colour))
        return {"months": len(months)}
    told = [
        {"month": month, **spent_document(costs.spent), "minutes": costs.minutes} for month, costs in months.items()
    ]
    return {"months": told, "budgets": _plain(budgets)}


def overview(state: State) -> dict[str, Any]:
    """What the state holds, in short."""
    return {
        "slot_done": state.slot_done,
        "managed": _plain(state.ledger.assets(Book.SPOT)),
        "earn": _plain(state.ledger.assets(Book.EARN)),
        "reserved": _plain(state.ledger.assets(Book.RESERVED)),
        "drift": _plain(state.drift),
        "open_intents": len(state.open_intents),
        "done_today": list(state.day.done) if state.day else [],
    }


def listed_orders(state: State | None) -> dict[str, list[dict[str, Any]]]:
    """The intents that no hour could settle yet, and those of the newest hour."""
    intents = state.intents if state is not None else ()
    newest = [intent for intent in intents if state is not None and intent.slot == state.slot_done]
    return {
        "open": [_short(intent) for intent in intents if intent.open],
        "newest": [{**_short(intent), "slot": intent.slot, "status": intent.status.value} for intent in newest],
    }


def _short(intent: Intent) -> dict[str, Any]:
    return {
        "id": intent.id,
        "symbol": intent.symbol,
        "side": intent.side.value if intent.kind is Kind.ORDER else intent.kind.value,
        "quantity": plain(intent.quantity),
        "detail": intent.detail,
    }


def _plain(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {asset: plain(amount) for asset, amount in sorted(amounts.items())}


ANSWER_COMMANDS: Mapping[str, Callable[[Desk, argparse.Namespace], Answer]] = {
    "status": run_status,
    "why": run_why,
    "positions": run_positions,
    "costs": run_costs,
    "pool": run_pool,
    "state": run_state,
    "tapes": run_tapes,
    "audit": run_audit,
}
