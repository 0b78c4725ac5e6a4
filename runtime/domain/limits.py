"""Limits: what may trade when, and when losing must stop.

The gate table of the strategy contract (section 9) is `CONDITIONS`, one row a condition, so that it can be read beside
the contract. A condition that cannot be judged counts as unfavourable for what would open risk and as silent for what
would only sell: missing data never liquidates, and never buys.

The worked problem of the breaker: a sleeve that sells half of itself at no loss must read 0 %, not -50 %; one that
was empty at midnight and lost 6 % of what it bought today must read -6 %, not "no base". So the return of the day is
(value now + sold - bought - start) / (start + the day's largest running total of bought - sold).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from runtime.domain.decision import BreakerMemory, Gate
from runtime.domain.market import Facts, Snapshot
from runtime.domain.money import CASH, CORE, FUEL, ZERO, plain
from runtime.domain.orders import Kind, Sleeve, Status
from runtime.domain.settings import StrategySettings
from runtime.domain.state import DayBook, State


class Action(StrEnum):
    """The five columns of the gate table."""

    TREND_ENTRY = "trend_entry"
    TREND_EXIT = "trend_exit"
    DCA_BUY = "dca_buy"
    DCA_TRIM = "dca_trim"
    CASH_MOVE = "cash_move"


SLEEVE_OF: Mapping[Action, Sleeve] = {
    Action.TREND_ENTRY: Sleeve.TREND,
    Action.TREND_EXIT: Sleeve.TREND,
    Action.DCA_BUY: Sleeve.BTC_CORE,
    Action.DCA_TRIM: Sleeve.BTC_CORE,
    Action.CASH_MOVE: Sleeve.CASH,
}
_BUYS = frozenset({Action.TREND_ENTRY, Action.DCA_BUY})


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the gate table asks about, gathered once an hour."""

    snapshot: Snapshot
    state: State
    degraded: bool
    settings: StrategySettings

    @property
    def cooling(self) -> bool:
        """Whether the sleeve breaker is latched or cooling down."""
        until = self.state.memory.breaker.cooling_until
        return until is not None and date.fromisoformat(self.snapshot.slot[:10]) <= until

    @property
    def reduce_only(self) -> bool:
        """Whether the operator or a latched loss limit forbids opening risk."""
        return self.snapshot.control == "reduce_only" or self.state.memory.reduce_only_ms > 0

    @property
    def unknown_orders(self) -> tuple[str, ...]:
        """Pairs of orders whose outcome nobody knows yet."""
        unsettled = (i for i in self.state.open_intents if i.kind is Kind.ORDER and i.status is Status.UNKNOWN)
        return tuple(sorted({i.symbol for i in unsettled}))

    @property
    def unsettled_earn(self) -> bool:
        """Whether an Earn move has not arrived yet."""
        return any(i.kind is not Kind.ORDER for i in self.state.open_intents)


Condition = tuple[str, Callable[[Circumstances], bool], frozenset[Action]]

CONDITIONS: tuple[Condition, ...] = (
    ("halt", lambda c: c.snapshot.control == "halt", frozenset(Action)),
    ("degraded_source", lambda c: c.degraded, frozenset({Action.TREND_ENTRY})),
    ("breaker", lambda c: c.cooling, frozenset({Action.TREND_ENTRY})),
    ("reduce_only", lambda c: c.reduce_only, _BUYS),
    ("earn_unreadable", lambda c: c.snapshot.earn is None, _BUYS | {Action.CASH_MOVE}),
    ("unknown_order", lambda c: bool(c.unknown_orders), _BUYS),
    ("drift", lambda c: bool(c.state.drift), _BUYS | {Action.CASH_MOVE}),
    ("earn_unsettled", lambda c: c.unsettled_earn, frozenset({Action.CASH_MOVE})),
)


def standing_gates(circumstances: Circumstances, action: Action) -> tuple[Gate, ...]:
    """Every condition that forbids `action` for the whole sleeve this hour."""
    return tuple(
        Gate(name, SLEEVE_OF[action], "", _numbers(circumstances, name))
        for name, holds, forbidden in CONDITIONS
        if action in forbidden and holds(circumstances)
    )


