"""Trend rotation: who qualifies and ranks, who leaves and by which exit, what the high remembers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.decision import Candidate, Exit, ExitReason, HoldingMemory
from runtime.domain.market import Facts, SymbolFacts
from runtime.domain.settings import StrategySettings
from strategies.trend_rotation import Holding, judge, leave, regime, remember, select
from tests.support.situations import BTC, COINS, POOL, SETTINGS, coin, ordinary

D = Decimal
FACTS = Facts(BTC, COINS)
PRICES = ordinary().snapshot.prices
GOOD = Candidate("ETHUSDT", 4.5, 0.26, (), 1)
MEMORY = HoldingMemory(D(2600), D(2400), D(2300))


def holding(price: str | None = "2500") -> Holding:
    """ETH bought at 2450, seen at 2550 by an hourly candle and at 2600 by an earlier hour."""
    trusted = None if price is None else D(price)
    return Holding("ETHUSDT", trusted, D(2500), D(2450), D(2550), MEMORY)


def why(exit_: Exit | None) -> str | None:
    return None if exit_ is None else exit_.reason.value


@pytest.mark.parametrize(
    ("close", "slope", "expected"),
    [(55_001.0, 0.01, True), (55_000.0, 0.01, False), (56_000.0, 0.0, False), (56_000.0, -0.01, False)],
)
def test_regime_needs_a_close_above_a_rising_average(close: float, slope: float, expected: bool) -> None:
    """Equal is not above, and flat does not rise. The live price is far below all the time and decides nothing."""
    assert regime(replace(BTC, close=close, ma200_slope=slope), D(1)) is expected


def test_regime_is_unknown_without_its_figures_and_takes_the_price_only_without_a_close() -> None:
    assert regime(None, D(60_000)) is None
    assert regime(replace(BTC, ma200=None), D(60_000)) is None
    assert regime(replace(BTC, ma200_slope=None), D(60_000)) is None
    assert regime(replace(BTC, close=None), None) is None
    assert regime(replace(BTC, close=None), D(55_001)) is True


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"sma20": 2500.0}, ("sma20",)),
        ({"sma60": 2500.0}, ("sma60",)),
        ({"sma200": 2500.0}, ("sma200",)),
        ({"vol20": 0.0}, ("vol20", "relative_score")),
        ({"age_days": 199}, ("age",)),
        ({"roc20": 0.05, "roc60": 0.10, "roc120": 0.15}, ("relative_score",)),  # exactly bitcoin's
        ({"atr14": None}, ("indicators",)),
        ({"sma200": float("nan")}, ("indicators",)),
    ],
)
def test_what_a_symbol_must_meet_to_qualify(changes: dict[str, Any], failed: tuple[str, ...]) -> None:
    """Each condition of section 5, broken alone by the smallest amount."""
    facts = Facts(BTC, {**COINS, "ETHUSDT": replace(COINS["ETHUSDT"], **changes)})
    judged = {c.symbol: c for c in judge(POOL.symbols, facts, PRICES, SETTINGS)}
    assert judged["ETHUSDT"].failed == failed
    assert judged["ETHUSDT"].rank is None
    assert judged["SOLUSDT"].rank == 1


def test_two_hundred_days_are_old_enough() -> None:
    facts = Facts(BTC, {"ETHUSDT": replace(COINS["ETHUSDT"], age_days=200)})
    assert judge(("ETHUSDT",), facts, PRICES, SETTINGS)[0].failed == ()


def test_momentum_of_its_own_is_needed_even_ahead_of_bitcoin() -> None:
    """-10 % is ahead of bitcoin's -30 %, and still falling."""
    falling = replace(BTC, roc20=-0.3, roc60=-0.3, roc120=-0.3)
    facts = Facts(falling, {"ETHUSDT": coin(2500, (-0.1, -0.1, -0.1), 0.04, 75)})
    assert judge(("ETHUSDT",), facts, PRICES, SETTINGS)[0].failed == ("momentum",)


