"""The file of the SQLite store: how it is opened and laid out, and what its faults mean.

Every fault of the file (full disk, read-only, corrupt, locked for longer than `BUSY_SECONDS`) is `StoreUnavailable`
with SQLite's own cause, which holds no path.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from runtime.errors import StateUnreadable, StoreUnavailable

BUSY_SECONDS = 5
WRITE_LOCK_BYTE = "120"
"""Where in the `-shm` file SQLite locks for the one writer of WAL mode (its file format says so)."""
_LOCK_FIELDS = ("number:", "POSIX", "ADVISORY", "WRITE", "process", "device:inode", "start", "end")
LAYOUT = 1
"""`user_version` of the file; a newer one is refused."""

_SCHEMA = """
CREATE TABLE account (name TEXT PRIMARY KEY, version INTEGER NOT NULL, state TEXT NOT NULL, lease TEXT);
CREATE TABLE document (account TEXT NOT NULL, kind TEXT NOT NULL, part TEXT NOT NULL, id TEXT NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (account, kind, part, id));
"""


def opened(path: Path) -> sqlite3.Connection:
    """The file, made readable for its owner alone, in WAL mode and in this code's layout."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(
        FileExistsError
    ):  # one that is there is left alone: to close it would drop this process's locks on it
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    with ExitStack() as on_failure:
        on_failure.callback(connection.close)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _lay_out(connection)
        on_failure.pop_all()
    return connection


def _lay_out(connection: sqlite3.Connection) -> None:
    """Create the tables in a new file; `StateUnreadable` for a file of newer code."""
    if _layout(connection) == 0:
        connection.execute("BEGIN IMMEDIATE")
        if _layout(connection) == 0:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {LAYOUT}")
        connection.execute("COMMIT")
    if _layout(connection) > LAYOUT:
        raise StateUnreadable(
            f"local store: layout {_layout(connection)} – is newer than this code ({LAYOUT}): update it"
        )


def _layout(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's and the file system's errors as `StoreUnavailable`, without paths."""
    try:
        yield
    except sqlite3.Error as error:
        busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        raise StoreUnavailable(f"local store: {error}{_who_writes(path) if busy else ''}") from error
    except OSError as error:
        raise StoreUnavailable(f"local store: {error.strerror or type(error).__name__}") from None


def _who_writes(path: Path) -> str:
    """Whose write did not end within `BUSY_SECONDS`, as far as the system tells, and what to do about it."""
    writer = _writer(path)
    who = f"process {writer}" if writer else f"another process (`fuser -v {path.name}` names it)"
    number = writer or "NUMBER"
    return (
        f" – {who} has been in the middle of a write for more than {BUSY_SECONDS} s: let it go on (kill -CONT {number})"
        f" or end it (kill -KILL {number}); what it did not commit is undone, and the next hour settles the rest"
    )


def _writer(path: Path) -> str:
    """The process that holds SQLite's write lock (Linux names it in /proc/locks); empty where nobody says.

    Asked of the system and not of the file: to open and close a file that SQLite has open would drop its locks.
    """
    try:
        inode = f":{Path(f'{path}-shm').stat().st_ino}"
        locks = [line.split() for line in Path("/proc/locks").read_text(encoding="ascii").splitlines()]
    except OSError:
        return ""
    held = (lock for lock in locks if len(lock) == len(_LOCK_FIELDS) and lock[5].endswith(inode))
    return next((lock[4] for lock in held if lock[3] == "WRITE" and lock[6] == WRITE_LOCK_BYTE), "")
