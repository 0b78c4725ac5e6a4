"""The plan of a history run: which hours, with how much money, at what costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from runtime.domain.money import ZERO, plain
from runtime.domain.slots import date_at, day_start_ms


@dataclass(frozen=True, slots=True)
class Deposits:
    """Money that arrives once a month: USDT, on that day of the month (or its last one)."""

    amount: Decimal
    day: int = 1

    def next_ms(self, after_ms: int) -> int:
        """Epoch ms of the first due day that begins after `after_ms`."""
        today = date_at(after_ms)
        for month in (today.replace(day=1), _next_month(today)):
            due = day_start_ms(_day_of(month, self.day))
            if due > after_ms:
                return due
        return day_start_ms(_day_of(_next_month(_next_month(today)), self.day))


@dataclass(frozen=True, slots=True)
class HistoryPlan:
    """What to simulate: the hours from `start_ms` up to, not including, `end_ms` (epoch ms, on the hour).

    `capital` is the USDT at the start; `fee` and `slippage` are fractions of what a market order trades; `earn_apr` is
    what flexible Earn pays a year, a fraction (0 where nothing is known). `resume_days` is after how many days an
    operator lifts a latched loss limit; None = never, as without one.
    """

    start_ms: int
    end_ms: int
    capital: Decimal = Decimal(10_000)
    fee: Decimal = Decimal("0.001")
    slippage: Decimal = ZERO
    deposits: Deposits | None = None
    earn_apr: Decimal = ZERO
    resume_days: int | None = None

    def public(self) -> dict[str, Any]:
        """JSON values, amounts as text."""
        paid = self.deposits
        return {
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            **{name: plain(getattr(self, name)) for name in ("capital", "fee", "slippage", "earn_apr")},
            "deposits": {"amount": plain(paid.amount), "day": paid.day} if paid else None,
            "resume_days": self.resume_days,
        }


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _day_of(month: date, day: int) -> date:
    last = (_next_month(month) - month).days
    return month.replace(day=min(day, last))
