"""Overfitting: how much of the best trial's Sharpe ratio is only that it was the best of many.

Try a hundred worthless settings and the best of them looks fine. The deflated Sharpe ratio asks how probable it is that
a Sharpe ratio is above what the best of so many trials without any merit would show:

    expected   SR0 = sqrt(V) x ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e)))      V: variance of the N trials' Sharpe ratios
    deflated   DSR = F((SR - SR0) sqrt(T - 1) / sqrt(1 - s SR + (k - 1)/4 SR^2))

SR is per period (not a year), T the number of returns, s their skewness, k their kurtosis (3 for a normal law), F the
normal distribution, Z its inverse, g the Euler-Mascheroni constant. With SR0 = 0 it is the probabilistic Sharpe ratio.

Source: D. Bailey and M. López de Prado, "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest Overfitting
and Non-Normality", Journal of Portfolio Management 40 (5), 2014. Their example (yearly SR 2.5 over 1250 days, 100
trials, V 1/2 a year, s -3, k 10) gives SR0 0.1132 a day and DSR 0.90. N is the number of different settings: they are
not independent, so that SR0 is rather too high than too low.

The probability of backtest overfitting asks how often the best half of a history's settings is in the worse half of the
others: the days are cut into blocks, each choice of half of the blocks is searched, and the other half judges the best
of it. It is the share of choices whose best did no better than the median there. Source: D. Bailey, J. Borwein, M.
López de Prado and Q. Zhu, "The Probability of Backtest Overfitting", Journal of Computational Finance 20 (4), 2017.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from runtime.domain.returns import FLAT

EULER = 0.5772156649015329
TRUSTED = 0.95
"""A deflated Sharpe ratio below this is no evidence of merit."""
BLOCKS = 10
_NORMAL = statistics.NormalDist()


@dataclass(frozen=True, slots=True)
class Shape:
    """What the formula needs of a series of returns: `sharpe` per period, and the moments of the population."""

    sharpe: float
    skew: float
    kurtosis: float
    count: int


@dataclass(frozen=True, slots=True)
class Deflated:
    """A Sharpe ratio against what chance alone would show: `sharpe` and `expected` per period, `probability` that the
    true one is above `expected`; `trials` is how many different settings there were to choose from.
    """

    sharpe: float
    expected: float
    probability: float
    trials: int

    def trusted(self) -> bool:
        """Whether the probability reaches what is commonly asked for."""
        return self.probability >= TRUSTED


def shape_of(returns: Sequence[float]) -> Shape | None:
    """The shape of returns; None for fewer than three, or returns that are all alike."""
    if len(returns) < 3 or statistics.stdev(returns) <= FLAT:  # noqa: PLR2004 - two have no skewness
        return None
    mean, spread = statistics.fmean(returns), statistics.pstdev(returns)
    third, fourth = (math.fsum(((r - mean) / spread) ** power for r in returns) / len(returns) for power in (3, 4))
    return Shape(mean / statistics.stdev(returns), third, fourth, len(returns))


def expected_best(variance: float, trials: int) -> float:
    """SR0: the Sharpe ratio that the best of `trials` without merit is expected to show; 0 for one trial."""
    if trials <= 1:
        return 0.0
    first, second = _NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - EULER) * first + EULER * second)


def probability_above(shape: Shape, expected: float) -> float:
    """The probability that the true Sharpe ratio behind returns of this shape is above `expected`."""
    spread = 1 - shape.skew * shape.sharpe + (shape.kurtosis - 1) / 4 * shape.sharpe**2
    if spread <= 0:  # beyond what the expansion can say: no evidence
        return 0.0
    return _NORMAL.cdf((shape.sharpe - expected) * math.sqrt(shape.count - 1) / math.sqrt(spread))


def deflated(returns: Sequence[float], others: Sequence[Sequence[float]]) -> Deflated | None:
    """The deflated Sharpe ratio of `returns`, which were chosen among `others` (the chosen one included); None where it
    has no value.
    """
    shape = shape_of(returns)
    if shape is None:
        return None
    ratios = [other.sharpe if (other := shape_of(tried)) else 0.0 for tried in others]
    expected = expected_best(statistics.variance(ratios) if len(ratios) > 1 else 0.0, len(ratios))
    return Deflated(shape.sharpe, expected, probability_above(shape, expected), len(ratios))


def overfitting_probability(trials: Sequence[Sequence[float]], blocks: int = BLOCKS) -> float | None:
    """The probability of backtest overfitting of trials over the same days, judged by their Sharpe ratios; None for
    fewer than two trials, or fewer than two days a block.
    """
    days = min(map(len, trials), default=0) // blocks
    if len(trials) < 2 or days < 2:  # noqa: PLR2004 - a choice of one, or a spread of one
        return None
    sums = [[_sums(returns[at * days : (at + 1) * days]) for at in range(blocks)] for returns in trials]
    halves = list(combinations(range(blocks), blocks // 2))
    return sum(_fell_behind(sums, half, days) for half in halves) / len(halves)


def _sums(returns: Sequence[float]) -> tuple[float, float]:
    return math.fsum(returns), math.fsum(value * value for value in returns)


def _fell_behind(sums: Sequence[Sequence[tuple[float, float]]], half: Sequence[int], days: int) -> bool:
    """Whether the best trial of these blocks is no better than the median of all in the others."""
    chosen = set(half)
    rest = [at for at in range(len(sums[0])) if at not in chosen]
    inside, outside = ([_ratio([trial[at] for at in part], days) for trial in sums] for part in (half, rest))
    best = max(range(len(sums)), key=inside.__getitem__)
    below = sum(value < outside[best] for value in outside) + sum(value <= outside[best] for value in outside)
    rank = (below + 1) / 2
    return rank / (len(sums) + 1) <= 0.5  # noqa: PLR2004 - the median


def _ratio(blocks: Sequence[tuple[float, float]], days: int) -> float:
    count = days * len(blocks)
    mean = math.fsum(total for total, _ in blocks) / count
    spread = math.fsum(square for _, square in blocks) / count - mean * mean
    return mean / math.sqrt(spread) if spread > FLAT**2 else 0.0
