"""What a job does outside the hour itself: the workflow's own Install step, cold and warm; and a start by dispatch.sh.

    install, cold     a machine that has no environment for this lock yet: downloads and unpacks everything
    install, warm     every other hour: at most 1 s
    dispatch.sh       a start that is followed to its end, three looks: at most 0.2 s of CPU

The steps are the ones of main.yml, run as a runner would run them. Cold needs a package index and some minutes.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

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
    with tempfile.TemporaryDirectory() as folder:
        _measure_install(Path(folder), given.n, cold=given.cold)
        _measure_dispatch(Path(folder), given.n)


def _measure_install(folder: Path, runs: int, *, cold: bool) -> None:
    caches = {"RUNNER_TOOL_CACHE": str(folder / "tools"), "PIP_CACHE_DIR": str(folder / "pip")}
    runner = Runner(ROOT, folder / "temporary", {}, [], caches)
    runner.temporary.mkdir()
    step = next(step for place, step in steps(load("main.yml")) if place == "hour/Install")

    def install() -> None:
        (runner.temporary / "output").write_text("")
        environment = runner.environment(step, Expressions({}))
        subprocess.run(runner.command(step), cwd=ROOT, env=environment, check=True, capture_output=True)

    if cold:
        _timed("install, cold", install)
    else:  # an environment that is complete and empty: the step does not look into it
        version = subprocess.run(
            [str(shutil.which("python3.11") or shutil.which("python3")), "-VV"], check=True, capture_output=True
        ).stdout
        name = sha256((ROOT / "requirements-lock.txt").read_bytes() + version).hexdigest()[:16]
        (folder / "tools" / "engine-venv" / name).mkdir(parents=True)
        (folder / "tools" / "engine-venv" / name / ".complete").touch()
    for _ in range(runs):
        _timed("install, warm", install)


def _measure_dispatch(folder: Path, runs: int) -> None:
    for number in range(runs):
        with GitHub() as github, telegram_server.serving() as telegram:
            github.dispatch(github.accepted())
            github.run(github.state("queued"), github.state("in_progress"), github.state("completed", "success"))
            home = folder / f"home{number}"
            home.mkdir()
            process = Dispatcher(home, github, telegram).start()
            _, _, used = os.wait4(process.pid, 0)
            process.communicate()
            print(f"{'dispatch.sh':16}{'':>18}{used.ru_utime + used.ru_stime:>8.2f} s CPU")


def _timed(name: str, work: Callable[[], None]) -> None:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    work()
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{name:16}{wall:>8.2f} s wall {cpu:>10.2f} s CPU", flush=True)


if __name__ == "__main__":
    main()
