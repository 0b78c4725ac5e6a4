"""The shipped fixture, worked out on paper from the strategy contract and compared with what the hour decides.

1000 USDT at spot and 0.1 BNB at 300: E = 1000 + 30 = 1030, cash = 1000. Each figure below follows from the contract's
formulas and the fixture's numbers alone.
"""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from math import log
from pathlib import Path

import pytest

from runtime.adapters.simulated.fixtures import KNOWN_ANSWER, Fixture, load_fixture
from runtime.adapters.simulated.listing import derived
from runtime.domain.booking import book_order
from runtime.domain.decision import Decision, ExecutionPool, PlannedOrder
from runtime.domain.market import Account, Balance, DailyMarket, Snapshot
from runtime.domain.orders import Fill, Intent, Kind, Order, Side, Status
from runtime.domain.planning import plan_buys, plan_cash, plan_sells
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import date_at
from runtime.domain.state import State
from runtime.domain.valuation import applied, wallet_of
from strategies.crypto_live_pool_rotation import decide
from tests.support.situations import ledger_of

D = Decimal
SETTINGS = StrategySettings()
EQUITY = D(1030)


def document() -> dict[str, dict[str, dict[str, float]]]:
    """The fixture's raw numbers, read without the engine."""
    raw: dict[str, dict[str, dict[str, float]]] = json.loads((Path(KNOWN_ANSWER) / "fixture.json").read_text())
    return raw


@pytest.fixture(scope="module")
def fixture() -> Fixture:
    return load_fixture(KNOWN_ANSWER)


@pytest.fixture(scope="module")
def snapshot(fixture: Fixture) -> Snapshot:
    steps = fixture.steps
    return Snapshot(
        slot="2026-03-15T00Z",
        now_ms=fixture.now_ms,
        priced_ms=fixture.now_ms,
        skew_ms=0,
        account=Account({asset: Balance(amount) for asset, amount in fixture.account.items()}),
        prices=fixture.prices,
        instruments={s: derived(s, price, step=steps.get(s)) for s, price in fixture.prices.items()},
        daily=DailyMarket(date_at(fixture.now_ms), {}),
        earn={},
        facts=fixture.facts(),
    )


@pytest.fixture(scope="module")
def state() -> State:
    return State("paper", initialised_ms=1, ledger=ledger_of({"USDT": "1000", "BNB": "0.1"}))


@pytest.fixture(scope="module")
def decision(snapshot: Snapshot, state: State, fixture: Fixture) -> Decision:
    assert fixture.pool is not None
    return decide(snapshot, state, ExecutionPool(tuple(fixture.pool["symbols"]), degraded=False), SETTINGS)


def score(symbol: str) -> float:
    """Section 5's relative score, from the raw numbers."""
    raw = document()
    coin, btc = raw["symbols"][symbol], raw["btc"]
    leads = [coin[name] - float(btc[name]) for name in ("roc20", "roc60", "roc120")]  # type: ignore[arg-type]
    return (0.5 * leads[0] + 0.3 * leads[1] + 0.2 * leads[2]) / coin["vol20"]


def test_equity_and_its_split(decision: Decision) -> None:
    """0.14 + 0.16 ln(1.103) = 15.5685 %; the trend sleeve's cash is 84.4315 % of 1030 = 869.644."""
    assert decision.equity == EQUITY
    ratio = 0.14 + 0.16 * log(1 + 1030 / 10_000)
    assert float(decision.btc_target_ratio) == pytest.approx(ratio, abs=1e-12)
    assert round(decision.btc_target_ratio, 6) == D("0.155685")
    assert round(decision.equity * decision.trend_target_ratio, 3) == D("869.644")
    assert decision.trend_target_ratio == 1 - decision.btc_target_ratio


def test_scores_ranks_and_who_qualifies(decision: Decision) -> None:
    """ETH leads by 0.5*0.10 + 0.3*0.20 + 0.2*0.35 = 0.18, over 0.04 = 4.50; SOL by 0.13 over 0.05 = 2.60."""
    judged = {c.symbol: c for c in decision.candidates}
    for symbol, candidate in judged.items():
        assert candidate.score == pytest.approx(score(symbol), abs=1e-12)
    assert judged["ETHUSDT"].score == pytest.approx(4.5)
    assert judged["SOLUSDT"].score == pytest.approx(2.6)
    assert judged["ETHUSDT"].momentum == pytest.approx(0.5 * 0.15 + 0.3 * 0.30 + 0.2 * 0.50)
    ranks = {symbol: candidate.rank for symbol, candidate in judged.items()}
    assert ranks == {"ETHUSDT": 1, "SOLUSDT": 2, "XRPUSDT": 3, "LTCUSDT": None, "BCHUSDT": 4}
    assert judged["LTCUSDT"].failed == ("relative_score",)
    assert decision.regime_on, "60000 > 55000, and the average rises"


