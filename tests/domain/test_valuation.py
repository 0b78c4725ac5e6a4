"""Valuation: what is managed, what it is worth, and what may be spent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.ledger import Book, Entry, transfer
from runtime.domain.valuation import applied, is_dust, trend_value, values_of, wallet_of
from tests.support.situations import SETTINGS, account_of, amounts, earn_of, ledger_of, pairs

D = Decimal


def test_a_wallet_takes_the_smaller_of_ledger_and_account() -> None:
    """ETH: 2 owned, 1.5 free at the exchange. XRP: 10 owned, 50 there (40 reserved). SOL: owned, but locked."""
    ledger = ledger_of({"ETH": "2", "XRP": "10", "SOL": "3"}, reserved={"XRP": "40"})
    wallet = wallet_of(ledger, account_of({"ETH": "1.5", "XRP": "50"}, {"SOL": "3"}), {})
    assert wallet.quantities == amounts({"ETH": "2", "XRP": "10", "SOL": "3"})
    assert wallet.free == amounts({"ETH": "1.5", "XRP": "10", "SOL": "0"})


def test_what_is_in_transit_is_owned_but_not_spendable() -> None:
    wallet = wallet_of(
        ledger_of({"USDT": "10"}, "20", transit={"USDT": "30"}), account_of({"USDT": "99"}), earn_of("20")
    )
    assert wallet.quantities["USDT"] == 60
    assert wallet.cash == 30


def test_reserved_coins_are_no_part_of_a_wallet() -> None:
    wallet = wallet_of(ledger_of({"USDT": "1"}, reserved={"DOGE": "500"}), account_of({"USDT": "1", "DOGE": "500"}), {})
    assert set(wallet.quantities) == {"USDT"}
    assert wallet.trend_assets == ()


@pytest.mark.parametrize("earn", [None, {}])
def test_without_a_readable_position_nothing_is_redeemable(earn: dict[str, object] | None) -> None:
    wallet = wallet_of(ledger_of({"USDT": "10"}, "20"), account_of({"USDT": "10"}), None if earn is None else {})
    assert (wallet.cash, wallet.quantities["USDT"]) == (D(10), D(30)), "it still counts in equity"


def test_the_trend_is_everything_but_cash_fuel_and_core() -> None:
    wallet = wallet_of(ledger_of({"USDT": "5", "BNB": "1", "BTC": "1", "ETH": "2", "XRP": "4"}), account_of({}), {})
    values = values_of(wallet, amounts({"BNBUSDT": "300", "BTCUSDT": "60000", "ETHUSDT": "2000"}))
    assert wallet.trend_assets == ("ETH", "XRP")
    assert trend_value(wallet, values) == 4000
    assert values["XRP"] == 0, "no price at all"
    assert values["USDT"] == 5


@pytest.mark.parametrize(
    ("value", "least", "dust"),
    [("4.99", "1", True), ("5", "1", False), ("9.99", "10", True), ("10", "10", False), ("4.99", None, True)],
)
def test_dust_is_below_five_and_below_the_minimum_notional(value: str, least: str | None, dust: bool) -> None:
    instrument = None if least is None else replace(pairs()["ETHUSDT"], min_notional=D(least))
    assert is_dust(D(value), instrument, SETTINGS) is dust


def test_the_account_moves_with_spot_postings_alone() -> None:
    entries = [
        Entry("a", "", 0, "x", transfer(Book.TRADING, Book.SPOT, "ETH", D(2))),
        Entry("b", "", 0, "x", transfer(Book.EARN, Book.TRANSIT, "USDT", D(7))),
    ]
    moved = applied(account_of({"USDT": "10"}, {"ETH": "1"}), entries)
    assert (moved.free("ETH"), moved.total("ETH"), moved.free("USDT")) == (D(2), D(3), D(10))


units = st.decimals(min_value=-10, max_value=1000, places=8)


@given(spot=units, free=units.map(abs), earn=units, position=units.map(abs), pledged=units.map(abs))
def test_a_wallet_never_offers_more_than_both_sides_have(
    spot: Decimal, free: Decimal, earn: Decimal, position: Decimal, pledged: Decimal
) -> None:
    ledger = ledger_of({"USDT": str(spot)}, str(earn))
    wallet = wallet_of(ledger, account_of({"USDT": str(free)}), earn_of(str(position), pledged=pledged))
    offered = wallet.free.get("USDT", D(0))
    assert 0 <= offered <= max(D(0), min(spot, free))
    assert 0 <= wallet.redeemable <= max(D(0), min(earn, position - pledged))
