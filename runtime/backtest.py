"""History: `run_cycle` over simulated hours. The only loop over time.

    plan = HistoryPlan(start_ms, end_ms)
    track = run_history(past, plan)          # `wiring.past_of(settings, history, plan)` makes a `Past`

Each hour is the hour that runs live: the same `run_cycle`, decision and plans, on a memory store, a simulated exchange
and sinks that keep nothing. One that finds nothing to do may take a short way that leaves the same (`calm`). The loop
adds what the world would have done meanwhile: it moves the clock to 15 minutes past the next hour, pays deposits in,
and, if the plan says so, is the operator who lifts a latched loss limit. Then it notes the hour in the `Track`. It
decides nothing.

The run is a pure function of history, settings and plan. No look-ahead: the price of an hour is its open, the only
price of it that is known when it begins; only closed daily candles count, and trailing highs are of closed hours
(`adapters/simulated/past`). An hour in which no pair has a candle is one in which the exchange was closed: the cycle
ends early, as it would live (exit 3), and deposits wait for the next one.

A run can be left and taken up again: after every simulated day `on_progress` is called and may ask for a `Checkpoint`.
To stop, it raises. The resumed run leaves the same track, byte for byte, as one that was never interrupted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any, Protocol

from runtime.cycle import Strategy, run_cycle
from runtime.domain.control import Control
from runtime.domain.documents import state_text
from runtime.domain.history_plan import HistoryPlan
from runtime.domain.money import ZERO, plain
from runtime.domain.recording import Recorder, Worth
from runtime.domain.report import Report
from runtime.domain.slots import DAY_MS, HOUR_MS, MINUTE_MS
from runtime.domain.state import State
from runtime.domain.track import Track
from runtime.errors import BadInput
from runtime.hour import Hour
from runtime.ports import World
from runtime.run_settings import Settings

MOMENT_MS = 15 * MINUTE_MS
"""Every simulated hour runs 15 minutes into it, as a paper hour does."""
FORMAT = 1


class Past(Protocol):
    """An account in the past: its world, and what of it only the loop moves."""

    settings: Settings
    strategy: Strategy
    world: World
    history_sha256: str

    @property
    def state(self) -> State | None:
        """What the last hour left; None before the first one."""

    def enter(self, now_ms: int) -> bool:
        """Move the clock to `now_ms`; whether the exchange is open then."""

    def deposit(self, amount: Decimal) -> None:
        """USDT arrives at the exchange, with a record."""

    def calm_hours(self, until_ms: int) -> Sequence[Worth]:
        """What this hour and those after it saw, as far as they change nothing and begin before `until_ms`; they are
        done. Empty: run this one in full.
        """

    def done(self, hour: Hour, report: Report) -> None:
        """See an hour that ran in full."""

    def saved(self) -> Mapping[str, Any]:
        """Store and exchange as JSON values, from which the same past can be made again."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A run as it stood between two hours: JSON values, to be kept with `text` and read with `read_checkpoint`."""

    document: Mapping[str, Any]

    @property
    def next_ms(self) -> int:
        """The first hour that is still to be run (epoch ms)."""
        return int(self.document["next_ms"])

    @property
    def past(self) -> Mapping[str, Any]:
        """What `Past.saved` gave."""
        kept: Mapping[str, Any] = self.document["past"]
        return kept

    def text(self) -> str:
        """One line of JSON."""
        return json.dumps(self.document, separators=(",", ":"), allow_nan=False)


def read_checkpoint(text: str) -> Checkpoint:
    """The checkpoint in `text`; `BadInput` where it is not one of this code's."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise BadInput("checkpoint format", document["format"], f"must be {FORMAT}: begin anew")
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput("checkpoint", str(error), "must be as this code writes it: remove it and begin anew") from None
    return Checkpoint(document)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, in hours; `now_ms` is the simulated moment. `checkpoint` is made only if it is called."""

    done: int
    total: int
    now_ms: int
    checkpoint: Callable[[], Checkpoint]


def run_history(
    past: Past,
    plan: HistoryPlan,
    on_progress: Callable[[Progress], object] | None = None,
    resume_from: Checkpoint | None = None,
) -> Track:
    """Run every hour of the plan; `resume_from` goes on where that checkpoint was taken (`past` made from it too)."""
    run = _Run(past, plan)
    if resume_from is not None:
        run.resume(resume_from)
    while run.next_ms < plan.end_ms:
        run.hour()
        if run.next_ms % DAY_MS == 0 or run.next_ms >= plan.end_ms:
            run.recorder.end_day(past.state)
            if on_progress is not None:
                on_progress(run.progress())
    return run.track()


