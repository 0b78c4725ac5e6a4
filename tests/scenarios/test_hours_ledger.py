"""Two days of hours with money coming and going: every hour the ledger equals the exchange's books to the last unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

import pytest

from runtime.adapters.simulated.conditions import PAPER
from runtime.adapters.simulated.events import Events
from runtime.adapters.simulated.markets import EMBEDDED, FolderMarket
from runtime.domain.control import Mode
from runtime.domain.instruments import Instrument
from runtime.domain.ladder import STATIC_SYMBOLS
from runtime.domain.ledger import Balances, Book
from runtime.domain.orders import Kind, Side
from runtime.domain.report import CycleStatus, Report
from runtime.operations import accept_drift
from tests.support.operators import operators_world, put_state
from tests.support.worlds import Scene, scene

D = Decimal
Event = Callable[[Events], object]

EVENTS: dict[int, tuple[Event, ...]] = {
    3: (lambda happen: happen.deposit("USDT", D("1234.56789012")),),
    5: (lambda happen: happen.withdraw("USDT", D("17.00000003")),),
    8: (lambda happen: happen.pay_bonus("USDT", D("0.01234567")),),
    11: (lambda happen: happen.manual_trade("DOGEUSDT", Side.BUY, D(500)),),
    13: (lambda happen: happen.deposit("BTC", D("0.00100001")),),
    17: (lambda happen: happen.manual_trade("BTCUSDT", Side.BUY, D("0.0005")),),
    19: (lambda happen: happen.deposit("BNB", D("0.05")),),
    22: (
        lambda happen: happen.deposit("USDT", D("300.5")),
        lambda happen: happen.withdraw("USDT", D("0.25")),
        lambda happen: happen.manual_trade("DOGEUSDT", Side.SELL, D(200)),
    ),
    27: (lambda happen: happen.withdraw("BTC", D("0.0005")),),
    31: (lambda happen: happen.manual_trade("ETHUSDT", Side.SELL, D("0.1")),),
    36: (lambda happen: happen.pay_bonus("USDT", D("0.00000001")),),
}


def pass_hour(s: Scene, number: int) -> Report:
    """What happens before the hour of this number, and the hour."""
    for event in EVENTS.get(number, ()):
        event(s.exchange.events)
    return s.hour() if number == 0 else s.next()


def test_the_ledger_equals_the_exchange_after_each_of_48_hours() -> None:
    costs = replace(PAPER.costs, fills_max=3)
    with scene(replace(PAPER, costs=costs), at="2026-03-15T09Z", USDT="10000", ADA="25.5") as s:
        for number in range(48):
            report = pass_hour(s, number)
            assert report.status is CycleStatus.DONE, (report.slot, report.error)
            assert s.differences() == {}, report.slot
            assert s.state.drift == {}, (report.slot, s.state.drift)
        assert s.state.ledger.assets(Book.UNEXPLAINED) == {}
        assert s.state.ledger.of(Book.INCOME, "USDT") < -D("0.01")
        assert s.state.ledger.of(Book.RESERVED, "ADA") == D("25.5")
        assert s.state.ledger.of(Book.RESERVED, "DOGE") == s.exchange.venue.books.free("DOGE")


def test_every_entry_of_the_ledger_is_stored_and_adds_up_to_the_state() -> None:
    with scene() as s:
        for number in range(30):
            pass_hour(s, number)
        entries = [e for day in ("2026-03-15", "2026-03-16") for e in s.store.entries(day)]
        assert Balances().posted(entries) == s.state.ledger
        assert len({entry.id for entry in entries}) == len(entries)


def test_an_unrecorded_grant_is_unexplained_by_exactly_its_amount_and_stops_buys() -> None:
    with scene() as s:
        s.hour()
        s.exchange.events.grant("USDT", D("12.34567891"))
        report = s.next(24)
        assert report.drift == {"USDT": D("12.34567891")}
        assert s.state.ledger.of(Book.UNEXPLAINED, "USDT") == -D("12.34567891")
        assert "drift" in {gate.name for gate in report.gates}
        assert "drift" in s.messenger.kinds()
        assert not [order for order in report.orders if order.side is Side.BUY]
        assert s.differences() == {}
        following = s.next()
        assert following.drift == report.drift


def test_evidence_that_arrives_late_explains_the_drift_and_buys_go_on() -> None:
    with scene() as s:
        s.hour()
        s.weather(delays=replace(PAPER.delays, records_ms=60_000))
        s.clock.set(s.clock.now_ms() + 3_600_000 - 10_000)
        s.exchange.events.deposit("USDT", D("99.9"))
        s.clock.set(s.clock.now_ms() + 10_000)
        assert s.hour().drift == {"USDT": D("99.9")}
        s.weather(delays=PAPER.delays)
        explained = s.next()
        assert explained.drift == {}
        assert s.state.ledger.of(Book.UNEXPLAINED, "USDT") == 0
        assert s.differences() == {}


def test_money_that_leaves_earn_without_a_trace_is_seen_in_the_same_hour() -> None:
    with scene() as s:
        s.hour()
        s.exchange.venue.books.holdings["USDT"].amount -= D(5)
        report = s.next()
        assert report.drift == {"USDT": D(-5)}


def test_earn_moves_made_by_hand_are_no_drift() -> None:
    with scene() as s:
        s.hour()
        s.exchange.venue.move((Kind.REDEEM, "USDT001", D(40)))
        report = s.next()
        assert report.drift == {}
        assert s.differences() == {}


@pytest.mark.parametrize("share", [D("0.5"), D(1)])
def test_a_manual_sale_shrinks_the_position_in_proportion(share: Decimal) -> None:
    with scene() as s:
        s.hour()
        before = s.state.positions["ETHUSDT"]
        sold = (before.quantity * share).quantize(D("0.0001"), rounding="ROUND_DOWN")
        s.exchange.events.manual_trade("ETHUSDT", Side.SELL, sold)
        s.control(mode=Mode.HALT)
        s.next()
        after = s.state.positions.get("ETHUSDT")
        assert s.differences() == {}
        assert after is not None
        assert after.quantity == before.quantity - sold
        assert abs(after.average - before.average) < D("1e-9")


class Wider(FolderMarket):
    """The small market with one more coin, which no pool and no list names."""

    def prices(self) -> Mapping[str, Decimal]:
        return {**super().prices(), UNNAMED: D(5)}

    def instruments(self, symbols: Sequence[str]) -> tuple[int, Mapping[str, Instrument]]:
        now_ms, found = super().instruments(["ADAUSDT", *(s for s in symbols if s not in {UNNAMED, "ADAUSDT"})])
        made = {**found, UNNAMED: replace(found["ADAUSDT"], symbol=UNNAMED, base="NEAR")}
        return now_ms, {symbol: made[symbol] for symbol in symbols}


UNNAMED = "NEARUSDT"


def lots(quantity: Decimal) -> Decimal:
    """As much of it as every pair here may trade."""
    return quantity.quantize(D("0.1"), rounding="ROUND_DOWN")


@contextmanager
def after_a_round_trip(symbol: str, *, fees_in_bnb: bool) -> Iterator[Scene]:
    """An account of two quiet hours, in which somebody buys a coin and sells all of it again within the third."""
    with scene(replace(PAPER, costs=replace(PAPER.costs, bnb_discount=fees_in_bnb))) as s:
        s.exchange.venue.market = s.exchange.venue.orders._market = Wider(EMBEDDED, s.clock)
        s.hour()
        s.next()
        bought = lots(D(60) / s.exchange.prices()[symbol])
        s.exchange.events.manual_trade(symbol, Side.BUY, bought)
        s.clock.sleep(600)
        s.exchange.events.manual_trade(symbol, Side.SELL, lots(s.exchange.account().free(symbol.removesuffix("USDT"))))
        yield s


@pytest.mark.parametrize("fees_in_bnb", [False, True])
@pytest.mark.parametrize("symbol", ["LINKUSDT", "ADAUSDT"])
def test_a_manual_round_trip_within_an_hour_is_explained_by_its_trades(symbol: str, *, fees_in_bnb: bool) -> None:
    """Of a coin that an hour had in play, and of one that only the built-in list names; of the coin nothing is left, so
    only USDT and BNB are off.
    """
    with after_a_round_trip(symbol, fees_in_bnb=fees_in_bnb) as s:
        report = s.next()
        assert report.drift == {}
        assert s.differences() == {}
        assert "drift" not in s.messenger.kinds()
        assert s.used["GET /api/v3/allOrders"] + s.used["GET /api/v3/myTrades"] <= 25
        kinds = [entry.kind for entry in s.store.entries(report.slot[:10]) if entry.slot == report.slot]
        assert "manual_trade" in kinds
        assert "unexplained" not in kinds


def test_a_round_trip_in_a_coin_that_nothing_names_stays_unexplained_by_exactly_its_cost() -> None:
    """Until the operator accepts it: no record of the account says which of the exchange's pairs to ask about."""
    with after_a_round_trip(UNNAMED, fees_in_bnb=True) as s:
        report = s.next()
        assert report.drift.keys() == {"USDT", "BNB"}
        assert all(-D("0.1") < amount < 0 for amount in report.drift.values())
        assert s.differences() == {}
        with operators_world(s) as world:
            for asset in report.drift:
                accept_drift(world, asset, "operator", "bought and sold NEAR by hand")
        following = s.next()
        assert following.drift == {}
        assert s.differences() == {}


def test_looking_for_a_manual_trade_costs_one_call_a_pair_that_did_not_trade() -> None:
    """However old the account is: orders are listed by the day, trades of a week in one call."""
    with scene() as s:
        s.hour()
        put_state(s, replace(s.state, initialised_ms=s.clock.now_ms() - 30 * 86_400_000))
        s.exchange.events.grant("USDT", D("1.5"))
        s.next()
        traded = {row.symbol for rows in s.exchange.venue.books.orders.values() for row in rows}
        pairs = {*STATIC_SYMBOLS, "BTCUSDT", "BNBUSDT"}
        assert s.used["GET /api/v3/myTrades"] == len(pairs)
        assert s.used["GET /api/v3/allOrders"] == len(traded)
