"""The report: one hour's account of itself, for people and for machines.

The worked problem: an hour that trades nothing must explain itself as fully as one that does, and the same hour
replayed a year later on another machine must give the same bytes. So a report is a value; `to_document` makes JSON of
it with amounts as text and indicators cut to ten significant digits (beyond them two machines' arithmetic may differ),
and `digest` hashes everything but what belongs to the run instead of the hour: timings, usage, places.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any

from runtime.domain.alerts import Alert, Receipt, outcome_of
from runtime.domain.costs import NO_COSTS, Spent, costs_document
from runtime.domain.decision import Decision, Gate
from runtime.domain.ladder import Tried
from runtime.domain.ledger import fees
from runtime.domain.market import Facts
from runtime.domain.money import ZERO, plain, significant
from runtime.domain.orders import Intent, Kind, Sleeve
from runtime.domain.pool import Rung
from runtime.domain.values import Value

SCHEMA_VERSION = 1
FLOAT_DIGITS = 10
OUTSIDE_DIGEST = frozenset({"run", "sha256"})


class CycleStatus(StrEnum):
    """How the hour ended; the exit code says the same to a shell."""

    DONE = "done"
    LEASE_HELD = "lease_held"
    SLOT_DONE = "slot_done"
    FAILED_ORDERS = "failed_orders"
    ABORTED = "aborted"
    STOPPED = "stopped"
    CUT_SHORT = "cut_short"
    BAD_SETTINGS = "bad_settings"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolReport(metaclass=Value):
    """The hour's pool. `upstream_order` is the publisher's list, `execution_pool` what this account trades: two things.

    `notes` are remarks for a person: symbols not listed at the exchange, a newer local file, and the like.
    """

    rung: Rung
    version: str
    as_of_date: date | None
    age_days: int | None
    degraded: bool
    degraded_cycles: int = 0
    upstream_order: tuple[str, ...] = ()
    execution_pool: tuple[str, ...] = ()
    tried: tuple[Tried, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Equity(metaclass=Value):
    """Total equity (USDT) as the sum of its parts; managed balances only."""

    cash_spot: Decimal = ZERO
    cash_earn: Decimal = ZERO
    in_transit: Decimal = ZERO
    fuel: Decimal = ZERO
    trend: Decimal = ZERO
    btc: Decimal = ZERO

    @property
    def cash(self) -> Decimal:
        """All USDT: at spot, in Earn, and in transit."""
        return self.cash_spot + self.cash_earn + self.in_transit

    @property
    def total(self) -> Decimal:
        """The sum of the parts."""
        return self.cash + self.fuel + self.trend + self.btc

    def parts(self) -> list[tuple[str, Decimal]]:
        """The parts that are not zero by name, and the total."""
        named = ("cash_spot", "cash_earn", "in_transit", "fuel", "trend", "btc")
        return [*((name, value) for name in named if (value := getattr(self, name))), ("total", self.total)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A managed holding after the hour: `quantity` base units; `price`, `average` (entry) and `value` USDT.

    `share` is its fraction of equity, `target` the fraction the decision wanted (None = no target); `managed` is False
    for dust.
    """

    symbol: str
    sleeve: Sleeve
    quantity: Decimal
    price: Decimal | None
    average: Decimal | None
    value: Decimal
    share: Decimal
    target: Decimal | None = None
    managed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(metaclass=Value):
    """Everything one hour has to say. Only the first five fields are needed: an hour that stopped early has no more.

    slot, mode      the hour's name; `paper`, `dry_run`, `live`
    account         the account's label, never a key
    status          how it ended, with its `exit_code`
    error           one line, free of secrets, when it did not end well
    control         the operator's mode in force: `run`, `reduce_only`, `halt`
    missed          slots since the last completed one that no run did
    pool            None if the ladder was not reached
    equity          None if the account was not read; `holdings` likewise empty
    index, drawdown time-weighted return index (1 = start) and its fraction below the peak (0.1 = 10 % down)
    btc_price       what bitcoin was valued at (USDT), held or not: the yardstick of the account's return
    decision        targets, candidates, exits, DCA; its own `gates` are ignored here, see the next line
    gates           every decision not to trade: the decision's, the plan's and those met while sending
    intents         this hour's, settled or not: market orders and Earn moves, in the order of sending
    recovered       intents of earlier hours that this one settled or still waits for
    facts           indicators the decision saw; `ahr999` at the live price with the name of its variant
    problems        what could not be read or trusted, by name
    drift           unexplained units by asset
    alerts          what this hour tells the operator
    suppressed      side effects that a dry run held back, by kind, counted
    spent, month    what the orders cost that this hour booked, and those of its month until now (None = not known)
    minutes, usage, timings_ms, places, receipts    not in the digest: job minutes, calls, ms by step, files, deliveries
    """

    slot: str
    mode: str
    account: str
    status: CycleStatus
    exit_code: int
    error: str = ""
    control: str = "run"
    missed: tuple[str, ...] = ()
    pool: PoolReport | None = None
    equity: Equity | None = None
    holdings: tuple[Holding, ...] = ()
    index: Decimal | None = None
    drawdown: Decimal | None = None
    btc_price: Decimal | None = None
    decision: Decision | None = None
    gates: tuple[Gate, ...] = ()
    intents: tuple[Intent, ...] = ()
    recovered: tuple[Intent, ...] = ()
    facts: Facts | None = None
    ahr999: float | None = None
    ahr999_variant: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)
    drift: Mapping[str, Decimal] = field(default_factory=dict)
    alerts: tuple[Alert, ...] = ()
    suppressed: Mapping[str, int] = field(default_factory=dict)
    spent: Spent = NO_COSTS
    month: Spent | None = None
    minutes: int = 0
    usage: Mapping[str, int] = field(default_factory=dict)
    timings_ms: Mapping[str, int] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    receipts: tuple[Receipt, ...] = ()

    @property
    def orders(self) -> tuple[Intent, ...]:
        """This hour's market orders."""
        return tuple(intent for intent in self.intents if intent.kind is Kind.ORDER)

    @property
    def earn_moves(self) -> tuple[Intent, ...]:
        """This hour's redemptions and subscriptions."""
        return tuple(intent for intent in self.intents if intent.kind is not Kind.ORDER)