def _latched_ms(state: State | None) -> int:
    """When a loss limit of the account latched (epoch ms); 0 = none has. Only an hour in full latches one."""
    return state.memory.reduce_only_ms if state is not None else 0


class _Run:
    """A run in progress: where it is, when the next deposit is due, and what was noted so far."""

    def __init__(self, past: Past, plan: HistoryPlan) -> None:
        self.past, self.plan = past, plan
        self.recorder = Recorder()
        self.next_ms = plan.start_ms
        self.due_ms = plan.deposits.next_ms(plan.start_ms) if plan.deposits else plan.end_ms
        self.latched_ms = _latched_ms(past.state)

    def hour(self) -> None:
        """Let the world do what is due, run the hour, note it; and with it those after it in which nothing happens."""
        past, at_ms = self.past, self.next_ms
        open_now = past.enter(at_ms + MOMENT_MS)
        flow = self._paid(at_ms) if open_now else ZERO
        if self.latched_ms:
            self._lift(at_ms)
        passed = past.calm_hours(self._alone_until())
        self.next_ms = at_ms + HOUR_MS * max(1, len(passed))
        if passed:
            self.recorder.go_on(passed)
            return
        before = past.state
        report = run_cycle(past.settings, past.strategy, past.world, past.done)
        self.recorder.note(report, before, past.state, flow)
        self.latched_ms = _latched_ms(past.state)

    def _alone_until(self) -> int:
        """Until when (epoch ms) the loop does nothing but move the clock: no deposit, no operator, at most the end."""
        until_ms = min(self.plan.end_ms, self.due_ms)
        if self.latched_ms and self.plan.resume_days is not None:
            until_ms = min(until_ms, self.latched_ms + self.plan.resume_days * DAY_MS)
        return until_ms

    def _paid(self, at_ms: int) -> Decimal:
        paid = ZERO
        while self.plan.deposits is not None and at_ms >= self.due_ms:
            self.past.deposit(self.plan.deposits.amount)
            paid += self.plan.deposits.amount
            self.due_ms = self.plan.deposits.next_ms(self.due_ms)
        return paid

    def _lift(self, at_ms: int) -> None:
        days = self.plan.resume_days
        if days is not None and at_ms - self.latched_ms >= days * DAY_MS:
            self.past.world.store.set_control(Control(who="history", when_ms=at_ms + MOMENT_MS))

    def progress(self) -> Progress:
        """How far it is."""
        hours = (self.plan.end_ms - self.plan.start_ms) // HOUR_MS
        return Progress((self.next_ms - self.plan.start_ms) // HOUR_MS, hours, self.next_ms, self.checkpoint)

    def checkpoint(self) -> Checkpoint:
        """All that the rest of the run depends on."""
        return Checkpoint(
            {
                "format": FORMAT,
                "key": self._key(),
                "next_ms": self.next_ms,
                "due_ms": self.due_ms,
                "past": self.past.saved(),
                "noted": self.recorder.saved(),
            }
        )

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same run."""
        kept = checkpoint.document
        if kept["key"] != self._key():
            raise BadInput("checkpoint", kept["key"][:12], "is of other candles, pools, settings or plan: begin anew")
        self.next_ms, self.due_ms = kept["next_ms"], kept["due_ms"]
        self.recorder = Recorder.made_from(kept["noted"])

    def _key(self) -> str:
        asked = [self.past.settings.public(), self.plan.public(), self.past.history_sha256]
        return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def track(self) -> Track:
        """What the run leaves."""
        state = self.past.state or State(self.past.settings.account)
        return Track(
            first_ms=self.plan.start_ms,
            plan=self.plan.public(),
            settings=self.past.settings.public(),
            history_sha256=self.past.history_sha256,
            columns=self.recorder.columns(),
            trades=tuple(self.recorder.trades),
            state_sha256=sha256(state_text(state).encode()).hexdigest(),
            ledger={
                book.value: {asset: plain(total) for asset, total in sorted(assets.items())}
                for book, assets in sorted(state.ledger.totals.items())
            },
        )
