"""Worker processes: each trial once, and one that is killed takes nothing with it but itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from runtime.adapters.sweeps.processes import BREAKS_MAX, Processes
from runtime.domain.history_plan import HistoryPlan
from runtime.domain.trials import Outcome, Task
from runtime.errors import Unavailable
from tests.support.sources import ROOT

# A sweep splits its workers off before there are threads; whoever runs tests has some, and later Pythons warn of it.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")]
TASKS = [Task(f"key{number}", {}, HistoryPlan(0, 3_600_000)) for number in range(6)]


@contextmanager
def at_work(evaluate: Callable[[Task], Outcome], jobs: int = 2) -> Iterator[Processes]:
    """Workers, ended in the end."""
    processes = Processes(evaluate, evaluate, jobs)
    try:
        yield processes
    finally:
        processes.close()


def all_of(processes: Processes) -> list[Outcome]:
    """What six trials find."""
    for task in TASKS:
        processes.begin(task)
    return [processes.next_done() for _ in TASKS]


def dying(folder: Path, times: int, task: Task) -> Outcome:
    """A trial whose process dies the first `times` times that it is asked for the third one."""
    count = len(list(folder.iterdir()))
    if task.key == "key2" and count < times:
        (folder / str(count)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(task.key, {}, duration_s=float(os.getpid()))


def test_a_worker_that_is_killed_loses_and_doubles_no_trial(tmp_path: Path) -> None:
    with at_work(partial(dying, tmp_path, 1)) as processes:
        found = all_of(processes)
    assert sorted(outcome.key for outcome in found) == [task.key for task in TASKS]
    assert len(list(tmp_path.iterdir())) == 1
    assert os.getpid() not in {int(outcome.duration_s) for outcome in found}


def test_workers_that_are_killed_between_two_trials_are_replaced(tmp_path: Path) -> None:
    with at_work(partial(dying, tmp_path, 0)) as processes:
        first = {int(outcome.duration_s) for outcome in all_of(processes)}
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        awaited(lambda: not any(map(lives, first)))
        found = all_of(processes)
    assert sorted(outcome.key for outcome in found) == [task.key for task in TASKS]
    assert first.isdisjoint(int(outcome.duration_s) for outcome in found)


def test_a_trial_that_kills_every_worker_ends_the_sweep(tmp_path: Path) -> None:
    with (
        at_work(partial(dying, tmp_path, 99)) as processes,
        pytest.raises(Unavailable, match="they died 3 times, and no trial was done"),
    ):
        all_of(processes)
    assert BREAKS_MAX <= len(list(tmp_path.iterdir())) < BREAKS_MAX + len(TASKS), "others may be done between"


def test_what_a_trial_needs_is_in_its_workers_memory_and_not_sent() -> None:
    """Nothing of a generator can be pickled."""
    numbers = (number for number in [7])
    with at_work(lambda task: Outcome(task.key, {"n": next(numbers)}), jobs=1) as processes:
        processes.begin(TASKS[0])
        assert processes.next_done().figures == {"n": 7}
    assert next(numbers) == 7


def met(folder: Path, task: Task) -> Outcome:
    """A trial that ends only when another one is under way in another process; the first of all when all others did."""
    (folder / task.key).touch()
    others = len(TASKS) if task.key == "key0" else 2
    awaited(lambda: len(list(folder.iterdir())) >= others)
    return Outcome(task.key, {})


def test_trials_are_handed_out_as_workers_become_free_and_none_waits_behind_a_slow_one(tmp_path: Path) -> None:
    with at_work(partial(met, tmp_path)) as processes:
        found = [outcome.key for outcome in all_of(processes)]
    assert sorted(found) == [task.key for task in TASKS]
    assert "key0" in found[-2:]


def endless(folder: Path, task: Task) -> Outcome:
    """A trial that never ends."""
    (folder / str(os.getpid())).touch()
    while True:
        signal.pause()


def patient(folder: Path, deaths: int, task: Task) -> Outcome:
    """A trial that ends when it is told to; its first `deaths` processes die of it."""
    if len(list(folder.glob("died*"))) < deaths:
        (folder / f"died{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / f"pid{os.getpid()}").touch()
    awaited((folder / "end").exists)
    return Outcome(task.key, {})


def press(folder: Path) -> None:
    """Interrupt the worker that is waiting, then let it end."""
    awaited(lambda: len(list(folder.glob("pid*"))) == 1)
    (worker,) = [int(path.name.removeprefix("pid")) for path in folder.glob("pid*")]
    os.kill(worker, signal.SIGINT)
    (folder / "end").touch()


@pytest.mark.parametrize("deaths", [0, 1], ids=["split off", "started afresh"])
def test_a_worker_does_not_hear_of_ctrl_c(tmp_path: Path, deaths: int) -> None:
    """A terminal sends it to every process of a command; it is for the one that asks."""
    with at_work(partial(patient, tmp_path, deaths), jobs=1) as processes:
        processes.begin(TASKS[0])
        with ThreadPoolExecutor(1) as beside:
            pressed = beside.submit(press, tmp_path)
            assert processes.next_done() == Outcome(TASKS[0].key, {})
        pressed.result()


def disk_full(task: Task) -> Outcome:
    """A trial that meets a fault of the machine."""
    raise OSError(28, "No space left on device", task.key)


def test_a_fault_of_the_machine_in_a_trial_is_told_and_is_no_death() -> None:
    with at_work(disk_full, jobs=1) as processes:
        processes.begin(TASKS[0])
        assert "No space left on device: 'key0'" in processes.next_done().failed


def test_a_sweep_that_is_left_early_leaves_no_process_and_no_word(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with at_work(partial(endless, tmp_path)) as processes:
        for task in TASKS:
            processes.begin(task)
        awaited(lambda: len(list(tmp_path.iterdir())) == 2)
        left = time.monotonic()
    assert time.monotonic() - left < 5, "at once, and not because somebody's patience ended"
    workers = [int(path.name) for path in tmp_path.iterdir()]
    awaited(lambda: not any(map(lives, workers)))
    assert capfd.readouterr() == ("", "")


ORPHANED = """
import os, signal, sys
from functools import partial
from pathlib import Path
from runtime.adapters.sweeps.processes import Processes
from runtime.domain.history_plan import HistoryPlan
from runtime.domain.trials import Outcome, Task

def noted(folder, busy, task):
    (folder / str(os.getpid())).touch()
    while busy:
        signal.pause()
    return Outcome(task.key, {})

folder, busy = Path(sys.argv[1]), sys.argv[2] == "busy"
processes = Processes(partial(noted, folder, busy), None, 2)
for number in range(6):
    processes.begin(Task(str(number), {}, HistoryPlan(0, 3_600_000)))
for _ in range(6):
    processes.next_done()
(folder / "idle").touch()
signal.pause()
"""
"""A sweep of trials that never end, or of trials that ended a moment ago."""


def lives(pid: int) -> bool:
    """Whether a process is at work: one that is dead and not yet buried is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def awaited(condition: Callable[[], bool]) -> None:
    """Wait for something that happens soon."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("state", ["busy", "idle"])
def test_workers_end_with_the_sweep_that_was_killed(tmp_path: Path, state: str) -> None:
    command = [sys.executable, "-c", ORPHANED, str(tmp_path), state]
    with subprocess.Popen(command, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}) as sweep:
        awaited(lambda: (tmp_path / "idle").exists() or (state == "busy" and len(list(tmp_path.iterdir())) == 2))
        sweep.kill()
    workers = [int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()]
    assert workers
    awaited(lambda: not any(map(lives, workers)))
