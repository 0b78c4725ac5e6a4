"""No part is too long, no markup is broken, no letter is lost, whatever the text."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.domain.messages import escape
from runtime.domain.paging import ENTITIES_MAX, UNITS_MAX, paged, parsed, split, units
from tests.support.telegram_server import parse_html

LIMITS = st.integers(64, 300)
VALUES = st.text(st.characters(codec="utf-8"), max_size=400)
AWKWARD = st.text(st.sampled_from("<>&\"';/ab \n😀é漢"), max_size=400)


@st.composite
def markup(draw: st.DrawFn) -> str:
    """Escaped text with tags that are closed, on one line or over several."""
    wrappers = st.sampled_from(["{}", "<b>{}</b>", '<a href="https://x.y/?a=1&amp;b">{}</a>', "<pre><i>{}</i></pre>"])
    pieces = draw(st.lists(st.tuples(wrappers, VALUES | AWKWARD), max_size=8))
    return draw(st.sampled_from(["", "\n"])).join(wrapper.format(escape(value)) for wrapper, value in pieces)


def unmarked(parts: tuple[str, ...]) -> str:
    """What the parts say, without their markers and without space (cuts may fall on it)."""
    texts = [parsed(part) for part in parts]
    if len(texts) > 1:
        assert all(text.endswith(f"\n({at}/{len(parts)})") for at, text in enumerate(texts, 1))
        texts = [text[: text.rindex("\n")] for text in texts]
    return "".join("".join(texts).split())


@given(markup(), LIMITS)
@example("<b>" + "&lt;" * 200 + "</b>", 64)
@example("😀" * 100, 64)
def test_parts_fit_are_well_formed_and_together_say_everything(html: str, limit: int) -> None:
    parts = split(html, limit)
    for part in parts:
        seen = parse_html(part)
        assert len(seen.encode("utf-16-le")) // 2 == units(part) <= limit
    assert unmarked(parts) == "".join(parsed(html).split())


@given(st.lists(st.text(st.sampled_from("abc 漢"), min_size=1, max_size=40), max_size=30), LIMITS)
def test_a_line_that_fits_is_never_cut(lines: list[str], limit: int) -> None:
    whole = {line.strip() for line in lines if line.strip()}
    found = {line.strip() for part in split("\n".join(lines), limit) for line in part.split("\n")}
    assert whole <= found


@pytest.mark.parametrize(("length", "parts"), [(UNITS_MAX, 1), (UNITS_MAX + 1, 2)])
def test_a_text_of_exactly_the_limit_is_one_message_without_marker(length: int, parts: int) -> None:
    found = split("a" * length)
    assert len(found) == parts
    assert ("(1/" in found[0]) == (parts > 1)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("&lt;&amp;", 2),
        ("<b>ab</b>", 2),
        ("😀", 2),
        ("&#128512;", 2),
        ("&#x41;", 1),
        ("a < b", 5),
        ("&nosuch;", 8),
        ("", 0),
    ],
)
def test_units_are_counted_as_utf_16_after_the_markup_is_parsed(html: str, expected: int) -> None:
    assert units(html) == expected


@pytest.mark.parametrize("html", ["", "   \n \n", "<b> </b>"])
def test_a_text_with_nothing_to_read_has_no_parts(html: str) -> None:
    assert split(html) == ()


def test_a_part_never_has_more_entities_than_telegram_formats() -> None:
    parts = split("\n".join("<b>a</b>" for _ in range(3 * ENTITIES_MAX)))
    assert [len(re.findall("<b>", part)) for part in parts] == [ENTITIES_MAX] * 3


def test_each_part_names_the_owners_of_its_text() -> None:
    parts = paged([("a" * 60, 0), ("", 0), ("b" * 60, 1), ("c", 2), ("", 1), ("d" * 100, 3)], 80)
    assert [sorted(owners) for _, owners in parts] == [[0], [1, 2, 3], [3], [3]]
