"""Windows: exact sums, whatever came before them, and None where values are too few or unknown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.windows import mean_of_last, quantile, rate_of_change, share_above_mean, volatility, zscores

closes = st.floats(min_value=1e-8, max_value=1e6)
close_lists = st.lists(closes, min_size=6, max_size=40)


def naive_zscore(window: Sequence[float]) -> float:
    exact = [Fraction(value) for value in window]
    mean = sum(exact) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / (len(exact) - 1)
    return float(exact[-1] - mean) / math.sqrt(variance)


@given(close_lists)
def test_rolling_scores_equal_those_of_each_window_by_itself(values: list[float]) -> None:
    windows = [values[end - 5 : end] for end in range(5, len(values) + 1)]
    flat = max((at for at, window in enumerate(windows) if len(set(window)) == 1), default=-1)
    expected = [naive_zscore(window) for window in windows[flat + 1 :]]
    assert zscores(values, 5) == pytest.approx(expected, rel=1e-12, abs=1e-300)


@given(before=st.lists(closes, max_size=30), values=close_lists)
def test_what_came_before_the_window_leaves_no_trace_at_all(before: list[float], values: list[float]) -> None:
    """Equal to the last bit: a series fetched with more history scores the same."""
    assert zscores([*before, *values], 5)[-len(zscores(values, 5)) :] == zscores(values, 5)


any_floats = st.floats(min_value=-1e30, max_value=1e30) | st.sampled_from([0.0, 5e-324, -5e-324, 1e-30, 1e30])


@given(values=st.lists(any_floats, min_size=10, max_size=30), days=st.integers(2, 6))
def test_scores_that_go_on_day_by_day_are_those_of_the_whole_series(values: list[float], days: int) -> None:
    """To the last bit, also where the oldest days leave: sums that go on are as exact as sums made anew."""
    series = [values[max(0, end - 9) : end] for end in range(days, len(values) + 1)]
    gone_on = [zscores(known, days) for known in series]
    for known, scores in zip(series, gone_on, strict=True):
        zscores([0.5, *values[:days]], days)  # another series: what follows cannot go on
        assert zscores(known, days) == scores


def test_a_window_without_spread_has_no_score_and_the_list_begins_after_it() -> None:
    assert zscores([1.0, 2.0, 3.0, 3.0, 3.0, 4.0], 3) == pytest.approx([2 / math.sqrt(3)])
    assert zscores([1.0, 2.0, 3.0, 3.0, 3.0], 3) == []
    assert zscores([1.0, 2.0], 3) == []
    assert zscores([], 3) == []


@pytest.mark.parametrize(("values", "score"), [([1.0, 2.0, 3.0], 1.0), ([3.0, 2.0, 1.0], -1.0), ([1.0, 3.0, 2.0], 0.0)])
def test_a_score_counts_sample_deviations_from_the_mean(values: list[float], score: float) -> None:
    assert zscores(values, 3) == [score]


@given(values=close_lists, last=st.integers(1, 5))
def test_the_share_above_the_mean_counts_days_above_their_own_mean(values: list[float], last: int) -> None:
    if len(values) < 5 + last - 1:
        assert share_above_mean(values, 5, last) is None
        return
    ends = range(len(values) - last + 1, len(values) + 1)
    above = [Fraction(values[end - 1]) > sum(map(Fraction, values[end - 5 : end])) / 5 for end in ends]
    assert share_above_mean(values, 5, last) == sum(above) / last


def test_a_close_on_its_mean_is_not_above_it() -> None:
    assert share_above_mean([0.1] * 12, 3, 10) == 0.0
    assert share_above_mean([1.0, 1.0, 1.0, 2.0], 3, 2) == 0.5


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30), st.floats(0, 1))
def test_a_quantile_lies_between_its_neighbours_in_order(values: list[int], share: float) -> None:
    found = quantile([float(value) for value in values], share)
    assert min(values) <= found <= max(values)
    assert quantile(sorted(map(float, values)), share) == found
    rank = (len(values) - 1) * share
    ordered = sorted(values)
    assert ordered[math.floor(rank)] <= found <= ordered[math.ceil(rank)]


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.95, 4.8),
        ([5.0, 3.0, 1.0, 4.0, 2.0], 0.95, 4.8),
        ([1.0, 2.0], 0.5, 1.5),
        ([7.0], 0.95, 7.0),
        ([1.0, 2.0, 3.0], 0.0, 1.0),
        ([1.0, 2.0, 3.0], 1.0, 3.0),
    ],
)
def test_quantiles_are_interpolated_linearly(values: list[float], share: float, expected: float) -> None:
    assert quantile(values, share) == pytest.approx(expected, rel=1e-12)


@given(close_lists)
def test_volatility_is_the_sample_deviation_of_simple_returns(values: list[float]) -> None:
    returns = [after / before - 1 for before, after in pairwise(values)][-5:]
    assert volatility(values, 5) == pytest.approx(statistics.stdev(returns), rel=1e-9, abs=1e-12)


def test_volatility_needs_one_close_more_than_returns() -> None:
    assert volatility([1.0, 2.0, 3.0], 3) is None
    assert volatility([1.0, 2.0, 2.0, 3.0], 3) == pytest.approx(0.5)


def test_a_rate_of_change_needs_one_close_more_than_days() -> None:
    assert rate_of_change([1.0, 2.0, 3.0], 3) is None
    assert rate_of_change([1.0, 2.0, 3.0], 2) == 2.0
    assert rate_of_change([4.0, 2.0, 3.0], 1) == 0.5


def test_a_mean_of_too_few_or_of_an_unknown_value_is_none() -> None:
    assert mean_of_last([1.0, 2.0, 6.0], 2) == 4.0
    assert mean_of_last([1.0, 2.0], 3) is None
    assert mean_of_last([None, 2.0, 6.0], 2) == 4.0
    assert mean_of_last([1.0, None, 6.0], 2) is None
    assert mean_of_last([], 2) is None


def test_a_mean_does_not_depend_on_the_order_of_its_values() -> None:
    assert mean_of_last([1e16, 1.0, -1e16, 1.0], 4) == mean_of_last([1.0, 1.0, 1e16, -1e16], 4) == 0.5
