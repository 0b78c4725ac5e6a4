"""Limits: what may trade when, and when losing must stop.

The gate table of the strategy contract (section 9) is `CONDITIONS`, one row a condition, so that it can be read beside
the contract. A condition that cannot be judged counts as unfavourable for what would open risk and as silent for what
would only sell: missing data never liquidates, and never buys. A mode of control that is not known counts as `halt`.

The worked problem of the breaker: a sleeve that sells half of itself at no loss must read 0 %, not -50 %; one that
was empty at midnight and lost 6 % of what it bought today must read -6 %, not "no base". So the return of the day is
(value now + sold - bought - start) / (start + the day's largest running total of bought - sold).

Where the contract is silent: a day of cooling is a whole UTC day after the trip's own; an unfinished sale keeps the
breaker latched; a fill settled on a later day belongs to the day it was meant for (`domain.booking`); an order that
nobody knows stops every purchase, fuel too, because all of them spend the same USDT, but no Earn move, which can only
move what is really free.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import repeat
from operator import lt

from runtime.domain.decision import BreakerMemory, Gate
from runtime.domain.instruments import tradable_of
from runtime.domain.market import DailyMarket, Facts, Snapshot, exact
from runtime.domain.money import CASH, ONE, ZERO, plain
from runtime.domain.orders import Kind, Sleeve
from runtime.domain.performance import losses
from runtime.domain.remembering import remembered
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import DAY_MS, MINUTE_MS
from runtime.domain.state import DayBook, State
from runtime.domain.values import Value


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
class Circumstances(metaclass=Value):
    """What the gate table asks about, gathered once an hour."""

    snapshot: Snapshot
    state: State
    degraded: bool
    settings: StrategySettings

    @property
    def latched(self) -> bool:
        """Whether the sleeve breaker's sale is unfinished, or it is cooling down."""
        breaker = self.state.memory.breaker
        until = breaker.cooling_until
        return breaker.liquidating or (until is not None and date.fromisoformat(self.snapshot.slot[:10]) <= until)

    @property
    def reduce_only(self) -> bool:
        """Whether the operator or a latched loss limit forbids opening risk."""
        return self.snapshot.control == "reduce_only" or self.state.memory.reduce_only_ms > 0

    @property
    def unknown_orders(self) -> tuple[str, ...]:
        """Pairs of orders whose outcome nobody knows yet: unknown ones, and any written down but not settled."""
        still = self.state.open_intents
        return tuple(sorted({i.symbol for i in still if i.kind is Kind.ORDER})) if still else ()

    @property
    def unsettled_earn(self) -> bool:
        """Whether an Earn move has not arrived yet."""
        return any(i.kind is not Kind.ORDER for i in self.state.open_intents)


Prices = Mapping[str, Decimal]
Fault = tuple[str, Mapping[str, str]]
STALE: Fault = ("price_stale", {})
QUIET_MS = 10 * MINUTE_MS
Condition = tuple[str, Callable[[Circumstances], bool], frozenset[Action]]

CONDITIONS: tuple[Condition, ...] = (
    ("halt", lambda c: c.snapshot.control not in {"run", "reduce_only"}, frozenset(Action)),
    ("degraded_source", lambda c: c.degraded, frozenset({Action.TREND_ENTRY})),
    ("breaker", lambda c: c.latched, frozenset({Action.TREND_ENTRY})),
    ("reduce_only", lambda c: c.reduce_only, _BUYS),
    ("earn_unreadable", lambda c: c.snapshot.earn is None, _BUYS | {Action.CASH_MOVE}),
    ("unknown_order", lambda c: bool(c.unknown_orders), _BUYS),
    ("drift", lambda c: bool(c.state.drift), _BUYS | {Action.CASH_MOVE}),
    ("earn_unsettled", lambda c: c.unsettled_earn, frozenset({Action.CASH_MOVE})),
)


def standing_gates(circumstances: Circumstances, action: Action) -> tuple[Gate, ...]:
    """Every condition that forbids `action` for the whole sleeve this hour."""
    holding = _holding(circumstances)
    if not holding:
        return ()
    names = [name for name, forbidden in holding if action in forbidden]
    return tuple([Gate(name, SLEEVE_OF[action], "", _numbers(circumstances, name)) for name in names])


