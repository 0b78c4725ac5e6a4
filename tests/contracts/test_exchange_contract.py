"""The Exchange port's contract, held in process and by the Binance adapter over a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.adapters.simulated.books import Draft
from runtime.adapters.simulated.conditions import (
    KEY_ENDPOINT,
    PAPER,
    Conditions,
    Costs,
    Delays,
    EarnTerms,
    Effect,
    Fault,
    KeyTerms,
    Limits,
    Script,
)
from runtime.domain.api_key import KeyRights, account_digest
from runtime.domain.market import EarnProduct
from runtime.domain.orders import EarnDone, EarnRecord, Kind, Order, Refused, Side, Unknown
from runtime.domain.slots import DAY_MS
from runtime.errors import EngineError, Misconfigured, RateLimited, Rejected, Unavailable
from runtime.ports import Flow
from tests.support.exchanges import IN_PROCESS, OVER_HTTP, WAYS, Desk, desk, evidence
from tests.support.shop import NOW_MS

D = Decimal
ORDER = "POST /api/v3/order"
EARN = "/sapi/v1/simple-earn/flexible"
MOVES = {Kind.REDEEM: f"POST {EARN}/redeem", Kind.SUBSCRIBE: f"POST {EARN}/subscribe"}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def here(way: str) -> Iterator[Desk]:
    with desk(way) as opened:
        yield opened


def done(outcome: object) -> Order:
    assert isinstance(outcome, Order), outcome
    return outcome


class TestOrders:
    def test_an_order_comes_back_with_its_fills_and_changes_the_account(self, here: Desk) -> None:
        order = done(here.send("0.19"))
        assert (order.status, order.executed_qty, order.quote_qty) == ("FILLED", D("0.19"), D(475))
        assert (order.client_id, order.time_ms, order.fills_complete) == ("bp-1", NOW_MS, True)
        account = here.exchange.account()
        assert (account.free("USDT"), account.free("ETH")) == (D(9525), D("0.18981"))
        assert account.can_trade
        assert account.digest == account_digest("1")

    def test_a_looked_up_order_gets_the_same_fills_from_its_trades(self, way: str) -> None:
        with desk(way, Conditions(seed=3, costs=Costs(slippage_bps=D(10), fills_max=5))) as here:
            for number in range(6):
                sent = done(here.send("0.3", client_id=f"bp-{number}"))
                found = here.exchange.find_order("ETHUSDT", f"bp-{number}")
                assert found is not None
                assert found.fills == ()
                assert here.exchange.with_fills(found) == sent

    def test_trades_that_do_not_show_yet_leave_the_order_unchanged(self, way: str) -> None:
        with desk(way, Conditions(delays=Delays(history_ms=3000))) as here:
            sent = done(here.send("0.1"))
            bare = replace(sent, fills=())
            assert here.exchange.with_fills(bare) == bare
            here.clock.sleep(3)
            assert here.exchange.with_fills(bare) == sent

    def test_a_purchase_that_finds_too_little_expires_with_what_it_filled(self, way: str) -> None:
        with desk(way, Conditions(costs=Costs(liquidity={"ETHUSDT": D(1000)}))) as here:
            order = done(here.send("1"))
            assert (order.status, order.executed_qty, order.finished) == ("EXPIRED", D("0.4"), True)

    def test_an_order_that_nobody_sent_is_not_found(self, here: Desk) -> None:
        assert here.exchange.find_order("ETHUSDT", "bp-none") is None

    def test_a_look_up_at_an_unknown_pair_is_rejected(self, here: Desk) -> None:
        with pytest.raises(Rejected) as caught:
            here.exchange.find_order("NOSUCHUSDT", "bp-1")
        assert caught.value.code == -1121

    def test_an_id_is_accepted_again_after_its_order_filled_and_finds_the_newest(self, here: Desk) -> None:
        """So uniqueness protects nothing: whoever sends again without looking buys twice."""
        first, second = done(here.send("0.1")), done(here.send("0.1"))
        assert second.order_id > first.order_id
        found = here.exchange.find_order("ETHUSDT", "bp-1")
        assert found is not None
        assert found.order_id == second.order_id
        assert here.exchange.account().free("ETH") == D("0.1998")

    def test_a_duplicate_of_an_open_order_is_unknown_because_ours_exists(self, here: Desk) -> None:
        here.simulated.events.rest_order(Draft("ETHUSDT", Side.BUY, "bp-1", D("0.1")), D(2000))
        assert isinstance(here.send("0.1"), Unknown)
        found = here.exchange.find_order("ETHUSDT", "bp-1")
        assert found is not None
        assert not found.finished
        assert here.exchange.account().balances["USDT"].locked == D(200)

    @pytest.mark.parametrize(
        ("quantity", "symbol", "client_id", "code"),
        [
            ("0.00011", "ETHUSDT", "bp-1", -1013),
            ("0.001", "ETHUSDT", "bp-1", -1013),
            ("5", "ETHUSDT", "bp-1", -2010),
            ("1", "NOSUCHUSDT", "bp-1", -1121),
            ("1", "ETHUSDT", "b" * 37, -1100),
            ("1", "ETHUSDT", "b.1", -1100),
            ("0.0000000001", "ETHUSDT", "bp-1", -1111),
        ],
    )
    def test_what_binance_refuses_is_refused_with_its_code(
        self, here: Desk, quantity: str, symbol: str, client_id: str, code: int
    ) -> None:
        outcome = here.send(quantity, symbol=symbol, client_id=client_id)
        assert evidence(outcome) == ("refused", code, None, False)
        assert here.exchange.account().balances.keys() == {"USDT"}

    def test_a_halted_pair_refuses(self, here: Desk) -> None:
        here.simulated.events.halt("ETHUSDT")
        outcome = here.send("0.1")
        assert isinstance(outcome, Refused)
        assert (outcome.code, outcome.message) == (-2010, "Market is closed.")

    @pytest.mark.parametrize(
        ("quantity", "code"), [("0.1", None), ("0.00011", -1013), ("1000", -1013), ("0.0000000001", -1111)]
    )
    def test_a_test_order_says_what_would_be_refused_and_changes_nothing(
        self, here: Desk, quantity: str, code: int | None
    ) -> None:
        refusal = here.exchange.test_order(here.request(quantity))
        assert (refusal.code if refusal else None) == code
        assert here.exchange.find_order("ETHUSDT", "bp-1") is None
        assert here.exchange.account().free("USDT") == 10_000

    def test_trades_name_the_orders_that_filled_since_a_moment_whosever_they_are(self, way: str) -> None:
        """An order that rests traded nothing; one that filled in parts is named once."""
        with desk(way, Conditions(seed=3, costs=Costs(slippage_bps=D(10), fills_max=5))) as here:
            done(here.send("0.1"))
            here.clock.sleep(1)
            since = here.now_ms
            ours = done(here.send("0.9", client_id="bp-2"))
            manual = here.simulated.events.manual_trade("ETHUSDT", Side.SELL, D("0.3"))
            here.simulated.events.rest_order(Draft("ETHUSDT", Side.BUY, "resting", D("0.1")), D(2000))
            assert len(ours.fills) > 1
            assert here.exchange.trades_since("ETHUSDT", since) == [ours.order_id, manual.order_id]
            assert here.exchange.trades_since("BTCUSDT", since) == []

    def test_trades_that_do_not_show_yet_are_not_named(self, way: str) -> None:
        with desk(way, Conditions(delays=Delays(history_ms=3000))) as here:
            sent = done(here.send("0.1"))
            assert here.exchange.trades_since("ETHUSDT", NOW_MS) == []
            here.clock.sleep(3)
            assert here.exchange.trades_since("ETHUSDT", NOW_MS) == [sent.order_id]

    def test_open_orders_of_all_pairs_are_listed_in_one_call_and_finished_ones_are_not(self, way: str) -> None:
        """As look-ups do, they may show an order a moment late."""
        with desk(way, Conditions(delays=Delays(order_ms=3000))) as here:
            done(here.send("0.1", client_id="filled"))
            for symbol, price in (("ETHUSDT", D(2000)), ("BTCUSDT", D(40_000))):
                here.simulated.events.rest_order(Draft(symbol, Side.BUY, f"rest-{symbol[:3]}", D("0.01")), price)
            assert here.exchange.open_orders() == []
            here.clock.sleep(3)
            before = here.simulated.calls.total()
            found = here.exchange.open_orders()
            assert here.simulated.calls.total() == before + 1
            assert sorted(order.client_id for order in found) == ["rest-BTC", "rest-ETH"]
            assert not any(order.finished or order.executed_qty or order.fills for order in found)

    @pytest.mark.parametrize("days", [0, 1, 5, 20])
    def test_orders_since_a_moment_are_those_and_no_others_oldest_first(self, here: Desk, days: int) -> None:
        here.send("0.1", client_id="before")
        here.clock.sleep(1)
        since = here.now_ms
        for number in range(3):
            here.send("0.1", client_id=f"bp-{number}")
            here.send("0.01", symbol="BTCUSDT", client_id="other")
            here.clock.sleep(days * 86_400 / 3 + 1)
        found = here.exchange.orders_since("ETHUSDT", since)
        assert [order.client_id for order in found] == ["bp-0", "bp-1", "bp-2"]
        assert all(order.fills == () for order in found)


class TestTime:
    @pytest.mark.parametrize(
        ("late_ms", "refused"), [(-1000, True), (-999, False), (0, False), (5000, False), (5001, True)]
    )
    def test_an_order_is_refused_outside_its_window(self, way: str, *, late_ms: int, refused: bool) -> None:
        """However the clock was corrected: an order carries its own time."""
        with desk(way, Conditions(skew_ms=-70_000)) as here:
            here.exchange.sync_clock(3_600_000)
            request = replace(here.request("0.1"), timestamp_ms=here.now_ms - late_ms)
            outcome = here.exchange.send_order(request)
            assert evidence(outcome) == ("refused", -1021, None, False) if refused else isinstance(outcome, Order)

    def test_an_earn_move_is_refused_outside_its_window(self, here: Desk) -> None:
        late = here.exchange.send_earn(Kind.SUBSCRIBE, "USDT001", D(10), here.now_ms - 5001)
        assert evidence(late) == ("refused", -1021, None, False)
        assert isinstance(here.exchange.send_earn(Kind.SUBSCRIBE, "USDT001", D(10), here.now_ms - 5000), EarnDone)

    @pytest.mark.parametrize("skew_ms", [-30_000, 30_000])
    def test_reads_work_once_the_clock_is_corrected(self, way: str, skew_ms: int) -> None:
        with desk(way, Conditions(skew_ms=skew_ms)) as here:
            here.exchange.sync_clock(skew_ms)
            assert here.exchange.account().free("USDT") == 10_000

    def test_a_network_that_eats_the_window_refuses_the_order(self, way: str) -> None:
        with desk(way, Conditions(faults=Script({ORDER: {1: Fault(delay_in_ms=6000)}}))) as here:
            assert evidence(here.send("0.1")) == ("refused", -1021, None, False)
            assert here.exchange.find_order("ETHUSDT", "bp-1") is None


LOST = [
    Fault(drop=True),
    Fault(cut=True),
    Fault(status=500, code=-1000, message="An unknown error occurred while processing the request."),
    Fault(status=504, code=-1007, message="Timeout waiting for response from backend server."),
    Fault(status=503, code=-1008, message="Server is currently overloaded with other requests."),
    Fault(status=400, code=-1006, message="An unexpected response was received from the message bus."),
    Fault(status=502, body="<html>bad gateway</html>"),
    Fault(status=200, body="<html>welcome</html>"),
    Fault(status=400, code=-9999, message="a code of next year"),
]
DENIED: list[tuple[Fault, tuple[object, ...]]] = [
    (Fault(status=403, body="<html>blocked</html>"), ("refused", 0, None, True)),
    (Fault(status=451, message="restricted location"), ("refused", 0, None, True)),
    (Fault(status=401, code=-2015, message="Invalid API-key"), ("refused", -2015, None, True)),
    (
        Fault(status=429, code=-1015, message="Too many new orders.", retry_after_s=5),
        ("refused", -1015, NOW_MS + 5000, False),
    ),
    (Fault(status=418, code=-1003, message="banned", retry_after_s=120), ("refused", -1003, NOW_MS + 120_000, False)),
]


class TestWeather:
    @pytest.mark.parametrize("effect", [Effect.NONE, Effect.NOW])
    @pytest.mark.parametrize("fault", LOST, ids=str)
    def test_a_lost_answer_is_unknown_and_a_look_up_tells(self, way: str, fault: Fault, effect: Effect) -> None:
        with desk(way, Conditions(faults=Script({ORDER: {1: replace(fault, effect=effect)}}))) as here:
            assert isinstance(here.send("0.1"), Unknown)
            found = here.exchange.find_order("ETHUSDT", "bp-1")
            assert (found is not None) == (effect is Effect.NOW)
            assert here.simulated.calls[ORDER] == 1, "nothing is sent twice"

    @pytest.mark.parametrize("fault", LOST, ids=str)
    @pytest.mark.parametrize("kind", MOVES)
    def test_a_lost_answer_to_an_earn_move_is_unknown_and_the_records_tell(
        self, way: str, fault: Fault, kind: Kind
    ) -> None:
        lost = Script({MOVES[kind]: {1: replace(fault, effect=Effect.NOW)}})
        with desk(way) as here:
            here.exchange.send_earn(Kind.SUBSCRIBE, "USDT001", D(100), here.now_ms)
            here.clock.sleep(10)
            since = here.now_ms
            here.simulated.venue.conditions = Conditions(faults=lost)
            assert isinstance(here.exchange.send_earn(kind, "USDT001", D(50), here.now_ms), Unknown)
            (record,) = here.exchange.earn_records(kind, "USDT", since)
            assert record.amount == 50

    def test_a_request_that_takes_effect_later_is_found_later(self, way: str) -> None:
        late = Fault(drop=True, effect=Effect.LATER, after_ms=8000)
        with desk(way, Conditions(faults=Script({ORDER: {1: late}}))) as here:
            assert isinstance(here.send("0.1"), Unknown)
            assert here.exchange.find_order("ETHUSDT", "bp-1") is None
            here.clock.sleep(8)
            assert here.exchange.find_order("ETHUSDT", "bp-1") is not None

    @pytest.mark.parametrize(("fault", "said"), DENIED, ids=str)
    def test_a_denial_is_a_refusal(self, way: str, fault: Fault, said: tuple[object, ...]) -> None:
        acts = {endpoint: {1: fault} for endpoint in (ORDER, MOVES[Kind.REDEEM])}
        with desk(way, Conditions(faults=Script(acts))) as here:
            assert evidence(here.send("0.1")) == said
        with desk(way, Conditions(faults=Script(acts))) as here:
            assert evidence(here.exchange.send_earn(Kind.REDEEM, "USDT001", D(1), here.now_ms)) == said

    def test_too_many_requests_stop_everything_until_the_time_they_name(self, way: str) -> None:
        with desk(way, Conditions(limits=Limits(weight_1m=45))) as here:
            here.exchange.account()
            here.exchange.account()
            with pytest.raises(RateLimited) as caught:
                here.exchange.account()
            resume_ms = caught.value.retry_at_ms
            assert NOW_MS < resume_ms <= NOW_MS + 60_000
            here.clock.set(resume_ms)
            assert isinstance(here.send("0.1"), Order)

    def test_too_many_orders_are_refused_until_the_time_they_name(self, way: str) -> None:
        weather = Conditions(limits=Limits(orders_10s=0))
        with desk(way, weather) as here:
            outcome = here.send("0.1")
            assert isinstance(outcome, Refused)
            assert outcome.code == -1015
            assert outcome.retry_at_ms is not None
            assert NOW_MS < outcome.retry_at_ms <= NOW_MS + 10_000


READS: Mapping[str, Callable[[Desk], object]] = {
    "GET /api/v3/account": lambda d: d.exchange.account(),
    "GET /api/v3/order": lambda d: d.exchange.find_order("ETHUSDT", "bp-1"),
    "GET /api/v3/allOrders": lambda d: d.exchange.orders_since("ETHUSDT", NOW_MS),
    "GET /api/v3/openOrders": lambda d: d.exchange.open_orders(),
    "GET /api/v3/myTrades": lambda d: d.exchange.with_fills(
        Order("ETHUSDT", 1, "bp-1", Side.BUY, "FILLED", D(1), D(1), NOW_MS)
    ),
    "GET /api/v3/time": lambda d: d.exchange.server_time_ms(),
    KEY_ENDPOINT: lambda d: d.exchange.key_rights(),
    f"GET {EARN}/position": lambda d: d.exchange.earn_positions(),
    f"GET {EARN}/list": lambda d: d.exchange.earn_product("USDT"),
    f"GET {EARN}/personalLeftQuota": lambda d: d.exchange.earn_product("USDT"),
    f"GET {EARN}/history/redemptionRecord": lambda d: d.exchange.earn_records(Kind.REDEEM, "USDT", NOW_MS),
    f"GET {EARN}/history/subscriptionRecord": lambda d: d.exchange.earn_records(Kind.SUBSCRIBE, "USDT", NOW_MS),
    f"GET {EARN}/history/rewardsRecord": lambda d: d.exchange.flows(NOW_MS),
    "GET /sapi/v1/capital/deposit/hisrec": lambda d: d.exchange.flows(NOW_MS),
    "GET /sapi/v1/capital/withdraw/history": lambda d: d.exchange.flows(NOW_MS),
}
READ_FAULTS: list[tuple[Fault, type[EngineError]]] = [
    (Fault(drop=True), Unavailable),
    (Fault(status=500, code=-1000, message="An unknown error occurred."), Unavailable),
    (Fault(status=403, body="<html>blocked</html>"), Misconfigured),
    (Fault(status=429, code=-1003, message="Too much request weight used", retry_after_s=9), RateLimited),
    (Fault(status=400, code=-1102, message="Mandatory parameter was not sent"), Rejected),
]


@pytest.mark.parametrize("endpoint", READS)
@pytest.mark.parametrize(("fault", "error"), READ_FAULTS, ids=str)
def test_each_read_fails_as_the_port_says(way: str, endpoint: str, fault: Fault, error: type[EngineError]) -> None:
    with desk(way, Conditions(faults=Script({endpoint: {0: fault}}))) as here:
        with pytest.raises(error) as caught:
            READS[endpoint](here)
        assert type(caught.value) is error


class TestKey:
    def test_what_the_key_may_do_is_told_as_it_is(self, way: str) -> None:
        assert KeyTerms() == Conditions().key
        with desk(way) as here:
            plain = KeyRights(reading=True, trading=True, withdrawals=False, ip_restricted=True)
            assert here.exchange.key_rights() == plain
        others = frozenset({"enableMargin", "permitsUniversalTransfer"})
        key = KeyTerms(withdrawals=True, ip_restricted=False, expires_ms=NOW_MS + DAY_MS, others=others)
        with desk(way, Conditions(key=key)) as here:
            assert here.exchange.key_rights() == KeyRights(
                reading=True,
                trading=True,
                withdrawals=True,
                ip_restricted=False,
                expires_ms=NOW_MS + DAY_MS,
                others=("enableMargin", "permitsUniversalTransfer"),
            )

    @pytest.mark.parametrize("key", [KeyTerms(trading=False), KeyTerms(expires_ms=NOW_MS)])
    def test_a_key_without_the_right_to_trade_reads_and_sends_nothing(self, way: str, key: KeyTerms) -> None:
        with desk(way, Conditions(key=key)) as here:
            assert here.exchange.account().free("USDT") == 10_000
            assert here.exchange.key_rights().trading is key.trading
            assert evidence(here.send("0.1")) == ("refused", -2015, None, True)
            assert evidence(here.exchange.test_order(here.request("0.1"))) == ("refused", -2015, None, True)
            assert not here.simulated.venue.books.orders

    def test_an_address_that_is_not_on_the_keys_list_may_do_nothing(self, way: str) -> None:
        with desk(way, Conditions(key=KeyTerms(listed_address=False))) as here:
            assert here.exchange.server_time_ms() == NOW_MS
            for read in (here.exchange.account, here.exchange.key_rights, here.exchange.earn_positions):
                with pytest.raises(Misconfigured):
                    read()
            assert evidence(here.send("0.1")) == ("refused", -2015, None, True)

    def test_a_key_without_the_right_to_read_still_tells_its_rights(self, way: str) -> None:
        with desk(way, Conditions(key=KeyTerms(reading=False))) as here:
            assert not here.exchange.key_rights().reading
            with pytest.raises(Misconfigured):
                here.exchange.account()

    def test_an_account_that_may_not_trade_says_so(self, way: str) -> None:
        with desk(way, Conditions(key=KeyTerms(account_trades=False))) as here:
            assert not here.exchange.account().can_trade


class TestEarn:
    def test_a_subscription_grows_into_a_position_and_comes_back_by_redemption(self, way: str) -> None:
        with desk(way, Conditions(earn=EarnTerms(redeem_s=30))) as here:
            before = here.now_ms
            assert here.exchange.earn_product("USDT") == EarnProduct(
                "USDT", "USDT001", D("0.01"), can_purchase=True, left_quota=D(10_000_000)
            )
            assert isinstance(here.exchange.send_earn(Kind.SUBSCRIBE, "USDT001", D(1000), here.now_ms), EarnDone)
            here.clock.sleep(86_400)
            position = here.exchange.earn_positions()["USDT"]
            assert position.total == 1000 + position.rewards
            assert D("0.13") < position.rewards < D("0.14")
            assert not position.auto_subscribe

            moved = here.exchange.send_earn(Kind.REDEEM, "USDT001", D(400), here.now_ms)
            assert here.exchange.account().free("USDT") == 9000
            (record,) = here.exchange.earn_records(Kind.REDEEM, "USDT", before)
            assert record == EarnRecord(record.move_id, Kind.REDEEM, "USDT", D(400), here.now_ms, settled=False)
            assert moved == EarnDone(record.move_id)
            here.clock.sleep(30)
            assert here.exchange.account().free("USDT") == 9400
            assert here.exchange.earn_records(Kind.REDEEM, "USDT", before) == [replace(record, settled=True)]

    def test_earns_shadow_is_no_balance(self, here: Desk) -> None:
        """The account shows LDUSDT over the socket; counting it would double the money."""
        assert here.simulated.venue.conditions.ld_shadows
        here.exchange.send_earn(Kind.SUBSCRIBE, "USDT001", D(1000), here.now_ms)
        assert here.exchange.account().balances.keys() == {"USDT"}

    def test_a_coin_that_begins_like_a_shadow_is_a_balance(self, way: str) -> None:
        with desk(way, USDT="10", LDNEW="5") as here:
            assert here.exchange.account().free("LDNEW") == 5

    @pytest.mark.parametrize(
        ("kind", "product", "amount", "code"),
        [
            (Kind.SUBSCRIBE, "USDT001", "20000", -6012),
            (Kind.SUBSCRIBE, "USDT001", "0.001", -6005),
            (Kind.SUBSCRIBE, "NOSUCH001", "10", -6001),
            (Kind.REDEEM, "USDT001", "10", -6006),
        ],
    )
    def test_a_business_reject_is_a_refusal(self, here: Desk, kind: Kind, product: str, amount: str, code: int) -> None:
        outcome = here.exchange.send_earn(kind, product, D(amount), here.now_ms)
        assert evidence(outcome) == ("refused", code, None, False)

    def test_two_moves_of_a_kind_within_three_seconds_are_one_too_many(self, here: Desk) -> None:
        first = here.exchange.send_earn(Kind.SUBSCRIBE, "USDT001", D(10), here.now_ms)
        second = here.exchange.send_earn(Kind.SUBSCRIBE, "USDT001", D(10), here.now_ms)
        assert isinstance(first, EarnDone)
        assert evidence(second) == ("refused", -6009, None, False)
        here.clock.sleep(3)
        assert isinstance(here.exchange.send_earn(Kind.SUBSCRIBE, "USDT001", D(10), here.now_ms), EarnDone)

    def test_an_asset_without_a_product_has_none(self, here: Desk) -> None:
        assert here.exchange.earn_product("BTC") is None

    def test_a_sold_out_product_cannot_be_bought(self, way: str) -> None:
        with desk(way, Conditions(earn=EarnTerms(sold_out=frozenset({"USDT"})))) as here:
            product = here.exchange.earn_product("USDT")
            assert product is not None
            assert not product.can_purchase


def test_flows_are_deposits_withdrawals_and_paid_rewards(here: Desk) -> None:
    here.simulated.events.deposit("BTC", D(1))
    here.clock.sleep(60)
    since = here.now_ms
    here.simulated.events.deposit("USDT", D("250.5"))
    here.clock.sleep(60)
    here.simulated.events.withdraw("USDT", D("99.00000001"))
    here.clock.sleep(60)
    here.simulated.events.pay_bonus("USDT", D("0.00687654"))
    assert here.exchange.flows(since) == [
        Flow("deposit:2", "deposit", "USDT", D("250.5"), since),
        Flow("withdrawal:3", "withdrawal", "USDT", D("-99.00000001"), since + 60_000),
        Flow(f"reward:USDT:{since + 120_000}", "reward", "USDT", D("0.00687654"), since + 120_000),
    ]


Act = tuple[str, str, str, int]
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "find", "subscribe", "redeem", "deposit", "withdraw", "bonus", "wait", "look"]),
        st.sampled_from(["BTCUSDT", "ETHUSDT", "BNBUSDT", "DOGEUSDT"]),
        st.sampled_from(["0.0001", "0.01", "0.2", "1", "37.5", "400", "0.00000001"]),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=25,
)
WEATHER = [
    PAPER,
    Conditions(seed=5, costs=Costs(spread_bps=D(3), slippage_bps=D(7), bnb_discount=True, fills_max=4)),
    Conditions(
        costs=Costs(liquidity={"*": D(900)}),
        earn=EarnTerms(redeem_s=45, subscribe_s=7),
        delays=Delays(order_ms=2000, history_ms=4000, balances_ms=3000, records_ms=5000),
        skew_ms=-2000,
        faults=Script(
            {
                ORDER: {2: Fault(drop=True, effect=Effect.NOW), 5: Fault(cut=True, effect=Effect.LATER, after_ms=4000)},
                MOVES[Kind.SUBSCRIBE]: {2: Fault(status=502, body="<html>", effect=Effect.NOW)},
            }
        ),
    ),
]


def act(here: Desk, todo: Act) -> object:
    what, symbol, amount, number = todo
    answer: object = None
    match what:
        case "buy" | "sell":
            answer = here.send(amount, Side.BUY if what == "buy" else Side.SELL, symbol, f"bp-{number}")
        case "find":
            order = here.exchange.find_order(symbol, f"bp-{number}")
            answer = order and here.exchange.with_fills(order)
        case "subscribe" | "redeem":
            answer = here.exchange.send_earn(Kind(what), "USDT001", D(amount), here.now_ms)
        case "deposit":
            here.simulated.events.deposit("USDT", D("1.5"))
        case "withdraw":
            here.simulated.events.withdraw("USDT", D("1.5"))
        case "bonus":
            here.simulated.events.pay_bonus("USDT", D("0.00000003"))
        case "wait":
            here.clock.sleep(number * 7 + 1)
        case _:
            answer = look(here)
    return answer


def look(here: Desk) -> object:
    since = NOW_MS - DAY_MS
    return (
        here.exchange.account(),
        here.exchange.earn_positions(),
        here.exchange.earn_product("USDT"),
        [list(here.exchange.earn_records(kind, "USDT", since)) for kind in MOVES],
        list(here.exchange.flows(since)),
        [list(here.exchange.orders_since(symbol, since)) for symbol in ("BTCUSDT", "ETHUSDT")],
        list(here.exchange.trades_since("ETHUSDT", since)),
        list(here.exchange.open_orders()),
    )


@pytest.mark.slow
@settings(max_examples=60)
@given(acts=ACTS, weather=st.sampled_from(WEATHER))
def test_both_ways_live_the_same_hour_to_the_last_digit(acts: list[Act], weather: Conditions) -> None:
    """Whatever is done in whatever order: the same orders, fills, balances, refusals, unknowns and histories."""
    lived = []
    for way in (IN_PROCESS, OVER_HTTP):
        with desk(way, weather, USDT="5000", BNB="0.01", ETH="2") as here:
            here.exchange.sync_clock(weather.skew_ms)
            lived.append([evidence(act(here, todo)) for todo in [*acts, ("look", "", "", 0)]])
    for todo, first, second in zip([*acts, "the end"], *lived, strict=True):
        assert first == second, todo
