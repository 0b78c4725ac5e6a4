"""The first start: a new account is opened, a lost one is rebuilt, and neither is ever taken for the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, cast

import pytest

from runtime.adapters.simulated.books import Draft
from runtime.adapters.simulated.conditions import (
    PAPER,
    Conditions,
    Costs,
    Delays,
    EarnTerms,
    Effect,
    Fault,
    Script,
)
from runtime.domain.alerts import AlertKind, new_alert
from runtime.domain.decision import Decision
from runtime.domain.ledger import Book
from runtime.domain.market import Candle
from runtime.domain.money import CASH
from runtime.domain.orders import Kind, Leg, Order, Outcome, Side, Sleeve, Status, client_id
from runtime.domain.reconciliation import fitted_positions
from runtime.domain.report import CycleStatus
from runtime.domain.slots import HOUR_MS, slot_at
from runtime.domain.state import State
from runtime.errors import Abort, ClockSkewed, LostState, NewAccount, Unavailable
from runtime.ports import Changes, Exchange, Flow, Held, Loaded, OrderRequest, Store
from tests.support.hours import Killed, Mishap
from tests.support.markets import TableMarket
from tests.support.operators import fork, keep_decisions, lose_state, put_state, start
from tests.support.shop import PRICES
from tests.support.worlds import DOWN, ORDER, POSITIONS, Pool, Scene, release, scene

D = Decimal
PLAIN = Conditions(costs=Costs(fee=D("0.001")))
PARTS = Conditions(costs=Costs(fee=D("0.001"), slippage_bps=D(3), fills_max=4, liquidity={"*": D(1500)}), seed=7)
LAST_HOURS_PRICE = D("0.05")
"""What left by other hands was valued at the price of the hour before; rebuilt, it is valued at today's."""


def nothing(scene: Scene) -> None:
    del scene


def deposits_ether(scene: Scene) -> None:
    scene.exchange.events.deposit("ETH", D("0.4"))


def sells_ether(scene: Scene) -> None:
    scene.exchange.events.manual_trade("ETHUSDT", Side.SELL, D("0.5"))


def withdraws_solana(scene: Scene) -> None:
    scene.exchange.events.withdraw("SOL", D("1.5"))


def buys_bitcoin(scene: Scene) -> None:
    scene.exchange.events.manual_trade("BTCUSDT", Side.BUY, D("0.001"))


@dataclass(frozen=True)
class Course:
    """A history: hour by hour from `at`, with events before the hours they are named by."""

    at: str
    hours: int
    conditions: Conditions = PAPER
    reserved: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[int, Callable[[Scene], None]] = field(default_factory=dict)


