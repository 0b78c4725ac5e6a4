"""Gains: worked by hand for each method, and sums that close in any history."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.books import Kind
from runtime.domain.evidence import FlowKind
from runtime.domain.exporting import owned
from runtime.domain.gains import FEE_UNVALUED, SALES, Disposal, Lots, Way
from runtime.domain.ledger import Balances, Entry
from runtime.domain.lots import Basis, Lot, Method
from tests.domain.test_books import histories
from tests.support.bookkeeping import D, adopted, amounts, at, drifted, flowed, gone, opened, together, told, traded

DEPOSIT, WITHDRAWAL, REWARD, MANUAL = (
    FlowKind.DEPOSIT,
    FlowKind.WITHDRAWAL,
    FlowKind.REWARD,
    FlowKind.MANUAL_TRADE,
)
BOUGHT = [
    opened(at(0), USDT="10000"),
    traded(at(1), "ETHUSDT", "1", "-100"),
    traded(at(2), "ETHUSDT", "1", "-300"),
    traded(at(3), "ETHUSDT", "1", "-200"),
]


def lots_after(entries: list[Entry], method: Method = Method.FIFO, **costs: str) -> tuple[list[Disposal], list[Lot]]:
    lots = Lots(method, amounts(**costs))
    parts = gone(lots, entries)
    return parts, list(lots.held())


class TestMethods:
    @pytest.mark.parametrize(
        ("method", "gain", "left"),
        [
            (Method.FIFO, "100", ["300", "200"]),
            (Method.LIFO, "0", ["100", "300"]),
            (Method.HIFO, "-100", ["100", "200"]),
            (Method.AVERAGE, "0", ["200", "200"]),
        ],
    )
    def test_one_of_three_sold_for_200(self, method: Method, gain: str, left: list[str]) -> None:
        (part,), held = lots_after([*BOUGHT, traded(at(9), "ETHUSDT", "-1", "200")], method)
        assert (part.way, part.proceeds, part.gain) == (Way.SALE, D(200), D(gain))
        assert [lot.cost for lot in held] == [D(cost) for cost in left]

    def test_a_sale_over_two_lots_is_two_parts_of_its_proceeds(self) -> None:
        parts, held = lots_after([*BOUGHT, traded(at(9), "ETHUSDT", "-1.5", "450")])
        assert [(p.lot.quantity, p.proceeds, p.lot.cost, p.gain) for p in parts] == [
            (D(1), D(300), D(100), D(200)),
            (D("0.5"), D(150), D(150), D(0)),
        ]
        assert [p.lot.time_ms for p in parts] == [at(1), at(2)]
        assert [lot.quantity for lot in held] == [D("0.5"), D(1)]


class TestFees:
    def test_a_fee_in_bnb_is_a_sale_of_bnb_at_its_market_value_and_a_cost_of_the_purchase(self) -> None:
        entries = [
            opened(at(0), USDT="1000"),
            traded(at(1), "BNBUSDT", "1", "-400"),
            traded(at(2), "ETHUSDT", "0.2", "-500", {"BNB": "0.001"}, {"BNB": "600"}),
        ]
        (fee,), held = lots_after(entries)
        assert (fee.way, fee.lot.asset, fee.proceeds, fee.lot.cost, fee.gain) == (
            Way.FEE,
            "BNB",
            D("0.6"),
            D("0.4"),
            D("0.2"),
        )
        assert [(lot.asset, lot.quantity, lot.cost) for lot in held] == [
            ("BNB", D("0.999"), D("399.6")),
            ("ETH", D("0.2"), D("500.6")),
        ]

    def test_on_a_sale_the_bnb_fee_lowers_the_proceeds(self) -> None:
        entries = [*BOUGHT, traded(at(4), "BNBUSDT", "1", "-600")]
        entries += [traded(at(5), "ETHUSDT", "-1", "200", {"BNB": "0.001"}, {"BNB": "600"})]
        sale, fee = lots_after(entries)[0]
        assert (sale.proceeds, sale.gain) == (D("199.4"), D("99.4"))
        assert (fee.proceeds, fee.gain) == (D("0.6"), D(0))

    def test_a_fee_taken_from_the_coin_leaves_fewer_units_at_the_same_cost(self) -> None:
        entries = [opened(at(0), USDT="1000"), traded(at(1), "ETHUSDT", "0.19", "-475", {"ETH": "0.00019"})]
        parts, (held,) = lots_after(entries)
        assert (parts, held.quantity, held.cost) == ([], D("0.18981"), D(475))

    def test_a_fee_in_usdt_raises_the_cost_and_lowers_the_proceeds(self) -> None:
        entries = [
            opened(at(0), USDT="1000"),
            traded(at(1), "ETHUSDT", "1", "-100", {"USDT": "1"}),
            traded(at(2), "ETHUSDT", "-1", "150", {"USDT": "1.5"}),
        ]
        (sale,), _ = lots_after(entries)
        assert (sale.lot.cost, sale.proceeds, sale.gain) == (D(101), D("148.5"), D("47.5"))

    def test_buying_bnb_with_its_own_fee_sells_nothing(self) -> None:
        entries = [opened(at(0), USDT="1000"), traded(at(1), "BNBUSDT", "1", "-600", {"BNB": "0.001"}, {"BNB": "1"})]
        parts, (held,) = lots_after(entries)
        assert (parts, held.quantity, held.cost) == ([], D("0.999"), D(600))

    def test_a_fee_without_a_price_is_said_and_not_guessed(self) -> None:
        entries = [
            opened(at(0), USDT="1000"),
            traded(at(1), "BNBUSDT", "1", "-400"),
            traded(at(2), "ETHUSDT", "0.2", "-500", {"BNB": "0.001"}),
            traded(at(3), "ETHUSDT", "-0.2", "600"),
        ]
        fee, sale = lots_after(entries)[0]
        assert (fee.proceeds, fee.gain, fee.note) == (None, None, FEE_UNVALUED)
        assert (sale.gain, sale.note) == (D(100), FEE_UNVALUED)


class TestOriginsOfCost:
    def test_what_was_there_and_what_was_deposited_has_no_known_cost_and_no_gain(self) -> None:
        entries = [
            opened(at(0), USDT="1", BNB="1"),
            flowed(DEPOSIT, at(1), "BNB", "1"),
            traded(at(2), "BNBUSDT", "-2", "1200"),
        ]
        parts, _ = lots_after(entries)
        assert [(p.lot.basis, p.proceeds, p.lot.cost, p.gain) for p in parts] == [
            (Basis.UNKNOWN, D(600), None, None),
            (Basis.UNKNOWN, D(600), None, None),
        ]

    def test_a_given_cost_counts_for_units_of_unknown_cost_alone(self) -> None:
        entries = [opened(at(0), USDT="1000", BNB="1"), traded(at(1), "BNBUSDT", "1", "-700")]
        _, held = lots_after(entries, BNB="250")
        assert [(lot.cost, lot.basis) for lot in held] == [(D(250), Basis.GIVEN), (D(700), Basis.PAID)]

    def test_an_adopted_coin_costs_what_it_was_worth_then(self) -> None:
        entries = [
            opened(at(0), USDT="1", reserved=amounts(BTC="0.5")),
            adopted(at(1), "BTC", "0.2", "60000"),
            adopted(at(2), "BTC", "0.1", None),
        ]
        _, held = lots_after(entries)
        assert [(lot.quantity, lot.cost, lot.basis) for lot in held] == [
            (D("0.2"), D(12000), Basis.ADOPTED),
            (D("0.3"), None, Basis.UNKNOWN),
        ]

    def test_what_was_bought_by_hand_keeps_what_was_paid_when_it_is_adopted(self) -> None:
        legs = [
            flowed(MANUAL, at(1), asset, amount, name=f"trade:DOGEUSDT:1:{asset}")
            for asset, amount in (("DOGE", "100"), ("USDT", "-10"))
        ]
        _, (held,) = lots_after([opened(at(0), USDT="99"), *legs, adopted(at(2), "DOGE", "100", "5")])
        assert (held.cost, held.basis) == (D(10), Basis.PAID)

    def test_income_costs_what_it_was_worth_when_it_came(self) -> None:
        paid = flowed(REWARD, at(1), "BNB", "0.01")
        with_price = Entry(paid.id, paid.slot, paid.time_ms, paid.kind, paid.postings, "", amounts(BNB="600"))
        _, (held,) = lots_after([with_price])
        assert (held.cost, held.basis) == (D(6), Basis.INCOME)
        _, (unknown,) = lots_after([paid])
        assert (unknown.cost, unknown.basis) == (None, Basis.UNKNOWN)


class TestLeaving:
    def test_a_withdrawal_carries_its_cost_away_and_gains_nothing(self) -> None:
        (part,), held = lots_after([*BOUGHT, flowed(WITHDRAWAL, at(5), "ETH", "-1")])
        assert (part.way, part.lot.cost, part.proceeds, part.gain) == (Way.WITHDRAWAL, D(100), None, None)
        assert len(held) == 2

    def test_what_is_gone_without_a_trace_is_no_sale(self) -> None:
        (part,), _ = lots_after([*BOUGHT, drifted(at(5), ETH="-1")])
        assert (part.way, part.gain) == (Way.UNEXPLAINED, None)

    def test_what_no_lot_held_is_missing_and_has_no_cost(self) -> None:
        part, short = lots_after([*BOUGHT[:2], traded(at(5), "ETHUSDT", "-1.5", "300")])[0]
        assert (part.lot.quantity, part.gain) == (D(1), D(100))
        assert (short.lot.basis, short.lot.quantity, short.gain) == (Basis.MISSING, D("0.5"), None)

    def test_a_manual_sale_without_its_usdt_has_no_known_proceeds(self) -> None:
        leg = flowed(MANUAL, at(5), "ETH", "-1", name="trade:ETHUSDT:9:ETH")
        (part,), _ = lots_after([*BOUGHT, leg])
        assert (part.way, part.proceeds, part.gain) == (Way.SALE, None, None)

    def test_units_that_had_come_unexplained_are_not_counted_twice(self) -> None:
        late = [
            flowed(MANUAL, at(3), asset, amount, late=2, drift=True, name=f"trade:ETHUSDT:9:{asset}")
            for asset, amount in (("ETH", "1"), ("USDT", "-100"))
        ]
        entries = [opened(at(0), USDT="500"), drifted(at(2), ETH="1", USDT="-100"), *late]
        _, held = lots_after(entries)
        assert [(lot.quantity, lot.basis) for lot in held] == [(D(1), Basis.UNKNOWN)]

    def test_bnb_that_was_gone_unexplained_is_not_paid_as_a_fee_once_more(self) -> None:
        legs = [
            flowed(MANUAL, at(3), asset, amount, late=2, drift=asset == "BNB", name=f"trade:ETHUSDT:9:{asset}")
            for asset, amount in (("ETH", "1"), ("USDT", "-100"), ("BNB", "-0.1"))
        ]
        entries = [opened(at(0), USDT="500"), traded(at(1), "BNBUSDT", "1", "-400"), drifted(at(2), BNB="-0.1"), *legs]
        parts, held = lots_after(entries)
        assert [(p.way, p.lot.quantity) for p in parts] == [(Way.UNEXPLAINED, D("0.1"))]
        assert [(lot.asset, lot.quantity) for lot in held] == [("BNB", D("0.9")), ("ETH", D(1))]


@given(histories(), st.sampled_from(Method))
def test_in_any_history_lots_and_what_left_close_with_the_ledger(entries: list[Entry], method: Method) -> None:
    """Units held less units that no lot had are the ledger's balance, coin by coin."""
    lots = Lots(method)
    parts = gone(lots, entries)
    held = together(*({lot.asset: lot.quantity} for lot in lots.held()))
    missing = together(*({p.lot.asset: -p.lot.quantity} for p in parts if p.lot.basis is Basis.MISSING))
    coins = {asset: amount for asset, amount in owned(Balances().posted(entries)).items() if asset != "USDT"}
    assert together(held, missing) == coins


@given(histories(), st.sampled_from(Method))
def test_in_any_history_proceeds_less_costs_are_the_gains_and_each_part_is_whole(
    entries: list[Entry], method: Method
) -> None:
    lots = Lots(method, amounts(BNB="100", ADA="1", ETH="9"))
    for event in told(entries):
        parts = lots.after(event)
        assert all(part.lot.quantity > 0 for part in parts)
        sales = [part for part in parts if part.way is Way.SALE]
        if event.kind is Kind.TRADE and sales:
            assert _sum(sales) == event.moved["USDT"]  # the fees in BNB of `histories` have no price
        assert all(part.proceeds is None for part in parts if part.way not in SALES)


def _sum(parts: list[Disposal]) -> Decimal | None:
    known = [part.proceeds for part in parts if part.proceeds is not None]
    return sum(known, D(0)) if len(known) == len(parts) else None
