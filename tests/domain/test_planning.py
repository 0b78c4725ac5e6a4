"""Planning: legal orders within budgets, by figures worked out by hand and by properties over any wallet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.decision import Dca, Decision, Exit, ExitReason, HoldingMemory, Memory, Plan, PlannedOrder, Target
from runtime.domain.instruments import Instrument, LotRule
from runtime.domain.orders import Side, Sleeve
from runtime.domain.planning import plan_buys, plan_cash, plan_sells, shrunk
from runtime.domain.valuation import Wallet
from tests.support.markets import pair
from tests.support.situations import SETTINGS, SLOT, account_of, amounts, ordinary, pairs

D = Decimal
SNAPSHOT = ordinary().snapshot


def wallet(spot: Mapping[str, str], earn: str = "0", free: Mapping[str, str] | None = None) -> Wallet:
    quantities = amounts(spot)
    quantities["USDT"] = quantities.get("USDT", D(0)) + D(earn)
    return Wallet(quantities, {**amounts(spot), **amounts(free or {})}, D(earn))


def decided(**changes: Any) -> Decision:
    """E = 10 000, half for each sleeve; ETH and SOL at 3 : 1; nothing capped, no purchase of bitcoin, no fuel."""
    base = Decision(
        slot=SLOT,
        equity=D(10_000),
        btc_target_ratio=D("0.5"),
        trend_target_ratio=D("0.5"),
        btc_base_order=D(15),
        regime_on=True,
        targets=(Target("ETHUSDT", D("0.75")), Target("SOLUSDT", D("0.25"))),
        entries=("ETHUSDT", "SOLUSDT"),
        buys_left=D(10_000),
        earn=True,
    )
    return replace(base, **changes)


def budgets(plan: Plan) -> dict[str, Decimal]:
    return {order.symbol: order.budget for order in plan.orders}


def gates(plan: Plan) -> list[tuple[str, str]]:
    return [(gate.name, gate.symbol) for gate in plan.gates]


def test_targets_share_the_sleeves_value_and_cash() -> None:
    """Trend cash 5000 of 10 000: 3750 and 1250; ETH 3750 * 0.985 / 2500 = 1.4775, SOL 1250 * 0.985 / 150 = 8.208."""
    plan = plan_buys(decided(), SNAPSHOT, wallet({"USDT": "10000"}), SETTINGS)
    assert budgets(plan) == {"ETHUSDT": D(3750), "SOLUSDT": D(1250)}
    assert [o.quantity for o in plan.orders] == [D("1.477"), D("8.20")]
    assert [o.reason for o in plan.orders] == ["entry", "entry"]


def test_a_held_symbol_is_topped_up_by_its_shortfall() -> None:
    """1 ETH = 2500 held, 2500 of trend cash: full = 0.75 x 5000 = 3750, shortfall 1250; SOL 1250: together 2500."""
    held = decided(memory=Memory({"ETHUSDT": HoldingMemory(D(2600))}))
    plan = plan_buys(held, SNAPSHOT, wallet({"USDT": "7500", "ETH": "1"}), SETTINGS)
    assert budgets(plan) == {"ETHUSDT": D(1250), "SOLUSDT": D(1250)}
    assert [o.reason for o in plan.orders] == ["top_up", "entry"]


@pytest.mark.parametrize(
    ("eth", "planned"),
    [("1.351", False), ("1.35", True)],  # 1.35 ETH = 3375 = 90 % of the target of 3750
)
def test_a_shortfall_below_ten_percent_of_the_target_waits(eth: str, planned: bool) -> None:
    only = decided(entries=("ETHUSDT",))
    cash = str(10_000 - D(eth) * 2500)
    plan = plan_buys(only, SNAPSHOT, wallet({"USDT": cash, "ETH": eth}), SETTINGS)
    assert bool(plan.orders) is planned
    assert planned or gates(plan) == [("below_minimum", "ETHUSDT")]


@pytest.mark.parametrize(("equity", "planned"), [("39.98", False), ("40", True)])
def test_a_shortfall_below_fifteen_waits(equity: str, planned: bool) -> None:
    """Trend cash is half of E; ETH's share 0.75 of it: 14.9925 or 15."""
    small = decided(equity=D(equity), buys_left=D(equity), entries=("ETHUSDT",))
    cheap = replace(SNAPSHOT, prices={**SNAPSHOT.prices, "ETHUSDT": D(1)})
    roomy = SETTINGS.model_copy(update={"order_ratio_max": D(1)})
    plan = plan_buys(small, cheap, wallet({"USDT": equity}), roomy)
    assert bool(plan.orders) is planned


