"""Standing: a decision that may stand for the next hour.

Most hours find what the hour before left, except for prices; and most prices change no answer of any rule. Such an hour
decides as the one before, so a run over years need not ask every rule anew: it asks the strategy whether each rule that
looks at a price answers as it did (`Steadiness`). A strategy that says nothing of itself is asked in full every hour.

Whoever says *yes* promises: `decide` of this hour would give the same exits, entries, purchases and gates (by name,
sleeve and symbol), and exactly the memory that is returned. *None* promises nothing: the hour is decided in full. And:
what is promised at two prices is promised at any price between, so that the hours of a day can be asked for at once, by
their lowest and highest prices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runtime.domain.decision import Decision, ExecutionPool, Memory
from runtime.domain.market import Snapshot
from runtime.domain.planning import GateName
from runtime.domain.settings import StrategySettings
from runtime.domain.state import State
from runtime.domain.valuation import Wallet
from runtime.domain.values import Value


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """An hour that was decided in full and moved nothing: what it saw, what it decided, and the state it left."""

    snapshot: Snapshot
    wallet: Wallet
    pool: ExecutionPool
    settings: StrategySettings
    decision: Decision
    state: State


@dataclass(frozen=True, slots=True)
class Fresh(metaclass=Value):
    """What a later hour of the same UTC day sees anew: prices, those of the hour before, and the trailing highs of what
    is watched (USDT a unit); the values of the standing wallet at these prices (USDT by asset); and the memory that the
    hour before left.
    """

    slot: str
    prices: Mapping[str, Decimal]
    before: Mapping[str, Decimal]
    highs: Mapping[str, Decimal]
    values: Mapping[str, Decimal]
    memory: Memory


@dataclass(frozen=True, slots=True)
class Steadiness:
    """What a strategy says of itself: the memory of an hour that decides as the standing one did (None where it may
    not); that hour's decision with its own amounts; and, from what its holdings are worth alone, the gates of a plan
    that certainly buys nothing (None where the decision must be planned).
    """

    strategy: object
    memory: Callable[[Standing, Fresh], Memory | None]
    decision: Callable[[Standing, Fresh], Decision]
    idle: Callable[[Standing, Mapping[str, Decimal]], Sequence[GateName] | None]
