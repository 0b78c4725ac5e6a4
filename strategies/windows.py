"""Windows: means, spreads and scores over the last n values of a column, oldest first.

The worked problem: a rolling sum in floats drifts, so the same 200 closes score differently when the series begins a
year earlier, and a replay decides differently from the hour it replays. So a single sum is `math.fsum`, and rolling
sums are sums of whole numbers: a float is an exact fraction of a power of two, so they are exact and keep no trace of
the days that have left the window. Nothing is estimated: too few values, or an unknown one, give None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, repeat
from operator import floordiv, mul, sub

from runtime.domain.remembering import continued


def mean_of_last(values: Sequence[float | None], days: int) -> float | None:
    """The mean of the last `days` values; None if there are fewer, or if one of them is unknown."""
    window = values[-days:]
    if len(window) < days:
        return None
    try:
        return math.fsum(window) / days  # type: ignore[arg-type] # an unknown value is refused, and caught
    except TypeError:
        return None


def rate_of_change(closes: Sequence[float], days: int) -> float | None:
    """Close over the close `days` earlier, less 1; a fraction. Needs days + 1 closes."""
    return closes[-1] / closes[-1 - days] - 1 if len(closes) > days else None


def volatility(closes: Sequence[float], days: int) -> float | None:
    """Sample standard deviation (ddof = 1) of the last simple daily returns, per day; needs days + 1 closes."""
    if len(closes) <= days:
        return None
    returns = [close / before - 1.0 for close, before in zip(closes[-days:], closes[-days - 1 :], strict=False)]
    mean = math.fsum(returns) / days
    away = [change - mean for change in returns]
    return math.sqrt(math.fsum(map(mul, away, away)) / (days - 1))


def quantile(values: Sequence[float], share: float) -> float:
    """The `share` quantile (0..1) of at least one value by linear interpolation, h = (n - 1) share."""
    ordered = sorted(values)
    at = (len(ordered) - 1) * share
    low, high = ordered[math.floor(at)], ordered[math.ceil(at)]
    return low + (high - low) * (at - math.floor(at))


def share_above_mean(values: Sequence[float], days: int, last: int) -> float | None:
    """The share (0..1) of the `last` values above the mean of the `days` values that end at each; None if too few."""
    return sum(_above_mean(values[-(days + last - 1) :], days)) / last if len(values) >= days + last - 1 else None


def _above_mean(values: Sequence[float], days: int) -> list[bool]:
    """Whether the last value of each window of `days` is above the window's mean."""
    _, units = _whole(values)
    return [days * unit > total for unit, total in zip(units[days - 1 :], _rolling_sums(units, days), strict=True)]


def zscores(values: Sequence[float], days: int) -> list[float]:
    """(value - mean) / sample deviation (ddof = 1) of the `days` values that end at it, one each up to the last.

    A window without any spread has no score, and the list begins after it.
    """
    scores = _scores(values, days)
    if None in scores:
        del scores[: len(scores) - scores[::-1].index(None)]
    return scores  # type: ignore[return-value] # none of them is None any more


Sums = tuple[int, int, int]
"""The exact sums of a window's values and of their squares, after the unit: so many parts of 1 that they are whole."""


@continued
def _scores(values: Sequence[float], days: int, newest: Sums | None) -> tuple[list[float | None], Sums]:
    """The score of each window, None without any spread, and the sums of the last one; after the window whose sums are
    `newest`, that of the next one.
    """
    if newest is not None:
        unit, sums = _moved(newest, values[0], values[-1])
        return [_score(unit, days, *sums[1:])], sums
    parts, units = _whole(values)
    totals, squares = _rolling_sums(units, days), _rolling_sums(list(map(mul, units, units)), days)
    scores = list(map(_score, units[days - 1 :], repeat(days), totals, squares))
    return scores, (parts, totals[-1], squares[-1])


def _moved(sums: Sums, gone: float, come: float) -> tuple[int, Sums]:
    """The value that came as a whole number, and the sums of the window a day later."""
    before, total, squares = sums
    parts, (old, new) = _whole((gone, come), before)
    finer = parts // before
    return new, (parts, total * finer + new - old, squares * finer * finer + new * new - old * old)


def _score(unit: int, days: int, total: int, squares: int) -> float | None:
    """With n = `days`, d = n value - sum and v = n sum(squares) - sum^2, all whole numbers, the square of the score is
    (n - 1) d^2 / (n v): exact up to the rounding of one division and one root.
    """
    away, spread = days * unit - total, days * squares - total * total
    if not spread:
        return None
    score = math.sqrt((days - 1) * away * away / (days * spread))
    return score if away >= 0 else -score


def _whole(values: Sequence[float], least: int = 1) -> tuple[int, list[int]]:
    """A power of two, `least` at least, and the values as whole multiples of one part of so many, without rounding."""
    if not values:
        return least, []
    above, below = zip(*map(float.as_integer_ratio, values), strict=True)
    parts = max(least, *below)
    return parts, list(map(mul, above, map(floordiv, repeat(parts), below)))


def _rolling_sums(values: Sequence[int], days: int) -> list[int]:
    """The exact sums of the `days` values that end at each value that has so many."""
    ends = list(accumulate(values, initial=0))
    return list(map(sub, ends[days:], ends))
