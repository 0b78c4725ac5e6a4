"""A lasting condition is told rarely enough to be read and often enough not to be forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.alerts import (
    SEVERITIES,
    AlertKind,
    Incident,
    Severity,
    escalated,
    new_alert,
    observe,
    recovered,
)
from runtime.domain.slots import HOUR_MS, slot_at

START_MS = 1_795_251_600_000
SLOTS = [slot_at(START_MS + hour * HOUR_MS) for hour in range(100)]


def test_a_condition_is_told_at_its_1st_2nd_4th_8th_24th_hour_and_then_once_a_day() -> None:
    incidents: dict[str, Incident] = {}
    told = []
    for count, slot in enumerate(SLOTS, 1):
        incidents, tell = observe(incidents, "drift", slot)
        assert incidents["drift"].count == count
        if tell:
            told.append(count)
            assert incidents["drift"].last_told == slot
    assert told == [1, 2, 4, 8, 24, 48, 72, 96]
    assert incidents["drift"].opened == SLOTS[0]


@given(st.lists(st.sampled_from(["drift", "fuel", "indicators_missing:ETHUSDT"]), max_size=30))
def test_an_hour_that_is_run_again_counts_and_tells_once(kinds: list[str]) -> None:
    incidents: dict[str, Incident] = {}
    tells = []
    for kind in kinds:
        incidents, tell = observe(incidents, kind, SLOTS[0])
        tells.append(tell)
    assert sum(tells) == len(set(kinds)) == len(incidents)
    assert all(incident.count == 1 for incident in incidents.values())


def test_observing_changes_no_value_it_was_given() -> None:
    before: dict[str, Incident] = {}
    observe(before, "drift", SLOTS[0])
    assert before == {}


def test_a_recovery_gives_back_the_incident_once_and_leaves_the_others() -> None:
    incidents, _ = observe({}, "drift", SLOTS[0])
    incidents, _ = observe(incidents, "fuel", SLOTS[1])
    rest, over = recovered(incidents, "drift")
    assert over is not None
    assert over.opened == SLOTS[0]
    assert set(rest) == {"fuel"}
    assert recovered(rest, "drift") == (rest, None)


def test_after_a_recovery_the_condition_opens_anew() -> None:
    incidents, _ = observe({}, "drift", SLOTS[0])
    incidents, _ = recovered(incidents, "drift")
    incidents, tell = observe(incidents, "drift", SLOTS[5])
    assert tell
    assert incidents["drift"] == Incident("drift", SLOTS[5], last_told=SLOTS[5], last_seen=SLOTS[5])


@pytest.mark.parametrize(
    ("severity", "count", "expected"),
    [
        (Severity.WARNING, 23, Severity.WARNING),
        (Severity.WARNING, 24, Severity.CRITICAL),
        (Severity.INFO, 1000, Severity.INFO),
        (Severity.CRITICAL, 1, Severity.CRITICAL),
    ],
)
def test_a_warning_that_lasts_a_day_becomes_critical(severity: Severity, count: int, expected: Severity) -> None:
    assert escalated(severity, count) is expected


def test_every_kind_has_a_severity_and_money_at_risk_is_critical() -> None:
    assert set(SEVERITIES) == set(AlertKind)
    assert SEVERITIES[AlertKind.BREAKER] is SEVERITIES[AlertKind.ABORTED] is Severity.CRITICAL
    assert SEVERITIES[AlertKind.TRADE] is Severity.INFO


def test_the_same_alert_of_the_same_hour_has_the_same_id_and_another_subject_another() -> None:
    eth = new_alert(AlertKind.ORDER_FAILED, SLOTS[0], {"symbol": "ETHUSDT"}, subject="ETHUSDT")
    again = new_alert(AlertKind.ORDER_FAILED, SLOTS[0], {"symbol": "ETHUSDT", "detail": "x"}, subject="ETHUSDT")
    sol = new_alert(AlertKind.ORDER_FAILED, SLOTS[0], {"symbol": "SOLUSDT"}, subject="SOLUSDT")
    later = new_alert(AlertKind.ORDER_FAILED, SLOTS[1], {"symbol": "ETHUSDT"}, subject="ETHUSDT")
    assert eth.id == again.id
    assert len({eth.id, sol.id, later.id}) == 3


@pytest.mark.parametrize(
    ("kind", "facts", "expected"),
    [
        (AlertKind.DEGRADED_SOURCE, {"source": "static"}, Severity.CRITICAL),
        (AlertKind.DEGRADED_SOURCE, {"source": "last_known_good"}, Severity.WARNING),
        (AlertKind.ACCOUNT_LIMIT, {"level": "100.0 %"}, Severity.CRITICAL),
        (AlertKind.ACCOUNT_LIMIT, {"level": "80.0 %"}, Severity.WARNING),
        (AlertKind.FUEL, {"level": "100.0 %", "source": "static"}, Severity.WARNING),
    ],
)
def test_the_built_in_list_and_a_limit_that_is_reached_are_critical_at_once(
    kind: AlertKind, facts: dict[str, str], expected: Severity
) -> None:
    assert new_alert(kind, SLOTS[0], facts).severity is expected
