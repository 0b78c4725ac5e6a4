"""Books: whatever was booked in which order, events come in order of time and sum to what the ledger holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.books import WINDOW_DAYS, Event, Kind, Timeline
from runtime.domain.evidence import FlowKind
from runtime.domain.exporting import owned
from runtime.domain.ledger import Balances, Book, Entry, transfer
from runtime.domain.slots import HOUR_MS, slot_at
from runtime.errors import StateUnreadable
from tests.support.bookkeeping import (
    D,
    amounts,
    at,
    drifted,
    flowed,
    interest,
    opened,
    together,
    told,
    traded,
)

DEPOSIT, WITHDRAWAL, MANUAL = FlowKind.DEPOSIT, FlowKind.WITHDRAWAL, FlowKind.MANUAL_TRADE


def change(events: list[Event]) -> dict[str, Decimal]:
    """What the events changed, by asset."""
    return together(*({asset: event.change(asset) for asset in event.assets} for event in events))


def shown(event: Event) -> tuple[Kind, Mapping[str, Decimal], Mapping[str, Decimal]]:
    return event.kind, {a: x for a, x in event.moved.items() if x}, {a: x for a, x in event.explained.items() if x}


def accepted(time_ms: int, asset: str, amount: str) -> Entry:
    moved = transfer(Book.FLOWS, Book.UNEXPLAINED, asset, D(amount))
    return Entry(f"accepted:{asset}:{time_ms}", slot_at(time_ms), time_ms, "drift_accepted", moved, "me: so")


class TestOrder:
    def test_a_deposit_that_was_booked_late_is_told_when_it_happened(self) -> None:
        entries = [
            opened(at(0), USDT="100"),
            traded(at(2), "ETHUSDT", "1", "-50"),
            flowed(DEPOSIT, at(1), "USDT", "7", late=30),
        ]
        assert [event.kind for event in told(entries)] == [Kind.OPENING, Kind.DEPOSIT, Kind.TRADE]

    def test_events_leave_the_window_before_the_end_and_nothing_waits_longer_than_it(self) -> None:
        timeline = Timeline()
        assert list(timeline.booked("2026-03-01", [opened(at(0), USDT="1")])) == []
        assert list(timeline.booked(f"2026-03-{1 + WINDOW_DAYS:02}", [interest(at(WINDOW_DAYS), "1")])) == []
        (left,) = timeline.booked(f"2026-03-{2 + WINDOW_DAYS:02}", [interest(at(WINDOW_DAYS + 1), "1")])
        assert left.kind is Kind.OPENING
        assert len(list(timeline.rest())) == 2

    def test_the_opening_comes_before_what_happened_in_the_same_moment(self) -> None:
        events = told([traded(at(0), "ETHUSDT", "1", "-50"), opened(at(0), USDT="100")])
        assert [event.kind for event in events] == [Kind.OPENING, Kind.TRADE]

    def test_a_kind_that_this_code_does_not_know_is_refused_by_its_name(self) -> None:
        odd = replace(interest(at(0), "1"), kind="futures")
        with pytest.raises(StateUnreadable, match=r"interest:USDT.*'futures'.*update"):
            told([odd])


class TestTrades:
    def test_a_fill_tells_both_sides_and_its_fees_apart(self) -> None:
        fill = traded(at(1), "ETHUSDT", "0.19", "-475", {"ETH": "0.00019"})
        (event,) = told([fill])
        assert (event.pair, event.base) == ("ETHUSDT", "ETH")
        assert event.moved == amounts(ETH="0.19", USDT="-475")
        assert event.fees == amounts(ETH="0.00019")
        assert event.change("ETH") == D("0.18981")

    def test_the_legs_of_a_manual_trade_are_one_event_and_bnb_beside_the_pair_is_its_fee(self) -> None:
        legs = [
            flowed(MANUAL, at(1), asset, amount, late=late, name=f"trade:DOGEUSDT:77:{asset}")
            for asset, amount, late in (("USDT", "-50", 1), ("DOGE", "500", 0), ("BNB", "-0.0001", 5))
        ]
        (event,) = told(legs)
        assert (event.id, event.pair, event.kind) == ("trade:DOGEUSDT:77", "DOGEUSDT", Kind.MANUAL_TRADE)
        assert event.moved == amounts(DOGE="500", USDT="-50")
        assert event.fees == amounts(BNB="0.0001")

    def test_two_manual_trades_of_one_moment_stay_two(self) -> None:
        legs = [
            flowed(MANUAL, at(1), asset, amount, name=f"trade:{pair}:{number}:{asset}")
            for pair, number in (("DOGEUSDT", 1), ("ADAUSDT", 1), ("DOGEUSDT", 2))
            for asset, amount in (("USDT", "-5"), (pair.removesuffix("USDT"), "9"))
        ]
        assert [e.id for e in told(legs)] == ["trade:ADAUSDT:1", "trade:DOGEUSDT:1", "trade:DOGEUSDT:2"]

    def test_buying_bnb_by_hand_its_fee_is_within_what_came(self) -> None:
        legs = [
            flowed(MANUAL, at(1), asset, amount, name=f"trade:BNBUSDT:1:{asset}")
            for asset, amount in (("USDT", "-600"), ("BNB", "0.999"))
        ]
        (event,) = told(legs)
        assert (event.moved, event.fees) == (amounts(USDT="-600", BNB="0.999"), {})


class TestUnexplained:
    def test_what_a_record_of_an_earlier_time_explains_is_never_told_as_unexplained(self) -> None:
        entries = [
            opened(at(0), USDT="100"),
            drifted(at(1, 15), USDT="5"),
            flowed(DEPOSIT, at(1, 2), "USDT", "5", late=1, drift=True),
        ]
        events = told(entries)
        assert shown(events[1]) == (Kind.DEPOSIT, amounts(USDT="5"), {})
        assert shown(events[2]) == (Kind.UNEXPLAINED, {}, {})
        assert change(events) == amounts(USDT="105")

    def test_what_is_explained_later_takes_back_what_was_told(self) -> None:
        entries = [drifted(at(1, 15), BNB="0.5"), accepted(at(3), "BNB", "0.5")]
        first, second = told(entries)
        assert shown(first) == (Kind.UNEXPLAINED, amounts(BNB="0.5"), {})
        assert shown(second) == (Kind.ACCEPTED, amounts(BNB="0.5"), amounts(BNB="0.5"))
        assert second.change("BNB") == 0
        assert second.reference == "me: so"

    def test_a_record_may_explain_a_part(self) -> None:
        entries = [drifted(at(1, 15), USDT="5"), flowed(WITHDRAWAL, at(0.5), "USDT", "-3")]
        entries += [flowed(DEPOSIT, at(1, 2), "USDT", "2", late=1, drift=True)]
        events = told(entries)
        assert [shown(event)[1] for event in events] == [
            amounts(USDT="-3"),
            amounts(USDT="2"),
            amounts(USDT="3"),
        ]

    def test_a_loss_is_not_explained_by_a_gain(self) -> None:
        entries = [drifted(at(1), USDT="-5"), accepted(at(2), "USDT", "-5"), drifted(at(3), USDT="5")]
        events = told(entries)
        assert [shown(event)[2] for event in events] == [{}, amounts(USDT="-5"), {}]
        assert change(events) == {}


class TestRebuilt:
    def test_a_second_opening_is_told_as_the_difference_and_holds_from_then_on(self) -> None:
        first = [opened(at(0), USDT="100", reserved=amounts(ADA="3")), traded(at(1), "ETHUSDT", "1", "-50")]
        again = opened(at(5), USDT="60", ETH="1", reserved=amounts(ADA="1"))
        timeline = Timeline()
        events = list(timeline.booked("2026-03-06", [*first, again, interest(at(6), "2")])) + list(timeline.rest())
        assert shown(events[2]) == (Kind.REBUILT, amounts(USDT="10", ADA="-2"), {})
        assert owned(timeline.balances) == amounts(USDT="62", ETH="1", ADA="1")
        assert change(events) == owned(timeline.balances)

    def test_drift_that_was_open_is_settled_by_it(self) -> None:
        entries = [drifted(at(1), USDT="5"), opened(at(2), USDT="5"), accepted(at(3), "USDT", "5")]
        events = told(entries)
        assert shown(events[1]) == (Kind.REBUILT, {}, {})
        assert events[2].explained == {}


AMOUNTS = st.integers(-400, 400).filter(bool).map(lambda n: str(D(n) / 8))
MOMENTS = st.integers(0, 20 * 24 * 60)


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    """Bookings of twenty days: evidence is up to two days late, drift is explained before, after, or never."""
    made: list[tuple[int, Entry]] = [(0, opened(at(0), USDT="1000", BNB="9", reserved=amounts(ADA="50")))]
    for number in range(draw(st.integers(1, 14))):
        minute, late = draw(MOMENTS), draw(st.integers(0, 48))
        time_ms, amount = at(0, minute), draw(AMOUNTS)
        asset = draw(st.sampled_from(["USDT", "BNB", "ADA"]))
        name, booked = f"n{number}", time_ms + late * HOUR_MS
        what = draw(st.sampled_from(["flow", "drift", "late evidence", "accepted", "trade", "manual", "interest"]))
        kind, cash = (DEPOSIT, "-1") if D(amount) > 0 else (WITHDRAWAL, "1")
        if what == "flow":
            made.append((booked, flowed(kind, time_ms, asset, amount, late=late, name=name)))
        elif what == "trade":
            made.append((time_ms, traded(time_ms, "ETHUSDT", amount, cash, {"BNB": "0.001", "ETH": "0.01"})))
        elif what == "manual":
            sides = (("ETH", amount), ("USDT", cash))
            legs = (flowed(MANUAL, time_ms, a, x, late=late, name=f"trade:ETHUSDT:{number}:{a}") for a, x in sides)
            made += [(booked, leg) for leg in legs]
        elif what == "interest":
            made.append((time_ms, interest(time_ms, "0.5")))
        else:
            made.append((time_ms, drifted(time_ms, **{asset: amount})))
            if what == "late evidence":
                evidence_ms = time_ms - draw(st.integers(-60, 60)) * 60_000
                entry = flowed(kind, evidence_ms, asset, amount, late=late + 2, drift=True, name=name)
                made.append((evidence_ms + (late + 2) * HOUR_MS, entry))
            elif what == "accepted":
                made.append((booked + HOUR_MS, accepted(booked + HOUR_MS, asset, amount)))
    return [entry for _, entry in sorted(made, key=lambda item: item[0])]


@given(histories())
def test_in_any_history_the_changes_sum_to_what_the_ledger_holds_and_time_never_goes_back(entries: list[Entry]) -> None:
    events = told(entries)
    assert change(events) == owned(Balances().posted(entries))
    moments = [event.time_ms for event in events]
    assert moments == sorted(moments)


@given(histories())
def test_in_any_history_each_posting_is_told_once(entries: list[Entry]) -> None:
    postings = [posting for event in told(entries) for posting in event.postings]
    assert sorted(map(str, postings)) == sorted(str(p) for entry in entries for p in entry.postings)


@given(histories())
def test_what_is_left_unexplained_is_what_the_ledger_says_is(entries: list[Entry]) -> None:
    events = told(entries)
    left = together(
        *(event.moved for event in events if event.kind is Kind.UNEXPLAINED),
        *({asset: -amount for asset, amount in event.explained.items()} for event in events),
    )
    booked = Balances().posted(entries).assets(Book.UNEXPLAINED)
    assert left == {asset: -amount for asset, amount in booked.items()}
