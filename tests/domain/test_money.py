"""Money: amounts are exact, come from text, and are rounded only in the direction their helper names."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from runtime.domain.money import (
    Dec,
    ceil_to_step,
    clamp,
    common_step,
    divide_down,
    floor_to_places,
    floor_to_step,
    parse_decimal,
    plain,
)
from runtime.errors import BadInput

D = Decimal
amounts = st.decimals(min_value=0, max_value=10**20, places=8)
signed = st.decimals(min_value=-(10**20), max_value=10**20, places=8)
long_amounts = st.decimals(min_value=0, max_value=10**20, allow_nan=False, allow_infinity=False)
steps = st.decimals(min_value=D("1e-8"), max_value=10**6, places=8)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    return (Fraction(value) / Fraction(step)).denominator == 1


@given(value=st.one_of(signed, long_amounts), step=steps)
def test_flooring_gives_the_largest_multiple_that_is_not_above(value: Decimal, step: Decimal) -> None:
    floored = Fraction(floor_to_step(value, step))
    assert is_multiple(floor_to_step(value, step), step)
    assert floored <= Fraction(value) < floored + Fraction(step)


@given(value=st.one_of(signed, long_amounts), step=steps)
def test_ceiling_gives_the_smallest_multiple_that_is_not_below(value: Decimal, step: Decimal) -> None:
    ceiled = Fraction(ceil_to_step(value, step))
    assert is_multiple(ceil_to_step(value, step), step)
    assert ceiled - Fraction(step) < Fraction(value) <= ceiled


@given(value=amounts, step=steps)
def test_rounding_to_a_step_twice_changes_nothing(value: Decimal, step: Decimal) -> None:
    assert floor_to_step(floor_to_step(value, step), step) == floor_to_step(value, step)
    assert ceil_to_step(floor_to_step(value, step), step) == floor_to_step(value, step)


def test_three_tenths_in_steps_of_a_tenth_is_three_tenths_and_not_two() -> None:
    assert float("0.3") // float("0.1") == 2  # the fault that floats would bring
    assert floor_to_step(D("0.3"), D("0.1")) == D("0.3")
    assert ceil_to_step(D("0.3"), D("0.1")) == D("0.3")


def test_a_quotient_of_more_digits_than_decimals_keep_is_not_rounded_up() -> None:
    assert floor_to_step(D("2.9999999999999999999999999999"), D(3)) == 0
    assert ceil_to_step(D("3.0000000000000000000000000001"), D(3)) == 6


@pytest.mark.parametrize("value", ["0", "0.1", "7", "-2.5"])
def test_a_step_of_zero_switches_the_rounding_off(value: str) -> None:
    assert floor_to_step(D(value), D(0)) == D(value)
    assert ceil_to_step(D(value), D(0)) == D(value)


def test_nothing_rounded_up_is_zero_without_a_sign() -> None:
    assert str(ceil_to_step(D(0), D("0.1"))) == "0.0"


@given(value=signed, places=st.integers(0, 8))
def test_cutting_to_places_goes_toward_zero_by_less_than_one_place(value: Decimal, places: int) -> None:
    cut = floor_to_places(value, places)
    assert abs(cut) <= abs(value)
    assert abs(value) - abs(cut) < D(1).scaleb(-places)
    assert is_multiple(cut, D(1).scaleb(-places))


@given(value=long_amounts, by=steps)
def test_a_quotient_rounded_down_never_costs_more_than_there_was(value: Decimal, by: Decimal) -> None:
    quotient = Fraction(divide_down(value, by))
    assert quotient * Fraction(by) <= Fraction(value)
    assert Fraction(value) / Fraction(by) - quotient < Fraction(1, 10**100)


@given(st.lists(steps, min_size=1, max_size=3))
def test_the_common_step_is_the_least_multiple_of_every_step(given_steps: list[Decimal]) -> None:
    common = common_step(*given_steps)
    assert common > 0
    assert all(is_multiple(common, step) for step in given_steps)
    for prime in (2, 3, 5, 7, 11, 13):  # no smaller amount: no prime part of it can be left out
        assert not all((Fraction(common) / prime / Fraction(step)).denominator == 1 for step in given_steps)


@pytest.mark.parametrize(
    ("given_steps", "expected"),
    [
        (["0.001", "0.00000000", "1e-8"], "0.001"),
        (["0.002", "0.003", "0.001"], "0.006"),
        (["1000", "1", "1"], "1000"),
        (["0.00001000", "0.00000000"], "0.00001"),
        (["0", "0.00"], "0"),
        ([], "0"),
    ],
)
def test_the_common_step_of_known_steps(given_steps: list[str], expected: str) -> None:
    steps = [D(step) for step in given_steps]
    written_otherwise = [step.normalize() for step in steps]
    assert str(common_step(*steps)) == str(common_step.__wrapped__(*written_otherwise))
    assert common_step(*steps) == D(expected)


@given(value=st.decimals(allow_nan=False, allow_infinity=False, min_value=D("-1e60"), max_value=D("1e60")))
def test_plain_text_has_no_exponent_or_spare_zeros_and_reads_back_the_same(value: Decimal) -> None:
    text = plain(value)
    assert parse_decimal(text, "x") == value
    assert "e" not in text.lower()
    assert text == "0" or not text.startswith("-0") or text.startswith("-0.")
    assert "." not in text or text[-1] not in "0."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1E+3", "1000"),
        ("100", "100"),
        ("0.10", "0.1"),
        ("-0", "0"),
        ("0E-8", "0"),
        ("1e-8", "0.00000001"),
        ("5.", "5"),
    ],
)
def test_plain_text_of_known_values(value: str, text: str) -> None:
    assert plain(D(value)) == text


@given(st.one_of(st.integers(-(10**30), 10**30), signed))
def test_text_integers_and_decimals_are_read_exactly(value: int | Decimal) -> None:
    assert parse_decimal(value, "x") == value
    assert parse_decimal(str(value), "x") == value


@pytest.mark.parametrize(
    "value", [0.1, 1.0, True, False, None, b"1", [], "", "abc", "1,5", "NaN", "sNaN", "Infinity", "-inf", D("NaN")]
)
def test_floats_and_everything_without_a_finite_value_are_refused_by_name(value: object) -> None:
    with pytest.raises(BadInput, match=r"^cash: .* – must be a "):
        parse_decimal(value, "cash")


@pytest.mark.parametrize("value", ["1e101", "-1e101", "1e999999999", "1e-101", "-3e-999999999"])
def test_a_number_that_would_fill_the_memory_when_written_out_is_refused(value: str) -> None:
    with pytest.raises(BadInput, match="must lie between 1e-100 and 1e100"):
        parse_decimal(value, "cash")


@pytest.mark.parametrize("value", ["1e100", "1e-100", "0e-999999"])
def test_the_ends_of_the_range_and_any_zero_are_read(value: str) -> None:
    assert parse_decimal(value, "cash") == D(value)


@given(value=signed, low=signed, high=signed)
def test_a_clamped_value_lies_between_its_bounds_and_the_lower_one_wins(
    value: Decimal, low: Decimal, high: Decimal
) -> None:
    clamped = clamp(value, low, high)
    assert clamped >= low
    assert clamped in {value, low, high}
    assert clamped <= max(low, high)
    if low <= value <= high:
        assert clamped == value


def test_a_stored_amount_is_canonical_text_and_reads_back_exactly() -> None:
    adapter: TypeAdapter[Decimal] = TypeAdapter(Dec)
    assert adapter.dump_json(D("1.50E+2")) == b'"150"'
    assert adapter.validate_json('"0.30"') == D("0.3")


@pytest.mark.parametrize("text", ["0.3", "null", "true", '"NaN"', '"x"'])
def test_a_stored_float_is_reported_with_its_place_like_any_other_malformed_field(text: str) -> None:
    adapter = TypeAdapter(dict[str, Dec])
    with pytest.raises(ValidationError) as caught:
        adapter.validate_json('{"ETH": ' + text + "}")
    assert [error["loc"] for error in caught.value.errors()] == [("ETH",)]
