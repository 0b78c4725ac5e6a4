"""Orders: intents, what the exchange made of them, and the one table of what may follow what.

An *intent* is ours and is written down before anything is sent; an *order* is the exchange's. An intent's id is a pure
function of what it is for, so whichever process computes it computes the same one.

    RECORDED ──► DONE        an order with this id exists and is finished; its fills are booked
        │  ╲───► REFUSED     the exchange said a definite no: nothing exists
        │   ╲──► ABSENT      proved after the fence: it never arrived and never will
        ▼
     UNKNOWN ──► DONE | REFUSED | ABSENT
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

from runtime.domain.changing import changed
from runtime.domain.money import ZERO, Dec
from runtime.domain.values import Value
from runtime.errors import EngineError

CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_]{1,36}")
_PLAIN_SYMBOL = re.compile(r"[A-Z0-9]{1,13}")
_OWN_ID = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)-([btc])([BS])([0-9a-z])-[A-Z0-9a-f]{1,13}")
_ATTEMPTS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Sleeve(StrEnum):
    """Which part of the portfolio an action belongs to."""

    BTC_CORE = "btc_core"
    TREND = "trend"
    CASH = "cash"


class Side(StrEnum):
    """Direction of an order, in Binance's words."""

    BUY = "BUY"
    SELL = "SELL"


class Kind(StrEnum):
    """What an intent asks for: a market order, or a move between spot and flexible Earn."""

    ORDER = "order"
    REDEEM = "redeem"
    SUBSCRIBE = "subscribe"


class Status(StrEnum):
    """Where an intent is in its life."""

    RECORDED = "recorded"
    UNKNOWN = "unknown"
    DONE = "done"
    REFUSED = "refused"
    ABSENT = "absent"


