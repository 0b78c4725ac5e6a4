"""Beancount: what is written loads in beancount itself without an error, balances, and fails where it must."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from beancount import loader
from beancount.core import data
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime.domain.beancount_text import commodity
from runtime.domain.evidence import FlowKind
from runtime.domain.exporting import Request, owned
from runtime.domain.ledger import Balances, Book, Entry
from runtime.domain.lots import Method
from tests.domain.test_books import histories
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
    written,
)

D = Decimal
YEAR = [
    opened(at(0), USDT="10000", reserved=amounts(**{"1INCH": "7", "币安人生": "2", "S": "3", "@X": "1"})),
    traded(at(1), "BNBUSDT", "1", "-400"),
    traded(at(2), "ETHUSDT", "0.2", "-500", {"BNB": "0.001"}, {"BNB": "600"}),
    interest(at(20), "0.12345678"),
    drifted(at(40), USDT="5"),
    flowed(FlowKind.DEPOSIT, at(39.9), "USDT", "5", late=4, drift=True, name='say "so"\\ [x]\n=1'),
    adopted(at(41), "1INCH", "3", "0.4"),
    traded(at(70), "ETHUSDT", "-0.1", "300", {"USDT": "0.3"}),
    flowed(FlowKind.WITHDRAWAL, at(80), "ETH", "-0.05"),
]


def text_of(entries: list[Entry], **request: Any) -> str:
    return written(Request("main", "beancount", **request), entries)


def loaded(text: str) -> tuple[data.Directives, list[str]]:
    entries, errors, _ = loader.load_string(text)
    return entries, [error.message for error in errors]


def balances_of(entries: data.Directives) -> dict[tuple[str, str], Decimal]:
    """What beancount's own postings add up to on each account; `Spot` is its two parts together."""
    held: dict[tuple[str, str], Decimal] = {}
    for entry in entries:
        for posting in entry.postings if isinstance(entry, data.Transaction) else ():
            assert posting.units is not None
            assert posting.units.number is not None
            places = {posting.account, "Assets:Binance:Spot"} if ":Spot:" in posting.account else {posting.account}
            for place in places:
                key = (place, posting.units.currency)
                held[key] = held.get(key, D(0)) + posting.units.number
    return held


class TestLoads:
    def test_a_year_of_everything_loads_without_an_error(self) -> None:
        entries, errors = loaded(text_of(YEAR))
        assert errors == []
        held = balances_of(entries)
        assert held["Assets:Binance:Spot", "USDT"] == D(10000) - 400 - 500 + 5 + 300 - D("0.3")
        assert held["Assets:Binance:Spot", "ETH"] == D("0.05")
        assert held["Assets:Binance:Spot", "N-1INCH"] == 7
        assert held["Assets:Binance:Earn", "USDT"] == D("0.12345678")

    def test_balances_are_asserted_at_every_month_and_at_the_end_without_tolerance(self) -> None:
        entries, _ = loaded(text_of(YEAR))
        asserted = [entry for entry in entries if isinstance(entry, data.Balance)]
        assert {entry.date for entry in asserted} == {date(2026, 4, 1), date(2026, 5, 1), date(2026, 5, 21)}
        assert {entry.tolerance for entry in asserted} == {D(0)}
        last = [
            entry for entry in asserted if entry.date == date(2026, 5, 21) and entry.account == "Assets:Binance:Spot"
        ]
        found = {entry.meta and entry.amount.currency: entry.amount.number for entry in last}
        assert found[commodity("S")] == 3

    @pytest.mark.parametrize(
        ("old", "new", "complaint"),
        [
            ("balance Assets:Binance:Spot  0.05 ~ 0 ETH", "balance Assets:Binance:Spot  0.05000001 ~ 0 ETH", "Balance"),
            ("Expenses:Binance:Fees  0.3 USDT", "Expenses:Binance:Fees  0.30000001 USDT", "not balance"),
        ],
    )
    def test_one_unit_more_anywhere_is_an_error(self, old: str, new: str, complaint: str) -> None:
        text = text_of(YEAR)
        assert old in text
        (error,) = loaded(text.replace(old, new))[1]
        assert complaint in error

    def test_gains_move_from_trading_to_income_so_that_trading_is_at_cost(self) -> None:
        entries, _ = loaded(text_of(YEAR))
        held = balances_of(entries)
        sold, fee = D("299.7") - D("250.3"), D("0.6") - D("0.4")
        assert held["Income:Binance:Gains", "USDT"] == -(sold + fee)

    def test_a_file_of_a_part_begins_with_what_was_held_and_loads(self) -> None:
        text = text_of(YEAR, first=date(2026, 4, 5), last=date(2026, 4, 30))
        entries, errors = loaded(text)
        assert errors == []
        assert balances_of(entries)["Assets:Binance:Spot", "ETH"] == D("0.2")
        assert "held before" in text

    def test_books_without_events_load(self) -> None:
        assert loaded(text_of([]))[1] == []


@settings(max_examples=30, deadline=None)
@given(histories(), st.sampled_from(Method))
def test_any_history_loads_and_beancount_holds_what_is_owned(entries: list[Entry], method: Method) -> None:
    directives, errors = loaded(text_of(entries, method=method))
    assert errors == []
    places = ("Assets:Binance:Spot", "Assets:Binance:Earn", "Assets:Binance:Transit")
    held: dict[str, Decimal] = {}
    for (account, asset), amount in balances_of(directives).items():
        if account in places:
            held[asset] = held.get(asset, D(0)) + amount
    assert {asset: amount for asset, amount in held.items() if amount} == owned(Balances().posted(entries))


@given(histories())
def test_the_unexplained_is_on_its_own_account(entries: list[Entry]) -> None:
    held = balances_of(loaded(text_of(entries))[0])
    for asset, amount in Balances().posted(entries).assets(Book.UNEXPLAINED).items():
        assert held["Equity:Binance:Unexplained", commodity(asset)] == amount
    assert told(entries)


@example(["TRUE", "FALSE", "NULL", "1INCH", "N-1INCH", "S", "A" * 30, "\u5e01"])
@given(st.lists(st.text(min_size=1, max_size=30), unique=True, max_size=20))
def test_every_asset_has_a_name_of_its_own_that_beancount_can_spell(assets: list[str]) -> None:
    names = [commodity(asset) for asset in assets]
    assert len(set(names)) == len(names)
    lines = "".join(f"2026-01-01 commodity {name}\n" for name in names)
    assert loaded(lines)[1] == []
