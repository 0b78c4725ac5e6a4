"""The commands that read the books: `export`, `ledger`, `pnl` and `performance`.

They need the account's store and nothing else: no key, no exchange, no lease. Each prints a table for people and ends
with one JSON line; with `--json` that line holds everything and stands alone. Days are UTC.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from runtime.books import costs_given, export, listed, opened_state
from runtime.desk import Desk
from runtime.domain.documents import encode
from runtime.domain.exporting import CSV, FORMATS, ROWS_MAX, TABLES, Request
from runtime.domain.ledger import Entry
from runtime.domain.lots import Method
from runtime.domain.money import parse_decimal, plain
from runtime.domain.results import Quality
from runtime.domain.slots import date_at
from runtime.errors import BadInput
from runtime.results import PERIODS, Period, performance, profits

Answer = Mapping[str, object]
LISTED_DAYS = 7
LISTED_MAX = 5_000
SINCE = "since"


def add_book_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The arguments of the commands."""
    exporting = commands.add_parser("export", help="the books as a file: for taxes, for an audit, for beancount")
    exporting.add_argument("--format", choices=FORMATS, default=CSV)
    exporting.add_argument("--what", choices=TABLES, help=f"the table of --format {CSV}; default: journal")
    exporting.add_argument("--method", choices=[method.value for method in Method], default=Method.FIFO.value)
    exporting.add_argument(
        "--cost", metavar="ASSET=USDT", action="append", default=[], help="unit cost of what was there"
    )
    exporting.add_argument("--out", metavar="FILE", help="a file, a folder, or - for standard output")
    exporting.add_argument("--rows-max", metavar="N", type=int, default=ROWS_MAX, help="refuse a longer file")
    ledger = commands.add_parser("ledger", help=f"what was booked; default: the last {LISTED_DAYS} days")
    for command in (exporting, ledger):
        command.add_argument("--from", dest="first", metavar="DATE", help="first UTC day, as 2026-01-01")
        command.add_argument("--to", dest="last", metavar="DATE", help="last UTC day, included")
    pnl = commands.add_parser("pnl", help="profit: day, week, month (so far, UTC), all, or since a date")
    pnl.add_argument("period", nargs="*", metavar="PERIOD", help="day, week, month, all; or: since DATE")
    found = commands.add_parser("performance", help="returns and ratios, deposits excluded, beside holding bitcoin")
    found.add_argument("--since", dest="first", metavar="DATE", help="default: the first hour")
    for command in (pnl, found):
        command.add_argument("--method", choices=[m.value for m in Method], default=Method.AVERAGE.value)


def run_export(desk: Desk, given: argparse.Namespace) -> Answer:
    """Write a file of the books."""
    if given.what is not None and given.format != CSV:
        raise BadInput("--what", given.what, f"goes with --format {CSV} only: {given.format} holds the whole history")
    if given.rows_max < 1:
        raise BadInput("--rows-max", given.rows_max, "must be at least 1")
    request = Request(
        desk.account,
        given.format,
        given.what or "journal",
        _day(given.first, "--from"),
        _day(given.last, "--to"),
        Method(given.method),
        costs_given(given.cost, parse_decimal),
        given.rows_max,
    )
    path = _target(desk, given.out, request.file_name)
    told = export(desk.store, request, lambda: desk.places.export(path))
    return {
        "file": "-" if path is None else str(path),
        "rows": told.rows,
        "before": _plain(told.before),
        "after": _plain(told.after),
        "sold_without_gain": _plain(told.sold_without_gain),
        "held_without_cost": _plain(told.held_without_cost),
    }


