"""Loss limits, by days worked out by hand: what a day's return is, when the breaker trips, what lifts it.

Bookings go through `book_order`, so that the day's sums are those that fills really leave. The sleeve opens with 1 ETH,
which closed yesterday at 1000: start value 1000, plain limit 5 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from runtime.domain.booking import book_order
from runtime.domain.decision import BreakerMemory, Decision, ExecutionPool, ExitReason, HoldingMemory
from runtime.domain.ledger import Book, Entry, transfer
from runtime.domain.orders import Fill, Intent, Kind, Order, Side, Sleeve, Status
from runtime.domain.performance import linked, resumed
from runtime.domain.state import DayBook, Performance, State
from strategies.loss_limits import settled
from tests.support.situations import (
    NOW_MS,
    SETTINGS,
    SLOT,
    TODAY,
    Situation,
    account_of,
    amounts,
    coin,
    earn_of,
    ledger_of,
    ordinary,
    pairs,
)

D = Decimal
PLAIN = {"breaker_vol_multiple": 0}
QUIET_ETH = coin(1000, (0.15, 0.30, 0.50), 0.01, 1000)  # a stop far away; 2 x vol20 = 2 %, below the plain 5 %
POOL = ExecutionPool(("ETHUSDT", "SOLUSDT"), degraded=False)


@dataclass
class Day:
    """One day of the sleeve: trades are booked, then a decision is taken at the prices of the moment."""

    state: State
    prices: dict[str, Decimal]
    number: int = 0

    def trade(self, side: Side, asset: str, quantity: str, price: str, fee: tuple[str, str] = ("0", "USDT")) -> None:
        """Book a finished order of the trend sleeve; `fee` is an amount and its asset."""
        self.number += 1
        symbol, amount = asset + "USDT", D(quantity)
        fill = Fill(self.number, D(price), amount, D(fee[0]), fee[1])
        order = Order(symbol, self.number, "", side, "FILLED", amount, amount * D(price), NOW_MS, (fill,))
        intent = Intent(str(self.number), SLOT, Kind.ORDER, Sleeve.TREND, symbol, side, amount, "entry", 0, 1)
        self.state, _ = book_order(self.state, intent.moved(Status.DONE, order=order), self.prices)

    def receive(self, book: Book, asset: str, amount: str, source: Book) -> None:
        """Book money that came from `source`."""
        entry = Entry("x", SLOT, 0, "x", transfer(source, book, asset, D(amount)))
        self.state = replace(self.state, ledger=self.state.ledger.posted((entry,)))

    def decide(self) -> Decision:
        """The decision at the present prices, on an account that agrees with the ledger."""
        ledger = self.state.ledger
        spot = {a: str(v) for a, v in ledger.assets(Book.SPOT).items()}
        situation = replace(ordinary(), state=self.state, pool=POOL).with_state(prices=self.prices)
        situation = situation.with_facts(ETHUSDT=QUIET_ETH, SOLUSDT=coin(100, (0.1, 0.2, 0.3), 0.01, 100))
        earn = earn_of(str(ledger.of(Book.EARN, "USDT")))
        situation = situation.seen(prices=self.prices, account=account_of(spot), earn=earn)
        return situation.with_settings(**PLAIN).decide()

    def sleeve(self) -> Decimal | None:
        """Today's return as the decision reports it."""
        reported = self.decide().returns.get("sleeve_return")
        return None if reported is None else D(reported)

    @property
    def tripped(self) -> bool:
        return self.decide().memory.breaker.tripped_on == TODAY


def day(spot: Mapping[str, str] | None = None, start: Mapping[str, str] | None = None) -> Day:
    """1 ETH and 5000 USDT, ETH at 1000; SOL at 100, BNB at 300."""
    held = {"ETH": "1"} if start is None else dict(start)
    book = DayBook(TODAY, amounts(held), amounts({"ETH": "1000", "SOL": "100"}))
    spot = {"USDT": "5000", "BNB": "1", "ETH": "1"} if spot is None else spot
    prices = amounts({"BTCUSDT": "60000", "ETHUSDT": "1000", "SOLUSDT": "100", "BNBUSDT": "300"})
    return Day(State("main", initialised_ms=1, ledger=ledger_of(spot, "1000"), day=book), prices)


