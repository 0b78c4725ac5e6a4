"""The account at Binance: balances, orders, trades; Earn and transfers are in the modules beside this one.

A send makes exactly one request and returns what is known afterwards; it never raises for what the exchange or the
network did. An answer of 2xx that does not describe the order that was sent proves nothing, and is unknown.
"""

# mypy: allow-untyped-calls
# The library annotates few of its methods; what they answer is `object` here and parsed.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from runtime.adapters.binance import earn, flows, key
from runtime.adapters.binance.client import Connection
from runtime.adapters.binance.errors import ABSENT_CODE, Fault, send_outcome
from runtime.adapters.binance.market import BinanceMarket
from runtime.adapters.binance.paging import pages, windows
from runtime.adapters.binance.payloads import (
    Row,
    as_object,
    as_rows,
    integer,
    paid,
    parse_account,
    parse_fill,
    parse_order,
    text,
)
from runtime.domain.api_key import KeyRights
from runtime.domain.market import Account, EarnPosition, EarnProduct
from runtime.domain.money import plain
from runtime.domain.orders import EarnOutcome, EarnRecord, Kind, Order, Outcome, Refused, Unknown
from runtime.domain.slots import DAY_MS
from runtime.errors import BadPayload, Misconfigured, Rejected, Unavailable
from runtime.ports import Flow, OrderRequest

ROWS_MAX = 1000
WINDOWS_MAX = 10


