"""The hour in progress: what the steps of a cycle share, and the few things they may do with it.

A step reads the world, replaces `state` by a new value, and commits. Nothing else is shared and nothing is global. The
exchange's clock rules: the local one is only a way to read it (`offset_ms`), so that a wrong machine clock can never
move a fence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from decimal import Decimal

from runtime.domain.alerts import Alert, AlertKind, Incident, new_alert, observe, queued, recovered
from runtime.domain.audit import Event, EventKind, event
from runtime.domain.changing import changed
from runtime.domain.control import Control, Mode
from runtime.domain.costs import NO_COSTS, Spent, minutes_of, with_minutes
from runtime.domain.decision import Decision, ExecutionPool, Gate, Plan
from runtime.domain.documents import encode
from runtime.domain.instruments import Instrument
from runtime.domain.ladder import Resolution
from runtime.domain.ledger import Entry
from runtime.domain.market import Account, EarnPosition, Snapshot
from runtime.domain.orders import Intent
from runtime.domain.state import State
from runtime.domain.tape import Tape
from runtime.domain.valuation import Wallet, applied, wallet_of
from runtime.domain.values import Value
from runtime.errors import EngineError, LeaseLost, Stopped
from runtime.ports import Changes, CycleRecord, DailyCache, Held, World
from runtime.run_settings import Settings

CYCLE_BUDGET_MS = 240_000
LEASE_S = 420
RECV_WINDOW_MS = 5_000
BACK_END_MS = 10_000
SHOWN_MS = 5_000
"""How much later than it took effect something may show: look-ups and histories read from copies."""
FENCE_SPARE_MS = 1_000
SKEW_MAX_MS = 5_000


RUNNING = Control()
NOTHING = Account({})


@dataclass(frozen=True, slots=True)
class FirstWave(metaclass=Value):
    """Clock, prices, account and Earn, read at once. `offset_ms` is the exchange's clock less the local one.

    `instruments` are the pairs, where the clock was read with them.
    """

    offset_ms: int
    priced_ms: int
    prices: Mapping[str, Decimal]
    account: Account
    earn: Mapping[str, EarnPosition] | None
    problems: Mapping[str, str]
    instruments: Mapping[str, Instrument] | None = None


def heed(world: World) -> None:
    """`Stopped` where this process was told to end: asked before anything new, never between a send and its close."""
    if why := world.stop():
        raise Stopped(why)


@dataclass(slots=True)
class Hour:
    """One cycle while it runs. Times are epoch ms; `deadline_ms` and `lease_ends_ms` are on the exchange's clock."""

    settings: Settings
    world: World
    slot: str
    held: Held
    state: State
    started_ms: int
    cache: DailyCache
    control: Control = RUNNING
    offset_ms: int = 0
    deadline_ms: int = 0
    lease_ends_ms: int = 0
    wave: FirstWave | None = None
    account: Account = NOTHING
    earn: Mapping[str, EarnPosition] | None = None
    upstream: object = None
    """What the upstream source answered: a payload, an error, or nothing."""
    resolution: Resolution | None = None
    snapshot: Snapshot | None = None
    pool: ExecutionPool | None = None
    decision: Decision | None = None
    entries: tuple[Entry, ...] = ()
    """Booked by the reconciliation and not written yet."""
    new_cache: DailyCache | None = None
    tape: Tape = field(default_factory=Tape)
    unpriced: AbstractSet[str] = frozenset()
    gates: list[Gate] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    recovered: tuple[Intent, ...] = ()
    alerts: list[Alert] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    incidents: Mapping[str, Incident] | None = None
    """Those of the state with what this hour noticed, once it noticed any; `noted` puts them in their place."""
    sent: int = 0
    usage: Mapping[str, int] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    marked: float = 0.0
    """When the last step ended, by the clock that never goes back; `steps` are milliseconds of each."""
    events: list[Event] = field(default_factory=list)
    """Done by this hour and not written yet: they go with the next commit."""
    status_told: str = ""
    spent: Spent = NO_COSTS
    """What the orders that this hour booked cost."""
    began_ms: int = 0
    """When the run began, by the local clock: a first start may have taken minutes before `started_ms`."""
    minutes: int = 0
    """What it took, once it was counted; 0 where no time passes."""

    def mark(self, step: str) -> None:
        """Note that `step` ends here; what took no millisecond is not worth a line."""
        if self.world.told:
            now = self.world.clock.monotonic()
            if took := round((now - self.marked) * 1000):
                self.steps[step] = self.steps.get(step, 0) + took
            self.marked = now

    def count_minutes(self) -> None:
        """Add what this run took to its month, before its end is written."""
        self.minutes = minutes_of(self.world.clock.now_ms() - (self.began_ms or self.started_ms))
        if self.minutes:
            self.state = changed(self.state, costs=with_minutes(self.state.costs, self.slot, self.minutes))

    def now_ms(self) -> int:
        """The exchange's clock."""
        return self.world.clock.now_ms() + self.offset_ms

    @property
    def send_before_ms(self) -> int:
        """The fence: no request of this run carries a later timestamp, so none can be accepted after the lease."""
        return min(self.lease_ends_ms, self.deadline_ms) - RECV_WINDOW_MS - FENCE_SPARE_MS

    @property
    def wallet(self) -> Wallet:
        """What may be spent right now."""
        return wallet_of(self.state.ledger, self.account, self.earn)

    @property
    def prices(self) -> Mapping[str, Decimal]:
        """The newest known prices: this hour's, or the last one's before the snapshot."""
        return self.snapshot.prices if self.snapshot is not None else self.state.prices

    @property
    def wave_taken(self) -> FirstWave:
        """The first reads, once they were made."""
        if self.wave is None:
            raise EngineError("the hour has no first reads yet")
        return self.wave

    @property
    def decided(self) -> Decision:
        """The decision, once it was made."""
        if self.decision is None:
            raise EngineError("the hour has no decision yet")
        return self.decision

    @property
    def observed(self) -> Snapshot:
        """The snapshot, once it was taken."""
        if self.snapshot is None:
            raise EngineError("the hour has no snapshot yet")
        return self.snapshot

    def commit(
        self,
        intents: tuple[Intent, ...] = (),
        entries: tuple[Entry, ...] = (),
        cycle: CycleRecord | None = None,
        *,
        release: bool = False,
    ) -> None:
        """Write the state and what goes with it in one atomic step under the lease.

        The entries of the reconciliation go with the first state that holds their sums; what is to be told goes with
        the first state that makes it true, so that an hour that dies has not swallowed it. `LeaseLost` once the lease
        is over, even if nobody took it: a run that slept through its end writes nothing any more.
        """
        if self.lease_ends_ms and self.now_ms() >= self.lease_ends_ms:
            raise LeaseLost("lease: it ended while this run slept; nothing was written")
        cache = self.new_cache if cycle is not None else None
        entries = (*self.entries, *entries) if self.entries else entries
        state = self.noted() if self.incidents is not None else self.state
        if self.alerts:
            state = changed(state, outbox=queued(state.outbox, self.alerts))
        changes = Changes(state, intents, entries, cycle, cache, release, tuple(self.events))
        self.held, self.entries = self.world.store.commit(self.held, changes), ()
        self.events.clear()

    def noted(self) -> State:
        """The hour's state with the incidents as this hour knows them."""
        if self.incidents is not None:
            self.state, self.incidents = changed(self.state, incidents=self.incidents), None
        return self.state

    def take(self, state: State, intents: Iterable[Intent] = (), entries: Sequence[Entry] = ()) -> None:
        """Make `state` the hour's, with `intents` at their newest and the account moved by `entries`."""
        newest = {intent.id: intent for intent in intents}
        kept = [newest.pop(intent.id, intent) for intent in state.intents]
        self.state = changed(state, intents=(*kept, *newest.values()))
        if entries:
            self.account = applied(self.account, entries)

    def note_plan(self, name: str, plan: Plan, wallet: Wallet) -> None:
        """Put a plan and the wallet it was made for on the tape, and its gates with the hour's."""
        if self.world.told:
            self.tape.record(f"wallet_{name}", wallet, encode)
            self.tape.record(f"plan_{name}", plan, encode)
        self.gates.extend(plan.gates)

    def waited(self, seconds: float) -> bool:
        """Wait, and whether that time has passed: not where the process was told to stop."""
        self.world.clock.sleep(seconds)
        return not self.world.stop()

    def permit(self) -> Mode:
        """What may be sent now: one read of lease and control. `LeaseLost` if the lease is gone."""
        self.control = self.world.store.check(self.held)
        return self.control.at(self.now_ms())

    def log(self, kind: EventKind, subject: str, **facts: str) -> None:
        """Put what this hour does into the audit log, with its next commit; not where nobody keeps what hours tell."""
        if self.world.told:
            self.events.append(event(self.world.run, kind, self.now_ms(), {**facts, "slot": self.slot}, subject))

    def tell(self, kind: AlertKind, subject: str = "", **facts: str) -> None:
        """An event to tell once; not where nobody is told."""
        if self.world.told:
            self.alerts.append(new_alert(kind, self.slot, facts, subject=subject))

    def lasting(self, kind: AlertKind, subject: str = "", **facts: str) -> None:
        """A condition that lasts: told when it opens and then at growing intervals."""
        self.tell_still(kind, subject, self.noticed(kind, subject), facts)

    def noticed(self, kind: AlertKind, subject: str = "") -> int:
        """Note a condition that lasts; in how many hours it was seen if it is to be told now, else 0."""
        name = f"{kind}:{subject}" if subject else kind.value
        self.seen.add(name)
        known = self.state.incidents if self.incidents is None else self.incidents
        self.incidents, tell = observe(known, name, self.slot)
        return self.incidents[name].count if tell else 0

    def tell_still(self, kind: AlertKind, subject: str, count: int, facts: Mapping[str, str]) -> None:
        """Tell a condition that was noticed in `count` hours; 0 = not now."""
        if count and self.world.told:
            self.alerts.append(new_alert(kind, self.slot, facts, subject=subject, count=count))

    def close_incidents(self) -> None:
        """Tell the end of every incident that this hour looked for and did not find."""
        known = self.state.incidents if self.incidents is None else self.incidents
        for name in known:
            if name not in self.seen:
                self.incidents, over = recovered(known if self.incidents is None else self.incidents, name)
                if over is not None:
                    self.tell(AlertKind.RECOVERED, name, what=name, cycles=str(over.count), since=over.opened)
