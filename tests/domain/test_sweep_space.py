"""The space of a sweep: exact values, every point of a grid, and each mistake named with file, field and fix."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.sweep_space import Drawn, Listed, Space, Stepped, read_space
from runtime.errors import BadInput

SEARCH = '[search]\nobjective = "sharpe"\ntrials = 5\n'


def read(text: str) -> Space:
    """The space of a TOML text."""
    return read_space(tomllib.loads(text, parse_float=Decimal), "space.toml")


def one(line: str) -> Listed | Stepped | Drawn:
    """The dimension that a line of parameters makes."""
    (made,) = read(f"{SEARCH}[parameters]\n{line}").dimensions
    return made


def texts(line: str) -> list[str]:
    """All its values."""
    made = one(line)
    assert not isinstance(made, Drawn)
    return [made.text(at) for at in range(len(made))]


def test_values_are_exact_texts_and_never_floats() -> None:
    assert texts("A = { low = 1, high = 4 }") == ["1", "2", "3", "4"]
    assert texts("A = { low = 2, high = 8, step = 3 }") == ["2", "5", "8"]
    assert texts("A = { low = 0.1, high = 0.4, step = 0.1 }") == ["0.1", "0.2", "0.3", "0.4"]
    assert texts('A = { low = "0.1", high = "0.30", step = "0.1" }') == ["0.1", "0.2", "0.3"]
    assert texts("A = { low = 0, high = 1, step = 0.25 }") == ["0", "0.25", "0.5", "0.75", "1"]
    assert texts('A = { values = ["sma", 3, 0.10, true] }') == ["sma", "3", "0.1", "true"]
    assert texts('A = { values = [[0.5, 0.3], [["z4", 4.0, 0.30]]] }') == ["[0.5, 0.3]", '[["z4", 4, 0.3]]']


@given(st.floats(0.001, 50.0))
def test_a_drawn_value_is_spelled_within_its_range(value: float) -> None:
    made = one("A = { low = 0.001, high = 50.0, log = true }")
    assert isinstance(made, Drawn)
    spelled = Decimal(made.spelled(value))
    assert made.low <= spelled <= made.high
    assert float(spelled) == pytest.approx(value, rel=1e-5)
    assert made.spelled(float(spelled)) == made.spelled(value)


def test_whole_numbers_on_a_logarithmic_scale_stay_whole() -> None:
    made = one("A = { low = 1, high = 1000, log = true }")
    assert isinstance(made, Drawn)
    assert made.whole
    assert made.spelled(31.6) == "32"


def test_a_grid_is_every_point_once_in_the_order_of_the_file() -> None:
    space = read(
        '[search]\nobjective = "total"\nsampler = "grid"\n[parameters]\n'
        'A = { values = ["x", "y"] }\nB = { low = 1, high = 3 }'
    )
    points = list(space.points())
    assert space.trials == len(points) == 6
    assert points[:2] == [{"A": "x", "B": "1"}, {"A": "x", "B": "2"}]
    assert len({tuple(point.values()) for point in points}) == 6


def test_more_trials_are_the_same_sweep_and_anything_else_is_another() -> None:
    line = "[parameters]\nA = { low = 1, high = 4 }"
    base = read(SEARCH + line)
    assert read(SEARCH.replace("5", "50") + line).public() == base.public()
    for other in (
        SEARCH.replace("sharpe", "total") + line,
        SEARCH + "seed = 2\n" + line,
        SEARCH + "batch = 3\n" + line,
    ):
        assert read(other).public() != base.public()
    assert read(SEARCH + line.replace("4", "5")).public() != base.public()


BAD: list[tuple[str, tuple[str, ...]]] = [
    ("", ("search", "must be a table")),
    ("search = 3", ("search", "3", "must be a table")),
    (SEARCH, ("parameters", "must be a table")),
    (SEARCH + "[parameters]", ("parameters", "at least one")),
    (SEARCH + "colour = 1\n[parameters]\nA = { low = 1, high = 2 }", ("search.colour", "known are", "objective")),
    (SEARCH + "[colour]\n[parameters]\nA = { low = 1, high = 2 }", ("colour", "known are")),
    ("[search]\ntrials = 5\n[parameters]\nA = { low = 1, high = 2 }", ("search.objective", "None", "sharpe")),
    (
        SEARCH.replace("sharpe", "luck") + "[parameters]\nA = { low = 1, high = 2 }",
        ("search.objective", "luck", "sharpe"),
    ),
    (SEARCH.replace("5", "0") + "[parameters]\nA = { low = 1, high = 2 }", ("search.trials", "0")),
    (SEARCH.replace("5", "5.5") + "[parameters]\nA = { low = 1, high = 2 }", ("search.trials", "5.5")),
    ('[search]\nobjective = "total"\n[parameters]\nA = { low = 1, high = 2 }', ("search.trials", "None")),
    (
        SEARCH + 'sampler = "luck"\n[parameters]\nA = { low = 1, high = 2 }',
        ("search.sampler", "luck", "tpe, random, grid"),
    ),
    (SEARCH + 'sampler = "grid"\n[parameters]\nA = { low = 1, high = 2 }', ("search.trials", "leave it out")),
    (SEARCH + 'direction = "up"\n[parameters]\nA = { low = 1, high = 2 }', ("search.direction", "up", "maximize")),
    (SEARCH + "seed = -1\n[parameters]\nA = { low = 1, high = 2 }", ("search.seed", "-1")),
    (SEARCH + "batch = true\n[parameters]\nA = { low = 1, high = 2 }", ("search.batch", "True")),
    (SEARCH + "[parameters]\nA = 3", ("parameters.A", "3", "values")),
    (SEARCH + "[parameters]\nA = { values = [] }", ("parameters.A.values", "at least one")),
    (SEARCH + "[parameters]\nA = { values = [1, 1] }", ("parameters.A.values", "twice")),
    (SEARCH + "[parameters]\nA = { values = [inf] }", ("parameters.A.values", "must be a text")),
    (SEARCH + "[parameters]\nA = { values = [1], low = 2 }", ("parameters.A.low", "not known")),
    (SEARCH + "[parameters]\nA = { low = 1 }", ("parameters.A.high", "None", "must be a number")),
    (SEARCH + "[parameters]\nA = { low = 2, high = 2 }", ("parameters.A.high", "2", "above low")),
    (SEARCH + "[parameters]\nA = { low = nan, high = 2 }", ("parameters.A.low", "NaN", "finite")),
    (SEARCH + "[parameters]\nA = { low = 1, high = 1e999999999 }", ("parameters.A.high", "at most")),
    (SEARCH + "[parameters]\nA = { low = 1, high = 2, step = 0 }", ("parameters.A.step", "0", "equal steps")),
    (SEARCH + "[parameters]\nA = { low = 0.1, high = 0.4, step = 0.2 }", ("parameters.A.step", "0.2", "equal steps")),
    (SEARCH + "[parameters]\nA = { low = 0, high = 1, step = 0.0000001 }", ("parameters.A.step", "100000 at most")),
    (SEARCH + "[parameters]\nA = { low = 0, high = 1, log = true }", ("parameters.A.low", "above 0")),
    (SEARCH + "[parameters]\nA = { low = 1, high = 2, log = 1 }", ("parameters.A.log", "true or false")),
    (SEARCH + "[parameters]\nA = { low = 1, high = 9, log = true, step = 1 }", ("parameters.A.step", "has none")),
]


@pytest.mark.parametrize(("text", "named"), BAD)
def test_a_wrong_space_is_refused_by_file_field_and_fix(text: str, named: tuple[str, ...]) -> None:
    with pytest.raises(BadInput) as caught:
        read(text)
    assert str(caught.value).startswith("space.toml: ")
    for part in named:
        assert part in str(caught.value)


@pytest.mark.parametrize("line", ["A = { low = 0.1, high = 2.0 }", "A = { low = 1, high = 9, log = true }"])
def test_a_grid_needs_steps_everywhere(line: str) -> None:
    with pytest.raises(BadInput, match=r"parameters\.A.*a grid needs a step"):
        read(f'[search]\nobjective = "total"\nsampler = "grid"\n[parameters]\n{line}')


junk: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(junk, st.sampled_from(["values", "low", "high", "step", "log"]), junk)
def test_no_document_makes_anything_but_a_space_or_a_named_fault(first: object, field: str, second: object) -> None:
    document = {"search": {"objective": "total", "trials": 3}, "parameters": {"A": {"low": first, field: second}}}
    for made in (document, {"search": first, "parameters": second}):
        try:
            read_space(made, "space.toml")
        except BadInput as error:
            assert str(error).startswith("space.toml: ")  # noqa: PT017 - either outcome is right
