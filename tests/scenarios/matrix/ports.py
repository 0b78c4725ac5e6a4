"""Every call of an hour on every port, counted, so that the process can die at any of them or meet trouble there.

A killed process does nothing more: no handler of its own may still write. So `Killed` is no `Exception`, and a call
that comes after it is noted as a fault of the engine. What took effect before the death stays: `after` kills when the
real call is done, whatever it answered. A process that only slept does not know it: it goes on where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Any, cast

from runtime.domain.alerts import Alert
from runtime.errors import EngineError
from runtime.ports import Alerter, Exchange, MarketData, PoolSource, Receipt, ReportSink, Store, World


class Killed(BaseException):
    """The process died here."""


class How(StrEnum):
    """How a process ends: before a call, after it took effect; or not at all: it sleeps after it and wakes up."""

    BEFORE = "-"
    AFTER = "+"
    ASLEEP = "~"


@dataclass(frozen=True, slots=True)
class Kill:
    """What happens at the `number`-th call of the run (from 1), or at the `number`-th of `call` (`store.commit`)."""

    number: int
    how: How = How.BEFORE
    call: str = ""

    def __str__(self) -> str:
        return f"{self.call}@{self.number}{self.how}" if self.call else f"{self.number}{self.how}"

    def at(self, name: str, of_all: int, of_name: int) -> bool:
        """Whether it is this call: of this name, so many calls into the run, and so many of that name."""
        return (name, of_name) == (self.call, self.number) if self.call else of_all == self.number


@dataclass(frozen=True, slots=True)
class Trouble:
    """A call fails with `error`: before it did anything, or `after` it took effect."""

    error: EngineError
    after: bool = False


@dataclass(slots=True)
class Wire:
    """The thread that all calls of one process pass: counts them, kills, and hands out trouble.

    `meanwhile` is what happens while it sleeps. `troubles` names its calls as (`store.commit`, 2): the second one of
    this process; number 0 stands for every one.
    """

    kill: Kill | None = None
    meanwhile: Callable[[], None] = lambda: None
    troubles: Mapping[tuple[str, int], Trouble] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    dead: bool = False
    faults: list[str] = field(default_factory=list)

    def call(self, name: str, real: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Do the real call, unless this is where the process dies or the call fails."""
        if self.dead:
            self.faults.append(f"{name} was called by a process that was killed")
        self.calls.append(name)
        self.seen[name] += 1
        mine = self.kill is not None and self.kill.at(name, len(self.calls), self.seen[name])
        how = self.kill.how if self.kill is not None and mine else None
        if how is How.BEFORE:
            self._die(name)
        try:
            return self._do(name, partial(real, *arguments, **named))
        finally:
            if how is How.AFTER:
                self._die(name)
            elif how is How.ASLEEP:
                self.meanwhile()

    def _do(self, name: str, call: Callable[[], Any]) -> Any:
        trouble = self.troubles.get((name, self.seen[name])) or self.troubles.get((name, 0))
        if trouble is None:
            return call()
        if trouble.after:
            call()
        raise trouble.error

    def _die(self, name: str) -> None:
        self.dead = True
        raise Killed(name)


class Watched:
    """A port whose calls pass a wire; what is not callable passes as it is."""

    def __init__(self, real: object, name: str, wire: Wire) -> None:
        self._real, self._name, self._wire = real, name, wire

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(self._real, attribute)
        return partial(self._wire.call, f"{self._name}.{attribute}", value) if callable(value) else value


class Messenger:
    """The operator's phone: what was delivered to it, how often; `down` takes nothing."""

    def __init__(self) -> None:
        self.down = False
        self.delivered: Counter[str] = Counter()

    def deliver(self, alerts: Sequence[Alert]) -> Sequence[Receipt]:
        if not self.down:
            self.delivered.update(alert.id for alert in alerts)
        return [Receipt(alert.id, delivered=not self.down) for alert in alerts]

    def probe(self) -> Mapping[str, str]:
        return {}


def watched(world: World, wire: Wire) -> World:
    """The world as one process sees it, every port on `wire`."""

    def on(real: object, name: str) -> Any:
        return Watched(real, name, wire)

    return replace(
        world,
        pools=tuple(cast("PoolSource", on(pool, "pool")) for pool in world.pools),
        market=cast("MarketData", on(world.market, "market")),
        exchange=cast("Exchange", on(world.exchange, "exchange")),
        store=cast("Store", on(world.store, "store")),
        reports=cast("ReportSink", on(world.reports, "reports")),
        alerter=cast("Alerter", on(world.alerter, "alerter")),
    )
