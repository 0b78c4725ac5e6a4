"""Answers from the store alone, held against every store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.adapters.files import FolderReportSink, kept_report
from runtime.answers import card_for
from runtime.domain.report import CycleStatus, to_document
from runtime.domain.why import card_of, packed
from runtime.errors import BadInput, SettingsError, StateUnreadable
from runtime.ports import Changes, CycleRecord, Store
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.reports import SLOT, a_report
from tests.support.store_accounts import KINDS, accounts
from tests.support.stores import state, take

BEFORE, AFTER = "2026-11-21T08Z", "2026-11-21T10Z"


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An account whose newest hour is `SLOT`, and one of an older version before it."""
    with accounts(str(request.param), tmp_path, request) as make:
        made = make().open()
        held = take(made)
        told = replace(state(), slot_done=SLOT, missed=("2026-11-21T03Z",))
        held = made.commit(held, Changes(told, cycle=CycleRecord(BEFORE, 0, 1)))
        record = CycleRecord(SLOT, 0, 2, card=packed(card_of(document())))
        made.commit(held, Changes(told, cycle=record, release=True))
        yield made


def document(slot: str = SLOT, status: CycleStatus = CycleStatus.DONE) -> dict[str, Any]:
    return to_document(replace(a_report(), slot=slot, status=status))


def keeping(*slots: str) -> Any:
    """Reports of this machine: each slot's says that it was aborted."""

    def kept(slot: str | None) -> Mapping[str, Any] | None:
        named = [name for name in slots if slot in {None, name}]
        return document(max(named), CycleStatus.ABORTED) if named else None

    return kept


def test_the_newest_hour_is_told_with_or_without_its_name(store: Store) -> None:
    for slot in (None, SLOT, "2026-11-21T09:00"):
        assert card_for(store, "main", slot) == card_of(document())


def test_an_hour_that_was_aborted_later_is_told_from_its_report(store: Store) -> None:
    assert card_for(store, "main", None, keeping(AFTER)).slot == AFTER
    assert card_for(store, "main", AFTER, keeping(AFTER)).status == "aborted"


def test_an_hour_that_was_done_after_all_is_told_from_the_store(store: Store) -> None:
    assert card_for(store, "main", SLOT, keeping(SLOT)).status == "done"
    assert card_for(store, "main", None, keeping(SLOT, BEFORE)).status == "done"


@pytest.mark.parametrize(
    ("slot", "said"),
    [
        ("2026-11-21T03", "was missed: no run completed this hour"),
        (BEFORE, "has no card: an older version wrote it"),
        ("2026-11-20T03", f"must be an hour that this account completed; the newest is {SLOT}"),
        ("2026-11-22T03", f"the last one before it is {SLOT}"),
        ("yesterday", "must be a UTC hour such as"),
    ],
)
def test_an_hour_without_a_card_says_what_became_of_it(store: Store, slot: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        card_for(store, "main", slot)


def test_an_account_without_hours_says_so(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with accounts("memory", tmp_path, request) as make, pytest.raises(BadInput, match="no hour has ended yet"):
        card_for(make().open(), "main")


def test_an_account_that_moved_away_is_refused(store: Store) -> None:
    held = take(store)
    store.commit(held, Changes(replace(state(), moved_to="elsewhere"), release=True))
    with pytest.raises(SettingsError, match="elsewhere"):
        card_for(store, "main")


def test_a_damaged_card_is_refused_by_its_hour(store: Store) -> None:
    held = take(store)
    store.commit(held, Changes(state(), cycle=CycleRecord(AFTER, 0, 3, card="?"), release=True))
    with pytest.raises(StateUnreadable, match=AFTER):
        card_for(store, "main")


class TestKept:
    """The reports in a folder."""

    def test_the_newest_report_of_a_slot_and_of_all(self, tmp_path: Path) -> None:
        sink = FolderReportSink(tmp_path)
        for slot, status in ((SLOT, CycleStatus.ABORTED), (SLOT, CycleStatus.DONE), (BEFORE, CycleStatus.DONE)):
            sink.write_report(slot, document(slot, status), "x")
        (tmp_path / "reports" / "notes.json").write_text("{")
        for named in (None, SLOT):
            report = kept_report(tmp_path, named)
            assert report is not None
            assert (report["slot"], report["status"]) == (SLOT, "done")

    def test_a_folder_without_reports_has_none(self, tmp_path: Path) -> None:
        assert kept_report(tmp_path / "nowhere", None) is None
