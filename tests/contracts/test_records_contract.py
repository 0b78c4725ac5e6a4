"""The Records port's contract, on every store: an audit log that only grows, and messages that are obeyed once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime.backup import Archive
from runtime.domain.audit import Event, EventKind, Run, event
from runtime.domain.control import Control, Mode
from runtime.domain.inbox import Inbox, Owed
from runtime.errors import LeaseLost
from runtime.ports import Changes
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.store_accounts import KINDS, accounts
from tests.support.stores import Account, state, take

RUN = Run("run-1", "me", "0.1.0", "abc")
HALT = Control(Mode.HALT, "telegram:7", 5, "news")
OWED = Inbox(9, 5, (Owed(9, 7, "halt", "", "obeyed"),))


@pytest.fixture(params=KINDS)
def account(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Account]:
    with accounts(str(request.param), tmp_path, request) as make:
        yield make()


@pytest.fixture
def store(account: Account) -> Archive:
    return account.open()


def an_event(at_ms: int, subject: str = "a", **facts: str) -> Event:
    return event(RUN, EventKind.CONTROL, at_ms, facts, subject)


class TestAudit:
    def test_events_are_read_newest_first_page_by_page(self, store: Archive) -> None:
        assert list(store.audit(10)) == []
        store.record([an_event(at_ms) for at_ms in (5, 1_795_251_600_000, 7)])
        store.record([an_event(7, "b", mode="halt")])
        assert [(e.at_ms, e.facts.get("mode")) for e in store.audit(2)] == [(1_795_251_600_000, None), (7, "halt")]
        assert [e.at_ms for e in store.audit(10, store.audit(2)[1].id)] == [7, 5]

    def test_an_event_that_is_there_stays_as_it_was(self, store: Archive) -> None:
        store.record([an_event(5, mode="halt")])
        store.record([an_event(5, mode="halt"), an_event(6)])
        assert [e.facts.get("mode") for e in store.audit(10)] == [None, "halt"]

    def test_what_an_hour_does_is_written_with_its_commit_or_not_at_all(self, account: Account) -> None:
        store, other = account.open(), account.open()
        held = take(store)
        store.commit(held, Changes(state(), events=(an_event(5),)))
        with pytest.raises(LeaseLost):
            other.commit(held, Changes(state(), events=(an_event(6),)))
        assert [e.at_ms for e in store.audit(10)] == [5]

    def test_a_control_and_what_was_done_are_one_write(self, store: Archive) -> None:
        store.set_control(HALT, [an_event(5)])
        assert (store.control(), [e.at_ms for e in store.audit(10)]) == (HALT, [5])

    def test_the_log_outlives_a_restore(self, store: Archive) -> None:
        store.record([an_event(5)])
        store.empty("restorer", 420, "restore of a backup")
        assert [e.at_ms for e in store.audit(10)] == [5]


class TestMail:
    def test_an_account_nobody_wrote_to_has_an_empty_inbox(self, store: Archive) -> None:
        mail = store.mail()
        assert (mail.inbox, mail.control) == (Inbox(), Control())

    def test_offset_control_and_log_are_one_write(self, account: Account) -> None:
        store = account.open()
        after = store.obey(store.mail(), OWED, HALT, [an_event(5)])
        again = account.open()
        assert (again.mail().inbox, again.mail().control, again.control()) == (OWED, HALT, HALT)
        assert [e.at_ms for e in again.audit(5)] == [5]
        store.obey(after, Inbox(10), None, ())
        assert (again.mail().inbox, again.control()) == (Inbox(10), HALT)

    def test_who_read_before_another_obeyed_writes_nothing(self, account: Account) -> None:
        store, other = account.open(), account.open()
        mail = other.mail()
        store.obey(store.mail(), OWED, HALT, [an_event(5)])
        with pytest.raises(LeaseLost):
            other.obey(mail, Inbox(9, 6), Control(), [an_event(6)])
        assert (store.mail().inbox, store.control()) == (OWED, HALT)
        assert len(store.audit(10)) == 1

    def test_a_control_that_was_set_meanwhile_is_not_overwritten(self, account: Account) -> None:
        store, console = account.open(), account.open()
        mail = store.mail()
        console.set_control(HALT)
        with pytest.raises(LeaseLost):
            store.obey(mail, Inbox(9, 6), Control(Mode.RUN, "late"), ())
        assert (store.mail().inbox, store.control()) == (Inbox(), HALT)
        store.obey(store.mail(), Inbox(9, 6), None, ())

    def test_an_inbox_alone_needs_no_unchanged_control(self, account: Account) -> None:
        store = account.open()
        mail = store.mail()
        account.open().set_control(HALT)
        store.obey(mail, OWED, None, ())
        assert (store.mail().inbox, store.control()) == (OWED, HALT)

    def test_of_twenty_that_read_the_same_exactly_one_obeys(self, account: Account) -> None:
        stores = [account.open() for _ in range(20)]
        mails = [store.mail() for store in stores]

        def obey(at: int) -> bool:
            try:
                stores[at].obey(mails[at], Inbox(9, at + 1), HALT, [an_event(at)])
            except LeaseLost:
                return False
            return True

        with ThreadPoolExecutor(20) as pool:
            done = list(pool.map(obey, range(20)))
        assert done.count(True) == 1
        assert [e.at_ms for e in stores[0].audit(30)] == [done.index(True)]

    def test_it_works_while_an_hour_holds_the_lease(self, account: Account) -> None:
        hour, timer = account.open(), account.open()
        held = take(hour)
        timer.obey(timer.mail(), OWED, HALT, ())
        assert hour.check(held).mode is Mode.HALT
        hour.commit(held, Changes(state()))
