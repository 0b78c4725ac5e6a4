"""Booking: ledger, cost, and what is done today follow from fills alone, whatever sequence of them comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.booking import IN_TRANSIT, book_earn, book_order
from runtime.domain.decision import HoldingMemory, Memory, TrimMemory
from runtime.domain.ledger import Balances, Book
from runtime.domain.money import ZERO
from runtime.domain.orders import Fill, Intent, Kind, Order, Side, Sleeve, Status
from runtime.domain.state import DayBook, Position, State
from runtime.errors import EngineError
from tests.support.situations import NOW_MS, SLOT, TODAY, amounts, ledger_of

D = Decimal
PRICES = amounts({"BNBUSDT": "300", "ETHUSDT": "2000"})


@dataclass(frozen=True)
class Trade:
    """One finished order in the words of a test: sizes of its fills, one price, one fee a fill."""

    side: Side
    fills: tuple[Decimal, ...]
    price: Decimal
    fee: Decimal = ZERO
    fee_asset: str = "USDT"
    symbol: str = "ETHUSDT"
    sleeve: Sleeve = Sleeve.TREND
    reason: str = "entry"
    slot: str = SLOT
    time_ms: int = NOW_MS

    def intent(self, number: int = 1, status: str = "FILLED") -> Intent:
        """The intent, done by its order."""
        made = tuple(
            Fill(100 * number + i, self.price, qty, self.fee, self.fee_asset) for i, qty in enumerate(self.fills)
        )
        executed = sum(self.fills, D(0))
        order = Order(self.symbol, number, "", self.side, status, executed, executed * self.price, self.time_ms, made)
        intent = Intent(
            str(number), self.slot, Kind.ORDER, self.sleeve, self.symbol, self.side, executed, self.reason, 0, 1
        )
        return intent.moved(Status.DONE, order=order)


def fresh(**changes: object) -> State:
    state = State("main", initialised_ms=1, ledger=ledger_of({"USDT": "100000", "BNB": "10"}), day=DayBook(TODAY))
    return replace(state, **changes)  # type: ignore[arg-type] # fields by name


def booked(state: State, *trades: Trade) -> State:
    for number, trade in enumerate(trades, 1):
        state, _ = book_order(state, trade.intent(number), PRICES)
    return state


BUY = Trade(Side.BUY, (D("0.5"), D("0.5")), D(2000))
SELL = replace(BUY, side=Side.SELL, reason="trailing_stop")


def test_a_purchase_with_its_fee_in_the_coin() -> None:
    """1 ETH for 2000, twice 0.0005 ETH of fee: 0.999 ETH at a cost of 2000, average 2002.002."""
    state = booked(fresh(), replace(BUY, fee=D("0.0005"), fee_asset="ETH"))
    assert state.positions["ETHUSDT"] == Position(D(2000), D("0.999"), NOW_MS)
    assert state.ledger.of(Book.SPOT, "ETH") == D("0.999")
    assert state.ledger.of(Book.SPOT, "USDT") == D(98_000)
    assert state.ledger.of(Book.FEES, "ETH") == D("0.001")


@pytest.mark.parametrize(("asset", "fee", "worth"), [("USDT", "1", "2"), ("BNB", "0.01", "6"), ("XYZ", "5", "0")])
def test_a_fee_in_another_asset_raises_the_cost_by_its_value(asset: str, fee: str, worth: str) -> None:
    """Two fills: 2 x 1 USDT, or 2 x 0.01 BNB at 300; a fee in a coin without a price costs nothing we can name."""
    state = booked(fresh(ledger=ledger_of({"USDT": "9000", asset: "9000"})), replace(BUY, fee=D(fee), fee_asset=asset))
    assert state.positions["ETHUSDT"].cost == 2000 + D(worth)
    assert state.positions["ETHUSDT"].quantity == 1
    assert state.day is not None
    assert state.day.bought == state.day.net_peak == 2000 + D(worth)
    assert state.day.buys_all == 2000


def test_the_entry_keeps_what_a_fee_in_another_asset_was_worth_and_no_price_of_the_pair() -> None:
    state, entries = book_order(fresh(), Trade(Side.BUY, (D(1),), D(2000), D("0.01"), "BNB").intent(), PRICES)
    assert entries[0].prices == {"BNB": D(300)}
    assert state.ledger == fresh().ledger.posted(entries)
    _, unknown = book_order(fresh(), Trade(Side.BUY, (D(1),), D(2000), D("0.01"), "BNB").intent(), {})
    assert unknown[0].prices == {}


def test_a_sale_reduces_cost_in_proportion_and_the_last_one_ends_the_position() -> None:
    """2 ETH for 4000; a quarter sold leaves 3000 for 1.5, average unchanged."""
    state = booked(fresh(), BUY, BUY, replace(SELL, fills=(D("0.5"),), price=D(9999)))
    assert state.positions["ETHUSDT"] == Position(D(3000), D("1.5"), NOW_MS)
    assert booked(state, replace(SELL, fills=(D("1.5"),))).positions == {}


def test_a_top_up_keeps_the_entry_time_of_a_holding() -> None:
    state = fresh(memory=Memory({"ETHUSDT": HoldingMemory(D(2100))}))
    state = booked(state, BUY, replace(BUY, time_ms=NOW_MS + 999))
    assert state.positions["ETHUSDT"].opened_ms == NOW_MS


def test_a_remainder_of_an_old_holding_does_not_lend_its_entry_time_to_a_new_one() -> None:
    """0.0004 ETH were left when the rest was sold weeks ago. Its old peak must not be the new holding's high."""
    state = fresh(positions={"ETHUSDT": Position(D("1.2"), D("0.0004"), 5)})
    state = booked(state, BUY)
    assert state.positions["ETHUSDT"] == Position(D("2001.2"), D("1.0004"), NOW_MS)


