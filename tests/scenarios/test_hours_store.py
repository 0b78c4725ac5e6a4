"""Hours whose store fails: nothing is sent without the journal, and what it holds the next hour settles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from runtime.adapters.dry_run import ReadOnlyExchange, ReadOnlyStore, SilentAlerter
from runtime.adapters.sqlite import SqliteStore
from runtime.domain.audit import Event
from runtime.domain.control import Control
from runtime.domain.documents import canonical
from runtime.domain.ledger import Entry
from runtime.domain.orders import Intent, Side, Status
from runtime.domain.report import CycleStatus
from runtime.domain.state import encode_state
from runtime.errors import LeaseLost, StoreMisconfigured, StoreUnavailable
from runtime.ports import Changes, CycleRecord, DailyCache, Held, Loaded, Store, World
from tests.support.worlds import FIRST, Scene, scene


@dataclass
class Brittle:
    """A store that fails at its `fails_at`-th commit (from 1) and at every one after it; 0 = never."""

    real: Store
    fails_at: int = 0
    error: type[StoreUnavailable | LeaseLost] = StoreUnavailable
    commits: int = 0
    loads: bool = True

    def load(self) -> Loaded:
        if not self.loads:
            raise StoreUnavailable("state document: no answer")
        return self.real.load()

    def take_lease(self, loaded: Loaded, owner: str, slot: str, seconds: int) -> Held:
        return self.real.take_lease(loaded, owner, slot, seconds)

    def commit(self, held: Held, changes: Changes) -> Held:
        self.commits += 1
        if self.fails_at and self.commits >= self.fails_at:
            raise self.error("state document: no answer")
        return self.real.commit(held, changes)

    def check(self, held: Held) -> Control:
        return self.real.check(held)

    def control(self) -> Control:
        return self.real.control()

    def set_control(self, control: Control, events: Sequence[Event] = ()) -> None:
        self.real.set_control(control, events)

    def cache(self) -> DailyCache:
        return self.real.cache()

    def cycles(self, limit: int, before: str = "") -> Sequence[CycleRecord]:
        return self.real.cycles(limit, before)

    def journal(self, slot: str | None = None) -> Sequence[Intent]:
        return self.real.journal(slot)

    def ledger_days(self) -> Sequence[str]:
        return self.real.ledger_days()

    def entries(self, day: str) -> Sequence[Entry]:
        return self.real.entries(day)

    def probe(self) -> None:
        self.real.probe()

    def close(self) -> None:
        self.real.close()


def brittle(s: Scene, fails_at: int = 0, error: type[StoreUnavailable | LeaseLost] = StoreUnavailable) -> Brittle:
    """Make the scene's store a brittle one."""
    real = s.store.real if isinstance(s.store, Brittle) else s.store
    s.store = made = Brittle(real, fails_at, error)
    return made


def test_an_hour_whose_state_cannot_be_loaded_stops_before_anything_and_is_told() -> None:
    with scene() as s:
        s.hour()
        orders = s.orders()
        brittle(s).loads = False
        report = s.next()
        assert (report.status, report.exit_code) == (CycleStatus.ABORTED, 3)
        assert s.orders() == orders
        assert not s.used
        assert s.messenger.kinds()[-1] == "aborted"


@pytest.mark.parametrize("error", [StoreUnavailable, LeaseLost])
def test_a_write_ahead_that_fails_sends_nothing(error: type[StoreUnavailable | LeaseLost]) -> None:
    with scene() as s:
        brittle(s, 1, error)
        report = s.hour()
        assert report.exit_code == 3
        assert s.orders() == []
        assert "aborted" in s.messenger.kinds()
        brittle(s)
        s.clock.sleep(421)
        assert s.hour().status is CycleStatus.DONE
        assert s.differences() == {}


class Forbidding:
    """A store that refuses one of its calls, for want of a permission, from the `first` of them on."""

    def __init__(self, real: Store, call: str, first: int) -> None:
        self._real, self._call, self._left = real, call, first

    def __getattr__(self, name: str) -> Any:
        if name == self._call:
            self._left -= 1
            if self._left <= 0:
                return self._refuse
        return getattr(self._real, name)

    def _refuse(self, *_: object) -> object:
        raise StoreMisconfigured("Firestore write", "403 Missing or insufficient permissions", "grant the role")


