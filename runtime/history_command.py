"""The command line of a history run: what is asked for, how far it is, and where it is kept.

`run_cycle_replay.py --history` hands over what only an entry may import. The folder of a run is named by what was asked
for, so that the same command goes on where an interrupted one stopped.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from runtime.backtest import Progress
from runtime.domain.candle_columns import CandleQuery
from runtime.domain.history import History
from runtime.domain.history_plan import Deposits, HistoryPlan
from runtime.domain.money import parse_decimal
from runtime.domain.slots import parse_slot, slot_at, slot_start_ms
from runtime.domain.track import Track
from runtime.errors import BadInput
from runtime.run_settings import Settings

KEEP_EVERY_S = 20.0
SIZE = "STRATEGY_ARTIFACT_EXPECTED_SIZE"
_MONTH, _DAY = re.compile(r"\d{4}-\d{2}"), re.compile(r"\d{4}-\d{2}-\d{2}")
_DEPOSIT = re.compile(r"(\d+(?:\.\d+)?)/month(?:@(\d{1,2}))?")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that only a history run has."""
    group = parser.add_argument_group("history")
    group.add_argument("--from", dest="start", metavar="WHEN", help="first hour: 2021-01, 2021-01-15 or 2021-01-15T09")
    group.add_argument("--to", dest="end", metavar="WHEN", help="where to stop: the first hour that is not run")
    group.add_argument("--capital", default="10000", metavar="USDT", help="at the start (default 10000)")
    group.add_argument("--fees", default="0.001", metavar="FRACTION", help="of each trade (default 0.001)")
    group.add_argument("--slippage", default="0.0005", metavar="FRACTION", help="of each price (default 0.0005)")
    group.add_argument("--deposit", metavar="USDT/month", help="such as 100/month, or 100/month@15 for the 15th")
    group.add_argument("--earn-apr", default="0", metavar="FRACTION", help="what flexible Earn pays a year (default 0)")
    group.add_argument("--resume-days", type=int, metavar="DAYS", help="lift a latched loss limit after so many days")
    group.add_argument("--pools", metavar="WHAT", help="a folder of dated pools, one document, or pairs with commas")
    group.add_argument("--symbols", metavar="PAIRS", help="which candles to read (default: those of the pools)")
    group.add_argument("--allow-gaps", action="store_true", help="run although candles are missing in the middle")
    group.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any setting, by its name")
    group.add_argument("--out", type=Path, default=Path("var/history"), metavar="DIR", help="where runs are kept")


def plan_of(given: argparse.Namespace) -> HistoryPlan:
    """The plan that the arguments ask for; `BadInput` names the argument that is wrong."""
    start, end = moment("--from", given.start), moment("--to", given.end)
    if start >= end:
        raise BadInput("--to", given.end, f"must be later than --from {given.start}")
    return HistoryPlan(
        start,
        end,
        capital=_amount("--capital", given.capital, Decimal(10) ** 12),
        fee=_amount("--fees", given.fees, Decimal("0.1")),
        slippage=_amount("--slippage", given.slippage, Decimal("0.1")),
        deposits=deposits_of(given.deposit),
        earn_apr=_amount("--earn-apr", given.earn_apr, Decimal(1)),
        resume_days=given.resume_days,
    )


def query_of(given: argparse.Namespace, plan: HistoryPlan) -> CandleQuery:
    """The candles that the arguments ask for."""
    symbols = tuple(given.symbols.split(",")) if given.symbols else None
    return CandleQuery(plan.start_ms, plan.end_ms, symbols, allow_gaps=given.allow_gaps)


def moment(name: str, text: str | None) -> int:
    """Epoch ms at which the month, day or hour `text` begins."""
    if text is None:
        raise BadInput(name, text, "is needed: a month, day or UTC hour such as 2021-01")
    whole = text + "-01T00" if _MONTH.fullmatch(text) else text + "T00" if _DAY.fullmatch(text) else text
    try:
        return slot_start_ms(parse_slot(whole))
    except BadInput:
        raise BadInput(name, text, "must be a month, day or UTC hour: 2021-01, 2021-01-15 or 2021-01-15T09") from None


