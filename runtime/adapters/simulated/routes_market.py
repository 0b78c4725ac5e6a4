"""Public market data under `/api/v3`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal

from runtime.adapters.simulated import answers
from runtime.adapters.simulated.answers import Json, fixed
from runtime.adapters.simulated.matching import BPS
from runtime.adapters.simulated.refusals import ApiError
from runtime.adapters.simulated.routes import Ask, Route, Routes, names
from runtime.adapters.simulated.wire import Params
from runtime.domain.market import Candle
from runtime.domain.slots import DAY_MS, HOUR_MS

_STEPS_MS = {"1h": HOUR_MS, "1d": DAY_MS}
_KLINES_DEFAULT, _KLINES_MAX = 500, 1000
_ONE, _MANY = 2, 4
_DEPTH = Decimal(1000)


def _exchange_info(ask: Ask) -> Json:
    wanted = _symbols(ask.params)
    found = ask.venue.instruments(wanted if wanted is not None else sorted(ask.venue.market.prices())).values()
    status = ask.params.text("symbolStatus")
    if status and wanted is not None:
        raise ApiError(-1128, "Combination of optional parameters invalid.")
    return {
        "timezone": "UTC",
        "serverTime": ask.venue.now_ms(),
        "rateLimits": answers.rate_limits(ask.venue.conditions.limits),
        "exchangeFilters": [],
        "symbols": [answers.instrument(pair) for pair in found if status in {None, pair.status}],
    }


def _symbols(params: Params) -> list[str] | None:
    """The pairs that `symbol` or `symbols` names; None where neither was sent."""
    one, many = params.text("symbol"), params.text("symbols")
    if one is not None and many is not None:
        raise ApiError(-1128, "Combination of optional parameters invalid.")
    if many is None:
        return None if one is None else [one]
    try:
        found = json.loads(many)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ApiError(-1130, "Data sent for parameter 'symbols' is not valid.")
    return found


def _klines(ask: Ask) -> list[list[object]]:
    params = ask.params
    symbol, interval = params.needed("symbol"), params.needed("interval")
    step_ms = _STEPS_MS.get(interval)
    if step_ms is None:
        raise ApiError(-1120, "Invalid interval.")
    start, end = params.integer("startTime"), params.integer("endTime")
    limit = params.number("limit", _KLINES_DEFAULT, _KLINES_MAX)
    rows: Sequence[Candle] = ask.venue.candles(symbol, interval, start, limit if end is None else _KLINES_MAX)
    if end is not None:
        rows = [row for row in rows if row.open_time_ms <= end]
        rows = rows[-limit:] if start is None else rows[:limit]
    return [answers.kline(row, step_ms) for row in rows]


def _avg_price(ask: Ask) -> Json:
    price = ask.venue.market_price(ask.params.needed("symbol"))
    return {"mins": 5, "price": fixed(price), "closeTime": ask.venue.now_ms()}


def _prices(ask: Ask) -> object:
    return _tickers(ask, lambda symbol, price: {"symbol": symbol, "price": fixed(price)})


def _book_tickers(ask: Ask) -> object:
    half = ask.venue.costs.spread_bps / 2 / BPS

    def row(symbol: str, price: Decimal) -> Json:
        bid, ask_price = price * (1 - half), price * (1 + half)
        sizes = {"bidQty": fixed(_DEPTH), "askQty": fixed(_DEPTH)}
        return {"symbol": symbol, "bidPrice": fixed(bid), "askPrice": fixed(ask_price)} | sizes

    return _tickers(ask, row)


def _tickers(ask: Ask, row: Callable[[str, Decimal], Json]) -> object:
    symbol = ask.params.text("symbol")
    wanted = _symbols(ask.params)
    if symbol is not None:
        return row(symbol, ask.venue.market_price(symbol))
    if wanted is not None:
        return [row(name, ask.venue.market_price(name)) for name in wanted]
    return [row(name, price) for name, price in sorted(ask.venue.market.prices().items())]


def _ticker_weight(params: Params) -> int:
    return _ONE if "symbol" in params else _MANY


ROUTES: Routes = {
    "GET /api/v3/ping": Route(lambda _: {}, signed=False),
    "GET /api/v3/time": Route(lambda ask: {"serverTime": ask.venue.now_ms()}, signed=False),
    "GET /api/v3/exchangeInfo": Route(
        _exchange_info, names("symbol symbols permissions showPermissionSets symbolStatus"), signed=False
    ),
    "GET /api/v3/klines": Route(_klines, names("symbol interval startTime endTime timeZone limit"), signed=False),
    "GET /api/v3/avgPrice": Route(_avg_price, names("symbol"), signed=False),
    "GET /api/v3/ticker/price": Route(_prices, names("symbol symbols"), signed=False, weigh=_ticker_weight),
    "GET /api/v3/ticker/bookTicker": Route(_book_tickers, names("symbol symbols"), signed=False, weigh=_ticker_weight),
}
