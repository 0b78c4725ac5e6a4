"""The inbox: what an operator writes to the bot, and what may come of it. Pure: updates in, one verdict out.

The worked problem: a message is delivered at least once, by anyone, late, twice and in any order, and the process that
reads it may die at any moment. So

    who         both the sender and the chat must be allowed; a stranger changes nothing and is told of once
    twice       an update is handled once: its id must be above every id that was handled
    late        a command older than `LATE_MS` is answered and not obeyed
    crossing    only what tightens is obeyed against a control that was set after the command was written
    crash       offset, effect and the answers still owed are one write; an answer may come twice, an effect cannot
    flood       of what waits, `ANSWERED_MAX` commands are answered; a control command always counts

Telegram begins a new count of ids after a week without messages, so an inbox that was quiet for `QUIET_MS` forgets its
offset; what is old is late anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum

from runtime.domain.audit import NOBODY, Event, EventKind, Run, event
from runtime.domain.control import Control, Mode
from runtime.domain.slots import DAY_MS, MINUTE_MS
from runtime.domain.values import Value

LATE_MS = 75 * MINUTE_MS
"""As long as an hour may be late: without a timer, commands are read once an hour."""
AHEAD_MS = 5 * MINUTE_MS
QUIET_MS = 6 * DAY_MS
ANSWERED_MAX = 10
KNOWN_MAX = 50
WORDS_MAX = 200
CONTROLS: Mapping[str, Mode] = {"halt": Mode.HALT, "reduce_only": Mode.REDUCE_ONLY, "resume": Mode.RUN}
QUESTIONS = ("status", "pnl", "positions", "why", "pool", "help")
_STRICTNESS = (Mode.RUN, Mode.REDUCE_ONLY, Mode.HALT)


class Outcome(StrEnum):
    """What came of a command."""

    ASKED = "asked"
    OBEYED = "obeyed"
    LATE = "late"
    OVERTAKEN = "overtaken"
    UNKNOWN = "unknown"
    FLOOD = "flood"
    FOREIGN = "foreign"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Update:
    """A message to the bot as read: ids, the moment it was written (epoch ms), and its text."""

    id: int
    sender: int
    chat: int
    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Owed:
    """An answer that is still to be given: to which chat (0 = the operator's own), to what, and what came of it.
    `sender` wrote the command (0 = an older version did not keep it).
    """

    update: int
    chat: int
    command: str
    words: str
    outcome: str
    sender: int = 0


@dataclass(frozen=True, slots=True)
class Inbox(metaclass=Value):
    """Up to which update everything is decided, when that was, the answers owed, and which strangers were told of."""

    handled: int = 0
    at_ms: int = 0
    owed: tuple[Owed, ...] = ()
    strangers: tuple[int, ...] = ()
    replays: tuple[int, ...] = ()

    def offset(self, now_ms: int) -> int | None:
        """The first update to ask for; None after a quiet time, when ids may begin anew."""
        return self.handled + 1 if self.handled and now_ms - self.at_ms < QUIET_MS else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to write: the inbox, a new control if there is one, and what was done."""

    inbox: Inbox
    control: Control | None
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Desk:
    """Who may write, in which chats, what the clock says, and in which run."""

    allowed: AbstractSet[int]
    chats: AbstractSet[int]
    now_ms: int
    run: Run = NOBODY


def judged(inbox: Inbox, control: Control, updates: Iterable[Update], desk: Desk) -> Verdict | None:
    """What comes of `updates`, in the order they were written; None where there is nothing to write down."""
    fresh = inbox.offset(desk.now_ms) is not None
    known, standing, events = inbox, control, list[Event]()
    seen = inbox.handled if fresh else 0
    for update in sorted({update.id: update for update in updates}.values(), key=lambda update: update.id):
        if update.id <= seen:
            known, event_of = _replayed(known, update, desk)
        elif update.sender not in desk.allowed or update.chat not in desk.chats:
            known, event_of = _foreign(known, update, desk)
        else:
            known, standing, event_of = _taken(known, standing, update, desk)
        events.extend(event_of)
        seen = max(seen, update.id)
    if seen == inbox.handled and not events:
        return None
    after = replace(known, handled=seen, at_ms=desk.now_ms)
    return Verdict(after, standing if standing is not control else None, tuple(events))


def _replayed(inbox: Inbox, update: Update, desk: Desk) -> tuple[Inbox, Sequence[Event]]:
    if update.id in inbox.replays:
        return inbox, ()
    command, words = parsed(update.text)
    after = replace(inbox, replays=(*inbox.replays, update.id)[-KNOWN_MAX:])
    return _owing(after, Owed(update.id, 0, command, words, Outcome.REPLAYED)), [_event(update, Outcome.REPLAYED, desk)]


def _foreign(inbox: Inbox, update: Update, desk: Desk) -> tuple[Inbox, Sequence[Event]]:
    """Somebody else, or an allowed one in another's chat: nothing is answered there; the operator is told once."""
    if update.sender in inbox.strangers:
        return inbox, ()
    after = replace(inbox, strangers=(*inbox.strangers, update.sender)[-KNOWN_MAX:])
    told = Owed(update.id, 0, str(update.sender), "", Outcome.FOREIGN)
    return _owing(after, told), [_event(update, Outcome.FOREIGN, desk)]


def _taken(inbox: Inbox, control: Control, update: Update, desk: Desk) -> tuple[Inbox, Control, Sequence[Event]]:
    command, words = parsed(update.text)
    if not command:
        return inbox, control, ()
    outcome = _outcome(command, control, update, desk.now_ms)
    after = control
    if outcome is Outcome.OBEYED:
        who, why = f"telegram:{update.sender}", words or "by Telegram"
        after = Control(CONTROLS[command], who, desk.now_ms, why)
    if outcome is Outcome.ASKED and sum(owed.chat != 0 for owed in inbox.owed) >= ANSWERED_MAX:
        outcome = Outcome.FLOOD
    owed = Owed(update.id, update.chat, command, words, outcome, update.sender)
    return _owing(inbox, owed), after, [_event(update, outcome, desk)]


def _outcome(command: str, control: Control, update: Update, now_ms: int) -> Outcome:
    if command in QUESTIONS:
        return Outcome.ASKED
    if command not in CONTROLS:
        return Outcome.UNKNOWN
    if not now_ms - LATE_MS <= update.at_ms <= now_ms + AHEAD_MS:
        return Outcome.LATE
    tighter = _STRICTNESS.index(CONTROLS[command]) >= _STRICTNESS.index(control.at(now_ms))
    if not tighter and update.at_ms < control.when_ms - control.when_ms % 1000 and not _same_batch(control, now_ms):
        return Outcome.OVERTAKEN
    return Outcome.OBEYED


def _same_batch(control: Control, now_ms: int) -> bool:
    """Whether a command read at the same time set the control: then the order of writing is the ids' order."""
    return control.when_ms == now_ms and control.who.startswith("telegram:")


def _owing(inbox: Inbox, owed: Owed) -> Inbox:
    """The inbox with one more answer owed; of those that are only told that there were too many, one is enough."""
    if owed.outcome == Outcome.FLOOD and any(other.outcome == Outcome.FLOOD for other in inbox.owed):
        return inbox
    kept = [other for other in inbox.owed if other.update != owed.update]
    return replace(inbox, owed=(*kept, owed)[-2 * KNOWN_MAX :])


def parsed(text: str) -> tuple[str, str]:
    """The command in a message, without its slash and the bot's name, and the words after it; empty for none."""
    first, _, rest = text.strip().partition(" ")
    if not first.startswith("/"):
        return "", ""
    command = first[1:].partition("@")[0].lower()
    return command[:WORDS_MAX], " ".join(rest.split())[:WORDS_MAX]


def _event(update: Update, outcome: Outcome, desk: Desk) -> Event:
    command, words = parsed(update.text)
    kind = EventKind.FOREIGN if outcome is Outcome.FOREIGN else EventKind.COMMAND
    facts = {"actor": f"telegram:{update.sender}", "command": command, "words": words, "outcome": outcome.value}
    return event(desk.run, kind, desk.now_ms, facts, f"update:{update.id}")


def paid(inbox: Inbox, updates: AbstractSet[int]) -> Inbox:
    """The inbox without the answers that were given."""
    return replace(inbox, owed=tuple(owed for owed in inbox.owed if owed.update not in updates))
