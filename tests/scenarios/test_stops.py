"""A run that is told to end: what it has sent it confirms and books, it sends nothing new, and it gives the lease back.

So the next run, a moment later and in the same hour, goes on where it stopped. In process at every call of every
situation; and real processes that get the signals a runner sends, over HTTP, at moments drawn by lot.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from runtime.adapters.simulated.conditions import PAPER, Effect, Fault
from runtime.domain.dependencies import BINANCE
from runtime.domain.orders import Side, Status
from runtime.domain.report import CycleStatus, Report
from runtime.domain.slots import slot_at
from runtime.domain.state import Dependency
from runtime.errors import StoreUnavailable
from tests.scenarios.matrix.cases import calls_of
from tests.scenarios.matrix.checks import faults, kept_in
from tests.scenarios.matrix.harmless import differences
from tests.scenarios.matrix.places import sqlite_place
from tests.scenarios.matrix.ports import How, Kill, Trouble
from tests.scenarios.matrix.rig import LEASE_MS, SENDS, Ran, Rig
from tests.scenarios.matrix.situations import SITUATIONS, prepared
from tests.scenarios.processes.nursery import Ended, Nursery, Trap
from tests.scenarios.processes.stage import Stage, Strike, staged
from tests.support.audit import own_orders, when_settled
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.operators import put_state
from tests.support.worlds import scene

TOLD = "told to stop by SIGTERM"
SLICES = 4


class Told:
    """A process that is told to end when this is called."""

    def __init__(self) -> None:
        self.why = ""

    def __call__(self) -> None:
        self.why = TOLD


def what_is_wrong(situation: str, at: int) -> list[str]:
    """Faults after a run that is told to end right after its call `at`, another one at once, and the audit."""
    start, told = prepared(situation), Told()
    with sqlite_place("sqlite") as place:
        store = place.open_store()
        rig = Rig.at(start.now_ms, start.copied_books(), SITUATIONS[situation].settings, place.open_store)
        start.plant(store)
        rig.first_slot = slot_at(start.now_ms)
        rig.stop = lambda: told.why
        found = _stopped_well(rig.hour(Kill(at, How.ASLEEP), meanwhile=told), at)
        lease = store.load().lease
        found += ["the lease was kept"] if lease is not None and store.load().read_ms < lease.expires_ms else []
        told.why = ""
        again = rig.hour().report
        if again is None or again.exit_code:
            found.append(f"the run after it: {again and again.error}")
        kept = kept_in(store, SITUATIONS[situation].opened_ms, rig.clock.now_ms())
        found += [*faults(rig, kept), *differences(situation, rig, "now")]
        store.close()
    return [f"{situation} at {at}: {fault}" for fault in found]


def _stopped_well(ran: Ran, at: int) -> list[str]:
    report = ran.report
    if report is None:
        return [f"it had no end: {ran.crash}"]
    late = [call for call in ran.wire.calls[at:] if call in SENDS]
    ends = {CycleStatus.DONE: 0, CycleStatus.STOPPED: 3, CycleStatus.CUT_SHORT: 4}
    wrong = report.exit_code != ends.get(report.status) or (report.status is CycleStatus.STOPPED) > (not ran.sent)
    said = [] if report.status is CycleStatus.DONE or report.error == TOLD else [f"it says {report.error!r}"]
    return [f"{call} after the signal" for call in late] + [f"it ended with {report.status}"] * wrong + said


@pytest.mark.slow
@pytest.mark.parametrize("part", range(SLICES))
def test_a_signal_at_any_call_ends_the_run_between_two_sends_and_the_next_goes_on(part: int) -> None:
    """Of every situation; the portfolio is then the undisturbed one's."""
    moments = [(s, at) for s in SITUATIONS for at in range(1, len(calls_of(s, sqlite_place)) + 1)]
    assert [fault for situation, at in moments[part::SLICES] for fault in what_is_wrong(situation, at)] == []


@contextmanager
def account(situation: str, *, lost: bool = False) -> Iterator[tuple[Rig, Told]]:
    """An account in a situation (its state may be lost), and what tells its processes to end."""
    start, told = prepared(situation), Told()
    with sqlite_place("sqlite") as place:
        rig = Rig.at(start.now_ms, start.copied_books(), SITUATIONS[situation].settings, place.open_store)
        store = place.open_store()
        if not lost:
            start.plant(store)
        store.close()
        rig.stop = lambda: told.why
        yield rig, told


