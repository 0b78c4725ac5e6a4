"""Book tables: the ledger, profit and performance as a person reads them in a terminal.

Amounts are rounded for the eye; the exact ones are in `--json` and in the exports. What others wrote (symbols, reasons)
is shown as plain text: neither markup nor control characters of theirs reach the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from runtime.domain.book_rows import moment
from runtime.domain.csv_text import one_line
from runtime.domain.layout import NONE, money, number
from runtime.domain.ledger import OWNED, Balances, Book, Entry
from runtime.domain.results import Quality, Result
from runtime.results import Performance, Period
from runtime.tables import printed, row, table


def ledger_text(entries: Sequence[Entry], balances: Balances, *, colour: bool = False) -> str:
    """Entries in order of booking, and what the state holds now."""
    listed = table("Ledger", ("time (UTC)", "kind", ">came and went", ">fees", "reference"))
    for entry in entries:
        moved, fees = _sums(entry, OWNED), _sums(entry, {Book.FEES})
        gross = {a: moved.get(a, Decimal(0)) + fees.get(a, Decimal(0)) for a in {**moved, **fees}}
        row(
            listed,
            moment(entry.time_ms)[:16],
            entry.kind,
            _amounts(gross, "+") if any(gross.values()) else _inside(entry),
            _amounts(fees),
            entry.reference or entry.id,
        )
    held = table("Held now", ("asset", *(f">{book.value}" for book in Book if book in OWNED)))
    assets = {asset for book in OWNED for asset in balances.assets(book)}
    for asset in sorted(assets):
        amounts = (balances.of(book, asset) for book in Book if book in OWNED)
        row(held, asset, *(number(amount) if amount else NONE for amount in amounts))
    return printed([listed, held], colour=colour)


def profit_text(periods: Sequence[Period], *, colour: bool = False) -> str:
    """One line a period."""
    heads = ("from", ">days", ">equity", ">in - out", ">profit", ">return", ">BTC", ">income", ">fees", ">realised")
    listed = table("Profit (USDT)", ("period", *heads))
    for period in periods:
        done, earned = period.result, period.earned
        row(
            listed,
            period.name,
            done.start.slot,
            f"{done.days:.1f}",
            money(done.end.equity),
            money(done.deposits - done.withdrawals),
            money(done.profit),
            percent(done.time_weighted),
            percent(done.holding_btc),
            money(earned.income),
            money(earned.fees),
            money(earned.realised),
        )
    return printed([listed], colour=colour) + _remarks(periods)


def performance_text(found: Performance, *, colour: bool = False) -> str:
    """The account beside bitcoin."""
    done = found.period.result
    title = f"Performance, {done.start.slot} to {done.end.slot} ({done.days:.1f} days)"
    ratios = table(title, ("", ">account", ">holding BTC"))
    for name, pick in _QUALITY.items():
        row(ratios, name, pick(found.account), pick(found.bitcoin))
    row(ratios, "money-weighted return a year", percent(done.money_weighted_year), NONE)
    sums = table("", ("", ">USDT"))
    for name, amount in _sums_of(done, found.period):
        row(sums, name, money(amount))
    return printed([ratios, sums], colour=colour) + _remarks([found.period])


_QUALITY: Mapping[str, Callable[[Quality | None], str]] = {
    "time-weighted return": lambda q: percent(q.total if q else None),
    "a year": lambda q: percent(q.year if q else None),
    "largest drawdown": lambda q: percent(q.max_drawdown if q else None),
    "Sharpe": lambda q: ratio(q.sharpe if q else None),
    "Sortino": lambda q: ratio(q.sortino if q else None),
    "Calmar": lambda q: ratio(q.calmar if q else None),
}


def _sums_of(done: Result, period: Period) -> Iterable[tuple[str, Decimal]]:
    return (
        ("equity at the start", done.start.equity),
        ("deposits", done.deposits),
        ("withdrawals", -done.withdrawals),
        ("profit", done.profit),
        ("equity at the end", done.end.equity),
        ("of the profit: Earn and rewards", period.earned.income),
        ("of the profit: fees", -period.earned.fees),
        ("gains realised by sales", period.earned.realised),
    )


def percent(fraction: float | None) -> str:
    """A fraction as a percentage of two decimals."""
    return NONE if fraction is None else f"{fraction * 100 + 0:,.2f} %"


def ratio(value: float | None) -> str:
    """A ratio of two decimals."""
    return NONE if value is None else f"{value:,.2f}"


def _remarks(periods: Iterable[Period]) -> str:
    """What the figures above leave out, each thing once."""
    said: dict[str, None] = {}
    for period in periods:
        for asset in sorted(period.unvalued):
            said[f"{asset} came or went at no known price: it is in the profit, as if it had been earned or lost"] = (
                None
            )
        for what in sorted(period.earned.untold):
            said[f"{what}: its value is not known and not in the sums"] = None
        if period.result.restarts:
            said["the state was rebuilt in this time: the hours around it count as no return"] = None
        if period.result.time_weighted is None:
            said["some hours did not keep their return index: an older version wrote them"] = None
    return "".join(f"note: {one_line(text)}\n" for text in said)


def _sums(entry: Entry, books: Iterable[Book]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    wanted = set(books)
    for posting in entry.postings:
        if posting.book in wanted:
            sums[posting.asset] = sums.get(posting.asset, Decimal(0)) + posting.amount
    return sums


def _amounts(amounts: Mapping[str, Decimal], plus: str = "") -> list[str]:
    parts = (f"{plus if amount > 0 else ''}{number(amount)} {asset}" for asset, amount in amounts.items() if amount)
    return list(parts) or [NONE]


def _inside(entry: Entry) -> list[str]:
    """A move between our own books: `28.5 USDT earn > transit`."""
    gave = {posting.asset: posting.book.value for posting in entry.postings if posting.amount < 0}
    moves = (posting for posting in entry.postings if posting.amount > 0)
    return [f"{number(m.amount)} {m.asset} {gave[m.asset]} > {m.book.value}" for m in moves] or [NONE]
