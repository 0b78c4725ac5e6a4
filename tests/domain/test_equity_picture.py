"""The picture of equity: one point an hour, in the right place, and no amount where none may be seen."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from runtime.domain.equity_picture import HOURS_SHOWN, Point, equity_picture
from runtime.domain.report import CycleStatus, Equity, Report
from runtime.domain.slots import HOUR_MS, slot_at, slot_start_ms
from runtime.domain.texts import Language

D = Decimal
SLOT = "2026-11-21T09Z"
REPORT = Report(
    slot=SLOT,
    mode="live",
    account="main",
    status=CycleStatus.DONE,
    exit_code=0,
    equity=Equity(cash_spot=D(1030)),
    index=D("1.02"),
)


def back(hours: int) -> str:
    """The slot so many hours ago."""
    return slot_at(slot_start_ms(SLOT) - hours * HOUR_MS)


def drawn(lines: list[str]) -> list[str]:
    """The values of the line."""
    return next(found[1].split(", ") for line in lines if (found := re.search(r"line \[(.*)\]", line)))


def picture(*points: Point, report: Report = REPORT, figures: bool = True) -> list[str]:
    return equity_picture(report, points, Language.EN, figures=figures)


def test_the_hours_stand_in_order_and_this_one_last() -> None:
    lines = picture(Point(back(1), D(1010)), Point(back(2), D(1000)))
    assert drawn(lines) == ["1000", "1010", "1030"]
    assert '    x-axis "hours before 2026-11-21T09Z" -2 --> 0' in lines
    assert lines[-1] == "3.0 % in 2 hours; lowest 1,000.00, highest 1,030.00."


def test_an_hour_that_no_run_did_keeps_the_value_before_it() -> None:
    assert drawn(picture(Point(back(3), D(1000)))) == ["1000", "1000", "1000", "1030"]


def test_the_stored_document_of_this_very_hour_does_not_count_twice() -> None:
    assert drawn(picture(Point(SLOT, D(1029)), Point(back(1), D(1000)))) == ["1000", "1030"]


def test_what_lies_ahead_or_too_far_back_is_not_drawn() -> None:
    many = [Point(back(hours), D(1000)) for hours in range(-2, 200)]
    lines = picture(*many)
    assert len(drawn(lines)) == HOURS_SHOWN
    assert drawn(lines)[-1] == "1030"


def test_without_amounts_the_line_is_the_return_since_its_first_hour() -> None:
    """A deposit of 500 moved equity and not the index."""
    lines = picture(Point(back(1), D(530), D("1.0")), figures=False)
    assert drawn(lines) == ["0", "2"]
    assert not re.search(r"1,?030|530", "\n".join(lines))


def test_a_single_hour_or_none_has_no_picture() -> None:
    assert picture() == []
    assert picture(report=replace(REPORT, equity=None)) == []
    assert picture(Point(back(1), D(1000)), figures=False) == [], "an older hour's document had no index"


def test_an_hour_without_equity_shows_the_hours_before_it() -> None:
    lines = picture(Point(back(2), D(1000)), Point(back(1), D(990)), report=replace(REPORT, equity=None))
    assert drawn(lines) == ["1000", "990"]
    assert any(f"hours before {back(1)}" in line for line in lines)
