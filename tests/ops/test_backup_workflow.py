"""`backup.yml`, run step by step: with the real engine on the emulator, and with stand-ins for what may go wrong."""

from __future__ import annotations

import gzip
import json
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.adapters.firestore import Connection, FirestoreArchive
from tests.support import telegram_server
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.github_server import REPOSITORY, TOKEN, GitHub
from tests.support.http_stub import Answer, Reply
from tests.support.sources import ROOT
from tests.support.telegram_server import TelegramServer
from tests.support.workflows import Runner, Value, load
from tests.support.worlds import scene

PYTHON = f"""#!/usr/bin/env bash
case "$1 $2" in
    "-m venv") mkdir -p "${{!#}}/bin"; cp "$0" "${{!#}}/bin/python" ;;
    "-m pip") ;;
    *) exec {sys.executable} "$@" ;;
esac
"""
REPOSITORY_URL = f"GET /repos/{REPOSITORY}"
SECRETS: dict[str, Value] = {"secrets.TG_TOKEN": telegram_server.TOKEN, "secrets.TG_CHAT_ID": telegram_server.CHAT}
GIVEN: dict[str, Value] = {
    "matrix.account": "main",
    "github.repository": REPOSITORY,
    "github.server_url": "https://github.com",
    "github.run_id": "7",
    "github.sha": "0abc",
    "github.token": TOKEN,
    "vars.GOOGLE_WORKLOAD_IDENTITY_PROVIDER": "projects/1/locations/global/workloadIdentityPools/p/providers/q",
}

Run = Callable[[], tuple[bool, str]]


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with telegram_server.serving() as server:
        yield server


@pytest.fixture
def github() -> Iterator[GitHub]:
    """A private repository."""
    with GitHub() as server:
        server.on(REPOSITORY_URL, Reply(200, {"full_name": REPOSITORY, "private": True}))
        yield server


@pytest.fixture
def runner(tmp_path: Path, telegram: TelegramServer, github: GitHub) -> Runner:
    """GitHub's machine with a checkout of nothing yet."""
    work, tools = tmp_path / "work", tmp_path / "tools"
    for folder in (work, tools):
        folder.mkdir()
    (tools / "python").write_text(PYTHON)
    (tools / "python").chmod(0o755)
    contexts = GIVEN | SECRETS | {"github.api_url": github.origin}
    return Runner(work, tmp_path / "temporary", contexts, [tools], {"TG_API_URL": telegram.url, "PAUSE_S": "0"})


@pytest.fixture
def run(runner: Runner, telegram: TelegramServer) -> Run:
    """Runs the job: whether it succeeded, and what was told."""

    def job() -> tuple[bool, str]:
        done = runner.job(load("backup.yml"), "backup")
        printed = "".join(runner.printed.values())
        assert telegram_server.TOKEN not in printed
        assert TOKEN not in printed
        return done, "\n".join(str(message["seen"]) for message in telegram.messages)

    return job


def command(runner: Runner, lines: str) -> None:
    """A stand-in for `python -m runtime`, which notes its calls."""
    folder = runner.work / "runtime"
    folder.mkdir()
    notes = runner.work / "calls"
    (folder / "__main__.py").write_text(
        "import json, pathlib, sys\n"
        f"notes = pathlib.Path({str(notes)!r})\n"
        "calls = notes.read_text().splitlines() if notes.exists() else []\n"
        "notes.write_text('\\n'.join([*calls, ' '.join(sys.argv[1:2])]))\n"
        f"{lines}"
    )


def calls(runner: Runner) -> list[str]:
    return (runner.work / "calls").read_text().splitlines()


WRITES = (
    "if sys.argv[1] == 'backup':\n"
    "    path = pathlib.Path(sys.argv[2]); path.parent.mkdir(exist_ok=True); path.write_text('x' * 100)\n"
    "print(json.dumps({'slot_done': 's', 'documents': {'state': 1}, 'sha256': 'd'}))\n"
)