def empty_day() -> Day:
    return day({"USDT": "5000", "BNB": "1"}, {})


@pytest.mark.parametrize(
    ("price", "result", "trips"), [("960", "-0.04", False), ("950.01", "-0.04999", False), ("950", "-0.05", True)]
)
def test_a_falling_price_is_the_days_loss(price: str, result: str, trips: bool) -> None:
    """1 ETH from 1000; the breaker trips at exactly -5 %."""
    hour = day()
    hour.prices["ETHUSDT"] = D(price)
    assert hour.sleeve() == D(result)
    assert hour.tripped is trips


def test_selling_half_at_no_loss_reads_nothing() -> None:
    """(500 + 500 - 1000) / 1000 = 0, where marks alone would read -50 %."""
    hour = day()
    hour.trade(Side.SELL, "ETH", "0.5", "1000")
    assert hour.sleeve() == 0
    hour.trade(Side.SELL, "ETH", "0.5", "1000")
    assert hour.sleeve() == 0, "nor does selling the rest"


def test_selling_at_a_loss_keeps_the_loss() -> None:
    """0.5 sold at 940, the rest at 940: (470 + 470 - 1000) / 1000 = -6 %."""
    hour = day()
    hour.prices["ETHUSDT"] = D(940)
    hour.trade(Side.SELL, "ETH", "0.5", "940")
    assert hour.sleeve() == D("-0.06")
    assert hour.tripped


def test_buying_more_is_neither_profit_nor_loss_and_widens_the_base() -> None:
    """1000 more at 1000, then 950: (1900 - 1000 - 1000) / 2000 = -5 %."""
    hour = day()
    hour.trade(Side.BUY, "ETH", "1", "1000")
    assert hour.sleeve() == 0
    hour.prices["ETHUSDT"] = D("950.02")
    assert not hour.tripped
    hour.prices["ETHUSDT"] = D(950)
    assert hour.sleeve() == D("-0.05")
    assert hour.tripped


def test_a_sleeve_that_was_empty_at_midnight_trips_on_what_it_bought() -> None:
    """Bought for 1000, now 940: (940 - 1000) / 1000 = -6 %, not "no base"."""
    hour = empty_day()
    assert hour.sleeve() is None
    hour.trade(Side.BUY, "ETH", "1", "1000")
    hour.prices["ETHUSDT"] = D(940)
    assert hour.sleeve() == D("-0.06")
    assert hour.tripped


def test_rotation_does_not_hide_a_loss_in_a_growing_base() -> None:
    """Buy 1000, sell at 970, buy 970 again, now worth 940: the base is the largest running total, 1000, not 1970."""
    hour = empty_day()
    hour.trade(Side.BUY, "ETH", "1", "1000")
    hour.trade(Side.SELL, "ETH", "1", "970")
    hour.trade(Side.BUY, "SOL", "9.7", "100")
    hour.prices["SOLUSDT"] = D(940) / D("9.7")
    assert hour.sleeve() == D("-0.06")


def test_fees_count_in_cash_and_in_bnb_at_its_price() -> None:
    """Sold for 1000 with 10 USDT of fee: -1 %. Bought for 1000 with 0.1 BNB at 300: -3 % of 1000."""
    hour = day()
    hour.trade(Side.SELL, "ETH", "1", "1000", ("10", "USDT"))
    assert hour.sleeve() == D("-0.01")
    hour = empty_day()
    hour.trade(Side.BUY, "ETH", "1", "1000", ("0.1", "BNB"))
    assert hour.sleeve() == round(D(-30) / D(1030), 6)


def test_a_fee_in_the_coin_itself_is_a_loss_of_quantity() -> None:
    """1 ETH bought, 0.01 kept as the fee: (990 - 1000) / 1000."""
    hour = empty_day()
    hour.trade(Side.BUY, "ETH", "1", "1000", ("0.01", "ETH"))
    assert hour.sleeve() == D("-0.01")


