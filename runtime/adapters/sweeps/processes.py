"""Trials on the cores of this machine, by joblib.

A worker that is killed takes its process pool with it. What it had not handed over is run again in a new one; what was
handed over is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from runtime.domain.trials import Outcome, Task
from runtime.errors import Unavailable

ATTEMPTS_MAX = 3
Evaluate = Callable[[Task], Outcome]


class Processes:
    """Trials on several cores. `evaluate` must be importable: it is named to the workers, not sent."""

    def __init__(self, evaluate: Evaluate, jobs: int) -> None:
        """`jobs` is how many processes there are; they are started with the first batch and kept."""
        self._evaluate = evaluate
        self._pool = joblib.Parallel(n_jobs=jobs, backend="loky", return_as="generator_unordered", batch_size=1)

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        left = {task.key: task for task in tasks}
        for _ in range(ATTEMPTS_MAX):
            try:
                for outcome in self._pool(joblib.delayed(self._evaluate)(task) for task in list(left.values())):
                    # A pool that broke may hand over late what the next one has run again.
                    if left.pop(outcome.key, None) is not None:
                        yield outcome
            except BrokenProcessPool:
                continue
            return
        raise Unavailable("worker processes", f"they died {ATTEMPTS_MAX} times; the same command goes on from here")
