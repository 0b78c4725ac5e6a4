"""Conditions: what of this hour an operator must know, beyond what was traded. One function a condition.

A condition that lasts is an incident: told when it opens, at growing intervals while it lasts, and when it ends.
It ends only when an hour that could have seen it did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import compress
from operator import attrgetter

from runtime.domain.alerts import AlertKind
from runtime.domain.changing import changed
from runtime.domain.costs import NO_MONTH, month_of, reached, with_told
from runtime.domain.decision import target_shares
from runtime.domain.ladder import status_after
from runtime.domain.limits import account_losses
from runtime.domain.money import CASH, FUEL, ONE, ROUNDING, ZERO, plain
from runtime.domain.orders import Kind, Status
from runtime.domain.performance import losses
from runtime.domain.pool import Rung
from runtime.domain.remembering import remembered
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import HOUR_MS, slot_start_ms, slots_between
from runtime.domain.state import DayBook, Performance
from runtime.domain.status_picture import shares_text
from runtime.domain.valuation import total, values_of
from runtime.hour import Hour
from runtime.recovery import tell_unknown

MISSED_SHOWN = 6
API_ERRORS_MIN, API_ERRORS_RATIO = 5, Decimal("0.2")
"""So many requests without a good answer, and so many of all, are told; one or two are any day's."""
TELLING = frozenset({"indicators_missing", "not_trading", "price_suspect"})
"""Gates that say that something is wrong; the others say that a rule said no."""
STOPPING = frozenset({"halt", "account_unreadable"})
SPENT = "fuel_spent"
"""There was enough when the hour planned; its own fees took it."""
_NAME = attrgetter("name")
FIX_CONTROL = "set it anew with `control run`; until then nothing is sent"


def observe_conditions(hour: Hour) -> None:
    """Note every condition of a completed hour, and the end of those that are gone."""
    _missed_hours(hour)
    _pool_source(hour)
    _unknown_orders(hour)
    _earn_on_its_way(hour)
    _control(hour)
    _gates(hour)
    _losses(hour)
    _fuel(hour)
    _api_errors(hour)
    _budgets(hour)
    hour.close_incidents()
    _status(hour)


def missed_slots(hour: Hour) -> tuple[str, ...]:
    """Hours since the last completed one that no run did, oldest first; before any, the one this run came late for."""
    asked = hour.settings.slot
    if hour.state.slot_done:
        if slot_start_ms(hour.slot) - slot_start_ms(hour.state.slot_done) <= HOUR_MS:
            return ()
        return slots_between(hour.state.slot_done, hour.slot)
    return (asked,) if asked is not None and asked < hour.slot else ()


def _missed_hours(hour: Hour) -> None:
    missed = missed_slots(hour)
    if missed:
        shown = " ".join(missed[:MISSED_SHOWN]) + (" …" if len(missed) > MISSED_SHOWN else "")
        hour.tell(AlertKind.MISSED_SLOTS, count=str(len(missed)), slots=shown)


def _pool_source(hour: Hour) -> None:
    resolution = hour.resolution
    if resolution is None:
        return
    if resolution.conflict:
        why = "; ".join(t.why for t in resolution.tried if not t.accepted)
        hour.lasting(AlertKind.RELEASE_CONFLICT, version=resolution.version, why=why)
    if resolution.degraded:
        status = status_after(hour.state.pool_status, resolution, hour.slot)
        hour.lasting(
            AlertKind.DEGRADED_SOURCE,
            "static" if resolution.rung is Rung.STATIC else "",
            source=resolution.rung.value,
            version=resolution.version,
            age="" if resolution.age_days is None else str(resolution.age_days),
            cycles=str(status.degraded_cycles),
            why=resolution.tried[0].why if resolution.tried else "",
        )


def _unknown_orders(hour: Hour) -> None:
    for intent in hour.state.open_intents:
        if intent.kind is Kind.ORDER and intent.status is Status.UNKNOWN:
            tell_unknown(hour, intent)


def _earn_on_its_way(hour: Hour) -> None:
    for intent in hour.state.open_intents:
        if intent.kind is not Kind.ORDER:
            facts = {"move": intent.kind.value, "amount": plain(intent.quantity), "asset": intent.symbol}
            hour.lasting(AlertKind.EARN_FAILED, intent.id, why=intent.detail, **facts)


