"""Metrics: the figures of an hour as a Prometheus text file, for the textfile collector of a node exporter.

A job that lives for a minute cannot be scraped; it leaves a file. The file is replaced in one step, so a collector
never reads half of it, and it is an hour's whole word: what the newest hour does not know (the equity of one that was
aborted) is not there, rather than old. Amounts are floats here and nowhere before, because Prometheus knows nothing
else. Label `account` on everything, so that one machine may run several.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from runtime.domain.report import CycleStatus, Report
from runtime.domain.slots import slot_start_ms
from runtime.errors import Unavailable

READABLE = 0o644
"""The collector runs as another user; the file holds no secret."""


def metrics_text(report: Report, ended_ms: int) -> bytes:
    """The metrics of one hour, in Prometheus' text format."""
    sheet = _Sheet(report.account)
    sheet.one("engine_hour_ended_timestamp_seconds", "When the newest hour ended.", ended_ms / 1000)
    sheet.one("engine_hour_slot_timestamp_seconds", "Start of its slot.", slot_start_ms(report.slot) / 1000)
    sheet.one("engine_hour_exit_code", "How it ended: 0 is well.", report.exit_code)
    statuses = {(status.value,): float(status is report.status) for status in CycleStatus}
    sheet.by("engine_hour_status", "1 for the status it ended with.", ("status",), statuses)
    steps = {(step,): took / 1000 for step, took in report.timings_ms.items()}
    sheet.by("engine_step_duration_seconds", "How long each step took.", ("step",), steps)
    used = {(kind,): float(count) for kind, count in report.usage.items() if kind != "weight"}
    sheet.by("engine_exchange_requests", "Requests to the exchange: all, and those that failed.", ("kind",), used)
    if "weight" in report.usage:
        sheet.one("engine_exchange_weight", "Most request weight of a minute.", report.usage["weight"])
    gates = Counter((gate.sleeve.value, gate.name) for gate in report.gates)
    sheet.by("engine_gates", "Decisions not to trade.", ("sleeve", "gate"), gates)
    orders = Counter((order.side.value.lower(), order.status.value) for order in report.orders)
    sheet.by("engine_orders", "Market orders.", ("side", "status"), orders)
    alerts = Counter((alert.kind, alert.severity.value) for alert in report.alerts)
    sheet.by("engine_alerts", "Alerts raised.", ("kind", "severity"), alerts)
    channels = Counter((r.channel, "delivered" if r.delivered else "waits") for r in report.receipts)
    sheet.by("engine_alerts_told", "Alerts told or waiting.", ("channel", "outcome"), channels)
    sheet.one("engine_missed_slots", "Hours before it that no run did.", len(report.missed))
    if report.minutes:
        sheet.one("engine_job_minutes", "Whole minutes that it took, rounded up.", report.minutes)
    _account(sheet, report)
    return sheet.text()


def write_metrics(path: Path, text: bytes) -> None:
    """Put `text` in the place of the file in one step; `Unavailable` where that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(text)
        temporary.chmod(READABLE)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise Unavailable("ENGINE_METRICS_FILE", f"{path}: {error.strerror or error}") from None


def _account(sheet: _Sheet, report: Report) -> None:
    if report.pool is not None:
        sheet.one("engine_pool_degraded", "1 while the pool comes from a lower rung.", report.pool.degraded)
        sheet.one("engine_pool_degraded_cycles", "Hours in a row of that.", report.pool.degraded_cycles)
        if report.pool.age_days is not None:
            sheet.one("engine_pool_age_seconds", "Age of the pool's release.", report.pool.age_days * 86_400)
    if report.equity is not None:
        parts = {(name,): float(value) for name, value in report.equity.parts() if name != "total"}
        sheet.one("engine_equity_usdt", "Equity.", float(report.equity.total))
        sheet.by("engine_equity_part_usdt", "Its parts.", ("part",), parts)
    for name, value, about in (
        ("engine_return_index", report.index, "Time-weighted return, 1 at the start."),
        ("engine_drawdown_ratio", report.drawdown, "Fraction below the highest index."),
    ):
        if value is not None:
            sheet.one(name, about, float(value))
    for of, spent in {"hour": report.spent, "month": report.month}.items():
        if spent is not None and report.month is not None:
            about = f"Fees and slippage of the {of}, that is, of what was booked in it."
            values = {("fees",): spent.fees, ("slippage",): spent.slippage}
            sheet.by(f"engine_{of}_costs_usdt", about, ("kind",), values)
    shares = {(held.symbol,): held.share for held in report.holdings}
    targets = {(held.symbol,): held.target for held in report.holdings if held.target is not None}
    sheet.by("engine_holding_share_ratio", "Share of equity.", ("symbol",), shares)
    sheet.by("engine_holding_target_ratio", "What the share is meant to be.", ("symbol",), targets)
    sheet.one("engine_drift_assets", "Assets whose balance nothing explains.", len(report.drift))


class _Sheet:
    """Metrics of one account, as they are added."""

    def __init__(self, account: str) -> None:
        self._account, self._registry = account, CollectorRegistry()

    def one(self, name: str, about: str, value: float) -> None:
        """A metric with one value."""
        Gauge(name, about, ["account"], registry=self._registry).labels(self._account).set(value)

    def by(self, name: str, about: str, labels: Iterable[str], values: Mapping[Any, float | Decimal]) -> None:
        """A metric with a value for each combination of `labels`."""
        gauge = Gauge(name, about, ["account", *labels], registry=self._registry)
        for of, value in sorted(values.items()):
            gauge.labels(self._account, *of).set(float(value))

    def text(self) -> bytes:
        """All of them."""
        return generate_latest(self._registry)
