"""Whole hours on the simulated exchange: what trades, what stops an hour, what the next hour makes of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from runtime.adapters.simulated.conditions import PAPER, Effect, Fault, Script
from runtime.domain.control import Mode
from runtime.domain.orders import Side, Sleeve, Status
from runtime.domain.report import CycleStatus, Report
from runtime.domain.slots import HOUR_MS
from runtime.ports import Changes
from tests.support.worlds import (
    ACCOUNT,
    CLOCK,
    DOWN,
    FIRST,
    KLINES,
    LOOK_UP,
    ORDER,
    PAIRS,
    POSITIONS,
    PRICES,
    REDEEM,
    Pool,
    Scene,
    release,
    scene,
)

D = Decimal


def gates(report: Report) -> set[str]:
    return {gate.name for gate in report.gates}


def sides(report: Report) -> list[tuple[str, Side, Status]]:
    return [(order.symbol, order.side, order.status) for order in report.orders]


def test_the_default_hour_enters_a_trend_buys_bitcoin_and_explains_what_it_left() -> None:
    with scene() as s:
        report = s.hour()
        assert report.status is CycleStatus.DONE
        sleeves = {order.sleeve for order in report.orders if order.status is Status.DONE}
        assert {Sleeve.TREND, Sleeve.BTC_CORE} <= sleeves
        assert report.gates
        assert s.differences() == {}


def test_the_same_hour_again_trades_nothing_and_says_that_it_is_done() -> None:
    with scene() as s:
        s.hour()
        orders = s.orders()
        again = s.hour()
        assert (again.status, again.exit_code) == (CycleStatus.SLOT_DONE, 0)
        assert s.orders() == orders
        assert not s.used


def test_the_next_hour_continues_from_the_stored_state() -> None:
    with scene() as s:
        bought = {o.symbol for o in s.hour().orders if o.sleeve is Sleeve.TREND}
        following = s.next()
        assert following.status is CycleStatus.DONE
        assert {h.symbol for h in following.holdings if h.sleeve is Sleeve.TREND} == bought
        assert "bought_today" in gates(following) or not following.orders
        assert s.differences() == {}


def test_missed_hours_are_told_by_name_and_not_made_up_for() -> None:
    with scene() as s:
        s.hour()
        late = s.hour("2026-03-15T12Z")
        assert late.missed == ("2026-03-15T10Z", "2026-03-15T11Z")
        assert "missed_slots" in s.messenger.kinds()
        assert s.state.missed == late.missed


def test_years_of_missed_hours_do_not_swell_the_state() -> None:
    with scene(at="2025-01-01T00Z") as s:
        s.hour()
        assert len(s.hour("2026-03-15T12Z").missed) == 168
        told = next(alert for alert in s.messenger.taken if alert.kind == "missed_slots")
        assert int(told.facts["count"]) == 438 * 24 + 11


def test_a_run_that_comes_late_does_the_open_hour_and_tells_the_one_it_was_asked_for() -> None:
    with scene() as s:
        late = s.hour(slot="2026-03-15T08")
        assert late.status is CycleStatus.DONE
        assert late.missed == ("2026-03-15T08Z",)


@pytest.mark.parametrize("again", [False, True])
def test_an_hour_that_lies_ahead_is_a_settings_error_even_when_this_one_is_done(*, again: bool) -> None:
    with scene() as s:
        if again:
            s.hour()
        early = s.hour(slot="2026-03-15T10")
        assert (early.status, early.exit_code) == (CycleStatus.BAD_SETTINGS, 2)
        assert "lies ahead" in early.error
        assert s.next().status is CycleStatus.DONE


def test_an_older_hour_after_a_newer_one_is_done() -> None:
    with scene() as s:
        s.hour()
        orders = s.orders()
        older = s.next(-2)
        assert older.status is CycleStatus.SLOT_DONE
        assert s.orders() == orders


def test_a_lease_that_another_run_holds_ends_this_one_cleanly() -> None:
    with scene() as s:
        s.store.take_lease(s.store.load(), "another", FIRST, 420)
        second = s.hour()
        assert (second.status, second.exit_code) == (CycleStatus.LEASE_HELD, 0)
        assert not s.used
        s.clock.sleep(421)
        assert s.hour().status is CycleStatus.DONE


def test_an_account_without_state_or_orders_waits_for_init() -> None:
    with scene() as s:
        refused = s.hour(first_run="refuse")
        assert (refused.status, refused.exit_code) == (CycleStatus.ABORTED, 3)
        assert s.messenger.kinds() == ["new_account"]
        assert not s.state.initialised_ms
        assert s.next(first_run="refuse").exit_code == 3, "what the refused hour left behind is no account"


def test_a_lost_state_is_never_taken_for_a_new_account() -> None:
    with scene() as s:
        s.hour()
        with scene() as empty:
            s.store = empty.store
            orders = s.orders()
            refused = s.next()
            assert refused.exit_code == 3
            assert "rebuild" in refused.error
            assert "lost_state" in s.messenger.kinds()
            assert s.orders() == orders
            assert not s.state.initialised_ms
            assert s.next().exit_code == 3, "what the refused hour left behind is no account"
            assert s.orders() == orders


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("skew_ms", [60_000, 5_001, -5_001, -60_000])
def test_a_clock_that_is_off_stops_the_hour_before_it_trades(skew_ms: int, *, opened: bool) -> None:
    """On a first start and later, where signing by the exchange's time would have made every order acceptable; with the
    clock just within the limit the same hour buys.
    """
    with scene(http=True) as s:
        if opened:
            with_everything_in_earn(s)
        orders = s.orders()
        s.weather(skew_ms=skew_ms)
        refused = s.next(0)
        assert (refused.status, refused.exit_code) == (CycleStatus.ABORTED, 3)
        assert f"{skew_ms} ms" in refused.error
        assert "clock_skew" in s.messenger.kinds()
        assert (s.used[ORDER], s.used[REDEEM], s.orders()) == (0, 0, orders)
        s.weather(skew_ms=5_000 if skew_ms > 0 else -5_000)
        traded = s.hour()
        assert traded.status is CycleStatus.DONE
        assert traded.orders


def with_everything_in_earn(s: Scene) -> None:
    """An account that was opened an hour ago and has bought nothing but fuel yet."""
    s.control(mode=Mode.REDUCE_ONLY)
    assert [order.symbol for order in s.hour().orders] == ["BNBUSDT"]
    s.control(mode=Mode.RUN)
    s.clock.set(s.clock.now_ms() + HOUR_MS)


def test_a_clock_an_hour_behind_is_told_and_does_not_read_as_an_hour_that_is_done() -> None:
    with scene() as s:
        s.hour()
        s.weather(skew_ms=2 * HOUR_MS)
        behind = s.next(-1)
        assert behind.exit_code == 3


@pytest.mark.parametrize("endpoint", [CLOCK, PRICES, ACCOUNT])
def test_without_clock_prices_or_account_nothing_trades(endpoint: str) -> None:
    with scene() as s:
        s.hour()
        orders = s.orders()
        s.faults({endpoint: DOWN})
        refused = s.next()
        assert (refused.status, refused.exit_code) == (CycleStatus.ABORTED, 3)
        assert s.orders() == orders
        assert "aborted" in s.messenger.kinds()
        s.faults()
        assert s.hour().status is CycleStatus.DONE


def test_pairs_that_cannot_be_read_again_stop_nothing_while_cached_ones_are_known() -> None:
    with scene() as s:
        s.hour()
        s.faults({PAIRS: DOWN})
        report = s.next(24)
        assert report.status is CycleStatus.DONE
        assert "instruments" in report.problems
        assert [order for order in report.orders if order.status is Status.DONE]


def test_an_aborted_hour_keeps_its_report() -> None:
    with scene() as s:
        s.faults({PRICES: DOWN})
        s.hour(first_run="fresh")
        s.faults()
        s.hour()
        s.faults({PRICES: DOWN})
        refused = s.next()
        assert s.reports.reports[-1][1]["status"] == "aborted"
        assert s.reports.reports[-1][0] == refused.slot


def test_without_earn_nothing_is_bought_but_stops_are_watched() -> None:
    with scene() as s:
        s.hour()
        s.faults({POSITIONS: DOWN})
        report = s.next(24)
        assert report.status is CycleStatus.DONE
        assert "earn_unreadable" in gates(report)
        assert "earn" in report.problems
        assert not [order for order in report.orders if order.side is Side.BUY]
        assert {h.symbol for h in report.holdings if h.managed} >= {"ETHUSDT", "SOLUSDT"}


def test_control_halt_sends_nothing_and_reduce_only_buys_nothing() -> None:
    with scene() as s:
        s.control(mode=Mode.HALT, who="op")
        halted = s.hour()
        assert not s.orders()
        assert not halted.earn_moves
        assert (halted.control, halted.exit_code) == ("halt", 0)
        s.control(mode=Mode.REDUCE_ONLY, who="op")
        reduced = s.next()
        assert {order.symbol for order in reduced.orders if order.sleeve is not Sleeve.CASH} == set()
        assert "reduce_only" in gates(reduced)


def test_a_control_set_between_decision_and_sending_still_holds() -> None:
    with scene() as s:
        halting = s.strategy

        def strategy(*args: object) -> object:
            s.control(mode=Mode.HALT, who="op")
            return halting(*args)  # type: ignore[arg-type]

        s.strategy = strategy  # type: ignore[assignment]
        report = s.hour()
        assert not s.orders()
        assert {order.status for order in report.orders} == {Status.ABSENT}
        assert "not_sent" in gates(report)
        assert s.differences() == {}


def test_an_unreadable_control_halts_and_is_told() -> None:
    with scene() as s:
        s.control(unreadable=True, why="control: mode: 'bluster'")
        report = s.hour()
        assert report.control == "halt"
        assert not s.orders()
        assert "misconfigured" in s.messenger.kinds()


def test_a_pause_asked_for_on_a_read_ends_the_hour_and_the_next_run_keeps_it() -> None:
    with scene() as s:
        s.hour()
        s.faults({POSITIONS: Fault(status=429, code=-1003, message="Too many requests", retry_after_s=7200)})
        assert s.next().exit_code == 3
        s.faults()
        waiting = s.next()
        assert waiting.exit_code == 3
        assert not s.used
        assert "rate_limited" in s.messenger.kinds()
        assert s.next().status is CycleStatus.DONE


def test_a_pause_asked_for_by_an_order_stops_the_batch_and_the_next_run_keeps_it() -> None:
    with scene() as s:
        s.weather(faults=Script({ORDER: {2: Fault(status=418, code=-1003, message="banned", retry_after_s=7200)}}))
        report = s.hour()
        assert report.exit_code == 4
        assert s.used[ORDER] == 2
        assert [order.status for order in report.orders] == [Status.DONE, Status.REFUSED, Status.ABSENT, Status.ABSENT]
        s.faults()
        assert s.next().exit_code == 3
        assert not s.used


def test_refused_orders_end_with_exit_4_and_are_told_and_the_rest_goes_on() -> None:
    with scene() as s:
        refusal = Fault(status=400, code=-2010, message="Account has insufficient balance for requested action.")
        s.weather(faults=Script({ORDER: {1: refusal}}))
        report = s.hour()
        assert (report.status, report.exit_code) == (CycleStatus.FAILED_ORDERS, 4)
        assert [order.status for order in report.orders].count(Status.DONE) == 3
        assert "order_failed" in s.messenger.kinds()
        assert s.differences() == {}
        assert s.next().exit_code == 0


@pytest.mark.parametrize("effect", [Effect.NOW, Effect.LATER, Effect.NONE])
def test_an_order_whose_answer_is_lost_is_settled_within_the_hour_and_never_sent_twice(effect: Effect) -> None:
    with scene() as s:
        lost = Fault(effect=effect, after_ms=5_000 if effect is Effect.LATER else 0, drop=True)
        s.weather(faults=Script({ORDER: {1: lost}}))
        report = s.hour()
        assert len(s.orders()) == len(set(s.orders()))
        done = effect is not Effect.NONE
        assert report.orders[0].status is (Status.DONE if done else Status.ABSENT)
        assert s.differences() == {}
        assert not s.state.open_intents


def test_after_an_unclear_order_the_batch_buys_nothing_more() -> None:
    with scene() as s:
        s.weather(faults=Script({ORDER: {1: Fault(drop=True)}}))
        report = s.hour()
        assert s.used[ORDER] == 1
        assert all("unknown" in order.detail for order in report.orders[1:])


def test_an_order_that_stays_unknown_blocks_buys_until_a_later_hour_settles_it() -> None:
    with scene() as s:
        s.weather(faults=Script({ORDER: {1: Fault(effect=Effect.NOW, drop=True)}, LOOK_UP: {0: DOWN}}))
        report = s.hour()
        assert (report.exit_code, report.orders[0].status) == (4, Status.UNKNOWN)
        assert "order_unknown" in s.messenger.kinds()
        s.weather(faults=Script({LOOK_UP: {0: DOWN}}))
        blocked = s.next()
        assert blocked.exit_code == 4
        assert "unknown_order" in gates(blocked)
        assert not blocked.orders
        s.faults()
        settled = s.next()
        assert [intent.status for intent in settled.recovered] == [Status.DONE]
        assert settled.exit_code == 0
        assert s.differences() == {}
        assert "recovered" in s.messenger.kinds()


def test_a_partial_fill_is_booked_as_it_executed() -> None:
    conditions = replace(PAPER, costs=replace(PAPER.costs, liquidity={"ETHUSDT": D(1000)}))
    with scene(conditions) as s:
        report = s.hour()
        order = next(order for order in report.orders if order.symbol == "ETHUSDT").order
        assert order is not None
        assert order.status == "EXPIRED"
        assert D(0) < order.quote_qty < D(1001)
        assert report.exit_code == 0
        assert s.differences() == {}
        assert "ETHUSDT" in s.state.positions


def earning(redeem_s: int | None) -> object:
    return replace(PAPER.earn, redeem_s=redeem_s)


def test_a_redemption_that_takes_half_a_minute_is_waited_for() -> None:
    with scene() as s:
        with_everything_in_earn(s)
        s.weather(earn=earning(30))
        free = s.exchange.account().free("USDT")
        report = s.hour()
        (move,) = [move for move in report.earn_moves if move.kind.value == "redeem"]
        assert move.status is Status.DONE
        assert report.exit_code == 0
        assert sum(order.order.quote_qty for order in report.orders if order.order) > free
        assert "no_cash" not in gates(report)
        assert s.differences() == {}


def test_a_redemption_that_never_arrives_is_in_transit_and_told_and_buys_shrink() -> None:
    """To what was free before, first come first served: none is sent that the exchange would refuse."""
    with scene() as s:
        with_everything_in_earn(s)
        s.weather(earn=earning(None))
        before, free = s.state.ledger, s.exchange.account().free("USDT")
        report = s.hour()
        (move,) = [move for move in report.earn_moves if move.kind.value == "redeem"]
        assert move.status is Status.UNKNOWN
        assert report.equity is not None
        assert report.equity.in_transit == move.quantity
        assert "earn_failed" in s.messenger.kinds()
        (order,) = report.orders
        assert order.order is not None
        assert (order.symbol, order.status) == ("ETHUSDT", Status.DONE)
        assert free * D("0.95") < order.order.quote_qty <= free
        assert [gate.symbol for gate in report.gates if gate.name == "no_cash"] == ["SOLUSDT", "BTCUSDT"]
        assert report.exit_code == 0
        assert s.state.drift == {}
        assert s.state.ledger.owned("USDT") <= before.owned("USDT")
        following = s.next()
        assert following.equity is not None
        assert following.equity.in_transit == move.quantity
        assert len([m for m in s.exchange.venue.books.moves if m.kind.value == "redeem"]) == 1


def test_closed_earn_products_never_stop_an_hour() -> None:
    with scene() as s:
        s.faults({"GET /sapi/v1/simple-earn/flexible/list": DOWN})
        report = s.hour()
        assert report.exit_code == 0
        assert "earn_product" in report.problems
        assert len(report.orders) == 4


def test_one_symbol_without_candles_is_not_bought_and_the_others_are() -> None:
    with scene() as s:
        s.weather(faults=Script({KLINES: {2: DOWN}}))
        report = s.hour()
        assert "indicators_missing" in gates(report)
        assert report.exit_code == 0
        assert report.orders


def test_a_pair_that_is_halted_is_left_out_and_told() -> None:
    with scene() as s:
        s.hour()
        s.exchange.events.halt("ETHUSDT", "BREAK")
        s.clock.sleep(6 * 3600)
        report = s.hour()
        assert report.pool is not None
        assert "ETHUSDT" not in report.pool.execution_pool
        assert "symbol_not_trading" in s.messenger.kinds()


def test_a_revised_candle_is_told_once() -> None:
    with scene() as s:
        s.hour()
        cache = s.store.cache()
        series = cache.series["ETHUSDT"]
        wrong = replace(series, close=(*series.close[:-1], series.close[-1] * 1.01))
        held = s.store.take_lease(s.store.load(), "test", FIRST, 420)
        changed = Changes(s.state, cache=replace(cache, series={**cache.series, "ETHUSDT": wrong}), release=True)
        s.store.commit(held, changed)
        s.next(24)
        s.next()
        assert s.messenger.kinds().count("candle_revised") == 1


def test_an_incident_is_told_when_it_opens_not_every_hour_and_when_it_ends() -> None:
    pool = Pool(None)
    with scene(pool=pool) as s:
        for _ in range(6):
            s.next()
        assert s.messenger.kinds().count("degraded_source") == 3
        pool.payload = release(["ETHUSDT", "SOLUSDT", "XRPUSDT", "LINKUSDT", "LTCUSDT"])
        s.next()
        assert s.messenger.kinds().count("recovered") == 1
        assert "degraded_source" not in " ".join(s.state.incidents)


def test_a_dead_messenger_loses_no_alert_and_changes_no_trade() -> None:
    with scene() as s, scene() as twin:
        s.messenger.dead = True
        assert [o.id for o in s.hour().orders] == [o.id for o in twin.hour().orders]
        kept = {alert.id for alert in s.state.outbox}
        assert kept == {alert.id for alert in twin.messenger.taken}
        s.messenger.dead = False
        s.next()
        assert kept <= {alert.id for alert in s.messenger.taken}
        assert len(s.messenger.taken) == len({alert.id for alert in s.messenger.taken})
        assert not s.state.outbox


def test_a_run_of_a_done_hour_delivers_what_was_left() -> None:
    with scene() as s:
        s.messenger.dead = True
        s.hour()
        s.messenger.dead = False
        assert s.hour().status is CycleStatus.SLOT_DONE
        assert s.messenger.taken
        assert not s.state.outbox


def test_a_full_disk_costs_the_report_and_not_the_hour() -> None:
    with scene() as s:
        s.reports.full = True
        report = s.hour()
        assert report.exit_code == 0
        assert s.state.slot_done == FIRST


def test_pairs_are_read_again_after_six_hours_in_place_of_the_clock() -> None:
    with scene() as s:
        s.hour()
        s.next(6)
        assert s.used[PAIRS] == 1
        assert s.used[CLOCK] == 0
        s.next()
        assert (s.used[PAIRS], s.used[CLOCK]) == (0, 1)
