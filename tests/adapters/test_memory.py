"""The memory store beyond the contract: it hands out what it was given, or copies where that is asked."""

from __future__ import annotations

import pytest

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.memory import MemoryStore
from runtime.errors import LeaseLost
from runtime.ports import Changes, Store
from tests.support.stores import DAY, LONG, NOW_MS, SLOT, cycle, entry, everything, state, take


def test_values_are_kept_as_they_are() -> None:
    store, changes = MemoryStore(SimulatedClock(NOW_MS)), everything()
    store.commit(take(store), changes)
    assert store.load().state is changes.state
    assert store.cache() is changes.cache
    assert store.journal()[0] is changes.intents[0]


def test_copies_are_equal_but_never_the_same_object() -> None:
    store, changes = MemoryStore(SimulatedClock(NOW_MS), copy=True), everything()
    store.commit(take(store), changes)
    loaded = store.load().state
    assert loaded == changes.state
    assert loaded is not changes.state
    assert store.cache() == changes.cache
    assert store.cache() is not changes.cache
    assert store.journal()[0] is not changes.intents[0]


def test_a_new_account_is_called_what_the_store_was_told() -> None:
    store = MemoryStore(SimulatedClock(NOW_MS), account="second")
    take(store)
    created = store.load().state
    assert created is not None
    assert created.account == "second"


@pytest.mark.parametrize("copy", [False, True])
def test_a_lease_ends_on_the_clock_it_was_given(copy: bool) -> None:
    clock = SimulatedClock(NOW_MS)
    store: Store = MemoryStore(clock, copy=copy)
    held = take(store, "run-a")
    clock.sleep(LONG - 1)
    store.check(held)
    with pytest.raises(LeaseLost):
        take(store, "run-b")
    clock.sleep(1)
    with pytest.raises(LeaseLost, match="expired"):
        store.check(held)
    assert take(store, "run-b").lease.expires_ms == NOW_MS + 2 * LONG * 1000


def test_readers_get_lists_that_a_later_commit_does_not_change() -> None:
    store = MemoryStore(SimulatedClock(NOW_MS))
    held = store.commit(take(store), Changes(state(), entries=(entry("a"),), cycle=cycle()))
    entries, cycles, journal = store.entries(DAY), store.cycles(9), store.journal(SLOT)
    store.commit(held, Changes(state(), entries=(entry("b"),), cycle=cycle("2026-11-21T10Z")))
    assert ([e.id for e in entries], len(cycles), len(journal)) == (["a"], 1, 0)
