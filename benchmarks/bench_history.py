"""What years of simulated hours cost: throughput, phases, memory, how they grow with hours and symbols, beside peers.

    bars      symbol-bars: hours of all symbols
    run s     CPU seconds of the engine's own phase; us/hour: of one simulated hour of all its symbols
    bars/s    symbol-bars a CPU second of it
    x loop    CPU time of a bar over that of the first peer in the same call: the figure to compare between machines
    load s    CPU seconds of reading the candles; every one is parsed, except where it says `again`
    whole s   CPU seconds of the process with imports, reading, run and whatever it writes; MiB is its peak memory

A row `command` is what an operator types, `run_cycle_replay.py --history`, which writes a track and a report: the first
time it parses the candles, `again` it finds them parsed, as it does by default. The other rows of ours read the same
candles and run the same hours without writing anything.

Without `--data` the candles are made here, from a seed. Peers' scripts that print a JSON line with `bars`, `run_cpu_s`
and `load_s` are run in the same call with `--peers` (a folder that has `pyloop.py`): a shared machine's CPU seconds
mean nothing alone. Another one of them, with its own interpreter and arguments if it needs any:
`--peer 'nautilus_rot.py=/venv/bin/python'`. Rows take turns `-n` times; medians are shown.
"""

from __future__ import annotations

import argparse
import gzip
import math
import random
import shlex
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.figures import ROOT, Figure, Found, measured, shown

HOUR_MS, FIRST_MS = 3_600_000, 1_609_459_200_000  # 2021-01-01
# First prices near the real ones of that day: a pair's known lot, at a price of another order, leaves remnants that
# are too small to be sold and too large to be dust.
FIRST = {
    "BTC": 29_000, "ETH": 730, "SOL": 1.5, "XRP": 0.24, "LINK": 11.3, "AVAX": 3.2, "ADA": 0.18, "DOGE": 0.0047,
    "TRX": 0.027, "ATOM": 6.2, "LTC": 125, "BCH": 342,
}  # fmt: skip
REAL = "ETHUSDT,SOLUSDT,XRPUSDT,LINKUSDT,AVAXUSDT"
BEGIN, ENDS = "2021-01-01", {1: "2022-01-01", 2: "2023-01-01", 5: "2025-12-31"}
DIGITS = 6  # of a made-up price, as listings have: where it falls, its steps must not become coarse
HEADER = "open_time_ms,open,high,low,close,volume,quote_volume,trades\n"
HEADS = ("", "bars", "run s", "us/hour", "bars/s", "x loop", "load s", "whole s", "MiB")
CHILD = """
import json, sys, time
from pathlib import Path
from runtime.backtest import run_history
from runtime.config import parse_settings
from runtime.domain.candle_columns import CandleQuery
from runtime.domain.history_plan import HistoryPlan
from runtime.domain.slots import parse_slot, slot_start_ms
from runtime.wiring_past import load_history, past_of
imports = time.process_time()
folder, start, end, pool = sys.argv[1:5]
start_ms, end_ms = (slot_start_ms(parse_slot(day + "T00")) for day in (start, end))
history = load_history(Path(folder), CandleQuery(start_ms, end_ms, allow_gaps=True), pool)
load = time.process_time() - imports
names = {"STRATEGY_ARTIFACT_EXPECTED_SIZE": str(pool.count(",") + 1), "STRATEGY_PARAM_FUEL_MIN": "0"}
plan = HistoryPlan(start_ms, end_ms, resume_days=10)
past = past_of(parse_settings(names, {"first_run": "fresh"}), history, plan)
begun = time.process_time()
track = run_history(past, plan)
run = time.process_time() - begun
bars = len(track) * len(history.candles.hourly)
print(json.dumps({"imports_s": imports, "load_s": load, "run_cpu_s": run, "bars": bars, "hours": len(track),
                  "trades": len(track.trades), "equity": track.column("equity")[-1]}))
"""
Work = Callable[[], Found | None]


