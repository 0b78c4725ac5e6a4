"""The ladder: which source this hour's pool comes from, and why not from a better one.

    fresh_upstream ──► last_known_good ──► local_file(s) ──► static
    the publisher's     the accepted         files on this      built in, unchecked:
    document            release, in state    machine            an emergency

The first rung whose payload meets the contract is taken; every rung before it is in `tried` with its reason. Only
`fresh_upstream` is healthy. Sources are read lazily: a rung below a good upstream is never read. Below the last known
good, files are still read, but only compared: a newer one is pointed out, never preferred, because the operator put the
publisher's release above them.

Which symbols follow from it is a second question (`execution_pool`). The worked problem: release A holds five symbols,
two of them bought. The upstream goes silent, A passes its age limit, and the ladder falls to the eleven static symbols.
If the eleven were now the pool, a held symbol that ranked third of five could rank sixth of eleven and be sold, for no
reason but a change of source. So the pool is *locked* to the accepted release: only a new release replaces it. What the
degraded source does not name is left out of A rather than replaced: a symbol left out counts as retired (it leaves by
stop, sma60 and regime alone), fewer symbols only improve the rank of the others, and an expired release alone is never
a reason to buy. So a change of source can sell nothing, whatever the source says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain

from runtime.domain.changing import changed
from runtime.domain.decision import ExecutionPool
from runtime.domain.pool import (
    AcceptedPool,
    PoolRejected,
    PoolStatus,
    ReleaseConflict,
    Rung,
    UpstreamPool,
    accept,
    check_release,
    parse_pool,
    recheck,
)
from runtime.domain.remembering import remembered
from runtime.domain.settings import LadderSettings
from runtime.domain.slots import day_start_ms, slot_at, slot_date
from runtime.domain.values import Value
from runtime.errors import EngineError

STATIC_SYMBOLS = ("ETHUSDT", "SOLUSDT", "XRPUSDT", "LINKUSDT", "AVAXUSDT", "ADAUSDT", "DOGEUSDT", "TRXUSDT",
                  "ATOMUSDT", "LTCUSDT", "BCHUSDT")  # fmt: skip
STATIC_VERSION = "static"
STATE = "state"
BUILT_IN = "built in"


@dataclass(frozen=True, slots=True)
class Reading(metaclass=Value):
    """What one source gave: its `payload` as read, or the `problem` that kept it from being read."""

    rung: Rung
    where: str
    payload: object = None
    problem: str | None = None


def shown(readings: Sequence[Reading]) -> list[dict[str, object]]:
    """The readings as the tape keeps them."""
    return [{"rung": r.rung.value, "payload": r.payload, "problem": r.problem} for r in readings]


@dataclass(frozen=True, slots=True)
class Tried:
    """One rung that was tried: whether it was `accepted`, and `why` it was, or was passed over."""

    rung: Rung
    where: str
    accepted: bool
    why: str


@dataclass(frozen=True, slots=True)
class Resolution(metaclass=Value):
    """Where this hour's pool comes from.

    `symbols` is the order of the chosen source; `as_of_date` and `age_days` are None for `static`. `accepted` is what
    the state must remember from now on: the new release, or the one before, unchanged. `conflict` says that a
    well-formed payload contradicted the accepted release, which the operator must be told. `notes` are for people.
    """

    rung: Rung
    where: str
    symbols: tuple[str, ...]
    version: str
    as_of_date: date | None
    age_days: int | None
    tried: tuple[Tried, ...]
    accepted: AcceptedPool | None
    conflict: bool = False
    notes: tuple[str, ...] = ()

    @property
    def degraded(self) -> bool:
        """Whether the source is anything but the publisher's own, valid and fresh document."""
        return self.rung is not Rung.FRESH_UPSTREAM

    @property
    def locked_symbols(self) -> tuple[str, ...]:
        """The symbols of the accepted release, in its order; the chosen source's own if none was ever accepted."""
        return self.accepted.symbols if self.accepted else self.symbols


