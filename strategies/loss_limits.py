"""Loss limits: the sleeve breaker and the account's limits, as one step of the strategy's memory.

A tripped breaker stays latched until its sale is finished and its cooling over; the sale is asked for again every hour
until nothing is held. Account limits latch `reduce_only`; only the operator lifts it, by a later `run` of control.

Where the contract is silent: dust alone is not managed, so it cannot trip the breaker; a sleeve that was sold today is
judged by the plain limit, because no holding's volatility widens it any more; and once the cooling is over, what the
exchange does not let us sell (halted, or too small for its filters) no longer keeps the breaker latched: one delisted
coin would stop all entries for ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from runtime.domain.decision import BreakerMemory, Memory
from runtime.domain.limits import account_losses, breaker_threshold, sleeve_return, tripped
from runtime.domain.market import Facts, Snapshot, exact
from runtime.domain.money import CASH, ONE, ROUNDING, ZERO
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import slot_date
from runtime.domain.state import DayBook, State
from runtime.domain.valuation import is_dust


@dataclass(frozen=True, slots=True)
class Judgement:
    """The breaker's and the latch's next memory, and the figures that were compared."""

    breaker: BreakerMemory
    reduce_only_ms: int
    figures: Mapping[str, Decimal]


def judge_losses(
    snapshot: Snapshot, state: State, trend: Mapping[str, Decimal], facts: Facts, settings: StrategySettings
) -> Judgement:
    """Compare today's losses with their limits; `trend` is the USDT value of each trend asset."""
    breaker, figures = _sleeve(snapshot, state, trend, facts, settings)
    newly = breaker.trips != state.memory.breaker.trips
    latched = _still_latched(snapshot, state.memory)
    lost, drawdown = account_losses(state)
    figures.update(account_loss=round(lost, 6), drawdown=round(drawdown, 6))
    lifted = state.memory.reduce_only_ms > 0 and not latched
    over = not lifted and (lost >= settings.account_day_loss or drawdown >= settings.account_drawdown)
    if over or (newly and len(breaker.trips) >= settings.breaker_trips_max):
        latched = latched or snapshot.now_ms
    return Judgement(breaker, latched, figures)


def _sleeve(
    snapshot: Snapshot, state: State, trend: Mapping[str, Decimal], facts: Facts, settings: StrategySettings
) -> tuple[BreakerMemory, dict[str, Decimal]]:
    today, breaker, figures = slot_date(snapshot.slot), state.memory.breaker, dict[str, Decimal]()
    day, value = state.day, sum(trend.values(), ZERO)
    managed = any(not is_dust(v, snapshot.instruments.get(asset + CASH), settings) for asset, v in trend.items())
    at_risk = day is not None and (managed or day.bought > 0 or day.sold > 0)
    result = sleeve_return(day, value) if day is not None and at_risk else None
    if result is not None:
        limit = breaker_threshold(trend, facts, settings)
        figures.update(sleeve_return=round(result, 6), sleeve_limit=round(-limit, 6))
        if result <= -limit and breaker.tripped_on != today and not breaker.liquidating:
            breaker = tripped(breaker, today, settings)
    return breaker, figures


def least_limit(assets: Iterable[str], facts: Facts, settings: StrategySettings) -> Decimal:
    """The least that `breaker_threshold` can be today for a sleeve of these coins, whatever each comes to be worth:
    weights add up to 1, so its swing is never below the smallest of theirs (less what rounding may take).
    """
    known = [facts.symbols.get(asset + CASH) for asset in assets]
    swings = [of.vol20 if of is not None and of.vol20 is not None and math.isfinite(of.vol20) else 0.0 for of in known]
    least = exact(min(swings, default=0.0)) * (ONE - ROUNDING)
    return max(settings.breaker_loss, settings.breaker_vol_multiple * least)


def untripped(day: DayBook, breaker: BreakerMemory, value: Decimal, limit: Decimal) -> bool:
    """Whether the breaker certainly does not trip at `value` USDT of the sleeve now, if its limit is at least `limit`:
    it trips once a day.
    """
    result = sleeve_return(day, value)
    return result is None or result > -limit or breaker.tripped_on == day.day


def settled(
    breaker: BreakerMemory, today: date, held: Collection[str], sellable: Callable[[str], bool]
) -> BreakerMemory:
    """The breaker once its sale is finished: nothing is held, or, after the cooling, nothing of it can be sold."""
    if not breaker.liquidating:
        return breaker
    cooled = breaker.cooling_until is not None and today > breaker.cooling_until
    over = not held or (cooled and not any(map(sellable, held)))
    return replace(breaker, liquidating=False) if over else breaker


def _still_latched(snapshot: Snapshot, memory: Memory) -> int:
    resumed = snapshot.control == "run" and snapshot.control_ms > memory.reduce_only_ms
    return 0 if resumed else memory.reduce_only_ms
