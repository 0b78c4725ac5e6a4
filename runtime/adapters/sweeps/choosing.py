"""Choosing the next trials: Optuna's samplers behind `ask` and `tell`.

Optuna keeps nothing on the disk here. Its state is a function of the seed, of what was asked, and of what was told in
which order; a resumed sweep asks and tells everything again, which takes milliseconds, and no trial is run for it.
"""

from __future__ import annotations

from collections import deque

import optuna

from runtime.domain.sweep_space import Dimension, Drawn, Listed, Parameters, Space


class OptunaSearch:
    """Optuna's choice: `tpe` learns from what it is told, `random` does not."""

    def __init__(self, space: Space, seed: int) -> None:
        """A study that has seen nothing yet."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        samplers = optuna.samplers
        self.learns = space.sampler == "tpe"
        sampler = samplers.TPESampler(seed=seed) if self.learns else samplers.RandomSampler(seed=seed)
        self._dimensions = space.dimensions
        self._study = optuna.create_study(sampler=sampler, direction="minimize" if space.minimize else "maximize")
        self._open = deque[optuna.trial.Trial]()

    def ask(self) -> Parameters:
        """The next trial."""
        trial = self._study.ask()
        self._open.append(trial)
        return {made.name: _drawn(trial, made) for made in self._dimensions}

    def tell(self, value: float | None) -> None:
        """A trial without a value has failed, as Optuna calls it: it says nothing about its neighbours."""
        trial, failed = self._open.popleft(), optuna.trial.TrialState.FAIL
        self._study.tell(trial, value) if value is not None else self._study.tell(trial, state=failed)


def _drawn(trial: optuna.trial.Trial, made: Dimension) -> str:
    if isinstance(made, Listed):
        return made.text(int(trial.suggest_categorical(made.name, list(range(len(made))))))
    if not isinstance(made, Drawn):
        return made.text(trial.suggest_int(made.name, 0, len(made) - 1))
    if made.whole:
        return made.spelled(trial.suggest_int(made.name, int(made.low), int(made.high), log=made.log))
    return made.spelled(trial.suggest_float(made.name, float(made.low), float(made.high), log=made.log))
