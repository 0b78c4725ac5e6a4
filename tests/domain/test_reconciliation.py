"""Reconciliation: only evidence explains a difference; what is left is unexplained, exactly, until it is explained."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.evidence import Flow, FlowKind
from runtime.domain.ledger import Balances, Book, Entry
from runtime.domain.market import Account
from runtime.domain.reconciliation import (
    SEEN_DAYS,
    drift_after,
    earn_difference,
    fitted_positions,
    fitting,
    flow_entry,
    interest_entry,
    opening_entry,
    seen_after,
    spot_differences,
    unexplained_entry,
)
from runtime.domain.slots import DAY_MS
from runtime.domain.state import DayBook, Position, State
from runtime.domain.valuation import wallet_of
from tests.support.situations import NOW_MS, SLOT, TODAY, account_of, earn_of, ledger_of

D = Decimal


def flow(amount: str, name: str = "", asset: str = "USDT", kind: str = FlowKind.DEPOSIT, time_ms: int = NOW_MS) -> Flow:
    return Flow(name or f"{kind}:{amount}", kind, asset, D(amount), time_ms)


def amounts_of(flows: tuple[Flow, ...]) -> list[str]:
    return [str(f.amount) for f in flows]


def test_the_opening_manages_cash_and_fuel_and_reserves_everything_else() -> None:
    account = account_of({"USDT": "100", "BNB": "1", "ETH": "3"}, {"ETH": "2", "USDT": "5"})
    entry = opening_entry(SLOT, NOW_MS, account, earn_of("400"))
    ledger = Balances().posted([entry])
    assert ledger.assets(Book.SPOT) == {"USDT": D(105), "BNB": D(1)}
    assert ledger.assets(Book.RESERVED) == {"ETH": D(5)}
    assert ledger.of(Book.EARN, "USDT") == 400
    assert spot_differences(ledger, account) == {}
    assert earn_difference(ledger, earn_of("400")) == 0
    assert opening_entry(SLOT, NOW_MS, Account({}), {}).postings == ()


def test_differences_are_exact_in_both_directions() -> None:
    ledger = ledger_of({"USDT": "100", "ETH": "1"}, "50", reserved={"ETH": "2", "DOGE": "7"})
    account = account_of({"USDT": "100.00000001", "SOL": "4"}, {"ETH": "2.5"})
    assert spot_differences(ledger, account) == {"DOGE": D(-7), "ETH": D("-0.5"), "SOL": D(4), "USDT": D("0.00000001")}
    assert earn_difference(ledger, earn_of("50.5")) == D("0.5")
    assert earn_difference(ledger, {}) == -50


@pytest.mark.parametrize(
    ("difference", "flows", "taken"),
    [
        ("50", ["20", "30"], ["20", "30"]),  # all of them
        ("-10", ["20", "-30"], ["20", "-30"]),  # of both signs
        ("30", ["20", "30"], ["30"]),  # the 20 has not arrived yet
        ("5", ["3", "5"], ["5"]),  # a greedy match would take the 3 and leave 2 unexplained
        ("100", ["100", "-30"], ["100"]),  # the withdrawal lags
        ("70", ["100", "-30"], ["100", "-30"]),
        ("25", ["20", "30"], ["20"]),  # not exact: what fits, oldest first
        ("10", ["20", "30"], []),  # a record that overshoots waits
        ("-10", ["20", "30"], []),
        ("10", [], []),
        ("10", ["-10"], []),
    ],
)
def test_which_evidence_fits_a_difference(difference: str, flows: list[str], taken: list[str]) -> None:
    found = fitting(D(difference), [flow(amount, f"{i}") for i, amount in enumerate(flows)])
    assert amounts_of(found) == taken


def test_among_many_records_only_all_of_them_are_tried_together() -> None:
    """A day of rewards: 200 records cost no more than their sum."""
    rewards = [flow("0.01", str(n), kind=FlowKind.REWARD) for n in range(200)]
    assert len(fitting(D(2), rewards)) == 200
    assert len(fitting(D("0.055"), rewards)) == 5


units = st.integers(min_value=-50, max_value=50).filter(bool)


@given(arrived=st.lists(units, max_size=5), lagging=st.lists(units, max_size=3))
def test_what_arrived_is_fully_explained_though_other_records_lag(arrived: list[int], lagging: list[int]) -> None:
    """The balance shows the first, the records name both: nothing is left unexplained."""
    flows = [flow(str(n), f"{i}") for i, n in enumerate([*arrived, *lagging])]
    difference = D(sum(arrived))
    taken = fitting(difference, flows) if difference else ()
    assert sum((f.amount for f in taken), D(0)) == difference


@given(difference=units, flows=st.lists(units, max_size=8))
def test_evidence_never_overshoots_what_it_explains(difference: int, flows: list[int]) -> None:
    taken = fitting(D(difference), [flow(str(n), f"{i}") for i, n in enumerate(flows)])
    left = difference - sum((f.amount for f in taken), D(0))
    assert left == 0 or (left > 0) == (difference > 0)
    assert abs(left) <= abs(difference)


def test_money_is_managed_on_arrival_and_coins_are_reserved() -> None:
    ledger = Balances()
    for f in (flow("50"), flow("1", asset="BNB"), flow("3", asset="ETH"), flow("0.2", kind=FlowKind.REWARD)):
        ledger = ledger.posted([flow_entry(f, SLOT, ledger)])
    assert ledger.assets(Book.SPOT) == {"USDT": D("50.2"), "BNB": D(1)}
    assert ledger.assets(Book.RESERVED) == {"ETH": D(3)}
    assert (ledger.of(Book.FLOWS, "USDT"), ledger.of(Book.INCOME, "USDT")) == (D(-50), D("-0.2"))


def test_coins_that_leave_come_out_of_the_reserve_first() -> None:
    ledger = ledger_of({"ETH": "2"}, reserved={"ETH": "3"})
    after = ledger.posted([flow_entry(flow("-4", asset="ETH", kind=FlowKind.WITHDRAWAL), SLOT, ledger)])
    assert (after.of(Book.SPOT, "ETH"), after.of(Book.RESERVED, "ETH")) == (D(1), D(0))
    kept = ledger.posted([flow_entry(flow("-3", asset="ETH", kind=FlowKind.WITHDRAWAL), SLOT, ledger)])
    assert kept.of(Book.SPOT, "ETH") == 2, "what is reserved is the operator's; the managed part is untouched"


changes = st.dictionaries(
    st.sampled_from(["USDT", "BNB", "ETH", "DOGE"]), st.decimals(min_value=-50, max_value=50, places=8), min_size=1
)


@given(injected=changes, earn=st.decimals(min_value=-10, max_value=10, places=8))
def test_the_unexplained_is_exactly_what_was_injected(injected: dict[str, Decimal], earn: Decimal) -> None:
    """Any change of balance without evidence: afterwards the ledger equals the account, and drift is the change."""
    ledger = ledger_of({"USDT": "100", "BNB": "100", "ETH": "60"}, "50", reserved={"ETH": "40", "DOGE": "100"})
    account = account_of({a: str(D(100) + injected.get(a, D(0))) for a in ("USDT", "BNB", "ETH", "DOGE")})
    position = earn_of(str(50 + earn))
    off = earn_difference(ledger, position)
    entry = unexplained_entry(SLOT, NOW_MS, spot_differences(ledger, account), off, ledger)
    entries = [entry] if entry else []
    after = ledger.posted(entries)
    assert spot_differences(after, account) == {}
    assert earn_difference(after, position) == 0
    expected = {a: v for a, v in injected.items() if v}
    expected["USDT"] = expected.get("USDT", D(0)) + earn
    assert drift_after({}, entries) == {a: v for a, v in expected.items() if v}
    assert {a: -v for a, v in after.assets(Book.UNEXPLAINED).items()} == drift_after({}, entries)


def test_nothing_unexplained_is_no_entry() -> None:
    assert unexplained_entry(SLOT, NOW_MS, {}, D(0), Balances()) is None


def test_drift_closes_when_its_evidence_arrives_later() -> None:
    """80 USDT appear without a record; hours later the deposit's record does. The balance does not move again."""
    ledger = ledger_of({"USDT": "100"})
    surprise = unexplained_entry(SLOT, NOW_MS, {"USDT": D(80)}, D(0), ledger)
    assert surprise is not None
    drift, ledger = drift_after({}, [surprise]), ledger.posted([surprise])
    assert drift == {"USDT": D(80)}
    (late,) = fitting(drift["USDT"], [flow("80")])
    proof = flow_entry(late, SLOT, ledger, Book.UNEXPLAINED)
    assert drift_after(drift, [proof]) == {}
    after = ledger.posted([proof])
    assert (after.of(Book.SPOT, "USDT"), after.of(Book.FLOWS, "USDT")) == (D(180), D(-80))
    assert after.assets(Book.UNEXPLAINED) == {}


