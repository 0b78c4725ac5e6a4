"""Exporting: from events to the lines of a file, whatever its format, within a range of days.

A file is written from one pass over all events, from the first one on: lots need their whole history, whatever range is
asked for. Only what happened on the days from `first` to `last` (UTC, both included) is told; lots are told as they
stood at the end of `last`. What is told is counted, so that nobody writes more lines than a reader can take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from runtime.domain.beancount_text import Beancount
from runtime.domain.book_rows import (
    EVENT_TABLES,
    GAIN_HEADS,
    LOT_HEADS,
    YEAR_HEADS,
    Years,
    gain_row,
    lot_row,
)
from runtime.domain.books import Event
from runtime.domain.csv_text import Row, csv_line
from runtime.domain.gains import SALES, Disposal, Lots
from runtime.domain.ledger import OWNED, Balances
from runtime.domain.lots import Method
from runtime.domain.money import ZERO
from runtime.domain.slots import date_at
from runtime.domain.tax_formats import TAX_FORMATS, tax_rows
from runtime.errors import BadInput

CSV, BEANCOUNT = "csv", "beancount"
TABLES = (*EVENT_TABLES, "gains", "lots", "years")
FORMATS = (CSV, *TAX_FORMATS, BEANCOUNT)
SUFFIX = {BEANCOUNT: "beancount"}
ROWS_MAX = 1_000_000
"""What one sheet of a spreadsheet takes."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to export. `table` is for the format `csv`; `given` are costs a unit (USDT) for coins of unknown cost."""

    account: str
    form: str = CSV
    table: str = "journal"
    first: date | None = None
    last: date | None = None
    method: Method = Method.FIFO
    given: Mapping[str, Decimal] = field(default_factory=dict)
    rows_max: int = ROWS_MAX

    @property
    def file_name(self) -> str:
        """A name for the file: what is in it, in letters that every file system takes."""
        about = self.table if self.form == CSV else self.form
        days = (str(day) for day in (self.first, self.last) if day is not None)
        return "-".join(("books", self.account, about, self.method.value, *days)) + f".{SUFFIX.get(self.form, CSV)}"


@dataclass(frozen=True, slots=True)
class Told:
    """What a file tells: its lines, what was held before and after, and what has no known cost.

    `sold_without_gain` are units sold in the range whose cost or proceeds are not known, `held_without_cost` units held
    at its end.
    """

    rows: int
    before: Mapping[str, Decimal]
    after: Mapping[str, Decimal]
    sold_without_gain: Mapping[str, Decimal]
    held_without_cost: Mapping[str, Decimal]


