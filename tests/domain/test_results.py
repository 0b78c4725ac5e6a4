"""Results: profit without the owner's own money, returns by definition, and nothing told that is not known."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from runtime.domain.evidence import FlowKind
from runtime.domain.gains import Lots
from runtime.domain.ledger import Book, Entry, transfer
from runtime.domain.lots import Method
from runtime.domain.results import (
    Earned,
    Outside,
    Point,
    index_returns,
    opening_point,
    outside_of,
    quality,
    quality_of_btc,
    result,
    since,
)
from runtime.domain.slots import DAY_MS, slot_at
from tests.support.bookkeeping import (
    adopted,
    amounts,
    at,
    drifted,
    flowed,
    interest,
    opened,
    told,
    traded,
)

D = Decimal


def point(day: float, equity: str, index: str | None = None, btc: str | None = None) -> Point:
    return Point(
        slot_at(at(day)), at(day), D(equity), None if index is None else D(index), None if btc is None else D(btc)
    )


WORKED = [point(0, "100", "1", "50000"), point(182, "110", "1.1", "60000"), point(365, "152", "1.045", "55000")]
DEPOSIT = Outside(at(182, 1), D(50))


class TestResult:
    def test_a_deposit_in_the_middle_of_a_year_is_no_profit(self) -> None:
        """100 grow to 110, 50 come in, 160 fall to 152: +2 USDT, 4.5 % by time, 1.6 % a year by money."""
        found = result(WORKED, [DEPOSIT], [])
        assert found is not None
        assert (found.profit, found.deposits, found.withdrawals, found.days) == (D(2), D(50), D(0), 365)
        assert found.time_weighted == pytest.approx(0.045)
        assert found.money_weighted_year == pytest.approx(0.01600394, abs=2e-7)
        assert found.holding_btc == pytest.approx(0.1)

    def test_money_that_moved_before_the_first_or_after_the_last_hour_does_not_count(self) -> None:
        outside = [Outside(at(0), D(7)), Outside(at(365) + 1, D(7)), Outside(at(365), D(-3)), DEPOSIT]
        found = result(WORKED, outside, [])
        assert found is not None
        assert (found.deposits, found.withdrawals, found.profit) == (D(50), D(3), D(5))

    def test_a_short_time_has_no_rate_a_year(self) -> None:
        found = result([point(0, "100", "1"), point(1, "101", "1.01")], [], [])
        assert found is not None
        assert (found.money_weighted_year, found.holding_btc) == (None, None)
        assert found.time_weighted == pytest.approx(0.01)

    def test_an_hour_without_its_index_has_no_time_weighted_return_but_a_profit(self) -> None:
        found = result([point(0, "100"), *WORKED[1:]], [DEPOSIT], [])
        assert found is not None
        assert (found.time_weighted, found.profit) == (None, D(2))

    def test_without_hours_there_is_no_result(self) -> None:
        assert result([], [], []) is None

    def test_a_rebuilt_state_begins_its_index_anew_and_that_step_is_no_return(self) -> None:
        points = [point(0, "100", "1"), point(1, "110", "1.1"), point(2, "115", "1"), point(3, "138", "1.2")]
        found = result(points, [], [at(1.5)])
        assert found is not None
        assert found.restarts == 1
        assert found.time_weighted == pytest.approx(1.1 * 1.2 - 1)
        assert index_returns(points, []) == pytest.approx([0.1, -1 / 11, 0.2])

    def test_points_begin_with_the_last_one_at_or_before_a_moment(self) -> None:
        assert since(WORKED, at(183)) == WORKED[1:]
        assert since(WORKED, at(182)) == WORKED[1:]
        assert since(WORKED, at(400)) == WORKED[2:]
        assert since(WORKED, 0) == WORKED


class TestQuality:
    def test_ratios_are_of_days_and_the_drawdown_of_every_hour(self) -> None:
        points = [
            replace(point(day + hour / 24, "100", str(index)), btc=D(str(index)) * 10)
            for day, hour, index in (
                (0, 12, "1"),
                (1, 6, "0.9"),
                (1, 23, "1.01"),
                (2, 23, "0.9898"),
                (3, 23, "1.019494"),
                (4, 23, "1.019494"),
                (5, 23, "1.00929906"),
            )
        ]
        found = quality(points, [])
        assert found is not None
        assert (found.days, found.year, found.calmar) == (5, None, None)
        assert found.sharpe == pytest.approx(1.986441, abs=1e-6)
        assert found.sortino == pytest.approx(3.820995, abs=1e-6)
        assert found.max_drawdown == pytest.approx(-0.1)
        other = quality_of_btc(points)
        assert other is not None
        assert other.sharpe == pytest.approx(found.sharpe)
        assert other.days == found.days

    def test_a_month_has_yearly_figures(self) -> None:
        points = [point(day, "100", str(D("1.001") ** day * (D("0.97") if day == 20 else 1))) for day in range(41)]
        found = quality(points, [])
        assert found is not None
        assert found.year == pytest.approx(1.001**365 - 1, rel=1e-6)
        assert found.calmar == pytest.approx((1.001**365 - 1) / -found.max_drawdown, rel=1e-6)

    def test_what_the_hours_do_not_say_has_no_figure(self) -> None:
        assert quality([point(0, "1", "1")], []) is None
        assert quality([point(0, "1", "1"), point(1, "1")], []) is None
        assert quality_of_btc([point(0, "1", btc="5"), point(1, "1")]) is None


class TestOutside:
    def test_deposits_and_withdrawals_of_money_count_when_they_are_booked(self) -> None:
        money, unknown = outside_of(flowed(FlowKind.DEPOSIT, at(1, 50), "USDT", "7", late=3))
        assert (money.value, money.time_ms, unknown) == (D(7), at(1, 180), frozenset())
        assert outside_of(flowed(FlowKind.WITHDRAWAL, at(1, 5), "USDT", "-7"))[0] == Outside(at(1, 5), D(-7))

    def test_what_is_earned_paid_or_moved_inside_is_not_outside(self) -> None:
        for entry in (
            interest(at(1), "3"),
            flowed(FlowKind.REWARD, at(1), "BNB", "1"),
            traded(at(1), "ETHUSDT", "1", "-100", {"BNB": "1"}),
            Entry("m", slot_at(at(1)), at(1), "earn_subscribe", transfer(Book.SPOT, Book.TRANSIT, "USDT", D(9))),
        ):
            assert outside_of(entry) == (Outside(at(1), D(0)), frozenset())

    def test_an_adopted_coin_comes_in_at_its_price_and_a_reserved_one_does_not(self) -> None:
        assert outside_of(adopted(at(1), "BTC", "0.5", "60000"))[0].value == 30000
        assert outside_of(flowed(FlowKind.DEPOSIT, at(1), "BTC", "1")) == (Outside(at(1), D(0)), frozenset())

    def test_what_has_no_price_is_named(self) -> None:
        assert outside_of(flowed(FlowKind.DEPOSIT, at(1), "BNB", "1")) == (Outside(at(1), D(0)), frozenset({"BNB"}))
        assert outside_of(drifted(at(1), BNB="1", USDT="3")) == (Outside(at(1), D(3)), frozenset({"BNB"}))

    def test_a_second_opening_moves_nothing(self) -> None:
        assert outside_of(opened(at(1), USDT="100")) == (Outside(at(1), D(0)), frozenset())


class TestOpening:
    def test_books_begin_with_what_was_there_at_its_price_of_then(self) -> None:
        entry = replace(opened(at(0), USDT="100", BNB="2"), prices=amounts(BNB="600"))
        first = point(0.01, "1290", "1", "70000")
        assert opening_point(entry, first) == Point(entry.slot, at(0) - 1, D(1300), D(1), D(70000))

    def test_an_opening_that_says_nothing_of_its_worth_is_left_out(self) -> None:
        first = point(0.01, "1290", "1")
        assert opening_point(opened(at(0), USDT="1", BNB="2"), first) is None
        assert opening_point(interest(at(0), "1"), first) is None
        assert opening_point(opened(at(0) - 3 * DAY_MS, USDT="1"), first) is None


def test_the_ledgers_sums_of_a_time_and_what_is_in_none_of_them() -> None:
    entries = [
        traded(at(1), "ETHUSDT", "1", "-100", {"USDT": "1"}),
        traded(at(2), "ETHUSDT", "-1", "150", {"BNB": "0.01"}, {"BNB": "600"}),
        interest(at(3), "0.5"),
        flowed(FlowKind.REWARD, at(4), "BNB", "1"),
        traded(at(5), "ADAUSDT", "-1", "2", {"XRP": "1"}),
    ]
    lots, found = Lots(Method.AVERAGE, amounts(BNB="500")), Earned()
    for event in told([opened(at(0), USDT="100", BNB="1", ADA="1"), *entries]):
        found = found.after(event, lots.after(event))
    assert (found.income, found.fees, found.trades, found.volume) == (D("0.5"), D(7), 3, D(252))
    assert found.realised == (150 - 6 - 101) + (6 - 5)
    assert found.untold == {"income in BNB", "fee in XRP", "gain of ADA", "gain of XRP"}