def test_drift_closes_when_the_difference_goes_away_by_itself() -> None:
    entries: list[Entry] = []
    ledger = ledger_of({"USDT": "100"})
    for amount in ("-5", "5"):
        entry = unexplained_entry(SLOT, NOW_MS, {"USDT": D(amount)}, D(0), ledger)
        assert entry is not None
        entries.append(entry)
        ledger = ledger.posted([entry])
    assert drift_after({}, entries) == {}
    assert ledger == ledger_of({"USDT": "100"}, "0").posted([])


def test_late_evidence_of_a_reward_is_income() -> None:
    proof = flow_entry(flow("2", kind=FlowKind.REWARD), SLOT, Balances(), Book.UNEXPLAINED)
    assert {p.book for p in proof.postings} == {Book.INCOME, Book.UNEXPLAINED}


@pytest.mark.parametrize(
    ("total", "rewards", "known", "interest"),
    [
        ("100.5", "7.5", "7", "0.5"),
        ("100.5", "7.2", "7", "0.2"),  # the rest is not vouched for
        ("100.2", "7.5", "7", "0.2"),  # vouched for more than there is
        ("100", "7", "7", None),
        ("105", "7", "7", None),  # growth without rewards is no interest
        ("60.5", "7.5", "7", "0.5"),  # 40 were redeemed by hand: it earned all the same
        ("100.3", "0.3", "7", "0.3"),  # a new position counts its rewards anew
    ],
)
def test_interest_is_growth_as_far_as_rewards_vouch_for_it(
    total: str, rewards: str, known: str, interest: str | None
) -> None:
    state = State("main", ledger=ledger_of({}, "100"), earn_rewards={"USDT": D(known)})
    entry = interest_entry(state, SLOT, NOW_MS, earn_of(total, rewards=D(rewards)))
    if interest is None:
        assert entry is None
    else:
        assert entry is not None
        assert state.ledger.posted([entry]).of(Book.EARN, "USDT") == 100 + D(interest)
        assert state.ledger.posted([entry]).of(Book.INCOME, "USDT") == -D(interest)


