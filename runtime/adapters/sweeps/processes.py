"""Trials on the cores of this machine: worker processes that need nothing of their own before their first trial.

The worked problem: a fresh interpreter spends more on imports and candles than a short trial takes. So whoever sweeps
splits off a *nursery* (`nursery`) as soon as engine and candles are in memory, and before any library has started a
thread; each worker is split off from that, has all of it already, and shares the memory.

A trial is handed out when a worker is free, never before: what is still to be run waits here, not behind a slow one. A
worker that is killed takes nothing with it but its own trial, which another one runs again; a trial that kills three
ends the sweep.
"""

from __future__ import annotations

import socket
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait

from runtime.adapters.sweeps.nursery import tend
from runtime.domain.trials import Outcome, Task
from runtime.errors import Unavailable

DEATHS_MAX = 3
END_S = 5
Evaluate = Callable[[Task], Outcome]
Worker = Connection


class Processes:
    """Trials on several cores. What `evaluate` needs must be in memory by now: workers are given tasks and no more."""

    def __init__(self, evaluate: Evaluate, jobs: int) -> None:
        """Splits off the nursery; up to `jobs` workers are started when there is something to do, and kept."""
        self._jobs = jobs
        self._queue = deque[Task]()
        self._idle: list[Worker] = []
        self._busy: dict[Worker, Task] = {}
        self._done = deque[Outcome]()
        self._deaths = Counter[str]()
        self._line, theirs = socket.socketpair()
        with theirs:
            # Named so: only a fork has the candles already.
            self._nursery = get_context("fork").Process(target=tend, args=(theirs, self._line, evaluate))
            self._nursery.start()

    @property
    def wanted(self) -> int:
        """As many trials as keep every worker busy, and one more for each."""
        return 2 * self._jobs

    def begin(self, task: Task) -> None:
        """Have a trial run as soon as a worker is free."""
        self._queue.append(task)
        self._hand_out()

    def next_done(self) -> Outcome:
        """Wait for the next trial that is done."""
        while not self._done:
            # All that are ready are given their next trial, before anything is done with what they found.
            ready = wait(list(self._busy))
            for worker in [one for one in self._busy if one in ready]:
                self._hear(worker)
            self._hand_out()
        return self._done.popleft()

    def close(self) -> None:
        """End every worker, in the middle of a trial too."""
        self._line.close()
        for worker in (*self._idle, *self._busy):
            worker.close()
        self._nursery.join(END_S)
        self._nursery.kill()  # whatever held it up: its workers notice that it is gone

    def _hear(self, worker: Worker) -> None:
        task = self._busy.pop(worker)
        try:
            self._done.append(worker.recv())
            self._idle.append(worker)
        except (EOFError, OSError):
            worker.close()
            self._deaths[task.key] += 1
            if self._deaths[task.key] == DEATHS_MAX:
                fix = "the same command goes on from here"
                raise Unavailable("worker processes", f"they died {DEATHS_MAX} times of one trial; {fix}") from None
            self._queue.appendleft(task)

    def _hand_out(self) -> None:
        while self._queue and (self._idle or len(self._busy) < self._jobs):
            worker = self._idle.pop() if self._idle else self._started()
            with suppress(OSError):  # it was killed while it was idle: it is no longer among them
                worker.send(self._queue[0])
                self._busy[worker] = self._queue.popleft()

    def _started(self) -> Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._line, [b"+"], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise Unavailable("worker processes", f"cannot be started: {error.strerror or error}") from None
        return Connection(ours.detach())
