"""Answers: what an operator may ask of an account between hours, read from its store alone.

The command line and the messenger ask here, so both say the same. Nothing is written and no lease is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runtime.domain.slots import parse_slot
from runtime.domain.state import State, refuse_unusable
from runtime.domain.why import Card, card_of, unpacked
from runtime.errors import BadInput
from runtime.ports import CycleRecord, Store

Kept = Callable[[str | None], Mapping[str, Any] | None]
"""The report that this machine keeps of a slot, or of the newest slot it has one of; None where there is none."""
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
