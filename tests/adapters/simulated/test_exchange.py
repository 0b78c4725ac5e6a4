"""The exchange in process: what is accepted, what is refused and how, what a look-up finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.simulated.books import Books, Draft, Place
from runtime.adapters.simulated.conditions import (
    PAPER,
    Conditions,
    Costs,
    Delays,
    EarnTerms,
    Effect,
    Fault,
    Limits,
    Script,
)
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.matching import quote_amount
from runtime.domain.instruments import LotRule
from runtime.domain.money import ZERO
from runtime.domain.orders import EarnDone, EarnOutcome, Kind, Order, Outcome, Refused, Side, Unknown
from runtime.errors import BadInput, EngineError, Misconfigured, RateLimited, Rejected, Unavailable
from runtime.ports import Exchange, MarketData, OrderRequest
from tests.support.shop import NOW_MS, Shop, shop

D = Decimal
ORDER = "POST /api/v3/order"
BNB_ON = Costs(bnb_discount=True)


def refused(outcome: object, code: int, words: str = "") -> None:
    assert isinstance(outcome, Refused), outcome
    assert (outcome.code, words in outcome.message) == (code, True), outcome


def test_the_simulated_exchange_is_both_ports() -> None:
    exchange = shop().exchange
    market: MarketData = exchange
    account: Exchange = exchange
    assert market.server_time_ms() == NOW_MS
    assert account.account().free("USDT") == 10_000


class TestFills:
    def test_a_calm_purchase_fills_at_the_price_and_pays_its_fee_in_what_it_got(self) -> None:
        s = shop()
        order = s.buy("0.19")
        assert (order.status, order.executed_qty, order.quote_qty) == ("FILLED", D("0.19"), D("475"))
        assert [(f.price, f.qty, f.commission, f.commission_asset) for f in order.fills] == [
            (D(2500), D("0.19"), D("0.00019"), "ETH")
        ]
        assert (s.free("USDT"), s.free("ETH")) == (D("9525"), D("0.18981"))

    def test_a_sale_pays_its_fee_in_the_quote_asset(self) -> None:
        s = shop(ETH="1")
        order = s.send("ETHUSDT", Side.SELL, "0.5")
        assert isinstance(order, Order)
        assert order.fills[0].commission_asset == "USDT"
        assert (s.free("USDT"), s.free("ETH")) == (D("1248.75"), D("0.5"))

    def test_spread_and_slippage_move_the_price_against_the_taker(self) -> None:
        conditions = Conditions(costs=Costs(spread_bps=D(2), slippage_bps=D(1)))
        s = shop(conditions, USDT="10000", ETH="1")
        bought = s.buy("0.1")
        sold = s.send("ETHUSDT", Side.SELL, "0.1", "bp-2")
        assert bought.average_price == D("2500.5")
        assert isinstance(sold, Order)
        assert sold.average_price == D("2499.5")

    def test_several_fills_get_worse_and_add_up(self) -> None:
        s = shop(Conditions(seed=3, costs=Costs(slippage_bps=D(10), fills_max=5)))
        orders = [s.buy("0.3", client_id=f"bp-{n}") for n in range(8)]
        assert max(len(order.fills) for order in orders) > 1
        for order in orders:
            prices = [fill.price for fill in order.fills]
            assert prices == sorted(prices)
            assert order.fills_complete
            assert order.quote_qty == sum((f.price * f.qty for f in order.fills), ZERO)
        ids = [fill.trade_id for order in orders for fill in order.fills]
        assert ids == sorted(set(ids))

    def test_thin_liquidity_expires_the_order_with_what_it_filled(self) -> None:
        s = shop(Conditions(costs=Costs(liquidity={"ETHUSDT": D(1000)})))
        order = s.buy("1")
        assert (order.status, order.executed_qty, order.finished) == ("EXPIRED", D("0.4"), True)
        assert s.free("ETH") == D("0.3996")
        assert s.buy("0.01", "BTCUSDT").status == "FILLED"

    def test_liquidity_of_nothing_expires_without_a_fill(self) -> None:
        order = shop(Conditions(costs=Costs(liquidity={"*": ZERO}))).buy("1")
        assert (order.status, order.executed_qty, order.average_price) == ("EXPIRED", ZERO, ZERO)
        assert not order.fills

    def test_the_fee_is_paid_in_bnb_at_a_discount_while_there_is_enough(self) -> None:
        s = shop(Conditions(costs=BNB_ON), USDT="10000", BNB="0.004")
        first, second = s.buy("1", client_id="bp-1"), s.buy("1", client_id="bp-2")
        assert first.fills[0].commission_asset == "BNB"
        assert second.fills[0].commission_asset == "ETH"

    def test_the_bnb_fee_is_three_quarters_of_the_fee_in_value(self) -> None:
        s = shop(Conditions(costs=BNB_ON), USDT="10000", BNB="1")
        fill = s.buy("1").fills[0]
        assert (fill.commission, fill.commission_asset) == (D("0.003125"), "BNB")
        assert (s.free("ETH"), s.free("BNB")) == (D(1), D("0.996875"))

    def test_too_little_bnb_falls_back_to_the_full_fee_in_what_was_received(self) -> None:
        s = shop(Conditions(costs=BNB_ON), USDT="10000", BNB="0.0031")
        fill = s.buy("1").fills[0]
        assert (fill.commission, fill.commission_asset) == (D("0.001"), "ETH")
        assert s.free("BNB") == D("0.0031")

    def test_buying_bnb_with_the_discount_pays_in_the_bnb_it_gets(self) -> None:
        s = shop(Conditions(costs=replace(BNB_ON, spread_bps=D(100))))
        fill = s.buy("1", "BNBUSDT").fills[0]
        assert (fill.commission, fill.commission_asset) == (D("0.00075"), "BNB")

    def test_selling_all_bnb_leaves_none_to_pay_with(self) -> None:
        s = shop(Conditions(costs=BNB_ON), BNB="1")
        order = s.send("BNBUSDT", Side.SELL, "1")
        assert isinstance(order, Order)
        assert order.fills[0].commission_asset == "USDT"

    def test_commissions_are_cut_to_eight_decimals(self) -> None:
        s = shop()
        assert s.buy("0.0123", client_id="bp-1").fills[0].commission == D("0.00001230")
        s.market.pairs["DOGEUSDT"] = replace(s.market.pairs["DOGEUSDT"], lot=LotRule(step=D("0.00001")))
        assert s.buy("50.12345", "DOGEUSDT").fills[0].commission == D("0.05012345")
        assert s.buy("50.12349", "DOGEUSDT").fills[0].commission == D("0.05012349")
        s.exchange.venue.conditions = Conditions(costs=Costs(fee=D("0.00075")))
        assert s.buy("50.12345", "DOGEUSDT").fills[0].commission == D("0.03759258")


class TestRefusals:
    @pytest.mark.parametrize(
        ("symbol", "quantity", "code", "words"),
        [
            ("ETHUSDT", "0.00005", -1013, "LOT_SIZE"),
            ("ETHUSDT", "9001", -1013, "LOT_SIZE"),
            ("ETHUSDT", "0.10005", -1013, "LOT_SIZE"),
            ("ETHUSDT", "0", -1013, "LOT_SIZE"),
            ("ETHUSDT", "120.0001", -1013, "MARKET_LOT_SIZE"),
            ("ETHUSDT", "0.0019", -1013, "NOTIONAL"),
            ("ETHUSDT", "0.123456789", -1111, "too much precision"),
            ("ETHUSDT", "100", -2010, "insufficient balance"),
            ("NOUSDT", "1", -1121, "Invalid symbol."),
        ],
    )
    def test_each_filter_names_itself_and_nothing_changes(
        self, symbol: str, quantity: str, code: int, words: str
    ) -> None:
        s = shop()
        before = s.exchange.account()
        refused(s.send(symbol, Side.BUY, quantity), code, words)
        assert s.exchange.account() == before
        assert s.exchange.venue.books.orders == {}

    def test_the_bounds_themselves_are_allowed(self) -> None:
        assert shop().buy("0.002").quote_qty == 5
        assert shop().buy("120", "DOGEUSDT").status == "FILLED"

    def test_the_market_lot_step_counts_too(self) -> None:
        s = shop()
        s.market.pairs["ETHUSDT"] = replace(s.market.pairs["ETHUSDT"], market_lot=LotRule(step=D("0.01")))
        refused(s.send("ETHUSDT", Side.BUY, "0.105"), -1013, "MARKET_LOT_SIZE")

    def test_the_maximum_notional_and_position_are_kept(self) -> None:
        s = shop(USDT="10000", ETH="3")
        s.market.pairs["ETHUSDT"] = replace(s.market.pairs["ETHUSDT"], max_notional=D(2500), max_position=D(4))
        refused(s.send("ETHUSDT", Side.BUY, "1.0001"), -1013, "NOTIONAL")
        s.buy("0.5")
        refused(s.send("ETHUSDT", Side.BUY, "0.6"), -1013, "MAX_POSITION")
        assert isinstance(s.send("ETHUSDT", Side.SELL, "0.6"), Order)
        s.exchange.events.rest_order(Draft("ETHUSDT", Side.BUY, "web-1", D("0.6")), D(2000))
        refused(s.send("ETHUSDT", Side.BUY, "0.6"), -1013, "MAX_POSITION")
        s.buy("0.5")

    @pytest.mark.parametrize("status", ["HALT", "BREAK", "CANCEL_ONLY"])
    def test_a_stopped_pair_takes_no_order_and_says_so(self, status: str) -> None:
        s = shop()
        s.exchange.events.halt("ETHUSDT", status)
        refused(s.send("ETHUSDT", Side.BUY, "0.1"), -2010, "Market is closed.")
        assert s.exchange.instruments(["ETHUSDT"])[1]["ETHUSDT"].status == status
        s.exchange.events.halt("ETHUSDT", "TRADING")
        s.buy("0.1")

    def test_a_pair_without_a_price_or_without_market_orders_is_closed(self) -> None:
        s = shop()
        s.market.pairs["ETHUSDT"] = replace(s.market.pairs["ETHUSDT"], market_orders=False)
        refused(s.send("ETHUSDT", Side.BUY, "0.1"), -2010, "not supported")
        del s.market.table["BTCUSDT"]
        refused(s.send("BTCUSDT", Side.BUY, "0.1"), -2010, "Market is closed.")

    def test_filters_come_before_the_balance(self) -> None:
        refused(shop(USDT="1").send("ETHUSDT", Side.BUY, "0.0001"), -1013, "NOTIONAL")

    @pytest.mark.parametrize("client_id", ["x" * 37, "", "a b", "é", "a/b"])
    def test_a_client_id_outside_the_pattern_is_refused(self, client_id: str) -> None:
        refused(shop().send("ETHUSDT", Side.BUY, "0.1", client_id), -1100, "newClientOrderId")

    @pytest.mark.parametrize(("late_ms", "fine"), [(5000, True), (5001, False), (-999, True), (-1000, False)])
    def test_a_request_outside_its_window_is_refused(self, late_ms: int, fine: bool) -> None:
        s = shop()
        request = OrderRequest("bp-1", "ETHUSDT", Side.BUY, D("0.1"), NOW_MS - late_ms)
        outcome = s.exchange.send_order(request)
        if fine:
            assert isinstance(outcome, Order)
        else:
            refused(outcome, -1021)
        earn = s.exchange.send_earn(Kind.SUBSCRIBE, "USDT001", D(10), NOW_MS - late_ms)
        assert isinstance(earn, EarnDone if fine else Refused)

    def test_a_skewed_clock_refuses_reads_until_it_is_known(self) -> None:
        s = shop(Conditions(skew_ms=7000))
        assert s.exchange.server_time_ms() == NOW_MS + 7000
        with pytest.raises(Rejected, match="-1021"):
            s.exchange.account()
        s.exchange.sync_clock(7000)
        assert s.exchange.account().free("USDT") == 10_000

    def test_the_test_order_checks_all_but_the_balance_and_changes_nothing(self) -> None:
        s = shop(USDT="1")
        good = OrderRequest("bp-1", "ETHUSDT", Side.BUY, D("0.1"), NOW_MS)
        assert s.exchange.test_order(good) is None
        refused(s.exchange.test_order(replace(good, quantity=D("0.0001"))), -1013, "NOTIONAL")
        refused(s.exchange.test_order(replace(good, timestamp_ms=NOW_MS - 9000)), -1021)
        assert s.exchange.orders_since("ETHUSDT", 0) == []


class TestClientIds:
    def test_a_filled_id_is_accepted_again_and_buys_twice(self) -> None:
        s = shop()
        first = s.buy("0.1")
        s.clock.sleep(60)
        second = s.buy("0.2")
        assert second.order_id > first.order_id
        assert s.free("ETH") == D("0.2997")
        found = s.exchange.find_order("ETHUSDT", "bp-1")
        assert found is not None
        assert (found.order_id, found.executed_qty, found.fills) == (second.order_id, D("0.2"), ())

    def test_an_open_id_is_refused_as_a_duplicate_which_is_no_definite_no(self) -> None:
        s = shop()
        resting = s.exchange.events.rest_order(Draft("ETHUSDT", Side.BUY, "bp-1", D("0.1")), D(2000))
        assert (s.free("USDT"), s.exchange.account().total("USDT")) == (D(9800), D(10_000))
        outcome = s.send("ETHUSDT", Side.BUY, "0.1")
        assert isinstance(outcome, Unknown)
        assert "Duplicate order sent." in outcome.why
        s.exchange.events.cancel("ETHUSDT", resting.order_id)
        assert s.free("USDT") == D(10_000)
        s.buy("0.1")

    def test_an_unknown_id_is_none_and_an_unknown_pair_an_error(self) -> None:
        s = shop()
        assert s.exchange.find_order("ETHUSDT", "bp-1") is None
        with pytest.raises(Rejected, match="-1121"):
            s.exchange.find_order("NOUSDT", "bp-1")
        with pytest.raises(BadInput, match="order_id"):
            s.exchange.events.cancel("ETHUSDT", 1)

    def test_fills_are_fetched_from_the_trades(self) -> None:
        s = shop()
        made = s.buy("0.1")
        found = s.exchange.find_order("ETHUSDT", "bp-1")
        assert found is not None
        assert s.exchange.with_fills(found) == made

    def test_orders_since_a_moment_are_listed_oldest_first(self) -> None:
        s = shop()
        s.buy("0.1", client_id="bp-1")
        s.clock.sleep(1)
        later = [s.buy("0.1", client_id=f"bp-{n}").order_id for n in (2, 3)]
        assert [order.order_id for order in s.exchange.orders_since("ETHUSDT", NOW_MS + 1000)] == later


class TestEvents:
    def test_flows_explain_deposits_withdrawals_and_bonus_but_not_a_grant(self) -> None:
        s = shop()
        s.exchange.events.deposit("USDT", D(100))
        s.clock.sleep(1.7)
        s.exchange.events.withdraw("USDT", D(40))
        s.clock.sleep(1)
        s.exchange.events.pay_bonus("USDT", D("0.5"))
        s.exchange.events.grant("DOGE", D(7))
        flows = s.exchange.flows(NOW_MS)
        assert [(f.kind, f.amount) for f in flows] == [("deposit", 100), ("withdrawal", -40), ("reward", D("0.5"))]
        assert len({f.id for f in flows}) == 3
        assert flows[1].time_ms == NOW_MS + 1000  # Binance tells withdrawals to the second
        assert (s.free("USDT"), s.free("DOGE")) == (D("10060.5"), D(7))
        assert [f.kind for f in s.exchange.flows(NOW_MS + 1)] == ["withdrawal", "reward"]

    def test_a_manual_trade_is_an_order_like_any_other(self) -> None:
        s = shop()
        order = s.exchange.events.manual_trade("ETHUSDT", Side.BUY, D("0.1"))
        assert [o.client_id for o in s.exchange.orders_since("ETHUSDT", 0)] == [order.client_id]

    def test_nobody_can_take_what_is_not_there(self) -> None:
        with pytest.raises(EngineError, match="USDT would become"):
            shop().exchange.events.withdraw("USDT", D(10_001))
        with pytest.raises(BadInput, match="8 decimals"):
            shop().exchange.events.deposit("USDT", D("0.000000001"))


class TestWeather:
    def test_an_answer_lost_before_the_effect_leaves_nothing(self) -> None:
        s = shop(Conditions(faults=Script({ORDER: {1: Fault(drop=True)}})))
        assert isinstance(s.send("ETHUSDT", Side.BUY, "0.1"), Unknown)
        assert s.exchange.find_order("ETHUSDT", "bp-1") is None
        s.buy("0.1")

    @pytest.mark.parametrize(
        "lost",
        [
            Fault(drop=True),
            Fault(cut=True),
            Fault(status=503),
            Fault(status=500, code=-1000),
            Fault(status=500, code=-2010),
        ],
    )
    def test_an_answer_lost_after_the_effect_leaves_an_order(self, lost: Fault) -> None:
        fault = replace(lost, effect=Effect.NOW)
        s = shop(Conditions(faults=Script({ORDER: {1: fault}})))
        assert isinstance(s.send("ETHUSDT", Side.BUY, "0.1"), Unknown)
        assert s.exchange.find_order("ETHUSDT", "bp-1") is not None

    def test_an_order_may_take_effect_later_than_it_was_given_up(self) -> None:
        s = shop(Conditions(faults=Script({ORDER: {1: Fault(Effect.LATER, after_ms=8000, drop=True)}})))
        assert isinstance(s.send("ETHUSDT", Side.BUY, "0.1"), Unknown)
        s.clock.sleep(7.999)
        assert s.exchange.find_order("ETHUSDT", "bp-1") is None
        s.clock.sleep(0.001)
        found = s.exchange.find_order("ETHUSDT", "bp-1")
        assert found is not None
        assert found.time_ms == NOW_MS + 8000

    def test_a_request_from_before_the_fence_is_refused_before_it_can_be_late(self) -> None:
        s = shop(Conditions(faults=Script({ORDER: {1: Fault(Effect.LATER, after_ms=3000, drop=True)}})))
        stale = OrderRequest("bp-1", "ETHUSDT", Side.BUY, D("0.1"), NOW_MS - 5001)
        assert isinstance(s.exchange.send_order(stale), Unknown)
        s.clock.sleep(10)
        assert s.exchange.find_order("ETHUSDT", "bp-1") is None

    def test_late_orders_may_overtake_each_other(self) -> None:
        late = {n: Fault(Effect.LATER, after_ms=ms, drop=True) for n, ms in ((1, 9000), (2, 3000))}
        s = shop(Conditions(faults=Script({ORDER: late})))
        for n in (1, 2):
            s.send("ETHUSDT", Side.BUY, "0.1", f"bp-{n}")
        s.clock.sleep(10)
        orders = s.exchange.orders_since("ETHUSDT", 0)
        assert [(o.client_id, o.time_ms - NOW_MS) for o in orders] == [("bp-2", 3000), ("bp-1", 9000)]

    def test_a_late_order_that_is_refused_in_the_end_leaves_nothing(self) -> None:
        s = shop(Conditions(faults=Script({ORDER: {1: Fault(Effect.LATER, after_ms=8000, drop=True)}})))
        s.send("ETHUSDT", Side.BUY, "4")
        s.exchange.events.withdraw("USDT", D(5000))
        s.clock.sleep(9)
        assert s.exchange.find_order("ETHUSDT", "bp-1") is None
        assert s.free("USDT") == 5000

    def test_a_request_that_travels_too_long_is_refused_at_the_door(self) -> None:
        s = shop(Conditions(faults=Script({ORDER: {1: Fault(delay_in_ms=5001)}})))
        refused(s.send("ETHUSDT", Side.BUY, "0.1"), -1021)

    def test_a_slow_answer_is_still_the_right_answer(self) -> None:
        s = shop(Conditions(faults=Script({ORDER: {0: Fault(delay_out_ms=9000)}})))
        s.buy("0.1")
        assert s.clock.now_ms() == NOW_MS + 9000

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            (Fault(status=451, message="Service unavailable from a restricted location"), Misconfigured),
            (Fault(status=403, body="<html>"), Misconfigured),
            (Fault(status=401, code=-2015), Misconfigured),
            (Fault(status=429, code=-1003, retry_after_s=7), RateLimited),
            (Fault(status=418, code=-1003, retry_after_s=120), RateLimited),
            (Fault(status=502, body="<html>"), Unavailable),
            (Fault(drop=True), Unavailable),
            (Fault(cut=True), Unavailable),
            (Fault(status=400, code=-1102), Rejected),
        ],
    )
    def test_each_answer_is_one_error_of_the_port(self, fault: Fault, expected: type[EngineError]) -> None:
        s = shop(Conditions(faults=Script({"GET /api/v3/account": {1: fault}})))
        with pytest.raises(expected) as caught:
            s.exchange.account()
        if isinstance(caught.value, RateLimited):
            assert caught.value.retry_at_ms == NOW_MS + 1000 * (fault.retry_after_s or 0)
        assert s.exchange.account().free("USDT") == 10_000

    @pytest.mark.parametrize("status", [401, 403, 418, 429, 451])
    def test_definite_answers_to_a_send_are_refusals(self, status: int) -> None:
        s = shop(Conditions(faults=Script({ORDER: {1: Fault(status=status, code=-1, retry_after_s=3)}})))
        outcome = s.send("ETHUSDT", Side.BUY, "0.1")
        assert isinstance(outcome, Refused)
        assert outcome.misconfigured is (status in {401, 403, 451})
        assert outcome.retry_at_ms == (NOW_MS + 3000 if status in {418, 429} else None)

    def test_changing_the_weather_counts_calls_anew(self) -> None:
        s = shop()
        s.buy("0.1")
        s.exchange.venue.conditions = Conditions(faults=Script({ORDER: {1: Fault(drop=True)}}))
        assert isinstance(s.send("ETHUSDT", Side.BUY, "0.1"), Unknown)
        assert s.exchange.calls[ORDER] == 2

    def test_orders_trades_balances_and_records_show_late(self) -> None:
        delays = Delays(order_ms=1000, history_ms=5000, balances_ms=3000, records_ms=4000)
        s = shop(Conditions(delays=delays))
        made = s.buy("1")
        s.exchange.events.deposit("DOGE", D(5))
        seen: dict[int, tuple[bool, bool, bool, bool, bool]] = {}
        for second in range(6):
            found = s.exchange.find_order("ETHUSDT", "bp-1")
            listed = bool(s.exchange.orders_since("ETHUSDT", 0))
            complete = s.exchange.with_fills(replace(made, fills=())).fills_complete
            fresh = s.free("USDT") == D(7500) and s.free("ETH") == D("0.999") and s.free("DOGE") == 5
            seen[second] = (found is not None, listed, complete, fresh, bool(s.exchange.flows(0)))
            s.clock.sleep(1)
        first_shown = [next(second for second in seen if seen[second][what]) for what in range(5)]
        assert first_shown == [1, 5, 5, 3, 4]

    def test_each_movement_lags_behind_by_its_own_time(self) -> None:
        s = shop(Conditions(delays=Delays(balances_ms=3000)))
        for _ in range(2):
            s.exchange.events.deposit("USDT", D(1))
            s.clock.sleep(1)
        for expected in (10_000, 10_001, 10_002):
            assert s.free("USDT") == expected
            s.clock.sleep(1)

    def test_a_market_that_does_not_answer_leaves_a_send_unknown(self) -> None:
        s = shop()
        s.market.failing = "no candle for this hour"
        assert isinstance(s.send("ETHUSDT", Side.BUY, "0.1"), Unknown)
        with pytest.raises(Unavailable):
            s.exchange.prices()

    def test_contradictory_or_boundless_weather_is_refused(self) -> None:
        for make in (
            lambda: Fault(effect=Effect.NOW),
            lambda: Fault(Effect.LATER, after_ms=10_001, drop=True),
            lambda: Delays(balances_ms=60_001),
        ):
            with pytest.raises(BadInput):
                make()


class TestAccounting:
    def test_every_call_is_counted_and_weighed(self) -> None:
        s = shop()
        s.exchange.prices()
        s.exchange.instruments(["ETHUSDT", "BTCUSDT"])
        s.buy("0.1")
        s.exchange.find_order("ETHUSDT", "bp-1")
        assert dict(s.exchange.calls) == {
            "GET /api/v3/ticker/price": 1,
            "GET /api/v3/exchangeInfo": 1,
            ORDER: 1,
            "GET /api/v3/order": 1,
        }
        assert s.exchange.venue.meter.used(ORDER, NOW_MS) == 4 + 20 + 0 + 4

    def test_a_refused_order_weighs_one(self) -> None:
        s = shop()
        s.send("ETHUSDT", Side.BUY, "0")
        assert s.exchange.venue.meter.weight[ORDER] == 1

    def test_over_the_limit_everything_is_429_until_the_minute_ends(self) -> None:
        s = shop(Conditions(limits=Limits(weight_1m=59)))
        s.clock.sleep(10)
        s.exchange.account()
        s.exchange.account()
        with pytest.raises(RateLimited, match="-1003") as caught:
            s.exchange.account()
        assert caught.value.retry_at_ms == NOW_MS + 60_000
        s.clock.set(caught.value.retry_at_ms)
        s.exchange.account()

    def test_open_orders_count_against_the_order_limit_and_fills_give_back(self) -> None:
        s = shop(Conditions(limits=Limits(orders_10s=2)))
        for n in range(5):
            s.buy("0.1", client_id=f"bp-{n}")
        for n in range(2):
            s.exchange.events.rest_order(Draft("ETHUSDT", Side.BUY, f"web-{n}", D("0.1")), D(2000))
        outcome = s.send("ETHUSDT", Side.BUY, "0.1")
        refused(outcome, -1015)
        assert isinstance(outcome, Refused)
        assert outcome.retry_at_ms == NOW_MS + 10_000
        s.clock.set(outcome.retry_at_ms)
        s.buy("0.1")


ACTIONS = st.one_of(
    st.tuples(st.just("buy"), st.sampled_from(["ETHUSDT", "BNBUSDT", "DOGEUSDT"]), st.integers(1, 20_000)),
    st.tuples(st.just("sell"), st.sampled_from(["ETHUSDT", "BNBUSDT", "DOGEUSDT"]), st.integers(1, 20_000)),
    st.tuples(st.just("deposit"), st.sampled_from(["USDT", "BNB"]), st.integers(1, 10**10)),
    st.tuples(st.just("withdraw"), st.sampled_from(["USDT", "BNB"]), st.integers(1, 10**9)),
    st.tuples(st.just("subscribe"), st.just("USDT"), st.integers(1, 10**11)),
    st.tuples(st.just("redeem"), st.just("USDT"), st.integers(1, 10**11)),
    st.tuples(st.just("bonus"), st.just("USDT"), st.integers(1, 10**6)),
    st.tuples(st.just("wait"), st.just(""), st.integers(1, 200_000)),
)
LIVELY = Conditions(
    seed=11,
    costs=Costs(spread_bps=D(7), slippage_bps=D(9), bnb_discount=True, fills_max=4, liquidity={"ETHUSDT": D(2000)}),
    earn=EarnTerms(redeem_s=30, subscribe_s=2),
)


def act(s: Shop, action: tuple[str, str, int]) -> Outcome | EarnOutcome | None:
    what, name, size = action
    amount, events = D(size).scaleb(-8), s.exchange.events
    if what in {"buy", "sell"}:
        quantity = D(size).scaleb(-4 if name != "DOGEUSDT" else 0)
        return s.send(name, Side.BUY if what == "buy" else Side.SELL, str(quantity), f"bp-{size % 7}")
    if what in {"subscribe", "redeem"}:
        return s.exchange.send_earn(Kind(what), "USDT001", amount, s.clock.now_ms())
    if what == "wait":
        s.clock.sleep(size)
    elif what == "bonus":
        events.pay_bonus(name, amount)
    else:
        with suppress(EngineError):  # nobody can withdraw more than there is
            (events.deposit if what == "deposit" else events.withdraw)(name, amount)
    return None


def audited(books: Books, place: Place) -> dict[str, Decimal]:
    """What every asset must amount to, rebuilt from the records alone."""
    found = [*_moved(books, place)]
    if place is Place.SPOT:
        found += [*books.opening.items(), *((t.asset, t.amount) for t in books.transfers), *_traded(books)]
    kind = "BONUS" if place is Place.SPOT else "REALTIME"
    found += [(reward.asset, reward.amount) for reward in books.rewards if reward.kind == kind]
    sums: dict[str, Decimal] = {}
    for asset, amount in found:
        sums[asset] = sums.get(asset, ZERO) + amount
    return {asset: amount for asset, amount in sums.items() if amount}


def _traded(books: Books) -> Iterator[tuple[str, Decimal]]:
    for row in (row for rows in books.orders.values() for row in rows):
        base, sign = row.symbol.removesuffix("USDT"), 1 if row.side is Side.BUY else -1
        for fill in row.fills:
            yield base, sign * fill.qty
            yield "USDT", -sign * quote_amount(fill.price, fill.qty)
            yield fill.commission_asset, -fill.commission


def _moved(books: Books, place: Place) -> Iterator[tuple[str, Decimal]]:
    for move in books.moves:
        leaves = Place.EARN if move.kind is Kind.REDEEM else Place.SPOT
        if leaves is place:
            yield move.asset, -move.amount
        elif move.settled:
            yield move.asset, move.amount


@given(st.lists(ACTIONS, max_size=30))
def test_the_books_conserve_every_asset_and_never_go_negative(actions: list[tuple[str, str, int]]) -> None:
    s = shop(LIVELY, USDT="20000", BNB="0.02", ETH="3")
    for action in actions:
        act(s, action)
    s.exchange.venue.settle()
    books = s.exchange.venue.books
    spot = {asset: balance.total for asset, balance in books.balances.items() if balance.total}
    assert spot == audited(books, Place.SPOT)
    assert {h.asset: h.amount for h in books.holdings.values() if h.amount} == audited(books, Place.EARN)
    assert all(balance.free >= 0 and balance.locked >= 0 for balance in books.balances.values())


@given(st.lists(ACTIONS, max_size=30))
def test_orders_add_up_and_their_ids_only_grow(actions: list[tuple[str, str, int]]) -> None:
    s = shop(LIVELY, USDT="20000", BNB="0.02", ETH="3")
    for action in actions:
        act(s, action)
    for rows in s.exchange.venue.books.orders.values():
        ids = [row.order_id for row in rows]
        trades = [fill.trade_id for row in rows for fill in row.fills]
        assert ids == sorted(set(ids))
        assert trades == sorted(set(trades))
        for row in rows:
            assert sum((fill.qty for fill in row.fills), ZERO) == row.executed_qty <= row.quantity
            assert sum((fill.price * fill.qty for fill in row.fills), ZERO) == row.quote_qty
            assert row.status == ("FILLED" if row.executed_qty == row.quantity else "EXPIRED")


@given(st.lists(ACTIONS, max_size=20), st.integers(0, 3))
def test_the_same_seed_gives_the_same_books_however_often_one_looks(
    actions: list[tuple[str, str, int]], looks: int
) -> None:
    once, often = shop(LIVELY, USDT="20000", ETH="3"), shop(LIVELY, USDT="20000", ETH="3")
    for action in actions:
        left, right = act(once, action), act(often, action)
        assert left == right
        for _ in range(looks):
            often.exchange.earn_positions()
            often.exchange.account()
    assert once.exchange.account() == often.exchange.account()
    assert once.exchange.earn_positions() == often.exchange.earn_positions()
    assert once.exchange.venue.books == often.exchange.venue.books


def test_another_seed_gives_another_day() -> None:
    days = [
        [s.buy("0.3", client_id=f"bp-{n}") for n in range(5)]
        for s in (shop(replace(LIVELY, seed=seed)) for seed in (1, 2))
    ]
    assert days[0] != days[1]


def test_an_account_without_books_is_empty() -> None:
    s = shop()
    empty = SimulatedExchange(s.market, SimulatedClock(NOW_MS), PAPER)
    assert empty.account().balances == {}
