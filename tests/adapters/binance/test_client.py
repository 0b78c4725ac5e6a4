"""The connection: what goes over the wire, when it is tried again, and what never leaks."""

from __future__ import annotations

import gc
import hashlib
import hmac
import logging
import subprocess
import sys
import threading
import traceback
from base64 import b64decode
from collections.abc import Callable
from decimal import Decimal
from urllib.parse import unquote

import pytest
from Crypto.PublicKey import ECC, RSA
from Crypto.Signature import eddsa

from runtime.adapters.binance.client import READ_BUDGET_S, Connection, Credentials, Hosts
from runtime.adapters.binance.exchange import BinanceExchange
from runtime.adapters.clock import SimulatedClock
from runtime.domain.orders import Side
from runtime.errors import BadPayload, EngineError, Misconfigured, RateLimited, Rejected, Unavailable
from runtime.ports import OrderRequest
from tests.adapters.binance.conftest import KEY, NOW_MS, SECRET, Bench
from tests.support.http_stub import Fate, HttpStub, Reply, Seen
from tests.support.recordings import recording

ACCOUNT = "GET /api/v3/account"
PRICES = "GET /api/v3/ticker/price"
TIME = "GET /api/v3/time"
CLOCK_FAULT = Reply(400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."})


def _account() -> Reply:
    body = recording("binance/account")
    body["balances"] = body["balances"][:2]
    return Reply(body=body)


def test_a_read_is_signed_with_the_exchanges_time_and_the_documented_window(bench: Bench) -> None:
    bench.stub.on(ACCOUNT, _account())
    bench.exchange.sync_clock(-1234)
    bench.exchange.account()
    (seen,) = bench.stub.seen
    assert seen.query["timestamp"] == str(NOW_MS - 1234)
    assert seen.query["recvWindow"] == "5000"
    assert seen.headers["x-mbx-apikey"] == KEY
    unsigned, _, signature = seen.raw[0].rpartition("&signature=")
    assert signature == hmac.new(SECRET.encode(), unsigned.encode(), hashlib.sha256).hexdigest()


def test_a_name_that_is_not_ascii_is_signed_as_it_is_sent(bench: Bench) -> None:
    bench.stub.on("GET /api/v3/order", Reply(400, {"code": -2013, "msg": "Order does not exist."}))
    bench.stub.on("POST /api/v3/order", Reply(body={}))
    request = OrderRequest("bp-1", "币安人生USDT", Side.BUY, Decimal(1), NOW_MS)
    bench.exchange.find_order(request.symbol, request.client_id)
    bench.exchange.send_order(request)
    for raw in (bench.stub.seen[0].raw[0], bench.stub.seen[1].raw[1]):
        unsigned, _, signature = raw.rpartition("&signature=")
        assert "symbol=%E5%B8%81" in unsigned
        assert signature == hmac.new(SECRET.encode(), unsigned.encode(), hashlib.sha256).hexdigest()


def test_a_public_call_goes_to_the_market_host_without_the_key(bench: Bench) -> None:
    with HttpStub() as market:
        market.on(PRICES, Reply(body=recording("binance/ticker_price")))
        hosts = Hosts(bench.stub.origin, bench.stub.origin, market.origin + "/")
        connection = Connection(bench.clock, Credentials(KEY, SECRET), hosts)
        connection.read("prices", lambda session: session.public("ticker/price"))
        connection.session.close_connection()
        assert market.count(PRICES) == 1
        assert "x-mbx-apikey" not in market.seen[0].headers
    assert not bench.stub.seen


def test_nothing_is_contacted_by_connecting(bench: Bench) -> None:
    assert not bench.stub.seen


@pytest.mark.parametrize("dress", [str, str.strip, lambda t: t.replace("\n", "\r\n"), lambda t: t.replace("\n", "\\n")])
def test_an_ed25519_key_signs_however_its_lines_end(bench: Bench, dress: Callable[[str], str]) -> None:
    key = ECC.construct(curve="Ed25519", seed=bytes(range(32)))
    assert _signed_by(bench, dress(key.export_key(format="PEM") + "\n\n"), key.public_key().export_key(format="DER"))


def _signed_by(bench: Bench, pem: str, public: bytes) -> bool:
    bench.stub.on(ACCOUNT, _account())
    hosts = Hosts(bench.stub.origin, bench.stub.origin, bench.stub.origin)
    connection = Connection(bench.clock, Credentials(KEY, pem), hosts)
    BinanceExchange(connection).account()
    connection.session.close_connection()
    unsigned, _, signature = bench.stub.seen[-1].raw[0].rpartition("&signature=")
    eddsa.new(ECC.import_key(public), "rfc8032").verify(unsigned.encode(), b64decode(unquote(signature)))
    return True


def test_an_rsa_key_is_told_from_an_ed25519_key() -> None:
    pem = RSA.generate(2048).export_key(pkcs=8).decode().replace("\n", "\r\n")
    assert Connection(SimulatedClock(NOW_MS), Credentials(KEY, pem)).session.PRIVATE_KEY.has_private()


def test_a_key_that_cannot_sign_is_found_when_connecting_and_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----"
    with pytest.raises(Misconfigured) as caught:
        Connection(SimulatedClock(NOW_MS), Credentials(KEY, pem))
    assert "bm90IGEga2V5" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    gc.collect()
    assert "Exception ignored" not in capfd.readouterr().err


@pytest.mark.parametrize("key", ["", "with space", "line\n", "ключ"])
def test_a_key_no_header_can_hold_is_refused_when_connecting(key: str) -> None:
    with pytest.raises(Misconfigured, match="API key"):
        Connection(SimulatedClock(NOW_MS), Credentials(key, SECRET))


def test_an_account_without_credentials_is_refused() -> None:
    with pytest.raises(Misconfigured, match="credentials"):
        BinanceExchange(Connection(SimulatedClock(NOW_MS)))


@pytest.mark.parametrize(
    "fault", [Fate.CUT, Fate.HALF, Reply(502, "<html>bad gateway</html>"), Reply(503, {"code": -1008})]
)
def test_a_read_is_tried_again_twice_and_then_answers(bench: Bench, fault: Reply | Fate) -> None:
    bench.stub.on(PRICES, fault, fault, Reply(body=recording("binance/ticker_price")))
    assert bench.market.prices()
    assert bench.stub.count(PRICES) == 3
    assert bench.clock.now_ms() == NOW_MS + 2000, "waits of 0.5 s and 1.5 s"


@pytest.mark.parametrize(
    "fault", [Fate.CUT, Fate.HALF, Reply(500, {"code": -1001, "msg": "Internal error"}), Reply(302)]
)
def test_a_read_that_keeps_failing_is_unavailable(bench: Bench, fault: Reply | Fate) -> None:
    bench.stub.on(PRICES, fault)
    with pytest.raises(Unavailable, match="prices"):
        bench.market.prices()
    assert bench.stub.count(PRICES) == 3


def test_a_read_timeout_is_unavailable(bench: Bench) -> None:
    bench.stub.on(PRICES, Fate.SILENCE)
    bench.connection._timeouts_s = (0.5, 0.05)
    del bench.connection._local.session
    with pytest.raises(Unavailable, match="ReadTimeout"):
        bench.market.prices()


def test_retries_end_with_the_time_a_read_may_take(bench: Bench) -> None:
    def slow(_: Seen) -> Reply:
        bench.clock.sleep(READ_BUDGET_S)
        return Reply(500, "")

    bench.stub.on(PRICES, slow)
    with pytest.raises(Unavailable):
        bench.market.prices()
    assert bench.stub.count(PRICES) == 1


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(400, {"code": -1121, "msg": "Invalid symbol."}), Rejected),
        (Reply(401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}), Misconfigured),
        (Reply(400, {"code": -2014, "msg": "API-key format invalid."}), Misconfigured),
        (Reply(403, "<html>" + "x" * 5000), Misconfigured),
        (Reply(404, "<html>not here</html>"), Unavailable),
        (Reply(400, ["no object"]), Unavailable),
        (Reply(200, "<html>"), BadPayload),
        (Reply(200, ""), BadPayload),
    ],
)
def test_what_will_not_pass_is_not_tried_again(bench: Bench, reply: Reply, error: type[EngineError]) -> None:
    bench.stub.on(PRICES, reply)
    with pytest.raises(error) as caught:
        bench.market.prices()
    assert type(caught.value) is error
    assert len(str(caught.value)) < 500
    assert bench.stub.count(PRICES) == 1