def main() -> None:
    """Print one table."""
    given = _arguments()
    with tempfile.TemporaryDirectory() as made:
        works = [*_peers(given, Path(made)), *_scaled(given, Path(made)), *_commands(given, Path(made))]
        if given.real is not None:
            works.append(("real candles", partial(_ours, given.real, BEGIN, "2024-07-01", REAL)))
        found = _in_turns(works, given.n)
    each = [(name, runs) for (name, _), runs in zip(works, found, strict=True)]
    loop = _median(each[0][1], "run_cpu_s") / each[0][1][0]["bars"] if given.peers and each[0][1] else 0.0
    print(shown([HEADS, *(_row(name, runs, loop) for name, runs in each)]))


def figures() -> list[Figure]:
    """The figures of the table of everything: two and five years of the same candles, more symbols, the command."""
    with tempfile.TemporaryDirectory() as place:
        made = Path(place)
        long, narrow, wide = candles(made / "5", 12, 5), candles(made / "12", 12, 1), candles(made / "36", 36, 1)
        two, five, few, many = (
            _ours(folder, BEGIN, ENDS[count], pool_of(symbols)) or {}
            for folder, count, symbols in ((long, 2, 12), (long, 5, 12), (narrow, 1, 12), (wide, 1, 36))
        )
        first, again = (_command(long, 5, made / "out") or {} for _ in range(2))
    hour, bar = (
        [run["run_cpu_s"] / run[of] for run in runs] for of, runs in (("hours", (two, five)), ("bars", (few, many)))
    )
    return [
        Figure("history, 5 years of 12 symbols: CPU time of an hour", f"{hour[1] * 1e6:.0f} us"),
        Figure("  symbol-bars a CPU second", f"{five['bars'] / five['run_cpu_s']:.0f}"),
        Figure(
            "  the command, first run: whole process", f"{first['whole_cpu_s']:.1f} CPU s, {first['peak_mib']:.0f} MiB"
        ),
        Figure("  the command, again", f"{again['whole_cpu_s']:.1f} CPU s, {again['peak_mib']:.0f} MiB"),
        Figure("  an hour of 5 years over one of 2 years", f"{hour[1] / hour[0]:.2f}", "about 1"),
        Figure("  memory, the same way", f"{five['peak_mib'] / two['peak_mib']:.2f}", "about 1"),
        Figure("history, 1 year: a bar of 36 symbols over one of 12", f"{bar[1] / bar[0]:.2f}", "at most 1"),
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=1, help="rounds")
    parser.add_argument("--data", type=Path, help="a folder of hourly candles of 12 symbols from 2021 to 2025")
    parser.add_argument("--real", type=Path, help="a folder of real hourly candles from 2021 to 2024")
    parser.add_argument("--peers", type=Path, help="a folder with pyloop.py")
    parser.add_argument("--peer", action="append", default=[], metavar="SCRIPT=PYTHON", help="another one of them")
    parser.add_argument("--years", default="1,2,5", help="of 12 symbols (default 1,2,5)")
    parser.add_argument("--symbols", default="24,36", help="for a year (default 24,36)")
    return parser.parse_args()


def _in_turns(works: Sequence[tuple[str, Work]], rounds: int) -> list[list[Found]]:
    """What each found, round by round: a neighbour that comes and goes is not one row's alone."""
    found: list[list[Found]] = [[] for _ in works]
    for _ in range(rounds):
        for at, (_, work) in enumerate(works):
            one = work()
            if one is not None:
                found[at].append(one)
    return found


def _peers(given: argparse.Namespace, made: Path) -> Iterator[tuple[str, Work]]:
    if given.peers is None:
        return
    data = given.data or candles(made / "peers", 12, 5)
    for pair in [f"pyloop.py={sys.executable}", *given.peer]:
        script, python = pair.split("=", 1)
        name, *words = shlex.split(script)
        command = [python, str(given.peers / name), "--data", str(data), *words]
        yield script, partial(measured, command, given.peers)


def _scaled(given: argparse.Namespace, made: Path) -> Iterator[tuple[str, Work]]:
    """Ours: more years of 12 symbols, more symbols in a year."""
    for years in map(int, given.years.split(",")):
        folder = given.data or candles(made / f"years{years}", 12, years)
        yield "history", partial(_ours, folder, BEGIN, ENDS[years], pool_of(12))
    for count in map(int, given.symbols.split(",") if given.symbols else ()):
        folder = candles(made / f"symbols{count}", count, 1)
        yield "history", partial(_ours, folder, BEGIN, ENDS[1], pool_of(count))


