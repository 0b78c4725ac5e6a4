"""The real command in a process of its own: `main.py` in an empty folder, and a live account for it over loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.adapters.clock import SystemClock
from runtime.adapters.simulated import wire
from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import PAPER
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.server import SimulatedServer
from tests.support.markets import TableMarket
from tests.support.sources import ROOT
from tests.support.worlds import CAPITAL, KEY, SECRET


@dataclass(frozen=True, slots=True)
class Run:
    """How a process ended."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> dict[str, Any]:
        """The exit line."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found


@dataclass(frozen=True, slots=True)
class Engine:
    """`main.py` with a folder of its own and nothing of the outer environment."""

    folder: Path

    def __call__(self, *arguments: str, script: str = "", **environment: str) -> Run:
        command = [sys.executable, "-c", script] if script else [sys.executable, str(ROOT / "main.py"), *arguments]
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        given = {**kept, "ENGINE_DATA_DIR": str(self.folder), "PYTHONPATH": str(ROOT), "TZ": "UTC", **environment}
        coding = environment.get("PYTHONIOENCODING", "utf-8")
        done = subprocess.run(
            command, env=given, cwd=self.folder, capture_output=True, encoding=coding, timeout=100, check=False
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """The same, not waited for."""
        return subprocess.Popen(
            [sys.executable, str(ROOT / "main.py"), *arguments],
            env={"PATH": os.environ["PATH"], "ENGINE_DATA_DIR": str(self.folder), **environment},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
        )


@contextmanager
def live(conditions: Any = PAPER) -> Iterator[tuple[dict[str, str], SimulatedExchange]]:
    """The settings of a live account at a simulated exchange that keeps this machine's time."""
    clock = SystemClock()
    market = TableMarket(clock, {"BTCUSDT": "60000", "BNBUSDT": "300", "ETHUSDT": "2500", "SOLUSDT": "150"})
    exchange = SimulatedExchange(market, clock, conditions, Books.opened(CAPITAL))
    with SimulatedServer(exchange, wire.Credentials(KEY, SECRET)) as server:
        yield (
            {
                "ENGINE_MODE": "live",
                "ENGINE_STORE": "sqlite",
                "ENGINE_FIRST_RUN": "fresh",
                "BINANCE_API_KEY": KEY,
                "BINANCE_API_SECRET": SECRET,
                "BINANCE_API_URL": server.url,
                "BINANCE_MARKET_URL": server.url,
                "TG_TOKEN": "123456:planted-token-planted",
                "TG_CHAT_ID": "-1007654321",
                "TG_API_URL": "http://127.0.0.1:9",
            },
            exchange,
        )
