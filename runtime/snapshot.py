"""The snapshot: everything the hour sees, with the fewest calls, checked before anything trusts it.

Two waves after the state is loaded. The first asks for what needs no knowledge (clock, all prices, account, Earn); the
second for what follows from it (pairs and candles of the symbols that are in play). Daily candles live in the cache:
each UTC day asks once a symbol, from the newest cached day on, which fetches that day again and shows a revision.
What could not be read is absent and named; only the account, all prices and the clock stop the hour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import cast

from runtime.domain.alerts import AlertKind
from runtime.domain.candles import closed_high, closed_series, extended_series
from runtime.domain.instruments import Instrument
from runtime.domain.market import Account, Candle, DailyMarket, DailySeries, EarnPosition, Snapshot
from runtime.domain.money import CASH, CORE, FUEL, ZERO, plain
from runtime.domain.slots import DAY_MS, HOUR_MS, date_at, day_start_ms
from runtime.errors import BadSeries, ClockSkewed, EngineError, RateLimited, Unavailable
from runtime.hour import SKEW_MAX_MS, FirstWave, Hour
from runtime.ports import DailyCache, World

CORE_DAYS = 700
POOL_DAYS = 400
INSTRUMENTS_MAX_AGE_MS = 6 * HOUR_MS
HIGHS_MAX_HOURS = 999
PRICES_FRESH_MS = 30_000


def clock_call(world: World, cache: DailyCache) -> Callable[[], object]:
    """The first wave's look at the exchange's clock. Where the cached pairs are due, they are asked for instead: the
    answer names the time too.
    """
    known = tuple(cache.instruments)
    due = bool(known) and world.clock.now_ms() - cache.instruments_ms >= INSTRUMENTS_MAX_AGE_MS
    return (lambda: _pairs_and_offset(world, known)) if due else (lambda: _Clock(_offset(world)))


def account_calls(world: World) -> dict[str, Callable[[], object]]:
    """What tells the account, to be gathered with whatever else the hour asks for at that moment."""
    return {"prices": world.market.prices, "account": world.exchange.account, "earn": world.exchange.earn_positions}


@dataclass(frozen=True, slots=True)
class _Clock:
    offset_ms: int
    instruments: Mapping[str, Instrument] | None = None


def _pairs_and_offset(world: World, symbols: Sequence[str]) -> _Clock:
    """The exchange's clock and its pairs; the clock alone where they are not to be had (the second wave asks anew)."""
    before = world.clock.now_ms()
    try:
        server, instruments = world.market.instruments(symbols)
    except RateLimited:
        raise
    except EngineError:
        return _Clock(_offset(world))
    return _Clock(server - (before + world.clock.now_ms()) // 2, instruments)


def _offset(world: World) -> int:
    """Exchange clock - local clock, by the middle of the round trip."""
    before = world.clock.now_ms()
    server = world.market.server_time_ms()
    return server - (before + world.clock.now_ms()) // 2


def first_clock(world: World, answers: Mapping[str, object]) -> int:
    """The offset that the first wave measured, by which everything is signed from here on; `Abort` where the clock
    cannot be trusted.
    """
    _heed_pause(answers)
    clock = cast("_Clock", needed(answers, "clock"))
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
    because it moves balances and takes time.
    """
    clock = cast("_Clock", needed(answers, "clock"))
    if "account" not in answers:
        answers = hour.world.gather(account_calls(hour.world))
        _heed_pause(answers)
    wave = _wave(answers, hour.now_ms(), clock)
    hour.wave, hour.account, hour.earn = wave, wave.account, wave.earn


def _wave(answers: Mapping[str, object], read_ms: int, clock: _Clock) -> FirstWave:
    prices = cast("Mapping[str, Decimal]", needed(answers, "prices"))
    if not prices:
        raise Unavailable("prices", "the exchange answered with none")
    earn = answers["earn"]
    problems = {"earn": str(earn)} if isinstance(earn, Exception) else {}
    positions = None if isinstance(earn, Exception) else cast("Mapping[str, EarnPosition]", earn)
    account = cast("Account", needed(answers, "account"))
    return FirstWave(clock.offset_ms, read_ms, prices, account, positions, problems, clock.instruments)


def _heed_pause(answers: Mapping[str, object]) -> None:
    """A pause that the exchange asks for ends the hour at once: every further request would prolong it."""
    for name, answer in answers.items():
        if isinstance(answer, RateLimited) and name != "upstream":
            raise answer


def needed(answers: Mapping[str, object], name: str) -> object:
    """The answer of that name; its error, if it was one, ends the hour."""
    answer = answers[name]
    if isinstance(answer, Exception):
        raise answer
    return answer


def take_snapshot(hour: Hour, pool: Sequence[str]) -> Snapshot:
    """The second wave, and the snapshot of both. Updates the hour's candle cache."""
    wave = hour.wave_taken
    symbols = _in_play(hour, wave, pool)
    now_ms = hour.now_ms()
    calls = _second_wave(hour, symbols, now_ms)
    answers = hour.world.gather(calls) if calls else {}
    _heed_pause(answers)
    instruments = _instruments(hour, answers)
    daily, cache = _daily(hour, symbols, answers, now_ms)
    if answers or wave.instruments is not None:
        hour.new_cache = DailyCache(cache, *instruments)
    snapshot = Snapshot(
        slot=hour.slot,
        now_ms=now_ms,
        priced_ms=wave.priced_ms,
        skew_ms=wave.offset_ms,
        account=wave.account,
        prices={symbol: price for symbol, price in wave.prices.items() if symbol in symbols},
        instruments={s: i for s, i in instruments[0].items() if s in symbols},
        daily=daily,
        earn=wave.earn,
        highs=_highs(hour, answers, now_ms),
        facts=hour.world.facts,
        control=hour.control.at(now_ms).value,
        control_ms=hour.control.when_ms,
        problems={**wave.problems, **hour.problems},
    )
    hour.snapshot = snapshot
    return snapshot


def held_pairs(hour: Hour) -> tuple[str, ...]:
    """Pairs of the trend holdings worth watching: those watched last hour, and every position worth more than dust."""
    prices, least = hour.wave_taken.prices, hour.settings.strategy.dust
    worth = {s for s, p in hour.state.positions.items() if p.quantity * prices.get(s, ZERO) >= least}
    return tuple(sorted((hour.state.memory.holdings.keys() | worth) - {CORE + CASH, FUEL + CASH}))


def _in_play(hour: Hour, wave: FirstWave, pool: Sequence[str]) -> tuple[str, ...]:
    owned = (asset + CASH for asset in hour.wallet.quantities if asset != CASH)
    wanted = dict.fromkeys((CORE + CASH, FUEL + CASH, *pool, *held_pairs(hour), *sorted(owned)))
    return tuple(symbol for symbol in wanted if symbol in wave.prices)


def _second_wave(hour: Hour, symbols: Sequence[str], now_ms: int) -> dict[str, Callable[[], object]]:
    market = hour.world.market
    calls: dict[str, Callable[[], object]] = {}
    known, read_ms = _known_instruments(hour)
    if now_ms - read_ms >= INSTRUMENTS_MAX_AGE_MS or any(symbol not in known for symbol in symbols):
        calls["instruments"] = partial(market.instruments, symbols)
    for symbol in symbols:
        start_ms, limit = _missing_days(hour.cache.series.get(symbol), symbol, now_ms)
        if limit and symbol != FUEL + CASH and hour.world.facts is None:
            calls[f"1d {symbol}"] = partial(market.candles, symbol, "1d", start_ms, limit)
    for symbol in held_pairs(hour):
        position = hour.state.positions.get(symbol)
        if position is not None and symbol in symbols:
            entry_ms = position.opened_ms - position.opened_ms % HOUR_MS
            since = max(entry_ms, now_ms - now_ms % HOUR_MS - HIGHS_MAX_HOURS * HOUR_MS)
            calls[f"1h {symbol}"] = partial(market.candles, symbol, "1h", since, 1000)
    return calls


def _missing_days(cached: DailySeries | None, symbol: str, now_ms: int) -> tuple[int | None, int]:
    """(start, limit) of the daily candles to ask for; limit 0 = the cache has yesterday."""
    want = CORE_DAYS if symbol == CORE + CASH else POOL_DAYS
    yesterday_ms = day_start_ms(date_at(now_ms)) - DAY_MS
    if cached is None:
        return None, want + 1
    missing = (yesterday_ms - cached.last_open_ms) // DAY_MS
    if missing == 0:
        return None, 0
    return (cached.last_open_ms, missing + 2) if 0 < missing < want else (None, want + 1)


def _known_instruments(hour: Hour) -> tuple[Mapping[str, Instrument], int]:
    """The newest pairs at hand, and when they were read."""
    wave = hour.wave_taken
    if wave.instruments is not None:
        return wave.instruments, wave.priced_ms
    return hour.cache.instruments, hour.cache.instruments_ms


def _instruments(hour: Hour, answers: Mapping[str, object]) -> tuple[Mapping[str, Instrument], int]:
    """The pairs, and when they were read; the cached ones where the exchange did not answer."""
    answer = answers.get("instruments")
    if isinstance(answer, Exception):
        hour.problems["instruments"] = str(answer)
    if answer is None or isinstance(answer, Exception):
        return _known_instruments(hour)
    read_ms, instruments = cast("tuple[int, Mapping[str, Instrument]]", answer)
    return instruments, read_ms


def _daily(
    hour: Hour, symbols: Sequence[str], answers: Mapping[str, object], now_ms: int
) -> tuple[DailyMarket, dict[str, DailySeries]]:
    cache = dict(hour.cache.series)
    refused: dict[str, str] = {}
    for symbol in symbols:
        answer = answers.get(f"1d {symbol}")
        if isinstance(answer, Exception):
            refused[symbol] = str(answer)
        elif isinstance(answer, Sequence):
            try:
                cache[symbol] = _merged(hour, symbol, answer, now_ms)
            except BadSeries as error:
                refused[symbol] = str(error)
                cache.pop(symbol, None)
    series = {symbol: cache[symbol] for symbol in symbols if symbol in cache and symbol not in refused}
    return DailyMarket(date_at(now_ms), series, refused), cache


def _merged(hour: Hour, symbol: str, candles: Sequence[Candle], now_ms: int) -> DailySeries:
    """The cached days continued by the fetched ones; what was asked for as a whole replaces the cached days."""
    fetched = closed_series(symbol, candles, now_ms)
    cached = hour.cache.series.get(symbol)
    if cached is None or _missing_days(cached, symbol, now_ms)[0] is None:
        return fetched
    merged, revised = extended_series(cached, fetched, CORE_DAYS if symbol == CORE + CASH else POOL_DAYS)
    for day, change in revised.items():
        hour.tell(AlertKind.CANDLE_REVISED, f"{symbol}:{day}", symbol=symbol, day=day, change=change)
    return merged


def _highs(hour: Hour, answers: Mapping[str, object], now_ms: int) -> dict[str, Decimal]:
    highs: dict[str, Decimal] = {}
    for symbol, position in hour.state.positions.items():
        answer = answers.get(f"1h {symbol}")
        try:
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, Sequence):
                entry_ms = position.opened_ms - position.opened_ms % HOUR_MS
                high = closed_high(symbol, answer, entry_ms, now_ms)
                highs |= {symbol: high} if high is not None else {}
        except EngineError as error:
            hour.problems[f"highs {symbol}"] = str(error)
    return highs


def refresh_prices(hour: Hour) -> None:
    """Read the prices again if they are older than 30 s; nothing is sent on one older than `price_age_max_s`.

    A pair that is gone from the answer keeps its last price, which values it, and is `unpriced`: not to be traded.
    """
    snapshot = hour.observed
    if hour.now_ms() - snapshot.priced_ms <= PRICES_FRESH_MS:
        return
    try:
        prices = hour.world.market.prices()
    except EngineError as error:
        hour.problems["prices"] = str(error)
        return
    kept = {symbol: prices.get(symbol, price) for symbol, price in snapshot.prices.items()}
    hour.unpriced = kept.keys() - prices.keys()
    hour.snapshot = replace(snapshot, prices=kept, priced_ms=hour.now_ms())
    hour.tape.record("prices", {symbol: plain(price) for symbol, price in sorted(kept.items())})
