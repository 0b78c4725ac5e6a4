"""Backup, restore and move: exact copies, nothing lost by a command that may be cut anywhere, nothing overwritten that
was not named, and never two stores that are both alive.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from runtime.adapters.archive_file import ArchiveFile
from runtime.adapters.clock import SimulatedClock
from runtime.adapters.memory import MemoryStore
from runtime.adapters.sqlite import SqliteStore
from runtime.backup import BATCH_DOCUMENTS, RENEWED_AFTER, Archive, Target, back_up, move, restore
from runtime.domain.archive import Reader, Section, Stored, line_of
from runtime.domain.control import Control, Mode
from runtime.domain.documents import encode
from runtime.domain.state import decode_state, encode_state, refuse_unusable
from runtime.errors import Abort, BadInput, BadPayload, EngineError, LeaseLost, SettingsError, StateUnreadable
from runtime.ports import Changes
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.hours import Killed
from tests.support.store_accounts import FIRESTORE, accounts
from tests.support.stores import NOW_MS, SLOT, Account, cache, cycle, entry, intent, sqlite_account, state, take

HERE, THERE = "ENGINE_STORE=sqlite ENGINE_DATA_DIR=/here", "ENGINE_STORE=firestore GOOGLE_CLOUD_PROJECT=there"
LATER = "2026-11-21T10Z"


@pytest.fixture(params=["sqlite", FIRESTORE])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fresh(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], Account]]:
    with accounts(kind, tmp_path, request) as make:
        yield make


@pytest.fixture
def source(fresh: Callable[[], Account]) -> Account:
    """An account that has lived for some hours."""
    account = fresh()
    lived(account.open())
    return account


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "backup.jsonl.gz"


@pytest.fixture
def file(source: Account, place: Path) -> ArchiveFile:
    """Its backup."""
    back_up(source.open(), ArchiveFile(place), "main", cache=True)
    return ArchiveFile(place)


def lived(store: Archive, hours: int = 3, slot_done: str = SLOT, mode: Mode | None = None) -> None:
    """Give a store what some hours leave behind."""
    held = take(store)
    for number in range(hours):
        slot = f"2026-11-21T{number:02}Z"
        names = [f"{number}-{n}" for n in range(3)]
        changes = Changes(
            state(slot_done=slot),
            tuple(intent(name, slot=slot) for name in names),
            tuple(entry(f"e:{name}", slot=slot) for name in names[::-1]),
            cycle(slot),
            cache(),
        )
        held = store.commit(held, changes)
    store.commit(held, Changes(state(slot_done=slot_done), release=True))
    if mode is not None:
        store.set_control(Control(mode, "me", 1, "why"))


def lines(store: Archive) -> list[str]:
    return [line_of(document) for document in store.dump()]


def to(store: Archive, force: str = "", account: str = "main", owner: str = "operator") -> Target:
    return Target(store, account, owner, force)


class TestCopies:
    def test_a_restored_account_is_the_one_that_was_backed_up(
        self, source: Account, file: ArchiveFile, fresh: Callable[[], Account]
    ) -> None:
        target = fresh()
        copied = restore(file, to(target.open()))
        assert lines(target.open()) == lines(source.open())
        assert dict(copied.documents) == {
            "control": 0, "cycles": 3, "journal": 9, "ledger": 9, "audit": 0, "cache": 1, "state": 1
        }  # fmt: skip
        assert copied.slot_done == SLOT
        assert target.open().load().state == source.open().load().state
        assert take(target.open(), "the next hour").lease.owner == "the next hour"

    def test_without_being_asked_for_the_cache_stays_behind(self, source: Account, place: Path) -> None:
        assert back_up(source.open(), ArchiveFile(place), "main").documents["cache"] == 0
        assert Section.CACHE not in {d.section for d in Reader(ArchiveFile(place).lines()).documents()}

    def test_a_backup_changes_nothing_and_takes_no_lease(self, source: Account, place: Path) -> None:
        before = source.open().load()
        back_up(source.open(), ArchiveFile(place), "main")
        after = source.open().load()
        assert (after.token, after.lease) == (before.token, before.lease)

    @pytest.mark.emulator
    def test_from_sqlite_to_firestore_and_back_not_a_byte_is_different(
        self, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        first = sqlite_account(tmp_path / "first.sqlite")
        lived(first.open(), mode=Mode.REDUCE_ONLY)
        back_up(first.open(), ArchiveFile(tmp_path / "before.gz"), "main", cache=True)
        with accounts("firestore", tmp_path, request) as make:
            cloud = make()
            move(first.open(), to(cloud.open()), HERE, THERE)
            assert lines(cloud.open())[-1] != lines(first.open())[-1]
            move(cloud.open(), to(first.open()), THERE, HERE)
            back_up(first.open(), ArchiveFile(tmp_path / "after.gz"), "main", cache=True)
            assert (tmp_path / "after.gz").read_bytes() == (tmp_path / "before.gz").read_bytes()
            with pytest.raises(SettingsError, match="/here"):
                back_up(cloud.open(), ArchiveFile(tmp_path / "never.gz"), "main")

    def test_a_state_of_an_older_schema_is_lifted_when_it_is_restored(
        self, file: ArchiveFile, fresh: Callable[[], Account], tmp_path: Path
    ) -> None:
        """What is in the file is what a store held; the migrations are those of any load."""
        documents = list(Reader(file.lines()).documents())
        without = {key: value for key, value in documents[-1].body.items() if key not in {"moved_to", "restoring"}}
        older = remade(tmp_path / "older", [*documents[:-1], replace(documents[-1], body=without)])
        target = fresh()
        restore(older, to(target.open()))
        assert target.open().load().state == decode_state(without)

    def test_an_archive_of_a_newer_schema_is_refused(
        self, file: ArchiveFile, fresh: Callable[[], Account], tmp_path: Path
    ) -> None:
        documents = list(Reader(file.lines()).documents())
        body = {**documents[-1].body, "schema_version": 999}
        newer = remade(tmp_path / "newer", [*documents[:-1], replace(documents[-1], body=body)])
        target = fresh().open()
        with pytest.raises(StateUnreadable, match="newer than this code"):
            restore(newer, to(target))
        assert target.load().state is None

    @pytest.mark.slow
    def test_more_than_one_write_holds_is_copied_and_the_lease_renewed(
        self, fresh: Callable[[], Account], tmp_path: Path
    ) -> None:
        big, target = MemoryStore(SimulatedClock(NOW_MS), copy=True), fresh()
        many = BATCH_DOCUMENTS * (RENEWED_AFTER + 1) + 7
        entries = tuple(entry(f"{n:05}", slot=f"2026-11-{1 + n // 200:02}T09Z") for n in range(many))
        big.commit(take(big), Changes(state(slot_done=SLOT), entries=entries, release=True))
        back_up(big, ArchiveFile(tmp_path / "big.gz"), "main")
        restore(ArchiveFile(tmp_path / "big.gz"), to(target.open()))
        assert lines(target.open()) == lines(big)
        lease = target.open().load().lease
        assert lease is not None
        assert lease.fence == 2


def remade(path: Path, documents: Sequence[Stored]) -> ArchiveFile:
    """A whole archive of other documents, by way of a store that knows nothing of them."""

    @dataclass
    class Shelf(MemoryStore):
        def __init__(self) -> None:
            super().__init__(SimulatedClock(NOW_MS))
            take(self, seconds=0)
            self.commit(take(self), Changes(state(slot_done=SLOT), release=True))

        def dump(self) -> Iterator[Stored]:
            yield from documents

    back_up(Shelf(), ArchiveFile(path), "main", cache=True)
    return ArchiveFile(path)


class Endless(MemoryStore):
    """A store of so many entries, which are made while they are read."""

    size = 0

    def dump(self) -> Iterator[Stored]:
        for number in range(self.size):
            slot = f"2026-11-{1 + number // 400:02}T09Z"
            yield Stored(Section.LEDGER, f"{number:06}", encode(entry(f"{number:06}", slot=slot)), slot[:10])
        yield from super().dump()


@pytest.mark.slow
def test_an_account_of_any_size_needs_little_memory(tmp_path: Path) -> None:
    """Eight times the documents, in and out, without twice the memory."""
    peaks = {}
    for size in (10, 1000, 8000):  # the first fills caches
        endless, target = Endless(SimulatedClock(NOW_MS)), sqlite_account(tmp_path / f"{size}.sqlite")
        endless.size = size
        endless.commit(take(endless), Changes(state(slot_done=SLOT), release=True))
        tracemalloc.start()
        back_up(endless, ArchiveFile(tmp_path / str(size)), "main")
        restore(ArchiveFile(tmp_path / str(size)), to(target.open()))
        peaks[size] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        target.close()
    assert peaks[8000] < 2 * peaks[1000] < (tmp_path / "8000").stat().st_size


class TestBackupRefuses:
    def test_an_account_without_a_state_is_not_backed_up(self, fresh: Callable[[], Account], place: Path) -> None:
        with pytest.raises(Abort, match="no state document"):
            back_up(fresh().open(), ArchiveFile(place), "main")
        assert not place.exists()

    def test_while_an_hour_is_at_work_there_is_no_backup(self, source: Account, place: Path) -> None:
        take(source.open(), "an hour")
        with pytest.raises(Abort, match="an hour is at work"):
            back_up(source.open(), ArchiveFile(place), "main")
        assert not place.exists()

    @pytest.mark.parametrize("at", [0, 7, 19])
    def test_an_hour_that_wrote_meanwhile_spoils_it(self, source: Account, place: Path, at: int) -> None:
        """The documents would be of two moments."""
        store = source.open()
        spoilt = _Interrupted(store, at, lambda: lived(source.open(), hours=1))
        with pytest.raises(Abort, match="an hour wrote meanwhile"):
            back_up(spoilt, ArchiveFile(place), "main")
        assert not place.exists()

    def test_a_secret_in_a_document_stops_it(self, source: Account, place: Path) -> None:
        source.open().set_control(Control(Mode.RUN, why="the key is planted-secret-0123"))
        with pytest.raises(Abort, match="holds a secret"):
            back_up(source.open(), ArchiveFile(place), "main", secrets=["planted-secret-0123"])
        assert not place.exists()

    def test_another_accounts_document_is_not_backed_up_under_this_name(self, source: Account, place: Path) -> None:
        with pytest.raises(SettingsError, match="is that of 'main'"):
            back_up(source.open(), ArchiveFile(place), "second")


class _Interrupted(MemoryStore):
    """A store whose dump is interrupted once, before its n-th document."""

    def __init__(self, real: Archive, at: int, act: Callable[[], None]) -> None:
        super().__init__(SimulatedClock(NOW_MS))
        self._real, self._at, self._act = real, at, act
        self.load = real.load  # type: ignore[method-assign] # everything else of the real store is not asked for

    def dump(self) -> Iterator[Stored]:
        for number, document in enumerate(self._real.dump()):
            if number == self._at:
                self._act()
            yield document


class TestRestoreRefuses:
    def refused(self, file: ArchiveFile, target: Account, match: str, **given: Any) -> None:
        """Nothing is changed by a restore that says no."""
        before, held = lines(target.open()), target.open().load()
        with pytest.raises(EngineError, match=match):
            restore(file, to(target.open(), **given))
        assert lines(target.open()) == before
        assert target.open().load().lease == held.lease

    def test_a_state_that_was_not_named(self, file: ArchiveFile, source: Account) -> None:
        self.refused(file, source, "a state of hour 2026-11-21T09Z.*--force main")
        self.refused(file, source, "--force main", force="second")
        restore(file, to(source.open(), force="main"))

    def test_a_newer_hour_says_that_it_is_newer(self, file: ArchiveFile, fresh: Callable[[], Account]) -> None:
        target = fresh()
        lived(target.open(), slot_done=LATER)
        self.refused(file, target, f"{LATER}, newer than the {SLOT}")
        restore(file, to(target.open(), force="main"))
        assert lines(target.open())[-1] == line_of(list(Reader(file.lines()).documents())[-1])

    def test_an_hour_at_work_whatever_is_named(self, file: ArchiveFile, fresh: Callable[[], Account]) -> None:
        target = fresh()
        lived(target.open())
        take(target.open(), "an hour")
        self.refused(file, target, "an hour is at work", force="main")

    def test_a_state_that_cannot_be_read_unless_it_is_named(
        self, file: ArchiveFile, source: Account, fresh: Callable[[], Account]
    ) -> None:
        target = fresh()
        lived(target.open())
        assert target.plant is not None
        target.plant(encode_state(state()) | {"schema_version": 999})
        with pytest.raises(Abort, match=r"cannot be read.*schema_version: 999.*--force main"):
            restore(file, to(target.open()))
        restore(file, to(target.open(), force="main"))
        assert lines(target.open()) == lines(source.open())

    def test_an_account_that_was_moved_away(self, file: ArchiveFile, source: Account) -> None:
        """It would be alive twice."""
        move(source.open(), to(MemoryStore(SimulatedClock(NOW_MS))), HERE, THERE)
        self.refused(file, source, "what was moved to ENGINE_STORE=firestore")

    def test_another_account_unless_it_is_named(self, file: ArchiveFile, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "second.sqlite", SimulatedClock(NOW_MS), "second")
        with pytest.raises(BadInput, match="account: 'main'"):
            restore(file, to(store, account="second"))
        assert store.load().state is None
        restore(file, to(store, account="second"), "main")
        assert store.load().state == replace(state(slot_done=SLOT), account="second")
        store.close()

    def test_a_damaged_file_before_anything_is_touched(
        self, file: ArchiveFile, fresh: Callable[[], Account], place: Path
    ) -> None:
        target = fresh()
        text = list(file.lines())
        place.write_text("\n".join([*text[:6], text[6].replace("FILLED", "filled"), *text[7:], ""]))
        with pytest.raises(BadPayload, match=r"archive, journal, line 7: .*was changed"):
            restore(ArchiveFile(place), to(target.open()))
        place.write_text("\n".join([*text[:12], ""]))
        with pytest.raises(BadPayload, match=r"archive, journal, line 13: .*cut short"):
            restore(ArchiveFile(place), to(target.open()))
        assert target.open().load().state is None

    def test_to_check_is_to_change_nothing(self, file: ArchiveFile, fresh: Callable[[], Account]) -> None:
        target = fresh()
        assert restore(file, to(target.open()), check=True).slot_done == SLOT
        assert target.open().load().state is None
        lived(target.open())
        self.refused(file, target, "--force main")


class TestKillSwitch:
    @pytest.mark.parametrize(
        ("there", "backed_up", "after"),
        [
            (None, None, Mode.RUN),
            (None, Mode.HALT, Mode.HALT),
            (Mode.RUN, Mode.REDUCE_ONLY, Mode.REDUCE_ONLY),
            (Mode.REDUCE_ONLY, Mode.RUN, Mode.REDUCE_ONLY),
            (Mode.HALT, None, Mode.HALT),
            (Mode.HALT, Mode.REDUCE_ONLY, Mode.HALT),
        ],
    )
    def test_a_restore_never_loosens_it(
        self, fresh: Callable[[], Account], place: Path, there: Mode | None, backed_up: Mode | None, after: Mode
    ) -> None:
        source, target = fresh(), fresh()
        lived(source.open(), mode=backed_up)
        back_up(source.open(), ArchiveFile(place), "main")
        if there is not None:
            target.open().set_control(Control(there, "operator", 5, "so"))
        copied = restore(ArchiveFile(place), to(target.open()))
        assert target.open().control().mode is after
        kept = there is not None and after is there and backed_up is not there
        assert copied.control_kept == (there.value if there and kept and there is not Mode.RUN else "")

    def test_one_that_nobody_can_read_halts_and_stays(self, file: ArchiveFile, tmp_path: Path) -> None:
        account = sqlite_account(tmp_path / "target.sqlite")
        store = account.open()
        assert isinstance(store, SqliteStore)
        store._put(("control", "", "control", '{"mode":"sprint"}'))
        assert restore(file, to(store)).control_kept == "halt"
        assert store.control().unreadable


class _Struck:
    def __init__(self, real: Archive, counter: list[int], at: int, strike: Callable[[], None], after: bool) -> None:
        self._real, self._counter, self._at, self._strike, self._after = real, counter, at, strike, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)
        if name not in {"take_lease", "commit", "empty", "put", "set_control"}:
            return method

        def call(*given: Any, **named: Any) -> Any:
            self._counter[0] += 1
            due = self._counter[0] == self._at
            if due and not self._after:
                self._strike()
            answer = method(*given, **named)
            if due and self._after:
                self._strike()
            return answer

        return call


def struck(real: Archive, counter: list[int], at: int, strike: Callable[[], None], *, after: bool) -> Archive:
    """A store that passes every call on, and calls `strike` at the n-th one that writes, before it or `after` it."""
    return cast("Archive", _Struck(real, counter, at, strike, after))


def die() -> None:
    raise Killed


def usable(account: Account) -> bool:
    """Whether an hour would accept the account."""
    loaded = account.open().load()
    try:
        refuse_unusable(loaded.state, "main")
    except (Abort, SettingsError):
        return False
    return loaded.state is not None and loaded.state.initialised_ms > 0


class TestInterrupted:
    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize("at", range(1, 5))
    def test_a_restore_that_dies_at_any_write_leaves_nothing_to_trade_on_and_can_be_run_again(
        self, source: Account, file: ArchiveFile, fresh: Callable[[], Account], at: int, after: bool
    ) -> None:
        target = fresh()
        lived(target.open(), hours=2, slot_done="2026-11-20T09Z")
        counter = [0]
        with suppress(Killed):
            restore(file, to(struck(target.open(), counter, at, die, after=after), force="main", owner="dead"))
        writes = 3
        assert usable(target) is (at > writes or (at == 1 and not after) or (at == writes and after))
        if not usable(target):
            with pytest.raises(Abort, match="unfinished restore of the backup of 2026-11-21T09Z"):
                back_up(target.open(), ArchiveFile(Path("/nowhere/x")), "main")
        restore(file, to(target.open(), force="main"))
        assert lines(target.open()) == lines(source.open())

    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize("at", range(1, 7))
    def test_a_move_that_dies_at_any_write_never_leaves_two_and_can_be_run_again(
        self, source: Account, fresh: Callable[[], Account], at: int, after: bool
    ) -> None:
        target, counter, before = fresh(), [0], lines(source.open())
        strikes = [struck(account.open(), counter, at, die, after=after) for account in (source, target)]
        with suppress(Killed):
            move(strikes[0], to(strikes[1], owner="dead"), HERE, THERE)
        assert not (usable(source) and usable(target))
        expired(source)
        if at <= 5 and not (at == 5 and after):
            move(source.open(), to(target.open()), HERE, THERE)
        assert lines(target.open()) == before
        assert not usable(source)
        assert usable(target)
        with pytest.raises(Abort, match="moved already"):
            move(source.open(), to(target.open()), HERE, THERE)

    def test_a_restore_that_was_overtaken_writes_no_more(
        self, file: ArchiveFile, source: Account, fresh: Callable[[], Account]
    ) -> None:
        """The slow one wakes up when the other has ended, and an hour may have traded since."""
        target = fresh()
        slow = struck(target.open(), [0], 2, lambda: overtake(file, target), after=False)
        with pytest.raises(LeaseLost):
            restore(file, to(slow, owner="slow"))
        assert [c.slot for c in target.open().cycles(1)] == [LATER]
        assert len(lines(target.open())) == len(lines(source.open())) + 1

    def test_what_a_store_did_not_keep_is_seen_before_the_account_opens(
        self, file: ArchiveFile, tmp_path: Path
    ) -> None:
        class Forgetful(SqliteStore):
            def put(self, held: Any, documents: Sequence[Stored]) -> Any:
                return super().put(held, [*documents[:-2], *documents[-1:]])

        store = Forgetful(tmp_path / "x.sqlite", SimulatedClock(NOW_MS))
        with pytest.raises(EngineError, match="ledger: the target does not hold what was written"):
            restore(file, to(store))
        loaded = store.load().state
        assert loaded is not None
        assert loaded.restoring
        store.close()


def overtake(file: ArchiveFile, target: Account) -> None:
    restore(file, to(target.open(), owner="fast"))
    store = target.open()
    store.commit(take(store, "an hour"), Changes(state(slot_done=LATER), cycle=cycle(LATER), release=True))


def expired(account: Account) -> None:
    """Seven minutes pass: the lease of whoever died ends."""
    store = account.open()
    loaded = store.load()
    if loaded.lease is not None and loaded.state is not None and loaded.lease.owner == "dead":
        held = store.take_lease(loaded, "dead", SLOT, 0)
        store.commit(held, Changes(loaded.state, release=True))
