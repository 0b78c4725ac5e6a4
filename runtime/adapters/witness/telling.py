"""Telling: the ports of an hour that is replayed. Every answer comes from the tape; nothing else is asked.

A call that the tape has no answer to is noted, and answered with an error, so that the hour still ends and leaves its
stages to be compared. What happens after the tape was written (the last commit, the telling) just succeeds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from runtime.adapters.witness.words import call_name, value_of, written
from runtime.adapters.witness.writing import SEEN, asking, who_asks
from runtime.domain.alerts import Alert
from runtime.domain.documents import decode
from runtime.domain.market import DailySeries, Facts, Snapshot
from runtime.domain.pool import Rung
from runtime.domain.report import Report
from runtime.domain.settings import StrategySettings
from runtime.errors import BadInput, EngineError, Unavailable
from runtime.ports import (
    Alerter,
    Changes,
    Clock,
    DailyCache,
    Exchange,
    Held,
    MarketData,
    PoolSource,
    Receipt,
    Store,
    T,
    World,
)

Words = Mapping[str, Any]
Render = Callable[[Report], str]
Explain = Callable[[Snapshot, StrategySettings], tuple[Facts, float | None]]
Worded = tuple[Render, Explain]
OWNER = "replay"
AFTERWARDS = frozenset({"store.commit"})
"""What an hour still asks for once its tape is written."""


class Teller:
    """The world of one taped hour. `strays` are the calls that the tape has no answer to, `commits` what was asked of
    the store: (as taped, as asked now).
    """

    def __init__(self, words: Words, series: Mapping[str, DailySeries], worded: Worded) -> None:
        """`words` is the stage that a `Witness` left, `series` the candles of the taped snapshot; `worded` renders the
        report and explains the indicators.
        """
        self.strays: list[str] = []
        self.commits: list[tuple[object, object]] = []
        self.lines: Sequence[str] = ()
        self._words, self._series = words, series
        self._answers: dict[str, deque[Words]] = {}
        try:
            for answer in words["answers"]:
                self._answers.setdefault(answer["call"], deque()).append(answer)
            self._clock = _TapedClock(words["clock"])
            self._stops, self._stop = words["stops"], words["stop"]
            self._keys = dict(words["keys"])
            self._facts = decode(Facts, words["facts"], "facts") if words["facts"] is not None else None
            self._rungs = [(Rung(rung), where) for rung, where in words["pools"]]
            self._suppressed = dict(words["suppressed"])
            self._usage = {name: int(count) for name, count in words.get("usage", {}).items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput("tape calls", str(error), "must be as this version writes it") from None
        self._stop_asked = 0
        self.world = self._told_world(*worded)

    def _told_world(self, render: Render, explain: Explain) -> World:
        return World(
            clock=cast("Clock", self._clock),
            pools=tuple(self._pool(number, *source) for number, source in enumerate(self._rungs)),
            market=cast("MarketData", _Told(self, "market")),
            exchange=cast("Exchange", _Told(self, "exchange")),
            store=cast("Store", _Told(self, "store")),
            reports=self,
            alerter=cast("Alerter", _Taken()),
            gather=_gathered,
            owner=OWNER,
            render=render,
            explain=explain,
            facts=self._facts,
            suppressed=self._suppressed,
            usage=lambda: self._usage,
            stop=self._stopped,
            key_digest=lambda salt: self._keys.get(salt, ""),
            witnessed=lambda _: self._words,
        )

    def write_report(self, slot: str, document: Mapping[str, Any], text: str) -> str:
        """Nothing is kept."""
        del slot, document, text
        return ""

    def write_tape(self, slot: str, lines: Sequence[str]) -> str:
        """Keep the lines, to be compared."""
        del slot
        self.lines = tuple(lines)
        return ""

    def amend_report(self, place: str, document: Mapping[str, Any], text: str) -> None:
        """Nothing was kept."""

    def unasked(self) -> tuple[str, ...]:
        """Calls of the taped hour that this one did not make."""
        return tuple(name for name, left in self._answers.items() for _ in left)

    def told(self, port: str, method: str, *arguments: object) -> object:
        """The next taped answer to this call."""
        name = call_name(port, method, arguments, OWNER)
        left = self._answers.get(name)
        if not left:
            return self._beyond(name, port, method, arguments)
        answer = left.popleft()
        if "written" in answer:
            self.commits.append((answer["written"], written(cast("Changes", arguments[-1]))))
        value = value_of(port.partition(" ")[0], method, answer, OWNER)
        if isinstance(value, EngineError):
            raise value
        if isinstance(value, DailyCache):
            shared = {symbol: self._series[symbol] for symbol in answer[SEEN] if symbol in self._series}
            return DailyCache({**value.series, **shared}, value.instruments, value.instruments_ms)
        return value

    def _beyond(self, name: str, port: str, method: str, arguments: tuple[object, ...]) -> object:
        if f"{port}.{method}" in AFTERWARDS and self.lines:
            return next(argument for argument in arguments if isinstance(argument, Held))
        self.strays.append(name)
        raise Unavailable(name, "the tape has no such answer")

    def _pool(self, number: int, rung: Rung, where: str) -> PoolSource:
        return _TapedPool(rung, where, partial(self.told, f"pool {number}", "read"))

    def _stopped(self) -> str:
        self._stop_asked += 1
        return self._stop if self._stops is not None and self._stop_asked > self._stops else ""


class _TapedPool:
    def __init__(self, rung: Rung, where: str, read: Callable[[], object]) -> None:
        self.rung, self.where, self._read = rung, where, read

    def read(self) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", self._read())


class _Told:
    """A port whose methods answer from the tape."""

    def __init__(self, teller: Teller, port: str) -> None:
        self._teller, self._port = teller, port

    def __getattr__(self, name: str) -> Callable[..., object]:
        return partial(self._teller.told, self._port, name)

    def sync_clock(self, offset_ms: int) -> None:
        """Nothing is signed here."""

    def close(self) -> None:
        """Nothing is open."""


class _Taken:
    """Takes every alert and tells nobody."""

    def deliver(self, alerts: Sequence[Alert]) -> Sequence[Receipt]:
        return [Receipt(alert.id, delivered=True) for alert in alerts]

    def probe(self) -> Mapping[str, str]:
        return {}


class _TapedClock:
    """The times of the tape, by who asked; the last one again when there are no more."""

    def __init__(self, steps: Mapping[str, Iterable[int]]) -> None:
        self._times = {who: deque(_times(given)) for who, given in steps.items()}
        self._last = 0

    def now_ms(self) -> int:
        left = self._times.get(who_asks())
        if left:
            self._last = left.popleft()
        return self._last

    def monotonic(self) -> float:
        return self._last / 1000

    def sleep(self, seconds: float) -> None:
        """Time moves by the tape alone."""


def _times(steps: Iterable[int]) -> Iterable[int]:
    time = 0
    for step in steps:
        time += step
        yield time


def _gathered(calls: Mapping[str, Callable[[], T]]) -> Mapping[str, T | Exception]:
    return {name: _settled(name, call) for name, call in calls.items()}


def _settled(name: str, call: Callable[[], T]) -> T | Exception:
    try:
        return asking(name, call)
    except EngineError as error:
        return error
