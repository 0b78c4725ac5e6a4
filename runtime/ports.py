"""Ports: what the hour needs from the world, and nothing more.

Each port is a Protocol with one suite of contract tests that every adapter of it passes (`tests/contracts`). All times
that cross a port are epoch milliseconds on the exchange's clock unless a name says otherwise. Errors are those of
`runtime.errors`; an adapter translates foreign ones at its edge. The ports travel as one frozen bundle, `World`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from runtime.domain.alerts import Alert
from runtime.domain.alerts import Receipt as Receipt  # noqa: PLC0414
from runtime.domain.api_key import KeyRights, digest
from runtime.domain.audit import NOBODY, Event, Run
from runtime.domain.control import Control
from runtime.domain.evidence import Flow as Flow  # noqa: PLC0414
from runtime.domain.instruments import Instrument
from runtime.domain.ledger import Entry
from runtime.domain.market import Account, Candle, DailySeries, EarnPosition, EarnProduct, Facts, Snapshot
from runtime.domain.orders import EarnOutcome, EarnRecord, Intent, Kind, Order, Outcome, Refused, Side
from runtime.domain.pool import Rung
from runtime.domain.report import Report
from runtime.domain.settings import StrategySettings
from runtime.domain.stored import Changes as Changes  # noqa: PLC0414 - the store's values go by the port's name
from runtime.domain.stored import CycleRecord as CycleRecord  # noqa: PLC0414
from runtime.domain.stored import DailyCache as DailyCache  # noqa: PLC0414
from runtime.domain.stored import Held as Held  # noqa: PLC0414
from runtime.domain.stored import Lease as Lease  # noqa: PLC0414
from runtime.domain.stored import Loaded as Loaded  # noqa: PLC0414
from runtime.domain.stored import Mail as Mail  # noqa: PLC0414
from runtime.domain.values import Value

T = TypeVar("T")


class Clock(Protocol):
    """This machine's time. Everything that waits, waits here."""

    def now_ms(self) -> int:
        """Epoch ms of this machine (not yet corrected by the exchange's clock)."""

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""

    def sleep(self, seconds: float) -> None:
        """Wait; simulated clocks advance instead. It may end early where the process was told to stop."""


class PoolSource(Protocol):
    """One rung of the ladder that is read from outside (upstream document or a file)."""

    rung: Rung
    where: str

    def read(self) -> Mapping[str, Any]:
        """The payload; `BadPayload` if it is not an object, `Unavailable` if it cannot be read or does not exist."""


class MarketData(Protocol):
    """Public market data. Reads raise `Unavailable`, `RateLimited`, `Misconfigured`, `Rejected` or `BadPayload`."""

    def server_time_ms(self) -> int:
        """The exchange's clock."""

    def prices(self) -> Mapping[str, Decimal]:
        """Last price of every pair, in one call."""

    def instruments(self, symbols: Sequence[str]) -> tuple[int, Mapping[str, Instrument]]:
        """Server time and the named pairs in one call; a name the exchange does not know fails the whole call."""

    def candles(self, symbol: str, interval: str, start_ms: int | None, limit: int) -> Sequence[Candle]:
        """Klines (`1d`, `1h`), oldest first, open one included; from `start_ms`, or the newest `limit` (<= 1000)."""


@dataclass(frozen=True, slots=True)
class OrderRequest(metaclass=Value):
    """A market order ready to send: `timestamp_ms` is the request's own timestamp (exchange clock), taken before the
    last lease and control check; `quantity` is base units.
    """

    client_id: str
    symbol: str
    side: Side
    quantity: Decimal
    timestamp_ms: int


