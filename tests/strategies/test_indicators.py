"""Indicators: what must not change the answer, what must, and when there is none."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.domain.candles import PRICE_MAX, PRICE_MIN, VOLUME_MAX, closed_series
from runtime.domain.market import BtcFacts, DailyMarket, DailySeries, SymbolFacts
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import DAY_MS, date_at, day_start_ms
from runtime.errors import BadSeries
from strategies.indicators import (
    Cost,
    Smoothing,
    absolute_momentum,
    ahr999,
    average_true_range,
    btc_facts,
    cost_of_last,
    facts_of,
    growth_valuation,
    relative_score,
    symbol_facts,
)
from tests.support.klines import cut, last_days, walk, walk_candles

DEFAULTS = StrategySettings()
FIRST_MS = day_start_ms(date(2022, 1, 1))


@pytest.mark.parametrize("smoothing", ["sma", "wilder"])
@pytest.mark.parametrize("days", [700, 900])
def test_the_candle_in_progress_is_never_seen(smoothing: Smoothing, days: int) -> None:
    """No look-ahead: whatever the open day does, the indicators of the closed ones stay, to the last bit."""
    candles = walk_candles("BTCUSDT", days, FIRST_MS)
    now_ms = candles[-1].open_time_ms + 5000
    chosen = StrategySettings(atr_smoothing=smoothing)
    jumped = replace(candles[-1], high=candles[-1].high * 3, close=candles[-1].high * 2)
    found = [
        facts_of(DailyMarket(date_at(now_ms), {"BTCUSDT": closed_series("BTCUSDT", seen, now_ms)}), chosen)
        for seen in (candles, [*candles[:-1], jumped], candles[:-1])
    ]
    assert found[0] == found[1] == found[2]
    assert not found[0].missing
    after = closed_series("BTCUSDT", [*candles[:-1], jumped], now_ms + DAY_MS)
    assert symbol_facts(cut(after, days - 1), smoothing) == found[0].symbols["BTCUSDT"]
    assert symbol_facts(after, smoothing) != symbol_facts(closed_series("BTCUSDT", candles, now_ms + DAY_MS), smoothing)


def test_more_history_changes_no_figure_of_bitcoin_and_none_of_a_symbol_but_its_age() -> None:
    series = walk("BTCUSDT", 1500, FIRST_MS)
    assert btc_facts(series.close, "geometric", 1.0, 0.95) == btc_facts(series.close[-700:], "geometric", 1.0, 0.95)
    assert replace(symbol_facts(series), age_days=400) == symbol_facts(last_days(series, 400))


def test_wilders_average_forgets_where_the_series_began() -> None:
    series = walk("ETHUSDT", 1500, FIRST_MS)
    long, short = (average_true_range(last_days(series, days), 14, "wilder") for days in (1500, 200))
    assert long != short
    assert long == pytest.approx(short, rel=1e-5)


@settings(max_examples=20)
@given(st.floats(1e-6, 1e6))
def test_prices_in_another_unit_leave_every_ratio_unchanged(unit: float) -> None:
    series = walk("BTCUSDT", 620, FIRST_MS)
    scaled = replace(
        series,
        high=tuple(price * unit for price in series.high),
        low=tuple(price * unit for price in series.low),
        close=tuple(price * unit for price in series.close),
    )
    ours, theirs = symbol_facts(series), symbol_facts(scaled)
    for name in ("roc20", "roc60", "roc120", "vol20", "trend_persist_90"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-9, abs=1e-12)
    for name in ("sma20", "sma200", "atr14"):
        assert getattr(ours, name) * unit == pytest.approx(getattr(theirs, name), rel=1e-9)
    btc, other = (btc_facts(each.close, "geometric", 1.0, 0.95) for each in (series, scaled))
    for name in ("zscore", "sell_trigger", "ma200_slope"):
        assert getattr(btc, name) == pytest.approx(getattr(other, name), rel=1e-7, abs=1e-9)


def market(*series: DailySeries, **refused: str) -> DailyMarket:
    """The morning after the made-up series end."""
    day = date_at(series[0].last_open_ms + DAY_MS)
    return DailyMarket(day, {each.symbol: each for each in series}, refused)


NAMES = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")


@given(st.permutations(NAMES))
def test_the_order_of_the_symbols_changes_nothing(names: list[str]) -> None:
    made = {name: walk(name, 250, FIRST_MS) for name in NAMES}
    expected = facts_of(market(*made.values()), DEFAULTS)
    assert facts_of(market(*(made[name] for name in names)), DEFAULTS) == expected
    for name in names:
        alone = facts_of(market(made["BTCUSDT"], made[name]), DEFAULTS)
        assert alone.symbols[name] == expected.symbols[name]


@pytest.mark.parametrize("lost", [1, 100, 398])
def test_a_missing_day_refuses_the_series_instead_of_shifting_it(lost: int) -> None:
    candles = walk_candles("ETHUSDT", 400, FIRST_MS)
    now_ms = candles[-1].open_time_ms + DAY_MS
    del candles[lost]
    with pytest.raises(BadSeries, match="1 candle"):
        closed_series("ETHUSDT", candles, now_ms)


def test_refused_and_stale_symbols_have_no_facts_and_say_why() -> None:
    btc, stale = walk("BTCUSDT", 700, FIRST_MS), walk("SOLUSDT", 698, FIRST_MS)
    ahead = walk("XRPUSDT", 701, FIRST_MS)
    facts = facts_of(market(btc, stale, ahead, ETHUSDT="3 candle(s) missing after 7"), DEFAULTS)
    last = date_at(btc.last_open_ms)
    assert facts.missing == {
        "ETHUSDT": "3 candle(s) missing after 7",
        "SOLUSDT": f"last closed day is {last - timedelta(days=2)}, needs {last}",
        "XRPUSDT": f"last closed day is {last + timedelta(days=1)}, needs {last}",
    }
    assert set(facts.symbols) == {"BTCUSDT"}
    assert facts.btc is not None


def test_a_refusal_stands_even_if_a_series_is_there() -> None:
    facts = facts_of(market(walk("BTCUSDT", 700, FIRST_MS), BTCUSDT="not trusted"), DEFAULTS)
    assert (facts.btc, facts.symbols, facts.missing) == (None, {}, {"BTCUSDT": "not trusted"})


def test_a_young_symbol_has_the_facts_its_days_allow_and_says_what_it_needs() -> None:
    btc = walk("BTCUSDT", 600, FIRST_MS)
    young = last_days(walk("SUIUSDT", 600, FIRST_MS), 131)
    facts = facts_of(market(btc, young), DEFAULTS)
    assert facts.missing == {"SUIUSDT": "needs 200 closed days, has 131"}
    found = facts.symbols["SUIUSDT"]
    assert (found.sma200, found.trend_persist_90, found.avg_quote_vol_180) == (None, None, None)
    assert None not in {found.sma60, found.roc120, found.vol20, found.atr14, found.avg_quote_vol_90}
    assert not found.complete


@pytest.mark.parametrize(("days", "complete"), [(199, False), (200, True)])
def test_two_hundred_days_complete_a_symbol(days: int, complete: bool) -> None:
    facts = facts_of(market(walk("ETHUSDT", days, FIRST_MS)), DEFAULTS)
    assert facts.symbols["ETHUSDT"].complete is complete
    assert ("ETHUSDT" in facts.missing) is not complete


@pytest.mark.parametrize("days", [1, 199, 200, 219, 220, 563, 564])
def test_bitcoin_needs_564_days_and_gives_what_fewer_allow(days: int) -> None:
    facts = facts_of(market(walk("BTCUSDT", days, FIRST_MS)), DEFAULTS)
    btc = facts.btc
    assert btc is not None
    known = {"ma200": 200, "zscore": 200, "geom200": 200, "cost200": 200, "ma200_slope": 220, "sell_trigger": 564}
    assert {name: getattr(btc, name) is not None for name in known} == {name: days >= n for name, n in known.items()}
    assert facts.missing == ({} if days >= 564 else {"BTCUSDT": f"needs 564 closed days, has {days}"})


def test_a_market_without_bitcoin_says_so() -> None:
    facts = facts_of(market(walk("ETHUSDT", 250, FIRST_MS)), DEFAULTS)
    assert facts.btc is None
    assert facts.missing == {"BTCUSDT": "no daily candles"}
    assert facts.symbols["ETHUSDT"].complete


def test_an_unknown_quote_volume_is_not_estimated() -> None:
    series = walk("ETHUSDT", 250, FIRST_MS)
    holed = replace(series, quote_volume=(*series.quote_volume[:-50], None, *series.quote_volume[-49:]))
    facts = symbol_facts(holed)
    assert facts.avg_quote_vol_30 == symbol_facts(series).avg_quote_vol_30
    assert (facts.avg_quote_vol_90, facts.avg_quote_vol_180) == (None, None)
    assert facts.complete


def rising(days: int, last: float) -> tuple[float, ...]:
    """Closes that swing evenly, then end on `last`."""
    return (*(100.0 + day % 7 for day in range(days - 1)), last)


@pytest.mark.parametrize(
    ("days", "counted"), [(563, 0), (564, 1), (565, 2), (600, 37), (603, 40), (604, 40), (700, 40)]
)
def test_days_below_the_trigger_are_counted_while_their_own_window_is_whole_up_to_forty(
    days: int, counted: int
) -> None:
    assert btc_facts(rising(days, 103.0), "geometric", 2.5, 0.95).zscore_days == counted


def test_a_day_above_its_trigger_ends_the_count() -> None:
    calm, peak = rising(680, 103.0), 200.0
    above = btc_facts((*calm, peak), "geometric", 2.5, 0.95)
    assert (above.zscore_days, (above.zscore or 0) > 2.5) == (0, True)
    since = btc_facts((*calm, peak, *rising(12, 103.0)), "geometric", 2.5, 0.95)
    assert since.zscore_days == 12


def test_each_day_is_held_against_its_own_trigger() -> None:
    """A rally lifts the 95 % quantile: days that were above theirs then would be below today's."""
    rally = (*rising(640, 103.0), *(110.0 + 3 * day for day in range(30)))
    facts = btc_facts(rally, "geometric", 0.5, 0.95)
    earlier = [btc_facts(rally[: len(rally) - back], "geometric", 0.5, 0.95) for back in range(30)]
    above = [(each.zscore or 0) > (each.sell_trigger or 0) for each in earlier]
    assert any((each.zscore or 0) <= (facts.sell_trigger or 0) for each, was in zip(earlier, above, strict=True) if was)
    assert [each.zscore_days == 0 for each in earlier] == above


