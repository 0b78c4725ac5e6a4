"""A restless strategy: it trades every hour, so that a short story holds many orders.

The real decision is made first and its standing gates are kept: what halt, reduce_only, drift, an unknown order or a
degraded pool forbid stays forbidden. Within them it sells what it holds, buys one other pair of the pool by turns, and
buys bitcoin, whatever the day's marks and the indicators say. A pure function of its arguments, like any strategy.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from runtime.domain.decision import Dca, Decision, ExecutionPool, Exit, ExitReason, Target
from runtime.domain.limits import Action, Circumstances, standing_gates, symbol_gates
from runtime.domain.market import Snapshot
from runtime.domain.orders import Sleeve
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import HOUR_MS, slot_start_ms
from runtime.domain.state import State
from strategies.crypto_live_pool_rotation import decide

UNLIMITED = {
    "breaker_loss": "1",
    "account_day_loss": "1",
    "account_drawdown": "1",
    "buys_day_ratio_max": "1000",
    "order_volume_ratio_max": "1",
}
"""Settings under which trading all day is no reason to stop."""


def restless(snapshot: Snapshot, state: State, pool: ExecutionPool, settings: StrategySettings) -> Decision:
    """The real decision, with this hour's rotation and a purchase of bitcoin in it."""
    decision = decide(snapshot, state, pool, settings)
    seen = Circumstances(snapshot, state, pool.degraded, settings)
    turn = slot_start_ms(snapshot.slot) // HOUR_MS
    exits, entries = _rotation(seen, pool, decision, turn)
    dca = decision.dca
    if _open(seen, Action.DCA_BUY, "BTCUSDT") and turn % 2:
        dca = Dca(1, max(decision.btc_base_order, Decimal(20)), 1.0, settings.ahr999_cost)
    targets = tuple(Target(symbol, Decimal(1) / len(entries)) for symbol in entries)
    return replace(
        decision,
        exits=exits,
        entries=entries,
        targets=targets,
        dca=dca,
        buys_left=decision.equity * settings.buys_day_ratio_max,
        order_caps=dict.fromkeys((*entries, "BTCUSDT", "BNBUSDT"), decision.equity / 5),
    )


def _rotation(
    seen: Circumstances, pool: ExecutionPool, decision: Decision, turn: int
) -> tuple[tuple[Exit, ...], tuple[str, ...]]:
    held = sorted(decision.memory.holdings)
    leaving = [s for s in held if _open(seen, Action.TREND_EXIT, s)]
    exits = [Exit(Sleeve.TREND, symbol, ExitReason.OUTRANKED) for symbol in leaving[: 1 + turn % 2]]
    others = [s for s in pool.symbols if s not in held and _open(seen, Action.TREND_ENTRY, s)]
    return tuple(exits), tuple(others[turn % len(others) :][:1] if others else ())


def _open(seen: Circumstances, action: Action, symbol: str) -> bool:
    return not standing_gates(seen, action) and not symbol_gates(seen, action, symbol)
