"""Stored: what crosses the `Store` port besides the state itself: lease, cache, the slot's record, one atomic write.

Plain values. Their documents are made by `domain.documents`; who may take a lease is said in `domain.leases`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.domain.audit import Event
from runtime.domain.control import Control
from runtime.domain.inbox import Inbox
from runtime.domain.instruments import Instrument
from runtime.domain.ledger import Entry
from runtime.domain.market import DailySeries
from runtime.domain.orders import Intent
from runtime.domain.state import State
from runtime.domain.values import Value


@dataclass(frozen=True, slots=True)
class Lease(metaclass=Value):
    """The account's lease: a random owner token, an expiry on the store's clock, a number that only grows."""

    owner: str
    expires_ms: int
    fence: int
    slot: str


@dataclass(frozen=True, slots=True)
class Loaded(metaclass=Value):
    """The state document as read. `state` None = no document. `token` is what a conditional write must match,
    `read_ms` the store's clock at the read.
    """

    state: State | None
    lease: Lease | None
    token: object
    read_ms: int


@dataclass(frozen=True, slots=True)
class Held:
    """A lease in our hands, with the token that the next commit must match."""

    lease: Lease
    token: object


@dataclass(frozen=True, slots=True)
class DailyCache:
    """Closed daily candles and instruments kept between hours; `instruments_ms` is when those were read."""

    series: Mapping[str, DailySeries] = field(default_factory=dict)
    instruments: Mapping[str, Instrument] = field(default_factory=dict)
    instruments_ms: int = 0


@dataclass(frozen=True, slots=True)
class CycleRecord(metaclass=Value):
    """The slot's own document: exit code, digests of report and tape, when it ended. It is the heartbeat too.

    `card` says why (`domain.why`), packed; empty where an older version wrote it, or nobody reads what the hour says.
    """

    slot: str
    exit_code: int
    ended_ms: int
    report_sha256: str = ""
    tape_sha256: str = ""
    summary: Mapping[str, str] = field(default_factory=dict)
    card: str = ""


@dataclass(frozen=True, slots=True)
class Changes(metaclass=Value):
    """One atomic write: all of it or none. `state` always; the rest where there is any."""

    state: State
    intents: tuple[Intent, ...] = ()
    entries: tuple[Entry, ...] = ()
    cycle: CycleRecord | None = None
    cache: DailyCache | None = None
    release: bool = False
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Mail:
    """Inbox and control as read at one moment; `token` is what the next write of them must match."""

    inbox: Inbox
    control: Control
    token: object
    read_ms: int
