"""The first start of an account: tell a new one from a lost one, and rebuild the lost one from the exchange's records.

Everything here reads; the caller writes. It runs once in an account's life, or after a disaster, so it may take its
time: it asks for the whole history of every pair that may matter, one pair after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import cast

from runtime.config import Settings
from runtime.domain.candles import closed_series
from runtime.domain.ladder import STATIC_SYMBOLS
from runtime.domain.ledger import Entry
from runtime.domain.market import Account, exact
from runtime.domain.money import CASH, CORE, FUEL
from runtime.domain.orders import Order, id_prefix
from runtime.domain.rebuilding import Records, rebuilt_state
from runtime.domain.reconciliation import opening_entry
from runtime.domain.slots import slot_at
from runtime.domain.state import State
from runtime.errors import Abort, EngineError, LostState, NewAccount
from runtime.ports import World
from runtime.snapshot import needed

BINANCE_OPENED_MS = 1_483_228_800_000  # 2017-01-01: older timestamps are refused


def first_state(settings: Settings, world: World, pool: Iterable[str], now_ms: int) -> tuple[State, tuple[Entry, ...]]:
    """The state that an account without one starts with, and its opening entry.

    `LostState` where orders of ours exist and no rebuild was asked for; `NewAccount` where nothing was asked for.
    """
    account, prices = world.exchange.account(), world.market.prices()
    orders = our_orders(settings, world, _suspects(account, prices, pool))
    if orders and settings.first_run != "rebuild":
        found = ", ".join(sorted({order.symbol for order in orders}))
        raise LostState(f"no state document, but the exchange remembers orders of ours in {found}: run rebuild")
    if settings.first_run == "refuse":
        raise NewAccount("no state document and no orders of ours: run init (first_run: fresh)")
    earn = world.exchange.earn_positions()
    slot = slot_at(now_ms)
    if not orders:
        entry = opening_entry(slot, now_ms, account, earn)
        state = State(account=settings.account, initialised_ms=now_ms, reconciled_ms=now_ms)
        return replace(state, ledger=state.ledger.posted((entry,))), (entry,)
    filled = [_with_fills(world, order) for order in orders if order.executed_qty]
    closes = _closes(world, {order.symbol for order in filled}, now_ms)
    known = {symbol: prices[symbol] for symbol in {o.symbol for o in filled} | {FUEL + CASH} if symbol in prices}
    records = Records(account, earn, filled, closes, known)
    rebuilt, entry = rebuilt_state(settings.account, slot, now_ms, records, settings.strategy)
    return rebuilt, (entry,)


def our_orders(settings: Settings, world: World, symbols: Sequence[str]) -> list[Order]:
    """Every order with an id of ours in `symbols`, oldest first, without fills."""
    prefix = id_prefix(settings.account)
    answers = world.gather({s: partial(world.exchange.orders_since, s, BINANCE_OPENED_MS) for s in symbols})
    found: list[Order] = []
    for symbol in symbols:
        orders = cast("Sequence[Order]", needed(answers, symbol))
        found += [order for order in orders if order.client_id.startswith(prefix)]
    return sorted(found, key=lambda order: (order.time_ms, order.symbol, order.order_id))


def _suspects(account: Account, prices: Mapping[str, Decimal], pool: Iterable[str]) -> list[str]:
    held = (asset + CASH for asset in account.balances)
    wanted = dict.fromkeys((CORE + CASH, FUEL + CASH, *STATIC_SYMBOLS, *pool, *held))
    return [symbol for symbol in wanted if symbol in prices]


def _with_fills(world: World, order: Order) -> Order:
    complete = order if order.fills_complete else world.exchange.with_fills(order)
    if not complete.finished or not complete.fills_complete:
        raise Abort(f"rebuild: order {order.client_id} is not finished or its trades are not complete yet; try again")
    return complete


def _closes(world: World, symbols: Iterable[str], now_ms: int) -> dict[str, Decimal]:
    """Yesterday's daily close by asset, where the exchange has one."""
    closes = {}
    for symbol in sorted(symbols):
        try:
            series = closed_series(symbol, world.market.candles(symbol, "1d", None, 3), now_ms)
        except EngineError:
            continue
        closes[symbol.removesuffix(CASH)] = exact(series.close[-1])
    return closes
