"""Figures of a run: reckoned on paper for small tracks, and against a second opinion for random ones."""

from __future__ import annotations

import math
from itertools import accumulate

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.slots import HOUR_MS
from runtime.domain.track_figures import figures_of
from tests.support.tracks import track, trade


def days(*values: float) -> list[float]:
    """Each value for the 24 hours of a day."""
    return [value for value in values for _ in range(24)]


def test_a_deposit_is_no_return_and_a_fall_after_it_is() -> None:
    """100 grow to 110; 50 come in; 160 fall to 152: (110/100) x (152/160) - 1 = 4.5 %."""
    equity, flow = [*days(110), 160, *[152] * 23], [0.0] * 24 + [50.0] + [0.0] * 23
    run = figures_of(track(equity, days(10, 10), flow)).curves[0]
    assert run.measures.total == pytest.approx(0.045)
    assert run.index == pytest.approx((1.1, 1.045))
    assert run.measures.max_drawdown == pytest.approx(-0.05)
    assert run.drawdowns() == pytest.approx([0.0, -0.05])
    assert run.measures.end == 152


def test_holding_bitcoin_buys_at_the_hours_price_and_deposits_when_they_come() -> None:
    flow = [0.0] * 24 + [50.0] + [0.0] * 23
    hold = figures_of(track(days(100, 150), days(10, 20), flow)).curves[1]
    assert hold.values == pytest.approx((100, 10 * 20 + 50))
    assert hold.measures.total == pytest.approx(1.0)


def test_buying_by_plan_spends_equal_parts_a_day() -> None:
    dca = figures_of(track(days(100, 100), days(10, 20))).curves[2]
    assert dca.values == pytest.approx((100, 5 * 20 + 2.5 * 20))


def test_a_price_that_is_not_known_yet_buys_nothing() -> None:
    figures = figures_of(track(days(100), [0.0] * 12 + [10.0] * 12))
    assert [curve.values[-1] for curve in figures.curves] == pytest.approx([100, 100, 100])


def test_months_are_the_runs_own_and_link_to_the_whole() -> None:
    equity = [100 + hour / 100 for hour in range(24 * 60)]
    figures = figures_of(track(equity, [10.0] * len(equity)))
    assert figures.months == ("2024-01", "2024-02")
    assert math.prod(1 + value for value in figures.monthly) - 1 == pytest.approx(figures.curves[0].measures.total)


def test_what_was_traded_is_counted_by_what_it_cost() -> None:
    trades = [trade(0, "BUY", "10", "10"), trade(5, "SELL", "12", "10"), trade(9, "SELL", "8", "10", fees={"BNB": "1"})]
    figures = figures_of(track(days(100), days(10), trades=trades))
    assert (figures.trades, figures.hit_rate) == (3, 0.5)
    assert figures.fees == pytest.approx({"BTC": 0.002, "BNB": 1.0})
    assert figures.turnover == pytest.approx(30 / 100 * 365)
    assert figures.exposure == pytest.approx(0.5)


def test_a_gate_is_shown_by_the_share_of_hours_it_held_something_back() -> None:
    figures = figures_of(track(days(100), days(10), gates=[1] * 6 + [0] * 18))
    assert figures.gates == {"trend:degraded_source": (0.25,)}


def test_each_month_has_its_own_share_of_a_gate_from_its_first_hour_to_its_last() -> None:
    """31 days of which the last hour is held back, and half a February day that begins held back."""
    hours = 31 * 24 + 12
    figures = figures_of(
        track([100.0] * hours, [10.0] * hours, gates=[*[0] * (31 * 24 - 1), 1, *[1] * 3, *[0] * 9])
    )  # fmt: skip
    assert figures.months == ("2024-01", "2024-02")
    assert figures.gates == {"trend:degraded_source": (1 / (31 * 24), 3 / 12)}
    none = figures_of(track([100.0] * hours, [10.0] * hours))
    assert none.gates == {}


def test_without_sales_or_spread_there_is_no_figure_and_no_zero() -> None:
    figures = figures_of(track([100.0], [10.0]))
    run = figures.curves[0].measures
    assert (figures.hit_rate, run.sharpe, run.sortino, run.calmar) == (None, None, None, None)
    assert figures.days == ("2024-01-01",)


@given(st.lists(st.floats(-0.2, 0.25), min_size=3, max_size=40))
def test_ratios_are_those_of_another_library(returns: list[float]) -> None:
    ends = [100 * growth for growth in accumulate((1 + value for value in returns), lambda a, b: a * b)]
    measures = figures_of(track(days(*ends), days(*[10.0] * len(ends)))).curves[0].measures
    values = np.array(returns)
    assert measures.max_drawdown == pytest.approx(empyrical.max_drawdown(values), abs=1e-9)
    if measures.sharpe is not None:
        assert measures.sharpe == pytest.approx(empyrical.sharpe_ratio(values, annualization=365), rel=1e-6, abs=1e-6)
    if measures.sortino is not None:
        assert measures.sortino == pytest.approx(empyrical.sortino_ratio(values, annualization=365), rel=1e-6, abs=1e-6)


def test_a_run_may_begin_and_end_within_a_day() -> None:
    whole = track(days(100, 110, 121), days(10, 10, 10))
    assert len(figures_of(whole).days) == 3
    assert next(iter(whole.times_ms())) % (24 * HOUR_MS) == 0
