"""Where worker processes come from: a process that has engine and candles in memory, one thread, and no other work.

It splits off a worker for each socket that it is sent, and ends when nobody is left at the other end, however that
ended; its workers end with it, in the middle of a trial too. Ctrl-C in a terminal reaches all processes of a command:
here it is left to the one that was started.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Thread

from runtime.domain.trials import Outcome, Task

LOOK_EVERY_S = 0.5
Evaluate = Callable[[Task], Outcome]


def tend(line: socket.socket, others: socket.socket, evaluate: Evaluate) -> None:
    """Split off a worker for each socket that comes along `line`, until its other end, of which `others` is a copy, is
    closed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    others.close()
    gc.freeze()  # what is there by now stays: no worker need look through it for rubbish, and copy its pages by that
    workers = []
    while handles := socket.recv_fds(line, 1, 1)[1]:
        worker = get_context("fork").Process(target=_work, args=(handles[0], line, evaluate))
        worker.start()
        os.close(handles[0])
        workers.append(worker)
    for worker in workers:
        worker.kill()


def _work(handle: int, line: socket.socket, evaluate: Evaluate) -> None:
    """Run trials until nobody asks for more."""
    line.close()
    Thread(target=_outlive_nobody, args=(os.getppid(),), daemon=True).start()
    asked = Connection(handle)
    with suppress(EOFError, OSError):  # nobody is there any more, to ask or to be answered
        while True:
            asked.send(_answer(evaluate, asked.recv()))


def _answer(evaluate: Evaluate, task: Task) -> Outcome:
    """What a trial found. Its own faults are not those of the line."""
    try:
        return evaluate(task)
    except (EOFError, OSError) as error:
        return Outcome(task.key, {}, failed=f"{type(error).__name__}: {error}")


def _outlive_nobody(parent: int) -> None:
    """A nursery that is killed ends nobody: its workers look after themselves."""
    while os.getppid() == parent:  # an orphan has another one
        time.sleep(LOOK_EVERY_S)
    os._exit(1)  # at once: nobody is left to be handed anything
