"""Returns: what an account earned, measured in the ways that do not fool its owner.

The worked problem: 100 grow to 110, the owner adds 50, and the account falls to 152. A gain of 52 % is what the
balance seems to say; the strategy made (110/100) x (152/160) - 1 = 4.5 %, and the owner 1.6 % a year, because most of
the money came before the fall.

    time-weighted    the product of sub-period returns, with a boundary at every external flow: the strategy
    money-weighted   the yearly rate at which all flows and the end value are worth nothing today: the owner
    drawdown         the value below its highest so far, the start included; never above 0
    Sharpe           mean(r) / std(r, one degree of freedom taken) x sqrt(periods a year), risk-free rate 0
    Sortino          mean(r) / sqrt(sum(min(r, 0)^2) / n of all periods) x sqrt(periods a year), target 0
    Calmar           yearly growth / |largest drawdown|

Returns are fractions (0.1 = 10 %). These are figures about money, not money: floats, and None wherever a figure has no
value (no loss at all, no spread, no days), never a zero or an infinity that looks like one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from itertools import pairwise

DAYS_A_YEAR = 365
GROWTH_STEPS = 1200
GROWTH_STEP = 0.025
"""Rates are looked for between growth by e^-30 and e^30 over the whole time, outward from none."""
HALVINGS = 200
FLAT = 1e-12
"""A spread of returns below this is the arithmetic's, not the account's."""


def linked(returns: Iterable[float]) -> float:
    """The return over all periods, each return being that of its own period: (1 + r1)(1 + r2)... - 1."""
    growth = 1.0
    for value in returns:
        growth *= 1 + value
    return growth - 1


def time_weighted(periods: Iterable[tuple[float, float]]) -> float | None:
    """The time-weighted return of sub-periods (value at its start with the flow in it, value at its end); None where a
    start is not above 0.
    """
    returns = []
    for start, end in periods:
        if start <= 0:
            return None
        returns.append(end / start - 1)
    return linked(returns)


def modified_dietz(start: float, end: float, flows: Sequence[tuple[float, float]]) -> float | None:
    """The return over a period valued only at its ends; `flows` are (share of the period that was left, amount)."""
    base = start + sum(left * amount for left, amount in flows)
    gain = end - start - sum(amount for _, amount in flows)
    return gain / base if base > 0 else None


def money_weighted(flows: Sequence[tuple[float, float]]) -> float | None:
    """The yearly money-weighted return (XIRR): `flows` are (day, amount), money put in below 0, money taken out or left
    at the end above 0.

    Flows that change sign more than once may have several rates: the one nearest to no growth is taken. None if there
    is no rate, or one too large to be written down, as a year's rate of an hour's gain may be.
    """
    first = min((day for day, _ in flows), default=0.0)
    span = max((day for day, _ in flows), default=0.0) - first
    if span <= 0:
        return None
    timed = [((day - first) / span, amount) for day, amount in flows if amount]
    growth = _root(timed)
    try:
        return None if growth is None else math.expm1(growth * DAYS_A_YEAR / span)
    except OverflowError:
        return None


def _worth(timed: Sequence[tuple[float, float]], growth: float) -> float:
    """What the flows are worth at the start, if money grows by e^`growth` over the whole time."""
    return math.fsum(amount * math.exp(-growth * at) for at, amount in timed)


def _root(timed: Sequence[tuple[float, float]]) -> float | None:
    """The growth that makes the flows worth nothing, nearest to 0."""
    if not timed:
        return None
    inner = {sign: _worth(timed, 0.0) for sign in (1, -1)}
    for step in range(1, GROWTH_STEPS + 1):
        for sign in (1, -1):
            edge = sign * step * GROWTH_STEP
            outer = _worth(timed, edge)
            if inner[sign] * outer <= 0:
                return _bisected(timed, edge - sign * GROWTH_STEP, edge)
            inner[sign] = outer
    return None


def _bisected(timed: Sequence[tuple[float, float]], low: float, high: float) -> float:
    at_low = _worth(timed, low)
    if at_low == 0:
        return low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        value = _worth(timed, middle)
        if value == 0 or middle in {low, high}:
            return middle
        if value * at_low < 0:
            high = middle
        else:
            low, at_low = middle, value
    return (low + high) / 2


def returns_of(values: Sequence[float]) -> list[float]:
    """The returns between values; a value after one that is not above 0 has none."""
    return [after / before - 1 for before, after in pairwise(values) if before > 0]


def max_drawdown(values: Iterable[float]) -> float:
    """The deepest fall below an earlier value, as a fraction <= 0; the first value is a peak like any other."""
    peak, deepest = -math.inf, 0.0
    for value in values:
        peak = max(peak, value)
        if peak > 0:
            deepest = min(deepest, value / peak - 1)
    return deepest


def yearly(total: float, days: float) -> float | None:
    """The return a year that grows to `total` in `days`; None for no days, a total loss, or a rate beyond bounds."""
    if days <= 0 or total <= -1:
        return None
    try:
        return math.expm1(math.log1p(total) * DAYS_A_YEAR / days)
    except OverflowError:
        return None


def sharpe(returns: Sequence[float], periods_a_year: int = DAYS_A_YEAR) -> float | None:
    """The Sharpe ratio a year; None for fewer than two returns, or returns that are all alike."""
    spread = statistics.stdev(returns) if len(returns) > 1 else 0.0
    return statistics.fmean(returns) / spread * math.sqrt(periods_a_year) if spread > FLAT else None


def sortino(returns: Sequence[float], periods_a_year: int = DAYS_A_YEAR) -> float | None:
    """The Sortino ratio a year; None without a return below 0."""
    if not returns:
        return None
    downside = math.sqrt(math.fsum(min(value, 0.0) ** 2 for value in returns) / len(returns))
    return statistics.fmean(returns) / downside * math.sqrt(periods_a_year) if downside > FLAT else None


def calmar(rate: float | None, drawdown: float) -> float | None:
    """The yearly `rate` over the size of the largest `drawdown` (<= 0); None without either."""
    return rate / abs(drawdown) if rate is not None and drawdown < 0 else None
