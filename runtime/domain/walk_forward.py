"""Walk-forward: settings are searched in one window and judged in the next, which the search has never seen.

    rolling     [--train--][-test-]
                        [--train--][-test-]
    anchored    [--train--][-test-]
                [------train------][-test-]

Each test begins with the capital of the plan and no memory, as a new account would; indicators look back into earlier
candles, which were known by then. What the tests earned is linked day by day: that is what somebody had earned who
searched anew each time, and the only figures here in which nothing was chosen afterwards.

A last window that is shorter than the others is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from runtime.domain.overfitting import Deflated, deflated, probability_above, shape_of
from runtime.domain.returns import calmar, linked, max_drawdown, sharpe, sortino, yearly
from runtime.domain.slots import DAY_MS, slot_at
from runtime.domain.trials import Row
from runtime.errors import BadInput

OPTION = "--walk-forward"
DAYS_MAX = 36_500
_PART = re.compile(r"(train|test)=(\d{1,5})d")
_FIX = "must be such as train=365d,test=90d, with ,anchored for a train window that only grows"


@dataclass(frozen=True, slots=True)
class Windows:
    """How long to search and how long to judge, in UTC days; `anchored` keeps the start of the first train window."""

    train_days: int
    test_days: int
    anchored: bool = False

    def text(self) -> str:
        """As the option writes it."""
        return f"train={self.train_days}d,test={self.test_days}d{',anchored' if self.anchored else ''}"


@dataclass(frozen=True, slots=True)
class Split:
    """One train window and the test window after it: epoch ms, the last of each not included."""

    train_ms: tuple[int, int]
    test_ms: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Fold:
    """What one split gave: the different trials of its train window, the best of them, and the same settings in the
    test window. `deflated` is the best one's Sharpe ratio in the train window against chance.
    """

    trained: tuple[Row, ...]
    best: Row
    test: Row
    deflated: Deflated | None


@dataclass(frozen=True, slots=True)
class Stitched:
    """The tests one after the other: fractions, None where a figure has no value. `hold` is bitcoin's own return in the
    same windows; `deflated` counts every trial of every train window, `above_zero` (probability) none.
    """

    days: int
    total: float
    yearly: float | None
    max_drawdown: float
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    hold: float
    deflated: Deflated | None
    above_zero: float | None


def read_windows(text: str) -> Windows:
    """The windows in `train=365d,test=90d,anchored`."""
    days: dict[str, int] = {}
    anchored = False
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        if match is not None and match[1] not in days:
            days[match[1]] = int(match[2])
        elif part.strip() == "anchored" and not anchored:
            anchored = True
        else:
            raise BadInput(OPTION, text, _FIX)
    if set(days) != {"train", "test"} or not all(1 <= count <= DAYS_MAX for count in days.values()):
        raise BadInput(OPTION, text, _FIX)
    return Windows(days["train"], days["test"], anchored)


def splits_of(windows: Windows, start_ms: int, end_ms: int) -> tuple[Split, ...]:
    """The splits of a range; `BadInput` where not one fits."""
    train, test = windows.train_days * DAY_MS, windows.test_days * DAY_MS
    found = []
    first = start_ms + train
    while first + test <= end_ms:
        begin = start_ms if windows.anchored else first - train
        found.append(Split((begin, first), (first, first + test)))
        first += test
    if not found:
        span = f"{slot_at(start_ms)} to {slot_at(end_ms)}"
        raise BadInput(OPTION, windows.text(), f"does not fit once into {span}: take shorter windows or a longer range")
    return tuple(found)


def stitched(folds: Sequence[Fold]) -> Stitched:
    """What the tests of at least one fold earned, one after the other."""
    returns = list(chain.from_iterable(fold.test.outcome.returns for fold in folds))
    index = [1.0]
    for value in returns:
        index.append(index[-1] * (1 + value))
    total, fall = linked(returns), max_drawdown(index)
    rate, shape = yearly(total, len(returns)), shape_of(returns)
    tried = [row.outcome.returns for fold in folds for row in fold.trained if not row.refused]
    return Stitched(
        days=len(returns),
        total=total,
        yearly=rate,
        max_drawdown=fall,
        sharpe=sharpe(returns),
        sortino=sortino(returns),
        calmar=calmar(rate, fall),
        hold=linked(fold.test.value("hold_total") or 0.0 for fold in folds),
        deflated=deflated(returns, tried),
        above_zero=probability_above(shape, 0.0) if shape is not None else None,
    )