def stopped(rig: Rig, told: Told, call: str, number: int = 1) -> tuple[Report, list[str]]:
    """The report of an hour that is told to end right after the `number`-th call of a name, and its calls after it."""
    ran = rig.hour(Kill(number, How.ASLEEP, call), meanwhile=told)
    assert ran.report is not None
    places = [at for at, name in enumerate(ran.wire.calls, 1) if name == call]
    return ran.report, ran.wire.calls[places[number - 1] :]


def test_what_was_sent_is_booked_and_what_was_not_is_closed_as_never_sent() -> None:
    with account("first") as (rig, told):
        report, _ = stopped(rig, told, "exchange.send_order", 2)
    assert report.status is CycleStatus.CUT_SHORT
    sent = [order for order in report.orders if order.sent_ms]
    assert [order.status for order in sent] == ["done", "done"]
    rest = [order for order in report.orders if not order.sent_ms]
    assert rest
    assert {(order.status, order.detail) for order in rest} == {("absent", f"not sent: {TOLD}")}
    assert {gate.numbers["why"] for gate in report.gates if gate.name == "not_sent"} == {TOLD}


@pytest.mark.parametrize(
    ("situation", "call", "number", "never"),
    [
        ("quiet", "store.load", 1, "store.take_lease"),
        ("first", "store.take_lease", 1, "market.candles"),
        ("exit", "exchange.send_order", 1, "exchange.send_earn"),
        ("trim", "exchange.send_order", 1, "exchange.earn_product"),
        ("trim", "store.commit", 4, "alerter.deliver"),
    ],
)
def test_after_a_signal_nothing_further_is_begun(situation: str, call: str, number: int, never: str) -> None:
    """No lease, no reading on, no purchase after a sale, no Earn move, no message that may take 20 seconds."""
    with account(situation) as (rig, told):
        report, after = stopped(rig, told, call, number)
        assert never not in after
        assert report.exit_code in {0, 3, 4}
        told.why = ""
        again = rig.hour()
        assert never in again.wire.calls
        assert again.report is not None
        assert again.report.exit_code == 0


@pytest.mark.parametrize(("situation", "left"), [("exit", {Side.SELL}), ("trim", {Side.SELL})])
def test_what_was_not_begun_is_not_even_written_down(situation: str, left: set[Side]) -> None:
    with account(situation) as (rig, told):
        report, _ = stopped(rig, told, "exchange.send_order")
        assert {intent.side for intent in report.intents} == left


def test_absence_is_not_proved_by_a_wait_that_was_cut_short() -> None:
    """Two look-ups must lie 2 s apart: a run that may not wait leaves the question to the next one."""
    with account("first") as (rig, told):
        assert rig.hour(Kill(1, How.BEFORE, "exchange.send_order")).killed
        rig.clock.sleep(LEASE_MS / 1000)
        report, after = stopped(rig, told, "exchange.find_order")
        assert {intent.status for intent in report.recovered} == {Status.UNKNOWN}
        assert not set(after) & {"exchange.orders_since", "exchange.account"}
        told.why = ""
        again = rig.hour().report
        assert again is not None
        assert {intent.status for intent in again.recovered} == {Status.ABSENT}


def test_a_move_that_has_not_arrived_is_looked_for_once_more_and_left_to_the_next_run() -> None:
    with account("trim") as (rig, told):
        rig.weather(replace(PAPER, earn=replace(PAPER.earn, subscribe_s=3600)))
        report, after = stopped(rig, told, "exchange.send_earn")
        assert [move.status for move in report.earn_moves] == [Status.UNKNOWN]
        assert after.count("exchange.earn_records") == 1


def test_a_purchase_that_its_redemption_was_to_pay_is_left_to_the_next_run() -> None:
    """The redemption was written down when the signal came, and spot has nothing to spend: the hour is not done."""
    with account("redeem") as (rig, told):
        spot = rig.exchange.venue.books.free("USDT")
        rig.exchange.events.withdraw("USDT", spot - 1)
        report, _ = stopped(rig, told, "store.commit")
        assert [(move.status, move.detail) for move in report.earn_moves] == [(Status.ABSENT, f"not sent: {TOLD}")]
        assert (report.status, report.orders) == (CycleStatus.STOPPED, ())


def test_a_stopped_hour_gives_its_lease_back() -> None:
    with account("first") as (rig, told):
        stopped(rig, told, "exchange.send_order")
        told.why = ""
        again = rig.hour().report
        assert again is not None
        assert again.status is CycleStatus.DONE


def test_a_stop_that_cannot_be_written_down_is_told_at_once() -> None:
    with account("first") as (rig, told):
        dead = Trouble(StoreUnavailable("store: no answer"))
        ran = rig.hour(Kill(1, How.ASLEEP, "market.candles"), {("store.commit", 0): dead}, told)
        assert ran.report is not None
        assert (ran.report.status, ran.report.problems["release"]) == (CycleStatus.STOPPED, "store: no answer")
        assert [name.rpartition(":")[2] for name in rig.messenger.delivered] == ["stopped"]