COURSES = {
    "entries, top-ups, an exit, daily purchases, fees in BNB": Course("2026-03-16T00Z", 124),
    "the days before the breaker trips": Course("2026-03-20T00Z", 95),
    "fees in the coin and in USDT": Course("2026-03-16T00Z", 60, PLAIN),
    "orders that fill in parts or not to the end": Course("2026-03-16T00Z", 60, PARTS),
    "reserved coins": Course("2026-03-16T00Z", 60, reserved={"ETH": "2", "DOGE": "500"}),
    "manual trades and transfers": Course(
        "2026-03-16T00Z",
        124,
        reserved={"BTC": "0.01"},
        events={20: deposits_ether, 30: sells_ether, 40: withdraws_solana, 50: buys_bitcoin, 60: sells_ether},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COURSES)
def test_a_rebuilt_state_knows_what_the_lost_one_knew_and_decides_the_same(name: str) -> None:
    """Lost after hours of every kind: the midnight that trades, the hour after it, quiet ones."""
    course = COURSES[name]
    seen: set[str] = set()
    with scene(course.conditions, at=course.at) as s:
        for asset, amount in course.reserved.items():
            s.exchange.venue.books.grant(asset, D(amount))
        for hour in range(course.hours):
            course.events.get(hour, nothing)(s)
            report = s.next() if hour else s.hour()
            assert report.status in {CycleStatus.DONE, CycleStatus.FAILED_ORDERS}
            seen |= {f"{i.side} {i.sleeve}" for i in report.intents if i.order is not None and i.order.executed_qty}
            if report.orders or hour % 17 == 0:
                compare(s)
    assert {"BUY trend", "BUY btc_core", "BUY cash"} <= seen
    assert course.hours < 100 or "SELL trend" in seen


def compare(s: Scene) -> None:
    """Rebuild a copy of the account, then let the copy and another one with its state live the next hour."""
    kept, lost = fork(s), fork(s)
    lose_state(lost)
    before, after = fitted_positions(kept.state), start(lost, "rebuild")
    same_knowledge(before, after)
    assert not lost.differences()
    decided = [keep_decisions(twin) for twin in (kept, lost)]
    lost.clock.set(kept.clock.now_ms())
    reports = [twin.next() for twin in (kept, lost)]
    first, one = judged(decided[0][-1])
    second, other = judged(decided[1][-1])
    assert first == second
    assert abs(one - other) <= D("0.01")
    assert sent(kept) == sent(lost)
    assert [report.status for report in reports] == [reports[0].status] * 2


def same_knowledge(before: State, after: State) -> None:
    """Positions with their costs and entry hours, the day's marks and sums, reserved coins, what the strategy holds."""
    assert after.positions.keys() == before.positions.keys()
    for symbol, position in before.positions.items():
        rebuilt = after.positions[symbol]
        assert (rebuilt.quantity, rebuilt.opened_ms) == (position.quantity, position.opened_ms), symbol
        assert abs(rebuilt.average / position.average - 1) < D("1e-9"), symbol
    assert before.day is not None
    assert after.day is not None
    assert set(after.day.done) == set(before.day.done)
    known = replace(before.day, index=D(1), done=after.day.done)
    assert after.day == replace(known, sold=after.day.sold, net_peak=after.day.net_peak)
    assert abs(after.day.sold - before.day.sold) <= before.day.sold * LAST_HOURS_PRICE
    assert abs(after.day.net_peak - before.day.net_peak) <= before.day.sold * LAST_HOURS_PRICE
    for book in (Book.SPOT, Book.RESERVED, Book.TRANSIT):
        assert after.ledger.assets(book) == before.ledger.assets(book)
    interest = after.ledger.of(Book.EARN, CASH) - before.ledger.of(Book.EARN, CASH)
    assert 0 <= interest < D("0.01")


def judged(decision: Decision) -> tuple[Decision, Decimal]:
    """The decision without the figures of the return index, which starts anew; and the day's return of the sleeve."""
    return replace(decision, returns={}), D(decision.returns.get("sleeve_return", "0"))


def sent(s: Scene) -> list[tuple[str, str, Decimal]]:
    """This slot's orders."""
    return [(i.id, i.side.value, i.quantity) for i in s.state.intents if i.kind is Kind.ORDER]


def test_a_breaker_that_tripped_today_trips_again() -> None:
    """The reason of a sale is in no record, but the loss of the day is."""
    with scene(at="2026-03-20T00Z") as s:
        s.hour()
        while not s.state.memory.breaker.trips:
            s.next()
        tripped = s.state.memory.breaker
        lose_state(s)
        start(s, "rebuild")
        assert s.hour(slot_at(s.clock.now_ms())).status is CycleStatus.DONE
        assert replace(s.state.memory.breaker, liquidating=True) == tripped


def test_highs_older_than_any_one_answer_are_found_again() -> None:
    """The engine asks for the newest 999 hours; what was higher before that is only in the records."""
    with scene() as s:
        bought = s.clock.now_ms()
        slot = slot_at(bought)
        name = client_id("main", slot, Leg(Sleeve.TREND, "ETHUSDT", Side.BUY), 0)
        market = TableMarket(s.clock, PRICES)
        s.exchange.venue.market = s.exchange.venue.orders._market = market
        assert isinstance(s.exchange.send_order(OrderRequest(name, "ETHUSDT", Side.BUY, D(1), bought)), Order)
        first = bought - bought % HOUR_MS
        highs = [9000.0 if hour == 1400 else 2600.0 for hour in range(2500)]
        candles = [Candle(first + n * HOUR_MS, 2500.0, high, 2400.0, 2500.0, 1.0, None) for n, high in enumerate(highs)]
        market.series["ETHUSDT", "1h"] = candles
        s.clock.sleep(2500 * 3600)
        assert start(s, "rebuild").memory.holdings["ETHUSDT"].highest == 9000


class TestMidHour:
    @pytest.mark.parametrize("orders", [1, 2, 3, 4])
    def test_a_state_that_is_lost_between_two_orders_buys_nothing_twice(self, orders: int) -> None:
        with scene() as whole:
            whole.hour()
            meant = whole.orders()
        with scene() as s:
            s.wrap = lambda world: replace(world, exchange=cast("Exchange", DiesAfter(world.exchange, orders)))
            with pytest.raises(Killed):
                s.hour()
            s.wrap = lambda world: world
            assert len(s.orders()) == orders
            lose_state(s)
            start(s, "rebuild")
            report = s.hour(slot_at(s.clock.now_ms()))
            assert report.status is CycleStatus.DONE
            assert sorted(leg(name) for name in s.orders()) == sorted(leg(name) for name in meant)
            assert len(set(s.orders())) == len(s.orders())
            assert not s.differences()

    def test_ids_of_the_hour_that_were_used_are_not_used_again(self) -> None:
        """Also where the attempts before the last one left nothing at the exchange."""
        with scene() as s:
            s.hour()
            slot = s.state.slot_done
            used = next(i for i in s.state.intents if i.symbol == "BTCUSDT" and i.kind is Kind.ORDER)
            third = used.id.replace("-bB0-", "-bB2-")
            request = OrderRequest(third, "BTCUSDT", Side.BUY, D("0.001"), s.clock.now_ms())
            s.exchange.send_order(request)
            lose_state(s)
            rebuilt = start(s, "rebuild")
            mine = [i for i in rebuilt.intents if i.symbol == "BTCUSDT" and i.slot == slot]
            assert sorted(i.id for i in mine) == [used.id.replace("-bB0-", f"-bB{n}-") for n in range(3)]
            assert {i.status for i in mine} == {Status.DONE, Status.ABSENT}


def leg(name: str) -> str:
    """What an id says without its attempt."""
    return name[:18] + name[19:]


class DiesAfter:
    """An exchange behind which the process dies right after its n-th order."""

    def __init__(self, real: Exchange, orders: int) -> None:
        self._real, self._left = real, orders

    def send_order(self, request: OrderRequest) -> Outcome:
        outcome = self._real.send_order(request)
        self._left -= 1
        if not self._left:
            raise Killed
        return outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def order_of_ours(s: Scene, account: str = "main", symbol: str = "ETHUSDT") -> Draft:
    """What the engine of `account` would send this hour."""
    leg_of_it = Leg(Sleeve.TREND, symbol, Side.BUY)
    return Draft(symbol, Side.BUY, client_id(account, slot_at(s.clock.now_ms()), leg_of_it, 0), D("0.1"))


class TestFirstStart:
    def test_an_account_without_a_state_is_refused_until_it_is_asked_for(self) -> None:
        with scene() as s:
            refused = s.hour(first_run="refuse")
            assert (refused.exit_code, "init" in refused.error) == (3, True)
            assert not s.state.initialised_ms
            assert s.state.ledger == State("main").ledger
            assert s.hour(first_run="fresh").status is CycleStatus.DONE

    def test_what_refuses_a_first_start_is_told_like_any_condition_that_lasts(self) -> None:
        """At growing intervals, not every hour; and its end is told too."""
        with scene() as s:
            for hours in range(8):
                assert s.next(min(hours, 1), first_run="refuse").exit_code == 3
            assert s.messenger.kinds().count("new_account") == 4
            s.next(first_run="fresh")
            assert "recovered" in s.messenger.kinds()

    def test_a_first_start_reads_only_under_a_lease(self) -> None:
        """Of many at once one reads; its time begins anew when it is done, however long it took."""
        with scene() as s:
            mishap = Mishap(0, lambda _: None)
            s.wrap = mishap.around
            s.hour()
            taken = [number for number, call in enumerate(mishap.calls) if call == "take_lease"]
            assert len(taken) == 2
            assert set(mishap.calls[: taken[0]]) <= {"load", "cache"}
            assert "orders_since" in mishap.calls[taken[0] : taken[1]]

    def test_the_opening_is_written_with_the_first_state_and_keeps_other_coins_out(self) -> None:
        with scene(USDT="9000", ETH="2") as s:
            s.hour()
            opening = [e for e in s.store.entries(s.state.slot_done[:10]) if e.kind == "opening"]
            assert len(opening) == 1
            assert s.state.ledger.of(Book.RESERVED, "ETH") == 2
            assert not s.differences()

    @pytest.mark.parametrize("write", range(1, 8))
    @pytest.mark.parametrize("after", [False, True])
    def test_a_first_hour_that_dies_at_any_write_is_a_first_start_again(self, write: int, *, after: bool) -> None:
        """Never an account that exists and is empty: that would see its own purchases as reserved, and buy again."""
        with scene(USDT="9000", ETH="2") as s:
            s.wrap = lambda world: replace(world, store=cast("Store", DiesWriting(world.store, write, after=after)))
            with pytest.raises(Killed):
                s.hour()
            s.wrap = lambda world: world
            report = s.next()
            assert report.status is CycleStatus.DONE
            assert s.state.ledger.of(Book.RESERVED, "ETH") == 2
            assert not s.state.drift
            assert not s.differences()
            assert len(s.exchange.venue.books.orders["ETHUSDT"]) == 1

    def test_an_empty_document_is_a_first_start_and_keeps_what_is_to_be_told(self) -> None:
        with scene(USDT="9000", ETH="2") as s:
            alert = new_alert(AlertKind.ABORTED, "2026-03-15T08Z", {"why": "before"})
            put_state(s, State("main", outbox=(alert,), unknown=((("note",), "kept"),)))
            assert s.hour().status is CycleStatus.DONE
            assert alert.id in [told.id for told in s.messenger.taken]
            assert s.state.unknown == ((("note",), "kept"),)
            assert s.state.ledger.of(Book.RESERVED, "ETH") == 2

    def test_an_empty_document_beside_orders_of_ours_is_a_lost_state(self) -> None:
        with scene() as s:
            s.hour()
            lose_state(s)
            put_state(s, State("main"))
            orders = s.orders()
            refused = s.next(first_run="fresh")
            assert (refused.exit_code, "rebuild" in refused.error) == (3, True)
            assert s.orders() == orders
            assert s.next(first_run="rebuild").status is CycleStatus.DONE
            assert not s.state.ledger.assets(Book.RESERVED)

    def test_a_pair_that_only_the_pool_names_is_looked_at_too(self) -> None:
        """Sold to the last unit, out of the built-in list: no balance tells of it any more."""
        with scene() as s:
            s.exchange.venue.market = s.exchange.venue.orders._market = TableMarket(
                s.clock, {**PRICES, "NEARUSDT": "5"}
            )
            draft = order_of_ours(s, symbol="NEARUSDT")
            s.exchange.send_order(OrderRequest(draft.client_id, "NEARUSDT", Side.BUY, D(10), s.clock.now_ms()))
            s.exchange.events.withdraw("NEAR", s.exchange.account().free("NEAR"))
            s.pool = Pool(release(["NEARUSDT"]))
            with pytest.raises(LostState, match="NEARUSDT"):
                start(s, "fresh")

    def test_a_wrong_clock_opens_no_account(self) -> None:
        with scene(Conditions(skew_ms=6_000)) as s, pytest.raises(ClockSkewed):
            start(s, "fresh")

    def test_earn_that_cannot_be_read_opens_no_account(self) -> None:
        with scene() as s:
            s.faults({POSITIONS: DOWN})
            with pytest.raises(Unavailable):
                start(s, "fresh")
            assert s.store.load().state is None

    def test_orders_of_another_account_are_not_ours(self) -> None:
        with scene() as s:
            draft = order_of_ours(s, account="other")
            s.exchange.events.manual_trade("ETHUSDT", Side.BUY, D("0.1"), draft.client_id)
            state = start(s, "fresh")
            assert state.ledger.of(Book.RESERVED, "ETH") == s.exchange.account().total("ETH")

    def test_nothing_to_rebuild_is_a_new_account(self) -> None:
        with scene() as s:
            s.exchange.events.manual_trade("ETHUSDT", Side.BUY, D("0.1"))
            with pytest.raises(NewAccount):
                start(s, "rebuild")


class TestUnripe:
    """Records that are not complete yet: nothing is written, try again."""

    def test_an_order_of_ours_that_is_not_finished(self) -> None:
        with scene() as s:
            s.exchange.events.rest_order(order_of_ours(s), D(2000))
            with pytest.raises(Abort, match="try again"):
                start(s, "rebuild")
            assert s.store.load().state is None

    def test_trades_that_are_not_all_there(self) -> None:
        with scene() as s:
            s.hour()
            lose_state(s)
            s.wrap = lambda world: replace(world, exchange=cast("Exchange", Lagging(world.exchange)))
            with pytest.raises(Abort, match="try again"):
                start(s, "rebuild")
            assert s.store.load().state is None

    def test_an_account_that_moves_while_it_is_read(self) -> None:
        with scene() as s:
            s.hour()
            lose_state(s)
            s.wrap = lambda world: replace(world, exchange=cast("Exchange", Moving(world.exchange, s)))
            with pytest.raises(Abort, match="moved"):
                start(s, "rebuild")
            assert s.store.load().state is None

    def test_what_a_dead_run_sent_last_has_arrived_and_shows(self) -> None:
        """Lost seconds after a send that takes effect late, in histories that lag: waiting makes both visible."""
        with scene(replace(PAPER, delays=Delays(order_ms=60_000, history_ms=60_000))) as s:
            late = Fault(drop=True, effect=Effect.LATER, after_ms=9_000)
            s.weather(faults=Script({ORDER: {1: late}}))
            draft = order_of_ours(s)
            s.exchange.send_order(OrderRequest(draft.client_id, "ETHUSDT", Side.BUY, D("0.1"), s.clock.now_ms()))
            rebuilt = start(s, "rebuild")
            assert rebuilt.positions["ETHUSDT"].quantity == s.exchange.account().total("ETH") > 0
            assert not rebuilt.ledger.assets(Book.RESERVED)


def test_money_that_is_on_its_way_from_earn_is_neither_lost_nor_a_deposit() -> None:
    terms = EarnTerms(redeem_s=1800)
    with scene(replace(PAPER, earn=terms)) as s:
        s.hour()
        s.exchange.send_earn(Kind.REDEEM, "USDT001", D(700), s.clock.now_ms())
        lose_state(s)
        rebuilt = start(s, "rebuild")
        assert rebuilt.ledger.of(Book.TRANSIT, CASH) == 700
        assert [i.kind for i in rebuilt.open_intents] == [Kind.REDEEM]
        assert s.next().status is CycleStatus.DONE
        assert not s.state.drift
        assert not s.state.ledger.assets(Book.TRANSIT)
        assert not s.differences()
        assert [e.kind for e in s.store.entries(s.state.slot_done[:10]) if e.kind.startswith("deposit")] == []


def test_over_a_socket_the_same_account_is_rebuilt_to_the_last_digit() -> None:
    rebuilt = []
    for http in (False, True):
        with scene(PARTS, at="2026-03-16T00Z", http=http, USDT="9000", ETH="2") as s:
            s.hour()
            s.next(24)
            s.exchange.events.manual_trade("ETHUSDT", Side.SELL, D("0.5"))
            s.next(72)
            lose_state(s)
            rebuilt.append(start(s, "rebuild"))
    assert rebuilt[0].positions
    assert rebuilt[0] == rebuilt[1]


class DiesWriting:
    """A store whose process dies at its n-th write, before or after it took effect."""

    def __init__(self, real: Store, write: int, *, after: bool) -> None:
        self._real, self._left, self._after = real, write, after

    def take_lease(self, loaded: Loaded, owner: str, slot: str, seconds: int) -> Held:
        return self._write(lambda: self._real.take_lease(loaded, owner, slot, seconds))

    def commit(self, held: Held, changes: Changes) -> Held:
        return self._write(lambda: self._real.commit(held, changes))

    def _write(self, write: Callable[[], Held]) -> Held:
        self._left -= 1
        if not self._left and not self._after:
            raise Killed
        held = write()
        if not self._left:
            raise Killed
        return held

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Lagging:
    """An exchange whose trades do not show yet."""

    def __init__(self, real: Exchange) -> None:
        self._real = real

    def with_fills(self, order: Order) -> Order:
        return order

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Moving:
    """An exchange where somebody else trades while histories are read."""

    def __init__(self, real: Exchange, moved: Scene) -> None:
        self._real, self._scene = real, moved

    def flows(self, since_ms: int) -> Sequence[Flow]:
        self._scene.exchange.events.manual_trade("ETHUSDT", Side.SELL, D("0.1"))
        return self._real.flows(since_ms)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
