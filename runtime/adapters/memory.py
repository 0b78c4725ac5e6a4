"""Memory store: the store's contract in one process, for tests and for years of simulated hours.

Values are kept as they are, because they are frozen and encoding them would cost more than the hour itself. With
`copy=True` every value goes through its stored form and back, and the state's size is checked: the semantics of a real
store, still without a file.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from heapq import nlargest
from types import MappingProxyType
from typing import TypeVar

from runtime.domain import leases
from runtime.domain.archive import Section, Stored
from runtime.domain.audit import Event
from runtime.domain.control import Control
from runtime.domain.documents import decode, encode, from_json, parse, state_text, to_json
from runtime.domain.inbox import Inbox
from runtime.domain.ledger import Entry
from runtime.domain.orders import Intent
from runtime.domain.slots import slot_at
from runtime.domain.state import State, decode_state, encode_state
from runtime.errors import LeaseLost
from runtime.ports import Changes, Clock, CycleRecord, DailyCache, Held, Lease, Loaded, Mail

T = TypeVar("T")
_NOTHING: Mapping[str, Entry] = MappingProxyType({})


class MemoryStore:
    """One account's documents in memory. `clock` is the store's clock; threads may share it."""

    def __init__(
        self, clock: Clock, account: str = "main", *, copy: bool = False, records_max: int | None = None
    ) -> None:
        """Start without a document; `copy` sends every value through its stored form. Of cycles, intents and days of
        the ledger, the newest are kept, `records_max` at most of each (None = all).
        """
        self._clock, self._account, self._copy, self._records_max = clock, account, copy, records_max
        self._lock = threading.Lock()
        self._version = 0  # counts the writes of the state document; 0 = there is none
        self._state: State | None = None
        self._lease: Lease | None = None
        self._journal: dict[str, Intent] = {}
        self._ledger: dict[str, dict[str, Entry]] = {}
        self._cycles: dict[str, CycleRecord] = {}
        self._control = Control()
        self._cache = DailyCache()
        self._events: dict[str, Event] = {}
        self._inbox, self._mailed = Inbox(), 0

    def put_back(self, state: State | None, cache: DailyCache) -> None:
        """Hold what another store held: a run that was left goes on from there."""
        with self._lock:
            self._version, self._state, self._lease = self._version + 1 if state is not None else 0, state, None
            self._cache = cache

    @property
    def state(self) -> State | None:
        """The state as it is stored, for who looks on."""
        return self._state

    def load(self) -> Loaded:
        with self._lock:
            state, lease, version = self._state, self._lease, self._version
        if self._copy and state is not None:
            state = self._state_copy(state)
        return Loaded(state, lease, version, self._clock.now_ms())

    def take_lease(self, loaded: Loaded, owner: str, slot: str, seconds: int) -> Held:
        fence = leases.next_fence(loaded.lease, owner, loaded.read_ms)
        lease = Lease(owner, loaded.read_ms + seconds * 1000, fence, slot)
        with self._lock:
            state = self._state or State(self._account)
            return self._replace(loaded.token, state, lease)

    def commit(self, held: Held, changes: Changes) -> Held:
        lease = held.lease
        if changes.release:
            lease = Lease(lease.owner, 0, lease.fence, lease.slot)
        kept = self._changes_copy(changes) if self._copy else changes
        with self._lock:
            done = self._replace(held.token, kept.state, lease)
            self._keep(kept)
        return done

    def check(self, held: Held) -> Control:
        with self._lock:
            leases.confirm(self._lease, held.lease, self._clock.now_ms())
            return self._control

    def control(self) -> Control:
        return self._control

    def set_control(self, control: Control, events: Sequence[Event] = ()) -> None:
        with self._lock:
            self._control, self._mailed = self._copied(control), self._mailed + 1
            self._add(events)

    def audit(self, limit: int, before: str = "") -> Sequence[Event]:
        with self._lock:
            names = [name for name in self._events if name < before] if before else self._events
            return [self._events[name] for name in nlargest(limit, names)]

    def record(self, events: Sequence[Event]) -> None:
        with self._lock:
            self._add(events)

    def mail(self) -> Mail:
        with self._lock:
            return Mail(self._inbox, self._control, self._mailed, self._clock.now_ms())

    def obey(self, mail: Mail, inbox: Inbox, control: Control | None, events: Sequence[Event]) -> Mail:
        with self._lock:
            if mail.inbox != self._inbox or (control is not None and mail.token != self._mailed):
                raise LeaseLost("inbox: changed by another run since it was read; nothing was written")
            self._inbox, self._control = self._copied(inbox), self._copied(control or self._control)
            self._mailed += control is not None
            self._add(events)
            return Mail(self._inbox, self._control, self._mailed, mail.read_ms)

    def _add(self, events: Sequence[Event]) -> None:
        for event in events:
            self._events.setdefault(event.id, self._copied(event))

    def cache(self) -> DailyCache:
        return self._copied(self._cache)

    def cycles(self, limit: int, before: str = "") -> Sequence[CycleRecord]:
        with self._lock:
            slots = [slot for slot in self._cycles if slot < before] if before else self._cycles
            return [self._cycles[slot] for slot in nlargest(limit, slots)]

    def journal(self, slot: str | None = None) -> Sequence[Intent]:
        with self._lock:
            return [self._journal[key] for key in sorted(self._journal) if slot in {None, self._journal[key].slot}]

    def ledger_days(self) -> Sequence[str]:
        with self._lock:
            return sorted(self._ledger)

    def entries(self, day: str) -> Sequence[Entry]:
        with self._lock:
            return list(self._ledger.get(day, _NOTHING).values())

    def dump(self) -> Iterator[Stored]:
        """Every document, section by section, in its stored form."""
        with self._lock:
            journal, cycles = dict(sorted(self._journal.items())), dict(sorted(self._cycles.items()))
            events = dict(sorted(self._events.items()))
            ledger, state = {day: list(entries.values()) for day, entries in self._ledger.items()}, self._state
        if self._control != Control():
            yield Stored(Section.CONTROL, "control", encode(self._control))
        yield from (Stored(Section.CYCLES, slot, encode(cycle)) for slot, cycle in cycles.items())
        yield from (Stored(Section.JOURNAL, name, encode(intent), intent.slot) for name, intent in journal.items())
        for day in sorted(ledger):
            yield from (Stored(Section.LEDGER, entry.id, encode(entry), day) for entry in ledger[day])
        yield from (Stored(Section.AUDIT, name, encode(event)) for name, event in events.items())
        if self._cache != DailyCache():
            yield Stored(Section.CACHE, "cache", encode(self._cache))
        if state is not None:
            yield Stored(Section.STATE, "state", encode_state(state))

    def empty(self, owner: str, seconds: int, restoring: str) -> Held:
        """Take the lease, put an empty state marked `restoring` in the place of whatever is there, and remove all other
        documents but the control; `LeaseLost` while an hour runs.
        """
        with self._lock:
            now_ms, found = self._clock.now_ms(), self._state
            unfinished = found is not None and bool(found.restoring)
            fence = leases.fence_over(self._lease, owner, now_ms, restoring=unfinished)
            lease = Lease(owner, now_ms + seconds * 1000, fence, slot_at(now_ms))
            self._journal, self._ledger, self._cycles, self._cache = {}, {}, {}, DailyCache()
            return self._replace(self._version, State(self._account, restoring=restoring), lease)

    def put(self, held: Held, documents: Sequence[Stored]) -> Held:
        """Write documents other than the state, in this order; `LeaseLost` if anybody wrote since `held`."""
        with self._lock:
            done = self._replace(held.token, self._state or State(self._account), held.lease)
            for document in documents:
                self._put(document)
        return done

    def probe(self) -> None:
        """Memory is always there."""

    def close(self) -> None:
        """Nothing to give back: what is stored stays readable."""

    def _replace(self, token: object, state: State, lease: Lease) -> Held:
        if self._version != token:
            raise LeaseLost("state document: changed by another run since it was read; nothing was written")
        self._version, self._state, self._lease = self._version + 1, state, lease
        return Held(lease, self._version)

    def _keep(self, changes: Changes) -> None:
        for intent in changes.intents:
            self._journal[intent.id] = intent
        for entry in changes.entries:
            day = self._ledger.setdefault(entry.slot[:10], {})
            day.pop(entry.id, None)
            day[entry.id] = entry
        if changes.cycle is not None:
            self._cycles[changes.cycle.slot] = changes.cycle
            if self._records_max is not None and len(self._cycles) > self._records_max:
                self._forget(self._records_max)
        if changes.cache is not None:
            self._cache = changes.cache
        self._add(changes.events)

    def _put(self, document: Stored) -> None:
        where = f"{document.section} {document.id}"
        match document.section:
            case Section.CONTROL:
                self._control = decode(Control, document.body, where)
            case Section.CACHE:
                self._cache = decode(DailyCache, document.body, where)
            case Section.CYCLES:
                self._cycles[document.id] = decode(CycleRecord, document.body, where)
            case Section.AUDIT:
                self._add([decode(Event, document.body, where)])
            case Section.JOURNAL:
                self._journal[document.id] = decode(Intent, document.body, where)
            case _:
                self._ledger.setdefault(document.part, {})[document.id] = decode(Entry, document.body, where)

    def _forget(self, records_max: int) -> None:
        """Drop what is older than the newest half of the records."""
        for records in (self._cycles, self._journal, self._ledger):
            for name in list(records)[: len(records) - records_max // 2]:
                del records[name]

    def _changes_copy(self, changes: Changes) -> Changes:
        return Changes(
            state=self._state_copy(changes.state),
            intents=tuple(map(self._copied, changes.intents)),
            entries=tuple(map(self._copied, changes.entries)),
            cycle=self._copied(changes.cycle) if changes.cycle else None,
            cache=self._copied(changes.cache) if changes.cache else None,
            events=changes.events,
        )

    def _copied(self, value: T) -> T:
        return from_json(type(value), to_json(value), "copy") if self._copy else value

    def _state_copy(self, state: State) -> State:
        return decode_state(parse(state_text(state), "copy")) if self._copy else state
