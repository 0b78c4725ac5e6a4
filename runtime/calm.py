"""Calm: hours that find what the hour before left, except for prices that change no answer.

    an hour in full ──► at rest? ──► a stretch of calm hours ──► … ──► a doubt: the next hour in full

Where nobody keeps reports and tapes (a history), most of an hour's work is to find out that nothing is to be done. So
an hour that was done in full, and that left nothing to do, is kept (`rest`). The hour after it asks for everything that
an hour asks for. If all of it is the same object as before but the prices, and no rule that looks at a price answers
otherwise (`domain.standing`: the strategy's own rules are asked), it does what a full hour would do in the end: it
links the performance, remembers trailing highs and counts what lasts; alerts that are due go where all of a history's
go, to nobody. What a row of calm hours leaves is written in one commit when somebody asks for the state or an hour must
run in full; the documents of the slots between are not written: nobody reads them.

The hours of a day are judged together: the rules are asked at the lowest and at the highest prices of all of them, and
what they answer alike at both they answer at any price between. Where they do not, fewer hours are judged together.
That looks ahead to know that there is nothing to decide, never to decide. What each hour is worth, and that it would
plan as little as before, is worked out hour by hour.

It decides nothing: where anything else is the case, or in doubt, it has done nothing and the hour runs in full. A new
day, a deposit, an order or Earn move, an alert level that is reached, an exchange that does not answer: all are full
hours. A live hour never comes here. Tests run the same months both ways, judge one hour or many at a time, and compare
the states that are left, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import reduce

from runtime.conditions import fuel_low, levels_reached
from runtime.domain.alerts import observe_all
from runtime.domain.changing import changed
from runtime.domain.ladder import status_after
from runtime.domain.limits import quiet_hours
from runtime.domain.money import CASH, CORE, ZERO
from runtime.domain.performance import linked
from runtime.domain.planning import plan_buys
from runtime.domain.recording import Worth
from runtime.domain.report import Report
from runtime.domain.slots import HOUR_MS, slot_at
from runtime.domain.standing import Fresh, Steadiness
from runtime.domain.state import Performance
from runtime.domain.valuation import total, values_at, values_of
from runtime.errors import EngineError
from runtime.first_reads import pairs_and_offset, pairs_due
from runtime.hour import LEASE_S, Hour
from runtime.ports import Changes, CycleRecord, DailyCache, World
from runtime.rest import Newest, Prices, Rest, gate_names, rest_after
from runtime.run_settings import Settings
from runtime.snapshot import chosen, highest

Row = tuple[int, Prices]
"""A moment (epoch ms) and the prices known then."""
NO_PRICES: Prices = {}
REACHES = (24, 8)
"""Up to which hour those after this one are judged together: fewer where prices of all of them change an answer."""


class Calm:
    """The short way of one account's hours, as far as `steadiness` speaks for its strategy."""

    def __init__(self, steadiness: Steadiness) -> None:
        """Nothing is known yet: the first hour runs in full."""
        self._steadiness = steadiness
        self._done: tuple[Hour, Report] | None = None
        self._rest: Rest | None = None

    def keep(self, hour: Hour, report: Report) -> None:
        """Remember an hour that was done in full."""
        self._done, self._rest = (hour, report), None

    def hours(self, settings: Settings, strategy: object, world: World, until_ms: int) -> list[Worth]:
        """What this hour and those after it saw, as far as they are calm and begin before `until_ms`. None: this one is
        not calm, all before it is written, run it in full.
        """
        if self._done is not None:
            self._rest, self._done = rest_after(*self._done), None
        rest, passed = self._rest, list[Worth]()
        if rest is not None and rest.is_of(settings, world) and strategy is self._steadiness.strategy:
            with suppress(EngineError):
                for part in self._parts(rest, world, until_ms):
                    passed.extend(part)
        if not passed:
            self.settle()
            self._rest = None
        return passed

    def _parts(self, rest: Rest, world: World, until_ms: int) -> Iterator[list[Worth]]:
        """Do this hour if it is calm, then as many of those after it today as are; what each part saw, once done."""
        rows = _rows(rest, world, until_ms)
        passed = _stretch(rest, world, self._steadiness, rows[:1])
        yield passed
        for count in sorted({min(len(rows), reach) for reach in REACHES}, reverse=True) if passed else ():
            more = _stretch(rest, world, self._steadiness, rows[1:count])
            yield more
            if more:
                return

    def settle(self) -> None:
        """Write what calm hours have left since the last writing: the newest one's state, as if each had written it."""
        if self._rest is not None and self._rest.newest is not self._rest.written:
            _write(self._rest, self._rest.newest)


def _rows(rest: Rest, world: World, until_ms: int) -> list[Row]:
    """This hour and those after it today, as far as nothing but prices is known to be new; none where anything is."""
    now_ms = world.clock.now_ms()
    if now_ms // HOUR_MS != rest.newest.now_ms // HOUR_MS + 1 or not _same_world(rest, world, now_ms):
        return []
    moments = range(now_ms, min(rest.until * HOUR_MS, until_ms), HOUR_MS)
    while moments and not _same_rules(rest, moments[-1]):
        moments = moments[:-1]
    return list(zip(moments, _prices(rest, world), strict=False)) if moments else []


def _same_world(rest: Rest, world: World, now_ms: int) -> bool:
    """Whether clock, control, pool, account, Earn and pairs are as they were: the same objects."""
    hour, snapshot, known = rest.hour, rest.standing.snapshot, rest.newest.cache
    if not _same_rules(rest, now_ms):
        return False
    if world.stop() or world.market.server_time_ms() != now_ms or world.store.control() is not hour.control:
        return False
    if world.exchange.account() is not snapshot.account or world.exchange.earn_positions() is not snapshot.earn:
        return False
    if pairs_due(known, now_ms) and pairs_and_offset(world, known).instruments is not known.instruments:
        return False
    return world.pools[0].read() is hour.upstream


