"""Allocation: bitcoin's share of equity, the base order, the caps of an order."""

from __future__ import annotations

from decimal import Decimal
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.market import Facts, SymbolFacts
from runtime.domain.settings import StrategySettings
from strategies.allocation import btc_base_order, btc_target_ratio, order_caps

D = Decimal
SETTINGS = StrategySettings()
equities = st.decimals(min_value=0, max_value=10**12, places=2)


@pytest.mark.parametrize("equity", [1, 1030, 10_000, 100_000, 227_000])
def test_bitcoins_share_grows_with_the_logarithm_of_equity(equity: int) -> None:
    """0.14 + 0.16 ln(1 + E / 10 000): 0.2509 at 10 000, 0.5237 at 100 000."""
    assert float(btc_target_ratio(D(equity), SETTINGS)) == pytest.approx(0.14 + 0.16 * log(1 + equity / 1e4), abs=1e-12)


def test_the_share_is_capped_at_sixty_five_percent() -> None:
    """ln(1 + E/10 000) = 3.1875 from E = 232 277 on."""
    assert btc_target_ratio(D(232_200), SETTINGS) < D("0.65")
    assert btc_target_ratio(D(232_300), SETTINGS) == D("0.65")


def test_below_one_usdt_the_share_is_that_of_one() -> None:
    assert btc_target_ratio(D(0), SETTINGS) == btc_target_ratio(D(1), SETTINGS) > D("0.14")


@given(equity=equities)
def test_the_share_is_a_fraction_and_never_falls_with_equity(equity: Decimal) -> None:
    share = btc_target_ratio(equity, SETTINGS)
    assert 0 <= share <= D("0.65")
    assert share <= btc_target_ratio(equity * 2, SETTINGS)


@pytest.mark.parametrize(("equity", "order"), [("0", "15"), ("12500", "15"), ("12501", "15.0012"), ("100000", "120")])
def test_the_base_order_is_at_least_fifteen(equity: str, order: str) -> None:
    assert btc_base_order(D(equity), SETTINGS) == D(order)


def test_an_order_is_capped_by_equity_and_by_turnover_where_it_is_known() -> None:
    facts = Facts(
        None,
        {
            "AUSDT": SymbolFacts(1.0, avg_quote_vol_30=2e6),
            "BUSDT": SymbolFacts(1.0, avg_quote_vol_30=1e5),
            "CUSDT": SymbolFacts(1.0),
            "DUSDT": SymbolFacts(1.0, avg_quote_vol_30=float("nan")),
        },
    )
    caps = order_caps(("AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT"), D(1000), facts, SETTINGS)
    assert caps == {"AUSDT": D(500), "BUSDT": D(100), "CUSDT": D(500), "DUSDT": D(500), "EUSDT": D(500)}
