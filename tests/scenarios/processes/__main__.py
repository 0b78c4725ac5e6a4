"""A long campaign of killed processes from the command line; exits with 1 if a single audit found a fault."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.scenarios.processes.campaign import Episode, Outcome, episodes, finished, played
from tests.scenarios.processes.nursery import Nursery
from tests.scenarios.processes.stage import staged
from tests.support.emulator import running_emulator

ACCOUNT_EPISODES = 100


def main() -> int:
    """Play the campaign and print what it met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="episodes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first episode")
    parser.add_argument("--store", choices=["sqlite", "firestore"], default="sqlite")
    given = parser.parse_args()
    began, ends, bad = time.monotonic(), Counter[str](), 0
    with ExitStack() as stack:
        emulator = stack.enter_context(running_emulator()) if given.store == "firestore" else ""
        nursery = stack.enter_context(Nursery())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        todo = list(episodes(given.seed, given.first, given.kills))
        while todo:
            played_now = _account(folder / str(todo[0].number), nursery, emulator, todo[:ACCOUNT_EPISODES])
            todo = todo[len(played_now) :]
            ends.update(f"{o.episode.moment} {o.ended.how}" for o in played_now)
            for outcome in played_now:
                bad += _shown(outcome)
    spent = time.monotonic() - began
    counts = ", ".join(f"{name} {count}" for name, count in sorted(ends.items()))
    sys.stdout.write(f"{given.kills} episodes, seed {given.seed}: {counts}; {bad} with faults; {spent:.0f} s\n")
    return int(bad > 0)


def _account(folder: Path, nursery: Nursery, emulator: str, todo: list[Episode]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with staged(folder, nursery, emulator) as stage:
        for episode in todo:
            outcomes.append(played(stage, episode))
            if finished(stage) or outcomes[-1].faults:  # a fault spoils the account for the episodes after it
                break
    return outcomes


def _shown(outcome: Outcome) -> bool:
    for fault in outcome.faults:
        sys.stdout.write(f"{outcome.episode} ({outcome.ended.how}): {fault}\n")
    return bool(outcome.faults)


if __name__ == "__main__":
    sys.exit(main())