def _control(hour: Hour) -> None:
    if hour.control.unreadable:
        why = hour.control.why or "cannot be read"
        hour.lasting(AlertKind.MISCONFIGURED, "control", what="control", why=why, fix=FIX_CONTROL)
    elif hour.control.when_ms > hour.state.control_ms:
        control = hour.control
        mode = control.at(hour.now_ms()).value
        hour.tell(AlertKind.CONTROL_CHANGED, control=mode, who=control.who or "-", why=control.why or "-")
        hour.state = replace(hour.state, control_ms=control.when_ms)


def _gates(hour: Hour) -> None:
    """Gates that mean something is wrong with a symbol that matters, not merely that a rule said no."""
    held, gates = hour.decided.memory.holdings, hour.decided.gates
    for gate in compress(gates, map(TELLING.__contains__, map(_NAME, gates))):
        if gate.name == "indicators_missing" and gate.symbol:
            why = gate.numbers.get("why", "").removeprefix(f"{gate.symbol} ")
            hour.lasting(AlertKind.INDICATORS_MISSING, gate.symbol, symbol=gate.symbol, why=why)
        elif gate.name == "not_trading" and gate.symbol in held:
            status = gate.numbers.get("status", gate.numbers.get("why", ""))
            hour.lasting(AlertKind.SYMBOL_NOT_TRADING, gate.symbol, symbol=gate.symbol, status=status)
        elif gate.name == "price_suspect":
            close, _, previous = gate.numbers.get("known", "").partition(" ")
            facts = {"symbol": gate.symbol, "price": gate.numbers["price"], "close": close, "previous": previous}
            hour.lasting(AlertKind.PRICE_SUSPECT, gate.symbol, **facts)


def _losses(hour: Hour) -> None:
    limits, decision = hour.settings.strategy, hour.decided
    breaker = decision.memory.breaker
    if breaker.tripped_on is not None and breaker.tripped_on.isoformat() == hour.slot[:10]:
        hour.lasting(
            AlertKind.BREAKER,
            hour.slot[:10],
            loss=_percent(decision.returns.get("sleeve_return", ZERO)),
            limit=_percent(decision.returns.get("sleeve_limit", ZERO)),
            until=breaker.cooling_until.isoformat() if breaker.cooling_until else "",
        )
    performance, day = hour.state.performance, hour.state.day
    lost, levels = losses(performance, day), levels_reached(performance, day, limits)
    measured = (("loss today", limits.account_day_loss), ("drawdown", limits.account_drawdown))
    for (measure, limit), value, level in zip(measured, lost, levels, strict=True):
        if level is not None:
            subject = f"{measure} {_percent(level)}"
            count = hour.noticed(AlertKind.ACCOUNT_LIMIT, subject)
            if count:
                facts = {"value": _percent(value), "limit": _percent(limit), "level": _percent(level)}
                hour.tell_still(AlertKind.ACCOUNT_LIMIT, subject, count, {"measure": measure, **facts})


Steps = tuple[tuple[Decimal, Decimal], ...]


def levels_reached(
    performance: Performance, day: DayBook | None, limits: StrategySettings
) -> tuple[Decimal | None, Decimal | None]:
    """The highest alert level (share of a limit; 1 = the limit itself) that today's loss and the drawdown reach."""
    lost, drawdown = losses(performance, day)
    by_day, by_peak = _steps(limits)
    return _level(lost, by_day), _level(drawdown, by_peak)


def quiet_above(performance: Performance, day: DayBook | None, limits: StrategySettings) -> Decimal:
    """A return index above which certainly no alert level is reached today, while the peak is what it is."""
    by_day, by_peak = _steps(limits)
    starts = (performance.index if day is None else day.index, performance.peak)
    return max((ONE - steps[-1][0] + ROUNDING) * start for steps, start in zip((by_day, by_peak), starts, strict=True))


@remembered
def _steps(limits: StrategySettings) -> tuple[Steps, Steps]:
    """What a loss of a day, and a drawdown, must be to reach each level, the highest first."""
    levels = sorted({*limits.alert_levels, ONE}, reverse=True)
    by_day, by_peak = limits.account_day_loss, limits.account_drawdown
    return tuple((level * by_day, level) for level in levels), tuple((level * by_peak, level) for level in levels)


