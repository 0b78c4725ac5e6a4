"""Limits: the conditions of the gate table, trust in prices, the return of a day, the breaker's threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.decision import BreakerMemory
from runtime.domain.limits import (
    CONDITIONS,
    SLEEVE_OF,
    Action,
    Circumstances,
    account_losses,
    breaker_threshold,
    price_fault,
    sleeve_return,
    standing_gates,
    symbol_gates,
    tripped,
    valuation_prices,
)
from runtime.domain.market import DailyMarket, Facts
from runtime.domain.orders import Intent, Kind, Status
from runtime.domain.settings import StrategySettings
from runtime.domain.state import DayBook, Performance, State
from tests.support.situations import (
    NOW_MS,
    PRICES,
    SETTINGS,
    TODAY,
    Situation,
    coin,
    ordinary,
    pairs,
    series,
    unknown_order,
)

D = Decimal


def of(situation: Situation, *, degraded: bool = False) -> Circumstances:
    return Circumstances(situation.snapshot, situation.state, degraded, situation.settings)


def names(situation: Situation, action: Action) -> set[str]:
    return {gate.name for gate in standing_gates(of(situation), action)}


def values(circumstances: Circumstances) -> Mapping[str, Decimal]:
    return valuation_prices(circumstances.snapshot, circumstances.state.prices, circumstances.settings)


def test_in_an_ordinary_hour_nothing_stands_in_the_way() -> None:
    assert all(not standing_gates(of(ordinary()), action) for action in Action)


def test_a_gate_belongs_to_the_sleeve_of_its_action_and_says_what_was_compared() -> None:
    drifting = ordinary().with_state(drift={"ETH": D("0.5"), "BTC": D("-0.1")})
    gates = {action: standing_gates(of(drifting), action) for action in Action}
    assert {a for a, found in gates.items() if found} == {Action.TREND_ENTRY, Action.DCA_BUY, Action.CASH_MOVE}
    assert all(gate.sleeve is SLEEVE_OF[action] for action, found in gates.items() for gate in found)
    assert dict(gates[Action.DCA_BUY][0].numbers) == {"BTC": "-0.1", "ETH": "0.5"}


def test_no_condition_but_halt_stops_a_sale() -> None:
    """A stop is never switched off by what concerns purchases: only an operator's halt does that."""
    stops_exits = {name for name, _, forbidden in CONDITIONS if {Action.TREND_EXIT, Action.DCA_TRIM} & forbidden}
    assert stops_exits == {"halt"}


@pytest.mark.parametrize(
    ("intent", "blocked"),
    [
        (unknown_order("ETHUSDT"), True),
        (unknown_order("ETHUSDT", status=Status.RECORDED), True),
        (unknown_order("ETHUSDT").moved(Status.ABSENT), False),
        (unknown_order("USDT", Kind.REDEEM), False),
    ],
)
def test_an_unsettled_order_stops_purchases_and_an_unsettled_move_stops_moves(intent: Intent, blocked: bool) -> None:
    situation = ordinary().with_state(intents=(intent,))
    assert ("unknown_order" in names(situation, Action.TREND_ENTRY)) is blocked
    assert ("unknown_order" in names(situation, Action.DCA_BUY)) is blocked
    assert ("earn_unsettled" in names(situation, Action.CASH_MOVE)) is (intent.kind is Kind.REDEEM)


def test_an_unknown_order_stops_sales_of_its_own_symbol_only() -> None:
    situation = of(ordinary().with_state(intents=(unknown_order("XRPUSDT"),)))
    assert [g.name for g in symbol_gates(situation, Action.TREND_EXIT, "XRPUSDT")] == ["unknown_order"]
    assert symbol_gates(situation, Action.TREND_EXIT, "LTCUSDT") == ()
    assert symbol_gates(situation, Action.DCA_TRIM, "BTCUSDT") == ()


@pytest.mark.parametrize(
    ("breaker", "latched"),
    [
        (BreakerMemory(), False),
        (BreakerMemory(TODAY, TODAY), True),
        (BreakerMemory(TODAY, date(2026, 3, 14)), False),
        (BreakerMemory(TODAY, date(2026, 3, 1), liquidating=True), True),
    ],
)
def test_an_unfinished_sale_and_every_day_of_cooling_count_as_latched(breaker: BreakerMemory, latched: bool) -> None:
    assert of(ordinary().with_memory(breaker=breaker)).latched is latched


