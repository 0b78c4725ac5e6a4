"""Reconcile: make the ledger equal the account, by evidence, before anything is decided.

An hour without a difference asks for nothing. Where spot differs, the exchange's own records are asked for: deposits,
withdrawals, rewards, and orders of that pair that carry no id of ours. While an order of a pair is unsettled, its
assets are left alone: what it did is recovery's to book, not a flow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from runtime.domain.alerts import AlertKind
from runtime.domain.changing import changed
from runtime.domain.evidence import Flow, order_flows
from runtime.domain.ladder import STATIC_SYMBOLS
from runtime.domain.ledger import Book, Entry, priced
from runtime.domain.money import CASH, FUEL, ZERO, plain
from runtime.domain.orders import Kind, id_prefix
from runtime.domain.performance import linked, outside_value
from runtime.domain.reconciliation import (
    drift_after,
    earn_difference,
    fitted_positions,
    fitting,
    flow_entry,
    interest_entry,
    seen_after,
    spot_differences,
    unexplained_entry,
)
from runtime.domain.slots import DAY_MS
from runtime.domain.valuation import total, values_of
from runtime.errors import EngineError
from runtime.hour import Hour

EVIDENCE_DAYS = 7


def reconcile(hour: Hour) -> tuple[Entry, ...]:
    """The entries that made the ledger equal the account this hour; nothing is written yet."""
    entries: list[Entry] = []
    if hour.earn is not None:
        entries += _booked(hour, interest_entry(hour.state, hour.slot, hour.now_ms(), hour.earn))
        position = hour.earn.get(CASH)
        rewards = position.rewards if position else hour.state.earn_rewards.get(CASH, ZERO)
        if hour.state.earn_rewards != {CASH: rewards}:
            hour.state = changed(hour.state, earn_rewards={CASH: rewards})
    differences = _open_differences(hour)
    if differences or hour.state.drift or _earn_missing(hour):
        entries += _explained(hour, differences)
        entries += _unexplained(hour)
    hour.state = fitted_positions(hour.state)
    if hour.state.drift:
        listed = ", ".join(f"{plain(amount)} {asset}" for asset, amount in sorted(hour.state.drift.items()))
        hour.lasting(AlertKind.DRIFT, drift=listed)
    return tuple(entries)


def link_performance(hour: Hour, entries: Sequence[Entry], prices: Mapping[str, Decimal]) -> None:
    """Link the return index at this hour's equity; what came from outside is no performance."""
    equity = total(values_of(hour.wallet, prices))
    flows = outside_value(entries, prices)
    hour.state = changed(hour.state, performance=linked(hour.state.performance, equity, flows))


def _booked(hour: Hour, entry: Entry | None) -> list[Entry]:
    if entry is None:
        return []
    entry = priced(entry, hour.wave_taken.prices)
    hour.state = changed(hour.state, ledger=hour.state.ledger.posted((entry,)))
    return [entry]


def _unsettled_assets(hour: Hour) -> frozenset[str]:
    assets: set[str] = set()
    for intent in hour.state.open_intents if hour.state.intents else ():
        assets |= {CASH} if intent.kind is not Kind.ORDER else {intent.symbol.removesuffix(CASH), CASH, FUEL}
    return frozenset(assets)


def _open_differences(hour: Hour) -> dict[str, Decimal]:
    found = spot_differences(hour.state.ledger, hour.account)
    unsettled = _unsettled_assets(hour) if found else frozenset()
    return {asset: amount for asset, amount in found.items() if asset not in unsettled}


def _explained(hour: Hour, differences: Mapping[str, Decimal]) -> list[Entry]:
    flows = _evidence(hour, differences)
    entries: list[Entry] = []
    for asset in sorted({flow.asset for flow in flows}):
        of_asset = [flow for flow in flows if flow.asset == asset]
        for source, gap in (
            (None, differences.get(asset, ZERO)),
            (Book.UNEXPLAINED, hour.state.drift.get(asset, ZERO)),
        ):
            taken = fitting(gap, of_asset) if gap else ()
            for flow in taken:
                entries += _booked(hour, flow_entry(flow, hour.slot, hour.state.ledger, source))
            of_asset = [flow for flow in of_asset if flow not in taken]
            seen = seen_after(hour.state.flows_seen, taken, hour.now_ms())
            hour.state = changed(hour.state, flows_seen=seen)
    hour.state = changed(hour.state, drift=drift_after(hour.state.drift, entries))
    return entries