def climb(
    readings: Iterable[Reading], accepted: AcceptedPool | None, settings: LadderSettings, slot: str
) -> Resolution:
    """The best rung that holds at the slot's date; `readings` come best first and are drawn only as far as needed."""
    drawn = iter(readings)
    first = next(drawn, None)
    if first is not None and first.rung is Rung.FRESH_UPSTREAM and first.problem is None and accepted is not None:
        standing = _standing(first.payload, first.where, accepted, settings, slot_date(slot))
        if standing is not None:
            return standing
    return _climbed(chain([] if first is None else [first], drawn), accepted, settings, slot)


@remembered
def _standing(
    payload: object, where: str, accepted: AcceptedPool, settings: LadderSettings, today: date
) -> Resolution | None:
    """The resolution of an upstream that repeats the accepted release: it is the same all day. None = look closer."""
    reading = Reading(Rung.FRESH_UPSTREAM, where, payload)
    found = _climbed([reading], accepted, settings, slot_at(day_start_ms(today)))
    return changed(found, accepted=accepted) if not found.degraded and found.accepted == accepted else None


def _climbed(
    readings: Iterable[Reading], accepted: AcceptedPool | None, settings: LadderSettings, slot: str
) -> Resolution:
    judge = _Judge(accepted, settings, slot)
    tried: list[Tried] = []
    notes: list[str] = []
    conflict = False
    chosen: tuple[Reading, UpstreamPool] | None = None
    for reading in _in_order(readings):
        if chosen is not None:
            notes.extend(judge.compared(reading, chosen[1]))
            continue
        try:
            pool = judge.pool(reading)
        except PoolRejected as refusal:
            tried.append(Tried(reading.rung, reading.where, accepted=False, why=str(refusal)))
            conflict = conflict or isinstance(refusal, ReleaseConflict)
            continue
        tried.append(Tried(reading.rung, reading.where, accepted=True, why=judge.merits(reading.rung, pool)))
        notes.extend(judge.remarks(reading.rung, pool))
        chosen = reading, pool
        if reading.rung is not Rung.LAST_KNOWN_GOOD:
            break
    resolution = judge.static(tried) if chosen is None else judge.resolution(*chosen, tried)
    return changed(resolution, conflict=conflict, notes=tuple(notes)) if conflict or notes else resolution


def status_after(previous: PoolStatus | None, resolution: Resolution, slot: str) -> PoolStatus:
    """The status to keep in state; it counts the hours of an unbroken degraded stretch, each slot once."""
    since, cycles = (slot, 1) if resolution.degraded else ("", 0)
    if resolution.degraded and previous is not None and previous.degraded:
        since = previous.degraded_since
        cycles = previous.degraded_cycles + (previous.slot != slot)
    return PoolStatus(
        rung=resolution.rung,
        version=resolution.version,
        as_of_date=resolution.as_of_date,
        age_days=resolution.age_days,
        degraded=resolution.degraded,
        degraded_since=since,
        degraded_cycles=cycles,
        slot=slot,
    )


@remembered
def execution_pool(resolution: Resolution, tradable: Collection[str], settings: LadderSettings) -> ExecutionPool:
    """What this account trades of the pool: the locked symbols in their order, less what is dropped, with the reasons.

    `tradable` are the pairs that the exchange lists as TRADING on spot. A symbol is dropped if it is not among them, or
    if a degraded source below the last known good does not name it (see the module's docstring).
    """
    dropped: dict[str, str] = {}
    for symbol in resolution.locked_symbols:
        if symbol not in tradable:
            dropped[symbol] = "the exchange does not list it as TRADING on spot"
        elif symbol not in resolution.symbols:
            dropped[symbol] = f"{resolution.rung} does not name it, and it alone may not replace the accepted release"
    return ExecutionPool(
        symbols=tuple(symbol for symbol in resolution.locked_symbols if symbol not in dropped),
        degraded=resolution.degraded and not settings.allow_new_entries_on_degraded,
        dropped=dropped,
    )


