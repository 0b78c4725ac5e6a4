"""SQLite store: the store's contract in one local file, with the standard library only.

One row of `account` is the state document: its text, its lease, and a `version` that every write raises. A write names
the version it was made for and must change exactly one row; the documents beside it go into the same transaction. The
file is in WAL mode with `synchronous=FULL`: what a commit reported is on the disk, and a process killed at any moment
leaves the old document or the new one, never half of one. The store's clock is this machine's.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from runtime.adapters.sqlite.database import opened, translated
from runtime.domain import leases
from runtime.domain.archive import Section, Stored
from runtime.domain.audit import Event
from runtime.domain.control import Control, Mode
from runtime.domain.documents import canonical, from_json, parse, state_text, to_json
from runtime.domain.inbox import Inbox
from runtime.domain.ledger import Entry
from runtime.domain.orders import Intent
from runtime.domain.slots import slot_at
from runtime.domain.state import State, decode_state
from runtime.errors import LeaseLost, StateUnreadable, StoreUnavailable
from runtime.ports import Changes, Clock, CycleRecord, DailyCache, Held, Lease, Loaded, Mail

# `part` groups documents for reading: the slot of an intent, the day of a ledger entry. Order of booking is the rowid:
# REPLACE gives a row that is written again a new one.
_UPSERT = "INSERT OR REPLACE INTO document (account, kind, part, id, body) VALUES (?, ?, ?, ?, ?)"
_LAST = "~"
"""After every slot."""
_KINDS = {
    Section.CONTROL: "control",
    Section.CYCLES: "cycle",
    Section.JOURNAL: "intent",
    Section.LEDGER: "entry",
    Section.AUDIT: "audit",
    Section.CACHE: "cache",
}
_Row = tuple[str, str, str, str]


class SqliteStore:
    """One account's documents in the file `path`, which is made at first use. Threads may share it."""

    def __init__(self, path: Path, clock: Clock, account: str = "main") -> None:
        """`clock` is the store's clock. Nothing is opened yet."""
        self._path, self._clock, self._account = path, clock, account
        self._lock = threading.RLock()
        self._opened: sqlite3.Connection | None = None

    def load(self) -> Loaded:
        rows = self._read("SELECT version, state, lease FROM account WHERE name = ?", self._account)
        now_ms = self._clock.now_ms()
        if not rows:
            return Loaded(None, None, 0, now_ms)
        version, text, lease = rows[0]
        state = decode_state(parse(text, "state document"))
        return Loaded(state, from_json(Lease, lease, "lease") if lease else None, version, now_ms)

    def take_lease(self, loaded: Loaded, owner: str, slot: str, seconds: int) -> Held:
        fence = leases.next_fence(loaded.lease, owner, loaded.read_ms)
        lease = Lease(owner, loaded.read_ms + seconds * 1000, fence, slot)
        with self._transaction() as open_file:
            if loaded.token == 0:
                statement = "INSERT OR IGNORE INTO account (version, state, lease, name) VALUES (1, ?, ?, ?)"
                values: tuple[Any, ...] = (state_text(State(self._account)), to_json(lease), self._account)
            else:
                statement = "UPDATE account SET version = version + 1, lease = ? WHERE name = ? AND version = ?"
                values = (to_json(lease), self._account, loaded.token)
            return _changed(open_file.execute(statement, values), lease, loaded.token)

    def commit(self, held: Held, changes: Changes) -> Held:
        lease = replace(held.lease, expires_ms=0) if changes.release else held.lease
        values = (state_text(changes.state), to_json(lease), self._account, held.token)
        rows = [(self._account, *row) for row in _rows(changes)]
        with self._transaction() as open_file:
            statement = "UPDATE account SET version = version + 1, state = ?, lease = ? WHERE name = ? AND version = ?"
            done = _changed(open_file.execute(statement, values), lease, held.token)
            open_file.executemany(_UPSERT, rows)
            self._add(open_file, changes.events)
        return done

    def check(self, held: Held) -> Control:
        rows = self._read("SELECT lease FROM account WHERE name = ?", self._account)
        lease = from_json(Lease, rows[0][0], "lease") if rows and rows[0][0] else None
        leases.confirm(lease, held.lease, self._clock.now_ms())
        return self.control()

    def control(self) -> Control:
        return _control_in(next(iter(self._bodies("control")), None))

    def set_control(self, control: Control, events: Sequence[Event] = ()) -> None:
        with self._transaction() as open_file:
            open_file.execute(_UPSERT, (self._account, "control", "", "control", to_json(control)))
            self._add(open_file, events)

    def cache(self) -> DailyCache:
        bodies = self._bodies("cache")
        try:
            return from_json(DailyCache, bodies[0], "cache") if bodies else DailyCache()
        except StateUnreadable:
            return DailyCache()

    def cycles(self, limit: int, before: str = "") -> Sequence[CycleRecord]:
        statement = "SELECT body FROM document WHERE account = ? AND kind = 'cycle' AND part = '' AND id < ? "
        rows = self._read(statement + "ORDER BY id DESC LIMIT ?", self._account, before or _LAST, limit)
        return [from_json(CycleRecord, body, "cycle") for (body,) in rows]

    def journal(self, slot: str | None = None) -> Sequence[Intent]:
        return [from_json(Intent, body, "journal") for body in self._bodies("intent", slot, "id")]

    def ledger_days(self) -> Sequence[str]:
        statement = "SELECT DISTINCT part FROM document WHERE account = ? AND kind = 'entry' ORDER BY part"
        return [day for (day,) in self._read(statement, self._account)]

    def entries(self, day: str) -> Sequence[Entry]:
        return [from_json(Entry, body, "ledger") for body in self._bodies("entry", day, "rowid")]

    def dump(self) -> Iterator[Stored]:
        """Every document, section by section, as it was at one moment; what is malformed is `StateUnreadable`."""
        with translated(self._path), closing(opened(self._path)) as reading:
            reading.execute("BEGIN")
            for section, kind in _KINDS.items():
                order = "part, rowid" if section is Section.LEDGER else "id"
                statement = f"SELECT part, id, body FROM document WHERE account = ? AND kind = ? ORDER BY {order}"  # noqa: S608 - `order` is one of our own two
                for part, name, body in reading.execute(statement, (self._account, kind)):
                    yield Stored(section, name, parse(body, f"{section} {name}"), part)
            for (text,) in reading.execute("SELECT state FROM account WHERE name = ?", (self._account,)):
                yield Stored(Section.STATE, "state", parse(text, "state document"))

    def empty(self, owner: str, seconds: int, restoring: str) -> Held:
        """Take the lease, put an empty state marked `restoring` in the place of whatever is there, and remove all other
        documents but the control, in one step; `LeaseLost` while an hour runs.
        """
        now_ms, text = self._clock.now_ms(), state_text(State(self._account, restoring=restoring))
        with self._transaction() as open_file:
            rows = open_file.execute("SELECT version, state, lease FROM account WHERE name = ?", (self._account,))
            version, old, lease = next(rows, (0, "{}", None))
            held = from_json(Lease, lease, "lease") if lease else None
            fence = leases.fence_over(held, owner, now_ms, restoring=_restoring(old))
            lease = Lease(owner, now_ms + seconds * 1000, fence, slot_at(now_ms))
            values = (self._account, version + 1, text, to_json(lease))
            open_file.execute(
                "INSERT OR REPLACE INTO account (name, version, state, lease) VALUES (?, ?, ?, ?)", values
            )
            open_file.execute(
                "DELETE FROM document WHERE account = ? AND kind NOT IN ('control', 'probe', 'audit', 'inbox')",
                (self._account,),
            )
        return Held(lease, version + 1)

    def put(self, held: Held, documents: Sequence[Stored]) -> Held:
        """Write documents other than the state as they are, in order; `LeaseLost` if anybody wrote since `held`."""
        rows = [(self._account, _KINDS[d.section], d.part, d.id, canonical(d.body)) for d in documents]
        with self._transaction() as open_file:
            statement = "UPDATE account SET version = version + 1 WHERE name = ? AND version = ?"
            done = _changed(open_file.execute(statement, (self._account, held.token)), held.lease, held.token)
            open_file.executemany(_UPSERT, rows)
        return done

    def audit(self, limit: int, before: str = "") -> Sequence[Event]:
        statement = "SELECT body FROM document WHERE account = ? AND kind = 'audit' AND part = '' AND id < ? "
        rows = self._read(statement + "ORDER BY id DESC LIMIT ?", self._account, before or _LAST, limit)
        return [from_json(Event, body, "audit") for (body,) in rows]

    def record(self, events: Sequence[Event]) -> None:
        with self._transaction() as open_file:
            self._add(open_file, events)

    def mail(self) -> Mail:
        statement = "SELECT kind, body FROM document WHERE account = ? AND kind IN ('inbox', 'control')"
        bodies = dict(self._read(statement, self._account))
        return Mail(_inbox_in(bodies.get("inbox")), _control_in(bodies.get("control")), bodies, self._clock.now_ms())

    def obey(self, mail: Mail, inbox: Inbox, control: Control | None, events: Sequence[Event]) -> Mail:
        new = {"inbox": to_json(inbox)} | ({"control": to_json(control)} if control is not None else {})
        with self._transaction() as open_file:
            for kind, body in new.items():
                rows = open_file.execute(
                    "SELECT body FROM document WHERE account = ? AND kind = ?", (self._account, kind)
                )
                if next(rows, (None,))[0] != expected_mail(mail).get(kind):
                    raise LeaseLost(f"{kind}: changed by another run since it was read; nothing was written")
                open_file.execute(_UPSERT, (self._account, kind, "", kind, body))
            self._add(open_file, events)
        return Mail(inbox, control or mail.control, {**expected_mail(mail), **new}, mail.read_ms)

    def _add(self, open_file: sqlite3.Connection, events: Sequence[Event]) -> None:
        rows = [(self._account, "audit", "", event.id, to_json(event)) for event in events]
        open_file.executemany(_UPSERT.replace("REPLACE", "IGNORE"), rows)

    def probe(self) -> None:
        mark = str(self._clock.now_ms())
        self._put(("probe", "", "probe", mark))
        if self._bodies("probe") != [mark]:
            raise StoreUnavailable("local store: what was written could not be read back")

    def close(self) -> None:
        with self._lock, translated(self._path):
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _bodies(self, kind: str, part: str | None = "", order: str = "id") -> list[str]:
        # A condition only where there is one: of years of entries, a day must be found without looking at the others.
        of_part, values = ("", ()) if part is None else (" AND part = ?", (part,))
        statement = f"SELECT body FROM document WHERE account = ? AND kind = ?{of_part} ORDER BY {order}"  # noqa: S608 - our own words
        return [body for (body,) in self._read(statement, self._account, kind, *values)]

    def _put(self, row: _Row) -> None:
        with self._transaction() as open_file:
            open_file.execute(_UPSERT, (self._account, *row))

    def _read(self, statement: str, *values: object) -> list[Any]:
        with self._lock, translated(self._path):
            return self._connection().execute(statement, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: committed at the end of the block, rolled back by any exception in it."""
        with self._lock, translated(self._path):
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = opened(self._path)
        return self._opened


def expected_mail(mail: Mail) -> dict[str, str]:
    """The texts as they were read, where the token is one of this store's."""
    if not isinstance(mail.token, dict):
        raise TypeError(f"not a token of this store: {mail.token!r}")
    return mail.token


def _control_in(body: str | None) -> Control:
    try:
        return from_json(Control, body, "control", required=("mode",)) if body is not None else Control()
    except StateUnreadable as error:
        return Control(Mode.HALT, why=str(error), unreadable=True)


def _inbox_in(body: str | None) -> Inbox:
    try:
        return from_json(Inbox, body, "inbox") if body is not None else Inbox()
    except StateUnreadable:
        return Inbox()


def _rows(changes: Changes) -> Iterable[_Row]:
    """The documents beside the state: kind, part, id, body."""
    for intent in changes.intents:
        yield "intent", intent.slot, intent.id, to_json(intent)
    for entry in changes.entries:
        yield "entry", entry.slot[:10], entry.id, to_json(entry)
    if changes.cycle is not None:
        yield "cycle", "", changes.cycle.slot, to_json(changes.cycle)
    if changes.cache is not None:
        yield "cache", "", "cache", to_json(changes.cache)


def _restoring(text: str) -> bool:
    """Whether a stored state is one that a restore did not finish; what is not readable is not."""
    with suppress(StateUnreadable):
        return bool(parse(text, "state document").get("restoring"))
    return False


def _changed(cursor: sqlite3.Cursor, lease: Lease, token: object) -> Held:
    """The lease with its next token, if exactly one row was changed."""
    if cursor.rowcount != 1 or not isinstance(token, int):
        raise LeaseLost("state document: changed by another run since it was read; nothing was written")
    return Held(lease, token + 1)
