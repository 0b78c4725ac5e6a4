"""Documents beside the state: exact there and back, canonical, and checked when read."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.control import Control, Mode
from runtime.domain.documents import canonical, check_state_size, decode, encode, from_json, parse, state_text, to_json
from runtime.domain.ledger import Book, Entry, Posting, transfer
from runtime.domain.orders import Fill, Intent, Kind, Order, Side, Sleeve, Status
from runtime.domain.state import STATE_BYTES_MAX, decode_state
from runtime.errors import StateUnreadable, StoreError
from runtime.ports import CycleRecord, DailyCache
from tests.support.stores import cache, cycle, entry, intent, state

AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=12)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
TIMES = st.integers(0, 2**53)
INTENTS = st.builds(
    Intent,
    id=TEXTS, slot=TEXTS, kind=st.sampled_from(Kind), sleeve=st.sampled_from(Sleeve), symbol=TEXTS,
    side=st.sampled_from(Side), quantity=AMOUNTS, reason=TEXTS, recorded_ms=TIMES, send_before_ms=TIMES,
    decision_price=AMOUNTS, budget=AMOUNTS, status=st.sampled_from(Status), sent_ms=st.none() | TIMES,
    order=st.none() | st.builds(
        Order, symbol=TEXTS, order_id=TIMES, client_id=TEXTS, side=st.sampled_from(Side), status=TEXTS,
        executed_qty=AMOUNTS, quote_qty=AMOUNTS, time_ms=TIMES,
        fills=st.tuples(st.builds(
            Fill, trade_id=TIMES, price=AMOUNTS, qty=AMOUNTS, commission=AMOUNTS, commission_asset=TEXTS)),
    ),
    detail=TEXTS, before=st.dictionaries(TEXTS, TEXTS, max_size=3),
)  # fmt: skip
ENTRIES = st.builds(
    Entry,
    id=TEXTS, slot=TEXTS, time_ms=TIMES, kind=TEXTS, reference=TEXTS,
    postings=st.lists(st.tuples(st.sampled_from(Book), st.sampled_from(Book), TEXTS, AMOUNTS), max_size=4).map(
        lambda moves: tuple(posting for move in moves for posting in transfer(*move))),
)  # fmt: skip


@given(INTENTS)
def test_any_intent_comes_back_equal(value: Intent) -> None:
    assert from_json(Intent, to_json(value), "journal") == value
    assert decode(Intent, encode(value), "journal") == value


@given(ENTRIES)
def test_any_entry_comes_back_equal(value: Entry) -> None:
    assert from_json(Entry, to_json(value), "ledger") == value


@given(
    st.builds(
        Control, mode=st.sampled_from(Mode), who=TEXTS, when_ms=TIMES, why=TEXTS,
        expires_ms=st.none() | TIMES, unreadable=st.just(False),
    )
)  # fmt: skip
def test_any_control_comes_back_equal(value: Control) -> None:
    assert from_json(Control, to_json(value), "control", required=("mode",)) == value


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=8))
def test_candles_keep_every_bit(numbers: list[float]) -> None:
    column = tuple(numbers)
    series = replace(cache().series["ETHUSDT"], high=column, low=column, close=column, quote_volume=column)
    value = replace(cache(), series={"ETHUSDT": series})
    assert from_json(DailyCache, to_json(value), "cache") == value


@pytest.mark.parametrize(
    "value", [intent("a"), entry("a"), cycle(), cache(), Control()], ids=lambda v: type(v).__name__
)
def test_the_same_value_always_gives_the_same_ascii_text(value: object) -> None:
    text = to_json(value)
    assert text == to_json(from_json(type(value), text, "again"))
    assert text.isascii()
    assert text == canonical(json.loads(text))


def test_amounts_are_text_without_exponent_or_trailing_zeros() -> None:
    posting = encode(Entry("x", "s", 0, "k", transfer(Book.SPOT, Book.EARN, "BTC", Decimal("1E-8"))))["postings"][1]
    assert posting == {"book": "earn", "asset": "BTC", "amount": "0.00000001"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"quantity": 0.19}, "quantity"),
        ({"quantity": "NaN"}, "quantity"),
        ({"status": "perhaps"}, "status"),
        ({"recorded_ms": "soon"}, "recorded_ms"),
        ({"order": {"symbol": "X"}}, "order"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(StateUnreadable, match=f"journal: {named}"):
        decode(Intent, encode(intent("a")) | change, "journal")


def test_an_entry_that_does_not_balance_is_refused() -> None:
    document = encode(entry("a"))
    document["postings"][0]["amount"] = "1"
    with pytest.raises(StateUnreadable, match="does not balance"):
        decode(Entry, document, "ledger")


def test_a_missing_field_is_refused_where_it_is_required_even_if_it_has_a_default() -> None:
    assert decode(Control, {}, "control") == Control()
    with pytest.raises(StateUnreadable, match="control: mode: missing"):
        decode(Control, {}, "control", required=("mode",))


def test_unknown_fields_are_ignored() -> None:
    assert decode(CycleRecord, encode(cycle()) | {"expires_at": "x"}, "cycle") == cycle()


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "null", '"x"'])
def test_text_that_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(StateUnreadable, match="somewhere"):
        parse(text, "somewhere")


def test_a_lone_surrogate_in_a_text_survives() -> None:
    value = replace(intent("a"), detail="\ud800")
    assert from_json(Intent, to_json(value), "journal") == value


def test_the_state_text_is_the_whole_state() -> None:
    assert decode_state(parse(state_text(state()), "state")) == state()


def test_a_state_is_refused_above_its_bound_and_the_size_named() -> None:
    check_state_size(STATE_BYTES_MAX)
    with pytest.raises(StoreError, match=f"{STATE_BYTES_MAX + 1} bytes"):
        check_state_size(STATE_BYTES_MAX + 1)
    with pytest.raises(StoreError, match="nothing was written"):
        state_text(state(unknown=((("heap",), "x" * STATE_BYTES_MAX),)))


def test_zero_amounts_of_any_exponent_are_stored_alike() -> None:
    assert encode(Entry("x", "s", 0, "k", (Posting(Book.SPOT, "A", Decimal("0E-8")),)))["postings"][0]["amount"] == "0"
