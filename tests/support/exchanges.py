"""The two ways to one simulated account: in process, and through the Binance adapter over a socket.

What a test does to an account is done through the ports, what happens to it without the engine through `venue` and its
`events`. The market is a table of four pairs, or (`history`) the market folder that ships with the project.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from runtime.adapters.binance.client import Connection, Credentials, Hosts
from runtime.adapters.binance.exchange import BinanceExchange
from runtime.adapters.binance.market import BinanceMarket
from runtime.adapters.clock import SimulatedClock
from runtime.adapters.simulated import wire
from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import FIXTURE, Conditions
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.markets import EMBEDDED, FolderMarket
from runtime.adapters.simulated.server import SimulatedServer
from runtime.domain.orders import Outcome, Refused, Side, Unknown
from runtime.domain.slots import slot_start_ms
from runtime.errors import EngineError, RateLimited, Rejected
from runtime.ports import Exchange, MarketData, OrderRequest
from tests.support.markets import TableMarket
from tests.support.shop import NOW_MS, PRICES

IN_PROCESS, OVER_HTTP = "in process", "over http"
WAYS = (IN_PROCESS, OVER_HTTP)
KEY, SECRET = "k" * 64, "s" * 64
HISTORY_MS = slot_start_ms("2026-03-15T09Z")
HISTORY_PAIRS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


@dataclass(frozen=True, slots=True)
class Desk:
    """Both ports to one account, the simulation behind them, and the clock that all share."""

    market: MarketData
    exchange: Exchange
    simulated: SimulatedExchange
    clock: SimulatedClock

    @property
    def now_ms(self) -> int:
        """The exchange's clock."""
        return self.simulated.venue.now_ms()

    def request(
        self, quantity: str, side: Side = Side.BUY, symbol: str = "ETHUSDT", client_id: str = "bp-1"
    ) -> OrderRequest:
        """A market order stamped with the exchange's time."""
        return OrderRequest(client_id, symbol, side, Decimal(quantity), self.now_ms)

    def send(self, quantity: str, side: Side = Side.BUY, symbol: str = "ETHUSDT", client_id: str = "bp-1") -> Outcome:
        """Send such an order."""
        return self.exchange.send_order(self.request(quantity, side, symbol, client_id))


@contextmanager
def desk(way: str, conditions: Conditions = FIXTURE, *, history: bool = False, **balances: str) -> Iterator[Desk]:
    """An account with these balances (10 000 USDT if none are given), reached in one of `WAYS`."""
    clock = SimulatedClock(HISTORY_MS if history else NOW_MS)
    market: MarketData = FolderMarket(EMBEDDED, clock, HISTORY_PAIRS) if history else TableMarket(clock, PRICES)
    books = Books.opened({asset: Decimal(amount) for asset, amount in (balances or {"USDT": "10000"}).items()})
    simulated = SimulatedExchange(market, clock, conditions, books)
    if way == IN_PROCESS:
        yield Desk(simulated, simulated, simulated, clock)
        return
    with SimulatedServer(simulated, wire.Credentials(KEY, SECRET)) as server:
        connection = Connection(clock, Credentials(KEY, SECRET), Hosts(server.url, server.url, server.url))
        yield Desk(BinanceMarket(connection), BinanceExchange(connection), simulated, clock)
        connection.session.close_connection()


def evidence(outcome: object) -> object:
    """What the engine acts on: values as they are; refusals and errors without the words that only people read."""
    match outcome:
        case Refused(code=code, retry_at_ms=retry_at_ms, misconfigured=misconfigured):
            return ("refused", code, retry_at_ms, misconfigured)
        case Unknown():
            return "unknown"
        case RateLimited():
            return ("limited", outcome.retry_at_ms)
        case Rejected():
            return ("rejected", outcome.code)
        case EngineError():
            return type(outcome).__name__
        case _:
            return outcome
