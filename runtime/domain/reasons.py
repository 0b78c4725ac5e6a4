"""Reasons in the operator's language: sentences that the engine made up are worded, what others said is left alone.

The worked problem: an alert tells why the pool is degraded, and the why is the text of an error that was raised where
nobody knows a language. The texts are a closed set (`domain.wording.reasons`), so they can be found again: a value is
its sentences, joined by `; `, and a fault is `field: value – fix`. A sentence that is not found stays as it was said,
so a text that changes without its Chinese costs a translation and never a word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from runtime.domain.texts import Language
from runtime.domain.wording.reasons import BETWEEN, COLON, REASONS

SENTENCE_MAX = 400
"""A longer sentence is nobody's of the set; trying it would cost more than it is worth."""
_BETWEEN, _FIX = "; ", " – "
_HOLE = re.compile(r"\\\{(\w+)\\\}")


def worded(value: str, language: Language) -> str:
    """`value` with every sentence of the engine's own in `language`."""
    if language is Language.EN or not value:
        return value
    said = value.split(_BETWEEN)
    told = [_sentence(one) for one in said]
    whole = None not in told
    return (BETWEEN if whole else _BETWEEN).join(one or before for one, before in zip(told, said, strict=True))


def _sentence(said: str) -> str | None:
    """The sentence in Chinese; None where it is not known."""
    if len(said) > SENTENCE_MAX:
        return None
    found = _known(said)
    if found is not None:
        return found
    head, between, fix = said.rpartition(_FIX)
    worded_fix = _known(fix) if between else None
    if worded_fix is None:
        return None
    field, colon, value = head.partition(": ")
    return f"{field}{COLON}{_known(value) or value} – {worded_fix}" if colon else f"{head} – {worded_fix}"


def _known(said: str) -> str | None:
    for pattern, chinese in _patterns():
        if found := pattern.fullmatch(said):
            values: Mapping[str, str] = found.groupdict()
            return chinese.format_map(values)
    return None


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(_HOLE.sub(r"(?P<\1>.+?)", re.escape(english))), chinese) for english, chinese in REASONS)
