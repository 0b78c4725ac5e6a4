"""What a sweep ends with: the best first, and a warning wherever chance may explain it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runtime.domain.overfitting import TRUSTED, Deflated
from runtime.sweep import Swept
from runtime.sweep_figures import UNTRUSTED, swept_lines, swept_summary
from tests.support.sweeps import FACTS, Hands, a_folder, a_space, a_sweep


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Swept:
    with (folder := a_folder(tmp_path_factory.mktemp("sweep"))).opened(FACTS):
        return a_sweep(folder, Hands(), a_space(trials=12)).sweep()


@pytest.mark.parametrize(
    ("probability", "warned"), [(0.0, True), (TRUSTED - 0.001, True), (TRUSTED, False), (1.0, False)]
)
def test_what_chance_may_explain_carries_a_warning(found: Swept, probability: float, warned: bool) -> None:
    judged = replace(found, deflated=Deflated(0.1, 0.05, probability, 12))
    assert (UNTRUSTED in swept_lines(a_space(), judged, "x.parquet")) is warned
    assert swept_summary(a_space(), judged)["deflated_sharpe"]["probability"] == probability


def test_without_a_verdict_it_says_why(found: Swept) -> None:
    lines = swept_lines(a_space(), replace(found, deflated=None, overfitting=None), "x.parquet")
    assert any(line.startswith("deflated Sharpe ratio, best trial: no value (fewer than 3 days") for line in lines)
    assert not any("overfitting" in line for line in lines)


def test_the_table_begins_with_the_best_and_leaves_the_refused_out(found: Swept, tmp_path: Path) -> None:
    lines = swept_lines(a_space(), found, str(tmp_path))
    first = next(at for at, line in enumerate(lines) if line.lstrip().startswith("trial "))
    numbers = [int(line.split()[0]) for line in lines[first + 1 :] if line.split()[0].isdigit()]
    judged = sorted((row for row in found.rows if not row.refused), key=lambda row: -(row.value("sharpe") or 0.0))
    assert numbers == [row.asked.number for row in judged[:10]]
    assert numbers[0] == found.best.asked.number
    assert lines[-1] == f"kept in {tmp_path}"
