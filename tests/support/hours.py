"""Whole hours in process: a world around a simulated exchange and any store, and mishaps at a chosen port call.

A mishap is where an hour is hurt from outside: the process dies, stands still for minutes, another run starts, the
store fails. It strikes at the n-th call that crosses a port, before or after the call took effect; so every crash point
of an hour can be named by one small number.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar, cast

from runtime.adapters.concurrency import serial_gather
from runtime.domain.alerts import Alert
from runtime.domain.market import Facts
from runtime.domain.pool import Rung
from runtime.domain.settings import StrategySettings
from runtime.errors import StoreUnavailable, Unavailable
from runtime.ports import Clock, Exchange, MarketData, PoolSource, Receipt, ReportSink, Store, World
from runtime.run_settings import RunMode, Settings
from runtime.wiring import explain
from tests.support.restless import UNLIMITED

P = TypeVar("P")
WRITES = frozenset({"take_lease", "commit"})
_owners = itertools.count(1)


class Killed(BaseException):
    """The process is gone. No code of the engine may catch it, as none could catch SIGKILL."""


class Inbox:
    """A channel that remembers what it was told; `down` = it takes nothing."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.down = False

    def deliver(self, alerts: Sequence[Alert]) -> Sequence[Receipt]:
        if not self.down:
            self.alerts.extend(alerts)
        return [Receipt(alert.id, not self.down) for alert in alerts]

    def probe(self) -> Mapping[str, str]:
        return {}


class Nowhere:
    """A report sink that keeps nothing."""

    def write_report(self, slot: str, document: Mapping[str, Any], text: str) -> str:
        return ""

    def write_tape(self, slot: str, lines: Sequence[str]) -> str:
        return ""

    def amend_report(self, place: str, document: Mapping[str, Any], text: str) -> None:
        """There is none."""


class Upstream:
    """The publisher's document, as the test has it; None = it cannot be read."""

    rung = Rung.FRESH_UPSTREAM
    where = "upstream"

    def __init__(self, *symbols: str) -> None:
        self.symbols: tuple[str, ...] | None = symbols
        self.day = "2026-11-20"

    def read(self) -> Mapping[str, Any]:
        if self.symbols is None:
            raise Unavailable("upstream", "is down")
        return {
            "as_of_date": self.day,
            "version": f"{self.day}-core_major",
            "mode": "core_major",
            "pool_size": len(self.symbols),
            "symbols": list(self.symbols),
            "symbol_map": {s: {"base_asset": s.removesuffix("USDT")} for s in self.symbols},
        }


class Venue(MarketData, Exchange, Protocol):
    """Both ports of the exchange in one object."""


@dataclass(frozen=True, slots=True)
class Place:
    """What outlives an hour: the exchange, the store, the clock, the channel, the publisher."""

    exchange: Venue
    store: Store
    clock: Clock
    pool: PoolSource
    inbox: Inbox = field(default_factory=Inbox)
    reports: ReportSink = field(default_factory=Nowhere)
    facts: Facts | None = None

    def world(self) -> World:
        """A new process's view of it."""
        return World(
            clock=self.clock,
            pools=(self.pool,),
            market=self.exchange,
            exchange=self.exchange,
            store=self.store,
            reports=self.reports,
            alerter=self.inbox,
            gather=serial_gather,
            owner=f"run-{next(_owners)}",
            render=lambda report: report.status.value,
            explain=explain,
            facts=self.facts,
        )


def settings(pool_size: int = 2, *, limits: bool = False, **strategy: object) -> Settings:
    """A simulated account's settings; without `limits`, trading all day is no reason to stop."""
    loose: dict[str, object] = {} if limits else dict(UNLIMITED)
    return Settings(
        mode=RunMode.PAPER,
        first_run="fresh",
        ladder={"expected_size": pool_size},  # type: ignore[arg-type]
        strategy=StrategySettings.model_validate({**loose, **strategy}),
    )


class Mishap:
    """Counts the calls that cross a port, and strikes once: at call `at` (from 1), before it or `after` it."""

    def __init__(
        self, at: int, strike: Callable[[str], None], *, after: bool = False, only: frozenset[str] = frozenset()
    ) -> None:
        self.at, self.strike, self.after, self.only = at, strike, after, only
        self.calls: list[str] = []
        self._lock = threading.Lock()

    def around(self, world: World) -> World:
        """The world with every port watched."""
        return replace(
            world,
            market=self._watched(world.market),
            exchange=self._watched(world.exchange),
            store=self._watched(world.store),
            reports=self._watched(world.reports),
            alerter=self._watched(world.alerter),
        )

    def _watched(self, port: P) -> P:
        return cast("P", _Watched(port, self))

    def call(self, name: str, work: Callable[[], Any]) -> Any:
        """Do the call, and strike if it is the one."""
        if self.only and name not in self.only:
            return work()
        with self._lock:
            self.calls.append(name)
            due = len(self.calls) == self.at
        if due and not self.after:
            self.strike(name)
        answer = work()
        if due and self.after:
            self.strike(name)
        return answer


class _Watched:
    """A port that passes every call on, past the mishap."""

    def __init__(self, port: object, mishap: Mishap) -> None:
        self._port, self._mishap = port, mishap

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        return lambda *args, **kwargs: self._mishap.call(name, lambda: method(*args, **kwargs))


def die(name: str) -> None:
    """The process is killed at this call."""
    raise Killed(name)


def fail_store(name: str) -> None:
    """The store does not answer this call."""
    raise StoreUnavailable(f"store: no answer to {name}")