def test_the_core_keeps_the_time_of_its_first_purchase() -> None:
    dca = Trade(Side.BUY, (D("0.001"),), D(60_000), symbol="BTCUSDT", sleeve=Sleeve.BTC_CORE, reason="dca")
    assert booked(fresh(), dca, replace(dca, time_ms=NOW_MS + 9)).positions["BTCUSDT"].opened_ms == NOW_MS


@pytest.mark.parametrize(
    ("trade", "mark"),
    [
        (BUY, "buy:ETHUSDT"),
        (SELL, "sold:ETHUSDT"),
        (replace(SELL, reason="breaker"), "sold:ETHUSDT"),
        (replace(BUY, symbol="BTCUSDT", sleeve=Sleeve.BTC_CORE, reason="dca"), "dca"),
        (replace(SELL, symbol="BTCUSDT", sleeve=Sleeve.BTC_CORE, reason="trim:trigger+z4"), "trim"),
        (replace(BUY, symbol="BNBUSDT", sleeve=Sleeve.CASH, reason="fuel"), "fuel"),
    ],
)
def test_only_a_fill_makes_it_done_today(trade: Trade, mark: str) -> None:
    """A part is enough; an order that expired unfilled, was refused or never arrived marks nothing."""
    start = fresh(ledger=ledger_of({"USDT": "99999", "ETH": "9", "BTC": "9"}))
    part = replace(trade, fills=(D("0.0001"),)).intent(status="EXPIRED")
    assert done(book_order(start, part, PRICES)[0]) == (mark,)
    empty = replace(trade, fills=()).intent(status="EXPIRED")
    assert book_order(start, empty, PRICES) == (start, ())
    for status in (Status.REFUSED, Status.ABSENT, Status.UNKNOWN):
        assert book_order(start, replace(trade.intent(), status=status), PRICES) == (start, ())


def done(state: State) -> tuple[str, ...]:
    assert state.day is not None
    return state.day.done


def test_a_mark_is_kept_once() -> None:
    assert done(booked(fresh(), BUY, SELL, BUY)) == ("buy:ETHUSDT", "sold:ETHUSDT")


def test_a_filled_trim_ends_its_tiers_for_the_episode() -> None:
    trim = replace(SELL, symbol="BTCUSDT", sleeve=Sleeve.BTC_CORE, reason="trim:trigger+z4")
    state = fresh(ledger=ledger_of({"BTC": "5"}), memory=Memory(trim=TrimMemory(("trigger",))))
    assert booked(state, trim).memory.trim == TrimMemory(("trigger", "z4"))
    unfilled = replace(trim, fills=()).intent(status="EXPIRED")
    assert book_order(state, unfilled, PRICES)[0].memory == state.memory


def test_only_the_trend_sleeves_trades_enter_its_return() -> None:
    state = booked(fresh(), replace(BUY, symbol="BTCUSDT", sleeve=Sleeve.BTC_CORE, reason="dca"), BUY, SELL)
    day = state.day
    assert day is not None
    assert (day.bought, day.sold, day.net_peak, day.buys_all) == (D(2000), D(2000), D(2000), D(4000))


