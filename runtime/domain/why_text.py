"""The card of a slot in words: once for every medium, and then as Telegram's HTML and GitHub's Markdown.

What others wrote (symbols, reasons, error texts) passes through `shown`, the medium's own escape, before it stands in a
text of ours; so a text is worded once and is safe everywhere. Terminal and page take the same words, unescaped, and
show them as plain text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runtime.domain.layout import NONE, money, percent, shortened
from runtime.domain.markdown import safe, table, without_figures
from runtime.domain.messages import clean, escape
from runtime.domain.paging import units
from runtime.domain.texts import CATALOGUE, Language, known, label, placeholders, text
from runtime.domain.why import FIGURES, Card, Choice, Deed, HeldBack, Judged, Source

TELEGRAM_UNITS_MAX = 3_500
"""A card is one message: what does not fit is counted, and is in the report."""
Shown = Callable[[str], str]
_FIGURE = re.compile(r"-?\d{1,18}(\.\d{1,28})?")
_AS_PEOPLE_READ: Mapping[str, Callable[[Decimal], str]] = {
    "drawdown": percent,
    "part": percent,
    "equity": lambda amount: f"{money(amount)} USDT",
}


@dataclass(frozen=True, slots=True)
class HeldText:
    """A trade that was not made, in words: `compared` and `needs` are one text each thing."""

    sleeve: str
    gate: str
    symbol: str
    compared: tuple[str, ...]
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CardText:
    """A card in words, section by section, ready to be shown as plain text where `shown` escaped nothing."""

    headline: str
    remarks: tuple[str, ...]
    saw: tuple[str, ...]
    judged: tuple[str, ...]
    decided: tuple[str, ...]
    did: tuple[str, ...]
    held: tuple[HeldText, ...]


def worded(card: Card, language: Language, shown: Shown = shortened) -> CardText:
    """The card in words; every foreign value and every figure went through `shown`."""
    page = _Page(language, shown)
    return CardText(
        page.headline(card),
        tuple(page.remarks(card)),
        tuple(page.saw(card)),
        tuple(map(page.judgement, card.judged)),
        tuple(map(page.choice, card.decided)) or (page.line("nothing_decided"),),
        tuple(map(page.deed, card.did)) or (page.line("no_orders"),),
        tuple(map(page.held, card.held)),
    )


@dataclass(frozen=True, slots=True)
class _Page:
    language: Language
    shown: Shown

    def word(self, group: str, name: str) -> str:
        """Our word for a machine name; a name without one may be anything, and is shown like a foreign value."""
        return label(group, name, self.language) if known(f"{group}.{name}") else self.shown(name)

    def line(self, name: str, **values: str) -> str:
        return text(f"line.{name}", self.language, values)

    def headline(self, card: Card) -> str:
        ended = self.line("ended", status=self.word("status", card.status), code=str(card.exit_code))
        return " · ".join([self.shown(card.slot), self.word("mode", card.mode), self.shown(card.account), ended])

    def remarks(self, card: Card) -> Iterator[str]:
        if card.error:
            yield self.shown(card.error)
        if card.control != "run":
            yield self.line("control", control=self.word("control", card.control))
        if card.missed:
            yield self.line("missed", slots=str(card.missed))
        yield from (f"{self.shown(name)}: {self.shown(why)}" for name, why in card.problems.items())

    def saw(self, card: Card) -> Iterator[str]:
        if card.source is not None:
            yield from self._source(card.source)
        if card.regime_on is not None:
            yield self.line("regime_on" if card.regime_on else "regime_off")
        seen = sorted(card.saw, key=lambda name: FIGURES.index(name) if name in FIGURES else len(FIGURES))
        yield from (f"{self.word('saw', name)} {self.shown(_figure(name, card.saw[name]))}" for name in seen)

    def _source(self, source: Source) -> Iterator[str]:
        named = {"version": source.version, "date": source.as_of_date, "age": source.age_days}
        told = {name: self.shown(value) for name, value in named.items() if value}
        yield self.line("source", rung=self.word("rung", source.rung), **told)
        if source.degraded:
            yield self.line("degraded_now")

    def judgement(self, judged: Judged) -> str:
        failed = ", ".join(self.word("condition", name) for name in judged.failed)
        told = {"symbol": judged.symbol, "rank": judged.rank, "score": judged.score, "momentum": judged.momentum}
        values = {name: self.shown(value) for name, value in told.items() if value}
        return self.line("judged_failed", failed=failed, **values) if failed else self.line("judged", **values)

    def choice(self, choice: Choice) -> str:
        told = {"symbol": choice.symbol, "size": choice.size, **choice.numbers}
        as_part = "part" if choice.what in {"select", "exit"} else ""
        values = {name: self.shown(_figure(as_part if name == "size" else name, v)) for name, v in told.items()}
        values["reason"] = self.word("reason", choice.reason)
        compared = self._compared(choice.numbers) if choice.what == "exit" else []
        said = text(f"choice.{choice.what}", self.language, values) if known(f"choice.{choice.what}") else ""
        return f"{said} ({', '.join(compared)})" if compared else said or self.shown(choice.what)

    def deed(self, deed: Deed) -> str:
        move = self.word("side" if known(f"side.{deed.move}") else "kind", deed.move)
        reason, _, tier = deed.reason.partition(":")
        parts = [move, self.shown(deed.quantity), self.shown(deed.symbol), self.word("intent", deed.status)]
        told = f"{self.word('reason', reason)}{f' {self.shown(tier)}' if tier else ''}"
        return f"{' '.join(parts)} · {told}{f' · {self.shown(deed.detail)}' if deed.detail else ''}"

    def held(self, held: HeldBack) -> HeldText:
        return HeldText(
            self.word("sleeve", held.sleeve),
            self.word("gate", held.gate),
            self.shown(held.symbol) if held.symbol else "",
            tuple(self._compared(held.numbers)),
            tuple(self._needs(held)),
        )

    def _compared(self, numbers: Mapping[str, str]) -> list[str]:
        named = ((name, value) for name, value in sorted(numbers.items()) if name != "failed")
        return [
            self.shown(value) if name == "why" else f"{self.shown(name)} {self.shown(value)}" for name, value in named
        ]

    def _needs(self, held: HeldBack) -> Iterator[str]:
        """A text of its own for each condition not met, or the gate's: that of one of its numbers, where it has one.
        A text whose numbers are not all there would say nothing.
        """
        numbers = dict(held.numbers)
        if numbers.get("shortfall", "").startswith("-"):
            numbers["over"] = numbers.pop("shortfall").removeprefix("-")
        values = {name: self.shown(value) for name, value in numbers.items() if value}
        failed = held.numbers.get("failed", "").split()
        special = [f"change.{held.gate}.{name}" for name in values if known(f"change.{held.gate}.{name}")]
        keys = [f"change.condition.{name}" for name in failed] or special[:1] or [f"change.{held.gate}"]
        for key in filter(known, keys):
            if placeholders(CATALOGUE[key][0]) <= values.keys():
                yield text(key, self.language, values)


def _figure(name: str, value: str) -> str:
    """A figure as people read it: a part of something in per cent, equity to the cent; any other as it is."""
    if name not in _AS_PEOPLE_READ or not _FIGURE.fullmatch(value):
        return value
    return _AS_PEOPLE_READ[name](Decimal(value))


def why_html(card: Card, language: Language, limit: int = TELEGRAM_UNITS_MAX) -> str:
    """The card as one message of Telegram's HTML, of at most `limit` units; what does not fit is counted."""
    told = worded(card, language, lambda value: escape(shortened(value)))
    heading = {name: f"<b>{escape(label('heading', name, language))}</b>" for name in ("saw", "decision", "gates")}
    lines = [f"<b>{told.headline}</b>", *told.remarks]
    lines += [heading["saw"], " · ".join(told.saw)] if told.saw else []
    lines += [heading["decision"], *told.decided, *told.did]
    held = [f"• {' '.join(filter(None, (h.symbol, h.gate)))}{_because(h)}" for h in told.held]
    lines += [heading["gates"], *(held or [text("line.no_gates", language)])]
    return _within(lines, language, limit)