def test_one_symbol_takes_half_of_equity_at_most() -> None:
    """All of 10 000 for the trend, one symbol with weight 1: 5000, not 10 000."""
    alone = decided(trend_target_ratio=D(1), targets=(Target("ETHUSDT", D(1)),), entries=("ETHUSDT",))
    uncapped = SETTINGS.model_copy(update={"order_ratio_max": D(1)})
    assert budgets(plan_buys(alone, SNAPSHOT, wallet({"USDT": "10000"}), uncapped)) == {"ETHUSDT": D(5000)}


def test_what_is_not_an_entry_keeps_its_share_unspent() -> None:
    plan = plan_buys(decided(entries=("SOLUSDT",)), SNAPSHOT, wallet({"USDT": "10000"}), SETTINGS)
    assert budgets(plan) == {"SOLUSDT": D(1250)}


def test_entries_stay_within_the_trend_cash() -> None:
    """4000 in LTC: 1000 of trend cash for shortfalls of 3750 and 1250: ETH takes it all, SOL finds none."""
    plan = plan_buys(decided(), SNAPSHOT, wallet({"USDT": "6000", "LTC": "40"}), SETTINGS)
    assert budgets(plan) == {"ETHUSDT": D(1000)}
    assert ("trend_cash", "ETHUSDT") in gates(plan)
    assert ("trend_cash", "SOLUSDT") in gates(plan)


@pytest.mark.parametrize("name", ["order_cap", "buys_day_cap", "volume_cap", "no_cash"])
def test_each_cap_cuts_and_is_a_gate_with_its_numbers(name: str) -> None:
    decision, settings, means = decided(entries=("ETHUSDT",)), SETTINGS, wallet({"USDT": "10000"})
    if name == "order_cap":
        settings = SETTINGS.model_copy(update={"order_ratio_max": D("0.1")})
    elif name == "buys_day_cap":
        decision = replace(decision, buys_left=D(1000))
    elif name == "volume_cap":
        decision = replace(decision, order_caps={"ETHUSDT": D(1000)})
    else:
        decision, means = replace(decision, earn=False), wallet({"USDT": "1000"}, "9000")
    plan = plan_buys(decision, SNAPSHOT, means, settings)
    assert budgets(plan) == {"ETHUSDT": D(1000)}
    assert [(g.name, dict(g.numbers)) for g in plan.gates] == [(name, {"budget": "3750", "cap": "1000"})]


def test_what_one_purchase_takes_the_next_does_not_find() -> None:
    """4000 left of the day: 3750 and 250. 4000 at spot while Earn rests: the same."""
    both = {"ETHUSDT": D(3750), "SOLUSDT": D(250)}
    assert budgets(plan_buys(decided(buys_left=D(4000)), SNAPSHOT, wallet({"USDT": "10000"}), SETTINGS)) == both
    assert budgets(plan_buys(decided(earn=False), SNAPSHOT, wallet({"USDT": "4000"}, "6000"), SETTINGS)) == both


def test_the_trends_cash_is_not_bitcoins_even_when_nothing_is_entered() -> None:
    decision = decided(entries=(), dca=Dca(5, D(15), 0.4, "geometric"))
    assert budgets(plan_buys(decision, SNAPSHOT, wallet({"USDT": "5020"}), SETTINGS)) == {"BTCUSDT": D(20)}