@remembered
def _holding(circumstances: Circumstances) -> list[tuple[str, frozenset[Action]]]:
    """The conditions that hold this hour, and what each forbids."""
    return [(name, forbidden) for name, holds, forbidden in CONDITIONS if holds(circumstances)]


def symbol_gates(circumstances: Circumstances, action: Action, symbol: str) -> tuple[Gate, ...]:
    """What forbids `action` in this one pair: its price, its status at the exchange, an unknown order of its own."""
    if symbol in _untroubled(circumstances.snapshot, circumstances.state, circumstances.settings):
        return ()
    sleeve = SLEEVE_OF[action]
    gates = []
    distrust = price_fault(circumstances, symbol)
    if distrust:
        gates.append(Gate(distrust[0], sleeve, symbol, distrust[1]))
    instrument = circumstances.snapshot.instruments.get(symbol)
    if instrument is None or not instrument.tradable:
        status = instrument.status if instrument else "not listed"
        gates.append(Gate("not_trading", sleeve, symbol, {"status": status}))
    if action not in _BUYS and symbol in circumstances.unknown_orders:
        gates.append(Gate("unknown_order", sleeve, symbol))
    return tuple(gates)


@remembered
def _untroubled(snapshot: Snapshot, state: State, settings: StrategySettings) -> AbstractSet[str]:
    """The pairs that nothing speaks against: each trades, at a price to be trusted, and no order is unsettled."""
    if state.open_intents:
        return frozenset()
    trusted = snapshot.prices.keys() - _faults(snapshot, state.prices, settings).keys()
    return tradable_of(snapshot.instruments) & trusted


def price_fault(circumstances: Circumstances, symbol: str) -> Fault | None:
    """Why the price of a pair must not be traded on, as (gate, numbers); None if it may.

    Suspect = it differs by more than `price_jump_max` from both the last close and the last cycle's price; where only
    one of them is known, from that one. Stale = read more than `price_age_max_s` before the snapshot.
    """
    if symbol not in circumstances.snapshot.prices:
        return "price_missing", {}
    return _faults(circumstances.snapshot, circumstances.state.prices, circumstances.settings).get(symbol)


@remembered
def _faults(snapshot: Snapshot, before: Prices, settings: StrategySettings) -> Mapping[str, Fault]:
    """What is wrong with the prices there are, by pair; those that may be traded on are left out."""
    prices, age_ms = snapshot.prices, snapshot.now_ms - snapshot.priced_ms
    stale = age_ms > settings.price_age_max_s * 1000
    found: dict[str, Fault] = {}
    if not stale and all_usual(prices, before, snapshot.daily, settings):
        return found
    for symbol in prices:
        known = [p for p in (_last_close(snapshot, symbol), before.get(symbol)) if p]
        fault = _suspicion(prices[symbol], known, settings)
        if fault is not None:
            found[symbol] = fault
        elif stale:
            found[symbol] = "price_stale", {"age_ms": str(age_ms), "max_s": str(settings.price_age_max_s)}
    return found


def all_usual(prices: Prices, before: Prices, daily: DailyMarket, settings: StrategySettings) -> bool:
    """Whether every price certainly has not jumped, from its last close or, where it has none, from the last cycle's
    (`before`): most hours need no closer look.
    """
    symbols, lows, highs = _usual(daily, settings)
    known = list(map(prices.get, symbols, repeat(ZERO)))
    if not (all(map(lt, lows, known)) and all(map(lt, known, highs))):
        return False
    if len(prices) == len(symbols):
        return True
    others = [(prices[symbol], before.get(symbol)) for symbol in prices.keys() - daily.series.keys()]
    return all(price > 0 and last and not jumped(price, last, settings) for price, last in others)


@remembered
def _usual(
    daily: DailyMarket, settings: StrategySettings
) -> tuple[Sequence[str], Sequence[Decimal], Sequence[Decimal]]:
    """The pairs, and between which prices (exclusive) each has not jumped from its last close; that holds all day."""
    low, high = ONE - settings.price_jump_max, ONE + settings.price_jump_max
    closes = [exact(series.close[-1]) for series in daily.series.values()]
    return tuple(daily.series), [close * low for close in closes], [close * high for close in closes]


