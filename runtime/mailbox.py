"""The mailbox: reads what an operator wrote, obeys it, and answers.

    read from the offset ─► judge ─► offset, control, events and owed answers in one write ─► answer ─► what was paid

A process that dies before the write has changed nothing, and the messages are read again; one that dies after it has
obeyed, and the next run answers. Of two that read the same messages, one writes and the other leaves.

The kill switch must not wait for anything: commands that set the control are obeyed before an hour decides. Answers
cost reads and wait until the hour is over.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from runtime.domain.audit import Run
from runtime.domain.inbox import Desk, Owed, judged, paid
from runtime.errors import EngineError, LeaseLost
from runtime.ports import Clock
from runtime.records import Post, Records

PAGES_MAX = 10
OBEY_S = 3.0
ANSWER_S = 15.0
"""How long reading and obeying may take before an hour decides, and how long answering may take after it."""


@dataclass(slots=True)
class Mailbox:
    """One account's. `allowed` are the ids of people, each that of a chat with the bot too, `chats` those of other
    chats; `worded` makes the answer to what is owed (HTML). `read`, `obeyed` and `answered` count; `problem` says what
    went wrong last, or nothing.
    """

    records: Records
    post: Post
    clock: Clock
    allowed: AbstractSet[int]
    worded: Callable[[Owed], str]
    chats: AbstractSet[int] = frozenset()
    run: Run = field(default_factory=Run)
    read: int = 0
    obeyed: int = 0
    answered: int = 0
    problem: str = ""

    def obey(self) -> None:
        """Read what was written and write down what comes of it; soon, and never with an error."""
        try:
            until = self.clock.monotonic() + OBEY_S
            for _ in range(PAGES_MAX):
                if not self._obey_page() or self.clock.monotonic() > until:
                    return
        except LeaseLost:
            return  # another run reads the same messages
        except EngineError as error:
            self.problem = str(error)

    def _obey_page(self) -> bool:
        """One page; whether there may be another."""
        mail = self.records.mail()
        now_ms = self.clock.now_ms()
        updates = self.post.read(mail.inbox.offset(now_ms))
        verdict = judged(
            mail.inbox, mail.control, updates, Desk(self.allowed, self.allowed | self.chats, now_ms, self.run)
        )
        if verdict is None:
            return False
        self.records.obey(mail, verdict.inbox, verdict.control, verdict.events)
        self.read += len(updates)
        self.obeyed += verdict.control is not None
        return True

    def answer(self) -> None:
        """Answer what is owed, as far as the time goes; what is not delivered is owed still."""
        try:
            mail = self.records.mail()
            given = self._given(mail.inbox.owed) if mail.inbox.owed else frozenset()
            if given:
                self.records.obey(mail, paid(mail.inbox, given), None, ())
        except LeaseLost:
            return  # another run answered; an answer may come twice
        except EngineError as error:
            self.problem = str(error)

    def _given(self, owed: tuple[Owed, ...]) -> frozenset[int]:
        until, given = self.clock.monotonic() + ANSWER_S, set[int]()
        for one in owed:
            if self.clock.monotonic() > until or not self.post.reply(one.chat, self.worded(one)):
                break
            given.add(one.update)
            self.answered += 1
        return frozenset(given)
