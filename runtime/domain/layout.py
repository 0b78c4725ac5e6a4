"""Layout: plain text that a person reads at a glance in a terminal: columns, wrapped lists, rounded numbers.

A table library would do this in colour and by the terminal it finds; this text must be the same on every machine, so
its width is given, and a Chinese character counts as the two cells it takes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from runtime.domain.messages import clean
from runtime.domain.money import plain

NONE = "–"
CENT = Decimal("0.01")


def cells(text: str) -> int:
    """Terminal cells of a text: 2 for wide characters, 0 for those that combine with the one before."""
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf", "Cc"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def pad(text: str, width: int, *, right: bool = False) -> str:
    """`text` filled with spaces to `width` cells, on its right or (`right`) pushed to the right."""
    space = " " * max(0, width - cells(text))
    return space + text if right else text + space


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Lines of aligned columns; a head that begins with `>` sets its column to the right. The last column wraps.

    Nothing is cut: a table that is wider than `width` without its last column stays wider.
    """
    right = [head.startswith(">") for head in heads]
    lines = [[head.removeprefix(">") for head in heads], *rows]
    widths = [max(cells(row[at]) for row in lines) for at in range(len(heads))]
    indent = sum(widths[:-1]) + 2 * (len(heads) - 1)
    out = []
    for row in lines:
        first, *rest = wrap(row[-1], max(width - indent, 12)) or [""]
        padded = [pad(cell, widths[at], right=right[at]) for at, cell in enumerate(row[:-1])]
        last = pad(first, widths[-1], right=True) if right[-1] else first
        out.append("  ".join([*padded, last]).rstrip())
        out.extend(" " * indent + line for line in rest)
    return out


def wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells, broken at spaces, or between wide characters where there are none."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if cells(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = _chopped(word, width)
        lines.extend(full)
    return [*lines, line] if line else lines


def _chopped(word: str, width: int) -> list[str]:
    parts = [""]
    for character in word:
        if parts[-1] and cells(parts[-1] + character) > width:
            parts.append("")
        parts[-1] += character
    return parts


def hanging(head: str, text: str, width: int, indent: int) -> list[str]:
    """`head` in `indent` cells, then `text` wrapped beside it."""
    first, *rest = wrap(text, max(width - max(indent, cells(head) + 1), 12)) or [""]
    begin = pad(head, indent) if cells(head) < indent else head + " "
    return [(begin + first).rstrip(), *(" " * indent + line for line in rest)]


def money(value: Decimal | None) -> str:
    """USDT to the cent, thousands set apart: `10,234.56`."""
    return NONE if value is None else f"{value.quantize(CENT, rounding=ROUND_HALF_EVEN) + 0:,f}"


def number(value: Decimal | None, digits: int = 8) -> str:
    """A quantity or price to `digits` significant digits, whole digits never cut: `0.19204`, `64,250.1`."""
    if value is None:
        return NONE
    if not value:
        return "0"
    places = max(digits - 1 - value.adjusted(), 0)
    text = plain(value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN))
    whole, point, fraction = text.partition(".")
    return f"{Decimal(whole):,f}{point}{fraction}" if not whole.startswith("-0") else text


def percent(fraction: Decimal | None) -> str:
    """A fraction as a percentage of one decimal: `12.3 %`."""
    return NONE if fraction is None else f"{(fraction * 100).quantize(Decimal('0.1'), rounding=ROUND_HALF_EVEN) + 0} %"


def figure(value: float | None, digits: int = 4) -> str:
    """An indicator to `digits` significant digits, without exponent where it can be read without."""
    return NONE if value is None else f"{value:.{digits}g}"


def shortened(value: str) -> str:
    """A number in words of our own, cut to six significant digits for a reader; any other text on one line."""
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return clean(value)
    return number(amount, 6) if amount.is_finite() else value


def joined(items: Iterable[str]) -> str:
    """The items with a space between; a dash for none."""
    return " ".join(items) or NONE