def test_without_a_position_there_is_no_interest() -> None:
    assert interest_entry(State("main"), SLOT, NOW_MS, {}) is None


def test_booked_evidence_is_remembered_longer_than_it_is_asked_for() -> None:
    old, young = NOW_MS - SEEN_DAYS * DAY_MS, NOW_MS - 7 * DAY_MS
    seen = seen_after({"old": old, "young": young}, [flow("1", "new")], NOW_MS)
    assert seen == {"young": young, "new": NOW_MS}


def managed(owned: str) -> State:
    """2 ETH for 3000, opened the day at 2000 each; `owned` are left in the ledger."""
    return State(
        "main",
        ledger=ledger_of({"ETH": owned}),
        positions={"ETHUSDT": Position(D(3000), D(2), 5)},
        day=DayBook(TODAY, {"ETH": D(2)}, {"ETH": D(2000)}),
        prices={"ETHUSDT": D(2100)},
    )


@pytest.mark.parametrize(("owned", "position"), [("2", ("3000", "2")), ("3", ("3000", "2")), ("0.5", ("750", "0.5"))])
def test_a_position_is_never_larger_than_what_is_owned(owned: str, position: tuple[str, str]) -> None:
    fitted = fitted_positions(managed(owned))
    assert fitted.positions["ETHUSDT"] == Position(D(position[0]), D(position[1]), 5)


def test_a_position_whose_coins_are_gone_is_gone() -> None:
    for owned in ("0", "-1"):
        assert fitted_positions(managed(owned)).positions == {}


def test_what_the_operator_took_out_is_no_loss_of_the_day() -> None:
    """1.5 of 2 ETH left at the last cycle's 2100: sold for 3150 as the breaker sees it."""
    day = fitted_positions(managed("0.5")).day
    assert day is not None
    assert day.sold == D(3150)
    unpriced = fitted_positions(replace(managed("0.5"), prices={})).day
    assert unpriced is not None
    assert unpriced.sold == D(2250), "at cost, where no price was kept"
    assert fitted_positions(managed("2")).day == managed("2").day


def test_what_is_drifting_is_outside_what_can_be_sold() -> None:
    """5 ETH appear: reserved, so neither owned nor sellable; 1 of 2 managed ones is missing: only one is left."""
    ledger = ledger_of({"ETH": "2"})
    for change, sellable in (("5", "2"), ("-1", "1")):
        entry = unexplained_entry(SLOT, NOW_MS, {"ETH": D(change)}, D(0), ledger)
        assert entry is not None
        wallet = wallet_of(ledger.posted([entry]), account_of({"ETH": str(2 + D(change))}), {})
        assert wallet.free["ETH"] == wallet.quantities["ETH"] == D(sellable)
