"""The exchange's own books: balances, orders, Earn, deposits. Never derived from what the engine believes.

Every unit has a recorded origin, so the books can be audited (`tests/adapters/simulated`): opening + deposits −
withdrawals ± trades − commissions + rewards = spot + Earn + on the way. Amounts have at most 8 decimals and no balance
is ever negative: a movement that would make one so is a bug of the simulation and raises.

`recent` keeps the last minute's movements, which is how balances can be shown as they were a few seconds ago. The rows
are mutable: an order fills, a move settles; only the venue changes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict

from runtime.domain.market import Balance
from runtime.domain.money import ZERO, Dec, floor_to_places
from runtime.domain.orders import Fill, Kind, Order, Side
from runtime.errors import BadInput, EngineError

PLACES = 8
RECENT_MS = 60_000
NOTHING = Balance(ZERO)
_STRICT = ConfigDict(extra="forbid")


class Place(StrEnum):
    """Where an amount is: free on spot, or in a flexible Earn position."""

    SPOT = "spot"
    EARN = "earn"


@dataclass(frozen=True, slots=True)
class Draft:
    """A market order as asked for: exactly one of `quantity` (base units) and `quote_quantity` (quote units)."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    symbol: str
    side: Side
    client_id: str
    quantity: Dec | None = None
    quote_quantity: Dec | None = None


@dataclass(slots=True)
class OrderRow:
    """An order in the books. `price` is 0 for market orders; `fills` are its trades, all at `update_ms`."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    symbol: str
    order_id: int
    client_id: str
    side: Side
    type: str
    status: str
    quantity: Dec
    quote_quantity: Dec
    price: Dec
    executed_qty: Dec
    quote_qty: Dec
    time_ms: int
    update_ms: int
    fills: tuple[Fill, ...] = ()

    @property
    def open(self) -> bool:
        """Whether something more can execute."""
        return self.status in {"NEW", "PARTIALLY_FILLED"}

    def order(self, *, fills: bool) -> Order:
        """The order as the port shows it, with or without its trades."""
        return Order(
            symbol=self.symbol,
            order_id=self.order_id,
            client_id=self.client_id,
            side=self.side,
            status=self.status,
            executed_qty=self.executed_qty,
            quote_qty=self.quote_qty,
            time_ms=self.time_ms,
            fills=self.fills if fills else (),
        )


@dataclass(slots=True)
class Holding:
    """A flexible position: `amount` includes rewards folded in up to `since_ms`; `rewards` is their running sum."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    asset: str
    amount: Dec
    since_ms: int
    rewards: Dec = ZERO
    bonus: Dec = ZERO
    auto_subscribe: bool = False


@dataclass(slots=True)
class EarnMove:
    """A redemption or subscription: credited at `due_ms` (None = never)."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    move_id: int
    kind: Kind
    asset: str
    amount: Dec
    time_ms: int
    due_ms: int | None
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Reward:
    """Earn income: `REALTIME` grows the position, `BONUS` is paid to spot."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    asset: str
    amount: Dec
    time_ms: int
    kind: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """A deposit (+) or a withdrawal (−)."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    id: int
    asset: str
    amount: Dec
    time_ms: int


@dataclass(frozen=True, slots=True)
class Movement:
    """What one event added to (+) or took from (−) a place."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    time_ms: int
    place: Place
    asset: str
    amount: Dec


@dataclass(frozen=True, slots=True)
class Late:
    """A request on its way to the engine: an order, or an Earn move, that takes effect at `due_ms`."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    due_ms: int
    order: Draft | None = None
    move: tuple[Kind, str, Dec] | None = None


@dataclass(slots=True)
class Books:
    """Everything the exchange knows about one account. Lists are in order of booking, orders by pair."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    balances: dict[str, Balance] = field(default_factory=dict)
    opening: dict[str, Dec] = field(default_factory=dict)
    orders: dict[str, list[OrderRow]] = field(default_factory=dict)
    holdings: dict[str, Holding] = field(default_factory=dict)
    moves: list[EarnMove] = field(default_factory=list)
    rewards: list[Reward] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    late: list[Late] = field(default_factory=list)
    recent: list[Movement] = field(default_factory=list)
    serials: dict[str, int] = field(default_factory=dict)
    last_move_ms: dict[Kind, int] = field(default_factory=dict)
    bnb_burn: bool | None = None

    @classmethod
    def opened(cls, amounts: Mapping[str, Decimal]) -> Books:
        """Books of an account that starts with these free spot balances."""
        books = cls()
        for asset, amount in amounts.items():
            books.grant(asset, amount)
        return books

    def grant(self, asset: str, amount: Decimal) -> None:
        """Change a balance without any record that explains it, as an opening balance or a gift from nowhere."""
        check_amount(asset, amount)
        self.balances[asset] = Balance(self._enough(asset, self.free(asset) + amount), self.locked(asset))
        self.opening[asset] = self.opening.get(asset, ZERO) + amount

    def serial(self, name: str) -> int:
        """The next number of a series: they start at 1 and only grow."""
        self.serials[name] = self.serials.get(name, 0) + 1
        return self.serials[name]

    def free(self, asset: str) -> Decimal:
        """The free spot balance."""
        return self.balances.get(asset, NOTHING).free

    def locked(self, asset: str) -> Decimal:
        """What open orders hold."""
        return self.balances.get(asset, NOTHING).locked

    def add(self, asset: str, amount: Decimal, now_ms: int) -> None:
        """Add to (or take from) the free spot balance."""
        balance = self.balances.get(asset, NOTHING)
        self.balances[asset] = Balance(self._enough(asset, balance.free + amount), balance.locked)
        self.remember(Movement(now_ms, Place.SPOT, asset, amount))

    def lock(self, asset: str, amount: Decimal, now_ms: int) -> None:
        """Move from free to locked (or back, if negative)."""
        locked = self._enough(asset, self.locked(asset) + amount)
        self.add(asset, -amount, now_ms)
        self.balances[asset] = replace(self.balances[asset], locked=locked)

    def remember(self, movement: Movement) -> None:
        """Keep a movement for as long as balances may lag behind."""
        recent = self.recent
        recent.append(movement)
        while recent[0].time_ms < movement.time_ms - RECENT_MS:
            recent.pop(0)

    def since(self, time_ms: int, place: Place) -> Iterator[Movement]:
        """Movements of `place` after `time_ms` (at most the last minute's)."""
        return (m for m in self.recent if m.time_ms > time_ms and m.place is place)

    def unsettled(self) -> Iterator[EarnMove]:
        """Earn moves that are still on their way."""
        return (move for move in self.moves if not move.settled)

    @staticmethod
    def _enough(asset: str, amount: Decimal) -> Decimal:
        if amount < 0:
            raise EngineError(f"simulated exchange: the balance of {asset} would become {amount}")
        return amount


def check_amount(asset: str, amount: Decimal) -> None:
    """`BadInput` for an amount with more than 8 decimals."""
    if floor_to_places(amount, PLACES) != amount:
        raise BadInput(f"amount of {asset}", str(amount), f"must have at most {PLACES} decimals")
