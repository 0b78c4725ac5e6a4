"""The order desk: places, finds, lists and cancels orders in the books.

A client order id is a look-up key and nothing more: it is refused only while an order of that id is still open. Market
orders close at once, so sending one twice buys twice, as at Binance. A look-up by id gives the newest order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from runtime.adapters.simulated.books import Books, Draft, OrderRow
from runtime.adapters.simulated.conditions import Conditions, Costs
from runtime.adapters.simulated.matching import (
    Ticket,
    bnb_price,
    check_filters,
    commission,
    executed,
    parts,
    quote_amount,
    ticket,
)
from runtime.adapters.simulated.refusals import DUPLICATE, ApiError, filter_failure, illegal
from runtime.domain.changing import changed
from runtime.domain.instruments import Instrument
from runtime.domain.money import FUEL, ZERO
from runtime.domain.orders import Fill, Side
from runtime.errors import Rejected
from runtime.ports import MarketData

CLIENT_ID_RANGE = "^[a-zA-Z0-9-_]{1,36}$"
NO_MONEY = "Account has insufficient balance for requested action."
_CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_]{1,36}")


class OrderDesk:
    """Orders of one account. `statuses` overrides what the market says of a pair (scenarios halt one)."""

    def __init__(self, market: MarketData, books: Books) -> None:
        self._market, self._books = market, books
        self._open = [row for rows in books.orders.values() for row in rows if row.open]
        self.statuses: dict[str, str] = {}

    def instrument(self, symbol: str) -> Instrument:
        """The pair as it is now; −1121 for an unknown one."""
        try:
            found = self._market.instruments([symbol])[1][symbol]
        except Rejected as error:
            raise ApiError(error.code, error.message) from None
        return changed(found, status=self.statuses[symbol]) if symbol in self.statuses else found

    def price(self, symbol: str) -> Decimal:
        """The market's price of a pair; `Market is closed.` where it has none."""
        price = self._market.prices().get(symbol)
        if price is None:
            raise ApiError(-2010, "Market is closed.")
        return price

    def check(self, draft: Draft, costs: Costs) -> Ticket:
        """Everything that is refused before matching, but the balance: what `order/test` checks."""
        if not _CLIENT_ID.fullmatch(draft.client_id):
            raise illegal("newClientOrderId", CLIENT_ID_RANGE)
        instrument = self.instrument(draft.symbol)
        if any(row.client_id == draft.client_id for row in self.open(draft.symbol)):
            raise ApiError(-2010, DUPLICATE)
        order = ticket(draft, instrument, self.price(draft.symbol), costs)
        if order.buys and instrument.max_position > 0:
            self._check_position(instrument, order.quantity)
        return order

    def place(self, draft: Draft, conditions: Conditions, now_ms: int) -> OrderRow:
        """Check and match a market order at `now_ms`; the books hold it and its trades afterwards."""
        order = self.check(draft, conditions.costs)
        number, split = self._books.serials.get(f"order:{draft.symbol}", 0) + 1, conditions.costs.fills_max > 1
        rng = conditions.rng(draft.symbol, number) if split else None
        wanted = parts(order, order.quantity, conditions.costs, rng)
        done = executed(order, conditions.costs)
        matched = wanted if done == order.quantity else parts(order, done, conditions.costs, rng)
        if max(_given(order, wanted), _given(order, matched)) > self._books.free(order.pays):
            raise ApiError(-2010, NO_MONEY)
        return self._book(order, matched, conditions.costs, now_ms)

    def rest(self, draft: Draft, price: Decimal, now_ms: int) -> OrderRow:
        """An open limit order at `price`, as an operator may leave one behind; its funds are locked."""
        instrument = self.instrument(draft.symbol)
        if any(row.client_id == draft.client_id for row in self.open(draft.symbol)):
            raise ApiError(-2010, DUPLICATE)
        quantity = draft.quantity or ZERO
        check_filters(instrument, quantity, price)
        row = self._row(draft, quantity, "LIMIT", now_ms)
        row.price, row.status = price, "NEW"
        asset, amount = self._locked_by(row, instrument)
        if amount > self._books.free(asset):
            raise ApiError(-2010, NO_MONEY)
        self._books.lock(asset, amount, now_ms)
        self._open.append(row)
        return self._keep(row)

    def cancel(self, row: OrderRow, now_ms: int) -> None:
        """Cancel an open order and free its funds; −2011 for one that is finished."""
        if not row.open:
            raise ApiError(-2011, "Unknown order sent.")
        asset, amount = self._locked_by(row, self.instrument(row.symbol))
        self._books.lock(asset, -amount, now_ms)
        self._open.remove(row)
        row.status, row.update_ms = "CANCELED", now_ms

    def rows(self, symbol: str) -> Sequence[OrderRow]:
        """Every order of a pair, oldest first."""
        return self._books.orders.get(symbol, ())

    def open(self, symbol: str) -> list[OrderRow]:
        """The open orders of a pair, oldest first."""
        return [row for row in self._open if row.symbol == symbol]

    def open_symbols(self) -> list[str]:
        """The pairs that have open orders, in alphabetical order."""
        return sorted({row.symbol for row in self._open})

    def newest(self, symbol: str, client_id: str, until_ms: int) -> OrderRow | None:
        """The newest order with this client id that was made at or before `until_ms`."""
        rows = reversed(self._books.orders.get(symbol, ()))
        return next((row for row in rows if row.client_id == client_id and row.time_ms <= until_ms), None)

    def _check_position(self, instrument: Instrument, quantity: Decimal) -> None:
        held = self._books.free(instrument.base) + self._books.locked(instrument.base)
        coming = sum((r.quantity - r.executed_qty for r in self.open(instrument.symbol) if r.side is Side.BUY), ZERO)
        if held + coming + quantity > instrument.max_position:
            raise filter_failure("MAX_POSITION")

    def _book(self, order: Ticket, matched: list[tuple[Decimal, Decimal]], costs: Costs, now_ms: int) -> OrderRow:
        row = self._row(order.draft, order.quantity, "MARKET", now_ms)
        fuel_price = bnb_price(order.instrument, self._market.prices()) if costs.bnb_discount else ZERO
        fills: list[Fill] = []
        for part in matched:
            value = quote_amount(*part)
            gives, gets = (value, part[1]) if order.buys else (part[1], value)
            self._books.add(order.pays, -gives, now_ms)
            self._books.add(order.receives, gets, now_ms)
            fill = commission(order, part, costs, (self._books.free(FUEL), fuel_price))
            self._books.add(fill.commission_asset, -fill.commission, now_ms)
            fills.append(changed(fill, trade_id=self._books.serial(f"trade:{row.symbol}")))
            row.quote_qty += value
        row.fills = tuple(fills)
        row.executed_qty = sum((fill.qty for fill in fills), ZERO)
        row.status = "FILLED" if row.executed_qty == row.quantity else "EXPIRED"
        return self._keep(row)

    def _row(self, draft: Draft, quantity: Decimal, kind: str, now_ms: int) -> OrderRow:
        return OrderRow(
            symbol=draft.symbol,
            order_id=self._books.serial(f"order:{draft.symbol}"),
            client_id=draft.client_id,
            side=draft.side,
            type=kind,
            status="NEW",
            quantity=quantity,
            quote_quantity=draft.quote_quantity or ZERO,
            price=ZERO,
            executed_qty=ZERO,
            quote_qty=ZERO,
            time_ms=now_ms,
            update_ms=now_ms,
        )

    def _keep(self, row: OrderRow) -> OrderRow:
        self._books.orders.setdefault(row.symbol, []).append(row)
        return row

    @staticmethod
    def _locked_by(row: OrderRow, instrument: Instrument) -> tuple[str, Decimal]:
        rest = row.quantity - row.executed_qty
        if row.side is Side.BUY:
            return instrument.quote, quote_amount(row.price, rest)
        return instrument.base, rest


def _given(order: Ticket, matched: list[tuple[Decimal, Decimal]]) -> Decimal:
    """What these parts take of the asset that the order pays with."""
    return sum((quote_amount(*part) if order.buys else part[1] for part in matched), ZERO)
