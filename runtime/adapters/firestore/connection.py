"""Connection: one Firestore client, made at first use, with deadlines that hold.

The worked problem: `ref.get(timeout=3)` against a dead host blocks for 295 seconds, because `timeout` bounds one
attempt and the client's own retry goes on for five minutes. So every call here names both: an attempt may take
`ATTEMPT_SECONDS`, a read with all its attempts `READ_SECONDS` (plus the attempt under way). A write is sent once: what
a lost answer means is for the store to find out.

Whether this is an emulator is said by the settings alone. Google's client would also follow `FIRESTORE_EMULATOR_HOST`,
and a live run would write to nowhere; that is refused before any call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import google.auth
import grpc  # type: ignore[import-untyped]
from google.api_core import exceptions as api
from google.api_core.retry import Retry, if_exception_type
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.transport.requests import Request
from google.cloud import firestore
from google.cloud.firestore_v1.query import Query

from runtime.adapters.firestore.errors import leaked, sensible_credentials, translated
from runtime.adapters.firestore.identity import identity_of
from runtime.errors import EngineError
from runtime.ports import Identity

ATTEMPT_SECONDS = 5.0
READ_SECONDS = 6.0
CLOSE_SECONDS = 0.5
PAGE = 100
"""Documents read at a time where all of a collection are asked for: a ledger day may have a megabyte."""

_AGAIN = if_exception_type(
    api.DeadlineExceeded, api.InternalServerError, api.ServiceUnavailable, api.ResourceExhausted, api.Aborted
)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that one attempt may take, and after which no read is tried again."""

    attempt_s: float = ATTEMPT_SECONDS
    read_s: float = READ_SECONDS


@dataclass(frozen=True, slots=True)
class Found:
    """A document as read, in Firestore's own types, and the time of its last change (server)."""

    document: Mapping[str, Any]
    update_time: datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """One read: the server's clock (epoch ms) and what exists, by path."""

    read_ms: int
    found: Mapping[str, Found]


class Connection:
    """A client for one database, shared by the store and the pool source. Threads may share it."""

    def __init__(
        self,
        project: str,
        database: str = "(default)",
        emulator_host: str | None = None,
        deadlines: Deadlines | None = None,
    ) -> None:
        """Nothing is opened yet. With `emulator_host` (host:port) no credentials are looked for or sent."""
        self._project, self._database, self._emulator_host = project, database, emulator_host
        given = deadlines or Deadlines()
        self._attempt_s = given.attempt_s
        self._again = Retry(predicate=_AGAIN, initial=0.2, maximum=1.0, timeout=given.read_s)
        self._lock = threading.Lock()
        self._client: _Client | None = None
        self._identity = Identity("", "", "")

    @property
    def client(self) -> firestore.Client:
        """The client; `StoreMisconfigured` without usable credentials."""
        with self._lock:
            if self._client is None:
                with translated("sign-in"):
                    self._client = self._sign_in()
            return self._client

    def identity(self) -> Identity:
        """Who signs in; `StoreMisconfigured` without usable credentials. Nothing of it is secret."""
        self.client  # noqa: B018 - signs in
        return self._identity

    def dial(self) -> None:
        """Sign in and open the channel in the background, while the caller has other things to do.

        Nothing is told from here: what fails is tried again, and told, by the first call that needs it.
        """
        threading.Thread(target=self._dialled, name="firestore-dial", daemon=True).start()

    def _dialled(self) -> None:
        with suppress(EngineError):
            # The library opens its channel only with the first call.
            service = self.client._firestore_api  # noqa: SLF001
            channel = service.transport.grpc_channel

            def told(state: grpc.ChannelConnectivity) -> None:
                # Whoever goes on listening has a thread of the library's that may stumble over the channel's end.
                if state is grpc.ChannelConnectivity.READY:
                    channel.unsubscribe(told)

            channel.subscribe(told, try_to_connect=True)

    def read(self, paths: Sequence[str], fields: Sequence[str] | None = None) -> Reading:
        """The documents at `paths` (only `fields` of them, if given) in one call, seen at one moment."""
        references = [self.client.document(path) for path in paths]
        with translated("read"):
            snapshots = list(self.client.get_all(references, fields, retry=self._again, timeout=self._attempt_s))
        return Reading(
            min(epoch_ms(snapshot.read_time) for snapshot in snapshots),
            {
                snapshot.reference.path: Found(snapshot.to_dict() or {}, snapshot.update_time)
                for snapshot in snapshots
                if snapshot.exists
            },
        )

    def query(self, path: str, narrow: Callable[[Query], Query]) -> list[Mapping[str, Any]]:
        """The documents of the collection at `path` that `narrow` selects."""
        with translated("query"):
            query = narrow(Query(self.client.collection(path)))
            return [found.to_dict() or {} for found in query.stream(retry=self._again, timeout=self._attempt_s)]

    def pages(self, path: str, fields: Sequence[str] | None = None) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every document of the collection at `path` by its id (only `fields` of it, if given), in the order of ids.

        `PAGE` documents are read at a time, so a collection of any size needs little memory.
        """
        ordered = Query(self.client.collection(path)).order_by("__name__").limit(PAGE)
        query = narrowed = ordered if fields is None else ordered.select(fields)
        while True:
            with translated("query"):
                page = list(query.stream(retry=self._again, timeout=self._attempt_s))
            yield from ((found.id, found.to_dict() or {}) for found in page)
            if len(page) < PAGE:
                return
            query = narrowed.start_after(page[-1])

    def send(self, batch: firestore.WriteBatch) -> datetime:
        """Commit `batch` once; the update time of its first document. Google's own errors pass untouched."""
        update_time: datetime = batch.commit(retry=None, timeout=self._attempt_s)[0].update_time
        return update_time

    def close(self) -> None:
        """Give back the channel; a later call opens a new one. A sign-in that hangs is not waited for."""
        if not self._lock.acquire(timeout=CLOSE_SECONDS):
            return
        try:
            if self._client is not None:
                self._client.hang_up()
                self._client = None
        finally:
            self._lock.release()

    def _sign_in(self) -> _Client:
        credentials: Credentials
        project: str | None = None
        if self._emulator_host is not None:
            credentials = AnonymousCredentials()  # type: ignore[no-untyped-call] # google-auth types only part of itself
        else:
            with sensible_credentials():
                credentials, project = google.auth.default(scopes=firestore.Client.SCOPE)
                # Refreshed here, because inside a call gRPC reports refused credentials as an outage.
                credentials.refresh(partial(Request(), timeout=self._attempt_s))  # type: ignore[no-untyped-call] # the same
        self._identity = identity_of(credentials, project or "")
        return _Client(self._project, self._database, credentials, self._emulator_host)


class _Client(firestore.Client):
    """Google's client, whose host is what the settings say, whatever the environment holds."""

    def __init__(self, project: str, database: str, credentials: Credentials, emulator_host: str | None) -> None:
        super().__init__(project=project, database=database, credentials=credentials)
        if emulator_host is None and self._emulator_host is not None:
            raise leaked()
        self._emulator_host = emulator_host

    def hang_up(self) -> None:
        """Close the channel, if one was opened."""
        if self._firestore_api_internal is not None:
            self._firestore_api_internal.transport.close()


def epoch_ms(moment: datetime) -> int:
    """Epoch ms of a server time."""
    return int(moment.timestamp() * 1000)