LIFECYCLE: Mapping[Status, frozenset[Status]] = {
    Status.RECORDED: frozenset({Status.DONE, Status.REFUSED, Status.ABSENT, Status.UNKNOWN}),
    Status.UNKNOWN: frozenset({Status.DONE, Status.REFUSED, Status.ABSENT, Status.UNKNOWN}),
    Status.DONE: frozenset(),
    Status.REFUSED: frozenset(),
    Status.ABSENT: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Fill(metaclass=Value):
    """One trade of an order: `price` in quote per base, `qty` in base, `commission` in `commission_asset`."""

    trade_id: int
    price: Dec
    qty: Dec
    commission: Dec
    commission_asset: str


@dataclass(frozen=True, slots=True)
class Order(metaclass=Value):
    """An order as the exchange reports it: `executed_qty` base units, `quote_qty` quote units, `time_ms` its clock.

    `fills` may be empty although something executed, where the answer came from a look-up: fetch the trades then.
    """

    symbol: str
    order_id: int
    client_id: str
    side: Side
    status: str
    executed_qty: Dec
    quote_qty: Dec
    time_ms: int
    fills: tuple[Fill, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether nothing more can execute."""
        return self.status not in {"NEW", "PENDING_NEW", "PARTIALLY_FILLED", "PENDING_CANCEL"}

    @property
    def fills_complete(self) -> bool:
        """Whether the fills add up to what was executed."""
        return sum((f.qty for f in self.fills), ZERO) == self.executed_qty

    @property
    def average_price(self) -> Decimal:
        """Quote per base over what executed; 0 if nothing did."""
        return self.quote_qty / self.executed_qty if self.executed_qty else ZERO


@dataclass(frozen=True, slots=True)
class Refused:
    """A definite no: no order exists. `code` is Binance's, 0 where the connection was never made."""

    code: int
    message: str
    retry_at_ms: int | None = None
    misconfigured: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows yet whether an order exists."""

    why: str


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Nothing was sent, on purpose: a dry run holds back every side effect."""

    why: str


Outcome = Order | Refused | Unknown | Suppressed


@dataclass(frozen=True, slots=True)
class EarnDone:
    """The exchange accepted an Earn move (it is not yet credited)."""

    move_id: int


EarnOutcome = EarnDone | Refused | Unknown | Suppressed


@dataclass(frozen=True, slots=True)
class EarnRecord(metaclass=Value):
    """A row of the subscription or redemption history. `amount` in asset units; `settled` once it arrived."""

    move_id: int
    kind: Kind
    asset: str
    amount: Dec
    time_ms: int
    settled: bool
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Intent(metaclass=Value):
    """What we mean to do, written down before it is sent.

    For an order `symbol` is the pair and `quantity` base units; for an Earn move `symbol` is the asset and `quantity`
    its amount. `decision_price` is the price the decision saw; `send_before_ms` is the fence on the exchange's clock:
    after it (plus recvWindow) nothing of this intent can arrive any more. `before` keeps what an Earn move is settled
    by: the position and the newest record before it was sent.
    """

    id: str
    slot: str
    kind: Kind
    sleeve: Sleeve
    symbol: str
    side: Side
    quantity: Dec
    reason: str
    recorded_ms: int
    send_before_ms: int
    decision_price: Dec = ZERO
    budget: Dec = ZERO
    status: Status = Status.RECORDED
    sent_ms: int | None = None
    order: Order | None = None
    detail: str = ""
    before: Mapping[str, str] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether it still needs settling."""
        return bool(LIFECYCLE[self.status])

    def moved(self, status: Status, *, detail: str = "", order: Order | None = None) -> Intent:
        """This intent at its next status; `EngineError` for a step that the table does not hold."""
        if status not in LIFECYCLE[self.status]:
            raise EngineError(f"intent {self.id}: {self.status} cannot become {status}")
        return changed(self, status=status, detail=detail or self.detail, order=order or self.order)


@lru_cache(16)
def id_prefix(account: str) -> str:
    """What every client order id of `account` begins with: how our orders are told from manual ones."""
    return f"bp{sha256(account.encode(errors='surrogatepass')).hexdigest()[:5]}-"


@dataclass(frozen=True, slots=True)
class Leg:
    """What an order is for: the part of the portfolio, the pair (or Earn's asset), and the direction."""

    sleeve: Sleeve
    symbol: str
    side: Side


def client_id(account: str, slot: str, leg: Leg, attempt: int) -> str:
    """The client order id (<= 36 of Binance's characters): the same arguments always give the same id.

    A symbol that is longer than 13 characters or not plain ASCII stands as a hash, in lower case so that it can never
    meet a real symbol.
    """
    if not 0 <= attempt < len(_ATTEMPTS):
        raise EngineError(f"attempt {attempt} of {leg.symbol}: at most {len(_ATTEMPTS)} sends a cycle")
    plain = _PLAIN_SYMBOL.fullmatch(leg.symbol)
    name = leg.symbol if plain else sha256(leg.symbol.encode(errors="surrogatepass")).hexdigest()[:13]
    when = slot[2:4] + slot[5:7] + slot[8:10] + slot[11:13]
    return f"{id_prefix(account)}{when}-{leg.sleeve[0]}{leg.side[0]}{_ATTEMPTS[attempt]}-{name}"


@dataclass(frozen=True, slots=True)
class OwnId:
    """What a client order id of ours says. `symbol` is not in it: the order itself names it."""

    slot: str
    sleeve: Sleeve
    side: Side
    attempt: int


def read_client_id(account: str, text: str) -> OwnId | None:
    """What an id of `account` means; None for any other id."""
    match = _OWN_ID.fullmatch(text.removeprefix(id_prefix(account))) if text.startswith(id_prefix(account)) else None
    if match is None:
        return None
    year, month, day, hour, sleeve, side, attempt = match.groups()
    sleeves, sides = {s[0]: s for s in Sleeve}, {s[0]: s for s in Side}
    slot = f"20{year}-{month}-{day}T{hour}Z"
    return OwnId(slot, sleeves[sleeve], sides[side], _ATTEMPTS.index(attempt))