@pytest.mark.parametrize(
    ("price", "close", "last", "fault"),
    [
        ("1.2", 1.2, "1.2", None),
        ("1.68", 1.2, "1.2", None),  # exactly 40 %
        ("1.6801", 1.2, "1.2", "price_suspect"),
        ("0.7199", 1.2, "1.2", "price_suspect"),
        ("1.7", 1.2, "1.7", None),  # the last hour saw it
        ("1.7", 1.7, "1.2", None),  # yesterday closed there
        ("1.7", None, "1.2", "price_suspect"),
        ("1.7", 1.2, None, "price_suspect"),
        ("1.7", None, None, None),  # nothing to compare with
        ("1.7", None, "0", None),  # a price of 0 is no knowledge
        ("0", 1.2, "1.2", "price_missing"),
        ("-1", 1.2, "1.2", "price_missing"),
        (None, 1.2, "1.2", "price_missing"),
    ],
)
def test_trust_in_a_price(price: str | None, close: float | None, last: str | None, fault: str | None) -> None:
    """Suspect = more than 40 % from both the last close and the last cycle's price."""
    daily = DailyMarket(TODAY, {"XRPUSDT": series("XRPUSDT", [close])} if close is not None else {})
    situation = ordinary().with_prices(XRPUSDT=price).seen(daily=daily)
    situation = situation.with_state(prices={"XRPUSDT": D(last)} if last is not None else {})
    found = price_fault(of(situation), "XRPUSDT")
    assert (found[0] if found else None) == fault


@pytest.mark.parametrize(("age_ms", "fault"), [(60_000, None), (60_001, "price_stale"), (-1, None)])
def test_a_price_is_old_after_a_minute(age_ms: int, fault: str | None) -> None:
    found = price_fault(of(ordinary().seen(priced_ms=NOW_MS - age_ms)), "XRPUSDT")
    assert (found[0] if found else None) == fault


@pytest.mark.parametrize(
    ("price", "last", "close", "value"),
    [
        ("1.3", "1.2", 1.0, "1.3"),
        ("9", "1.2", 1.0, "1.2"),
        (None, "1.2", 1.0, "1.2"),
        ("9", None, 1.0, "1.0"),
        (None, None, 1.0, "1.0"),
        (None, None, None, None),
        ("0", "0", 1.0, "1.0"),
    ],
)
def test_what_cannot_be_trusted_values_at_the_last_good_price(
    price: str | None, last: str | None, close: float | None, value: str | None
) -> None:
    daily = DailyMarket(TODAY, {"XRPUSDT": series("XRPUSDT", [close])} if close is not None else {})
    situation = ordinary().with_prices(XRPUSDT=price).seen(daily=daily)
    situation = situation.with_state(prices={"XRPUSDT": D(last)} if last is not None else {})
    found = values(of(situation)).get("XRPUSDT")
    assert found == (None if value is None else D(value))


def test_an_old_price_still_values() -> None:
    old = ordinary().seen(priced_ms=0).with_state(prices={"XRPUSDT": D("1.1")})
    assert values(of(old))["XRPUSDT"] == D("1.2")


@pytest.mark.parametrize(
    ("status", "market_orders", "gates"),
    [("TRADING", True, []), ("BREAK", True, ["not_trading"]), ("TRADING", False, ["not_trading"])],
)
def test_a_pair_must_trade_and_take_market_orders(status: str, market_orders: bool, gates: list[str]) -> None:
    odd = replace(pairs()["XRPUSDT"], status=status, market_orders=market_orders)
    situation = of(ordinary().seen(instruments=pairs(XRPUSDT=odd)))
    assert [g.name for g in symbol_gates(situation, Action.TREND_EXIT, "XRPUSDT")] == gates