@pytest.mark.parametrize(
    ("cost", "expected"), [("arithmetic", 2.5), ("geometric", 2.0), ("harmonic", 1.6), ("cost_only", 2.0)]
)
def test_the_cost_is_the_chosen_mean_of_two_hundred_closes(cost: Cost, expected: float) -> None:
    closes = (9e9, *[1.0, 4.0] * 100)
    assert cost_of_last(closes, cost) == pytest.approx(expected, rel=1e-12)
    facts = btc_facts(closes, cost, 2.5, 0.95)
    assert (facts.cost200, facts.cost_variant) == (cost_of_last(closes, cost), cost)
    assert facts.geom200 == pytest.approx(2.0, rel=1e-12)
    assert cost_of_last(closes[-199:], cost) is None


DAY = date(2025, 6, 30)


def test_cost_only_is_the_price_over_the_geometric_mean_alone() -> None:
    facts = BtcFacts(None, geom200=50000.0, cost200=1.0)
    assert ahr999(40000.0, facts, StrategySettings(ahr999_cost="cost_only"), DAY) == 0.8


def test_a_fixtures_own_ahr999_wins_if_it_is_a_number_above_zero() -> None:
    facts = BtcFacts(None, cost200=50000.0, ahr999=0.44)
    assert ahr999(40000.0, facts, DEFAULTS, DAY) == 0.44
    for value in (math.nan, math.inf, 0.0, -1.0):
        assert ahr999(40000.0, replace(facts, ahr999=value), DEFAULTS, DAY) is None