def test_weights_are_inverse_to_volatility(decision: Decision) -> None:
    """1/0.04 : 1/0.05 = 25 : 20 = 5/9 : 4/9."""
    weights = {t.symbol: t.weight for t in decision.targets}
    assert weights == {"ETHUSDT": D("0.555555555556"), "SOLUSDT": D("0.444444444444")}
    assert sum(weights.values()) == 1
    assert abs(Fraction(weights["ETHUSDT"]) - Fraction(5, 9)) < Fraction(1, 10**12)


def planned(decision: Decision, snapshot: Snapshot, state: State) -> dict[str, PlannedOrder]:
    wallet = wallet_of(state.ledger, snapshot.account, snapshot.earn)
    assert plan_sells(decision, snapshot, wallet).orders == ()
    plan = plan_buys(decision, snapshot, wallet, SETTINGS)
    assert plan.redeem == plan.subscribe == 0
    return {order.symbol: order for order in plan.orders}


def test_orders(decision: Decision, snapshot: Snapshot, state: State) -> None:
    """Budgets are 5/9 and 4/9 of 869.644 and min(130.356, 2 x 15); 98.5 % of each, floored to the step.

    ETH 483.1356 * 0.985 / 2500 = 0.190355 -> 0.190; SOL 386.5085 * 0.985 / 150 = 2.538073 -> 2.53; BTC 30 * 0.985 /
    60000 = 0.0004925 -> 0.0004. Fuel: 0.1 BNB are worth 30, no purchase.
    """
    orders = planned(decision, snapshot, state)
    figures = {symbol: (round(order.budget, 4), order.quantity) for symbol, order in orders.items()}
    assert figures == {
        "ETHUSDT": (D("483.1356"), D("0.190")),
        "SOLUSDT": (D("386.5085"), D("2.53")),
        "BTCUSDT": (D("30.0000"), D("0.0004")),
    }
    assert list(orders) == ["ETHUSDT", "SOLUSDT", "BTCUSDT"], "entries by rank, then the daily purchase"
    assert decision.dca is not None
    assert (decision.dca.multiplier, decision.dca.base_order) == (2, D(15)), "0.45 <= 0.7 < 0.8; 0.0012 E is only 1.236"


def bought(order: PlannedOrder, number: int, snapshot: Snapshot) -> Intent:
    """The order filled at its price; the fee of 0.1 % is taken from the coin that was bought."""
    fee = order.quantity * D("0.001")
    asset = order.symbol.removesuffix("USDT")
    fill = Fill(number, order.price, order.quantity, fee, asset)
    quote = order.quantity * order.price
    done = Order(order.symbol, number, "", Side.BUY, "FILLED", order.quantity, quote, snapshot.now_ms, (fill,))
    intent = Intent(
        str(number), snapshot.slot, Kind.ORDER, order.sleeve, order.symbol, Side.BUY, order.quantity, order.reason, 0, 1
    )
    return intent.moved(Status.DONE, order=done)


def test_what_the_hour_leaves(decision: Decision, snapshot: Snapshot, state: State) -> None:
    """1000 - 475.00 - 379.50 - 24.00 = 121.50 stay; the spot target is max(50, 5 %) = 50, so 71.50 go into Earn.

    The fees come out of the coins (0.19 - 0.00019 = 0.18981 ETH, ...), never out of the cash: no cash step changes.
    Equity falls by them alone, 0.475 + 0.3795 + 0.024 = 0.8785.
    """
    account = snapshot.account
    for number, order in enumerate(planned(decision, snapshot, state).values(), 1):
        state, entries = book_order(state, bought(order, number, snapshot), snapshot.prices)
        account = applied(account, entries)
    wallet = wallet_of(state.ledger, account, {})
    assert wallet.free["USDT"] == D("121.50")
    assert plan_cash(decision, wallet, SETTINGS).subscribe == D("71.50")
    held = {asset: wallet.quantities[asset] for asset in ("ETH", "SOL", "BTC")}
    assert held == {"ETH": D("0.18981"), "SOL": D("2.52747"), "BTC": D("0.0003996")}
    worth = sum(q * (1 if a == "USDT" else snapshot.prices[a + "USDT"]) for a, q in wallet.quantities.items())
    assert worth == EQUITY - D("0.8785")
    assert state.positions["ETHUSDT"].cost == D(475)
    assert round(state.positions["ETHUSDT"].average, 4) == D("2502.5025"), "475 / 0.18981: the fee raises the cost"


def test_a_fee_in_cash_would_change_the_later_steps_by_itself(decision: Decision, snapshot: Snapshot) -> None:
    """Were the fee taken from the cash, 121.50 - 0.8785 would stay and 70.62 go into Earn, 0.88 less."""
    wallet = wallet_of(ledger_of({"USDT": "120.6215"}), Account({"USDT": Balance(D("120.6215"))}), {})
    assert plan_cash(decision, wallet, SETTINGS).subscribe == D("70.62")