class Exporting:
    """One file. Give it every event in order of time; `lines` are what to write."""

    def __init__(self, request: Request) -> None:
        """Nothing is told yet."""
        self._request, self._sheet = request, _sheet(request)
        self._lots = Lots(request.method, request.given)
        self._rows = 0
        self._begun = False
        self._over = False
        self._before = self._after = Balances()
        self._day: date | None = None
        self._unsold: dict[str, Decimal] = {}

    def event(self, event: Event, before: Balances) -> Iterator[str]:
        """The lines of one event; `before` are the books as it began."""
        day = date_at(event.time_ms)
        if self._over or (self._request.last is not None and day > self._request.last):
            yield from self._ended(before)
            return
        gone = self._lots.after(event)
        if self._request.first is not None and day < self._request.first:
            return
        yield from self._started(day, before)
        if self._day is not None and (day.year, day.month) != (self._day.year, self._day.month):
            yield from self._counted(self._sheet.month(day.replace(day=1), before))
        self._day = day
        self._note(gone)
        yield from self._counted(self._sheet.event(event, gone))

    def end(self, books: Balances, today: date) -> Iterator[str]:
        """The last lines; `books` are those after the last event, `today` names a file without any."""
        yield from self._started(self._request.first or today, books)
        yield from self._ended(books)

    def told(self) -> Told:
        """What the file tells, once it ended."""
        held: dict[str, Decimal] = {}
        for lot in self._lots.held():
            if lot.cost is None:
                held[lot.asset] = held.get(lot.asset, ZERO) + lot.quantity
        return Told(self._rows, owned(self._before), owned(self._after), self._unsold, held)

    def _started(self, day: date, books: Balances) -> Iterator[str]:
        if not self._begun:
            self._begun, self._before = True, books
            yield from self._sheet.head(day, books)

    def _ended(self, books: Balances) -> Iterator[str]:
        if self._over:
            return
        yield from self._started(self._request.last or date.min, books)
        self._over, self._after = True, books
        day = self._day or self._request.last or self._request.first
        yield from self._counted(self._sheet.end(day + timedelta(days=1) if day else None, books, self._lots))

    def _note(self, gone: Sequence[Disposal]) -> None:
        for part in gone:
            if part.way in SALES and part.gain is None:
                self._unsold[part.lot.asset] = self._unsold.get(part.lot.asset, ZERO) + part.lot.quantity

    def _counted(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self._rows += 1
            if self._rows > self._request.rows_max:
                raise BadInput(
                    "--rows-max", self._request.rows_max, "is too few for these days: take fewer, or allow more lines"
                )
            yield line


def owned(books: Balances) -> dict[str, Decimal]:
    """Units by asset at the exchange: spot, Earn, in transit and reserved."""
    assets = sorted({asset for book in OWNED for asset in books.assets(book)})
    sums = {asset: sum((books.of(book, asset) for book in OWNED), ZERO) for asset in assets}
    return {asset: amount for asset, amount in sums.items() if amount}


class _Sheet:
    """A CSV file of one row or more an event."""

    def __init__(self, heads: Sequence[str], rows: Callable[[Event], Iterable[Row]]) -> None:
        self._heads, self._rows = heads, rows

    def head(self, day: date, books: Balances) -> Iterator[str]:
        """The first line."""
        del day, books
        yield csv_line(self._heads)

    def event(self, event: Event, gone: Sequence[Disposal]) -> Iterator[str]:
        """The lines of an event."""
        del gone
        return map(csv_line, self._rows(event))

    def month(self, day: date, books: Balances) -> Iterator[str]:
        """Lines where a month begins."""
        del day, books
        return iter(())

    def end(self, day: date | None, books: Balances, lots: Lots) -> Iterator[str]:
        """The last lines."""
        del day, books, lots
        return iter(())


class _GainSheet(_Sheet):
    """What left, part by part."""

    def __init__(self, method: Method) -> None:
        super().__init__(GAIN_HEADS, lambda _: ())
        self._method = method

    def event(self, event: Event, gone: Sequence[Disposal]) -> Iterator[str]:
        """A line for each part."""
        del event
        return (csv_line(gain_row(part, self._method)) for part in gone)


class _YearSheet(_Sheet):
    """What left, by year and asset."""

    def __init__(self, method: Method) -> None:
        super().__init__(YEAR_HEADS, lambda _: ())
        self._method, self._years = method, Years()

    def event(self, event: Event, gone: Sequence[Disposal]) -> Iterator[str]:
        """Nothing yet."""
        del event
        for part in gone:
            self._years.add(part)
        return iter(())

    def end(self, day: date | None, books: Balances, lots: Lots) -> Iterator[str]:
        """The sums."""
        del day, books, lots
        return map(csv_line, self._years.rows(self._method))


class _LotSheet(_Sheet):
    """What is held at the end."""

    def __init__(self, method: Method) -> None:
        super().__init__(LOT_HEADS, lambda _: ())
        self._method = method

    def end(self, day: date | None, books: Balances, lots: Lots) -> Iterator[str]:
        """A line for each lot."""
        del day, books
        return (csv_line(lot_row(lot, self._method)) for lot in lots.held())


class _Beancount(_Sheet):
    """A file for beancount."""

    def __init__(self, account: str, method: Method) -> None:
        super().__init__((), lambda _: ())
        self._text = Beancount(account, method.value)

    def head(self, day: date, books: Balances) -> Iterator[str]:
        return self._text.head(day, books)

    def event(self, event: Event, gone: Sequence[Disposal]) -> Iterator[str]:
        return self._text.event(event, gone)

    def month(self, day: date, books: Balances) -> Iterator[str]:
        return self._text.balances(day, books)

    def end(self, day: date | None, books: Balances, lots: Lots) -> Iterator[str]:
        del lots
        yield from self._text.prices()
        if day is not None:
            yield from self._text.balances(day, books)


def _sheet(request: Request) -> _Sheet:
    if request.form == BEANCOUNT:
        return _Beancount(request.account, request.method)
    if request.form in TAX_FORMATS:
        return _Sheet(TAX_FORMATS[request.form][0], lambda event: tax_rows(request.form, event))
    if request.table in EVENT_TABLES:
        heads, rows = EVENT_TABLES[request.table]
        return _Sheet(heads, lambda event: rows(event, request.account))
    sheets = {"gains": _GainSheet, "years": _YearSheet, "lots": _LotSheet}
    return sheets[request.table](request.method)