def _same_rules(rest: Rest, now_ms: int) -> bool:
    """Whether what depends on the moment alone is as it was: the control in force, which may expire, and Earn's hours,
    which end before midnight.
    """
    in_force: str = rest.hour.control.at(now_ms).value
    return in_force == rest.standing.snapshot.control and quiet_hours(now_ms) is None


def _prices(rest: Rest, world: World) -> Sequence[Prices]:
    """The prices of what is in play, of this hour and of those after it in which nothing but prices is new; none where
    other pairs have one than before.
    """
    known, symbols = rest.newest.cache, tuple(rest.standing.snapshot.prices)
    listed: Sequence[Prices] = [world.market.prices()]
    if world.coming is not None and pairs_and_offset(world, known).instruments is known.instruments:
        listed = world.coming(tuple(known.instruments))
    if listed[0].keys() != rest.hour.wave_taken.prices.keys():
        return []
    return [chosen(prices, symbols) for prices in listed]


def _stretch(rest: Rest, world: World, steadiness: Steadiness, rows: Sequence[Row]) -> list[Worth]:
    """Do the hours of these moments and prices up to the first one that is not calm; none where that is in doubt."""
    if not rows or (len(rows) > 1 and not _stands_between(rest, world, steadiness, rows)):
        return []
    standing, performance, passed = rest.standing, rest.newest.performance, list[Worth]()
    for row, values in zip(rows, values_at(standing.wallet, [prices for _, prices in rows]), strict=True):
        after = linked(performance, total(values), ZERO)
        if not _as_before(rest, row, values, after, steadiness):
            break
        performance = after
        passed.append((values, row[1].get(CORE + CASH, ZERO)))
    newest = _newest(rest, world, steadiness, rows[: len(passed)], performance) if passed else None
    if newest is None:
        return []
    rest.newest = newest
    return passed


def _newest(
    rest: Rest, world: World, steadiness: Steadiness, rows: Sequence[Row], performance: Performance
) -> Newest | None:
    """What these hours leave behind; None where they are not calm after all."""
    known, (now_ms, prices) = rest.newest, rows[-1]
    before = rows[-2][1] if len(rows) > 1 else known.prices
    slot, highs = slot_at(now_ms), _highs(rest, world, prices, now_ms)
    fresh = Fresh(slot, prices, before, highs, values_of(rest.standing.wallet, prices), known.memory)
    memory = steadiness.memory(rest.standing, fresh)
    if memory is None:
        return None
    incidents = observe_all(known.incidents, [slot_at(at_ms) for at_ms, _ in rows]) if known.incidents else {}
    cache = reduce(_cache, [at_ms for at_ms, _ in rows], known.cache)
    return Newest(now_ms, slot, prices, memory, performance, incidents, cache)


def _stands_between(rest: Rest, world: World, steadiness: Steadiness, rows: Sequence[Row]) -> bool:
    """Whether the rules answer as before at the lowest and at the highest of these prices, with the stops that holdings
    have in the end: then they do at any prices between.
    """
    standing, before = rest.standing, rest.newest.prices
    columns = zip(*[prices.values() for _, prices in rows], strict=True)
    both = [(symbol, (before[symbol], *column)) for symbol, column in zip(rows[0][1], columns, strict=True)]
    low, high = ({symbol: bound(column) for symbol, column in both} for bound in (min, max))
    last_ms, memory = rows[-1][0], rest.newest.memory
    highs = _highs(rest, world, high, last_ms)
    for prices, other in ((low, high), (high, low)):
        fresh = Fresh(slot_at(last_ms), prices, other, highs, values_of(standing.wallet, prices), memory)
        if steadiness.memory(standing, fresh) is None:
            return False
    return True


def _cache(known: DailyCache, now_ms: int) -> DailyCache:
    """The cache, its pairs read again where that is due: they are the same."""
    return DailyCache(known.series, known.instruments, now_ms) if pairs_due(known, now_ms) else known


def _highs(rest: Rest, world: World, prices: Prices, now_ms: int) -> Prices:
    """The trailing highs of what is watched."""
    highs, state = dict[str, Decimal](), rest.standing.state
    for symbol in state.memory.holdings:
        position = state.positions.get(symbol)
        if position is not None and symbol in prices:
            high = highest(world, symbol, position, now_ms)
            highs |= {symbol: high} if high is not None else {}
    return highs


def _as_before(rest: Rest, row: Row, values: Prices, performance: Performance, steadiness: Steadiness) -> bool:
    """Whether the hour would plan as little, and observe the same conditions, as the hour at rest."""
    limits, standing = rest.standing.settings, rest.standing
    quiet = performance.index > rest.quiet_above and performance.peak == standing.state.performance.peak
    if not quiet and levels_reached(performance, standing.state.day, limits) != rest.levels:
        return False
    if fuel_low(values, limits) is not rest.fuel_low:
        return False
    if not standing.decision.entries and standing.decision.dca is None:
        return True
    gates = steadiness.idle(standing, values)
    if gates is not None:
        return gates == rest.gates
    now_ms, prices = row
    fresh = Fresh(slot_at(now_ms), prices, NO_PRICES, NO_PRICES, values, rest.newest.memory)
    snapshot = changed(standing.snapshot, prices=prices)
    plan = plan_buys(steadiness.decision(standing, fresh), snapshot, standing.wallet, limits)
    return not plan.orders and not plan.redeem and gate_names(plan) == rest.gates


def _write(rest: Rest, newest: Newest) -> None:
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
