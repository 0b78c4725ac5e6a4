"""Worker processes: each trial once, and one that is killed takes nothing with it but itself."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

import pytest

from runtime.adapters.sweeps.processes import ATTEMPTS_MAX, Processes
from runtime.domain.history_plan import HistoryPlan
from runtime.domain.trials import Outcome, Task
from runtime.errors import Unavailable
from tests.support.sources import ROOT

pytestmark = pytest.mark.slow
TASKS = [Task(f"key{number}", {}, HistoryPlan(0, 3_600_000)) for number in range(6)]


def dying(folder: Path, times: int, task: Task) -> Outcome:
    """A trial whose process dies the first `times` times that it is asked for the third one."""
    count = len(list(folder.iterdir()))
    if task.key == "key2" and count < times:
        (folder / str(count)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(task.key, {}, duration_s=float(os.getpid()))


def test_a_worker_that_is_killed_loses_and_doubles_no_trial(tmp_path: Path) -> None:
    found = list(Processes(partial(dying, tmp_path, 1), 2)(TASKS))
    assert sorted(outcome.key for outcome in found) == [task.key for task in TASKS]
    assert len(list(tmp_path.iterdir())) == 1
    assert os.getpid() not in {int(outcome.duration_s) for outcome in found}


def test_a_trial_that_kills_every_worker_ends_the_sweep(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=f"they died {ATTEMPTS_MAX} times"):
        list(Processes(partial(dying, tmp_path, 99), 2)(TASKS))


def test_a_sweep_that_is_left_early_says_nothing_of_trials_that_nobody_took(tmp_path: Path) -> None:
    outcomes = Processes(partial(dying, tmp_path, 0), 2)(TASKS)
    assert isinstance(outcomes, Generator)
    next(outcomes)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        outcomes.close()
        gc.collect()
    assert not told


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
list(Processes(partial(noted, folder, busy), 2)([Task(str(n), {}, HistoryPlan(0, 3_600_000)) for n in range(6)]))
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
