"""`state show`, `state check`, `state migrate` and `tapes`: what is kept, whether it is whole, and in which version."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from secrets import token_hex
from typing import Any

from runtime.backup import Archive, File, back_up
from runtime.books import opened_state
from runtime.desk import Desk
from runtime.domain.archive import Section, tallied
from runtime.domain.audit import NOBODY, EventKind, event
from runtime.domain.ledger import Balances, Book
from runtime.domain.money import plain
from runtime.domain.slots import slot_at
from runtime.domain.state import SCHEMA_VERSION, encode_state
from runtime.domain.tape import read_chain
from runtime.errors import BadInput, EngineError, StoreError
from runtime.hour import LEASE_S
from runtime.ports import Changes

Answer = Mapping[str, object]
TAPES_MAX = 1000


def add_state_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The arguments of the commands."""
    state = commands.add_parser("state", help="the account's documents: show, check, migrate")
    actions = state.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("show", help="the state document as it is stored, without the journal")
    actions.add_parser("check", help="read every document and hold the books against the state; exit 3 on a fault")
    migrate = actions.add_parser("migrate", help="write the state in this code's version; a backup is made first")
    migrate.add_argument("--backup", metavar="FILE", required=True, help="a new file for the backup")
    tapes = commands.add_parser("tapes", help="the tapes of a folder, each with its chain proved; exit 3 on a fault")
    tapes.add_argument("folder", nargs="?", metavar="FOLDER", help="or one tape; default: this account's own")


def run_state(desk: Desk, given: argparse.Namespace) -> Answer:
    """One of the three."""
    return _ACTIONS[given.action](desk, given)


def _shown(desk: Desk, given: argparse.Namespace) -> Answer:
    document = encode_state(opened_state(desk.store))
    if not given.json:
        size = {name: _size(value) for name, value in document.items()}
        _say(desk, "State document", ("field", "value"), [[name, size[name]] for name in document])
        return {"schema_version": document["schema_version"], "slot_done": document["slot_done"]}
    return {"state": document}


def _checked(desk: Desk, given: argparse.Namespace) -> Answer:
    """Every document is read and decoded on the way; what cannot be is named by the store."""
    state = opened_state(desk.store)
    counts = tallied(desk.store.dump()).by_name()
    booked = Balances()
    for day in desk.store.ledger_days():
        booked = booked.posted(desk.store.entries(day))
    wrong = [
        f"{book.value} {asset}: {plain(booked.of(book, asset))} booked, {plain(state.ledger.of(book, asset))} in state"
        for book in Book
        for asset in sorted({*booked.assets(book), *state.ledger.assets(book)})
        if booked.of(book, asset) != state.ledger.of(book, asset)
    ]
    if wrong:
        raise EngineError(f"the books do not add up: {'; '.join(wrong[:5])}: restore a backup, or rebuild")
    found = {"schema_version": stored_version(desk.store), "slot_done": state.slot_done, "documents": counts}
    if not given.json:
        _say(desk, "Documents", ("section", ">count"), [[name, str(count)] for name, count in counts.items()])
    return {**found, "books": "add up"}


def _migrated(desk: Desk, given: argparse.Namespace) -> Answer:
    if desk.read_only:
        return {"migrated": False, "schema_version": stored_version(desk.store), "to": SCHEMA_VERSION}
    migrated = migrate(desk.store, desk.places.archive(given.backup), desk.account)
    return migrated | {"backup": given.backup} if migrated["migrated"] else migrated


def migrate(store: Archive, file: File, account: str, to: int = SCHEMA_VERSION) -> dict[str, object]:
    """Write the state in version `to`, this code's, after a backup of what was there; nothing where it is in it.

    Whatever reads a state lifts it, so all there is to do is to write it back.
    """
    version = stored_version(store)
    if version == to:
        return {"migrated": False, "schema_version": version}
    copied, loaded = back_up(store, file, account), store.load()
    if loaded.state is None:
        raise StoreError("state document: gone since it was backed up")
    held = store.take_lease(loaded, token_hex(16), slot_at(loaded.read_ms), LEASE_S)
    done = event(NOBODY, EventKind.MIGRATED, loaded.read_ms, {"from": str(version), "to": str(to)})
    store.commit(held, Changes(loaded.state, release=True, events=(done,)))
    return {"migrated": True, "schema_version": to, "from": version, "sha256": copied.digest}


_ACTIONS: Mapping[str, Callable[[Desk, argparse.Namespace], Answer]] = {
    "show": _shown,
    "check": _checked,
    "migrate": _migrated,
}


def stored_version(store: Archive) -> int:
    """The version that the state document is stored in."""
    for document in store.dump():
        if document.section is Section.STATE:
            return int(document.body.get("schema_version", 0))
    raise EngineError("there is no state document: run init or rebuild first")


def run_tapes(desk: Desk, given: argparse.Namespace) -> Answer:
    """List tapes and prove each chain; `EngineError` where one is damaged, after all were looked at."""
    tapes = desk.places.tapes(given.folder)
    if len(tapes) > TAPES_MAX:
        raise BadInput("folder", given.folder, f"holds {len(tapes)} tapes, {TAPES_MAX} at most: name a smaller one")
    found = [_proved(name, read) for name, read in tapes.items()]
    bad = [tape["tape"] for tape in found if tape["fault"]]
    if not given.json:
        heads = ("tape", "slot", ">stages", "digest", "fault")
        _say(desk, "Tapes", heads, [[str(tape[head.strip(">")]) for head in heads] for tape in found])
    if bad:
        said = f"{len(bad)} of {len(found)} tapes are damaged: {', '.join(map(str, bad[:5]))}"
        raise Damaged(said, found)
    return {"tapes": found} if given.json else {"tapes": len(found)}


class Damaged(EngineError):
    """Some tapes are not what was written; `tapes` are all that were looked at."""

    def __init__(self, said: str, tapes: list[dict[str, Any]]) -> None:
        super().__init__(said)
        self.tapes = tapes


def _proved(name: str, read: Callable[[], list[str]]) -> dict[str, Any]:
    slot, stages, digest, fault = "", 0, "", ""
    try:
        lines = read()
        told = read_chain(lines)
        stages, digest = len(told), lines[-1].rsplit('"sha256":"', 1)[1][:12]
        slot = next((str(body.get("slot", "")) for stage, body in told if stage == "report"), "")
    except EngineError as error:
        fault = str(error)
    return {"tape": name, "slot": slot, "stages": stages, "digest": digest, "fault": fault}


def _size(value: object) -> str:
    if isinstance(value, dict | list):
        return f"{len(value)} item(s)"
    return str(value)


def _say(desk: Desk, title: str, heads: tuple[str, ...], rows: list[list[str]]) -> None:
    from runtime.tables import printed, row, table  # noqa: PLC0415 - a table library is for those who ask for a table

    shown = table(title, heads)
    for cells in rows:
        row(shown, *cells)
    desk.say(printed([shown], colour=desk.colour))
