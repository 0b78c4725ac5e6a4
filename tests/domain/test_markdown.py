"""Markdown: a foreign value stays what it is, in a cell, a line or a list, whatever signs it is made of."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.layout import NONE
from runtime.domain.markdown import ROWS_MAX, VALUE_LENGTH_MAX, line_chart, safe, table, without_figures
from runtime.domain.messages import clean
from tests.support.rendered import blocks, marks, seen

HOSTILE = (
    "| a | b |",
    "\\| x",
    "</code></td><img src=x onerror=alert(1)>",
    "[press](http://evil.example)",
    "![shown](http://evil.example/p.png)",
    "<http://evil.example>",
    "`a` ``b``",
    "**bold** _it_ ~~gone~~",
    "line\n## heading\n- list",
    "```mermaid",
    "<!-- hidden",
    "&lt;b&gt; &#60;b&#62;",
    "1. one",
    "- one",
    "> quoted",
    "---",
    "$x$",
)
ADDED_BY_GITHUB = (
    "http://evil.example",
    "www.evil.example",
    "a@evil.example",
    "@octocat",
    "#1",
    "owner/name#1",
    ":tada:",
)


@pytest.mark.parametrize("value", [*HOSTILE, *ADDED_BY_GITHUB])
@pytest.mark.parametrize("place", ["| a | b |\n| --- | --- |\n| {} | z |", "> {}", "- {}", "#### {}", "x: {}, y"])
def test_a_hostile_value_is_text_and_nothing_else_wherever_it_stands(value: str, place: str) -> None:
    told = place.format(safe(value))
    assert blocks(told) == blocks(place.format("harmless"))
    assert marks(told) <= {"text", "text_special", "<code>", "</code>"}
    assert clean(value) in seen(told)


@pytest.mark.parametrize("value", ADDED_BY_GITHUB)
def test_what_github_turns_into_links_and_pictures_stands_as_code(value: str) -> None:
    """GitHub looks for mentions and addresses in the text that Markdown left over, but not in code."""
    assert safe(value).startswith("<code>")
    assert not set("@#:./") & set(safe(value).replace("<code>", "").replace("</code>", "").replace("&#", ""))


@given(st.text())
def test_any_text_comes_out_as_it_went_in(value: str) -> None:
    told = f"| a |\n| --- |\n| {safe(value)} |"
    assert blocks(told)["td_open"] == 1
    assert marks(told) <= {"text", "text_special", "<code>", "</code>"}
    shown = clean(value)
    assert (shown or NONE)[: VALUE_LENGTH_MAX - 1] in seen(told).replace("\xa0", " ")


def test_ordinary_words_stay_readable_in_the_source() -> None:
    for value in ("ETHUSDT", "not placed", "as of 2026-11-01, 20 days old", "3.5 %", "比特币"):
        assert safe(value) == value
    assert safe("") == NONE


def test_a_value_is_cut() -> None:
    assert seen(safe("x" * 10_000)) == "x" * (VALUE_LENGTH_MAX - 1) + "…"


def test_a_table_has_a_bounded_number_of_rows() -> None:
    assert blocks("\n".join(table(("a", ">b"), [("1", "2")] * 500)))["tr_open"] == ROWS_MAX + 1


@pytest.mark.parametrize(
    ("values", "ruler"),
    [
        (("10000", "10100"), "9995 --> 10105"),
        (("5", "5"), "4.995 --> 5.005"),
        (("0", "0"), "-1 --> 1"),
        (("-0.5", "0.25"), "-0.54 --> 0.29"),
    ],
)
def test_the_ruler_of_a_chart_is_longer_than_its_line(values: tuple[str, ...], ruler: str) -> None:
    lines = line_chart("Equity", "hours", [Decimal(value) for value in values])
    assert f"    y-axis {ruler}" in lines
    assert f"    line [{', '.join(values)}]" in lines
    assert (lines[0], lines[-1]) == ("```mermaid", "```")


def test_every_figure_of_a_text_is_hidden() -> None:
    assert without_figures("needs 12.50 USDT, has 1,234.5 (order 77)") == "needs … USDT, has … (order …)"