@pytest.mark.parametrize(("call", "first"), [("load", 1), ("take_lease", 1), *(("commit", n) for n in range(1, 8))])
def test_a_store_that_wants_a_permission_is_told_and_never_counts_against_the_exchange(call: str, first: int) -> None:
    """Three hours of it open no breaker: the exchange answered every time."""
    with scene() as s:
        real = s.store
        for _ in range(3):
            s.store = cast("Store", Forbidding(real, call, first))
            report = s.next()
            if report.exit_code:
                (alert, *_) = [alert for alert in s.messenger.taken if alert.kind == "misconfigured"]
                assert (alert.facts["what"], alert.facts["fix"]) == ("Firestore write", "grant the role")
            s.messenger.taken.clear()
            s.clock.sleep(421)
        s.store = real
        loaded = real.load().state
        assert loaded is None or "binance" not in loaded.dependencies
        assert s.next().exit_code == 0
        assert s.differences() == {}
        assert s.state.drift == {}
        assert len(s.orders()) == len(set(s.orders()))


@pytest.mark.parametrize("fails_at", [2, 3, 4, 5, 6])
def test_a_store_that_fails_after_sends_costs_no_order_and_doubles_none(fails_at: int) -> None:
    with scene() as s:
        brittle(s, fails_at)
        report = s.hour()
        sent = s.orders()
        assert sent
        if not s.store.real.load().state.slot_done:  # type: ignore[attr-defined]
            assert report.exit_code == 4
        brittle(s)
        following = s.next()
        assert following.exit_code == 0
        assert s.differences() == {}
        assert s.state.drift == {}
        assert len(s.orders()) == len(set(s.orders()))
        bought = [row.symbol for rows in s.exchange.venue.books.orders.values() for row in rows if row.side is Side.BUY]
        assert len(bought) == len(set(bought))


def test_a_slot_is_run_again_after_its_hour_could_not_be_written() -> None:
    with scene() as s:
        made = brittle(s, 4)
        s.hour()
        assert made.real.load().state is not None
        brittle(s)
        s.clock.sleep(421)
        again = s.hour()
        assert again.status is CycleStatus.DONE
        assert len(s.orders()) == 4
        assert s.state.slot_done == FIRST


def test_a_quiet_hour_costs_at_most_three_commits_and_four_reads(tmp_path: Path) -> None:
    with scene() as s:
        s.store = SqliteStore(tmp_path / "state.sqlite", s.clock)
        s.hour()
        made = brittle(s)
        s.next()
        assert made.commits <= 2  # and one for the lease
        made.close()


def dry(counts: Counter[str], world: World) -> World:
    """The world as the dry run sees it."""
    return replace(
        world,
        exchange=ReadOnlyExchange(world.exchange, counts),
        store=ReadOnlyStore(world.store, counts),
        alerter=SilentAlerter(world.alerter, counts),
        suppressed=counts,
    )


@pytest.mark.parametrize("traded", [False, True])
def test_a_dry_run_decides_and_changes_nothing(tmp_path: Path, *, traded: bool) -> None:
    with scene() as s, scene() as twin:
        s.store = SqliteStore(tmp_path / "state.sqlite", s.clock)
        if traded:
            s.hour("2026-03-14T09Z")
            twin.hour("2026-03-14T09Z")
        before = s.store.load()
        document = canonical(encode_state(before.state)) if before.state else ""
        bytes_before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        orders, told = s.orders(), list(s.messenger.taken)
        counts: Counter[str] = Counter()
        s.wrap = lambda world: dry(counts, world)
        report = s.hour("2026-03-15T09Z")
        real = twin.hour("2026-03-15T09Z")
        assert report.exit_code == 0
        after = s.store.load()
        assert (canonical(encode_state(after.state)) if after.state else "") == document
        assert after.token == before.token
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == bytes_before
        assert s.orders() == orders
        assert s.messenger.taken == told
        assert report.decision == real.decision
        assert {order.status for order in report.orders} <= {Status.ABSENT}
        assert report.suppressed["order BUY"] == len(real.orders) > 0
        assert report.suppressed["store commit"] >= 2
        assert report.suppressed["store lease"] == (1 if traded else 2), "a first start takes one of its own"
        assert counts["alert"] > 0
        s.store.close()