def test_with_the_regime_off_nothing_qualifies() -> None:
    facts = Facts(replace(BTC, close=1.0), COINS)
    assert all("regime" in c.failed and c.rank is None for c in judge(POOL.symbols, facts, PRICES, SETTINGS))


def test_ties_go_to_the_upstream_order_whatever_it_is() -> None:
    same = coin(100, (0.2, 0.3, 0.4), 0.05, 3)
    names = ("CUSDT", "AUSDT", "BUSDT")
    facts = Facts(BTC, dict.fromkeys(names, same))
    for order in (names, names[::-1], ("BUSDT", "CUSDT", "AUSDT")):
        judged = judge(order, facts, {}, SETTINGS)
        assert [c.symbol for c in judged] == list(order), "the pool is shown as it came"
        assert [c.rank for c in judged] == [1, 2, 3]
        assert [t.symbol for t in select(judged, facts, SETTINGS)] == list(order[:2])


vols = st.lists(st.floats(min_value=1e-4, max_value=1.0), min_size=1, max_size=6)


@given(vols=vols)
def test_weights_sum_to_one_and_are_inverse_to_volatility(vols: list[float]) -> None:
    names = [f"C{i}USDT" for i in range(len(vols))]
    facts = Facts(BTC, {n: coin(100, (0.9, 0.9, 0.9), v, 3) for n, v in zip(names, vols, strict=True)})
    targets = select(judge(names, facts, {}, SETTINGS), facts, SETTINGS)
    assert len(targets) == min(2, len(vols))
    assert sum(t.weight for t in targets) == 1
    if len(targets) == 2:
        first, second = (facts.symbols[t.symbol].vol20 for t in targets)
        assert first is not None
        assert second is not None
        assert float(targets[0].weight) == pytest.approx(second / (first + second), abs=1e-11)


def test_thirds_sum_to_one_too() -> None:
    names = ("AUSDT", "BUSDT", "CUSDT")
    facts = Facts(BTC, dict.fromkeys(names, COINS["ETHUSDT"]))
    three = StrategySettings(top_n=3)
    assert sum(t.weight for t in select(judge(names, facts, {}, three), facts, three)) == 1


@pytest.mark.parametrize(
    ("price", "candidate", "on", "expected"),
    [
        ("2399.99", replace(GOOD, failed=("sma20",), rank=None), False, "trailing_stop"),  # all of them apply
        ("2400", GOOD, True, None),
        ("2500", replace(GOOD, failed=("sma20",), rank=None), False, "regime_off"),
        ("2500", replace(GOOD, failed=("sma20",), rank=None), True, "not_qualified"),
        ("2500", replace(GOOD, rank=5), True, "outranked"),
        ("2500", replace(GOOD, rank=4), True, None),  # enter in the top 2, leave below the top 4
        ("2500", GOOD, True, None),
    ],
)
def test_the_first_exit_that_applies(price: str, candidate: Candidate, on: bool, expected: str | None) -> None:
    """In the contract's order: stop 2400, sma60 2300, regime, qualification, rank."""
    assert why(leave(holding(price), MEMORY, candidate, 4, on=on)) == expected


def test_below_sma60_comes_after_the_stop_and_before_the_regime() -> None:
    loose = replace(MEMORY, stop=D(2000))
    assert why(leave(holding("2299.99"), loose, GOOD, 4, on=False)) == "below_sma60"
    assert why(leave(holding("2300"), loose, GOOD, 4, on=True)) is None


@pytest.mark.parametrize(
    "candidate",
    [
        None,
        Candidate("ETHUSDT", None, None, ("indicators",)),
        Candidate("ETHUSDT", None, None, ("close",)),
        Candidate("ETHUSDT", None, 0.2, ("relative_score",)),  # bitcoin's own rates are missing
        Candidate("ETHUSDT", 4.0, None, ("momentum",)),
    ],
)
def test_missing_data_never_sells_by_itself(candidate: Candidate | None) -> None:
    assert leave(holding(), MEMORY, candidate, 4, on=True) is None
    assert why(leave(holding("2399"), MEMORY, candidate, 4, on=True)) == "trailing_stop", "the last known stop does"


