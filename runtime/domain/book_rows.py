"""Book rows: events and lots as the tables of the exports, one row a thing.

Four tables together hold every change of what is owned, each once: `trades` (both sides, without fees), `fees`, `earn`
and `flows`. Summed over them, an asset's column is the ledger's balance, which is the exchange's. `journal` is the
ledger itself, posting by posting. Signs are the account's: what came is above 0. Times are UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from runtime.domain.books import INCOME, INSIDE, TRADES, Event, Kind
from runtime.domain.csv_text import Row
from runtime.domain.gains import Disposal, Way
from runtime.domain.lots import Lot, Method
from runtime.domain.money import CASH, ONE, ZERO, significant
from runtime.domain.orders import read_client_id
from runtime.domain.slots import DAY_MS

Heads = tuple[str, ...]
EXPLAINED = "explained"

TRADE_HEADS = ("time_utc", "trade", "by", "sleeve", "pair", "side", "asset", "quantity", "usdt", "price_usdt",
               "fees_usdt", "reference")  # fmt: skip
FEE_HEADS = ("time_utc", "trade", "pair", "asset", "quantity", "price_usdt", "value_usdt")
EARN_HEADS = ("time_utc", "id", "kind", "asset", "quantity", "price_usdt", "value_usdt")
FLOW_HEADS = ("time_utc", "booked_in", "id", "kind", "asset", "quantity", "price_usdt", "value_usdt", "note")
JOURNAL_HEADS = ("time_utc", "booked_in", "id", "kind", "book", "asset", "amount", "price_usdt", "reference")
LOT_HEADS = ("asset", "acquired_utc", "quantity", "cost_usdt", "unit_cost_usdt", "basis", "method", "origin", "note")
GAIN_HEADS = ("disposed_utc", "year", "asset", "quantity", "how", "acquired_utc", "holding_days", "proceeds_usdt",
              "cost_usdt", "gain_usdt", "basis", "method", "disposal", "origin", "note")  # fmt: skip
YEAR_HEADS = ("year", "asset", "how", "parts", "quantity", "proceeds_usdt", "cost_usdt", "gain_usdt",
              "quantity_without_gain", "method")  # fmt: skip


def moment(time_ms: int) -> str:
    """A moment as spreadsheets read it: `2026-11-21 09:30:05`, UTC."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def price_of(event: Event, asset: str) -> Decimal | None:
    """USDT a unit of `asset` at the event: 1 for USDT, a trade's own for what it traded, else as booked."""
    if asset == CASH:
        return ONE
    quantity, cash = event.moved.get(asset), event.moved.get(CASH)
    if event.kind in TRADES and asset == event.base and quantity and cash:
        return significant(abs(cash / quantity))
    return event.prices.get(asset)


def value_of(event: Event, asset: str, amount: Decimal) -> Decimal | None:
    """What `amount` units were worth in USDT at the event, if that is known."""
    price = price_of(event, asset)
    return None if price is None else amount * price


def fees_value(event: Event) -> Decimal | None:
    """What the event's fees were worth in USDT; None if one of them has no price."""
    values = [value_of(event, asset, amount) for asset, amount in event.fees.items()]
    return None if None in values else sum((value for value in values if value is not None), ZERO)


def trade_rows(event: Event, account: str) -> Iterator[Row]:
    """The trade of the event, if it is one."""
    if event.kind not in TRADES:
        return
    quantity, cash = event.moved.get(event.base, ZERO), event.moved.get(CASH, ZERO)
    own = read_client_id(account, event.reference) if event.kind is Kind.TRADE else None
    yield (
        moment(event.time_ms),
        event.id,
        "engine" if event.kind is Kind.TRADE else "hand",
        own.sleeve.value if own else "",
        event.pair,
        "buy" if quantity > 0 or cash < 0 else "sell",
        event.base,
        quantity,
        cash,
        price_of(event, event.base),
        fees_value(event),
        event.reference,
    )


def fee_rows(event: Event, account: str) -> Iterator[Row]:
    """The fees of the event, by asset; what was paid is below 0."""
    del account
    for asset, amount in event.fees.items():
        price, value = price_of(event, asset), value_of(event, asset, -amount)
        yield moment(event.time_ms), event.id, event.pair, asset, -amount, price, value


