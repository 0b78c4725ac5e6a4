"""The weather at the simulated exchange: what trading costs, how late things show, what goes wrong and when.

`Conditions` is one frozen value; the same conditions, books and market give the same hour. Randomness is drawn from
the seed and the *name* of what it is for (`rng("ETHUSDT", 17)`), never from a running generator: so it does not depend
on how many calls were made before, nor on whether the hour ran in one process or two, in process or over a socket.

Worse than the world, in bounds: a request may take effect up to `LATE_MS_MAX` after it was sent (`Effect.LATER`), and
orders, trades, balances and records may show up to `LAG_MS_MAX` late (`Delays`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import Protocol

from runtime.adapters.simulated.refusals import BAD_REQUEST, ApiError
from runtime.domain.money import ZERO
from runtime.errors import BadInput

LATE_MS_MAX = 10_000
LAG_MS_MAX = 60_000
KEY_ENDPOINT = "GET /sapi/v1/account/apiRestrictions"


@dataclass(frozen=True, slots=True)
class Costs:
    """What a market order pays: `fee` as a fraction, half of `spread_bps` and all of `slippage_bps` on the price.

    `fills_max`: an order fills in 1 to this many parts, each a little worse than the one before. `liquidity`: quote
    units that one order can fill, by pair or for all pairs under `*`; the rest of the order expires.
    """

    fee: Decimal = Decimal("0.001")
    spread_bps: Decimal = ZERO
    slippage_bps: Decimal = ZERO
    bnb_discount: bool = False
    bnb_discount_share: Decimal = Decimal("0.25")
    fills_max: int = 1
    liquidity: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EarnTerms:
    """Flexible products, one for each asset of `apr` (a fraction a year), under the id `<ASSET>001`.

    `redeem_s` and `subscribe_s` are seconds until a move is credited, None = never. `quota` is what one account may
    hold of a product. `night_closed`: no redemption from 23:50 to 00:10 UTC.
    """

    apr: Mapping[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal("0.05")})
    min_purchase: Decimal = Decimal("0.01")
    quota: Decimal = Decimal(10_000_000)
    redeem_s: int | None = 0
    subscribe_s: int | None = 0
    sold_out: frozenset[str] = frozenset()
    redeem_closed: frozenset[str] = frozenset()
    night_closed: bool = False


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """The account's one API key: its rights, its end (`expires_ms`, None = none), further rights by Binance's names.

    `listed_address`: whether the caller's address is on the key's list. `account_trades`: whether the account may trade
    at all, whatever the key may; `uid`: the account's number (None = it tells none). A key without a right, or from
    another address, is refused with −2015.
    """

    reading: bool = True
    trading: bool = True
    withdrawals: bool = False
    ip_restricted: bool = True
    expires_ms: int | None = None
    others: frozenset[str] = frozenset()
    listed_address: bool = True
    account_trades: bool = True
    uid: int | None = 1

    def allows(self, endpoint: str, now_ms: int) -> bool:
        """Whether the key may make this call: a GET reads, everything else trades."""
        if not self.listed_address:
            return False
        if endpoint.startswith("GET "):
            return self.reading or endpoint == KEY_ENDPOINT
        return self.trading and (self.expires_ms is None or now_ms < self.expires_ms)


@dataclass(frozen=True, slots=True)
class Delays:
    """How long (ms) after the fact something shows: an order by look-up, histories of orders and trades, balances and
    Earn positions, and the records of Earn, deposits and withdrawals.
    """

    order_ms: int = 0
    history_ms: int = 0
    balances_ms: int = 0
    records_ms: int = 0

    def __post_init__(self) -> None:
        """Refuse a delay longer than the books remember."""
        for name in ("order_ms", "history_ms", "balances_ms", "records_ms"):
            if not 0 <= getattr(self, name) <= LAG_MS_MAX:
                raise BadInput(f"delays.{name}", getattr(self, name), f"must lie between 0 and {LAG_MS_MAX} ms")


@dataclass(frozen=True, slots=True)
class Limits:
    """Rate limits: request weight a minute for `/api` (all together) and `/sapi` (each endpoint), unfilled orders."""

    weight_1m: int = 6000
    sapi_weight_1m: int = 12_000
    sapi_uid_weight_1m: int = 180_000
    orders_10s: int = 100
    orders_1d: int = 200_000


class Effect(StrEnum):
    """What becomes of a request whose answer is lost: nothing, all of it at once, or all of it later."""

    NONE = "none"
    NOW = "now"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request.

    Without `status` and `cut` it is late only (`delay_in_ms` before the exchange sees it, `delay_out_ms` before it is
    answered), unless `drop` closes the connection without an answer. `status` answers with that HTTP status: the error
    body is `code` and `message`, or `body` as it stands (HTML). `cut`: the right answer, broken off in the middle.
    """

    effect: Effect = Effect.NONE
    after_ms: int = 0
    drop: bool = False
    cut: bool = False
    status: int | None = None
    code: int = 0
    message: str = ""
    body: str | None = None
    retry_after_s: int | None = None
    delay_in_ms: int = 0
    delay_out_ms: int = 0

    def __post_init__(self) -> None:
        """Refuse a fault that is worse than promised, or that contradicts itself."""
        if not 0 <= self.after_ms <= LATE_MS_MAX:
            raise BadInput("fault.after_ms", self.after_ms, f"must lie between 0 and {LATE_MS_MAX}")
        if self.effect is not Effect.NONE and not self.fails:
            raise BadInput("fault.effect", self.effect.value, "needs an answer that is lost: drop, cut or status")

    @property
    def fails(self) -> bool:
        """Whether the caller does not get the right answer."""
        return self.drop or self.cut or self.status is not None

    @property
    def error(self) -> ApiError | None:
        """The refusal that the caller reads; None where there is no answer, or none that can be read."""
        if self.status is None or self.status < BAD_REQUEST:
            return None
        return ApiError(self.code, self.message, self.status, self.retry_after_s)


