"""The first start of an account: tell a new one from a lost one, and rebuild the lost one from the exchange's records.

Everything here reads; the caller writes. It runs once in an account's life, or after a disaster, so it may take its
time: it asks for the whole history of every pair that may matter. A rebuild first waits until nothing that a dead run
sent can still arrive or be missing from the histories, and it begins again later if the account moved under its hands.
Pairs that may matter: bitcoin and BNB, the pool as far as any source tells it now, the built-in list, what is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import cast

from runtime.domain.candles import closed_high, closed_series
from runtime.domain.evidence import Flow, order_flows
from runtime.domain.instruments import Instrument
from runtime.domain.ladder import STATIC_SYMBOLS
from runtime.domain.ledger import Entry, priced
from runtime.domain.market import Account, Candle, exact
from runtime.domain.money import CASH, CORE, FUEL
from runtime.domain.orders import EarnRecord, Kind, Order, id_prefix, read_client_id
from runtime.domain.rebuilding import Records, rebuilt_state, trend_positions, with_highs
from runtime.domain.reconciliation import opening_entry
from runtime.domain.slots import DAY_MS, HOUR_MS, date_at, day_start_ms, slot_at
from runtime.domain.state import State
from runtime.errors import Abort, EngineError, LostState, NewAccount
from runtime.first_reads import needed, sync
from runtime.hour import heed
from runtime.ports import World
from runtime.run_settings import Settings

BINANCE_OPENED_MS = 1_483_228_800_000  # 2017-01-01: older timestamps are refused
SETTLING_S = 75.0
"""recvWindow and back end (15 s), and a minute for the histories to show what they did."""
MOVES_DAYS = 7
CANDLES_MAX = 1000


def first_state(settings: Settings, world: World, before: State | None) -> tuple[State, tuple[Entry, ...]]:
    """The state that an account without one starts with, and its opening entry.

    `before` is an empty document that an interrupted first start left behind: what it holds to be told is kept.
    `LostState` where orders of ours exist and no rebuild was asked for; `NewAccount` where there is nothing to rebuild,
    or nothing was asked for.
    """
    now_ms = world.market.server_time_ms()
    sync(world, now_ms - world.clock.now_ms())
    if settings.first_run == "rebuild":
        world.clock.sleep(SETTLING_S)
        heed(world)
        now_ms = world.market.server_time_ms()
    account, prices = world.exchange.account(), world.market.prices()
    orders = _orders(world, _suspects(world, account, prices))
    ours = [order for order in orders if order.client_id.startswith(id_prefix(settings.account))]
    _judge(settings, ours)
    if ours:
        state, entries = _rebuilt(settings, world, _Seen(now_ms, account, prices, orders))
    else:
        state, entries = _opened(settings, world, account, now_ms)
    entries = tuple(priced(entry, prices) for entry in entries)
    if before is not None:
        kept = {name: getattr(before, name) for name in ("dependencies", "incidents", "outbox", "unknown")}
        state = replace(state, **kept)
    return state, entries


def _judge(settings: Settings, ours: Sequence[Order]) -> None:
    asked = settings.first_run
    if ours and asked != "rebuild":
        found = ", ".join(sorted({order.symbol for order in ours}))
        raise LostState(f"no state document, but the exchange remembers orders of ours in {found}: run rebuild")
    if not ours and asked == "rebuild":
        raise NewAccount("no orders of ours, so nothing to rebuild: run init (first_run: fresh)")
    if asked == "refuse":
        raise NewAccount("no state document and no orders of ours: run init (first_run: fresh)")


def _opened(settings: Settings, world: World, account: Account, now_ms: int) -> tuple[State, tuple[Entry, ...]]:
    earn = world.exchange.earn_positions()
    entry = opening_entry(slot_at(now_ms), now_ms, account, earn)
    position = earn.get(CASH)
    rewards = {CASH: position.rewards} if position else {}
    state = State(
        settings.account,
        initialised_ms=now_ms,
        reconciled_ms=now_ms,
        earn_rewards=rewards,
        account_digest=account.digest,
    )
    return replace(state, ledger=state.ledger.posted((entry,))), (entry,)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was read to tell a lost account from a new one."""

    now_ms: int
    account: Account
    prices: Mapping[str, Decimal]
    orders: Sequence[Order]


def _rebuilt(settings: Settings, world: World, seen: _Seen) -> tuple[State, tuple[Entry, ...]]:
    ours = [o for o in seen.orders if read_client_id(settings.account, o.client_id) is not None]
    filled = [_with_fills(world, order) for order in ours]
    symbols = sorted({order.symbol for order in filled})
    records = Records(
        account=seen.account,
        earn=world.exchange.earn_positions(),
        orders=filled,
        prices=dict(seen.prices),
        flows=_flows(world, seen.orders, filled),
        moves=_moves(world, seen.now_ms),
        closes=_closes(world, symbols, seen),
        fuel=_fuel(world, filled, seen.now_ms),
        instruments=_instruments(world, symbols, seen),
    )
    state, entries = rebuilt_state(settings.account, seen.now_ms, records, settings.strategy)
    state = replace(with_highs(state, _highs(world, state, seen.now_ms)), account_digest=seen.account.digest)
    if world.exchange.account().balances != seen.account.balances:
        raise Abort("rebuild: the account moved while it was read; try again")
    return state, entries


