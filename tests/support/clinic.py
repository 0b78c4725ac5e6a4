"""A live account in perfect health, made of stand-ins that speak the real protocols; tests break one thing at a time.

The exchange is the simulated server on loopback, reached by python-binance; Firestore is Google's emulator, reached by
Google's client; Telegram is a Bot API on loopback. The doctor is consulted as the command line does, by environment.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from runtime.adapters.clock import SystemClock
from runtime.adapters.firestore import Connection, FirestoreStore
from runtime.adapters.simulated import wire
from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import PAPER, Fault, Script
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.server import SimulatedServer
from runtime.command import Arguments
from runtime.doctor import consult
from runtime.domain.api_key import account_digest
from runtime.domain.slots import MINUTE_MS, slot_at
from runtime.domain.state import State
from runtime.ports import Changes, CycleRecord
from runtime.wiring import wired
from tests.support import telegram_server
from tests.support.markets import TableMarket
from tests.support.sources import ROOT
from tests.support.telegram_server import TelegramServer
from tests.support.worlds import CAPITAL, KEY, SECRET, release

POOL = ("ETHUSDT", "SOLUSDT", "XRPUSDT", "LINKUSDT", "LTCUSDT")
PRICES = {"BTCUSDT": "60000", "BNBUSDT": "300", "ETHUSDT": "2500", "SOLUSDT": "150", "XRPUSDT": "0.6", "LINKUSDT": "15",
          "LTCUSDT": "90"}  # fmt: skip
UPSTREAM = "strategy/CRYPTO_LIVE_POOL_ROTATION_LIVE_POOL"
STATE = "strategy/MULTI_ASSET_STATE"
ENVIRONMENT = ("ENGINE_", "BINANCE_", "TG_", "STRATEGY_", "GOOGLE_", "GLOBAL_TELEGRAM", "NOTIFY_", "BTC_STATUS")


@dataclass(frozen=True, slots=True)
class Finding:
    """What the doctor said: exit code, the last line, and its rows by name, in order."""

    code: int
    line: Mapping[str, Any]
    printed: str
    rows: Mapping[str, Mapping[str, str]]

    def having(self, status: str) -> list[str]:
        """The names of the rows with this status."""
        return [name for name, row in self.rows.items() if row["status"] == status]


@dataclass
class Clinic:
    """The account and its surroundings; `environment` is what the doctor is started with."""

    monkeypatch: pytest.MonkeyPatch
    exchange: SimulatedExchange
    telegram: TelegramServer
    emulator: str
    project: str
    environment: dict[str, str] = field(default_factory=dict)
    now_ms: int = field(default_factory=lambda: SystemClock().now_ms())

    def weather(self, **changes: Any) -> None:
        """Change the exchange's conditions."""
        self.exchange.venue.conditions = replace(self.exchange.venue.conditions, **changes)

    def fault(self, endpoint: str, fault: Fault) -> None:
        """Let every call of an endpoint go wrong."""
        self.weather(faults=Script({endpoint: {0: fault}}))

    def document(self, path: str, content: Mapping[str, Any] | None) -> None:
        """Put a document into Firestore, or take it away."""
        connection = Connection(self.project, emulator_host=self.emulator)
        reference = connection.client.document(path)
        if content is None:
            reference.delete(timeout=5, retry=None)
        else:
            reference.set(dict(content), timeout=5, retry=None)
        connection.close()

    def documents(self) -> dict[str, Any]:
        """Every document of the account, by its path below the state's."""
        connection = Connection(self.project, emulator_host=self.emulator)
        state = connection.client.document(STATE)
        found = {STATE: state.get(timeout=5, retry=None).to_dict()}
        for collection in state.collections(timeout=5, retry=None):
            for snapshot in collection.stream(timeout=5, retry=None):
                found[f"{collection.id}/{snapshot.id}"] = snapshot.to_dict()
        connection.close()
        return found

    def pool(self, **changes: object) -> None:
        """Publish a pool document that is as it should be, but for `changes`."""
        as_of = date.today() - timedelta(days=10)  # noqa: DTZ011 - ten days are far from any limit
        self.document(UPSTREAM, {**release(POOL, as_of.isoformat()), **changes})

    def state(self, *, ended_minutes_ago: int = 5, **changes: Any) -> None:
        """Store a state as the hour before left it, but for `changes`."""
        slot = slot_at(self.now_ms)
        state = replace(State("main", initialised_ms=1, slot_done=slot, account_digest=account_digest("1")), **changes)
        cycle = CycleRecord(slot, 0, self.now_ms - ended_minutes_ago * MINUTE_MS)
        store = FirestoreStore(Connection(self.project, emulator_host=self.emulator))
        held = store.take_lease(store.load(), "an earlier run", slot, 420)
        store.commit(held, Changes(state, intents=state.intents, cycle=cycle, release=True))
        store.close()

    def examine(self, *, deep: bool = False, as_json: bool = True) -> Finding:
        """Consult the doctor in this process."""
        for name in [name for name in os.environ if name.startswith(ENVIRONMENT)]:
            self.monkeypatch.delenv(name)
        for name, value in self.environment.items():
            self.monkeypatch.setenv(name, value)
        printed = io.StringIO()
        with redirect_stdout(printed):
            code = consult(Arguments({}, as_json, validate_only=True, deep=deep), wired)
        return finding(code, printed.getvalue())

    def process(self, *arguments: str) -> tuple[Finding, float]:
        """The same as a process of its own, and the seconds it took."""
        started = time.monotonic()
        found = self._run(str(ROOT / "main.py"), "--validate-only", "--json", *arguments)
        return found, time.monotonic() - started

    def command(self, *arguments: str) -> Finding:
        """What the operator's command line says."""
        return self._run("-m", "runtime", *arguments)

    def _run(self, *arguments: str) -> Finding:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**kept, "TZ": "UTC", **self.environment},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.stderr == "", done.stderr
        return finding(done.returncode, done.stdout)


