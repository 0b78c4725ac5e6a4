"""What a dead hour left open is settled by evidence alone: found, proved absent, forgotten, or still unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.adapters.simulated.books import Draft
from runtime.adapters.simulated.conditions import Fault
from runtime.domain.orders import Intent, Leg, Side, Sleeve, Status, client_id
from runtime.domain.slots import slot_at
from runtime.ports import Changes
from tests.support.operators import QUANTITY, left_open
from tests.support.worlds import LOOK_UP, Scene, scene

ALL_ORDERS = "GET /api/v3/allOrders"


def settled(s: Scene, intent: Intent) -> Intent:
    """What the journal says of an intent."""
    return next(found for found in s.store.journal() if found.id == intent.id)


@pytest.mark.parametrize("sent", [False, True])
def test_an_hour_that_died_is_settled_by_the_next_one(*, sent: bool) -> None:
    with scene() as s:
        s.hour()
        intent = left_open(s, sent=sent)
        report = s.next()
        assert [found.status for found in report.recovered] == [Status.DONE if sent else Status.ABSENT]
        assert settled(s, intent).status is report.recovered[0].status
        assert s.differences() == {}
        assert s.state.drift == {}
        assert s.orders().count(intent.id) == sent


def test_absence_is_not_proved_before_the_fence() -> None:
    with scene() as s:
        s.hour()
        intent = left_open(s, sent=False)
        s.clock.sleep(30)
        state = s.state
        s.store.commit(s.store.take_lease(s.store.load(), "dead", "x", 0), Changes(replace(state, slot_done="")))
        s.clock.sleep(1)
        s.hour()
        assert settled(s, intent).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("code", "sent", "status"),
    [(-1121, False, Status.ABSENT), (-2026, False, Status.ABSENT), (-1121, True, Status.UNKNOWN)],
)
def test_an_order_that_the_exchange_forgot_is_settled_by_the_balances(code: int, status: Status, *, sent: bool) -> None:
    with scene() as s:
        s.hour()
        intent = left_open(s, sent=sent)
        s.faults({LOOK_UP: Fault(status=400, code=code, message="gone")})
        s.next()
        assert settled(s, intent).status is status
        assert s.state.drift == {}


def test_an_order_of_the_same_name_from_another_time_is_not_ours() -> None:
    with scene() as s:
        s.hour()
        slot = slot_at(s.clock.now_ms())
        old = client_id("main", slot, Leg(Sleeve.TREND, "ETHUSDT", Side.BUY), 7)
        s.exchange.venue.place(Draft("ETHUSDT", Side.BUY, old, QUANTITY))
        s.clock.sleep(60)
        intent = left_open(s, sent=False)
        assert intent.id == old
        report = s.next()
        assert [found.status for found in report.recovered] == [Status.ABSENT]


def test_histories_that_fail_prove_nothing() -> None:
    with scene() as s:
        s.hour()
        intent = left_open(s, sent=False)
        s.faults({ALL_ORDERS: Fault(status=503)})
        report = s.next()
        assert settled(s, intent).status is Status.UNKNOWN
        assert report.exit_code == 4
