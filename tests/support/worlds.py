"""An account that lives through hours: the simulated exchange, a store, and what the hour told, all in one place.

Every hour is run as its own process would run it: a new owner, a new connection, nothing carried over but the store and
the exchange. Weather comes from the exchange's `Conditions`; a store or a messenger that fails is a fake of its port.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from runtime.adapters.binance.client import Connection, Credentials, Hosts
from runtime.adapters.binance.exchange import BinanceExchange
from runtime.adapters.binance.market import BinanceMarket
from runtime.adapters.clock import SimulatedClock
from runtime.adapters.concurrency import ThreadGather, serial_gather
from runtime.adapters.memory import MemoryStore
from runtime.adapters.simulated import wire
from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import PAPER, Conditions, Fault, Script
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.markets import EMBEDDED, FolderMarket, FolderPoolSource
from runtime.adapters.simulated.server import SimulatedServer
from runtime.adapters.witness import Witness
from runtime.config import parse_settings
from runtime.cycle import run_cycle
from runtime.domain.alerts import Alert
from runtime.domain.api_key import digest
from runtime.domain.control import Control
from runtime.domain.ledger import Book
from runtime.domain.money import ZERO
from runtime.domain.pool import Rung
from runtime.domain.report import Report
from runtime.domain.report_text import render_text
from runtime.domain.slots import HOUR_MS, slot_at, slot_start_ms
from runtime.domain.state import State
from runtime.domain.texts import Language
from runtime.errors import Unavailable
from runtime.ports import Exchange, Gather, MarketData, PoolSource, Receipt, Store, World
from runtime.run_settings import Settings
from runtime.wiring import explain
from strategies import REGISTRY, Strategy

T = TypeVar("T")
KEY, SECRET = "k" * 64, "s" * 64
FIRST = "2026-03-15T09Z"
MINUTES_PAST_MS = 15 * 60_000
CAPITAL = {"USDT": Decimal(10_000)}
POOL_11 = ("ETHUSDT", "SOLUSDT", "XRPUSDT", "LINKUSDT", "AVAXUSDT", "ADAUSDT", "DOGEUSDT", "TRXUSDT", "ATOMUSDT",
           "LTCUSDT", "BCHUSDT")  # fmt: skip
ACCOUNT, PRICES, CLOCK = "GET /api/v3/account", "GET /api/v3/ticker/price", "GET /api/v3/time"
ORDER, LOOK_UP, KLINES = "POST /api/v3/order", "GET /api/v3/order", "GET /api/v3/klines"
PAIRS = "GET /api/v3/exchangeInfo"
RIGHTS = "GET /sapi/v1/account/apiRestrictions"
EARN = "/sapi/v1/simple-earn/flexible"
POSITIONS, REDEEM = f"GET {EARN}/position", f"POST {EARN}/redeem"
DOWN = Fault(status=503, code=-1001, message="Internal error")


@dataclass
class Pool:
    """An upstream whose document a test may change; None is an upstream that does not answer."""

    payload: Mapping[str, Any] | None
    rung: Rung = Rung.FRESH_UPSTREAM
    where: str = "upstream"

    def read(self) -> Mapping[str, Any]:
        """The document."""
        if self.payload is None:
            raise Unavailable(self.where, "no answer")
        return self.payload


def release(symbols: Sequence[str], as_of: str = "2026-03-01") -> dict[str, Any]:
    """An upstream document that meets the contract."""
    return {
        "as_of_date": as_of,
        "version": f"{as_of}-core_major",
        "mode": "core_major",
        "pool_size": len(symbols),
        "symbols": list(symbols),
        "symbol_map": {symbol: {"base_asset": symbol.removesuffix("USDT")} for symbol in symbols},
        "source_project": "test",
    }


@dataclass
class Shelf:
    """Keeps what an hour writes, in order; `full` is a disk that takes nothing more."""

    reports: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    tapes: list[tuple[str, Sequence[str]]] = field(default_factory=list)
    full: bool = False

    def write_report(self, slot: str, document: Mapping[str, Any], text: str) -> str:
        """Keep a report."""
        self._room()
        assert text
        self.reports.append((slot, document))
        return ""

    def write_tape(self, slot: str, lines: Sequence[str]) -> str:
        """Keep a tape."""
        self._room()
        self.tapes.append((slot, tuple(lines)))
        return ""

    def amend_report(self, place: str, document: Mapping[str, Any], text: str) -> None:
        """Reports of this shelf lie nowhere."""

    def _room(self) -> None:
        if self.full:
            raise Unavailable("report folder", "No space left on device")


@dataclass
class Messenger:
    """Takes alerts, or, while `dead`, takes none."""

    taken: list[Alert] = field(default_factory=list)
    dead: bool = False

    def deliver(self, alerts: Sequence[Alert]) -> Sequence[Receipt]:
        """One receipt each."""
        if not self.dead:
            self.taken.extend(alerts)
        return [Receipt(alert.id, delivered=not self.dead) for alert in alerts]

    def probe(self) -> Mapping[str, str]:
        """Always well."""
        return {"chat": "ok"}

    def kinds(self) -> list[str]:
        """The kinds of what was taken, in order."""
        return [alert.kind for alert in self.taken]


@dataclass
class Gathering:
    """A `Gather` that notes what was asked for at once."""

    gather: Gather
    waves: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, calls: Mapping[str, Callable[[], T]]) -> Mapping[str, T | Exception]:
        self.waves.append(tuple(calls))
        return self.gather(calls)


@dataclass
class Scene:
    """One account and its surroundings. `hour` runs the next hour, or a named one."""

    clock: SimulatedClock
    exchange: SimulatedExchange
    store: Store
    pool: PoolSource
    reports: Shelf = field(default_factory=Shelf)
    messenger: Messenger = field(default_factory=Messenger)
    environment: dict[str, str] = field(default_factory=dict)
    url: str = ""
    waves: list[tuple[str, ...]] = field(default_factory=list)
    strategy: Strategy = REGISTRY["crypto_live_pool_rotation"]
    wrap: Callable[[World], World] = lambda world: world
    used: Counter[str] = field(default_factory=Counter)
    weight: Counter[str] = field(default_factory=Counter)
    runs: Iterator[int] = field(default_factory=itertools.count)

    def hour(self, at: str | None = None, **overrides: object) -> Report:
        """Run the hour `at` (default: the clock's), 15 minutes past, and note its calls, weights and waves."""
        if at is not None:
            self.clock.set(slot_start_ms(at) + MINUTES_PAST_MS)
        calls, weight = Counter(self.exchange.calls), Counter(self.exchange.venue.meter.weight)
        settings = parse_settings(self.environment, {"first_run": "fresh", **overrides})
        with self._world(settings) as world:
            report = run_cycle(settings, self.strategy, world)
        self.used = self.exchange.calls - calls
        self.weight = self.exchange.venue.meter.weight - weight
        return report

    def next(self, hours: int = 1, **overrides: object) -> Report:
        """Run the hour that is `hours` after the clock's."""
        return self.hour(slot_at(self.clock.now_ms() + hours * HOUR_MS), **overrides)

    def weather(self, **changes: Any) -> None:
        """Change the exchange's conditions."""
        self.exchange.venue.conditions = replace(self.exchange.venue.conditions, **changes)

    def faults(self, acts: Mapping[str, Fault] | None = None) -> None:
        """Let every call of these endpoints go wrong from here on; without any, good weather again."""
        self.weather(faults=Script({endpoint: {0: fault} for endpoint, fault in (acts or {}).items()}))

    @property
    def state(self) -> State:
        """The stored state."""
        state = self.store.load().state
        assert state is not None
        return state

    def orders(self) -> list[str]:
        """Client ids of all orders at the exchange, in order of their ids."""
        rows = (row for rows in self.exchange.venue.books.orders.values() for row in rows)
        return [row.client_id for row in sorted(rows, key=lambda row: row.order_id)]

    def differences(self) -> dict[str, Decimal]:
        """What the books of the exchange hold beyond the ledger, by asset and place; empty if they agree exactly."""
        ledger, books = self.state.ledger, self.exchange.venue.books
        found = {}
        for asset in books.balances.keys() | ledger.assets(Book.SPOT).keys() | ledger.assets(Book.RESERVED).keys():
            held = books.free(asset) + books.locked(asset)
            found[asset] = held - ledger.of(Book.SPOT, asset) - ledger.of(Book.RESERVED, asset)
        shown = {holding.asset: holding.amount for holding in self.exchange.venue.positions()}
        found["Earn USDT"] = shown.get("USDT", ZERO) - ledger.of(Book.EARN, "USDT")
        return {name: amount for name, amount in found.items() if amount}

    @contextmanager
    def _world(self, settings: Settings) -> Iterator[World]:
        with ExitStack() as closing:
            market: MarketData = self.exchange
            exchange: Exchange = self.exchange
            gather: Gather = serial_gather
            usage: Callable[[], Mapping[str, int]] = dict
            if self.url:
                connection = Connection(self.clock, Credentials(KEY, SECRET), Hosts(self.url, self.url, self.url))
                closing.callback(connection.session.close_connection)
                market, exchange = BinanceMarket(connection), BinanceExchange(connection)
                gather = threads = ThreadGather(8)
                usage = connection.tally.counts
                closing.callback(threads.close)
            gathering = Gathering(gather)
            self.waves = gathering.waves
            world = World(
                clock=self.clock,
                pools=(self.pool,),
                market=market,
                exchange=exchange,
                store=self.store,
                reports=self.reports,
                alerter=self.messenger,
                gather=gathering,
                owner=f"run-{next(self.runs)}",
                render=lambda report: render_text(report, Language.EN),
                explain=explain,
                usage=usage,
                key_digest=partial(digest, key=self.environment.get("BINANCE_API_KEY", "")),
            )
            yield Witness(self.wrap(world)).world

    def control(self, **fields: Any) -> None:
        """Set the kill switch."""
        self.store.set_control(Control(**fields))


@contextmanager
def scene(
    conditions: Conditions = PAPER,
    *,
    at: str = FIRST,
    store: Store | None = None,
    pool: PoolSource | None = None,
    http: bool = False,
    **balances: str,
) -> Iterator[Scene]:
    """An account on the embedded market with these balances (10 000 USDT if none are given)."""
    clock = SimulatedClock(slot_start_ms(at) + MINUTES_PAST_MS)
    market = FolderMarket(EMBEDDED, clock)
    books = Books.opened({asset: Decimal(amount) for asset, amount in balances.items()} or CAPITAL)
    exchange = SimulatedExchange(market, clock, conditions, books)
    made = Scene(
        clock,
        exchange,
        store if store is not None else MemoryStore(clock, copy=True),
        pool if pool is not None else FolderPoolSource(EMBEDDED, clock, "embedded"),
    )
    if not http:
        yield made
        return
    with SimulatedServer(exchange, wire.Credentials(KEY, SECRET)) as server:
        made.url = server.url
        yield made
