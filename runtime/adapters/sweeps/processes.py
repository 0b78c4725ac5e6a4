"""Trials on the cores of this machine, by joblib's pool of processes (loky).

The worked problem: a fresh interpreter spends more on imports and candles than a short trial takes. So the first
workers are split off from the process that asks, as soon as it has engine and candles in memory and before it starts a
thread: they have all of it at once, and share the pages. Where one of them is killed, the pool is gone; the next one's
workers are fresh interpreters, which may be started at any time and read the candles themselves.

Whichever worker is free takes the next trial. What a broken pool had not handed over is run again by the next one.
"""

from __future__ import annotations

import gc
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from multiprocessing import get_context
from threading import Thread
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.process_executor import BrokenProcessPool

from runtime.domain.trials import Outcome, Task
from runtime.errors import Unavailable

BREAKS_MAX = 3
LOOK_EVERY_S = 0.5
TAKES_UP_S = 1.0
Evaluate = Callable[[Task], Outcome]


class Processes:
    """Trials on several cores."""

    def __init__(self, evaluate: Evaluate, afresh: Evaluate, jobs: int) -> None:
        """Starts `jobs` workers at once. `evaluate` runs a trial with what is in memory; `afresh` is sent to a process
        that has nothing, so it must be small, and named where it can be imported.
        """
        self._afresh, self._jobs, self._breaks = afresh, jobs, 0
        self._waiting = deque[Task]()
        self._running: dict[Future[Outcome], Task] = {}
        # Named so: only a fork has the candles already.
        self._pool = self._pool_of(evaluate, get_context("fork"))
        with _undisturbed():
            self._pool.submit(os.getpid)

    @property
    def wanted(self) -> int:
        """As many trials as keep every worker busy, and one more for each."""
        return 2 * self._jobs

    def begin(self, task: Task) -> None:
        """Have a trial run as soon as a worker is free."""
        self._waiting.append(task)
        self._hand_out()

    def next_done(self) -> Outcome:
        """Wait for the next trial that is done."""
        while True:
            for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                if not isinstance(future.exception(), BrokenProcessPool):
                    del self._running[future]
                    self._breaks = 0
                    self._hand_out()
                    return future.result()
            self._replace()

    def close(self) -> None:
        """End every worker, in the middle of a trial too."""
        end = time.monotonic() + TAKES_UP_S
        while any(not (one.running() or one.done()) for one in self._running) and time.monotonic() < end:
            time.sleep(0.001)  # a pool that is ended before it has taken up what it was given trips over it
        self._pool.shutdown(wait=True, kill_workers=True)

    def _hand_out(self) -> None:
        """Give the pool what keeps it busy, and no more than it takes up at once."""
        while self._waiting and len(self._running) < self.wanted:
            try:
                future = self._pool.submit(_run, self._waiting[0])
            except BrokenProcessPool:
                self._replace()
            else:
                self._running[future] = self._waiting.popleft()

    def _replace(self) -> None:
        """Another pool for what the broken one has not handed over."""
        wait(self._running)  # it gives them all up, one after the other
        self.close()
        self._breaks += 1
        if self._breaks == BREAKS_MAX:
            fix = "the same command goes on from here"
            raise Unavailable("worker processes", f"they died {BREAKS_MAX} times, and no trial was done; {fix}")
        self._pool = self._pool_of(self._afresh, None)
        lost = [future for future in self._running if isinstance(future.exception(), BrokenProcessPool)]
        self._waiting.extendleft(self._running.pop(future) for future in reversed(lost))
        with _undisturbed():
            self._hand_out()

    def _pool_of(self, evaluate: Evaluate, context: Any) -> ProcessPoolExecutor:  # noqa: ANN401 - loky's, untyped
        return ProcessPoolExecutor(
            self._jobs, context=context, initializer=_live_with, initargs=(os.getpid(), evaluate), timeout=None
        )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Start processes that never hear of Ctrl-C, which a terminal sends to all of a command's: it is for the one that
    asks. What is ignored here is ignored there from their first moment; one in these milliseconds is lost.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_evaluate: Evaluate | None = None
"""What a worker runs: it is given once, not with each trial."""


def _live_with(parent: int, evaluate: Evaluate) -> None:
    """Begin a worker: it ends soon after the process that started it, however that ended."""
    global _evaluate  # noqa: PLW0603 - a process that does nothing else
    gc.freeze()  # what is there by now stays: looking through it for rubbish would copy its pages
    _evaluate = evaluate
    Thread(target=_outlive_nobody, args=(parent,), daemon=True).start()


def _outlive_nobody(parent: int) -> None:
    while os.getppid() == parent:  # an orphan has another one
        time.sleep(LOOK_EVERY_S)
    os._exit(1)  # at once: nobody is left to be handed anything


def _run(task: Task) -> Outcome:
    """What a trial finds. A fault of the machine is one of its answers: it must not look like the pool's."""
    assert _evaluate is not None, "a worker begins before it runs"
    try:
        return _evaluate(task)
    except OSError as error:
        return Outcome(task.key, {}, failed=f"{type(error).__name__}: {error}")
