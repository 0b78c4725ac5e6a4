"""Gathering: results and engine errors side by side, other exceptions through, threads kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

import pytest

from runtime.adapters.concurrency import ThreadGather, serial_gather
from runtime.errors import Unavailable
from runtime.ports import Gather


@pytest.fixture(params=["threads", "serial"])
def gather(request: pytest.FixtureRequest) -> Iterator[Gather]:
    if request.param == "serial":
        yield serial_gather
        return
    threads = ThreadGather(3)
    yield threads
    threads.close()


def _fail() -> int:
    raise Unavailable("prices", "no answer")


def test_results_and_engine_errors_come_back_by_name_in_order(gather: Gather) -> None:
    calls: Mapping[str, Callable[[], int]] = {"c": lambda: 3, "a": _fail, "b": lambda: 2}
    found = gather(calls)
    assert list(found) == ["c", "a", "b"]
    assert (found["c"], found["b"]) == (3, 2)
    assert isinstance(found["a"], Unavailable)


def test_a_fault_of_ours_propagates_after_the_calls_before_it(gather: Gather) -> None:
    ended: list[int] = []

    def bug() -> None:
        raise IndexError

    calls: Mapping[str, Callable[[], None]] = {"good": lambda: ended.append(1), "bug": bug}
    with pytest.raises(IndexError):
        gather(calls)
    assert ended == [1]


def test_a_fault_of_ours_waits_for_the_calls_beside_it() -> None:
    threads, failed, ended = ThreadGather(2), threading.Event(), []

    def bug() -> None:
        failed.set()
        raise IndexError

    def busy() -> None:
        failed.wait(10)
        ended.append(sum(range(1_000_000)))

    calls: Mapping[str, Callable[[], None]] = {"bug": bug, "busy": busy}
    with pytest.raises(IndexError):
        threads(calls)
    assert ended
    threads.close()


def test_nothing_to_gather_is_nothing_gathered(gather: Gather) -> None:
    nothing: Mapping[str, Callable[[], int]] = {}
    assert gather(nothing) == {}


def test_threads_wait_side_by_side_and_are_kept_for_the_next_use() -> None:
    threads, meeting = ThreadGather(3), threading.Barrier(3, timeout=10)

    def meet() -> str:
        meeting.wait()
        return threading.current_thread().name

    calls = dict.fromkeys("abc", meet)
    first, second = threads(calls), threads(calls)
    threads.close()
    assert len(set(first.values())) == 3, "all three were at the barrier together"
    assert set(first.values()) == set(second.values())


def test_in_process_calls_run_in_the_order_they_are_named() -> None:
    order: list[str] = []
    serial_gather({name: lambda name=name: order.append(name) for name in "cab"})  # type: ignore[misc]
    assert order == ["c", "a", "b"]
