"""Many dispatches of one hour: exactly one does it, and the others end at once, cleanly, without an order.

Threads with a world, a store object and a connection each, on one SQLite file and on Firestore's emulator; and real
processes. The exchange is one and the same: it would show a second order.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.memory import MemoryStore
from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import FIXTURE
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.cycle import run_cycle
from runtime.domain.alerts import AlertKind
from runtime.domain.market import Facts
from runtime.domain.report import CycleStatus, Report
from runtime.domain.slots import HOUR_MS, date_at
from runtime.ports import Store
from runtime.run_settings import Settings
from tests.scenarios.processes.nursery import Ended, Nursery
from tests.scenarios.processes.stage import staged
from tests.support import hours
from tests.support.audit import own_orders, records, when_settled
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.hours import Place, Upstream
from tests.support.markets import TableMarket
from tests.support.restless import restless
from tests.support.shop import NOW_MS, PRICES
from tests.support.store_accounts import FIRESTORE, accounts

DISPATCHES = 50
AWAY = {CycleStatus.LEASE_HELD, CycleStatus.SLOT_DONE}


class Arena:
    """One exchange and one clock; `run` is one dispatch, with a store of its own."""

    def __init__(self, make: Callable[[SimulatedClock], Callable[[], Store]]) -> None:
        self.clock = SimulatedClock(NOW_MS)
        books = Books.opened({"USDT": Decimal(10_000), "ETH": Decimal(1)})
        market = TableMarket(self.clock, PRICES | {"XRPUSDT": "1.5"})
        self.exchange = SimulatedExchange(market, self.clock, FIXTURE, books)
        self.open = make(self.clock)
        self.place = Place(
            self.exchange, self.open(), self.clock, Upstream("ETHUSDT", "XRPUSDT"), facts=Facts(None, {})
        )

    def run(self, slot: str | None = None) -> Report:
        """One dispatch, in a world of its own."""
        world = replace(self.place, store=self.open()).world()
        return run_cycle(_asking(slot), restless, world)

    def race(self, slots: Sequence[str | None]) -> list[Report]:
        """All of them at once, each in a thread."""
        gate = threading.Barrier(len(slots))

        def dispatched(slot: str | None) -> Report:
            gate.wait()
            return self.run(slot)

        with ThreadPoolExecutor(len(slots)) as threads:
            return list(threads.map(dispatched, slots))

    def faults(self) -> list[str]:
        """What the audit finds."""
        kept = records(self.place.store, date_at(NOW_MS), date_at(self.clock.now_ms()))
        assert kept is not None
        return when_settled(self.exchange, kept)


def _asking(slot: str | None) -> Settings:
    return hours.settings().model_copy(update={"slot": slot})


@pytest.fixture(params=["sqlite", FIRESTORE])
def arena(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Arena]:
    """An account that every dispatch opens anew."""
    with accounts(request.param, tmp_path, request) as make:
        yield Arena(lambda _: make().open)


@pytest.fixture
def quiet() -> Arena:
    """An account in memory, for one dispatch after the other."""

    def make(clock: SimulatedClock) -> Callable[[], Store]:
        store = MemoryStore(clock, copy=True)
        return lambda: store

    return Arena(make)


def only_one_did(reports: Sequence[Report]) -> Report:
    """The report of the one dispatch that did the hour; the others ended at once, with exit code 0 and no intent."""
    did = [report for report in reports if report.status not in AWAY]
    assert [report.status for report in did] == [CycleStatus.DONE], Counter((r.status, r.error) for r in reports)
    assert {report.exit_code for report in reports} == {0}
    assert not any(report.intents for report in reports if report.status in AWAY)
    return did[0]


@pytest.mark.slow
def test_of_fifty_dispatches_at_once_exactly_one_does_the_hour(arena: Arena) -> None:
    """Also of the first hour, which creates the document; and again an hour later, on a document that exists. All of
    them together ask for less than one account may in a minute, also of the histories that a first start reads.
    """
    for _ in range(2):
        before = len(own_orders(arena.exchange))
        did = only_one_did(arena.race([None] * DISPATCHES))
        assert len(own_orders(arena.exchange)) - before == len(did.orders)
        assert arena.faults() == []
        assert [cycle.slot for cycle in arena.place.store.cycles(1)] == [did.slot]
        arena.clock.sleep(HOUR_MS / 1000)


@pytest.mark.slow
def test_dispatches_for_older_and_current_slots_at_once_do_the_current_hour_once(quiet: Arena) -> None:
    assert quiet.run().slot == "2026-11-21T10Z"
    quiet.clock.sleep(2 * HOUR_MS / 1000)
    asked = ["2026-11-21T10Z", "2026-11-21T11Z", "2026-11-21T12Z", None] * 5
    did = only_one_did(quiet.race(asked))
    assert (did.slot, did.missed) == ("2026-11-21T12Z", ("2026-11-21T11Z",))
    assert quiet.faults() == []


def test_an_older_slot_is_told_as_missed_and_the_open_current_one_is_done(quiet: Arena) -> None:
    quiet.run()
    quiet.clock.sleep(3 * HOUR_MS / 1000)
    report = quiet.run("2026-11-21T11Z")
    assert (report.status, report.slot) == (CycleStatus.DONE, "2026-11-21T13Z")
    assert report.missed == ("2026-11-21T11Z", "2026-11-21T12Z")
    told = [alert for alert in quiet.place.inbox.alerts if alert.kind == AlertKind.MISSED_SLOTS]
    assert [alert.facts["slots"] for alert in told] == ["2026-11-21T11Z 2026-11-21T12Z"]


@pytest.mark.parametrize("slot", ["2026-11-21T08Z", "2026-11-21T10Z", None])
def test_a_slot_asked_for_again_once_the_current_one_is_done_sends_nothing(quiet: Arena, slot: str | None) -> None:
    quiet.run()
    before = len(own_orders(quiet.exchange))
    report = quiet.run(slot)
    assert (report.status, report.exit_code) == (CycleStatus.SLOT_DONE, 0)
    assert len(own_orders(quiet.exchange)) == before


def test_a_slot_that_lies_ahead_is_a_settings_error_and_leaves_the_hour_open(quiet: Arena) -> None:
    report = quiet.run("2026-11-21T11Z")
    assert (report.status, report.exit_code) == (CycleStatus.BAD_SETTINGS, 2)
    assert "2026-11-21T11Z" in report.error
    assert own_orders(quiet.exchange) == []
    assert quiet.run("2026-11-21T10Z").status is CycleStatus.DONE


def test_a_dispatch_that_waited_until_the_next_hour_does_that_hour_once(quiet: Arena) -> None:
    """Asked for 10Z, it starts at 11:00:01: the hour of the exchange's clock counts."""
    quiet.run()
    quiet.clock.sleep(HOUR_MS / 1000 + 1)
    first, second = quiet.run("2026-11-21T10Z"), quiet.run("2026-11-21T11Z")
    assert (first.status, first.slot, first.missed) == (CycleStatus.DONE, "2026-11-21T11Z", ())
    assert second.status is CycleStatus.SLOT_DONE


@pytest.mark.slow
def test_of_eight_processes_at_once_exactly_one_does_the_hour(tmp_path: Path) -> None:
    """Real processes over HTTP on one SQLite file: first on no file at all, then on the one that the first made."""
    with Nursery() as nursery, staged(tmp_path, nursery) as stage:
        for _ in range(2):
            before = len(own_orders(stage.exchange))
            runs = [stage.start() for _ in range(8)]
            ends = [stage.wait(run) for run in runs]
            assert set(ends) == {Ended("exited", 0)}, [(run.said()["status"], run.said()["error"]) for run in runs]
            said = Counter(run.said()["status"] for run in runs)
            assert said["done"] == 1
            assert said["done"] + said["lease_held"] + said["slot_done"] == 8
            orders = next(len(run.said()["orders"]) for run in runs if run.said()["status"] == "done")
            assert len(own_orders(stage.exchange)) - before == orders
            kept = stage.kept()
            assert kept is not None
            assert when_settled(stage.exchange, kept) == []
            stage.next_hour()