def test_fills_must_add_up_before_they_are_booked() -> None:
    intent = BUY.intent()
    assert intent.order is not None
    broken = replace(intent, order=replace(intent.order, executed_qty=D(2)))
    with pytest.raises(EngineError, match="do not add up"):
        book_order(fresh(), broken, PRICES)


@pytest.mark.parametrize(("trade", "quantity"), [(BUY, "3.999"), (SELL, "1.999")])
def test_a_fill_settled_after_midnight_belongs_to_the_day_before(trade: Trade, quantity: str) -> None:
    """Done at 23 h, found at 01 h, when today's book had opened with 3 ETH: the opening quantity lacked it."""
    late = replace(trade, slot="2026-03-14T23Z", fee=D("0.0005"), fee_asset="ETH")
    opened = DayBook(TODAY, {"ETH": D(3)}, {"ETH": D(1990)})
    state = booked(fresh(ledger=ledger_of({"USDT": "9000", "ETH": "3"}), day=opened), late)
    day = state.day
    assert day is not None
    assert day.done == ()
    assert day.bought == day.sold == day.buys_all == 0
    assert day.start_quantities == {"ETH": D(quantity)}
    assert day.start_closes == {"ETH": D(1990)}
    assert state.ledger.of(Book.SPOT, "ETH") == D(quantity)


def test_a_late_fill_of_a_coin_without_a_close_opens_at_its_price() -> None:
    day = booked(fresh(), replace(BUY, slot="2026-03-14T23Z")).day
    assert day is not None
    assert (day.start_quantities, day.start_closes) == ({"ETH": D(1)}, {"ETH": D(2000)})


def test_a_late_purchase_of_bitcoin_changes_nothing_of_the_day() -> None:
    late = replace(BUY, symbol="BTCUSDT", sleeve=Sleeve.BTC_CORE, reason="dca", slot="2026-03-14T23Z")
    assert booked(fresh(), late).day == DayBook(TODAY)


def test_without_a_day_the_ledger_is_booked_all_the_same() -> None:
    state = booked(fresh(day=None), BUY)
    assert state.day is None
    assert state.ledger.of(Book.SPOT, "ETH") == 1


# --- properties ----------------------------------------------------------------------------------------------------

sizes = st.decimals(min_value=D("0.0001"), max_value=5, places=4)
quotes = st.decimals(min_value=D("0.01"), max_value=5000, places=2)
small = st.decimals(min_value=0, max_value=D("0.00005"), places=5)


@st.composite
def trades(draw: st.DrawFn) -> list[Trade]:
    """Any sequence of purchases and sales that never sells more than is owned."""
    owned, made = D(0), []
    for _ in range(draw(st.integers(1, 10))):
        fills = tuple(draw(st.lists(sizes, min_size=1, max_size=3)))
        fee, asset = draw(small), draw(st.sampled_from(["ETH", "USDT", "BNB"]))
        side = draw(st.sampled_from([Side.BUY, Side.SELL]))
        total = sum(fills, D(0)) + (fee * len(fills) if asset == "ETH" else 0)
        if side is Side.SELL and total > owned:
            side = Side.BUY
        if side is Side.BUY:
            owned += sum(fills, D(0)) - (fee * len(fills) if asset == "ETH" else 0)
        else:
            owned -= total
        made.append(Trade(side, fills, draw(quotes), fee, asset))
    return made


@given(sequence=trades())
def test_the_ledger_equals_sums_by_brute_force(sequence: list[Trade]) -> None:
    """Coins, cash and fees, added up from the fills alone, to the last unit."""
    state = booked(fresh(), *sequence)
    expected = {"USDT": D(100_000), "BNB": D(10), "ETH": D(0)}
    for trade in sequence:
        sign = 1 if trade.side is Side.BUY else -1
        for qty in trade.fills:
            expected["ETH"] += sign * qty
            expected["USDT"] -= sign * qty * trade.price
            expected[trade.fee_asset] -= trade.fee
    assert {a: state.ledger.of(Book.SPOT, a) for a in expected} == expected
    for asset in expected:
        books = (Book.SPOT, Book.TRADING, Book.FEES)
        opening = {"USDT": D(100_000), "BNB": D(10)}.get(asset, D(0))
        assert sum((state.ledger.of(book, asset) for book in books), D(0)) == opening, "every entry balances"


