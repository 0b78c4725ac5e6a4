"""The cycle: one hour, top to bottom. The only place that orders the steps.

    load, lease, first reads ─► pool ─► recover ─► snapshot ─► reconcile ─► decide ─► execute ─► persist ─► tell

The account is one of the first reads, except where a dead hour left something open: then recovery asks first.

Whatever goes wrong before the first order is sent ends the hour without a trade (exit 3); whatever goes wrong after it
ends with what the journal knows (exit 4), and the next hour settles the rest. A lease that another run holds, or a slot
that is done, ends the run at once and cleanly (exit 0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import cast

from runtime.cash_moves import move_cash
from runtime.closing import abort, finish, flush_only, lease_held
from runtime.domain.changing import changed
from runtime.domain.control import Control
from runtime.domain.decision import Decision, ExecutionPool
from runtime.domain.dependencies import BINANCE, WORTH_WAITING_MS, is_open, pause_ms
from runtime.domain.documents import encode
from runtime.domain.instruments import tradable_of
from runtime.domain.ladder import Reading, Resolution, climb, execution_pool, shown
from runtime.domain.ledger import Entry
from runtime.domain.limits import valuation_prices
from runtime.domain.market import Snapshot
from runtime.domain.orders import Kind, Status
from runtime.domain.performance import opened_day, resumed
from runtime.domain.planning import plan_buys, plan_cash, plan_sells, shrunk
from runtime.domain.pool import Rung
from runtime.domain.report import Report
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import slot_at, slot_date
from runtime.domain.state import State, encode_state, refuse_unusable
from runtime.domain.tape import Silence, Tape
from runtime.errors import EngineError, LeaseLost, LostState, RateLimited, SettingsError
from runtime.execution import carry_out
from runtime.first_reads import account_calls, clock_call, control_call, first_clock, needed, read_account
from runtime.hour import CYCLE_BUDGET_MS, LEASE_S, SKEW_MAX_MS, Hour, heed
from runtime.key_check import heed_key, key_call
from runtime.ports import DailyCache, Held, Loaded, World
from runtime.rebuild import first_state
from runtime.reconcile import link_performance, reconcile
from runtime.recovery import recover
from runtime.run_settings import Settings
from runtime.snapshot import refresh_prices, take_snapshot

Strategy = Callable[[Snapshot, State, ExecutionPool, StrategySettings], Decision]
Answers = Mapping[str, object]
Done = Callable[[Hour, Report], object]


def run_cycle(settings: Settings, strategy: Strategy, world: World, done: Done | None = None) -> Report:
    """Run one hour in `world` and report it. Errors the engine knows end in a report, never in an exception.

    `done`, which only a history has, is shown an hour that came to its end.
    """
    started_ms, began = world.clock.now_ms(), world.clock.monotonic()
    try:
        begun = _begin(settings, world, started_ms)
    except EngineError as error:
        return abort(settings, world, slot_at(started_ms), error)
    if isinstance(begun, Report):
        return begun
    hour, loaded, answers = begun
    hour.marked, hour.began_ms = began, started_ms
    hour.mark("begin")
    try:
        _orient(hour, answers)
        if hour.state.slot_done >= hour.slot:
            return flush_only(settings, world, loaded, hour.slot, hour.held)
        _trade(hour, answers, strategy)
    except EngineError as error:
        return abort(settings, world, hour.slot, error, hour)
    report = finish(hour)
    if done is not None:
        done(hour, report)
    return report


def _begin(settings: Settings, world: World, started_ms: int) -> tuple[Hour, Loaded, Answers] | Report:
    """Load the state, take the lease, and read what needs no knowledge; a report where there is no more to do.

    The local clock only names a slot that is certainly done; whether another one is due, the exchange's clock says.
    """
    slot = slot_at(started_ms)
    stored = world.gather({"state": world.store.load, "cache": world.store.cache})
    loaded, cache = cast("Loaded", needed(stored, "state")), cast("DailyCache", needed(stored, "cache"))
    refuse_unusable(loaded.state, settings.account)
    if loaded.lease is not None and loaded.read_ms < loaded.lease.expires_ms:
        return lease_held(settings, slot)
    if loaded.state is not None and loaded.state.slot_done == slot and (settings.slot or slot) <= slot:
        return flush_only(settings, world, loaded, slot)
    error = _refused_entry(loaded, world)
    if error is not None:
        return _turned_away(settings, world, loaded, slot, error)
    state, entries = loaded.state, tuple[Entry, ...]()
    if state is None or not state.initialised_ms:
        begun = _first_start(settings, world, loaded, slot)
        if isinstance(begun, Report):
            return begun
        state, entries, loaded = begun
        started_ms = world.clock.now_ms()  # it may have taken minutes
    first = _first_calls(world, loaded, state, slot, cache)
    answers = world.gather({**first, **key_call(settings, world, state, slot)})
    if isinstance(answers["lease"], LeaseLost):
        return lease_held(settings, slot)
    held = cast("Held", needed(answers, "lease"))
    hour = Hour(settings, world, slot, held, state, started_ms, cache)
    hour.tape = Tape() if world.told else Silence()
    hour.entries = entries
    return hour, loaded, answers


def _first_start(
    settings: Settings, world: World, loaded: Loaded, slot: str
) -> tuple[State, tuple[Entry, ...], Loaded] | Report:
    """First state, opening entry, and the document as it is by now; a report where the hour ends here.

    It reads much, so it is done under a lease of its own: of many first dispatches one reads and the others leave. The
    document that the lease creates is empty, and stays a first start's until a state is written into it.
    """
    try:
        held = world.store.take_lease(loaded, world.owner, slot, LEASE_S)
    except LeaseLost:
        return lease_held(settings, slot)
    try:
        state, entries = first_state(settings, world, loaded.state)
    except EngineError as error:
        # Orders of ours may be those of another run, which took over because this one took too long.
        if isinstance(error, LostState) and _opened(world.store.load()):
            return lease_held(settings, slot)
        return _ended(settings, world, held, error, loaded.state)
    again = world.store.load()
    return lease_held(settings, slot) if _opened(again) else (state, entries, again)


def _opened(loaded: Loaded) -> bool:
    return loaded.state is not None and loaded.state.initialised_ms > 0


def _first_calls(
    world: World, loaded: Loaded, state: State, slot: str, cache: DailyCache
) -> Mapping[str, Callable[[], object]]:
    upstream = next((source for source in world.pools if source.rung is Rung.FRESH_UPSTREAM), None)
    return {
        "lease": lambda: world.store.take_lease(loaded, world.owner, slot, LEASE_S),
        "control": control_call(world),
        "clock": clock_call(world, cache),
        **({} if state.open_intents else account_calls(world)),
        **({"upstream": upstream.read} if upstream is not None else {}),
    }


def _refused_entry(loaded: Loaded, world: World) -> EngineError | None:
    """Why the exchange must not be asked now: a pause it asked an earlier run for (one that is nearly over is waited
    out), or a probe that shows it is still down where its breaker is open.
    """
    known = loaded.state.dependencies if loaded.state else {}
    pause = pause_ms(known, BINANCE, world.clock.now_ms() - SKEW_MAX_MS)
    if pause > WORTH_WAITING_MS:
        return RateLimited(BINANCE, "an earlier run was told to wait", known[BINANCE].retry_at_ms)
    world.clock.sleep(pause / 1000)
    heed(world)
    if is_open(known, BINANCE):
        try:
            world.market.server_time_ms()
        except EngineError as error:
            return error
    return None


def _turned_away(settings: Settings, world: World, loaded: Loaded, slot: str, error: EngineError) -> Report:
    """End an hour that may not begin, with a lease, so that it is remembered how often and since when."""
    try:
        held = world.store.take_lease(loaded, world.owner, slot, LEASE_S)
    except LeaseLost:
        return lease_held(settings, slot)
    return _ended(settings, world, held, error, loaded.state)


def _ended(settings: Settings, world: World, held: Held, error: EngineError, state: State | None) -> Report:
    slot, state = held.lease.slot, state or State(settings.account)
    hour = Hour(settings, world, slot, held, state, world.clock.now_ms(), DailyCache())
    return abort(settings, world, slot, error, hour)


def _orient(hour: Hour, answers: Answers) -> None:
    """Set the hour by the exchange's clock: its slot, its fence, and what the operator allows."""
    hour.tape.start()
    hour.tape.record("settings", hour.settings, Settings.public)
    hour.tape.record("state_before", hour.state, encode_state)
    hour.offset_ms = first_clock(hour.world, answers)
    hour.deadline_ms = hour.started_ms + hour.offset_ms + CYCLE_BUDGET_MS
    hour.lease_ends_ms = hour.started_ms + hour.offset_ms + LEASE_S * 1000
    if not hour.state.open_intents:
        read_account(hour, answers)
    hour.slot = slot_at(hour.now_ms())
    asked = hour.settings.slot
    if asked is not None and asked > hour.slot:
        raise SettingsError((f"slot: {asked!r} – lies ahead: the exchange's hour is {hour.slot}",))
    control = answers["control"]
    hour.control = control if isinstance(control, Control) else Control(why=str(control), unreadable=True)