def deposits_of(text: str | None) -> Deposits | None:
    """The schedule in `100/month` or `100/month@15`."""
    if text is None:
        return None
    match = _DEPOSIT.fullmatch(text)
    day = int(match[2] or 1) if match else 0
    if match is None or not 1 <= day <= 31:  # noqa: PLR2004 - days of a month
        raise BadInput("--deposit", text, "must be USDT a month such as 100/month, or 100/month@15 for the 15th")
    return Deposits(_amount("--deposit", match[1], Decimal(10) ** 9), day)


def _amount(name: str, text: str, most: Decimal) -> Decimal:
    value = parse_decimal(text, name)
    if not 0 <= value <= most or round(value, 8) != value:
        raise BadInput(name, text, f"must lie between 0 and {most}, with at most 8 decimals")
    return value


def pairs_of(option: str, pairs: list[str]) -> dict[str, str]:
    """The settings that an option's NAME=VALUE pairs name, as an environment would hold them."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise BadInput(option, pair, "must be NAME=VALUE, such as STRATEGY_PARAM_TOP_N=3")
        found[name] = value
    return found


class Interrupted(Exception):
    """The operator asked the run to stop; its checkpoint is written."""


@dataclass(slots=True)
class Watch:
    """Shows how far a run is, keeps a checkpoint now and then, and stops where it is asked to."""

    keep: Callable[[str], object]
    bar: Bar
    stopping: bool = False
    kept_s: float = field(default_factory=time.monotonic)

    def __call__(self, progress: Progress) -> None:
        """Take note of a simulated day; raises `Interrupted` once a stop was asked for."""
        day, first = slot_at(progress.now_ms)[:10], self.bar.tasks[0].total is None
        task = self.bar.task_ids[0]
        self.bar.update(task, completed=progress.done, total=progress.total, description=day, refresh=first)
        due = time.monotonic() - self.kept_s >= KEEP_EVERY_S
        if (self.stopping or due) and progress.done < progress.total:
            self.keep(progress.checkpoint().text())
            self.kept_s = time.monotonic()
            if self.stopping:
                raise Interrupted(slot_at(progress.now_ms))

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        """Ask for a stop after the simulated day in progress."""
        self.stopping = True


@contextmanager
def watched(keep: Callable[[str], object]) -> Iterator[Watch]:
    """A watch on standard error that Ctrl-C stops."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal, refresh_per_second=4) as bar:
        bar.add_task("", total=None)
        watch = Watch(keep, bar)
        before = signal.signal(signal.SIGINT, watch.stop)
        try:
            yield watch
        finally:
            signal.signal(signal.SIGINT, before)


def sized(settings: dict[str, str], history: History) -> dict[str, str]:
    """The settings with the pools' own size as the expected one, where all have the same and nothing else was said."""
    sizes = {len(pool.document.get("symbols") or ()) for pool in history.pools}
    return {SIZE: str(sizes.pop())} | settings if len(sizes) == 1 else settings


def run_name(settings: Settings, history: History, plan: HistoryPlan) -> str:
    """The name of a run: its span, and a digest of all that it depends on."""
    asked = [settings.public(), plan.public(), history.digest()]
    sha = sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]
    return f"{slot_at(plan.start_ms)[:10]}--{slot_at(plan.end_ms)[:10]}-{sha}"


def summary_of(track: Track) -> dict[str, Any]:
    """The few figures that a run ends with."""
    hours, equity = track.columns.hours, track.column("equity")
    return {
        "hours": len(track),
        "closed_hours": sum(1 for code in hours["exit"] if code),
        "equity": round(equity[-1], 2),
        "deposits": round(sum(hours["flow"]), 2),
        "trades": len(track.trades),
        "sha256": track.digest(),
    }


def shown(track: Track, path: Path) -> str:
    """The same for people."""
    found, capital = summary_of(track), track.plan["capital"]
    lines = (
        f"{found['hours']} hours, {found['closed_hours']} of them not completed, {found['trades']} trades",
        f"capital {capital} USDT, deposits {found['deposits']}, equity at the end {found['equity']}",
        f"track SHA-256 {found['sha256']}",
        f"kept in {path}",
    )
    return "\n".join(lines)
