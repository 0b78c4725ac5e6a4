"""The report's document holds JSON values only, is complete, and its digest moves exactly with what the hour did."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.alerts import Receipt
from runtime.domain.costs import Spent
from runtime.domain.decision import Gate
from runtime.domain.market import BtcFacts, Facts, SymbolFacts
from runtime.domain.money import significant
from runtime.domain.orders import Side, Sleeve
from runtime.domain.report import (
    CycleStatus,
    Report,
    digest,
    document_digest,
    gates_by_sleeve,
    to_document,
)
from tests.support.reports import SLOT, a_report, an_intent, order_of

BARE = Report(slot=SLOT, mode="paper", account="main", status=CycleStatus.ABORTED, exit_code=3, error="no clock")
CHANGES: dict[str, Any] = {
    "slot": "2026-11-21T10Z", "mode": "dry_run", "account": "other", "status": CycleStatus.DONE, "exit_code": 0,
    "error": "", "control": "halt", "missed": (), "pool": None, "equity": None, "holdings": (), "index": None,
    "drawdown": Decimal("0.04"), "btc_price": Decimal(64000),
    "decision": None, "gates": (), "intents": (), "recovered": (), "facts": None,
    "ahr999": 0.5, "ahr999_variant": "harmonic", "problems": {}, "drift": {}, "alerts": (), "suppressed": {"orders": 3},
    "spent": Spent(fees=Decimal(1)), "month": Spent(orders=1),
}  # fmt: skip
OF_THE_RUN: dict[str, Any] = {
    "minutes": 3,
    "usage": {"calls": 99},
    "timings_ms": {"snapshot": 1},
    "places": {"state": "elsewhere"},
    "receipts": (Receipt("2026-11-21T09Z:trade", delivered=True, channel="telegram"),),
}


@pytest.mark.parametrize("report", [BARE, a_report()])
def test_the_document_survives_json_and_has_no_float_outside_the_indicators(report: Report) -> None:
    document = to_document(report)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    money = {key: value for key, value in document.items() if key not in {"indicators", "ahr999", "decision"}}
    assert not [value for value in leaves(money) if isinstance(value, float)]


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]


def test_every_field_of_a_report_is_in_the_tables_below() -> None:
    assert {f.name for f in fields(Report)} == set(CHANGES) | set(OF_THE_RUN)


@pytest.mark.parametrize("name", CHANGES)
def test_the_digest_changes_with_everything_the_hour_saw_or_did(name: str) -> None:
    assert digest(replace(a_report(), **{name: CHANGES[name]})) != digest(a_report())


@pytest.mark.parametrize("name", OF_THE_RUN)
def test_the_digest_ignores_what_belongs_to_the_run(name: str) -> None:
    assert digest(replace(a_report(), **{name: OF_THE_RUN[name]})) == digest(a_report())


def test_a_document_read_back_proves_itself_and_a_changed_one_does_not() -> None:
    document = json.loads(json.dumps(to_document(a_report())))
    assert document_digest(document) == document["sha256"] == digest(a_report())
    document["orders"][0]["quote_quantity"] = "1"
    assert document_digest(document) != document["sha256"]


@given(st.floats(min_value=1e-8, max_value=1e8))
def test_the_last_bits_of_an_indicator_do_not_reach_the_document(value: float) -> None:
    ten = to_document(replace(BARE, facts=Facts(BtcFacts(value), {"ETHUSDT": SymbolFacts(value)})))["indicators"]
    assert ten["btc"]["close"] == ten["symbols"]["ETHUSDT"]["close"] == float(f"{value:.10g}")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_null(value: float) -> None:
    assert to_document(replace(BARE, ahr999=value, ahr999_variant="geometric"))["ahr999"]["value"] is None


def test_an_order_tells_what_was_asked_and_what_was_done() -> None:
    order = order_of("x", "ETHUSDT", Side.BUY, "0.19", "2500")
    intent = an_intent("ETHUSDT", Side.BUY, "entry", order=order, budget=Decimal(500))
    told = to_document(replace(BARE, intents=(intent,)))["orders"][0]
    assert told == {
        "id": "bp12345-26112109-B0-ETHUSDT", "slot": SLOT, "sleeve": "trend", "symbol": "ETHUSDT", "side": "BUY",
        "quantity": "1.5", "budget": "500", "decision_price": "171.2", "reason": "entry", "status": "done",
        "detail": "", "order_id": 991, "executed_quantity": "0.19", "average_price": "2500", "quote_quantity": "475",
        "fees": {"BNB": "0.00041"},
    }  # fmt: skip


def test_earn_moves_are_not_orders() -> None:
    document = to_document(a_report())
    assert [move["kind"] for move in document["earn_moves"]] == ["redeem"]
    assert [order["symbol"] for order in document["orders"]] == ["LTCUSDT", "BTCUSDT"]


GATES = st.builds(
    Gate,
    name=st.sampled_from("abc"),
    sleeve=st.sampled_from(Sleeve),
    symbol=st.sampled_from(["", "ETHUSDT", "SOLUSDT"]),
)


@given(st.lists(GATES, max_size=12))
def test_gates_are_grouped_by_part_then_by_name_and_none_is_lost(gates: list[Gate]) -> None:
    grouped = gates_by_sleeve(gates)
    assert list(grouped) == list(Sleeve)
    for sleeve, named in grouped.items():
        for name, same in named.items():
            assert same == [gate for gate in gates if (gate.sleeve, gate.name) == (sleeve, name)]
    assert sum(len(same) for named in grouped.values() for same in named.values()) == len(gates)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=8))
def test_rounding_to_significant_digits_errs_by_half_a_digit_at_most(value: Decimal) -> None:
    rounded = significant(value, 6)
    assert abs(rounded - value) <= abs(value) * Decimal("0.000005")
