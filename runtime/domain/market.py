"""What the hour saw of the market: candles, prices, account, Earn; and the indicators made of candles.

Columns instead of rows: a series is contiguous (`domain.candles` sees to that), so its times follow from the first one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, overload

from pydantic import GetPydanticSchema, PlainSerializer

from runtime.domain.instruments import Instrument
from runtime.domain.money import CASH, ZERO, Dec
from runtime.domain.slots import DAY_MS
from runtime.domain.values import Value


@dataclass(frozen=True, slots=True)
class Candle(metaclass=Value):
    """One kline. Prices in quote units, volume in base units, `open_time_ms` epoch ms UTC."""

    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float | None


class Part(Sequence[float]):
    """The values of a long column from one index up to another, not copied: the days of a series are those of the day
    before but for two. It equals the tuple of its values, and a slice of it is one.
    """

    __slots__ = ("_column", "_first", "_length")

    def __init__(self, column: tuple[float, ...], first: int, stop: int) -> None:
        """`first` and `stop` lie within the column."""
        self._column, self._first, self._length = column, first, stop - first

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, at: int) -> float: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[float, ...]: ...
    def __getitem__(self, at: int | slice) -> float | tuple[float, ...]:
        if isinstance(at, slice):
            (first, stop, step), begin = at.indices(self._length), self._first
            return self._column[begin + first : begin + stop] if step == 1 else self[:][at]
        if not -self._length <= at < self._length:
            raise IndexError(at)
        return self._column[self._first + at % self._length]

    def __iter__(self) -> Iterator[float]:
        return iter(self[:])

    def __eq__(self, other: object) -> bool:
        return self[:] == (other[:] if isinstance(other, Part) else other)

    def __hash__(self) -> int:
        return hash(self[:])

    def __repr__(self) -> str:
        return repr(self[:])


Maybe = float | None
_TUPLE = GetPydanticSchema(lambda _, known: known.generate_schema(tuple[float, ...]))
_TUPLE_MAYBE = GetPydanticSchema(lambda _, known: known.generate_schema(tuple[Maybe, ...]))
Column = Annotated[Sequence[float], _TUPLE, PlainSerializer(list, return_type=list[float])]
"""A price for each day, oldest first: a tuple, or a part of one; stored as a list, and read back as a tuple."""
Volumes = Annotated[Sequence[Maybe], _TUPLE_MAYBE, PlainSerializer(list, return_type=list[Maybe])]
"""The same of what may be unknown."""


@dataclass(frozen=True, slots=True)
class DailySeries(metaclass=Value):
    """Closed, contiguous daily candles of one symbol, oldest first; all columns have the same length (days)."""

    symbol: str
    first_open_ms: int
    high: Column
    low: Column
    close: Column
    quote_volume: Volumes

    @property
    def last_open_ms(self) -> int:
        """Open time (epoch ms) of the newest closed day."""
        return self.first_open_ms + (len(self.close) - 1) * DAY_MS


@lru_cache(maxsize=4096)
def exact(value: float) -> Decimal:
    """The decimal a float was read from: floats keep the shortest text that names them."""
    return Decimal(repr(value))


@lru_cache(maxsize=4096)
def ratio(value: float) -> Decimal:
    """A float ratio as a decimal of 12 places: finer than any money rule, coarser than a machine's last bit."""
    return Decimal(f"{value:.12f}")


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
class SymbolFacts(metaclass=Value):
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
        try:
            return all(map(math.isfinite, needed))  # type: ignore[arg-type] # None is refused, and caught
        except TypeError:
            return False


@dataclass(frozen=True, slots=True)
class BtcFacts(metaclass=Value):
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
    """The spot account; assets with nothing in them are left out, Earn's `LD...` shadows are dropped by the adapter.
    `digest` recognises whose account it is (`domain.api_key`); empty where the exchange does not say.
    """

    balances: Mapping[str, Balance]
    can_trade: bool = True
    digest: str = ""

    def free(self, asset: str) -> Decimal:
        """The free balance, 0 if the account has none."""
        balance = self.balances.get(asset)
        return balance.free if balance else ZERO

    def total(self, asset: str) -> Decimal:
        """Free and locked, 0 if the account has none."""
        balance = self.balances.get(asset)
        return balance.total if balance else ZERO


@dataclass(frozen=True, slots=True)
class EarnPosition(metaclass=Value):
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
class Snapshot(metaclass=Value):
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
