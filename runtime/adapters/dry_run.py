"""Dry run: real reads, no side effect. Each port is wrapped, and what is held back is counted by kind.

The decision is the real one, on the real account; what would follow from it is shown, not done. State is never written,
so an hour may be dry-run as often as one likes, beside the real one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal

from runtime.domain.alerts import Alert
from runtime.domain.api_key import KeyRights
from runtime.domain.audit import Event
from runtime.domain.control import Control
from runtime.domain.evidence import Flow
from runtime.domain.ledger import Entry
from runtime.domain.market import Account, EarnPosition, EarnProduct
from runtime.domain.orders import EarnOutcome, EarnRecord, Intent, Kind, Order, Outcome, Refused, Suppressed
from runtime.ports import (
    Alerter,
    Changes,
    CycleRecord,
    DailyCache,
    Exchange,
    Held,
    Lease,
    Loaded,
    OrderRequest,
    Receipt,
    Store,
)

WHY = "suppressed: dry run"


class ReadOnlyExchange:
    """An exchange that is only read; orders and Earn moves are held back."""

    def __init__(self, real: Exchange, counts: Counter[str]) -> None:
        """`counts` is shared by all wrappers of one run."""
        self._real, self._counts = real, counts

    def sync_clock(self, offset_ms: int) -> None:
        self._real.sync_clock(offset_ms)

    def server_time_ms(self) -> int:
        return self._real.server_time_ms()

    def key_rights(self) -> KeyRights:
        return self._real.key_rights()

    def account(self) -> Account:
        return self._real.account()

    def earn_positions(self) -> Mapping[str, EarnPosition]:
        return self._real.earn_positions()

    def earn_product(self, asset: str) -> EarnProduct | None:
        return self._real.earn_product(asset)

    def send_order(self, request: OrderRequest) -> Outcome:
        self._counts[f"order {request.side}"] += 1
        return Suppressed(WHY)

    def test_order(self, request: OrderRequest) -> Refused | None:
        return self._real.test_order(request)

    def find_order(self, symbol: str, client_id: str) -> Order | None:
        return self._real.find_order(symbol, client_id)

    def orders_since(self, symbol: str, since_ms: int) -> Sequence[Order]:
        return self._real.orders_since(symbol, since_ms)

    def open_orders(self) -> Sequence[Order]:
        return self._real.open_orders()

    def trades_since(self, symbol: str, since_ms: int) -> Sequence[int]:
        return self._real.trades_since(symbol, since_ms)

    def with_fills(self, order: Order) -> Order:
        return self._real.with_fills(order)

    def send_earn(self, kind: Kind, product_id: str, amount: Decimal, timestamp_ms: int) -> EarnOutcome:
        del product_id, amount, timestamp_ms
        self._counts[f"earn {kind}"] += 1
        return Suppressed(WHY)

    def earn_records(self, kind: Kind, asset: str, since_ms: int) -> Sequence[EarnRecord]:
        return self._real.earn_records(kind, asset, since_ms)

    def flows(self, since_ms: int) -> Sequence[Flow]:
        return self._real.flows(since_ms)


class ReadOnlyStore:
    """A store that is only read: leases are pretended, commits are counted."""

    def __init__(self, real: Store, counts: Counter[str]) -> None:
        """`counts` is shared by all wrappers of one run."""
        self._real, self._counts = real, counts

    def load(self) -> Loaded:
        return self._real.load()

    def take_lease(self, loaded: Loaded, owner: str, slot: str, seconds: int) -> Held:
        self._counts["store lease"] += 1
        fence = loaded.lease.fence if loaded.lease else 0
        return Held(Lease(owner, loaded.read_ms + seconds * 1000, fence, slot), loaded.token)

    def commit(self, held: Held, changes: Changes) -> Held:
        del changes
        self._counts["store commit"] += 1
        return held

    def check(self, held: Held) -> Control:
        del held
        return self._real.control()

    def control(self) -> Control:
        return self._real.control()

    def set_control(self, control: Control, events: Sequence[Event] = ()) -> None:
        del control, events
        self._counts["store control"] += 1

    def cache(self) -> DailyCache:
        return self._real.cache()

    def cycles(self, limit: int, before: str = "") -> Sequence[CycleRecord]:
        return self._real.cycles(limit, before)

    def journal(self, slot: str | None = None) -> Sequence[Intent]:
        return self._real.journal(slot)

    def ledger_days(self) -> Sequence[str]:
        return self._real.ledger_days()

    def entries(self, day: str) -> Sequence[Entry]:
        return self._real.entries(day)

    def probe(self) -> None:
        self._counts["store probe"] += 1

    def close(self) -> None:
        self._real.close()


class ProbedStore(ReadOnlyStore):
    """A store that is only read, but for its probe document: so `--validate-only` proves that it may be written."""

    def probe(self) -> None:
        self._real.probe()


class SilentAlerter:
    """Takes every alert and tells nobody."""

    def __init__(self, real: Alerter, counts: Counter[str]) -> None:
        """`counts` is shared by all wrappers of one run."""
        self._real, self._counts = real, counts

    def deliver(self, alerts: Sequence[Alert]) -> Sequence[Receipt]:
        self._counts["alert"] += len(alerts)
        return [Receipt(alert.id, delivered=True, why=WHY) for alert in alerts]

    def probe(self) -> Mapping[str, str]:
        return self._real.probe()
