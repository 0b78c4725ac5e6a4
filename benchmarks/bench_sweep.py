"""What a second core is worth to a sweep: the same trials in one process and in two, start-up and storing included.

    two cores     at least 1.8 times as fast as one, on a machine that has two to give
    yardstick     a plain loop, alone and twice at once: what the machine itself gives a second process at that moment
    nothing new   the same command once more: what a sweep does that is no trial, and mostly on one core

One call runs all rows in turns, as often as asked; the best of each counts, because a neighbour only ever takes. By
processor time, `start + (two cores - start) / 2` is what two free cores need: that says what the sweep itself loses.
Candles are made up (12 symbols, a year that is run), so that this runs anywhere; `--data FOLDER` takes others.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.bench_history import candles, pool_of
from benchmarks.figures import ROOT, Figure, Found, measured, shown

TRIALS, SYMBOLS = 32, 12
MADE_UP = ("2022-01-01", "2023-01-01")
SPACE = """
[search]
objective = "total"
sampler = "{sampler}"
trials = {trials}
[parameters]
STRATEGY_PARAM_ATR_MULTIPLE = {{ low = 1.5, high = 6.0, log = true }}
STRATEGY_PARAM_MAX_SYMBOL_RATIO = {{ low = 0.05, high = 0.50, step = 0.05 }}
"""
LOOP = "total = 0\nfor at in range(40_000_000): total += at"
ONE, TWO, AGAIN, LOOP_ONE, LOOP_TWO = "one core", "two cores", "nothing new", "loop", "loop, twice at once"
GOAL = 1.8
Rows = Mapping[str, Sequence[Found]]


def main() -> None:
    """Print one table, and what follows from it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=3, help="rounds")
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--sampler", choices=["tpe", "random"], default="tpe")
    parser.add_argument("--data", type=Path, help="a folder of hourly candles of 12 symbols")
    parser.add_argument("--from", dest="start", default="2021-01-01", help="first day, with --data")
    parser.add_argument("--to", dest="end", default="2022-01-01", help="the day after the last, with --data")
    given = parser.parse_args()
    span = (given.start, given.end) if given.data else MADE_UP
    space = SPACE.format(sampler=given.sampler, trials=given.trials)
    with tempfile.TemporaryDirectory() as place:
        rows = _measured(given.data, Path(place), span, (space, given.n))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {given.trials} trials, {given.n} rounds")
    heads = ("", "best s", "CPU s")
    print(
        shown([heads, *((name, f"{best(rows, name):.2f}", f"{best(rows, name, 'whole_cpu_s'):.2f}") for name in rows)])
    )
    for figure in _figures(rows):
        print(f"{figure.what}: {figure.value}")


def figures() -> list[Figure]:
    """The figures of the table of everything."""
    with tempfile.TemporaryDirectory() as place:
        return _figures(_measured(None, Path(place), MADE_UP, (SPACE.format(sampler="tpe", trials=TRIALS), 2)))


def best(rows: Rows, name: str, what: str = "whole_wall_s") -> float:
    """The least that a row took, in seconds."""
    return min(float(found[what]) for found in rows[name])


def _figures(rows: Rows) -> list[Figure]:
    wall = best(rows, ONE) / best(rows, TWO)
    loop = 2 * best(rows, LOOP_ONE) / best(rows, LOOP_TWO)
    one, two, start = (best(rows, name, "whole_cpu_s") for name in (ONE, TWO, AGAIN))
    free = one / (start + (two - start) / 2)
    same = len({found["sha256"] for found in (*rows[ONE], *rows[TWO], *rows[AGAIN])}) == 1
    return [
        Figure("sweep: a second core makes it faster by", f"{wall:.2f}", f"at least {GOAL}"),
        Figure("  a plain loop, at the same time", f"{loop:.2f}", "2"),
        Figure("  the sweep by processor time, on two free cores", f"{free:.2f}", f"at least {GOAL}"),
        Figure("  the same trials on one core and on two", "yes" if same else "NO", "yes"),
    ]


def _measured(data: Path | None, folder: Path, span: tuple[str, str], asked: tuple[str, int]) -> Rows:
    space, rounds = asked
    (folder / "space.toml").write_text(space)
    source = data or candles(folder / "candles", SYMBOLS, 2)
    rows: dict[str, list[Found]] = {}
    for number in range(rounds):
        works: dict[str, Callable[[], Found]] = {
            ONE: partial(_swept, source, folder, span, (1, number)),
            TWO: partial(_swept, source, folder, span, (2, number)),
            AGAIN: partial(_swept, source, folder, span, (1, number)),
            LOOP_ONE: partial(_looped, 1),
            LOOP_TWO: partial(_looped, 2),
        }
        for name, work in works.items():
            rows.setdefault(name, []).append(work())
    return rows


def _swept(data: Path, folder: Path, span: tuple[str, str], run: tuple[int, int]) -> Found:
    """One sweep, into a folder that is empty the first time; parsed candles are kept from the first run on."""
    out = folder / "-".join(map(str, run))
    if not out.exists():
        out.mkdir()
        (folder / "parsed").mkdir(exist_ok=True)
        (out / "parsed-candles").symlink_to(folder / "parsed", target_is_directory=True)
    asked = ["--history", str(data), "--sweep", str(folder / "space.toml"), "--pools", pool_of(SYMBOLS), "--json"]
    asked += ["--from", span[0], "--to", span[1], "--allow-gaps", "--out", str(out), "--jobs", str(run[0])]
    found = measured([sys.executable, str(ROOT / "run_cycle_replay.py"), *asked])
    if found is None:
        raise SystemExit(f"the sweep failed: {asked}")
    return found


def _looped(count: int) -> Found:
    return measured(["sh", "-c", "&".join([f"{sys.executable} -c '{LOOP}'"] * count) + "& wait"]) or {}


if __name__ == "__main__":
    main()
