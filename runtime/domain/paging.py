"""Paging: HTML text cut into messages that a messenger accepts, without breaking markup or losing a letter.

The worked problem: Telegram refuses a text of more than 4096 units, counts them as UTF-16 *after* the markup is parsed
(`&lt;` is one, an emoji two, `<b>` none), refuses the whole text when a tag is not closed, and silently drops
formatting beyond about a hundred entities. So a cut falls at a line's end; inside a line only where the line alone is
too long; never inside a tag or an escape; and open tags are closed before the cut and opened again after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

UNITS_MAX = 4096
ENTITIES_MAX = 100
_MARKER_UNITS = len("\n(99999/99999)")
_TOKEN = re.compile(r"</?[a-z][^<>]*>|&(?:#\d{1,7}|#x[0-9a-f]{1,6}|lt|gt|amp|quot);|.", re.DOTALL | re.IGNORECASE)

_ESCAPES = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"'}

Line = tuple[str, int]
"""A line of HTML and the number of what it belongs to."""


def units(html: str) -> int:
    """The length that counts: UTF-16 code units of what is left when tags and escapes are parsed."""
    return sum(_weight(token) for token in _TOKEN.findall(html))


def parsed(html: str) -> str:
    """The text a reader sees: without tags, escapes resolved."""
    return "".join(_seen(token) for token in _TOKEN.findall(html))


def split(html: str, limit: int = UNITS_MAX) -> tuple[str, ...]:
    """`html` in parts of at most `limit` units (64 or more), each with a marker such as (1/3) where there are several.

    A text without anything to read has no parts.
    """
    return tuple(part for part, _ in paged(((line, 0) for line in html.split("\n")), limit))


def paged(lines: Iterable[Line], limit: int = UNITS_MAX) -> tuple[tuple[str, frozenset[int]], ...]:
    """The lines as parts like those of `split`, each with the numbers of what has text on it."""
    kept = list(lines)
    whole = _Packer(limit).pack(kept)
    if len(whole) <= 1:
        return tuple(whole)
    parts = _Packer(limit - _MARKER_UNITS).pack(kept)
    return tuple((f"{part}\n({at}/{len(parts)})", of) for at, (part, of) in enumerate(parts, 1))


class _Packer:
    """Fills parts token by token (a tag, an escape, a character); `room` is in units."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._parts: list[tuple[str, frozenset[int]]] = []
        self._open: list[str] = []
        self._begin()

    def pack(self, lines: Iterable[Line]) -> list[tuple[str, frozenset[int]]]:
        for line, owner in lines:
            tokens = _TOKEN.findall(line)
            weight = sum(map(_weight, tokens))
            if weight <= self._room < self._units + 1 + weight or self._entities + _opened(tokens) > ENTITIES_MAX:
                self._flush()
            if self._units:
                self._add("\n", owner)
            for token in tokens:
                self._add(token, owner)
        self._flush()
        return self._parts

    def _begin(self) -> None:
        self._tokens = list(self._open)
        self._units = 0
        self._entities = len(self._open)
        self._owners: set[int] = set()

    def _flush(self) -> None:
        closing = [f"</{_name(tag)}>" for tag in reversed(self._open)]
        if self._owners:
            self._parts.append(("".join([*self._tokens, *closing]).strip(), frozenset(self._owners)))
        self._begin()

    def _add(self, token: str, owner: int) -> None:
        weight = _weight(token)
        if self._units and self._units + weight > self._room:
            self._flush()
        self._tokens.append(token)
        self._units += weight
        if _is_tag(token):
            self._follow(token)
        elif not _seen(token).isspace():
            self._owners.add(owner)

    def _follow(self, tag: str) -> None:
        """Keep account of the tags that are open."""
        if not tag.startswith("</"):
            self._open.append(tag)
            self._entities += 1
        elif self._open and _name(self._open[-1]) == _name(tag):
            self._open.pop()


def _is_tag(token: str) -> bool:
    return len(token) > 1 and token[0] == "<"


def _name(tag: str) -> str:
    return tag.strip("</>").split()[0].lower()


def _opened(tokens: Iterable[str]) -> int:
    return sum(_is_tag(token) and not token.startswith("</") for token in tokens)


def _seen(token: str) -> str:
    if len(token) == 1:
        return token
    if _is_tag(token):
        return ""
    return _ESCAPES.get(token.lower()) or _numbered(token)


def _numbered(escape: str) -> str:
    code = int(escape[3:-1], 16) if escape[2] in "xX" else int(escape[2:-1])
    return chr(min(code, 0x10FFFF))


def _weight(token: str) -> int:
    return sum(2 if character > "\uffff" else 1 for character in _seen(token))
