"""Calm: an hour that finds what the hour before left, except for prices that change no answer.

    an hour in full ──► at rest? ──► calm ──► calm ──► … ──► a doubt: the next hour in full

Where nobody keeps reports and tapes (a history), most of an hour's work is to find out that nothing is to be done. So
an hour that was done in full, and that left nothing to do, is kept. The hour after it asks for everything that an hour
asks for. If all of it is the same object as before but the prices, and no rule that looks at a price answers otherwise
(`domain.standing`: the strategy's own rules are asked), it does what a full hour would do in the end: it links the
performance, remembers trailing highs and counts what lasts. What a row of calm hours leaves is written in one commit
when somebody asks for the state or an hour must run in full; the documents of the slots between are not written:
nobody reads them.

It decides nothing: where anything else is the case, or in doubt, it has done nothing and the hour runs in full. A new
day, a deposit, an order or Earn move, an alert to be told, an exchange that does not answer: all are full hours.
A live hour never comes here. Tests run the same months both ways and compare every hour's state, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from runtime.conditions import fuel_low, levels_reached, status_hour
from runtime.domain.alerts import Incident, observe
from runtime.domain.changing import changed
from runtime.domain.decision import Gate, Memory, Plan
from runtime.domain.ladder import Resolution, status_after
from runtime.domain.limits import quiet_hours
from runtime.domain.money import CASH, CORE, ONE, ZERO
from runtime.domain.performance import linked
from runtime.domain.planning import plan_buys, plan_cash
from runtime.domain.reconciliation import earn_difference, spot_differences
from runtime.domain.report import CycleStatus, Equity, Report
from runtime.domain.slots import HOUR_MS, slot_at
from runtime.domain.standing import Fresh, Standing, Steadiness
from runtime.domain.state import Performance, State
from runtime.domain.valuation import total, values_of
from runtime.errors import EngineError
from runtime.first_reads import pairs_and_offset, pairs_due
from runtime.hour import LEASE_S, Hour
from runtime.key_check import key_call
from runtime.ports import Changes, CycleRecord, DailyCache, Loaded, World
from runtime.reporting import equity_of
from runtime.run_settings import Settings
from runtime.snapshot import chosen, highest, is_complete

Prices = Mapping[str, Decimal]
Passed = tuple[Equity, Decimal]
"""What a calm hour saw: equity by its parts, and the price of bitcoin (USDT)."""


class Calm:
    """The short way of one account's hours, as far as `steadiness` speaks for its strategy."""

    def __init__(self, steadiness: Steadiness) -> None:
        """Nothing is known yet: the first hour runs in full."""
        self._steadiness = steadiness
        self._done: tuple[Hour, Report] | None = None
        self._rest: _Rest | None = None

    def keep(self, hour: Hour, report: Report) -> None:
        """Remember an hour that was done in full."""
        self._done, self._rest = (hour, report), None

    def hour(self, settings: Settings, strategy: object, world: World) -> Passed | None:
        """What the hour saw, if it is calm; None: it is not, all before it is written, run it in full."""
        if self._done is not None:
            self._rest, self._done = _rest_after(*self._done), None
        rest, passed = self._rest, None
        if rest is not None and rest.is_of(settings, world) and strategy is self._steadiness.strategy:
            try:
                passed = _passed(rest, world, self._steadiness)
            except EngineError:
                passed = None
        if passed is None:
            self.settle()
            self._rest = None
        return passed

    def settle(self) -> None:
        """Write what calm hours have left since the last writing: the newest one's state, as if each had written it."""
        if self._rest is not None and self._rest.newest is not self._rest.written:
            _write(self._rest, self._rest.newest)


@dataclass(slots=True)
class _Newest:
    """What the newest hour leaves behind. `hour` counts them since 1970."""

    hour: int
    now_ms: int
    slot: str
    prices: Prices
    memory: Memory
    performance: Performance
    incidents: Mapping[str, Incident]
    cache: DailyCache


@dataclass(slots=True)
class _Rest:
    """A full hour that left nothing to do, and what has followed: the `newest` hour, and the newest one that is
    `written`, with what the store holds since then.
    """

    hour: Hour
    report: Report
    resolution: Resolution
    standing: Standing
    plan: Plan
    levels: tuple[Decimal | None, Decimal | None]
    fuel_low: bool
    until: int
    """The first hour since 1970 that has something to do: a new day, or the periodic report."""
    newest: _Newest
    written: _Newest
    state: State
    loaded: Loaded

    def is_of(self, settings: Settings, world: World) -> bool:
        """Whether it was an hour of just these."""
        return settings is self.hour.settings and world is self.hour.world


def _rest_after(hour: Hour, report: Report) -> _Rest | None:
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
    newest = _Newest(
        count, snapshot.now_ms, hour.slot, snapshot.prices, state.memory, state.performance, state.incidents, cache
    )
    return _Rest(
        hour=hour,
        report=report,
        resolution=resolution,
        standing=Standing(snapshot, wallet, pool, limits, hour.decided, state),
        plan=plan,
        levels=levels,
        fuel_low=fuel_low(values_of(wallet, snapshot.prices), limits),
        until=_until(hour, count),
        newest=newest,
        written=newest,
        state=state,
        loaded=loaded,
    )


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