@pytest.mark.parametrize("cost", ["geometric", "cost_only"])
@pytest.mark.parametrize("bad", [None, math.nan, math.inf, 0.0, -50000.0])
def test_without_a_sound_cost_there_is_no_ahr999(cost: Cost, bad: float | None) -> None:
    facts = BtcFacts(None, geom200=bad, cost200=bad)
    assert ahr999(40000.0, facts, StrategySettings(ahr999_cost=cost), DAY) is None


@pytest.mark.parametrize("price", [0.0, -40000.0, math.nan, math.inf])
def test_without_a_sound_price_there_is_no_ahr999(price: float) -> None:
    assert ahr999(price, BtcFacts(None, cost200=50000.0), DEFAULTS, DAY) is None


def test_before_bitcoin_there_is_no_ahr999() -> None:
    assert growth_valuation(date(2009, 1, 3)) is None
    assert ahr999(1.0, BtcFacts(None, cost200=1.0), DEFAULTS, date(2009, 1, 3)) is None
    assert growth_valuation(date(2009, 1, 4)) == pytest.approx(10**-17.01)


LEADER = SymbolFacts(None, roc20=0.20, roc60=0.10, roc120=-0.10, vol20=0.04)
BTC = BtcFacts(None, roc20=0.10, roc60=0.20, roc120=0.10)


