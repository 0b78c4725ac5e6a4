"""Beancount text: the ledger as a file that beancount loads, balances and proves against the exchange's balances.

Every event is one transaction with the ledger's own postings; they sum to zero in every commodity, so that no
tolerance is needed and none is allowed (`tolerance_multiplier` 0). Trades pass through `Equity:Binance:Trading`, the
way of trading accounts: no price has to be rounded for a transaction to balance. What a sale gained, by the chosen
method, moves from there to `Income:Binance:Gains`, so that the trading account holds every coin at its cost.

`balance` lines state, at the first of each month and at the end, what the exchange holds: `Assets:Binance:Spot` is the
whole spot balance (managed and reserved), with the tolerance `~ 0`: a difference of one unit fails.

Names that beancount cannot spell get an alias (`1INCH` is `N-1INCH`) with the real name beside its first mention.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from hashlib import sha256

from runtime.domain.book_rows import price_of
from runtime.domain.books import Event, Kind
from runtime.domain.csv_text import one_line
from runtime.domain.gains import Disposal
from runtime.domain.ledger import Balances, Book, Posting
from runtime.domain.money import CASH, ZERO, plain
from runtime.domain.slots import date_at

SPOT, EARN, TRANSIT = "Assets:Binance:Spot", "Assets:Binance:Earn", "Assets:Binance:Transit"
GAINS = "Income:Binance:Gains"
ACCOUNTS: Mapping[Book, str] = {
    Book.SPOT: f"{SPOT}:Managed",
    Book.RESERVED: f"{SPOT}:Reserved",
    Book.EARN: EARN,
    Book.TRANSIT: TRANSIT,
    Book.TRADING: "Equity:Binance:Trading",
    Book.FEES: "Expenses:Binance:Fees",
    Book.INCOME: "Income:Binance:Earn",
    Book.FLOWS: "Equity:Binance:Flows",
    Book.OPENING: "Equity:Binance:Opening",
    Book.UNEXPLAINED: "Equity:Binance:Unexplained",
}
HELD: Mapping[str, tuple[Book, ...]] = {SPOT: (Book.SPOT, Book.RESERVED), EARN: (Book.EARN,), TRANSIT: (Book.TRANSIT,)}
_NAME = re.compile(r"[A-Z][A-Z0-9]{0,22}")
_WORDS = frozenset({"TRUE", "FALSE", "NULL"})


def commodity(asset: str) -> str:
    """The name of an asset in beancount's spelling: the same for the same asset, another for another."""
    if _NAME.fullmatch(asset) and asset not in _WORDS:
        return asset
    if re.fullmatch(r"[A-Z0-9]{1,20}", asset):
        return f"N-{asset}"
    return "X-" + sha256(asset.encode(errors="surrogatepass")).hexdigest()[:20].upper()


class Beancount:
    """Writes one file, event by event, in order of time."""

    def __init__(self, account: str, method: str) -> None:
        """`method` is the one that the gains were reckoned by."""
        self._account, self._method = account, method
        self._named: set[str] = set()
        self._asserted: set[tuple[str, str]] = set()
        self._day: date | None = None
        self._prices: dict[str, Decimal] = {}

    def head(self, first: date, opening: Balances) -> Iterator[str]:
        """Options and accounts; and, where the file begins in the middle of the books, what was held then."""
        yield f'option "title" "{_text(f"Binance account {self._account}")}"\n'
        yield f'option "operating_currency" "{CASH}"\n'
        yield "; Every transaction balances to the last unit.\n"
        yield 'option "tolerance_multiplier" "0"\n'
        for name in (SPOT, *ACCOUNTS.values(), GAINS):
            yield f"{first} open {name}\n"
        held = [(book, asset, x) for book in ACCOUNTS for asset, x in sorted(opening.assets(book).items())]
        held = [(book, asset, x) for book, asset, x in held if any(book in books for books in HELD.values())]
        if held:
            yield from self._mentions(first, (asset for _, asset, _ in held))
            yield f'\n{first} * "held before" ""\n'
            for book, asset, amount in held:
                yield _posting(ACCOUNTS[book], amount, asset)
                yield _posting(ACCOUNTS[Book.OPENING], -amount, asset)

    def event(self, event: Event, gone: Iterable[Disposal]) -> Iterator[str]:
        """One transaction; the day's prices where a new day begins."""
        day = date_at(event.time_ms)
        if self._day != day:
            yield from self.prices()
            self._day, self._prices = day, {}
        self._prices.update({a: p for a in event.assets if a != CASH and (p := price_of(event, a)) is not None})
        if not event.postings:
            return
        gain = sum((g.gain for g in gone if g.gain is not None), ZERO)
        yield from self._mentions(day, (posting.asset for posting in event.postings))
        flag = "!" if event.kind in {Kind.UNEXPLAINED, Kind.REBUILT} else "*"
        what = f"{event.kind.value} {event.pair}".strip()
        yield f'\n{day} {flag} "{_text(what)}" "{_text(event.reference)}"\n'
        yield f'  id: "{_text(event.id)}"\n  hour: "{_text(event.slot)}"\n'
        if gain:
            yield f'  gain_by: "{_text(self._method)}"\n'
        for posting in _summed(event.postings):
            yield _posting(ACCOUNTS[posting.book], posting.amount, posting.asset)
        if gain:
            yield _posting(GAINS, -gain, CASH)
            yield _posting(ACCOUNTS[Book.TRADING], gain, CASH)

    def prices(self) -> Iterator[str]:
        """The last prices of the day that ends."""
        for asset, price in sorted(self._prices.items()):
            yield f"{self._day} price {commodity(asset)} {plain(price)} {CASH}\n"

    def balances(self, day: date, held: Balances) -> Iterator[str]:
        """What the exchange holds as `day` begins, whatever was ever there included."""
        yield "\n"
        for name, books in HELD.items():
            self._asserted |= {(name, asset) for book in books for asset in held.assets(book)}
        for name, asset in sorted(self._asserted):
            amount = sum((held.of(book, asset) for book in HELD[name]), ZERO)
            yield f"{day} balance {name}  {plain(amount)} ~ 0 {commodity(asset)}\n"

    def _mentions(self, day: date, assets: Iterable[str]) -> Iterator[str]:
        for asset in dict.fromkeys(assets):
            if asset not in self._named:
                self._named.add(asset)
                yield f'\n{day} commodity {commodity(asset)}\n  name: "{_text(asset)}"\n'


def _summed(postings: Iterable[Posting]) -> Iterator[Posting]:
    """One posting for each account and asset; those that cancel out are left out."""
    sums: dict[tuple[Book, str], Decimal] = {}
    for posting in postings:
        key = (posting.book, posting.asset)
        sums[key] = sums.get(key, ZERO) + posting.amount
    return (Posting(book, asset, amount) for (book, asset), amount in sums.items() if amount)


def _posting(account: str, amount: Decimal, asset: str) -> str:
    return f"  {account}  {plain(amount)} {commodity(asset)}\n"


def _text(text: str) -> str:
    """A text between quotes: one line, with quotes and backslashes escaped."""
    return one_line(text).replace("\\", "\\\\").replace('"', '\\"')
