"""Results: profit and performance, from the documents of the hours and from the ledger.

Hours say what the account was worth; the ledger says what came from outside, what was earned, paid and gained. Both are
in the account's store, so nothing here asks the exchange for anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from runtime.books import entries_of, opened_state
from runtime.domain.books import Event, Kind, Timeline
from runtime.domain.gains import Lots
from runtime.domain.lots import Method
from runtime.domain.results import (
    Earned,
    Outside,
    Point,
    Quality,
    Result,
    opening_point,
    outside_of,
    quality,
    quality_of_btc,
    result,
    since,
)
from runtime.domain.slots import date_at, day_start_ms
from runtime.errors import Abort, BadInput
from runtime.ports import CycleRecord, Store

PAGE = 1000
ALL = "all"
PERIODS = ("day", "week", "month", ALL)


@dataclass(frozen=True, slots=True)
class Period:
    """One line of a profit statement. `unvalued` are assets that came or went at no known price."""

    name: str
    result: Result
    earned: Earned
    unvalued: frozenset[str]


@dataclass(frozen=True, slots=True)
class Performance:
    """The account beside bitcoin, over the same hours; None where the hours do not keep what it takes."""

    period: Period
    account: Quality | None
    bitcoin: Quality | None


def calendar(newest: Point) -> dict[str, int]:
    """The moments (epoch ms) at which the day, the week and the month of the newest hour began, in UTC, and 0."""
    today = date_at(newest.ended_ms)
    starts = (today, today - timedelta(days=today.weekday()), today.replace(day=1))
    return {name: day_start_ms(day) for name, day in zip(PERIODS, starts, strict=False)} | {ALL: 0}


def profits(store: Store, wanted: Sequence[str], since_day: date | None, method: Method) -> list[Period]:
    """What was earned in each of `wanted` (of `PERIODS`), or since `since_day`; gains by `method`.

    `Abort` where no hour has ended that says what the account was worth, `BadInput` for a day after the last one.
    """

    def starts(newest: Point) -> dict[str, int]:
        if since_day is not None:
            return {f"since {since_day}": day_start_ms(since_day)}
        return {name: start for name, start in calendar(newest).items() if name in wanted}

    points = points_of(store, lambda newest: min(starts(newest).values()))
    _refuse_later(points[-1], since_day, "since")
    chosen = {name: since(points, start) for name, start in starts(points[-1]).items()}
    return _periods(store, chosen, method)[0]


def performance(store: Store, since_day: date | None, method: Method) -> Performance:
    """How the account did since `since_day`, or since its first hour; errors as of `profits`."""
    start = 0 if since_day is None else day_start_ms(since_day)
    points = since(points_of(store, lambda _: start), start)
    _refuse_later(points[-1], since_day, "--since")
    (period,), told = _periods(store, {ALL if since_day is None else f"since {since_day}": points}, method)
    return Performance(period, quality(points, told.restarts), quality_of_btc(points))


def points_of(store: Store, since_ms: Callable[[Point], int]) -> list[Point]:
    """Every hour that ended with a known equity, oldest first; `Abort` if there is none.

    Pages are read from the newest back until one reaches `since_ms` (epoch ms, told the newest hour) or before.
    """
    opened_state(store)
    points: list[Point] = []
    before = ""
    while page := store.cycles(PAGE, before):
        points += (point for record in page if (point := _point(record)) is not None)
        before = page[-1].slot
        if points and points[-1].ended_ms <= since_ms(points[0]):
            return points[::-1]
    if not points:
        raise Abort("no hour has ended yet that says what the account was worth")
    points.reverse()
    return [*_opening(store, points[0]), *points]


def _refuse_later(newest: Point, since_day: date | None, field: str) -> None:
    """A day that nothing is known of yet would show as a profit of 0."""
    if since_day is not None and since_day > (last := date_at(newest.ended_ms)):
        raise BadInput(field, str(since_day), f"must not be after the day of the last hour that ended, {last}")


def _opening(store: Store, first: Point) -> list[Point]:
    for day in store.ledger_days()[:1]:
        opened = (opening_point(entry, first) for entry in entries_of(store, day))
        return [point for point in opened if point is not None][:1]
    return []


def _point(record: CycleRecord) -> Point | None:
    equity, index, btc = (_number(record.summary.get(name, "")) for name in ("equity", "index", "btc"))
    return None if equity is None else Point(record.slot, record.ended_ms, equity, index, btc)


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


@dataclass(frozen=True, slots=True)
class _Told:
    """What the ledger tells of some times: money from outside with what of it has no price, the moments at which a
    lost state was made anew, and the sums of each time.
    """

    moved: Sequence[tuple[Outside, frozenset[str]]]
    restarts: Sequence[int]
    earned: Sequence[Earned]


def _periods(store: Store, chosen: Mapping[str, Sequence[Point]], method: Method) -> tuple[list[Period], _Told]:
    spans = {name: (points[0].ended_ms, points[-1].ended_ms) for name, points in chosen.items()}
    told = _read(store, list(spans.values()), method)
    periods = []
    for (name, points), earned in zip(chosen.items(), told.earned, strict=True):
        start, end = spans[name]
        within = [(money, unknown) for money, unknown in told.moved if start < money.time_ms <= end]
        done = result(points, (money for money, _ in within), told.restarts)
        if done is not None:
            periods.append(Period(name, done, earned, frozenset().union(*(unknown for _, unknown in within))))
    return periods, told


def _read(store: Store, spans: Sequence[tuple[int, int]], method: Method) -> _Told:
    """One reading of the whole ledger: gains need all of it, whatever time is asked for."""
    first = str(date_at(min(start for start, _ in spans)))
    timeline, lots = Timeline(), Lots(method)
    sums = [Earned() for _ in spans]
    moved: list[tuple[Outside, frozenset[str]]] = []
    openings: list[int] = []

    def count(events: Iterable[Event]) -> None:
        for event in events:
            gone = lots.after(event)
            for at, (start, end) in enumerate(spans):
                sums[at] = sums[at].after(event, gone) if start < event.time_ms <= end else sums[at]

    for day in store.ledger_days():
        entries = entries_of(store, day)
        openings += (entry.time_ms for entry in entries if entry.kind == Kind.OPENING)
        if day >= first:
            moved += (told for entry in entries if (told := outside_of(entry))[0].value or told[1])
        count(timeline.booked(day, entries))
    count(timeline.rest())
    return _Told(moved, openings[1:], sums)