def earn_rows(event: Event, account: str) -> Iterator[Row]:
    """Interest and rewards."""
    del account
    if event.kind in INCOME:
        for asset, amount in event.moved.items():
            price, value = price_of(event, asset), value_of(event, asset, amount)
            yield moment(event.time_ms), event.id, event.kind.value, asset, amount, price, value


def flow_rows(event: Event, account: str) -> Iterator[Row]:
    """What came and went otherwise; and, as `explained`, the end of what had been told as unexplained."""
    del account
    changes: list[tuple[str, Mapping[str, Decimal], int]] = [(EXPLAINED, event.explained, -1)]
    if event.kind not in TRADES | INCOME | INSIDE:
        changes.insert(0, (event.kind.value, event.moved, 1))
    for kind, amounts, sign in changes:
        for asset, amount in sorted(amounts.items()):
            price, value = price_of(event, asset), value_of(event, asset, sign * amount)
            yield moment(event.time_ms), event.slot, event.id, kind, asset, sign * amount, price, value, event.reference


def journal_rows(event: Event, account: str) -> Iterator[Row]:
    """Every posting of the event."""
    del account
    for posting in event.postings:
        price = ONE if posting.asset == CASH else event.prices.get(posting.asset)
        place = (posting.book.value, posting.asset, posting.amount, price)
        yield moment(event.time_ms), event.slot, event.id, event.kind.value, *place, event.reference


EVENT_TABLES: Mapping[str, tuple[Heads, Callable[[Event, str], Iterator[Row]]]] = {
    "journal": (JOURNAL_HEADS, journal_rows),
    "trades": (TRADE_HEADS, trade_rows),
    "fees": (FEE_HEADS, fee_rows),
    "earn": (EARN_HEADS, earn_rows),
    "flows": (FLOW_HEADS, flow_rows),
}


def lot_row(lot: Lot, method: Method) -> Row:
    """A lot that is held."""
    unit = None if lot.cost is None else significant(lot.cost / lot.quantity)
    how = (lot.basis.value, method.value, lot.origin, lot.note)
    return lot.asset, moment(lot.time_ms), lot.quantity, lot.cost, unit, *how


def gain_row(gone: Disposal, method: Method) -> Row:
    """A part of a lot that left. Holding days are UTC dates apart; a part that no lot held has none."""
    lot, known = gone.lot, bool(gone.lot.origin)
    return (
        moment(gone.time_ms),
        year_of(gone.time_ms),
        lot.asset,
        lot.quantity,
        gone.way.value,
        moment(lot.time_ms) if known else None,
        gone.time_ms // DAY_MS - lot.time_ms // DAY_MS if known else None,
        gone.proceeds,
        lot.cost,
        gone.gain,
        lot.basis.value,
        method.value,
        gone.event,
        lot.origin,
        gone.note,
    )


def year_of(time_ms: int) -> int:
    """The UTC year of a moment."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).year


class Years:
    """What left, summed by year, asset and way. Only parts with a known gain count in the sums of USDT."""

    def __init__(self) -> None:
        """Nothing left yet."""
        self._sums: dict[tuple[int, str, Way], list[Decimal]] = {}

    def add(self, gone: Disposal) -> None:
        """One more part."""
        key = (year_of(gone.time_ms), gone.lot.asset, gone.way)
        parts, quantity, proceeds, cost, gain, without = self._sums.get(key, [ZERO] * 6)
        if gone.gain is None or gone.proceeds is None or gone.lot.cost is None:
            without += gone.lot.quantity
        else:
            proceeds, cost, gain = proceeds + gone.proceeds, cost + gone.lot.cost, gain + gone.gain
        self._sums[key] = [parts + 1, quantity + gone.lot.quantity, proceeds, cost, gain, without]

    def rows(self, method: Method) -> Iterator[Row]:
        """The sums, by year, asset and way."""
        for (year, asset, way), sums in sorted(self._sums.items()):
            yield year, asset, way.value, *sums, method.value
