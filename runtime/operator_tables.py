"""What the operator's commands show in a terminal, as tables."""

from __future__ import annotations

from runtime.domain.texts import Language, label
from runtime.domain.why import Card
from runtime.domain.why_text import worded
from runtime.tables import printed, row, table

HELD = ("sleeve", "gate", "symbol", "compared", "needs")


def why_text(card: Card, language: Language, *, colour: bool = False) -> str:
    """The card of a slot."""
    told = worded(card, language)
    above = table(told.headline, ("", ""))
    lines = {"saw": told.saw, "judged": told.judged, "decision": told.decided, "did": told.did}
    for name, said in {"problems": told.remarks, **lines}.items():
        if said:
            row(above, label("heading", name, language), list(said))
    held = table(label("heading", "gates", language), [label("column", name, language) for name in HELD])
    for one in told.held:
        row(held, one.sleeve, one.gate, one.symbol, list(one.compared), list(one.needs))
    return printed([above, held] if told.held else [above], colour=colour)
