"""Returns: the hand-worked values of the definitions, and two other implementations as a second opinion."""

from __future__ import annotations

from datetime import date, timedelta

import empyrical
import pandas as pd
import pytest
import pyxirr
from hypothesis import assume, given
from hypothesis import strategies as st

from runtime.domain.returns import (
    calmar,
    linked,
    max_drawdown,
    modified_dietz,
    money_weighted,
    returns_of,
    sharpe,
    sortino,
    time_weighted,
    yearly,
)

WORKED = (0.01, -0.02, 0.03, 0.0, -0.01)
INDEX = (1.0, 1.01, 0.9898, 1.019494, 1.019494, 1.00929906)
RETURNS = st.lists(st.floats(-0.3, 0.3).map(lambda value: round(value, 6)), min_size=3, max_size=60)


def series(returns: list[float]) -> pd.Series[float]:
    """The returns as daily ones of 2024."""
    return pd.Series(returns, index=pd.date_range("2024-01-01", periods=len(returns), freq="D"))


class TestWorkedByHand:
    def test_the_ratios_of_five_days(self) -> None:
        assert sharpe(WORKED) == pytest.approx(1.986441, abs=1e-6)
        assert sortino(WORKED) == pytest.approx(3.820995, abs=1e-6)
        assert max_drawdown(INDEX) == pytest.approx(-0.02, abs=1e-12)
        assert returns_of(INDEX) == pytest.approx(WORKED, abs=1e-9)
        assert linked(WORKED) == pytest.approx(0.00929906, abs=1e-12)

    def test_a_deposit_in_the_middle_of_a_year(self) -> None:
        """100 grow to 110, 50 come in on day 182, and 160 fall to 152."""
        assert time_weighted([(100, 110), (160, 152)]) == pytest.approx(0.045, abs=1e-12)
        assert modified_dietz(100, 152, [((365 - 182) / 365, 50)]) == pytest.approx(0.01599124, abs=1e-8)
        assert money_weighted([(0, -100), (182, -50), (365, 152)]) == pytest.approx(0.01600394, abs=1e-8)

    def test_the_first_value_is_a_peak_too(self) -> None:
        assert max_drawdown([1.0, 0.8, 0.9]) == pytest.approx(-0.2)

    def test_growth_a_year_compounds_over_365_days(self) -> None:
        assert yearly(0.1, 365) == pytest.approx(0.1)
        assert yearly(0.1, 730) == pytest.approx(1.1**0.5 - 1)


class TestWithoutAValue:
    def test_a_figure_that_has_none_is_none(self) -> None:
        assert sharpe([]) is sharpe([0.1]) is sharpe([0.1, 0.1, 0.1]) is None
        assert sortino([]) is sortino([0.0, 0.1]) is None
        assert calmar(0.1, 0.0) is calmar(None, -0.1) is None
        assert yearly(0.1, 0) is yearly(-1.0, 10) is yearly(1e300, 0.001) is None
        assert time_weighted([(0, 10)]) is None
        assert modified_dietz(0, 10, []) is None
        assert max_drawdown([]) == 0
        assert returns_of([0.0, 1.0, 2.0]) == [1.0]

    @pytest.mark.parametrize(
        "flows", [[], [(0, -100)], [(0, -100), (0, 100)], [(0, 100), (30, 100)], [(0, -100), (365, 0)]]
    )
    def test_flows_without_a_rate_have_none(self, flows: list[tuple[float, float]]) -> None:
        assert money_weighted(flows) is None

    def test_a_rate_beyond_any_number_is_none_and_not_infinite(self) -> None:
        assert money_weighted([(0, -100), (1 / 24, 200)]) is None

    def test_of_several_rates_the_one_nearest_to_no_growth_is_taken(self) -> None:
        """-100 (1 + r)^2 + 230 (1 + r) - 132 is zero at 10 % and at 20 %."""
        assert money_weighted([(0, -100), (365, 230), (730, -132)]) == pytest.approx(0.1, abs=1e-6)

    def test_money_that_neither_grew_nor_shrank_has_a_rate_of_zero(self) -> None:
        assert money_weighted([(0, -100), (100, 100)]) == pytest.approx(0, abs=1e-12)


class TestSecondOpinion:
    @given(
        st.lists(st.tuples(st.integers(1, 1500), st.integers(-900, 2000)), max_size=8),
        st.integers(500, 5000),
        st.integers(1, 20_000),
    )
    def test_money_weighted_equals_pyxirr_wherever_that_finds_the_same_kind_of_root(
        self, between: list[tuple[int, int]], start: int, end: int
    ) -> None:
        """Deposits only, so that there is one root."""
        flows = [(0.0, -float(start))] + [(float(d), -float(abs(a))) for d, a in between] + [(1600.0, float(end))]
        first = date(2020, 1, 1)
        other = pyxirr.xirr([first + timedelta(days=int(d)) for d, _ in flows], [a for _, a in flows])
        ours = money_weighted(flows)
        assume(other is not None and other < 1e6)
        assert ours == pytest.approx(other, rel=1e-6, abs=1e-7)

    @given(RETURNS)
    def test_the_ratios_equal_empyricals(self, returns: list[float]) -> None:
        assume(len(set(returns)) > 1)
        daily = series(returns)
        assert sharpe(returns) == pytest.approx(empyrical.sharpe_ratio(daily, annualization=365), rel=1e-9, abs=1e-9)
        ours = sortino(returns)
        if ours is not None:
            assert ours == pytest.approx(empyrical.sortino_ratio(daily, annualization=365), rel=1e-9, abs=1e-9)

    @given(RETURNS)
    def test_drawdown_growth_and_calmar_equal_empyricals(self, returns: list[float]) -> None:
        values = [1.0]
        for value in returns:
            values.append(values[-1] * (1 + value))
        daily = series(returns)
        deepest = max_drawdown(values)
        assert deepest == pytest.approx(empyrical.max_drawdown(daily), rel=1e-9, abs=1e-12)
        rate = yearly(linked(returns), len(returns))
        assert rate == pytest.approx(empyrical.annual_return(daily, annualization=365), rel=1e-7, abs=1e-12)
        ours = calmar(rate, deepest)
        if ours is not None and abs(deepest) > 1e-9:
            assert ours == pytest.approx(empyrical.calmar_ratio(daily, annualization=365), rel=1e-6)
