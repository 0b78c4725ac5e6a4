"""The site of an account, read from its store and from the reports that this machine keeps; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from runtime.answers import Kept
from runtime.books import listed, opened_state
from runtime.domain.ledger import OWNED, Book, Entry
from runtime.domain.lots import Method
from runtime.domain.markdown import without_figures
from runtime.domain.money import plain
from runtime.domain.site import Booked, Earning, HourRow, Ratios, Site, Trouble
from runtime.domain.slots import slot_date, slots_between
from runtime.domain.state import State
from runtime.domain.tape import read_chain
from runtime.domain.why import unpacked
from runtime.errors import Abort, BadInput, EngineError
from runtime.ports import CycleRecord, Store
from runtime.results import PERIODS, Performance, performance, profits

PAGE = 500
DAYS_MAX = 400
Tapes = Mapping[str, Callable[[], list[str]]]
"""The tapes that this machine keeps, by slot."""
BOOKED_MAX = 500


def site_of(store: Store, days: int, kept: Kept, tapes: Tapes | None = None) -> Site:
    """The last `days` of the account; `BadInput` for too many, `Abort` without books or hours."""
    if not 1 <= days <= DAYS_MAX:
        raise BadInput("--days", days, f"must be 1 to {DAYS_MAX}")
    state = opened_state(store)
    records = list(_records(store, days))
    if not records:
        raise Abort("no hour has ended yet: run one (main.py), then ask again")
    first, last = slot_date(records[-1].slot), slot_date(records[0].slot)
    entries = list(listed(store, first, last))[-BOOKED_MAX:]
    return Site(
        state.account,
        tuple(_hour(record, kept, tapes or {}) for record in records),
        tuple(_missed(records)),
        tuple(Trouble(kind, seen.opened, seen.count, seen.last_told) for kind, seen in sorted(state.incidents.items())),
        tuple(_booked(entry) for entry in reversed(entries)),
        _balances(state),
        *_results(store),
    )


def _records(store: Store, days: int) -> Iterator[CycleRecord]:
    """The slots' documents of the last `days`, newest first."""
    before, since = "", ""
    while page := store.cycles(PAGE, before):
        since = since or str(slot_date(page[0].slot) - timedelta(days=days - 1))
        inside = [record for record in page if record.slot >= since]
        yield from inside
        if len(inside) < len(page):
            return
        before = page[-1].slot


def _missed(records: list[CycleRecord]) -> Iterator[str]:
    """Hours between two that were done, newest first."""
    for newer, older in pairwise(records):
        yield from reversed(slots_between(older.slot, newer.slot))


def _taped(record: CycleRecord, tapes: Tapes) -> str:
    """What became of the hour's tape, every record of it read."""
    if record.slot not in tapes:
        return ""
    try:
        lines = tapes[record.slot]()
        read_chain(lines)
    except EngineError as error:
        return f"damaged: {without_figures(str(error))}"
    return "whole" if f'"sha256":"{record.tape_sha256}"' in lines[-1] else "of another run of this hour"


def _hour(record: CycleRecord, kept: Kept, tapes: Tapes) -> HourRow:
    said = record.summary
    report = kept(record.slot) or {}
    return HourRow(
        record.slot,
        said.get("status", ""),
        record.exit_code,
        _number(said.get("equity", "")),
        _number(said.get("index", "")),
        int(_number(said.get("orders", "")) or 0),
        int(_number(said.get("gates", "")) or 0),
        said.get("pool", ""),
        unpacked(record.card, record.slot) if record.card else None,
        tuple((str(alert.get("kind")), str(alert.get("severity"))) for alert in report.get("alerts", ())),
        _taped(record, tapes),
    )


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _booked(entry: Entry) -> Booked:
    amounts = tuple(f"{plain(p.amount)} {p.asset} {p.book.value}" for p in entry.postings)
    return Booked(entry.slot, entry.kind, tuple(dict.fromkeys(p.asset for p in entry.postings)), amounts)


def _balances(state: State) -> dict[str, str]:
    held = [(f"{asset} ({book.value})", amount) for book in sorted(OWNED) for asset, amount in _assets(state, book)]
    return {name: plain(amount) for name, amount in held}


def _assets(state: State, book: Book) -> list[tuple[str, Decimal]]:
    return sorted(state.ledger.assets(book).items())


def _results(store: Store) -> tuple[tuple[Earning, ...], tuple[Ratios, ...]]:
    """Profit by period and how well; nothing of it where no hour says what the account was worth."""
    try:
        periods, done = profits(store, PERIODS, None, Method.FIFO), performance(store, None, Method.FIFO)
    except Abort:
        return (), ()
    earnings = tuple(
        Earning(p.name, p.result.profit, p.earned.fees, p.earned.trades, p.result.time_weighted, p.result.holding_btc)
        for p in periods
    )
    return earnings, tuple(_ratios(done))


def _ratios(done: Performance) -> Iterator[Ratios]:
    for name, found in (("the account", done.account), ("bitcoin, held", done.bitcoin)):
        if found is not None:
            yield Ratios(name, found.total, found.year, found.max_drawdown, found.sharpe, found.sortino, found.calmar)
