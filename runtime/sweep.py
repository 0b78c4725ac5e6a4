"""Sweeps: a history run again and again with other settings, to see which of them would have done better.

    sweep      one search over the whole range
    walk       a search in each train window, and its best trial in the test window after it (`domain.walk_forward`)

A search that learns is told its trials in the order in which it asked for them, and before it asks for one, of all but
the `batch` before it. So what it asks next depends on the space and on what was found, never on how many machines were
at work or which of them was first; and nobody waits for the slowest of a batch. One that learns nothing is asked as far
ahead as there are hands. The searches of a walk know nothing of one another: the next one begins as soon as this one
leaves hands idle. To resume is to ask everything again from the beginning: what is stored is not run twice, and each
search arrives in the state in which it was left.

A trial is stored the moment it is done, under the first that asked for it in the order of folds and numbers, whoever
was first on the clock. Settings that cannot be used together are kept as refused, and are judged by no figure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Protocol, TypeVar

from runtime.config import PARAMETER_PREFIX, VARIABLES
from runtime.domain.history_plan import HistoryPlan
from runtime.domain.overfitting import Deflated, deflated, overfitting_probability
from runtime.domain.settings import StrategySettings
from runtime.domain.sweep_space import Parameters, Space
from runtime.domain.trials import TEST, TRAIN, WHOLE, Asked, Outcome, Row, Task, best_of, key_of
from runtime.domain.walk_forward import Fold, Split, Stitched, stitched
from runtime.errors import BadInput, SettingsError, Unavailable
from runtime.run_settings import Settings

Found = TypeVar("Found")
Course = Generator[str, Row, Found]
"""A search under way: it gives the key of the trial that it must know before it can go on, and is sent its row."""


class Search(Protocol):
    """Chooses what to try next; the same answers to the same asking and telling. `learns`: whether telling matters."""

    learns: bool

    def ask(self) -> Parameters:
        """The next trial."""

    def tell(self, value: float | None) -> None:
        """What the oldest trial found that was asked for and not yet told; None where it has no value."""


class Rows(Protocol):
    """Keeps trials."""

    def known(self) -> Mapping[str, Row]:
        """All that are kept, by key."""

    def keep(self, row: Row) -> None:
        """Keep one, whole or not at all."""

    def compact(self) -> str:
        """Gather all rows in one file, when a sweep is done; its path."""


class Workers(Protocol):
    """Run trials, each once. `wanted` is how many must be under way for all of them to be busy."""

    @property
    def wanted(self) -> int:
        """At least 1."""

    def begin(self, task: Task) -> None:
        """Have a trial run."""

    def next_done(self) -> Outcome:
        """Wait for one of those that were begun; the first that is done."""


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
        self._running = dict[str, Row]()  # by key; what they find is missing

    def sweep(self) -> Swept:
        """Search the whole range."""
        return self._together([self._searched(self.ground.plan, WHOLE, 0)])[0]

    def walk(self, splits: Sequence[Split]) -> Walked:
        """Search and judge each split."""
        folds = tuple(self._together([self._fold(split, number) for number, split in enumerate(splits)]))
        return Walked(folds, stitched(folds))

    def finish(self) -> str:
        """Gather the rows; the path of their file."""
        return self._equipment.rows.compact()

    def _together(self, courses: Sequence[Course[Found]]) -> list[Found]:
        """What courses come to. Each is begun when those before it leave hands idle."""
        ahead = deque(enumerate(courses))
        waiting: dict[str, list[tuple[int, Course[Found]]]] = {}
        ends: dict[int, Found] = {}

        def go_on(number: int, course: Course[Found], row: Row | None = None) -> None:
            try:
                key = next(course) if row is None else course.send(row)
                while (known := self._known.get(key)) is not None:
                    key = course.send(known)
                waiting.setdefault(key, []).append((number, course))
            except StopIteration as end:
                ends[number] = end.value

        while len(ends) < len(courses):
            while ahead and len(self._running) < self._equipment.workers.wanted:
                go_on(*ahead.popleft())
            if self._running:
                row = self._next_row()
                for number, course in waiting.pop(row.key, ()):
                    go_on(number, course, row)
        return [ends[number] for number in range(len(courses))]

    def _fold(self, split: Split, number: int) -> Course[Fold]:
        train, test = (replace(self.ground.plan, start_ms=a, end_ms=b) for a, b in (split.train_ms, split.test_ms))
        found = yield from self._searched(train, TRAIN, number)
        asked = self._begin(Asked(TEST, number, found.best.asked.number), found.best.parameters, test)
        judged = replace(asked, outcome=(yield asked.key).outcome)
        return Fold(found.rows, found.best, judged, found.deflated)

    def _searched(self, plan: HistoryPlan, part: str, fold: int) -> Course[Swept]:
        space, wanted = self.space, self._equipment.workers.wanted
        search = self._equipment.search_of(space, space.seed + fold)
        untold, found = deque[Row](), dict[str, Row]()
        for number in range(space.trials):
            if len(untold) >= (space.batch if search.learns else max(space.batch, wanted)):
                yield from self._told(search, untold, found)
            untold.append(self._begin(Asked(part, fold, number), search.ask(), plan))
        while untold:
            yield from self._told(search, untold, found)
        tried = tuple(found.values())
        best = best_of(tried, space.objective, minimize=space.minimize)
        ran = [row.outcome.returns for row in tried if not row.refused]
        against = deflated(best.outcome.returns, ran)
        return Swept(tried, space.trials, best, against, overfitting_probability(ran) if part == WHOLE else None)

    def _told(self, search: Search, untold: deque[Row], found: dict[str, Row]) -> Course[None]:
        """Wait for the oldest trial, and tell it. As this search asked for it, whoever else did."""
        asked = untold.popleft()
        row = replace(asked, outcome=(yield asked.key).outcome)
        search.tell(row.value(self.space.objective))
        found.setdefault(row.key, row)

    def _begin(self, asked: Asked, parameters: Parameters, plan: HistoryPlan) -> Row:
        """Have a trial run, unless it is known or under way; its row, without what it finds."""
        empty = self._empty(asked, parameters, plan)
        known, running = self._known.get(empty.key), self._running.get(empty.key)
        if known is not None:
            if asked.order < known.asked.order:
                self._keep(replace(empty, outcome=known.outcome))
        elif running is not None:
            self._running[empty.key] = min(empty, running, key=lambda row: row.asked.order)
        elif empty.refused:
            self._keep(empty)
            self._equipment.on_row(empty)
        else:
            self._running[empty.key] = empty
            self._equipment.workers.begin(Task(empty.key, self.ground.environment_of(parameters), plan))
        return empty

    def _next_row(self) -> Row:
        """Wait for a trial, and keep it."""
        while True:
            outcome = self._equipment.workers.next_done()
            if outcome.failed:
                raise Unavailable("trial", outcome.failed)
            empty = self._running.pop(outcome.key, None)
            if empty is not None:
                break
        row = replace(empty, outcome=outcome)
        self._keep(row)
        self._equipment.on_row(row)
        return row

    def _keep(self, row: Row) -> None:
        self._equipment.rows.keep(row)
        self._known[row.key] = row

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
