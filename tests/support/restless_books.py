"""An account that lives through many random hours, and what the simulated exchange itself holds at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from random import Random

from runtime.adapters.simulated.conditions import PAPER
from runtime.adapters.simulated.refusals import ApiError
from runtime.domain.ledger import Book
from runtime.domain.money import CASH
from runtime.domain.orders import Side
from runtime.domain.report import CycleStatus
from runtime.domain.slots import HOUR_MS
from runtime.operations import accept_drift, adopt
from tests.support.operators import operators_world
from tests.support.restless import UNLIMITED, restless
from tests.support.worlds import Scene, scene

D = Decimal
LATE = 0.3
"""How often the records of what happens come only after the hour that sees it."""


@contextmanager
def random_account(seed: int, hours: int, **surroundings: object) -> Iterator[Scene]:
    """An account after so many hours of trading, with money and coins coming and going in most of them."""
    rng = Random(seed)
    weather = replace(PAPER, costs=replace(PAPER.costs, fills_max=3))
    with scene(weather, USDT="10000", ADA="25.5", BTC="0.01", **surroundings) as s:  # type: ignore[arg-type] # by name
        s.strategy = restless
        s.environment = {f"STRATEGY_PARAM_{name.upper()}": value for name, value in UNLIMITED.items()}
        s.hour()
        for _ in range(hours - 1):
            late = rng.random() < LATE
            s.weather(delays=replace(PAPER.delays, records_ms=60_000 if late else 0))
            s.clock.set(s.clock.now_ms() + (HOUR_MS - 10_000 if late else 0))
            _happenings(s, rng)
            s.clock.set(s.clock.now_ms() + (10_000 if late else HOUR_MS))
            assert s.hour().status is CycleStatus.DONE
        s.weather(delays=PAPER.delays)
        s.next()
        _settle_drift(s)
        assert s.differences() == {}
        yield s


def _happenings(s: Scene, rng: Random) -> None:
    happen = s.exchange.events

    def some(most: int) -> Decimal:
        return D(rng.randint(1, most * 10**8)) / 10**8

    what = rng.choice(["nothing", "deposit", "withdraw", "coin", "bonus", "buy", "sell", "grant", "adopt", "accept"])
    if what == "deposit":
        happen.deposit(rng.choice([CASH, "BNB", "BTC"]), some(rng.choice([1, 100])))
    elif what == "withdraw":
        happen.withdraw(CASH, some(9))
    elif what == "coin":
        happen.withdraw("ADA", D("0.5")) if s.exchange.venue.books.free("ADA") > 1 else None
    elif what == "bonus":
        happen.pay_bonus(rng.choice([CASH, "BNB"]), D(rng.randint(1, 9999)) / 10**8)
    elif what in {"buy", "sell"}:
        _by_hand(s, rng, Side.BUY if what == "buy" else Side.SELL)
    elif what == "grant":
        happen.grant(rng.choice([CASH, "BNB", "ADA"]), some(1))
    elif what == "adopt":
        _adopt(s, rng)
    elif what == "accept":
        _settle_drift(s)


def _by_hand(s: Scene, rng: Random, side: Side) -> None:
    symbol, quantity = rng.choice([("DOGEUSDT", D(300)), ("ETHUSDT", D("0.02")), ("BNBUSDT", D("0.05"))])
    try:
        s.exchange.events.manual_trade(symbol, side, quantity)
    except ApiError:
        """Nothing of it is there to be sold."""


def _adopt(s: Scene, rng: Random) -> None:
    reserved = {a: x for a, x in s.state.ledger.assets(Book.RESERVED).items() if x > 0}
    if reserved:
        asset = rng.choice(sorted(reserved))
        with operators_world(s) as world:
            adopt(world, asset, reserved[asset] / rng.choice([1, 4]))


def _settle_drift(s: Scene) -> None:
    for asset in sorted(s.state.drift):
        with operators_world(s) as world:
            accept_drift(world, asset, "me", "=seen it")


def held_by_the_exchange(s: Scene) -> dict[str, Decimal]:
    """What the exchange's own books hold by asset, on spot and in Earn together."""
    books = s.exchange.venue.books
    held = {asset: books.free(asset) + books.locked(asset) for asset in books.balances}
    for holding in s.exchange.venue.positions():
        held[holding.asset] = held.get(holding.asset, D(0)) + holding.amount
    assert not list(books.unsettled())
    return {asset: amount for asset, amount in held.items() if amount}
