"""The audit: what must hold between the exchange's books and ours, whatever happened to the hours in between.

Each check returns its faults as text, so that one look shows all of them. Nothing here is asked of the engine: the
exchange's books are the simulation's own, what an order must have booked is computed from its fills anew.

    at any moment    no client id twice with effect; every executed order of ours is booked at most once, and rightly;
                     the ledger's documents tell what the state's totals say; nothing else was sold than what is managed
    when settled     besides: each is booked exactly once, no intent is open, ledger = spot, Earn and what is on its way
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from runtime.adapters.simulated.books import OrderRow
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.domain.ledger import Balances, Book, Entry
from runtime.domain.money import CASH, ZERO
from runtime.domain.orders import Intent, Side, id_prefix
from runtime.domain.state import State, decode_state, encode_state
from runtime.ports import Store


@dataclass(frozen=True, slots=True)
class Records:
    """What one account's store holds: the state, and every intent and ledger entry beside it."""

    state: State
    journal: Sequence[Intent]
    entries: Sequence[Entry]


def records(store: Store, first: date, last: date) -> Records | None:
    """Everything the store holds on the days from `first` to `last`; None if there is no state yet."""
    state = store.load().state
    if state is None:
        return None
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return Records(state, store.journal(), [entry for day in days for entry in store.entries(day.isoformat())])


def own_orders(exchange: SimulatedExchange, account: str = "main") -> list[OrderRow]:
    """Orders of ours at the exchange that executed something, in no particular order."""
    prefix = id_prefix(account)
    rows = (row for rows in exchange.venue.books.orders.values() for row in rows)
    return [row for row in rows if row.client_id.startswith(prefix) and row.executed_qty]


def at_any_moment(exchange: SimulatedExchange, kept: Records | None) -> list[str]:
    """Faults that no crash and no weather excuses."""
    ours = own_orders(exchange)
    faults = [
        f"client id {name} took effect {n} times" for name, n in Counter(r.client_id for r in ours).items() if n > 1
    ]
    if kept is None:
        return faults
    if decode_state(encode_state(kept.state)) != kept.state:
        faults.append("the state does not survive its own encoding")
    faults += _misbooked(ours, kept.entries)
    faults += [f"documents and state differ: {text}" for text in _differences(totals(kept.entries), kept.state.ledger)]
    return faults


def when_settled(exchange: SimulatedExchange, kept: Records) -> list[str]:
    """Faults of an account whose last hour ended well and to which nothing happened since."""
    faults = at_any_moment(exchange, kept)
    booked = {entry.id for entry in kept.entries}
    faults += [
        f"{r.client_id} executed and is not in the ledger" for r in own_orders(exchange) if order_id(r) not in booked
    ]
    faults += [f"intent {intent.id} is open: {intent.status} {intent.detail}" for intent in open_intents(kept)]
    faults += imbalances(exchange, kept.state.ledger)
    return faults


def open_intents(kept: Records) -> list[Intent]:
    """Intents that are still open, in the state or in the journal."""
    return [intent for intent in {i.id: i for i in (*kept.state.intents, *kept.journal)}.values() if intent.open]


def order_id(row: OrderRow) -> str:
    """The id of the entry that books an order."""
    return f"order:{row.symbol}:{row.order_id}"


def totals(entries: Sequence[Entry]) -> dict[tuple[Book, str], Decimal]:
    """The sums of the entries' postings by book and asset, zeros left out."""
    found: dict[tuple[Book, str], Decimal] = {}
    for entry in entries:
        for posting in entry.postings:
            key = (posting.book, posting.asset)
            found[key] = found.get(key, ZERO) + posting.amount
    return {key: amount for key, amount in found.items() if amount}


def unexplained(state: State) -> dict[str, Decimal]:
    """What came (+) or went (-) without evidence so far, by asset."""
    return {asset: -amount for asset, amount in state.ledger.assets(Book.UNEXPLAINED).items() if amount}


def _differences(found: Mapping[tuple[Book, str], Decimal], ledger: Balances) -> Iterator[str]:
    known = {(book, asset): amount for book, assets in ledger.totals.items() for asset, amount in assets.items()}
    for key in sorted(found.keys() | known.keys()):
        if found.get(key, ZERO) != known.get(key, ZERO):
            yield f"{key[0]} {key[1]}: {found.get(key, ZERO)} in documents, {known.get(key, ZERO)} in the state"


def _misbooked(ours: Sequence[OrderRow], entries: Sequence[Entry]) -> list[str]:
    rows = {order_id(row): row for row in ours}
    booked = [entry for entry in entries if entry.id.startswith("order:")]
    faults = [f"{name} is booked {n} times" for name, n in Counter(e.id for e in booked).items() if n > 1]
    faults += [f"{e.id} is booked, but the exchange knows no such order of ours" for e in booked if e.id not in rows]
    for entry in booked:
        row = rows.get(entry.id)
        if row is not None and _spot_moves([entry]) != _moved(row):
            faults.append(f"{entry.id}: booked {_spot_moves([entry])}, the exchange moved {_moved(row)}")
    return faults


def _spot_moves(entries: Sequence[Entry]) -> dict[str, Decimal]:
    return {asset: amount for (book, asset), amount in totals(entries).items() if book is Book.SPOT}


def _moved(row: OrderRow) -> dict[str, Decimal]:
    """What an order moved at spot: its base and its cash, less the fees of its fills."""
    sign, base = (1 if row.side is Side.BUY else -1), row.symbol.removesuffix(CASH)
    moved = {base: sign * sum((fill.qty for fill in row.fills), ZERO), CASH: -sign * row.quote_qty}
    for fill in row.fills:
        moved[fill.commission_asset] = moved.get(fill.commission_asset, ZERO) - fill.commission
    return {asset: amount for asset, amount in moved.items() if amount}


def imbalances(exchange: SimulatedExchange, ledger: Balances) -> list[str]:
    """Where the ledger and the exchange differ: spot by asset, Earn, and what is on its way between them."""
    venue = exchange.venue
    spot = {asset: balance.total for asset, balance in venue.books.balances.items()}
    earn = {holding.asset: holding.amount for holding in venue.positions()}
    faults = []
    for asset in sorted(spot.keys() | ledger.assets(Book.SPOT).keys() | ledger.assets(Book.RESERVED).keys()):
        ours = ledger.of(Book.SPOT, asset) + ledger.of(Book.RESERVED, asset)
        if ours != spot.get(asset, ZERO):
            faults.append(f"{asset} at spot: ledger {ours}, exchange {spot.get(asset, ZERO)}")
    if ledger.of(Book.EARN, CASH) != earn.get(CASH, ZERO):
        faults.append(f"Earn: ledger {ledger.of(Book.EARN, CASH)}, exchange {earn.get(CASH, ZERO)}")
    on_the_way = sum((move.amount for move in venue.books.unsettled()), ZERO)
    if ledger.of(Book.TRANSIT, CASH) != on_the_way:
        faults.append(f"in transit: ledger {ledger.of(Book.TRANSIT, CASH)}, exchange {on_the_way}")
    return faults