def symbol_gates(circumstances: Circumstances, action: Action, symbol: str) -> tuple[Gate, ...]:
    """What forbids `action` in this one pair: its price, its status at the exchange, an unknown order of its own."""
    sleeve = SLEEVE_OF[action]
    gates = []
    distrust = price_fault(circumstances, symbol)
    if distrust:
        gates.append(Gate(distrust[0], sleeve, symbol, distrust[1]))
    instrument = circumstances.snapshot.instruments.get(symbol)
    if instrument is None or not instrument.tradable:
        status = instrument.status if instrument else "not listed"
        gates.append(Gate("not_trading", sleeve, symbol, {"status": status}))
    if symbol in circumstances.unknown_orders and action not in _BUYS:
        gates.append(Gate("unknown_order", sleeve, symbol))
    return tuple(gates)


def price_fault(circumstances: Circumstances, symbol: str) -> tuple[str, dict[str, str]] | None:
    """Why the price of a pair must not be traded on, as (gate, numbers); None if it may.

    Suspect = it differs by more than `price_jump_max` from both the last close and the last cycle's price; where only
    one of them is known, from that one.
    """
    snapshot, settings = circumstances.snapshot, circumstances.settings
    price = snapshot.prices.get(symbol)
    if price is None or price <= 0:
        return "price_missing", {}
    known = [p for p in (_last_close(snapshot, symbol), circumstances.state.prices.get(symbol)) if p]
    if known and all(abs(price / p - 1) > settings.price_jump_max for p in known):
        return "price_suspect", {"price": plain(price), "known": " ".join(plain(p) for p in known)}
    return None


def valuation_prices(circumstances: Circumstances) -> dict[str, Decimal]:
    """Prices to value holdings with: this hour's, or the last cycle's where this hour's cannot be trusted."""
    prices = dict(circumstances.state.prices)
    prices.update(circumstances.snapshot.prices)
    for symbol, last in circumstances.state.prices.items():
        if symbol in circumstances.snapshot.prices and price_fault(circumstances, symbol):
            prices[symbol] = last
    return prices


def _last_close(snapshot: Snapshot, symbol: str) -> Decimal | None:
    series = snapshot.daily.series.get(symbol)
    return Decimal(repr(series.close[-1])) if series else None


def _numbers(circumstances: Circumstances, name: str) -> dict[str, str]:
    state = circumstances.state
    if name == "breaker":
        until = state.memory.breaker.cooling_until
        return {"cooling_until": until.isoformat() if until else ""}
    if name == "drift":
        return {asset: plain(amount) for asset, amount in sorted(state.drift.items())}
    if name == "unknown_order":
        return {"symbols": " ".join(circumstances.unknown_orders)}
    return {}


def sleeve_return(day: DayBook, value: Decimal) -> Decimal | None:
    """Today's return of the trend sleeve (fraction, fees included) at `value` USDT now; None where nothing was at risk."""
    start = sum((q * day.start_closes.get(a, ZERO) for a, q in day.start_quantities.items()), ZERO)
    base = start + day.net_peak
    return (value + day.sold - day.bought - start) / base if base > 0 else None


def breaker_threshold(values: Mapping[str, Decimal], facts: Facts, settings: StrategySettings) -> Decimal:
    """The loss (positive fraction) at which the sleeve breaker trips, for trend holdings worth `values` by asset.

    max(breaker_loss, multiple x sum of weight x vol20), weights by value; a holding without vol20 adds nothing.
    """
    total = sum(values.values(), ZERO)
    if not settings.breaker_vol_multiple or not total:
        return settings.breaker_loss
    swing = ZERO
    for asset, value in values.items():
        known = facts.symbols.get(asset + CASH)
        if known is not None and known.vol20 is not None:
            swing += value / total * Decimal(repr(known.vol20))
    return max(settings.breaker_loss, settings.breaker_vol_multiple * swing)


def tripped(memory: BreakerMemory, today: date, settings: StrategySettings) -> BreakerMemory:
    """The breaker's memory after it trips today: the sleeve is sold, and cools for whole days after today."""
    since = today - timedelta(days=settings.breaker_trips_days)
    trips = (*(t for t in memory.trips if t > since), today)
    return BreakerMemory(today, today + timedelta(days=settings.breaker_cooldown_days), liquidating=True, trips=trips)


def account_losses(state: State) -> tuple[Decimal, Decimal]:
    """(loss today, drawdown from the peak) of the time-weighted return, as positive fractions."""
    index = state.performance.index
    day_start = state.day.index if state.day else index
    return max(ZERO, 1 - index / day_start), max(ZERO, 1 - index / state.performance.peak)


def managed_trend(values: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The trend sleeve's part of `values` (by asset)."""
    return {asset: value for asset, value in values.items() if asset not in {CASH, FUEL, CORE}}
