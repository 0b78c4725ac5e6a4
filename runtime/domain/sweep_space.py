"""The space of a sweep: which settings are tried, with which values, and how the next ones are chosen.

    [search]
    objective = "sharpe"        a figure of `domain.trials.FIGURES`
    direction = "maximize"      or "minimize"
    sampler = "tpe"             or "random" (both by Optuna), or "grid": every point, in the order of the file
    trials = 60                 how many are asked for (a grid needs none)
    seed = 1
    batch = 8                   how many are asked for before the first of them is judged

    [parameters]
    STRATEGY_PARAM_ATR_SMOOTHING = { values = ["sma", "wilder"] }
    STRATEGY_PARAM_TOP_N = { low = 1, high = 4 }                              whole numbers, step 1
    STRATEGY_PARAM_BTC_RATIO_BASE = { low = 0.05, high = 0.30, step = 0.05 }  exact decimals
    STRATEGY_PARAM_BTC_RATIO_SCALE = { low = 1000.0, high = 50000.0, log = true }

A value is a setting's text from beginning to end: amounts of money are read as exact decimals and never pass through a
float. Only a range without steps is drawn as a float, and then spelled with six digits, which is what is tried.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from math import prod
from typing import Any

from runtime.domain.money import plain
from runtime.domain.trials import FIGURES
from runtime.errors import BadInput

SAMPLERS = ("tpe", "random", "grid")
DIRECTIONS = ("maximize", "minimize")
VALUES_MAX, TRIALS_MAX, SEED_MAX, BATCH_MAX = 100_000, 1_000_000, 2**32 - 1, 1000
DIGITS, PLACES_MAX = 6, 10
NUMBER_MAX = 10**12
_RANGE = {"low", "high", "step", "log"}


@dataclass(frozen=True, slots=True)
class Listed:
    """A setting with a list of values."""

    name: str
    texts: tuple[str, ...]

    def __len__(self) -> int:
        """How many values there are."""
        return len(self.texts)

    def text(self, at: int) -> str:
        """The value with this number, from 0."""
        return self.texts[at]

    def ends(self) -> tuple[str, ...]:
        """The values that must be allowed before a sweep begins: all."""
        return self.texts


@dataclass(frozen=True, slots=True)
class Stepped:
    """A setting with `count` values from `low` on, `step` apart."""

    name: str
    low: Decimal
    step: Decimal
    count: int

    def __len__(self) -> int:
        """How many values there are."""
        return self.count

    def text(self, at: int) -> str:
        """The value with this number, from 0; exact."""
        return plain(self.low + at * self.step)

    def ends(self) -> tuple[str, ...]:
        """The lowest and the highest."""
        return self.text(0), self.text(self.count - 1)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A setting with any value between `low` and `high`, both included; on a logarithmic scale with `log`."""

    name: str
    low: Decimal
    high: Decimal
    log: bool
    whole: bool

    def spelled(self, value: float) -> str:
        """The value that is tried for a number that was drawn."""
        exact = Decimal(round(value)) if self.whole else Decimal(f"{value:.{DIGITS}g}")
        return plain(min(max(exact, self.low), self.high))

    def ends(self) -> tuple[str, ...]:
        """The lowest and the highest."""
        return plain(self.low), plain(self.high)


Dimension = Listed | Stepped | Drawn
Parameters = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Space:
    """A space and how it is searched; see the module's docstring. `trials` is how many are asked for at most."""

    dimensions: tuple[Dimension, ...]
    objective: str
    minimize: bool
    sampler: str
    trials: int
    seed: int
    batch: int

    def public(self) -> dict[str, Any]:
        """JSON values of all that the n-th trial depends on; not `trials`, so that a sweep may be made longer."""
        return {
            "dimensions": [[type(made).__name__, *_facts(made)] for made in self.dimensions],
            "objective": self.objective,
            "minimize": self.minimize,
            "sampler": self.sampler,
            "seed": self.seed,
            "batch": self.batch,
        }

    def points(self) -> Iterator[dict[str, str]]:
        """Every point of a grid, the last setting changing first."""
        names = [made.name for made in self.dimensions]
        texts = [[made.text(at) for at in range(len(made))] for made in self.dimensions if not isinstance(made, Drawn)]
        return (dict(zip(names, point, strict=True)) for point in product(*texts))


def read_space(document: Mapping[str, Any], where: str) -> Space:
    """The space in a parsed TOML document whose fractions are decimals; `BadInput` names file, field and fix."""
    _known(f"{where}: ", document, {"search", "parameters"})
    search, parameters = (_table(where, document, name) for name in ("search", "parameters"))
    _known(f"{where}: search.", search, {"objective", "direction", "sampler", "trials", "seed", "batch"})
    if not parameters:
        raise BadInput(f"{where}: parameters", parameters, "must name at least one setting to try")
    dimensions = tuple(_dimension(f"{where}: parameters.{name}", name, asked) for name, asked in parameters.items())
    sampler = _one_of(where, search, "sampler", SAMPLERS)
    space = Space(
        dimensions,
        objective=_one_of(where, search, "objective", FIGURES),
        minimize=_one_of(where, search, "direction", DIRECTIONS) == "minimize",
        sampler=sampler,
        trials=_grid_size(where, dimensions) if sampler == "grid" else _count(where, search, "trials", TRIALS_MAX),
        seed=_count(where, {"seed": 1, **search}, "seed", SEED_MAX),
        batch=_count(where, {"batch": 8, **search}, "batch", BATCH_MAX),
    )
    if sampler == "grid" and "trials" in search:
        raise BadInput(
            f"{where}: search.trials", search["trials"], f"a grid is run whole ({space.trials}): leave it out"
        )
    return space