def _suspicion(price: Decimal, known: Sequence[Decimal], settings: StrategySettings) -> Fault | None:
    if price <= 0:
        return "price_missing", {}
    if known and all(jumped(price, p, settings) for p in known):
        return "price_suspect", {"price": plain(price), "known": " ".join(plain(p) for p in known)}
    return None


def jumped(price: Decimal, known: Decimal, settings: StrategySettings) -> bool:
    """Whether `price` is further from `known` (> 0) than a price that may be traded on."""
    return abs(price / known - ONE) > settings.price_jump_max


@remembered
def valuation_prices(snapshot: Snapshot, before: Prices, settings: StrategySettings) -> Prices:
    """Prices to value holdings with: this hour's, or the last cycle's (`before`) where this hour's is missing or
    suspect, or the last close where there is none either. A price that is merely old still values.
    """
    prices, faults = snapshot.prices, _faults(snapshot, before, settings)
    if not faults and before.keys() <= prices.keys() and snapshot.daily.series.keys() <= prices.keys():
        return prices
    trusted = {symbol: price for symbol, price in prices.items() if faults.get(symbol, STALE)[0] == "price_stale"}
    others = (prices.keys() | before.keys() | snapshot.daily.series.keys()) - trusted.keys()
    known = {symbol: before.get(symbol) or _last_close(snapshot, symbol) for symbol in others}
    return trusted | {symbol: price for symbol, price in known.items() if price}


def _last_close(snapshot: Snapshot, symbol: str) -> Decimal | None:
    series = snapshot.daily.series.get(symbol)
    return exact(series.close[-1]) if series else None


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


def quiet_hours(now_ms: int) -> Gate | None:
    """The gate that stops Earn moves from 23:50 to 00:10 UTC, when Binance settles; None outside."""
    of_day = now_ms % DAY_MS
    if QUIET_MS <= of_day < DAY_MS - QUIET_MS:
        return None
    return Gate("earn_window", Sleeve.CASH, CASH, {"minute_of_day": str(of_day // MINUTE_MS), "quiet": "23:50-00:10"})


def sleeve_return(day: DayBook, value: Decimal) -> Decimal | None:
    """Today's return of the trend sleeve (fraction, fees included) at `value` USDT now; None if nothing was at risk."""
    start = _start_value(day)
    base = start + day.net_peak
    return (value + day.sold - day.bought - start) / base if base > 0 else None


@remembered
def _start_value(day: DayBook) -> Decimal:
    """USDT value of the sleeve at 00:00."""
    return sum((q * day.start_closes.get(a, ZERO) for a, q in day.start_quantities.items()), ZERO)


def breaker_threshold(values: Mapping[str, Decimal], facts: Facts, settings: StrategySettings) -> Decimal:
    """The loss (positive fraction) at which the sleeve breaker trips, for trend holdings worth `values` by asset.

    max(breaker_loss, multiple x sum of weight x vol20), weights by value; a holding without vol20 adds nothing, so
    that what is not known can only make the limit tighter, down to `breaker_loss` and no further.
    """
    total = sum(values.values(), ZERO)
    if not settings.breaker_vol_multiple or not total:
        return settings.breaker_loss
    swing = ZERO
    for asset, value in values.items():
        known = facts.symbols.get(asset + CASH)
        if known is not None and known.vol20 is not None and math.isfinite(known.vol20):
            swing += value / total * exact(known.vol20)
    return max(settings.breaker_loss, settings.breaker_vol_multiple * swing)


def tripped(memory: BreakerMemory, today: date, settings: StrategySettings) -> BreakerMemory:
    """The breaker's memory after it trips today: the sleeve is sold, and cools for whole days after today."""
    since = today - timedelta(days=settings.breaker_trips_days)
    trips = (*(t for t in memory.trips if t > since), today)
    return BreakerMemory(today, today + timedelta(days=settings.breaker_cooldown_days), liquidating=True, trips=trips)


def account_losses(state: State) -> tuple[Decimal, Decimal]:
    """(loss today, drawdown from the peak) of the time-weighted return, as positive fractions."""
    return losses(state.performance, state.day)
