"""The Firestore store as a whole: every document read out, and a whole account written in.

Collections are read a page at a time in the order of their names, which needs no index. What is written goes in batches
that each name the state document's last update, like every other write of the store: a copy that was overtaken by
another writes nothing more. Nothing here is a moment's picture of the account: whoever reads it out must see that the
state document did not change meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from google.cloud.firestore_v1 import DELETE_FIELD
from google.cloud.firestore_v1.batch import WriteBatch
from google.cloud.firestore_v1.document import DocumentReference

from runtime.adapters.firestore import documents
from runtime.adapters.firestore.connection import PAGE
from runtime.adapters.firestore.records import FirestoreRecords
from runtime.adapters.firestore.store import OURS, expected, lease_in, token_of
from runtime.domain import leases
from runtime.domain.archive import Section, Stored
from runtime.domain.documents import decode, encode
from runtime.domain.slots import slot_at
from runtime.domain.state import State, encode_state
from runtime.ports import DailyCache, Held, Lease

_EMPTIED = ("journal", "ledger", "cycles", "cache")


class FirestoreArchive(FirestoreRecords):
    """The same store, which can also be copied whole."""

    def dump(self) -> Iterator[Stored]:
        """Every document, section by section; what is malformed is `StateUnreadable`."""
        paths = [self._state, self._at("control/control"), self._at("cache/daily")]
        found = self._connection.read(paths).found
        if paths[1] in found:
            yield Stored(Section.CONTROL, "control", documents.json_values(found[paths[1]].document))
        for name, fields in self._connection.pages(self._at("cycles")):
            yield Stored(Section.CYCLES, name, _plain(fields))
        for name, fields in self._connection.pages(self._at("journal")):
            yield Stored(Section.JOURNAL, name, _plain(fields), str(fields.get("slot", "")))
        for day, fields in self._connection.pages(self._at("ledger")):
            for name, entry in documents.ranked(fields):
                yield Stored(Section.LEDGER, name, _plain(entry), day)
        for name, fields in self._connection.pages(self._at("audit")):
            yield Stored(Section.AUDIT, name, _plain(fields))
        if paths[2] in found:
            yield Stored(Section.CACHE, "cache", encode(documents.unpack(found[paths[2]].document.get("packed"))))
        if paths[0] in found:
            stored = found[paths[0]].document
            state = {key: value for key, value in stored.items() if key not in OURS}
            yield Stored(Section.STATE, "state", documents.json_values(state))

    def empty(self, owner: str, seconds: int, restoring: str) -> Held:
        """Take the lease, put an empty state marked `restoring` in the place of whatever is there, then remove all else
        but the control; `LeaseLost` while an hour runs.
        """
        reading = self._connection.read([self._state])
        found = reading.found.get(self._state)
        stored: Mapping[str, Any] = found.document if found else {}
        current = lease_in(found) if found else None
        fence = leases.fence_over(current, owner, reading.read_ms, restoring=bool(stored.get("restoring")))
        lease = Lease(owner, reading.read_ms + seconds * 1000, fence, slot_at(reading.read_ms))
        fields = encode_state(State(self._account, restoring=restoring)) | {"lease": encode(lease)}
        gone = {key: DELETE_FIELD for key in stored if key not in fields and key not in OURS}
        held = self._written(Held(lease, token_of(found)), lambda _: None, fields | gone)
        return self._cleared(held)

    def put(self, held: Held, stored: Sequence[Stored]) -> Held:
        """Write documents other than the state as they are, in order; `LeaseLost` if anybody wrote since `held`."""
        token = expected(held.token)

        def add(batch: WriteBatch) -> None:
            for document in stored:
                self._add(batch, document)
            entries = (document for document in stored if document.section is Section.LEDGER)
            self._write_entries(batch, token, ((entry.part, entry.id, dict(entry.body)) for entry in entries))

        return self._written(held, add, {})

    def _written(self, held: Held, add: Callable[[WriteBatch], None], fields: dict[str, Any]) -> Held:
        """One batch: `fields` of the state document, conditional on its last update, and what `add` adds."""
        token = expected(held.token)
        commits = token.next_commits()

        def build(batch: WriteBatch) -> None:
            self._write_state(batch, token, fields | {"commits": list(commits)})
            add(batch)

        return Held(held.lease, self._send(build, token, commits))

    def _cleared(self, held: Held) -> Held:
        for collection in _EMPTIED:
            names: list[str] = []
            for name, _ in self._connection.pages(self._at(collection), fields=()):
                names.append(name)
                if len(names) == PAGE:
                    held, names = self._without(held, collection, names), []
            held = self._without(held, collection, names) if names else held
        return held

    def _without(self, held: Held, collection: str, names: Sequence[str]) -> Held:
        def remove(batch: WriteBatch) -> None:
            for name in names:
                batch.delete(self._reference(f"{collection}/{name}"))

        return self._written(held, remove, {})

    def _add(self, batch: WriteBatch, document: Stored) -> None:
        match document.section:
            case Section.CONTROL:
                batch.set(self._reference("control/control"), dict(document.body))
            case Section.CACHE:
                packed = documents.pack(decode(DailyCache, document.body, "cache"))
                if packed is not None:
                    batch.set(self._reference("cache/daily"), {"packed": packed})
            case Section.AUDIT:
                batch.set(self._reference(f"audit/{document.id}"), dict(document.body))
            case Section.CYCLES:
                batch.set(self._reference(f"cycles/{document.id}"), documents.cycle_document(document.body))
            case Section.JOURNAL:
                batch.set(self._reference(f"journal/{document.id}"), documents.intent_document(document.body))
            case _:
                """Entries of a day share a document."""

    def _reference(self, path: str) -> DocumentReference:
        return self._connection.client.document(self._at(path))


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A document without what only Firestore needs, as JSON values."""
    body: dict[str, Any] = documents.json_values(fields)
    return {key: value for key, value in body.items() if key not in {"expires_at", "rank"}}
