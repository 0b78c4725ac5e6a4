"""Candles: when rows of klines become something to trust.

Only *closed* daily candles become a `DailySeries`, and a series exists only if it is whole: contiguous days, ordered,
positive, high >= low. A series that fails is refused for its symbol alone (`BadSeries`), so one bad payload never
stops the other symbols.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from runtime.domain.market import Candle, DailySeries, exact
from runtime.domain.slots import DAY_MS, HOUR_MS, date_at
from runtime.errors import BadSeries

# No real figure lies outside. Within, no indicator can overflow, so a freak row is refused here and crashes nothing.
PRICE_MIN, PRICE_MAX, VOLUME_MAX = 1e-30, 1e30, 1e60


def _fault(c: Candle) -> tuple[object, str] | None:
    prices = (c.open, c.high, c.low, c.close)
    if not all(PRICE_MIN <= price <= PRICE_MAX for price in prices):  # false for NaN too
        return prices, f"prices must be finite and above 0 ({PRICE_MIN} to {PRICE_MAX})"
    if c.high < c.low:
        return prices, "high must not be below low"
    if not (c.low <= c.open <= c.high and c.low <= c.close <= c.high):
        return prices, "open and close must lie between low and high"
    if not 0 <= c.volume <= VOLUME_MAX:
        return c.volume, "volume must be finite and not negative"
    if c.quote_volume is not None and not 0 <= c.quote_volume <= VOLUME_MAX:
        return c.quote_volume, "quote volume must be finite and not negative"
    return None


def check_candles(symbol: str, candles: Sequence[Candle], step_ms: int) -> None:
    """`BadSeries` at the first row that is malformed, off the grid, repeated, out of order or after a gap."""
    previous: int | None = None
    for row, candle in enumerate(candles):
        where = f"{symbol} candle {row}"
        fault = _fault(candle)
        if fault:
            raise BadSeries(where, *fault)
        if candle.open_time_ms % step_ms:
            raise BadSeries(where, candle.open_time_ms, f"open time must be a multiple of {step_ms} ms")
        if previous is not None and candle.open_time_ms != previous + step_ms:
            raise BadSeries(where, candle.open_time_ms, _break(previous, candle.open_time_ms, step_ms))
        previous = candle.open_time_ms


def _break(previous: int, current: int, step_ms: int) -> str:
    if current == previous:
        return "repeats the open time before it"
    if current < previous:
        return f"is older than the row before it ({previous})"
    return f"{(current - previous) // step_ms - 1} candle(s) missing after {previous}"


def closed_series(symbol: str, candles: Sequence[Candle], now_ms: int) -> DailySeries:
    """The closed part of daily candles (close time < `now_ms`) as a series; `BadSeries` if it is empty or faulty."""
    closed = [c for c in candles if c.open_time_ms + DAY_MS - 1 < now_ms]
    check_candles(symbol, closed, DAY_MS)
    if not closed:
        raise BadSeries(f"{symbol} candles", 0, "at least one closed daily candle is needed")
    return DailySeries(
        symbol,
        closed[0].open_time_ms,
        tuple(c.high for c in closed),
        tuple(c.low for c in closed),
        tuple(c.close for c in closed),
        tuple(turnover(candle) for candle in closed),
    )


def turnover(candle: Candle) -> float:
    """The quote volume; close times volume where the candle has none."""
    return candle.quote_volume if candle.quote_volume is not None else candle.close * candle.volume


def extended_series(cached: DailySeries, fetched: DailySeries, days_max: int) -> tuple[DailySeries, dict[str, str]]:
    """`cached` continued by `fetched`, which begins inside it; the newest `days_max` days are kept.

    The second value holds, by ISO date, what `fetched` changed of a day that was cached. The fetched values win.
    """
    overlap = (fetched.first_open_ms - cached.first_open_ms) // DAY_MS
    if not 0 <= overlap <= len(cached.close):
        raise BadSeries(
            f"{cached.symbol} candles", fetched.first_open_ms, "must continue the cached ones without a gap"
        )
    revised: dict[str, str] = {}
    for at in range(overlap, len(cached.close)):
        new_at = at - overlap
        if new_at >= len(fetched.close):
            break
        old = (cached.high[at], cached.low[at], cached.close[at])
        new = (fetched.high[new_at], fetched.low[new_at], fetched.close[new_at])
        if old != new:
            day = date_at(cached.first_open_ms + at * DAY_MS).isoformat()
            revised[day] = f"high/low/close {old} became {new}"
    skip = max(0, overlap + len(fetched.close) - days_max)
    kept, added = slice(skip, overlap), slice(max(0, skip - overlap), None)
    return DailySeries(
        cached.symbol,
        cached.first_open_ms + skip * DAY_MS,
        (*cached.high[kept], *fetched.high[added]),
        (*cached.low[kept], *fetched.low[added]),
        (*cached.close[kept], *fetched.close[added]),
        (*cached.quote_volume[kept], *fetched.quote_volume[added]),
    ), revised


def closed_high(symbol: str, candles: Sequence[Candle], since_ms: int, now_ms: int) -> Decimal | None:
    """The highest high of hourly candles that opened at or after `since_ms` and closed before `now_ms`; None if none.

    Hours the exchange was closed are simply absent: a high needs no contiguity.
    """
    highs = []
    for row, candle in enumerate(candles):
        if candle.open_time_ms < since_ms or candle.open_time_ms + HOUR_MS - 1 >= now_ms:
            continue
        fault = _fault(candle)
        if fault:
            raise BadSeries(f"{symbol} hourly candle {row}", *fault)
        highs.append(candle.high)
    return exact(max(highs)) if highs else None