def test_six_percent_lost_while_earn_interest_arrives_still_trips() -> None:
    hour = day()
    for price in range(995, 935, -5):
        hour.prices["ETHUSDT"] = D(price)
        hour.receive(Book.EARN, "USDT", "0.05", Book.INCOME)
    assert hour.sleeve() == D("-0.06")
    assert hour.tripped


def test_a_deposit_or_a_withdrawal_of_money_is_neither() -> None:
    hour = day()
    for amount in ("100000", "-100000", "-4000"):
        hour.receive(Book.SPOT, "USDT", amount, Book.FLOWS)
        assert hour.sleeve() == 0
    hour.receive(Book.RESERVED, "ETH", "50", Book.FLOWS)
    assert hour.sleeve() == 0, "coins that arrive are reserved"


@pytest.mark.parametrize(("price", "trips"), [("921", False), ("920", True)])
def test_volatility_widens_the_limit(price: str, trips: bool) -> None:
    """vol20 of 4 % a day: 2 x 4 % = 8 %."""
    hour = day()
    hour.prices["ETHUSDT"] = D(price)
    wild = replace(QUIET_ETH, vol20=0.04)
    situation = replace(ordinary(), state=hour.state, pool=POOL).with_facts(ETHUSDT=wild).with_state(prices=hour.prices)
    decision = situation.seen(prices=hour.prices, account=account_of({"ETH": "1", "USDT": "5000", "BNB": "1"})).decide()
    assert decision.returns["sleeve_limit"] == D("-0.08")
    assert (decision.memory.breaker.tripped_on == TODAY) is trips


def test_a_trip_sells_everything_bars_entries_and_leaves_bitcoin_and_earn_alone() -> None:
    hour = day()
    hour.prices["ETHUSDT"] = D(940)
    decision = hour.decide()
    assert [(e.symbol, e.reason, e.fraction) for e in decision.exits] == [("ETHUSDT", ExitReason.BREAKER, D(1))]
    assert decision.entries == ()
    assert "breaker" in {g.name for g in decision.gates}
    assert decision.dca is not None
    assert decision.earn
    breaker = decision.memory.breaker
    assert breaker == BreakerMemory(TODAY, TODAY + timedelta(days=3), liquidating=True, trips=(TODAY,))


def test_a_failed_liquidation_is_asked_for_again_every_hour_until_nothing_is_held() -> None:
    """Also after the price recovered, on the next day, and after the cooling."""
    hour = day()
    hour.prices["ETHUSDT"] = D(940)
    memory = hour.decide().memory
    hour.prices["ETHUSDT"] = D(1100)
    for later in (0, 1, 5):
        today = TODAY + timedelta(days=later)
        situation = on_day(hour, today).with_state(memory=memory)
        decision = situation.decide()
        assert [e.reason for e in decision.exits] == [ExitReason.BREAKER], today
        assert decision.entries == ()
        assert decision.memory.breaker.liquidating
        memory = decision.memory
    hour.trade(Side.SELL, "ETH", "1", "1100")
    finished = on_day(hour, TODAY + timedelta(days=5)).with_state(memory=memory).decide()
    assert not finished.memory.breaker.liquidating
    assert finished.exits == ()


def on_day(hour: Day, today: date) -> Situation:
    """The hour's state on another date, nothing lost on it."""
    spot = {a: str(v) for a, v in hour.state.ledger.assets(Book.SPOT).items()}
    situation = replace(ordinary(), state=hour.state, pool=POOL).with_facts(ETHUSDT=QUIET_ETH)
    situation = situation.with_state(prices=hour.prices, day=DayBook(today)).with_settings(**PLAIN)
    return situation.seen(slot=f"{today}T09Z", prices=hour.prices, account=account_of(spot), earn=earn_of("1000"))