def _because(held: HeldText) -> str:
    return f": {'; '.join(held.needs or held.compared)}" if held.needs or held.compared else ""


def _within(lines: Sequence[str], language: Language, limit: int) -> str:
    """As many whole lines as fit, with the count of the others."""
    kept: list[str] = []
    left, room = len(lines), limit - units(text("line.more", language, {"count": str(len(lines))})) - 1
    for line in lines:
        room -= units(line) + 1
        if room < 0:
            return "\n".join([*kept, text("line.more", language, {"count": str(left)})])
        kept.append(line)
        left -= 1
    return "\n".join(kept)


def why_markdown(card: Card, language: Language, *, figures: bool) -> list[str]:
    """Lines of GitHub's Markdown below the card's headline: what was seen, and a table of what was not traded and what
    would have to change. Without `figures` every number is hidden.
    """
    shown = _foreign if figures else _hidden
    told = worded(card, language, shown)
    names = ("sleeve", "gate", "symbol", *(("compared",) if figures else ()), "needs")
    rows = []
    for held in told.held:
        compared = (", ".join(held.compared) or NONE,) if figures else ()
        rows.append((held.sleeve, held.gate, held.symbol or NONE, *compared, "<br>".join(held.needs) or NONE))
    seen = [" · ".join(told.saw), ""] if told.saw and figures else []
    heads = [label("column", name, language) for name in names]
    return [*seen, *(table(heads, rows) if rows else [text("line.no_gates", language)])]


def _foreign(value: str) -> str:
    return safe(shortened(value))


def _hidden(value: str) -> str:
    return safe(without_figures(clean(value)))
