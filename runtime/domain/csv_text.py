"""CSV text: lines that every reader takes for what they are, and no spreadsheet for a formula.

RFC 4180: commas, CRLF, quotes doubled inside quotes. Numbers are written as numbers, exactly and without exponent.
The worked problem: the reason `=HYPERLINK("http://evil","total")` of a foreign record becomes a live formula where the
file is opened. So text that begins like a formula (= + - @, also in their full-width forms, also behind blanks) or with
a tab or a line's end is written behind an apostrophe, and control characters become blanks. A negative number is no
text: it stays what it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from decimal import Decimal

from runtime.domain.money import plain

Cell = str | int | Decimal | None
Row = tuple[Cell, ...]
_FORMULA = frozenset("=+-@＝＋－＠﹢﹣﹦﹫")  # noqa: RUF001 - the look-alikes are meant
_BREAKS = frozenset("\t\r\n")
_QUOTED = frozenset(',"\r\n')


def csv_line(cells: Sequence[Cell]) -> str:
    """One record, with its line's end."""
    return ",".join(map(_cell, cells)) + "\r\n"


def one_line(text: str) -> str:
    """Text without control characters, line ends and halves of characters: each becomes a blank."""
    if text.isprintable():
        return text
    return "".join(" " if unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} else sign for sign in text)


def harmless(text: str) -> str:
    """Text that no spreadsheet runs: see the module's docstring."""
    shown = one_line(text)
    dangerous = text[:1] in _BREAKS or shown.lstrip()[:1] in _FORMULA
    return "'" + shown if dangerous and text else shown


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, int):
        return str(value)
    text = harmless(value)
    quoted = _QUOTED & set(text) or text != text.strip()
    return '"' + text.replace('"', '""') + '"' if quoted else text
