"""The upstream's pool document: the first rung of the ladder, one read.

Whatever goes wrong here degrades the pool and nothing else, so every failure is `Unavailable`, also a missing
permission: its text says what to mend.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.adapters.firestore.connection import Connection
from runtime.adapters.firestore.documents import json_values
from runtime.domain.pool import Rung
from runtime.errors import StoreError, Unavailable


class FirestorePoolSource:
    """The document `collection`/`document`, read through a shared connection."""

    rung = Rung.FRESH_UPSTREAM

    def __init__(self, connection: Connection, collection: str, document: str) -> None:
        """Nothing is read yet; `where` names the document in reports."""
        self._connection = connection
        self.where = f"{collection}/{document}"

    def read(self) -> Mapping[str, Any]:
        try:
            reading = self._connection.read([self.where])
        except StoreError as error:
            raise Unavailable(self.where, str(error)) from error
        found = reading.found.get(self.where)
        if found is None:
            raise Unavailable(self.where, "there is no such document")
        document: Mapping[str, Any] = json_values(found.document)
        return document
