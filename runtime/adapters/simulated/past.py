"""The past as a market: `MarketData` over a history in memory, each answer as it was known at the clock's moment.

It answers as a market folder of the same candles does (`markets`; a test holds the two together), but from columns,
some days at a time, so that an hour costs no search. *No look-ahead*:

- The price in an hour is the open of its hourly candle: the last trade known when the hour begins, and the only price
  of that hour that is. Without that candle it is the close of the candle before, for at most 3 hours; then there is
  none.
- An hour in which no pair at all has a candle is an outage: the exchange is closed, and every call is `Unavailable`.
- Of candles, those that have closed are given, and the open one as far as it has happened: one price, or the day's
  closed hours and the present price. Nothing is told of a row but its open before its interval is over.
- A pair is unknown before its first hour; it trades while it has hours within two days.
- Derived filters are reviewed once a calendar month, at the first price of that month: Binance changes them rarely.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from runtime.adapters.simulated.listing import derived
from runtime.adapters.simulated.past_days import PastDays
from runtime.domain.candle_columns import CandleColumns, CandleSet
from runtime.domain.instruments import Instrument
from runtime.domain.market import Candle, DailySeries, exact
from runtime.domain.slots import DAY_MS, HOUR_MS, date_at, day_start_ms
from runtime.errors import Rejected, Unavailable
from runtime.ports import Clock

KLINES_MAX = 1000
PRICE_AGE_MAX_MS = 3 * HOUR_MS
TRADING_AGE_MAX_MS = 2 * DAY_MS
AT_ONCE_MS = 8 * DAY_MS
"""So many hours' prices are made at once: fewer look-ups each day, and still little to keep."""
Prices = Mapping[str, Decimal]


