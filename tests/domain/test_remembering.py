"""What makes an hour quick and must change nothing: values made through a twin, changed values, remembered answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.changing import changed
from runtime.domain.remembering import continued, remembered
from runtime.domain.state import State
from runtime.domain.values import Value


@dataclass(frozen=True, slots=True)
class Plain:
    first: int
    second: str = "s"
    third: tuple[int, ...] = ()
    fourth: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Quick(metaclass=Value):
    first: int
    second: str = "s"
    third: tuple[int, ...] = ()
    fourth: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    first: int
    second: str = "s"


arguments = st.fixed_dictionaries(
    {"first": st.integers()},
    optional={"second": st.text(max_size=3), "third": st.tuples(st.integers()), "fourth": st.lists(st.integers())},
)


@given(arguments, arguments)
def test_a_quick_value_is_the_frozen_dataclass_of_the_same_fields(some: dict[str, Any], other: dict[str, Any]) -> None:
    quick, plain = Quick(**some), Plain(**some)
    assert type(quick) is Quick
    assert repr(quick) == repr(plain).replace("Plain", "Quick")
    assert (quick == Quick(**other)) == (plain == Plain(**other))
    assert replace(quick, **other) == Quick(**{**some, **other})


def test_a_quick_value_is_frozen_and_complete() -> None:
    quick = Quick(1)
    with pytest.raises(FrozenInstanceError):
        quick.first = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        Quick()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Quick(1, fifth=5)  # type: ignore[call-arg]
    assert Quick(1).fourth is not Quick(1).fourth
    assert hash(Quick(1, "a", (), ())) == hash(Quick(1, "a", (), ()))  # type: ignore[arg-type]


@given(arguments, arguments)
def test_a_changed_value_is_what_replace_makes_of_it(some: dict[str, Any], other: dict[str, Any]) -> None:
    assert changed(Plain(**some), **other) == replace(Plain(**some), **other)
    assert changed(Quick(**some), **other) == replace(Quick(**some), **other)
    named = Named(first=some["first"])
    assert changed(named, second="new") == replace(named, second="new")


def test_changed_refuses_a_field_that_is_not_there_and_leaves_the_value_alone() -> None:
    state = State("main")
    with pytest.raises(KeyError):
        changed(state, nothing=1)
    with pytest.raises(TypeError):
        changed(Named(first=1), nothing=1)
    assert changed(state, account="other") == replace(state, account="other")
    assert state == State("main")


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_the_same_objects_are_asked_once_and_equal_ones_again(count: int) -> None:
    calls: list[list[object]] = []

    def noted(asked_with: list[object]) -> list[object]:
        calls.append(asked_with)
        return asked_with

    functions: dict[int, Any] = {
        1: lambda a: noted([a]),
        2: lambda a, b: noted([a, b]),
        3: lambda a, b, c: noted([a, b, c]),
        4: lambda a, b, c, d: noted([a, b, c, d]),
        5: lambda a, b, c, d, e: noted([a, b, c, d, e]),
    }
    asked = remembered(functions[count])
    given_ = [[at] for at in range(count)]
    assert asked(*given_) is asked(*given_)
    assert len(calls) == 1
    for at in range(count):
        other = [*given_[:at], [at], *given_[at + 1 :]]
        assert asked(*other) == given_
        assert len(calls) == 2 + 2 * at
        asked(*given_)


def test_a_call_that_failed_is_not_remembered() -> None:
    answers = iter([0, 1])

    def sometimes(_: object) -> int:
        return 7 // next(answers)

    asked, thing = remembered(sometimes), object()
    with pytest.raises(ZeroDivisionError):
        asked(thing)
    assert asked(thing) == asked(thing) == 7


windows = st.lists(st.integers(0, 3).map(float), min_size=1, max_size=12)


@given(st.lists(st.tuples(windows, st.integers(1, 4)), min_size=1, max_size=6), st.lists(st.integers(0, 3), max_size=6))
def test_a_continued_series_is_the_series_worked_out_anew(
    asked_for: list[tuple[list[float], int]], more: list[int]
) -> None:
    """Whatever was asked before: the same series, a longer one, one that lost its oldest days, or another one."""

    def sums(values: Sequence[float], days: int) -> list[float]:
        return [sum(values[at : at + days]) for at in range(len(values) - days + 1)]

    def moved(values: Sequence[float], days: int, newest: float | None) -> tuple[list[float], float]:
        found = [sum(values[:days])] if newest is None else []
        total = found[0] if newest is None else newest
        for gone, come in zip(values, values[days:], strict=False):
            total += come - gone
            found.append(total)
        return found, total

    asked = continued(moved)
    for values, days in asked_for:
        assert asked(values, days) == sums(values, days)
        grown = [*values]
        for new in more:
            grown = [*grown[new % 2 :], float(new)]
            assert asked(grown, days) == sums(grown, days)


def test_a_continued_series_costs_one_window_a_day() -> None:
    worked_out = list[int]()

    def noted(values: Sequence[float], days: int, newest: float | None) -> tuple[list[float], float]:
        found = [1.0] * (len(values) - days + (newest is None))
        worked_out.append(len(found))
        return found, 1.0

    asked, values = continued(noted), tuple(map(float, range(20)))
    for day in range(5):
        assert len(asked(values[day : day + 12], 4)) == 9
    assert worked_out == [9, 1, 1, 1, 1]
