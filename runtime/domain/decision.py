"""What the hour decided: targets, exits and reasons; and everything it decided *not* to do, as gates with numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from runtime.domain.money import CASH, CORE, ZERO, Dec
from runtime.domain.orders import Side, Sleeve
from runtime.domain.values import Value


class ExitReason(StrEnum):
    """Why a holding is sold."""

    TRAILING_STOP = "trailing_stop"
    BELOW_SMA60 = "below_sma60"
    REGIME_OFF = "regime_off"
    NOT_QUALIFIED = "not_qualified"
    OUTRANKED = "outranked"
    BREAKER = "breaker"
    TRIM = "trim"


@dataclass(frozen=True, slots=True)
class Gate(metaclass=Value):
    """One decision not to trade: machine-readable name, sleeve, symbol (empty = the whole sleeve), numbers compared."""

    name: str
    sleeve: Sleeve
    symbol: str = ""
    numbers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate(metaclass=Value):
    """A pool symbol as judged on the last close; `failed` lists the conditions it does not meet (empty = qualifies)."""

    symbol: str
    score: float | None
    momentum: float | None
    failed: tuple[str, ...] = ()
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A selected symbol and its share of the trend sleeve (fractions that sum to 1)."""

    symbol: str
    weight: Dec


@dataclass(frozen=True, slots=True)
class Exit(metaclass=Value):
    """Sell `fraction` of the holding (1 = all of it)."""

    sleeve: Sleeve
    symbol: str
    reason: ExitReason
    fraction: Dec = Decimal(1)
    numbers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dca:
    """Today's purchase of bitcoin: at most `base_order` × `multiplier` USDT."""

    multiplier: int
    base_order: Dec
    ahr999: float
    variant: str


@dataclass(frozen=True, slots=True)
class HoldingMemory(metaclass=Value):
    """What must survive to the next hour about one held trend symbol (quote units)."""

    highest: Dec
    stop: Dec | None = None
    sma60: Dec | None = None


@dataclass(frozen=True, slots=True)
class TrimMemory:
    """The trim episode: the tiers already sold in it."""

    tiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BreakerMemory:
    """The sleeve breaker: the day it tripped, until when it cools, whether the sale is still unfinished, past trips."""

    tripped_on: date | None = None
    cooling_until: date | None = None
    liquidating: bool = False
    trips: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class Memory(metaclass=Value):
    """What the strategy wants to remember; it returns this and never writes state."""

    holdings: Mapping[str, HoldingMemory] = field(default_factory=dict)
    trim: TrimMemory = field(default_factory=TrimMemory)
    breaker: BreakerMemory = field(default_factory=BreakerMemory)
    reduce_only_ms: int = 0
    """When a loss limit latched `reduce_only` (exchange clock); 0 = not latched. Lifted by a later `run` of control."""


@dataclass(frozen=True, slots=True)
class ExecutionPool:
    """The pool to trade, in upstream order; `degraded` = its source pauses new entries; `dropped` says which official
    symbols the exchange does not trade now, and why.
    """

    symbols: tuple[str, ...]
    degraded: bool
    dropped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision(metaclass=Value):
    """What to hold and why. Ratios are fractions of equity; equity is USDT; `memory` is the strategy's next memory.

    `targets` are selected whatever stops them; `entries` are those of them that may be bought this hour. `order_caps`
    are USDT an order by pair, `buys_left` what may still be bought today in all. `prices` are what holdings were valued
    at (USDT by pair; also where no price may be traded on). `returns` are the figures that the loss limits compared.
    """

    slot: str
    equity: Dec
    btc_target_ratio: Dec
    trend_target_ratio: Dec
    btc_base_order: Dec
    regime_on: bool
    candidates: tuple[Candidate, ...] = ()
    targets: tuple[Target, ...] = ()
    entries: tuple[str, ...] = ()
    exits: tuple[Exit, ...] = ()
    order_caps: Mapping[str, Dec] = field(default_factory=dict)
    buys_left: Dec = ZERO
    prices: Mapping[str, Dec] = field(default_factory=dict)
    dca: Dca | None = None
    earn: bool = False
    fuel: bool = False
    gates: tuple[Gate, ...] = ()
    returns: Mapping[str, Dec] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)


@dataclass(frozen=True, slots=True)
class PlannedOrder(metaclass=Value):
    """A market order the plan asks for: `quantity` base units, `price` the snapshot's, `budget` USDT (buys)."""

    sleeve: Sleeve
    symbol: str
    side: Side
    quantity: Dec
    price: Dec
    reason: str
    budget: Dec = ZERO


@dataclass(frozen=True, slots=True)
class Plan(metaclass=Value):
    """What to send, in order, and what the plan left out with the reason. `redeem` is USDT wanted from Earn first."""

    orders: tuple[PlannedOrder, ...] = ()
    redeem: Dec = ZERO
    subscribe: Dec = ZERO
    gates: tuple[Gate, ...] = ()


def target_shares(decision: Decision) -> dict[str, Decimal]:
    """The share of equity (a fraction) that each asset is meant to have, by asset; what has no target is not there."""
    trend = {t.symbol.removesuffix(CASH): t.weight * decision.trend_target_ratio for t in decision.targets}
    return {CORE: decision.btc_target_ratio, **trend}