@pytest.mark.parametrize(("price", "quantity"), [("1250", "1.477"), ("2500", "1.477"), ("3000", "1.231")])
def test_shrinking_follows_the_newest_price_downward_only(price: str, quantity: str) -> None:
    """1.477 ETH were planned at 2500; at 3000 the budget of 3750 buys 3750 * 0.985 / 3000 = 1.231."""
    plan = plan_buys(decided(entries=("ETHUSDT",)), SNAPSHOT, wallet({"USDT": "10000"}), SETTINGS)
    later = replace(SNAPSHOT, prices={**SNAPSHOT.prices, "ETHUSDT": D(price)})
    fitted = shrunk(plan.orders, later, wallet({"USDT": "10000"}), SETTINGS)
    assert [(o.quantity, o.price) for o in fitted.orders] == [(D(quantity), D(price))]


def test_a_cap_below_the_minimum_plans_nothing() -> None:
    plan = plan_buys(decided(buys_left=D("14.99")), SNAPSHOT, wallet({"USDT": "10000"}), SETTINGS)
    assert plan.orders == ()
    assert ("below_minimum", "ETHUSDT") in gates(plan)


def test_sales_know_no_cap_and_no_floor_but_the_filters() -> None:
    """All of 100 ETH (250 000, 25 x E) in one hour; split by the largest lot of 9: eleven even parts and more."""
    lot = LotRule(D("0.001"), D(9), D("0.001"))
    snapshot = replace(SNAPSHOT, instruments=pairs(ETHUSDT=replace(pairs()["ETHUSDT"], lot=lot)))
    leaving = decided(exits=(Exit(Sleeve.TREND, "ETHUSDT", ExitReason.REGIME_OFF),), order_caps={"ETHUSDT": D(1)})
    plan = plan_sells(leaving, snapshot, wallet({"ETH": "100"}))
    assert sum(o.quantity for o in plan.orders) == 100
    assert len(plan.orders) == 12
    assert all(o.side is Side.SELL and o.quantity <= 9 for o in plan.orders)
    tiny = plan_sells(leaving, SNAPSHOT, wallet({"ETH": "0.00204"}))
    assert tiny.orders == ()
    assert gates(tiny) == [("filter", "ETHUSDT")]
    assert plan_sells(leaving, SNAPSHOT, wallet({"ETH": "0.003"})).orders[0].quantity == D("0.003"), (
        "7.50, no floor of 15"
    )


def test_a_sale_is_bounded_by_what_is_free() -> None:
    leaving = decided(exits=(Exit(Sleeve.TREND, "ETHUSDT", ExitReason.TRAILING_STOP),))
    plan = plan_sells(leaving, SNAPSHOT, wallet({"ETH": "2"}, free={"ETH": "0.5"}))
    assert [o.quantity for o in plan.orders] == [D("0.5")]
    assert plan_sells(leaving, SNAPSHOT, wallet({"ETH": "2"}, free={"ETH": "0"})).orders == ()


def test_a_trim_sells_its_fraction_and_names_its_tiers() -> None:
    trim = Exit(Sleeve.BTC_CORE, "BTCUSDT", ExitReason.TRIM, D("0.30"), {"tier": "trigger+z4"})
    plan = plan_sells(decided(exits=(trim,)), SNAPSHOT, wallet({"BTC": "0.1"}))
    assert [(o.quantity, o.reason) for o in plan.orders] == [(D("0.03"), "trim:trigger+z4")]


@pytest.mark.parametrize(
    ("btc", "cash", "multiplier", "budget"),
    [
        ("0", "10000", 5, "75"),  # base order 15 x 5
        ("0", "10000", 1, "15"),
        ("0.0825", "5050", 5, "50"),  # DCA cash 5000 - 4950
        ("0.0831", "5014", 5, None),  # DCA cash 14, below 15
        ("0.09", "4600", 5, None),  # above target
    ],
)
def test_the_daily_purchase_is_bounded_by_its_cash(btc: str, cash: str, multiplier: int, budget: str | None) -> None:
    decision = decided(entries=(), dca=Dca(multiplier, D(15), 0.4, "geometric"))
    plan = plan_buys(decision, SNAPSHOT, wallet({"USDT": cash, "BTC": btc}), SETTINGS)
    assert budgets(plan) == ({} if budget is None else {"BTCUSDT": D(budget)})
    assert budget is not None or ("dca_cash_low", "BTCUSDT") in gates(plan)


