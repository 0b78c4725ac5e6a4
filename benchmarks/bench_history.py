"""What years of simulated hours cost: throughput, phases, memory, how they grow with hours and symbols, beside peers.

    bars/s    symbol-bars a CPU second in the run phase; a symbol-bar is one hour of one symbol
    us/hour   CPU time of one simulated hour of all its symbols
    x loop    CPU time of a bar over that of the first peer in the same call: the figure to compare between machines
    whole s   CPU seconds of the process with imports, parsing every candle, and the run; MiB is its peak memory

Without `--data` the candles are made here, from a seed. Peers' scripts that print a JSON line with `bars`, `run_cpu_s`
and `load_s` are run in the same call with `--peers` (a folder that has `pyloop.py`): a shared machine's CPU seconds
mean nothing alone. Another interpreter for one of them: `--peer nautilus_rot.py=/venv/bin/python`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HOUR_MS, FIRST_MS = 3_600_000, 1_609_459_200_000  # 2021-01-01
NAMED = ["BTC", "ETH", "SOL", "XRP", "LINK", "AVAX", "ADA", "DOGE", "TRX", "ATOM", "LTC", "BCH"]
REAL = "ETHUSDT,SOLUSDT,XRPUSDT,LINKUSDT,AVAXUSDT"
YEARS = {1: "2022-01-01", 2: "2023-01-01", 5: "2025-12-31"}
HEADER = "open_time_ms,open,high,low,close,volume,quote_volume,trades\n"
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
print(json.dumps({"imports_s": imports, "load_s": load, "run_s": run, "bars": bars, "hours": len(track),
                  "trades": len(track.trades), "equity": track.column("equity")[-1]}))
"""
WIDTHS = (9, 8, 9, 10, 8, 8, 9, 7)
Found = dict[str, Any]


def main() -> None:
    """Print one table."""
    given = _arguments()
    with tempfile.TemporaryDirectory() as made:
        rows = [*_peers(given, Path(made)), *_scaled(given, Path(made))]
        if given.real is not None:
            rows.append(("real candles, 6 symbols", _ours(given.real, "2021-01-01", "2024-07-01", REAL)))
    yardstick = next((found["run_s"] / found["bars"] for _, found in rows if found), 0.0) if given.peers else 0.0
    print(
        f"{'':30}{'bars':>9}{'run s':>8}{'us/hour':>9}{'bars/s':>10}{'x loop':>8}{'load s':>8}{'whole s':>9}{'MiB':>7}"
    )
    for name, found in rows:
        print(_row(name, found, yardstick))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of hourly candles of 12 symbols from 2021 to 2025")
    parser.add_argument("--real", type=Path, help="a folder of real hourly candles from 2021 to 2024")
    parser.add_argument("--peers", type=Path, help="a folder with pyloop.py and perhaps numba_baseline.py")
    parser.add_argument("--peer", action="append", default=[], metavar="SCRIPT=PYTHON", help="another one of them")
    parser.add_argument("--years", default="1,2,5", help="of 12 symbols (default 1,2,5)")
    parser.add_argument("--symbols", default="24,36", help="for a year (default 24,36)")
    return parser.parse_args()


def _peers(given: argparse.Namespace, made: Path) -> list[tuple[str, Found | None]]:
    if given.peers is None:
        return []
    data = given.data or _candles(made / "peers", 12, 5)
    named = [("pyloop.py", sys.executable), *(tuple(pair.split("=", 1)) for pair in given.peer)]
    rows = []
    for script, python in named:
        found = _measured([python, str(given.peers / script), "--data", str(data)], given.peers)
        rows.append((script, found and found | {"run_s": found["run_cpu_s"]}))
    return rows


def _scaled(given: argparse.Namespace, made: Path) -> list[tuple[str, Found | None]]:
    """Ours: more years of 12 symbols, more symbols in a year."""
    rows = []
    for years in map(int, given.years.split(",")):
        folder = given.data or _candles(made / f"years{years}", 12, years)
        rows.append((f"history, 12 symbols, {years} y", _ours(folder, "2021-01-01", YEARS[years], _pool(12))))
    for count in map(int, given.symbols.split(",") if given.symbols else ()):
        folder = _candles(made / f"symbols{count}", count, 1)
        rows.append((f"history, {count} symbols, 1 y", _ours(folder, "2021-01-01", YEARS[1], _pool(count))))
    return rows


def _names(count: int) -> list[str]:
    return [f"{name}USDT" for name in [*NAMED, *(f"COIN{number}" for number in range(len(NAMED), count))][:count]]


def _pool(count: int) -> str:
    return ",".join(_names(count)[1:])


def _candles(folder: Path, count: int, years: int) -> Path:
    """A folder of hourly candles: one market that all follow, each with a walk of its own."""
    folder.mkdir(parents=True)
    hours = (years * 365 + years // 4) * 24
    dice = random.Random(7)
    market = [dice.gauss(0.00002, 0.005) for _ in range(hours)]
    for name in _names(count):
        dice, price, lines = random.Random(name), 20.0, [HEADER]
        for hour, moved in enumerate(market):
            opened, price = price, max(0.01, price * math.exp(moved + dice.gauss(0, 0.005)))
            high, low = max(opened, price) * 1.002, min(opened, price) * 0.998
            at = FIRST_MS + hour * HOUR_MS
            lines.append(f"{at},{opened:.4f},{high:.4f},{low:.4f},{price:.4f},1000,{price * 1000:.2f},100\n")
            price = float(f"{price:.4f}")
        (folder / f"{name}.csv").write_text("".join(lines))
    return folder


def _ours(data: Path, start: str, end: str, pool: str) -> Found | None:
    return _measured([sys.executable, "-c", CHILD, str(data), start, end, pool], ROOT)


def _row(name: str, found: Found | None, yardstick: float) -> str:
    if found is None:
        return f"{name:30} no result"
    each = f"{found['run_s'] / found['hours'] * 1e6:.1f}" if "hours" in found else "-"
    rate = found["bars"] / found["run_s"] if found["run_s"] else 0
    times = f"{found['run_s'] / found['bars'] / yardstick:.1f}" if yardstick else "-"
    phases = (f"{found[phase]:.2f}" for phase in ("load_s", "whole_s"))
    figures = (found["bars"], f"{found['run_s']:.2f}", each, f"{rate:.0f}", times, *phases, f"{found['mib']:.0f}")
    return f"{name:30}" + "".join(f"{figure:>{width}}" for figure, width in zip(figures, WIDTHS, strict=True))


def _measured(command: Sequence[str], folder: Path) -> Found | None:
    """The last line of a command as JSON, with CPU seconds and peak memory of the whole process."""
    with tempfile.TemporaryFile() as out:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(list(command), stdout=out, stderr=subprocess.DEVNULL, cwd=folder, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        out.seek(0)
        lines = [line for line in out.read().decode().splitlines() if line.startswith("{")]
    if status or not lines:
        return None
    found: Found = json.loads(lines[-1])
    return found | {"whole_s": usage.ru_utime + usage.ru_stime, "mib": usage.ru_maxrss / 1024}


if __name__ == "__main__":
    main()
