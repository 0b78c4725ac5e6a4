"""The ledger: every entry balances, a fill books exactly what the exchange reports, totals are plain sums."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.ledger import OWNED, Balances, Book, Entry, Posting, fees, fill_entry, transfer
from runtime.domain.orders import Fill, Order, Side
from runtime.errors import EngineError
from tests.support.values import a_fill, amounts, an_intent, an_order

books, assets = st.sampled_from(Book), st.sampled_from(["ETH", "USDT", "BNB"])
transfers = st.builds(transfer, books, books, assets, amounts)
entries = st.lists(transfers, max_size=4).map(
    lambda moves: Entry("e", "2026-11-21T09Z", 0, "test", tuple(posting for move in moves for posting in move))
)
quantities = st.decimals("0.00000001", 10**6, places=8)
fills = st.builds(Fill, st.integers(), quantities, quantities, st.decimals(0, 10, places=8), assets)


def booked(order: Order) -> dict[tuple[Book, str], Decimal]:
    entry = fill_entry(an_intent(order.side), order, "ETH", "USDT")
    return {} if entry is None else summed([entry])


def summed(posted: Iterable[Entry]) -> dict[tuple[Book, str], Decimal]:
    """Totals by brute force; zero totals are left out."""
    totals: dict[tuple[Book, str], Decimal] = {}
    for posting in (posting for entry in posted for posting in entry.postings):
        key = posting.book, posting.asset
        totals[key] = totals.get(key, Decimal(0)) + posting.amount
    return {key: total for key, total in totals.items() if total}


def as_dict(balances: Balances) -> dict[tuple[Book, str], Decimal]:
    return {(book, asset): total for book, held in balances.totals.items() for asset, total in held.items()}


def test_an_entry_that_does_not_balance_is_refused_with_the_difference() -> None:
    with pytest.raises(EngineError, match=r"ledger entry x: does not balance: .*USDT.*-474\.99"):
        Entry(
            "x",
            "s",
            0,
            "fill",
            (Posting(Book.SPOT, "USDT", Decimal(-475)), Posting(Book.TRADING, "USDT", Decimal("0.01"))),
        )


def test_each_asset_must_balance_by_itself() -> None:
    """One USDT out and one ETH in is no balance, although the numbers add up to zero."""
    with pytest.raises(EngineError, match="does not balance"):
        Entry("x", "s", 0, "fill", (Posting(Book.SPOT, "USDT", Decimal(-1)), Posting(Book.TRADING, "ETH", Decimal(1))))


@given(entries, st.integers(0, 7), amounts.filter(bool))
def test_one_posting_changed_by_anything_unbalances_an_entry(entry: Entry, at: int, by: Decimal) -> None:
    if entry.postings:
        at %= len(entry.postings)
        changed = replace(entry.postings[at], amount=entry.postings[at].amount + by)
        with pytest.raises(EngineError, match="does not balance"):
            replace(entry, postings=(*entry.postings[:at], changed, *entry.postings[at + 1 :]))


def test_a_purchase_with_the_fee_in_what_was_bought() -> None:
    order = an_order(Side.BUY, a_fill(1, "2500", "0.19", "0.00019", "ETH"))
    assert booked(order) == {
        (Book.SPOT, "ETH"): Decimal("0.18981"),
        (Book.TRADING, "ETH"): Decimal("-0.19"),
        (Book.FEES, "ETH"): Decimal("0.00019"),
        (Book.SPOT, "USDT"): Decimal(-475),
        (Book.TRADING, "USDT"): Decimal(475),
    }


def test_a_sale_with_the_fee_in_the_proceeds() -> None:
    order = an_order(Side.SELL, a_fill(1, "2500", "0.19", "0.475", "USDT"))
    assert booked(order) == {
        (Book.SPOT, "ETH"): Decimal("-0.19"),
        (Book.TRADING, "ETH"): Decimal("0.19"),
        (Book.SPOT, "USDT"): Decimal("474.525"),
        (Book.TRADING, "USDT"): Decimal(-475),
        (Book.FEES, "USDT"): Decimal("0.475"),
    }


@pytest.mark.parametrize("side", Side)
def test_a_fee_in_bnb_leaves_both_sides_whole(side: Side) -> None:
    sign = 1 if side is Side.BUY else -1
    totals = booked(an_order(side, a_fill(1, "2500", "0.19", "0.0006", "BNB")))
    assert totals[Book.SPOT, "ETH"] == sign * Decimal("0.19")
    assert totals[Book.SPOT, "USDT"] == -sign * Decimal(475)
    assert (totals[Book.SPOT, "BNB"], totals[Book.FEES, "BNB"]) == (Decimal("-0.0006"), Decimal("0.0006"))


def test_the_entry_names_its_evidence_its_hour_and_its_intent() -> None:
    entry = fill_entry(an_intent(), an_order(Side.BUY, a_fill(1, "2500", "0.19")), "ETH", "USDT")
    assert entry is not None
    assert (entry.id, entry.slot, entry.kind, entry.reference) == (
        "order:ETHUSDT:991",
        "2026-11-21T09Z",
        "fill",
        "id-1",
    )
    assert entry.time_ms == 1_795_251_615_000


def test_an_order_that_executed_nothing_books_nothing() -> None:
    assert fill_entry(an_intent(), an_order(Side.BUY), "ETH", "USDT") is None


def test_an_order_whose_fills_are_not_complete_is_never_booked() -> None:
    order = an_order(Side.BUY, a_fill(1, "2500", "0.1"), executed="0.19")
    with pytest.raises(EngineError, match="order id-1: its fills do not add up to the executed quantity"):
        fill_entry(an_intent(), order, "ETH", "USDT")


def test_fees_are_summed_by_asset_and_zeros_are_left_out() -> None:
    order = an_order(
        Side.BUY, a_fill(1, "1", "1", "0.1", "BNB"), a_fill(2, "1", "1", "0.2", "BNB"), a_fill(3, "1", "1", "0", "ETH")
    )
    assert fees(order) == {"BNB": Decimal("0.3")}


@given(st.sampled_from(Side), st.lists(fills, min_size=1, max_size=6))
def test_a_fill_moves_spot_by_exactly_what_the_exchange_reports(side: Side, trades: list[Fill]) -> None:
    order = an_order(side, *trades)
    totals = booked(order)
    sign = 1 if side is Side.BUY else -1
    expected = {"ETH": sign * order.executed_qty, "USDT": -sign * order.quote_qty, "BNB": Decimal(0)}
    for trade in trades:
        expected[trade.commission_asset] -= trade.commission
    assert {asset: totals.get((Book.SPOT, asset), Decimal(0)) for asset in expected} == expected
    for asset in expected:
        assert sum(total for (_, held), total in totals.items() if held == asset) == 0


@given(st.lists(entries, max_size=6), st.lists(entries, max_size=6))
def test_totals_are_the_plain_sums_whether_posted_at_once_or_in_parts(first: list[Entry], second: list[Entry]) -> None:
    at_once = Balances().posted([*first, *second])
    assert as_dict(at_once) == summed([*first, *second])
    assert as_dict(Balances().posted(first).posted(second)) == as_dict(at_once)


@given(st.lists(entries, max_size=6))
def test_every_asset_sums_to_zero_over_all_books(posted: list[Entry]) -> None:
    balances = Balances().posted(posted)
    for asset in ("ETH", "USDT", "BNB"):
        assert sum((balances.of(book, asset) for book in Book), Decimal(0)) == 0


@given(st.lists(entries, max_size=4))
def test_posting_leaves_the_balances_before_as_they_were(posted: list[Entry]) -> None:
    before = Balances().posted(posted)
    kept = as_dict(before)
    before.posted(posted)
    assert as_dict(before) == kept


def test_a_total_that_returns_to_zero_is_dropped() -> None:
    there, back = (transfer(*books, "USDT", Decimal(5)) for books in ((Book.SPOT, Book.EARN), (Book.EARN, Book.SPOT)))
    balances = Balances().posted([Entry("a", "s", 0, "t", there), Entry("b", "s", 0, "t", back)])
    assert balances == Balances()
    assert balances.of(Book.EARN, "USDT") == 0
    assert not balances.assets(Book.EARN)


def test_what_is_owned_is_spot_earn_and_transit_without_what_is_reserved() -> None:
    postings = [
        posting
        for book, amount in ((Book.SPOT, 1), (Book.EARN, 10), (Book.TRANSIT, 100), (Book.RESERVED, 1000))
        for posting in transfer(Book.OPENING, book, "ETH", Decimal(amount))
    ]
    balances = Balances().posted([Entry("a", "s", 0, "t", tuple(postings))])
    assert balances.owned("ETH") == 111
    assert {Book.SPOT, Book.EARN, Book.TRANSIT, Book.RESERVED} == OWNED
    assert balances.assets(Book.RESERVED) == {"ETH": 1000}
