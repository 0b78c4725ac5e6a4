"""The server, asked by the real python-binance client over a socket, and by hand where that client cannot err."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from binance.client import Client
from binance.exceptions import BinanceAPIException, BinanceRequestException

from runtime.adapters.simulated.books import Draft
from runtime.adapters.simulated.conditions import (
    Conditions,
    Costs,
    Delays,
    EarnTerms,
    Effect,
    Fault,
    Limits,
    Script,
)
from runtime.adapters.simulated.dispatch import ROUTES
from runtime.adapters.simulated.meter import WEIGHTS
from runtime.adapters.simulated.server import SimulatedServer
from runtime.adapters.simulated.wire import Credentials, signature
from runtime.domain.instruments import LotRule, parse_instrument
from runtime.domain.market import Candle
from runtime.domain.orders import Side
from tests.support.shop import NOW_MS, Shop, shop

D = Decimal
KEY = Credentials("simulatedKey", "simulatedSecret")
ORDER = "POST /api/v3/order"
EARN = "/sapi/v1/simple-earn/flexible"


@contextmanager
def served(s: Shop, *, key: str = KEY.api_key, secret: str = KEY.api_secret) -> Iterator[Any]:
    """python-binance, as it is, pointed at the exchange of `s` and set to its time."""
    with SimulatedServer(s.exchange, KEY) as server:

        class Pointed(Client):
            API_URL = server.url + "/api"
            MARGIN_API_URL = server.url + "/sapi"
            REQUEST_RECVWINDOW = 5000

            def _get_request_kwargs(self, method: Any, signed: Any, force_params: Any = False, **kwargs: Any) -> Any:
                # the library stamps with time.time(): move that to the simulated moment, at the last moment
                self.timestamp_offset += s.clock.now_ms() - int(_machine_ms() + self.timestamp_offset)
                return super()._get_request_kwargs(method, signed, force_params, **kwargs)

        client: Any = Pointed(key, secret, requests_params={"timeout": 5}, ping=False)
        client.loop.close()
        client.url = server.url
        try:
            yield client
        finally:
            client.close_connection()


def _machine_ms() -> float:
    import time  # noqa: PLC0415 - the one look at the machine's clock, which the library's stamps are made of

    return time.time() * 1000


def refusal(call: Callable[[], object]) -> tuple[int, int, str]:
    with pytest.raises(BinanceAPIException) as caught:
        call()
    return caught.value.status_code, caught.value.code, caught.value.message


def buy(client: Any, **changes: str) -> Any:
    order = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1", "newClientOrderId": "bp-1"}
    return client.create_order(**{name: value for name, value in (order | changes).items() if value})


class TestPublic:
    def test_ping_time_and_prices_are_answered_without_a_key(self) -> None:
        with served(shop(), key="", secret="") as client:
            assert client.ping() == {}
            assert client.get_server_time() == {"serverTime": NOW_MS}
            assert client.get_symbol_ticker(symbol="ETHUSDT") == {"symbol": "ETHUSDT", "price": "2500.00000000"}
            assert {row["symbol"] for row in client.get_all_tickers()} == {"BTCUSDT", "ETHUSDT", "BNBUSDT", "DOGEUSDT"}
            assert client.get_avg_price(symbol="BTCUSDT")["price"] == "90000.00000000"
            assert client.response.headers["X-MBX-USED-WEIGHT-1M"] == str(1 + 1 + 2 + 4 + 2)

    def test_the_book_is_half_the_spread_to_either_side(self) -> None:
        with served(shop(Conditions(costs=Costs(spread_bps=D(4))))) as client:
            row = client.get_orderbook_ticker(symbol="ETHUSDT")
        assert (row["bidPrice"], row["askPrice"]) == ("2499.50000000", "2500.50000000")

    def test_exchange_information_reads_back_as_the_same_pairs(self) -> None:
        s = shop()
        s.market.pairs["ETHUSDT"] = replace(
            s.market.pairs["ETHUSDT"],
            max_position=D(50),
            max_notional=D(9_000_000),
            market_lot=LotRule(max_qty=D("1.5")),
        )
        s.market.pairs["DOGEUSDT"] = replace(s.market.pairs["DOGEUSDT"], status="BREAK", market_orders=False)
        s.exchange.events.halt("BTCUSDT")
        with served(s) as client:
            info = client.get_exchange_info()
            some = client._get("exchangeInfo", data={"symbols": '["ETHUSDT","BTCUSDT"]'})
            assert refusal(lambda: client._get("exchangeInfo", data={"symbols": '["ETHUSDT","NO"]'}))[1] == -1121
        read = {row["symbol"]: parse_instrument(row) for row in info["symbols"]}
        assert read == {**s.market.pairs, "BTCUSDT": replace(s.market.pairs["BTCUSDT"], status="HALT")}
        assert [row["symbol"] for row in some["symbols"]] == ["ETHUSDT", "BTCUSDT"]
        assert {row["rateLimitType"] for row in info["rateLimits"]} == {"REQUEST_WEIGHT", "ORDERS"}

    def test_candles_keep_every_digit(self) -> None:
        day = 86_400_000
        rows = [
            Candle(NOW_MS // day * day - day * n, 0.1 + n, 0.3 + n, 1e-9, 0.2, 12345.678, None if n else 7.1)
            for n in range(4, -1, -1)
        ]
        s = shop()
        s.market.series["DOGEUSDT", "1d"] = rows
        with served(s) as client:
            read = client.get_klines(symbol="DOGEUSDT", interval="1d", limit=3)
            until = client.get_klines(symbol="DOGEUSDT", interval="1d", endTime=rows[1].open_time_ms, limit=1)
            since = client.get_klines(symbol="DOGEUSDT", interval="1d", startTime=rows[3].open_time_ms)
            assert refusal(lambda: client.get_klines(symbol="DOGEUSDT", interval="2d"))[1] == -1120
            assert refusal(lambda: client.get_klines(symbol="NOUSDT", interval="1d"))[1] == -1121
        assert [tuple(map(float, row[1:6])) for row in read] == [
            (c.open, c.high, c.low, c.close, c.volume) for c in rows[2:]
        ]
        assert [float(row[7]) for row in read] == [0.2 * 12345.678, 0.2 * 12345.678, 7.1]
        assert read[-1][6] == rows[-1].open_time_ms + day - 1
        assert [row[0] for row in until] == [rows[1].open_time_ms]
        assert [row[0] for row in since] == [c.open_time_ms for c in rows[3:]]


class TestOrders:
    def test_a_full_answer_has_every_documented_field(self) -> None:
        with served(shop()) as client:
            answer = buy(client)
            headers = client.response.headers
        assert answer.pop("fills") == [
            {
                "price": "2500.00000000",
                "qty": "0.10000000",
                "commission": "0.00010000",
                "commissionAsset": "ETH",
                "tradeId": 1,
            }
        ]
        assert answer == {
            "symbol": "ETHUSDT",
            "orderId": 1,
            "orderListId": -1,
            "clientOrderId": "bp-1",
            "transactTime": NOW_MS,
            "price": "0.00000000",
            "origQty": "0.10000000",
            "executedQty": "0.10000000",
            "origQuoteOrderQty": "0.00000000",
            "cummulativeQuoteQty": "250.00000000",
            "status": "FILLED",
            "timeInForce": "GTC",
            "type": "MARKET",
            "side": "BUY",
            "workingTime": NOW_MS,
            "selfTradePreventionMode": "EXPIRE_MAKER",
        }
        counts = {name: headers[name] for name in headers if name.startswith("X-MBX")}
        assert counts == {"X-MBX-USED-WEIGHT-1M": "0", "X-MBX-ORDER-COUNT-10S": "0", "X-MBX-ORDER-COUNT-1D": "0"}

    def test_shorter_answers_are_given_when_asked_for(self) -> None:
        with served(shop()) as client:
            ack, result = buy(client, newOrderRespType="ACK"), buy(client, newOrderRespType="RESULT")
            assert refusal(lambda: buy(client, newOrderRespType="ALL"))[1] == -1130
        assert set(ack) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
        assert "fills" not in result
        assert result["status"] == "FILLED"

    def test_a_quote_quantity_is_spent_down_to_the_step(self) -> None:
        s = shop()
        with served(s) as client:
            answer = buy(client, quantity="", quoteOrderQty="100.3")
        assert (answer["origQty"], answer["origQuoteOrderQty"]) == ("0.04010000", "100.30000000")
        assert s.free("USDT") == D("9899.75")

    def test_a_look_up_finds_the_newest_order_of_an_id(self) -> None:
        s = shop()
        with served(s) as client:
            buy(client)
            s.clock.sleep(1)
            second = buy(client, quantity="0.2")
            found = client.get_order(symbol="ETHUSDT", origClientOrderId="bp-1")
            by_id = client.get_order(symbol="ETHUSDT", orderId=1)
            wrong: list[dict[str, Any]] = [{"origClientOrderId": "no"}, {"orderId": 9}, {}]
            wrong.append({"orderId": 1, "origClientOrderId": "no"})
            codes = [refusal(partial(client.get_order, symbol="ETHUSDT", **by))[1] for by in wrong]
        assert (found["orderId"], found["executedQty"], "fills" in found) == (second["orderId"], "0.20000000", False)
        assert by_id["orderId"] == 1
        assert codes == [-2013, -2013, -1102, -2039]

    def test_histories_page_and_trades_carry_their_fees(self) -> None:
        s = shop()
        with served(s) as client:
            for n in range(4):
                buy(client, newClientOrderId=f"bp-{n}")
                s.clock.sleep(1)

            def ids(**by: int) -> list[int]:
                return [row["orderId"] for row in client.get_all_orders(symbol="ETHUSDT", **by)]

            assert ids() == [1, 2, 3, 4]
            assert ids(limit=2) == [3, 4]
            assert ids(orderId=2, limit=2) == [2, 3]
            assert ids(startTime=NOW_MS + 1000, limit=2) == [2, 3]
            assert ids(endTime=NOW_MS + 2000, limit=2) == [2, 3]
            assert refusal(lambda: ids(startTime=1, endTime=86_400_002))[1] == -1127
            trade = client.get_my_trades(symbol="ETHUSDT", orderId=3)
            assert [row["id"] for row in client.get_my_trades(symbol="ETHUSDT", fromId=2, limit=2)] == [2, 3]
            assert refusal(lambda: client.get_my_trades(symbol="ETHUSDT", fromId=2, startTime=1))[1] == -1128
        assert trade == [
            {
                "symbol": "ETHUSDT",
                "id": 3,
                "orderId": 3,
                "orderListId": -1,
                "price": "2500.00000000",
                "qty": "0.10000000",
                "quoteQty": "250.00000000",
                "commission": "0.00010000",
                "commissionAsset": "ETH",
                "time": NOW_MS + 2000,
                "isBuyer": True,
                "isMaker": False,
                "isBestMatch": True,
            }
        ]

    def test_open_orders_are_listed_and_cancelled_once(self) -> None:
        s = shop()
        s.exchange.events.rest_order(Draft("ETHUSDT", Side.BUY, "web-1", D("0.1")), D(2000))
        with served(s) as client:
            assert [row["clientOrderId"] for row in client.get_open_orders()] == ["web-1"]
            assert client.get_open_orders(symbol="BTCUSDT") == []
            assert refusal(lambda: buy(client, newClientOrderId="web-1"))[2] == "Duplicate order sent."
            gone = client.cancel_order(symbol="ETHUSDT", origClientOrderId="web-1", newClientOrderId="x-1")
            again = refusal(lambda: client.cancel_order(symbol="ETHUSDT", origClientOrderId="web-1"))
        assert (gone["status"], gone["origClientOrderId"], gone["clientOrderId"]) == ("CANCELED", "web-1", "x-1")
        assert again[:2] == (400, -2011)
        assert s.free("USDT") == 10_000

    def test_the_test_order_answers_nothing_or_the_rates(self) -> None:
        s = shop()
        order = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
        with served(s) as client:
            assert client.create_test_order(**order) == {}
            rates = client.create_test_order(**order, computeCommissionRates="true")
            assert refusal(lambda: client.create_test_order(**order | {"quantity": "0.00001"}))[1] == -1013
        assert rates["standardCommissionForOrder"]["taker"] == "0.00100000"
        assert s.exchange.venue.meter.weight["POST /api/v3/order/test"] == 1 + 20 + 1

    @pytest.mark.parametrize(
        ("changes", "code", "words"),
        [
            ({"quantity": "1e-05"}, -1100, "Illegal characters found in parameter 'quantity'"),
            ({"quantity": "-1"}, -1100, "quantity"),
            ({"quantity": "0.123456789"}, -1111, "Parameter 'quantity' has too much precision."),
            ({"quantity": ""}, -1102, "quantity"),
            ({"quoteOrderQty": "10"}, -1106, "quoteOrderQty"),
            ({"price": "10"}, -1106, "Parameter 'price' sent when not required."),
            ({"timeInForce": "GTC"}, -1106, "timeInForce"),
            ({"side": "HOLD"}, -1117, "Invalid side."),
            ({"type": "STOP"}, -1116, "Invalid orderType."),
            ({"type": "LIMIT"}, -1020, "not supported"),
            ({"symbol": "NOUSDT"}, -1121, "Invalid symbol."),
            ({"newClientOrderId": "x" * 37}, -1100, "legal range is '^[a-zA-Z0-9-_]{1,36}$'."),
            ({"quantity": "0.00001"}, -1013, "Filter failure: LOT_SIZE"),
            ({"quantity": "121"}, -1013, "Filter failure: MARKET_LOT_SIZE"),
            ({"quantity": "0.0001"}, -1013, "Filter failure: NOTIONAL"),
            ({"quantity": "100"}, -2010, "Account has insufficient balance for requested action."),
            ({"colour": "red"}, -1104, "Not all sent parameters were read; read '8' parameter(s) but was sent '9'."),
        ],
    )
    def test_a_wrong_order_is_refused_with_the_documented_code(
        self, changes: dict[str, str], code: int, words: str
    ) -> None:
        s = shop()
        with served(s) as client:
            status, answered, message = refusal(lambda: buy(client, **changes))
        assert (status, answered) == (400, code)
        assert words in message
        assert s.exchange.venue.books.orders == {}


class TestAccount:
    def test_balances_have_eight_decimals_and_earn_casts_its_shadow(self) -> None:
        s = shop(USDT="100", BNB="0.5")
        with served(s) as client:
            client.subscribe_simple_earn_flexible_product(productId="USDT001", amount="40", autoSubscribe="false")
            account = client.get_account()
            s.exchange.venue.conditions = Conditions(ld_shadows=False)
            without = client.get_account()
        assert {row["asset"]: row["free"] for row in account["balances"]} == {
            "BNB": "0.50000000",
            "USDT": "60.00000000",
            "LDUSDT": "40.00000000",
        }
        assert len(without["balances"]) == 2
        assert (account["takerCommission"], account["canTrade"], account["accountType"]) == (10, True, "SPOT")
        assert s.exchange.account().balances.keys() == {"BNB", "USDT"}

    def test_empty_balances_are_left_out_when_asked(self) -> None:
        s = shop(ETH="1")
        s.send("ETHUSDT", Side.SELL, "1")
        with served(s) as client:
            names = [row["asset"] for row in client.get_account(omitZeroBalances="true")["balances"]]
            assert names == ["USDT"]
            assert len(client.get_account()["balances"]) == 2

    def test_fees_switches_and_limits_are_told(self) -> None:
        s = shop(USDT="10000", BNB="1")
        with served(s) as client:
            assert client.get_bnb_burn_spot_margin() == {"spotBNBBurn": False, "interestBNBBurn": False}
            assert client.toggle_bnb_burn_spot_margin(spotBNBBurn="true")["spotBNBBurn"] is True
            assert buy(client)["fills"][0]["commissionAsset"] == "BNB"
            assert client.v3_get_account_commission(symbol="ETHUSDT")["discount"]["enabledForAccount"] is True
            assert client.get_trade_fee(symbol="ETHUSDT")[0]["takerCommission"] == "0.00100000"
            assert [row["count"] for row in client.get_current_order_count()] == [0, 0]
            rights = client.get_account_api_permissions()
            assert client.get_system_status() == {"status": 0, "msg": "normal"}
        assert (rights["enableSpotAndMarginTrading"], rights["enableWithdrawals"]) == (True, False)

    def test_deposits_and_withdrawals_are_on_record_newest_first(self) -> None:
        s = shop()
        for n in range(1, 4):
            s.exchange.events.deposit("USDT", D(n))
            s.clock.sleep(1)
        s.exchange.events.withdraw("USDT", D("0.5"))
        with served(s) as client:
            deposits = client.get_deposit_history(coin="USDT")
            assert [row["amount"] for row in client.get_deposit_history(limit=1, offset=1)] == ["2.00000000"]
            assert client.get_deposit_history(coin="BTC") == []
            assert client.get_deposit_history(startTime=NOW_MS + 2500) == []
            withdrawals = client.get_withdraw_history()
            assert client.response.headers["X-SAPI-USED-UID-WEIGHT-1M"] == "18000"
        assert [row["amount"] for row in deposits] == ["3.00000000", "2.00000000", "1.00000000"]
        assert (deposits[0]["status"], deposits[0]["insertTime"]) == (1, NOW_MS + 2000)
        assert [(row["amount"], row["applyTime"]) for row in withdrawals] == [("0.50000000", "2026-11-21 10:00:03")]


class TestEarn:
    def test_a_subscription_grows_and_is_redeemed_with_its_rewards(self) -> None:
        s = shop(Conditions(earn=EarnTerms(redeem_s=30)), USDT="1000")
        with served(s) as client:
            products = client.get_simple_earn_flexible_product_list(asset="USDT")
            made = client.subscribe_simple_earn_flexible_product(
                productId="USDT001", amount="365", autoSubscribe="false"
            )
            s.clock.sleep(86_400)
            position = client.get_simple_earn_flexible_product_position(asset="USDT")["rows"][0]
            gone = client.redeem_simple_earn_flexible_product(productId="USDT001", redeemAll="true")
            pending = client.margin_v1_get_simple_earn_flexible_history_redemption_record(asset="USDT")["rows"][0]
            s.clock.sleep(30)
            paid = client.margin_v1_get_simple_earn_flexible_history_redemption_record(asset="USDT")["rows"][0]
            bought = client.margin_v1_get_simple_earn_flexible_history_subscription_record()["rows"][0]
            nothing = client.get_simple_earn_flexible_product_position()
        assert products["total"] == 1
        assert (products["rows"][0]["productId"], products["rows"][0]["minPurchaseAmount"]) == ("USDT001", "0.01000000")
        assert (made, gone) == ({"purchaseId": 1, "success": True}, {"redeemId": 2, "success": True})
        assert (position["totalAmount"], position["cumulativeRealTimeRewards"]) == ("365.05000165", "0.05000165")
        assert position["autoSubscribe"] is False
        assert (pending["status"], paid["status"], paid["projectId"]) == ("PENDING", "PAID", "USDT001")
        assert (bought["status"], bought["productId"], bought["amtFromSpot"]) == ("SUCCESS", "USDT001", "365.00000000")
        assert nothing == {"rows": [], "total": 0}
        assert s.free("USDT") == D("1000.05000165")

    def test_rewards_are_listed_by_kind_and_quota_is_told(self) -> None:
        s = shop(Conditions(earn=EarnTerms(quota=D(500))), USDT="1000")
        with served(s) as client:

            def rewards(kind: str) -> Any:
                path = "simple-earn/flexible/history/rewardsRecord"
                return client._request_margin_api("get", path, True, data={"type": kind})

            client.subscribe_simple_earn_flexible_product(productId="USDT001", amount="365", autoSubscribe="false")
            s.exchange.events.pay_bonus("USDT", D("0.7"))
            s.clock.sleep(86_400)
            quota = client._request_margin_api(
                "get", "simple-earn/flexible/personalLeftQuota", True, data={"productId": "USDT001"}
            )
            assert [row["rewards"] for row in rewards("BONUS")["rows"]] == ["0.70000000"]
            assert [row["type"] for row in rewards("REALTIME")["rows"]] == ["REALTIME"]
            assert rewards("ALL")["total"] == 2
            assert refusal(lambda: rewards("SOME"))[1] == -1130
        assert quota == {"leftPersonalQuota": "134.94999835"}

    def test_histories_page_by_ten(self) -> None:
        s = shop(USDT="1000")
        with served(s) as client:
            for _ in range(12):
                client.subscribe_simple_earn_flexible_product(productId="USDT001", amount="1", autoSubscribe="false")
                s.clock.sleep(3)
            history = client.margin_v1_get_simple_earn_flexible_history_subscription_record
            first, second = history(), history(current=2)
            assert refusal(lambda: history(startTime=1, endTime=31 * 86_400_000))[1] == -1127
        assert [row["purchaseId"] for row in first["rows"] + second["rows"]] == list(range(12, 0, -1))
        assert first["total"] == second["total"] == 12

    @pytest.mark.parametrize(
        ("call", "arguments", "code"),
        [
            ("subscribe", {"productId": "NO001", "amount": "1"}, -6001),
            ("subscribe", {"productId": "USDT001", "amount": "0.009"}, -6005),
            ("subscribe", {"productId": "USDT001", "amount": "10001"}, -6012),
            ("subscribe", {"productId": "USDT001"}, -1102),
            ("subscribe", {"productId": "USDT001", "amount": "1", "autoSubscribe": "False"}, -1130),
            ("redeem", {"productId": "USDT001", "amount": "1"}, -6006),
            ("redeem", {"productId": "USDT001", "amount": "0"}, -6006),
            ("redeem", {"productId": "USDT001"}, -1102),
            ("redeem", {"productId": "USDT001", "amount": "1", "destAccount": "FUND"}, -1020),
        ],
    )
    def test_a_wrong_move_is_refused_and_nothing_moves(self, call: str, arguments: dict[str, str], code: int) -> None:
        s = shop()
        with served(s) as client:
            method = getattr(client, f"{call}_simple_earn_flexible_product")
            assert refusal(lambda: method(**arguments))[:2] == (400, code)
        assert s.exchange.venue.books.moves == []


class TestDoor:
    def test_the_published_signature_is_reproduced(self) -> None:
        secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
        tail = "&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
        assert (
            signature(secret, "symbol=LTCBTC" + tail)
            == "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
        )
        assert (
            signature(secret, "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96" + tail)
            == "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"
        )

    def test_key_and_secret_must_be_right(self) -> None:
        with served(shop(), key="other") as client:
            assert refusal(client.get_account) == (401, -2015, "Invalid API-key, IP, or permissions for action.")
        with served(shop(), key="") as client:
            assert refusal(client.get_account)[:2] == (401, -2014)
        with served(shop(), secret="other") as client:
            assert refusal(client.get_account) == (400, -1022, "Signature for this request is not valid.")

    @pytest.mark.parametrize(
        ("query", "body", "code"),
        [
            ({"symbol": "ETHUSDT", "timestamp": NOW_MS - 5001}, {}, -1021),
            ({"symbol": "ETHUSDT", "timestamp": NOW_MS + 1000}, {}, -1021),
            ({"symbol": "ETHUSDT", "timestamp": NOW_MS - 60_000, "recvWindow": "60000"}, {}, -2011),
            ({"symbol": "ETHUSDT", "timestamp": NOW_MS, "recvWindow": "60001"}, {}, -1131),
            ({"symbol": "ETHUSDT", "timestamp": NOW_MS, "recvWindow": "5,5"}, {}, -1100),
            ({"symbol": "ETHUSDT", "timestamp": NOW_MS * 1000}, {}, -2011),
            ({"symbol": "ETHUSDT", "timestamp": "now"}, {}, -1100),
            ({"symbol": "ETHUSDT"}, {}, -1102),
            ({"symbol": "ETHUSDT", "timestamp": NOW_MS, "shoe": "9"}, {}, -1104),
            ({"symbol": "ETHUSDT"}, {"timestamp": NOW_MS}, -2011),
            ({"timestamp": NOW_MS}, {"symbol": "NOUSDT"}, -1121),
            ({"symbol": "ETHUSDT", "timestamp": NOW_MS}, {"symbol": "NOUSDT"}, -2011),
            ({"symbol": "", "timestamp": NOW_MS}, {}, -1102),
        ],
    )
    def test_time_names_and_places_of_parameters_are_checked(
        self, query: dict[str, Any], body: dict[str, Any], code: int
    ) -> None:
        """A cancellation of an order that does not exist gets as far as −2011 and no further."""
        answer = raw_delete(urlencode(query | {"orderId": 7}), urlencode(body))
        assert answer["code"] == code

    def test_a_repeated_parameter_is_refused(self) -> None:
        assert raw_delete(f"symbol=ETHUSDT&symbol=ETHUSDT&timestamp={NOW_MS}", "")["code"] == -1101

    def test_the_signature_is_over_the_bytes_as_sent(self) -> None:
        """The same parameters, signed in another order or encoding than sent, are refused."""
        query = f"symbol=ETHUSDT&orderId=7&timestamp={NOW_MS}"
        assert raw_delete(query, "")["code"] == -2011
        assert raw_delete(query, "", signed=f"orderId=7&symbol=ETHUSDT&timestamp={NOW_MS}")["code"] == -1022

    def test_an_unknown_path_is_not_found(self) -> None:
        with SimulatedServer(shop().exchange, KEY) as server:
            assert requests.get(server.url + "/api/v3/depth", timeout=5).status_code == 404

    def test_every_weighed_endpoint_is_served(self) -> None:
        assert ROUTES.keys() == WEIGHTS.keys()


def raw_delete(query: str, body: str, signed: str | None = None) -> Any:
    """DELETE order, signed by hand over query and body."""
    payload = query + body if signed is None else signed
    mark = hmac.new(KEY.api_secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    with SimulatedServer(shop().exchange, KEY) as server:
        answer = requests.delete(
            f"{server.url}/api/v3/order?{query}&signature={mark}",
            data=body,
            headers={"X-MBX-APIKEY": KEY.api_key, "Content-Type": "application/x-www-form-urlencoded"},
            timeout=5,
        )
    return answer.json()


class TestWeather:
    @pytest.mark.parametrize("effect", [Effect.NONE, Effect.NOW])
    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            (Fault(drop=True), requests.exceptions.ConnectionError),
            (Fault(cut=True), BinanceRequestException),
            (Fault(status=503, code=-1008, message="Server is currently overloaded"), BinanceAPIException),
            (Fault(status=502, body="<html>"), BinanceAPIException),
        ],
    )
    def test_an_answer_may_be_lost_with_or_without_the_effect(
        self, fault: Fault, expected: type[Exception], effect: Effect
    ) -> None:
        s = shop(Conditions(faults=Script({ORDER: {1: replace(fault, effect=effect)}})))
        with served(s) as client, pytest.raises(expected):
            buy(client)
        assert (s.exchange.find_order("ETHUSDT", "bp-1") is not None) is (effect is Effect.NOW)

    def test_a_late_order_arrives_although_the_connection_is_gone(self) -> None:
        s = shop(Conditions(faults=Script({ORDER: {1: Fault(Effect.LATER, after_ms=9000, drop=True)}})))
        with served(s) as client:
            with pytest.raises(requests.exceptions.ConnectionError):
                buy(client)
            assert refusal(lambda: client.get_order(symbol="ETHUSDT", origClientOrderId="bp-1"))[1] == -2013
            s.clock.sleep(9)
            assert client.get_order(symbol="ETHUSDT", origClientOrderId="bp-1")["status"] == "FILLED"

    def test_a_late_order_that_is_badly_signed_never_arrives(self) -> None:
        s = shop(Conditions(faults=Script({ORDER: {1: Fault(Effect.LATER, after_ms=9000, drop=True)}})))
        with served(s, secret="other") as client, pytest.raises(requests.exceptions.ConnectionError):
            buy(client)
        s.clock.sleep(9)
        assert s.exchange.find_order("ETHUSDT", "bp-1") is None

    def test_a_dropped_connection_sends_not_one_byte(self) -> None:
        s = shop(Conditions(faults=Script({"GET /api/v3/ping": {1: Fault(drop=True)}})))
        with served(s) as client:
            with pytest.raises(requests.exceptions.ConnectionError, match="closed connection without response"):
                client.ping()
            assert client.ping() == {}

    def test_limits_and_bans_say_when_to_come_back(self) -> None:
        faults = Script(
            {"GET /api/v3/account": {1: Fault(status=418, code=-1003, message="banned", retry_after_s=120)}}
        )
        with served(shop(Conditions(limits=Limits(weight_1m=5), faults=faults))) as client:
            assert refusal(client.get_account)[:2] == (418, -1003)
            assert client.response.headers["Retry-After"] == "120"
            assert refusal(client.get_account)[:2] == (429, -1003)
            assert client.response.headers["Retry-After"] == "60"

    @pytest.mark.parametrize(
        "fault",
        [Fault(status=451, code=0, message="restricted location"), Fault(status=403, body="<html>blocked</html>")],
    )
    def test_a_blocked_place_is_told_as_binance_does(self, fault: Fault) -> None:
        with served(shop(Conditions(faults=Script({"GET /api/v3/ping": {0: fault}})))) as client:
            status, code, message = refusal(client.ping)
        assert (status, code) == (fault.status, 0)
        assert (fault.body or fault.message) in message

    def test_a_fresh_order_may_not_be_found_yet(self) -> None:
        s = shop(Conditions(delays=Delays(order_ms=2000)))
        with served(s) as client:
            buy(client)
            assert refusal(lambda: client.get_order(symbol="ETHUSDT", orderId=1))[1] == -2013
            s.clock.sleep(2)
            assert client.get_order(symbol="ETHUSDT", orderId=1)["orderId"] == 1

    def test_a_market_that_fails_is_a_server_error(self) -> None:
        s = shop()
        s.market.failing = "no candle for this hour"
        with served(s) as client:
            assert refusal(client.get_all_tickers)[:2] == (500, -1000)


def test_calls_are_counted_alike_in_process_and_over_the_socket() -> None:
    near, far = shop(), shop()
    with served(far) as client:
        buy(client)
        client.get_account()
        client.get_order(symbol="ETHUSDT", origClientOrderId="bp-1")
    near.buy("0.1")
    near.exchange.account()
    near.exchange.find_order("ETHUSDT", "bp-1")
    assert near.exchange.calls == far.exchange.calls
    assert near.exchange.venue.books == far.exchange.venue.books
    assert near.exchange.venue.meter.weight == far.exchange.venue.meter.weight


def test_an_answer_is_json_that_a_stranger_can_read() -> None:
    with SimulatedServer(shop().exchange, KEY) as server:
        answer = requests.get(server.url + "/api/v3/time", timeout=5)
    assert json.loads(answer.text) == {"serverTime": NOW_MS}
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