def to_document(report: Report) -> dict[str, Any]:
    """The report as JSON values only, with its own digest under `sha256` and what the digest leaves out under `run`."""
    document: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    document |= {name: _json(getattr(report, name)) for name in _PLAIN_FIELDS}
    document["equity"] = report.equity and _json(report.equity) | {"total": plain(report.equity.total)}
    document["decision"] = _decision(report.decision)
    document["ahr999"] = {"value": _json(report.ahr999), "variant": report.ahr999_variant}
    document["indicators"] = _json(report.facts)
    document["gates"] = _gates(report.gates)
    document["orders"] = [_order(intent) for intent in report.orders]
    document["earn_moves"] = [_move(intent) for intent in report.earn_moves]
    document["recovered"] = [_order(i) if i.kind is Kind.ORDER else _move(i) for i in report.recovered]
    document["costs"] = costs_document(report.spent, report.month)
    document["alerts"] = [{"kind": alert.kind, "severity": alert.severity.value} for alert in report.alerts]
    document["sha256"] = document_digest(document)
    run = {name: _json(getattr(report, name)) for name in ("minutes", "usage", "timings_ms", "places")}
    return document | {"run": run | {"receipts": [outcome_of(receipt) for receipt in report.receipts]}}


_PLAIN_FIELDS = ("slot", "mode", "account", "status", "exit_code", "error", "control", "missed", "pool", "holdings",
                 "index", "drawdown", "btc_price", "problems", "drift", "suppressed")  # fmt: skip


def digest(report: Report) -> str:
    """SHA-256 (hex) over what the hour saw and did: the same inputs give the same digest on every machine."""
    sha: str = to_document(report)["sha256"]
    return sha


def document_digest(document: Mapping[str, Any]) -> str:
    """The digest of a report read back from a file: to be compared with its `sha256`."""
    told = {key: value for key, value in document.items() if key not in OUTSIDE_DIGEST}
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return sha256(canonical.encode()).hexdigest()


def gates_by_sleeve(gates: Sequence[Gate]) -> dict[Sleeve, dict[str, list[Gate]]]:
    """Gates by sleeve, then by name, each in the order met; every sleeve is there, so an empty one is seen as empty."""
    grouped: dict[Sleeve, dict[str, list[Gate]]] = {sleeve: {} for sleeve in Sleeve}
    for gate in gates:
        grouped[gate.sleeve].setdefault(gate.name, []).append(gate)
    return grouped


def _gates(gates: Sequence[Gate]) -> dict[str, Any]:
    return {
        sleeve.value: {
            name: [{"symbol": gate.symbol, "numbers": dict(gate.numbers)} for gate in same]
            for name, same in named.items()
        }
        for sleeve, named in gates_by_sleeve(gates).items()
    }


def _decision(decision: Decision | None) -> dict[str, Any] | None:
    if decision is None:
        return None
    return {f.name: _json(getattr(decision, f.name)) for f in fields(decision) if f.name not in {"gates", "memory"}}


def _order(intent: Intent) -> dict[str, Any]:
    order = intent.order
    return {
        "id": intent.id,
        "slot": intent.slot,
        "sleeve": intent.sleeve.value,
        "symbol": intent.symbol,
        "side": intent.side.value,
        "quantity": plain(intent.quantity),
        "budget": plain(intent.budget),
        "decision_price": plain(intent.decision_price),
        "reason": intent.reason,
        "status": intent.status.value,
        "detail": intent.detail,
        "order_id": order and order.order_id,
        "executed_quantity": plain(order.executed_qty) if order else "0",
        "average_price": plain(significant(order.average_price)) if order else "0",
        "quote_quantity": plain(order.quote_qty) if order else "0",
        "fees": {asset: plain(fee) for asset, fee in fees(order).items()} if order else {},
    }


def _move(intent: Intent) -> dict[str, Any]:
    return {
        "id": intent.id,
        "slot": intent.slot,
        "kind": intent.kind.value,
        "asset": intent.symbol,
        "amount": plain(intent.quantity),
        "reason": intent.reason,
        "status": intent.status.value,
        "detail": intent.detail,
    }


def _json(value: object) -> Any:  # noqa: ANN401 - JSON is whatever nests
    """JSON values only: decimals as text, floats cut to ten digits, what is not finite as null."""
    if is_dataclass(value):
        return {f.name: _json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_json(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, float):
        return float(f"{value:.{FLOAT_DIGITS}g}") if math.isfinite(value) else None
    return value.isoformat() if isinstance(value, date) else value
