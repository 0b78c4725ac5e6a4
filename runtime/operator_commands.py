"""The commands that answer from the account's store alone: `why`.

They need no key, no exchange and no lease. Each prints a table for people and ends with one JSON line that holds
everything; with `--json` that line stands alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from runtime.answers import card_for
from runtime.book_commands import Desk
from runtime.domain.documents import encode
from runtime.domain.texts import Language
from runtime.domain.why_text import worded

Answer = Mapping[str, object]


def add_answer_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The arguments of the commands."""
    why = commands.add_parser("why", help="of a slot: what it saw, decided, did, and what stopped the rest")
    why.add_argument("slot", nargs="?", metavar="SLOT", help="a UTC hour, as 2026-11-21T09; default: the newest")
    why.add_argument("--json", action="store_true", help="one JSON line with everything, and no table")


def run_why(desk: Desk, given: argparse.Namespace) -> Answer:
    """The card of a slot; in JSON each trade not made has `needs`, what would have to change, in English."""
    from runtime.operator_tables import why_text  # noqa: PLC0415 - a table library is for those who ask for a table

    card = card_for(desk.store, desk.account, given.slot, desk.kept)
    if not given.json:
        desk.say(why_text(card, desk.language, colour=desk.colour))
        return {"slot": card.slot, "status": card.status, "held_back": len(card.held)}
    document = encode(card)
    for held, told in zip(document["held"], worded(card, Language.EN).held, strict=True):
        held["needs"] = list(told.needs)
    return {"card": document}


ANSWER_COMMANDS: Mapping[str, Callable[[Desk, argparse.Namespace], Answer]] = {"why": run_why}
