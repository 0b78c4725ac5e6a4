"""Tracks made by hand, small enough to be reckoned on paper."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from runtime.domain.slots import HOUR_MS
from runtime.domain.track import Columns, Track, Trade

NEW_YEAR_MS = 1_704_067_200_000  # 2024-01-01T00Z


def trade(hour: int, side: str, price: str, entry: str, reason: str = "dca", **more: Any) -> Trade:
    """A trade of one BTC at an hour of the track."""
    made: dict[str, Any] = {"symbol": "BTCUSDT", "sleeve": "btc_core", "quantity": "1", "fees": {"BTC": "0.001"}}
    when = NEW_YEAR_MS + hour * HOUR_MS
    return Trade(time_ms=when, side=side, price=price, quote=price, reason=reason, entry=entry, **{**made, **more})


def track(
    equity: Sequence[float],
    price: Sequence[float],
    flow: Sequence[float] = (),
    trades: Sequence[Trade] = (),
    gates: Sequence[int] = (),
) -> Track:
    """A run from 2024-01-01T00Z on, with 100 USDT and no fees; half of it is cash. Gate set 1 holds one gate."""
    hours, days = len(equity), {"BTC": array("d", equity[23::24])}
    columns = Columns(days=days, rungs=["fresh_upstream", "static"], gate_sets=[(), ("trend:degraded_source",)])
    columns.hours["equity"].extend(equity)
    columns.hours["cash"].extend(value / 2 for value in equity)
    columns.hours["price"].extend(price)
    columns.hours["flow"].extend(flow or [0.0] * hours)
    columns.hours["gates"].extend(gates or [0] * hours)
    for name in ("core", "trend", "fuel"):
        columns.hours[name].extend([0.0] * hours)
    for name in ("exit", "rung", "breaker"):
        columns.hours[name].extend([0] * hours)
    plan = {"capital": "100", "fee": "0", "slippage": "0"}
    return Track(NEW_YEAR_MS, plan, {}, "0" * 64, columns, tuple(trades), "0" * 64, {})
