"""Rebuilding as a pure step: what a list of orders tells, worked out by hand and held to the booking rules."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.booking import book_order
from runtime.domain.decision import HoldingMemory
from runtime.domain.evidence import Flow, FlowKind, order_flows
from runtime.domain.ledger import Book
from runtime.domain.market import Account, Balance
from runtime.domain.orders import Fill, Intent, Kind, Leg, Order, Side, Sleeve, Status, client_id
from runtime.domain.rebuilding import Records, rebuilt_state
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import DAY_MS, HOUR_MS, slot_at, slot_start_ms
from runtime.domain.state import Position, State

D = Decimal
NOW_MS = slot_start_ms("2026-03-20T10Z") + 900_000
SETTINGS = StrategySettings()
BUY, SELL = Side.BUY, Side.SELL


def order(
    number: int, side: Side, quantity: str, *, symbol: str = "ETHUSDT", hours_ago: int = 0, **changes: str
) -> Order:
    """An order of ours at 100 USDT a unit, without fees unless `fee` (in `paid_in`) says so."""
    time_ms = NOW_MS - hours_ago * HOUR_MS
    sleeve = {"BTCUSDT": Sleeve.BTC_CORE, "BNBUSDT": Sleeve.CASH}.get(symbol, Sleeve.TREND)
    name = client_id("main", slot_at(time_ms), Leg(sleeve, symbol, side), int(changes.get("attempt", "0")))
    fill = Fill(number, D(100), D(quantity), D(changes.get("fee", "0")), changes.get("paid_in", "BNB"))
    status = changes.get("status", "FILLED")
    return Order(symbol, number, name, side, status, D(quantity), D(quantity) * 100, time_ms + number, (fill,))


def rebuilt(orders: list[Order], flows: list[Flow] | None = None, **held: str) -> State:
    """The state of an account that holds this now."""
    balances = {"USDT": Balance(D(1000))} | {asset: Balance(D(amount)) for asset, amount in held.items()}
    prices = {"ETHUSDT": D(100), "BTCUSDT": D(100), "BNBUSDT": D(100)}
    state, entries = rebuilt_state(
        "main", NOW_MS, Records(Account(balances), {}, orders, prices, flows or []), SETTINGS
    )
    for asset, amount in held.items():
        assert state.ledger.of(Book.SPOT, asset) + state.ledger.of(Book.RESERVED, asset) == D(amount)
    assert state.ledger.posted(()) == State("main").ledger.posted(entries)
    return state


class TestTrims:
    BOUGHT = order(1, BUY, "10", symbol="BTCUSDT", hours_ago=2000)

    @pytest.mark.parametrize(
        ("sold", "tiers"),
        [(["1"], 1), (["0.99"], 1), (["3"], 2), (["2.97"], 2), (["5"], 3), (["2.5", "2.5"], 3), (["0.5", "0.5"], 1)],
    )
    def test_a_tier_is_told_by_the_share_that_its_hour_sold(self, sold: list[str], tiers: int) -> None:
        """Also where a filter cut it into parts."""
        parts = [order(n + 2, SELL, q, symbol="BTCUSDT", attempt=str(n)) for n, q in enumerate(sold)]
        state = rebuilt([self.BOUGHT, *parts], BTC=str(10 - sum(map(D, sold))))
        assert state.memory.trim.tiers == tuple(tier[0] for tier in SETTINGS.trim_tiers[:tiers])
        assert state.day is not None
        assert state.day.done == ("trim",)

    def test_a_trim_that_filled_in_part_counts_as_every_tier(self) -> None:
        """Its share tells nothing, and selling half of the core again is worse than waiting for the next episode."""
        state = rebuilt([self.BOUGHT, order(2, SELL, "0.4", symbol="BTCUSDT", status="EXPIRED")], BTC="9.6")
        assert state.memory.trim.tiers == tuple(tier[0] for tier in SETTINGS.trim_tiers)

    def test_trims_of_several_days_add_up(self) -> None:
        first = order(2, SELL, "1", symbol="BTCUSDT", hours_ago=48)
        second = order(3, SELL, "2.7", symbol="BTCUSDT", hours_ago=24)
        state = rebuilt([self.BOUGHT, first, second], BTC="6.3")
        assert state.memory.trim.tiers == tuple(tier[0] for tier in SETTINGS.trim_tiers[:2])
        assert state.day is not None
        assert state.day.done == ()


class TestEntryHour:
    def test_a_top_up_keeps_it_and_a_purchase_beside_dust_begins_anew(self) -> None:
        """0.01 that the lot step left over is worth 1 USDT: no holding."""
        bought, topped = order(1, BUY, "2", hours_ago=50), order(2, BUY, "1", hours_ago=30)
        assert rebuilt([bought, topped], ETH="3").positions["ETHUSDT"].opened_ms == bought.time_ms
        sold, again = order(3, SELL, "2.99", hours_ago=20), order(4, BUY, "1", hours_ago=10)
        position = rebuilt([bought, topped, sold, again], ETH="1.01").positions["ETHUSDT"]
        assert position == Position(D(101), D("1.01"), again.time_ms)


class TestOtherHands:
    def test_a_sale_by_hand_between_two_purchases_takes_its_share_of_the_cost(self) -> None:
        first, second = order(1, BUY, "2", hours_ago=50, fee="0.1", paid_in="USDT"), order(3, BUY, "2", hours_ago=10)
        sold = Order("ETHUSDT", 2, "web_x", SELL, "FILLED", D(1), D(100), first.time_ms + HOUR_MS, ())
        fill = Fill(9, D(100), D(1), D("0.1"), "USDT")
        flows = list(order_flows(Order(**{**_fields(sold), "fills": (fill,)})))
        position = rebuilt([first, second], flows, ETH="3").positions["ETHUSDT"]
        assert (position.quantity, position.cost) == (D(3), D("100.05") + 200)

    def test_reserved_coins_leave_first_and_stay_out(self) -> None:
        bought = order(1, BUY, "2", hours_ago=50)
        gone = Flow("w", FlowKind.WITHDRAWAL, "ETH", D(-3), bought.time_ms + HOUR_MS)
        state = rebuilt([bought], [gone], ETH="4")
        assert (state.ledger.of(Book.SPOT, "ETH"), state.ledger.of(Book.RESERVED, "ETH")) == (D(2), D(2))
        state = rebuilt([bought], [gone], ETH="1.5")
        assert (state.ledger.of(Book.SPOT, "ETH"), state.ledger.of(Book.RESERVED, "ETH")) == (D("1.5"), D(0))

    def test_what_was_sold_beyond_our_purchases_had_been_adopted(self) -> None:
        """So that what is bought afterwards is all ours."""
        state = rebuilt([order(1, SELL, "3", hours_ago=50), order(2, BUY, "2", hours_ago=10)], ETH="2.5")
        assert (state.ledger.of(Book.SPOT, "ETH"), state.ledger.of(Book.RESERVED, "ETH")) == (D(2), D("0.5"))

    def test_a_loss_without_a_record_shrinks_the_position(self) -> None:
        state = rebuilt([order(1, BUY, "2", hours_ago=50)], ETH="1.5")
        assert state.positions["ETHUSDT"] == Position(D(150), D("1.5"), NOW_MS - 50 * HOUR_MS + 1)


def test_orders_of_another_account_move_nothing_of_ours() -> None:
    foreign = order(1, BUY, "2", hours_ago=50)
    name = foreign.client_id.replace(foreign.client_id[:8], "bp00000-")
    state = rebuilt([Order(**{**_fields(foreign), "client_id": name})], ETH="2")
    assert not state.positions
    assert state.ledger.of(Book.RESERVED, "ETH") == 2


def _fields(one: Order) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Order.__slots__}


STEPS = st.lists(
    st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 40), st.integers(1, 30), st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


@given(STEPS)
def test_any_history_of_one_coin_is_rebuilt_as_it_was_booked(steps: list[tuple[str, int, int, int]]) -> None:
    """Quantities, costs and entry times, against the booking rule run hour by hour."""
    live, orders, at = State("main"), list[Order](), NOW_MS - 20 * DAY_MS
    for number, (side, tenths, hours, fee) in enumerate(steps, 1):
        at = min(NOW_MS - HOUR_MS, at + hours * HOUR_MS)
        held = live.ledger.of(Book.SPOT, "ETH")
        quantity = D(tenths) / 10 if side == "BUY" else min(D(tenths) / 10, held)
        if not quantity:
            continue
        hours_ago = (NOW_MS - at) // HOUR_MS
        one = order(number, Side(side), str(quantity), hours_ago=hours_ago, fee=str(D(fee) / 100), paid_in="USDT")
        orders.append(one)
        live = _as_lived(live, one, held=held * 100 >= SETTINGS.dust)
    now = live.ledger.of(Book.SPOT, "ETH")
    state = rebuilt(orders, ETH=str(now)) if now else rebuilt(orders)
    assert state.positions == live.positions


def _as_lived(live: State, one: Order, *, held: bool) -> State:
    """The state after an hour that sent this order, as the engine books it."""
    memory = replace(live.memory, holdings={"ETHUSDT": HoldingMemory(D(1))} if held else {})
    intent = Intent(
        id=one.client_id, slot=slot_at(one.time_ms), kind=Kind.ORDER, sleeve=Sleeve.TREND, symbol="ETHUSDT",
        side=one.side, quantity=one.executed_qty, reason="entry", recorded_ms=0, send_before_ms=0,
        status=Status.DONE, order=one,
    )  # fmt: skip
    return book_order(replace(live, memory=memory), intent, {})[0]