def test_the_worked_days() -> None:
    """Half sold at no loss reads 0; an empty sleeve that bought 1000 and fell 6 % reads -6 %; nothing reads nothing."""
    start = DayBook(TODAY, {"ETH": D(1)}, {"ETH": D(1000)})
    assert sleeve_return(replace(start, sold=D(500)), D(500)) == 0
    assert sleeve_return(DayBook(TODAY, bought=D(1000), net_peak=D(1000)), D(940)) == D("-0.06")
    assert sleeve_return(DayBook(TODAY), D(0)) is None
    rotated = DayBook(TODAY, bought=D(1970), sold=D(970), net_peak=D(1000))
    assert sleeve_return(rotated, D(940)) == D("-0.06"), "at most 1000 were at risk, however often they turned over"


money = st.decimals(min_value=0, max_value=10**6, places=2)


@given(start=money, trades=st.lists(st.tuples(st.booleans(), money), max_size=12))
def test_trading_at_unchanged_prices_without_fees_is_never_a_return(
    start: Decimal, trades: list[tuple[bool, Decimal]]
) -> None:
    """Whatever is bought and sold, in any order, at the prices it is valued at: 0, or nothing at risk."""
    value, day = start, DayBook(TODAY, {"ETH": start}, {"ETH": D(1)})
    for buys, amount in trades:
        if buys:
            value, day = value + amount, replace(day, bought=day.bought + amount)
        else:
            sold = min(amount, value)
            value, day = value - sold, replace(day, sold=day.sold + sold)
        day = replace(day, net_peak=max(day.net_peak, day.bought - day.sold))
    assert not sleeve_return(day, value)


def test_the_threshold_weighs_volatility_by_value() -> None:
    """3/4 in a coin of 6 % and 1/4 in one of 2 % a day: 2 x (4.5 % + 0.5 %) = 10 %."""
    facts = Facts(None, {"AUSDT": coin(1, (0, 0, 0), 0.06, 1), "BUSDT": coin(1, (0, 0, 0), 0.02, 1)})
    values = {"A": D(300), "B": D(100)}
    assert breaker_threshold(values, facts, SETTINGS) == D("0.10")
    assert breaker_threshold(values, facts, StrategySettings(breaker_vol_multiple=D(0))) == D("0.05")
    assert breaker_threshold({"B": D(100)}, facts, SETTINGS) == D("0.05"), "2 x 2 % is below the plain limit"
    assert breaker_threshold({}, facts, SETTINGS) == D("0.05")


@pytest.mark.parametrize("vol20", [None, float("nan"), float("inf")])
def test_an_unknown_volatility_only_tightens_the_limit(vol20: float | None) -> None:
    """Half in a coin of 8 % a day, half in an unknown one: 2 x 4 % = 8 %, and never below 5 %."""
    facts = Facts(None, {"AUSDT": coin(1, (0, 0, 0), 0.08, 1), "BUSDT": replace(coin(1, (0, 0, 0), 1, 1), vol20=vol20)})
    assert breaker_threshold({"A": D(1), "B": D(1)}, facts, SETTINGS) == D("0.08")
    assert breaker_threshold({"B": D(1)}, facts, SETTINGS) == D("0.05")


def test_a_trip_keeps_those_of_the_last_thirty_days() -> None:
    before = BreakerMemory(trips=(date(2026, 2, 12), date(2026, 2, 13), date(2026, 2, 14)))
    after = tripped(before, TODAY, SETTINGS)
    assert after.trips == (date(2026, 2, 14), TODAY), "13 February is thirty days before 15 March"
    assert after.cooling_until == date(2026, 3, 18)
    assert after.liquidating


@pytest.mark.parametrize(
    ("index", "opening", "peak", "losses"),
    [("0.9", "1", "1.2", ("0.1", "0.25")), ("1.2", "1", "1.2", ("0", "0"))],
)
def test_losses_are_never_negative(index: str, opening: str, peak: str, losses: tuple[str, str]) -> None:
    state = State("main", day=DayBook(TODAY, index=D(opening)), performance=Performance(D(index), D(peak)))
    assert account_losses(state) == (D(losses[0]), D(losses[1]))
    assert account_losses(replace(state, day=None))[0] == 0


def test_prices_of_the_ordinary_hour_are_all_trusted() -> None:
    assert all(price_fault(of(ordinary()), symbol) is None for symbol in PRICES)
