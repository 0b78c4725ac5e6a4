"""What hours remember of outside systems that are sick: pauses, breakers, and alerts that do not repeat themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from runtime.adapters.simulated.conditions import Fault
from runtime.domain.alerts import Alert
from runtime.domain.dependencies import BINANCE, TELEGRAM, is_open
from runtime.domain.report import CycleStatus
from runtime.domain.slots import slot_at, slot_start_ms
from runtime.domain.state import Dependency
from runtime.ports import Receipt
from tests.support.operators import put_state
from tests.support.worlds import ACCOUNT, CLOCK, DOWN, POSITIONS, PRICES, Scene, scene

FORBIDDEN = Fault(status=451, code=0, message="restricted location")


def asked(s: Scene) -> int:
    """How many calls the last hour made."""
    return sum(s.used.values())


class TestPause:
    def test_a_pause_that_ends_inside_the_hour_stops_it_until_then(self) -> None:
        with scene() as s:
            s.hour()
            s.faults({POSITIONS: Fault(status=429, code=-1003, message="slow down", retry_after_s=1200)})
            assert s.next().exit_code == 3
            s.faults()
            s.clock.sleep(600)
            again = s.hour()
            assert (again.exit_code, asked(s)) == (3, 0)
            s.clock.sleep(700)
            assert s.hour().status is CycleStatus.DONE
            assert s.state.dependencies == {}

    @pytest.mark.parametrize(("left_s", "waited"), [(50, True), (54, True), (56, False)])
    def test_a_pause_that_is_nearly_over_is_waited_out(self, left_s: int, *, waited: bool) -> None:
        """Up to a minute, with the seconds by which the clocks may differ: a stop is not left alone for an hour."""
        with scene() as s:
            s.hour()
            s.clock.sleep(3600)
            ends_ms = s.clock.now_ms() + left_s * 1000
            put_state(s, replace(s.state, dependencies={BINANCE: Dependency(1, ends_ms)}))
            report = s.hour()
            assert (report.status is CycleStatus.DONE) == waited
            assert (asked(s) > 0) == waited
            if waited:
                assert s.clock.now_ms() >= ends_ms

    def test_a_kept_pause_is_told_once(self) -> None:
        with scene() as s:
            s.hour()
            ends_ms = s.clock.now_ms() + 3 * 3_600_000
            put_state(s, replace(s.state, dependencies={BINANCE: Dependency(1, ends_ms)}))
            for _ in range(2):
                assert s.next().exit_code == 3
                s.messenger.taken = [a for a in s.messenger.taken if a.kind == "rate_limited"]
            assert s.state.dependencies == {BINANCE: Dependency(1, ends_ms)}
            assert len(s.messenger.taken) == 2  # the 1st and 2nd hour of it; the 3rd is silent
            s.next()
            assert len([a for a in s.messenger.taken if a.kind == "rate_limited"]) == 2


class TestExchangeBreaker:
    def test_three_failed_hours_open_it_then_one_probe_an_hour_until_it_answers(self) -> None:
        with scene() as s:
            s.hour()
            s.faults({CLOCK: DOWN, PRICES: DOWN, ACCOUNT: DOWN})
            calls = []
            for _ in range(5):
                assert s.next().exit_code == 3
                calls.append(asked(s))
            assert all(count > 1 for count in calls[:3])
            assert calls[3:] == [1, 1]
            assert is_open(s.state.dependencies, BINANCE)
            opened = [a for a in s.messenger.taken if "3 hours in a row" in a.facts.get("why", "")]
            assert len(opened) == 1
            s.faults()
            s.messenger.taken.clear()
            assert s.next().status is CycleStatus.DONE
            assert s.state.dependencies == {}
            assert "recovered" in s.messenger.kinds()

    def test_a_probe_that_answers_lets_the_hour_try_and_a_failure_keeps_it_open(self) -> None:
        with scene() as s:
            s.hour()
            s.faults({ACCOUNT: DOWN})
            for _ in range(4):
                assert s.next().exit_code == 3
            assert asked(s) > 1
            assert s.state.dependencies[BINANCE].failures == 4

    def test_an_hour_that_works_between_failures_starts_the_count_anew(self) -> None:
        with scene() as s:
            s.hour()
            for bad in (True, True, False, True):
                s.faults({ACCOUNT: DOWN} if bad else None)
                s.next()
            assert s.state.dependencies[BINANCE].failures == 1


class TestRepeatedAborts:
    @pytest.mark.parametrize(("fault", "kind"), [(FORBIDDEN, "location_blocked"), (DOWN, "aborted")])
    def test_hours_that_end_alike_are_told_at_growing_intervals_and_their_end(self, fault: Fault, kind: str) -> None:
        with scene() as s:
            s.hour()
            s.messenger.taken.clear()
            s.faults({ACCOUNT: fault})
            for _ in range(9):
                assert s.next().exit_code == 3
            told = [a for a in s.messenger.taken if a.kind == kind and a.id.endswith(kind)]
            first = slot_start_ms(told[0].slot)
            assert [(slot_start_ms(a.slot) - first) // 3_600_000 for a in told] == [0, 1, 3, 7]
            s.faults()
            s.messenger.taken.clear()
            s.next()
            assert "recovered" in s.messenger.kinds()
            assert kind not in s.state.incidents

    def test_a_clock_that_is_off_aborts_and_says_by_how_much(self) -> None:
        with scene() as s:
            s.hour()
            s.weather(skew_ms=5_001)
            assert s.next().exit_code == 3
            (alert,) = [a for a in s.messenger.taken if a.kind == "clock_skew"]
            assert alert.facts == {"skew": "5001", "limit": "5000"}
            s.weather(skew_ms=5_000)
            assert s.next().status is CycleStatus.DONE

    def test_while_another_run_holds_the_lease_nothing_is_told(self) -> None:
        with scene() as s:
            s.hour()
            put_state(s, replace(s.state, dependencies={BINANCE: Dependency(3, s.clock.now_ms() + 9 * 3_600_000)}))
            s.messenger.taken.clear()
            s.clock.sleep(3600)
            s.store.take_lease(s.store.load(), "another", slot_at(s.clock.now_ms()), 420)
            assert s.hour().status is CycleStatus.LEASE_HELD
            assert not s.messenger.taken


class TestMessengerBreaker:
    def test_a_dead_messenger_is_probed_first_once_it_failed_three_hours(self) -> None:
        with scene() as s:
            s.messenger.dead = True
            s.hour()
            for _ in range(2):
                s.next()
            assert is_open(s.state.dependencies, TELEGRAM)
            waiting = s.state.outbox
            probed = Probed(s)
            s.next()
            assert probed.deliveries == 0
            assert {a.id: a.attempts for a in s.state.outbox if a in waiting} == {a.id: a.attempts for a in waiting}
            assert s.state.dependencies[TELEGRAM].failures == 4
            probed.well = True
            s.messenger.dead = False
            assert s.next().status is CycleStatus.DONE
            assert s.state.dependencies == {}
            assert not s.state.outbox
            assert {a.id for a in waiting} <= {a.id for a in s.messenger.taken}


class Probed:
    """Puts a probe that fails in front of a scene's messenger, and counts deliveries."""

    def __init__(self, s: Scene) -> None:
        self.well, self.deliveries = False, 0
        self._real = s.messenger
        s.wrap = lambda world: replace(world, alerter=self)

    def deliver(self, alerts: Sequence[Alert]) -> Sequence[Receipt]:
        self.deliveries += 1
        return self._real.deliver(alerts)

    def probe(self) -> Mapping[str, str]:
        return {"chat": "ok" if self.well else "no answer"}
