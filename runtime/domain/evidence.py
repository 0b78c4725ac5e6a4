"""Evidence: what may explain a change of balance that no order of ours made."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from runtime.domain.ledger import fees
from runtime.domain.money import CASH, ZERO
from runtime.domain.orders import Order, Side


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


def order_flows(order: Order) -> tuple[Flow, ...]:
    """What an order that is not ours moved, by asset: base, quote (USDT) and fees. Its fills must be complete."""
    base, sign = order.symbol.removesuffix(CASH), 1 if order.side is Side.BUY else -1
    moved = {base: sign * order.executed_qty, CASH: -sign * order.quote_qty}
    for asset, paid in fees(order).items():
        moved[asset] = moved.get(asset, ZERO) - paid
    name, kind = f"trade:{order.symbol}:{order.order_id}", FlowKind.MANUAL_TRADE
    return tuple(
        Flow(f"{name}:{asset}", kind, asset, amount, order.time_ms) for asset, amount in moved.items() if amount
    )