@given(sequence=trades())
def test_positions_follow_average_cost_in_any_sequence(sequence: list[Trade]) -> None:
    """Quantity exactly; cost and average against exact fractions, which know no rounding."""
    state = booked(fresh(), *sequence)
    quantity, cost = Fraction(0), Fraction(0)
    for trade in sequence:
        bought, paid = Fraction(sum(trade.fills, D(0))), Fraction(trade.fee) * len(trade.fills)
        value = bought * Fraction(trade.price)
        in_coin = paid if trade.fee_asset == "ETH" else Fraction(0)
        in_cash = {"USDT": paid, "BNB": paid * 300}.get(trade.fee_asset, Fraction(0))
        if trade.side is Side.BUY:
            quantity, cost = quantity + bought - in_coin, cost + value + in_cash
        else:
            left = quantity - bought - in_coin
            quantity, cost = left, cost * left / quantity
    position = state.positions.get("ETHUSDT")
    assert Fraction(position.quantity if position else 0) == quantity
    if position is not None:
        assert abs(Fraction(position.cost) - cost) < Fraction(1, 10**15)
        assert abs(Fraction(position.average) - cost / quantity) < Fraction(1, 10**10)


@given(sequence=trades())
def test_the_days_sums_follow_the_fills_in_any_sequence(sequence: list[Trade]) -> None:
    day = booked(fresh(), *sequence).day
    assert day is not None
    bought = sold = peak = D(0)
    for trade in sequence:
        value = sum(trade.fills, D(0)) * trade.price
        fee = {"USDT": trade.fee, "BNB": trade.fee * 300}.get(trade.fee_asset, D(0)) * len(trade.fills)
        if trade.side is Side.BUY:
            bought += value + fee
        else:
            sold += value - fee
        peak = max(peak, bought - sold)
    assert (day.bought, day.sold, day.net_peak) == (bought, sold, peak)


# --- Earn ----------------------------------------------------------------------------------------------------------


def move(kind: Kind, before: Mapping[str, str] | None = None) -> Intent:
    side = Side.SELL if kind is Kind.REDEEM else Side.BUY
    return Intent("m", SLOT, kind, Sleeve.CASH, "USDT", side, D(40), "earn_buffer", 0, 1, before=dict(before or {}))


def cash_in(ledger: Balances) -> dict[str, Decimal]:
    return {book.value: ledger.of(book, "USDT") for book in (Book.SPOT, Book.TRANSIT, Book.EARN)}


@pytest.mark.parametrize(("kind", "after"), [(Kind.REDEEM, (140, 60)), (Kind.SUBSCRIBE, (60, 140))])
def test_an_earn_move_travels_through_transit_once_and_is_never_a_flow(kind: Kind, after: tuple[int, int]) -> None:
    """100 and 100: accepted, 40 are in transit and still ours; asked again, nothing more moves; arrived, both agree."""
    state = fresh(ledger=ledger_of({"USDT": "100"}, "100"))
    accepted = move(kind, {"move_id": "7"}).moved(Status.UNKNOWN)
    state, intent, entries = book_earn(state, accepted, NOW_MS)
    assert (len(entries), cash_in(state.ledger)["transit"], state.ledger.owned("USDT")) == (1, D(40), D(200))
    assert intent.before[IN_TRANSIT] == "1"
    again, intent, none = book_earn(state, intent, NOW_MS)
    assert (none, again) == ((), state)
    state, _, entries = book_earn(state, intent.moved(Status.DONE), NOW_MS)
    assert cash_in(state.ledger) == {"spot": D(after[0]), "transit": 0, "earn": D(after[1])}
    assert set(state.ledger.totals) == {Book.SPOT, Book.EARN}
    assert len({entry.id for entry in entries}) == len(entries)


def test_a_move_that_arrived_at_once_and_one_that_failed_later() -> None:
    state = fresh(ledger=ledger_of({"USDT": "100"}, "100"))
    at_once, _, entries = book_earn(state, move(Kind.REDEEM).moved(Status.DONE), NOW_MS)
    assert cash_in(at_once.ledger) == {"spot": D(140), "transit": 0, "earn": D(60)}
    assert len({entry.id for entry in entries}) == 2
    out, intent, _ = book_earn(state, move(Kind.REDEEM, {"move_id": "7"}).moved(Status.UNKNOWN), NOW_MS)
    back, _, _ = book_earn(out, intent.moved(Status.REFUSED), NOW_MS)
    assert cash_in(back.ledger) == cash_in(state.ledger)


@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.REFUSED, Status.ABSENT])
def test_a_move_that_nobody_accepted_moves_nothing(status: Status) -> None:
    state = fresh(ledger=ledger_of({"USDT": "100"}, "100"))
    assert book_earn(state, move(Kind.REDEEM).moved(status), NOW_MS)[0] == state
    assert date.fromisoformat(SLOT[:10]) == TODAY