def _suspects(world: World, account: Account, prices: Mapping[str, Decimal]) -> list[str]:
    held = (asset + CASH for asset in account.balances)
    known = world.facts.symbols if world.facts is not None else ()
    wanted = dict.fromkeys((CORE + CASH, FUEL + CASH, *STATIC_SYMBOLS, *known, *_pools(world), *held))
    return [symbol for symbol in wanted if symbol in prices]


def _pools(world: World) -> Iterable[str]:
    """What any source calls a pool now. Not judged: one pair too many costs a call."""
    for source in world.pools:
        try:
            symbols = source.read().get("symbols")
        except EngineError:
            continue
        yield from (symbol for symbol in symbols if isinstance(symbol, str)) if isinstance(symbols, Iterable) else ()


def _orders(world: World, symbols: Sequence[str]) -> list[Order]:
    """Every order of the pairs, whosever it is, oldest first, without fills."""
    answers = world.gather({s: partial(world.exchange.orders_since, s, BINANCE_OPENED_MS) for s in symbols})
    found = [order for symbol in symbols for order in cast("Sequence[Order]", needed(answers, symbol))]
    return sorted(found, key=lambda order: (order.time_ms, order.symbol, order.order_id))


def _with_fills(world: World, order: Order) -> Order:
    complete = order if order.fills_complete else world.exchange.with_fills(order)
    if not complete.finished or not complete.fills_complete:
        raise Abort(f"rebuild: order {order.client_id} is not finished or its trades are not complete yet; try again")
    return complete


def _flows(world: World, orders: Sequence[Order], ours: Sequence[Order]) -> list[Flow]:
    """What else moved the coins of our orders, each since the first of them."""
    first: dict[str, int] = {}
    for order in ours:
        first.setdefault(order.symbol, order.time_ms)
    known = {(order.symbol, order.order_id) for order in ours}
    manual = (o for o in orders if (o.symbol, o.order_id) not in known and o.executed_qty)
    since = {symbol.removesuffix(CASH): time_ms for symbol, time_ms in first.items()}
    since.setdefault(FUEL, min(since.values()))
    flows = list(world.exchange.flows(min(since.values())))
    for order in manual:
        if order.time_ms >= first.get(order.symbol, order.time_ms + 1):
            flows += order_flows(_with_fills(world, order))
    return [f for f in flows if f.asset in since and f.time_ms >= since[f.asset]]


def _moves(world: World, now_ms: int) -> list[EarnRecord]:
    """Earn moves that were accepted and have not arrived."""
    since = now_ms - MOVES_DAYS * DAY_MS
    found = [r for kind in (Kind.REDEEM, Kind.SUBSCRIBE) for r in world.exchange.earn_records(kind, CASH, since)]
    return [record for record in found if not record.settled and not record.failed]


def _closes(world: World, symbols: Iterable[str], seen: _Seen) -> dict[str, Decimal]:
    """Yesterday's daily close by asset, where the exchange has one."""
    closes = {}
    for symbol in symbols:
        if symbol not in seen.prices:
            continue
        try:
            series = closed_series(symbol, world.market.candles(symbol, "1d", None, 3), seen.now_ms)
        except EngineError:
            continue
        if series.last_open_ms == day_start_ms(date_at(seen.now_ms)) - DAY_MS:
            closes[symbol.removesuffix(CASH)] = exact(series.close[-1])
    return closes


def _fuel(world: World, orders: Sequence[Order], now_ms: int) -> dict[int, Decimal]:
    """BNB's price at the start of each hour since the first order that paid its fee with it."""
    paid = (o.time_ms for o in orders if any(fill.commission_asset == FUEL and fill.commission for fill in o.fills))
    first = next(iter(paid), None)
    if first is None:
        return {}
    return {c.open_time_ms: exact(c.open) for c in _hourly(world, FUEL + CASH, first, now_ms)}


def _highs(world: World, state: State, now_ms: int) -> dict[str, Decimal]:
    """The highest price of each held trend pair since its entry hour; a pair that left the market has only its cost."""
    highs = {}
    for symbol in trend_positions(state):
        position = state.positions[symbol]
        entry_ms = position.opened_ms - position.opened_ms % HOUR_MS
        try:
            high = closed_high(symbol, _hourly(world, symbol, entry_ms, now_ms), entry_ms, now_ms)
        except EngineError:
            high = None
        highs[symbol] = position.average if high is None else high
    return highs


def _hourly(world: World, symbol: str, since_ms: int, now_ms: int) -> list[Candle]:
    """Every hourly candle from the hour of `since_ms` to now, in as many calls as that takes."""
    start = since_ms - since_ms % HOUR_MS
    found: list[Candle] = []
    while start <= now_ms:
        page = world.market.candles(symbol, "1h", start, CANDLES_MAX)
        found += page
        if len(page) < CANDLES_MAX:
            break
        start = page[-1].open_time_ms + HOUR_MS
    return found


def _instruments(world: World, symbols: Sequence[str], seen: _Seen) -> Mapping[str, Instrument]:
    listed = [symbol for symbol in symbols if symbol in seen.prices]
    return world.market.instruments(listed)[1] if listed else {}