class Exchange(Protocol):
    """The account at the exchange. Reads raise like `MarketData`'s; sends never raise, they return an outcome."""

    def sync_clock(self, offset_ms: int) -> None:
        """Correct the timestamps of signed requests: exchange clock − local clock."""

    def server_time_ms(self) -> int:
        """The clock of the host that takes signed requests; it need not be the host of `MarketData`."""

    def key_rights(self) -> KeyRights:
        """What the API key may do."""

    def account(self) -> Account:
        """Spot balances without Earn's `LD` shadows."""

    def earn_positions(self) -> Mapping[str, EarnPosition]:
        """Flexible positions by asset; several rows of an asset are summed."""

    def earn_product(self, asset: str) -> EarnProduct | None:
        """The flexible product to subscribe to, with what is left of the personal quota; None if there is none."""

    def send_order(self, request: OrderRequest) -> Outcome:
        """Send once, never again by itself. The answer's fills may be complete or empty (then fetch the trades)."""

    def test_order(self, request: OrderRequest) -> Refused | None:
        """`order/test`: the refusal the exchange would give, or None."""

    def find_order(self, symbol: str, client_id: str) -> Order | None:
        """The newest order with this client id, or None (−2013). Absence is proved by the caller, not by one None."""

    def orders_since(self, symbol: str, since_ms: int) -> Sequence[Order]:
        """Orders of a pair from `since_ms` on, oldest first, without fills."""

    def open_orders(self) -> Sequence[Order]:
        """Every order of the account that may still execute, in all pairs, in one call, without fills."""

    def trades_since(self, symbol: str, since_ms: int) -> Sequence[int]:
        """Ids of the orders, whosever they are, that traded in a pair from `since_ms` on; each once, oldest first."""

    def with_fills(self, order: Order) -> Order:
        """The order with its fills fetched from the trades; unchanged if they are not complete yet."""

    def send_earn(self, kind: Kind, product_id: str, amount: Decimal, timestamp_ms: int) -> EarnOutcome:
        """Redeem or subscribe once (at most one of each per 3 s an account)."""

    def earn_records(self, kind: Kind, asset: str, since_ms: int) -> Sequence[EarnRecord]:
        """Redemption or subscription records from `since_ms` on, oldest first."""

    def flows(self, since_ms: int) -> Sequence[Flow]:
        """Deposits, withdrawals and Earn rewards paid to spot from `since_ms` on, oldest first."""


class Store(Protocol):
    """One account's documents. Every write is conditional on the token of the last read or write.

    All methods raise `StoreUnavailable` when the store does not answer within seconds, and `StoreMisconfigured` when a
    human must change something first; a write whose answer was lost
    is looked up by the adapter and only then reported: done, `LeaseLost`, or `StoreUnavailable`.
    """

    def load(self) -> Loaded:
        """One read of the state document. `StateUnreadable` if it is malformed or newer."""

    def take_lease(self, loaded: Loaded, owner: str, slot: str, seconds: int) -> Held:
        """One conditional write: the lease is ours until the store's clock + `seconds`, with the next fence number.

        Only a document that is unchanged since `loaded`; a missing document is created with an empty `State`.
        `LeaseLost` if it changed meanwhile or a live lease of another owner is in it.
        """

    def commit(self, held: Held, changes: Changes) -> Held:
        """Write `changes` in one transaction under the lease; `LeaseLost` if state or lease changed since `held`."""

    def check(self, held: Held) -> Control:
        """One read of lease and control: the control; `LeaseLost` if the lease is no longer ours or has expired."""

    def control(self) -> Control:
        """The control document; absent = run, malformed = halt (`unreadable`)."""

    def set_control(self, control: Control, events: Sequence[Event] = ()) -> None:
        """Replace the control document, and write what was done in the same step."""

    def cache(self) -> DailyCache:
        """The candle cache; empty if there is none or it is malformed (it can always be fetched again)."""

    def cycles(self, limit: int, before: str = "") -> Sequence[CycleRecord]:
        """The newest slots' documents (of those before the slot `before`, if given), newest first."""

    def journal(self, slot: str | None = None) -> Sequence[Intent]:
        """Intents of a slot (or all), by id."""

    def ledger_days(self) -> Sequence[str]:
        """The UTC days (`2026-11-21`) that have ledger entries, oldest first."""

    def entries(self, day: str) -> Sequence[Entry]:
        """Ledger entries of a UTC day (`2026-11-21`), in order of booking."""

    def probe(self) -> None:
        """Prove read and write access on a probe document; touches nothing else."""

    def close(self) -> None:
        """Give back connections."""


