"""Entries as the engine books them, in few words, for the tests of the books."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from runtime.domain.books import Event, Timeline
from runtime.domain.evidence import Flow, FlowKind
from runtime.domain.exporting import Exporting, Request
from runtime.domain.gains import Disposal, Lots
from runtime.domain.ledger import Balances, Book, Entry, Posting, transfer
from runtime.domain.money import CASH
from runtime.domain.reconciliation import flow_entry
from runtime.domain.slots import DAY_MS, HOUR_MS, MINUTE_MS, date_at, slot_at

D = Decimal
START_MS = 1_772_323_200_000
"""2026-03-01T00:00Z."""


def at(day: float, minute: int = 0) -> int:
    """Epoch ms, so many days (and minutes) after the start."""
    return int(START_MS + day * DAY_MS) + minute * MINUTE_MS


def amounts(**given: str) -> dict[str, Decimal]:
    """Decimals by asset."""
    return {asset: D(amount) for asset, amount in given.items()}


def opened(time_ms: int, *, reserved: Mapping[str, Decimal] | None = None, **managed: str) -> Entry:
    """The first entry of an account."""
    postings: list[Posting] = []
    for book, held in ((Book.SPOT, amounts(**managed)), (Book.RESERVED, reserved or {})):
        for asset, amount in held.items():
            postings += transfer(Book.OPENING, book, asset, amount)
    return Entry(f"opening:{time_ms}", slot_at(time_ms), time_ms, "opening", tuple(postings))


def traded(
    time_ms: int,
    pair: str,
    quantity: str,
    cash: str,
    fees: Mapping[str, str] | None = None,
    prices: Mapping[str, str] | None = None,
) -> Entry:
    """A fill of ours: `quantity` of the coin and `cash` USDT, + what came and - what went; fees are above 0."""
    base = pair.removesuffix(CASH)
    postings = [
        *transfer(Book.TRADING, Book.SPOT, base, D(quantity)),
        *transfer(Book.TRADING, Book.SPOT, CASH, D(cash)),
    ]
    for asset, fee in (fees or {}).items():
        postings += transfer(Book.SPOT, Book.FEES, asset, D(fee))
    known = {asset: D(price) for asset, price in (prices or {}).items()}
    number = time_ms // MINUTE_MS
    return Entry(f"order:{pair}:{number}", slot_at(time_ms), time_ms, "fill", tuple(postings), f"bp-{number}", known)


def flowed(
    kind: FlowKind, time_ms: int, asset: str, amount: str, *, late: int = 0, drift: bool = False, name: str = ""
) -> Entry:
    """A deposit, withdrawal, reward or leg of a manual trade, booked `late` hours after it happened; as evidence for
    what was unexplained if `drift`.
    """
    flow = Flow(name or f"{kind}:{asset}:{time_ms}", kind, asset, D(amount), time_ms)
    ledger = Balances({Book.RESERVED: {asset: D(10**12)}})
    source = Book.UNEXPLAINED if drift else None
    return flow_entry(flow, slot_at(time_ms + late * HOUR_MS), ledger, source)


def drifted(time_ms: int, **moved: str) -> Entry:
    """What no record explained in that hour."""
    postings: list[Posting] = []
    for asset, amount in amounts(**moved).items():
        postings += transfer(Book.UNEXPLAINED, Book.SPOT, asset, amount)
    return Entry(f"unexplained:{time_ms}", slot_at(time_ms), time_ms, "unexplained", tuple(postings))


def interest(time_ms: int, amount: str) -> Entry:
    """Earn's growth."""
    postings = transfer(Book.INCOME, Book.EARN, CASH, D(amount))
    return Entry(f"interest:{CASH}:{time_ms}", slot_at(time_ms), time_ms, "interest", postings)


def adopted(time_ms: int, asset: str, amount: str, price: str | None) -> Entry:
    """A reserved coin put under management."""
    moved = transfer(Book.RESERVED, Book.SPOT, asset, D(amount))
    prices = {} if price is None else {asset: D(price)}
    return Entry(f"adopt:{asset}:{time_ms}", slot_at(time_ms), time_ms, "adopt", moved, "", prices)


def told(entries: Iterable[Entry]) -> list[Event]:
    """The events of entries that are given in order of booking."""
    timeline, found = Timeline(), list[Event]()
    days: dict[str, list[Entry]] = {}
    for entry in entries:
        days.setdefault(entry.slot[:10], []).append(entry)
    for day in sorted(days):
        found += timeline.booked(day, days[day])
    return [*found, *timeline.rest()]


def gone(lots: Lots, entries: Iterable[Entry]) -> list[Disposal]:
    """Everything that leaves with the entries."""
    return [part for event in told(entries) for part in lots.after(event)]


def written(request: Request, entries: Iterable[Entry]) -> str:
    """The file of these entries, as it would be written."""
    timeline, exporting, lines = Timeline(), Exporting(request), list[str]()
    days: dict[str, list[Entry]] = {}
    for entry in entries:
        days.setdefault(entry.slot[:10], []).append(entry)
    books = timeline.balances
    for day in [*sorted(days), ""]:
        for event in timeline.booked(day, days[day]) if day else timeline.rest():
            lines += exporting.event(event, books)
            books = timeline.balances
    return "".join([*lines, *exporting.end(books, date_at(START_MS))])


def rows(text: str) -> list[dict[str, str]]:
    """The records of a CSV text by column, as any reader sees them."""
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def summed(records: Sequence[Mapping[str, str]], amount: str, asset: str, sign: int = 1) -> dict[str, Decimal]:
    """The sums of one column by another; blank amounts are left out, and so are sums of 0."""
    sums: dict[str, Decimal] = {}
    for record in records:
        if record[amount]:
            sums[record[asset]] = sums.get(record[asset], D(0)) + sign * D(record[amount])
    return {name: total for name, total in sums.items() if total}


def together(*parts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Sums by asset added up; those of 0 are left out."""
    sums: dict[str, Decimal] = {}
    for part in parts:
        for asset, amount in part.items():
            sums[asset] = sums.get(asset, D(0)) + amount
    return {asset: total for asset, total in sums.items() if total}