def _earn_off(hour: Hour) -> Decimal:
    """USDT in Earn beyond (+) or short of (-) the ledger's, where that can be told."""
    unsettled = hour.earn is None or CASH in _unsettled_assets(hour)
    return ZERO if unsettled else earn_difference(hour.state.ledger, hour.earn or {})


def _earn_missing(hour: Hour) -> bool:
    """Money gone from Earn is a difference of its own; growth that nothing vouches for yet is left for a later hour."""
    return _earn_off(hour) < 0


def _unexplained(hour: Hour) -> list[Entry]:
    earn_off = _earn_off(hour)
    spot = _open_differences(hour)
    entries = _booked(hour, unexplained_entry(hour.slot, hour.now_ms(), spot, earn_off, hour.state.ledger))
    hour.state = changed(hour.state, drift=drift_after(hour.state.drift, entries))
    return entries


def _evidence(hour: Hour, differences: Mapping[str, Decimal]) -> list[Flow]:
    """Records not booked before, since the account was opened and at most `EVIDENCE_DAYS` back, oldest first."""
    since = max(hour.state.initialised_ms, hour.now_ms() - EVIDENCE_DAYS * DAY_MS)
    coins = sorted((differences.keys() | hour.state.drift.keys()) - {CASH})
    flows: list[Flow] = []
    try:
        flows += hour.world.exchange.flows(since)
        flows += _manual_trades(hour, coins, since)
        if not _money_explained(hour, differences, flows):
            flows += _manual_trades(hour, sorted(_coins_known(hour) - {*coins}), since)
    except EngineError as error:
        hour.problems["evidence"] = str(error)
    return _unseen(hour, flows)


def _unseen(hour: Hour, flows: Sequence[Flow]) -> list[Flow]:
    return sorted((f for f in flows if f.id not in hour.state.flows_seen), key=lambda f: (f.time_ms, f.id))


def _money_explained(hour: Hour, differences: Mapping[str, Decimal], flows: Sequence[Flow]) -> bool:
    """Whether the records so far cover what USDT and BNB are off by. If not, a manual trade may have moved them in a
    pair whose coin is not off: its own leg was booked in an hour that could not judge the money, or it was sold again.
    """
    for asset in (CASH, FUEL):
        of_asset = [flow for flow in _unseen(hour, flows) if flow.asset == asset]
        for gap in (differences.get(asset, ZERO), hour.state.drift.get(asset, ZERO)):
            if gap and sum((flow.amount for flow in fitting(gap, of_asset)), ZERO) != gap:
                return False
    return True


def _coins_known(hour: Hour) -> set[str]:
    """Every coin that the account or the ledger holds, that an hour had in play, or that the built-in list names.

    A coin beyond these that was bought and sold again leaves no name anywhere: asking for the trades of every pair that
    the exchange lists would cost more than a minute's limit of requests.
    """
    ledger, listed = hour.state.ledger, (symbol.removesuffix(CASH) for symbol in (*hour.state.prices, *STATIC_SYMBOLS))
    return {*hour.account.balances, *ledger.assets(Book.SPOT), *ledger.assets(Book.RESERVED), *listed} - {CASH}


def _manual_trades(hour: Hour, coins: Sequence[str], since: int) -> list[Flow]:
    """What orders that are not ours moved. A call tells whether a pair traded at all; orders are listed day by day."""
    exchange, prefix = hour.world.exchange, id_prefix(hour.settings.account)
    flows: list[Flow] = []
    for symbol in (coin + CASH for coin in coins if coin + CASH in hour.wave_taken.prices):
        orders = exchange.orders_since(symbol, since) if exchange.trades_since(symbol, since) else ()
        manual = (order for order in orders if not order.client_id.startswith(prefix) and order.executed_qty)
        flows += [flow for order in manual for flow in order_flows(exchange.with_fills(order))]
    return flows