@pytest.mark.parametrize(("later", "enters"), [(0, False), (1, False), (3, False), (4, True)])
def test_entries_stay_closed_for_three_whole_days(later: int, enters: bool) -> None:
    sold = empty_day()
    memory = BreakerMemory(TODAY, TODAY + timedelta(days=3), trips=(TODAY,))
    situation = on_day(sold, TODAY + timedelta(days=later)).with_memory(breaker=memory)
    assert ("ETHUSDT" in situation.decide().entries) is enters


def test_a_second_loss_of_the_same_day_is_the_same_trip() -> None:
    hour = day()
    hour.prices["ETHUSDT"] = D(940)
    hour.state = replace(hour.state, memory=hour.decide().memory)
    hour.prices["ETHUSDT"] = D(900)
    assert hour.decide().memory.breaker.trips == (TODAY,)


def test_a_finished_liquidation_does_not_trip_again_on_the_same_day() -> None:
    """All sold at -6 %: the day still reads -6 %, and stays one trip."""
    hour = day()
    hour.trade(Side.SELL, "ETH", "1", "940")
    finished = BreakerMemory(TODAY, TODAY + timedelta(days=3), trips=(TODAY,))
    hour.state = replace(hour.state, memory=replace(hour.state.memory, breaker=finished))
    assert hour.sleeve() == D("-0.06")
    assert hour.decide().memory.breaker == finished


def test_a_liquidation_that_drags_on_is_one_trip() -> None:
    """Unsold since yesterday, and another -6 % today."""
    yesterday = TODAY - timedelta(days=1)
    dragging = BreakerMemory(yesterday, TODAY + timedelta(days=2), liquidating=True, trips=(yesterday,))
    hour = day()
    hour.prices["ETHUSDT"] = D(940)
    hour.state = replace(hour.state, memory=replace(hour.state.memory, breaker=dragging))
    assert hour.decide().memory.breaker == dragging


def test_trips_latch_when_they_happen_not_for_as_long_as_they_are_remembered() -> None:
    """Three trips, and the operator has resumed since: without a fourth nothing latches."""
    trips = tuple(TODAY - timedelta(days=n) for n in (20, 10, 5))
    assert ordinary().with_memory(breaker=BreakerMemory(trips=trips)).decide().memory.reduce_only_ms == 0


def test_a_lasting_loss_keeps_the_moment_of_its_latch() -> None:
    """Or the operator's `run` would always have come too early."""
    lasting = performing("0.7", "0.7", "1").with_memory(reduce_only_ms=NOW_MS - 10)
    assert lasting.decide().memory.reduce_only_ms == NOW_MS - 10


@pytest.mark.parametrize(
    ("earlier", "latches"),
    [((1, 29), True), ((1, 30), False), ((29,), False), ((10, 20), True)],
)
def test_the_third_trip_in_thirty_days_latches_reduce_only(earlier: tuple[int, ...], latches: bool) -> None:
    hour = day()
    hour.prices["ETHUSDT"] = D(940)
    trips = tuple(TODAY - timedelta(days=n) for n in sorted(earlier, reverse=True))
    hour.state = replace(hour.state, memory=replace(hour.state.memory, breaker=BreakerMemory(trips=trips)))
    decision = hour.decide()
    assert decision.memory.reduce_only_ms == (NOW_MS if latches else 0)
    assert (decision.dca is None) is latches


def performing(index: str, day_index: str, peak: str) -> Situation:
    situation = ordinary().with_state(performance=Performance(D(index), D(peak), D(2326)))
    return situation.with_day(index=D(day_index))


@pytest.mark.parametrize(
    ("index", "day_index", "peak", "latches"),
    [
        ("0.92", "1", "1", True),  # 8 % today
        ("0.9201", "1", "1", False),
        ("0.75", "0.75", "1", True),  # 25 % from the peak
        ("0.7501", "0.7501", "1", False),
        ("1.1", "1", "1.1", False),
        ("0.000000000001", "0.000000000001", "1", True),
    ],
)
def test_account_limits_latch_reduce_only(index: str, day_index: str, peak: str, latches: bool) -> None:
    decision = performing(index, day_index, peak).decide()
    assert decision.memory.reduce_only_ms == (NOW_MS if latches else 0)
    assert (decision.entries == ()) is latches
    assert {e.symbol for e in decision.exits} == {"XRPUSDT", "LTCUSDT"}, "exits go on"


