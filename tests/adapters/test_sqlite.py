"""The SQLite store beyond the contract: the file, its faults, and processes that die while they write."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.sqlite import BUSY_SECONDS, LAYOUT, SqliteStore
from runtime.domain.control import Control, Mode
from runtime.errors import LeaseLost, StateUnreadable, StoreUnavailable
from runtime.ports import Changes, DailyCache, Held
from tests.support.sources import ROOT
from tests.support.stores import DAY, LONG, NOW_MS, SLOT, entry, everything, state, take


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "state.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path, SimulatedClock(NOW_MS))
    yield opened
    opened.close()


def raw(path: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    """A statement by somebody else's hand."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


@contextmanager
def stopped_writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that stands still in the middle of a write to the file, ended at the end of the block."""
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('BEGIN IMMEDIATE'); c.execute('DELETE FROM account'); print('in', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "in\n"
        writer.send_signal(signal.SIGSTOP)
        try:
            yield writer
        finally:
            writer.kill()


class TestFile:
    def test_nothing_is_made_before_first_use(self, path: Path, store: SqliteStore) -> None:
        assert not path.parent.exists()
        store.load()
        assert path.exists()

    def test_only_its_owner_may_read_it_and_its_folder(self, path: Path, store: SqliteStore) -> None:
        held = take(store)
        store.commit(held, Changes(state()))
        modes = {found.name: found.stat().st_mode & 0o777 for found in path.parent.iterdir()}
        assert modes
        assert set(modes.values()) == {0o600}
        assert path.parent.stat().st_mode & 0o777 == 0o700

    def test_what_a_commit_reported_is_on_the_disk(self, path: Path, store: SqliteStore) -> None:
        store.load()
        assert store._connection().execute("PRAGMA synchronous").fetchone() == (2,)
        assert raw(path, "PRAGMA journal_mode") == [("wal",)]

    def test_it_can_be_used_again_after_it_was_closed(self, store: SqliteStore) -> None:
        held = take(store)
        store.close()
        store.close()
        store.commit(held, Changes(state()))
        assert store.load().state == state()

    def test_a_file_of_newer_code_is_refused_and_left_alone(self, path: Path, store: SqliteStore) -> None:
        take(store)
        store.close()
        raw(path, f"PRAGMA user_version = {LAYOUT + 1}")
        with pytest.raises(StateUnreadable, match="update"):
            store.load()
        assert raw(path, "PRAGMA user_version") == [(LAYOUT + 1,)]

    def test_accounts_share_a_file_without_seeing_each_other(self, path: Path, store: SqliteStore) -> None:
        store.commit(take(store), everything())
        with closing(SqliteStore(path, SimulatedClock(NOW_MS), "second")) as second:
            assert second.load().state is None
            assert list(second.entries(DAY)) == []
            take(second)
            store.set_control(Control(Mode.HALT))
            assert second.control() == Control()


class TestFaults:
    def test_a_file_that_is_no_database_is_unavailable_with_the_cause(self, path: Path, store: SqliteStore) -> None:
        path.parent.mkdir()
        path.write_bytes(b"not a database, but long enough to look at" * 100)
        with pytest.raises(StoreUnavailable, match="not a database") as caught:
            store.load()
        assert str(path) not in str(caught.value)

    def test_a_damaged_page_is_unavailable(self, path: Path, store: SqliteStore) -> None:
        store.commit(take(store), everything())
        store.close()
        content = bytearray(path.read_bytes())
        content[4096 : 4096 * 3] = b"\xff" * (4096 * 2)
        path.write_bytes(bytes(content))
        with pytest.raises(StoreUnavailable, match="malformed"):
            store.load()

    def test_a_folder_that_cannot_be_made_is_unavailable_without_its_path(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(StoreUnavailable, match="local store: ") as caught:
            SqliteStore(tmp_path / "file" / "state.sqlite", SimulatedClock(NOW_MS)).load()
        assert str(tmp_path) not in str(caught.value)

    def test_a_full_disk_refuses_the_commit_whole_and_the_old_document_stays(self, store: SqliteStore) -> None:
        held = store.commit(take(store), Changes(state(slot_done="before")))
        connection = store._connection()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        entries = tuple(entry(f"e-{number}") for number in range(500))
        with pytest.raises(StoreUnavailable, match="full"):
            store.commit(held, Changes(state(slot_done="after"), entries=entries))
        assert store.load().state == state(slot_done="before")
        assert list(store.entries(DAY)) == []
        connection.execute("PRAGMA max_page_count = 100000")
        store.commit(held, Changes(state(slot_done="after"), entries=entries))
        assert len(store.entries(DAY)) == 500

    def test_a_read_only_database_is_unavailable(self, store: SqliteStore) -> None:
        held = take(store)
        store._connection().execute("PRAGMA query_only = ON")
        with pytest.raises(StoreUnavailable, match="readonly"):
            store.commit(held, Changes(state()))
        with pytest.raises(StoreUnavailable, match="readonly"):
            store.probe()

    def test_a_database_locked_by_another_is_unavailable_and_nothing_is_written(
        self, path: Path, store: SqliteStore
    ) -> None:
        held = take(store)
        store._connection().execute("PRAGMA busy_timeout = 50")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked"):
                store.commit(held, everything())
            assert store.load().token == held.token
            other.execute("ROLLBACK")
        store.commit(held, everything())

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux names the holder of a lock")
    def test_a_writer_that_was_stopped_is_named_with_what_to_do(self, path: Path, store: SqliteStore) -> None:
        """It keeps everybody out until it is woken or ended; then nothing of its write is left."""
        held = take(store)
        store._connection().execute("PRAGMA busy_timeout = 50")
        with stopped_writer(path) as writer:
            with pytest.raises(StoreUnavailable) as caught:
                store.commit(held, everything())
            text = str(caught.value)
            assert "database is locked" in text
            assert f"process {writer.pid} has been in the middle of a write" in text
            assert f"kill -CONT {writer.pid}" in text
            assert f"kill -KILL {writer.pid}" in text
            assert str(path.parent) not in text
            assert store.load().token == held.token, "reading goes on meanwhile"
        store.commit(held, everything())

    def test_a_lock_is_waited_for_a_few_seconds_at_most(self, store: SqliteStore) -> None:
        take(store)
        assert store._connection().execute("PRAGMA busy_timeout").fetchone() == (1000 * BUSY_SECONDS,)
        assert BUSY_SECONDS <= 5

    @pytest.mark.slow
    def test_where_nobody_names_the_writer_the_text_says_how_to_find_it_within_seconds(
        self, path: Path, store: SqliteStore
    ) -> None:
        """A file locked as a whole has no `-shm` file beside it, in which the writer's own lock would stand."""
        held = take(store)
        store.close()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match=r"fuser -v state\.sqlite"):
                store.commit(held, everything())
            assert time.monotonic() - began < BUSY_SECONDS + 2

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"'])
    def test_a_state_that_is_no_object_is_unreadable(self, path: Path, store: SqliteStore, text: str) -> None:
        take(store)
        raw(path, "UPDATE account SET state = ?", text)
        with pytest.raises(StateUnreadable, match="state document"):
            store.load()

    @pytest.mark.parametrize("text", ["{", "[]", '{"owner": "x"}'])
    def test_a_malformed_lease_is_no_free_lease(self, path: Path, store: SqliteStore, text: str) -> None:
        held = take(store)
        raw(path, "UPDATE account SET lease = ?", text)
        with pytest.raises(StateUnreadable, match="lease"):
            store.load()
        with pytest.raises(StateUnreadable, match="lease"):
            store.check(held)

    @pytest.mark.parametrize("text", ["{", "[]", "{}", '{"mode": "stop"}', '{"Mode": "halt"}'])
    def test_a_control_that_cannot_be_understood_is_halt(self, path: Path, store: SqliteStore, text: str) -> None:
        held = take(store)
        store.set_control(Control())
        raw(path, "UPDATE document SET body = ? WHERE kind = 'control'", text)
        for control in (store.control(), store.check(held)):
            assert (control.mode, control.unreadable) == (Mode.HALT, True)

    def test_a_cache_that_cannot_be_read_is_empty(self, path: Path, store: SqliteStore) -> None:
        store.commit(take(store), everything())
        raw(path, "UPDATE document SET body = '{' WHERE kind = 'cache'")
        assert store.cache() == DailyCache()


