"""Pool: the upstream's monthly list of symbols and its contract; stub of types being completed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any


class Rung(StrEnum):
    """The rungs of the ladder, best first."""

    FRESH_UPSTREAM = "fresh_upstream"
    LAST_KNOWN_GOOD = "last_known_good"
    LOCAL_FILE = "local_file"
    STATIC = "static"


@dataclass(frozen=True, slots=True)
class AcceptedPool:
    """An upstream release that passed the contract, with the size and modes it was accepted under."""

    version: str
    as_of_date: date
    mode: str
    symbols: tuple[str, ...]
    accepted_slot: str
    expected_size: int
    acceptable_modes: tuple[str, ...]
    source_project: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """Where this hour's pool came from; `degraded_since` and `degraded_cycles` count an unbroken degraded stretch."""

    rung: Rung
    version: str
    as_of_date: date | None
    age_days: int | None
    degraded: bool
    degraded_since: str = ""
    degraded_cycles: int = 0