def _trade(hour: Hour, answers: Answers, strategy: Strategy) -> None:
    """The hour itself: every step from the pool to the last order."""
    heed(hour.world)
    heed_key(hour, answers)
    resolution = _resolve_pool(hour, answers)
    hour.mark("pool")
    if hour.state.open_intents:
        recover(hour)
        heed(hour.world)
        read_account(hour, answers)
        hour.mark("recover")
    snapshot = take_snapshot(hour, resolution.locked_symbols)
    hour.mark("snapshot")
    prices = valuation_prices(snapshot, hour.state.prices, hour.settings.strategy)
    hour.state = opened_day(hour.state, slot_date(hour.slot), snapshot.daily, prices)
    hour.entries = (*hour.entries, *reconcile(hour))
    link_performance(hour, hour.entries, prices)
    hour.mark("reconcile")
    _decide(hour, resolution, strategy)
    hour.mark("decide")
    _execute(hour)
    hour.mark("execute")


def _resolve_pool(hour: Hour, answers: Answers) -> Resolution:
    readings: list[Reading] = []
    hour.upstream = answers.get("upstream")

    def read() -> Iterator[Reading]:
        for source in hour.world.pools:
            readings.append(_reading(source.rung, source.where, hour.upstream, source.read))
            yield readings[-1]

    resolution = climb(read(), hour.state.pool, hour.settings.ladder, hour.slot)
    hour.tape.record("pools", readings, shown)
    hour.resolution = resolution
    return resolution


