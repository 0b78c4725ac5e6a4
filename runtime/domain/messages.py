"""Messages: the hour's alerts in words, for a messenger (HTML pages) and for a terminal (plain lines).

The worked problem: a value may be hostile or merely long (an error text with `<`, ten thousand characters, a mark that
reverses the writing). It must neither break the markup, nor forge a second line, nor push another alert out. So every
value is cleaned to one line, shortened and escaped, and the pages know which alerts they tell, so that an alert counts
as delivered only when all of its text is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from runtime.domain.alerts import Alert, Severity
from runtime.domain.paging import UNITS_MAX, Line, paged
from runtime.domain.reasons import worded
from runtime.domain.texts import CATALOGUE, MISSING, Language, known, label, placeholders, text

FACT_LENGTH_MAX = 600
MARKS = {Severity.CRITICAL: "🔴", Severity.WARNING: "🟡", Severity.INFO: "🔵"}
"""Severities, the most urgent first, with the mark that a reader sees before the word."""

_LABELLED = {"reason": "reason", "gate": "gate", "source": "rung", "side": "side", "control": "control",
             "sleeve": "sleeve", "move": "kind"}  # fmt: skip
_REASONED = frozenset({"why", "fix", "detail", "change"})
_MEASURES = ("loss today", "drawdown", "fees", "slippage", "minutes")
_SUMS, _PRICES = frozenset({"equity", "quote"}), frozenset({"price", "close", "previous"})
_AMOUNT = re.compile(r"-?\d{1,18}(\.\d{1,18})?")
_PRICE_DIGITS = 6
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


@dataclass(frozen=True, slots=True)
class Message:
    """One alert in words: `title` and `lines` are plain text, `runbook` the address of its page or empty."""

    severity: Severity
    slot: str
    title: str
    lines: tuple[str, ...]
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One message to send: its `html`, the positions of the alerts with text on it, and the worst severity of them."""

    html: str
    alerts: frozenset[int]
    severity: Severity


def render(alert: Alert, language: Language, runbook_url: str = "") -> Message:
    """The alert in words. Facts that no text names follow as `name: value`; facts that are machine names are worded.

    `runbook_url` is the address that `docs/runbook/<kind>.md` is relative to; empty = no link.
    """
    kind = alert.kind.partition(":")[0]
    facts = {name: _fact(name, value, language) for name, value in alert.facts.items()}
    body, advice = (key if known(key) else "" for key in (f"alert.{kind}.body", f"alert.{kind}.advice"))
    named = placeholders(CATALOGUE[body][0] if body else "") | placeholders(CATALOGUE[advice][0] if advice else "")
    others = [f"{clean(name)}: {value}" for name, value in facts.items() if name not in named]
    lines = [text(body, language, facts)] if body else []
    closing = [text(advice, language, facts)] if advice else []
    title = f"alert.{kind}.title"
    worded = text(title, language) if known(title) else clean(alert.kind)
    return Message(
        alert.severity, clean(alert.slot), worded, (*lines, *others, *closing), runbook_page(kind, runbook_url)
    )


def runbook_page(kind: str, base_url: str) -> str:
    """The address of the runbook page of an alert kind; empty without a base."""
    return f"{base_url.rstrip('/')}/docs/runbook/{kind}.md" if base_url and re.fullmatch(r"\w+", kind) else ""


def digest(alerts: Sequence[Alert], language: Language, runbook_url: str = "") -> str:
    """All alerts as one HTML text, grouped by severity, the most urgent first; of any length (see `pages`)."""
    return "\n".join(line for line, _ in _lines(alerts, language, runbook_url)).strip()


def pages(
    alerts: Sequence[Alert], language: Language, runbook_url: str = "", limit: int = UNITS_MAX
) -> tuple[Page, ...]:
    """The digest in messages of at most `limit` units, each knowing which of `alerts` (by position) it tells."""
    return tuple(
        Page(html, of, _worst(alerts[at].severity for at in of))
        for html, of in paged(_lines(alerts, language, runbook_url), limit)
    )