@pytest.mark.emulator
def test_the_documents_of_an_account_become_an_artifact_that_can_be_restored(
    runner: Runner, run: Run, request: pytest.FixtureRequest
) -> None:
    """The real engine on the emulator, from the question whether the repository is private to the summary."""
    host, project = request.getfixturevalue("firestore_emulator"), f"w-{secrets.token_hex(8)}"
    store = FirestoreArchive(Connection(project, emulator_host=host))
    with scene(store=store) as s:
        hour = s.hour()
        assert hour.exit_code == 0, hour.error
    for name in ("runtime", "strategies"):
        shutil.copytree(ROOT / name, runner.work / name, ignore=shutil.ignore_patterns("__pycache__"))
    runner.contexts["vars.GOOGLE_CLOUD_PROJECT"] = project
    runner.extra = {**runner.extra, "ENGINE_FIRESTORE_EMULATOR": host}
    before = store.load()
    assert run() == (True, ""), runner.printed
    assert store.load().token == before.token
    store.close()
    (kept,) = (runner.temporary / "backup").iterdir()
    lines = gzip.decompress(kept.read_bytes()).decode().splitlines()
    assert json.loads(lines[0])["slot_done"] == "2026-03-15T09Z"
    assert '"lease"' not in "".join(lines)
    assert runner.outcomes["Keep the backup"] == "success"
    said = (runner.temporary / "summary").read_text()
    assert said.startswith("### Backup of main: hour 2026-03-15T09Z, ")
    assert json.loads(lines[-1])["sha256"] in said


@pytest.mark.parametrize(
    "answer", [Reply(200, {"private": False}), Reply(200, {"full_name": "x"}), Reply(200, "not JSON")]
)
def test_a_repository_that_is_not_known_to_be_private_keeps_no_backup(
    runner: Runner, run: Run, github: GitHub, answer: Answer
) -> None:
    command(runner, WRITES)
    github.on(REPOSITORY_URL, answer)
    done, told = run()
    assert not done
    assert not (runner.work / "calls").exists()
    assert runner.outcomes["Keep the backup"] == "skipped"
    assert told.startswith("engine backup, main: none was made today")


def test_an_hour_at_work_is_waited_for(runner: Runner, run: Run) -> None:
    command(runner, "if len(calls) < 3: sys.exit(3)\n" + WRITES)
    assert run() == (True, "")
    assert calls(runner) == ["backup"] * 4 + ["restore"]


def test_it_is_given_up_after_four_attempts_and_told(runner: Runner, run: Run) -> None:
    command(runner, "sys.exit(3)\n")
    done, told = run()
    assert not done
    assert calls(runner) == ["backup"] * 4
    assert told.splitlines()[1:] == [
        f"https://github.com/{REPOSITORY}/actions/runs/7",
        f"https://github.com/{REPOSITORY}/blob/0abc/docs/runbook/outside/backup.md",
    ]
    assert (ROOT / "docs" / "runbook" / "outside" / "backup.md").is_file()


def test_wrong_settings_are_not_tried_again(runner: Runner, run: Run) -> None:
    command(runner, "sys.exit(2)\n")
    assert run()[0] is False
    assert calls(runner) == ["backup"]


def test_what_cannot_be_restored_is_not_kept(runner: Runner, run: Run) -> None:
    command(runner, "if sys.argv[1] == 'restore': print('{}'); sys.exit(2)\n" + WRITES)
    done, told = run()
    assert not done
    assert runner.outcomes["Keep the backup"] == "skipped"
    assert "none was made today" in told


def test_a_backup_beyond_its_bound_is_not_kept(runner: Runner, run: Run) -> None:
    command(runner, WRITES)
    runner.extra = {**runner.extra, "BYTES_MAX": "99"}
    assert run()[0] is False
    assert "larger than 99 bytes" in runner.printed["Back up"]
    assert runner.outcomes["Keep the backup"] == "skipped"


def test_it_speaks_chinese_where_the_operator_does(runner: Runner, run: Run) -> None:
    command(runner, "sys.exit(2)\n")
    runner.contexts["vars.NOTIFY_LANG"] = "zh"
    assert run()[1].splitlines()[0].count("main: 今天没有备份")