def finding(code: int, printed: str) -> Finding:
    """What was printed, as rows; the last line must agree with the exit code."""
    line = json.loads(printed.splitlines()[-1])
    assert line["exit_code"] == code
    return Finding(code, line, printed, {row["name"]: row for row in line.get("checks", [])})


CHANNEL = "json://127.0.0.1:9/hook-of-the-second-channel"


@contextmanager
def clinic(monkeypatch: pytest.MonkeyPatch, emulator: str, folder: Path) -> Iterator[Clinic]:
    """A healthy account; everything that was started is ended."""
    clock = SystemClock()
    exchange = SimulatedExchange(TableMarket(clock, PRICES), clock, PAPER, Books.opened(CAPITAL))
    with ExitStack() as opened:
        server = opened.enter_context(SimulatedServer(exchange, wire.Credentials(KEY, SECRET)))
        telegram = opened.enter_context(telegram_server.serving())
        made = Clinic(monkeypatch, exchange, telegram, emulator, f"t-{secrets.token_hex(8)}")
        made.environment = {
            "ENGINE_MODE": "live",
            "ENGINE_DATA_DIR": str(folder),
            "ENGINE_FIRESTORE_EMULATOR": emulator,
            "GOOGLE_CLOUD_PROJECT": made.project,
            "BINANCE_API_KEY": KEY,
            "BINANCE_API_SECRET": SECRET,
            "BINANCE_API_URL": server.url,
            "BINANCE_MARKET_URL": server.url,
            "TG_TOKEN": telegram_server.TOKEN,
            "TG_CHAT_ID": telegram_server.CHAT,
            "TG_API_URL": telegram.url,
            "ENGINE_CHANNEL_URL": CHANNEL,
        }
        made.state()
        made.pool()
        yield made


@contextmanager
def refusing() -> Iterator[int]:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that takes every connection and never answers on one."""
    kept: list[socket.socket] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def swallow() -> None:
        with suppress(OSError):  # closed below
            while True:
                kept.append(listening.accept()[0])

    thread = threading.Thread(target=swallow, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
        for connection in kept:
            connection.close()


def alive_s() -> float:
    """Seconds within which the doctor answers, whatever is dead: 10 on a machine that others do not keep busy."""
    return 10 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
