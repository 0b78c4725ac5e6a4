"""The inbox: whoever writes what, twice, late, in any order: only an allowed command changes the control, and once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.audit import Run
from runtime.domain.control import Control, Mode
from runtime.domain.inbox import (
    ANSWERED_MAX,
    CONTROLS,
    LATE_MS,
    QUESTIONS,
    QUIET_MS,
    Desk,
    Inbox,
    Update,
    Verdict,
    judged,
    paid,
    parsed,
)

NOW = 1_795_251_600_000
ME, CHAT, STRANGER = 7, -1001, 666
DESK = Desk(frozenset({ME}), frozenset({ME, CHAT}), NOW, Run("run", "engine", "code", "settings"))
RUN = Control()


def wrote(number: int, text: str, sender: int = ME, chat: int = ME, at_ms: int = NOW - 60_000) -> Update:
    return Update(number, sender, chat, at_ms, text)


def heard(*updates: Update, inbox: Inbox | None = None, control: Control = RUN, desk: Desk = DESK) -> Verdict:
    verdict = judged(inbox or Inbox(), control, updates, desk)
    assert verdict is not None
    return verdict


@pytest.mark.parametrize(("command", "mode"), CONTROLS.items())
@pytest.mark.parametrize("chat", [ME, CHAT])
def test_an_allowed_command_sets_the_control_and_is_told_and_logged(command: str, mode: Mode, chat: int) -> None:
    before = Control(Mode.REDUCE_ONLY, "me", NOW - 120_000)
    verdict = heard(wrote(5, f"/{command}@engine_bot  bad   news", chat=chat), control=before)
    assert verdict.control == Control(mode, f"telegram:{ME}", NOW, "bad news")
    [owed], [event] = verdict.inbox.owed, verdict.events
    assert (owed.chat, owed.command, owed.outcome) == (chat, command, "obeyed")
    assert (event.actor, event.run, event.code, event.settings) == (f"telegram:{ME}", "run", "code", "settings")
    assert (event.facts["command"], event.facts["outcome"]) == (command, "obeyed")


@pytest.mark.parametrize("command", QUESTIONS)
def test_a_question_changes_nothing_and_is_owed_an_answer(command: str) -> None:
    verdict = heard(wrote(5, f"/{command} 2026-11-21T09"))
    assert verdict.control is None
    assert (verdict.inbox.owed[0].outcome, verdict.inbox.owed[0].words) == ("asked", "2026-11-21T09")


@pytest.mark.parametrize(("sender", "chat"), [(STRANGER, ME), (STRANGER, CHAT), (ME, STRANGER), (STRANGER, STRANGER)])
def test_a_stranger_or_a_strange_chat_changes_nothing_and_is_told_of_once(sender: int, chat: int) -> None:
    first = heard(wrote(5, "/halt", sender, chat), wrote(6, "/halt", sender, chat))
    assert first.control is None
    assert [(owed.chat, owed.outcome) for owed in first.inbox.owed] == [(0, "foreign")]
    assert len(first.events) == 1
    again = heard(wrote(7, "/resume", sender, chat), inbox=first.inbox)
    assert (again.control, again.events, again.inbox.handled) == (None, (), 7)


def test_an_update_that_comes_again_is_not_obeyed_and_is_told_of_once() -> None:
    first = heard(wrote(5, "/halt"))
    second = heard(wrote(5, "/halt"), inbox=first.inbox)
    assert second.control is None
    assert [owed.outcome for owed in second.inbox.owed] == ["replayed"]
    assert judged(second.inbox, RUN, [wrote(5, "/halt")], DESK) is None


def test_a_late_command_is_answered_and_not_obeyed() -> None:
    just, late = NOW - LATE_MS, NOW - LATE_MS - 1000
    assert heard(wrote(5, "/halt", at_ms=just)).control is not None
    for at_ms in (late, NOW + 3_600_000):
        verdict = heard(wrote(5, "/halt", at_ms=at_ms))
        assert (verdict.control, verdict.inbox.owed[0].outcome) == (None, "late")


def test_what_loosens_is_not_obeyed_against_a_newer_control_and_what_tightens_is() -> None:
    set_since = Control(Mode.REDUCE_ONLY, "operator", NOW - 30_000, "seen on the console")
    assert heard(wrote(5, "/resume"), control=set_since).inbox.owed[0].outcome == "overtaken"
    verdict = heard(wrote(5, "/halt"), control=set_since)
    assert verdict.control is not None
    assert verdict.control.mode is Mode.HALT


def test_of_several_commands_the_last_one_written_holds_whatever_order_they_come_in() -> None:
    written = [wrote(5, "/halt"), wrote(6, "/reduce_only"), wrote(7, "/resume")]
    for order in (written, written[::-1], [written[1], written[2], written[0]]):
        verdict = heard(*order)
        assert verdict.control is not None
        assert verdict.control.mode is Mode.RUN


def test_a_control_that_cannot_be_read_can_be_set_again() -> None:
    verdict = heard(wrote(5, "/resume"), control=Control(Mode.HALT, unreadable=True))
    assert verdict.control is not None
    assert not verdict.control.unreadable


def test_a_flood_is_bounded_and_a_control_command_in_it_counts() -> None:
    flood = [wrote(n, "/status") for n in range(100, 200)] + [wrote(200, "/halt")]
    verdict = heard(*flood)
    outcomes = [owed.outcome for owed in verdict.inbox.owed]
    assert outcomes.count("asked") == ANSWERED_MAX
    assert outcomes.count("flood") == 1
    assert verdict.control is not None
    strangers = heard(*(wrote(n, "/halt", n, n) for n in range(1000, 3000)))
    assert len(strangers.inbox.owed) <= 100
    assert len(strangers.inbox.strangers) <= 50


def test_after_a_week_of_silence_ids_may_begin_anew() -> None:
    quiet = Inbox(handled=5_000, at_ms=NOW - QUIET_MS)
    assert quiet.offset(NOW) is None
    assert heard(wrote(17, "/halt"), inbox=quiet).control is not None
    assert replace(quiet, at_ms=NOW - QUIET_MS + 1).offset(NOW) == 5_001


def test_an_empty_page_writes_nothing() -> None:
    assert judged(Inbox(), RUN, [], DESK) is None


def test_answers_that_were_given_are_no_longer_owed() -> None:
    inbox = heard(wrote(5, "/status"), wrote(6, "/pnl")).inbox
    assert [owed.update for owed in paid(inbox, {5}).owed] == [6]


@pytest.mark.parametrize("text", ["", "halt", "halt /halt", "//", "/", "hello there"])
def test_what_is_no_command_is_passed_over(text: str) -> None:
    verdict = heard(wrote(5, text))
    assert verdict.control is None
    assert verdict.inbox.handled == 5
    assert all(owed.outcome == "unknown" for owed in verdict.inbox.owed)


COMMANDS = st.sampled_from(["/halt", "/reduce_only", "/resume", "/status", "/why", "/nonsense", "hello", "/halt<b>&"])
UPDATES = st.builds(
    Update,
    id=st.integers(1, 60),
    sender=st.sampled_from([ME, STRANGER]),
    chat=st.sampled_from([ME, CHAT, STRANGER]),
    at_ms=st.integers(NOW - 2 * LATE_MS, NOW + 60_000),
    text=COMMANDS | st.text(max_size=30),
)


@given(pages=st.lists(st.lists(UPDATES, max_size=8), max_size=6))
def test_any_sequence_of_pages_obeys_each_allowed_command_at_most_once(pages: list[list[Update]]) -> None:
    """Every page comes twice, as after a crash whose confirmation was lost."""
    inbox, control, obeyed = Inbox(), RUN, list[int]()
    for page in (page for page in pages for _ in range(2)):
        verdict = judged(inbox, control, page, DESK)
        if verdict is None:
            continue
        assert verdict.inbox.handled >= inbox.handled
        fresh = {update.id: update for update in page if update.id > inbox.handled}
        changed = [int(e.id.rpartition(":")[2]) for e in verdict.events if e.facts["outcome"] == "obeyed"]
        assert all(allowed(fresh[number]) for number in changed)
        assert bool(changed) == (verdict.control is not None)
        obeyed += changed
        inbox, control = verdict.inbox, verdict.control or control
    assert len(obeyed) == len(set(obeyed))
    assert len(inbox.owed) <= 100


def allowed(update: Update) -> bool:
    return update.sender == ME and update.chat != STRANGER and update.at_ms >= NOW - LATE_MS


@given(text=st.text())
def test_any_text_is_a_command_of_bounded_length_or_none(text: str) -> None:
    command, words = parsed(text)
    assert len(command) <= 200
    assert len(words) <= 200


def strangers_only(updates: Sequence[Update]) -> list[Update]:
    return [replace(update, sender=STRANGER) for update in updates]


@given(page=st.lists(UPDATES, max_size=20))
def test_strangers_alone_never_change_the_control(page: list[Update]) -> None:
    verdict = judged(Inbox(), RUN, strangers_only(page), DESK)
    assert verdict is None or verdict.control is None
