"""Rest: an hour that was done in full and left nothing to do, as it is kept for the hours after it (`calm`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from runtime.conditions import fuel_low, levels_reached, quiet_above, status_hour
from runtime.domain.alerts import Incident
from runtime.domain.decision import Memory, Plan
from runtime.domain.ladder import Resolution
from runtime.domain.limits import quiet_hours
from runtime.domain.money import ONE
from runtime.domain.planning import GateName, plan_buys, plan_cash
from runtime.domain.reconciliation import earn_difference, spot_differences
from runtime.domain.report import CycleStatus, Report
from runtime.domain.slots import HOUR_MS
from runtime.domain.standing import Standing
from runtime.domain.state import Performance, State
from runtime.domain.valuation import values_of
from runtime.hour import Hour
from runtime.key_check import key_call
from runtime.ports import DailyCache, Loaded, World
from runtime.run_settings import Settings
from runtime.snapshot import is_complete

Prices = Mapping[str, Decimal]


@dataclass(slots=True)
class Newest:
    """What the newest hour leaves behind."""

    now_ms: int
    slot: str
    prices: Prices
    memory: Memory
    performance: Performance
    incidents: Mapping[str, Incident]
    cache: DailyCache


@dataclass(slots=True)
class Rest:
    """A full hour that left nothing to do, and what has followed: the `newest` hour, and the newest one that is
    `written`, with what the store holds since then.
    """

    hour: Hour
    report: Report
    resolution: Resolution
    standing: Standing
    gates: list[GateName]
    levels: tuple[Decimal | None, Decimal | None]
    quiet_above: Decimal
    """A return index above which no alert level is reached while the peak is the full hour's."""
    fuel_low: bool
    until: int
    """The first hour since 1970 that has something to do: a new day, or the periodic report."""
    newest: Newest
    written: Newest
    state: State
    loaded: Loaded

    def is_of(self, settings: Settings, world: World) -> bool:
        """Whether it was an hour of just these."""
        return settings is self.hour.settings and world is self.hour.world


def rest_after(hour: Hour, report: Report) -> Rest | None:
    """The rest that a full hour left; None where the next one has anything to do, or would look at things anew."""
    resolution, pool = hour.resolution, hour.pool
    if report.status is not CycleStatus.DONE or resolution is None or pool is None or not _settled(hour):
        return None
    snapshot, wallet, limits, state = hour.observed, hour.wallet, hour.settings.strategy, hour.state
    plan = plan_buys(hour.decided, snapshot, wallet, limits)
    if plan.orders or plan.redeem or plan_cash(hour.decided, wallet, limits).subscribe:
        return None
    levels = levels_reached(state.performance, state.day, limits)
    loaded, count = hour.world.store.load(), snapshot.now_ms // HOUR_MS
    if loaded.state is not state or (not state.memory.reduce_only_ms and not all(map(_below_limit, levels))):
        return None
    cache = hour.new_cache or hour.cache
    newest = Newest(
        snapshot.now_ms, hour.slot, snapshot.prices, state.memory, state.performance, state.incidents, cache
    )
    return Rest(
        hour=hour,
        report=report,
        resolution=resolution,
        standing=Standing(snapshot, wallet, pool, limits, hour.decided, state),
        gates=gate_names(plan),
        levels=levels,
        quiet_above=quiet_above(state.performance, state.day, limits) if not any(levels) else Decimal("Infinity"),
        fuel_low=fuel_low(values_of(wallet, snapshot.prices), limits),
        until=_until(hour, count),
        newest=newest,
        written=newest,
        state=state,
        loaded=loaded,
    )


def gate_names(plan: Plan) -> list[GateName]:
    """The gates of a plan, without their numbers."""
    return [(gate.name, gate.sleeve, gate.symbol) for gate in plan.gates]


def _until(hour: Hour, count: int) -> int:
    """The first hour after `count` (since 1970) in which the periodic report is due; midnight at the latest."""
    midnight, due = count - count % 24 + 24, status_hour(hour.state.status_told, hour.settings.status_interval_hours)
    return midnight if due is None else max(count, min(midnight, due))


def _below_limit(level: Decimal | None) -> bool:
    return level is None or level < ONE


def _settled(hour: Hour) -> bool:
    """Whether state, account, Earn and pool agree, and nothing is open, on its way, to be told or out of order."""
    state, snapshot, resolution = hour.state, hour.observed, hour.resolution
    unfinished = (state.intents, state.outbox, state.dependencies, state.drift, hour.problems, snapshot.problems)
    if any(unfinished) or hour.usage or hour.unpriced or hour.offset_ms or quiet_hours(snapshot.now_ms) is not None:
        return False
    if hour.settings.slot is not None or snapshot.facts is not None or snapshot.earn is None:
        return False
    if spot_differences(state.ledger, snapshot.account) or earn_difference(state.ledger, snapshot.earn):
        return False
    if resolution is None or resolution.degraded or resolution.conflict or len(hour.world.pools) != 1:
        return False
    same = state.prices.keys() == snapshot.prices.keys() and state.incidents.keys() == hour.seen
    asked = key_call(hour.settings, hour.world, state, hour.slot)
    return same and not asked and is_complete(hour, hour.new_cache or hour.cache)
