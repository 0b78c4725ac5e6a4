"""Missed and late hours: seen from the slots that were done, told once, and never made up for with trades."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from runtime.domain.alerts import Alert
from runtime.domain.report import CycleStatus
from runtime.domain.status_picture import shares_in
from runtime.errors import StoreUnavailable
from runtime.last_hours import picture_of
from runtime.ports import CycleRecord, Store
from tests.support.worlds import ACCOUNT, DOWN, Scene, scene


def missed(s: Scene) -> list[Alert]:
    """What was told of missed hours."""
    return [alert for alert in s.messenger.taken if alert.kind == "missed_slots"]


def test_missed_hours_are_told_once_however_many_runs_follow() -> None:
    with scene() as s:
        s.hour("2026-03-15T09Z")
        s.hour("2026-03-15T12Z")
        assert s.hour("2026-03-15T12Z").status is CycleStatus.SLOT_DONE
        s.hour("2026-03-15T13Z")
        s.hour("2026-03-15T14Z")
        (told,) = missed(s)
        assert (told.facts["count"], told.facts["slots"]) == ("2", "2026-03-15T10Z 2026-03-15T11Z")


def test_no_order_and_no_record_is_ever_made_for_a_missed_hour() -> None:
    """Days without a run: one purchase for today, none for the days between."""
    with scene() as s:
        s.hour("2026-03-12T09Z")
        before = len(s.orders())
        report = s.hour("2026-03-15T12Z")
        assert {intent.slot for intent in s.store.journal()} <= {"2026-03-12T09Z", "2026-03-15T12Z"}
        assert [cycle.slot for cycle in s.store.cycles(99)] == ["2026-03-15T12Z", "2026-03-12T09Z"]
        bitcoin = [order for order in report.orders if order.symbol == "BTCUSDT"]
        assert len(bitcoin) <= 1
        assert len(s.orders()) == before + len(report.orders)
        assert s.hour("2026-03-15T13Z").missed == ()


def test_hours_that_ended_early_count_as_missed_by_the_one_that_completes() -> None:
    with scene() as s:
        s.hour("2026-03-15T09Z")
        s.faults({ACCOUNT: DOWN})
        for hour in ("2026-03-15T10Z", "2026-03-15T11Z"):
            assert s.hour(hour).exit_code == 3
        assert missed(s) == []
        s.faults()
        done = s.hour("2026-03-15T12Z")
        assert done.missed == ("2026-03-15T10Z", "2026-03-15T11Z")
        s.hour("2026-03-15T13Z")
        assert len(missed(s)) == 1


def test_a_late_or_missed_hour_delays_the_status_report_and_swallows_none() -> None:
    with scene() as s:
        told = []
        for hour in ("15T09", "16T08", "16T11", "16T12", "17T10", "17T13", "18T12"):
            before = len(s.messenger.taken)
            s.hour(f"2026-03-{hour}Z")
            told += [hour for alert in s.messenger.taken[before:] if alert.kind == "status"]
        assert told == ["15T09", "16T11", "17T13"]


def test_the_status_report_has_a_picture_of_the_hours_before_it_and_of_its_own_shares() -> None:
    with scene() as s:
        for _ in range(3):
            s.next()
        s.next(24)
        status = [alert for alert in s.messenger.taken if alert.kind == "status"][-1]
        drawn = picture_of(status, s.store)
        assert drawn is not None
        assert drawn.startswith(b"\x89PNG")
        shares = shares_in(status.facts["shares"])
        assert sum(int(share) for _, share, _ in shares) in range(95, 101)
        assert {asset for asset, _, target in shares if target is not None} >= {"BTC"}
        trade = next(alert for alert in s.messenger.taken if alert.kind == "trade")
        assert picture_of(trade, s.store) is None


def test_a_store_that_does_not_answer_costs_the_picture_and_nothing_else() -> None:
    with scene() as s:
        s.hour()
        status = next(alert for alert in s.messenger.taken if alert.kind == "status")
        assert picture_of(status, cast("Store", Gone())) is None


class Gone:
    """A store whose hours cannot be read."""

    def cycles(self, limit: int, before: str = "") -> Sequence[CycleRecord]:
        raise StoreUnavailable("store: no answer")
