"""What if: one setting changed, and only what follows from it differs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from runtime.errors import BadInput, EngineError, SettingsError
from runtime.what_if import what_if
from strategies import REGISTRY
from tests.support.worlds import DOWN, PRICES, scene

STRATEGY = REGISTRY["crypto_live_pool_rotation"]


@pytest.fixture(scope="module")
def tape() -> Sequence[str]:
    """The first hour of an account: it buys two coins, bitcoin and fuel."""
    with scene() as s:
        s.hour()
        return s.reports.tapes[0][1]


def test_without_a_change_that_matters_nothing_changes(tape: Sequence[str]) -> None:
    found = what_if(tape, STRATEGY, {"STRATEGY_PARAM_TOP_N": "2"})
    assert found.own == found.other
    assert list(found.lines()) == [f"nothing would have changed: {len(found.own.orders)} order(s), the same gates"]


def test_its_own_settings_give_the_orders_of_the_hour(tape: Sequence[str]) -> None:
    with scene() as s:
        sent = {(order.symbol, order.side) for order in s.hour().orders}
    found = what_if(tape, STRATEGY, {"STRATEGY_PARAM_TOP_N": "2"})
    assert {(order.symbol, order.side) for order in found.own.orders} == sent


def test_one_target_less_sends_one_order_less_and_says_which(tape: Sequence[str]) -> None:
    found = what_if(tape, STRATEGY, {"STRATEGY_PARAM_TOP_N": "1"})
    trend = [[o.symbol for o in outcome.orders if o.sleeve == "trend"] for outcome in (found.own, found.other)]
    assert len(trend[0]) == 2
    assert trend[1] == trend[0][:1]
    gone = [line for line in found.lines() if line.startswith("no longer sent")]
    assert any("BUY" in line and trend[0][1] in line for line in gone)


def test_a_setting_of_the_ladder_counts_too(tape: Sequence[str]) -> None:
    found = what_if(tape, STRATEGY, {"STRATEGY_ARTIFACT_MAX_AGE_DAYS": "1"})
    assert "trend:degraded_source" in found.other.gates - found.own.gates
    assert [o for o in found.other.orders if o.sleeve == "trend"] == []


@pytest.mark.parametrize(
    ("changes", "error", "named"),
    [
        ({"STRATEGY_PARAM_TOP_N": "many"}, SettingsError, "STRATEGY_PARAM_TOP_N"),
        ({"STRATEGY_PARAM_TOPN": "1"}, SettingsError, "did you mean"),
        ({"ENGINE_ACCOUNT": "other"}, BadInput, "decides nothing"),
    ],
)
def test_what_is_no_setting_of_a_decision_is_refused(
    tape: Sequence[str], changes: dict[str, str], error: type[EngineError], named: str
) -> None:
    with pytest.raises(error, match=named):
        what_if(tape, STRATEGY, changes)


def test_an_hour_that_ended_before_its_decision_has_no_other_one() -> None:
    with scene() as s:
        s.hour()
        s.faults({PRICES: DOWN})
        s.next()
        with pytest.raises(BadInput, match="decision"):
            what_if(s.reports.tapes[1][1], STRATEGY, {"STRATEGY_PARAM_TOP_N": "1"})