def test_a_blocked_location_is_named_with_its_fix(bench: Bench) -> None:
    bench.stub.on(PRICES, Reply(451, recording("binance/error_451")))
    with pytest.raises(Misconfigured, match=r"does not serve this location.*allowed location"):
        bench.market.prices()


@pytest.mark.parametrize(
    ("reply", "resume_ms"),
    [
        (Reply(429, {"code": -1003, "msg": "Too much"}, {"Retry-After": "7"}), NOW_MS - 500 + 7000),
        (Reply(429, {"code": -1003, "msg": "Too much"}), NOW_MS - 500 + 60_000),
        (Reply(418, "", {"Retry-After": "300"}), NOW_MS - 500 + 300_000),
        (Reply(418, {"code": -1003, "msg": f"IP banned until {NOW_MS + 999_000}."}), NOW_MS + 999_000),
        (Reply(418, "", {"Retry-After": "99999999999"}), NOW_MS - 500 + 3 * 86_400_000),
        (Reply(429, "", {"Retry-After": "soon"}), NOW_MS - 500 + 60_000),
    ],
)
def test_a_rate_limit_says_when_to_go_on_and_holds_back_every_later_request(
    bench: Bench, reply: Reply, resume_ms: int
) -> None:
    bench.exchange.sync_clock(-500)
    bench.stub.on(PRICES, reply, Reply(body=recording("binance/ticker_price")))
    bench.stub.on(TIME, Reply(body=recording("binance/time")))
    for ask in (bench.market.prices, bench.market.server_time_ms):
        with pytest.raises(RateLimited) as caught:
            ask()
        assert caught.value.retry_at_ms == resume_ms
    assert len(bench.stub.seen) == 1
    bench.clock.set(resume_ms + 500)
    assert bench.market.server_time_ms()


