"""The job summary: the same on every machine, whole or cut by sections, with amounts or without a single one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from runtime.domain.decision import Gate
from runtime.domain.equity_picture import Point
from runtime.domain.ladder import Tried
from runtime.domain.orders import Sleeve
from runtime.domain.pool import Rung
from runtime.domain.report import CycleStatus, Report
from runtime.domain.slots import HOUR_MS, slot_at, slot_start_ms
from runtime.domain.summary_markdown import BYTES_MAX, render_end, render_summary
from runtime.domain.texts import CATALOGUE, Language
from tests.domain.test_markdown import ADDED_BY_GITHUB, HOSTILE
from tests.support.rendered import blocks, marks, seen
from tests.support.reports import SLOT, a_report

GOLDEN = Path(__file__).parents[1] / "golden"
HISTORY = [
    Point(slot_at(slot_start_ms(SLOT) - back * HOUR_MS), Decimal(10_000) + 7 * back, 1 + Decimal(back) / 1000)
    for back in (1, 2, 3, 5, 8, 13, 21, 34, 55)
]
OURS = {"text", "text_special", "<code>", "</code>", "<br>", "strong_open", "strong_close"}


def shown(report: Report, language: Language = Language.EN, *, figures: bool = True) -> str:
    return render_summary(report, language, HISTORY, figures=figures)


@pytest.mark.parametrize("figures", [True, False])
@pytest.mark.parametrize("language", Language)
def test_the_summary_is_the_recorded_one_to_the_last_character(language: Language, figures: bool) -> None:
    name = f"summary_{language}{'' if figures else '_hidden'}.md"
    assert shown(a_report(), language, figures=figures) == (GOLDEN / name).read_text("utf-8")


def amounts(value: object) -> Iterator[Decimal]:
    """Every amount in a report that tells how much the account holds or moved."""
    if isinstance(value, Decimal):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from amounts(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from amounts(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from amounts(getattr(value, field.name))


def test_without_figures_no_amount_is_in_it() -> None:
    report = replace(a_report(), error="has 12.5 of 250.5 USDT", problems={"redeem": "min 4000 USDT"})
    report = replace(report, gates=(*report.gates, Gate("no_cash", Sleeve.TREND, "", {"free": "301.005"})))
    hidden = re.sub(r"\S+ %|return index \S+", "", shown(report, figures=False))
    told = {
        amount
        for text in re.findall(r"\d[\d,]*(?:\.\d+)?", seen(hidden))
        for amount in [Decimal(text.replace(",", ""))]
    }
    held = {round(amount, 2) for amount in amounts((report.equity, report.holdings, report.intents)) if amount > 2}
    assert held
    assert {round(amount, 2) for amount in told} & held == set()
    assert not re.search(r"12\.5|250\.5|301|4,?000", seen(hidden))
    assert "Amounts are hidden" in hidden


def test_shares_and_targets_are_there_with_and_without_figures() -> None:
    for figures in (True, False):
        told = seen(shown(a_report(), figures=figures))
        for part in ("43.3 %", "41.1 %", "9.8 %", "drawdown 3.1 %", "regime on", "last known good", "2026-11-21T07Z"):
            assert part in told


@pytest.mark.parametrize("value", [*HOSTILE, *ADDED_BY_GITHUB])
def test_a_hostile_value_changes_nothing_but_its_own_words(value: str) -> None:
    """In every field that something outside, or an older version, may have filled."""

    def with_text(text: str) -> Report:
        report = a_report()
        intents = tuple(replace(intent, detail=text, reason=text, symbol=text) for intent in report.intents)
        decision, pool = report.decision, report.pool
        assert decision is not None
        assert pool is not None
        return replace(
            report,
            account=text,
            error=text,
            missed=(text,),
            intents=intents,
            recovered=intents,
            gates=(Gate(text, Sleeve.TREND, text, {text: text}),),
            problems={text: text},
            drift={text: Decimal(1)},
            suppressed={text: 1},
            holdings=tuple(replace(held, symbol=text) for held in report.holdings),
            decision=replace(
                decision,
                candidates=tuple(replace(c, symbol=text, failed=(text,)) for c in decision.candidates),
                targets=tuple(replace(target, symbol=text) for target in decision.targets),
                exits=tuple(replace(leaving, symbol=text, numbers={text: text}) for leaving in decision.exits),
            ),
            pool=replace(
                pool,
                version=text,
                upstream_order=(text,),
                tried=(Tried(Rung.STATIC, text, accepted=False, why=text),),
                notes=(text,),
            ),
        )

    told, harmless = shown(with_text(value)), shown(with_text("harmless"))
    assert blocks(told) == blocks(harmless)
    assert marks(told) <= OURS


def test_what_does_not_fit_is_left_out_by_whole_sections_and_named() -> None:
    whole = shown(a_report())
    for room in (len(whole.encode()) - 1, 3_000, 1_500, 700):
        cut = render_summary(a_report(), Language.EN, HISTORY, figures=True, room=room)
        assert len(cut.encode()) <= room
        kept, _, left_out = cut.partition("Left out, because a summary has room for 1 MiB: ")
        assert whole.startswith(kept)
        assert "This run" in left_out
    assert render_summary(a_report(), Language.EN, (), figures=True, room=0) == ""


def test_an_hour_of_a_thousand_long_gates_stays_below_githubs_limit() -> None:
    gates = tuple(Gate("filter", Sleeve.TREND, f"{n}|" * 100, {"why": "<" * 1_500}) for n in range(1_000))
    told = shown(replace(a_report(), gates=gates, problems={f"p{n}": "<" * 1_500 for n in range(1_000)}))
    assert len(told.encode()) <= BYTES_MAX
    assert "900 more rows are in the report." in told


def test_an_hour_that_stopped_early_says_why_and_claims_nothing_else() -> None:
    stopped = Report(slot=SLOT, mode="live", account="main", status=CycleStatus.ABORTED, exit_code=3, error="no\nclock")
    told = render_summary(stopped, Language.EN, (), figures=True)
    assert told == "### 2026-11-21T09Z · live · main · aborted before trading (exit 3)\n\n> no clock\n\n"


@pytest.mark.parametrize("figures", [True, False])
def test_a_run_without_a_report_names_every_problem(figures: bool) -> None:
    problems = ["BINANCE_API_KEY: not set – live needs it", "STRATEGY_PARAM_BUY_MIN: '1500|' – must be | text"]
    told = render_end(CycleStatus.BAD_SETTINGS, 2, problems, Language.EN, figures=figures)
    assert told.startswith("### bad settings (exit 2)\n")
    assert blocks(told)["list_item_open"] == 2
    assert "BINANCE_API_KEY: not set" in seen(told)
    assert ("1500" in told) is figures


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("status", CycleStatus)
def test_every_status_is_worded(language: Language, status: CycleStatus) -> None:
    assert CATALOGUE[f"status.{status}"][language == Language.ZH] in shown(replace(a_report(), status=status), language)
