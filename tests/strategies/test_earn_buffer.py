"""The quiet window of Earn, the purchase of fuel, and how much cash stays at spot."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.decision import Decision
from runtime.domain.limits import quiet_hours
from runtime.domain.planning import plan_buys, plan_cash, spot_target
from runtime.domain.slots import DAY_MS, MINUTE_MS
from runtime.domain.valuation import Wallet, wallet_of
from strategies.earn_buffer import refuel
from tests.support.situations import SETTINGS, Situation, account_of, earn_of, ledger_of, ordinary

D = Decimal
MIDNIGHT_MS = 20_000 * DAY_MS


@pytest.mark.parametrize(
    ("from_midnight_ms", "quiet"),
    [
        (-10 * MINUTE_MS - 1, False),  # 23:49:59.999
        (-10 * MINUTE_MS, True),  # 23:50
        (-1, True),
        (0, True),
        (10 * MINUTE_MS - 1, True),  # 00:09:59.999
        (10 * MINUTE_MS, False),  # 00:10
        (12 * 60 * MINUTE_MS, False),
    ],
)
def test_no_earn_moves_from_ten_to_midnight_until_ten_past(from_midnight_ms: int, quiet: bool) -> None:
    assert (quiet_hours(MIDNIGHT_MS + from_midnight_ms) is not None) is quiet


def test_in_the_window_earn_rests_and_everything_else_goes_on() -> None:
    now_ms = MIDNIGHT_MS + 23 * 60 * MINUTE_MS + 55 * MINUTE_MS
    decision = ordinary().seen(now_ms=now_ms, priced_ms=now_ms).decide()
    assert not decision.earn
    assert decision.fuel
    assert decision.entries == ("ETHUSDT", "SOLUSDT")
    assert "earn_window" in {g.name for g in decision.gates}


@pytest.mark.parametrize(
    ("value", "cash", "done", "gate"),
    [
        ("9.99", "15", (), None),
        ("10", "15", (), "fuel_enough"),
        ("0", "14.99", (), "no_cash"),
        ("0", "15", ("fuel",), "fuel_done"),
    ],
)
def test_fuel_is_bought_once_a_day_below_ten_with_fifteen_at_hand(
    value: str, cash: str, done: tuple[str, ...], gate: str | None
) -> None:
    stopped = refuel(D(value), D(cash), done, SETTINGS)
    assert (stopped.name if stopped else None) == gate


def test_fuel_is_bought_for_fifteen_after_everything_else() -> None:
    """15 x 0.985 / 300 = 0.04925 -> 0.049 BNB, as the last order of the hour, from what the others left."""
    situation = ordinary().owning({"USDT": "1000", "BNB": "0.02"})
    plan = plan_buys(situation.decide(), situation.snapshot, wallet_in(situation), SETTINGS)
    assert [(o.symbol, o.quantity, o.budget) for o in plan.orders][-1] == ("BNBUSDT", D("0.049"), D(15))


def test_with_the_breaker_tripping_fuel_waits_for_nothing_but_comes_after_the_sale() -> None:
    """The breaker is judged before fuel: the sale is in the same decision, and no entry is."""
    lost = ordinary().with_day(start_closes={"XRP": D("1.5"), "LTC": D(110)}).decide()
    assert {e.symbol for e in lost.exits} == {"LTCUSDT", "XRPUSDT"}
    assert lost.entries == ()
    assert lost.fuel


def wallet_in(situation: Situation) -> Wallet:
    return wallet_of(situation.state.ledger, situation.snapshot.account, situation.snapshot.earn)


def cash_only(free: str, earn: str) -> tuple[Decision, Situation]:
    """Nothing to buy: regime off, bitcoin dear, fuel full."""
    idle = ordinary().owning({"USDT": free, "BNB": "1"}, earn).with_btc(close=1.0, ahr999=3.0)
    return idle.decide(), idle


@pytest.mark.parametrize(
    ("cash", "target"),
    [("0", "50"), ("1000", "50"), ("1000.20", "50.01"), ("4000", "200"), ("6000", "300"), ("1000000", "300")],
)
def test_the_spot_target_is_five_percent_within_fifty_and_three_hundred(cash: str, target: str) -> None:
    assert spot_target(D(cash), SETTINGS) == D(target)


@pytest.mark.parametrize(
    ("free", "earn", "subscribe", "redeem"),
    [
        ("55", "945", "0", "0"),  # target 50, dead band up to 55
        ("55.01", "944.99", "5.01", "0"),
        ("45", "955", "0", "0"),
        ("44.99", "955.01", "0", "5.01"),
        ("0", "30", "0", "30"),  # never more than there is
        ("0", "30.009", "0", "30"),  # in whole cents
        ("0", "0.009", "0", "0"),
        ("1000.009", "0", "950.00", "0"),  # target 50.00045, excess 950.00855, rounded down
    ],
)
def test_the_buffer_is_kept_within_its_dead_band(free: str, earn: str, subscribe: str, redeem: str) -> None:
    decision, situation = cash_only(free, earn)
    plan = plan_buys(decision, situation.snapshot, wallet_in(situation), SETTINGS)
    assert plan.orders == ()
    assert plan.redeem == D(redeem)
    assert plan_cash(decision, wallet_in(situation), SETTINGS).subscribe == D(subscribe)


def test_one_redemption_covers_all_needs_and_the_buffer() -> None:
    """20 at spot, 2000 in Earn, everything to buy: redeem = needs + clamp(5 % of the rest, 50, 300) - 20."""
    situation = ordinary().owning({"USDT": "20", "BNB": "0.02"}, "2000")
    plan = plan_buys(situation.decide(), situation.snapshot, wallet_in(situation), SETTINGS)
    assert {o.symbol for o in plan.orders} == {"ETHUSDT", "SOLUSDT", "BTCUSDT", "BNBUSDT"}
    needs = sum((o.budget for o in plan.orders), D(0))
    wanted = needs + max(D(50), (2020 - needs) * D("0.05")) - 20
    assert 0 <= wanted - plan.redeem < D("0.01")


def test_what_is_pledged_closed_or_unknown_to_the_ledger_is_not_redeemed() -> None:
    decision, situation = cash_only("0", "100")
    for position, ledger_earn, redeem in (
        (earn_of("100", pledged=D(80)), "100", "20"),
        (earn_of("100", can_redeem=False), "100", "0"),
        (earn_of("500"), "30", "30"),
    ):
        wallet = wallet_of(ledger_of({}, ledger_earn), account_of({}), position)
        assert plan_buys(decision, situation.snapshot, wallet, SETTINGS).redeem == D(redeem)


cents = st.decimals(min_value=0, max_value=100_000, places=3)


@given(free=cents, earn=cents)
def test_cash_moves_are_whole_cents_within_what_there_is_and_never_both_ways(free: Decimal, earn: Decimal) -> None:
    decision, situation = cash_only(str(free), str(earn))
    wallet = wallet_in(situation)
    redeem = plan_buys(decision, situation.snapshot, wallet, SETTINGS).redeem
    subscribe = plan_cash(decision, wallet, SETTINGS).subscribe
    assert 0 <= redeem <= earn
    assert 0 <= subscribe <= free
    assert not (redeem and subscribe)
    assert redeem == round(redeem, 2)
    assert subscribe == round(subscribe, 2)
    target = min(max(D("0.05") * (free + earn), D(50)), D(300))
    after = free + redeem - subscribe
    assert abs(after - target) <= D("5.01") or redeem > earn - D("0.01")
