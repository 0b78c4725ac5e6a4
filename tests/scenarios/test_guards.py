"""The guards are where the table says, the page is the table's, and a few of them are taken away for real.

All of them: `python -m tests.scenarios.guards`.
"""

from __future__ import annotations

import pytest

from tests.scenarios.guards import PAGE, Guard, guards, main, table
from tests.scenarios.matrix.stories import STORIES
from tests.support.sources import ROOT

GUARDS = guards()
TRIED = ("journal_first", "fence_shown")
LEAST = 18


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: str(guard.name))
def test_a_guard_stands_where_the_table_says(guard: Guard) -> None:
    assert (ROOT / guard.file).read_text(encoding="utf-8").count(guard.old) == 1
    assert guard.old != guard.new


def test_every_guard_has_a_test_and_every_story_a_guard() -> None:
    told = {guard.name for guard in GUARDS if not guard.test}
    assert told == STORIES.keys()
    assert len({guard.name for guard in GUARDS}) == len(GUARDS) >= LEAST


def test_the_page_is_current() -> None:
    hint = "docs/guards.md is old: python -m tests.scenarios.guards --write-table"
    assert PAGE.read_text(encoding="utf-8") == table(GUARDS), hint


@pytest.mark.slow
def test_without_a_guard_its_story_goes_wrong() -> None:
    assert main([argument for name in TRIED for argument in ("--only", name)]) == 0