def run_ledger(desk: Desk, given: argparse.Namespace) -> Answer:
    """List what was booked."""
    from runtime.book_tables import ledger_text  # noqa: PLC0415 - a table library is for those who ask for a table

    state = opened_state(desk.store)
    newest = date.fromisoformat(state.slot_done[:10]) if state.slot_done else date_at(state.initialised_ms)
    last = _day(given.last, "--to") or newest
    first = _day(given.first, "--from") or last - timedelta(days=LISTED_DAYS - 1)
    if first > last:
        known = f"--from, {first}" if given.last else f"the newest hour's day, {last}"
        field, day = ("--to", last) if given.last else ("--from", first)
        raise BadInput(field, str(day), f"must not be {'before' if given.last else 'after'} {known}")
    entries: list[Entry] = []
    for entry in listed(desk.store, first, last):
        if len(entries) == LISTED_MAX:
            raise BadInput(
                "--from", str(first), f"gives more than {LISTED_MAX} entries: take fewer days, or export them"
            )
        entries.append(entry)
    balances = {book.value: _plain(assets) for book, assets in sorted(state.ledger.totals.items())}
    if not given.json:
        desk.say(ledger_text(entries, state.ledger, colour=desk.colour))
        return {"from": str(first), "to": str(last), "entries": len(entries)}
    return {
        "from": str(first),
        "to": str(last),
        "entries": [encode(entry) for entry in entries],
        "balances": balances,
    }


def run_pnl(desk: Desk, given: argparse.Namespace) -> Answer:
    """Say what was earned."""
    from runtime.book_tables import profit_text  # noqa: PLC0415 - as above

    wanted, day = _periods(given.period)
    periods = profits(desk.store, wanted, day, Method(given.method))
    if not given.json:
        desk.say(profit_text(periods, colour=desk.colour))
        return {"periods": len(periods)}
    return {"periods": [_period(period) for period in periods]}


def run_performance(desk: Desk, given: argparse.Namespace) -> Answer:
    """Say how well."""
    from runtime.book_tables import performance_text  # noqa: PLC0415 - as above

    found = performance(desk.store, _day(given.first, "--since"), Method(given.method))
    if not given.json:
        desk.say(performance_text(found, colour=desk.colour))
        return {"from": found.period.result.start.slot, "to": found.period.result.end.slot}
    return {
        "period": _period(found.period),
        "account": _quality(found.account),
        "holding_btc": _quality(found.bitcoin),
    }


BOOK_COMMANDS: Mapping[str, Callable[[Desk, argparse.Namespace], Answer]] = {
    "export": run_export,
    "ledger": run_ledger,
    "pnl": run_pnl,
    "performance": run_performance,
}


def _day(text: str | None, field: str) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise BadInput(field, text, "must be a UTC day such as 2026-01-01") from None


def _periods(words: list[str]) -> tuple[tuple[str, ...], date | None]:
    if words[:1] == [SINCE]:
        day = _day(words[1], SINCE) if len(words) == 2 else None  # noqa: PLR2004 - `since DATE`
        if day is None:
            raise BadInput("period", " ".join(words), "must be: since DATE, as since 2026-01-01")
        return (), day
    for word in words:
        if word not in PERIODS:
            raise BadInput("period", word, f"must be one of {', '.join(PERIODS)}, or: since DATE")
    return tuple(words) or PERIODS, None


def _target(desk: Desk, out: str | None, name: str) -> Path | None:
    if out == "-":
        return None
    path = desk.folder / name if out is None else Path(out)
    return path / name if path.is_dir() else path


def _plain(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {asset: plain(amount) for asset, amount in sorted(amounts.items())}


def _figure(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.10g}")


def _period(period: Period) -> dict[str, Any]:
    done, earned = period.result, period.earned
    return {
        "name": period.name,
        "from": done.start.slot,
        "to": done.end.slot,
        "days": round(done.days, 4),
        "equity_start": plain(done.start.equity),
        "equity_end": plain(done.end.equity),
        "deposits": plain(done.deposits),
        "withdrawals": plain(done.withdrawals),
        "profit": plain(done.profit),
        "time_weighted": _figure(done.time_weighted),
        "money_weighted_year": _figure(done.money_weighted_year),
        "holding_btc": _figure(done.holding_btc),
        "restarts": done.restarts,
        "income": plain(earned.income),
        "fees": plain(earned.fees),
        "trades": earned.trades,
        "volume": plain(earned.volume),
        "realised": plain(earned.realised),
        "not_valued": sorted(period.unvalued | earned.untold),
    }


def _quality(found: Quality | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "time_weighted": _figure(found.total),
        "days": found.days,
        "year": _figure(found.year),
        "max_drawdown": _figure(found.max_drawdown),
        "sharpe": _figure(found.sharpe),
        "sortino": _figure(found.sortino),
        "calmar": _figure(found.calmar),
    }
