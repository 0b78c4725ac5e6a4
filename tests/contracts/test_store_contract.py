"""The Store port's contract: one suite, held against every store."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from runtime.domain.control import Control, Mode
from runtime.domain.orders import Status
from runtime.domain.state import STATE_BYTES_MAX, State, encode_state
from runtime.errors import LeaseLost, StateUnreadable, StoreError
from runtime.ports import Changes, DailyCache, Held, Store
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.store_accounts import ENCODING, KINDS, RAW, accounts
from tests.support.stores import (
    DAY,
    LONG,
    SLOT,
    Account,
    cache,
    cycle,
    entry,
    everything,
    intent,
    state,
    take,
)


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


@pytest.fixture
def store(account: Account) -> Store:
    return account.open()


class TestLoading:
    def test_an_account_nobody_used_has_neither_state_nor_lease(self, store: Store) -> None:
        loaded = store.load()
        assert loaded.state is None
        assert loaded.lease is None
        assert loaded.read_ms > 1_700_000_000_000

    def test_loading_alone_creates_nothing(self, store: Store) -> None:
        assert store.load().token == store.load().token
        assert store.load().state is None

    def test_an_account_nobody_used_reads_as_empty_everywhere(self, store: Store) -> None:
        assert store.control() == Control()
        assert store.cache() == DailyCache()
        assert list(store.cycles(10)) == []
        assert list(store.journal()) == []
        assert list(store.entries(DAY)) == []
        assert list(store.ledger_days()) == []

    @pytest.mark.parametrize("kind", RAW, indirect=True)
    def test_a_newer_schema_is_refused(self, account: Account) -> None:
        assert account.plant is not None
        take(account.open())
        account.plant(encode_state(state()) | {"schema_version": 999})
        with pytest.raises(StateUnreadable, match="schema_version: 999"):
            account.open().load()

    @pytest.mark.parametrize("kind", RAW, indirect=True)
    @pytest.mark.parametrize(
        ("field", "value"),
        [("positions", "none"), ("prices", {"ETHUSDT": 1.5}), ("schema_version", None), ("outbox", [{"id": 1}])],
    )
    def test_a_malformed_document_is_refused_and_the_field_named(
        self, account: Account, field: str, value: object
    ) -> None:
        assert account.plant is not None
        take(account.open())
        account.plant(encode_state(state()) | {field: value})
        with pytest.raises(StateUnreadable, match=field):
            account.open().load()


class TestLease:
    def test_taking_it_on_an_empty_account_creates_an_empty_state(self, account: Account) -> None:
        held = take(account.open())
        loaded = account.open().load()
        assert loaded.state == State("main")
        assert loaded.lease == held.lease
        assert loaded.token == held.token

    def test_it_ends_so_many_seconds_after_the_read_on_the_stores_clock(self, store: Store) -> None:
        loaded = store.load()
        held = store.take_lease(loaded, "run-a", SLOT, 420)
        assert held.lease.expires_ms == loaded.read_ms + 420_000
        assert (held.lease.owner, held.lease.slot, held.lease.fence) == ("run-a", SLOT, 1)

    def test_a_live_lease_of_another_owner_is_refused_and_stays(self, account: Account) -> None:
        held = take(account.open(), "run-a")
        with pytest.raises(LeaseLost, match=SLOT):
            take(account.open(), "run-b")
        assert account.open().load().lease == held.lease

    def test_an_expired_lease_is_taken_over_with_the_next_number(self, account: Account) -> None:
        take(account.open(), "run-a", seconds=0)
        assert take(account.open(), "run-b").lease.fence == 2

    def test_the_owner_may_take_its_own_lease_again(self, account: Account) -> None:
        take(account.open(), "run-a")
        assert take(account.open(), "run-a").lease.fence == 2

    def test_a_read_from_before_a_change_takes_nothing(self, account: Account) -> None:
        stale = account.open().load()
        held = take(account.open(), "run-a", seconds=0)
        with pytest.raises(LeaseLost):
            account.open().take_lease(stale, "run-b", SLOT, LONG)
        assert account.open().load().lease == held.lease

    def test_a_stale_read_of_an_existing_document_takes_nothing(self, account: Account) -> None:
        take(account.open(), "run-a", seconds=0)
        stale = account.open().load()
        held = take(account.open(), "run-b", seconds=0)
        with pytest.raises(LeaseLost):
            account.open().take_lease(stale, "run-c", SLOT, LONG)
        assert account.open().load().lease == held.lease

    def test_taking_it_changes_nothing_of_the_state(self, account: Account) -> None:
        first = account.open()
        first.commit(take(first), Changes(state(), release=True))
        take(account.open(), "run-b")
        assert account.open().load().state == state()

    def test_a_release_frees_it_at_once_and_keeps_its_number(self, account: Account) -> None:
        store = account.open()
        store.commit(take(store, "run-a"), Changes(state(), release=True))
        released = account.open().load().lease
        assert released is not None
        assert (released.expires_ms, released.fence) == (0, 1)
        assert take(account.open(), "run-b").lease.fence == 2

    def test_of_fifty_runs_racing_exactly_one_wins(self, account: Account) -> None:
        take(account.open(), "before", seconds=0)
        stores = [account.open() for _ in range(50)]
        start = threading.Barrier(len(stores))

        def race(index: int) -> Held | LeaseLost:
            loaded = stores[index].load()
            start.wait()
            try:
                return stores[index].take_lease(loaded, f"run-{index}", SLOT, LONG)
            except LeaseLost as error:
                return error

        with ThreadPoolExecutor(len(stores)) as pool:
            results = list(pool.map(race, range(len(stores))))
        winners = [result.lease for result in results if isinstance(result, Held)]
        assert len(winners) == 1
        assert account.open().load().lease == winners[0]
        assert winners[0].fence == 2


class TestCommit:
    def test_everything_is_there_afterwards_and_equal(self, account: Account) -> None:
        store, changes = account.open(), everything()
        held = store.commit(take(store), changes)
        other = account.open()
        loaded = other.load()
        assert loaded.state == changes.state
        assert (loaded.lease, loaded.token) == (held.lease, held.token)
        assert list(other.journal()) == list(changes.intents)
        assert list(other.entries(DAY)) == list(changes.entries)
        assert list(other.cycles(10)) == [changes.cycle]
        assert other.cache() == changes.cache

    def test_commits_follow_each_other_under_one_lease(self, account: Account) -> None:
        store = account.open()
        held = take(store)
        for slot in ("a", "b", "c"):
            held = store.commit(held, Changes(state(slot_done=slot)))
        loaded = account.open().load()
        assert loaded.state == state(slot_done="c")
        assert loaded.lease == held.lease

    def test_a_token_is_good_for_one_write_only(self, account: Account) -> None:
        store = account.open()
        held = take(store)
        store.commit(held, Changes(state(slot_done="first")))
        with pytest.raises(LeaseLost):
            store.commit(held, Changes(state(slot_done="second")))
        assert account.open().load().state == state(slot_done="first")

    def test_a_run_that_lost_its_lease_writes_nothing_at_all(self, account: Account) -> None:
        zombie, heir = account.open(), account.open()
        old = take(zombie, "run-a", seconds=0)
        new = take(heir, "run-b")
        with pytest.raises(LeaseLost):
            zombie.commit(old, everything("zombie"))
        seen = account.open()
        assert seen.load().state == State("main")
        assert seen.load().lease == new.lease
        assert (list(seen.journal()), list(seen.entries(DAY)), list(seen.cycles(9))) == ([], [], [])
        assert seen.cache() == DailyCache()

    def test_an_expired_lease_that_nobody_took_still_writes(self, account: Account) -> None:
        store = account.open()
        store.commit(take(store, seconds=0), Changes(state()))
        assert account.open().load().state == state()

    def test_a_released_lease_stays_released_whatever_its_holder_still_writes(self, account: Account) -> None:
        store = account.open()
        held = store.commit(take(store), Changes(state(), release=True))
        store.commit(held, Changes(state(slot_done="later")))
        assert take(account.open(), "run-b").lease.fence == 2

    def test_after_a_release_the_last_holder_may_write_no_more_once_another_took_it(self, account: Account) -> None:
        store = account.open()
        held = store.commit(take(store, "run-a"), Changes(state(slot_done="a"), release=True))
        take(account.open(), "run-b")
        with pytest.raises(LeaseLost):
            store.commit(held, Changes(state(slot_done="late")))
        assert account.open().load().state == state(slot_done="a")

    def test_fields_this_code_does_not_know_survive(self, account: Account) -> None:
        store = account.open()
        unknown = ((("note",), {"kept": [1, "two", None]}), (("1 odd.name`",), "x"))
        held = store.commit(take(store), Changes(state(unknown=unknown)))
        again = account.open().load().state
        assert again is not None
        assert dict(again.unknown) == dict(unknown)
        store.commit(held, Changes(replace(again, slot_done=SLOT)))
        last = account.open().load().state
        assert last is not None
        assert dict(last.unknown) == dict(unknown)

    @pytest.mark.parametrize("kind", ENCODING, indirect=True)
    def test_a_state_that_is_too_large_is_refused_before_anything_is_written(self, account: Account) -> None:
        store = account.open()
        held = take(store)
        huge = state(unknown=((("heap",), "x" * STATE_BYTES_MAX),))
        with pytest.raises(StoreError, match=str(STATE_BYTES_MAX)) as caught:
            store.commit(held, replace(everything(), state=huge))
        assert type(caught.value) is StoreError
        assert account.open().load().state == State("main")
        assert list(account.open().journal()) == []
        store.commit(held, Changes(state()))


class TestDocuments:
    def test_an_intent_is_replaced_by_its_id(self, account: Account) -> None:
        store = account.open()
        held = store.commit(take(store), Changes(state(), (intent("i", status=Status.RECORDED),)))
        store.commit(held, Changes(state(), (intent("i", status=Status.DONE),)))
        assert list(account.open().journal()) == [intent("i", status=Status.DONE)]

    def test_the_journal_is_read_by_slot_and_in_order_of_id(self, account: Account) -> None:
        store = account.open()
        here, there = "2026-11-21T09Z", "2026-11-21T10Z"
        intents = (intent("c", slot=here), intent("a", slot=there), intent("b", slot=here))
        store.commit(take(store), Changes(state(), intents))
        assert [i.id for i in store.journal(here)] == ["b", "c"]
        assert [i.id for i in store.journal(there)] == ["a"]
        assert [i.id for i in store.journal()] == ["a", "b", "c"]
        assert list(store.journal("2026-11-21T11Z")) == []

    def test_entries_come_back_in_order_of_booking(self, account: Account) -> None:
        store = account.open()
        names = [f"order:{number}" for number in range(12)]
        random.Random(7).shuffle(names)
        held = take(store)
        for first in range(0, 12, 4):
            held = store.commit(held, Changes(state(), entries=tuple(entry(n) for n in names[first : first + 4])))
        assert [e.id for e in account.open().entries(DAY)] == names

    def test_booking_an_entry_again_does_not_double_it(self, account: Account) -> None:
        store = account.open()
        held = store.commit(take(store), Changes(state(), entries=(entry("x", amount="1"), entry("y"))))
        store.commit(held, Changes(state(), entries=(entry("x", amount="2"),)))
        assert [(e.id, e.postings) for e in account.open().entries(DAY)] == [
            ("y", entry("y").postings),
            ("x", entry("x", amount="2").postings),
        ]

    def test_entries_are_kept_by_the_day_of_their_slot(self, account: Account) -> None:
        store = account.open()
        days = (entry("a", slot="2026-11-20T23Z"), entry("b", slot="2026-11-21T00Z"))
        store.commit(take(store), Changes(state(), entries=days))
        assert list(store.entries("2026-11-20")) == [days[0]]
        assert list(store.entries("2026-11-21")) == [days[1]]

    def test_the_days_of_the_ledger_are_listed_oldest_first(self, account: Account) -> None:
        store = account.open()
        slots = ("2027-01-01T00Z", "2026-02-03T01Z", "2027-01-01T05Z", "2026-11-21T09Z")
        held = take(store)
        for slot in slots:
            held = store.commit(held, Changes(state(), entries=(entry(slot=slot),)))
        assert list(account.open().ledger_days()) == ["2026-02-03", "2026-11-21", "2027-01-01"]

    def test_an_entry_keeps_its_prices(self, account: Account) -> None:
        store = account.open()
        valued = replace(entry("x"), prices={"BNB": Decimal("612.34"), "ETH": Decimal("1E-8")})
        store.commit(take(store), Changes(state(), entries=(valued,)))
        assert list(account.open().entries(DAY)) == [valued]

    @pytest.mark.parametrize("name", ["order:ETHUSDT:1", "a.b", "a/b", "`", "\\", "1", "*~[]", "größe"])
    def test_entry_ids_may_hold_any_characters(self, store: Store, name: str) -> None:
        odd = replace(entry("x"), id=name)
        held = store.commit(take(store), Changes(state(), entries=(odd, entry("plain"))))
        store.commit(held, Changes(state(), entries=(odd,)))
        assert [e.id for e in store.entries(DAY)] == ["plain", name]

    def test_cycles_are_read_newest_first(self, account: Account) -> None:
        store = account.open()
        held = take(store)
        for slot in ("2026-11-21T08Z", "2026-11-21T10Z", "2026-11-21T09Z"):
            held = store.commit(held, Changes(state(), cycle=cycle(slot)))
        store.commit(held, Changes(state(), cycle=cycle("2026-11-21T10Z", exit_code=4)))
        seen = account.open().cycles(2)
        assert [(c.slot, c.exit_code) for c in seen] == [("2026-11-21T10Z", 4), ("2026-11-21T09Z", 0)]
        assert len(account.open().cycles(100)) == 3
        assert [c.slot for c in account.open().cycles(9, "2026-11-21T10Z")] == ["2026-11-21T09Z", "2026-11-21T08Z"]
        assert [c.slot for c in account.open().cycles(1, "2026-11-21T10Z")] == ["2026-11-21T09Z"]
        assert list(account.open().cycles(9, "2026-11-21T08Z")) == []

    def test_a_commit_without_a_cache_keeps_the_old_one(self, account: Account) -> None:
        store = account.open()
        held = store.commit(take(store), Changes(state(), cache=cache()))
        store.commit(held, Changes(state()))
        assert account.open().cache() == cache()


class TestControl:
    def test_it_is_replaced_as_a_whole(self, account: Account) -> None:
        account.open().set_control(Control(Mode.HALT, "me", 1, "why", 2))
        assert account.open().control() == Control(Mode.HALT, "me", 1, "why", 2)
        account.open().set_control(Control(Mode.REDUCE_ONLY))
        assert account.open().control() == Control(Mode.REDUCE_ONLY)

    def test_a_check_gives_it_to_the_holder_of_the_lease(self, account: Account) -> None:
        store = account.open()
        held = take(store)
        assert store.check(held) == Control()
        account.open().set_control(Control(Mode.HALT, "me", 1, "why", 2))
        assert store.check(held) == Control(Mode.HALT, "me", 1, "why", 2)

    def test_setting_it_costs_no_run_its_lease(self, account: Account) -> None:
        store = account.open()
        held = take(store)
        account.open().set_control(Control(Mode.HALT))
        store.commit(held, Changes(state()))
        assert account.open().load().state == state()

    def test_a_check_passes_while_the_lease_lives_and_commits_go_on(self, account: Account) -> None:
        store = account.open()
        held = take(store)
        for _ in range(3):
            held = store.commit(held, Changes(state()))
            assert store.check(held) == Control()

    def test_a_check_after_expiry_or_release_or_takeover_says_the_lease_is_lost(self, account: Account) -> None:
        store = account.open()
        expired = take(store, "run-a", seconds=0)
        with pytest.raises(LeaseLost, match="expired"):
            store.check(expired)
        heir = account.open()
        live = take(heir, "run-b")
        with pytest.raises(LeaseLost):
            store.check(expired)
        released = heir.commit(live, Changes(state(), release=True))
        with pytest.raises(LeaseLost):
            heir.check(released)


class TestProbe:
    def test_it_writes_nothing_that_a_run_would_see(self, account: Account) -> None:
        store = account.open()
        store.commit(take(store), everything())
        before = (store.load().state, store.load().token, store.control(), list(store.cycles(9)), list(store.journal()))
        store.probe()
        store.probe()
        assert before == (
            store.load().state,
            store.load().token,
            store.control(),
            list(store.cycles(9)),
            list(store.journal()),
        )

    def test_it_creates_no_state_on_an_empty_account(self, account: Account) -> None:
        account.open().probe()
        assert account.open().load().state is None
