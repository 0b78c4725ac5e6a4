"""Firestore: the state store that outlives every runner, and the upstream's pool document.

    connection   one client for all of it: credentials, deadlines, how often a read is tried again
    identity     which kind of credentials signs in, without any secret
    store        the Store port
    archive      the store as a whole: read out, written in
    upstream     the PoolSource port over the upstream's document
    documents    what is stored, as Firestore values and back
    errors       Google's errors in our words

Importing this package costs about a second, most of it Google's client: only the wiring of a mode that needs it does.
"""

from runtime.adapters.firestore.archive import FirestoreArchive
from runtime.adapters.firestore.connection import Connection, Deadlines
from runtime.adapters.firestore.store import FirestoreStore
from runtime.adapters.firestore.upstream import FirestorePoolSource

__all__ = ["Connection", "Deadlines", "FirestoreArchive", "FirestorePoolSource", "FirestoreStore"]