def test_a_breakers_probe_is_not_made_in_a_pause_whose_wait_was_cut_short() -> None:
    with scene() as s:
        s.hour()
        s.clock.sleep(3600)
        put_state(s, replace(s.state, dependencies={BINANCE: Dependency(3, s.clock.now_ms() + 40_000)}))
        s.wrap = lambda world: replace(world, stop=lambda: TOLD)
        assert s.hour().status is CycleStatus.STOPPED
        assert not s.used


def test_a_rebuild_does_not_begin_before_everything_has_settled() -> None:
    with account("exit", lost=True) as (rig, told):
        rig.settings = rig.settings.model_copy(update={"first_run": "rebuild"})
        report, after = stopped(rig, told, "market.server_time_ms")
        assert report.status is CycleStatus.STOPPED
        assert [call for call in after if call.startswith(("exchange.", "market."))] == ["exchange.sync_clock"]


# --- real processes ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a process gets which signal: at a request, at a call, or at any time; `lost` is that request's answer."""

    name: str
    at: int
    signal: int
    lost: Fault | None = None

    def __str__(self) -> str:
        return f"{signal.Signals(self.signal).name} at {self.name} {self.at}, {self.lost}"


def moments(seed: int, count: int) -> Iterator[Moment]:
    """Moments drawn by lot."""
    for number in range(count):
        rng = Random(f"{seed}:{number}")
        name = rng.choice(("request", "request", "call", "time"))
        lost = rng.choice((None, None, Fault(drop=True), Fault(drop=True, effect=Effect.NOW)))
        yield Moment(
            name,
            rng.randint(1, {"request": 16, "call": 34, "time": 350}[name]),
            int(rng.choice((signal.SIGINT, signal.SIGTERM))),
            lost if name == "request" else None,
        )


def hurt(stage: Stage, moment: Moment) -> Ended:
    """Start an hour, send its signal, and wait for its end."""
    if moment.name == "request":
        run = stage.start(Strike(moment.at, moment.signal, moment.lost))
    elif moment.name == "call":
        run = stage.start(Trap(moment.at, moment.signal))
    else:
        run = stage.start()
        threading.Event().wait(moment.at / 1000)  # any instruction may be the last before the signal
        os.kill(run.pid, moment.signal)
    return stage.wait(run)


def played(stage: Stage, moment: Moment) -> list[str]:
    """Faults of one stopped hour and the run that follows it at once."""
    before = len(own_orders(stage.exchange))
    ended = hurt(stage, moment)
    stage.sky.strike = None
    early = Ended("killed", moment.signal)  # before main.py listens: nothing was begun
    found = [] if ended.number in {0, 3, 4} or ended == early else [f"it ended: {ended}"]
    if ended == Ended("exited", 3) and len(own_orders(stage.exchange)) != before:
        found.append("exit 3, and orders were sent")
    with stage.store() as store:
        loaded = store.load()
        if loaded.lease is not None and loaded.read_ms < loaded.lease.expires_ms:
            found.append("the lease was kept")
    if moment.lost is not None:  # what became of the lost request shows once its fence has passed
        stage.lease_over()
    said = stage.hour()
    if (said["status"] not in {"done", "slot_done"} or said["exit_code"]) and moment.lost is None:
        found.append(f"the run after it: {said['status']} {said.get('error')}")
    stage.next_hour()
    said = stage.hour()
    kept = stage.kept()
    found += when_settled(stage.exchange, kept) if kept and not said["exit_code"] else [f"the next hour: {said}"]
    stage.next_hour()
    return [f"{moment}: {fault}" for fault in found]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(3))
def test_a_process_that_gets_a_runners_signal_anywhere_ends_itself_well(
    nursery: Nursery, tmp_path: Path, part: int
) -> None:
    """8 episodes each on an account of their own: a signal, the next run at once, one more hour, the audit."""
    with staged(tmp_path, nursery) as stage:
        assert stage.hour()["exit_code"] == 0
        stage.next_hour()
        assert [fault for moment in moments(2026 + part, 5) for fault in played(stage, moment)] == []


@pytest.mark.emulator
def test_a_process_on_firestore_that_gets_a_signal_ends_itself_well(
    nursery: Nursery, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    host = str(request.getfixturevalue("firestore_emulator"))
    with staged(tmp_path, nursery, host) as stage:
        assert stage.hour()["exit_code"] == 0
        stage.next_hour()
        assert [fault for moment in moments(7, 3) for fault in played(stage, moment)] == []
