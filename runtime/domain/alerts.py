"""Alerts: what an operator must be told, as data; the words are chosen by language where they are rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """Decides sound and urgency: `info` is silent, `warning` rings, `critical` rings and is repeated."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell. `kind` names the text and its runbook page, `id` makes delivery idempotent.

    `facts` are the values that the text shows, already formatted and free of secrets.
    """

    id: str
    kind: str
    severity: Severity
    slot: str
    facts: Mapping[str, str] = field(default_factory=dict)
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Incident:
    """A condition that lasts: opened at a slot, seen `count` times, last told at a slot."""

    kind: str
    opened: str
    count: int = 1
    last_told: str = ""
