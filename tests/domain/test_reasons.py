"""Reasons: what the engine itself says has its Chinese, and what others said is never touched."""
# ruff: noqa: RUF001 - Chinese text uses Chinese punctuation

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.alerts import AlertKind, new_alert
from runtime.domain.ladder import Reading, climb
from runtime.domain.messages import render
from runtime.domain.pool import AcceptedPool, PoolRejected, Rung, UpstreamPool, check_release, parse_pool
from runtime.domain.reasons import SENTENCE_MAX, worded
from runtime.domain.settings import LadderSettings
from runtime.domain.texts import Language
from runtime.domain.wording.reasons import REASONS
from tests.support.sources import load

ZH, EN = Language.ZH, Language.EN
TODAY = date(2026, 3, 15)
SETTINGS = LadderSettings()
FIVE = ("ETHUSDT", "SOLUSDT", "XRPUSDT", "LINKUSDT", "LTCUSDT")
GOOD: dict[str, Any] = {
    "as_of_date": "2026-03-10", "version": "2026-03-10-core_major", "mode": "core_major", "pool_size": 5,
    "symbols": list(FIVE), "symbol_map": {symbol: {"base_asset": symbol.removesuffix("USDT")} for symbol in FIVE},
}  # fmt: skip
BREACHES: list[dict[str, Any]] = [
    {"as_of_date": None},
    {"as_of_date": "10 March"},
    {"as_of_date": "2026-02-30"},
    {"as_of_date": "2026-03-20", "version": "v1"},
    {"as_of_date": "2025-03-10", "version": "v1"},
    {"version": ""},
    {"version": "2026-01-01-core_major"},
    {"mode": "all"},
    {"mode": 10**30},
    {"symbols": {}},
    {"symbols": []},
    {"symbols": "ETHUSDT"},
    {"symbols": ["ETHUSDT", "ETHUSDT", "BTCUSDT", "BNBUSDT", "USDCUSDT"]},
    {"symbols": ["eth", ["x"], None, {"a": 1}, "SOLUSDT"]},
    {"pool_size": "5"},
    {"pool_size": 4},
    {"symbol_map": []},
    {"symbol_map": {"ETHUSDT": {"base_asset": "SOL"}}},
    {"source_project": 5},
    {"symbols": ["x"] * 50},
]
CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH = re.compile(r"\b(must|is|the|of|at most|older|release|symbols,|days|before|with|missing)\b")


def problems(payload: object) -> tuple[str, ...]:
    """What the contract finds wrong with a payload."""
    with pytest.raises(PoolRejected) as caught:
        parse_pool(payload, TODAY, SETTINGS)
    return caught.value.problems


