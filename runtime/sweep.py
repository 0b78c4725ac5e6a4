"""Sweeps: a history run again and again with other settings, to see which of them would have done better.

    sweep      one search over the whole range
    walk       a search in each train window, and its best trial in the test window after it (`domain.walk_forward`)

A search asks for a batch of trials, has those run that nobody has run yet, and is told all of them in the order in
which it asked. So what it asks next depends on the space and on what was found, never on how many machines were at work
or which of them was first. To resume is to ask everything again from the beginning: what is stored is not run twice,
and the search arrives in the state in which it was left.

A trial is stored the moment it is done. Settings that cannot be used together are kept as refused, and are judged by no
figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Protocol

from runtime.config import PARAMETER_PREFIX, VARIABLES
from runtime.domain.history_plan import HistoryPlan
from runtime.domain.overfitting import Deflated, deflated, overfitting_probability
from runtime.domain.settings import StrategySettings
from runtime.domain.sweep_space import Parameters, Space
from runtime.domain.trials import TEST, TRAIN, WHOLE, Asked, Outcome, Row, Task, best_of, key_of
from runtime.domain.walk_forward import Fold, Split, Stitched, stitched
from runtime.errors import BadInput, SettingsError, Unavailable
from runtime.run_settings import Settings


class Search(Protocol):
    """Chooses what to try next; the same answers to the same asking."""

    def ask(self, count: int) -> Sequence[Parameters]:
        """The next `count` trials."""

    def tell(self, values: Sequence[float | None]) -> None:
        """What the trials of the last asking found, in their order; None where there is no value."""


class Rows(Protocol):
    """Keeps trials."""

    def known(self) -> Mapping[str, Row]:
        """All that are kept, by key."""

    def keep(self, row: Row) -> None:
        """Keep one, whole or not at all."""

    def compact(self) -> str:
        """Gather all rows in one file, when a sweep is done; its path."""


Workers = Callable[[Sequence[Task]], Iterator[Outcome]]
"""Runs trials, each once, and gives what they found in the order in which they are done."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What all trials of a sweep have in common. `environment_of` gives the settings of parameters by name, `parsed`
    the same as one value (`SettingsError` where they are refused).
    """

    plan: HistoryPlan
    history_sha256: str
    code: str
    environment_of: Callable[[Parameters], Mapping[str, str]]
    parsed: Callable[[Parameters], Settings]


@dataclass(frozen=True, slots=True)
class Equipment:
    """Where trials are kept and run, how they are chosen (by space and seed), and who is told of each one."""

    rows: Rows
    workers: Workers
    search_of: Callable[[Space, int], Search]
    on_row: Callable[[Row], object]


@dataclass(frozen=True, slots=True)
class Swept:
    """A search that is done: its different trials in the order of asking, how often it asked, and the best of them."""

    rows: tuple[Row, ...]
    asked: int
    best: Row
    deflated: Deflated | None
    overfitting: float | None


@dataclass(frozen=True, slots=True)
class Walked:
    """A walk that is done."""

    folds: tuple[Fold, ...]
    stitched: Stitched


class Sweep:
    """One sweep: a space searched on common ground with some equipment."""

    def __init__(self, space: Space, ground: Ground, equipment: Equipment) -> None:
        """Reads what is known already; `BadInput` where the settings refuse a value of the space."""
        check_space(space, ground.parsed)
        self.space, self.ground, self._equipment = space, ground, equipment
        self._known = dict(equipment.rows.known())

    def sweep(self) -> Swept:
        """Search the whole range."""
        return self._searched(self.ground.plan, WHOLE, 0)

    def walk(self, splits: Sequence[Split]) -> Walked:
        """Search and judge each split, the earliest first."""
        folds = tuple(self._fold(split, number) for number, split in enumerate(splits))
        return Walked(folds, stitched(folds))

    def finish(self) -> str:
        """Gather the rows; the path of their file."""
        return self._equipment.rows.compact()

    def _fold(self, split: Split, number: int) -> Fold:
        train, test = (replace(self.ground.plan, start_ms=a, end_ms=b) for a, b in (split.train_ms, split.test_ms))
        found = self._searched(train, TRAIN, number)
        (judged,) = self._run([(Asked(TEST, number, found.best.asked.number), found.best.parameters)], test)
        return Fold(found.rows, found.best, judged, found.deflated)

    def _searched(self, plan: HistoryPlan, part: str, fold: int) -> Swept:
        space = self.space
        search = self._equipment.search_of(space, space.seed + fold)
        found: dict[str, Row] = {}
        for first in range(0, space.trials, space.batch):
            batch = search.ask(min(space.batch, space.trials - first))
            rows = self._run([(Asked(part, fold, first + at), asked) for at, asked in enumerate(batch)], plan)
            search.tell([row.value(space.objective) for row in rows])
            for row in rows:
                found.setdefault(row.key, row)
        tried = tuple(found.values())
        best = best_of(tried, space.objective, minimize=space.minimize)
        ran = [row.outcome.returns for row in tried if not row.refused]
        against = deflated(best.outcome.returns, ran)
        return Swept(tried, space.trials, best, against, overfitting_probability(ran) if part == WHOLE else None)

    def _run(self, batch: Sequence[tuple[Asked, Parameters]], plan: HistoryPlan) -> list[Row]:
        """The rows of a batch, in its order; what is not known is run, and kept as soon as it is there."""
        keys, waiting = [], dict[str, tuple[Row, Task]]()
        for asked, parameters in batch:
            empty = self._empty(asked, parameters, plan)
            keys.append(empty.key)
            if empty.key in self._known or empty.key in waiting:
                continue
            if empty.refused:
                self._keep(empty)
            else:
                waiting[empty.key] = empty, Task(empty.key, self.ground.environment_of(parameters), plan)
        for outcome in self._equipment.workers([task for _, task in waiting.values()]) if waiting else ():
            if outcome.failed:
                raise Unavailable("trial", outcome.failed)
            if outcome.key not in self._known:
                self._keep(replace(waiting[outcome.key][0], outcome=outcome))
        return [self._known[key] for key in keys]

    def _keep(self, row: Row) -> None:
        self._equipment.rows.keep(row)
        self._known[row.key] = row
        self._equipment.on_row(row)

    def _empty(self, asked: Asked, parameters: Parameters, plan: HistoryPlan) -> Row:
        """The row of a trial before it is run."""
        ground, refused = self.ground, ""
        try:
            settings: Any = ground.parsed(parameters).public()
        except SettingsError as error:
            settings, refused = dict(parameters), str(error)
        key = key_of(settings, plan.public(), ground.history_sha256, ground.code)
        outcome = Outcome(key, {})
        return Row(
            asked, parameters, plan.start_ms, plan.end_ms, ground.history_sha256, ground.code, outcome, refused
        )  # fmt: skip


def check_space(space: Space, parsed: Callable[[Parameters], Settings]) -> None:
    """That every name is a setting of the strategy or the pool contract, and every value possible at all."""
    for made in space.dimensions:
        if not _tried(made.name):
            raise BadInput(
                f"parameters.{made.name}", made.name, f"is no setting that a sweep can try{_near(made.name)}"
            )
    lows, highs = ({made.name: made.ends()[end] for made in space.dimensions} for end in (0, -1))
    for made in space.dimensions:
        for text in made.ends():
            faults = [_fault(parsed, {**others, made.name: text}) for others in ({}, lows, highs)]
            if all(faults):
                raise BadInput(f"parameters.{made.name}", text, f"is refused by the settings: {faults[0]}")


def _tried(name: str) -> bool:
    leaf = name.removeprefix(PARAMETER_PREFIX).lower()
    own = name.startswith(PARAMETER_PREFIX) and leaf in StrategySettings.model_fields and name == name.upper()
    return own or VARIABLES.get(name, "").startswith("ladder.")


def _near(name: str) -> str:
    known = [PARAMETER_PREFIX + field.upper() for field in StrategySettings.model_fields]
    known += [name for name, field in VARIABLES.items() if field.startswith("ladder.")]
    close = get_close_matches(name.upper(), [*known, *(one.removeprefix(PARAMETER_PREFIX) for one in known)], n=1)
    return f"; did you mean {next(one for one in known if one.endswith(close[0]))}?" if close else ""


def _fault(parsed: Callable[[Parameters], Settings], parameters: Parameters) -> str:
    try:
        parsed(parameters)
    except SettingsError as error:
        return "; ".join(error.problems)
    return ""
