"""Public market data: one call each, with the parameters Binance wants."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runtime.errors import BadPayload, Rejected
from tests.adapters.binance.conftest import Bench
from tests.support.http_stub import Reply
from tests.support.recordings import recording

INFO = "GET /api/v3/exchangeInfo"
KLINES = "GET /api/v3/klines"


def test_the_exchanges_clock_is_one_call(bench: Bench) -> None:
    bench.stub.on("GET /api/v3/time", Reply(body=recording("binance/time")))
    assert bench.market.server_time_ms() == 1_795_338_000_000
    assert len(bench.stub.seen) == 1


@pytest.mark.parametrize("body", [{}, [], {"serverTime": "soon"}, {"serverTime": 1.5}, {"serverTime": True}])
def test_a_clock_of_another_shape_is_a_bad_payload(bench: Bench, body: object) -> None:
    bench.stub.on("GET /api/v3/time", Reply(body=body))
    with pytest.raises(BadPayload, match="server time"):
        bench.market.server_time_ms()


def test_all_prices_are_one_call_without_parameters(bench: Bench) -> None:
    bench.stub.on("GET /api/v3/ticker/price", Reply(body=recording("binance/ticker_price")))
    assert bench.market.prices()["ETHUSDT"] == Decimal("3050.1")
    (seen,) = bench.stub.seen
    assert not seen.params


def test_pairs_are_one_call_that_names_them(bench: Bench) -> None:
    bench.stub.on(INFO, Reply(body=recording("binance/exchange_info")))
    server_ms, pairs = bench.market.instruments(("BTCUSDT", "BNBUSDT"))
    assert (server_ms, set(pairs)) == (1_795_338_000_123, {"BTCUSDT", "BNBUSDT"})
    (seen,) = bench.stub.seen
    assert seen.query == {"symbols": '["BTCUSDT","BNBUSDT"]'}


def test_no_pairs_never_ask_for_all_of_them(bench: Bench) -> None:
    bench.stub.on("GET /api/v3/time", Reply(body=recording("binance/time")))
    assert bench.market.instruments([]) == (1_795_338_000_000, {})
    assert bench.stub.count(INFO) == 0


def test_a_name_that_is_not_ascii_arrives_whole(bench: Bench) -> None:
    bench.stub.on(INFO, Reply(body=recording("binance/exchange_info")))
    bench.market.instruments(["币安人生USDT"])
    assert bench.stub.seen[0].query == {"symbols": '["币安人生USDT"]'}


def test_an_unknown_pair_fails_the_call_with_its_code(bench: Bench) -> None:
    bench.stub.on(INFO, Reply(400, {"code": -1121, "msg": "Invalid symbol."}))
    with pytest.raises(Rejected) as caught:
        bench.market.instruments(["NOUSDT"])
    assert caught.value.code == -1121


def test_candles_are_one_call_from_a_moment_on(bench: Bench) -> None:
    bench.stub.on(KLINES, Reply(body=recording("binance/klines")))
    assert len(bench.market.candles("BTCUSDT", "1d", 1795132800000, 700)) == 3
    (seen,) = bench.stub.seen
    assert seen.query == {"symbol": "BTCUSDT", "interval": "1d", "startTime": "1795132800000", "limit": "700"}


def test_candles_without_a_start_ask_for_the_newest(bench: Bench) -> None:
    bench.stub.on(KLINES, Reply(body=[]))
    assert bench.market.candles("BTCUSDT", "1h", None, 24) == []
    assert bench.stub.seen[0].query == {"symbol": "BTCUSDT", "interval": "1h", "limit": "24"}
