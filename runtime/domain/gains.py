"""Gains: what each unit that left the account brought beyond its cost.

Everything is in USDT, which is cash: it has no lots, and 1 USDT is 1. A purchase costs what was paid, fees included; a
fee taken from the coin itself leaves fewer units at the same cost. A sale brings what was received, less fees. **A fee
paid in a third coin (BNB) is a sale of that coin at its market value**, and that value is a cost of the trade it was
paid for. The worked problem: 0.2 ETH bought for 500 USDT with 0.001 BNB at 600 as the fee: the ETH cost 500.60; 0.001
BNB were sold for 0.60, and gained 0.20 if they had cost 400 a unit.

Income (interest, rewards) costs what it was worth when it came. What was there at the start or was deposited has no
cost that the engine knows: it is *unknown*, shown as such and never 0. A coin that was adopted costs what it was worth
then, which is the cost the engine manages it by; a cost that the operator gives counts for all units of unknown cost.

What a withdrawal takes, or leaves unexplained, is no sale: it carries its cost away and gains nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from runtime.domain.books import INCOME, TRADES, Event, Kind
from runtime.domain.ledger import Book
from runtime.domain.lots import Basis, Lot, Method, Pile, shared
from runtime.domain.money import CASH, ZERO


class Way(StrEnum):
    """How units left. Only the first two are sales."""

    SALE = "sale"
    FEE = "fee"
    WITHDRAWAL = "withdrawal"
    UNEXPLAINED = "unexplained"
    REBUILT = "rebuilt"


SALES = frozenset({Way.SALE, Way.FEE})
FEE_UNVALUED = "a fee in another coin has no known price and is not counted"


@dataclass(frozen=True, slots=True)
class Disposal:
    """Units of one lot that left. `proceeds` and `cost` are USDT; None = not known, or no sale."""

    lot: Lot
    time_ms: int
    event: str
    way: Way
    proceeds: Decimal | None
    note: str = ""

    @property
    def gain(self) -> Decimal | None:
        """Proceeds less cost, where both are known."""
        return None if self.proceeds is None or self.lot.cost is None else self.proceeds - self.lot.cost


class Lots:
    """All lots of an account, by one method. Events must come in order of time."""

    def __init__(self, method: Method, given: Mapping[str, Decimal] | None = None) -> None:
        """`given` are costs a unit (USDT), by asset, for what has no known cost."""
        self.method = method
        self._given = dict(given or {})
        self._piles: dict[str, Pile] = {}

    def after(self, event: Event) -> list[Disposal]:
        """Take an event in; what left with it."""
        if event.kind is Kind.ADOPTED:
            self._adopt(event)
            return []
        if event.kind in TRADES and event.base:
            return [*self._traded(event), *self._fees_paid(event)]
        return [*self._moved(event), *self._fees_paid(event)]

    def held(self) -> Iterator[Lot]:
        """What is held, by asset, in the order it came."""
        for asset in sorted(self._piles):
            yield from self._piles[asset].lots()

    def _traded(self, event: Event) -> list[Disposal]:
        base = event.base
        extra, note = _fees_beside(event)
        own_fee = event.fees.get(base, ZERO)
        # What was told as unexplained has come or gone before, without a price.
        quantity = event.moved.get(base, ZERO) - event.explained.get(base, ZERO) - own_fee
        cash = event.moved.get(CASH)
        paid = None if cash is None else abs(cash) + (1 if cash < 0 else -1) * (event.fees.get(CASH, ZERO) + extra)
        if quantity > 0:
            basis = Basis.UNKNOWN if paid is None else Basis.PAID
            self._add(Lot(base, quantity, paid, event.time_ms, event.id, basis, note))
            return []
        return self._take(event, base, -quantity, _Leaving(Way.SALE, paid, note)) if quantity else []

    def _fees_paid(self, event: Event) -> list[Disposal]:
        """Fees in a coin that is neither the pair's nor USDT: sold at market value."""
        gone: list[Disposal] = []
        for asset, paid in event.fees.items():
            if asset in {CASH, event.base}:
                continue
            amount, price = paid + event.explained.get(asset, ZERO), event.prices.get(asset)
            if amount > 0:
                worth = None if price is None else amount * price
                note = FEE_UNVALUED if price is None else ""
                gone += self._take(event, asset, amount, _Leaving(Way.FEE, worth, note))
            elif amount < 0:
                self._add(self._arrived(event, asset, -amount))
        return gone

    def _moved(self, event: Event) -> list[Disposal]:
        gone: list[Disposal] = []
        for asset in sorted(event.moved.keys() - {CASH}):
            amount = event.moved[asset] - event.explained.get(asset, ZERO)
            if amount > 0:
                self._add(self._arrived(event, asset, amount))
            elif amount < 0:
                gone += self._take(event, asset, -amount, _Leaving(_WAYS.get(event.kind, Way.WITHDRAWAL)))
        return gone

    def _arrived(self, event: Event, asset: str, amount: Decimal) -> Lot:
        price = event.prices.get(asset) if event.kind in INCOME else None
        if price is not None:
            return Lot(asset, amount, amount * price, event.time_ms, event.id, Basis.INCOME)
        if asset in self._given:
            return Lot(asset, amount, amount * self._given[asset], event.time_ms, event.id, Basis.GIVEN)
        return Lot(asset, amount, None, event.time_ms, event.id, Basis.UNKNOWN)

    def _adopt(self, event: Event) -> None:
        for posting in event.postings:
            price = event.prices.get(posting.asset)
            if posting.book is Book.SPOT and posting.amount > 0 and price is not None and posting.asset in self._piles:
                self._piles[posting.asset].value_unknown(posting.amount, price)

    def _add(self, lot: Lot) -> None:
        self._piles.setdefault(lot.asset, Pile(self.method)).add(lot)

    def _take(self, event: Event, asset: str, quantity: Decimal, how: _Leaving) -> list[Disposal]:
        pile = self._piles.setdefault(asset, Pile(self.method))
        taken = pile.take(quantity)
        short = quantity - sum((lot.quantity for lot in taken), ZERO)
        if short > 0:
            taken.append(Lot(asset, short, None, event.time_ms, "", Basis.MISSING))
        shares = shared(how.proceeds, [lot.quantity for lot in taken])
        return [
            Disposal(lot, event.time_ms, event.id, how.way, share, "; ".join(filter(None, (how.note, lot.note))))
            for lot, share in zip(taken, shares, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Leaving:
    """How units leave, and what they bring in all."""

    way: Way
    proceeds: Decimal | None = None
    note: str = ""


_WAYS: Mapping[Kind, Way] = {Kind.UNEXPLAINED: Way.UNEXPLAINED, Kind.REBUILT: Way.REBUILT}


def _fees_beside(event: Event) -> tuple[Decimal, str]:
    """USDT value of a trade's fees in third coins, and a note where a price is missing."""
    worth, note = ZERO, ""
    for asset, amount in event.fees.items():
        if asset in {CASH, event.base}:
            continue
        if asset in event.prices:
            worth += amount * event.prices[asset]
        else:
            note = FEE_UNVALUED
    return worth, note
