"""Trials in the process that asks for them, one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from runtime.domain.trials import Outcome, Task


class Alone:
    """One trial at a time, in the order in which they were begun."""

    wanted = 1

    def __init__(self, evaluate: Callable[[Task], Outcome]) -> None:
        """`evaluate` runs a trial."""
        self._evaluate = evaluate
        self._begun = deque[Task]()

    def begin(self, task: Task) -> None:
        """Note a trial."""
        self._begun.append(task)

    def next_done(self) -> Outcome:
        """Run the oldest."""
        return self._evaluate(self._begun.popleft())

    def close(self) -> None:
        """Nobody is to be sent home."""
