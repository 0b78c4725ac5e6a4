"""Simple Earn: rewards follow from the clock, moves settle when they are due, refusals are the documented ones."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import Conditions, Delays, EarnTerms, Effect, Fault, Script
from runtime.adapters.simulated.earn import EarnDesk, product_id
from runtime.domain.money import ZERO
from runtime.domain.orders import EarnDone, EarnOutcome, Kind, Refused, Side, Unknown
from tests.support.shop import NOW_MS, Shop, shop

D = Decimal
MIDNIGHT_S = 14 * 3600  # from the shop's 10:00 to the end of the day


def earning(**terms: Any) -> Conditions:
    return Conditions(earn=replace(EarnTerms(), **terms))


def move(s: Shop, kind: Kind, amount: str, product: str = "USDT001") -> EarnOutcome:
    return s.exchange.send_earn(kind, product, D(amount), s.clock.now_ms())


def total(s: Shop) -> Decimal:
    position = s.exchange.earn_positions().get("USDT")
    return position.total if position else ZERO


def code(outcome: EarnOutcome) -> int:
    assert isinstance(outcome, Refused), outcome
    return outcome.code


def test_rewards_accrue_by_the_minute_and_are_folded_in_at_midnight() -> None:
    s = shop(earning(apr={"USDT": D("0.05256")}))  # 0.0000001 of the position a minute
    move(s, Kind.SUBSCRIBE, "1000")
    s.clock.sleep(59)
    assert total(s) == 1000
    s.clock.sleep(1)
    assert total(s) == D("1000.0001")
    assert s.exchange.venue.books.rewards == []
    s.clock.sleep(MIDNIGHT_S - 60)
    assert total(s) == D("1000.084")
    assert [reward.amount for reward in s.exchange.venue.books.rewards] == [D("0.084")]
    s.clock.sleep(60)
    position = s.exchange.earn_positions()["USDT"]
    assert (position.total, position.rewards) == (D("1000.0841"), D("0.0841"))


@given(st.lists(st.integers(1, 40_000), max_size=12))
def test_a_position_grows_the_same_however_often_it_is_looked_at(pauses: list[int]) -> None:
    looked, left_alone = shop(), shop()
    for s in (looked, left_alone):
        move(s, Kind.SUBSCRIBE, "1234.5")
    for pause in pauses:
        looked.clock.sleep(pause)
        total(looked)
    left_alone.clock.sleep(sum(pauses))
    assert total(looked) == total(left_alone)
    assert looked.exchange.venue.books.rewards == left_alone.exchange.venue.books.rewards


@pytest.mark.parametrize("seconds", [0, 1, 30])
def test_a_redemption_leaves_at_once_and_arrives_when_it_is_due(seconds: int) -> None:
    s = shop(earning(redeem_s=seconds))
    move(s, Kind.SUBSCRIBE, "1000")
    outcome = move(s, Kind.REDEEM, "400")
    assert isinstance(outcome, EarnDone)
    assert total(s) == 600
    for waited in (0, 1, 30):
        s.clock.set(NOW_MS + waited * 1000)
        arrived = waited >= seconds
        assert s.free("USDT") == (9400 if arrived else 9000)
        record = s.exchange.earn_records(Kind.REDEEM, "USDT", NOW_MS)[0]
        assert (record.move_id, record.amount, record.settled) == (outcome.move_id, D(400), arrived)


def test_a_redemption_may_never_arrive() -> None:
    s = shop(earning(redeem_s=None))
    move(s, Kind.SUBSCRIBE, "1000")
    move(s, Kind.REDEEM, "400")
    s.clock.sleep(10 * 86_400)
    assert s.free("USDT") == 9000
    assert not s.exchange.earn_records(Kind.REDEEM, "USDT", NOW_MS)[0].settled


def test_a_subscription_may_arrive_later_too_and_earns_from_then_on() -> None:
    s = shop(earning(subscribe_s=600))
    move(s, Kind.SUBSCRIBE, "1000")
    assert (s.free("USDT"), total(s)) == (D(9000), ZERO)
    s.clock.sleep(660)
    position = s.exchange.earn_positions()["USDT"]
    assert position.total - position.rewards == 1000
    assert position.rewards == D("0.00009512")  # one minute


def test_redeemed_money_stops_earning_at_once() -> None:
    s = shop(earning(redeem_s=None))
    move(s, Kind.SUBSCRIBE, "1000")
    move(s, Kind.REDEEM, "1000")
    s.clock.sleep(86_400)
    assert total(s) == ZERO
    assert s.exchange.earn_positions() == {}


@pytest.mark.parametrize(
    ("kind", "amount", "terms", "expected"),
    [
        (Kind.SUBSCRIBE, "0.00999999", {}, -6005),
        (Kind.SUBSCRIBE, "9000.01", {}, -6012),
        (Kind.SUBSCRIBE, "10", {"sold_out": frozenset({"USDT"})}, -6004),
        (Kind.SUBSCRIBE, "500.01", {"quota": D(1500)}, -6011),
        (Kind.REDEEM, "1000.00000001", {}, -6006),
        (Kind.REDEEM, "10", {"redeem_closed": frozenset({"USDT"})}, -6008),
        (Kind.REDEEM, "10", {"apr": {}}, -6001),
    ],
)
def test_a_move_beyond_the_terms_is_refused(kind: Kind, amount: str, terms: dict[str, Any], expected: int) -> None:
    s = shop()
    move(s, Kind.SUBSCRIBE, "1000")
    s.clock.sleep(3)
    s.exchange.venue.conditions = earning(**terms)
    before = s.exchange.account()
    assert code(move(s, kind, amount)) == expected
    assert s.exchange.account() == before


def test_what_is_exactly_within_the_terms_is_accepted() -> None:
    s = shop(earning(quota=D(1500)))
    assert isinstance(move(s, Kind.SUBSCRIBE, "0.01"), EarnDone)
    s.clock.sleep(3)
    assert isinstance(move(s, Kind.SUBSCRIBE, "1499.99"), EarnDone)
    assert isinstance(move(s, Kind.REDEEM, "1500"), EarnDone)


@pytest.mark.parametrize(("hour", "minute", "closed"), [(23, 49, False), (23, 50, True), (0, 9, True), (0, 10, False)])
def test_redemption_may_be_closed_around_midnight(hour: int, minute: int, closed: bool) -> None:
    s = shop(earning(night_closed=True))
    move(s, Kind.SUBSCRIBE, "100")
    s.clock.sleep(((hour - 10) % 24) * 3600 + minute * 60)
    outcome = move(s, Kind.REDEEM, "10")
    assert (isinstance(outcome, Refused) and outcome.code == -6007) is closed


def test_each_kind_of_move_is_taken_once_in_three_seconds() -> None:
    s = shop()
    assert isinstance(move(s, Kind.SUBSCRIBE, "100"), EarnDone)
    assert isinstance(move(s, Kind.REDEEM, "10"), EarnDone)
    s.clock.sleep(2.999)
    assert [code(move(s, Kind.SUBSCRIBE, "100")), code(move(s, Kind.REDEEM, "10"))] == [-6009, -6009]
    s.clock.sleep(0.001)
    assert isinstance(move(s, Kind.SUBSCRIBE, "100"), EarnDone)


def test_the_product_tells_its_minimum_and_what_is_left_of_the_quota() -> None:
    s = shop(earning(quota=D(500), subscribe_s=60))
    move(s, Kind.SUBSCRIBE, "100")
    product = s.exchange.earn_product("USDT")
    assert product is not None
    assert (product.product_id, product.min_purchase, product.can_purchase, product.left_quota) == (
        product_id("USDT"),
        D("0.01"),
        True,
        D(400),
    )
    assert s.exchange.earn_product("DOGE") is None
    s.exchange.venue.conditions = earning(sold_out=frozenset({"USDT"}))
    sold_out = s.exchange.earn_product("USDT")
    assert sold_out is not None
    assert not sold_out.can_purchase


def test_a_lost_answer_may_hide_a_move_that_happened_or_happens_later() -> None:
    faults = Script(
        {
            "POST /sapi/v1/simple-earn/flexible/subscribe": {
                1: Fault(Effect.NOW, drop=True),
                2: Fault(Effect.LATER, after_ms=5000, drop=True),
            }
        }
    )
    s = shop(Conditions(faults=faults))
    assert isinstance(move(s, Kind.SUBSCRIBE, "100"), Unknown)
    assert total(s) == 100
    s.clock.sleep(3)
    assert isinstance(move(s, Kind.SUBSCRIBE, "50"), Unknown)
    assert total(s) == 100
    s.clock.sleep(5)
    assert total(s) == 150


def test_positions_and_records_may_lag_behind() -> None:
    s = shop(Conditions(delays=Delays(balances_ms=2000, records_ms=3000)))
    move(s, Kind.SUBSCRIBE, "100")
    seen = []
    for _ in range(4):
        seen.append((total(s), len(s.exchange.earn_records(Kind.SUBSCRIBE, "USDT", NOW_MS))))
        s.clock.sleep(1)
    assert seen == [(ZERO, 0), (ZERO, 0), (D(100), 0), (D(100), 1)]


def test_a_clock_that_goes_back_takes_no_reward_away() -> None:
    s = shop()
    move(s, Kind.SUBSCRIBE, "1000")
    s.clock.sleep(86_400)
    grown = total(s)
    s.clock.set(NOW_MS)
    assert total(s) <= grown
    assert total(s) >= 1000
    s.clock.set(NOW_MS + 86_400_000)
    assert total(s) == grown
    s.clock.set(NOW_MS + 3_600_000)
    move(s, Kind.REDEEM, "0.01")
    s.clock.set(NOW_MS + 86_400_000)
    assert total(s) == grown - D("0.01") - D("0.00000057")  # nothing twice, and nothing on what was redeemed


def test_a_look_after_midnight_changes_nothing_that_comes_after_it() -> None:
    looked, left_alone = shop(), shop()
    for s in (looked, left_alone):
        move(s, Kind.SUBSCRIBE, "1000")
        s.clock.sleep(86_400)
        if s is looked:
            total(s)
        s.exchange.events.deposit("USDT", D(1))
        total(s)
    assert looked.exchange.venue.books == left_alone.exchange.venue.books


@pytest.mark.parametrize(("redeem_s", "filled"), [(4, True), (6, False)])
def test_what_is_on_its_way_takes_effect_in_the_order_it_is_due(redeem_s: int, filled: bool) -> None:
    """An order delayed by 5 s finds a redemption that was due before it, and not one that is due after it."""
    late = Script({"POST /api/v3/order": {1: Fault(Effect.LATER, after_ms=5000, drop=True)}})
    s = shop(Conditions(earn=EarnTerms(redeem_s=redeem_s), faults=late), USDT="1000")
    move(s, Kind.SUBSCRIBE, "1000")
    move(s, Kind.REDEEM, "1000")
    s.send("ETHUSDT", Side.BUY, "0.1")
    s.clock.sleep(60)
    assert (s.exchange.find_order("ETHUSDT", "bp-1") is not None) is filled


def test_moves_on_their_way_are_remembered_by_the_books() -> None:
    """A desk opened on existing books, as by the next process, settles what the last one accepted."""
    s = shop(earning(redeem_s=30))
    move(s, Kind.SUBSCRIBE, "100")
    move(s, Kind.REDEEM, "60")
    books: Books = s.exchange.venue.books
    assert EarnDesk(books).settle(s.exchange.venue.conditions.earn, NOW_MS + 30_000)
    assert books.free("USDT") == 9960
