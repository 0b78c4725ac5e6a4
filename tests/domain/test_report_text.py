"""The text of a report: the same on every machine, in both languages, and a quiet hour explains itself."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.domain.decision import Decision, Gate
from runtime.domain.layout import cells
from runtime.domain.money import ZERO
from runtime.domain.orders import Sleeve
from runtime.domain.report import CycleStatus, Report
from runtime.domain.report_text import render_text
from runtime.domain.texts import CATALOGUE, Language
from tests.support.reports import SLOT, a_report

GOLDEN = Path(__file__).parents[1] / "golden"
QUIET = Report(
    slot=SLOT,
    mode="paper",
    account="main",
    status=CycleStatus.DONE,
    exit_code=0,
    decision=Decision(SLOT, ZERO, ZERO, ZERO, ZERO, regime_on=False),
    gates=(
        Gate("regime_off", Sleeve.TREND, "", {"close": "61000", "ma200": "70123.4567891"}),
        Gate("ahr999_high", Sleeve.BTC_CORE, "BTCUSDT", {"ahr999": "1.3", "bound": "1.2"}),
    ),
)


@pytest.mark.parametrize("language", Language)
def test_the_text_is_the_recorded_one_to_the_last_character(language: Language) -> None:
    assert render_text(a_report(), language) == (GOLDEN / f"report_{language}.txt").read_text("utf-8")


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("width", [90, 100, 140])
def test_no_line_is_wider_than_the_page(language: Language, width: int) -> None:
    assert max(cells(line) for line in render_text(a_report(), language, width).splitlines()) <= width


def test_an_hour_without_trades_says_so_and_why_by_part_and_by_gate() -> None:
    told = render_text(QUIET, Language.EN)
    assert "No orders this hour." in told
    assert told.index("BTC core") < told.index("ahr999 above the bands:") < told.index("regime is off:")
    assert "close 61,000, ma200 70,123.5" in told
    assert "nothing was held back" in told


def test_an_hour_that_stopped_early_says_why_and_claims_nothing_else() -> None:
    stopped = Report(slot=SLOT, mode="live", account="main", status=CycleStatus.ABORTED, exit_code=3, error="no\nclock")
    assert render_text(stopped, Language.EN).splitlines() == [
        f"{SLOT} · live · main · aborted before trading (exit 3)",
        "no clock",
    ]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("status", CycleStatus)
def test_every_status_is_worded(language: Language, status: CycleStatus) -> None:
    told = render_text(replace(QUIET, status=status), language)
    assert CATALOGUE[f"status.{status}"][language == Language.ZH] in told


def test_upstream_order_and_execution_pool_are_told_apart() -> None:
    lines = render_text(a_report(), Language.EN).splitlines()
    assert re.fullmatch(r"  upstream order +ETHUSDT SOLUSDT LINKUSDT AVAXUSDT XYZUSDT", lines[8])
    assert re.fullmatch(r"  execution pool +ETHUSDT SOLUSDT LINKUSDT AVAXUSDT", lines[9])


def test_a_value_cannot_forge_a_line() -> None:
    told = render_text(replace(QUIET, problems={"price": "bad\nOrders\n  ETHUSDT"}, account="a\nb"), Language.EN)
    assert told.count("\nOrders\n") == 1
    assert "bad Orders ETHUSDT" in told