class Faults(Protocol):
    """When something goes wrong. Implementations are pure functions of their arguments and a seed."""

    def at(self, endpoint: str, number: int) -> Fault | None:
        """The fault of the `number`-th call (from 1) of `endpoint`, such as `POST /api/v3/order`."""


@dataclass(frozen=True, slots=True)
class Script:
    """Faults by appointment: endpoint → number of the call (0 = every call) → fault."""

    acts: Mapping[str, Mapping[int, Fault]] = field(default_factory=dict)

    def at(self, endpoint: str, number: int) -> Fault | None:
        """The fault written down for this call."""
        acts = self.acts.get(endpoint)
        return None if acts is None else acts.get(number, acts.get(0))


@dataclass(frozen=True, slots=True)
class Conditions:
    """All of it. `skew_ms`: exchange clock − this machine's clock. `ld_shadows`: Earn holdings also show as `LD<ASSET>`
    balances, over the socket.
    """

    seed: int = 0
    costs: Costs = field(default_factory=Costs)
    earn: EarnTerms = field(default_factory=EarnTerms)
    key: KeyTerms = field(default_factory=KeyTerms)
    delays: Delays = field(default_factory=Delays)
    limits: Limits = field(default_factory=Limits)
    faults: Faults = field(default_factory=Script)
    skew_ms: int = 0
    recv_window_ms: int = 5000
    ld_shadows: bool = True

    def rng(self, *name: str | int) -> Random:
        """A generator that depends on the seed and `name` alone."""
        return Random(":".join(map(str, (self.seed, *name))))  # noqa: S311 - repeatable weather, no secret


FIXTURE = Conditions()
"""Exact prices, 0.1 % fee, nothing late, nothing wrong: what a hand-computed expectation is compared with."""

PAPER = Conditions(costs=Costs(spread_bps=Decimal(2), slippage_bps=Decimal(1), bnb_discount=True))
"""A calm ordinary day: 2 bps spread, 1 bp slippage, fees in BNB at a discount where there is BNB."""
