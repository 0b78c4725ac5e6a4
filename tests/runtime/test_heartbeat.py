"""`python -m runtime heartbeat`: has an hour ended lately? As a process, with nothing but the store's settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runtime.adapters.clock import SimulatedClock, SystemClock
from runtime.adapters.sqlite import SqliteStore
from runtime.domain.slots import MINUTE_MS
from runtime.ports import Changes, CycleRecord
from tests.support.emulator import firestore_emulator
from tests.support.sources import ROOT
from tests.support.stores import state, take

__all__ = ["firestore_emulator"]


@dataclass(frozen=True, slots=True)
class Watch:
    """The command with a data folder of its own."""

    folder: Path

    def __call__(self, *arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
        """Exit code and JSON line."""
        given = {"PATH": os.environ["PATH"], "ENGINE_DATA_DIR": str(self.folder), **environment}
        done = subprocess.run(
            [sys.executable, "-m", "runtime", "heartbeat", *arguments],
            cwd=ROOT,
            env=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        line: dict[str, Any] = json.loads(done.stdout)
        assert line.pop("exit_code") == done.returncode
        return done.returncode, line

    def ended(self, minutes_ago: int, slot: str = "2026-11-21T09Z", account: str = "main") -> None:
        """An hour ended so many minutes ago."""
        now_ms = SystemClock().now_ms() - minutes_ago * MINUTE_MS
        path = self.folder / "live" / account / "state.sqlite"
        with closing(SqliteStore(path, SimulatedClock(now_ms), account)) as store:
            held = take(store, slot=slot)
            store.commit(held, Changes(state(slot_done=slot), cycle=CycleRecord(slot, 4, now_ms), release=True))


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(tmp_path)


def test_an_hour_that_ended_lately_is_a_heartbeat(watch: Watch) -> None:
    watch.ended(70)
    code, line = watch("--max-age-minutes", "75", ENGINE_STORE="sqlite")
    assert (code, line["slot"], line["ended_with"]) == (0, "2026-11-21T09Z", 4)
    assert line["age_minutes"] in {70, 71}


def test_no_key_and_no_token_is_asked_for_and_75_minutes_is_the_limit(watch: Watch) -> None:
    watch.ended(80)
    code, line = watch(ENGINE_STORE="sqlite")
    assert code == 3
    assert line["error"].startswith("the last hour that ended is 2026-11-21T09Z, 8")
    assert line["error"].endswith("75 minutes allowed")


def test_the_newest_hour_counts(watch: Watch) -> None:
    watch.ended(200, "2026-11-21T06Z")
    watch.ended(10, "2026-11-21T09Z")
    assert watch(ENGINE_STORE="sqlite")[1]["slot"] == "2026-11-21T09Z"


def test_the_account_of_the_settings_is_looked_at(watch: Watch) -> None:
    watch.ended(10)
    assert watch(ENGINE_STORE="sqlite", ENGINE_ACCOUNT="second")[0] == 3


def test_a_store_without_hours_is_no_heartbeat(watch: Watch) -> None:
    code, line = watch(ENGINE_STORE="sqlite")
    assert (code, line["error"]) == (3, "no hour has ended yet: the store holds no cycle document")


def test_firestore_is_the_default_and_needs_its_project(watch: Watch) -> None:
    code, line = watch()
    assert code == 2
    assert "GOOGLE_CLOUD_PROJECT: not set" in line["error"]


def test_an_empty_variable_counts_as_unset(watch: Watch) -> None:
    assert "GOOGLE_CLOUD_PROJECT" in watch(ENGINE_STORE="", ENGINE_ACCOUNT="")[1]["error"]


def test_a_store_that_cannot_be_read_is_no_heartbeat(watch: Watch) -> None:
    path = watch.folder / "live" / "main" / "state.sqlite"
    path.parent.mkdir(parents=True)
    path.write_text("nonsense " * 1000)
    assert watch(ENGINE_STORE="sqlite")[0] == 3


@pytest.mark.emulator
def test_the_same_question_to_firestore_has_the_same_answer(watch: Watch, request: pytest.FixtureRequest) -> None:
    host = request.getfixturevalue("firestore_emulator")
    code, line = watch(GOOGLE_CLOUD_PROJECT="heartbeat", ENGINE_FIRESTORE_EMULATOR=host)
    assert (code, line["error"]) == (3, "no hour has ended yet: the store holds no cycle document")
