"""The books: the ledger read as a whole, day by day, and written out for accountants and tax offices.

Nothing is exported that does not add up: the entries are summed along the way and must equal the state's balances,
which every hour holds against the exchange to the last unit. An hour that writes in between starts the reading over.
Only the days in the window (`runtime.domain.books`) and the lots held are in memory, however long the history is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from decimal import Decimal

from runtime.domain.books import Event, Timeline
from runtime.domain.exporting import Exporting, Request, Told
from runtime.domain.ledger import OWNED, Balances, Entry
from runtime.domain.money import plain
from runtime.domain.slots import date_at
from runtime.domain.state import State, refuse_unusable
from runtime.errors import Abort, BadInput, EngineError, StateUnreadable
from runtime.operations import NO_STATE
from runtime.ports import Store

Place = Callable[[], AbstractContextManager[Callable[[str], object]]]
"""Opens what is to be written; an exception inside leaves nothing behind."""
READINGS_MAX = 3
DIFFERENCES_SHOWN = 5


def export(store: Store, request: Request, place: Place) -> Told:
    """Write what `request` asks for.

    `BadInput` where the range is none or too long, `Abort` without books or where hours keep writing into them,
    `StateUnreadable` where an entry cannot be read, `EngineError` where the books do not add up.
    """
    if request.first is not None and request.last is not None and request.first > request.last:
        raise BadInput("--to", str(request.last), f"must not be before --from, {request.first}")
    for _ in range(READINGS_MAX):
        before = opened_state(store)
        try:
            with place() as write:
                told = _written(store, request, write, before)
        except _Moved:
            continue
        return told
    raise Abort("the books moved while they were read, again and again: try between two hours")


def opened_state(store: Store) -> State:
    """The account's state; `Abort` if there is none or it is half restored, `SettingsError` if it lives elsewhere."""
    state = store.load().state
    refuse_unusable(state, state.account if state is not None else "")
    if state is None or not state.initialised_ms:
        raise Abort(NO_STATE)
    return state


def events(store: Store, timeline: Timeline) -> Iterator[Event]:
    """Every event of the books in order of time; the books as they stand are the timeline's."""
    for day in store.ledger_days():
        yield from timeline.booked(day, entries_of(store, day))
    yield from timeline.rest()


def entries_of(store: Store, day: str) -> Sequence[Entry]:
    """The entries of a UTC day; `StateUnreadable` names the day."""
    try:
        return store.entries(day)
    except StateUnreadable as error:
        raise StateUnreadable(f"{error} – an entry of {day}: restore that day's ledger from a backup") from None


class _Moved(Exception):
    """An hour wrote while the books were read."""


def _written(store: Store, request: Request, write: Callable[[str], object], before: State) -> Told:
    timeline, exporting = Timeline(), Exporting(request)
    books = timeline.balances
    for event in events(store, timeline):
        for line in exporting.event(event, books):
            write(line)
        books = timeline.balances
    for line in exporting.end(books, date_at(before.initialised_ms)):
        write(line)
    loaded = store.load().state
    if loaded is None or loaded.ledger != before.ledger:
        raise _Moved
    must_add_up(books, before.ledger)
    return exporting.told()


def must_add_up(entries: Balances, state: Balances) -> None:
    """`EngineError` unless the sums of all entries are the state's balances."""
    off = []
    for book in sorted(OWNED):
        for asset in sorted(entries.assets(book).keys() | state.assets(book).keys()):
            found, known = entries.of(book, asset), state.of(book, asset)
            if found != known:
                off.append(f"{book} {asset}: {plain(found)} in the entries, {plain(known)} in the state")
    if off:
        raise EngineError(
            f"the books do not add up ({'; '.join(off[:DIFFERENCES_SHOWN])}): nothing was exported; entries are lost "
            "or from elsewhere: restore the ledger from a backup"
        )


def listed(store: Store, first: date, last: date) -> Iterator[Entry]:
    """The entries booked on the UTC days from `first` to `last`, in order of booking."""
    for day in store.ledger_days():
        if str(first) <= day <= str(last):
            yield from entries_of(store, day)


def costs_given(texts: Sequence[str], parse: Callable[[object, str], Decimal]) -> Mapping[str, Decimal]:
    """Costs a unit by asset from `BTC=30000` and the like; `BadInput` for anything else."""
    costs = {}
    for text in texts:
        asset, equals, cost = text.partition("=")
        if not (asset and equals):
            raise BadInput("--cost", text, "must be an asset and its cost a unit in USDT, as BTC=30000")
        costs[asset.upper()] = parse(cost, f"--cost {asset}")
        if costs[asset.upper()] < 0:
            raise BadInput("--cost", text, "must not be below 0")
    return costs
