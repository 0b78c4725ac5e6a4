"""Reporting: the report of an hour, assembled from what its steps left behind."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from runtime.conditions import missed_slots
from runtime.domain.costs import NO_MONTH, month_of
from runtime.domain.decision import Gate, target_shares
from runtime.domain.ladder import Resolution
from runtime.domain.ledger import Balances, Book
from runtime.domain.limits import account_losses, valuation_prices
from runtime.domain.money import CASH, CORE, FUEL, ZERO, plain
from runtime.domain.orders import Intent, Kind, Sleeve, Status
from runtime.domain.remembering import remembered
from runtime.domain.report import CycleStatus, Equity, Holding, PoolReport, Report
from runtime.domain.slots import slot_date
from runtime.domain.valuation import MANAGED_APART, values_of
from runtime.hour import Hour
from runtime.run_settings import Settings

MISSED_KEPT = 168
"""Missed hours that reports and state name: a week of them."""

EXIT_CODES = {
    CycleStatus.DONE: 0,
    CycleStatus.LEASE_HELD: 0,
    CycleStatus.SLOT_DONE: 0,
    CycleStatus.UNEXPECTED: 1,
    CycleStatus.BAD_SETTINGS: 2,
    CycleStatus.ABORTED: 3,
    CycleStatus.STOPPED: 3,
    CycleStatus.FAILED_ORDERS: 4,
    CycleStatus.CUT_SHORT: 4,
}


def short_report(settings: Settings, slot: str, status: CycleStatus, error: str = "") -> Report:
    """The report of an hour that stopped before it saw anything."""
    return Report(
        slot=slot,
        mode=settings.mode.value,
        account=settings.account,
        status=status,
        exit_code=EXIT_CODES[status],
        error=error,
    )


def report_of(hour: Hour, status: CycleStatus, error: str = "") -> Report:
    """The report of an hour as far as it came: all of it, or, where nobody reads it, what it did."""
    return full_report(hour, status, error) if hour.world.told else brief_report(hour, status, error)


def brief_report(hour: Hour, status: CycleStatus, error: str = "") -> Report:
    """What the hour saw of the account, and did; nothing is worded, and gates stand as they were met."""
    return Report(
        slot=hour.slot,
        mode=hour.settings.mode.value,
        account=hour.settings.account,
        status=status,
        exit_code=EXIT_CODES[status],
        error=error,
        pool=_pool_source(hour.resolution) if hour.resolution is not None else None,
        equity=equity_of(hour.state.ledger, _values(hour)) if hour.snapshot is not None else None,
        index=hour.state.performance.index,
        decision=hour.decision,
        gates=tuple(hour.gates),
        intents=this_hours(hour),
        problems=hour.problems,
        drift=hour.state.drift,
    )


@remembered
def _pool_source(resolution: Resolution) -> PoolReport:
    return PoolReport(
        rung=resolution.rung,
        version=resolution.version,
        as_of_date=resolution.as_of_date,
        age_days=resolution.age_days,
        degraded=resolution.degraded,
    )


def full_report(hour: Hour, status: CycleStatus, error: str = "") -> Report:
    """Everything the hour can tell, as far as it came."""
    decision, snapshot = hour.decision, hour.snapshot
    equity, holdings, btc_price = _worth(hour) if snapshot is not None else (None, (), None)
    shown = hour.world.explain(snapshot, hour.settings.strategy) if snapshot is not None else None
    return Report(
        slot=hour.slot,
        mode=hour.settings.mode.value,
        account=hour.settings.account,
        status=status,
        exit_code=EXIT_CODES[status],
        error=error,
        control=hour.control.at(hour.now_ms()).value,
        missed=missed_slots(hour)[-MISSED_KEPT:],
        pool=_pool(hour),
        equity=equity,
        holdings=holdings,
        index=hour.state.performance.index,
        drawdown=round(account_losses(hour.state)[1], 6),
        btc_price=btc_price,
        decision=decision,
        gates=unique(hour.gates),
        intents=this_hours(hour),
        recovered=hour.recovered,
        facts=shown[0] if shown else None,
        ahr999=shown[1] if shown else None,
        ahr999_variant=hour.settings.strategy.ahr999_cost,
        problems=hour.problems | dict(snapshot.problems if snapshot else {}),
        drift=hour.state.drift,
        alerts=tuple(hour.alerts),
        suppressed=dict(hour.world.suppressed),
        spent=hour.spent,
        month=hour.state.costs.get(month_of(hour.slot), NO_MONTH).spent,
        minutes=hour.minutes,
        usage=hour.usage,
        timings_ms=dict(hour.steps),
    )


def this_hours(hour: Hour) -> tuple[Intent, ...]:
    """This slot's intents, in the order of sending."""
    intents = hour.state.intents
    return tuple([intent for intent in intents if intent.slot == hour.slot]) if intents else ()


