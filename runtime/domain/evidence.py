"""Evidence: what may explain a change of balance that no order of ours made."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class FlowKind(StrEnum):
    """Where a change came from. Income is performance, the others are the operator's own money moving."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    REWARD = "reward"
    MANUAL_TRADE = "manual_trade"


@dataclass(frozen=True, slots=True)
class Flow:
    """One record of the exchange: `amount` units of `asset`, signed as the spot balance moved, at `time_ms`."""

    id: str
    kind: str
    asset: str
    amount: Decimal
    time_ms: int
