"""The proof of absence in full, what it costs, and what happens when there is none for hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest

from runtime.adapters.simulated.books import Draft
from runtime.adapters.simulated.conditions import Fault
from runtime.domain.alerts import AlertKind, Severity, new_alert
from runtime.domain.messages import plain_text
from runtime.domain.orders import Intent, Kind, Leg, Order, Side, Sleeve, Status, client_id
from runtime.domain.slots import slot_at
from runtime.domain.texts import Language
from runtime.ports import Exchange
from tests.support.operators import put_state
from tests.support.worlds import DOWN, LOOK_UP, Scene, scene

QUANTITY = Decimal("0.03")
ALL_ORDERS, TRADES = "GET /api/v3/allOrders", "GET /api/v3/myTrades"


def left_open(s: Scene, *symbols: str, sent: bool) -> list[Intent]:
    """An hour that died after its write-ahead, with its orders at the exchange or not."""
    s.clock.sleep(60)
    slot, now_ms = slot_at(s.clock.now_ms()), s.clock.now_ms()
    intents = [
        Intent(
            id=client_id("main", slot, Leg(Sleeve.TREND, symbol, Side.BUY), 7), slot=slot, kind=Kind.ORDER,
            sleeve=Sleeve.TREND, symbol=symbol, side=Side.BUY, quantity=QUANTITY, reason="entry",
            recorded_ms=now_ms, send_before_ms=now_ms + 234_000,
        )
        for symbol in symbols
    ]  # fmt: skip
    put_state(s, replace(s.state, intents=(*s.state.intents, *intents)))
    for intent in intents if sent else ():
        s.exchange.venue.place(Draft(intent.symbol, Side.BUY, intent.id, QUANTITY))
    return intents


def status_of(s: Scene, intent: Intent) -> Status:
    return next(found.status for found in s.store.journal() if found.id == intent.id)


class Forgetful:
    """An exchange whose look-ups and lists of orders lag, while the trades show already."""

    def __init__(self, real: Exchange) -> None:
        self._real = real

    def find_order(self, symbol: str, client_id: str) -> Order | None:
        del symbol, client_id
        return None

    def orders_since(self, symbol: str, since_ms: int) -> Sequence[Order]:
        del symbol, since_ms
        return []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize("sent", [False, True])
def test_a_trade_that_no_list_explains_is_no_absence(*, sent: bool) -> None:
    with scene() as s:
        s.hour()
        (intent,) = left_open(s, "ETHUSDT", sent=sent)
        s.wrap = lambda world: replace(world, exchange=cast("Exchange", Forgetful(world.exchange)))
        s.next()
        assert status_of(s, intent) is (Status.UNKNOWN if sent else Status.ABSENT)


def test_a_manual_trade_that_the_list_of_orders_explains_hinders_nothing() -> None:
    with scene() as s:
        s.hour()
        (intent,) = left_open(s, "ETHUSDT", sent=False)
        s.exchange.events.manual_trade("ETHUSDT", Side.BUY, Decimal("0.01"))
        s.next()
        assert status_of(s, intent) is Status.ABSENT


@pytest.mark.parametrize("endpoint", [LOOK_UP, ALL_ORDERS, TRADES])
def test_a_proof_of_which_one_part_fails_is_none(endpoint: str) -> None:
    with scene() as s:
        s.hour()
        (intent,) = left_open(s, "ETHUSDT", sent=False)
        s.faults({endpoint: DOWN})
        s.next()
        assert status_of(s, intent) is Status.UNKNOWN


@pytest.mark.parametrize(("code", "moved", "status"), [
    (-2026, True, Status.ABSENT),
    (-1121, False, Status.ABSENT),
    (-1121, True, Status.UNKNOWN),
    (-1100, False, Status.UNKNOWN),
])  # fmt: skip
def test_what_no_look_up_can_tell_any_more_is_told_by_the_balances(code: int, status: Status, *, moved: bool) -> None:
    """Archived without execution says it all; a pair that is gone leaves only what the account holds."""
    with scene() as s:
        s.hour()
        (intent,) = left_open(s, "ETHUSDT", sent=False)
        if moved:
            s.exchange.events.grant("ETH", Decimal("0.01"))
        s.faults({LOOK_UP: Fault(status=400, code=code, message="gone")})
        s.next()
        assert status_of(s, intent) is status


@pytest.mark.parametrize(("sent", "calls"), [(True, 10), (False, 12)])
def test_recovery_of_three_open_orders_costs_few_calls(calls: int, *, sent: bool) -> None:
    """Found: one look-up and its trades each. Absent: the contract's four pieces of evidence each, and not one more."""
    with scene() as s:
        s.hour()
        s.next()
        intents = left_open(s, "ETHUSDT", "SOLUSDT", "BNBUSDT", sent=sent)
        s.next()
        quiet = Counter(s.used)
        assert {status_of(s, intent) for intent in intents} == {Status.DONE if sent else Status.ABSENT}
        spent = {name: quiet[name] for name in (LOOK_UP, ALL_ORDERS, TRADES)}
        assert spent == ({LOOK_UP: 3, ALL_ORDERS: 0, TRADES: 3} if sent else {LOOK_UP: 6, ALL_ORDERS: 3, TRADES: 3})
        assert sum(spent.values()) <= calls


def test_after_three_hours_it_is_critical_and_names_the_command() -> None:
    """By the hours since it was meant, also where hours were missed, and told in that very hour."""
    with scene() as s:
        s.hour()
        (intent,) = left_open(s, "ETHUSDT", sent=False)
        s.faults({LOOK_UP: DOWN})
        told: dict[int, list[Severity]] = {}
        for hours in (1, 3, 4, 5):
            s.messenger.taken.clear()
            s.next(hours - max(told, default=0))
            assert "recovered" not in s.messenger.kinds()
            told[hours] = [a.severity for a in s.messenger.taken if a.kind == "order_unknown"]
        assert told == {1: [Severity.WARNING], 3: [Severity.CRITICAL], 4: [Severity.CRITICAL], 5: []}
        alert = next(iter(s.state.incidents))
        assert intent.id in alert
        s.faults()
        s.messenger.taken.clear()
        s.next()
        assert status_of(s, intent) is Status.ABSENT
        assert "recovered" in s.messenger.kinds()


@pytest.mark.parametrize("language", list(Language))
def test_the_alert_spells_the_command_out_in_both_languages(language: Language) -> None:
    alert = new_alert(AlertKind.ORDER_UNKNOWN, "2026-03-15T09Z", {"client_id": "bp12345-x", "overdue": "3 h"})
    text = plain_text([alert], language)
    assert "python -m runtime orders --settle bp12345-x --why" in text
