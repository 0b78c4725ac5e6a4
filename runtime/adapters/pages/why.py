"""The card of a slot as a piece of a page: a `<section>` without style of its own, every value escaped."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from runtime.domain.texts import Language, label, text
from runtime.domain.why import Card
from runtime.domain.why_text import worded

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_COLUMNS = ("sleeve", "gate", "symbol", "compared", "needs")


def why_fragment(card: Card, language: Language) -> str:
    """The card as HTML, to be put into a page as it is."""
    told = worded(card, language)
    named = {"saw": told.saw, "judged": told.judged, "decision": told.decided, "did": told.did}
    return _TEMPLATES.get_template("why.html.jinja").render(
        told=told,
        parts=[(label("heading", name, language), lines) for name, lines in named.items()],
        heading=label("heading", "gates", language),
        columns=[label("column", name, language) for name in _COLUMNS],
        nothing=text("line.no_gates", language),
    )
