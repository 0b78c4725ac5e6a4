"""Records: what an account keeps beside its hours (audit log, inbox), and what an operator's messages may do.

Ports of their own: an hour needs neither, and whatever is asked of them is no answer of the world on its tape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runtime.domain.audit import Event
from runtime.domain.control import Control
from runtime.domain.inbox import Inbox, Update
from runtime.ports import Mail


class Records(Protocol):
    """An account's audit log and inbox, beside the documents of its hours. Errors are those of `Store`."""

    def audit(self, limit: int, before: str = "") -> Sequence[Event]:
        """The newest events (of those before the id `before`, if given), newest first."""

    def record(self, events: Sequence[Event]) -> None:
        """Add events; one that is there already stays as it is."""

    def mail(self) -> Mail:
        """Inbox and control in one read; a malformed inbox is an empty one, a malformed control halts."""

    def obey(self, mail: Mail, inbox: Inbox, control: Control | None, events: Sequence[Event]) -> Mail:
        """Write the inbox, the control if there is a new one, and events, in one step; `LeaseLost`, and nothing
        written, if somebody changed the inbox since `mail`, or, where there is a new one, the control.
        """


class Post(Protocol):
    """The messenger's own side: messages in, answers out. Each call ends within its time."""

    def read(self, offset: int | None) -> Sequence[Update]:
        """What was written from update `offset` on, which confirms all before it; `Unavailable`, `Misconfigured` or
        `RateLimited` where it cannot be read.
        """

    def reply(self, chat: int, html: str) -> bool:
        """Answer in a chat (0 = the operator's own); True = delivered, or refused for good."""
