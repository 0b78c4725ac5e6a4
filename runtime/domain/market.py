"""What the hour saw of the market: candles, prices, account, Earn; and the indicators made of candles.

Only *closed* daily candles become a `DailySeries`, and a series exists only if it is whole: contiguous days, ordered,
positive, high >= low. A series that fails is refused for its symbol alone (`BadSeries`), so one bad payload never
stops the other symbols. Columns instead of rows: a series is contiguous, so its times follow from the first one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from runtime.domain.instruments import Instrument
from runtime.domain.money import CASH, ZERO, Dec
from runtime.domain.slots import DAY_MS, HOUR_MS, date_at
from runtime.errors import BadSeries

# No real figure lies outside. Within, no indicator can overflow, so a freak row is refused here and crashes nothing.
PRICE_MIN, PRICE_MAX, VOLUME_MAX = 1e-30, 1e30, 1e60


@dataclass(frozen=True, slots=True)
class Candle:
    """One kline. Prices in quote units, volume in base units, `open_time_ms` epoch ms UTC."""

    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float | None


@dataclass(frozen=True, slots=True)
class DailySeries:
    """Closed, contiguous daily candles of one symbol, oldest first; all columns have the same length (days)."""

    symbol: str
    first_open_ms: int
    high: tuple[float, ...]
    low: tuple[float, ...]
    close: tuple[float, ...]
    quote_volume: tuple[float | None, ...]

    @property
    def last_open_ms(self) -> int:
        """Open time (epoch ms) of the newest closed day."""
        return self.first_open_ms + (len(self.close) - 1) * DAY_MS


def exact(value: float) -> Decimal:
    """The decimal a float was read from: floats keep the shortest text that names them."""
    return Decimal(repr(value))


def ratio(value: float) -> Decimal:
    """A float ratio as a decimal of 12 places: finer than any money rule, coarser than a machine's last bit."""
    return Decimal(f"{value:.12f}")


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
        tuple(c.quote_volume if c.quote_volume is not None else c.close * c.volume for c in closed),
    )


def extended_series(cached: DailySeries, fetched: DailySeries, days_max: int) -> tuple[DailySeries, dict[str, str]]:
    """`cached` continued by `fetched`, which begins inside it; the newest `days_max` days are kept.

    The second value holds, by ISO date, what `fetched` changed of a day that was cached. The fetched values win.
    """
    overlap = (fetched.first_open_ms - cached.first_open_ms) // DAY_MS
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
    columns = (
        (*getattr(cached, name)[:overlap], *getattr(fetched, name))[skip:]
        for name in ("high", "low", "close", "quote_volume")
    )
    return DailySeries(cached.symbol, cached.first_open_ms + skip * DAY_MS, *columns), revised


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


@dataclass(frozen=True, slots=True, eq=False)
class DailyMarket:
    """The closed daily candles as known on the UTC day `day`; `refused` says, by symbol, why a series is missing.

    Compared by identity: one object lives as long as the day's candles do, so that what is computed from it is
    computed once.
    """

    day: date
    series: Mapping[str, DailySeries]
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SymbolFacts:
    """Indicators of one symbol on the last closed day (strategy contract, section 2); None = not enough days.

    `close` may be None in a fixture that has no candles: the price then stands for the last close.
    vol20 is per day, not annualised; atr14 and the averages are in quote units; rocs are fractions.
    """

    close: float | None
    sma20: float | None = None
    sma60: float | None = None
    sma200: float | None = None
    roc20: float | None = None
    roc60: float | None = None
    roc120: float | None = None
    vol20: float | None = None
    atr14: float | None = None
    avg_quote_vol_30: float | None = None
    avg_quote_vol_90: float | None = None
    avg_quote_vol_180: float | None = None
    trend_persist_90: float | None = None
    age_days: int | None = None

    @property
    def complete(self) -> bool:
        """Whether all of sma, roc, vol20 and atr14 are known and finite."""
        needed = (self.sma20, self.sma60, self.sma200, self.roc20, self.roc60, self.roc120, self.vol20, self.atr14)
        return all(v is not None and math.isfinite(v) for v in needed)


