"""Lots: what is held, unit by unit, and which units leave first.

A *lot* is a quantity of one coin that came at one moment at one cost. What leaves is taken from lots by a method:

    fifo      the oldest first
    lifo      the newest first
    hifo      the dearest first (cost a unit); units of unknown cost last, because nothing ranks them
    average   at the average cost of all units held; their dates leave oldest first

With `average`, units of unknown cost cannot be averaged: they are kept apart and leave first. A cost that is shared out
is cut at a trillionth of a USDT and the last part takes the rest: what came in is what leaves and what is left.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from runtime.domain.money import ONE, ZERO

PLACES = ONE.scaleb(-12)


class Method(StrEnum):
    """Which lots leave first."""

    FIFO = "fifo"
    LIFO = "lifo"
    HIFO = "hifo"
    AVERAGE = "average"


class Basis(StrEnum):
    """Where a cost comes from. `missing` units left that no lot held."""

    PAID = "paid"
    INCOME = "income"
    ADOPTED = "adopted"
    GIVEN = "given"
    UNKNOWN = "unknown"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Lot:
    """`quantity` units of `asset` that came at `time_ms` with the event `origin`; `cost` is USDT for all of them."""

    asset: str
    quantity: Decimal
    cost: Decimal | None
    time_ms: int
    origin: str
    basis: Basis
    note: str = ""


class Pile:
    """The lots of one coin, in the order they leave. With `average`, known costs lie in one pool."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self._heap: list[tuple[tuple[Decimal, int], Lot]] = []
        self._count = 0
        self._pool, self._pool_cost = ZERO, ZERO

    def add(self, lot: Lot) -> None:
        """One more lot."""
        self._push(lot)
        if lot.cost is not None:
            self._pool += lot.quantity
            self._pool_cost += lot.cost

    def _push(self, lot: Lot) -> None:
        self._count += 1
        heapq.heappush(self._heap, (self._key(lot, self._count), lot))

    def take(self, quantity: Decimal) -> list[Lot]:
        """Parts of lots that add up to `quantity`, or to all there is."""
        taken: list[Lot] = []
        while quantity > 0 and self._heap:
            key, lot = self._heap[0]
            part = min(quantity, lot.quantity)
            cost = self._cost_of(lot, part)
            if part == lot.quantity:
                heapq.heappop(self._heap)
            else:
                left = None if lot.cost is None or cost is None else lot.cost - cost
                heapq.heapreplace(self._heap, (key, replace(lot, quantity=lot.quantity - part, cost=left)))
            if cost is not None:
                self._pool -= part
                self._pool_cost -= cost
            taken.append(replace(lot, quantity=part, cost=cost))
            quantity -= part
        return taken

    def value_unknown(self, quantity: Decimal, price: Decimal) -> None:
        """Give `quantity` units of unknown cost, the oldest first, their cost a unit: they were adopted."""
        before, self._heap = sorted(self._heap, key=_came), []
        for _, lot in before:
            part = min(quantity, lot.quantity) if lot.cost is None else ZERO
            if part:
                quantity -= part
                self.add(replace(lot, quantity=part, cost=part * price, basis=Basis.ADOPTED))
            if part < lot.quantity:
                self._push(replace(lot, quantity=lot.quantity - part))

    def lots(self) -> Iterator[Lot]:
        """What is there, in the order it came, at the cost it would leave with."""
        left, cost_left = self._pool, self._pool_cost
        for _, lot in sorted(self._heap, key=_came):
            if self._method is not Method.AVERAGE or lot.cost is None:
                yield lot
                continue
            share = part_of(cost_left, lot.quantity, left)
            yield replace(lot, cost=share)
            left, cost_left = left - lot.quantity, cost_left - share

    def _cost_of(self, lot: Lot, part: Decimal) -> Decimal | None:
        if lot.cost is None:
            return None
        if self._method is Method.AVERAGE:
            return part_of(self._pool_cost, part, self._pool)
        return part_of(lot.cost, part, lot.quantity)

    def _key(self, lot: Lot, count: int) -> tuple[Decimal, int]:
        """The smallest leaves first."""
        if self._method is Method.LIFO:
            return ZERO, -count
        if self._method is Method.HIFO:
            return (ONE, count) if lot.cost is None else (-lot.cost / lot.quantity, count)
        if self._method is Method.AVERAGE:
            return ONE if lot.cost is not None else ZERO, count
        return ZERO, count


def _came(item: tuple[tuple[Decimal, int], Lot]) -> tuple[int, int]:
    (_, count), lot = item
    return lot.time_ms, abs(count)


def part_of(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The share of `total` that falls on `part` of `whole`; all of it for the whole."""
    return total if part == whole else (total * part / whole).quantize(PLACES, ROUND_HALF_EVEN)


def shared(total: Decimal | None, parts: list[Decimal]) -> list[Decimal | None]:
    """`total` by the size of the parts; the last takes what is left."""
    shares: list[Decimal | None] = []
    left, total_left = sum(parts, ZERO), total
    for part in parts:
        share = None if total_left is None else part_of(total_left, part, left)
        shares.append(share)
        left -= part
        total_left = None if total_left is None or share is None else total_left - share
    return shares
