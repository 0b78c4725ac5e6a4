"""The long run: `python -m tests.scenarios.matrix --cases 10000 --seed 1`, or `--replay "STORY"` of one case.

First every kill of every situation with every way to come back, and everything that a send can meet; then cases drawn
from the seed, until there are enough. One in `--firestore` of them keeps its account on the Firestore emulator (0 =
none). Prints each case that failed as a line that can be replayed. Ends with 1 if any did.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from random import Random

from tests.scenarios.matrix.cases import RERUNS, Case, calls_of, every_kill, every_send, parsed, play, sampled
from tests.scenarios.matrix.places import places, sqlite_place
from tests.scenarios.matrix.situations import SITUATIONS
from tests.support.emulator import running_emulator

AT_ONCE = 25


def main(argv: Sequence[str] | None = None) -> int:
    """Play the cases that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000, help="how many cases in all (default 10000)")
    parser.add_argument("--seed", type=int, default=1, help="of the drawn cases (default 1)")
    parser.add_argument("--workers", type=int, default=2, help="processes at once (default 2)")
    parser.add_argument("--firestore", type=int, default=0, metavar="N", help="one in N on the emulator (default none)")
    parser.add_argument("--replay", metavar="STORY", help="play one case and show what does not hold")
    given = parser.parse_args(argv)
    with ExitStack() as opened:
        wanted = given.firestore or (given.replay is not None and " firestore " in given.replay)
        emulator = opened.enter_context(running_emulator()) if wanted else ""
        if given.replay is not None:
            return _shown(_played(emulator, str(parsed(given.replay))), 1, time.monotonic())
        cases = islice(_all_cases(given.seed, given.firestore), given.cases)
        return _run(list(map(str, cases)), given.workers, emulator)


def _run(stories: Sequence[str], workers: int, emulator: str) -> int:
    began = time.monotonic()
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        failed = [line for lines in pool.map(partial(_played, emulator), stories, chunksize=AT_ONCE) for line in lines]
    return _shown(failed, len(stories), began)


def _shown(failed: Sequence[str], count: int, began: float) -> int:
    sys.stdout.writelines(f"{line}\n" for line in failed)
    cases = len({line.partition(" :: ")[0] for line in failed})
    sys.stdout.write(f"{count} cases in {time.monotonic() - began:.0f} s, {cases} failed\n")
    return 1 if failed else 0


def _played(emulator: str, story: str) -> list[str]:
    """One line for each thing that does not hold: the story, and what."""
    return [f"{story} :: {fault}" for fault in play(parsed(story), places(emulator))]


def _all_cases(seed: int, firestore: int) -> Iterator[Case]:
    calls = {name: len(calls_of(name, sqlite_place)) for name in SITUATIONS}
    for number, case in enumerate(_sqlite_cases(seed, calls), start=1):
        yield replace(case, store="firestore") if firestore and number % firestore == 0 else case


def _sqlite_cases(seed: int, calls: dict[str, int]) -> Iterator[Case]:
    for situation, count in calls.items():
        for rerun in RERUNS:
            yield from every_kill(situation, count, rerun)
        yield from every_send(situation)
    random = Random(seed)
    while True:
        yield sampled(random, calls)
