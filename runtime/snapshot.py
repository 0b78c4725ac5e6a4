"""The snapshot: everything the hour sees, with the fewest calls, checked before anything trusts it.

The second wave asks for what follows from the first reads: pairs and candles of the symbols that are in play. Daily
candles live in the cache: each UTC day asks once a symbol, from the newest cached day on, which fetches that day again
and shows a revision. What could not be read is absent and named.

What an hour finds as the hour before left it (the symbols in play, their pairs, the day's candles) is the same object
again, so that nothing that follows from it is worked out anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from typing import TypeVar, cast

from runtime.domain.alerts import AlertKind
from runtime.domain.candles import closed_high, closed_series, extended_series
from runtime.domain.instruments import Instrument
from runtime.domain.market import Candle, DailyMarket, DailySeries, Snapshot
from runtime.domain.money import CASH, CORE, FUEL, ZERO, plain
from runtime.domain.remembering import remembered
from runtime.domain.slots import DAY_MS, HOUR_MS, date_at, day_start_ms
from runtime.domain.state import Position
from runtime.errors import BadSeries, EngineError
from runtime.first_reads import INSTRUMENTS_MAX_AGE_MS, heed_pause
from runtime.hour import FirstWave, Hour
from runtime.ports import DailyCache, World

CORE_DAYS = 700
POOL_DAYS = 400
HIGHS_MAX_HOURS = 999
PRICES_FRESH_MS = 30_000
HOURLY = "1h "
FUEL_PAIR = FUEL + CASH
Instruments = Mapping[str, Instrument]
Series = Mapping[str, DailySeries]
Same = TypeVar("Same", bound=tuple[object, ...])


def take_snapshot(hour: Hour, pool: Sequence[str]) -> Snapshot:
    """The second wave, and the snapshot of both. Updates the hour's candle cache."""
    wave = hour.wave_taken
    held = held_pairs(hour)
    symbols = _in_play(hour, wave, pool, held)
    now_ms = hour.now_ms()
    known = _known_days(hour, symbols, now_ms)
    calls = _second_wave(hour, known, symbols, held, now_ms)
    answers = hour.world.gather(calls) if calls else {}
    heed_pause(answers)
    instruments = _instruments(hour, answers)
    daily, series = _daily(hour, known, symbols, answers, now_ms)
    asked = wave.instruments is not None or any(not name.startswith(HOURLY) for name in answers)
    if asked or series is not hour.cache.series:
        hour.new_cache = DailyCache(series, *instruments)
    snapshot = Snapshot(
        slot=hour.slot,
        now_ms=now_ms,
        priced_ms=wave.priced_ms,
        skew_ms=wave.offset_ms,
        account=wave.account,
        prices=chosen(wave.prices, symbols),
        instruments=_of_play(instruments[0], symbols),
        daily=daily,
        earn=wave.earn,
        highs=_highs(hour, answers) if held else {},
        facts=hour.world.facts,
        control=hour.control.at(now_ms).value,
        control_ms=hour.control.when_ms,
        problems={**wave.problems, **hour.problems},
    )
    hour.snapshot = snapshot
    return snapshot


def held_pairs(hour: Hour) -> tuple[str, ...]:
    """Pairs of the trend holdings worth watching: those watched last hour, and every position worth more than dust."""
    watched, positions = hour.state.memory.holdings, hour.state.positions
    if not watched and not positions:
        return ()
    prices, least = hour.wave_taken.prices, hour.settings.strategy.dust
    worth = {s for s, p in positions.items() if p.quantity * prices.get(s, ZERO) >= least}
    return _one(tuple(sorted((watched.keys() | worth) - {CORE + CASH, FUEL_PAIR})))


def _in_play(hour: Hour, wave: FirstWave, pool: Sequence[str], held: Sequence[str]) -> tuple[str, ...]:
    return _of_interest(pool, held, hour.wallet.quantities, _one(tuple(wave.prices)))


@remembered
def _of_interest(
    pool: Sequence[str], held: Sequence[str], quantities: Mapping[str, Decimal], priced: tuple[str, ...]
) -> tuple[str, ...]:
    """Of the pairs that have a price: bitcoin's and BNB's, the pool's, what is watched, and what is owned."""
    owned = [asset + CASH for asset in sorted(quantities.keys() - {CASH})]
    wanted = dict.fromkeys((CORE + CASH, FUEL_PAIR, *pool, *held, *owned))
    return _one(tuple([symbol for symbol in wanted if symbol in priced]))


