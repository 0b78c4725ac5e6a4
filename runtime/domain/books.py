"""Books: the ledger's entries as the events that a book-keeper knows, in the order they happened.

The ledger is written as the engine learns of things: a deposit of yesterday is booked today, a manual trade leg by leg,
money without a trace first as unexplained and later, when its record appears, as what it was. Books are read in order
of time, with a trade as one event. So entries wait in a window of `WINDOW_DAYS` (evidence is never older than that) and
leave it sorted; years of them need no more memory than a week.

The worked problem: 5 USDT appear at 10:15 and are posted to `unexplained`; at 11:15 the deposit's record shows up, of
10:02. Told as it was booked, the account would have gained 5, then 5, then lost 5. Told in order of time, the deposit
of 10:02 is an event of 5, and of what was unexplained at 10:15 nothing is left. What was explained too late for that,
by an operator's word or a later time, is one event that takes back (`explained`) what it brings.

Summed over all events, `change` is what the owned books hold: to the unit, whatever came in which order.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from runtime.domain.ledger import OWNED, Balances, Book, Entry, Posting, transfer
from runtime.domain.money import CASH, ZERO
from runtime.domain.slots import DAY_MS, day_start_ms
from runtime.errors import StateUnreadable

WINDOW_DAYS = 9
"""Evidence is looked for in the last 7 days; its hour may be settled a day later."""


class Kind(StrEnum):
    """What happened. `trade` is ours, `manual_trade` the operator's own; `earn_move` changes only the place."""

    OPENING = "opening"
    REBUILT = "rebuilt"
    TRADE = "trade"
    MANUAL_TRADE = "manual_trade"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    INTEREST = "interest"
    REWARD = "reward"
    UNEXPLAINED = "unexplained"
    ACCEPTED = "drift_accepted"
    ADOPTED = "adopt"
    EARN_MOVE = "earn_move"