def _level(value: Decimal, steps: Steps) -> Decimal | None:
    if value < steps[-1][0]:
        return None
    return next(level for bound, level in steps if value >= bound)


def fuel_low(values: Mapping[str, Decimal], limits: StrategySettings) -> bool:
    """Whether what is left of BNB is worth less than the least that fees need."""
    return values.get(FUEL, ZERO) < limits.fuel_min


def _fuel(hour: Hour) -> None:
    values, least = values_of(hour.wallet, hour.prices), hour.settings.strategy.fuel_min
    worth = values.get(FUEL, ZERO)
    count = hour.noticed(AlertKind.FUEL) if fuel_low(values, hour.settings.strategy) else 0
    if count:
        pair = FUEL + CASH
        names = dict.fromkeys(gate.name for gate in hour.gates if gate.symbol == pair)
        gates = " ".join(SPENT if name == "fuel_enough" else name for name in names)
        facts = {"value": f"{worth:.2f}", "minimum": plain(least), "gates": gates or _stops(hour)}
        hour.tell_still(AlertKind.FUEL, "", count, facts)


def _stops(hour: Hour) -> str:
    """What stopped everything, so that nothing was even thought of for one pair."""
    stopped = dict.fromkeys(gate.name for gate in (*hour.decided.gates, *hour.gates) if gate.name in STOPPING)
    return " ".join(stopped)


def _api_errors(hour: Hour) -> None:
    """An exchange that answers, but often does not: the hour went through by trying again."""
    hour.usage = hour.world.usage()
    calls, lost = hour.usage.get("calls", 0), hour.usage.get("failed", 0)
    if lost >= API_ERRORS_MIN and lost >= calls * API_ERRORS_RATIO:
        hour.lasting(AlertKind.API_ERRORS, failed=str(lost), calls=str(calls), rate=_percent(Decimal(lost) / calls))


def _budgets(hour: Hour) -> None:
    """Levels of the month's budgets: open while they are reached, told once a month each; another budget, told anew."""
    budgets = hour.settings.budgets
    if not any(budgets.values()):
        return
    known = hour.state.costs.get(month_of(hour.slot), NO_MONTH)
    levels = reached(known, budgets)
    for level in levels:
        hour.noticed(AlertKind.BUDGET, level.name)
        if level.mark not in known.told:
            amount, budget = plain(round(level.amount, 2)), plain(level.budget)
            facts = {"what": level.what, "month": month_of(hour.slot), "spent": amount, "budget": budget}
            hour.tell(AlertKind.BUDGET, level.name, **facts, level=f"{level.level} %")
    told = tuple(dict.fromkeys((*known.told, *(level.mark for level in levels))))
    if told != known.told:
        hour.state = changed(hour.state, costs=with_told(hour.state.costs, hour.slot, told))


def status_hour(told: str, interval_hours: int) -> int | None:
    """The hour (since 1970) in which the periodic report is due, if it was last told at `told` (empty = never); None =
    it is off.
    """
    if not interval_hours:
        return None
    return slot_start_ms(told) // HOUR_MS + interval_hours if told else 0


def _status(hour: Hour) -> None:
    """The periodic report: by hours since the last one, so that a late or missed hour only delays it. 0 = off. It is
    worded only where somebody may read it.
    """
    due = status_hour(hour.state.status_told, hour.settings.status_interval_hours)
    if due is None or slot_start_ms(hour.slot) // HOUR_MS < due:
        return
    hour.status_told = hour.slot
    if not hour.world.told:
        return
    values = values_of(hour.wallet, hour.prices)
    day = hour.state.day
    index = hour.state.performance.index
    shown = [f"{asset} {value:,.2f}" for asset, value in sorted(values.items()) if value >= 1]
    resolution = hour.resolution
    hour.tell(
        AlertKind.STATUS,
        equity=plain(round(total(values), 2)),
        today=_percent(index / day.index - 1 if day is not None and day.index else ZERO),
        drawdown=_percent(account_losses(hour.state)[1]),
        holdings=", ".join(shown) or "-",
        shares=shares_text(values, target_shares(hour.decided)),
        source=resolution.rung.value if resolution else "",
        age=str(resolution.age_days) if resolution and resolution.age_days is not None else "",
    )


def _percent(fraction: Decimal) -> str:
    return f"{fraction * 100:.2f} %"
