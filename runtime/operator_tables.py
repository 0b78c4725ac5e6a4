"""What the operator's commands show in a terminal, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from runtime.answers import Position, Status
from runtime.domain.costs import MonthCosts, measured
from runtime.domain.layout import NONE, money, number, percent
from runtime.domain.slots import ago_text, minute_text
from runtime.domain.texts import Language, label
from runtime.domain.why import Card
from runtime.domain.why_text import worded
from runtime.tables import printed, row, table

HELD = ("sleeve", "gate", "symbol", "compared", "needs")


def why_text(card: Card, language: Language, *, colour: bool = False) -> str:
    """The card of a slot."""
    told = worded(card, language)
    above = table(told.headline, ("", ""))
    lines = {"saw": told.saw, "judged": told.judged, "decision": told.decided, "did": told.did}
    for name, said in {"problems": told.remarks, **lines}.items():
        if said:
            row(above, label("heading", name, language), list(said))
    held = table(label("heading", "gates", language), [label("column", name, language) for name in HELD])
    for one in told.held:
        row(held, one.sleeve, one.gate, one.symbol, list(one.compared), list(one.needs))
    return printed([above, held] if told.held else [above], colour=colour)


def status_text(status: Status, overview: Mapping[str, Any], *, colour: bool = False) -> str:
    """How the account stands; what is as it should be is not mentioned."""
    made = table(f"Account {status.account}", ("", ""))
    ended = NONE if status.exit_code is None else f"exit {status.exit_code}, {ago_text(status.age_minutes or 0)}"
    row(made, "last hour", f"{status.slot or NONE} ({ended})")
    until = f" until {minute_text(status.control.expires_ms)}" if status.control.expires_ms else ""
    who = f" by {status.control.who}: {status.control.why}" if status.control.who else ""
    row(made, "control", f"{status.mode}{until}{who}")
    row(made, "equity", f"{money(status.equity)} USDT, drawdown {percent(status.drawdown)}")
    if status.pool is not None:
        hours = status.pool.degraded_cycles
        degraded = f", DEGRADED for {hours} hour{'' if hours == 1 else 's'}" if status.pool.degraded else ""
        row(made, "pool", f"{label('rung', status.pool.rung, Language.EN)}, version {status.pool.version}{degraded}")
    for name in ("managed", "earn", "reserved", "drift"):
        if overview[name]:
            row(made, name, [f"{amount} {asset}" for asset, amount in overview[name].items()])
    troubles = {"open orders": status.open_intents, "missed hours": status.missed, "alerts waiting": status.waiting}
    for name, count in troubles.items():
        if count:
            row(made, name, str(count))
    if status.incidents:
        row(made, "incidents", list(status.incidents))
    if status.leased_until_ms is not None:
        row(made, "an hour runs", f"its lease ends {minute_text(status.leased_until_ms)}")
    return printed([made], colour=colour)


def positions_text(positions: Sequence[Position], *, colour: bool = False) -> str:
    """What is held, a line each."""
    heads = ("symbol", ">quantity", ">entry", ">price", ">USDT", ">profit", ">stop", "since")
    made = table("Positions", heads)
    for held in positions:
        row(
            made,
            held.symbol,
            number(held.quantity),
            number(held.average, 6),
            number(held.price, 6),
            money(held.value),
            money(held.profit),
            number(held.stop, 6),
            minute_text(held.opened_ms) if held.opened_ms else NONE,
        )
    return printed([made], colour=colour)


def costs_text(months: Mapping[str, MonthCosts], budgets: Mapping[str, Decimal], *, colour: bool = False) -> str:
    """A line a month; below it what the running month has used of its budgets."""
    heads = (">orders", ">traded", ">fees", ">slippage", ">bps", ">minutes", ">not valued")
    made = table("Costs (USDT)", ("month", *heads))
    for month, costs in months.items():
        spent = costs.spent
        row(
            made,
            month,
            str(spent.orders),
            money(spent.traded),
            money(spent.fees),
            money(spent.slippage),
            number(spent.slippage_bps, 4),
            str(costs.minutes),
            str(spent.unvalued or NONE),
        )
    newest = next(iter(months), "")
    used = table(f"Budgets of {newest}", ("", ">spent", ">budget", ">used"))
    if newest:
        for what, amount in measured(months[newest]).items():
            if budgets[what]:
                row(used, what, number(amount), number(budgets[what]), percent(amount / budgets[what]))
    return printed([made, used] if used.row_count else [made], colour=colour)


def orders_text(listed: Mapping[str, Sequence[Mapping[str, Any]]], *, colour: bool = False) -> str:
    """Open intents and those of the newest hour."""
    tables = []
    for title, orders in listed.items():
        if not orders:
            tables.append(table(f"Orders, {title}: none", ()))
            continue
        tables.append(table(f"Orders, {title}", ("id", "symbol", "side", ">quantity", "status", "detail")))
        for order in orders:
            cells = ("id", "symbol", "side", "quantity", "status", "detail")
            row(tables[-1], *(str(order.get(name, "open")) for name in cells))
    return printed(tables, colour=colour)