def test_an_unknown_regime_sells_nothing_but_by_stop_and_sma60() -> None:
    bad = Candidate("ETHUSDT", -1.0, -1.0, ("regime_unknown", "sma20"))
    assert leave(holding(), MEMORY, bad, 4, on=None) is None
    assert why(leave(holding("2399"), MEMORY, bad, 4, on=None)) == "trailing_stop"


def test_a_retired_symbol_is_not_judged_by_rank_or_qualification() -> None:
    """It is not in the pool, so nothing was judged about it."""
    assert leave(holding(), MEMORY, None, 4, on=True) is None
    assert why(leave(holding(), MEMORY, None, 4, on=False)) == "regime_off"
    assert why(leave(holding("2299"), replace(MEMORY, stop=None), None, 4, on=True)) == "below_sma60"


def test_a_price_that_is_not_trusted_sells_nothing() -> None:
    assert leave(holding(None), MEMORY, replace(GOOD, failed=("sma20",)), 4, on=False) is None


def test_without_any_stop_known_only_what_is_known_sells() -> None:
    blank = HoldingMemory(D(2600))
    assert leave(holding("1"), blank, None, 4, on=True) is None
    assert why(leave(holding("1"), blank, None, 4, on=False)) == "regime_off"


@pytest.mark.parametrize(
    ("price", "high", "remembered", "highest"),
    [
        ("2500", None, None, "2500"),  # the price
        ("2400", None, None, "2450"),  # the average entry
        ("2400", "2550", None, "2550"),  # an hour that was missed
        ("2400", "2550", "2600", "2600"),  # an earlier hour
        ("2700", "2550", "2600", "2700"),
        (None, None, None, "2450"),
    ],
)
def test_the_high_is_the_largest_of_what_is_known(
    price: str | None, high: str | None, remembered: str | None, highest: str
) -> None:
    """max(average entry, price, highs of hourly candles, memory); the stop is 2.5 x atr14 = 187.5 below it."""
    seen = Holding(
        "ETHUSDT",
        None if price is None else D(price),
        D(9999),
        D(2450),
        None if high is None else D(high),
        None if remembered is None else HoldingMemory(D(remembered)),
    )
    memory = remember(seen, COINS["ETHUSDT"], SETTINGS)
    assert memory == HoldingMemory(D(highest), D(highest) - D("187.5"), D("2250"))


def test_where_nothing_is_known_the_high_begins_at_the_last_good_price() -> None:
    assert remember(Holding("X", None, D(7), None, None, None), None, SETTINGS) == HoldingMemory(D(7))


@pytest.mark.parametrize(
    "known", [None, SymbolFacts(2500.0), SymbolFacts(2500.0, sma60=float("nan"), atr14=float("nan"))]
)
def test_the_last_known_stop_and_sma60_survive_missing_indicators(known: SymbolFacts | None) -> None:
    memory = remember(holding("2700"), known, SETTINGS)
    assert memory == HoldingMemory(D(2700), MEMORY.stop, MEMORY.sma60), "the high still rises"


prices = st.decimals(min_value=D("0.01"), max_value=10_000, places=2)


@given(path=st.lists(prices, min_size=1, max_size=30), entry=prices)
def test_the_high_never_falls_and_survives_every_hour(path: list[Decimal], entry: Decimal) -> None:
    """Hour by hour through memory alone, the high is the largest of entry and all prices seen."""
    memory: HoldingMemory | None = None
    for seen, price in enumerate(path, 1):
        memory = remember(Holding("X", price, price, entry, None, memory), COINS["ETHUSDT"], SETTINGS)
        assert memory.highest == max(entry, *path[:seen])


def test_exits_carry_the_numbers_they_compared() -> None:
    exit_ = leave(holding("2399"), MEMORY, GOOD, 4, on=True)
    assert exit_ is not None
    assert dict(exit_.numbers) == {"price": "2399", "stop": "2400", "highest": "2600"}
    assert exit_.fraction == 1
    assert exit_.reason is ExitReason.TRAILING_STOP