class BinanceExchange:
    """The port `Exchange` over a connection with credentials."""

    def __init__(self, connection: Connection) -> None:
        """Contacts nobody. `Misconfigured` without credentials."""
        if connection.credentials is None:
            raise Misconfigured("Binance", "an account needs credentials", "set the API key and its secret")
        self._connection = connection
        self._market = BinanceMarket(connection)

    def sync_clock(self, offset_ms: int) -> None:
        self._connection.sync_clock(offset_ms)

    def server_time_ms(self) -> int:
        answer = self._connection.read("server time", lambda session: session.api("time"))
        return integer(as_object(answer, "server time"), "serverTime", "server time")

    def key_rights(self) -> KeyRights:
        return key.rights(self._connection)

    def account(self) -> Account:
        answer = self._connection.read("account", lambda session: session.get_account(omitZeroBalances="true"))
        return parse_account(answer, self._listed_for(as_object(answer, "account")))

    def _listed_for(self, answer: Row) -> frozenset[str]:
        """The listed symbols, which only `LD` balances need: from the last prices, or one call where there are none."""
        names = (text(row, "asset", "account") for row in as_rows(answer.get("balances"), "account balances"))
        if any(name.startswith("LD") for name in names):
            with self._connection.listing:
                listed = self._connection.listed
            if not listed:
                self._market.prices()
        return self._connection.listed

    def earn_positions(self) -> Mapping[str, EarnPosition]:
        return earn.positions(self._connection)

    def earn_product(self, asset: str) -> EarnProduct | None:
        return earn.product(self._connection, asset)

    def send_order(self, request: OrderRequest) -> Outcome:
        answer = self._connection.once(lambda session: session.create_order(**_parameters(request)))
        if isinstance(answer, Fault):
            return send_outcome(answer, self._connection.now_ms())
        try:
            order = parse_order(answer, "order answer")
        except BadPayload as error:
            return Unknown(str(error))
        if (order.symbol, order.client_id, order.side) != (request.symbol, request.client_id, request.side):
            return Unknown("the answer describes another order")
        return order

    def test_order(self, request: OrderRequest) -> Refused | None:
        answer = self._connection.once(lambda session: session.create_test_order(**_parameters(request)))
        if not isinstance(answer, Fault):
            return None
        outcome = send_outcome(answer, self._connection.now_ms())
        if isinstance(outcome, Refused):
            return outcome
        raise Unavailable("order/test", outcome.why)

    def find_order(self, symbol: str, client_id: str) -> Order | None:
        try:
            answer = self._connection.read(
                f"{symbol} order", lambda session: session.get_order(symbol=symbol, origClientOrderId=client_id)
            )
        except Rejected as error:
            if error.code == ABSENT_CODE:
                return None
            raise
        return parse_order(answer, f"{symbol} order {client_id}")

    def orders_since(self, symbol: str, since_ms: int) -> Sequence[Order]:
        now_ms = self._connection.now_ms()
        if now_ms - since_ms > WINDOWS_MAX * DAY_MS:
            rows = self._orders_from(symbol, 1)
        else:
            rows = self._orders_by_day(symbol, since_ms, now_ms)
        orders = sorted((parse_order(row, f"{symbol} orders") for row in rows), key=lambda o: (o.time_ms, o.order_id))
        return [order for order in orders if order.time_ms >= since_ms]

    def _orders_by_day(self, symbol: str, since_ms: int, now_ms: int) -> list[Row]:
        rows: list[Row] = []
        for start, end in windows(since_ms, now_ms, DAY_MS):
            page = self._orders(symbol, startTime=start, endTime=end)
            rows += page
            if len(page) == ROWS_MAX:  # ids only grow: the rest, of this window and of those after it, follows by id
                return rows + self._orders_from(symbol, _last_id(page, "orderId") + 1)
        return rows

    def _orders_from(self, symbol: str, first_id: int) -> list[Row]:
        following = first_id

        def fetch(_page: int) -> Sequence[Row]:
            nonlocal following
            rows = self._orders(symbol, orderId=following)
            following = _last_id(rows, "orderId") + 1 if rows else following
            return rows

        return pages(f"{symbol} orders", ROWS_MAX, fetch)

    def _orders(self, symbol: str, **where: int) -> Sequence[Row]:
        answer = self._connection.read(
            f"{symbol} orders", lambda session: session.get_all_orders(symbol=symbol, limit=ROWS_MAX, **where)
        )
        return as_rows(answer, f"{symbol} orders")

    def open_orders(self) -> Sequence[Order]:
        answer = self._connection.read("open orders", lambda session: session.get_open_orders())
        return [parse_order(row, "open orders") for row in as_rows(answer, "open orders")]

    def trades_since(self, symbol: str, since_ms: int) -> Sequence[int]:
        rows = self._trades(f"{symbol} trades", symbol, startTime=since_ms)
        return list(dict.fromkeys(integer(row, "orderId", f"{symbol} trades") for row in rows))

    def with_fills(self, order: Order) -> Order:
        if not order.executed_qty or (order.fills and order.fills_complete):
            return order
        where = f"{order.symbol} trades of order {order.order_id}"
        fills = tuple(parse_fill(row, "id", where) for row in self._trades(where, order.symbol, orderId=order.order_id))
        complete = replace(order, fills=tuple(sorted(fills, key=lambda fill: fill.trade_id)))
        if not complete.fills_complete:
            return order
        return complete if order.quote_qty else replace(complete, quote_qty=paid(fills))

    def _trades(self, where: str, symbol: str, **first: int) -> list[Row]:
        """The trades that `first` asks for, in pages: those after the first follow by id, which excludes times."""
        asked = first
        kept = {name: value for name, value in first.items() if name == "orderId"}

        def fetch(_page: int) -> Sequence[Row]:
            nonlocal asked
            answer = self._connection.read(
                where, lambda session: session.get_my_trades(symbol=symbol, limit=ROWS_MAX, **asked)
            )
            rows = as_rows(answer, where)
            asked = {**kept, "fromId": _last_id(rows, "id") + 1} if rows else asked
            return rows

        return pages(where, ROWS_MAX, fetch)

    def send_earn(self, kind: Kind, product_id: str, amount: Decimal, timestamp_ms: int) -> EarnOutcome:
        return earn.send(self._connection, kind, product_id, amount, timestamp_ms)

    def earn_records(self, kind: Kind, asset: str, since_ms: int) -> Sequence[EarnRecord]:
        return earn.records(self._connection, kind, asset, since_ms)

    def flows(self, since_ms: int) -> Sequence[Flow]:
        return flows.flows(self._connection, since_ms)


def _parameters(request: OrderRequest) -> dict[str, str | int]:
    """A market order as text: the library would write a Decimal as `1E+1`, and invent an id if it got none."""
    return {
        "symbol": request.symbol,
        "side": request.side.value,
        "type": "MARKET",
        "quantity": plain(request.quantity),
        "newClientOrderId": request.client_id,
        "newOrderRespType": "FULL",
        "timestamp": request.timestamp_ms,
    }


def _last_id(rows: Sequence[Row], key: str) -> int:
    ids = [row.get(key) for row in rows]
    known = [found for found in ids if isinstance(found, int)]
    if len(known) != len(ids):
        raise BadPayload(key, ids, "must be an integer in every row")
    return max(known)
