"""Runs that race: whatever order three runs load, take, write, release and check in, a store keeps one history.

A model of the contract (a version, a lease, the last write) runs beside the store; hypothesis looks for an order of
steps in which they differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from runtime.domain.state import State
from runtime.errors import LeaseLost
from runtime.ports import Changes, Held, Loaded, Store
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.store_accounts import KINDS, accounts
from tests.support.stores import DAY, LONG, SLOT, Account, cycle, entry, intent

RUNS = ("run-a", "run-b", "run-c")
EXAMPLES = {"memory": (60, 40), "memory-copy": (30, 30), "sqlite": (30, 30), "firestore": (6, 25)}


@dataclass
class Run:
    """One process: what it read and what it holds, each with the model's version at that time."""

    store: Store
    loaded: tuple[Loaded, int] | None = None
    held: tuple[Held, int] | None = None


class Races(RuleBasedStateMachine):
    """The model: `version` counts writes; a lease is (owner, alive, fence); `done` is the state's mark."""

    account: Callable[[], Account]

    @initialize()
    def start(self) -> None:
        account = type(self).account()
        self.runs = {name: Run(account.open()) for name in RUNS}
        self.witness = account.open()
        self.version, self.fence, self.writes = 0, 0, 0
        self.owner: str | None = None
        self.alive = False
        self.done = ""
        self.booked: list[str] = []

    @rule(name=st.sampled_from(RUNS))
    def load(self, name: str) -> None:
        run = self.runs[name]
        run.loaded = run.store.load(), self.version

    @rule(name=st.sampled_from(RUNS), lasts=st.booleans())
    def take(self, name: str, lasts: bool) -> None:
        run = self.runs[name]
        if run.loaded is None:
            return
        loaded, version = run.loaded
        seconds = LONG if lasts else 0
        if version != self.version or (self.alive and self.owner != name):
            with pytest.raises(LeaseLost):
                run.store.take_lease(loaded, name, SLOT, seconds)
            return
        held = run.store.take_lease(loaded, name, SLOT, seconds)
        self.version, self.fence = self.version + 1, self.fence + 1
        self.owner, self.alive = name, lasts
        assert held.lease.fence == self.fence
        run.held = held, self.version

    @rule(name=st.sampled_from(RUNS), release=st.booleans())
    def commit(self, name: str, release: bool) -> None:
        run = self.runs[name]
        if run.held is None:
            return
        held, version = run.held
        mark = f"{self.writes:04d}"
        self.writes += 1
        changes = Changes(
            State("main", slot_done=mark), (intent(mark),), (entry(mark),), cycle(mark), release=release
        )  # fmt: skip
        if version != self.version:
            with pytest.raises(LeaseLost):
                run.store.commit(held, changes)
            return
        held = run.store.commit(held, changes)
        self.version += 1
        self.done = mark
        self.booked.append(mark)
        self.alive = self.alive and not release
        run.held = held, self.version

    @rule(name=st.sampled_from(RUNS))
    def check(self, name: str) -> None:
        run = self.runs[name]
        if run.held is None:
            return
        held, _ = run.held
        if self.alive and self.owner == name and held.lease.fence == self.fence:
            run.store.check(held)
        else:
            with pytest.raises(LeaseLost):
                run.store.check(held)

    @invariant()
    def everyone_sees_the_one_history(self) -> None:
        loaded = self.witness.load()
        if self.version == 0:
            assert (loaded.state, loaded.lease) == (None, None)
            return
        assert loaded.state == State("main", slot_done=self.done)
        assert loaded.lease is not None
        assert (loaded.lease.owner, loaded.lease.fence) == (self.owner, self.fence)
        assert (loaded.lease.expires_ms > loaded.read_ms) == self.alive

    def teardown(self) -> None:
        if self.version:
            assert [e.id for e in self.witness.entries(DAY)] == self.booked
            assert [i.id for i in self.witness.journal()] == self.booked
            assert [c.slot for c in self.witness.cycles(1000)] == self.booked[::-1]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fresh(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], Account]]:
    with accounts(kind, tmp_path, request) as make:
        yield make


@pytest.mark.slow
def test_any_order_of_steps_keeps_one_history_under_one_lease(kind: str, fresh: Callable[[], Account]) -> None:
    examples, steps = EXAMPLES[kind]

    class OnThisStore(Races):
        account: Any = staticmethod(fresh)

    run_state_machine_as_test(
        OnThisStore,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, suppress_health_check=list(HealthCheck), deadline=None
        ),
    )
