"""Auditing: which run this is, and the audit log as it is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from hashlib import sha256

from runtime.desk import Desk
from runtime.domain.audit import LISTED_MAX, EventKind, Run, event, is_event_id
from runtime.domain.csv_text import one_line
from runtime.domain.documents import canonical, encode
from runtime.domain.slots import minute_text
from runtime.domain.tape import VERSION
from runtime.errors import BadInput
from runtime.records import Records
from runtime.run_settings import Settings

DIGEST = 12
Answer = Mapping[str, object]


def run_of(settings: Settings, owner: str) -> Run:
    """This run's name, actor, code and settings. The name is GitHub's run, or the digest of this process's token, which
    itself is shown nowhere.
    """
    name = settings.run_id or sha256(owner.encode()).hexdigest()[:DIGEST]
    code = f"{VERSION}+{settings.code_sha[:DIGEST]}" if settings.code_sha else VERSION
    told = sha256(canonical(settings.public()).encode()).hexdigest()[:DIGEST]
    return Run(name, settings.actor or "engine", code, told)


def note(records: Records, run: Run, kind: EventKind, at_ms: int, **facts: str) -> None:
    """Put what was done into the audit log, where it could not be written with it."""
    records.record((event(run, kind, at_ms, facts),))


def add_audit_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The arguments of `audit`."""
    audit = commands.add_parser("audit", help="who did what to this account, newest first")
    audit.add_argument("--limit", type=int, default=50, metavar="N", help=f"at most {LISTED_MAX}; default: 50")
    audit.add_argument("--before", metavar="ID", default="", help="go on before this event")


def run_audit(desk: Desk, given: argparse.Namespace) -> Answer:
    """The newest events."""
    from runtime.tables import printed, row, table  # noqa: PLC0415 - a table library is for those who ask for a table

    if not 1 <= given.limit <= LISTED_MAX:
        raise BadInput("--limit", given.limit, f"must be 1 to {LISTED_MAX}")
    if given.before and not is_event_id(given.before):
        raise BadInput("--before", given.before, "must be the id of an event, as `audit --json` shows it")
    events = desk.store.audit(given.limit, given.before)
    if given.json:
        return {"events": [encode(one) for one in events]}
    made = table("Audit log", ("when", "what", "who", "facts", "run", "code", "settings"))
    for one in events:
        facts = [f"{name} {one_line(value)}" for name, value in one.facts.items() if value]
        row(made, minute_text(one.at_ms), one.kind, one.actor, facts or [""], one.run, one.code, one.settings)
    desk.say(printed([made], colour=desk.colour))
    return {"events": len(events)}
