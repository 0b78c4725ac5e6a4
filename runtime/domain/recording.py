"""Recording: the columns of a track while they grow, hour by hour."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Any

from runtime.domain.ledger import fees
from runtime.domain.money import CASH, CORE, FUEL, ZERO, plain
from runtime.domain.orders import Intent, Side, Status
from runtime.domain.report import Equity, Report
from runtime.domain.slots import slot_date
from runtime.domain.state import State
from runtime.domain.track import (
    FLOATS,
    LATCHED,
    REDUCE_ONLY,
    Columns,
    Trade,
    columns_document,
    read_columns,
    trade_document,
)
from runtime.domain.valuation import MANAGED_APART

_NAMED = attrgetter("sleeve", "name")
Row = tuple[float | int, ...]
Worth = tuple[Mapping[str, Decimal], Decimal]
"""What an hour saw: the value of each asset, and the price of bitcoin (USDT)."""


class Recorder:
    """Notes hours as they end: a row each, in the order of `track.FLOATS` and `track.COUNTS`."""

    def __init__(self, columns: Columns | None = None, trades: Iterable[Trade] = (), day_count: int = 0) -> None:
        """Empty, or as `saved` left it."""
        begun = columns or Columns()
        self.hours, self.days, self.rows = dict(begun.hours), dict(begun.days), list[Row]()
        self.rungs = {name: at for at, name in enumerate(begun.rungs)}
        self.gate_sets = {frozenset(map(_parted, names)): at for at, names in enumerate(begun.gate_sets)}
        self.trades, self.day_count = list(trades), day_count
        self._cash = ZERO
        self._last: Row = tuple(column[-1] if column else 0 for column in self.hours.values())

    def note(self, report: Report, before: State | None, after: State | None, flow: Decimal) -> None:
        """Append one hour: its report, the state before and after it, and the USDT that came in from outside."""
        worth = report.equity
        if worth is None or after is None:
            self._repeat(report.exit_code, flow)
            return
        self._cash = worth.cash
        self._last = (
            *_amounts(worth, flow, after.prices.get(CORE + CASH, ZERO)),
            report.exit_code,
            _index(self.rungs, report.pool.rung if report.pool else ""),
            _index(self.gate_sets, frozenset(map(_NAMED, report.gates))),
            _latches(after, report.slot),
        )
        self.rows.append(self._last)
        for intent in report.intents:
            if intent.status is Status.DONE and intent.order is not None and intent.order.executed_qty:
                self.trades.append(_trade(intent, before, after))

    def go_on(self, hours: Iterable[Worth]) -> None:
        """Append hours that went as the one before, and moved no cash, but for what things are worth."""
        same = self._last[len(FLOATS) :]
        self.rows.extend([(*_worth(self._cash, *worth), *same) for worth in hours])
        self._last = self.rows[-1]

    def _repeat(self, exit_code: int, flow: Decimal) -> None:
        """An hour that ended before it saw anything: what is owned is worth what it was."""
        again = dict(zip(self.hours, self._last, strict=True)) | {"exit": exit_code, "flow": float(flow)}
        self._last = tuple(again.values())
        self.rows.append(self._last)

    def end_day(self, state: State | None) -> None:
        """Append what each asset is worth now, and let the day's rows become columns."""
        for column, values in zip(self.hours.values(), zip(*self.rows, strict=True), strict=False):
            column.extend(values)
        self.rows.clear()
        self.day_count += 1
        for asset, value in _values(state).items() if state is not None else ():
            if asset not in self.days:
                self.days[asset] = array("d", bytes(8 * (self.day_count - 1)))
            self.days[asset].append(float(value))
        for column in self.days.values():
            if len(column) < self.day_count:
                column.append(0.0)

    def columns(self) -> Columns:
        """What was noted."""
        sets = [tuple(sorted(f"{sleeve}:{name}" for sleeve, name in names)) for names in self.gate_sets]
        return Columns(self.hours, dict(sorted(self.days.items())), tuple(map(str, self.rungs)), sets)

    def saved(self) -> dict[str, Any]:
        """JSON values."""
        trades = [trade_document(trade) for trade in self.trades]
        return {"columns": columns_document(self.columns()), "trades": trades, "day_count": self.day_count}

    @classmethod
    def made_from(cls, kept: Mapping[str, Any]) -> Recorder:
        """The recorder that `saved` came from."""
        trades = (Trade(**trade) for trade in kept["trades"])
        return cls(read_columns(kept["columns"]), trades, kept["day_count"])


def _amounts(worth: Equity, flow: Decimal, price: Decimal) -> Iterator[float]:
    """A row's amounts, in the order of `track.FLOATS`."""
    cash, core, trend, fuel = worth.cash, worth.btc, worth.trend, worth.fuel
    return map(float, (cash + fuel + trend + core, cash, core, trend, fuel, flow, price))


def _worth(cash: Decimal, values: Mapping[str, Decimal], price: Decimal) -> Iterator[float]:
    """The same of an hour without a flow: cash, what each asset is worth, and the price of bitcoin."""
    core, fuel = values.get(CORE, ZERO), values.get(FUEL, ZERO)
    trend = sum([value for asset, value in values.items() if asset not in MANAGED_APART], ZERO)
    return map(float, (cash + fuel + trend + core, cash, core, trend, fuel, ZERO, price))


def _index(table: dict[Any, int], value: object) -> int:
    return table.setdefault(value, len(table))


def _parted(name: str) -> tuple[str, ...]:
    return tuple(name.split(":"))


def _latches(state: State, slot: str) -> int:
    breaker = state.memory.breaker
    cooling = breaker.cooling_until is not None and slot_date(slot) <= breaker.cooling_until
    return LATCHED * (breaker.liquidating or cooling) | REDUCE_ONLY * (state.memory.reduce_only_ms > 0)


def _values(state: State) -> dict[str, Decimal]:
    """USDT by managed asset at the last prices."""
    owned = {asset: state.ledger.owned(asset) for asset in _assets(state)}
    return {a: q if a == CASH else q * state.prices.get(a + CASH, ZERO) for a, q in owned.items() if q}


def _assets(state: State) -> list[str]:
    return sorted({asset for assets in state.ledger.totals.values() for asset in assets})


def _trade(intent: Intent, before: State | None, after: State) -> Trade:
    order = intent.order
    assert order is not None
    holder = before if intent.side is Side.SELL else after
    position = holder.positions.get(order.symbol) if holder is not None else None
    return Trade(
        time_ms=order.time_ms,
        symbol=order.symbol,
        sleeve=intent.sleeve.value,
        side=intent.side.value,
        quantity=plain(order.executed_qty),
        price=plain(round(order.average_price, 8)),
        quote=plain(order.quote_qty),
        fees={asset: plain(fee) for asset, fee in fees(order).items()},
        reason=intent.reason,
        entry=plain(round(position.average, 8)) if position is not None else "0",
    )
