"""Trials: figures of a track, the best of them, and a digest that time does not touch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.domain.track_figures import figures_of
from runtime.domain.trials import STORED, WHOLE, Asked, Outcome, Row, best_of, digest_of, key_of, outcome_of
from runtime.errors import BadInput
from tests.support.tracks import track


def a_row(number: int, value: float | None, duration_s: float = 1.0) -> Row:
    outcome = Outcome(f"key{number}", {"sharpe": value}, (0.1,), "s", "t", duration_s)
    return Row(Asked(WHOLE, 0, number), {"A": str(number)}, 0, 3_600_000, "h", "c", outcome)


def test_an_outcome_holds_every_figure_and_the_returns_of_the_days() -> None:
    made = track([100.0 + hour for hour in range(72)], [50.0 + hour for hour in range(72)])
    outcome = outcome_of("k", made, 2.5)
    assert tuple(outcome.figures) == STORED
    run = figures_of(made).curves[0]
    assert outcome.figures["sharpe"] == run.measures.sharpe
    assert outcome.figures["hold_total"] == pytest.approx(121 / 50 - 1)
    assert len(outcome.returns) == 3
    linked = 1.0
    for value in outcome.returns:
        linked *= 1 + value
    assert linked - 1 == pytest.approx(run.measures.total)
    assert (outcome.track_sha256, outcome.duration_s) == (made.digest(), 2.5)


def test_the_best_is_the_earliest_of_equals_and_never_one_without_a_value() -> None:
    rows = [a_row(0, None), a_row(3, 2.0), a_row(1, 2.0), a_row(2, -1.0)]
    assert best_of(rows, "sharpe", minimize=False).asked.number == 1
    assert best_of(rows, "sharpe", minimize=True).asked.number == 2


def test_an_objective_that_nobody_has_is_named() -> None:
    with pytest.raises(BadInput, match=r"search\.objective.*sharpe.*no value in any trial of 1970-01-01T00Z"):
        best_of([a_row(0, None)], "sharpe", minimize=False)


def test_the_digest_knows_no_time_and_no_order_and_every_figure() -> None:
    rows = [a_row(0, 1.0), a_row(1, 2.0)]
    assert digest_of(rows) == digest_of([a_row(1, 2.0, 9.0), a_row(0, 1.0, 8.0)])
    assert digest_of(rows) != digest_of([a_row(0, 1.0), a_row(1, 2.5)])
    assert digest_of(rows) != digest_of([rows[0], replace(rows[1], code="other")])


def test_a_key_depends_on_each_of_its_facts() -> None:
    keys = {key_of({"a": 1}, "plan", "data", "code"), key_of({"a": 2}, "plan", "data", "code")}
    keys |= {key_of({"a": 1}, "p", "data", "code"), key_of({"a": 1}, "plan", "d", "code")}
    assert len(keys | {key_of({"a": 1}, "plan", "data", "c")}) == 5
