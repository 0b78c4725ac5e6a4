"""What a second core is worth to a sweep: the same trials in one process and in two, start-up and storing included.

    two cores     at least 1.8 times as fast as one, on a machine that has two to give
    yardstick     a plain loop, alone and twice at once: what the machine itself gives a second process at that moment

One call runs all rows in turns, as often as asked. On a shared machine compare the speed-up with the yardstick's beside
it, and look at the processor time: what two processes need more than one is all that a sweep itself adds. Candles are
made up, so that this runs anywhere; `--data FOLDER` takes real ones.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.support.pasts import PAIRS
from tests.support.sweeps import write_candles

ROOT = Path(__file__).resolve().parent.parent
DAYS, TRIALS = 60, 32
SPACE = f"""
[search]
objective = "total"
sampler = "random"
trials = {TRIALS}
batch = {TRIALS}
[parameters]
STRATEGY_PARAM_ATR_MULTIPLE = {{ low = 1.5, high = 6.0, log = true }}
STRATEGY_PARAM_MAX_SYMBOL_RATIO = {{ low = 0.05, high = 0.50, step = 0.05 }}
"""
LOOP = "total = 0\nfor at in range(30_000_000): total += at"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=3, help="runs a row")
    parser.add_argument("--data", type=Path, help="a folder of real hourly candles")
    parser.add_argument("--from", dest="start", default="2021-01-01", help="first day, with --data")
    parser.add_argument("--to", dest="end", default="2021-03-02", help="the day after the last, with --data")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "space.toml").write_text(SPACE)
        span = (given.start, given.end)
        if given.data is None:
            write_candles(folder / "candles", DAYS)
            span = ("2022-08-04", "2022-10-03")
        _table(given.data or folder / "candles", folder, span, given.n)


def _table(data: Path, folder: Path, span: tuple[str, str], runs: int) -> None:
    walls: dict[str, list[float]] = {}
    spent: dict[str, list[float]] = {}
    digests: set[object] = set()
    for run in range(runs):
        rows: dict[str, Callable[[], object]] = {
            "one core": partial(_swept, data, folder, span, (1, run)),
            "two cores": partial(_swept, data, folder, span, (2, run)),
            "loop": partial(_looped, 1),
            "loop, twice at once": partial(_looped, 2),
        }
        for name, work in rows.items():
            wall, cpu, digest = _timed(work)
            digests.add(digest)
            walls.setdefault(name, []).append(wall)
            spent.setdefault(name, []).append(cpu)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {TRIALS} trials, {runs} runs a row")
    print(f"{'':22}{'median s':>10}{'best s':>9}{'CPU s':>9}")
    for name, taken in walls.items():
        print(f"{name:22}{statistics.median(taken):>10.2f}{min(taken):>9.2f}{min(spent[name]):>9.2f}")
    sweep = min(walls["one core"]) / min(walls["two cores"])
    machine = 2 * min(walls["loop"]) / min(walls["loop, twice at once"])
    free = 2 * min(spent["one core"]) / min(spent["two cores"])
    print(f"speed-up {sweep:.2f} by a second core; the machine gave a plain loop {machine:.2f}")
    print(f"by processor time, with two cores of its own: {free:.2f}")
    print("the same rows in every run" if len(digests - {None}) == 1 else "ROWS DIFFER")


def _swept(data: Path, folder: Path, span: tuple[str, str], run: tuple[int, int]) -> str:
    """The digest of one sweep into a fresh folder; parsed candles are kept from the first run on."""
    out = folder / "-".join(map(str, run))
    out.mkdir()
    (out / "parsed-candles").symlink_to(folder / "parsed", target_is_directory=True)
    (folder / "parsed").mkdir(exist_ok=True)
    asked = ["--history", str(data), "--sweep", str(folder / "space.toml"), "--pools", ",".join(PAIRS), "--json"]
    asked += ["--from", span[0], "--to", span[1], "--out", str(out), "--jobs", str(run[0])]
    command = [sys.executable, str(ROOT / "run_cycle_replay.py"), *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return str(json.loads(done.stdout)["sha256"])


def _timed(work: Callable[[], object]) -> tuple[float, float, object]:
    """Wall and processor seconds of a piece of work that is done by child processes, and what it gave."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    found = work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begun, spent, found


def _looped(count: int) -> None:
    started = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(count)]
    for process in started:
        process.wait()


if __name__ == "__main__":
    main()
