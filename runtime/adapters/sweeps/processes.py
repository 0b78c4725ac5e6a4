"""Trials on the cores of this machine, by joblib.

A worker that is killed takes its process pool with it. What it had not handed over is run again in a new one; what was
handed over is not. A sweep that is killed leaves workers that nobody can end: each looks whether it is still the
child of the process that started it, and ends, in the middle of a trial too, when it is not.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from runtime.domain.trials import Outcome, Task
from runtime.errors import Unavailable

ATTEMPTS_MAX = 3
LOOK_EVERY_S = 0.5
Evaluate = Callable[[Task], Outcome]


class Processes:
    """Trials on several cores. `evaluate` must be importable: it is named to the workers, not sent."""

    def __init__(self, evaluate: Evaluate, jobs: int) -> None:
        """`jobs` is how many processes there are; they are started with the first batch and kept."""
        self._evaluate = evaluate
        self._pool = joblib.Parallel(
            n_jobs=jobs,
            backend="loky",
            return_as="generator_unordered",
            batch_size=1,
            initializer=_live_with,
            initargs=(os.getpid(),),
        )

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        left = {task.key: task for task in tasks}
        for _ in range(ATTEMPTS_MAX):
            try:
                with _ended_quietly(self._pool(map(joblib.delayed(self._evaluate), list(left.values())))) as outcomes:
                    for outcome in outcomes:
                        # A pool that broke may hand over late what the next one has run again.
                        if left.pop(outcome.key, None) is not None:
                            yield outcome
            except BrokenProcessPool:
                continue
            return
        raise Unavailable("worker processes", f"they died {ATTEMPTS_MAX} times; the same command goes on from here")


@contextmanager
def _ended_quietly(outcomes: Generator[Outcome, None, None]) -> Iterator[Iterator[Outcome]]:
    """What a pool hands over, ended with the block. Joblib warns of trials that nobody took; whoever breaks a sweep off
    knows, and runs them again.
    """
    try:
        yield outcomes
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            outcomes.close()


def _live_with(parent: int) -> None:
    """Begin a worker: it ends soon after the process that started it, however that ended."""
    Thread(target=_outlive_nobody, args=(parent,), daemon=True).start()


def _outlive_nobody(parent: int) -> None:
    while os.getppid() == parent:  # an orphan has another one
        time.sleep(LOOK_EVERY_S)
    os._exit(1)  # at once: nobody is left to be handed anything
