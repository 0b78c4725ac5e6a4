"""Loss limits: the sleeve breaker and the account's limits, as one step of the strategy's memory.

A tripped breaker stays latched until its sale is finished and its cooling over; the sale is asked for again every hour
until nothing is held. Account limits latch `reduce_only`; only the operator lifts it, by a later `run` of control.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from runtime.domain.decision import BreakerMemory, Memory
from runtime.domain.limits import account_losses, breaker_threshold, sleeve_return, tripped
from runtime.domain.market import Facts, Snapshot
from runtime.domain.money import ZERO, plain
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import slot_date
from runtime.domain.state import State


@dataclass(frozen=True, slots=True)
class Judgement:
    """The breaker's and the latch's next memory, and the figures that were compared."""

    breaker: BreakerMemory
    reduce_only_ms: int
    figures: Mapping[str, str]


def judge_losses(
    snapshot: Snapshot, state: State, trend: Mapping[str, Decimal], facts: Facts, settings: StrategySettings
) -> Judgement:
    """Compare today's losses with their limits; `trend` is the USDT value of each trend asset."""
    breaker, figures = _sleeve(snapshot, state, trend, facts, settings)
    newly = breaker.trips != state.memory.breaker.trips
    latched = _still_latched(snapshot, state.memory)
    lost, drawdown = account_losses(state)
    figures.update(account_loss=plain(round(lost, 6)), drawdown=plain(round(drawdown, 6)))
    lifted = state.memory.reduce_only_ms > 0 and not latched
    over = not lifted and (lost >= settings.account_day_loss or drawdown >= settings.account_drawdown)
    if over or (newly and len(breaker.trips) >= settings.breaker_trips_max):
        latched = latched or snapshot.now_ms
    return Judgement(breaker, latched, figures)


def _sleeve(
    snapshot: Snapshot, state: State, trend: Mapping[str, Decimal], facts: Facts, settings: StrategySettings
) -> tuple[BreakerMemory, dict[str, str]]:
    today, breaker, figures = slot_date(snapshot.slot), state.memory.breaker, dict[str, str]()
    value = sum(trend.values(), ZERO)
    result = sleeve_return(state.day, value) if state.day is not None else None
    if result is not None:
        limit = breaker_threshold(trend, facts, settings)
        figures.update(sleeve_return=plain(round(result, 6)), sleeve_limit=plain(round(-limit, 6)))
        if result <= -limit and breaker.tripped_on != today and not breaker.liquidating:
            breaker = tripped(breaker, today, settings)
    return breaker, figures


def settled(breaker: BreakerMemory, held: int) -> BreakerMemory:
    """The breaker once nothing is held any more: its sale is finished."""
    return replace(breaker, liquidating=False) if breaker.liquidating and not held else breaker


def _still_latched(snapshot: Snapshot, memory: Memory) -> int:
    resumed = snapshot.control == "run" and snapshot.control_ms > memory.reduce_only_ms
    return 0 if resumed else memory.reduce_only_ms
