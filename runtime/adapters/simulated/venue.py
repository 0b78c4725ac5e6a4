"""The venue: one account's exchange, asked by one caller at a time.

Everything that reaches it, in process or over a socket, goes through `serve`: count the call, let the weather do its
worst, charge the weight, let what was on its way take effect, do the work. That is why both ways give the same hour.
A refusal leaves as `ApiError`, a lost answer as `Faulted`; each edge makes of them what its callers expect.

Order of checks: rate limit → key → timestamp → signature → parameters → pair → filters → balance → match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from threading import RLock
from typing import TypeVar

from runtime.adapters.simulated.books import Books, Draft, EarnMove, Holding, Late, OrderRow, Place, Reward, Transfer
from runtime.adapters.simulated.conditions import Conditions, Costs, Effect, Fault
from runtime.adapters.simulated.earn import EarnDesk
from runtime.adapters.simulated.meter import FREE_WHEN_ACCEPTED, WEIGHTS, Meter
from runtime.adapters.simulated.orders import OrderDesk
from runtime.adapters.simulated.refusals import ApiError
from runtime.domain.instruments import Instrument
from runtime.domain.market import Balance, Candle
from runtime.domain.money import ZERO, Dec
from runtime.domain.orders import Kind
from runtime.errors import EngineError, Rejected
from runtime.ports import Clock, MarketData

T = TypeVar("T")
R = TypeVar("R", EarnMove, Reward, Transfer)
EarnAsk = tuple[Kind, str, Dec]
"""An Earn move as asked for: kind, product id, amount; an amount of 0 in a redemption means all."""


class Faulted(EngineError):
    """The caller does not get the right answer; `fault` says what it gets instead."""

    def __init__(self, fault: Fault) -> None:
        """What went wrong."""
        super().__init__(f"fault: {fault}")
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its endpoint, its name in errors, its weight (None = the table's), and what to do if it must take
    effect later.
    """

    endpoint: str
    what: str = ""
    weight: int | None = None
    later: Callable[[int], None] | None = None


