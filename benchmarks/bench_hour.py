"""What an hour costs: live wiring over sockets (real python-binance, Google's emulator), and a paper hour.

    start to decision, CPU        at most 0.8 s, aim 0.6     peak memory at most 110 MiB
    the same, 150 ms a call       at most 1.7 s of wall time, aim 0.9
    a paper hour, set up          at most 1.0 s of CPU, 100 MiB

Medians of several runs in one call; the machine is shared, so compare rows of the same call. The yardstick row imports
what python-binance and Google's client need and does nothing: no hour can cost less.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.figures import ROOT, Figure, measured
from benchmarks.latency_proxy import delayed
from runtime.adapters.clock import SystemClock
from runtime.adapters.firestore import Connection
from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import PAPER
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.markets import EMBEDDED, FolderMarket, manifest
from runtime.adapters.simulated.server import SimulatedServer
from runtime.adapters.simulated.wire import Credentials
from runtime.domain.slots import HOUR_MS, MINUTE_MS, slot_start_ms
from tests.support.emulator import running_emulator

HERE = Path(__file__).resolve().parent
UPSTREAM = "strategy/CRYPTO_LIVE_POOL_ROTATION_LIVE_POOL"
KEY, SECRET = "k" * 64, "s" * 64
IMPORTS = "import requests, pydantic, google.cloud.firestore, binance.client"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=5, help="runs a row")
    rows = _rows(parser.parse_args().n)
    print(f"{'':28}{'cpu s':>8}{'to decision':>13}{'wall s':>8}{'MiB':>7}  orders")
    for name, runs in rows.items():
        shown = [_median(runs, key) for key in ("whole_cpu_s", "cpu_s", "wall_s", "peak_mib", "orders")]
        print(f"{name:28}{shown[0]:>8}{shown[1]:>13}{shown[2]:>8}{shown[3]:>7}{shown[4]:>8}")


def figures() -> list[Figure]:
    """The figures of the table of everything."""
    rows = _rows(3)
    imports, live, far, paper = rows.values()
    return [
        Figure("live hour: CPU s from start to decision", _median(live, "cpu_s"), "at most 0.8"),
        Figure("  imports of its two clients alone", _median(imports, "whole_cpu_s")),
        Figure("  peak memory, MiB", _median(live, "peak_mib"), "at most 110"),
        Figure("  wall s to the decision, 150 ms a call", _median(far, "wall_s"), "at most 1.7"),
        Figure("paper hour, the first: CPU s", _median(paper, "whole_cpu_s"), "at most 1.0"),
        Figure("  peak memory, MiB", _median(paper, "peak_mib"), "at most 100"),
    ]


def _rows(runs: int) -> dict[str, list[Mapping[str, Any]]]:
    with running_emulator() as emulator:
        return {
            "imports alone": [_child(["-W", "ignore", "-c", IMPORTS], {}) for _ in range(runs)],
            "live hour": [_live(emulator, 0) for _ in range(runs)],
            "live hour, 150 ms a call": [_live(emulator, 0.15) for _ in range(runs)],
            "paper hour, first": [_paper(None) for _ in range(runs)],
        }


def _median(runs: list[Mapping[str, Any]], key: str) -> str:
    values = [run[key] for run in runs if run.get(key) is not None]
    return f"{statistics.median(values):g}" if values else "-"


@dataclass(frozen=True)
class Account:
    """A live account that has already run: its server, its Firestore project, and where its runs keep files."""

    books: Books
    emulator: str
    project: str
    folder: str
    shift_ms: int

    def hour(self, later_ms: int, latency_s: float) -> Mapping[str, Any]:
        """One hour, `later_ms` after the first, with `latency_s` added to each request."""
        shift_ms = self.shift_ms + later_ms
        clock = SystemClock(shift_ms)
        exchange = SimulatedExchange(FolderMarket(EMBEDDED, clock), clock, PAPER, self.books)
        with ExitStack() as stack:
            server = stack.enter_context(SimulatedServer(exchange, Credentials(KEY, SECRET)))
            port, host = int(server.url.rsplit(":", 1)[1]), self.emulator
            if latency_s:
                port = stack.enter_context(delayed(port, latency_s))
                host = f"127.0.0.1:{stack.enter_context(delayed(int(host.rsplit(':', 1)[1]), latency_s))}"
            run = _child([str(HERE / "live_child.py"), str(shift_ms)], self._environment(host, port))
        if run.get("status") != "done":
            raise SystemExit(f"the hour did not finish: {run}")
        return run

    def _environment(self, emulator: str, port: int) -> dict[str, str]:
        url = f"http://127.0.0.1:{port}"
        return {
            "ENGINE_MODE": "live",
            "ENGINE_FIRESTORE_EMULATOR": emulator,
            "ENGINE_DATA_DIR": self.folder,
            "GOOGLE_CLOUD_PROJECT": self.project,
            "BINANCE_API_KEY": KEY,
            "BINANCE_API_SECRET": SECRET,
            "BINANCE_API_URL": url,
            "BINANCE_MARKET_URL": url,
            "TG_TOKEN": "1:t",
            "TG_CHAT_ID": "1",
            "TG_API_URL": url,
        }


def _live(emulator: str, latency_s: float) -> Mapping[str, Any]:
    """The first hour of a UTC day of an account that ran the day before: every pair asks for its new candle."""
    at_ms = slot_start_ms(manifest(EMBEDDED).default_at or "") + 15 * MINUTE_MS
    shift_ms = at_ms - SystemClock().now_ms()
    clock = SystemClock(shift_ms)
    exchange = SimulatedExchange(FolderMarket(EMBEDDED, clock), clock, PAPER)
    exchange.events.deposit("USDT", Decimal(10_000))
    project = f"bench-{os.urandom(6).hex()}"
    pool = json.loads((EMBEDDED / "pool.json").read_text())
    Connection(project, emulator_host=emulator).client.document(UPSTREAM).set(pool)
    with tempfile.TemporaryDirectory() as folder:
        account = Account(exchange.venue.books, emulator, project, folder, shift_ms)
        account.hour(0, 0)
        return account.hour(15 * HOUR_MS, latency_s)


def _paper(data_dir: str | None) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        run = _child(["main.py"], {"ENGINE_DATA_DIR": data_dir or folder})
    return {"whole_cpu_s": run["whole_cpu_s"], "peak_mib": run["peak_mib"], "orders": run.get("orders")}


def _child(arguments: list[str], environment: Mapping[str, str]) -> Mapping[str, Any]:
    """Run python; its last line of output as JSON if it is, with the CPU time and peak memory of the whole process."""
    inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    given = {**inherited, "PYTHONPATH": str(ROOT), **environment}
    found = measured([sys.executable, *arguments], environment=given)
    if found is None:
        raise SystemExit(1)
    return found


if __name__ == "__main__":
    main()
