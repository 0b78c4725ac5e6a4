"""Strategies: pure rules over a snapshot, by profile name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runtime.domain.decision import Decision, ExecutionPool
from runtime.domain.market import Snapshot
from runtime.domain.settings import StrategySettings
from runtime.domain.standing import Steadiness
from runtime.domain.state import State
from strategies import crypto_live_pool_rotation, standing

Strategy = Callable[[Snapshot, State, ExecutionPool, StrategySettings], Decision]

REGISTRY: Mapping[str, Strategy] = {"crypto_live_pool_rotation": crypto_live_pool_rotation.decide}

STEADY: Mapping[str, Steadiness] = {
    "crypto_live_pool_rotation": Steadiness(
        crypto_live_pool_rotation.decide, standing.memory, standing.decision, standing.idle
    )
}
"""What the strategies say of their own hours, for who runs years of them."""
