"""CSV text: any reader gets the cells back, and no spreadsheet finds a formula in them."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.csv_text import Cell, csv_line, harmless, one_line

D = Decimal
WIDE = "\uff1d\uff0b\uff0d\uff20"
"""The full-width forms of = + - and @."""
HOSTILE = (
    '=HYPERLINK("http://evil","x")', "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1", "  =1", *WIDE,
    "=cmd|' /C calc'!A0", '"=1"', "a,=1", "-5", "=", "--", "+", "\x00=1", "\u2028=1", "\xa0=1",
)  # fmt: skip
STARTS = frozenset("=+-@\t\r\n" + WIDE)


def read(line: str) -> list[str]:
    (row,) = csv.reader(io.StringIO(line, newline=""), strict=True)
    return row


@pytest.mark.parametrize("text", HOSTILE)
def test_no_hostile_text_begins_like_a_formula(text: str) -> None:
    (cell, _) = read(csv_line([text, "x"]))
    assert not STARTS & set(cell.strip()[:1])
    assert not STARTS & set(cell[:1])


@pytest.mark.parametrize(
    "text", ["", "BTC", "币安人生", "1INCH", 'said "so"', "a,b", "O'Hara", "a=b", "2026-03-15 09:15:00"]
)
def test_harmless_text_is_left_as_it_is(text: str) -> None:
    assert read(csv_line([text, "x"])) == [text, "x"]


@given(st.lists(st.text(st.characters(codec=None, exclude_categories=())), min_size=1, max_size=6))
def test_any_text_is_one_record_of_one_line_in_utf8_and_no_formula(texts: list[str]) -> None:
    line = csv_line([*texts, "end"])
    assert line.endswith("\r\n")
    assert not set("\r\n\x00\x0b\x0c\x85\u2028\u2029") & set(line[:-2])
    line.encode()
    cells = read(line)
    assert cells == [*map(harmless, texts), "end"]
    assert not any(STARTS & set(cell.strip()[:1]) for cell in cells)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=12))
def test_a_number_stays_a_number_to_the_last_digit(value: Decimal) -> None:
    (cell, _) = read(csv_line([value, "x"]))
    assert D(cell) == value
    assert "E" not in cell
    assert not cell.startswith("'")


def test_every_kind_of_cell() -> None:
    cells: list[Cell] = [None, "", D("-0.00000001"), D("1E+3"), 7, 'a"b', "a,b", " pad "]
    assert csv_line(cells) == ',,-0.00000001,1000,7,"a""b","a,b"," pad "\r\n'


def test_control_characters_become_blanks() -> None:
    assert one_line("a\x1b[31mb\nc\ud800") == "a [31mb c "
