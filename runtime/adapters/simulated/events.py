"""What happens to an account without the engine: deposits, withdrawals, manual trades, bonus rewards, halts.

Scenarios call these; the engine under test learns of them only through its ports.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from runtime.adapters.simulated.books import Draft, Transfer, check_amount
from runtime.adapters.simulated.venue import Venue
from runtime.domain.orders import Order, Side
from runtime.errors import BadInput


class Events:
    """The hand of the outside world. Amounts are units of the asset, at most 8 decimals."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    @contextmanager
    def _moment(self) -> Iterator[int]:
        """The exchange's time, with everything settled that is due by then, and saved afterwards."""
        with self._venue.lock:
            self._venue.settle()
            yield self._venue.now_ms()
            self._venue.changed()

    def deposit(self, asset: str, amount: Decimal) -> None:
        """Money arrives, with a record."""
        self._transfer(asset, amount)

    def withdraw(self, asset: str, amount: Decimal) -> None:
        """Money leaves, with a record."""
        self._transfer(asset, -amount)

    def grant(self, asset: str, amount: Decimal) -> None:
        """A balance changes (+ or −) and no record explains it."""
        with self._moment():
            self._venue.books.grant(asset, amount)

    def pay_bonus(self, asset: str, amount: Decimal) -> None:
        """A bonus reward of Earn is paid to spot, with a record."""
        check_amount(asset, amount)
        with self._moment() as now_ms:
            self._venue.earn.bonus(asset, amount, now_ms)

    def manual_trade(self, symbol: str, side: Side, quantity: Decimal, client_id: str = "web_manual") -> Order:
        """The operator trades by hand, in any weather; `ApiError` where Binance would refuse."""
        with self._moment():
            return self._venue.place(Draft(symbol, side, client_id, quantity)).order(fills=True)

    def rest_order(self, draft: Draft, price: Decimal) -> Order:
        """The operator leaves a limit order open; its funds are locked."""
        with self._moment() as now_ms:
            row = self._venue.orders.rest(draft, price, now_ms)
            self._venue.meter.count_order(1, now_ms)
            return row.order(fills=False)

    def cancel(self, symbol: str, order_id: int) -> None:
        """The operator cancels an open order."""
        with self._moment() as now_ms:
            row = next((row for row in self._venue.orders.open(symbol) if row.order_id == order_id), None)
            if row is None:
                raise BadInput("order_id", order_id, f"must name an open order of {symbol}")
            self._venue.orders.cancel(row, now_ms)

    def halt(self, symbol: str, status: str = "HALT") -> None:
        """The exchange stops a pair (`HALT`, `BREAK`, `CANCEL_ONLY`), or lists it as `TRADING` again."""
        self._venue.orders.statuses[symbol] = status

    def _transfer(self, asset: str, amount: Decimal) -> None:
        check_amount(asset, amount)
        with self._moment() as now_ms:
            books = self._venue.books
            books.add(asset, amount, now_ms)
            books.transfers.append(Transfer(books.serial("transfer"), asset, amount, now_ms))
