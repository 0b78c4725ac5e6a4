"""What a job does outside the hour itself: the workflow's own Install step, cold and warm; and a start by dispatch.sh.

    install, cold     a machine that has no environment for this lock yet: downloads and unpacks everything
    install, warm     every other hour: at most 1 s
    dispatch.sh       a start that is followed to its end, three looks: at most 0.2 s of CPU

The steps are the ones of main.yml, run as a runner would run them. Cold needs a package index and some minutes.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.figures import Figure
from tests.support import telegram_server
from tests.support.dispatcher import Dispatcher
from tests.support.github_server import GitHub
from tests.support.sources import ROOT
from tests.support.workflows import Expressions, Runner, load, steps


def main() -> None:
    """Print one line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=3, help="warm runs")
    parser.add_argument("--cold", action="store_true", help="also fill an empty environment")
    given = parser.parse_args()
    for name, wall_s, cpu_s in _measured(given.n, cold=given.cold):
        print(f"{name:16}{wall_s:>8.2f} s wall {cpu_s:>10.2f} s CPU", flush=True)


def figures() -> list[Figure]:
    """The figures of the table of everything."""
    rows = list(_measured(3, cold=False))
    warm = statistics.median(wall_s for name, wall_s, _ in rows if name == "install, warm")
    dispatch = statistics.median(cpu_s for name, _, cpu_s in rows if name == "dispatch.sh")
    return [
        Figure("a job's install step, warm: wall s", f"{warm:.2f}", "at most 1"),
        Figure("a start by dispatch.sh, followed: CPU s", f"{dispatch:.2f}", "at most 0.2"),
    ]


def _measured(runs: int, *, cold: bool) -> Iterator[tuple[str, float, float]]:
    """Name, wall and CPU seconds of each."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _installs(Path(folder), runs, cold=cold)
        yield from _dispatches(Path(folder), runs)


def _installs(folder: Path, runs: int, *, cold: bool) -> Iterator[tuple[str, float, float]]:
    caches = {"RUNNER_TOOL_CACHE": str(folder / "tools"), "PIP_CACHE_DIR": str(folder / "pip")}
    runner = Runner(ROOT, folder / "temporary", {}, [], caches)
    runner.temporary.mkdir()
    step = next(step for place, step in steps(load("main.yml")) if place == "hour/Install")

    def install() -> None:
        (runner.temporary / "output").write_text("")
        environment = runner.environment(step, Expressions({}))
        subprocess.run(runner.command(step), cwd=ROOT, env=environment, check=True, capture_output=True)

    if cold:
        yield "install, cold", *_timed(install)
    else:  # an environment that is complete and empty: the step does not look into it
        version = subprocess.run(
            [str(shutil.which("python3.11") or shutil.which("python3")), "-VV"], check=True, capture_output=True
        ).stdout
        name = sha256((ROOT / "requirements-lock.txt").read_bytes() + version).hexdigest()[:16]
        (folder / "tools" / "engine-venv" / name).mkdir(parents=True)
        (folder / "tools" / "engine-venv" / name / ".complete").touch()
    for _ in range(runs):
        yield "install, warm", *_timed(install)


def _dispatches(folder: Path, runs: int) -> Iterator[tuple[str, float, float]]:
    for number in range(runs):
        with GitHub() as github, telegram_server.serving() as telegram:
            github.dispatch(github.accepted())
            github.run(github.state("queued"), github.state("in_progress"), github.state("completed", "success"))
            home = folder / f"home{number}"
            home.mkdir()
            dispatcher = Dispatcher(home, github, telegram)
            yield "dispatch.sh", *_timed(partial(_to_its_end, dispatcher))


def _to_its_end(dispatcher: Dispatcher) -> None:
    dispatcher.start().communicate()


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    work()
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