class ReportSink(Protocol):
    """Where the hour's report and tape go."""

    def write_report(self, slot: str, document: Mapping[str, Any], text: str) -> str:
        """Keep the report; returns where (a path, or empty)."""

    def write_tape(self, slot: str, lines: Sequence[str]) -> str:
        """Keep the tape's lines in one atomic step; returns where (a path, or empty)."""

    def amend_report(self, place: str, document: Mapping[str, Any], text: str) -> None:
        """Put the report with what became known after it was kept in the place of the one at `place`, in one step."""


class Alerter(Protocol):
    """A channel to the operator. It never raises: an hour must not die of its messenger."""

    def deliver(self, alerts: Sequence[Alert]) -> Sequence[Receipt]:
        """Try each alert once, in order; one receipt each."""

    def probe(self) -> Mapping[str, str]:
        """Check token and chat without sending: name → `ok` or what is wrong."""


class Gather(Protocol):
    """Runs independent reads, concurrently where they cross a network."""

    def __call__(self, calls: Mapping[str, Callable[[], T]]) -> Mapping[str, T | Exception]:
        """The result, or the `EngineError` it raised, of each call by name. Other exceptions propagate."""


@lru_cache(16)
def _no_key(salt: str) -> str:
    return digest(salt, "")


def _nothing(snapshot: Snapshot | None) -> object:
    del snapshot
    return None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this process is to Google: the kind of credentials, the account and the project they name (empty = none)."""

    kind: str
    account: str
    project: str


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside the hour, as one value.

    `owner` is this process's random token; `render` words a report for people, `explain` gives the indicators a report
    shows; `facts` are indicators given instead of candles (fixtures only); `suppressed` counts what was held back.
    `key_digest` recognises the API key by a salt, and shows nothing of it. `witnessed` gives what this world answered
    until now, as JSON values for the tape; a snapshot that is on the tape need not be told twice.
    `stop` says why this process should end (a signal came), or nothing; no wait of `clock` goes on after that.
    `obey_commands` heeds what the operator wrote, soon and without errors; `run` names this run in the audit log.
    `identity` signs in to Google, where Google is used at all.
    `usage` counts this process's requests to the exchange: `calls`, those that `failed`, the `weight` of a minute.
    `second` is the channel for what `alerter` does not take; None = there is no other.
    `told` is False where nobody keeps reports and tapes, or reads alerts: then an hour words none of them.
    `highest` knows the trailing high of (pair, since when, now) without listing its hours; None = it is read off hourly
    candles. `days` continues (closed days, how many to keep, now) by the one day that has closed since, or says None:
    then candles are asked for. `coming` gives the prices of this hour and, where they are the past, of those after it
    today until anything about these pairs changes.
    """

    clock: Clock
    pools: Sequence[PoolSource]
    market: MarketData
    exchange: Exchange
    store: Store
    reports: ReportSink
    alerter: Alerter
    gather: Gather
    owner: str
    render: Callable[[Report], str]
    explain: Callable[[Snapshot, StrategySettings], tuple[Facts, float | None]]
    facts: Facts | None = None
    suppressed: Mapping[str, int] = field(default_factory=dict)
    stop: Callable[[], str] = str  # says nothing: nobody stops this process
    key_digest: Callable[[str], str] = _no_key
    witnessed: Callable[[Snapshot | None], object] = _nothing
    identity: Callable[[], Identity] | None = None
    told: bool = True
    second: Alerter | None = None
    usage: Callable[[], Mapping[str, int]] = dict  # nothing is counted
    highest: Callable[[str, int, int], Decimal | None] | None = None
    days: Callable[[DailySeries, int, int], DailySeries | None] | None = None
    coming: Callable[[Sequence[str]], Sequence[Mapping[str, Decimal]]] | None = None
    obey_commands: Callable[[], object] = str  # nobody writes
    run: Run = NOBODY