@dataclass(frozen=True, slots=True)
class BtcFacts:
    """Bitcoin's snapshot on the last closed day (strategy contract, section 3); None = not enough days.

    `cost200` is the 200-day cost of the chosen variant (quote units), `ahr999` is set only where a fixture gives it:
    otherwise it follows from the live price.
    """

    close: float | None
    ma200: float | None = None
    ma200_slope: float | None = None
    zscore: float | None = None
    sell_trigger: float | None = None
    geom200: float | None = None
    cost200: float | None = None
    cost_variant: str = "geometric"
    ahr999: float | None = None
    roc20: float | None = None
    roc60: float | None = None
    roc120: float | None = None
    zscore_days: int = 0
    """Consecutive closed days, up to the last one, with zscore <= sell_trigger (0 = above it on the last day)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All indicators of a day; `missing` says, by symbol, why they are incomplete."""

    btc: BtcFacts | None
    symbols: Mapping[str, SymbolFacts]
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Balance:
    """A spot balance in units of its asset."""

    free: Dec
    locked: Dec = ZERO

    @property
    def total(self) -> Decimal:
        """Free and locked together."""
        return self.free + self.locked


@dataclass(frozen=True, slots=True)
class Account:
    """The spot account; assets with nothing in them are left out, Earn's `LD...` shadows are dropped by the adapter."""

    balances: Mapping[str, Balance]
    can_trade: bool = True

    def free(self, asset: str) -> Decimal:
        """The free balance, 0 if the account has none."""
        balance = self.balances.get(asset)
        return balance.free if balance else ZERO

    def total(self, asset: str) -> Decimal:
        """Free and locked, 0 if the account has none."""
        balance = self.balances.get(asset)
        return balance.total if balance else ZERO


@dataclass(frozen=True, slots=True)
class EarnPosition:
    """A flexible Simple Earn position. `total` includes accrued rewards; `rewards` is their cumulated real-time sum."""

    asset: str
    product_id: str
    total: Dec
    rewards: Dec = ZERO
    pledged: Dec = ZERO
    can_redeem: bool = True
    auto_subscribe: bool = False

    @property
    def redeemable(self) -> Decimal:
        """What a redemption may ask for: nothing pledged, nothing while redemption is closed."""
        return max(ZERO, self.total - self.pledged) if self.can_redeem else ZERO


@dataclass(frozen=True, slots=True)
class EarnProduct:
    """A flexible product as listed now."""

    asset: str
    product_id: str
    min_purchase: Dec
    can_purchase: bool
    left_quota: Dec | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything one hour saw, immutable; what is None or absent could not be read.

    Prices are USDT per unit by symbol; `now_ms` and `priced_ms` are the exchange's clock; `highs` are the highest
    highs of closed hourly candles since the entry hour, by held symbol; `facts` is given only by fixtures that hold
    indicators instead of candles; `control` is the kill switch's mode (`run`, `reduce_only`, `halt`) and `control_ms`
    when the operator set it.
    """

    slot: str
    now_ms: int
    priced_ms: int
    skew_ms: int
    account: Account
    prices: Mapping[str, Dec]
    instruments: Mapping[str, Instrument]
    daily: DailyMarket
    earn: Mapping[str, EarnPosition] | None = None
    highs: Mapping[str, Dec] = field(default_factory=dict)
    facts: Facts | None = None
    control: str = "run"
    control_ms: int = 0
    problems: Mapping[str, str] = field(default_factory=dict)

    def price(self, asset: str) -> Decimal | None:
        """USDT price of one unit of `asset`; None if there is none."""
        return Decimal(1) if asset == CASH else self.prices.get(asset + CASH)
