"""Columns line up whatever the language, nothing is cut away, and numbers read as a person writes them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.layout import cells, hanging, money, number, pad, percent, table, wrap

WORDS = st.text(st.sampled_from("abc 漢字é"), max_size=60)


@pytest.mark.parametrize(
    ("text", "expected"), [("abc", 3), ("汉字", 4), ("e\u0301", 1), ("\uff08", 2), ("–", 1), ("", 0)]
)
def test_a_wide_character_takes_two_cells_and_a_combining_one_none(text: str, expected: int) -> None:
    assert cells(text) == expected


@given(WORDS, st.integers(2, 30))
def test_wrapped_lines_fit_and_say_everything(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=5), st.integers(20, 120))
def test_every_cell_of_a_table_is_there_and_columns_begin_in_line(rows: list[tuple[str, str, str]], width: int) -> None:
    rows = [(a.replace(" ", "_"), b.replace(" ", "_"), c) for a, b, c in rows]
    lines = table(["one", ">two", "three"], rows, width)
    first = max(cells(value) for value in ["one", *(row[0] for row in rows)])
    assert "".join("".join(lines).split()) == "onetwothree" + "".join("".join("".join(row) for row in rows).split())
    column = first + 2 + max(cells(value) for value in ["two", *(row[1] for row in rows)]) + 2
    assert cells(lines[0][: lines[0].index("three")]) == column


def test_a_right_column_ends_in_line() -> None:
    assert table(["asset", ">amount"], [("币", "1.5"), ("ETH", "10.25")], 80) == [
        "asset  amount",
        "币        1.5",
        "ETH     10.25",
    ]


def test_a_long_last_column_wraps_below_itself() -> None:
    assert table(["a", "why"], [("x", "one two three four")], 15) == ["a  why", "x  one two", "   three four"]


def test_a_hanging_text_wraps_beside_its_head_and_a_long_head_keeps_a_space() -> None:
    assert hanging("pool", "ETH SOL LINK", 20, 6) == ["pool  ETH SOL LINK"]
    assert hanging("pool", "ETHUSDT SOLUSDT LINK", 20, 6) == ["pool  ETHUSDT", "      SOLUSDT LINK"]
    assert hanging("a head that is long", "x", 40, 6) == ["a head that is long x"]


def test_padding_counts_cells_not_characters() -> None:
    assert pad("币", 4) == "币  "
    assert pad("币", 4, right=True) == "  币"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("10234.5678", "10,234.57"), ("0", "0.00"), ("-0.001", "0.00"), ("-1234.5", "-1,234.50"), ("1E+3", "1,000.00")],
)
def test_money_is_shown_to_the_cent(value: str, expected: str) -> None:
    assert money(Decimal(value)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0.192040000", "0.19204"), ("64250.123456", "64,250.123"), ("123456789012", "123,456,789,012"),
     ("0.00000012345", "0.00000012345"), ("-0.5", "-0.5"), ("-1234.5", "-1,234.5"), ("0", "0"), ("1E+2", "100")],
)  # fmt: skip
def test_quantities_keep_their_significant_digits_and_never_lose_whole_ones(value: str, expected: str) -> None:
    assert number(Decimal(value)) == expected


def test_percentages_and_what_is_unknown() -> None:
    assert percent(Decimal("0.1234")) == "12.3 %"
    assert percent(Decimal("-0.0001")) == "0.0 %"
    assert money(None) == number(None) == percent(None) == "–"
