"""The deflated Sharpe ratio against the figures of the paper, and the probability of overfitting against counting."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from runtime.domain.overfitting import (
    Shape,
    deflated,
    expected_best,
    overfitting_probability,
    probability_above,
    shape_of,
)

PAPER = Shape(2.5 / math.sqrt(250), skew=-3.0, kurtosis=10.0, count=1250)
PAPER_VARIANCE = 0.5 / 250


@pytest.mark.parametrize(("trials", "expected", "probability"), [(100, 0.1132, 0.9004), (46, 0.1004, 0.9505)])
def test_the_example_of_the_paper_comes_out(trials: int, expected: float, probability: float) -> None:
    """A yearly 2.5 over 1250 of 250 days a year, variance 1/2 a year: 100 trials give 0.90, 46 would give 0.95."""
    found = expected_best(PAPER_VARIANCE, trials)
    assert found == pytest.approx(expected, abs=5e-5)
    assert probability_above(PAPER, found) == pytest.approx(probability, abs=5e-5)


def test_the_moments_are_those_reckoned_by_hand() -> None:
    """-1, 0, 0, 3: mean 1/2, squares 9/4 + 1/4 + 1/4 + 25/4 = 9, so 9/3 and 9/4 are the variances."""
    shape = shape_of([-1.0, 0.0, 0.0, 3.0])
    assert shape is not None
    assert shape.sharpe == pytest.approx(0.5 / math.sqrt(3))
    assert shape.skew == pytest.approx((-3.375 - 0.125 - 0.125 + 15.625) / 4 / 1.5**3)
    assert shape.kurtosis == pytest.approx((5.0625 + 0.0625 + 0.0625 + 39.0625) / 4 / 1.5**4)
    assert shape.count == 4


@pytest.mark.parametrize("returns", [[], [0.1], [0.1, 0.2], [0.1, 0.1, 0.1]])
def test_returns_without_a_spread_have_no_shape_and_no_verdict(returns: list[float]) -> None:
    assert shape_of(returns) is None
    assert deflated(returns, [returns]) is None


def test_one_trial_is_judged_against_nothing_and_many_against_more() -> None:
    dice = random.Random(1)
    trials = [[dice.gauss(0.001, 0.01) for _ in range(200)] for _ in range(40)]
    alone = deflated(trials[0], trials[:1])
    assert alone is not None
    assert alone.expected == 0.0
    few, many = deflated(trials[0], trials[:5]), deflated(trials[0], trials)
    assert few is not None
    assert many is not None
    assert many.trials == 40
    ratios = [statistics.fmean(trial) / statistics.stdev(trial) for trial in trials]
    assert many.expected == pytest.approx(expected_best(statistics.variance(ratios), 40))
    assert many.probability < alone.probability


def test_the_best_of_many_coins_is_not_trusted_and_a_true_edge_is() -> None:
    dice = random.Random(7)
    coins = [[dice.gauss(0, 0.01) for _ in range(365)] for _ in range(100)]
    best = max(coins, key=lambda returns: statistics.fmean(returns) / statistics.stdev(returns))
    judged = deflated(best, coins)
    assert judged is not None
    assert not judged.trusted()
    edge = [dice.gauss(0.004, 0.01) for _ in range(365)]
    proved = deflated(edge, [*coins, edge])
    assert proved is not None
    assert proved.trusted()


def test_overfitting_is_certain_where_what_wins_always_loses_afterwards() -> None:
    """Two trials whose only good days are in one half of the blocks each: whichever wins loses in the other half."""
    up, down = [0.01, 0.03] * 2, [-0.01, -0.03] * 2
    assert overfitting_probability([up + down, down + up], blocks=2) == 1.0
    assert overfitting_probability([up + up, down + down], blocks=2) == 0.0


def test_overfitting_of_coins_is_about_even_and_of_an_edge_about_none() -> None:
    dice = random.Random(3)
    coins = [[dice.gauss(0, 0.01) for _ in range(300)] for _ in range(20)]
    even = overfitting_probability(coins)
    assert even is not None
    assert 0.25 < even < 0.85
    edge = [dice.gauss(0.005, 0.01) for _ in range(300)]
    assert overfitting_probability([*coins, edge]) == 0.0


def test_too_little_has_no_probability_of_overfitting() -> None:
    assert overfitting_probability([]) is None
    assert overfitting_probability([[0.1] * 100]) is None
    assert overfitting_probability([[0.1, 0.2] * 5, [0.2, 0.1] * 5]) is None