def is_complete(hour: Hour, cache: DailyCache) -> bool:
    """Whether a next hour of the same day would look at the same pairs, and `cache` holds all it needs of them."""
    snapshot, resolution = hour.observed, hour.resolution
    if resolution is None:
        return False
    symbols = _in_play(hour, hour.wave_taken, resolution.locked_symbols, held_pairs(hour))
    if set(symbols) != snapshot.prices.keys() or _behind(cache.series, symbols, snapshot.daily.day):
        return False
    return all(symbol in cache.instruments for symbol in symbols)


def _one(values: Same) -> Same:
    """The same object for equal values."""
    return _kept(values)  # type: ignore[return-value] # it is equal, and of the same type


@lru_cache(maxsize=16)
def _kept(values: tuple[object, ...]) -> tuple[object, ...]:
    return values


def chosen(prices: Mapping[str, Decimal], symbols: tuple[str, ...]) -> Mapping[str, Decimal]:
    """The prices of `symbols`, which all have one."""
    return prices if len(prices) == len(symbols) else {symbol: prices[symbol] for symbol in symbols}


@remembered
def _of_play(instruments: Instruments, symbols: tuple[str, ...]) -> Instruments:
    return {symbol: instruments[symbol] for symbol in symbols if symbol in instruments}


def _known_days(hour: Hour, symbols: tuple[str, ...], now_ms: int) -> Series:
    """The cached days; where the world knows without being asked which one day has closed since, with that day."""
    cached, days = hour.cache.series, hour.world.days
    behind = _behind(cached, symbols, date_at(now_ms)) if days is not None else ()
    if days is None or not behind:
        return cached
    grown = {symbol: days(cached[symbol], _days_kept(symbol), now_ms) for symbol in behind if symbol in cached}
    return {**cached, **{symbol: series for symbol, series in grown.items() if series is not None}}


def _second_wave(
    hour: Hour, series: Series, symbols: tuple[str, ...], held: Sequence[str], now_ms: int
) -> dict[str, Callable[[], object]]:
    world = hour.world
    calls: dict[str, Callable[[], object]] = {}
    known, read_ms = _known_instruments(hour)
    if now_ms - read_ms >= INSTRUMENTS_MAX_AGE_MS or len(_of_play(known, symbols)) < len(symbols):
        calls["instruments"] = partial(world.market.instruments, symbols)
    for symbol, (start_ms, limit) in _due(series, symbols, date_at(now_ms)).items():
        if world.facts is None:
            calls[f"1d {symbol}"] = partial(world.market.candles, symbol, "1d", start_ms, limit)
    for symbol in held:
        position = hour.state.positions.get(symbol)
        if position is not None and symbol in symbols:
            calls[HOURLY + symbol] = partial(highest, world, symbol, position, now_ms)
    return calls


def _days_kept(symbol: str) -> int:
    return CORE_DAYS if symbol == CORE + CASH else POOL_DAYS


def highest(world: World, symbol: str, position: Position, now_ms: int) -> Decimal | None:
    """The highest high of the hours since the entry hour that have closed; None if none has."""
    entry_ms = position.opened_ms - position.opened_ms % HOUR_MS
    since_ms = max(entry_ms, now_ms - now_ms % HOUR_MS - HIGHS_MAX_HOURS * HOUR_MS)
    if world.highest is not None:
        return world.highest(symbol, since_ms, now_ms)
    return closed_high(symbol, world.market.candles(symbol, "1h", since_ms, 1000), since_ms, now_ms)


@remembered
def _behind(series: Series, symbols: tuple[str, ...], today: date) -> tuple[str, ...]:
    """The symbols whose series does not end with yesterday."""
    yesterday_ms = day_start_ms(today) - DAY_MS
    candles = ((symbol, series.get(symbol)) for symbol in symbols if symbol != FUEL_PAIR)
    return tuple([s for s, cached in candles if cached is None or cached.last_open_ms != yesterday_ms])


