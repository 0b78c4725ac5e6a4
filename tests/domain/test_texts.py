"""Every text exists in both languages with the same placeholders, and every machine name that is shown has one."""

from __future__ import annotations

import ast
from enum import StrEnum

import pytest

from runtime.domain.alerts import AlertKind, Severity
from runtime.domain.control import Mode
from runtime.domain.decision import ExitReason
from runtime.domain.limits import CONDITIONS
from runtime.domain.orders import Kind, Side, Sleeve, Status
from runtime.domain.pool import Rung
from runtime.domain.report import CycleStatus
from runtime.domain.texts import CATALOGUE, MISSING, Language, known, label, placeholders, text
from runtime.domain.wording.alerts import ALERTS
from runtime.domain.wording.changes import CHANGES
from runtime.domain.wording.gates import GATES
from runtime.domain.wording.inbox import INBOX
from runtime.domain.wording.labels import LABELS
from tests.support.sources import dotted, load

GATE_NAMES = [
    "degraded_source",
    "breaker",
    "reduce_only",
    "halt",
    "indicators_missing",
    "price_suspect",
    "price_stale",
    "not_trading",
    "earn_unreadable",
    "unknown_order",
    "drift",
    "filter",
    "below_minimum",
    "order_cap",
    "buys_day_cap",
    "volume_cap",
    "sold_today",
    "bought_today",
    "trimmed_today",
    "ahr999_high",
    "ahr999_missing",
    "dca_cash_low",
    "no_cash",
    "trend_cash",
    "not_qualified",
    "not_selected",
    "regime_off",
    "zscore_below_trigger",
    "tier_done",
    "earn_window",
    "within_dead_band",
    "earn_minimum",
    "earn_quota",
    "fuel_enough",
    "fuel_done",
    "daily_limit",
    "dust",
    "account_unreadable",
    "retired",
]
NAMED: dict[str, type[StrEnum]] = {
    "reason": ExitReason, "rung": Rung, "sleeve": Sleeve, "side": Side, "kind": Kind, "intent": Status,
    "severity": Severity, "status": CycleStatus, "control": Mode,
}  # fmt: skip
WORDLESS = {"line.dca_size", "alert.settings.body", "alert.misconfigured.advice", "column.value", "line.accepted",
            "line.passed_over", "alert.earn_failed.body", "alert.misconfigured.body"}  # fmt: skip


def test_no_key_is_in_two_catalogues() -> None:
    assert len(CATALOGUE) == len(ALERTS) + len(CHANGES) + len(GATES) + len(INBOX) + len(LABELS)


@pytest.mark.parametrize("key", CATALOGUE)
def test_both_languages_say_something_with_the_same_placeholders(key: str) -> None:
    english, chinese = CATALOGUE[key]
    assert placeholders(english) == placeholders(chinese)
    assert english.strip()
    assert chinese.strip()
    assert all(name.isidentifier() for name in placeholders(english))


@pytest.mark.parametrize("key", sorted(set(CATALOGUE) - WORDLESS))
def test_chinese_is_chinese_and_english_is_not(key: str) -> None:
    english, chinese = CATALOGUE[key]
    assert any("\u4e00" <= character <= "\u9fff" for character in chinese)
    assert english.isascii()


@pytest.mark.parametrize(("group", "names"), NAMED.items())
def test_every_member_of_every_enum_that_is_shown_has_a_text(group: str, names: type[StrEnum]) -> None:
    assert [name for name in names if not known(f"{group}.{name}")] == []


@pytest.mark.parametrize("kind", AlertKind)
def test_every_alert_kind_has_a_title_without_values_and_a_body(kind: AlertKind) -> None:
    assert placeholders(CATALOGUE[f"alert.{kind}.title"][0]) == frozenset()
    assert known(f"alert.{kind}.body")


@pytest.mark.parametrize("name", GATE_NAMES)
def test_every_gate_name_has_a_text(name: str) -> None:
    assert known(f"gate.{name}")


def test_every_gate_name_that_the_code_writes_out_has_a_text() -> None:
    written = {
        str(call.args[0].value)
        for source in load("runtime", "strategies")
        for call in ast.walk(source.tree)
        if isinstance(call, ast.Call) and dotted(call.func).rpartition(".")[2] in {"Gate", "gate"}
        if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    }
    assert "not_trading" in written
    assert [name for name in sorted(written) if not known(f"gate.{name}")] == []


def test_every_standing_condition_of_the_gate_table_has_a_text() -> None:
    assert [name for name, _, _ in CONDITIONS if not known(f"gate.{name}")] == []


def test_code_that_tells_an_alert_brings_the_facts_that_its_texts_name() -> None:
    calls = 0
    for source in load("runtime"):
        for call in ast.walk(source.tree):
            told = isinstance(call, ast.Call) and dotted(call.func).rpartition(".")[2] in {"tell", "lasting"}
            if not told or not isinstance(call, ast.Call) or not call.args or None in {w.arg for w in call.keywords}:
                continue
            place, _, member = dotted(call.args[0]).rpartition(".")
            if place == "AlertKind":
                missing = facts_named(AlertKind[member]) - {word.arg for word in call.keywords}
                assert not missing, f"{source.path}:{call.lineno}"
                calls += 1
    assert calls


def facts_named(kind: AlertKind) -> frozenset[str]:
    keys = [key for key in (f"alert.{kind}.body", f"alert.{kind}.advice") if known(key)]
    return frozenset[str]().union(*(placeholders(CATALOGUE[key][0]) for key in keys))


@pytest.mark.parametrize("code", range(5))
def test_every_exit_code_is_explained(code: int) -> None:
    assert known(f"exit.{code}")


def test_no_text_is_about_an_alert_kind_that_does_not_exist() -> None:
    assert {key.split(".")[1] for key in ALERTS} == set(AlertKind)


@pytest.mark.parametrize("language", Language)
def test_an_unknown_machine_name_is_shown_as_it_is(language: Language) -> None:
    assert label("gate", "a_gate_of_tomorrow", language) == "a_gate_of_tomorrow"
    assert label("gate", "with.dots {braces}", language) == "with.dots {braces}"


@pytest.mark.parametrize("language", Language)
def test_a_missing_value_shows_as_a_dash_and_a_value_is_never_a_template(language: Language) -> None:
    told = text("alert.earn_failed.body", language, {"asset": "{amount.__class__}", "why": "%s {0}"})
    assert "{amount.__class__}" in told
    assert "%s {0}" in told
    assert MISSING in told


def test_the_degraded_alert_advises_to_fix_upstream_in_both_languages() -> None:
    english, chinese = CATALOGUE["alert.degraded_source.advice"]
    assert "Fix upstream" in english
    assert "rather than enable degraded entries" in english
    assert "修复上游" in chinese
