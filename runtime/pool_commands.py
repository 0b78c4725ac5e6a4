"""`pool show`, `pool check`, `pool publish`: the upstream's document, looked at, judged, and put in its place.

All three judge by the contract of the hour itself (`domain.pool`), so what passes here is what an hour accepts. The
engine makes no list of its own: what is published is the file that was given, to the letter.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from runtime.desk import Desk
from runtime.domain.csv_text import one_line
from runtime.domain.documents import encode
from runtime.domain.pool import AcceptedPool, PoolRejected, UpstreamPool, check_release, parse_pool
from runtime.domain.settings import LadderSettings
from runtime.domain.state import refuse_unusable
from runtime.errors import Abort, BadInput, Unavailable

Answer = Mapping[str, object]
FIELDS = ("as_of_date", "version", "mode", "pool_size")


def add_pool_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The arguments of the commands."""
    pool = commands.add_parser("pool", help="the upstream's pool: show, check, publish")
    actions = pool.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("show", help="the release this account trades, and where the last hour had its pool from")
    check = actions.add_parser("check", help="judge a document by the contract; exit 3 where it breaks it")
    check.add_argument("place", nargs="?", metavar="PLACE", help="firestore, or a file; default: the upstream")
    publish = actions.add_parser("publish", help="put a valid document in its place; refuses any other")
    publish.add_argument("file", help="the document, as JSON")
    publish.add_argument("--to", metavar="PLACE", help="firestore, a file, or a folder; default: the upstream")
    publish.add_argument("--check", action="store_true", help="judge it and show what would change; write nothing")


def run_pool(desk: Desk, given: argparse.Namespace) -> Answer:
    """One of the three."""
    return _ACTIONS[given.action](desk, given)


def _shown(desk: Desk, given: argparse.Namespace) -> Answer:
    state = desk.store.load().state
    refuse_unusable(state, desk.account)
    accepted, status = (state.pool, state.pool_status) if state is not None else (None, None)
    document = {
        "accepted": None if accepted is None else encode(accepted),
        "last": None if status is None else encode(status),
    }
    if not given.json:
        _say(desk, "accepted", _told(document["accepted"]), "the last hour's source", _told(document["last"]))
    return document


def _checked(desk: Desk, given: argparse.Namespace) -> Answer:
    place = desk.places.pool(given.place, None)
    payload = place.read()
    pool, today = _judged(desk, place.where, payload)
    found = _document(pool, desk.settings.ladder, today)
    if not given.json:
        _say(desk, place.where, _told(found), "expected", _expected(desk.settings.ladder))
    return {"place": place.where, "valid": True, **found, "expected": _expected(desk.settings.ladder)}


def _published(desk: Desk, given: argparse.Namespace) -> Answer:
    payload = desk.places.pool(given.file, None).read()
    pool, today = _judged(desk, given.file, payload)
    target = desk.places.pool(given.to, pool.as_of_date)
    try:
        before: Mapping[str, Any] = target.read()
    except Unavailable:
        before = {}
    changed = _difference(before, payload)
    if not given.json:
        _say(desk, f"{target.where}: what changes", changed or dict[str, Any](nothing="it holds this document already"))
    write = bool(changed) and not given.check and not desk.read_only
    where = target.publish(payload) if write else target.where
    found = _document(pool, desk.settings.ladder, today)
    return {"place": where, "published": write, **found, "changes": changed}


_ACTIONS: Mapping[str, Callable[[Desk, argparse.Namespace], Answer]] = {
    "show": _shown,
    "check": _checked,
    "publish": _published,
}


def _judged(desk: Desk, where: str, payload: Mapping[str, Any]) -> tuple[UpstreamPool, date]:
    """The pool in a payload, as an hour would judge it now; `Abort` names every fault."""
    loaded = desk.store.load()
    today = desk.today(loaded)
    accepted: AcceptedPool | None = loaded.state.pool if loaded.state is not None else None
    try:
        pool = parse_pool(payload, today, desk.settings.ladder)
        check_release(pool, accepted)
    except PoolRejected as refusal:
        raise Abort(f"{where}: not valid, nothing was published: {refusal}") from None
    if pool.left_out:
        raise BadInput(where, ", ".join(pool.left_out), "are fields that no store can keep: leave them out")
    return pool, today


def _document(pool: UpstreamPool, ladder: LadderSettings, today: date) -> dict[str, Any]:
    return {
        "as_of_date": pool.as_of_date.isoformat(),
        "age_days": (today - pool.as_of_date).days,
        "max_age_days": ladder.max_age_days,
        "version": pool.version,
        "mode": pool.mode,
        "pool_size": len(pool.symbols),
        "symbols": list(pool.symbols),
    }


def _expected(ladder: LadderSettings) -> dict[str, Any]:
    return {"mode": list(ladder.acceptable_modes), "pool_size": ladder.expected_size}


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Field by field what a document would become; the order of symbols counts."""
    names = [*FIELDS, *sorted((before.keys() | after.keys()) - set(FIELDS))]
    pairs = {name: {"from": before.get(name), "to": after.get(name)} for name in names}
    return {name: pair for name, pair in pairs.items() if pair["from"] != pair["to"]}


def _told(document: Mapping[str, Any] | None) -> dict[str, str]:
    return {"none": ""} if document is None else {name: _text(value) for name, value in document.items()}


def _text(value: object) -> str:
    if isinstance(value, Mapping) and value.keys() == {"from", "to"}:
        return f"{_text(value['from'])} → {_text(value['to'])}"
    if isinstance(value, Mapping | list | tuple):
        return " ".join(map(str, value)) or "–"
    return "–" if value is None or value == "" else one_line(str(value))


def _say(desk: Desk, *parts: str | Mapping[str, Any]) -> None:
    from runtime.tables import printed, row, table  # noqa: PLC0415 - a table library is for those who ask for a table

    tables = []
    for title, rows in zip(parts[::2], parts[1::2], strict=True):
        tables.append(table(str(title), ("field", "value")))
        for name, value in rows.items() if isinstance(rows, Mapping) else ():
            row(tables[-1], name, _text(value))
    desk.say(printed(tables, colour=desk.colour))