def outcome_of(hour: Hour) -> CycleStatus:
    """Done, or finished with orders that failed or that nobody knows the outcome of."""
    for intent in (*this_hours(hour), *hour.state.open_intents) if hour.state.intents else ():
        unknown = intent.kind is Kind.ORDER and intent.status is Status.UNKNOWN
        empty = intent.status is Status.DONE and intent.order is not None and not intent.order.executed_qty
        if unknown or empty or intent.status is Status.REFUSED:
            return CycleStatus.FAILED_ORDERS
    return CycleStatus.DONE


def unique(gates: list[Gate]) -> tuple[Gate, ...]:
    """The gates without repeats, in the order met."""
    seen: dict[str, Gate] = {}
    for gate in gates:
        seen.setdefault(f"{gate.sleeve}|{gate.symbol}|{gate.name}|{sorted(gate.numbers.items())}", gate)
    return tuple(seen.values())


def _pool(hour: Hour) -> PoolReport | None:
    resolution = hour.resolution
    if resolution is None:
        return None
    dropped = hour.pool.dropped if hour.pool else {}
    status = hour.state.pool_status
    return PoolReport(
        rung=resolution.rung,
        version=resolution.version,
        as_of_date=resolution.as_of_date,
        age_days=resolution.age_days,
        degraded=resolution.degraded,
        degraded_cycles=status.degraded_cycles if status else 0,
        upstream_order=resolution.symbols,
        execution_pool=hour.pool.symbols if hour.pool else (),
        tried=resolution.tried,
        notes=(*resolution.notes, *(f"{symbol}: {why}" for symbol, why in sorted(dropped.items()))),
    )


def _worth(hour: Hour) -> tuple[Equity, tuple[Holding, ...], Decimal | None]:
    prices, values = _known_prices(hour), _values(hour)
    trend = {asset: value for asset, value in values.items() if asset not in MANAGED_APART}
    equity = equity_of(hour.state.ledger, values)
    held = [asset for asset in (CORE, *sorted(trend), FUEL) if values.get(asset)]
    holdings = tuple(_holding(hour, asset, prices, values[asset], equity.total) for asset in held)
    return equity, holdings, prices.get(CORE + CASH)


def _known_prices(hour: Hour) -> Mapping[str, Decimal]:
    return valuation_prices(hour.observed, hour.state.prices, hour.settings.strategy)


def _values(hour: Hour) -> Mapping[str, Decimal]:
    return values_of(hour.wallet, _known_prices(hour))


def equity_of(ledger: Balances, values: Mapping[str, Decimal]) -> Equity:
    """Equity by its parts: cash as the ledger says, the rest as `values` (USDT by asset) say."""
    return Equity(
        cash_spot=ledger.of(Book.SPOT, CASH),
        cash_earn=ledger.of(Book.EARN, CASH),
        in_transit=ledger.of(Book.TRANSIT, CASH),
        fuel=values.get(FUEL, ZERO),
        trend=sum([value for asset, value in values.items() if asset not in MANAGED_APART], ZERO),
        btc=values.get(CORE, ZERO),
    )


def _holding(hour: Hour, asset: str, prices: Mapping[str, Decimal], value: Decimal, total: Decimal) -> Holding:
    symbol = asset + CASH
    decision = hour.decision
    target = target_shares(decision).get(asset) if decision is not None else None
    position = hour.state.positions.get(symbol)
    sleeve = {CORE: Sleeve.BTC_CORE, FUEL: Sleeve.CASH}.get(asset, Sleeve.TREND)
    watched = decision is not None and symbol in decision.memory.holdings
    return Holding(
        symbol=symbol,
        sleeve=sleeve,
        quantity=hour.state.ledger.owned(asset),
        price=prices.get(symbol),
        average=round(position.average, 8) if position else None,
        value=value,
        share=round(value / total, 8) if total else ZERO,
        target=None if target is None else round(target, 8),
        managed=sleeve is not Sleeve.TREND or watched or _bought_now(hour, symbol),
    )


def _bought_now(hour: Hour, symbol: str) -> bool:
    return (
        hour.state.day is not None
        and hour.state.day.day == slot_date(hour.slot)
        and (f"buy:{symbol}" in hour.state.day.done)
    )


def summary(report: Report) -> dict[str, str]:
    """The few figures that the slot's own document keeps: what returns are reckoned from, years later."""
    return {
        "status": report.status.value,
        "equity": str(round(report.equity.total, 2)) if report.equity else "",
        "index": plain(report.index) if report.index is not None else "",
        "btc": plain(report.btc_price) if report.btc_price is not None else "",
        "orders": str(len(report.orders)),
        "gates": str(len(report.gates)),
        "pool": report.pool.rung.value if report.pool else "",
    }
