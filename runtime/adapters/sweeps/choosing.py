"""Choosing the next trials: Optuna's samplers behind `ask` and `tell`, and a grid that is simply walked through.

Optuna keeps nothing on the disk here. Its state is a function of the seed, of what was asked, and of what was told in
which order; a resumed sweep asks and tells everything again, which takes milliseconds, and no trial is run for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import optuna

from runtime.domain.sweep_space import Dimension, Drawn, Listed, Parameters, Space


class GridSearch:
    """Every point of a grid, once."""

    def __init__(self, space: Space) -> None:
        """Begins with the first point."""
        self._points: Iterator[Parameters] = space.points()

    def ask(self, count: int) -> Sequence[Parameters]:
        """The next points; fewer at the end."""
        return list(islice(self._points, count))

    def tell(self, values: Sequence[float | None]) -> None:
        """A grid learns nothing."""


class OptunaSearch:
    """Optuna's choice: `tpe` learns from what it is told, `random` does not."""

    def __init__(self, space: Space, seed: int) -> None:
        """A study that has seen nothing yet."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        samplers = optuna.samplers
        sampler = samplers.TPESampler(seed=seed) if space.sampler == "tpe" else samplers.RandomSampler(seed=seed)
        self._dimensions = space.dimensions
        self._study = optuna.create_study(sampler=sampler, direction="minimize" if space.minimize else "maximize")
        self._open: list[optuna.trial.Trial] = []

    def ask(self, count: int) -> Sequence[Parameters]:
        """The next trials, chosen one after the other before any of them is judged."""
        self._open = [self._study.ask() for _ in range(count)]
        return [{made.name: _drawn(trial, made) for made in self._dimensions} for trial in self._open]

    def tell(self, values: Sequence[float | None]) -> None:
        """A trial without a value has failed, as Optuna calls it: it says nothing about its neighbours."""
        for trial, value in zip(self._open, values, strict=True):
            failed = optuna.trial.TrialState.FAIL
            self._study.tell(trial, value) if value is not None else self._study.tell(trial, state=failed)


def _drawn(trial: optuna.trial.Trial, made: Dimension) -> str:
    if isinstance(made, Listed):
        return made.text(int(trial.suggest_categorical(made.name, list(range(len(made))))))
    if not isinstance(made, Drawn):
        return made.text(trial.suggest_int(made.name, 0, len(made) - 1))
    if made.whole:
        return made.spelled(trial.suggest_int(made.name, int(made.low), int(made.high), log=made.log))
    return made.spelled(trial.suggest_float(made.name, float(made.low), float(made.high), log=made.log))