def _commands(given: argparse.Namespace, made: Path) -> Iterator[tuple[str, Work]]:
    """The longest range of 12 symbols as an operator runs it."""
    years = max(map(int, given.years.split(",")))
    folder = given.data or made / f"years{years}"
    yield f"command, {years} y, first run", lambda: _command(folder, years, Path(tempfile.mkdtemp(dir=made)))
    kept = Path(tempfile.mkdtemp(dir=made))
    yield f"command, {years} y, again", lambda: _again(folder, years, kept)


def _again(data: Path, years: int, kept: Path) -> Found | None:
    """A run that finds its candles parsed, if need be by one that is not measured."""
    if not (kept / "parsed-candles").exists():
        _command(data, years, kept)
    return _command(data, years, kept)


def _command(data: Path, years: int, out: Path) -> Found | None:
    asked = ["--history", str(data), "--pools", pool_of(12), "--from", BEGIN, "--to", ENDS[years], "--allow-gaps"]
    asked += ["--set", "STRATEGY_PARAM_FUEL_MIN=0", "--resume-days", "10", "--out", str(out), "--json"]
    return measured([sys.executable, str(ROOT / "run_cycle_replay.py"), *asked])


def _names(count: int) -> list[str]:
    return [f"{name}USDT" for name in [*FIRST, *(f"COIN{number}" for number in range(len(FIRST), count))][:count]]


def pool_of(count: int) -> str:
    """The pairs of so many symbols that a pool has: all but bitcoin."""
    return ",".join(_names(count)[1:])


def candles(folder: Path, count: int, years: int) -> Path:
    """A folder of hourly candles: one market that all follow, each with a walk of its own."""
    folder.mkdir(parents=True)
    hours = (years * 365 + years // 4) * 24
    dice = random.Random(7)
    market = [dice.gauss(0.00002, 0.005) for _ in range(hours)]
    for name in _names(count):
        with gzip.open(folder / f"{name}.csv.gz", "wt", compresslevel=1) as file:
            file.writelines(_lines(name, market))
    return folder


def _lines(name: str, market: Sequence[float]) -> Iterator[str]:
    dice, price = random.Random(name), float(FIRST.get(name.removesuffix("USDT"), 20))
    yield HEADER
    for hour, moved in enumerate(market):
        opened, price = price, float(f"{price * math.exp(moved + dice.gauss(0, 0.005)):.{DIGITS}g}")
        high, low = max(opened, price) * 1.002, min(opened, price) * 0.998
        prices = ",".join(f"{made:.{DIGITS}g}" for made in (opened, high, low, price))
        yield f"{FIRST_MS + hour * HOUR_MS},{prices},1000,{price * 1000:.2f},100\n"


def _ours(data: Path, start: str, end: str, pool: str) -> Found | None:
    return measured([sys.executable, "-c", CHILD, str(data), start, end, pool])


def _median(runs: Sequence[Mapping[str, float]], name: str) -> float:
    return statistics.median(run[name] for run in runs)


def _row(name: str, runs: Sequence[Found], loop: float) -> list[str]:
    if not runs:
        return [name, "no result", *[""] * (len(HEADS) - 2)]
    one, whole, mib = runs[0], _median(runs, "whole_cpu_s"), _median(runs, "peak_mib")
    if "run_cpu_s" not in one:  # the command does not say how long it took for what
        return [name, *["-"] * 6, f"{whole:.2f}", f"{mib:.0f}"]
    run, bars = _median(runs, "run_cpu_s"), one["bars"]
    if "hours" in one:
        name += f", {bars // one['hours']} symbols, {one['hours'] / 8766:.1f} y"
    hour = f"{run / one['hours'] * 1e6:.1f}" if "hours" in one else "-"
    times = f"{run / bars / loop:.3g}" if loop else "-"
    speeds = (f"{run:.2f}", hour, f"{bars / run:.0f}", times)
    return [name, str(bars), *speeds, f"{_median(runs, 'load_s'):.2f}", f"{whole:.2f}", f"{mib:.0f}"]


if __name__ == "__main__":
    main()