class Venue:
    """Books, desks, meter and weather of one account."""

    def __init__(self, market: MarketData, clock: Clock, conditions: Conditions, books: Books) -> None:
        self.market, self.books = market, books
        self.meter = Meter()
        self.lock = RLock()
        self.orders = OrderDesk(market, books)
        self.earn = EarnDesk(books)
        self.save: Callable[[Books], None] | None = None
        """Called after every change of the books (paper mode keeps them in a file)."""
        self._clock = clock
        self._conditions = conditions
        self._asked: dict[str, int] = {}

    @property
    def conditions(self) -> Conditions:
        """The weather."""
        return self._conditions

    @conditions.setter
    def conditions(self, conditions: Conditions) -> None:
        """Change the weather; faults count calls from here on."""
        with self.lock:
            self._conditions = conditions
            self._asked.clear()

    @property
    def costs(self) -> Costs:
        """What trading costs now, with the account's own BNB switch where it was used."""
        burn = self.books.bnb_burn
        costs = self._conditions.costs
        return costs if burn is None else replace(costs, bnb_discount=burn)

    def now_ms(self) -> int:
        """The exchange's clock."""
        return self._clock.now_ms() + self._conditions.skew_ms

    def serve(self, call: Call, work: Callable[[], T]) -> T:
        """Do `work` under this call's weather; `ApiError` for a refusal, `Faulted` for a lost answer."""
        with self.lock:
            number = self._asked[call.endpoint] = self._asked.get(call.endpoint, 0) + 1
            self.meter.calls[call.endpoint] += 1
            fault = self._conditions.faults.at(call.endpoint, number)
        if fault is None:
            return self._do(call, work)
        self._wait(fault.delay_in_ms)
        if not fault.fails:
            result = self._do(call, work)
            self._wait(fault.delay_out_ms)
            return result
        with suppress(ApiError):  # the right answer, also a refusal, is lost: the fault is all the caller sees
            if fault.effect is Effect.NOW:
                self._do(call, work)
            elif fault.effect is Effect.LATER and call.later is not None:
                later = call.later
                self._do(call, lambda: later(self.now_ms() + fault.after_ms))
        self._wait(fault.delay_out_ms)
        raise Faulted(fault)

    def check_rights(self, endpoint: str) -> None:
        """−2015 for a signed call that the account's key may not make."""
        if not self._conditions.key.allows(endpoint, self.now_ms()):
            raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.", 401)

    def settle(self) -> None:
        """Let everything take effect that is due by now, in the order it is due; an order at the present price."""
        now_ms = self.now_ms()
        due = sorted((late for late in self.books.late if late.due_ms <= now_ms), key=lambda late: late.due_ms)
        for late in due:
            self.books.late.remove(late)
            self.earn.settle(self._conditions.earn, late.due_ms)
            with suppress(ApiError):  # refused after all: nobody is told
                if late.order is not None:
                    self._match(late.order, late.due_ms)
                elif late.move is not None:
                    self._move(late.move, late.due_ms)
        if self.earn.settle(self._conditions.earn, now_ms) or due:
            self.changed()

    def place(self, draft: Draft) -> OrderRow:
        """Match a market order now."""
        now_ms = self.now_ms()
        self.meter.admit_order(now_ms, self._conditions.limits)
        row = self._match(draft, now_ms)
        self.meter.count_order(1, now_ms)
        if row.fills:
            self.meter.count_order(-1, now_ms)
        self.changed()
        return row

    def move(self, ask: EarnAsk) -> EarnMove:
        """Accept an Earn move now."""
        made = self._move(ask, self.now_ms())
        self.earn.settle(self._conditions.earn, self.now_ms())
        self.changed()
        return made

    def postpone(self, late: Late) -> None:
        """Let a request take effect later."""
        self.books.late.append(late)
        self.changed()

    def balances(self) -> Mapping[str, Balance]:
        """Spot balances that are not empty, as they were `delays.balances_ms` ago."""
        shown = dict(self.books.balances)
        lag_ms = self._conditions.delays.balances_ms
        if lag_ms:
            for movement in self.books.since(self.now_ms() - lag_ms, Place.SPOT):
                balance = shown[movement.asset]
                shown[movement.asset] = Balance(max(ZERO, balance.free - movement.amount), balance.locked)
        return {asset: balance for asset, balance in shown.items() if balance.free or balance.locked}

    def positions(self) -> list[Holding]:
        """Earn positions that are not empty, as they were `delays.balances_ms` ago."""
        terms, lag_ms = self._conditions.earn, self._conditions.delays.balances_ms
        found = (self.earn.position(asset, terms, self.now_ms(), lag_ms) for asset in self.books.holdings)
        return [holding for holding in found if holding is not None]

    def recorded(self, rows: Sequence[R]) -> list[R]:
        """The rows of a history that it shows yet."""
        until_ms = self.now_ms() - self._conditions.delays.records_ms
        return [row for row in rows if row.time_ms <= until_ms]

    def visible_row(self, row: OrderRow) -> bool:
        """Whether histories of orders and trades show this order yet."""
        return row.update_ms + self._conditions.delays.history_ms <= self.now_ms()

    def find(self, symbol: str, client_id: str) -> OrderRow | None:
        """The newest order with this client id that can be looked up yet; −1121 for an unknown pair."""
        self.orders.instrument(symbol)
        return self.orders.newest(symbol, client_id, self.now_ms() - self._conditions.delays.order_ms)

    def open_rows(self, symbol: str | None = None) -> list[OrderRow]:
        """The open orders of a pair, or of all, that can be looked up yet; −1121 for an unknown pair."""
        if symbol is not None:
            self.orders.instrument(symbol)
        until_ms = self.now_ms() - self._conditions.delays.order_ms
        symbols = self.orders.open_symbols() if symbol is None else [symbol]
        return [row for name in symbols for row in self.orders.open(name) if row.time_ms <= until_ms]

    def market_price(self, symbol: str) -> Decimal:
        """The market's price of a pair; −1121 where it has none."""
        price = self.market.prices().get(symbol)
        if price is None:
            raise ApiError(-1121, "Invalid symbol.")
        return price

    def instruments(self, symbols: Sequence[str]) -> dict[str, Instrument]:
        """The named pairs as they are now; −1121 if one is unknown."""
        with _refusing():
            found = self.market.instruments(symbols)[1]
        changed = self.orders.statuses
        return {s: replace(i, status=changed[s]) if s in changed else i for s, i in found.items()}

    def candles(self, symbol: str, interval: str, start_ms: int | None, limit: int) -> Sequence[Candle]:
        """The market's candles; −1121 for an unknown pair."""
        with _refusing():
            return self.market.candles(symbol, interval, start_ms, limit)

    def changed(self) -> None:
        """Save the books, where somebody asked for it."""
        if self.save is not None:
            self.save(self.books)

    def _do(self, call: Call, work: Callable[[], T]) -> T:
        weight = WEIGHTS[call.endpoint] if call.weight is None else call.weight
        free = call.endpoint in FREE_WHEN_ACCEPTED
        with self.lock:
            self.meter.admit(call.endpoint, 0 if free else weight, self.now_ms(), self._conditions.limits)
            self.settle()
            try:
                return work()
            except ApiError:
                if free:
                    self.meter.charge(call.endpoint, weight)
                raise

    def _match(self, draft: Draft, now_ms: int) -> OrderRow:
        costs, conditions = self.costs, self._conditions
        return self.orders.place(
            draft, conditions if costs is conditions.costs else replace(conditions, costs=costs), now_ms
        )

    def _move(self, ask: EarnAsk, now_ms: int) -> EarnMove:
        kind, product, amount = ask
        if kind is Kind.REDEEM:
            return self.earn.redeem(product, amount or None, self._conditions.earn, now_ms)
        return self.earn.subscribe(product, amount, self._conditions.earn, now_ms)

    def _wait(self, ms: int) -> None:
        if ms:
            self._clock.sleep(ms / 1000)


@contextmanager
def _refusing() -> Iterator[None]:
    """The market's own refusals, as Binance would word them."""
    try:
        yield
    except Rejected as error:
        raise ApiError(error.code, error.message) from None
