"""Writing: each port wrapped, so that every answer of the hour is kept until its tape is written.

The wrappers change nothing: same calls, same answers, same errors, same threads. Answers are kept as they are and
become words only when the tape asks for them, so the hour does not wait for it. Calls side by side answer in no fixed
order: each gathered call keeps its own answers, which stand where it was asked for, so that two tapes of the same hour
are the same; the clock's answers are kept by the name of the gathered call that asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, cast

from runtime.adapters.witness.words import answer_of, call_name, written
from runtime.domain.documents import encode
from runtime.domain.market import DailySeries, Snapshot
from runtime.errors import EngineError
from runtime.ports import Alerter, Changes, Clock, DailyCache, Exchange, Gather, MarketData, PoolSource, Store, World

T = TypeVar("T")
MAIN = "hour"
"""Who asks the clock when no gathered call does."""
SEEN = "as in the snapshot"
"""Stands for cached candles that the snapshot holds too: the same years of candles need not be on a tape twice."""
UNTOLD = frozenset({"sync_clock", "close", "deliver"})
"""Calls that answer nothing, or only after the tape is written."""
_asking: ContextVar[str] = ContextVar("asking", default=MAIN)
_answers: ContextVar[list[Any] | None] = ContextVar("answers", default=None)
"""Where the running gathered call keeps what it was answered."""
Answered = tuple[str, str, tuple[object, ...], object]
"""Port, method, arguments, answer."""


class Witness:
    """Keeps what a world answered. `world` is the one to run the hour in."""

    def __init__(self, world: World) -> None:
        """Nothing was asked yet."""
        self._calls: list[Answered | list[Any]] = []
        self._times: dict[str, list[int]] = {}
        self._stops: list[str] = []
        self._keys: dict[str, str] = {}
        self._owner, self._facts = world.owner, world.facts
        self._suppressed = world.suppressed
        self._usage: dict[str, int] = {}
        self.world = replace(
            world,
            clock=cast("Clock", _Watched(world.clock, {"now_ms": self._now_ms(world.clock)})),
            pools=tuple(cast("PoolSource", self._watched(f"pool {n}", p)) for n, p in enumerate(world.pools)),
            market=cast("MarketData", self._watched("market", world.market)),
            exchange=cast("Exchange", self._watched("exchange", world.exchange)),
            store=cast("Store", self._watched("store", world.store)),
            alerter=cast("Alerter", self._watched("alerter", world.alerter)),
            gather=self._gathering(world.gather),
            stop=self._stop(world.stop),
            key_digest=self._key_digest(world.key_digest),
            usage=self._used(world.usage),
            witnessed=self.words,
        )

    def words(self, snapshot: Snapshot | None) -> dict[str, Any]:
        """All that was answered until now, as JSON values: calls in the order of their answers, times by who asked."""
        seen = snapshot.daily.series if snapshot is not None else {}
        return {
            "answers": [self._told(*call, seen) for call in _in_order(self._calls)],
            "clock": {who: list(_steps(times)) for who, times in sorted(self._times.items())},
            "stops": next((n for n, why in enumerate(self._stops) if why), None),
            "stop": next((why for why in self._stops if why), ""),
            "keys": dict(self._keys),
            "facts": encode(self._facts) if self._facts is not None else None,
            "suppressed": dict(self._suppressed),
            "usage": self._usage,
            "pools": [[source.rung.value, source.where] for source in self.world.pools],
        }

    def _used(self, real: Callable[[], Mapping[str, int]]) -> Callable[[], Mapping[str, int]]:
        """What the hour is told of its requests is on the tape as it was told."""

        def usage() -> Mapping[str, int]:
            self._usage = dict(real())
            return self._usage

        return usage

    def _watched(self, port: str, real: object) -> object:
        return _Watched(real, {}, partial(self._answered, port))

    def _answered(self, port: str, method: str, call: Callable[..., object], *arguments: object) -> object:
        if method in UNTOLD:
            return call(*arguments)
        try:
            answer = call(*arguments)
        except EngineError as error:
            self._kept().append((port, method, arguments, error))
            raise
        self._kept().append((port, method, arguments, answer))
        return answer

    def _kept(self) -> list[Any]:
        answers = _answers.get()
        return self._calls if answers is None else answers

    def _gathering(self, gather: Gather) -> Gather:
        """The same gather, whose calls know their names and keep their answers apart."""

        def gathered(calls: Mapping[str, Callable[[], T]]) -> Mapping[str, T | Exception]:
            apart: dict[str, list[Any]] = {name: [] for name in calls}
            self._kept().extend(apart.values())
            return gather(
                {name: partial(asking, name, partial(_keeping, apart[name], call)) for name, call in calls.items()}
            )

        return gathered

    def _told(
        self, port: str, method: str, arguments: tuple[object, ...], answer: object, seen: Mapping[str, DailySeries]
    ) -> dict[str, Any]:
        told: dict[str, Any] = {"call": call_name(port, method, arguments, self._owner)}
        asked = next((written(value) for value in arguments if isinstance(value, Changes)), None)
        if asked is not None:
            told["written"] = asked
        if isinstance(answer, DailyCache):
            shared = sorted(s for s, series in answer.series.items() if series is seen.get(s))
            rest = {symbol: series for symbol, series in answer.series.items() if symbol not in shared}
            return {**told, **answer_of(port, method, replace(answer, series=rest)), SEEN: shared}
        return {**told, **answer_of(port.partition(" ")[0], method, answer)}

    def _now_ms(self, clock: Clock) -> Callable[[], int]:
        def asked() -> int:
            now_ms = clock.now_ms()
            self._times.setdefault(_asking.get(), []).append(now_ms)
            return now_ms

        return asked

    def _stop(self, stop: Callable[[], str]) -> Callable[[], str]:
        def asked() -> str:
            self._stops.append(stop())
            return self._stops[-1]

        return asked

    def _key_digest(self, digest: Callable[[str], str]) -> Callable[[str], str]:
        def asked(salt: str) -> str:
            self._keys[salt] = digest(salt)
            return self._keys[salt]

        return asked


class _Watched:
    """A port whose methods are answered through `through`; `own` are those that are answered here."""

    def __init__(
        self,
        real: object,
        own: Mapping[str, Callable[..., object]],
        through: Callable[..., object] | None = None,
    ) -> None:
        self._real, self._own, self._through = real, own, through

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the port has under that name
        found = getattr(self._real, name)
        if name in self._own:
            return self._own[name]
        return partial(self._through, name, found) if self._through is not None and callable(found) else found


def _keeping(answers: list[Any], call: Callable[[], T]) -> T:
    before = _answers.set(answers)
    try:
        return call()
    finally:
        _answers.reset(before)


def _in_order(calls: Sequence[Answered | list[Any]]) -> Iterator[Answered]:
    """The answers as they were asked for: those of a gathered call where it was begun."""
    for call in tuple(calls):
        if isinstance(call, list):
            yield from _in_order(call)
        else:
            yield call


def asking(name: str, call: Callable[[], T]) -> T:
    """Run a gathered call under its name."""
    before = _asking.set(name)
    try:
        return call()
    finally:
        _asking.reset(before)


def who_asks() -> str:
    """The name of the gathered call that runs here."""
    return _asking.get()


def _steps(times: list[int]) -> Iterator[int]:
    """The first time, then what each is later than the one before."""
    last = 0
    for time in times:
        yield time - last
        last = time
