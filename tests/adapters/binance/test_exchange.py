"""The account: sends that are made once and sorted into three outcomes, look-ups, histories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters.binance.client import Connection, Credentials, Hosts
from runtime.adapters.binance.exchange import BinanceExchange
from runtime.adapters.clock import SimulatedClock
from runtime.domain.orders import Order, Refused, Side, Unknown
from runtime.domain.slots import DAY_MS, HOUR_MS
from runtime.errors import BadPayload, Rejected, Unavailable
from runtime.ports import OrderRequest
from tests.adapters.binance.conftest import KEY, NOW_MS, SECRET, Bench
from tests.support.http_stub import Answer, Fate, HttpStub, Reply, Seen
from tests.support.recordings import recording

ORDER = "POST /api/v3/order"
TEST_ORDER = "POST /api/v3/order/test"
FIND = "GET /api/v3/order"
HISTORY = "GET /api/v3/allOrders"
TRADES = "GET /api/v3/myTrades"
PRICES = "GET /api/v3/ticker/price"
ACCOUNT = "GET /api/v3/account"
REQUEST = OrderRequest("bp1a2b3-26112109-tB0-BTCUSDT", "BTCUSDT", Side.BUY, Decimal("0.003"), NOW_MS - 777)


def test_an_order_is_sent_as_text_with_its_own_timestamp(bench: Bench) -> None:
    bench.stub.on(ORDER, Reply(body=recording("binance/order_full")))
    bench.exchange.sync_clock(5000)
    order = bench.exchange.send_order(replace(REQUEST, quantity=Decimal("3E-3")))
    assert isinstance(order, Order)
    assert order.fills_complete
    (seen,) = bench.stub.seen
    signature = seen.form["signature"]
    assert seen.form == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "MARKET",
        "quantity": "0.003",
        "newClientOrderId": REQUEST.client_id,
        "newOrderRespType": "FULL",
        "timestamp": str(NOW_MS - 777),
        "recvWindow": "5000",
        "signature": signature,
    }
    assert not seen.query
    assert seen.raw[1].endswith(f"&signature={signature}")


@given(st.decimals(min_value=Decimal("1E-10"), max_value=Decimal("1E12"), places=10))
def test_a_quantity_is_never_written_with_an_exponent(quantity: Decimal) -> None:
    sent: list[str] = []

    def answer(seen: Seen) -> Reply:
        sent.append(seen.form["quantity"])
        return Reply(400, {"code": -1013, "msg": "Filter failure: LOT_SIZE"})

    with HttpStub() as stub:
        stub.on(ORDER, answer)
        connection = Connection(
            SimulatedClock(NOW_MS), Credentials(KEY, SECRET), Hosts(stub.origin, stub.origin, stub.origin)
        )
        BinanceExchange(connection).send_order(replace(REQUEST, quantity=quantity))
        connection.session.close_connection()
    assert Decimal(sent[0]) == quantity
    assert set(sent[0]) <= set("0123456789.")


UNCLEAR: list[Answer] = [
    Fate.CUT,
    Fate.HALF,
    Reply(500, {"code": -1000, "msg": "An unknown error occurred while processing the request."}),
    Reply(502, "<html>"),
    Reply(503, {"code": -1008, "msg": "Server is currently overloaded"}),
    Reply(504, ""),
    Reply(408, {"code": -1007, "msg": "Timeout waiting for response from backend server."}),
    Reply(400, {"code": -2010, "msg": "Duplicate order sent."}),
    Reply(400, {"code": -9999, "msg": "a new one"}),
    Reply(400, "<html>bad request</html>"),
    Reply(302, "", {"Location": "/elsewhere"}),
    Reply(200, ""),
    Reply(200, "<html>"),
    Reply(200, {}),
    Reply(200, []),
    Reply(200, {"code": -1013, "msg": "Filter failure: LOT_SIZE"}),
]


@pytest.mark.parametrize("answer", UNCLEAR, ids=str)
def test_anything_but_a_clear_answer_leaves_an_order_unknown_and_it_is_sent_once(bench: Bench, answer: Answer) -> None:
    bench.stub.on(ORDER, answer)
    outcome = bench.exchange.send_order(REQUEST)
    assert isinstance(outcome, Unknown)
    assert outcome.why
    assert len(bench.stub.seen) == 1
    assert bench.clock.now_ms() == NOW_MS


@pytest.mark.parametrize("field", ["symbol", "clientOrderId", "side"])
def test_an_answer_about_another_order_proves_nothing(bench: Bench, field: str) -> None:
    body = recording("binance/order_full") | {field: "SELL"}
    bench.stub.on(ORDER, Reply(body=body))
    assert bench.exchange.send_order(REQUEST) == Unknown("the answer describes another order")


def test_a_silent_exchange_leaves_an_order_unknown(bench: Bench) -> None:
    connection = Connection(
        bench.clock, Credentials(KEY, SECRET), Hosts(*[bench.stub.origin] * 3), timeouts_s=(0.5, 0.05)
    )
    bench.stub.on(ORDER, Fate.SILENCE)
    assert isinstance(BinanceExchange(connection).send_order(REQUEST), Unknown)
    connection.session.close_connection()
    assert len(bench.stub.seen) == 1


REFUSALS: list[tuple[Reply, Refused]] = [
    (
        Reply(400, {"code": -1013, "msg": "Filter failure: LOT_SIZE"}),
        Refused(-1013, "Filter failure: LOT_SIZE"),
    ),
    (Reply(400, {"code": -2010, "msg": "no balance"}), Refused(-2010, "no balance")),
    (Reply(400, {"code": -1021, "msg": "late"}), Refused(-1021, "late")),
    (Reply(401, {"code": -2015, "msg": "no"}), Refused(-2015, "no", misconfigured=True)),
    (Reply(403, "<html>"), Refused(0, "HTTP 403: <html>", misconfigured=True)),
    (
        Reply(429, {"code": -1015, "msg": "Too many new orders."}, {"Retry-After": "4"}),
        Refused(-1015, "Too many new orders.", retry_at_ms=NOW_MS + 4000),
    ),
]


@pytest.mark.parametrize(("reply", "refused"), REFUSALS, ids=str)
def test_a_definite_no_is_a_refusal_and_is_sent_once(bench: Bench, reply: Reply, refused: Refused) -> None:
    bench.stub.on(ORDER, reply)
    assert bench.exchange.send_order(REQUEST) == refused
    assert len(bench.stub.seen) == 1


def test_an_exchange_that_cannot_be_reached_refuses_with_code_0(bench: Bench) -> None:
    with HttpStub() as gone:
        origin = gone.origin
    connection = Connection(bench.clock, Credentials(KEY, SECRET), Hosts(origin, origin, origin))
    outcome = BinanceExchange(connection).send_order(REQUEST)
    assert isinstance(outcome, Refused)
    assert outcome.code == 0


def test_nothing_is_sent_during_a_pause(bench: Bench) -> None:
    bench.stub.on(ORDER, Reply(418, "", {"Retry-After": "120"}), Reply(body=recording("binance/order_full")))
    first, second = bench.exchange.send_order(REQUEST), bench.exchange.send_order(REQUEST)
    assert isinstance(first, Refused)
    assert isinstance(second, Refused)
    assert first.retry_at_ms == second.retry_at_ms == NOW_MS + 120_000
    assert len(bench.stub.seen) == 1
    bench.clock.sleep(120)
    assert isinstance(bench.exchange.send_order(REQUEST), Order)


def test_a_test_order_passes_is_refused_or_could_not_be_asked(bench: Bench) -> None:
    refusal = Reply(400, {"code": -1013, "msg": "Filter failure: NOTIONAL"})
    bench.stub.on(TEST_ORDER, Reply(body={}), refusal, Reply(500, ""))
    assert bench.exchange.test_order(REQUEST) is None
    assert bench.exchange.test_order(REQUEST) == Refused(-1013, "Filter failure: NOTIONAL")
    with pytest.raises(Unavailable):
        bench.exchange.test_order(REQUEST)
    assert [seen.form["timestamp"] for seen in bench.stub.seen] == [str(NOW_MS - 777)] * 3


def test_an_order_is_found_by_its_client_id(bench: Bench) -> None:
    bench.stub.on(FIND, Reply(body=recording("binance/order_query")))
    order = bench.exchange.find_order("BTCUSDT", REQUEST.client_id)
    assert order is not None
    assert order.order_id == 28
    assert bench.stub.seen[0].query["origClientOrderId"] == REQUEST.client_id


def test_an_order_that_is_not_found_is_none_and_other_answers_are_errors(bench: Bench) -> None:
    bench.stub.on(
        FIND,
        Reply(400, {"code": -2013, "msg": "Order does not exist."}),
        Reply(400, {"code": -2026, "msg": "archived"}),
        Reply(400, {"code": -1121, "msg": "Invalid symbol."}),
        Reply(body=[]),
    )
    assert bench.exchange.find_order("BTCUSDT", "x") is None
    for code in (-2026, -1121):
        with pytest.raises(Rejected) as caught:
            bench.exchange.find_order("BTCUSDT", "x")
        assert caught.value.code == code
    with pytest.raises(BadPayload):
        bench.exchange.find_order("BTCUSDT", "x")


def _history(rows: list[dict[str, Any]]) -> Callable[[Seen], Reply]:
    """Binance's allOrders over these rows: by id, or by a time window of at most 24 h; oldest first, `limit` rows."""

    def answer(seen: Seen) -> Reply:
        ask = {
            name: int(seen.query[name]) for name in ("startTime", "endTime", "orderId", "limit") if name in seen.query
        }
        if "orderId" in ask:
            found = [row for row in rows if row["orderId"] >= ask["orderId"]]
        elif ask["endTime"] - ask["startTime"] > DAY_MS:
            return Reply(400, {"code": -1127, "msg": "More than 24 hours between startTime and endTime."})
        else:
            found = [row for row in rows if ask["startTime"] <= row["time"] <= ask["endTime"]]
        return Reply(body=found[: ask["limit"]])

    return answer


