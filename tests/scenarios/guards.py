"""Take each guard away and see its test go red: `python -m tests.scenarios.guards [--only NAME] [--sample N]`.

A guard is a line of the engine that keeps one promise of the journal: no order twice, no fill lost. `guards.toml` lists
each with the text to take out and the test that must notice. Works in a temporary copy of the checkout, one guard at a
time. A test must be green in the copy as it is and red (pytest's exit code 1: tests ran, one failed) without the guard.
Ends with 1 if a test stayed green or was not green before. `--write-table` writes docs/guards.md and runs nothing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from tests.mutations import copied
from tests.support.sources import ROOT

TABLE = ROOT / "tests" / "scenarios" / "guards.toml"
PAGE = ROOT / "docs" / "guards.md"
STORY_TEST = "tests/scenarios/test_crash_matrix.py::test_the_story_of_a_guard_ends_well[{}]"
TESTS_FAILED = 1
MINUTES_MAX = 10
_HEAD = """# Guards

Each of these keeps one promise: no order twice, no fill lost, nothing silent. Taken away, its test goes red; that is
tried for every one by `python -m tests.scenarios.guards`, which also writes this page (`--write-table`).

| guard | what it keeps | where | the test that goes red without it |
| --- | --- | --- | --- |
"""


@dataclass(frozen=True, slots=True)
class Guard:
    """`old` occurs once in `file` and is the guard; `new` is the engine without it. `test` is a pytest node id."""

    name: str
    what: str
    file: str
    old: str
    new: str
    test: str = ""

    @property
    def node(self) -> str:
        """The test that must go red: its own, or the story of its name."""
        return self.test or STORY_TEST.format(self.name)

    def remove(self, tree: Path) -> None:
        """Take the guard out of the copy at `tree`; `ValueError` if its text is not there exactly once."""
        path = tree / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: its text occurs {text.count(self.old)} times in {self.file}, not once")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


def guards() -> list[Guard]:
    """Every guard, in the order of the table."""
    return [Guard(**row) for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["guard"]]


def table(listed: Sequence[Guard]) -> str:
    """The page of docs: one row a guard."""
    rows = (f"| {g.name} | {g.what} | `{g.file}` | `{g.node}` |\n" for g in listed)
    return _HEAD + "".join(rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Try the guards that the command line names; prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this guard")
    parser.add_argument("--sample", type=int, metavar="N", help="only N of them, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="guards at once (default 2)")
    parser.add_argument("--write-table", action="store_true", help="write docs/guards.md and stop")
    given = parser.parse_args(argv)
    if given.write_table:
        PAGE.write_text(table(guards()), encoding="utf-8")
        return 0
    chosen = [guard for guard in guards() if not given.only or guard.name in given.only]
    if given.sample is not None:
        chosen = Random(given.seed).sample(chosen, min(given.sample, len(chosen)))
    if not chosen:
        parser.error(f"no guard of {', '.join(given.only)} in {TABLE.name}")
    return _tried(chosen, given.workers)


def _tried(chosen: Sequence[Guard], workers: int) -> int:
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        untouched = Path(folder) / "untouched"
        copied(untouched)
        green = _pytest(untouched, *dict.fromkeys(guard.node for guard in chosen)) == 0
        sys.stdout.write(f"without a change: {'green' if green else 'NOT GREEN'}\n")
        with ThreadPoolExecutor(workers) as pool:
            noticed = list(pool.map(partial(_noticed, Path(folder)), chosen))
    sys.stdout.write(f"{sum(noticed)} of {len(chosen)} guards were missed when they were gone\n")
    return 0 if green and all(noticed) else 1


def _noticed(folder: Path, guard: Guard) -> bool:
    tree = folder / guard.name
    copied(tree)
    try:
        guard.remove(tree)
        outcome = _pytest(tree, guard.node)
        verdict = "red" if outcome == TESTS_FAILED else f"NOT NOTICED (pytest ended with {outcome})"
    except ValueError as error:
        verdict = str(error)
    sys.stdout.write(f"{guard.name:24} {verdict}\n")
    sys.stdout.flush()
    return verdict == "red"


def _pytest(tree: Path, *tests: str) -> int:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)}
    for name in [name for name in environment if name.startswith("PYTEST_")]:
        del environment[name]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, check=False, timeout=MINUTES_MAX * 60
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
