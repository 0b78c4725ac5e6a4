"""The restore drill: an account loses its store, gets its backup back, and goes on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.adapters.archive_file import ArchiveFile
from runtime.backup import Archive, Target, back_up, move, restore
from runtime.domain.archive import Section
from runtime.domain.control import Mode
from runtime.domain.orders import Side
from runtime.domain.report import CycleStatus, Report, to_document
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.store_accounts import FIRESTORE, accounts
from tests.support.worlds import Scene, scene

HOURS = ("2026-03-15T09Z", "2026-03-15T10Z", "2026-03-15T11Z")
NEXT = ("2026-03-15T12Z", "2026-03-16T00Z", "2026-03-17T00Z")


@pytest.fixture(params=["sqlite", FIRESTORE])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Archive]]:
    """Makes stores that nobody has used yet."""
    with accounts(str(request.param), tmp_path, request) as make:
        yield lambda: make().open()


@contextmanager
def twins(*stores: Archive) -> Iterator[tuple[Scene, ...]]:
    """The same account in each store, on exchanges of their own, after the same hours."""
    with ExitStack() as opened:
        scenes = tuple(opened.enter_context(scene(store=store)) for store in stores)
        for each in scenes:
            for hour in HOURS:
                assert each.hour(hour).status is CycleStatus.DONE
        yield scenes


def told(report: Report) -> dict[str, object]:
    """All of a report but where it was kept."""
    return {key: value for key, value in to_document(report).items() if key not in {"run", "places"}}


def kept(store: Archive) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Every document of a store but the candle cache; without the digest of tapes, which name every read."""
    found = []
    for document in store.dump():
        if document.section is not Section.CACHE:
            body = {key: value for key, value in document.body.items() if key != "tape_sha256"}
            found.append((document.section.value, document.part, document.id, body))
    return found


def test_after_a_restore_the_next_hours_are_those_that_would_have_been(
    fresh: Callable[[], Archive], tmp_path: Path
) -> None:
    """Decision, orders, report and documents, for days."""
    lost, lucky = fresh(), fresh()
    with twins(lost, lucky) as (drilled, twin):
        back_up(lost, ArchiveFile(tmp_path / "backup.gz"), "main")
        drilled.store = fresh()  # the store is gone, with all that was in it
        refused = drilled.hour(HOURS[-1])
        assert (refused.exit_code, drilled.messenger.kinds()[-1]) == (3, "lost_state")
        drilled.store = restored = fresh()
        restore(ArchiveFile(tmp_path / "backup.gz"), Target(restored, "main", "operator"))
        for hour in NEXT:
            report, expected = drilled.hour(hour), twin.hour(hour)
            assert report.decision == expected.decision
            assert told(report) == told(expected)
        assert drilled.orders() == twin.orders()
        assert drilled.differences() == {}
        assert kept(restored) == kept(lucky)


def test_after_a_move_the_next_hours_are_those_that_would_have_been(fresh: Callable[[], Archive]) -> None:
    left, lucky, target = fresh(), fresh(), fresh()
    with twins(left, lucky) as (moved, twin):
        move(left, Target(target, "main", "operator"), "here", "there")
        told_before, orders = list(moved.messenger.taken), moved.orders()
        refused = moved.hour(NEXT[0])
        assert (refused.exit_code, refused.status) == (2, CycleStatus.BAD_SETTINGS)
        assert "moved from this store to there" in refused.error
        assert moved.orders() == orders
        assert [alert.kind for alert in moved.messenger.taken[len(told_before) :]] == ["settings"]
        moved.store = target
        for hour in NEXT:
            assert told(moved.hour(hour)) == told(twin.hour(hour))
        assert kept(target) == kept(lucky)


def test_a_backup_from_before_the_last_trades_buys_nothing_twice(fresh: Callable[[], Archive], tmp_path: Path) -> None:
    """The books lack what was bought since: that is a drift, which is told and stops buying, until it is rebuilt."""
    store = fresh()
    with scene(store=store) as s:
        s.control(mode=Mode.HALT)
        s.hour("2026-03-14T09Z")
        s.control(mode=Mode.RUN)
        before = s.orders()
        back_up(store, ArchiveFile(tmp_path / "old.gz"), "main")
        s.hour("2026-03-15T09Z")
        bought = s.orders()
        assert len(bought) > len(before)
        s.store = again = fresh()
        restore(ArchiveFile(tmp_path / "old.gz"), Target(again, "main", "operator"))
        report = s.hour("2026-03-15T10Z")
        assert report.drift
        assert "drift" in s.messenger.kinds()
        assert not [order for order in report.orders if order.side is Side.BUY]
        assert s.orders() == bought


def test_an_unfinished_restore_is_refused_by_the_hour_and_told(fresh: Callable[[], Archive]) -> None:
    store = fresh()
    with scene(store=store) as s:
        s.hour()
        orders = s.orders()
        store.empty("an operator whose machine died", 0, "restore of the backup of 2026-03-15T09Z")
        for first_run in ("refuse", "fresh", "rebuild"):
            report = s.next(first_run=first_run)
            assert (report.status, report.exit_code) == (CycleStatus.ABORTED, 3)
            assert "unfinished restore of the backup of 2026-03-15T09Z: run that again" in report.error
        assert s.orders() == orders
        assert s.messenger.kinds()[-3:] == ["aborted"] * 3
