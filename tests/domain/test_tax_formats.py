"""Tax formats: their published columns, and sums that are the account's own."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.domain.evidence import FlowKind
from runtime.domain.exporting import Request, owned
from runtime.domain.ledger import Balances, Entry
from tests.domain.test_books import histories
from tests.support.bookkeeping import (
    amounts,
    at,
    drifted,
    flowed,
    interest,
    opened,
    rows,
    summed,
    together,
    traded,
    written,
)

COLUMNS = {
    "generic": ("received_amount", "received_asset", "sent_amount", "sent_asset", "fee_amount", "fee_asset"),
    "koinly": ("Received Amount", "Received Currency", "Sent Amount", "Sent Currency", "Fee Amount", "Fee Currency"),
    "cointracking": ("Buy Amount", "Buy Currency", "Sell Amount", "Sell Currency"),
}


def file_of(form: str, *entries: Entry) -> list[dict[str, str]]:
    return rows(written(Request("main", form), entries))


def sums(form: str, records: list[dict[str, str]]) -> dict[str, Decimal]:
    """What a file says that each asset changed by, as its program reckons."""
    came, came_in, went, went_in, *fee = COLUMNS[form]
    parts = [summed(records, came, came_in), summed(records, went, went_in, -1)]
    return together(*parts, summed(records, fee[0], fee[1], -1) if fee else {})


BNB_FEE = traded(at(1), "ETHUSDT", "0.2", "-500", {"BNB": "0.001"}, {"BNB": "600"})
ETH_FEE = traded(at(1), "ETHUSDT", "0.19", "-475", {"ETH": "0.00019"})


class TestKoinly:
    def test_the_columns_are_those_of_its_universal_template(self) -> None:
        assert written(Request("main", "koinly"), []) == (
            "Date,Sent Amount,Sent Currency,Received Amount,Received Currency,Fee Amount,Fee Currency,Net Worth Amount,"
            "Net Worth Currency,Label,Description,TxHash\r\n"
        )

    def test_a_fee_in_bnb_stands_beside_the_trade(self) -> None:
        (trade,) = file_of("koinly", BNB_FEE)
        assert (trade["Date"], trade["Label"], trade["TxHash"]) == ("2026-03-02 00:00:00 UTC", "", BNB_FEE.id)
        assert (trade["Sent Amount"], trade["Sent Currency"]) == ("500", "USDT")
        assert (trade["Received Amount"], trade["Fee Amount"], trade["Fee Currency"]) == ("0.2", "0.001", "BNB")

    def test_a_fee_in_the_coin_is_within_what_was_received(self) -> None:
        (trade,) = file_of("koinly", ETH_FEE)
        assert (trade["Received Amount"], trade["Fee Amount"], trade["Fee Currency"]) == ("0.18981", "", "")

    def test_a_second_fee_is_a_cost_of_its_own(self) -> None:
        first, second = file_of("koinly", traded(at(1), "ETHUSDT", "1", "-9", {"BNB": "0.1", "XRP": "2"}))
        assert (first["Fee Amount"], first["Fee Currency"]) == ("0.1", "BNB")
        assert (second["Sent Amount"], second["Sent Currency"], second["Label"]) == ("2", "XRP", "cost")
        assert second["TxHash"] == first["TxHash"] + "#2"

    def test_interest_is_lending_interest_with_its_worth(self) -> None:
        (row,) = file_of("koinly", interest(at(1), "0.5"))
        assert (row["Label"], row["Net Worth Amount"], row["Net Worth Currency"]) == ("lending interest", "0.5", "USDT")

    def test_a_deposited_coin_says_that_its_cost_is_not_known(self) -> None:
        (row,) = file_of("koinly", flowed(FlowKind.DEPOSIT, at(1), "BNB", "1"))
        assert "cost is not known" in row["Description"]
        assert row["Net Worth Amount"] == ""


class TestCoinTracking:
    def test_the_columns_are_those_of_its_import(self) -> None:
        assert written(Request("main", "cointracking"), []) == (
            "Type,Buy Amount,Buy Currency,Sell Amount,Sell Currency,Fee,Fee Currency,Exchange,Trade-Group,Comment,Date,"
            "Tx-ID\r\n"
        )

    def test_a_fee_in_bnb_is_a_transaction_of_its_own_and_told_once(self) -> None:
        trade, fee = file_of("cointracking", BNB_FEE)
        assert (trade["Type"], trade["Fee"], trade["Buy Amount"], trade["Sell Amount"]) == ("Trade", "", "0.2", "500")
        assert (fee["Type"], fee["Sell Amount"], fee["Sell Currency"]) == ("Other Fee", "0.001", "BNB")

    def test_a_fee_in_the_coin_is_within_the_side_and_named_besides(self) -> None:
        (trade,) = file_of("cointracking", ETH_FEE)
        assert (trade["Buy Amount"], trade["Fee"], trade["Fee Currency"]) == ("0.18981", "0.00019", "ETH")

    def test_types_follow_what_happened(self) -> None:
        found = file_of(
            "cointracking",
            opened(at(0), USDT="100"),
            interest(at(1), "1"),
            flowed(FlowKind.REWARD, at(2), "BNB", "1"),
            flowed(FlowKind.WITHDRAWAL, at(3), "USDT", "-5"),
            drifted(at(4), USDT="-1"),
            flowed(FlowKind.MANUAL_TRADE, at(5), "ETH", "1", name="trade:ETHUSDT:1:ETH"),
        )
        types = ["Deposit", "Interest Income", "Reward / Bonus", "Withdrawal", "Withdrawal", "Deposit"]
        assert [row["Type"] for row in found] == types


class TestSums:
    @settings(max_examples=40)
    @given(histories(), st.sampled_from(sorted(COLUMNS)))
    def test_any_history_sums_to_what_is_owned_in_every_format(self, entries: list[Entry], form: str) -> None:
        assert sums(form, file_of(form, *entries)) == owned(Balances().posted(entries))

    @settings(max_examples=40)
    @given(histories())
    def test_trades_fees_earn_and_flows_together_are_what_is_owned(self, entries: list[Entry]) -> None:
        tables = {
            name: rows(written(Request("main", table=name), entries)) for name in ("trades", "fees", "earn", "flows")
        }
        cash = {"USDT": sum((Decimal(row["usdt"]) for row in tables["trades"]), Decimal(0))}
        sides = (summed(records, "quantity", "asset") for records in tables.values())
        assert together(cash, *sides) == owned(Balances().posted(entries))

    @settings(max_examples=20)
    @given(histories())
    def test_the_journal_holds_every_posting(self, entries: list[Entry]) -> None:
        records = rows(written(Request("main", table="journal"), entries))
        held = [row for row in records if row["book"] in {"spot", "earn", "transit", "reserved"}]
        assert summed(held, "amount", "asset") == owned(Balances().posted(entries))
        assert summed(records, "amount", "asset") == {}


def test_hostile_words_of_others_are_defused_in_every_format() -> None:
    evil = '=HYPERLINK("http://evil")'
    entries = [
        opened(at(0), USDT="100", reserved=amounts(**{"@EVIL": "5", "-X": "1"})),
        flowed(FlowKind.DEPOSIT, at(1), "=CMD", "3", name=evil),
    ]
    texts = [written(Request("main", form), entries) for form in COLUMNS]
    texts += [written(Request("main", table=table), entries) for table in ("journal", "flows", "lots")]
    for text in texts:
        for row in rows(text):
            for cell in row.values():
                assert cell[:1] not in set("=+@\t\r")
                assert not cell.startswith("-") or Decimal(cell) < 0
    assert "'@EVIL" in texts[0]
