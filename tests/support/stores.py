"""What the store tests have in common: sample values, and an account that several runs can open at once."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.memory import MemoryStore
from runtime.adapters.sqlite import SqliteStore
from runtime.backup import Archive
from runtime.domain.instruments import Instrument, LotRule
from runtime.domain.ledger import Balances, Book, Entry, transfer
from runtime.domain.market import DailySeries
from runtime.domain.orders import Fill, Intent, Kind, Order, Side, Sleeve, Status
from runtime.domain.pool import AcceptedPool
from runtime.domain.state import Position, State
from runtime.ports import Changes, CycleRecord, DailyCache, Held, Store

NOW_MS = 1_795_251_600_000
SLOT = "2026-11-21T09Z"
DAY = SLOT[:10]
LONG = 420


@dataclass(frozen=True)
class Account:
    """One account in one store.

    `make` gives a store object as another process would make it. `plant` puts a raw state document in place, as an
    operator or other code might; None where nothing raw exists.
    """

    make: Callable[[], Archive]
    plant: Callable[[Mapping[str, Any]], None] | None = None
    opened: list[Archive] = field(default_factory=list)

    def open(self) -> Archive:
        """A store for one more run; closed with the account."""
        self.opened.append(self.make())
        return self.opened[-1]

    def close(self) -> None:
        """Close every store that was opened."""
        for store in self.opened:
            store.close()


def memory_account(*, copy: bool) -> Account:
    """A fresh account in memory: every run shares the one object."""
    store = MemoryStore(SimulatedClock(NOW_MS), copy=copy)
    return Account(lambda: store)


def sqlite_account(path: Path) -> Account:
    """A fresh account in the file `path`: every run has its own connection."""

    def plant(document: Mapping[str, Any]) -> None:
        with closing(sqlite3.connect(path)) as raw, raw:
            raw.execute("UPDATE account SET state = ?", (json.dumps(document),))

    return Account(lambda: SqliteStore(path, SimulatedClock(NOW_MS)), plant)


def take(store: Store, owner: str = "run-a", *, seconds: int = LONG, slot: str = SLOT) -> Held:
    """Load and take the lease."""
    return store.take_lease(store.load(), owner, slot, seconds)


def state(**fields: Any) -> State:
    """A state with something in every kind of field that a store might bend."""
    filled: dict[str, Any] = {
        "initialised_ms": NOW_MS,
        "pool": AcceptedPool(
            "2026-11-01-core_major", date(2026, 11, 1), "core_major", ("ETHUSDT",), SLOT, 5, ("core_major",)
        ),
        "ledger": Balances({Book.SPOT: {"USDT": Decimal("1234.56789"), "1INCH": Decimal("0.00000001")}}),
        "positions": {"ETHUSDT": Position(Decimal("475.00"), Decimal("0.18981"), NOW_MS)},
        "intents": (intent("open"),),
        "unknown": ((("note",), {"kept": [1, "two", None, True, 2.5]}), (("performance", "alpha"), "0.1")),
    }
    return State("main", **(filled | fields))


def intent(name: str, *, slot: str = SLOT, status: Status = Status.DONE) -> Intent:
    """An order's intent with its order and fill."""
    fill = Fill(77, Decimal("2500.01"), Decimal("0.19"), Decimal("0.00019"), "ETH")
    order = Order("ETHUSDT", 4711, name, Side.BUY, "FILLED", Decimal("0.19"), Decimal("475.0019"), NOW_MS, (fill,))
    quantity = Decimal("0.19")
    return Intent(
        name, slot, Kind.ORDER, Sleeve.TREND, "ETHUSDT", Side.BUY, quantity, "entry", NOW_MS, NOW_MS + 60_000,
        status=status, order=order, before={"total": "1.5"},
    )  # fmt: skip


_numbers = itertools.count(1)


def entry(name: str = "", *, slot: str = SLOT, amount: str = "0.19") -> Entry:
    """A balanced entry; without a name, one that no other entry has."""
    postings = transfer(Book.TRADING, Book.SPOT, "ETH", Decimal(amount))
    return Entry(name or f"order:ETHUSDT:{next(_numbers)}", slot, NOW_MS, "fill", postings, "ref")


def cycle(slot: str = SLOT, exit_code: int = 0) -> CycleRecord:
    """A slot's own document."""
    return CycleRecord(slot, exit_code, NOW_MS + 5000, "ab" * 32, "cd" * 32, {"equity": "1000.00", "orders": "0"})


def cache() -> DailyCache:
    """A cache of one series and one instrument."""
    series = DailySeries("ETHUSDT", NOW_MS, (1.1, 2.0), (0.9, 1e-9), (1.0, 1.0000001), (None, 123456789.123))
    lot = LotRule(Decimal("0.0001"), Decimal(9000), Decimal("0.0001"))
    return DailyCache({"ETHUSDT": series}, {"ETHUSDT": Instrument("ETHUSDT", "ETH", "USDT", lot=lot)}, NOW_MS)


def everything(slot_done: str = SLOT) -> Changes:
    """A commit with all kinds of documents in it."""
    return Changes(state(slot_done=slot_done), (intent("bp-1"),), (entry("e-1"),), cycle(), cache())
