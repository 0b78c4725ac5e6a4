"""Performance: the time-weighted return over flows, and what a day starts from."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.ledger import Book, Entry, transfer
from runtime.domain.limits import sleeve_return
from runtime.domain.market import DailyMarket
from runtime.domain.performance import INDEX_PLACES, linked, moved_outside, opened_day, outside_value, resumed
from runtime.domain.state import DayBook, Performance, State
from tests.support.situations import TODAY, amounts, ledger_of, series

D = Decimal
PRICES = amounts({"ETHUSDT": "2000", "BNBUSDT": "300"})


def test_the_worked_example() -> None:
    """100 grows to 110, 50 are deposited, 160 fall to 152: 1.1 x 0.95 - 1 = 4.5 %, not 152 / 100 - 1."""
    started = linked(Performance(), D(100), D(0))
    deposited = linked(started, D(160), D(50))
    assert deposited.index == D("1.1")
    ended = linked(deposited, D(152), D(0))
    assert ended == Performance(D("1.045"), D("1.1"), D(152))


def test_the_first_link_is_no_return() -> None:
    assert linked(Performance(), D(1000), D(1000)) == Performance(D(1), D(1), D(1000))
    assert linked(Performance(equity=D(0)), D(1000), D(1000)).index == 1, "nor is money put into an empty account"


steps = st.lists(
    st.tuples(
        st.decimals(min_value=D("0.5"), max_value=2, places=4), st.decimals(min_value=-400, max_value=900, places=2)
    ),
    max_size=20,
)


@given(path=steps)
def test_flows_never_count_and_growth_always_does(path: list[tuple[Decimal, Decimal]]) -> None:
    """Equity grows by a factor each hour, then money comes or goes: the index is the product of the factors."""
    performance, equity = linked(Performance(), D(1000), D(0)), D(1000)
    for factor, wanted in path:
        flow = max(wanted, -equity * factor / 2)
        equity = equity * factor + flow
        performance = linked(performance, equity, flow)
    expected = prod((Fraction(factor) for factor, _ in path), start=Fraction(1))
    assert float(performance.index) == pytest.approx(float(expected), rel=1e-5, abs=1e-10)
    assert performance.peak >= performance.index


def test_the_index_never_reaches_zero_and_recovers_from_the_bottom() -> None:
    """At 0 every later return would be lost, and each loss a division by it."""
    bottom = linked(Performance(equity=D(100)), D(0), D(0))
    assert bottom.index == INDEX_PLACES
    below = linked(Performance(equity=D(100)), D(10), D(50))
    assert below.index == INDEX_PLACES


def entry(*postings: tuple[Book, Book, str, str]) -> Entry:
    moved = [p for source, target, asset, amount in postings for p in transfer(source, target, asset, D(amount))]
    return Entry("e", "", 0, "x", tuple(moved))


@pytest.mark.parametrize(
    ("postings", "value"),
    [
        ([(Book.FLOWS, Book.SPOT, "USDT", "50")], "50"),  # a deposit
        ([(Book.FLOWS, Book.SPOT, "USDT", "-50")], "-50"),  # a withdrawal
        ([(Book.FLOWS, Book.SPOT, "BNB", "0.5")], "150"),
        ([(Book.FLOWS, Book.RESERVED, "ETH", "5")], "0"),  # coins that arrive are not managed
        ([(Book.RESERVED, Book.SPOT, "ETH", "5")], "10000"),  # until they are adopted
        ([(Book.INCOME, Book.EARN, "USDT", "3")], "0"),  # interest is performance
        ([(Book.SPOT, Book.TRANSIT, "USDT", "40")], "0"),
        ([(Book.TRADING, Book.SPOT, "ETH", "1"), (Book.SPOT, Book.FEES, "BNB", "1")], "0"),
        ([(Book.UNEXPLAINED, Book.SPOT, "USDT", "-9")], "-9"),
        ([(Book.FLOWS, Book.UNEXPLAINED, "USDT", "-9")], "0"),  # explained later: counted once
        ([(Book.FLOWS, Book.SPOT, "ETH", "-1"), (Book.FLOWS, Book.SPOT, "USDT", "1990")], "-10"),  # a manual sale
    ],
)
def test_what_comes_from_outside(postings: list[tuple[Book, Book, str, str]], value: str) -> None:
    assert outside_value([entry(*postings)], PRICES) == D(value)


def market(close: float, day: date = TODAY) -> DailyMarket:
    return DailyMarket(TODAY, {"ETHUSDT": series("ETHUSDT", [1.0, close], day)})


def account(**changes: object) -> State:
    """1000 USDT, 1 BNB and 2 ETH; linked last at an equity of 5300, with an index of 1.2."""
    state = State("main", ledger=ledger_of({"USDT": "1000", "BNB": "1", "ETH": "2"}))
    state = replace(state, performance=Performance(D("1.2"), D("1.5"), D(5300)))
    return replace(state, **changes)  # type: ignore[arg-type] # fields by name


def test_a_day_opens_with_the_ledger_at_yesterdays_close() -> None:
    """2 ETH at 1900; the index at midnight: 1.2 x (1000 + 300 + 3800) / 5300."""
    day = opened_day(account(), TODAY, market(1900), PRICES).day
    assert day is not None
    assert (day.day, day.start_quantities, day.start_closes) == (TODAY, {"ETH": D(2)}, {"ETH": D("1900.0")})
    assert float(day.index) == pytest.approx(1.2 * 5100 / 5300, abs=1e-12)
    assert day.done == ()
    assert day.bought == day.sold == day.net_peak == 0


def test_missed_hours_do_not_move_the_start() -> None:
    """Opened at 00 h or at 17 h, whatever the price is by then: the same book."""
    early = opened_day(account(), TODAY, market(1900), PRICES)
    late = opened_day(account(), TODAY, market(1900), {**PRICES, "ETHUSDT": D(1)})
    assert early.day == late.day


@pytest.mark.parametrize("daily", [DailyMarket(TODAY, {}), market(1900, date(2026, 3, 14))])
def test_without_yesterdays_close_the_price_stands_in(daily: DailyMarket) -> None:
    day = opened_day(account(), TODAY, daily, PRICES).day
    assert day is not None
    assert day.start_closes == {"ETH": D(2000)}


def test_a_day_opens_once() -> None:
    opened = opened_day(account(), TODAY, market(1900), PRICES)
    done = replace(opened, day=replace(opened.day or DayBook(TODAY), done=("dca",)))
    assert opened_day(done, TODAY, market(1), PRICES) is done
    tomorrow = opened_day(done, date(2026, 3, 16), market(1), PRICES).day
    assert tomorrow is not None
    assert tomorrow.done == ()


def test_reserved_coins_do_not_open_a_day() -> None:
    day = opened_day(account(ledger=ledger_of({"USDT": "1"}, reserved={"ETH": "2"})), TODAY, market(1900), PRICES).day
    assert day is not None
    assert day.start_quantities == {}


def test_losses_are_counted_from_the_day_the_operator_resumes() -> None:
    state = resumed(account(day=DayBook(TODAY, index=D("1.4"))))
    assert (state.performance.peak, state.day and state.day.index) == (D("1.2"), D("1.2"))


def test_a_coin_taken_out_is_no_loss_and_one_adopted_no_profit() -> None:
    """2 ETH from 2000: one withdrawn, the sleeve is worth 2000 and reads 0; one adopted, 6000 and 0."""
    day = DayBook(TODAY, {"ETH": D(2)}, {"ETH": D(2000)})
    assert sleeve_return(moved_outside(day, "ETH", D(1), D(2000)), D(2000)) == 0
    assert sleeve_return(moved_outside(day, "ETH", D(-1), D(2000)), D(6000)) == 0
    assert moved_outside(day, "ETH", D(-1), D(2000)).net_peak == 2000
    for asset in ("USDT", "BNB", "BTC"):
        assert moved_outside(day, asset, D(1), D(2000)) == day
