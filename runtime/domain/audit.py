"""The audit log: who did what to an account, in which run, with which code and settings. It only ever grows.

An event is written in the same atomic step as what it tells of, wherever the store allows it. Its id begins with its
time, so events are read newest first without an index, and an event that is written again is the same event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from runtime.domain.values import Value

TEXT_MAX = 300
_TIME_DIGITS = 13
LISTED_MAX = 500
"""How many events are read at once."""


class EventKind(StrEnum):
    """What may be done to an account."""

    CONTROL = "control"
    COMMAND = "command"
    FOREIGN = "foreign"
    ORDERS = "orders"
    OPENED = "opened"
    ADOPTED = "adopted"
    DRIFT_ACCEPTED = "drift_accepted"
    ACCOUNT_ACCEPTED = "account_accepted"
    SETTLED = "settled"
    RESTORED = "restored"
    MOVED = "moved"
    MIGRATED = "migrated"


@dataclass(frozen=True, slots=True)
class Run:
    """Which run does it: its name, for whom it works, the code's version and the digest of its settings."""

    name: str = ""
    actor: str = ""
    code: str = ""
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Event(metaclass=Value):
    """One thing that was done. `facts` are texts without secrets; `slot` is the hour it belongs to, or empty."""

    id: str
    at_ms: int
    kind: str
    actor: str
    run: str = ""
    code: str = ""
    settings: str = ""
    slot: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


NOBODY = Run()


def event(run: Run, kind: EventKind, at_ms: int, facts: Mapping[str, str], subject: str = "") -> Event:
    """The event of `kind` about `subject`, which with the time tells it from others; long facts are cut. `actor` and
    `slot` among the facts are the event's own; the actor stands before the run's.
    """
    cut = {name: value if len(value) <= TEXT_MAX else value[: TEXT_MAX - 1] + "…" for name, value in facts.items()}
    actor, slot = cut.pop("actor", "") or run.actor, cut.pop("slot", "")
    name = f"{at_ms:0{_TIME_DIGITS}d}-{kind}-{subject or run.name or 'x'}".replace("/", ":")
    return Event(name, at_ms, kind.value, actor, run.name, run.code, run.settings, slot, cut)


def is_event_id(text: str) -> bool:
    """Whether `text` has the form of an event's id: its time, its kind (maybe a newer version's), its subject."""
    return re.fullmatch(rf"[0-9]{{{_TIME_DIGITS}}}-[a-z_]+-.+", text) is not None
