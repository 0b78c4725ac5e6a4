"""Costs in whole hours: counted once whatever dies, in their month, reported, budgeted, and shown to the operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import cast

import pytest

from runtime.adapters.simulated.conditions import PAPER, Effect, Fault, Script
from runtime.domain.alerts import Alert, Severity
from runtime.domain.costs import NO_COSTS, NO_MONTH, MonthCosts, Spent, spent_on
from runtime.domain.ledger import Book
from runtime.domain.money import CASH, ZERO
from runtime.domain.orders import Order, Outcome
from runtime.domain.report import digest, to_document
from runtime.domain.report_text import render_text
from runtime.domain.slots import MINUTE_MS
from runtime.domain.summary_markdown import render_summary
from runtime.domain.texts import Language
from runtime.operator_tables import costs_text
from runtime.ports import Changes, Exchange, Held, OrderRequest, Store, World
from runtime.replay import replay_tape
from runtime.wiring import retold
from tests.support.worlds import ACCOUNT, DOWN, LOOK_UP, ORDER, Scene, scene

D = Decimal
MARCH = "2026-03"


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Dies:
    """A store whose process dies beside its n-th write: before it, or after it was done."""

    store: Store
    write: int
    after: bool

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def commit(self, held: Held, changes: Changes) -> Held:
        """Write, or die."""
        self.write -= 1
        if self.write == 0 and not self.after:
            raise Killed
        done = self.store.commit(held, changes)
        if self.write == 0:
            raise Killed
        return done


class Lags:
    """An exchange that fills orders and does not show their fills yet."""

    def __init__(self, real: Exchange) -> None:
        self._real = real

    def send_order(self, request: OrderRequest) -> Outcome:
        """Sent and filled, without its fills."""
        done = self._real.send_order(request)
        return replace(done, fills=()) if isinstance(done, Order) else done

    def find_order(self, symbol: str, client_id: str) -> Order | None:
        """Found, without its fills."""
        found = self._real.find_order(symbol, client_id)
        return found and replace(found, fills=())

    def with_fills(self, order: Order) -> Order:
        """Not yet."""
        return order

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


def of_the_journal(s: Scene) -> Spent:
    """What the orders in the journal cost, reckoned anew from their fills and the prices booked with them."""
    total = NO_COSTS
    entries = {entry.reference: entry for day in s.store.ledger_days() for entry in s.store.entries(day)}
    for intent in {intent.id: intent for intent in s.store.journal()}.values():
        if intent.order is not None and intent.id in entries:
            prices = {asset + CASH: price for asset, price in entries[intent.id].prices.items()}
            total = total.plus(spent_on(intent, intent.order, prices))
    assert total.orders == sum(1 for entry in entries.values() if entry.kind == "fill")
    return total


def counted(s: Scene) -> Spent:
    """What the state says of all months."""
    total = NO_COSTS
    for costs in s.state.costs.values():
        total = total.plus(costs.spent)
    return total


def slow(s: Scene, minutes: float) -> None:
    """Let each hour from here on take so long: it waits where it first asks whether to stop."""

    def wrap(world: World) -> World:
        waits = [minutes * 60]

        def stop() -> str:
            if waits:
                world.clock.sleep(waits.pop())
            return ""

        return replace(world, stop=stop)

    s.wrap = wrap


def budget_alerts(s: Scene) -> list[Alert]:
    return [alert for alert in s.messenger.taken if alert.kind == "budget"]


def test_an_hours_costs_are_those_of_its_orders_and_stand_in_its_report() -> None:
    with scene(USDT="10000", BNB="1") as s:
        report = s.hour()
        assert report.orders
        assert report.spent == report.month == s.state.costs[MARCH].spent == of_the_journal(s)
        assert report.spent.orders == len(report.orders)
        assert report.spent.fees > 0
        assert report.spent.slippage > 0, "a spread and a slippage of the simulated exchange"
        assert to_document(report)["costs"]["month"]["fees"] == to_document(report)["costs"]["fees"]
        following = s.next()
        assert (following.spent, following.month) == (NO_COSTS, report.month) or following.orders
        assert counted(s) == of_the_journal(s)


def test_the_fees_are_the_ledgers_whatever_they_were_paid_in() -> None:
    for fuel in ("0", "1"):
        with scene(USDT="10000", BNB=fuel) as s:
            s.hour()
            paid = s.state.ledger.assets(Book.FEES)
            valued = sum((units * s.state.prices.get(asset + CASH, D(1)) for asset, units in paid.items()), ZERO)
            assert abs(counted(s).fees - valued) < valued / 1000, "decisions saw almost the prices of the end"
            assert counted(s).unvalued == 0


def test_a_partial_fill_costs_what_executed() -> None:
    with scene(replace(PAPER, costs=replace(PAPER.costs, liquidity={"ETHUSDT": D(1000)}))) as s:
        report = s.hour()
        part = next(o for o in report.orders if o.symbol == "ETHUSDT")
        assert part.order is not None
        assert part.order.executed_qty < part.quantity
        assert counted(s) == of_the_journal(s)
        meant = sum((o.order.executed_qty * o.decision_price for o in report.orders if o.order is not None), ZERO)
        assert counted(s).traded == meant


@pytest.mark.parametrize("effect", [Effect.NOW, Effect.NONE])
def test_an_order_settled_by_a_later_hour_counts_once_and_in_its_own_month(effect: Effect) -> None:
    with scene(at="2026-03-31T23Z") as s:
        s.weather(faults=Script({ORDER: {1: Fault(effect=effect, drop=True)}, LOOK_UP: {0: DOWN}}))
        assert s.hour().spent == NO_COSTS
        s.faults()
        settled = s.next()
        filled = effect is Effect.NOW
        assert s.state.costs.get(MARCH, NO_MONTH).spent.orders == int(filled)
        assert settled.spent.orders == int(filled) + len([o for o in settled.orders if o.order])
        s.next()
        assert counted(s) == of_the_journal(s)


def test_an_order_whose_fills_are_not_all_known_costs_nothing_until_it_is_booked() -> None:
    with scene() as s:
        s.wrap = lambda world: replace(world, exchange=cast("Exchange", Lags(world.exchange)))
        s.hour()
        assert [intent.order is not None for intent in s.state.open_intents] == [True]
        assert counted(s) == NO_COSTS
        s.next()
        s.wrap = lambda world: world
        s.next()
        assert counted(s).orders
        assert counted(s) == of_the_journal(s)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("write", range(1, 9))
def test_whichever_write_a_run_dies_at_each_order_counts_once(write: int, after: bool) -> None:
    with scene() as s:
        s.wrap = lambda world: replace(world, store=cast("Store", Dies(world.store, write, after)))
        try:
            s.hour()
        except Killed:
            s.wrap = lambda world: world
            s.clock.set(s.clock.now_ms() + 8 * MINUTE_MS)
            s.hour(at=None)
        s.wrap = lambda world: world
        s.next()
        assert counted(s) == of_the_journal(s)
        assert counted(s).orders
        assert s.differences() == {}


def test_minutes_are_what_runs_took_also_those_that_were_aborted_and_belong_to_the_run() -> None:
    with scene() as s:
        slow(s, 1.2)
        report = s.hour()
        assert (report.minutes, s.state.costs[MARCH].minutes) == (2, 2)
        assert to_document(report)["run"]["minutes"] == 2
        assert digest(report) == digest(replace(report, minutes=9))
        s.faults({ACCOUNT: DOWN})
        assert s.next().exit_code == 3
        took = s.state.costs[MARCH].minutes - 2
        assert took >= 2
        s.faults()
        s.next()
        assert s.state.costs[MARCH].minutes == 4 + took


def test_an_hour_that_took_minutes_replays_identically() -> None:
    """They come from the clock, whose answers are on the tape."""
    with scene() as s:
        s.environment["ENGINE_BUDGET_MINUTES"] = "1"
        slow(s, 1.2)
        s.hour()
        s.next()
        for slot, lines in s.reports.tapes:
            assert replay_tape(lines, s.strategy, retold) == (slot, ())
        assert len(budget_alerts(s)) == 2


def test_where_no_time_passes_no_minutes_are_counted() -> None:
    with scene() as s:
        assert s.hour().minutes == 0
        before = s.state.costs
        quiet = s.next()
        assert (quiet.minutes, quiet.orders, s.state.costs) == (0, (), before), "an hour that trades nothing is free"


def spend(s: Scene, fees: str) -> None:
    """Put so many fees into the running month, as if booked by an earlier hour."""
    month = s.state.costs.get(MARCH, NO_MONTH)
    edited = replace(s.state, costs={MARCH: replace(month, spent=Spent(fees=D(fees), orders=1))})
    held = s.store.take_lease(s.store.load(), "test", s.state.slot_done, 60)
    s.store.commit(held, Changes(edited, release=True))


class TestBudgets:
    def test_each_level_is_told_once_and_over_when_the_month_is(self) -> None:
        with scene() as s:
            s.environment["ENGINE_BUDGET_FEES"] = "100"
            s.hour("2026-03-31T18Z")
            assert budget_alerts(s) == []
            spend(s, "80")
            for _ in range(3):
                s.next()
            (first,) = budget_alerts(s)
            facts = {"what": "fees", "month": MARCH, "spent": "80", "budget": "100", "level": "80 %"}
            assert (first.facts, first.severity) == (facts, Severity.WARNING)
            assert "budget:fees 80 %" in s.state.incidents
            spend(s, "120")
            s.next()
            s.next()
            assert [alert.facts["level"] for alert in budget_alerts(s)] == ["80 %", "100 %"]
            s.hour("2026-04-01T00Z")
            over = [alert.facts["what"] for alert in s.messenger.taken if alert.kind == "recovered"]
            assert {"budget:fees 80 %", "budget:fees 100 %"} <= set(over)
            assert len(budget_alerts(s)) == 2

    def test_another_budget_is_told_anew(self) -> None:
        with scene() as s:
            s.environment["ENGINE_BUDGET_FEES"] = "100"
            s.hour()
            spend(s, "80")
            s.next()
            s.environment["ENGINE_BUDGET_FEES"] = "200"
            s.next()
            assert s.state.incidents.keys().isdisjoint({"budget:fees 80 %"})
            spend(s, "170")
            s.next()
            s.next()
            assert [alert.facts["budget"] for alert in budget_alerts(s)] == ["100", "200"]

    def test_without_a_budget_nothing_is_told_and_with_one_nothing_is_held_back(self) -> None:
        with scene() as s:
            plain = s.hour()
            assert budget_alerts(s) == []
        with scene() as s:
            s.environment |= {"ENGINE_BUDGET_FEES": "0.01", "ENGINE_BUDGET_SLIPPAGE": "0.01"}
            report = s.hour()
            assert [o.id for o in report.orders] == [o.id for o in plain.orders]
            levels = {(a.facts["what"], a.facts["level"]) for a in budget_alerts(s)}
            assert levels == {(what, level) for what in ("fees", "slippage") for level in ("80 %", "100 %")}

    def test_minutes_have_a_budget_too(self) -> None:
        with scene() as s:
            s.environment["ENGINE_BUDGET_MINUTES"] = "5"
            slow(s, 2)
            s.hour()
            assert budget_alerts(s) == []
            s.next()
            assert [alert.facts["spent"] for alert in budget_alerts(s)] == ["4"]

    def test_an_alert_that_was_not_written_is_told_by_the_run_that_does_the_hour(self) -> None:
        with scene() as s:
            s.environment["ENGINE_BUDGET_FEES"] = "100"
            s.hour()
            spend(s, "90")
            s.wrap = lambda world: replace(world, store=cast("Store", Dies(world.store, 1, after=False)))
            with pytest.raises(Killed):
                s.next()
            s.wrap = lambda world: world
            s.clock.set(s.clock.now_ms() + 8 * MINUTE_MS)
            s.hour()
            s.next()
            assert len(budget_alerts(s)) == 1


def test_the_report_says_it_in_one_line_and_a_summary_without_figures_does_not() -> None:
    with scene() as s:
        report = s.hour()
    for language in Language:
        said = [line for line in render_text(report, language).splitlines() if "bps" in line]
        assert len(said) == 1
        assert "bps" in render_summary(report, language, (), figures=True)
        assert "bps" not in render_summary(report, language, (), figures=False)
    assert "bps" not in render_text(replace(report, spent=NO_COSTS), Language.EN)


def test_the_table_shows_months_newest_first_and_what_budgets_are_used() -> None:
    months: Mapping[str, MonthCosts] = {
        "2026-03": MonthCosts(Spent(D("12.345"), D(-3), D(6000), 9, 1), 40),
        "2026-02": MonthCosts(Spent(D(2), ZERO, ZERO, 1), 700),
    }
    told = costs_text(months, {"fees": D(50), "slippage": ZERO, "minutes": D(1000)})
    assert told.index("2026-03") < told.index("2026-02")
    assert [word in told for word in ("12.34", "-3.00", "-5", "6,000.00", "24.7", "4.0")] == [True] * 6
    assert "Budgets of 2026-03" in told
    assert "Budgets" not in costs_text(months, dict.fromkeys(("fees", "slippage", "minutes"), ZERO))
