"""The first reads of an hour: clock, all prices, account and Earn, at once, before anything is known.

They ask for what needs no knowledge; what follows from their answers is `snapshot`'s second wave. Clock, prices and
account stop the hour where they cannot be trusted; Earn that cannot be read is named and stops what depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import repeat
from typing import cast

from runtime.domain.instruments import Instrument
from runtime.domain.market import Account, EarnPosition
from runtime.domain.slots import HOUR_MS
from runtime.errors import ClockSkewed, EngineError, RateLimited, Unavailable
from runtime.hour import SKEW_MAX_MS, FirstWave, Hour
from runtime.key_check import heed_account
from runtime.ports import DailyCache, World

INSTRUMENTS_MAX_AGE_MS = 6 * HOUR_MS


def clock_call(world: World, cache: DailyCache) -> Callable[[], object]:
    """The first wave's look at the exchange's clock. Where the cached pairs are due, they are asked for instead: the
    answer names the time too.
    """
    due = pairs_due(cache, world.clock.now_ms())
    return (lambda: pairs_and_offset(world, cache)) if due else (lambda: Clocked(_offset(world)))


def pairs_due(cache: DailyCache, now_ms: int) -> bool:
    """Whether the cached pairs are to be read again."""
    return bool(cache.instruments) and now_ms - cache.instruments_ms >= INSTRUMENTS_MAX_AGE_MS


def control_call(world: World) -> Callable[[], object]:
    """The control, once what the operator wrote was heeded."""

    def heeded() -> object:
        world.obey_commands()
        return world.store.control()

    return heeded


def account_calls(world: World) -> dict[str, Callable[[], object]]:
    """What tells the account, to be gathered with whatever else the hour asks for at that moment."""
    return {"prices": world.market.prices, "account": world.exchange.account, "earn": world.exchange.earn_positions}


@dataclass(frozen=True, slots=True)
class Clocked:
    """The exchange's clock less the local one, and its pairs where they were asked for."""

    offset_ms: int
    instruments: Mapping[str, Instrument] | None = None


def pairs_and_offset(world: World, cache: DailyCache) -> Clocked:
    """The exchange's clock and its pairs; the clock alone where they are not to be had (the second wave asks anew)."""
    before = world.clock.now_ms()
    try:
        server, instruments = world.market.instruments(tuple(cache.instruments))
    except RateLimited:
        raise
    except EngineError:
        return Clocked(_offset(world))
    offset_ms = server - (before + world.clock.now_ms()) // 2
    return Clocked(offset_ms, cache.instruments if instruments == cache.instruments else instruments)


def _offset(world: World) -> int:
    """Exchange clock - local clock, by the middle of the round trip."""
    before = world.clock.now_ms()
    server = world.market.server_time_ms()
    return server - (before + world.clock.now_ms()) // 2


def first_clock(world: World, answers: Mapping[str, object]) -> int:
    """The offset that the first wave measured, by which everything is signed from here on; `Abort` where the clock
    cannot be trusted.
    """
    heed_pause(answers)
    clock = cast("Clocked", needed(answers, "clock"))
    sync(world, clock.offset_ms)
    return clock.offset_ms


def sync(world: World, offset_ms: int) -> None:
    """Sign with the exchange's time; `ClockSkewed` where this machine's differs so much that nothing else of it can be
    trusted either.
    """
    if abs(offset_ms) > SKEW_MAX_MS:
        raise ClockSkewed(offset_ms, SKEW_MAX_MS)
    world.exchange.sync_clock(offset_ms)


def read_account(hour: Hour, answers: Mapping[str, object]) -> None:
    """Take account, prices and Earn from the first wave's answers; read them now where recovery had to come first,
    because it moves balances and takes time. `OtherAccount` where it is not ours.
    """
    clock = cast("Clocked", needed(answers, "clock"))
    if "account" not in answers:
        answers = hour.world.gather(account_calls(hour.world))
        heed_pause(answers)
    wave = _wave(answers, hour.now_ms(), clock)
    heed_account(hour, wave.account)
    hour.wave, hour.account, hour.earn = wave, wave.account, wave.earn


def _wave(answers: Mapping[str, object], read_ms: int, clock: Clocked) -> FirstWave:
    prices = cast("Mapping[str, Decimal]", needed(answers, "prices"))
    if not prices:
        raise Unavailable("prices", "the exchange answered with none")
    earn = answers["earn"]
    problems = {"earn": str(earn)} if isinstance(earn, Exception) else {}
    positions = None if isinstance(earn, Exception) else cast("Mapping[str, EarnPosition]", earn)
    account = cast("Account", needed(answers, "account"))
    return FirstWave(clock.offset_ms, read_ms, prices, account, positions, problems, clock.instruments)


def heed_pause(answers: Mapping[str, object]) -> None:
    """A pause that the exchange asks for ends the hour at once: every further request would prolong it."""
    if any(map(isinstance, answers.values(), repeat(RateLimited))):
        for name, answer in answers.items():
            if isinstance(answer, RateLimited) and name != "upstream":
                raise answer


def needed(answers: Mapping[str, object], name: str) -> object:
    """The answer of that name; its error, if it was one, ends the hour."""
    answer = answers[name]
    if isinstance(answer, Exception):
        raise answer
    return answer
