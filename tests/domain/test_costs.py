"""Costs: worked examples to the last digit, any row of orders against plain sums, and budgets by their levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.costs import (
    MONTHS_KEPT,
    NO_COSTS,
    MonthCosts,
    Spent,
    costs_document,
    measured,
    minutes_of,
    month_of,
    reached,
    spent_document,
    spent_on,
    with_minutes,
    with_spent,
    with_told,
)
from runtime.domain.ledger import Book, fill_entry, priced
from runtime.domain.money import ZERO
from runtime.domain.orders import Fill, Intent, Kind, Order, Side, Sleeve, Status

D = Decimal
PRICES = {"BNBUSDT": D(300), "ETHUSDT": D(1900), "BTCUSDT": D(60_000)}


@dataclass(frozen=True)
class Trade:
    """A finished ETHUSDT order that was meant at `decided`: (price, quantity, commission, asset) a fill."""

    side: Side
    decided: Decimal
    fills: tuple[tuple[str, str, str, str], ...]
    slot: str = "2026-11-30T23Z"

    def order(self) -> Order:
        """The order as the exchange tells it."""
        made = tuple(Fill(n, D(p), D(q), D(fee), asset) for n, (p, q, fee, asset) in enumerate(self.fills))
        quantity, quote = sum((f.qty for f in made), ZERO), sum((f.qty * f.price for f in made), ZERO)
        return Order("ETHUSDT", 7, "", self.side, "FILLED", quantity, quote, 1, made)

    def intent(self) -> Intent:
        """Its intent, which wanted twice as much."""
        order = self.order()
        wanted = Intent(
            "id", self.slot, Kind.ORDER, Sleeve.TREND, "ETHUSDT", self.side, 2 * order.executed_qty, "entry", 0, 1
        )
        return replace(wanted, decision_price=self.decided).moved(Status.DONE, order=order)

    def spent(self, prices: Mapping[str, Decimal] = PRICES) -> Spent:
        """What it cost."""
        return spent_on(self.intent(), self.order(), prices)


THREE_ASSETS = (("2010", "0.3", "0.603", "USDT"), ("2012", "0.2", "0.0002", "ETH"), ("2000", "0.1", "0.0005", "BNB"))


def test_a_purchase_with_fees_in_three_assets_half_of_it_filled() -> None:
    """Meant at 2000: 0.6 ETH cost 603 + 402.4 + 200 = 1205.4 instead of 1200, so slippage is 5.4 or 45 bps. Fees:
    0.603 USDT, 0.0002 ETH at the 2000 of its decision (not the 1900 of now) = 0.4, 0.0005 BNB at 300 = 0.15.
    """
    spent = Trade(Side.BUY, D(2000), THREE_ASSETS).spent()
    assert spent == Spent(fees=D("1.153"), slippage=D("5.4"), traded=D(1200), orders=1)
    assert spent.slippage_bps == D(45)


def test_slippage_is_above_zero_where_it_is_worse_on_either_side() -> None:
    fill = (("2010", "1", "0", "USDT"),)
    assert [Trade(side, D(2000), fill).spent().slippage for side in (Side.BUY, Side.SELL)] == [D(10), D(-10)]
    assert Trade(Side.SELL, D(2020), fill).spent().slippage_bps == round(D(10) / 2020 * 10_000, 2)


def test_what_has_no_price_is_counted_as_not_valued_and_the_rest_all_the_same() -> None:
    trade = Trade(Side.BUY, D(2000), THREE_ASSETS)
    assert trade.spent({}) == Spent(D("1.003"), D("5.4"), D(1200), 1, unvalued=1)
    blind = replace(trade, decided=ZERO).spent()
    assert (blind.slippage, blind.traded, blind.slippage_bps, blind.unvalued) == (ZERO, ZERO, None, 1)
    assert blind.fees == D("0.603") + D("0.0002") * D("1205.4") / D("0.6") + D("0.15"), "at its own average price"


def test_an_order_counts_in_the_month_of_its_slot_whenever_it_is_settled() -> None:
    months = with_minutes({}, "2026-12-01T00Z", 2)
    months = with_spent(months, "2026-11-30T23Z", Spent(fees=D(1), orders=1))
    months = with_spent(months, "2026-12-01T00Z", Spent(fees=D(4), orders=1))
    assert list(months) == ["2026-11", "2026-12"]
    assert [costs.spent.fees for costs in months.values()] == [D(1), D(4)]
    assert [costs.minutes for costs in months.values()] == [0, 2]


def test_a_year_and_the_running_month_are_kept() -> None:
    months: Mapping[str, MonthCosts] = {}
    names = [f"{2024 + n // 12}-{n % 12 + 1:02}" for n in range(30)]
    for name in names:
        months = with_minutes(months, f"{name}-01T00Z", 1)
    assert list(months) == names[-MONTHS_KEPT:]


@pytest.mark.parametrize(("took_ms", "minutes"), [(-5, 0), (0, 0), (1, 1), (60_000, 1), (60_001, 2), (599_999, 10)])
def test_minutes_are_rounded_up(took_ms: int, minutes: int) -> None:
    assert minutes_of(took_ms) == minutes


@pytest.mark.parametrize(
    ("fees", "levels"), [("39.99", ()), ("40", (80,)), ("49.99", (80,)), ("50", (80, 100)), ("500", (80, 100))]
)
def test_levels_are_reached_at_their_figure_exactly(fees: str, levels: tuple[int, ...]) -> None:
    month = MonthCosts(Spent(fees=D(fees), slippage=D(7)), minutes=3)
    found = reached(month, {"fees": D(50), "slippage": ZERO, "minutes": ZERO})
    assert tuple(level.level for level in found) == levels
    assert {level.what for level in found} <= {"fees"}


def test_each_budget_has_its_own_measure_and_better_fills_reach_none() -> None:
    month = MonthCosts(Spent(fees=D(1), slippage=D(-9)), minutes=80)
    assert measured(month) == {"fees": D(1), "slippage": D(-9), "minutes": D(80)}
    found = reached(month, dict.fromkeys(measured(month), D(100)))
    assert [level.mark for level in found] == ["minutes 80 % of 100"]


def test_what_was_told_is_kept_beside_what_was_spent() -> None:
    months = with_told(with_minutes({}, "2026-11-30T23Z", 5), "2026-11-30T23Z", ("minutes 80 % of 6",))
    assert months == {"2026-11": MonthCosts(minutes=5, told=("minutes 80 % of 6",))}


def test_documents_hold_text_and_an_unknown_month_as_null() -> None:
    spent = Trade(Side.BUY, D(2000), THREE_ASSETS).spent()
    shown = {"fees": "1.153", "slippage": "5.4", "slippage_bps": "45", "traded": "1200", "orders": 1, "unvalued": 0}
    assert spent_document(spent) == shown
    assert costs_document(NO_COSTS, None)["month"] is None
    assert costs_document(spent, spent) == {**shown, "month": shown}


amounts = st.decimals("0.0001", "3", places=4).map(str)
fills = st.tuples(
    st.decimals("1800", "2200", places=2).map(str), amounts, amounts, st.sampled_from(["USDT", "ETH", "BNB"])
)
trades = st.builds(
    Trade,
    st.sampled_from(Side),
    st.decimals("1800", "2200", places=2),
    st.lists(fills, min_size=1, max_size=4).map(tuple),
    st.sampled_from(["2026-10-31T23Z", "2026-11-01T00Z", "2026-11-30T23Z", "2026-12-01T00Z"]),
)


@given(st.lists(trades, max_size=8))
def test_the_fees_of_a_month_are_the_ledgers_fees_valued_and_slippage_is_the_cash_it_took(made: list[Trade]) -> None:
    """Against the postings of the same orders: fees by the prices kept with the entry, cash against the decision's."""
    months: Mapping[str, MonthCosts] = {}
    fees: dict[str, Decimal] = {}
    worse: dict[str, Decimal] = {}
    for trade in made:
        months = with_spent(months, trade.slot, trade.spent())
        entry = fill_entry(trade.intent(), trade.order(), "ETH", "USDT")
        assert entry is not None
        month, worth = month_of(entry.slot), {**priced(entry, PRICES).prices, "USDT": D(1), "ETH": trade.decided}
        for posting in entry.postings:
            if posting.book is Book.FEES:
                fees[month] = fees.get(month, ZERO) + posting.amount * worth[posting.asset]
            if posting.book is Book.TRADING:
                worse[month] = worse.get(month, ZERO) + posting.amount * worth[posting.asset]
    assert {month: costs.spent.fees for month, costs in months.items()} == {m: fees.get(m, ZERO) for m in months}
    assert {month: costs.spent.slippage for month, costs in months.items()} == {m: worse.get(m, ZERO) for m in months}
    assert sum(costs.spent.orders for costs in months.values()) == len(made)
