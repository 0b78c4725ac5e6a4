"""The Firestore store's records: the audit log and the inbox.

Inbox and control are two documents that are read at one moment; a write of them names when each was last updated, so
of several that read the same messages exactly one obeys them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.api_core import exceptions as api
from google.cloud.firestore_v1.base_query import BaseQuery, FieldFilter
from google.cloud.firestore_v1.batch import WriteBatch
from google.cloud.firestore_v1.query import Query

from runtime.adapters.firestore import documents
from runtime.adapters.firestore.connection import Found
from runtime.adapters.firestore.errors import PRECONDITION, translated
from runtime.adapters.firestore.store import FirestoreStore
from runtime.domain.audit import Event
from runtime.domain.control import Control
from runtime.domain.documents import decode, encode
from runtime.domain.inbox import Inbox
from runtime.errors import LeaseLost, StateUnreadable, StoreUnavailable
from runtime.ports import Mail

INBOX, CONTROL = "inbox/inbox", "control/control"


@dataclass(frozen=True, slots=True)
class Seen:
    """When inbox and control were last written; None = there is none."""

    inbox: datetime | None
    control: datetime | None


class FirestoreRecords(FirestoreStore):
    """The same store, with what it keeps beside the hours."""

    def audit(self, limit: int, before: str = "") -> Sequence[Event]:
        def narrow(query: Query) -> Query:
            older = query.where(filter=FieldFilter("id", "<", before)) if before else query
            return older.order_by("id", direction=BaseQuery.DESCENDING).limit(limit)

        rows = self._connection.query(self._at("audit"), narrow)
        return [decode(Event, documents.json_values(row), "audit") for row in rows]

    def record(self, events: Sequence[Event]) -> None:
        batch = self._connection.client.batch()
        self._add_events(batch, events)
        with translated("write audit"):
            self._connection.send(batch)

    def mail(self) -> Mail:
        reading = self._connection.read([self._at(INBOX), self._at(CONTROL)])
        inbox, control = (reading.found.get(self._at(path)) for path in (INBOX, CONTROL))
        seen = Seen(inbox.update_time if inbox else None, control.update_time if control else None)
        return Mail(_inbox_in(inbox), self._control_in(reading), seen, reading.read_ms)

    def obey(self, mail: Mail, inbox: Inbox, control: Control | None, events: Sequence[Event]) -> Mail:
        seen = mail.token
        if not isinstance(seen, Seen):
            raise TypeError(f"not a token of this store: {seen!r}")
        batch = self._connection.client.batch()
        self._replace(batch, INBOX, encode(inbox), seen.inbox)
        if control is not None:
            self._replace(batch, CONTROL, encode(control), seen.control)
        self._add_events(batch, events)
        with translated("write inbox"):
            try:
                updated = self._connection.send(batch)
            except api.Aborted:
                raise StoreUnavailable("Firestore write inbox: aborted; it is read again by the next run") from None
            except PRECONDITION:
                raise LeaseLost("inbox: changed by another run since it was read; nothing was written") from None
        after = Seen(updated, updated if control is not None else seen.control)
        return Mail(inbox, control or mail.control, after, mail.read_ms)

    def _replace(self, batch: WriteBatch, path: str, document: dict[str, object], seen: datetime | None) -> None:
        reference = self._connection.client.document(self._at(path))
        if seen is None:
            batch.create(reference, document)
        else:
            unchanged = self._connection.client.write_option(last_update_time=seen)
            batch.update(reference, document, option=unchanged)


def _inbox_in(found: Found | None) -> Inbox:
    try:
        return decode(Inbox, documents.json_values(found.document), "inbox") if found else Inbox()
    except StateUnreadable:
        return Inbox()
