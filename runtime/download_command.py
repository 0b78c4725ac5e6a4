"""The command line of a download: which candles, where to, and how far it is.

`run_cycle_replay.py --download` hands over what only an entry may import. Hours are fetched from `--from` to `--to`,
days from as long before as the longest indicator looks back: what a history run of the same span needs.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from runtime.domain.candle_columns import WARMUP_DAYS
from runtime.domain.downloads import STEPS, KlineFile, Span
from runtime.domain.slots import DAY_MS
from runtime.download import Downloaded, Step
from runtime.errors import BadInput
from runtime.history_command import moment

MARKET_DATA = "https://data-api.binance.vision"
"""Binance's host for public market data alone; it serves places where its other hosts do not."""
_SYMBOL = re.compile(r"[A-Z0-9]+USDT")
_SHOWN_EVERY_S = 10.0


def add_download_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that only a download has; it shares `--from` and `--to` with a history run."""
    group = parser.add_argument_group("download")
    group.add_argument("--to-folder", type=Path, metavar="DIR", help="the folder of candles to fill")
    group.add_argument("--interval", default="1h,1d", metavar="LIST", help="1h, 1d or both (default 1h,1d)")
    group.add_argument("--market-data", default=MARKET_DATA, metavar="URL", help=f"default {MARKET_DATA}")


def wanted_of(given: argparse.Namespace) -> dict[KlineFile, Span]:
    """The files and spans that the arguments ask for; `BadInput` names the argument that is wrong."""
    if given.to_folder is None:
        raise BadInput("--to-folder", None, "is needed with --download: the folder of candles to fill")
    span = Span(moment("--from", given.start), moment("--to", given.end))
    if not span.length_ms:
        raise BadInput("--to", given.end, f"must be later than --from {given.start}")
    spans = {"1h": span, "1d": Span(span.start_ms - WARMUP_DAYS * DAY_MS, span.end_ms)}
    intervals = _list("--interval", given.interval, lambda name: name in STEPS, "must be 1h, 1d, or both with a comma")
    pairs = "must be upper-case USDT pairs with commas, such as BTCUSDT,ETHUSDT"
    symbols = _list("--download", given.download, lambda name: bool(_SYMBOL.fullmatch(name)), pairs)
    return {KlineFile(interval, symbol): spans[interval] for symbol in symbols for interval in intervals}


def _list(name: str, text: str, fits: Callable[[str], bool], fix: str) -> list[str]:
    """The different items of a list with commas, in order."""
    items = list(dict.fromkeys(item.strip() for item in text.split(",")))
    wrong = next((item for item in items if not fits(item)), None)
    if wrong is not None:
        raise BadInput(name, wrong, fix)
    return items


def lines_of(wanted: Mapping[KlineFile, Span], done: Downloaded) -> list[str]:
    """What a download did, a line for each file."""
    lines = []
    for file in wanted:
        rows = done.rows.get(file.name)
        if file.symbol in done.unknown:
            what = "Binance knows no such pair"
        elif rows is None:
            what = "complete already"
        else:
            what = f"{rows} candles" if rows else "no candles in this span"
        lines.append(f"{file.name}: {what}")
    return lines


def figures_of(done: Downloaded) -> dict[str, object]:
    """The same for programs."""
    return {"files": dict(done.rows), "unknown": list(done.unknown), "pages": done.pages}


class Teller:
    """Tells on standard error how far a download is: a bar on a terminal, else a line now and then."""

    def __init__(self, bar: Bar) -> None:
        """`bar` has one task."""
        self._bar = bar
        self._told_s = time.monotonic()

    def __call__(self, step: Step) -> None:
        """Take note of a page or a pause."""
        text = f"{step.file.symbol} {step.file.interval}"
        if step.pause_s:
            self._say(f"{text}: waiting {step.pause_s:.0f} s: {step.why}")
        task = self._bar.task_ids[0]
        self._bar.update(task, completed=step.done_ms, total=step.total_ms or None, description=text)
        if self._bar.disable and time.monotonic() - self._told_s >= _SHOWN_EVERY_S:
            self._told_s = time.monotonic()
            self._say(f"{text}: {step.done_ms / max(1, step.total_ms):.0%} of all")

    def _say(self, text: str) -> None:
        if self._bar.disable:
            sys.stderr.write(f"{text}\n")
        else:
            self._bar.console.print(text)


@contextmanager
def telling() -> Iterator[Teller]:
    """A teller on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal, refresh_per_second=4) as bar:
        bar.add_task("", total=None)
        yield Teller(bar)
