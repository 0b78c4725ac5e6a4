"""What must hold once the world is calm again, whatever happened before; each fault in one line.

The exchange's books are the truth: they are the simulation's own and never ask the engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runtime.adapters.simulated.books import OrderRow
from runtime.domain.documents import canonical
from runtime.domain.ledger import Balances, Book, Entry
from runtime.domain.money import CASH, FUEL, ZERO
from runtime.domain.orders import Intent, Kind, Side, Status, id_prefix
from runtime.domain.report import CycleStatus, Report
from runtime.domain.slots import DAY_MS, date_at
from runtime.domain.state import State, decode_state, encode_state
from runtime.ports import Lease, Store
from tests.scenarios.matrix.rig import Ran, Rig

STATE_BYTES = 120_000
NOTHING_SENT = frozenset(CycleStatus) - {CycleStatus.DONE, CycleStatus.FAILED_ORDERS, CycleStatus.CUT_SHORT}
_STOPPING = ("-1003 ", "0 ")
"""How the detail of such a refusal begins: the code, which is 0 where the answer had none."""
_HOUR_AT_MOST_MS = 300_000
"""A run is over by then; what came later was another run's."""
_FAILED = frozenset({Status.REFUSED, Status.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store holds at the end."""

    state: State
    lease: Lease | None
    read_ms: int
    journal: Sequence[Intent]
    entries: Sequence[Entry]


def kept_in(store: Store, from_ms: int, to_ms: int) -> Kept:
    """Everything of the account, with the ledger's days from `from_ms` to `to_ms`."""
    loaded = store.load()
    if loaded.state is None:
        raise AssertionError("there is no state document")
    days = (date_at(day * DAY_MS).isoformat() for day in range(from_ms // DAY_MS, to_ms // DAY_MS + 1))
    entries = [entry for day in days for entry in store.entries(day)]
    return Kept(loaded.state, loaded.lease, loaded.read_ms, store.journal(), entries)


def faults(rig: Rig, kept: Kept) -> list[str]:
    """Everything that does not hold."""
    ours = [r for rows in rig.exchange.venue.books.orders.values() for r in rows]
    ours = [row for row in ours if row.client_id.startswith(id_prefix(rig.settings.account))]
    return [
        *_orders_once(ours),
        *_orders_meant(ours, kept.journal),
        *_orders_booked(ours, kept.entries),
        *_moves_meant(rig, kept.journal),
        *_ledger(kept),
        *_holdings(rig, kept),
        *_closed(kept),
        *_document(kept.state),
        *_told(rig, kept),
        *(fault for ran in rig.history for fault in _run(ran)),
    ]


def _orders_once(ours: Sequence[OrderRow]) -> Iterator[str]:
    """No intent twice: neither by its id, nor by what it is for (a purchase of a pair for a sleeve, once a day)."""
    for name, count in Counter(row.client_id for row in ours).items():
        if count > 1:
            yield f"{count} orders exist under the id {name}"
    bought = (row for row in ours if row.side is Side.BUY and row.executed_qty)
    for meaning, count in Counter(f"{r.client_id[8:14]} {r.client_id[17]} {r.symbol}" for r in bought).items():
        if count > 1:
            yield f"{count} purchases for one reason on one day: {meaning}"


def _orders_meant(ours: Sequence[OrderRow], journal: Sequence[Intent]) -> Iterator[str]:
    """Every order has its intent, asked for what it says, and came back with what was executed."""
    meant = {intent.id: intent for intent in journal}
    for row in ours:
        intent = meant.get(row.client_id)
        if intent is None:
            yield f"order {row.client_id} has no intent in the journal"
        elif (intent.symbol, intent.side, intent.quantity) != (row.symbol, row.side, row.quantity):
            yield f"order {row.client_id} is not what its intent asked for"
        elif intent.status is not Status.DONE or intent.order is None:
            said = f"{intent.status} ({intent.detail})"
            yield f"order {row.client_id} executed {row.executed_qty}, its intent says {said}"
        elif intent.order.executed_qty != row.executed_qty:
            yield f"order {row.client_id}: {intent.order.executed_qty} of {row.executed_qty} known"


def _moves_meant(rig: Rig, journal: Sequence[Intent]) -> Iterator[str]:
    """Every Earn move at the exchange is one of the journal's that are done, and the other way round."""
    made: Counter[tuple[Kind, Decimal]] = Counter((m.kind, m.amount) for m in rig.exchange.venue.books.moves)
    done = (i for i in journal if i.kind is not Kind.ORDER and i.status is Status.DONE)
    meant: Counter[tuple[Kind, Decimal]] = Counter((i.kind, i.quantity) for i in done)
    for kind, amount in made.keys() | meant.keys():
        if made[kind, amount] != meant[kind, amount]:
            yield f"{kind} of {amount}: {made[kind, amount]} at the exchange, {meant[kind, amount]} in the journal"


def _orders_booked(ours: Sequence[OrderRow], entries: Sequence[Entry]) -> Iterator[str]:
    """Every executed order is in the ledger exactly once, and nothing else claims to be a fill."""
    booked = Counter(entry.reference for entry in entries if entry.kind == "fill")
    executed = {row.client_id for row in ours if row.executed_qty}
    for name in sorted(executed | booked.keys()):
        if booked[name] != (1 if name in executed else 0):
            yield f"order {name} is in the ledger {booked[name]} times"


def _ledger(kept: Kept) -> Iterator[str]:
    """Every entry balances, and the entries tell the totals; nothing is unexplained, nothing on its way."""
    ledger = kept.state.ledger
    for entry in kept.entries:
        if off := {a for a in {p.asset for p in entry.postings} if sum(_of(entry, a), ZERO)}:
            yield f"entry {entry.id} does not balance in {off}"
    told = Balances().posted(kept.entries).totals
    if told != ledger.totals:
        yield f"the entries add up to {_shown(told)}, the state says {_shown(ledger.totals)}"
    for book in (Book.UNEXPLAINED, Book.TRANSIT):
        if ledger.assets(book):
            yield f"{book}: {dict(ledger.assets(book))}"
    if kept.state.drift:
        yield f"drift: {dict(kept.state.drift)}"


def _holdings(rig: Rig, kept: Kept) -> Iterator[str]:
    """The ledger holds what the exchange holds, to the last unit, and the positions hold what is owned."""
    ledger, books = kept.state.ledger, rig.exchange.venue.books
    spot, reserved = ledger.assets(Book.SPOT), ledger.assets(Book.RESERVED)
    for asset in sorted(books.balances.keys() | spot.keys() | reserved.keys()):
        known, real = spot.get(asset, ZERO) + reserved.get(asset, ZERO), books.free(asset) + books.locked(asset)
        if known != real:
            yield f"{asset}: the ledger says {known}, the exchange holds {real}"
    held = {holding.asset: holding.amount for holding in rig.exchange.venue.positions()}
    if ledger.of(Book.EARN, CASH) != held.get(CASH, ZERO):
        yield f"Earn: the ledger says {ledger.of(Book.EARN, CASH)}, the exchange holds {held.get(CASH, ZERO)}"
    for symbol, position in kept.state.positions.items():
        owned = ledger.owned(symbol.removesuffix(CASH))
        if position.quantity != owned and not symbol.startswith(FUEL):
            yield f"position {symbol}: {position.quantity}, owned {owned}"


def _of(entry: Entry, asset: str) -> Iterator[Decimal]:
    return (posting.amount for posting in entry.postings if posting.asset == asset)


def _shown(totals: object) -> str:
    return str(totals).replace("Decimal", "")


def _closed(kept: Kept) -> Iterator[str]:
    """Nothing is left open, and nobody holds the lease."""
    for intent in kept.state.open_intents:
        yield f"intent {intent.id} is open: {intent.status} ({intent.detail})"
    for intent in kept.journal:
        if intent.open:
            yield f"the journal says {intent.id} is {intent.status}"
    if kept.lease is not None and kept.read_ms < kept.lease.expires_ms:
        yield f"the lease is still held by {kept.lease.owner}"


def _document(state: State) -> Iterator[str]:
    document = encode_state(state)
    if decode_state(document) != state:
        yield "the state document does not read back as it was written"
    if len(canonical(document)) > STATE_BYTES:
        yield f"the state document has {len(canonical(document))} bytes"


def _told(rig: Rig, kept: Kept) -> Iterator[str]:
    """What traded, failed or stayed unknown was told, and nothing more often than processes died or failed."""
    waiting = {alert.id for alert in kept.state.outbox}
    told = waiting | rig.messenger.delivered.keys()
    for intent in kept.journal:
        if intent.slot < rig.first_slot or intent.kind is not Kind.ORDER or intent.sent_ms is None:
            continue
        executed = intent.order is not None and intent.order.executed_qty
        kind = "trade" if executed else "order_failed" if intent.status in {Status.DONE, Status.REFUSED} else ""
        if kind and not any(f":{kind}:{intent.id}" in name for name in told):
            yield f"{intent.id} is {intent.status}, and no alert {kind} tells it"
    # A run that slept past its lease says only that, but then what it did not know must be settled by the holder.
    settled = {intent.id for intent in kept.journal if not intent.open}
    reports = [ran.report for ran in rig.history if ran.report]
    for said, intent in ((report.error, i) for report in reports for i in report.intents):
        if said.startswith("lease") and intent.id in settled:
            continue
        unknown = intent.kind is Kind.ORDER and intent.status is Status.UNKNOWN
        if unknown and not any(f":order_unknown:{intent.id}" in name for name in told):
            yield f"{intent.id} was unknown, and no alert tells it"
    excused = sum(1 for ran in rig.history if not _calm(ran))
    if any(name.endswith(":drift") for name in rig.messenger.delivered):
        yield "the operator was told of a drift, and nothing drifted"
    for name, count in rig.messenger.delivered.items():
        if count > 1 + excused:
            yield f"alert {name} was delivered {count} times"


def _calm(ran: Ran) -> bool:
    """Whether nothing happened to the run that may have kept it from noting what it told."""
    return ran.report is not None and not (ran.report.exit_code or ran.wire.troubles or ran.wire.kill)


def _run(ran: Ran) -> Iterator[str]:
    """Exit codes mean what the contract says, and a dead process stays dead."""
    yield from ran.wire.faults
    if ran.crash:
        yield f"an error escaped the hour: {ran.crash}"
    report = ran.report
    if report is None:
        return
    if report.status in NOTHING_SENT and ran.sent:
        yield f"{report.slot} {report.status}: {ran.sent} sends were made ({report.error})"
    failed = [
        i.id for i in report.intents if i.status in _FAILED and (i.kind is Kind.ORDER or i.status is Status.REFUSED)
    ]
    if report.exit_code == 0 and failed:
        yield f"{report.slot} ended with 0, although {failed} failed"
    yield from _paused(report)
    if report.status is CycleStatus.UNEXPECTED:
        yield f"{report.slot} ended unexpectedly: {report.error}"
    if report.drift and report.status is not CycleStatus.ABORTED:
        yield f"{report.slot}: unexplained {dict(report.drift)}"


def _paused(report: Report) -> Iterator[str]:
    """After a 429 or 418, and after a 401, 403 or 451, the hour sends nothing more."""
    stopped: Intent | None = None
    for intent in report.intents:
        if stopped is not None and 0 <= (intent.sent_ms or 0) - (stopped.sent_ms or 0) < _HOUR_AT_MOST_MS:
            yield f"{intent.id} was sent although {stopped.id} had been told to wait"
        if intent.status is Status.REFUSED and intent.detail.startswith(_STOPPING):
            stopped = intent
