"""Public market data from Binance: one call each, for as many symbols as one call can answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

from runtime.adapters.binance.client import Connection
from runtime.adapters.binance.payloads import as_object, integer, parse_candles, parse_instruments, parse_prices
from runtime.domain.instruments import Instrument
from runtime.domain.market import Candle


class BinanceMarket:
    """The port `MarketData`; its connection needs no credentials. Weights: time 1, prices 4, pairs 20, klines 2."""

    def __init__(self, connection: Connection) -> None:
        """Contacts nobody."""
        self._connection = connection

    def server_time_ms(self) -> int:
        answer = self._connection.read("server time", lambda session: session.get_server_time())
        return integer(as_object(answer, "server time"), "serverTime", "server time")

    def prices(self) -> Mapping[str, Decimal]:
        # The library's get_all_tickers raises a bare TypeError where the answer is no list.
        with self._connection.listing:
            prices = parse_prices(self._connection.read("prices", lambda session: session.public("ticker/price")))
            self._connection.listed = frozenset(prices)
        return prices

    def instruments(self, symbols: Sequence[str]) -> tuple[int, Mapping[str, Instrument]]:
        if not symbols:  # an empty list is refused; without one the answer has several megabytes
            return self.server_time_ms(), {}
        names = json.dumps(list(symbols), separators=(",", ":"), ensure_ascii=False)
        return parse_instruments(
            self._connection.read("exchangeInfo", lambda session: session.public("exchangeInfo", symbols=names))
        )

    def candles(self, symbol: str, interval: str, start_ms: int | None, limit: int) -> Sequence[Candle]:
        # One request, where the library's get_historical_klines makes several; a start of None is not sent.
        answer = self._connection.read(
            f"{symbol} klines",
            lambda session: session.get_klines(symbol=symbol, interval=interval, startTime=start_ms, limit=limit),
        )
        return parse_candles(answer, symbol)