def test_the_trend_comes_first_and_the_purchase_gets_what_is_left_of_cash() -> None:
    """Cash 5020 and an empty trend sleeve: 5000 for it, 20 for bitcoin."""
    decision = decided(dca=Dca(5, D(15), 0.4, "geometric"))
    plan = plan_buys(decision, SNAPSHOT, wallet({"USDT": "5020"}), SETTINGS)
    assert budgets(plan) == {"ETHUSDT": D(3750), "SOLUSDT": D(1250), "BTCUSDT": D(20)}


def test_a_coin_without_a_price_counts_at_the_decisions_value() -> None:
    """40 LTC, valued at 100 by the decision: 1000 of trend cash, not 5000."""
    blind = replace(SNAPSHOT, prices={s: p for s, p in SNAPSHOT.prices.items() if s != "LTCUSDT"})
    decision = decided(prices={"LTCUSDT": D(100)})
    assert budgets(plan_buys(decision, blind, wallet({"USDT": "6000", "LTC": "40"}), SETTINGS)) == {"ETHUSDT": D(1000)}


@pytest.mark.parametrize(("price", "planned"), [("1499", False), ("1500", True), ("3500", True), ("3501", False)])
def test_a_price_that_jumped_since_the_decision_is_not_bought_at(price: str, planned: bool) -> None:
    """Prices are read again between sells and buys; 40 % from the 2500 of the decision is the bound."""
    later = replace(SNAPSHOT, prices={**SNAPSHOT.prices, "ETHUSDT": D(price)})
    plan = plan_buys(decided(prices=SNAPSHOT.prices, entries=("ETHUSDT",)), later, wallet({"USDT": "10000"}), SETTINGS)
    assert bool(plan.orders) is planned
    assert planned or gates(plan) == [("price_suspect", "ETHUSDT")]


def test_what_the_exchange_holds_counts_toward_its_position_limit() -> None:
    """At most 3 ETH may be held; 2.5 are, all but none of them ours: half an ETH may be bought."""
    limited = replace(pairs()["ETHUSDT"], max_position=D(3))
    snapshot = replace(SNAPSHOT, instruments=pairs(ETHUSDT=limited), account=account_of({"ETH": "2.5"}))
    plan = plan_buys(decided(entries=("ETHUSDT",)), snapshot, wallet({"USDT": "10000"}), SETTINGS)
    assert [o.quantity for o in plan.orders] == [D("0.5")]


def test_without_earn_nothing_is_moved_and_only_free_cash_is_spent() -> None:
    decision = decided(earn=False, entries=("ETHUSDT",))
    plan = plan_buys(decision, SNAPSHOT, wallet({"USDT": "100"}, "9900"), SETTINGS)
    assert budgets(plan) == {"ETHUSDT": D(100)}
    assert plan.redeem == 0
    assert plan_cash(decision, wallet({"USDT": "9900"}), SETTINGS) == Plan()


# --- properties ----------------------------------------------------------------------------------------------------

cash = st.decimals(min_value=0, max_value=200_000, places=8)
units = st.decimals(min_value=0, max_value=50, places=8)
price = st.decimals(min_value=D("0.0001"), max_value=5_000, places=4)
share = st.decimals(min_value=0, max_value=1, places=4)
step = st.sampled_from([D("0.00001"), D("0.001"), D("0.1"), D(1)])
NAMES = ("ETHUSDT", "SOLUSDT", "BTCUSDT", "BNBUSDT")