def test_a_latch_outlives_the_loss_and_only_a_later_run_lifts_it() -> None:
    """Latched an hour ago; the loss is made up since. `run` set before the latch does not count, one after it does."""
    latched = ordinary().with_memory(reduce_only_ms=NOW_MS - 3_600_000)
    for control, when_ms, kept in (
        ("run", 0, True),
        ("run", NOW_MS - 3_600_000, True),
        ("run", NOW_MS - 3_599_999, False),
        ("reduce_only", NOW_MS - 1, True),
        ("halt", NOW_MS - 1, True),
    ):
        decision = latched.seen(control=control, control_ms=when_ms).decide()
        assert decision.memory.reduce_only_ms == (NOW_MS - 3_600_000 if kept else 0), control
    lifted = latched.seen(control="run", control_ms=NOW_MS - 1).decide()
    assert lifted.entries == ("ETHUSDT", "SOLUSDT")


def test_a_lifted_latch_counts_losses_anew() -> None:
    """Lifted at -30 %: the same hour does not latch again, nor does the next one, whose index starts from here."""
    lifted = performing("0.7", "0.7", "1").with_memory(reduce_only_ms=NOW_MS - 10).seen(control_ms=NOW_MS - 1)
    assert lifted.decide().memory.reduce_only_ms == 0
    after = replace(lifted, state=resumed(lifted.state)).with_memory(reduce_only_ms=0)
    assert after.decide().memory.reduce_only_ms == 0
    worse = after.with_state(performance=linked(after.state.performance, D(2326) * D("0.74"), D(0)))
    assert worse.decide().memory.reduce_only_ms == NOW_MS


def test_dust_alone_trips_nothing() -> None:
    """0.004 ETH worth 4 at midnight and 2 now are -50 % of what is not managed."""
    hour = day({"USDT": "5000", "BNB": "1", "ETH": "0.004"}, {"ETH": "0.004"})
    hour.prices["ETHUSDT"] = D(700)
    assert hour.decide().memory.breaker == BreakerMemory()


def test_after_the_cooling_what_cannot_be_sold_no_longer_bars_entries() -> None:
    """Halted at the exchange: latched while it cools, released after it; and latched on where it can be sold."""
    stuck = BreakerMemory(TODAY, TODAY + timedelta(days=3), liquidating=True, trips=(TODAY,))
    halted = pairs(ETHUSDT=replace(pairs()["ETHUSDT"], status="BREAK"))
    for later, tradable, kept in ((3, False, True), (4, False, False), (4, True, True)):
        situation = on_day(day(), TODAY + timedelta(days=later)).with_memory(breaker=stuck)
        decision = (situation if tradable else situation.seen(instruments=halted)).decide()
        assert decision.memory.breaker.liquidating is kept, (later, tradable)
        assert "ETHUSDT" in decision.memory.holdings


def test_a_finished_sale_is_finished_however_cool_it_is() -> None:
    trip = BreakerMemory(TODAY, TODAY + timedelta(days=3), liquidating=True)
    assert not settled(trip, TODAY, (), lambda _: False).liquidating
    assert settled(trip, TODAY, ("ETHUSDT",), lambda _: False).liquidating


def test_the_breaker_sells_in_place_of_any_other_exit() -> None:
    """LTC does not qualify and XRP is below its stop: with the breaker both leave for one reason."""
    situation = ordinary().with_memory(
        breaker=BreakerMemory(TODAY, TODAY, liquidating=True), holdings={"XRPUSDT": HoldingMemory(D(9))}
    )
    assert {e.reason for e in situation.decide().exits} == {ExitReason.BREAKER}


def test_a_missing_day_judges_nothing() -> None:
    decision = ordinary().with_state(day=None).decide()
    assert "sleeve_return" not in decision.returns
    assert decision.memory.breaker == BreakerMemory()
    assert SETTINGS.breaker_cooldown_days == 3
