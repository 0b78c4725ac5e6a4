"""Control: the kill switch, as the operator set it.

Read at the start of an hour and again before every batch of sends. A control that cannot be read stops everything:
that is what `Control(unreadable=True)` says, whatever its mode field holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """The kill switch: what may be sent."""

    RUN = "run"
    REDUCE_ONLY = "reduce_only"
    HALT = "halt"


@dataclass(frozen=True, slots=True)
class Control:
    """The operator's control document: who set which mode, when, why, and until when (epoch ms)."""

    mode: Mode = Mode.RUN
    who: str = ""
    when_ms: int = 0
    why: str = ""
    expires_ms: int | None = None
    unreadable: bool = False

    def at(self, now_ms: int) -> Mode:
        """The mode in force at `now_ms`: what cannot be read halts, what has expired runs."""
        if self.unreadable:
            return Mode.HALT
        expired = self.expires_ms is not None and now_ms >= self.expires_ms
        return Mode.RUN if expired else self.mode
