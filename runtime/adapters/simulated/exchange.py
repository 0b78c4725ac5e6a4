"""The simulated exchange in process: the ports `MarketData` and `Exchange`, in domain types, without a byte of JSON.

It behaves as a careful adapter in front of Binance would: the same endpoints are counted and weighed, sends return an
outcome and never raise, reads raise the errors of the ports. Signed requests carry a timestamp of this machine's clock
plus the offset given to `sync_clock` (an order its own), and are refused outside the window like any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from typing import TypeVar

from runtime.adapters.simulated import persistence
from runtime.adapters.simulated.books import Books, Draft, Late, OrderRow
from runtime.adapters.simulated.conditions import FIXTURE, KEY_ENDPOINT, Conditions
from runtime.adapters.simulated.earn import BONUS, product_id
from runtime.adapters.simulated.events import Events
from runtime.adapters.simulated.meter import EARN
from runtime.adapters.simulated.refusals import ApiError, check_time, outcome, read_error
from runtime.adapters.simulated.venue import Call, EarnAsk, Faulted, Venue
from runtime.domain.api_key import KeyRights, account_digest
from runtime.domain.changing import changed
from runtime.domain.instruments import Instrument
from runtime.domain.market import Account, Candle, EarnPosition, EarnProduct
from runtime.domain.orders import EarnDone, EarnOutcome, EarnRecord, Kind, Order, Outcome, Refused, Unknown
from runtime.errors import Unavailable
from runtime.ports import Clock, Flow, MarketData, OrderRequest

T = TypeVar("T")
_RECORDS = {Kind.REDEEM: "redemptionRecord", Kind.SUBSCRIBE: "subscriptionRecord"}
_TRADES_OF_ORDER_WEIGHT = 5
FLOW_KINDS = ("deposit", "withdrawal", "reward")


class SimulatedExchange:
    """One account at a simulated Binance over any `MarketData`. `events` is what happens without the engine."""

    def __init__(
        self, market: MarketData, clock: Clock, conditions: Conditions = FIXTURE, books: Books | None = None
    ) -> None:
        """Without `books`, an empty account."""
        self.venue = Venue(market, clock, conditions, Books() if books is None else books)
        self.events = Events(self.venue)
        self._clock = clock
        self._offset_ms = 0

    @property
    def calls(self) -> Counter[str]:
        """Calls so far by endpoint, such as `GET /api/v3/account`."""
        return self.venue.meter.calls

    def autosave(self, path: Path) -> None:
        """Keep the books in `path` from now on: written after every change, before the caller gets its answer."""
        self.venue.save = lambda books: persistence.save(books, path)

    def server_time_ms(self) -> int:
        return self._read(Call("GET /api/v3/time", "server time"), self.venue.now_ms)

    def prices(self) -> Mapping[str, Decimal]:
        return self._read(Call("GET /api/v3/ticker/price", "prices"), self.venue.market.prices)

    def instruments(self, symbols: Sequence[str]) -> tuple[int, Mapping[str, Instrument]]:
        venue, call = self.venue, Call("GET /api/v3/exchangeInfo", "exchangeInfo")
        return self._read(call, lambda: (venue.now_ms(), venue.instruments(symbols)))

    def candles(self, symbol: str, interval: str, start_ms: int | None, limit: int) -> Sequence[Candle]:
        call = Call("GET /api/v3/klines", f"{symbol} klines")
        return self._read(call, lambda: self.venue.candles(symbol, interval, start_ms, limit))

    def sync_clock(self, offset_ms: int) -> None:
        self._offset_ms = offset_ms

    def key_rights(self) -> KeyRights:
        def work() -> KeyRights:
            key = self.venue.conditions.key
            return KeyRights(
                reading=key.reading,
                trading=key.trading,
                withdrawals=key.withdrawals,
                ip_restricted=key.ip_restricted,
                expires_ms=key.expires_ms,
                others=tuple(sorted(key.others)),
            )

        return self._signed(Call(KEY_ENDPOINT, "API key"), work)

    def account(self) -> Account:
        def work() -> Account:
            key = self.venue.conditions.key
            whose = "" if key.uid is None else account_digest(str(key.uid))
            return Account(self.venue.balances(), key.account_trades, whose)

        return self._signed(Call("GET /api/v3/account", "account"), work)

    def earn_positions(self) -> Mapping[str, EarnPosition]:
        def work() -> Mapping[str, EarnPosition]:
            venue, terms = self.venue, self.venue.conditions.earn
            return {
                holding.asset: EarnPosition(
                    asset=holding.asset,
                    product_id=product_id(holding.asset),
                    total=holding.amount,
                    rewards=holding.rewards,
                    can_redeem=holding.asset not in terms.redeem_closed,
                    auto_subscribe=holding.auto_subscribe,
                )
                for holding in venue.positions()
            }

        return self._signed(Call(f"GET {EARN}/position", "Earn positions"), work)

    def earn_product(self, asset: str) -> EarnProduct | None:
        terms = self.venue.conditions.earn
        listed = self._signed(Call(f"GET {EARN}/list", f"Earn products of {asset}"), lambda: asset in terms.apr)
        if not listed:
            return None
        quota = self._signed(
            Call(f"GET {EARN}/personalLeftQuota", f"Earn quota of {product_id(asset)}"),
            lambda: self.venue.earn.left_quota(asset, terms, self.venue.now_ms()),
        )
        return EarnProduct(asset, product_id(asset), terms.min_purchase, asset not in terms.sold_out, quota)

    def find_order(self, symbol: str, client_id: str) -> Order | None:
        call = Call("GET /api/v3/order", f"{symbol} order")
        row = self._signed(call, lambda: self.venue.find(symbol, client_id))
        return None if row is None else row.order(fills=False)

    def orders_since(self, symbol: str, since_ms: int) -> Sequence[Order]:
        call = Call("GET /api/v3/allOrders", f"{symbol} orders")
        rows = self._signed(call, lambda: self._history(symbol))
        return [row.order(fills=False) for row in rows if row.time_ms >= since_ms]

    def open_orders(self) -> Sequence[Order]:
        rows = self._signed(Call("GET /api/v3/openOrders", "open orders"), self.venue.open_rows)
        return [row.order(fills=False) for row in rows]

    def trades_since(self, symbol: str, since_ms: int) -> Sequence[int]:
        call = Call("GET /api/v3/myTrades", f"{symbol} trades")
        rows = self._signed(call, lambda: self._history(symbol))
        return [row.order_id for row in rows if row.fills and row.update_ms >= since_ms]

    def with_fills(self, order: Order) -> Order:
        what = f"{order.symbol} trades of order {order.order_id}"
        call = Call("GET /api/v3/myTrades", what, weight=_TRADES_OF_ORDER_WEIGHT)
        rows = reversed(self.venue.orders.rows(order.symbol))
        row = self._signed(call, lambda: next((row for row in rows if row.order_id == order.order_id), None))
        return changed(order, fills=row.fills) if row is not None and self.venue.visible_row(row) else order

    def earn_records(self, kind: Kind, asset: str, since_ms: int) -> Sequence[EarnRecord]:
        def work() -> Sequence[EarnRecord]:
            recent = [*takewhile(lambda move: move.time_ms >= since_ms, reversed(self.venue.books.moves))]
            return [
                EarnRecord(m.move_id, m.kind, m.asset, m.amount, m.time_ms, m.settled)
                for m in self.venue.recorded(recent[::-1])
                if m.kind is kind and m.asset == asset
            ]

        return self._signed(Call(f"GET {EARN}/history/{_RECORDS[kind]}", f"Earn {kind} records of {asset}"), work)

    def flows(self, since_ms: int) -> Sequence[Flow]:
        deposits = self._signed(Call("GET /sapi/v1/capital/deposit/hisrec", "deposits"), lambda: self._transfers(1))
        withdrawals = self._signed(
            Call("GET /sapi/v1/capital/withdraw/history", "withdrawals"), lambda: self._transfers(-1)
        )
        rewards = self._signed(Call(f"GET {EARN}/history/rewardsRecord", "Earn rewards"), self._bonuses)
        found = (flow for flow in (*deposits, *withdrawals, *rewards) if flow.time_ms >= since_ms)
        return sorted(found, key=lambda flow: (flow.time_ms, flow.id))

    def send_order(self, request: OrderRequest) -> Outcome:
        draft = Draft(request.symbol, request.side, request.client_id, request.quantity)
        call = Call("POST /api/v3/order", later=self._later(request.timestamp_ms, lambda due: Late(due, order=draft)))
        made = self._send(call, request.timestamp_ms, lambda: self.venue.place(draft))
        return made.order(fills=True) if isinstance(made, OrderRow) else made

    def test_order(self, request: OrderRequest) -> Refused | None:
        draft = Draft(request.symbol, request.side, request.client_id, request.quantity)
        call = Call("POST /api/v3/order/test", f"{request.symbol} test order")
        checked = self._send(call, request.timestamp_ms, lambda: self.venue.orders.check(draft, self.venue.costs))
        if isinstance(checked, Unknown):
            raise read_error(call.what, None, self.venue.now_ms())
        return checked if isinstance(checked, Refused) else None

    def send_earn(self, kind: Kind, product_id: str, amount: Decimal, timestamp_ms: int) -> EarnOutcome:
        ask: EarnAsk = (kind, product_id, amount)
        later = self._later(timestamp_ms, lambda due: Late(due, move=ask))
        call = Call(f"POST {EARN}/{kind.value}", later=later)
        made = self._send(call, timestamp_ms, lambda: self.venue.move(ask))
        return made if isinstance(made, Refused | Unknown) else EarnDone(made.move_id)

    def _send(self, call: Call, timestamp_ms: int, work: Callable[[], T]) -> T | Refused | Unknown:
        def timed() -> T:
            self._admit(call, timestamp_ms)
            return work()

        try:
            return self.venue.serve(call, timed)
        except ApiError as error:
            return outcome(error, self.venue.now_ms())
        except Faulted as lost:
            return outcome(lost.fault.error, self.venue.now_ms())
        except Unavailable as error:  # the market behind the exchange: over the socket, a server error
            return Unknown(str(error))

    def _read(self, call: Call, work: Callable[[], T]) -> T:
        try:
            return self.venue.serve(call, work)
        except ApiError as error:
            raise read_error(call.what, error, self.venue.now_ms()) from None
        except Faulted as lost:
            raise read_error(call.what, lost.fault.error, self.venue.now_ms()) from None

    def _signed(self, call: Call, work: Callable[[], T]) -> T:
        timestamp_ms = self._clock.now_ms() + self._offset_ms

        def timed() -> T:
            self._admit(call, timestamp_ms)
            return work()

        return self._read(call, timed)

    def _admit(self, call: Call, timestamp_ms: int) -> None:
        self.venue.check_rights(call.endpoint)
        self._check_time(timestamp_ms)

    def _check_time(self, timestamp_ms: int) -> None:
        check_time(timestamp_ms, self.venue.now_ms(), self.venue.conditions.recv_window_ms)

    def _later(self, timestamp_ms: int, late: Callable[[int], Late]) -> Callable[[int], None]:
        def postpone(due_ms: int) -> None:
            self._check_time(timestamp_ms)
            self.venue.postpone(late(due_ms))

        return postpone

    def _history(self, symbol: str) -> list[OrderRow]:
        self.venue.orders.instrument(symbol)
        return [row for row in self.venue.orders.rows(symbol) if self.venue.visible_row(row)]

    def _transfers(self, sign: int) -> list[Flow]:
        kind = FLOW_KINDS[0] if sign > 0 else FLOW_KINDS[1]
        return [
            Flow(f"{kind}:{t.id}", kind, t.asset, t.amount, t.time_ms if sign > 0 else t.time_ms // 1000 * 1000)
            for t in self.venue.recorded(self.venue.books.transfers)
            if t.amount * sign > 0
        ]

    def _bonuses(self) -> list[Flow]:
        return [
            Flow(f"reward:{r.asset}:{r.time_ms}", FLOW_KINDS[2], r.asset, r.amount, r.time_ms)
            for r in self.venue.recorded(self.venue.books.rewards)
            if r.kind == BONUS
        ]
