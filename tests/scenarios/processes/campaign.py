"""A campaign: seeded episodes on one account. Something ends or stops a run; then an ordinary hour; then the audit.

    moment    the k-th request that reaches the exchange (lost with the process, done all the same, or done late);
              the k-th call that crosses a port in the process, before or after it; or any time at all
    signal    SIGKILL; or SIGSTOP, woken when its lease is over and another run has done the hour
    after it  the same hour once the lease is over (sometimes a try before that, which must not trade), or the next one

The stopped run must end without a word in the state and without an order at the exchange.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from runtime.adapters.simulated.conditions import Effect, Fault
from runtime.domain.slots import slot_at
from runtime.domain.state import State
from tests.scenarios.processes.nursery import Ended, Trap
from tests.scenarios.processes.stage import LAST_MS, Run, Stage, Strike
from tests.support.audit import own_orders, when_settled

FATES = {
    "lost": Fault(drop=True),
    "done": Fault(drop=True, effect=Effect.NOW),
    "late": Fault(drop=True, effect=Effect.LATER, after_ms=9_000),
}
REQUESTS_MAX, CALLS_MAX, LIFE_S = 16, 34, 0.35
KILL, STOP = int(signal.SIGKILL), int(signal.SIGSTOP)


@dataclass(frozen=True, slots=True)
class Episode:
    """What happens to one run; `number` and the campaign's seed decide all of it."""

    number: int
    signal: int
    moment: str
    at: int
    fate: str
    after: bool
    delay_s: float
    impatient: bool
    same_hour: bool

    def __str__(self) -> str:
        name = "killed" if self.signal == KILL else "stopped"
        where = {
            "request": f"request {self.at}, {self.fate}",
            "call": f"{'after' if self.after else 'before'} call {self.at}",
            "time": f"{self.delay_s:.3f} s",
        }[self.moment]
        return f"#{self.number} {name} at {where}"


def episodes(seed: int, first: int, count: int) -> Iterator[Episode]:
    """Episodes `first` to `first + count - 1` of the campaign `seed`."""
    for number in range(first, first + count):
        rng = Random(f"{seed}:{number}")
        moment = rng.choice(("request", "request", "call", "call", "time"))
        yield Episode(
            number=number,
            signal=rng.choice((KILL, KILL, KILL, STOP)) if moment != "time" else KILL,
            moment=moment,
            at=rng.randint(1, REQUESTS_MAX if moment == "request" else CALLS_MAX),
            fate=rng.choice(sorted(FATES)),
            after=rng.random() < 0.5,
            delay_s=rng.random() * LIFE_S,
            impatient=rng.random() < 0.2,
            same_hour=rng.random() < 0.5,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """An episode, how its process ended, and what is wrong afterwards."""

    episode: Episode
    ended: Ended
    faults: tuple[str, ...]


def played(stage: Stage, episode: Episode) -> Outcome:
    """Play one episode to its audit."""
    run = _hurt(stage, episode)
    ended = stage.wait(run)
    stage.sky.strike = None
    faults: list[str] = []
    if episode.impatient and ended.how == "killed":
        faults += _too_early(stage)
    stage.lease_over()
    if not episode.same_hour:
        stage.next_hour()
    said = stage.hour()
    if said["status"] == "lease_held":  # the request for the lease was still under way when its process was hurt
        stage.lease_over()
        said = stage.hour()
    held_up = ended.how == "stopped" and "locked" in said.get("error", "")
    if ended.how == "stopped":
        faults += _woken(stage, run, may_write=held_up)
    if held_up or said["status"] == "slot_done":
        stage.next_hour()
        said = stage.hour()
    if said["exit_code"] != 0 or said["status"] == "lease_held":
        faults.append(f"the hour after it ended with {said['exit_code']}: {said.get('error')}")
    kept = stage.kept()
    faults += when_settled(stage.exchange, kept) if kept else ["nothing is stored"]
    stage.next_hour()
    return Outcome(episode, ended, tuple(faults))


def _hurt(stage: Stage, episode: Episode) -> Run:
    if episode.moment == "request":
        fate = FATES[episode.fate] if episode.signal == KILL else None
        return stage.start(Strike(episode.at, episode.signal, fate))
    if episode.moment == "call":
        return stage.start(Trap(episode.at, episode.signal, episode.after))
    run = stage.start()
    threading.Event().wait(episode.delay_s)  # the one moment that is real time: any instruction may be the last
    os.kill(run.pid, episode.signal)
    return run


def _too_early(stage: Stage) -> list[str]:
    """A run beside a lease that is still alive: at once over, and nothing is sent; no lease: an ordinary hour."""
    before = len(own_orders(stage.exchange))
    with stage.store() as store:
        loaded = store.load()
        alive = loaded.lease is not None and loaded.read_ms < loaded.lease.expires_ms
    said = stage.hour()
    wrong = (said["status"], said["exit_code"]) != ("lease_held", 0) or len(own_orders(stage.exchange)) != before
    return [f"beside a live lease: {said['status']}, exit {said['exit_code']}"] if alive and wrong else []


def _woken(stage: Stage, run: Run, *, may_write: bool) -> list[str]:
    """Wake the sleeper: it must leave state and exchange as they are. One that slept inside SQLite's own transaction
    held everybody up (`may_write`): nobody has taken its lease, so its state may still be its own.
    """
    before, orders = _memory(stage), Counter(row.client_id for row in own_orders(stage.exchange))
    ended = stage.wake(run)
    faults = [] if ended.how == "exited" and ended.number in {0, 3, 4} else [f"the sleeper ended: {ended} {run.said()}"]
    if _memory(stage) != before and not may_write:
        faults.append("the sleeper wrote the state")
    if Counter(row.client_id for row in own_orders(stage.exchange)) != orders:
        faults.append("the sleeper's orders had effect")
    return faults


def _memory(stage: Stage) -> State | None:
    """The state, but for alerts that wait: a run that finds its slot done may deliver those."""
    kept = stage.kept()
    return replace(kept.state, outbox=()) if kept else None


def finished(stage: Stage) -> bool:
    """Whether the market's history is nearly over, and a new account has to begin."""
    return slot_at(stage.clock.now_ms()) >= slot_at(LAST_MS - 24 * 3_600_000)