class TestConcurrency:
    def test_one_store_serves_many_threads(self, store: SqliteStore) -> None:
        take(store, seconds=0)
        start = threading.Barrier(16)

        def race(index: int) -> Held | LeaseLost:
            loaded = store.load()
            start.wait()
            try:
                return store.take_lease(loaded, f"run-{index}", SLOT, LONG)
            except LeaseLost as error:
                return error

        with ThreadPoolExecutor(16) as pool:
            results = list(pool.map(race, range(16)))
        assert sum(isinstance(result, Held) for result in results) == 1

    def test_processes_that_make_the_file_at_the_same_moment_agree_on_one_lease(self, path: Path) -> None:
        script = (
            "import sys; from pathlib import Path; from runtime.adapters.sqlite import SqliteStore\n"
            "from runtime.adapters.clock import SystemClock; from runtime.errors import LeaseLost\n"
            "store = SqliteStore(Path(sys.argv[1]), SystemClock()); sys.stdin.read()\n"
            "try: store.take_lease(store.load(), sys.argv[2], '2026-11-21T09Z', 420); print('won')\n"
            "except LeaseLost: print('lost')\n"
        )
        runs = [
            subprocess.Popen(
                [sys.executable, "-c", script, str(path), f"run-{number}"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True,
            )
            for number in range(4)
        ]  # fmt: skip
        for run in runs:
            assert run.stdin is not None
            run.stdin.close()
            run.stdin = None
        said = [run.communicate(timeout=60)[0].strip() for run in runs]
        assert sorted(said) == ["lost", "lost", "lost", "won"]


# Commits as fast as it can; every commit replaces the state and books one entry whose id is the state's mark.
WRITER = """
import sys
from pathlib import Path
from runtime.adapters.clock import SystemClock
from runtime.adapters.sqlite import SqliteStore
from runtime.domain.ledger import Book, Entry, transfer
from runtime.domain.state import State
from runtime.ports import Changes
from decimal import Decimal
MOVE = transfer(Book.TRADING, Book.SPOT, "X", Decimal(1))
store = SqliteStore(Path(sys.argv[1]), SystemClock())
loaded = store.load()
held = store.take_lease(loaded, sys.argv[2], "2026-11-21T09Z", 0)
number = int(loaded.state.slot_done or 0) if loaded.state else 0
while True:
    number += 1
    entry = Entry(str(number), "2026-11-21T09Z", 0, "fill", MOVE, "p" * 9000)
    held = store.commit(held, Changes(State("main", slot_done=str(number)), entries=(entry,)))
    print(number, flush=True)
"""


@pytest.mark.slow
def test_a_process_killed_while_it_commits_leaves_the_document_whole(path: Path) -> None:
    """Killed at a different point each time: every commit it reported is there, and state and ledger agree."""
    for round_number in range(6):
        run = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), f"run-{round_number}"],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        assert run.stdout is not None
        reported = [int(run.stdout.readline()) for _ in range(3 + 7 * round_number)]
        os.kill(run.pid, signal.SIGKILL)
        reported += [int(line) for line in run.stdout.read().split()]
        run.stdout.close()
        run.wait()
        with closing(SqliteStore(path, SimulatedClock(NOW_MS))) as store:
            loaded, booked = store.load(), store.entries(DAY)
        assert loaded.state is not None
        last = int(loaded.state.slot_done)
        assert last in {reported[-1], reported[-1] + 1}
        assert [e.id for e in booked] == [str(number) for number in range(1, last + 1)]
        assert raw(path, "PRAGMA integrity_check") == [("ok",)]


def test_the_state_is_stored_as_canonical_text(path: Path, store: SqliteStore) -> None:
    store.commit(take(store), Changes(state()))
    (text,) = raw(path, "SELECT state FROM account")[0]
    assert isinstance(text, str)
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert '"cost":"475"' in text
