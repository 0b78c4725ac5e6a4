"""The stage: one account at a simulated exchange over HTTP, and the runs of its hours as real processes.

The exchange, its clock and the store outlive the runs; a run is told where they are by its environment alone, as the
real one is. The store is a SQLite file, or Firestore on the emulator. Time moves only here.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from runtime.adapters.firestore import Connection, FirestoreStore
from runtime.adapters.simulated.conditions import PAPER, Fault
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.markets import EMBEDDED, FolderMarket
from runtime.adapters.simulated.server import SimulatedServer
from runtime.adapters.simulated.wire import Credentials
from runtime.adapters.sqlite import SqliteStore
from runtime.domain.slots import HOUR_MS, MINUTE_MS, date_at, slot_start_ms
from runtime.ports import Changes, Store
from tests.scenarios.processes.clock import SharedClock
from tests.scenarios.processes.nursery import Ended, Nursery, Trap
from tests.support.audit import Records, records
from tests.support.restless import UNLIMITED
from tests.support.telegram_server import CHAT, TOKEN, TelegramServer, serving

KEY, SECRET = "k" * 64, "s" * 64
FIRST_MS = slot_start_ms("2026-03-11T09Z") + 15 * MINUTE_MS
LAST_MS = slot_start_ms("2026-03-31T00Z")
LEASE_OVER_S = 421
STORE_KINDS = ("sqlite", "firestore")


@dataclass(slots=True)
class Strike:
    """What befalls a process at its `at`-th request (from 1), and what becomes of that request: a signal, or `act`."""

    at: int
    signal: int = 0
    fate: Fault | None = None
    act: Callable[[], None] | None = None
    pid: int = 0
    known: threading.Event = field(default_factory=threading.Event)
    seen: int = 0

    def fault(self) -> Fault | None:
        """Count a request; strike if it is the one."""
        self.seen += 1
        if self.seen != self.at:
            return None
        self.known.wait()
        if self.act is not None:
            self.act()
        else:
            os.kill(self.pid, self.signal)
        return self.fate


class Sky:
    """The weather of the stage: none, but for a strike."""

    strike: Strike | None = None

    def at(self, endpoint: str, number: int) -> Fault | None:
        """The fault of this request."""
        return self.strike.fault() if self.strike else None


@dataclass(frozen=True, slots=True)
class Run:
    """A process that was started, and where it prints."""

    pid: int
    out: Path

    def said(self) -> dict[str, Any]:
        """The exit line; empty if the process did not live to print it."""
        lines = self.out.read_text().splitlines()
        found: dict[str, Any] = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
        return found


class Stage:
    """See the module. `emulator` (host:port) makes the store Firestore's."""

    def __init__(self, folder: Path, nursery: Nursery, url: str, stage: _Built) -> None:
        self.folder, self._nursery, self._url = folder, nursery, url
        self.clock, self.exchange, self.telegram = stage.clock, stage.exchange, stage.telegram
        self.sky, self.emulator = stage.sky, stage.emulator
        self._runs = 0
        self._firestore = (
            FirestoreStore(Connection(stage.project, emulator_host=stage.emulator)) if stage.emulator else None
        )
        self.environment = self._environment(stage.project)

    def start(self, trap: Trap | Strike | None = None, **environment: str) -> Run:
        """Start this hour in a process."""
        self._runs += 1
        out = self.folder / f"run{self._runs}.out"
        self.sky.strike = trap if isinstance(trap, Strike) else None
        inner = trap if isinstance(trap, Trap) else None
        pid = self._nursery.run(self.environment | environment, self.folder / "clock", out, inner)
        if isinstance(trap, Strike):
            trap.pid = pid
            trap.known.set()
        return Run(pid, out)

    def wait(self, run: Run) -> Ended:
        """Wait until the process ended or was stopped."""
        return self._nursery.wait(run.pid)

    def hour(self, **environment: str) -> dict[str, Any]:
        """An undisturbed hour, from its start to its exit line; on a whole minute, because Earn grows by the minute."""
        self.clock.set(-(-self.clock.now_ms() // MINUTE_MS) * MINUTE_MS)
        run = self.start(None, **environment)
        ended = self.wait(run)
        said = run.said()
        assert ended == Ended("exited", said.get("exit_code", -1)), f"{ended}: {run.out.read_text()[-2000:]}"
        return said

    def wake(self, run: Run) -> Ended:
        """Let a stopped process go on, and wait for its end."""
        os.kill(run.pid, signal.SIGCONT)
        return self.wait(run)

    def next_hour(self) -> None:
        """Move to 15 minutes into the next hour."""
        self.clock.set(self.clock.now_ms() // HOUR_MS * HOUR_MS + HOUR_MS + 15 * MINUTE_MS)

    def lease_over(self) -> None:
        """Let so much time pass that no lease is alive, by the store's clock too."""
        self.clock.sleep(LEASE_OVER_S)
        if self._firestore is not None:  # its clock is its own: the lease is what moves
            loaded = self._firestore.load()
            if loaded.lease is not None and loaded.state is not None and loaded.lease.expires_ms > loaded.read_ms:
                held = self._firestore.take_lease(loaded, loaded.lease.owner, loaded.lease.slot, 0)
                self._firestore.commit(held, Changes(loaded.state, release=True))

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The account's store, as another process would open it."""
        if self._firestore is not None:
            yield self._firestore
            return
        opened = SqliteStore(self.home / "state.sqlite", self.clock)
        try:
            yield opened
        finally:
            opened.close()

    @property
    def home(self) -> Path:
        """Where the runs keep their files."""
        return self.folder / "data" / "live" / "main"

    def kept(self) -> Records | None:
        """Everything the store holds."""
        with self.store() as store:
            return records(store, date_at(FIRST_MS), date_at(self.clock.now_ms()) + timedelta(days=1))

    def close(self) -> None:
        """Give back what the stage opened for itself."""
        if self._firestore is not None:
            self._firestore.close()

    def _environment(self, project: str) -> dict[str, str]:
        names = {
            "ENGINE_MODE": "live",
            "ENGINE_STORE": "firestore" if self.emulator else "sqlite",
            "ENGINE_FIRST_RUN": "fresh",
            "ENGINE_DATA_DIR": str(self.folder / "data"),
            "BINANCE_API_KEY": KEY,
            "BINANCE_API_SECRET": SECRET,
            "BINANCE_API_URL": self._url,
            "BINANCE_MARKET_URL": self._url,
            "TG_TOKEN": TOKEN,
            "TG_CHAT_ID": CHAT,
            "TG_API_URL": self.telegram.url,
            "STRATEGY_ARTIFACT_FILE": str(EMBEDDED / "pool.json"),
            "STRATEGY_ARTIFACT_ALLOW_NEW_ENTRIES_ON_DEGRADED": "1",
        }
        if self.emulator:
            names |= {"GOOGLE_CLOUD_PROJECT": project, "ENGINE_FIRESTORE_EMULATOR": self.emulator}
        return names | {f"STRATEGY_PARAM_{name.upper()}": value for name, value in UNLIMITED.items()}


@dataclass(frozen=True, slots=True)
class _Built:
    clock: SharedClock
    exchange: SimulatedExchange
    telegram: TelegramServer
    sky: Sky
    emulator: str
    project: str


@contextmanager
def staged(folder: Path, nursery: Nursery, emulator: str = "", capital: int = 10_000) -> Iterator[Stage]:
    """An account with `capital` USDT and one ETH that is the owner's, at an exchange that serves."""
    folder.mkdir(parents=True, exist_ok=True)
    clock, sky = SharedClock(folder / "clock", FIRST_MS), Sky()
    exchange = SimulatedExchange(FolderMarket(EMBEDDED, clock), clock, replace(PAPER, faults=sky))
    exchange.events.deposit("USDT", Decimal(capital))
    exchange.events.deposit("ETH", Decimal(1))
    with ExitStack() as stack:
        server = stack.enter_context(SimulatedServer(exchange, Credentials(KEY, SECRET)))
        telegram = stack.enter_context(serving())
        built = _Built(clock, exchange, telegram, sky, emulator, f"t-{os.urandom(8).hex()}")
        stage = Stage(folder, nursery, server.url, built)
        stack.callback(stage.close)
        yield stage