@st.composite
def instruments(draw: st.DrawFn) -> dict[str, Instrument]:
    """Pairs with steps, minima and caps of many sizes."""
    made = {}
    for name in NAMES:
        lot_step = draw(step)
        most = draw(st.sampled_from([D(0), D(10), D(1000)]))
        made[name] = replace(
            pair(name, str(lot_step)),
            lot=LotRule(lot_step, D(9_000_000), lot_step),
            market_lot=LotRule(D(0), most, D(0)),
            max_notional=draw(st.sampled_from([D(0), D(100), D(20_000)])),
            min_notional=draw(st.sampled_from([D(0), D(5), D(10)])),
        )
    return made


@st.composite
def hours(draw: st.DrawFn) -> tuple[Decision, Any, Wallet]:
    """Any decision over any wallet: shares, caps, prices, filters, free less than owned."""
    prices = {name: draw(price) for name in NAMES}
    owned = {name.removesuffix("USDT"): draw(units) for name in NAMES}
    free = {asset: draw(share) * held for asset, held in owned.items()}
    spot, earn = draw(cash) + 500, draw(cash)
    unlimited = st.just(D(10**9))
    ratio, weight = draw(share), draw(share)
    equity = spot + earn + sum((held * prices[a + "USDT"] for a, held in owned.items()), D(0))
    decision = decided(
        equity=equity,
        btc_target_ratio=ratio,
        trend_target_ratio=1 - ratio,
        targets=(Target("ETHUSDT", weight), Target("SOLUSDT", 1 - weight)),
        entries=draw(st.sampled_from([("ETHUSDT", "SOLUSDT"), ("SOLUSDT",), ()])),
        exits=tuple(
            Exit(Sleeve.TREND, name, ExitReason.REGIME_OFF, fraction)
            for name, fraction in (("ETHUSDT", draw(share)), ("SOLUSDT", D(1)))
        ),
        order_caps={name: draw(cash | unlimited) for name in NAMES},
        buys_left=draw(cash | unlimited),
        dca=draw(st.sampled_from([None, Dca(5, D(15), 0.4, "geometric")])),
        earn=draw(st.booleans()),
        fuel=draw(st.booleans()),
        prices=prices,
    )
    snapshot = replace(SNAPSHOT, prices=prices, instruments=draw(instruments()))
    return decision, snapshot, Wallet({**owned, "USDT": spot + earn}, {**free, "USDT": spot}, earn)


def is_legal(order: PlannedOrder, instrument: Instrument) -> bool:
    """Checked against the filters as the exchange states them, without the code that made the quantity."""
    value = order.quantity * order.price
    lots = (instrument.lot, instrument.market_lot)
    return (
        order.quantity > 0
        and all((Fraction(order.quantity) / Fraction(lot.step)).denominator == 1 for lot in lots if lot.step)
        and all(order.quantity >= lot.min_qty for lot in lots)
        and all(order.quantity <= lot.max_qty for lot in lots if lot.max_qty)
        and value >= instrument.min_notional
        and (not instrument.max_notional or value <= instrument.max_notional)
    )


@given(hour=hours())
def test_purchases_never_exceed_any_means_and_every_order_is_legal(hour: tuple[Decision, Any, Wallet]) -> None:
    decision, snapshot, means = hour
    plan = plan_buys(decision, snapshot, means, SETTINGS)
    spent = sum((o.budget for o in plan.orders), D(0))
    assert spent <= (means.cash if decision.earn else means.free["USDT"])
    assert spent <= decision.buys_left
    for order in plan.orders:
        assert order.quantity * order.price <= order.budget * D("0.985")
        assert D(15) <= order.budget <= min(decision.order_caps[order.symbol], decision.equity / 2)
        assert is_legal(order, snapshot.instruments[order.symbol])
    trend = sum((o.budget for o in plan.orders if o.sleeve is Sleeve.TREND), D(0))
    values = sum((means.quantities[a] * snapshot.prices[a + "USDT"] for a in ("ETH", "SOL")), D(0))
    assert trend <= max(D(0), decision.equity * decision.trend_target_ratio - values)
    assert len({o.symbol for o in plan.orders}) == len(plan.orders)
    assert 0 <= plan.redeem <= means.redeemable
    if plan.redeem:
        assert decision.earn