@dataclass(frozen=True, slots=True)
class _Judge:
    """What every rung is held against: the accepted release, the settings, the hour."""

    accepted: AcceptedPool | None
    settings: LadderSettings
    slot: str

    def pool(self, reading: Reading) -> UpstreamPool:
        """The pool of a reading; `PoolRejected` with the reasons to pass it over."""
        today = slot_date(self.slot)
        if reading.problem is not None:
            raise PoolRejected([reading.problem])
        if reading.rung is Rung.LAST_KNOWN_GOOD:
            if self.accepted is None:
                raise PoolRejected(["no upstream release was ever accepted"])
            return recheck(self.accepted, today, self.settings)
        pool = parse_pool(reading.payload, today, self.settings)
        check_release(pool, self.accepted)
        return pool

    def merits(self, rung: Rung, pool: UpstreamPool) -> str:
        """Why a pool was accepted, with its age and limit."""
        known = rung is Rung.LAST_KNOWN_GOOD
        limit = self.settings.lkg_max_age_days if known else self.settings.max_age_days
        text = f"release {pool.version}, {len(pool.symbols)} symbols, {self._age(pool)} days old ({limit} at most)"
        if not known or self.accepted is None:
            return text
        terms = f"size {self.accepted.expected_size} and modes {', '.join(self.accepted.acceptable_modes)}"
        return f"{text}; accepted at {self.accepted.accepted_slot} under {terms}"

    def remarks(self, rung: Rung, pool: UpstreamPool) -> list[str]:
        """What else a person should know about the chosen pool."""
        remarks = []
        if pool.left_out:
            remarks.append(f"{rung}: unknown fields that cannot be kept in the state: {', '.join(pool.left_out)}")
        before = self.accepted
        if rung is Rung.FRESH_UPSTREAM and before is not None and before.version != pool.version:
            remarks.append(f"release {pool.version} replaces {before.version} ({before.as_of_date})")
        return remarks

    def compared(self, reading: Reading, known: UpstreamPool) -> list[str]:
        """What a file below the last known good shows: that it is newer, or contradicts it; else nothing."""
        try:
            pool = parse_pool(reading.payload, slot_date(self.slot), self.settings)
        except PoolRejected:
            return []
        place = f"{reading.rung} {reading.where} (not used)"
        if pool.version == known.version and pool.symbols != known.symbols:
            return [f"{place} gives release {pool.version} other symbols: {' '.join(pool.symbols)}"]
        days = (pool.as_of_date - known.as_of_date).days
        newer = (
            f"{place} holds release {pool.version} of {pool.as_of_date}, {days} day(s) newer than the last known good"
        )
        return [f"{newer}: only the upstream replaces an accepted release"] if days > 0 else []

    def resolution(self, reading: Reading, pool: UpstreamPool, tried: Sequence[Tried]) -> Resolution:
        """The resolution in favour of a pool."""
        fresh = reading.rung is Rung.FRESH_UPSTREAM
        return Resolution(
            rung=reading.rung,
            where=reading.where,
            symbols=pool.symbols,
            version=pool.version,
            as_of_date=pool.as_of_date,
            age_days=self._age(pool),
            tried=tuple(tried),
            accepted=accept(pool, self.accepted, self.settings, self.slot) if fresh else self.accepted,
        )

    def static(self, tried: Sequence[Tried]) -> Resolution:
        """The resolution when nothing else held."""
        why = f"{len(STATIC_SYMBOLS)} built-in symbols, unchecked and undated: an emergency"
        last = Tried(Rung.STATIC, BUILT_IN, accepted=True, why=why)
        return Resolution(
            rung=Rung.STATIC,
            where=BUILT_IN,
            symbols=STATIC_SYMBOLS,
            version=STATIC_VERSION,
            as_of_date=None,
            age_days=None,
            tried=(*tried, last),
            accepted=self.accepted,
        )

    def _age(self, pool: UpstreamPool) -> int:
        return (slot_date(self.slot) - pool.as_of_date).days


def _in_order(readings: Iterable[Reading]) -> Iterator[Reading]:
    """The readings with the last known good in its place; `EngineError` if they do not come best first."""
    below = False
    for reading in readings:
        if reading.rung is Rung.LOCAL_FILE and not below:
            below = True
            yield Reading(Rung.LAST_KNOWN_GOOD, STATE)
        if reading.rung is not (Rung.LOCAL_FILE if below else Rung.FRESH_UPSTREAM):
            raise EngineError(f"pool sources: {reading.rung} ({reading.where}) – upstream first, then local files only")
        yield reading
    if not below:
        yield Reading(Rung.LAST_KNOWN_GOOD, STATE)
