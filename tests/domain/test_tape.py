"""The tape's chain shows any change, and only a tape of the known format is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.tape import GENESIS, Tape, canonical, read_chain
from runtime.errors import BadInput

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
STAGES = st.lists(st.tuples(st.text(min_size=1, max_size=10), JSON), max_size=5)


def taped(stages: list[tuple[str, Any]]) -> Tape:
    tape = Tape()
    tape.start()
    for stage, payload in stages:
        tape.record(stage, payload)
    return tape


@given(STAGES)
def test_what_was_recorded_is_read_back(stages: list[tuple[str, Any]]) -> None:
    tape = taped(stages)
    assert read_chain(tape.lines)[1:] == stages
    assert json.loads(tape.lines[-1])["sha256"] == tape.head


@given(STAGES)
def test_the_same_records_make_the_same_tape(stages: list[tuple[str, Any]]) -> None:
    assert taped(stages).lines == taped(stages).lines


@given(STAGES, st.data())
def test_any_changed_character_is_found(stages: list[tuple[str, Any]], data: st.DataObject) -> None:
    lines = taped(stages).lines
    number = data.draw(st.integers(0, len(lines) - 1))
    line = lines[number]
    at = data.draw(st.integers(0, len(line) - 1))
    put = data.draw(st.characters(codec="utf-8").filter(lambda character: character != line[at]))
    changed = [*lines[:number], line[:at] + put + line[at + 1 :], *lines[number + 1 :]]
    with pytest.raises(BadInput):
        read_chain(changed)


@given(STAGES, st.data())
def test_any_inserted_or_deleted_character_is_found(stages: list[tuple[str, Any]], data: st.DataObject) -> None:
    lines = taped(stages).lines
    number = data.draw(st.integers(0, len(lines) - 1))
    line = lines[number]
    at = data.draw(st.integers(0, len(line) - 1))
    put = data.draw(st.sampled_from(["", line[at] + " ", line[at] * 2, " " + line[at]]))
    changed = [*lines[:number], line[:at] + put + line[at + 1 :], *lines[number + 1 :]]
    with pytest.raises(BadInput):
        read_chain(changed)


@given(STAGES.filter(len), st.data())
def test_a_dropped_repeated_or_moved_record_is_found(stages: list[tuple[str, Any]], data: st.DataObject) -> None:
    lines = taped(stages).lines
    at = data.draw(st.integers(0, len(lines) - 2))
    for changed in (
        [*lines[:at], *lines[at + 1 :]],
        [*lines[: at + 1], *lines[at:]],
        [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]],
    ):
        with pytest.raises(BadInput, match=f"tape record {at}|tape record {at + 1}"):
            read_chain(changed)


def relinked(records: list[dict[str, Any]]) -> list[str]:
    """A tape whose chain is right, whatever its records say."""
    tape = Tape()
    for record in records:
        tape.record(record["stage"], record["payload"])
    return tape.lines


@pytest.mark.parametrize("header", [{"format": 3}, {"format": 0}, {}, None, {"format": "1"}])
def test_another_format_is_refused_by_name(header: object) -> None:
    with pytest.raises(BadInput, match="tape format"):
        read_chain(relinked([{"stage": "header", "payload": header}]))


@pytest.mark.parametrize("lines", [[], ["[]"], ["{}"], ["not json"], ["null"], ['{"stage": 1}'], [""]])
def test_what_is_no_tape_is_refused(lines: list[str]) -> None:
    with pytest.raises(BadInput, match="tape"):
        read_chain(lines)


def test_a_tape_begins_at_a_known_point() -> None:
    assert json.loads(taped([]).lines[0])["prev"] == GENESIS == "0" * 64


def test_no_record_holds_a_number_that_json_does_not_know() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical({"value": float("nan")})
