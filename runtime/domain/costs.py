"""Costs: what trading and running cost, month by month: fees, slippage, minutes of the job.

    fees      commissions in USDT. One paid in the coin that was traded is worth the price its decision saw, one paid in
              another asset (BNB) that asset's newest known price
    slippage  USDT that an order got less, or paid more, than at the price its decision saw: above 0 is worse, below 0
              better. Only what executed counts; `traded` is that quantity at the decision's price, so that
              slippage / traded is a rate
    minutes   whole minutes that runs took, each rounded up, as GitHub bills a job. What a job does before the engine
              starts (check out, install) is not in it

An order counts where its fills are booked, in that same write, so that none counts twice; its month is that of the slot
it was meant in, as in the ledger, even where it is settled later. Months are UTC. A budget is a month's; reaching 80 %
and 100 % of it is told once each, and nothing is held back for it: a stop must sell in any month.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from runtime.domain.changing import changed
from runtime.domain.ledger import fees
from runtime.domain.money import CASH, ZERO, Dec, plain
from runtime.domain.orders import Intent, Order, Side
from runtime.domain.slots import MINUTE_MS
from runtime.domain.values import Value

MONTHS_KEPT = 13
"""The running month and a year before it: so many stand in the state document."""
LEVELS = (80, 100)
"""Parts of a budget (%) that are told."""
BPS = 10_000


@dataclass(frozen=True, slots=True)
class Spent(metaclass=Value):
    """USDT of `orders` that executed; `unvalued` of them lack a fee or slippage, because a price was not known."""

    fees: Dec = ZERO
    slippage: Dec = ZERO
    traded: Dec = ZERO
    orders: int = 0
    unvalued: int = 0

    @property
    def slippage_bps(self) -> Decimal | None:
        """Slippage in 1/10 000 of what was traded, to a hundredth; None where nothing was."""
        return round(self.slippage / self.traded * BPS, 2) if self.traded else None

    def plus(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(
            self.fees + other.fees,
            self.slippage + other.slippage,
            self.traded + other.traded,
            self.orders + other.orders,
            self.unvalued + other.unvalued,
        )


NO_COSTS = Spent()


@dataclass(frozen=True, slots=True)
class MonthCosts(metaclass=Value):
    """What a UTC month cost; `told` names the levels of its budgets that were told."""

    spent: Spent = NO_COSTS
    minutes: int = 0
    told: tuple[str, ...] = ()


NO_MONTH = MonthCosts()
Months = Mapping[str, MonthCosts]
"""By month, as `2026-11`."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A level (%) of a budget that a month has reached: `what` of it, `amount` spent of `budget`."""

    what: str
    level: int
    amount: Decimal
    budget: Decimal

    @property
    def name(self) -> str:
        """What it is called among incidents."""
        return f"{self.what} {self.level} %"

    @property
    def mark(self) -> str:
        """What is noted once it was told; another budget is another mark."""
        return f"{self.name} of {plain(self.budget)}"


def month_of(slot: str) -> str:
    """The UTC month of a slot, as `2026-11`."""
    return slot[:7]


def spent_on(intent: Intent, order: Order, prices: Mapping[str, Decimal]) -> Spent:
    """What the order of `intent` cost; `prices`, by pair, value fees that were paid in a third asset."""
    decided, known = intent.decision_price, True
    paid = ZERO
    for asset, units in fees(order).items():
        price = _fee_price(asset, intent, order, prices)
        paid, known = paid + units * (price or ZERO), known and price is not None
    if not decided:
        return Spent(paid, orders=1, unvalued=1)
    meant = order.executed_qty * decided
    worse = order.quote_qty - meant if order.side is Side.BUY else meant - order.quote_qty
    return Spent(paid, worse, meant, 1, 0 if known else 1)


def _fee_price(asset: str, intent: Intent, order: Order, prices: Mapping[str, Decimal]) -> Decimal | None:
    if asset == CASH:
        return Decimal(1)
    if asset + CASH == order.symbol:
        return intent.decision_price or order.average_price
    return prices.get(asset + CASH)


def with_spent(months: Months, slot: str, spent: Spent) -> dict[str, MonthCosts]:
    """The months with what an order of `slot` cost."""
    month = month_of(slot)
    before = months.get(month, NO_MONTH)
    return _newest({**months, month: changed(before, spent=before.spent.plus(spent))})


def with_minutes(months: Months, slot: str, minutes: int) -> dict[str, MonthCosts]:
    """The months with what a run of `slot` took."""
    month = month_of(slot)
    before = months.get(month, NO_MONTH)
    return _newest({**months, month: changed(before, minutes=before.minutes + minutes)})


def with_told(months: Months, slot: str, told: tuple[str, ...]) -> dict[str, MonthCosts]:
    """The months with the marks of what was told in that of `slot`."""
    month = month_of(slot)
    return {**months, month: changed(months.get(month, NO_MONTH), told=told)}


def _newest(months: Months) -> dict[str, MonthCosts]:
    return {month: months[month] for month in sorted(months)[-MONTHS_KEPT:]}


def minutes_of(took_ms: int) -> int:
    """Whole minutes, rounded up; 0 where no time passed (a simulated hour), or the clock was set back."""
    return max(0, -(-took_ms // MINUTE_MS))


def costs_document(hour: Spent, month: Spent | None) -> dict[str, Any]:
    """The costs of an hour, and of its month until then where they are known, as JSON values."""
    return {**spent_document(hour), "month": None if month is None else spent_document(month)}


def spent_document(spent: Spent) -> dict[str, Any]:
    """Costs as JSON values, amounts (USDT) as text."""
    bps = spent.slippage_bps
    return {
        "fees": plain(spent.fees),
        "slippage": plain(spent.slippage),
        "slippage_bps": None if bps is None else plain(bps),
        "traded": plain(spent.traded),
        "orders": spent.orders,
        "unvalued": spent.unvalued,
    }


def measured(month: MonthCosts) -> dict[str, Decimal]:
    """What a budget may be set for: USDT of fees and of slippage, and minutes."""
    return {"fees": month.spent.fees, "slippage": month.spent.slippage, "minutes": Decimal(month.minutes)}


def reached(month: MonthCosts, budgets: Mapping[str, Decimal]) -> tuple[Reached, ...]:
    """The levels of `budgets` (by name as `measured`; 0 = none) that the month has reached, lowest first."""
    spent = measured(month)
    return tuple(
        Reached(what, level, spent[what], budget)
        for what, budget in budgets.items()
        for level in LEVELS
        if budget and spent[what] * 100 >= budget * level
    )
