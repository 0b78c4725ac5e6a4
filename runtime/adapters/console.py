"""Console: alerts as lines of text, for paper mode and for an operator at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from runtime.domain.alerts import Alert
from runtime.domain.messages import plain_text
from runtime.domain.texts import Language
from runtime.ports import Receipt


class ConsoleAlerter:
    """Writes what a messenger would send; what is written counts as delivered."""

    def __init__(self, write: Callable[[str], object], language: Language) -> None:
        """`write` takes one text of several lines, without the last line's end (`print` will do)."""
        self._write = write
        self._language = language

    def deliver(self, alerts: Sequence[Alert]) -> Sequence[Receipt]:
        if alerts:
            self._write(plain_text(alerts, self._language))
        return [Receipt(alert.id, delivered=True, channel="console") for alert in alerts]

    def probe(self) -> Mapping[str, str]:
        return {"console": "ok"}


class NullAlerter:
    """Takes everything and says nothing."""

    def deliver(self, alerts: Sequence[Alert]) -> Sequence[Receipt]:
        return [Receipt(alert.id, delivered=True) for alert in alerts]

    def probe(self) -> Mapping[str, str]:
        return {"nobody": "ok"}