def _rows(times: list[int]) -> list[dict[str, Any]]:
    return [recording("binance/order_query") | {"orderId": 10 + n, "time": time} for n, time in enumerate(times)]


@pytest.mark.parametrize("days", [0, 1, 3, 9, 11, 400])
def test_orders_since_a_moment_are_complete_however_far_it_is(bench: Bench, days: int) -> None:
    since = NOW_MS - days * DAY_MS
    times = sorted({since - 1, since, since + DAY_MS // 2, NOW_MS - HOUR_MS, NOW_MS - 1, NOW_MS, NOW_MS + 900})
    bench.stub.on(HISTORY, _history(_rows(times)))
    found = bench.exchange.orders_since("BTCUSDT", since)
    assert [order.time_ms for order in found] == [time for time in times if since <= time <= NOW_MS + 900]
    assert len(bench.stub.seen) <= 10


def test_more_orders_than_a_page_holds_are_followed_by_id(bench: Bench) -> None:
    times = [NOW_MS - 2500 + n // 3 for n in range(2300)]
    bench.stub.on(HISTORY, _history(_rows(times)))
    found = bench.exchange.orders_since("BTCUSDT", NOW_MS - HOUR_MS)
    assert [order.order_id for order in found] == list(range(10, 2310))


def _trades(count: int) -> Callable[[Seen], Reply]:
    def answer(seen: Seen) -> Reply:
        first = int(seen.query.get("fromId", 0))
        rows = [recording("binance/my_trades")[0] | {"id": n, "qty": "0.00100000"} for n in range(count) if n >= first]
        return Reply(body=rows[: int(seen.query["limit"])])

    return answer


def test_trades_since_a_moment_go_on_by_id_where_one_page_does_not_hold_them(bench: Bench) -> None:
    """A time and an id exclude each other: only the first page is asked for by time."""

    def answer(seen: Seen) -> Reply:
        assert not {"startTime", "fromId"} <= seen.query.keys()
        first = int(seen.query.get("fromId", 100))
        rows = [recording("binance/my_trades")[0] | {"id": n, "orderId": n // 2} for n in range(first, 2300)]
        return Reply(body=rows[: int(seen.query["limit"])])

    bench.stub.on(TRADES, answer)
    assert bench.exchange.trades_since("BTCUSDT", NOW_MS - DAY_MS) == list(range(50, 1150))
    assert bench.stub.seen[0].query["startTime"] == str(NOW_MS - DAY_MS)
    assert len(bench.stub.seen) == 3


def test_fills_are_fetched_and_complete_the_order(bench: Bench) -> None:
    bench.stub.on(FIND, Reply(body=recording("binance/order_query")))
    bench.stub.on(ORDER, Reply(body=recording("binance/order_full")))
    bench.stub.on(TRADES, Reply(body=recording("binance/my_trades")))
    found = bench.exchange.find_order("BTCUSDT", REQUEST.client_id)
    assert found is not None
    assert bench.exchange.with_fills(found) == bench.exchange.send_order(REQUEST)
    assert bench.stub.seen[1].query["orderId"] == "28"


def test_fills_that_are_not_all_there_yet_leave_the_order_as_it_is(bench: Bench) -> None:
    bench.stub.on(FIND, Reply(body=recording("binance/order_query")))
    bench.stub.on(TRADES, Reply(body=recording("binance/my_trades")[:1]), Reply(body=[]))
    found = bench.exchange.find_order("BTCUSDT", REQUEST.client_id)
    assert found is not None
    assert bench.exchange.with_fills(found) == found
    assert bench.exchange.with_fills(found) == found


def test_fills_of_an_order_that_needs_none_are_not_asked_for(bench: Bench) -> None:
    bench.stub.on(ORDER, Reply(body=recording("binance/order_full")))
    order = bench.exchange.send_order(REQUEST)
    assert isinstance(order, Order)
    nothing = replace(order, executed_qty=Decimal(0), fills=())
    assert bench.exchange.with_fills(order) == order
    assert bench.exchange.with_fills(nothing) == nothing
    assert bench.stub.count(TRADES) == 0


def test_more_fills_than_a_page_holds_are_all_fetched(bench: Bench) -> None:
    bench.stub.on(TRADES, _trades(1001))
    order = Order("BTCUSDT", 28, "x", Side.BUY, "FILLED", Decimal("1.001"), Decimal(0), NOW_MS)
    complete = bench.exchange.with_fills(order)
    assert len(complete.fills) == 1001
    assert complete.quote_qty == Decimal("94123.45") * Decimal("1.001"), "paid, where the order did not say"


def test_shadows_need_the_listed_names_which_the_last_prices_gave(bench: Bench) -> None:
    bench.stub.on(ACCOUNT, Reply(body=recording("binance/account")))
    bench.stub.on(PRICES, Reply(body=recording("binance/ticker_price")))
    bench.market.prices()
    assert set(bench.exchange.account().balances) == {"BTC", "USDT", "LDO"}
    assert [seen.endpoint for seen in bench.stub.seen] == [PRICES, ACCOUNT]
    assert bench.stub.seen[1].query["omitZeroBalances"] == "true"


def test_shadows_cost_one_price_call_only_where_none_was_made(bench: Bench) -> None:
    bench.stub.on(ACCOUNT, Reply(body=recording("binance/account")))
    bench.stub.on(PRICES, Reply(body=recording("binance/ticker_price")))
    assert set(bench.exchange.account().balances) == {"BTC", "USDT", "LDO"}
    assert set(bench.exchange.account().balances) == {"BTC", "USDT", "LDO"}
    assert [seen.endpoint for seen in bench.stub.seen] == [ACCOUNT, PRICES, ACCOUNT]
