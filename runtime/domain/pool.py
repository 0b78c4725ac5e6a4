"""Pool: the upstream's monthly list of symbols, and the contract it must meet before money follows it.

The worked problem: a payload that is merely *readable* can still sell the core (BTCUSDT in the pool), count a coin
twice, or be three years old. So a payload becomes an `UpstreamPool` only as a whole: every fault is collected and
named with its field, its value and the fix, and a payload with one fault is no pool at all. Nothing is repaired,
nothing is re-ranked, and the order of the symbols is the publisher's.

A release is a promise: once accepted, the same `version` must keep its symbols, and no earlier date may follow. A
payload that breaks this is a `ReleaseConflict`, which is not a fault of form but a reason to call the operator.

The last known good is judged again every hour under the terms it was accepted under (size and modes), so that a changed
setting does not silently retire it, and under an age limit of its own. Unknown fields are kept as far as the state can
hold them and otherwise ignored. What each field must be is in `pool_contract`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from runtime.domain.pool_contract import (
    check_age,
    check_bases,
    check_date,
    check_mode,
    check_size,
    check_symbols,
    check_version,
    keep_extra,
    problem,
    storable,
)
from runtime.domain.remembering import remembered
from runtime.domain.settings import LadderSettings
from runtime.domain.values import Value
from runtime.errors import EngineError

PROBLEMS_MAX = 20


class Rung(StrEnum):
    """The rungs of the ladder, best first."""

    FRESH_UPSTREAM = "fresh_upstream"
    LAST_KNOWN_GOOD = "last_known_good"
    LOCAL_FILE = "local_file"
    STATIC = "static"


class PoolRejected(EngineError):
    """A payload does not meet the contract: `problems` holds one text for each fault (field, value, fix)."""

    def __init__(self, problems: Sequence[str]) -> None:
        """`problems` has at least one item; beyond `PROBLEMS_MAX` the rest is counted instead of listed."""
        listed = [*problems[:PROBLEMS_MAX]]
        if len(problems) > PROBLEMS_MAX:
            listed.append(f"and {len(problems) - PROBLEMS_MAX} more problems")
        super().__init__("; ".join(listed))
        self.problems = tuple(listed)


class ReleaseConflict(PoolRejected):
    """A well-formed payload contradicts the accepted release: it is refused, and the operator must be told."""


@dataclass(frozen=True, slots=True)
class UpstreamPool:
    """A payload that met the contract. `left_out` names unknown fields that the state cannot hold."""

    version: str
    as_of_date: date
    mode: str
    symbols: tuple[str, ...]
    source_project: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AcceptedPool(metaclass=Value):
    """An upstream release that passed the contract, with the size and modes it was accepted under.

    `accepted_slot` is the hour in which this release was seen first.
    """

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
class PoolStatus(metaclass=Value):
    """Where this hour's pool came from; `degraded_since` and `degraded_cycles` count an unbroken degraded stretch.

    `slot` is the hour the status was made in: an hour that is done again is not counted again.
    """

    rung: Rung
    version: str
    as_of_date: date | None
    age_days: int | None
    degraded: bool
    degraded_since: str = ""
    degraded_cycles: int = 0
    slot: str = ""


def parse_pool(payload: object, today: date, settings: LadderSettings) -> UpstreamPool:
    """The pool in a payload as read, judged on the UTC date `today`; `PoolRejected` with every fault at once."""
    if not isinstance(payload, Mapping):
        raise PoolRejected([problem("payload", payload, "must be a JSON object")])
    form = _form(payload, settings)
    problems = [*form.of_date]
    if form.as_of is not None:
        check_age(form.as_of, today, settings.max_age_days, problems)
    problems += form.others
    if problems or form.pool is None:
        raise PoolRejected(problems)
    return form.pool


@dataclass(frozen=True, slots=True)
class _Form:
    """What of a payload no day changes: its date, the faults of that and all others, and the pool if there are none."""

    as_of: date | None
    of_date: Sequence[str]
    others: Sequence[str]
    pool: UpstreamPool | None


@remembered
def _form(payload: Mapping[str, Any], settings: LadderSettings) -> _Form:
    """Nobody changes a payload that was read; a publisher's document stands for a month."""
    of_date, problems = list[str](), list[str]()
    as_of = check_date(payload.get("as_of_date"), of_date)
    version = check_version(payload.get("version"), as_of, problems)
    mode = check_mode(payload.get("mode"), settings.acceptable_modes, problems)
    symbols = check_symbols(payload.get("symbols"), problems)
    check_size(payload.get("pool_size"), len(symbols), settings.expected_size, problems)
    check_bases(payload, symbols, problems)
    project = payload.get("source_project")
    if not isinstance(project, str | None) or not storable(project):
        problems.append(problem("source_project", project, "must be text, or left out"))
    if problems or as_of is None:
        return _Form(as_of, of_date, problems, None)
    extra, left_out = keep_extra(payload)
    return _Form(as_of, (), (), UpstreamPool(version, as_of, mode, symbols, str(project or ""), extra, left_out))


def recheck(accepted: AcceptedPool, today: date, settings: LadderSettings) -> UpstreamPool:
    """The last known good, judged again under its own terms and `lkg_max_age_days`; `PoolRejected` as `parse_pool`."""
    terms = settings.model_copy(
        update={
            "max_age_days": settings.lkg_max_age_days,
            "expected_size": accepted.expected_size,
            "acceptable_modes": accepted.acceptable_modes,
        }
    )
    stored = {
        "as_of_date": accepted.as_of_date.isoformat(),
        "version": accepted.version,
        "mode": accepted.mode,
        "pool_size": len(accepted.symbols),
        "symbols": accepted.symbols,
        "source_project": accepted.source_project,
    }
    return parse_pool(stored, today, terms)


def check_release(pool: UpstreamPool, accepted: AcceptedPool | None) -> None:
    """`ReleaseConflict` if `pool` changes the accepted version's symbols or their order, or is dated before it."""
    if accepted is None:
        return
    problems = []
    if pool.version == accepted.version and pool.symbols != accepted.symbols:
        same = sorted(pool.symbols) == sorted(accepted.symbols)
        problems.append(
            f"symbols: {' '.join(pool.symbols)} – release {pool.version} was accepted at {accepted.accepted_slot} "
            f"with {'the same symbols in another order' if same else 'other symbols'} ({' '.join(accepted.symbols)}): "
            "a changed list needs a new version"
        )
    if pool.as_of_date < accepted.as_of_date:
        problems.append(
            f"as_of_date: {pool.as_of_date} – is {(accepted.as_of_date - pool.as_of_date).days} day(s) before the "
            f"accepted release {accepted.version} ({accepted.as_of_date}): an older list, and a rollback too, must be "
            "published under a new version and date"
        )
    if problems:
        raise ReleaseConflict(problems)


def accept(pool: UpstreamPool, previous: AcceptedPool | None, settings: LadderSettings, slot: str) -> AcceptedPool:
    """The release to remember, under today's terms; one that is known already keeps the slot it was first seen in."""
    known = previous is not None and (previous.version, previous.as_of_date) == (pool.version, pool.as_of_date)
    return AcceptedPool(
        version=pool.version,
        as_of_date=pool.as_of_date,
        mode=pool.mode,
        symbols=pool.symbols,
        accepted_slot=previous.accepted_slot if previous is not None and known else slot,
        expected_size=settings.expected_size,
        acceptable_modes=settings.acceptable_modes,
        source_project=pool.source_project,
        extra=pool.extra,
    )