def _due(series: Series, symbols: tuple[str, ...], today: date) -> Mapping[str, tuple[int | None, int]]:
    """(start, limit) of the daily candles to ask for, by symbol; whose cache has yesterday is not among them."""
    yesterday_ms = day_start_ms(today) - DAY_MS
    return {s: _missing_days(series.get(s), s, yesterday_ms) for s in _behind(series, symbols, today)}


def _missing_days(cached: DailySeries | None, symbol: str, yesterday_ms: int) -> tuple[int | None, int]:
    """(start, limit) of the daily candles to ask for, up to yesterday."""
    want = _days_kept(symbol)
    missing = (yesterday_ms - cached.last_open_ms) // DAY_MS if cached is not None else want
    return (cached.last_open_ms, missing + 2) if cached is not None and 0 < missing < want else (None, want + 1)


def _known_instruments(hour: Hour) -> tuple[Instruments, int]:
    """The newest pairs at hand, and when they were read."""
    wave = hour.wave_taken
    if wave.instruments is not None:
        return wave.instruments, wave.priced_ms
    return hour.cache.instruments, hour.cache.instruments_ms


def _instruments(hour: Hour, answers: Mapping[str, object]) -> tuple[Instruments, int]:
    """The pairs, and when they were read; the cached ones where the exchange did not answer."""
    answer = answers.get("instruments")
    if isinstance(answer, Exception):
        hour.problems["instruments"] = str(answer)
    if answer is None or isinstance(answer, Exception):
        return _known_instruments(hour)
    read_ms, instruments = cast("tuple[int, Instruments]", answer)
    known = _known_instruments(hour)[0]
    return known if instruments == known else instruments, read_ms


def _daily(
    hour: Hour, series: Series, symbols: tuple[str, ...], answers: Mapping[str, object], now_ms: int
) -> tuple[DailyMarket, Series]:
    """The day's candles, and the cache that holds them: the known `series` with what was fetched."""
    today = date_at(now_ms)
    changed: dict[str, DailySeries] = {}
    refused: dict[str, str] = {}
    for symbol in _behind(series, symbols, today) if hour.world.facts is None else ():
        answer = answers[f"1d {symbol}"]
        if isinstance(answer, Exception):
            refused[symbol] = str(answer)
            continue
        try:
            merged = _merged(hour, symbol, cast("Sequence[Candle]", answer), now_ms)
        except BadSeries as error:
            refused[symbol] = str(error)
            series = {known: kept for known, kept in series.items() if known != symbol}
        else:
            changed |= {symbol: merged} if merged != series.get(symbol) else {}
    series = {**series, **changed} if changed else series
    return _day_market(today, series, symbols, _one(tuple(refused.items()))), series


@remembered
def _day_market(
    today: date, series: Series, symbols: tuple[str, ...], refused: tuple[tuple[str, str], ...]
) -> DailyMarket:
    why = dict(refused)
    return DailyMarket(today, {s: series[s] for s in symbols if s in series and s not in why}, why)


def _merged(hour: Hour, symbol: str, candles: Sequence[Candle], now_ms: int) -> DailySeries:
    """The cached days continued by the fetched ones; what was asked for as a whole replaces the cached days."""
    fetched = closed_series(symbol, candles, now_ms)
    cached = hour.cache.series.get(symbol)
    if cached is None or _missing_days(cached, symbol, day_start_ms(date_at(now_ms)) - DAY_MS)[0] is None:
        return fetched
    merged, revised = extended_series(cached, fetched, _days_kept(symbol))
    for day, change in revised.items():
        hour.tell(AlertKind.CANDLE_REVISED, f"{symbol}:{day}", symbol=symbol, day=day, change=change)
    return merged


def _highs(hour: Hour, answers: Mapping[str, object]) -> dict[str, Decimal]:
    highs: dict[str, Decimal] = {}
    for name, answer in answers.items():
        symbol = name.removeprefix(HOURLY)
        if isinstance(answer, EngineError) and symbol != name:
            hour.problems[f"highs {symbol}"] = str(answer)
        elif isinstance(answer, Decimal):
            highs[symbol] = answer
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
    hour.tape.record("prices", kept, _told)


def _told(prices: Mapping[str, Decimal]) -> dict[str, str]:
    return {symbol: plain(price) for symbol, price in sorted(prices.items())}
