"""State: nothing is lost on the way to the store and back, nothing foreign is dropped, nothing doubtful is read."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.alerts import Alert, Incident, Severity
from runtime.domain.costs import MonthCosts, Spent
from runtime.domain.decision import BreakerMemory, HoldingMemory, Memory
from runtime.domain.ledger import Balances, Book
from runtime.domain.orders import Side, Status
from runtime.domain.pool import AcceptedPool, PoolStatus, Rung
from runtime.domain.state import (
    MIGRATIONS,
    SCHEMA_VERSION,
    DayBook,
    Dependency,
    Position,
    State,
    decode_state,
    encode_state,
    migrated,
)
from runtime.errors import StateUnreadable
from tests.support.values import a_fill, an_intent, an_order, json_values, texts, values_of

HINTS = get_type_hints(State)
states = st.builds(
    State,
    **{f.name: values_of(HINTS[f.name]) for f in fields(State) if f.name not in {"schema_version", "unknown"}},
)


def full() -> State:
    """A state with something in every place that can hold a field of another version."""
    intent = replace(an_intent(), order=an_order(Side.BUY, a_fill(1, "2500", "0.1"), a_fill(2, "2501", "0.09")))
    return State(
        account="main",
        slot_done="2026-11-21T08Z",
        pool=AcceptedPool("v1", date(2026, 11, 1), "core_major", ("ETHUSDT",), "2026-11-02T00Z", 1, ("core_major",)),
        pool_status=PoolStatus(Rung.FRESH_UPSTREAM, "v1", date(2026, 11, 1), 20, degraded=False),
        ledger=Balances({Book.SPOT: {"ETH": Decimal("0.18981")}}),
        positions={"ETHUSDT": Position(Decimal(475), Decimal("0.19"), 1)},
        memory=Memory(holdings={"ETHUSDT": HoldingMemory(Decimal(2500))}, breaker=BreakerMemory()),
        day=DayBook(date(2026, 11, 21), done=("buy:ETHUSDT",)),
        intents=(replace(intent, id="id-0"), intent),
        dependencies={"binance": Dependency(1, 2)},
        costs={
            "2026-11": MonthCosts(Spent(Decimal("0.475"), Decimal("-0.1"), Decimal(475), 1), 9, ("fees 80 % of 1",))
        },
        incidents={"drift": Incident("drift", "2026-11-21T08Z")},
        outbox=(Alert("a-1", "drift", Severity.WARNING, "2026-11-21T08Z"),),
    )


def stored(state: State) -> dict[str, Any]:
    """The document as a store gives it back."""
    document: dict[str, Any] = json.loads(json.dumps(encode_state(state), allow_nan=False))
    return document


PLACES: list[tuple[str | int, ...]] = [
    (),
    ("pool",),
    ("pool_status",),
    ("ledger",),
    ("positions", "ETHUSDT"),
    ("memory",),
    ("memory", "trim"),
    ("costs", "2026-11"),
    ("costs", "2026-11", "spent"),
    ("memory", "breaker"),
    ("memory", "holdings", "ETHUSDT"),
    ("day",),
    ("performance",),
    ("intents", 0),
    ("intents", 1),
    ("intents", 1, "order"),
    ("intents", 1, "order", "fills", 0),
    ("intents", 1, "order", "fills", 1),
    ("dependencies", "binance"),
    ("incidents", "drift"),
    ("outbox", 0),
]


def at(document: Any, place: tuple[str | int, ...]) -> Any:
    for step in place:
        document = document[step]
    return document


# --- there and back -------------------------------------------------------------------------------------------------


@given(states)
def test_any_state_comes_back_from_the_store_as_it_went(state: State) -> None:
    assert decode_state(stored(state)) == state


@given(states)
def test_the_document_of_what_was_read_is_the_document(state: State) -> None:
    document = stored(state)
    assert stored(decode_state(document)) == document


def test_amounts_are_stored_as_exact_text() -> None:
    document = stored(full())
    assert document["positions"]["ETHUSDT"]["cost"] == "475"
    assert document["ledger"] == {"totals": {"spot": {"ETH": "0.18981"}}}


def test_fields_of_a_younger_version_are_added_with_their_defaults() -> None:
    assert decode_state({"account": "main", "schema_version": 1}) == State("main")


def test_open_intents_are_those_that_need_settling() -> None:
    assert [intent.id for intent in full().open_intents] == ["id-0", "id-1"]
    settled = tuple(intent.moved(Status.DONE) for intent in full().intents)
    assert replace(full(), intents=settled).open_intents == ()


def test_the_average_is_cost_over_quantity_and_nothing_costs_nothing() -> None:
    assert Position(Decimal(475), Decimal("0.19"), 1).average == Decimal(2500)
    assert Position(Decimal(0), Decimal(0), 1).average == 0


# --- unknown fields -------------------------------------------------------------------------------------------------


def with_unknown(places: list[tuple[tuple[str | int, ...], str, Any]]) -> dict[str, Any]:
    """The full document with `x-` fields at some places."""
    document = stored(full())
    for place, name, value in places:
        at(document, place)[f"x-{name}"] = value
    return document


@given(st.lists(st.tuples(st.sampled_from(PLACES), texts, json_values), max_size=5))
def test_unknown_fields_at_any_depth_survive(places: list[tuple[tuple[str | int, ...], str, Any]]) -> None:
    document = with_unknown(places)
    state = decode_state(document)
    assert replace(state, unknown=()) == full()
    assert stored(state) == document


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_an_unknown_field_survives_at_each_place(place: tuple[str | int, ...]) -> None:
    document = with_unknown([(place, "kept", {"deep": [1, {"er": None}]})])
    assert stored(decode_state(document)) == document


@pytest.mark.parametrize("value", [None, 5, [], [[["a"], 1]], {"pool": {}}])
def test_a_foreign_field_named_unknown_is_kept_like_any_other(value: object) -> None:
    document = stored(full()) | {"unknown": value}
    assert stored(decode_state(document)) == document


def test_unknown_fields_stay_with_their_intent_when_the_list_changes() -> None:
    document = with_unknown([(("intents", 0), "a", 0), (("intents", 1), "a", 1)])
    state = decode_state(document)
    shifted = stored(replace(state, intents=(replace(an_intent(), id="id-new"), state.intents[1])))
    assert [intent.get("x-a") for intent in shifted["intents"]] == [None, 1]


@pytest.mark.parametrize(
    ("place", "without"),
    [
        (("positions", "ETHUSDT"), {"positions": {}}),
        (("memory", "holdings", "ETHUSDT"), {"memory": Memory()}),
        (("pool",), {"pool": None}),
        (("day",), {"day": None}),
        (("intents", 1, "order", "fills", 0), {"intents": ()}),
        (("outbox", 0), {"outbox": ()}),
    ],
    ids=str,
)
def test_an_unknown_field_goes_with_the_entry_that_held_it(
    place: tuple[str | int, ...], without: dict[str, Any]
) -> None:
    state = replace(decode_state(with_unknown([(place, "kept", 1)])), **without)
    assert stored(state) == stored(replace(full(), **without))


def test_a_field_that_becomes_known_is_not_overwritten_by_what_was_unknown() -> None:
    state = replace(full(), unknown=((("status_told",), "stale"), (("performance", "index"), "9")))
    assert stored(state) == stored(full())


def test_writing_does_not_change_the_state() -> None:
    state = decode_state(with_unknown([((), "kept", {"a": [1]})]))
    before = copy.deepcopy(state)
    encode_state(state)
    assert state == before


# --- what is not read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 999])
def test_a_newer_schema_is_refused(version: int) -> None:
    with pytest.raises(
        StateUnreadable, match=rf"schema_version: {version} – is newer than this code \(1\): update the"
    ):
        decode_state(stored(full()) | {"schema_version": version})


@pytest.mark.parametrize("version", [None, 0, -1, "1", 1.0, True])
def test_a_schema_that_is_no_number_is_refused(version: object) -> None:
    with pytest.raises(StateUnreadable, match=r"schema_version: .* – must be a whole number from 1"):
        decode_state(stored(full()) | {"schema_version": version})


@pytest.mark.parametrize("document", [None, [], "text", 5])
def test_a_document_that_is_no_object_is_refused(document: object) -> None:
    with pytest.raises(StateUnreadable, match=f"is a {type(document).__name__} – must be an object"):
        decode_state(document)


MALFORMED: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("account",), None, "account: None – "),
    (("ledger", "totals", "spot", "ETH"), 0.18981, "ledger.totals.spot.ETH: 0.18981 – "),
    (("ledger", "totals", "spot", "ETH"), "NaN", "ledger.totals.spot.ETH: 'NaN' – "),
    (("ledger", "totals", "spot", "ETH"), True, "ledger.totals.spot.ETH: True – "),
    (("ledger", "totals", "nowhere"), {}, "ledger.totals.nowhere"),
    (("positions", "ETHUSDT", "cost"), 475.0, "positions.ETHUSDT.cost: 475.0 – "),
    (("positions", "ETHUSDT", "quantity"), "a lot", "positions.ETHUSDT.quantity: 'a lot' – "),
    (("memory", "holdings", "ETHUSDT", "highest"), None, "memory.holdings.ETHUSDT.highest: None – "),
    (("day", "day"), "2026-02-30", "day.day: '2026-02-30' – "),
    (("performance", "index"), float("inf"), "performance.index: inf – "),
    (("pool", "symbols"), "ETHUSDT", "pool.symbols: 'ETHUSDT' – "),
    (("pool_status", "rung"), "hearsay", "pool_status.rung: 'hearsay' – "),
    (("intents", 1, "status"), "maybe", "intents.1.status: 'maybe' – "),
    (("intents", 1, "order", "fills", 1, "qty"), 0.1, "intents.1.order.fills.1.qty: 0.1 – "),
    (("outbox",), {"a-1": {}}, "outbox: a dict – "),
]


@pytest.mark.parametrize(("place", "value", "text"), MALFORMED, ids=lambda value: str(value)[:40])
def test_a_malformed_field_is_refused_by_name_and_value(place: tuple[str | int, ...], value: object, text: str) -> None:
    document = stored(full())
    at(document, place[:-1])[place[-1]] = value
    with pytest.raises(StateUnreadable) as caught:
        decode_state(document)
    assert str(caught.value).startswith("state document: " + text)
    assert str(caught.value).endswith("(1 problem(s) in all)")


def test_a_document_without_an_account_is_refused() -> None:
    with pytest.raises(StateUnreadable, match="state document: account: "):
        decode_state({"schema_version": 1})


def leaves(document: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        if isinstance(value, dict | list) and value:
            yield from leaves(value, (*place, key))
        else:
            yield (*place, key)


@given(st.sampled_from(list(leaves(stored(full())))), values_of(Any) | st.floats())
def test_any_leaf_replaced_by_anything_is_read_or_refused_as_unreadable(
    place: tuple[str | int, ...], value: object
) -> None:
    document = stored(full())
    at(document, place[:-1])[place[-1]] = value
    try:
        state = decode_state(document)
    except StateUnreadable as error:
        text = str(error)
    else:
        text = str(encode_state(state))
    assert text


# --- migration ------------------------------------------------------------------------------------------------------


def test_an_older_document_is_lifted_step_by_step() -> None:
    def second(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "account": document["account"] + "2"}

    def third(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "account": document["account"] + "3"}

    document, steps = stored(full()), {1: second, 2: third}
    assert migrated(document, steps, 1, 3) == {**document, "account": "main23", "schema_version": 3}
    assert migrated(document, steps, 2, 3)["account"] == "main3"
    assert migrated(document, steps, 3, 3) == {**document, "schema_version": 3}


def test_every_step_from_the_first_schema_has_a_migration() -> None:
    assert set(MIGRATIONS) == set(range(1, SCHEMA_VERSION))
