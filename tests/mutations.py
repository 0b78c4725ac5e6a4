"""Break each promise on purpose, and see that its test goes red: `python -m tests.mutations --only X05` (see --help).

Works in a temporary copy of the checkout, never in the checkout itself. Each test must be green in the copy as it is,
and red (pytest's exit code 1: tests ran, and one failed) with its one change. Ends with 0 if all are, with 1 if a test
stayed green or was not green before.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.support.mutants import TABLE, Mutation, mutations
from tests.support.sources import ROOT

TESTS_FAILED = 1
MINUTES_MAX = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Try the mutations that the command line names; prints a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, metavar="N", help="only N of them, chosen by the table's text")
    parser.add_argument("--only", action="append", default=[], metavar="X05", help="only those of this promise")
    parser.add_argument("--table", type=Path, help="another table of mutations")
    parser.add_argument("--rev", help="try a commit instead of the files as they are now")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        tree = Path(folder)
        copied(tree, given.rev)
        table = given.table or tree / TABLE.relative_to(ROOT)
        chosen = [m for m in mutations(table) if not given.only or m.promise in given.only]
        if given.sample is not None:
            chosen = Random(table.read_bytes()).sample(chosen, min(given.sample, len(chosen)))
        if not chosen:
            parser.error(f"no mutation of {', '.join(given.only)} in {table.name}")
        red = _red_before(tree, sorted({mutation.test for mutation in chosen}))
        failed = sum(not _noticed(tree, mutation, green=mutation.test not in red) for mutation in chosen)
    sys.stdout.write(f"{len(chosen) - failed} of {len(chosen)} mutations were noticed\n")
    return 1 if failed else 0


def copied(tree: Path, rev: str | None = None) -> None:
    """Put a copy of the checkout's files at `tree`: what git tracks and might track as it is now, or a commit's."""
    if rev is not None:
        packed = _git("archive", rev)
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(tree, filter="data")
        return
    for name in filter(None, _git("ls-files", "--cached", "--others", "--exclude-standard", "-z").decode().split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True).stdout


def _red_before(tree: Path, tests: Sequence[str]) -> set[str]:
    """The tests that are not green in the untouched copy: all at once, and one by one only if that is not green."""
    return set() if not _pytest(tree, *tests) else {test for test in tests if _pytest(tree, test)}


def _noticed(tree: Path, mutation: Mutation, *, green: bool) -> bool:
    path = tree / mutation.file
    original = path.read_bytes()
    try:
        mutation.apply(tree)
        outcome = _pytest(tree, mutation.test)
    except ValueError as error:
        outcome, verdict = 0, str(error)
    else:
        verdict = "red" if outcome == TESTS_FAILED else f"NOT NOTICED (pytest {outcome})"
    path.write_bytes(original)
    verdict = verdict if green else "NOT GREEN BEFORE"
    sys.stdout.write(f"{mutation.promise}  {verdict:16}  {mutation.file}  {mutation.test}\n")
    sys.stdout.flush()
    return green and outcome == TESTS_FAILED


def _pytest(tree: Path, *tests: str) -> int:
    # No bytecode: a change of the same length within the same second would otherwise run the old code.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, check=False, timeout=MINUTES_MAX * 60
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
