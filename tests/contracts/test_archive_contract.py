"""The Archive port's contract, on every store: what a backup reads out of it, and what a restore writes into it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.memory import MemoryStore
from runtime.backup import Archive
from runtime.domain.archive import Section, Stored, line_of
from runtime.domain.control import Control, Mode
from runtime.domain.documents import encode
from runtime.domain.orders import Status
from runtime.domain.state import State, encode_state
from runtime.errors import LeaseLost
from runtime.ports import Changes, DailyCache, Held
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.store_accounts import KINDS, RAW, accounts
from tests.support.stores import DAY, LONG, NOW_MS, SLOT, Account, cycle, entry, everything, intent, state, take

MARK = "restore of a backup"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fresh(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], Account]]:
    with accounts(kind, tmp_path, request) as make:
        yield make


@pytest.fixture
def account(fresh: Callable[[], Account]) -> Account:
    return fresh()


def filled(store: Archive) -> Held:
    """A store with some of everything in it; the lease is free again."""
    store.set_control(Control(Mode.REDUCE_ONLY, "me", 1, "why", 2))
    held = store.commit(take(store), everything())
    more = ("2026-11-20T23Z", "2026-11-21T10Z")
    held = store.commit(held, Changes(state(), entries=tuple(entry(f"e:{slot}", slot=slot) for slot in more)))
    return store.commit(
        held, Changes(state(slot_done=more[1]), (intent("a", slot=more[1]),), cycle=cycle(more[1]), release=True)
    )


def lines(documents: Iterable[Stored]) -> list[str]:
    return [line_of(document) for document in documents]


def emptied(store: Archive, owner: str = "restorer", seconds: int = LONG) -> Held:
    return store.empty(owner, seconds, MARK)


class TestDump:
    def test_an_account_nobody_used_holds_nothing(self, account: Account) -> None:
        assert list(account.open().dump()) == []

    def test_every_document_comes_in_the_order_of_the_sections(self, account: Account) -> None:
        store = account.open()
        filled(store)
        found = list(account.open().dump())
        assert [(d.section.value, d.part, d.id) for d in found] == [
            ("control", "", "control"),
            ("cycles", "", "2026-11-21T09Z"),
            ("cycles", "", "2026-11-21T10Z"),
            ("journal", "2026-11-21T10Z", "a"),
            ("journal", SLOT, "bp-1"),
            ("ledger", "2026-11-20", "e:2026-11-20T23Z"),
            ("ledger", DAY, "e-1"),
            ("ledger", DAY, "e:2026-11-21T10Z"),
            ("cache", "", "cache"),
            ("state", "", "state"),
        ]

    def test_it_is_the_same_to_the_last_byte_whichever_store_it_comes_from(self, account: Account) -> None:
        other = MemoryStore(SimulatedClock(NOW_MS), copy=True)
        for store in (account.open(), other):
            filled(store)
        assert lines(account.open().dump()) == lines(other.dump())

    def test_neither_the_lease_nor_its_owner_is_in_it(self, account: Account) -> None:
        store = account.open()
        store.commit(take(store, "owner-token-of-a-process"), everything())
        text = "\n".join(lines(account.open().dump()))
        assert "owner-token-of-a-process" not in text
        for word in ("lease", "expires_at", "rank", "commits"):
            assert f'"{word}"' not in text

    def test_every_kind_of_document_that_an_hour_writes_is_known_here(self) -> None:
        """A new one must come into the archive: then this list and the sections grow together."""
        assert {field.name for field in fields(Changes)} == {
            "state", "intents", "entries", "cycle", "cache", "release", "events"
        }  # fmt: skip
        assert len(Section) == len(("control", *("state", "intents", "entries", "cycle", "cache", "events")))

    def test_more_documents_than_are_read_at_a_time_come_all_and_in_order(self, account: Account) -> None:
        store = account.open()
        names = [f"i{number:03}" for number in range(230)]
        held = store.commit(take(store), Changes(state(), tuple(map(intent, reversed(names)))))
        store.commit(held, Changes(state(), entries=tuple(entry(name) for name in names)))
        found = list(account.open().dump())
        assert [d.id for d in found if d.section is Section.JOURNAL] == names
        assert [d.id for d in found if d.section is Section.LEDGER] == names


class TestEmpty:
    def test_what_is_left_is_a_closed_state_under_our_lease(self, account: Account) -> None:
        filled(account.open())
        held = emptied(account.open())
        loaded = account.open().load()
        assert loaded.state == State("main", restoring=MARK)
        assert (loaded.lease, loaded.token) == (held.lease, held.token)
        assert (held.lease.owner, held.lease.fence) == ("restorer", 2)
        assert held.lease.expires_ms >= loaded.read_ms + (LONG - 60) * 1000

    def test_nothing_else_is_left_but_the_control(self, account: Account) -> None:
        filled(account.open())
        emptied(account.open())
        store = account.open()
        assert [d.section for d in store.dump()] == [Section.CONTROL, Section.STATE]
        assert (list(store.journal()), list(store.cycles(9)), list(store.entries(DAY))) == ([], [], [])
        assert store.cache() == DailyCache()
        assert store.control().mode is Mode.REDUCE_ONLY

    def test_an_account_nobody_used_is_opened_like_that(self, account: Account) -> None:
        assert emptied(account.open()).lease.fence == 1
        assert account.open().load().state == State("main", restoring=MARK)

    def test_an_hours_live_lease_is_refused_and_nothing_changes(self, account: Account) -> None:
        store = account.open()
        filled(store)
        held = take(store, "an hour")
        before = lines(store.dump())
        with pytest.raises(LeaseLost, match=SLOT):
            emptied(account.open())
        assert lines(account.open().dump()) == before
        store.commit(held, Changes(state()))

    def test_a_lease_that_has_ended_is_no_hindrance(self, account: Account) -> None:
        store = account.open()
        late = take(store, "an hour", seconds=0)
        emptied(account.open())
        with pytest.raises(LeaseLost):
            store.commit(late, Changes(state()))

    def test_an_unfinished_restore_is_taken_over_and_writes_no_more(self, account: Account) -> None:
        first, second = account.open(), account.open()
        dying = first.put(emptied(first, "first"), [stored_cycle()])
        held = emptied(second, "second")
        assert held.lease.fence == dying.lease.fence + 1
        with pytest.raises(LeaseLost):
            first.put(dying, [stored_cycle()])
        assert list(account.open().cycles(9)) == []
        second.put(held, [])

    def test_more_documents_than_one_write_removes_are_removed(self, account: Account) -> None:
        store = account.open()
        held = store.commit(take(store), Changes(state(), tuple(intent(f"i{n}") for n in range(230)), release=True))
        held = emptied(account.open())
        assert list(account.open().journal()) == []
        assert account.open().load().token == held.token

    @pytest.mark.parametrize("kind", RAW, indirect=True)
    @pytest.mark.parametrize("broken", [{"schema_version": 999, "newer": [1]}, {"positions": "none"}])
    def test_a_state_that_nobody_can_read_is_replaced(self, account: Account, broken: dict[str, object]) -> None:
        assert account.plant is not None
        store = account.open()
        filled(store)
        account.plant(encode_state(state()) | broken)
        held = emptied(account.open())
        store = account.open()
        store.commit(held, Changes(state(), release=True))
        assert store.load().state == state()


def stored_cycle(slot: str = SLOT) -> Stored:
    return Stored(Section.CYCLES, slot, encode(cycle(slot)))


def stored_entry(name: str, slot: str = SLOT) -> Stored:
    return Stored(Section.LEDGER, name, encode(entry(name, slot=slot)), slot[:10])


class TestPut:
    def test_what_one_store_gave_out_another_takes_in(self, account: Account) -> None:
        other = MemoryStore(SimulatedClock(NOW_MS), copy=True)
        filled(other)
        given, store = list(other.dump()), account.open()
        held = emptied(store)
        for document in given[:-1]:
            held = store.put(held, [document])
        loaded = other.load()
        assert loaded.state is not None
        store.commit(held, Changes(loaded.state, release=True))
        seen = account.open()
        assert lines(seen.dump()) == lines(given)
        assert list(seen.journal()) == list(other.journal())
        assert list(seen.entries(DAY)) == list(other.entries(DAY))
        assert list(seen.cycles(9)) == list(other.cycles(9))
        assert (seen.cache(), seen.control()) == (other.cache(), other.control())
        assert take(account.open(), "the next hour").lease.fence == 2

    def test_entries_keep_their_order_within_and_across_writes_and_later_ones_follow(self, account: Account) -> None:
        store = account.open()
        names = ["z", "a", "order:9", "m.n", "a/b", "1"]
        held = emptied(store)
        for first in range(0, 6, 2):
            held = store.put(held, [stored_entry(name) for name in names[first : first + 2]])
        store.commit(held, Changes(state(), entries=(entry("0"),)))
        assert [e.id for e in account.open().entries(DAY)] == [*names, "0"]

    def test_whoever_was_overtaken_writes_nothing(self, account: Account) -> None:
        store = account.open()
        old = emptied(store, seconds=0)
        take(account.open(), "an hour")
        with pytest.raises(LeaseLost):
            store.put(old, [stored_cycle(), stored_entry("e")])
        assert (list(account.open().cycles(9)), list(account.open().entries(DAY))) == ([], [])

    def test_a_write_is_good_for_one_token_only(self, account: Account) -> None:
        store = account.open()
        held = emptied(store)
        store.put(held, [stored_cycle()])
        with pytest.raises(LeaseLost):
            store.put(held, [stored_cycle("2026-11-21T10Z")])
        assert [c.slot for c in account.open().cycles(9)] == [SLOT]

    def test_an_account_that_is_being_restored_stays_closed_while_it_fills(self, account: Account) -> None:
        store = account.open()
        store.put(emptied(store), [stored_cycle()])
        loaded = account.open().load().state
        assert loaded is not None
        assert loaded.restoring == MARK

    @pytest.mark.parametrize("kind", RAW, indirect=True)
    def test_fields_that_this_code_does_not_know_survive(self, account: Account) -> None:
        odd = {"note": {"kept": [1, "two", None, 2.5]}, "ünicode": "ä"}
        given = [
            replace(document, body={**document.body, **odd})
            for document in (
                stored_cycle(),
                Stored(Section.JOURNAL, "i", encode(intent("i", status=Status.DONE)), SLOT),
                stored_entry("e"),
            )
        ]
        store = account.open()
        store.put(emptied(store), given)
        assert [json.loads(line)["body"] for line in lines(account.open().dump())][:-1] == [d.body for d in given]
        assert list(account.open().journal()) == [intent("i")]
