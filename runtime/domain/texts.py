"""Texts: a key and its values become words in the operator's language.

The worked problem: an alert is raised by code that must not fail over a word. So a look-up never raises on what it is
given at run time: a machine name without a text is shown as it is, a value that is missing shows as a dash. That the
catalogue is whole and that its placeholders agree between the languages is the tests' business.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from string import Formatter
from types import MappingProxyType

from runtime.domain.wording.alerts import ALERTS
from runtime.domain.wording.changes import CHANGES
from runtime.domain.wording.gates import GATES
from runtime.domain.wording.inbox import INBOX
from runtime.domain.wording.labels import LABELS

MISSING = "–"
CATALOGUE: Mapping[str, tuple[str, str]] = MappingProxyType({**ALERTS, **CHANGES, **GATES, **INBOX, **LABELS})


class Language(StrEnum):
    """The languages an operator may choose (`NOTIFY_LANG`)."""

    EN = "en"
    ZH = "zh"


_COLUMN = {Language.EN: 0, Language.ZH: 1}
_ONE = re.compile(r"(?<![\d.,:-])1 (cycle|day|hour|minute|request)s\b")
"""One of what our English texts count in the plural."""


def text(key: str, language: Language, values: Mapping[str, str] = MappingProxyType({})) -> str:
    """The text of `key` with its `{placeholders}` filled from `values`; a missing value shows as a dash. English says
    `1 day`, not `1 days`.

    An unknown key is answered with its last part, which is the machine name it ends in.
    """
    words = CATALOGUE.get(key)
    if words is None:
        return key.partition(".")[2]
    filled = words[_COLUMN[language]].format_map(defaultdict(lambda: MISSING, values))
    return _ONE.sub(r"1 \1", filled) if language is Language.EN else filled


def label(group: str, name: str, language: Language) -> str:
    """The words for the machine name `name` in `group` (gate, reason, rung, ...); the name itself if there are none."""
    return text(f"{group}.{name}", language)


def known(key: str) -> bool:
    """Whether the catalogue has a text for `key`."""
    return key in CATALOGUE


def placeholders(template: str) -> frozenset[str]:
    """The names in braces of a text."""
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name is not None)
