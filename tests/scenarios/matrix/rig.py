"""The rig: one account at the simulated exchange, and the processes that come and go on it, hour by hour.

Each run gets what a new process has: a new owner token, new store objects, no memory of what the last one saw. The
exchange, its clock and the operator's phone go on.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.concurrency import serial_gather
from runtime.adapters.files import NullReportSink
from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import PAPER, Conditions
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.markets import EMBEDDED, FolderMarket, FolderPoolSource
from runtime.cycle import run_cycle
from runtime.domain.report import Report
from runtime.domain.slots import HOUR_MS, MINUTE_MS
from runtime.ports import Store, World
from runtime.run_settings import Settings
from runtime.wiring import explain
from strategies import REGISTRY
from tests.scenarios.matrix.ports import Kill, Killed, Messenger, Trouble, Wire, watched

CLOCK = SimulatedClock(0)
MARKET = FolderMarket(EMBEDDED, CLOCK)
"""One clock and one market a test process: cases come one after the other, and reading candles is most of a case."""
MINUTE = 15
LEASE_MS = 420_000
SENDS = ("exchange.send_order", "exchange.send_earn")


@dataclass(frozen=True, slots=True)
class Ran:
    """One process's run: its report, or the call it was killed at; what it sent, and all it called."""

    started_ms: int
    wire: Wire
    report: Report | None = None
    killed: str = ""
    crash: str = ""

    @property
    def sent(self) -> int:
        """How often it sent something that may move money."""
        return sum(self.wire.seen[call] for call in SENDS)


class _Hurried:
    """A process's view of the clock: once it is told to stop, none of its waits lasts."""

    def __init__(self, clock: SimulatedClock, stop: Callable[[], str]) -> None:
        self._clock, self._stop = clock, stop
        self.now_ms, self.monotonic = clock.now_ms, clock.monotonic

    def sleep(self, seconds: float) -> None:
        if not self._stop():
            self._clock.sleep(seconds)


@dataclass(slots=True)
class Rig:
    """One account and everything around it that outlives a process. `open_store` gives a new process's store."""

    exchange: SimulatedExchange
    settings: Settings
    open_store: Callable[[], Store]
    messenger: Messenger = field(default_factory=Messenger)
    history: list[Ran] = field(default_factory=list)
    clock: SimulatedClock = CLOCK
    first_slot: str = ""
    """The slot of the case; what was before it was told before it."""
    stop: Callable[[], str] = str
    """Why the process that runs should end, or nothing."""

    @classmethod
    def at(cls, now_ms: int, books: Books, settings: Settings, open_store: Callable[[], Store]) -> Rig:
        """A rig at `now_ms`, on the embedded market, in ordinary weather; the last one's time is over."""
        CLOCK.set(now_ms)
        return cls(SimulatedExchange(MARKET, CLOCK, PAPER, books), settings, open_store)

    def hour(
        self,
        kill: Kill | None = None,
        troubles: Mapping[tuple[str, int], Trouble] | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Ran:
        """One process: it runs the hour to its end, or to the call where it is killed."""
        wire, started_ms = Wire(kill, meanwhile, troubles or {}), self.clock.now_ms()
        store = self.open_store()
        report, killed, crash = None, "", ""
        try:
            report = run_cycle(self.settings, REGISTRY[self.settings.profile], watched(self._world(store), wire))
        except Killed as death:
            killed = str(death)
        except Exception as error:  # noqa: BLE001 - whatever escapes the hour is what the case must show
            crash = f"{type(error).__name__}: {error}"
        finally:
            store.close()
        self.history.append(Ran(started_ms, wire, report, killed, crash))
        return self.history[-1]

    def weather(self, conditions: Conditions) -> None:
        """Change the weather; its faults count calls from here on."""
        self.exchange.venue.conditions = conditions

    def next_slot(self) -> None:
        """Go on to the next hour's run."""
        now_ms = self.clock.now_ms()
        self.clock.set(now_ms - now_ms % HOUR_MS + HOUR_MS + MINUTE * MINUTE_MS)

    def _world(self, store: Store) -> World:
        return World(
            clock=_Hurried(self.clock, self.stop),
            pools=(FolderPoolSource(EMBEDDED, self.clock, "embedded"),),
            market=self.exchange,
            exchange=self.exchange,
            store=store,
            reports=NullReportSink(),
            alerter=self.messenger,
            gather=serial_gather,
            owner=secrets.token_hex(16),
            render=lambda _: "",
            explain=explain,
            stop=self.stop,
        )
