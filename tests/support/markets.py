"""A market that is a table: prices and pairs as a test writes them, nothing moves unless the test moves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from runtime.domain.instruments import Instrument, LotRule
from runtime.domain.market import Candle
from runtime.errors import Rejected, Unavailable
from runtime.ports import Clock


def pair(symbol: str, step: str = "0.0001", least: str = "5") -> Instrument:
    """A USDT pair with the usual filters: a lot step that is also the minimum, and a minimum notional."""
    lot = LotRule(Decimal(step), Decimal(9000), Decimal(step))
    market_lot = LotRule(max_qty=Decimal(120))
    return Instrument(
        symbol, symbol.removesuffix("USDT"), "USDT", lot=lot, market_lot=market_lot, min_notional=Decimal(least)
    )


class TableMarket:
    """The port `MarketData` over tables that a test may change while it runs; `failing` says why prices fail."""

    def __init__(
        self,
        clock: Clock,
        prices: Mapping[str, str],
        instruments: Mapping[str, Instrument] | None = None,
        candles: Mapping[tuple[str, str], Sequence[Candle]] | None = None,
    ) -> None:
        self._clock = clock
        self.table = {symbol: Decimal(price) for symbol, price in prices.items()}
        self.pairs = {symbol: pair(symbol) for symbol in prices} | dict(instruments or {})
        self.series = dict(candles or {})
        self.failing = ""

    def server_time_ms(self) -> int:
        return self._clock.now_ms()

    def prices(self) -> Mapping[str, Decimal]:
        if self.failing:
            raise Unavailable("prices", self.failing)
        return self.table

    def instruments(self, symbols: Sequence[str]) -> tuple[int, Mapping[str, Instrument]]:
        if not all(symbol in self.pairs for symbol in symbols):
            raise Rejected("exchangeInfo", -1121, "Invalid symbol.")
        return self._clock.now_ms(), {symbol: self.pairs[symbol] for symbol in symbols}

    def candles(self, symbol: str, interval: str, start_ms: int | None, limit: int) -> Sequence[Candle]:
        if symbol not in self.pairs:
            raise Rejected("klines", -1121, "Invalid symbol.")
        rows = self.series.get((symbol, interval), ())
        if start_ms is None:
            return rows[-limit:]
        return [candle for candle in rows if candle.open_time_ms >= start_ms][:limit]
