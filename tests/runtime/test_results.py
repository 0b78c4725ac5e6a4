"""Results over whole hours: profit equals what the exchange's own books and prices say, deposits left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from runtime.domain.lots import Method
from runtime.domain.results import Point
from runtime.domain.slots import HOUR_MS, slot_at
from runtime.errors import Abort
from runtime.ports import Changes
from runtime.results import PAGE, calendar, performance, points_of, profits
from tests.support.stores import cycle, state, take
from tests.support.worlds import Scene, scene

D = Decimal


def an_hour(s: Scene, **summary: str) -> Changes:
    """A commit that ends the clock's hour."""
    record = replace(cycle(slot_at(s.clock.now_ms())), ended_ms=s.clock.now_ms(), summary=summary)
    return Changes(state(), cycle=record)


def everything(s: Scene) -> list[Point]:
    """Every hour."""
    return points_of(s.store, lambda _: 0)


def two_days(s: Scene) -> list[Decimal]:
    """Thirty hours with money coming and going; equity after each."""
    equities = []
    for number in range(30):
        if number == 5:
            s.exchange.events.deposit("USDT", D(1000))
        if number == 20:
            s.exchange.events.withdraw("USDT", D(50))
            s.exchange.events.deposit("BNB", D("0.1"))
        report = s.hour() if number == 0 else s.next()
        assert report.equity is not None
        equities.append(report.equity.total)
    return equities


@pytest.fixture(scope="module")
def lived() -> tuple[Scene, list[Decimal]]:
    with scene() as s:
        return s, two_days(s)


def test_profit_is_what_equity_changed_by_less_what_came_in(lived: tuple[Scene, list[Decimal]]) -> None:
    s, equities = lived
    (found,) = profits(s.store, ["all"], None, Method.AVERAGE)
    (bnb,) = [e for day in s.store.ledger_days() for e in s.store.entries(day) if e.kind == "deposit" and e.prices]
    came = 1000 - 50 + D("0.1") * bnb.prices["BNB"]
    assert found.result.start.equity == 10_000
    assert found.result.deposits - found.result.withdrawals == came
    assert abs(found.result.profit - (equities[-1] - 10_000 - came)) <= D("0.01")
    assert found.result.time_weighted is not None
    assert abs(float(s.state.performance.index) - 1 - found.result.time_weighted) < 1e-9
    assert found.unvalued == frozenset()
    assert found.result.restarts == 0
    assert found.earned.trades == sum(len(r[1]["orders"]) for r in s.reports.reports)


def test_the_day_begins_with_the_last_hour_of_the_day_before(lived: tuple[Scene, list[Decimal]]) -> None:
    s, equities = lived
    day, week, month = profits(s.store, ["day", "week", "month"], None, Method.AVERAGE)
    assert (day.name, day.result.start.slot) == ("day", "2026-03-15T23Z")
    assert abs(day.result.profit - (equities[-1] - equities[14] - day.result.deposits + 50)) <= D("0.02")
    assert week.result.start.slot == "2026-03-15T23Z"  # 2026-03-16 is a Monday
    assert month.result.start.slot == "2026-03-15T09Z"


def test_since_a_day_is_from_the_hour_before_it(lived: tuple[Scene, list[Decimal]]) -> None:
    s, _ = lived
    (found,) = profits(s.store, (), date(2026, 3, 16), Method.FIFO)
    assert (found.name, found.result.start.slot) == ("since 2026-03-16", "2026-03-15T23Z")


def test_performance_is_beside_bitcoin_over_the_same_hours(lived: tuple[Scene, list[Decimal]]) -> None:
    s, _ = lived
    found = performance(s.store, None, Method.AVERAGE)
    assert found.account is not None
    assert found.bitcoin is not None
    assert found.account.total == pytest.approx(found.period.result.time_weighted)
    assert found.bitcoin.total == pytest.approx(found.period.result.holding_btc)
    first, last = s.reports.reports[0][1]["btc_price"], s.reports.reports[-1][1]["btc_price"]
    assert found.bitcoin.total == pytest.approx(float(D(last) / D(first)) - 1)
    assert found.account.max_drawdown <= 0


def test_the_calendar_is_utc() -> None:
    with scene() as s:
        s.hour()
        starts = calendar(everything(s)[-1])
        assert starts == {"day": 1_773_532_800_000, "week": 1_773_014_400_000, "month": 1_772_323_200_000, "all": 0}


def test_without_an_hour_there_is_nothing_to_tell() -> None:
    with scene() as s:
        with pytest.raises(Abort, match="init"):
            everything(s)
        s.store.commit(take(s.store, "me"), an_hour(s))
        with pytest.raises(Abort, match="no hour has ended"):
            everything(s)


def test_more_hours_than_a_page_holds_are_all_read_once_and_in_order() -> None:
    with scene() as s:
        held = take(s.store, "me", seconds=10**9)
        begun = s.clock.now_ms()
        for number in range(PAGE + 3):
            s.clock.set(begun + number * HOUR_MS)
            held = s.store.commit(held, an_hour(s, equity="100"))
        points = everything(s)
        assert len(points) == PAGE + 3
        assert points_of(s.store, lambda newest: newest.ended_ms - 24 * HOUR_MS) == points[3:]
        assert [p.slot for p in points] == sorted({p.slot for p in points})