def test_a_clock_fault_is_measured_once_by_the_middle_of_a_round_trip_and_then_tried_again(bench: Bench) -> None:
    def late(_: Seen) -> Reply:
        bench.clock.sleep(2)
        return Reply(body={"serverTime": NOW_MS + 30_000})

    bench.stub.on(ACCOUNT, CLOCK_FAULT, _account())
    bench.stub.on(TIME, late)
    assert bench.exchange.account().can_trade
    assert [seen.endpoint for seen in bench.stub.seen] == [ACCOUNT, TIME, ACCOUNT]
    assert bench.stub.seen[2].query["timestamp"] == str(NOW_MS + 2000 + 29_000)


def test_a_clock_fault_that_stays_is_rejected_after_one_measurement(bench: Bench) -> None:
    bench.stub.on(ACCOUNT, CLOCK_FAULT)
    bench.stub.on(TIME, Reply(body=recording("binance/time")))
    with pytest.raises(Rejected) as caught:
        bench.exchange.account()
    assert caught.value.code == -1021
    assert bench.stub.count(ACCOUNT) == 2


def test_a_thread_has_one_session_for_all_its_calls(bench: Bench) -> None:
    bench.stub.on(ACCOUNT, _account())
    bench.stub.on(PRICES, Reply(body=recording("binance/ticker_price")))

    def work() -> None:
        for _ in range(3):
            bench.exchange.account()
            bench.market.prices()

    work()
    assert len(bench.stub.connections()) == 1
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bench.stub.connections()) == 4
    assert len(bench.stub.seen) == 24


def test_no_text_of_an_error_or_a_log_holds_a_secret(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Nor do the errors it came from: python-binance and requests keep the signed request in theirs."""
    caplog.set_level(logging.DEBUG)
    echo = f"you sent {KEY} and {SECRET} with signature=abcdef0123456789"
    faults = (Fate.CUT, Reply(400, {"code": -1102, "msg": echo}), Reply(403, echo), Reply(200, echo))
    texts = [repr(bench.connection.credentials), repr(bench.connection.session)]
    for fault in faults:
        bench.stub.on(ACCOUNT, fault)
        with pytest.raises(EngineError) as caught:
            bench.exchange.account()
        texts += traceback.format_exception(caught.value)
        assert caught.value.__context__ is None
    signatures = [seen.query["signature"] for seen in bench.stub.seen]
    everything = "\n".join([*texts, caplog.text])
    for secret in (KEY, SECRET, "abcdef0123456789", "recvWindow", *signatures):
        assert secret not in everything


def test_the_module_imports_and_connects_where_every_warning_is_an_error() -> None:
    code = (
        "from runtime.adapters.binance.client import Connection\n"
        "from runtime.adapters.clock import SystemClock\n"
        "import threading\n"
        "c = Connection(SystemClock())\n"
        "t = threading.Thread(target=lambda: c.session); t.start(); t.join()\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