TRADES = frozenset({Kind.TRADE, Kind.MANUAL_TRADE})
INCOME = frozenset({Kind.INTEREST, Kind.REWARD})
INSIDE = frozenset({Kind.ADOPTED, Kind.EARN_MOVE})
"""Events that change nothing of what is owned at the exchange."""
_KINDS: Mapping[str, Kind] = {
    **{kind.value: kind for kind in Kind if kind not in {Kind.TRADE, Kind.REBUILT, Kind.EARN_MOVE}},
    "fill": Kind.TRADE,
    "earn_redeem": Kind.EARN_MOVE,
    "earn_subscribe": Kind.EARN_MOVE,
}
_OPENS = frozenset({Kind.OPENING})


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to the account, at `time_ms` (exchange clock), booked in `slot`.

    pair       what a trade traded, as `ETHUSDT`; empty for all else
    moved      units by asset that came (+) or went (-), fees not counted
    fees       units by asset paid as commission; a manual trade's fees in its own pair are within `moved`
    explained  of `moved`, what had come or gone as unexplained in an earlier event
    prices     USDT a unit, as known when it was booked
    postings   what the ledger says of it, as it stands there
    """

    id: str
    time_ms: int
    slot: str
    kind: Kind
    pair: str = ""
    moved: Mapping[str, Decimal] = field(default_factory=dict)
    fees: Mapping[str, Decimal] = field(default_factory=dict)
    explained: Mapping[str, Decimal] = field(default_factory=dict)
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    postings: tuple[Posting, ...] = ()
    reference: str = ""

    def change(self, asset: str) -> Decimal:
        """Units by which the event changed what is owned."""
        came = self.moved.get(asset, ZERO) - self.explained.get(asset, ZERO)
        return came - self.fees.get(asset, ZERO)

    @property
    def assets(self) -> tuple[str, ...]:
        """Every asset that it moved or cost, sorted."""
        return tuple(sorted(self.moved.keys() | self.fees.keys() | self.explained.keys()))

    @property
    def base(self) -> str:
        """What a trade traded against USDT."""
        return self.pair.removesuffix(CASH)


class Timeline:
    """Entries in, in order of booking; events out, in order of time. `balances` are the books after the last event."""

    def __init__(self) -> None:
        """Nothing happened yet."""
        self.balances = Balances()
        self._waiting: list[tuple[tuple[int, int, str, int], Entry]] = []
        self._count = 0
        self._anticipated: dict[str, Decimal] = {}
        self._unexplained: dict[str, Decimal] = {}

    def booked(self, day: str, entries: Iterable[Entry]) -> Iterator[Event]:
        """Take the entries of the UTC `day` (`2026-11-21`); the events that are now certain to be in order."""
        for entry in entries:
            self._wait(entry)
        edge = day_start_ms(date.fromisoformat(day)) - WINDOW_DAYS * DAY_MS
        while self._waiting and self._waiting[0][0][0] < edge:
            yield self._next()

    def rest(self) -> Iterator[Event]:
        """The events still waiting: nothing more is booked.

        What was explained and never seen as unexplained is taken back at the end, so that the sums hold in any case.
        """
        last = None
        while self._waiting:
            last = self._next()
            yield last
        left = {asset: -amount for asset, amount in self._anticipated.items() if amount}
        if left and last is not None:
            self._anticipated = {}
            yield Event("unexplained:rest", last.time_ms, last.slot, Kind.UNEXPLAINED, moved=left)

    def _wait(self, entry: Entry) -> None:
        kind = _kind(entry)
        self._count += 1
        key = (entry.time_ms, 0 if kind in _OPENS else 1, _trade_of(entry, kind), self._count)
        heapq.heappush(self._waiting, (key, entry))

    def _next(self) -> Event:
        """The oldest event: one entry, or all the legs of one manual trade."""
        (time_ms, rank, trade, _), first = heapq.heappop(self._waiting)
        event = self._event(first)
        while trade and self._waiting and self._waiting[0][0][:3] == (time_ms, rank, trade):
            event = _joined(event, self._event(heapq.heappop(self._waiting)[1]))
        self.balances = self.balances.posted((Entry(event.id, event.slot, time_ms, event.kind, event.postings),))
        return _whole_trade(event, trade) if trade else event

    def _event(self, entry: Entry) -> Event:
        kind = _kind(entry)
        if kind is Kind.OPENING and self._holds():
            return self._rebuilt(entry)
        event = Event(
            entry.id,
            entry.time_ms,
            entry.slot,
            kind,
            pair=entry.id.removeprefix("order:").rpartition(":")[0] if kind is Kind.TRADE else "",
            fees=_sums(entry, {Book.FEES}),
            prices=entry.prices,
            postings=entry.postings,
            reference=entry.reference,
        )
        owned = _sums(entry, OWNED)
        if kind in INSIDE:
            return event
        if kind is Kind.UNEXPLAINED:
            return replace(event, moved=self._still_unexplained(owned))
        late = _sums(entry, {Book.UNEXPLAINED})
        moved = {
            a: owned.get(a, ZERO) + event.fees.get(a, ZERO) + late.get(a, ZERO) for a in {**owned, **event.fees, **late}
        }
        explained = {a: x for a, amount in late.items() if (x := self._explained(a, amount))}
        return replace(event, moved={a: x for a, x in moved.items() if x}, explained=explained)

    def _still_unexplained(self, owned: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """What of a difference no earlier event brought already."""
        left = {}
        for asset, amount in owned.items():
            known = _within(self._anticipated.get(asset, ZERO), amount)
            self._anticipated[asset] = self._anticipated.get(asset, ZERO) - known
            if amount != known:
                left[asset] = amount - known
                self._unexplained[asset] = self._unexplained.get(asset, ZERO) + amount - known
        return left

    def _explained(self, asset: str, amount: Decimal) -> Decimal:
        """Of a difference that is explained here, what an earlier event has told as unexplained; the rest is yet to
        come in order of time, and will be known then.
        """
        told = _within(self._unexplained.get(asset, ZERO), amount)
        self._unexplained[asset] = self._unexplained.get(asset, ZERO) - told
        self._anticipated[asset] = self._anticipated.get(asset, ZERO) + amount - told
        return told

    def _holds(self) -> bool:
        return any(self.balances.assets(book) for book in OWNED)

    def _rebuilt(self, entry: Entry) -> Event:
        """A second opening: the state was lost and made anew. What it holds beyond the books, or short of them."""
        opened = Balances().posted((entry,))
        postings: list[Posting] = []
        for book in sorted(OWNED):
            for asset in sorted(self.balances.assets(book).keys() | opened.assets(book).keys()):
                gap = opened.of(book, asset) - self.balances.of(book, asset)
                postings.extend(transfer(Book.OPENING, book, asset, gap) if gap else ())
        self._anticipated, self._unexplained = {}, {}
        corrected = replace(entry, postings=tuple(postings))
        moved = _sums(corrected, OWNED)
        return Event(entry.id, entry.time_ms, entry.slot, Kind.REBUILT, moved=moved, postings=corrected.postings)


def _kind(entry: Entry) -> Kind:
    """What an entry tells; `StateUnreadable` for a kind that this code does not know."""
    kind = _KINDS.get(entry.kind)
    if kind is None:
        raise StateUnreadable(
            f"ledger entry {entry.id!r}: kind: {entry.kind!r} – is not known to this code: update it, or the ledger"
        )
    return kind


def _trade_of(entry: Entry, kind: Kind) -> str:
    """What the legs of one manual trade have in common: `trade:SYMBOL:NUMBER`; empty for all else."""
    return entry.reference.rpartition(":")[0] if kind is Kind.MANUAL_TRADE else ""


def _sums(entry: Entry, books: Iterable[Book]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    wanted = frozenset(books)
    for posting in entry.postings:
        if posting.book in wanted:
            sums[posting.asset] = sums.get(posting.asset, ZERO) + posting.amount
    return {asset: total for asset, total in sums.items() if total}


def _within(known: Decimal, amount: Decimal) -> Decimal:
    """Of `amount`, what `known` covers: the smaller of the two where they have one sign, else nothing."""
    return min(known, amount, key=abs) if known * amount > 0 else ZERO


def _whole_trade(event: Event, trade: str) -> Event:
    """All legs of a manual trade, named by it: what moved beside the pair is the fee."""
    pair = trade.removeprefix("trade:").rpartition(":")[0]
    beside = {asset: -amount for asset, amount in event.moved.items() if asset not in {CASH, pair.removesuffix(CASH)}}
    moved = {asset: amount for asset, amount in event.moved.items() if asset not in beside}
    return replace(event, id=trade, pair=pair, moved=moved, fees=_added(event.fees, beside))


def _joined(one: Event, other: Event) -> Event:
    """Two legs of a trade as one event."""
    return replace(
        one,
        moved=_added(one.moved, other.moved),
        explained=_added(one.explained, other.explained),
        prices={**one.prices, **other.prices},
        postings=(*one.postings, *other.postings),
    )


def _added(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {asset: one.get(asset, ZERO) + other.get(asset, ZERO) for asset in {**one, **other}}