def is_chinese(told: str) -> bool:
    """Whether a sentence is worded: Chinese, with no English around the values."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", told)
    return bool(CHINESE.search(bare)) and not ENGLISH.search(bare)


@pytest.mark.parametrize("breach", BREACHES, ids=str)
def test_every_breach_of_the_contract_has_its_chinese(breach: dict[str, Any]) -> None:
    for problem in problems(GOOD | breach):
        told = worded(problem, ZH)
        assert is_chinese(told), told
        assert worded(problem, EN) == problem


def test_a_whole_refusal_is_worded_and_keeps_fields_and_values() -> None:
    with pytest.raises(PoolRejected) as caught:
        parse_pool(GOOD | {"mode": "all", "pool_size": 4}, TODAY, SETTINGS)
    assert worded(str(caught.value), ZH) == (
        "mode：'all' – 须为以下之一：core_major；pool_size：4 – 须等于交易对数量 5；pool_size：4 – 须等于预期数量 5"
    )


def test_no_json_object_at_all_is_worded() -> None:
    for problem in problems("text"):
        assert is_chinese(worded(problem, ZH))


@pytest.mark.parametrize(
    ("symbols", "day"),
    [(FIVE[::-1], date(2026, 3, 10)), (("ADAUSDT", *FIVE[1:]), date(2026, 3, 10)), (FIVE, date(2026, 3, 1))],
)
def test_a_contradicted_release_is_worded(symbols: tuple[str, ...], day: date) -> None:
    accepted = AcceptedPool("v1", date(2026, 3, 10), "core_major", FIVE, "2026-03-10T09Z", 5, ("core_major",))
    with pytest.raises(PoolRejected) as caught:
        check_release(UpstreamPool("v1", day, "core_major", symbols), accepted)
    for problem in caught.value.problems:
        told = worded(problem, ZH)
        assert is_chinese(told), told


def test_every_word_of_the_ladder_is_worded() -> None:
    """A silent upstream, a state without a release, a stale file, and the built-in list; then an accepted release."""
    stale = GOOD | {"as_of_date": "2025-01-01", "version": "old"}
    newer = GOOD | {"as_of_date": "2026-03-14", "version": "newer"}
    other = GOOD | {"symbols": list(FIVE[::-1])}
    accepted = AcceptedPool(
        GOOD["version"], date(2026, 3, 10), "core_major", FIVE, "2026-03-10T09Z", 5, ("core_major",)
    )
    gone = Reading(Rung.FRESH_UPSTREAM, "strategy/POOL", problem="strategy/POOL: there is no such document")

    def files(*payloads: object) -> list[Reading]:
        return [Reading(Rung.LOCAL_FILE, f"file {number}.json", payload) for number, payload in enumerate(payloads)]

    for readings, known in (
        ([gone, *files(stale)], None),
        ([gone, *files(newer, other)], accepted),
        ([Reading(Rung.FRESH_UPSTREAM, "strategy/POOL", newer)], accepted),
    ):
        found = climb(readings, known, SETTINGS, "2026-03-15T09Z")
        for why in (*(tried.why for tried in found.tried), *found.notes):
            told = worded(why, ZH)
            assert is_chinese(told), told


def test_the_alert_of_a_degraded_pool_is_in_one_language() -> None:
    why = "; ".join(problems(GOOD | {"as_of_date": "2025-03-10", "version": "v1"}))
    facts = {"source": "last_known_good", "version": "v1", "age": "5", "cycles": "2", "why": why}
    told = " ".join(render(new_alert(AlertKind.DEGRADED_SOURCE, "2026-03-15T09Z", facts), ZH).lines)
    assert "原因：as_of_date：'2025-03-10' – 已 370 天，最多 45 天：请发布新版本。" in told


def test_a_budget_and_a_limit_are_named_in_chinese() -> None:
    facts = {"what": "fees", "month": "2026-03", "spent": "8", "budget": "10", "level": "80 %"}
    assert "手续费" in render(new_alert(AlertKind.BUDGET, "2026-03-15T09Z", facts), ZH).lines[0]
    over = {"what": "budget:slippage 80 %", "cycles": "2", "since": "2026-03-15T08Z"}
    assert "滑点 80 %" in render(new_alert(AlertKind.RECOVERED, "2026-03-15T09Z", over), ZH).lines[0]


FREE = [
    "binance: timed out",
    "503 Service Unavailable; upstream connect error",
    "must be a whole numbers",
    "a 'quoted' – must be nothing we know",
]


@pytest.mark.parametrize("said", FREE)
def test_what_others_said_stays_as_it_was(said: str) -> None:
    assert worded(said, ZH) == said


def test_a_sentence_among_foreign_ones_is_worded_and_the_others_stay() -> None:
    assert worded("binance: down; no upstream release was ever accepted", ZH) == "binance: down; 从未采用过上游版本"


@given(st.text(max_size=600))
def test_no_text_is_lost_or_makes_trouble(said: str) -> None:
    assert worded(said, EN) == said
    assert bool(worded(said, ZH)) == bool(said)


def test_a_hostile_text_costs_no_time() -> None:
    hostile = ("release " + "a, " * 40_000)[: SENTENCE_MAX * 100]
    assert worded(hostile, ZH) == hostile
    near = ("release " + ", symbols, " * 100)[:SENTENCE_MAX]
    assert worded(near, ZH) == near


def test_a_value_is_never_a_template() -> None:
    assert worded("{0.__class__}: there is no such document", ZH) == "{0.__class__}：没有这个文档"


@pytest.mark.parametrize(("english", "chinese"), REASONS, ids=lambda text: str(text)[:40])
def test_each_has_the_same_values_in_both_languages(english: str, chinese: str) -> None:
    assert sorted(re.findall(r"\{(\w+)\}", english)) == sorted(re.findall(r"\{(\w+)\}", chinese))
    assert english.isascii()
    assert CHINESE.search(chinese)


PARTS = (
    ("an object with {count} item(s)", " item(s)"),
    ("a list with {count} item(s)", " item(s)"),
    ("release {version} was accepted at {slot} with the same symbols in", "the same symbols in another order"),
    ("release {version} was accepted at {slot} with other symbols", "a changed list needs a new version"),
    ("accepted at {slot} under size {size}", "; accepted at X under "),
    ("{rung} {where} (not used) gives", " gives release X other symbols: X"),
    ("{rung} {where} (not used) holds", ": only the upstream replaces an accepted release"),
)
ASSEMBLED = {
    **{english: part for english, _ in REASONS for start, part in PARTS if english.startswith(start)},
    "not sent: control is halt": "control is halt",
    "no state document and no orders of ours: run init (first_run: fresh)": "",
    "{symbol}: the exchange does not list it as TRADING on spot": "the exchange does not list it as TRADING on spot",
    "{symbol}: {rung} does not name it, and it alone may not replace the accepted release": "does not name it, and it",
    "{where}: No such file or directory": "",
    "{where}: there is no such document": "there is no such document",
    "{where}: is not a file": "is not a file",
    "{base} is held outside the pool (the core): leave it out": "the core",
    "{base} is held outside the pool (fuel for fees): leave it out": "fuel for fees",
    "{what} failed {count} hours in a row": "hours in a row",
}
"""Templates whose sentence the code puts together of parts: a part that it writes out (empty = the system's words)."""


def test_every_template_is_a_sentence_that_the_code_still_says() -> None:
    """Drift between a sentence and its Chinese is found here and not by an operator."""
    written = [*_written()]
    assert [english for english, _ in REASONS if not _said(english, written)] == []


def _said(english: str, written: Sequence[str]) -> bool:
    part = ASSEMBLED.get(english)
    if part is not None:
        return any(part in said for said in written)
    pattern = re.compile(re.sub(r"\\\{\w+\\\}", ".+?", re.escape(english)))
    return any(pattern.search(said) for said in written)


def _written() -> Iterator[str]:
    """Every text that the engine's code writes out, with an `X` where a value goes."""
    for source in load("runtime", "strategies"):
        if "wording" in str(source.path):
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(_shown(part) for part in node.values)


def _shown(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    return "'X'" if isinstance(part, ast.FormattedValue) and part.conversion == ord("r") else "X"
