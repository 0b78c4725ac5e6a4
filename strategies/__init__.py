"""Strategies: pure rules over a snapshot, by profile name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runtime.domain.decision import Decision, ExecutionPool
from runtime.domain.market import Snapshot
from runtime.domain.settings import StrategySettings
from runtime.domain.state import State
from strategies import crypto_live_pool_rotation

Strategy = Callable[[Snapshot, State, ExecutionPool, StrategySettings], Decision]

REGISTRY: Mapping[str, Strategy] = {"crypto_live_pool_rotation": crypto_live_pool_rotation.decide}
