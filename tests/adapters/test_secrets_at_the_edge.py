"""No secret leaves an adapter: not in an error, its traceback, an outcome, a receipt or a log line.

The other side repeats the request in every way there is; the whole text of what comes out is searched.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial

import pytest

from runtime.adapters.binance.client import Connection, Credentials, Hosts
from runtime.adapters.binance.exchange import BinanceExchange
from runtime.adapters.binance.market import BinanceMarket
from runtime.adapters.clock import SimulatedClock
from runtime.adapters.telegram import Bot, TelegramAlerter
from runtime.domain.alerts import AlertKind, new_alert
from runtime.domain.orders import Kind, Side
from runtime.domain.texts import Language
from runtime.errors import EngineError
from runtime.ports import OrderRequest
from tests.support.echoes import ECHOES, TELEGRAMS
from tests.support.http_stub import Answer, HttpStub, Seen
from tests.support.planted import API_KEY, API_SECRET, BOT_TOKEN, CHAT, leaks, signatures

NOW_MS = 1_795_251_600_000
ORDER = OrderRequest("bp-1", "ETHUSDT", Side.BUY, Decimal("0.1"), NOW_MS)
CALLS: dict[str, Callable[[BinanceExchange, BinanceMarket], object]] = {
    "account": lambda exchange, _: exchange.account(),
    "earn positions": lambda exchange, _: exchange.earn_positions(),
    "earn product": lambda exchange, _: exchange.earn_product("USDT"),
    "earn records": lambda exchange, _: exchange.earn_records(Kind.REDEEM, "USDT", NOW_MS - 1000),
    "redeem": lambda exchange, _: exchange.send_earn(Kind.REDEEM, "USDT001", Decimal(10), NOW_MS),
    "order": lambda exchange, _: exchange.send_order(ORDER),
    "test order": lambda exchange, _: exchange.test_order(ORDER),
    "look-up": lambda exchange, _: exchange.find_order("ETHUSDT", "bp-1"),
    "orders": lambda exchange, _: exchange.orders_since("ETHUSDT", NOW_MS - 1000),
    "open orders": lambda exchange, _: exchange.open_orders(),
    "trades": lambda exchange, _: exchange.trades_since("ETHUSDT", NOW_MS - 1000),
    "flows": lambda exchange, _: exchange.flows(NOW_MS - 1000),
    "prices": lambda _, market: market.prices(),
    "time": lambda _, market: market.server_time_ms(),
}


class Parrot(HttpStub):
    """Answers everything alike, with what it was asked."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def answer(self, seen: Seen) -> Answer:
        """One answer."""
        self.seen.append(seen)
        return (ECHOES | TELEGRAMS)[self._kind](seen)


def said(call: Callable[[], object]) -> dict[str, str]:
    """The outcome of a call, or its error with the whole traceback."""
    try:
        return {"outcome": repr(call())}
    except EngineError as error:
        facts = {name: repr(value) for name, value in vars(error).items()}
        return {"error": str(error), "traceback": "".join(traceback.format_exception(error)), **facts}


@pytest.fixture(params=sorted(ECHOES))
def parrot(request: pytest.FixtureRequest) -> Iterator[Parrot]:
    """One for each way to repeat a request."""
    with Parrot(request.param) as stub:
        yield stub


def test_binances_answers_are_quoted_without_key_secret_and_signature(
    parrot: Parrot, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    clock = SimulatedClock(NOW_MS)
    connection = Connection(
        clock, Credentials(API_KEY, API_SECRET), Hosts(parrot.origin, parrot.origin, parrot.origin), (2, 2)
    )
    exchange, market = BinanceExchange(connection), BinanceMarket(connection)
    found: dict[str, str] = {"connection": repr(vars(connection))}
    for name, call in CALLS.items():
        found |= {f"{name} {where}": text for where, text in said(partial(call, exchange, market)).items()}
        clock.sleep(4 * 86_400)  # past any pause that was asked for
    connection.session.close_connection()
    out, err = capfd.readouterr()
    found |= {"log": caplog.text, "stdout": out, "stderr": err}
    signed = signatures(text for seen in parrot.seen for text in seen.raw)
    assert signed
    assert leaks(found, signed) == []


@pytest.mark.parametrize("parrot", sorted(ECHOES | TELEGRAMS), indirect=True)
def test_telegrams_answers_are_quoted_without_token_and_chat(
    parrot: Parrot, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    for logger in (None, "urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"):
        caplog.set_level(logging.DEBUG, logger)  # Binance's adapter quiets some for the whole process
    clock = SimulatedClock(NOW_MS)
    bot = Bot(BOT_TOKEN, CHAT, parrot.origin, timeouts=(2, 2))
    alerter = TelegramAlerter(bot, Language.EN, clock)
    alert = new_alert(AlertKind.ABORTED, "2026-11-21T09Z", {"why": "a test"})
    found = {"receipts": repr(alerter.deliver([alert])), "probe": repr(alerter.probe()), "alerter": repr(alerter)}
    out, err = capfd.readouterr()
    assert parrot.seen
    assert leaks({**found, "log": caplog.text, "stdout": out, "stderr": err}) == []