def _passed(rest: _Rest, world: World, steadiness: Steadiness) -> Passed | None:
    """Do the hour if it is calm."""
    now_ms, before = world.clock.now_ms(), rest.newest
    if not now_ms // HOUR_MS == before.hour + 1 < rest.until or not _same_world(rest, world, now_ms):
        return None
    prices, cache = _prices(rest, world), _cache(rest, world)
    if prices is None or cache is None:
        return None
    slot, standing = slot_at(now_ms), rest.standing
    values = values_of(standing.wallet, prices)
    performance = linked(before.performance, total(values), ZERO)
    fresh = Fresh(slot, prices, before.prices, _highs(rest, prices, now_ms), values, before.memory)
    memory, incidents = steadiness.memory(standing, fresh), _lasting(before.incidents, slot)
    if memory is None or incidents is None or not _as_before(rest, fresh, performance, steadiness):
        return None
    rest.newest = _Newest(before.hour + 1, now_ms, slot, prices, memory, performance, incidents, cache)
    return equity_of(standing.state.ledger, values), prices.get(CORE + CASH, ZERO)


def _same_world(rest: _Rest, world: World, now_ms: int) -> bool:
    """Whether clock, control, pool, account and Earn are as they were: the same objects."""
    hour, snapshot = rest.hour, rest.standing.snapshot
    if world.stop() or world.market.server_time_ms() != now_ms or quiet_hours(now_ms) is not None:
        return False
    if world.store.control() is not hour.control or hour.control.at(now_ms).value != snapshot.control:
        return False
    if world.exchange.account() is not snapshot.account or world.exchange.earn_positions() is not snapshot.earn:
        return False
    return world.pools[0].read() is hour.upstream


def _cache(rest: _Rest, world: World) -> DailyCache | None:
    """The cache, its pairs read again where that is due; None where they are others."""
    known = rest.newest.cache
    if not pairs_due(world, known):
        return known
    if pairs_and_offset(world, known).instruments is not known.instruments:
        return None
    return DailyCache(known.series, known.instruments, world.clock.now_ms())


def _prices(rest: _Rest, world: World) -> Prices | None:
    """The prices of what is in play; None where other pairs have one than before."""
    listed, known = world.market.prices(), rest.standing.snapshot.prices
    if listed.keys() != rest.hour.wave_taken.prices.keys():
        return None
    return chosen(listed, tuple(known))


def _highs(rest: _Rest, prices: Prices, now_ms: int) -> Prices:
    """The trailing highs of what is watched."""
    highs, state = dict[str, Decimal](), rest.standing.state
    for symbol in state.memory.holdings:
        position = state.positions.get(symbol)
        if position is not None and symbol in prices:
            high = highest(rest.hour.world, symbol, position, now_ms)
            highs |= {symbol: high} if high is not None else {}
    return highs


def _as_before(rest: _Rest, fresh: Fresh, performance: Performance, steadiness: Steadiness) -> bool:
    """Whether the hour would plan as little, and observe the same conditions, as the hour at rest."""
    limits, standing = rest.standing.settings, rest.standing
    if levels_reached(performance, standing.state.day, limits) != rest.levels:
        return False
    if fuel_low(fresh.values, limits) is not rest.fuel_low:
        return False
    if not standing.decision.entries and standing.decision.dca is None:
        return True
    snapshot = changed(standing.snapshot, prices=fresh.prices)
    plan = plan_buys(steadiness.decision(standing, fresh), snapshot, standing.wallet, limits)
    return not plan.orders and not plan.redeem and _names(plan.gates) == _names(rest.plan.gates)


def _names(gates: tuple[Gate, ...]) -> list[tuple[str, str, str]]:
    return [(gate.name, gate.sleeve, gate.symbol) for gate in gates]


def _lasting(incidents: Mapping[str, Incident], slot: str) -> Mapping[str, Incident] | None:
    """The incidents after all of them were seen once more; None where one is to be told of now."""
    for name in incidents:
        incidents, tell = observe(incidents, name, slot)
        if tell:
            return None
    return incidents


def _write(rest: _Rest, newest: _Newest) -> None:
    """The state that the newest hour leaves, its slot's document, and the cache if it is another one."""
    world, status = rest.hour.world, rest.state.pool_status
    state = changed(
        rest.state,
        slot_done=newest.slot,
        pool_status=status_after(status, rest.resolution, newest.slot),
        memory=newest.memory,
        performance=newest.performance,
        prices=newest.prices,
        reconciled_ms=newest.now_ms,
        incidents=newest.incidents,
    )
    record = CycleRecord(newest.slot, rest.report.exit_code, newest.now_ms, "", rest.hour.tape.head, {})
    cache = newest.cache if newest.cache is not rest.written.cache else None
    held = world.store.take_lease(rest.loaded, world.owner, newest.slot, LEASE_S)
    world.store.commit(held, Changes(state, cycle=record, cache=cache, release=True))
    rest.state, rest.loaded, rest.written = state, world.store.load(), newest
