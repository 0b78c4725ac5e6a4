"""Orders: ids that any process computes alike, and a life that only follows its table."""

from __future__ import annotations

import itertools
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.orders import (
    CLIENT_ID,
    LIFECYCLE,
    Leg,
    Order,
    OwnId,
    Side,
    Sleeve,
    Status,
    client_id,
    id_prefix,
    read_client_id,
)
from runtime.errors import EngineError
from tests.support.values import a_fill, an_intent, an_order

BINANCE_ID = re.compile(r"^[a-zA-Z0-9-_]{1,36}\Z")
SLOT = "2026-11-21T09Z"

sides, sleeves, attempts = st.sampled_from(Side), st.sampled_from(Sleeve), st.integers(0, 35)
symbols = st.text(min_size=0, max_size=40) | st.from_regex(r"[A-Z0-9]{1,20}", fullmatch=True)
slots = st.datetimes().map(lambda moment: f"20{moment.year % 100:02}-{moment:%m-%dT%H}Z")
legs = st.builds(Leg, sleeves, symbols, sides)
asked = st.tuples(st.sampled_from(["main", "sub", ""]), slots, legs, attempts)


@given(st.text(), slots, legs, attempts)
def test_any_symbol_gives_an_id_that_binance_takes(account: str, slot: str, leg: Leg, attempt: int) -> None:
    made = client_id(account, slot, leg, attempt)
    assert BINANCE_ID.match(made)
    assert CLIENT_ID.fullmatch(made)
    assert made.startswith(id_prefix(account))


@pytest.mark.parametrize(
    "symbol", ["X", "1", "", "1000SATSUSDT", "1INCHUSDT", "MATICUSDT", "币安人生USDT", "\ud800", "a-b"]
)
def test_symbols_that_broke_ids_before_do_not(symbol: str) -> None:
    for leg in itertools.starmap(lambda sleeve, side: Leg(sleeve, symbol, side), itertools.product(Sleeve, Side)):
        assert BINANCE_ID.match(client_id("main", SLOT, leg, 35))


def test_the_id_of_an_intent_is_this_one_forever() -> None:
    """Another value would let a recovering run of a newer version miss the orders of an older one."""
    leg = Leg(Sleeve.TREND, "ETHUSDT", Side.BUY)
    assert client_id("main", SLOT, leg, 0) == "bp0d6e4-26112109-tB0-ETHUSDT"
    assert client_id("main", SLOT, leg, 35) == "bp0d6e4-26112109-tBz-ETHUSDT"


@given(asked, asked)
def test_ids_are_equal_only_for_equal_arguments(
    one: tuple[str, str, Leg, int], other: tuple[str, str, Leg, int]
) -> None:
    assert (client_id(*one) == client_id(*other)) is (one == other)


@given(asked, st.data())
def test_each_argument_alone_changes_the_id(args: tuple[str, str, Leg, int], data: st.DataObject) -> None:
    account, slot, leg, attempt = args
    changed = data.draw(
        st.sampled_from(
            [
                (account + "x", slot, leg, attempt),
                (account, SLOT if slot != SLOT else "2026-11-21T10Z", leg, attempt),
                (account, slot, Leg(leg.sleeve, leg.symbol + "X", leg.side), attempt),
                (account, slot, Leg(leg.sleeve, leg.symbol, Side.BUY if leg.side is Side.SELL else Side.SELL), attempt),
                (account, slot, leg, (attempt + 1) % 36),
                *((account, slot, Leg(s, leg.symbol, leg.side), attempt) for s in Sleeve if s is not leg.sleeve),
            ]
        )
    )
    assert client_id(*changed) != client_id(*args)


@given(asked)
def test_an_id_of_ours_says_what_it_is_for(args: tuple[str, str, Leg, int]) -> None:
    account, slot, leg, attempt = args
    assert read_client_id(account, client_id(*args)) == OwnId(slot, leg.sleeve, leg.side, attempt)


@given(st.text(max_size=40) | st.text(max_size=30).map(lambda text: id_prefix("main") + text))
def test_any_other_id_says_nothing(text: str) -> None:
    """Manual orders, other programs' orders, and ids that only begin like ours."""
    assert read_client_id("main", text) is None


@given(asked)
def test_another_accounts_id_is_not_ours(args: tuple[str, str, Leg, int]) -> None:
    assert read_client_id("elsewhere", client_id(*args)) is None


def test_sleeves_and_sides_are_told_apart_by_their_first_letters() -> None:
    assert len({sleeve[0] for sleeve in Sleeve}) == len(Sleeve)
    assert len({side[0] for side in Side}) == len(Side)


@pytest.mark.parametrize("attempt", [-1, 36])
def test_more_attempts_than_letters_are_refused(attempt: int) -> None:
    with pytest.raises(EngineError, match="at most 36 sends a cycle"):
        client_id("main", SLOT, Leg(Sleeve.TREND, "ETHUSDT", Side.BUY), attempt)


ENDS = {Status.DONE, Status.REFUSED, Status.ABSENT}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(Status, Status)))
def test_an_intent_moves_only_along_the_table(before: Status, after: Status) -> None:
    """From recorded and unknown to any end or to unknown; from an end nowhere; back to recorded never."""
    intent = an_intent() if before is Status.RECORDED else an_intent().moved(before)
    if before not in ENDS and after is not Status.RECORDED:
        assert intent.moved(after).status is after
    else:
        with pytest.raises(EngineError, match=f"intent id-1: {before} cannot become {after}"):
            intent.moved(after)


def test_the_table_knows_every_status_and_open_means_not_at_an_end() -> None:
    assert set(LIFECYCLE) == set(Status)
    assert {status for status, after in LIFECYCLE.items() if not after} == ENDS
    assert an_intent().open
    assert an_intent().moved(Status.UNKNOWN).open
    assert not any(an_intent().moved(status).open for status in ENDS)


def test_a_move_keeps_what_is_known_unless_it_brings_news() -> None:
    order = an_order(Side.BUY, a_fill(1, "2500", "0.19"))
    first = an_intent().moved(Status.UNKNOWN, detail="timeout", order=order)
    assert (first.moved(Status.UNKNOWN).detail, first.moved(Status.UNKNOWN).order) == ("timeout", order)
    assert first.moved(Status.DONE, detail="found").detail == "found"


@pytest.mark.parametrize(
    ("status", "finished"),
    [
        ("NEW", False),
        ("PENDING_NEW", False),
        ("PARTIALLY_FILLED", False),
        ("PENDING_CANCEL", False),
        ("FILLED", True),
        ("CANCELED", True),
        ("REJECTED", True),
        ("EXPIRED", True),
        ("EXPIRED_IN_MATCH", True),
    ],
)
def test_an_order_is_finished_when_nothing_more_can_execute(status: str, finished: bool) -> None:
    order = Order("ETHUSDT", 1, "x", Side.BUY, status, Decimal(0), Decimal(0), 0)
    assert order.finished is finished


def test_fills_are_complete_when_they_add_up_to_what_was_executed() -> None:
    fills = a_fill(1, "2500", "0.1"), a_fill(2, "2501", "0.09")
    assert an_order(Side.BUY, *fills, executed="0.19").fills_complete
    assert not an_order(Side.BUY, *fills, executed="0.20").fills_complete
    assert not an_order(Side.BUY, executed="0.19").fills_complete
    assert an_order(Side.BUY).fills_complete


def test_the_average_price_is_proceeds_over_quantity() -> None:
    assert an_order(Side.SELL, a_fill(1, "100", "1"), a_fill(2, "130", "2")).average_price == Decimal(120)
    assert an_order(Side.SELL).average_price == 0
