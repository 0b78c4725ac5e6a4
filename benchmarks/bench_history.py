"""What years of simulated hours cost: throughput, phases, memory, and how both grow with hours and symbols.

    throughput      symbol-bars a CPU second in the run phase; a symbol-bar is one hour of one symbol
    whole process   CPU seconds and peak memory of the command itself, imports, loading and writing included

The data is a folder of candles (`--data`). Peers' scripts that print the same JSON line can be run beside it in the
same call (`--peers DIR`), which is the only fair way on a shared machine: compare rows of one call.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
POOL = "ETHUSDT,SOLUSDT,XRPUSDT,LINKUSDT,AVAXUSDT,ADAUSDT,DOGEUSDT,TRXUSDT,ATOMUSDT,LTCUSDT,BCHUSDT"
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
print(json.dumps({"imports_s": imports, "load_s": load, "run_s": run, "bars": bars, "trades": len(track.trades),
                  "hours": len(track), "equity": track.column("equity")[-1]}))
"""


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of hourly candles")
    parser.add_argument("--peers", type=Path, help="a folder with pyloop.py and numba_baseline.py")
    parser.add_argument("--from", dest="start", default="2021-01-01")
    parser.add_argument("--to", dest="ends", action="append", help="default: 2022, 2023 and 2025-12-31")
    given = parser.parse_args()
    if given.data is None:
        print("left out: name a folder of hourly candles with --data")
        return
    print(f"{'':26}{'bars':>9}{'run s':>8}{'us/hour':>9}{'bars/s':>10}{'load s':>8}{'whole s':>9}{'MiB':>7}")
    for end in given.ends or ["2022-01-01", "2023-01-01", "2025-12-31"]:
        _row(f"history to {end}", _ours(given.data, given.start, end))
    for script in ("pyloop.py", "numba_baseline.py") if given.peers else ():
        found = _measured([sys.executable, str(given.peers / script), "--data", str(given.data)], given.peers)
        if found is not None:
            _row(script, found | {"run_s": found["run_cpu_s"], "load_s": found["load_s"]})


def _ours(data: Path, start: str, end: str) -> dict[str, Any] | None:
    return _measured([sys.executable, "-c", CHILD, str(data), start, end, POOL], ROOT)


def _row(name: str, found: dict[str, Any] | None) -> None:
    if found is None:
        print(f"{name:26} no result")
        return
    hours = found.get("hours")
    each = f"{found['run_s'] / hours * 1e6:.1f}" if hours else "-"
    rate = found["bars"] / found["run_s"] if found["run_s"] else 0
    figures = f"{found['bars']:>9}{found['run_s']:>8.2f}{each:>9}{rate:>10.0f}"
    print(f"{name:26}{figures}{found['load_s']:>8.2f}{found['whole_s']:>9.2f}{found['mib']:>7.0f}")


def _measured(command: Sequence[str], folder: Path) -> dict[str, Any] | None:
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
    found: dict[str, Any] = json.loads(lines[-1])
    return found | {"whole_s": usage.ru_utime + usage.ru_stime, "mib": usage.ru_maxrss / 1024}


if __name__ == "__main__":
    main()
