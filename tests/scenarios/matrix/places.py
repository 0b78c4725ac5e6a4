"""Where a case keeps its account: a SQLite file, or a project of its own on the Firestore emulator."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from runtime.adapters.firestore import Connection, FirestoreStore
from runtime.adapters.sqlite import SqliteStore
from tests.scenarios.matrix.cases import Place, PlaceOf
from tests.scenarios.matrix.rig import CLOCK

_MEMORY_DISK = Path("/dev/shm")  # a real file of a real SQLite; only its disk is quick


@contextmanager
def sqlite_place(kind: str) -> Iterator[Place]:
    """A new file; each process opens it for itself. The store's clock is the machine's, which is the simulated one."""
    if kind != "sqlite":
        raise ValueError(f"a store of kind {kind!r} needs the emulator")
    folder = Path(tempfile.mkdtemp(prefix="matrix-", dir=_MEMORY_DISK if _MEMORY_DISK.is_dir() else None))
    try:
        yield Place(lambda: SqliteStore(folder / "state.sqlite", CLOCK))
    finally:
        shutil.rmtree(folder)


def places(emulator: str) -> PlaceOf:
    """Places of both kinds; `emulator` is the `host:port` of Firestore's."""

    @contextmanager
    def firestore_place() -> Iterator[Place]:
        project = f"m-{token_hex(8)}"

        def expire() -> None:
            """The lease ends by Firestore's own clock, which does not follow the simulated one: end it by hand."""
            connection = Connection(project, emulator_host=emulator)
            document = connection.client.document("strategy/MULTI_ASSET_STATE")
            if document.get(timeout=5, retry=None).exists:
                document.update({"lease.expires_ms": 0}, timeout=5, retry=None)
            connection.close()

        yield Place(lambda: FirestoreStore(Connection(project, emulator_host=emulator)), expire)

    return lambda kind: firestore_place() if kind == "firestore" else sqlite_place(kind)
