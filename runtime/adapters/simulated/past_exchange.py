"""The simulated exchange of a history: the same account, desks and matching, in weather that is always fine.

A history run asks the same questions in every simulated hour, and most hours change nothing. So what is asked every
hour is answered at once, without counting weights against limits that an hour never meets; whatever moves money
(orders, Earn, deposits) goes through the venue like everywhere else. An answer that has not changed is the same object,
so that nothing that follows from it is worked out anew. A test runs the same hours on both and compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import Conditions
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.past import PastMarket
from runtime.domain.api_key import KeyRights
from runtime.domain.instruments import Instrument
from runtime.domain.market import Account, Candle, EarnPosition
from runtime.ports import Clock


class PastExchange(SimulatedExchange):
    """The ports `MarketData` and `Exchange` over a `PastMarket`; `conditions` may hold costs and Earn's terms only."""

    def __init__(self, market: PastMarket, clock: Clock, conditions: Conditions, books: Books) -> None:
        """`books` are what the exchange knows of the account."""
        super().__init__(market, clock, conditions, books)
        self._past = market
        self._rights: KeyRights | None = None
        self._account: Account | None = None
        self._earn: Mapping[str, EarnPosition] | None = None
        self._earning = any(conditions.earn.apr.values())
        self.venue.save = self._forget

    def server_time_ms(self) -> int:
        return self._past.server_time_ms()

    def prices(self) -> Mapping[str, Decimal]:
        return self._past.prices()

    def instruments(self, symbols: Sequence[str]) -> tuple[int, Mapping[str, Instrument]]:
        return self._past.instruments(symbols)

    def candles(self, symbol: str, interval: str, start_ms: int | None, limit: int) -> Sequence[Candle]:
        return self._past.candles(symbol, interval, start_ms, limit)

    def key_rights(self) -> KeyRights:
        if self._rights is None:
            self._rights = super().key_rights()
        return self._rights

    def account(self) -> Account:
        if self._account is None:
            self._account = super().account()
        return self._account

    def earn_positions(self) -> Mapping[str, EarnPosition]:
        if self._earn is None or self._earning:
            self._earn = super().earn_positions()
        return self._earn

    def _forget(self, _: Books) -> None:
        """The books changed."""
        self._account = self._earn = None
