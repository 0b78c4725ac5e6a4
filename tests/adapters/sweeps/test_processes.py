"""Worker processes: each trial once, and one that is killed takes nothing with it but itself."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from runtime.adapters.sweeps.processes import ATTEMPTS_MAX, Processes
from runtime.domain.history_plan import HistoryPlan
from runtime.domain.trials import Outcome, Task
from runtime.errors import Unavailable

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
