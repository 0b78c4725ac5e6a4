"""One small account on one small market, as most tests of the simulated exchange need it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import FIXTURE, Conditions
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.domain.orders import Order, Outcome, Side
from runtime.ports import OrderRequest
from tests.support.markets import TableMarket

NOW_MS = 1_795_255_200_000  # 2026-11-21T10:00Z
PRICES = {"BTCUSDT": "90000", "ETHUSDT": "2500", "BNBUSDT": "600", "DOGEUSDT": "0.12345"}


@dataclass(frozen=True, slots=True)
class Shop:
    """The exchange with what a test moves: its clock and its market."""

    exchange: SimulatedExchange
    clock: SimulatedClock
    market: TableMarket

    def send(self, symbol: str, side: Side, quantity: str, client_id: str = "bp-1") -> Outcome:
        """Send a market order stamped now."""
        stamp = self.clock.now_ms() + self.exchange.venue.conditions.skew_ms
        return self.exchange.send_order(OrderRequest(client_id, symbol, side, Decimal(quantity), stamp))

    def buy(self, quantity: str, symbol: str = "ETHUSDT", client_id: str = "bp-1") -> Order:
        """A purchase that must succeed."""
        outcome = self.send(symbol, Side.BUY, quantity, client_id)
        assert isinstance(outcome, Order), outcome
        return outcome

    def free(self, asset: str) -> Decimal:
        """The free balance as the account shows it."""
        return self.exchange.account().free(asset)


def shop(conditions: Conditions = FIXTURE, **balances: str) -> Shop:
    """An account with these balances (10 000 USDT if none are given) at 2026-11-21T10:00Z."""
    clock = SimulatedClock(NOW_MS)
    market = TableMarket(clock, PRICES)
    books = Books.opened({asset: Decimal(amount) for asset, amount in (balances or {"USDT": "10000"}).items()})
    return Shop(SimulatedExchange(market, clock, conditions, books), clock, market)
