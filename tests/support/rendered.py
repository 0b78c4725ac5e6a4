"""Markdown as a browser would get it: what a reader sees, and which marks of structure it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def blocks(text: str) -> Counter[str]:
    """How often each kind of block is there: headings, tables, rows, cells."""
    return Counter(token.type for token in _PARSER.parse(text))


def inline(text: str) -> Iterator[Token]:
    """Every token inside the lines."""
    for token in _PARSER.parse(text):
        yield from token.children or ()


def marks(text: str) -> set[str]:
    """The kinds of inline marks, with the tags of HTML."""
    return {token.content if token.type == "html_inline" else token.type for token in inline(text)}


def seen(text: str) -> str:
    """The words that a reader sees, of all lines and cells, one a line."""
    found = []
    for token in _PARSER.parse(text):
        words = [child.content for child in token.children or () if child.type in {"text", "text_special"}]
        found.append("".join(words) if token.children else token.content if token.type == "fence" else "")
    return "\n".join(line for line in found if line)
