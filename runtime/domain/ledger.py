"""The ledger: double entry, so that every unit at the exchange has a written origin.

Concept: an *entry* is a list of *postings* (account, asset, amount) that sum to zero per asset. What we own sits in the
asset accounts (`spot`, `earn`, `transit`, `reserved`); where it came from sits in the contra accounts (`trading`,
`fees`, `income`, `flows`, `opening`, `unexplained`). The worked problem: 0.19 ETH bought for 475 USDT with the fee
taken from the ETH is

    spot    ETH +0.19        spot    USDT −475        spot ETH −0.00019
    trading ETH −0.19        trading USDT +475        fees ETH +0.00019

and afterwards `spot` equals the exchange's balance to the last unit. A difference that no evidence explains is posted
to `unexplained`, alerted, and stops buys: booking it as a profit would make the equality worthless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from runtime.domain.money import CASH, ZERO, Dec
from runtime.domain.orders import Intent, Order, Side
from runtime.domain.remembering import remembered
from runtime.errors import EngineError


class Book(StrEnum):
    """The ledger's accounts. The first four hold what we own."""

    SPOT = "spot"
    EARN = "earn"
    TRANSIT = "transit"
    RESERVED = "reserved"
    TRADING = "trading"
    FEES = "fees"
    INCOME = "income"
    FLOWS = "flows"
    OPENING = "opening"
    UNEXPLAINED = "unexplained"


OWNED = frozenset({Book.SPOT, Book.EARN, Book.TRANSIT, Book.RESERVED})


@dataclass(frozen=True, slots=True)
class Posting:
    """`amount` units of `asset` into (+) or out of (−) `book`."""

    book: Book
    asset: str
    amount: Dec


@dataclass(frozen=True, slots=True)
class Entry:
    """One balanced entry. `id` is a function of its evidence, so that booking it again is seen; `slot` is the hour.

    `prices` are USDT a unit of assets in it, where they were known when it was booked: what a fee paid in BNB, a reward
    or an adopted coin was worth can be told years later. A fill's own price is in its postings.
    """

    id: str
    slot: str
    time_ms: int
    kind: str
    postings: tuple[Posting, ...]
    reference: str = ""
    prices: Mapping[str, Dec] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an entry that does not sum to zero in every asset."""
        sums: dict[str, Decimal] = {}
        for posting in self.postings:
            sums[posting.asset] = sums.get(posting.asset, ZERO) + posting.amount
        off = {asset: total for asset, total in sums.items() if total}
        if off:
            raise EngineError(f"ledger entry {self.id}: does not balance: {off}")


@dataclass(frozen=True, slots=True)
class Balances:
    """Running totals: book → asset → amount. Zero totals are dropped."""

    totals: Mapping[Book, Mapping[str, Dec]] = field(default_factory=dict)

    def of(self, book: Book, asset: str) -> Decimal:
        """The total of one asset in one book."""
        return self.totals.get(book, {}).get(asset, ZERO)

    def assets(self, book: Book) -> Mapping[str, Decimal]:
        """All totals of a book."""
        return self.totals.get(book, {})

    def owned(self, asset: str) -> Decimal:
        """Managed units of an asset: spot, Earn and in transit, without what is reserved."""
        return owned_of(self).get(asset, ZERO)

    def posted(self, entries: Iterable[Entry]) -> Balances:
        """The totals after `entries`."""
        totals = {book: dict(assets) for book, assets in self.totals.items()}
        for entry in entries:
            for posting in entry.postings:
                book = totals.setdefault(posting.book, {})
                total = book.get(posting.asset, ZERO) + posting.amount
                if total:
                    book[posting.asset] = total
                else:
                    book.pop(posting.asset, None)
        return Balances({book: assets for book, assets in totals.items() if assets})


@remembered
def owned_of(ledger: Balances) -> Mapping[str, Decimal]:
    """Managed units of every asset in spot, Earn or transit, sorted by asset; what is reserved does not count."""
    spot, earn, transit = (ledger.assets(book) for book in (Book.SPOT, Book.EARN, Book.TRANSIT))
    return {
        asset: spot.get(asset, ZERO) + earn.get(asset, ZERO) + transit.get(asset, ZERO)
        for asset in sorted(spot.keys() | earn.keys() | transit.keys())
    }


def transfer(source: Book, target: Book, asset: str, amount: Decimal) -> tuple[Posting, Posting]:
    """Two postings that move `amount` of `asset` from `source` to `target`."""
    return Posting(source, asset, -amount), Posting(target, asset, amount)


def fill_entry(intent: Intent, order: Order, base: str, quote: str) -> Entry | None:
    """The entry that books everything an order executed, with its fees; None if nothing did.

    The order's fills must be complete: quantities, proceeds and fees are the exchange's, never ours.
    """
    if not order.executed_qty:
        return None
    if not order.fills_complete:
        raise EngineError(f"order {order.client_id}: its fills do not add up to the executed quantity")
    sign = 1 if order.side is Side.BUY else -1
    postings = [
        *transfer(Book.TRADING, Book.SPOT, base, sign * order.executed_qty),
        *transfer(Book.SPOT, Book.TRADING, quote, sign * order.quote_qty),
    ]
    for asset, fee in fees(order).items():
        postings.extend(transfer(Book.SPOT, Book.FEES, asset, fee))
    evidence = f"order:{order.symbol}:{order.order_id}"
    return Entry(evidence, intent.slot, order.time_ms, "fill", tuple(postings), intent.id)


def priced(entry: Entry, prices: Mapping[str, Decimal]) -> Entry:
    """The entry with the price of each of its assets (but USDT) that `prices`, by pair, knows."""
    assets = sorted({posting.asset for posting in entry.postings} - {CASH})
    known = {asset: prices[asset + CASH] for asset in assets if asset + CASH in prices}
    return replace(entry, prices=known) if known else entry


def fees(order: Order) -> dict[str, Decimal]:
    """Commissions of an order by asset; zero fees are left out."""
    paid: dict[str, Decimal] = {}
    for fill in order.fills:
        if fill.commission:
            paid[fill.commission_asset] = paid.get(fill.commission_asset, ZERO) + fill.commission
    return paid
