"""Firestore store: the store's contract on documents that any runner can reach.

The state document carries its lease, so loading is one read, taking the lease one conditional write, and a commit one
batch whose first write names the state's last update time. That time changes with every write, because every write puts
a new random id into the document.

A write whose answer is lost is looked up by that id: there, it is done; the document untouched, it is sent again, at
most twice; the document changed by another, the lease is lost. The document keeps the last few ids, so that a write is
recognised even if another run has written since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_hex
from typing import Any

from google.cloud.firestore_v1.base_query import BaseQuery, FieldFilter
from google.cloud.firestore_v1.batch import WriteBatch
from google.cloud.firestore_v1.field_path import FieldPath
from google.cloud.firestore_v1.query import Query

from runtime.adapters.firestore import documents
from runtime.adapters.firestore.connection import Connection, Found, Reading
from runtime.adapters.firestore.errors import PRECONDITION, TRANSIENT, in_words, translated
from runtime.domain import leases
from runtime.domain.audit import Event
from runtime.domain.control import Control, Mode
from runtime.domain.documents import check_state_size, decode, encode
from runtime.domain.ledger import Entry
from runtime.domain.orders import Intent
from runtime.domain.state import State, decode_state, encode_state
from runtime.errors import LeaseLost, StateUnreadable, StoreUnavailable
from runtime.ports import Changes, CycleRecord, DailyCache, Held, Lease, Loaded

SENDS_MAX = 3
COMMIT_IDS_KEPT = 8
OURS = ("lease", "commits")
"""What the state document holds beside the state."""

_CONTROL_FIELDS = ("mode", "who", "when_ms", "why", "expires_ms", "unreadable")


@dataclass(frozen=True, slots=True)
class Token:
    """The state document as last seen: its update time (None = no document) and the ids of its last writes."""

    update_time: datetime | None
    commits: tuple[str, ...] = ()

    def next_commits(self) -> tuple[str, ...]:
        """The ids after one more write; the last one is new."""
        return (*self.commits, token_hex(8))[-COMMIT_IDS_KEPT:]


class FirestoreStore:
    """One account's documents below `collection`/`document`; an account other than `main` has a suffix of its own."""

    def __init__(
        self,
        connection: Connection,
        account: str = "main",
        collection: str = "strategy",
        document: str = "MULTI_ASSET_STATE",
    ) -> None:
        """Nothing is read yet."""
        self._connection, self._account = connection, account
        self._state = f"{collection}/{document}" + ("" if account == "main" else f"_{account}")

    def load(self) -> Loaded:
        reading = self._connection.read([self._state])
        found = reading.found.get(self._state)
        if found is None:
            return Loaded(None, None, token_of(None), reading.read_ms)
        state = decode_state(documents.json_values({k: v for k, v in found.document.items() if k not in OURS}))
        return Loaded(state, lease_in(found), token_of(found), reading.read_ms)

    def take_lease(self, loaded: Loaded, owner: str, slot: str, seconds: int) -> Held:
        fence = leases.next_fence(loaded.lease, owner, loaded.read_ms)
        lease = Lease(owner, loaded.read_ms + seconds * 1000, fence, slot)
        token = expected(loaded.token)
        commits = token.next_commits()
        fields = {"lease": encode(lease), "commits": list(commits)}

        def build(batch: WriteBatch) -> None:
            self._write_state(batch, token, fields)

        return Held(lease, self._send(build, token, commits))

    def commit(self, held: Held, changes: Changes) -> Held:
        token = expected(held.token)
        commits = token.next_commits()
        lease = replace(held.lease, expires_ms=0) if changes.release else held.lease
        fields = encode_state(changes.state) | {"lease": encode(lease), "commits": list(commits)}
        check_state_size(documents.stored_size(fields))

        def build(batch: WriteBatch) -> None:
            self._write_state(batch, token, fields)
            self._write_documents(batch, token, changes)

        return Held(lease, self._send(build, token, commits))

    def check(self, held: Held) -> Control:
        reading = self._connection.read([self._state, self._at("control/control")], ["lease", *_CONTROL_FIELDS])
        found = reading.found.get(self._state)
        leases.confirm(lease_in(found) if found else None, held.lease, reading.read_ms)
        return self._control_in(reading)

    def control(self) -> Control:
        return self._control_in(self._connection.read([self._at("control/control")]))

    def set_control(self, control: Control, events: Sequence[Event] = ()) -> None:
        self._put("control/control", encode(control), events)

    def cache(self) -> DailyCache:
        path = self._at("cache/daily")
        found = self._connection.read([path]).found.get(path)
        try:
            return documents.unpack(found.document.get("packed")) if found else DailyCache()
        except StateUnreadable:
            return DailyCache()

    def cycles(self, limit: int, before: str = "") -> Sequence[CycleRecord]:
        def narrow(query: Query) -> Query:
            older = query.where(filter=FieldFilter("slot", "<", before)) if before else query
            return older.order_by("slot", direction=BaseQuery.DESCENDING).limit(limit)

        return [decode(CycleRecord, row, "cycle") for row in self._connection.query(self._at("cycles"), narrow)]

    def journal(self, slot: str | None = None) -> Sequence[Intent]:
        rows = self._connection.query(
            self._at("journal"),
            lambda query: query if slot is None else query.where(filter=FieldFilter("slot", "==", slot)),
        )
        return sorted((decode(Intent, row, "journal") for row in rows), key=lambda intent: intent.id)

    def ledger_days(self) -> Sequence[str]:
        rows = self._connection.query(self._at("ledger"), lambda query: query.select(["day"]).order_by("day"))
        return [str(row["day"]) for row in rows]

    def entries(self, day: str) -> Sequence[Entry]:
        path = self._at(f"ledger/{day}")
        found = self._connection.read([path]).found.get(path)
        return documents.ledger_entries(found.document) if found else []

    def probe(self) -> None:
        mark, path = token_hex(8), self._at("probe/probe")
        self._put("probe/probe", {"mark": mark})
        found = self._connection.read([path]).found.get(path)
        if found is None or found.document.get("mark") != mark:
            raise StoreUnavailable("Firestore probe: what was written could not be read back")

    def close(self) -> None:
        self._connection.close()

    def _at(self, path: str) -> str:
        return f"{self._state}/{path}"

    def _put(self, path: str, document: dict[str, Any], events: Sequence[Event] = ()) -> None:
        """Replace a document that nobody else's write depends on: doing it twice does no harm."""
        batch = self._connection.client.batch()
        batch.set(self._connection.client.document(self._at(path)), document)
        self._add_events(batch, events)
        with translated(f"write {path}"):
            self._connection.send(batch)

    def _control_in(self, reading: Reading) -> Control:
        found = reading.found.get(self._at("control/control"))
        try:
            return decode(Control, found.document, "control", required=("mode",)) if found else Control()
        except StateUnreadable as error:
            return Control(Mode.HALT, why=str(error), unreadable=True)

    def _write_state(self, batch: WriteBatch, token: Token, fields: dict[str, Any]) -> None:
        """Add the conditional write of `fields`; fields of the document that are not named stay as they are."""
        reference = self._connection.client.document(self._state)
        if token.update_time is None:
            batch.create(reference, encode_state(State(self._account)) | fields)
        else:
            unchanged = self._connection.client.write_option(last_update_time=token.update_time)
            batch.update(reference, {field_path(key): value for key, value in fields.items()}, option=unchanged)

    def _write_documents(self, batch: WriteBatch, token: Token, changes: Changes) -> None:
        document = self._connection.client.document
        for intent in changes.intents:
            batch.set(document(self._at(f"journal/{intent.id}")), documents.intent_document(encode(intent)))
        self._write_entries(batch, token, map(_filed, changes.entries))
        if changes.cycle is not None:
            batch.set(
                document(self._at(f"cycles/{changes.cycle.slot}")), documents.cycle_document(encode(changes.cycle))
            )
        self._add_events(batch, changes.events)
        packed = documents.pack(changes.cache) if changes.cache is not None else None
        if packed is not None:
            batch.set(document(self._at("cache/daily")), {"packed": packed})

    def _add_events(self, batch: WriteBatch, events: Sequence[Event]) -> None:
        """Add events of the audit log; an event's content follows from its id, so that twice is once."""
        for event in events:
            batch.set(self._connection.client.document(self._at(f"audit/{event.id}")), encode(event))

    def _write_entries(self, batch: WriteBatch, token: Token, rows: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        """Add ledger entries, given as day, id and body, each with its rank."""
        booked_us = int(token.update_time.timestamp() * 1_000_000) if token.update_time else 0
        days: dict[str, dict[str, Any]] = {}
        for place, (day, name, body) in enumerate(rows):
            days.setdefault(day, {})[name] = body | {"rank": documents.rank(booked_us, place)}
        for day, entries in days.items():
            named = ["day", *(field_path("entries", name) for name in entries)]
            reference = self._connection.client.document(self._at(f"ledger/{day}"))
            batch.set(reference, {"day": day, "entries": entries}, merge=named)

    def _send(self, build: Callable[[WriteBatch], None], before: Token, commits: tuple[str, ...]) -> Token:
        """Commit what `build` adds to a batch; the state document's token afterwards."""
        for _ in range(SENDS_MAX):
            batch = self._connection.client.batch()
            build(batch)
            try:
                with translated("write"):
                    return Token(self._sent(batch), commits)
            except _Unclear as unclear:
                after = self._look(str(unclear))
            if commits[-1] in after.commits:
                return after
            if after != before:
                raise LeaseLost("state document: changed by another run since it was read; nothing was written")
        raise StoreUnavailable(f"Firestore write: sent {SENDS_MAX} times, not applied so far")

    def _sent(self, batch: WriteBatch) -> datetime:
        try:
            return self._connection.send(batch)
        except (*PRECONDITION, *TRANSIENT) as error:
            raise _Unclear(in_words(error)) from None

    def _look(self, why: str) -> Token:
        """The state document's token now; `StoreUnavailable` says that the write's fate is not known."""
        try:
            return token_of(self._connection.read([self._state], ["commits"]).found.get(self._state))
        except StoreUnavailable as error:
            raise StoreUnavailable(
                f"Firestore write: not known whether it was done ({why}); look-up: {error}"
            ) from error


class _Unclear(Exception):
    """A write that was refused or not answered: only looking says which."""


def expected(token: object) -> Token:
    """The token, where it is one of this store's."""
    if not isinstance(token, Token):
        raise TypeError(f"not a token of this store: {token!r}")
    return token


def token_of(found: Found | None) -> Token:
    """The token of a state document as read."""
    if found is None:
        return Token(None)
    commits = found.document.get("commits")
    return Token(found.update_time, tuple(map(str, commits)) if isinstance(commits, list) else ())


def lease_in(found: Found) -> Lease | None:
    """The lease in a state document; `StateUnreadable` if it is malformed."""
    stored = found.document.get("lease")
    if stored is None:
        return None
    if not isinstance(stored, Mapping):
        raise StateUnreadable(f"state document: lease: {type(stored).__name__} – must be a map")
    return decode(Lease, stored, "state document: lease")


def _filed(entry: Entry) -> tuple[str, str, dict[str, Any]]:
    return entry.slot[:10], entry.id, encode(entry)


def field_path(*parts: str) -> str:
    """A field path with the parts quoted where they need it."""
    quoted: str = FieldPath(*parts).to_api_repr()
    return quoted
