"""Independent reads, at once or in turn: two ways to be the `Gather` port.

Over a network the snapshot's reads wait side by side, each on a thread with its own HTTP session. In process there is
nothing to wait for, so they run in order, which a replay repeats exactly. Both answer alike: an `EngineError` is a
value, so that one missing source does not hide the others; any other exception is a fault of ours and propagates, when
no call is running any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from runtime.errors import EngineError

T = TypeVar("T")


class ThreadGather:
    """Runs the calls on at most `workers` threads, which are kept (with their connections) from one use to the next.

    A call that gathers in turn may wait for a thread for ever: gather from one place only.
    """

    def __init__(self, workers: int) -> None:
        """Threads are started when they are first needed."""
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="gather")

    def __call__(self, calls: Mapping[str, Callable[[], T]]) -> Mapping[str, T | Exception]:
        """Each call's result, or the `EngineError` it raised, in the order of `calls`."""
        futures = {name: self._pool.submit(_settled, call) for name, call in calls.items()}
        wait(futures.values())
        return {name: future.result() for name, future in futures.items()}

    def close(self) -> None:
        """End the threads, and with them their sessions."""
        self._pool.shutdown()


def serial_gather(calls: Mapping[str, Callable[[], T]]) -> Mapping[str, T | Exception]:
    """Each call's result, or the `EngineError` it raised, one after the other in the order of `calls`."""
    return {name: _settled(call) for name, call in calls.items()}


def _settled(call: Callable[[], T]) -> T | Exception:
    try:
        return call()
    except EngineError as error:
        return error