class PastMarket:
    """`MarketData` over the candles of a history, for clocks within its query's range."""

    def __init__(self, candles: CandleSet, clock: Clock, filters: Mapping[str, Instrument] | None = None) -> None:
        """`filters` are the pairs' own, where they are known."""
        self._candles, self._clock, self._filters = candles, clock, filters or {}
        self._closed = candles.closed_hours()
        self._rows_ms, self._rows = -AT_ONCE_MS, list[Prices]()
        self._days: dict[str, PastDays] = {}
        self._peaks: dict[str, tuple[int, int, int]] = {}
        self._listings: dict[tuple[str, ...], tuple[dict[str, Instrument], int, int]] = {}
        self._reviewed: dict[tuple[str, int, bool], Instrument] = {}

    def open_at(self, now_ms: int) -> bool:
        """Whether the exchange is open in that hour: some pair has a candle."""
        return _floor(now_ms, HOUR_MS) not in self._closed

    def server_time_ms(self) -> int:
        return self._now()

    def prices(self) -> Prices:
        now = self._now()
        if not 0 <= now - self._rows_ms < AT_ONCE_MS:
            self._rows_ms = _floor(now, AT_ONCE_MS)
            self._rows = hourly_prices(self._candles.hourly, self._rows_ms, AT_ONCE_MS // HOUR_MS)
        return self._rows[(now - self._rows_ms) // HOUR_MS]

    def coming(self, symbols: Sequence[str]) -> Sequence[Prices]:
        """The prices of this hour and of those after it today, while the exchange is open, the same pairs have a price,
        and nothing about `symbols` can change. Only for who looks whether anything could be decided at them.
        """
        (now, _), prices = self.instruments(symbols), self.prices()
        _, _, stand_until_ms = self._listings[tuple(symbols)]
        at, until_ms = (now - self._rows_ms) // HOUR_MS, min(_floor(now, DAY_MS) + DAY_MS, stand_until_ms)
        rows = [prices]
        for at_ms in range(_floor(now, HOUR_MS) + HOUR_MS, until_ms, HOUR_MS):
            row = self._rows[at + len(rows)]
            if at_ms in self._closed or row.keys() != prices.keys():
                break
            rows.append(row)
        return rows

    def instruments(self, symbols: Sequence[str]) -> tuple[int, Mapping[str, Instrument]]:
        """The pairs. They stand until something can have changed: filters are reviewed each month, and a pair trades
        for two days after an hour that is known to have closed; one that does not trade is looked at every time.
        """
        now = self._now()
        asked = tuple(symbols)
        known, made_ms, until_ms = self._listings.get(asked, ({}, 0, 0))
        if not made_ms <= now < until_ms:
            month, hour_ms = date_at(now).replace(day=1), _floor(now, HOUR_MS)
            month_ms, until_ms = day_start_ms(month), day_start_ms((month + timedelta(days=31)).replace(day=1))
            known = {}
            for symbol in symbols:
                hourly = self._listed(symbol, now, "exchangeInfo")
                trades_until_ms = _trades_until(hourly, now)
                known[symbol] = self._instrument(hourly, month_ms, now, trading=hour_ms <= trades_until_ms)
                until_ms = min(until_ms, trades_until_ms)
            self._listings[asked] = known, now, until_ms
        return now, known

    def highest(self, symbol: str, since_ms: int, now_ms: int) -> Decimal | None:
        """The highest high of the hours that opened from `since_ms` on and have closed; None if none has.

        It remembers where the highest hour was, so that an hour later only one more is looked at.
        """
        hourly = self._candles.hourly.get(symbol)
        if hourly is None:
            raise Rejected(f"klines {symbol}", -1121, "Invalid symbol.")
        opens_ms, high = hourly.opens_ms, hourly.high
        first, stop = bisect_left(opens_ms, since_ms), bisect_left(opens_ms, now_ms - HOUR_MS + 1)
        if first >= stop:
            return None
        known, at, seen = self._peaks.get(symbol, (stop, -1, -1))
        begin = seen if known <= first <= at and seen <= stop else first
        if begin < stop:
            newest = high[begin] if begin + 1 == stop else max(high[begin:stop])
            if begin == first or newest > high[at]:
                at = high.index(newest, begin, stop)
            self._peaks[symbol] = first, at, stop
        return exact(high[at])

    def days(self, cached: DailySeries, count: int, now_ms: int) -> DailySeries | None:
        """`cached` continued by the one day that has closed since; of all of them the newest `count`. None where it is
        not just one, or where `cached` is not what the columns hold: then the candles tell.

        A day that has closed never changes here, and whoever built the columns has checked it.
        """
        symbol = cached.symbol
        days = self._days.get(symbol) or self._days.setdefault(symbol, PastDays(self._candles.daily[symbol]))
        return days.after(cached, count, now_ms)

    def candles(self, symbol: str, interval: str, start_ms: int | None, limit: int) -> Sequence[Candle]:
        now = self._now()
        hourly = self._listed(symbol, now, "klines")
        if interval not in {"1d", "1h"}:
            raise Rejected(f"klines {symbol} {interval}", -1120, "Invalid interval.")
        if limit < 1:
            raise Rejected(f"klines {symbol} limit {limit}", -1130, "Data sent for parameter 'limit' is not valid.")
        daily = interval == "1d"
        columns, count = self._candles.daily[symbol] if daily else hourly, min(limit, KLINES_MAX)
        closed = columns.closed_at(now)
        first = closed - count if start_ms is None else columns.index_at(start_ms)
        found = columns.candles(first, min(closed, first + count))
        forming = self._forming_day(hourly, now) if daily else _forming_hour(hourly, now)
        found += [candle for candle in forming if start_ms is None or candle.open_time_ms >= start_ms]
        return found[-count:] if start_ms is None else found[:count]

    def _now(self) -> int:
        """The clock's moment; `Unavailable` while the exchange is closed."""
        now = self._clock.now_ms()
        if now - now % HOUR_MS in self._closed:
            raise Unavailable("exchange", "closed: no pair has a candle in this hour")
        return now

    def _instrument(self, hourly: CandleColumns, month_ms: int, now: int, *, trading: bool) -> Instrument:
        key = (hourly.symbol, month_ms, trading)
        if key not in self._reviewed:
            self._reviewed[key] = self._review(hourly, month_ms, now, trading=trading)
        return self._reviewed[key]

    def _review(self, hourly: CandleColumns, month_ms: int, now: int, *, trading: bool) -> Instrument:
        """The pair's own filters, or those that follow from its first price of the month, or else its last one."""
        own = self._filters.get(hourly.symbol)
        if own is not None:
            return own if trading or not own.tradable else replace(own, status="BREAK")
        at = hourly.index_at(month_ms)
        begun = at < len(hourly) and hourly.opens_ms[at] <= now
        (price,) = hourly.exact_open.between(at, at + 1) if begun else hourly.exact_close.between(at - 1, at)
        return derived(hourly.symbol, price, trading=trading)

    def _listed(self, symbol: str, now: int, what: str) -> CandleColumns:
        hourly = self._candles.hourly.get(symbol)
        if hourly is None or not len(hourly) or hourly.opens_ms[0] > now:
            raise Rejected(f"{what} {symbol}", -1121, "Invalid symbol.")
        return hourly

    def _forming_day(self, hourly: CandleColumns, now: int) -> list[Candle]:
        """The day in progress: its closed hours and the present price."""
        day_ms, hour_ms = _floor(now, DAY_MS), _floor(now, HOUR_MS)
        parts = hourly.candles(hourly.index_at(day_ms), hourly.index_at(hour_ms))
        price = self.prices().get(hourly.symbol)
        if price is not None:
            parts.append(_flat(hour_ms, float(price)))
        if not parts:
            return []
        quoted = [part.quote_volume for part in parts if part.quote_volume is not None]
        return [
            Candle(
                day_ms,
                parts[0].open,
                max(part.high for part in parts),
                min(part.low for part in parts),
                parts[-1].close,
                sum(part.volume for part in parts),
                sum(quoted) if len(quoted) == len(parts) else None,
            )
        ]


def hourly_prices(hourly: Mapping[str, CandleColumns], first_ms: int, count: int) -> list[Prices]:
    """The prices known in each of the `count` hours from `first_ms` on."""
    opens = [_opens(column, first_ms, count) for column in hourly.values()]
    if all(len(known) == count for known in opens):
        symbols = list(hourly)
        return [dict(zip(symbols, row, strict=True)) for row in zip(*opens, strict=True)]
    columns = [_with_closes(*each, first_ms, count) for each in zip(hourly.values(), opens, strict=True)]
    rows = (zip(hourly, row, strict=True) for row in zip(*columns, strict=True))
    return [{symbol: price for symbol, price in row if price is not None} for row in rows]


def _opens(hourly: CandleColumns, first_ms: int, count: int) -> Sequence[Decimal]:
    """The opens of those hours of one symbol that exist."""
    first, stop = hourly.index_at(first_ms), hourly.index_at(first_ms + count * HOUR_MS)
    return hourly.exact_open.between(first, stop)


def _with_closes(
    hourly: CandleColumns, opens: Sequence[Decimal], first_ms: int, count: int
) -> Sequence[Decimal | None]:  # fmt: skip
    """One symbol's price in each hour; None where there is none."""
    if len(opens) == count:
        return opens
    first = hourly.index_at(first_ms)
    known = dict(zip(hourly.opens_ms[first : first + len(opens)], opens, strict=True))
    hours = range(first_ms, first_ms + count * HOUR_MS, HOUR_MS)
    return [known.get(hour) or _last_close(hourly, hour) for hour in hours]


def _trades_until(hourly: CandleColumns, now: int) -> int:
    """Until when a pair trades (epoch ms), by the hours that have closed; from `now` on if none has."""
    closed = bisect_left(hourly.opens_ms, now - HOUR_MS + 1)
    return hourly.opens_ms[closed - 1] + HOUR_MS + TRADING_AGE_MAX_MS if closed else now


def _last_close(hourly: CandleColumns, hour_ms: int) -> Decimal | None:
    """The close that came last before `hour_ms`, while it is good for a price."""
    at = hourly.index_at(hour_ms) - 1
    if at < 0 or hour_ms - hourly.opens_ms[at] - HOUR_MS > PRICE_AGE_MAX_MS:
        return None
    return hourly.exact_close.between(at, at + 1)[0]


def _forming_hour(hourly: CandleColumns, now: int) -> list[Candle]:
    hour_ms = _floor(now, HOUR_MS)
    at = hourly.index_at(hour_ms)
    if at == len(hourly) or hourly.opens_ms[at] != hour_ms:
        return []
    return [_flat(hour_ms, hourly.open[at])]


def _flat(open_ms: int, price: float) -> Candle:
    """A candle at its first moment: one price, nothing traded yet."""
    return Candle(open_ms, price, price, price, price, 0.0, 0.0)


def _floor(now_ms: int, step_ms: int) -> int:
    return now_ms - now_ms % step_ms
