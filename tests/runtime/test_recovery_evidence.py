"""The proof of absence in full, what it costs, and what happens when there is none for hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest

from runtime.adapters.simulated.books import Draft
from runtime.adapters.simulated.conditions import Effect, Fault
from runtime.domain.alerts import AlertKind, Severity, new_alert
from runtime.domain.control import Mode
from runtime.domain.messages import plain_text
from runtime.domain.orders import Intent, Kind, Leg, Order, Side, Sleeve, Status, client_id
from runtime.domain.slots import HOUR_MS, slot_at, slot_start_ms
from runtime.domain.texts import Language
from runtime.ports import Exchange
from tests.support.hours import Mishap
from tests.support.operators import put_state
from tests.support.worlds import ACCOUNT, CLOCK, DOWN, LOOK_UP, MINUTES_PAST_MS, ORDER, POSITIONS, PRICES, Scene, scene

QUANTITY = Decimal("0.03")
ALL_ORDERS, OPEN_ORDERS = "GET /api/v3/allOrders", "GET /api/v3/openOrders"
TRADES = "GET /api/v3/myTrades"


def left_open(s: Scene, *symbols: str, sent: int) -> list[Intent]:
    """An hour that died after its write-ahead, with the first `sent` of its orders at the exchange."""
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
    for intent in intents[:sent]:
        s.exchange.venue.place(Draft(intent.symbol, Side.BUY, intent.id, QUANTITY))
    return intents


def status_of(s: Scene, intent: Intent) -> Status:
    return next(found.status for found in s.store.journal() if found.id == intent.id)


class Swapped:
    """An exchange with some of its methods replaced."""

    def __init__(self, real: Exchange, **methods: Callable[..., object]) -> None:
        self._real, self._methods = real, methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._real, name)


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


@pytest.mark.parametrize("endpoint", [LOOK_UP, OPEN_ORDERS, TRADES])
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


CALLS_MAX = 10
PAIRS = ("ETHUSDT", "SOLUSDT", "BNBUSDT")
SETTLING = (LOOK_UP, ALL_ORDERS, OPEN_ORDERS, TRADES)


@pytest.mark.parametrize("http", [False, True])
@pytest.mark.parametrize("found", range(4))
def test_recovery_of_three_open_orders_of_three_pairs_costs_at_most_ten_calls(found: int, *, http: bool) -> None:
    """Found: one look-up and its trades each. Absent: two look-ups and the pair's trades each, and the open orders once
    for all. Counted where the requests arrive; what the hour reads of the account besides, it reads once.
    """
    with scene(http=http) as s:
        s.hour()
        s.next()
        intents = left_open(s, *PAIRS, sent=found)
        s.control(mode=Mode.HALT)  # look-ups and booking run all the same, and nothing is sent that asks for more
        s.next()
        statuses = [Status.DONE] * found + [Status.ABSENT] * (3 - found)
        assert [status_of(s, intent) for intent in intents] == statuses
        spent = {name: s.used[name] for name in SETTLING}
        absent = 3 - found
        assert spent == {LOOK_UP: 3 + absent, ALL_ORDERS: 0, OPEN_ORDERS: min(absent, 1), TRADES: 3}
        assert sum(spent.values()) <= CALLS_MAX
        assert [s.used[name] for name in (ACCOUNT, PRICES, POSITIONS, CLOCK)] == [1, 1, 1, 1]
        assert s.differences() == {}


@pytest.mark.parametrize("found", range(4))
def test_nothing_else_is_asked_because_of_three_open_orders(found: int) -> None:
    """An hour that must recover asks for what the same hour without open orders asks for, and for those ten calls."""
    used: list[Counter[str]] = []
    for recovers in (True, False):
        with scene() as s:
            s.hour()
            s.next()
            intents = left_open(s, *PAIRS, sent=found)
            s.control(mode=Mode.HALT)
            if not recovers:
                s.next()
                assert {status_of(s, intent) for intent in intents} <= {Status.DONE, Status.ABSENT}
            s.next()
            used.append(s.used)
    with_it, without = used
    assert (with_it - without).total() <= CALLS_MAX
    assert (with_it - without).keys() <= {*SETTLING, "GET /api/v3/exchangeInfo"}


def test_at_the_port_too_the_recovery_of_three_absent_orders_is_ten_calls() -> None:
    with scene() as s:
        s.hour()
        s.next()
        left_open(s, *PAIRS, sent=0)
        mishap = Mishap(0, lambda _: None)
        s.wrap = mishap.around
        s.next()
        asked = Counter(mishap.calls)
        names = ("find_order", "open_orders", "trades_since", "orders_since", "with_fills")
        assert [asked[name] for name in names] == [6, 1, 3, 0, 0]
        first = min(mishap.calls.index(name) for name in names if asked[name])
        assert mishap.calls.index("account") > first, "recovery comes first, so nothing is read twice"


def test_two_look_ups_of_an_absent_order_are_two_seconds_apart() -> None:
    with scene() as s:
        s.hour()
        left_open(s, *PAIRS, sent=0)
        asked: dict[str, list[int]] = {}

        def noted(symbol: str, client_id: str) -> Order | None:
            asked.setdefault(symbol, []).append(s.clock.now_ms())
            return s.exchange.find_order(symbol, client_id)

        s.wrap = lambda world: replace(world, exchange=cast("Exchange", Swapped(world.exchange, find_order=noted)))
        s.next()
        assert asked.keys() == {*PAIRS}
        assert all(second - first >= 2_000 for first, second in asked.values())


def test_a_look_up_before_the_fence_proves_nothing_although_the_fence_passes_while_it_is_made() -> None:
    with scene() as s:
        s.hour()
        (intent,) = left_open(s, "ETHUSDT", sent=0)
        asked_at = slot_start_ms(slot_at(s.clock.now_ms() + HOUR_MS)) + MINUTES_PAST_MS
        ripening = replace(intent, send_before_ms=asked_at - 20_000 + 500)
        put_state(s, replace(s.state, intents=(*(i for i in s.state.intents if i.id != intent.id), ripening)))

        def slow(symbol: str, client_id: str) -> Order | None:
            found = s.exchange.find_order(symbol, client_id)
            s.clock.sleep(1)
            return found

        s.wrap = lambda world: replace(world, exchange=cast("Exchange", Swapped(world.exchange, find_order=slow)))
        s.next()
        assert status_of(s, intent) is Status.UNKNOWN
        s.next()
        assert status_of(s, intent) is Status.ABSENT


def test_an_order_that_rests_under_our_id_is_no_absence() -> None:
    """Where look-ups miss it all the same: the open orders show it."""
    with scene() as s:
        s.hour()
        (intent,) = left_open(s, "ETHUSDT", sent=0)
        s.exchange.events.rest_order(Draft("ETHUSDT", Side.BUY, intent.id, QUANTITY), Decimal(1000))
        blind = {"find_order": lambda *_: None}
        s.wrap = lambda world: replace(world, exchange=cast("Exchange", Swapped(world.exchange, **blind)))
        s.next()
        assert status_of(s, intent) is Status.UNKNOWN


def test_an_order_that_only_the_second_look_up_finds_is_adopted() -> None:
    with scene() as s:
        s.hour()
        (intent,) = left_open(s, "ETHUSDT", sent=1)
        answers = iter([None])

        def late(symbol: str, client_id: str) -> Order | None:
            return next(answers, s.exchange.find_order(symbol, client_id))

        blind: dict[str, Callable[..., object]] = {"trades_since": lambda *_: [], "find_order": late}
        s.wrap = lambda world: replace(world, exchange=cast("Exchange", Swapped(world.exchange, **blind)))
        s.next()
        assert status_of(s, intent) is Status.DONE
        assert s.differences() == {}


def test_an_order_that_only_trades_and_the_list_of_all_orders_show_is_adopted() -> None:
    with scene() as s:
        s.hour()
        (intent,) = left_open(s, "ETHUSDT", sent=1)
        blind = {"find_order": lambda *_: None}
        s.wrap = lambda world: replace(world, exchange=cast("Exchange", Swapped(world.exchange, **blind)))
        s.next()
        assert status_of(s, intent) is Status.DONE
        assert s.differences() == {}


def test_a_pair_that_is_gone_is_judged_by_the_account_as_it_is_now() -> None:
    """Also in the hour of the send itself, whose own view of the account is older than the order."""
    with scene() as s:
        s.faults({ORDER: Fault(effect=Effect.NOW, drop=True), LOOK_UP: Fault(status=400, code=-1121, message="gone")})
        report = s.hour()
        executed = set(s.orders())
        assert executed
        assert not [i.id for i in report.intents if i.id in executed and i.status is Status.ABSENT]


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