def test_the_worked_example_of_score_and_momentum() -> None:
    """0.5 x 0.10 + 0.3 x -0.10 + 0.2 x -0.20 = -0.02, over 0.04; and 0.10 + 0.03 - 0.02."""
    assert relative_score(LEADER, BTC, DEFAULTS) == pytest.approx(-0.5)
    assert absolute_momentum(LEADER, DEFAULTS) == pytest.approx(0.11)
    first_only = StrategySettings(score_weights=(1.0, 0.0, 0.0))
    assert relative_score(LEADER, BTC, first_only) == pytest.approx(2.5)
    assert absolute_momentum(LEADER, first_only) == pytest.approx(0.20)


@pytest.mark.parametrize("name", ["roc20", "roc60", "roc120"])
@pytest.mark.parametrize("bad", [None, math.nan, math.inf])
def test_score_and_momentum_need_every_part(name: str, bad: float | None) -> None:
    changed: dict[str, Any] = {name: bad}
    assert relative_score(replace(LEADER, **changed), BTC, DEFAULTS) is None
    assert relative_score(LEADER, replace(BTC, **changed), DEFAULTS) is None
    assert absolute_momentum(replace(LEADER, **changed), DEFAULTS) is None


@pytest.mark.parametrize("vol20", [None, 0.0, -0.1, math.nan, math.inf])
def test_a_score_needs_a_volatility_above_zero(vol20: float | None) -> None:
    assert relative_score(replace(LEADER, vol20=vol20), BTC, DEFAULTS) is None


def test_the_same_day_is_computed_once_and_other_settings_apart() -> None:
    daily = market(walk("BTCUSDT", 700, FIRST_MS), walk("ETHUSDT", 250, FIRST_MS + 450 * DAY_MS))
    first = facts_of(daily, DEFAULTS)
    assert facts_of(daily, StrategySettings(top_n=3)) is first
    wilder = facts_of(daily, StrategySettings(atr_smoothing="wilder"))
    assert wilder.symbols["ETHUSDT"].atr14 != first.symbols["ETHUSDT"].atr14
    harmonic = facts_of(daily, StrategySettings(ahr999_cost="harmonic")).btc
    assert harmonic is not None
    assert first.btc is not None
    assert (harmonic.cost_variant, harmonic.cost200) != (first.btc.cost_variant, first.btc.cost200)
    low = facts_of(daily, StrategySettings(zscore_floor=0.0, zscore_quantile=0.5)).btc
    assert low is not None
    assert (low.sell_trigger or 9) < (first.btc.sell_trigger or 0)
    assert facts_of(replace(daily), DEFAULTS) is not first


@pytest.mark.parametrize("smoothing", ["sma", "wilder"])
def test_the_wildest_candles_that_are_accepted_overflow_nothing(smoothing: Smoothing) -> None:
    closes = tuple((PRICE_MIN, PRICE_MAX)[day % 2] for day in range(700))
    wild = DailySeries("BTCUSDT", FIRST_MS, (PRICE_MAX,) * 700, (PRICE_MIN,) * 700, closes, (VOLUME_MAX,) * 700)
    facts = facts_of(market(wild), StrategySettings(atr_smoothing=smoothing))
    assert facts.btc is not None
    assert math.isfinite(facts.btc.zscore or math.nan)
    assert facts.symbols["BTCUSDT"].complete


def test_an_hours_indicators_cost_a_few_milliseconds_of_processor_time() -> None:
    pool = [last_days(walk(f"S{number}USDT", 700, FIRST_MS), 400) for number in range(11)]
    btc = walk("BTCUSDT", 700, FIRST_MS)
    spent_ms = []
    for _ in range(5):
        daily = market(btc, *pool)
        started = time.process_time()
        facts_of(daily, DEFAULTS)
        spent_ms.append((time.process_time() - started) * 1000)
    assert min(spent_ms) < 15