@given(hour=hours())
def test_sales_never_exceed_what_is_free_and_every_order_is_legal(hour: tuple[Decision, Any, Wallet]) -> None:
    decision, snapshot, means = hour
    plan = plan_sells(decision, snapshot, means)
    for leaving in decision.exits:
        orders = [o for o in plan.orders if o.symbol == leaving.symbol]
        asset = leaving.symbol.removesuffix("USDT")
        total = sum((o.quantity for o in orders), D(0))
        assert total <= min(means.free[asset], means.quantities[asset] * leaving.fraction)
        assert all(is_legal(o, snapshot.instruments[o.symbol]) for o in orders)
        assert orders or (("filter", leaving.symbol) in gates(plan))


@given(hour=hours(), left=cash, moves=st.lists(share, min_size=4, max_size=4))
def test_shrinking_never_increases_an_order_or_spends_more_than_is_free(
    hour: tuple[Decision, Any, Wallet], left: Decimal, moves: list[Decimal]
) -> None:
    """Whatever Earn delivered, and wherever prices went meanwhile (half to one and a half of what they were)."""
    decision, snapshot, means = hour
    before = plan_buys(decision, snapshot, means, SETTINGS).orders
    moved = {n: p * (D("0.5") + move) for (n, p), move in zip(snapshot.prices.items(), moves, strict=True)}
    later = replace(snapshot, prices=moved)
    after = shrunk(before, later, replace(means, free={**means.free, "USDT": left}), SETTINGS)
    originals = {o.symbol: o for o in before}
    assert [o.symbol for o in after.orders] == [
        o.symbol for o in before if o.symbol in {a.symbol for a in after.orders}
    ]
    assert sum((o.quantity * moved[o.symbol] for o in after.orders), D(0)) <= left
    for order in after.orders:
        assert order.quantity <= originals[order.symbol].quantity
        assert order.budget <= originals[order.symbol].budget
        assert is_legal(order, snapshot.instruments[order.symbol])
    assert len(after.orders) + len(after.gates) == len(before)


def test_nothing_shrinks_where_everything_arrived() -> None:
    plan = plan_buys(decided(), SNAPSHOT, wallet({"USDT": "10000"}), SETTINGS)
    assert shrunk(plan.orders, SNAPSHOT, wallet({"USDT": "10000"}), SETTINGS) == Plan(plan.orders)


def test_an_order_that_a_fall_left_below_the_filters_is_not_sent() -> None:
    """5 ETH at a price that fell to 0.50 are 2.50 USDT, below the 5 that the exchange asks for."""
    plan = plan_buys(decided(), SNAPSHOT, wallet({"USDT": "10000"}), SETTINGS)
    fallen = replace(SNAPSHOT, prices={**SNAPSHOT.prices, "ETHUSDT": D("0.50")})
    few = tuple(replace(order, quantity=D(5)) for order in plan.orders if order.symbol == "ETHUSDT")
    fitted = shrunk(few, fallen, wallet({"USDT": "10000"}), SETTINGS)
    assert (fitted.orders, gates(fitted)) == ((), [("no_cash", "ETHUSDT")])


def test_first_come_first_served_when_earn_did_not_deliver() -> None:
    """4000 of the 5000: ETH's 3750 whole, SOL from 1250 down to 250; with 3760 SOL's 10 are too few."""
    plan = plan_buys(decided(), SNAPSHOT, wallet({"USDT": "10000"}), SETTINGS)
    assert budgets(shrunk(plan.orders, SNAPSHOT, wallet({"USDT": "4000"}), SETTINGS)) == {
        "ETHUSDT": D(3750),
        "SOLUSDT": D(250),
    }
    less = shrunk(plan.orders, SNAPSHOT, wallet({"USDT": "3760"}), SETTINGS)
    assert (budgets(less), gates(less)) == ({"ETHUSDT": D(3750)}, [("no_cash", "SOLUSDT")])