def _facts(made: Dimension) -> list[Any]:
    return [plain(fact) if isinstance(fact, Decimal) else fact for fact in (getattr(made, s) for s in made.__slots__)]


def _known(path: str, table: Mapping[str, Any], names: set[str]) -> None:
    for name in table:
        if name not in names:
            raise BadInput(f"{path}{name}", table[name], f"is not known; known are {', '.join(sorted(names))}")


def _table(where: str, document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    if not isinstance(found, Mapping):
        raise BadInput(f"{where}: {name}", found, f"must be a table: a line [{name}] and its fields below")
    return found


def _one_of(where: str, search: Mapping[str, Any], name: str, known: Sequence[str]) -> str:
    """The named word; the first one known is the default of all but the objective."""
    found = search.get(name, None if name == "objective" else known[0])
    if not isinstance(found, str) or found not in known:
        raise BadInput(f"{where}: search.{name}", found, f"must be one of {', '.join(known)}")
    return found


def _count(where: str, search: Mapping[str, Any], name: str, most: int) -> int:
    found = search.get(name)
    if type(found) is not int or not 1 <= found <= most:
        raise BadInput(f"{where}: search.{name}", found, f"must be a whole number from 1 to {most}")
    return found


def _grid_size(where: str, dimensions: Sequence[Dimension]) -> int:
    for made in dimensions:
        if isinstance(made, Drawn):
            raise BadInput(f"{where}: parameters.{made.name}", "a range", "a grid needs a step, or a list of values")
    size = prod(len(made) for made in dimensions if not isinstance(made, Drawn))
    if size > TRIALS_MAX:
        raise BadInput(f"{where}: parameters", size, f"are more points than a grid may have ({TRIALS_MAX})")
    return size


def _dimension(path: str, name: str, asked: object) -> Dimension:
    if not isinstance(asked, Mapping):
        raise BadInput(path, asked, "must be { values = [...] } or { low = ..., high = ..., step = ... }")
    if "values" in asked:
        _known(f"{path}.", asked, {"values"})
        return Listed(name, _texts(f"{path}.values", asked["values"]))
    _known(f"{path}.", asked, _RANGE)
    low, high = (_number(f"{path}.{end}", asked.get(end)) for end in ("low", "high"))
    if low >= high:
        raise BadInput(f"{path}.high", plain(high), f"must be above low ({plain(low)})")
    whole, log = all(type(asked[end]) is int for end in ("low", "high")), asked.get("log", False)
    if not isinstance(log, bool):
        raise BadInput(f"{path}.log", log, "must be true or false")
    if not log and ("step" in asked or whole):
        return _stepped(path, name, (low, high, _number(f"{path}.step", asked.get("step", 1))))
    if log and ("step" in asked or low <= 0):
        field, fix = ("step", "a logarithmic range has none") if "step" in asked else ("low", "log needs it above 0")
        raise BadInput(f"{path}.{field}", asked[field], fix)
    return Drawn(name, low, high, log, whole)


def _stepped(path: str, name: str, span: tuple[Decimal, Decimal, Decimal]) -> Stepped:
    low, high, step = span
    if step <= 0 or (high - low) % step:
        raise BadInput(f"{path}.step", plain(step), f"must lead from {plain(low)} to {plain(high)} in equal steps")
    count = int((high - low) / step) + 1
    if count > VALUES_MAX:
        raise BadInput(f"{path}.step", plain(step), f"makes {count} values; {VALUES_MAX} at most")
    return Stepped(name, low, step, count)


def _number(path: str, given: object) -> Decimal:
    """An exact number: a whole one, a fraction, or either as text."""
    if type(given) is int or isinstance(given, Decimal):
        found = Decimal(given)
        if not found.is_finite() or found.copy_abs() > NUMBER_MAX or round(found, PLACES_MAX) != found:
            raise BadInput(
                path, str(given), f"must be finite, at most {NUMBER_MAX}, with at most {PLACES_MAX} decimals"
            )
        return found
    if isinstance(given, str):
        try:
            return _number(path, Decimal(given))
        except ArithmeticError:
            pass
    raise BadInput(path, given, "must be a number")


def _texts(path: str, given: object) -> tuple[str, ...]:
    if not isinstance(given, list) or not given:
        raise BadInput(path, given, "must be a list with at least one value")
    texts = tuple(_spelled(path, value) for value in given)
    for at, text in enumerate(texts):
        if text in texts[:at]:
            raise BadInput(path, text, "stands there twice")
    return texts


def _spelled(path: str, value: object) -> str:
    """A TOML value as a setting's text; a list as JSON with exact numbers."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return plain(value)
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, list):
        return f"[{', '.join(json.dumps(part) if isinstance(part, str) else _spelled(path, part) for part in value)}]"
    raise BadInput(path, value, "must be a text, a number, true, false, or a list of these")
