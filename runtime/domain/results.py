"""Results: what an account earned between two hours, and how well, beside holding bitcoin.

A *point* is what the document of one hour keeps: equity after the hour, the time-weighted index as the hour linked it
(before its own trades), and the price of bitcoin. What came into management from outside
or left it counts at the moment it was booked and at the price of that moment. Profit is the change of equity less that
money; returns are those of `runtime.domain.returns`, deposits excluded.

A state that was lost and rebuilt starts its index at 1 again. Between the last hour before and the first one after it
nothing is known, so that step counts as no return, and the result says how many there were.

Ratios are reckoned from one value a UTC day, the last one, and 365 days a year; drawdown from every hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from runtime.domain.book_rows import fees_value, value_of
from runtime.domain.books import INCOME, TRADES, Event
from runtime.domain.gains import SALES, Disposal
from runtime.domain.ledger import Entry
from runtime.domain.money import CASH, ONE, ZERO
from runtime.domain.performance import outside_value, unvalued
from runtime.domain.returns import (
    calmar,
    linked,
    max_drawdown,
    money_weighted,
    returns_of,
    sharpe,
    sortino,
    yearly,
)
from runtime.domain.slots import DAY_MS, slot_start_ms

OPENING_DAYS_MAX = 2
DAYS_MIN = 30
"""Rates a year of a shorter time would only magnify its luck."""


@dataclass(frozen=True, slots=True)
class Point:
    """One hour: `ended_ms` (exchange clock), `equity` and `btc` in USDT; None what its document does not say."""

    slot: str
    ended_ms: int
    equity: Decimal
    index: Decimal | None = None
    btc: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Outside:
    """`value` USDT that came into management (+) or left it (-) at `time_ms`."""

    time_ms: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class Result:
    """What was earned from `start` to `end`. Returns are fractions; None where they cannot be told.

    `money_weighted_year` is a yearly rate, the others are over the whole time. `restarts` are steps without a return.
    """

    start: Point
    end: Point
    deposits: Decimal
    withdrawals: Decimal
    time_weighted: float | None
    money_weighted_year: float | None
    holding_btc: float | None
    restarts: int = 0

    @property
    def profit(self) -> Decimal:
        """USDT earned: what equity changed by, less what came and plus what left."""
        return self.end.equity - self.start.equity - self.deposits + self.withdrawals

    @property
    def days(self) -> float:
        """The time between the two hours."""
        return (self.end.ended_ms - self.start.ended_ms) / DAY_MS


@dataclass(frozen=True, slots=True)
class Quality:
    """How a series of values did: returns and ratios a year, `days` of them; None where a figure has no value."""

    total: float
    days: int
    year: float | None
    max_drawdown: float
    sharpe: float | None
    sortino: float | None
    calmar: float | None


@dataclass(frozen=True, slots=True)
class Earned:
    """What the ledger says of a time: USDT of interest and rewards, of fees, traded, and gained by sales.

    `untold` names what has no known value and is in none of the sums.
    """

    income: Decimal = ZERO
    fees: Decimal = ZERO
    trades: int = 0
    volume: Decimal = ZERO
    realised: Decimal = ZERO
    untold: frozenset[str] = frozenset()

    def after(self, event: Event, gone: Iterable[Disposal]) -> Earned:
        """With one more event, and what left with it."""
        untold = set(self.untold)
        income = self.income
        for asset, amount in event.moved.items() if event.kind in INCOME else ():
            value = value_of(event, asset, amount)
            untold |= {f"income in {asset}"} if value is None else set()
            income += value or ZERO
        paid = fees_value(event)
        untold |= {f"fee in {asset}" for asset in event.fees} if paid is None else set()
        sales = [part for part in gone if part.way in SALES]
        untold |= {f"gain of {part.lot.asset}" for part in sales if part.gain is None}
        traded = event.kind in TRADES
        return Earned(
            income,
            self.fees + (paid or ZERO),
            self.trades + traded,
            self.volume + (abs(event.moved.get(CASH, ZERO)) if traded else ZERO),
            self.realised + sum((part.gain for part in sales if part.gain is not None), ZERO),
            frozenset(untold),
        )


def opening_point(entry: Entry, first: Point) -> Point | None:
    """What the account was worth as its books began, before its first hour traded; None where that is not known.

    `first` is the first hour; bitcoin's price is taken from it. Books that began long before it say nothing of it.
    """
    prices = {asset + CASH: price for asset, price in entry.prices.items()}
    early = 0 <= first.ended_ms - entry.time_ms <= OPENING_DAYS_MAX * DAY_MS
    if entry.kind != "opening" or not early or unvalued(entry, prices):
        return None
    worth = outside_value((entry,), prices)
    return Point(entry.slot, entry.time_ms - 1, worth, ONE if first.index is not None else None, first.btc)


def outside_of(entry: Entry) -> tuple[Outside, frozenset[str]]:
    """What an entry moved between management and the outside, and the assets of it that have no price.

    The opening entry of a rebuilt state moves nothing: what it lists was there before.
    """
    booked_ms = max(slot_start_ms(entry.slot), entry.time_ms)
    if entry.kind == "opening":
        return Outside(booked_ms, ZERO), frozenset()
    prices = {asset + CASH: price for asset, price in entry.prices.items()}
    return Outside(booked_ms, outside_value((entry,), prices)), unvalued(entry, prices)


def since(points: Sequence[Point], time_ms: int) -> Sequence[Point]:
    """The points from the last one at or before `time_ms` on; all of them if there is none."""
    at = max((number for number, point in enumerate(points) if point.ended_ms <= time_ms), default=0)
    return points[at:]


def result(points: Sequence[Point], moved: Iterable[Outside], restarts: Sequence[int]) -> Result | None:
    """What was earned over the points; None without any. `restarts` are the moments (epoch ms) of new first states."""
    if not points:
        return None
    start, end = points[0], points[-1]
    within = [money for money in moved if start.ended_ms < money.time_ms <= end.ended_ms]
    steps = index_returns(points, restarts)
    paid = [
        (start.ended_ms, -start.equity),
        *((money.time_ms, -money.value) for money in within),
        (end.ended_ms, end.equity),
    ]
    days = (end.ended_ms - start.ended_ms) / DAY_MS
    return Result(
        start,
        end,
        sum((money.value for money in within if money.value > 0), ZERO),
        -sum((money.value for money in within if money.value < 0), ZERO),
        linked(steps) if steps is not None else None,
        money_weighted([(at / DAY_MS, float(amount)) for at, amount in paid]) if days >= DAYS_MIN else None,
        float(end.btc / start.btc) - 1 if start.btc and end.btc else None,
        sum(1 for at in restarts if start.ended_ms < at <= end.ended_ms),
    )


def index_returns(points: Sequence[Point], restarts: Sequence[int]) -> list[float] | None:
    """The return of each step between points; 0 across a restart. None if an hour did not keep its index."""
    steps = []
    for before, after in pairwise(points):
        if before.index is None or after.index is None or not before.index:
            return None
        anew = any(before.ended_ms < at <= after.ended_ms for at in restarts)
        steps.append(0.0 if anew else float(after.index / before.index) - 1)
    return steps


def quality(points: Sequence[Point], restarts: Sequence[int]) -> Quality | None:
    """How the account did; None where the hours do not say."""
    steps = index_returns(points, restarts)
    return _quality(points, _grown(steps)) if steps is not None and len(points) > 1 else None


def quality_of_btc(points: Sequence[Point]) -> Quality | None:
    """How bitcoin did in the same hours; None where they do not say."""
    prices = [float(point.btc) for point in points if point.btc is not None]
    return _quality(points, prices) if len(prices) == len(points) > 1 else None


def _grown(steps: Iterable[float]) -> list[float]:
    values = [1.0]
    for step in steps:
        values.append(values[-1] * (1 + step))
    return values


def _quality(points: Sequence[Point], values: Sequence[float]) -> Quality:
    total = values[-1] / values[0] - 1 if values[0] else 0.0
    daily = returns_of(_daily(points, values))
    time = (points[-1].ended_ms - points[0].ended_ms) / DAY_MS
    year = yearly(total, time) if time >= DAYS_MIN else None
    deepest = max_drawdown(values)
    return Quality(total, len(daily), year, deepest, sharpe(daily), sortino(daily), calmar(year, deepest))


def _daily(points: Sequence[Point], values: Sequence[float]) -> list[float]:
    """The first value, then the last one of each UTC day after the first."""
    last = {point.ended_ms // DAY_MS: value for point, value in zip(points, values, strict=True)}
    first_day = points[0].ended_ms // DAY_MS
    return [values[0], *(value for day, value in sorted(last.items()) if day > first_day)]
