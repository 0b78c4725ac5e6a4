"""What stops a send at the last moment: an old price, the fence, an unclear order; and what each leaves behind."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from runtime.adapters.simulated.conditions import Effect, Fault, Script
from runtime.domain.decision import Decision, ExecutionPool, Exit, ExitReason
from runtime.domain.market import Snapshot
from runtime.domain.orders import Intent, Side, Sleeve, Status
from runtime.domain.report import CycleStatus, Report
from runtime.domain.settings import StrategySettings
from runtime.domain.state import State
from runtime.errors import LeaseLost
from runtime.hour import CYCLE_BUDGET_MS, LEASE_S
from runtime.ports import Held
from tests.support.markets import TableMarket
from tests.support.worlds import ACCOUNT, DOWN, FIRST, LOOK_UP, ORDER, PRICES, Scene, scene


def slow(s: Scene, seconds: float, **acts: Any) -> None:
    """Let the decision take `seconds`, with other weather (endpoint name: fault) after it."""
    decide = s.strategy

    def later(*arguments: Any) -> Any:
        s.clock.sleep(seconds)
        if acts:
            s.faults({PRICES: acts["prices"]})
        return decide(*arguments)

    s.strategy = later


def details(report: Report) -> set[str]:
    return {order.detail for order in report.orders}


def test_prices_older_than_half_a_minute_are_read_again_before_anything_is_planned() -> None:
    with scene() as s:
        slow(s, 31)
        report = s.hour()
        assert s.used[PRICES] == 3  # the first start, the snapshot, and once more
        assert {order.status for order in report.orders} == {Status.DONE}


def test_nothing_is_sent_on_a_price_older_than_a_minute() -> None:
    with scene() as s:
        slow(s, 61, prices=DOWN)
        report = s.hour()
        assert s.used[ORDER] == 0
        assert details(report) == {"not sent: its price is older than 60 s"}
        assert "prices" in report.problems
        assert s.state.slot_done == FIRST
        assert s.differences() == {}


def test_a_price_between_half_a_minute_and_a_minute_is_still_good_if_no_newer_one_is_to_be_had() -> None:
    with scene() as s:
        slow(s, 40, prices=DOWN)
        assert {order.status for order in s.hour().orders} == {Status.DONE}


def test_a_pair_that_is_gone_from_the_prices_is_not_traded_and_the_others_are() -> None:
    with scene() as s:
        decide = s.strategy

        def delisted(*arguments: Any) -> Any:
            s.clock.sleep(31)
            listed = s.exchange.venue.market.prices()
            without = {pair: str(price) for pair, price in listed.items() if pair != "ETHUSDT"}
            s.exchange.venue.market = TableMarket(s.clock, without)
            return decide(*arguments)

        s.strategy = delisted
        report = s.hour()
        statuses = {order.symbol: order.status for order in report.orders}
        assert statuses.pop("ETHUSDT") is Status.ABSENT
        assert set(statuses.values()) == {Status.DONE}
        assert len(statuses) >= 2


def test_a_run_that_was_paused_past_its_fence_sends_nothing() -> None:
    with scene() as s:
        slow(s, CYCLE_BUDGET_MS / 1000)
        report = s.hour()
        assert s.used[ORDER] == 0
        assert details(report) == {"not sent: the cycle's time is up"}


def test_a_run_that_lost_its_lease_to_another_cannot_write_over_it() -> None:
    with scene() as s:
        taken: list[Held] = []

        def stolen(*arguments: Any) -> Any:
            s.clock.sleep(LEASE_S + 1)
            taken.append(s.store.take_lease(s.store.load(), "another", FIRST, LEASE_S))
            return decide(*arguments)

        decide, s.strategy = s.strategy, stolen
        report = s.hour()
        assert (report.status, report.exit_code) == (CycleStatus.ABORTED, 3)
        assert s.used[ORDER] == 0
        lease = s.store.load().lease
        assert lease == taken[0].lease
        with pytest.raises(LeaseLost):
            s.store.take_lease(s.store.load(), "third", FIRST, LEASE_S)


def sales(report: Report) -> list[Intent]:
    return [order for order in report.orders if order.side is Side.SELL]


def test_an_unclear_sale_leaves_other_exits_alone_and_stops_the_buys() -> None:
    with scene() as s:
        s.hour()
        s.strategy = selling(s)
        s.weather(faults=Script({ORDER: {1: Fault(effect=Effect.NOW, drop=True)}, LOOK_UP: {0: DOWN}}))
        report = s.next(24)
        first, second = sales(report)
        assert (first.status, second.status) == (Status.UNKNOWN, Status.DONE)
        assert not [order for order in report.orders if order.side is Side.BUY]
        assert report.exit_code == 4
        s.faults()
        s.next()
        assert s.differences() == {}


def selling(s: Scene) -> Any:
    """The strategy, as it would be with the breaker tripped: it leaves everything."""
    decide = s.strategy

    def leave(*arguments: Any) -> Any:
        decision = decide(*arguments)
        exits = tuple(Exit(Sleeve.TREND, pair, ExitReason.BREAKER, Decimal(1)) for pair in ("ETHUSDT", "SOLUSDT"))
        return replace(decision, exits=exits, entries=())

    return leave


def test_a_balance_that_cannot_be_read_after_a_redemption_limits_buys_and_stops_nothing() -> None:
    with scene() as s:
        s.hour()
        s.weather(faults=Script({ACCOUNT: {2: DOWN}}))
        report = s.next(24)
        assert report.exit_code == 0
        assert s.state.slot_done == report.slot
        assert s.differences() == {}


def test_a_run_that_slept_past_its_lease_writes_nothing_although_nobody_took_over() -> None:
    """The lease ends between the decision and the first write: no intent, no order, the state as it was."""
    with scene() as s:
        s.hour()
        before, orders = s.state, s.orders()
        decide = s.strategy

        def slow(snapshot: Snapshot, state: State, pool: ExecutionPool, settings: StrategySettings) -> Decision:
            decision = decide(snapshot, state, pool, settings)
            s.clock.sleep(LEASE_S)
            return decision

        s.strategy = slow
        report = s.hour("2026-03-16T09Z")
        assert report.exit_code == 3
        assert "lease" in report.error
        assert s.state == before
        assert s.orders() == orders