def _reading(rung: Rung, where: str, upstream: object, read: Callable[[], Mapping[str, object]]) -> Reading:
    try:
        answer = upstream if rung is Rung.FRESH_UPSTREAM else read()
    except EngineError as error:
        answer = error
    if isinstance(answer, Exception):
        return Reading(rung, where, problem=str(answer))
    return Reading(rung, where, payload=answer)


def _decide(hour: Hour, resolution: Resolution, strategy: Strategy) -> None:
    snapshot = hour.observed
    pool = execution_pool(resolution, tradable_of(snapshot.instruments), hour.settings.ladder)
    decision = strategy(snapshot, hour.state, pool, hour.settings.strategy)
    hour.tape.record("snapshot", snapshot, encode)
    hour.tape.record("pool", pool, encode)
    hour.tape.record("state_at_decision", hour.noted(), encode_state)
    hour.tape.record("decision", decision, encode)
    hour.pool, hour.decision = pool, decision
    hour.gates.extend(decision.gates)
    lifted = hour.state.memory.reduce_only_ms > 0 and decision.memory.reduce_only_ms == 0
    if decision.memory is not hour.state.memory:
        hour.state = changed(hour.state, memory=decision.memory)
    hour.state = resumed(hour.state) if lifted else hour.state


def _execute(hour: Hour) -> None:
    """Sells, then buys from the real proceeds, then what cash remains: one decision, planned on each wallet anew."""
    decision, strategy = hour.decided, hour.settings.strategy
    refresh_prices(hour)
    wallet = hour.wallet
    sells = plan_sells(decision, hour.observed, wallet)
    hour.note_plan("sells", sells, wallet)
    carry_out(hour, sells.orders)
    refresh_prices(hour)
    if any(i.status is Status.UNKNOWN and i.kind is Kind.ORDER for i in hour.state.open_intents):
        decision = replace(decision, entries=(), dca=None, fuel=False)
    wallet = hour.wallet
    buys = plan_buys(decision, hour.observed, wallet, strategy)
    hour.note_plan("buys", buys, wallet)
    orders = buys.orders
    if buys.redeem:
        move_cash(hour, Kind.REDEEM, buys.redeem)
        refresh_prices(hour)
        fitted = shrunk(orders, hour.observed, hour.wallet, strategy)
        hour.gates.extend(fitted.gates)
        orders = fitted.orders
    carry_out(hour, orders)
    rest = plan_cash(decision, hour.wallet, strategy)
    hour.gates.extend(rest.gates)
    if rest.subscribe and not buys.redeem:
        move_cash(hour, Kind.SUBSCRIBE, rest.subscribe)
