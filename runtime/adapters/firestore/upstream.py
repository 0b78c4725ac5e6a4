"""The upstream's pool document: the first rung of the ladder, one read; and its publisher's one conditional write.

Whatever goes wrong here degrades the pool and nothing else, so every failure is `Unavailable`, also a missing
permission: its text says what to mend.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from google.cloud.firestore_v1 import DELETE_FIELD

from runtime.adapters.firestore.connection import Connection
from runtime.adapters.firestore.documents import json_values
from runtime.adapters.firestore.errors import PRECONDITION, translated
from runtime.adapters.firestore.store import field_path
from runtime.domain.pool import Rung
from runtime.errors import StoreError, Unavailable


class FirestorePoolSource:
    """The document `collection`/`document`, read through a shared connection."""

    rung = Rung.FRESH_UPSTREAM

    def __init__(self, connection: Connection, collection: str, document: str) -> None:
        """Nothing is read yet; `where` names the document in reports."""
        self._connection = connection
        self.where = f"{collection}/{document}"
        self._seen: tuple[datetime | None, frozenset[str]] = None, frozenset()

    def read(self) -> Mapping[str, Any]:
        try:
            reading = self._connection.read([self.where])
        except StoreError as error:
            raise Unavailable(self.where, str(error)) from error
        found = reading.found.get(self.where)
        if found is None:
            raise Unavailable(self.where, "there is no such document")
        self._seen = found.update_time, frozenset(found.document)
        document: Mapping[str, Any] = json_values(found.document)
        return document

    def publish(self, payload: Mapping[str, Any]) -> str:
        """Replace the document as it was last read, in one write; `Unavailable` if somebody else wrote meanwhile."""
        updated, names = self._seen
        client = self._connection.client
        batch, reference = client.batch(), client.document(self.where)
        if updated is None:
            batch.create(reference, dict(payload))
        else:
            fields = {field_path(name): value for name, value in payload.items()}
            fields |= {field_path(name): DELETE_FIELD for name in names - payload.keys()}
            batch.update(reference, fields, option=client.write_option(last_update_time=updated))
        try:
            with translated("publish"):
                try:
                    self._connection.send(batch)
                except PRECONDITION:
                    raise Unavailable(self.where, "somebody else changed it meanwhile: look again") from None
        except StoreError as error:
            raise Unavailable(self.where, str(error)) from error
        return self.where