def plain_text(alerts: Sequence[Alert], language: Language, runbook_url: str = "") -> str:
    """The alerts as lines for a terminal or a log, the most urgent first, each with its page where that is known."""
    blocks = []
    for at in _by_urgency(alerts):
        message = render(alerts[at], language, runbook_url)
        heading = f"{label('severity', message.severity, language)}: {message.title} [{message.slot}]"
        link = [f"{text('message.runbook', language)}: {message.runbook}"] if message.runbook else []
        blocks.append("\n  ".join([heading, *message.lines, *link]))
    return "\n".join(blocks)


def escape(value: str) -> str:
    """`value` for an HTML text or attribute."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def clean(value: str) -> str:
    """`value` on one line, without control characters, lone surrogates and marks that reverse the writing."""
    spaced = (" " if character.isspace() else character for character in value)
    shown = (c for c in spaced if c not in _BIDI and unicodedata.category(c) not in {"Cc", "Cs"})
    return " ".join("".join(shown).split())


def _fact(name: str, value: str, language: Language) -> str:
    if name in _REASONED:
        value = worded(value.rstrip(". "), language)  # the texts that quote it end the sentence
    elif name in _LABELLED:
        value = label(_LABELLED[name], value, language)
    elif name == "gates":
        value = (", " if language is Language.EN else "、").join(
            label("gate", gate, language) for gate in value.split()
        )
    elif name == "measure":
        value = _measured(value, language)
    elif name in _SUMS | _PRICES and _AMOUNT.fullmatch(value):
        value = _rounded(Decimal(value), 2 if name in _SUMS else None)
    elif name == "what" and known(f"alert.{value.partition(':')[0]}.title"):
        kind, _, subject = value.partition(":")
        value = f"{text(f'alert.{kind}.title', language)} {_measured(subject, language)}"
    elif name == "what":
        value = _measured(value, language)
    cleaned = clean(value)
    return (cleaned if len(cleaned) <= FACT_LENGTH_MAX else cleaned[: FACT_LENGTH_MAX - 1] + "…") or MISSING


def _measured(value: str, language: Language) -> str:
    """`value`, worded where it begins with something that a limit is set for."""
    found = next((measure for measure in _MEASURES if value.startswith(measure)), "")
    return label("measure", found, language) + value.removeprefix(found) if found else value


def _rounded(amount: Decimal, places: int | None) -> str:
    """An amount as people read it, thousands set apart: to `places`, or to six digits, whole ones never cut."""
    if places is None:
        places = max(_PRICE_DIGITS - 1 - amount.adjusted(), 0)
        bare = amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN).normalize()
        return f"{bare:,f}"
    return f"{amount:,.{places}f}"


def _by_urgency(alerts: Sequence[Alert]) -> list[int]:
    """Positions of the alerts, the most urgent first, otherwise in their order."""
    urgency = list(MARKS)
    return sorted(range(len(alerts)), key=lambda at: urgency.index(alerts[at].severity))


def _worst(severities: Iterable[Severity]) -> Severity:
    return min(severities, key=list(MARKS).index)


def _lines(alerts: Sequence[Alert], language: Language, runbook_url: str) -> Iterator[Line]:
    shown: Severity | None = None
    for at in _by_urgency(alerts):
        message = render(alerts[at], language, runbook_url)
        if message.severity is not shown:
            shown = message.severity
            yield f"{MARKS[shown]} <b>{escape(label('severity', shown, language))}</b>", at
        yield f"<b>{escape(message.title)}</b> · {escape(message.slot)}", at
        yield from ((escape(line), at) for line in message.lines)
        if message.runbook:
            yield f'<a href="{escape(message.runbook)}">{escape(text("message.runbook", language))}</a>', at
        yield "", at
