"""Bitcoin: the bands of the daily purchase, the tiers of the trim, each once."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.decision import Exit, Gate, TrimMemory
from runtime.domain.market import BtcFacts
from strategies.btc_dca import episode, purchase, trim
from tests.support.situations import BTC, SETTINGS, ordinary, overheated

D = Decimal


def heated(zscore: float, trigger: float = 2.5) -> BtcFacts:
    return replace(BTC, zscore=zscore, sell_trigger=trigger)


@pytest.mark.parametrize(
    ("ahr999", "times"),
    [(0.0001, 5), (0.4499, 5), (0.45, 2), (0.7999, 2), (0.8, 1), (1.1999, 1)],
)
def test_bands(ahr999: float, times: int) -> None:
    """5 below 0.45, 2 below 0.8, 1 below 1.2; a bound belongs to the band above it."""
    assert purchase(ahr999, (), SETTINGS) == times


@pytest.mark.parametrize("ahr999", [1.2, 5.0])
def test_above_the_bands_nothing_is_bought(ahr999: float) -> None:
    assert isinstance(purchase(ahr999, (), SETTINGS), Gate)


@pytest.mark.parametrize("ahr999", [None, math.nan, math.inf, -math.inf, 0.0, -0.1])
def test_a_value_that_is_missing_or_absurd_buys_nothing(ahr999: float | None) -> None:
    """Missing once read as 0, which bought five times."""
    gate = purchase(ahr999, (), SETTINGS)
    assert isinstance(gate, Gate)
    assert gate.name == "ahr999_missing"


@pytest.mark.parametrize(("mark", "name"), [("dca", "bought_today"), ("trim", "trimmed_today")])
def test_once_a_day_and_not_on_a_day_that_trimmed(mark: str, name: str) -> None:
    gate = purchase(0.4, ("buy:ETHUSDT", mark), SETTINGS)
    assert isinstance(gate, Gate)
    assert gate.name == name


@pytest.mark.parametrize(
    ("variant", "known"),
    [
        ("geometric", replace(BTC, ahr999=None, cost200=None)),
        ("cost_only", replace(BTC, ahr999=None, geom200=None)),
    ],
)
def test_a_missing_cost_buys_nothing(variant: str, known: BtcFacts) -> None:
    """Without the fixture's own value, ahr999 follows from price and cost: no cost, no purchase."""
    assert ordinary().with_facts(known).with_settings(ahr999_cost=variant).decide().dca is None
    assert ordinary().with_facts(None).decide().dca is None


def sold(due: Exit | Gate) -> tuple[Decimal, str]:
    assert isinstance(due, Exit), due
    return due.fraction, due.numbers["tier"]


@pytest.mark.parametrize(
    ("zscore", "fraction", "tiers"),
    [
        (2.51, "0.10", "trigger"),
        (4.0, "0.10", "trigger"),
        (4.01, "0.30", "trigger+z4"),
        (5.0, "0.30", "trigger+z4"),
        (5.01, "0.50", "trigger+z4+z5"),
    ],
)
def test_the_highest_tier_reached_is_sold_and_covers_the_lower_ones(zscore: float, fraction: str, tiers: str) -> None:
    assert sold(trim(heated(zscore), TrimMemory(), (), SETTINGS)) == (D(fraction), tiers)


def test_at_the_trigger_nothing_is_sold_and_a_higher_trigger_counts() -> None:
    for due in (trim(heated(2.5), TrimMemory(), (), SETTINGS), trim(heated(3.4, 3.4), TrimMemory(), (), SETTINGS)):
        assert isinstance(due, Gate)
        assert due.name == "zscore_below_trigger"
    assert sold(trim(heated(4.3, 4.2), TrimMemory(), (), SETTINGS)) == (D("0.30"), "trigger+z4")


def test_each_tier_once_an_episode_on_the_way_up_and_none_on_the_way_down() -> None:
    """2.6, 2.7, 4.5, 5.5, 4.5, 2.6 a day each: sold at the first of each height, 10 %, 30 %, 50 %, then nothing."""
    memory, fractions = TrimMemory(), []
    for zscore in (2.6, 2.7, 4.5, 5.5, 4.5, 2.6):
        due = trim(heated(zscore), memory, (), SETTINGS)
        fractions.append(due.fraction if isinstance(due, Exit) else D(0))
        if isinstance(due, Exit):
            memory = TrimMemory((*memory.tiers, *due.numbers["tier"].split("+")))
    assert fractions == [D("0.10"), 0, D("0.30"), D("0.50"), 0, 0]


@given(path=st.lists(st.floats(min_value=0, max_value=8), max_size=60))
def test_no_path_of_the_zscore_sells_a_tier_twice(path: list[float]) -> None:
    memory = TrimMemory()
    heights = []
    for zscore in path:
        due = trim(heated(zscore), memory, (), SETTINGS)
        if isinstance(due, Exit):
            heights.append(due.fraction)
            memory = TrimMemory(tuple(dict.fromkeys((*memory.tiers, *due.numbers["tier"].split("+")))))
    assert heights == sorted(set(heights)), "each height once, rising"
    assert memory.tiers == ("trigger", "z4", "z5")[: len(memory.tiers)]


def test_an_episode_ends_after_twenty_closed_days_at_or_below_the_trigger() -> None:
    memory = TrimMemory(("trigger", "z4"))
    assert episode(replace(BTC, zscore_days=19), memory, SETTINGS) == memory
    assert episode(replace(BTC, zscore_days=20), memory, SETTINGS) == TrimMemory()
    assert episode(None, memory, SETTINGS) == memory, "missing data ends nothing"
    decision = ordinary().with_btc(zscore_days=20).with_memory(trim=memory).decide()
    assert decision.memory.trim == TrimMemory(), "and the decision remembers it"


def test_a_day_that_bought_does_not_trim() -> None:
    due = trim(heated(3.0), TrimMemory(), ("dca",), SETTINGS)
    assert isinstance(due, Gate)
    assert due.name == "bought_today"


@pytest.mark.parametrize("known", [None, replace(BTC, zscore=None), replace(BTC, sell_trigger=None), heated(math.nan)])
def test_a_missing_zscore_trims_nothing(known: BtcFacts | None) -> None:
    assert isinstance(trim(known, TrimMemory(), (), SETTINGS), Gate)


def test_only_bitcoin_worth_more_than_twenty_is_trimmed() -> None:
    """At 60000, 0.00033333 BTC are worth 19.9998 and 0.00033334 are worth 20.0004."""
    for amount, trims in (("0.00033333", False), ("0.00033334", True)):
        decision = overheated().owning({"USDT": "100", "BTC": amount}).decide()
        assert bool(decision.exits) is trims, amount


def test_the_base_order_is_the_larger_of_fifteen_and_a_share_of_equity() -> None:
    """0.0012 x 2326 = 2.79, so 15; 0.0012 x 100 000 = 120."""
    small, large = ordinary().decide().dca, ordinary().owning({"USDT": "100000"}).decide().dca
    assert small is not None
    assert large is not None
    assert (small.base_order, large.base_order) == (D(15), D(120))
