"""The spot account and its orders under `/api/v3`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.adapters.simulated import answers
from runtime.adapters.simulated.answers import Json
from runtime.adapters.simulated.books import Draft, Late, OrderRow
from runtime.adapters.simulated.matching import quote_amount
from runtime.adapters.simulated.refusals import ApiError, missing
from runtime.adapters.simulated.routes import Ask, Route, Routes, names
from runtime.adapters.simulated.wire import Params
from runtime.domain.market import Balance
from runtime.domain.orders import Fill, Side
from runtime.domain.slots import DAY_MS

_ORDER_TYPES = names("LIMIT MARKET STOP_LOSS STOP_LOSS_LIMIT TAKE_PROFIT TAKE_PROFIT_LIMIT LIMIT_MAKER")
_NOT_FOR_MARKET = ("price", "timeInForce", "stopPrice", "icebergQty", "trailingDelta")
_ORDER = names(
    "symbol side type quantity quoteOrderQty newClientOrderId newOrderRespType strategyId strategyType "
    "selfTradePreventionMode price timeInForce stopPrice icebergQty trailingDelta"
)
_SHAPES = {"ACK", "RESULT", "FULL"}
_ROWS, _ROWS_MAX = 500, 1000
_TEST_WITH_RATES_WEIGHT, _TEST_WEIGHT = 20, 1
_OPEN_ONE_WEIGHT, _OPEN_ALL_WEIGHT = 6, 80
_TRADES_OF_ORDER_WEIGHT, _TRADES_WEIGHT = 5, 20


def _draft(ask: Ask) -> Draft:
    """The market order that the parameters describe; refused by syntax, before anything else is looked at."""
    params = ask.params
    symbol, side, kind = (params.needed(name) for name in ("symbol", "side", "type"))
    if side not in {"BUY", "SELL"}:
        raise ApiError(-1117, "Invalid side.")
    if kind not in _ORDER_TYPES:
        raise ApiError(-1116, "Invalid orderType.")
    if kind != "MARKET":
        raise ApiError(-1020, "This operation is not supported.")
    for name in _NOT_FOR_MARKET:
        if name in params:
            raise ApiError(-1106, f"Parameter '{name}' sent when not required.")
    quantity, quote = params.amount("quantity", places=20), params.amount("quoteOrderQty")
    if quantity is not None and quote is not None:
        raise ApiError(-1106, "Parameter 'quoteOrderQty' sent when not required.")
    if quantity is None and quote is None:
        raise missing("quantity")
    client_id = params.text("newClientOrderId") or f"simulated{ask.venue.books.serial('client')}"
    return Draft(symbol, Side(side), client_id, quantity, quote)


def _shape(params: Params) -> str:
    shape = params.text("newOrderRespType") or "FULL"
    if shape not in _SHAPES:
        raise ApiError(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    return shape


def _send(ask: Ask) -> Json:
    shape = _shape(ask.params)
    return answers.order_sent(ask.venue.place(_draft(ask)), shape)


def _send_later(ask: Ask, due_ms: int) -> None:
    ask.venue.postpone(Late(due_ms, order=_draft(ask)))


def _test(ask: Ask) -> Json:
    draft = _draft(ask)
    ask.venue.orders.check(draft, ask.venue.costs)
    if not ask.params.flag("computeCommissionRates", default=False):
        return {}
    rates = answers.commission(draft.symbol, ask.venue.costs)
    return {"standardCommissionForOrder": rates["standardCommission"], "discount": rates["discount"]}


def _find(ask: Ask) -> OrderRow | None:
    params = ask.params
    symbol = params.needed("symbol")
    order_id, client_id = params.integer("orderId"), params.text("origClientOrderId")
    if order_id is None and client_id is None:
        text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        raise ApiError(-1102, text)
    if order_id is None:
        return ask.venue.find(symbol, client_id or "")
    ask.venue.orders.instrument(symbol)
    row = next((row for row in _seen(ask, ask.venue.orders.rows(symbol)) if row.order_id == order_id), None)
    if row is not None and client_id not in {None, row.client_id}:
        raise ApiError(-2039, "Client order ID is not correct for this order ID.")
    return row


def _seen(ask: Ask, rows: Sequence[OrderRow]) -> list[OrderRow]:
    until_ms = ask.venue.now_ms() - ask.venue.conditions.delays.order_ms
    return [row for row in rows if row.time_ms <= until_ms]


def _get(ask: Ask) -> Json:
    row = _find(ask)
    if row is None:
        raise ApiError(-2013, "Order does not exist.")
    return answers.order(row)


def _cancel(ask: Ask) -> Json:
    row = _find(ask)
    if row is None:
        raise ApiError(-2011, "Unknown order sent.")
    ask.venue.orders.cancel(row, ask.venue.now_ms())
    ask.venue.changed()
    cancel_id = ask.params.text("newClientOrderId") or f"simulated{ask.venue.books.serial('client')}"
    return answers.order_cancelled(row, cancel_id)


def _open(ask: Ask) -> list[Json]:
    return [answers.order(row) for row in ask.venue.open_rows(ask.params.text("symbol"))]


def _all(ask: Ask) -> list[Json]:
    rows, order_id = _history(ask), ask.params.integer("orderId")
    if order_id is not None:
        rows = [row for row in rows if row.order_id >= order_id]
    return [answers.order(row) for row in _page(ask.params, rows, oldest_first=order_id is not None)]


def _trades(ask: Ask) -> list[Json]:
    params = ask.params
    order_id, from_id = params.integer("orderId"), params.integer("fromId")
    if from_id is not None and ("startTime" in params or "endTime" in params):
        raise ApiError(-1128, "Combination of optional parameters invalid.")
    found: list[tuple[OrderRow, Fill]] = [
        (row, fill)
        for row in _history(ask)
        if order_id in {None, row.order_id}
        for fill in row.fills
        if from_id is None or fill.trade_id >= from_id
    ]
    page = _page(params, found, oldest_first=from_id is not None)
    return [answers.trade(row, fill, quote_amount(fill.price, fill.qty)) for row, fill in page]


def _history(ask: Ask) -> list[OrderRow]:
    """The orders of the pair that histories show yet, in the time that was asked for."""
    symbol = ask.params.needed("symbol")
    ask.venue.orders.instrument(symbol)
    start, end = ask.params.integer("startTime"), ask.params.integer("endTime")
    if start is not None and end is not None and end - start > DAY_MS:
        raise ApiError(-1127, "More than 24 hours between startTime and endTime.")
    rows = [row for row in ask.venue.orders.rows(symbol) if ask.venue.visible_row(row)]
    return [row for row in rows if (start is None or row.time_ms >= start) and (end is None or row.time_ms <= end)]


def _page(params: Params, rows: list[Any], *, oldest_first: bool) -> list[Any]:
    limit = params.number("limit", _ROWS, _ROWS_MAX)
    return rows[:limit] if oldest_first or "startTime" in params else rows[-limit:]


def _account(ask: Ask) -> Json:
    venue = ask.venue
    balances = dict(venue.balances())
    if not ask.params.flag("omitZeroBalances", default=False):
        balances |= {asset: balance for asset, balance in venue.books.balances.items() if asset not in balances}
    if venue.conditions.ld_shadows:
        balances |= {f"LD{holding.asset}": Balance(holding.amount) for holding in venue.positions()}
    return answers.account(balances, venue.conditions, venue.costs, venue.now_ms())


def _commission(ask: Ask) -> Json:
    return answers.commission(ask.venue.orders.instrument(ask.params.needed("symbol")).symbol, ask.venue.costs)


def _order_count(ask: Ask) -> list[Json]:
    limits = answers.rate_limits(ask.venue.conditions.limits)[1:]
    counts = ask.venue.meter.unfilled(ask.venue.now_ms())
    return [limit | {"count": count} for limit, count in zip(limits, counts, strict=True)]


ROUTES: Routes = {
    "GET /api/v3/account": Route(_account, names("omitZeroBalances")),
    "GET /api/v3/account/commission": Route(_commission, names("symbol")),
    "POST /api/v3/order": Route(_send, _ORDER, later=_send_later),
    "POST /api/v3/order/test": Route(
        _test,
        _ORDER | {"computeCommissionRates"},
        weigh=lambda p: _TEST_WITH_RATES_WEIGHT if "computeCommissionRates" in p else _TEST_WEIGHT,
    ),
    "GET /api/v3/order": Route(_get, names("symbol orderId origClientOrderId")),
    "DELETE /api/v3/order": Route(
        _cancel, names("symbol orderId origClientOrderId newClientOrderId cancelRestrictions")
    ),
    "GET /api/v3/openOrders": Route(
        _open, names("symbol"), weigh=lambda p: _OPEN_ONE_WEIGHT if "symbol" in p else _OPEN_ALL_WEIGHT
    ),
    "GET /api/v3/allOrders": Route(_all, names("symbol orderId startTime endTime limit")),
    "GET /api/v3/myTrades": Route(
        _trades,
        names("symbol orderId startTime endTime fromId limit"),
        weigh=lambda p: _TRADES_OF_ORDER_WEIGHT if "orderId" in p else _TRADES_WEIGHT,
    ),
    "GET /api/v3/rateLimit/order": Route(_order_count),
}
