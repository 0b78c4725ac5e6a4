"""Markdown as GitHub renders it, around text that may be hostile: tables, and a line drawn by Mermaid.

The worked problem: an error text or a symbol can hold anything a server answered. It must not become a link, an image,
a mention, a heading, another column or another row. So a foreign value is either made of letters, digits and a few
signs that mean nothing, or it stands between `<code>` tags with every other sign of ASCII as a character reference,
which neither Markdown nor GitHub's own additions (mentions, issue numbers, addresses) read as anything but itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from runtime.domain.layout import NONE
from runtime.domain.messages import clean
from runtime.domain.money import plain

VALUE_LENGTH_MAX = 300
ROWS_MAX = 100
_HARMLESS = re.compile(r"(?:[^\W_]|[ %,]|(?<=\d)\.(?=\d)|(?<=[^\W_])-(?=[^\W_])|[–·…])*")
_LINE_SEEN_ON_LIGHT_AND_DARK = '%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#2f81f7"}}}}%%'
_FIGURES = re.compile(r"\d+(?:[.,]\d+)*")


def safe(value: str) -> str:
    """A foreign value for any place in a line of Markdown; a dash for an empty one, cut at `VALUE_LENGTH_MAX`."""
    shown = clean(value)
    if len(shown) > VALUE_LENGTH_MAX:
        shown = shown[: VALUE_LENGTH_MAX - 1] + "…"
    if _HARMLESS.fullmatch(shown):
        return shown or NONE
    return f"<code>{''.join(map(_referenced, shown))}</code>"


def _referenced(character: str) -> str:
    plain_enough = character.isalnum() or character == " " or not character.isascii()
    return character if plain_enough else f"&#{ord(character)};"


def without_figures(value: str) -> str:
    """The text with every number in it hidden, where the reader may not see what an account holds."""
    return _FIGURES.sub("…", value)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table, without rows beyond `ROWS_MAX`; a head that begins with `>` sets its column to the right.

    Cells are Markdown already: `safe`, or our own words and figures.
    """
    sides = ["---:" if head.startswith(">") else "---" for head in heads]
    return [_row([head.removeprefix(">") for head in heads]), _row(sides), *map(_row, rows[:ROWS_MAX])]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def line_chart(title: str, below: str, values: Sequence[Decimal]) -> list[str]:
    """A line through `values`, hour by hour to the last; needs two of them. Both texts are our own words.

    The ruler is a little longer than what it measures, so that a flat line is seen as one.
    """
    low, high = min(values), max(values)
    spare = (high - low) / 20 or abs(high) / 1000 or Decimal(1)
    step = Decimal(1).scaleb(spare.adjusted())
    bottom = (low - spare).quantize(step, rounding=ROUND_FLOOR)
    top = (high + spare).quantize(step, rounding=ROUND_CEILING)
    return [
        "```mermaid",
        _LINE_SEEN_ON_LIGHT_AND_DARK,
        "xychart-beta",
        f'    title "{title}"',
        f'    x-axis "{below}" {1 - len(values)} --> 0',
        f"    y-axis {plain(bottom)} --> {plain(top)}",
        f"    line [{', '.join(plain(value) for value in values)}]",
        "```",
    ]
