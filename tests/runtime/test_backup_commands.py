"""`python -m runtime backup`, `restore` and `move` as an operator uses them: processes, exit codes, one JSON line each,
and processes that are killed.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.sources import ROOT
from tests.support.store_accounts import FIRESTORE

SECRETS = {
    "BINANCE_API_KEY": "planted-key-0123456789abcdef",
    "BINANCE_API_SECRET": "planted-secret-0123456789abcdef",
    "TG_TOKEN": "123456789:planted-token-of-the-bot-0123456",
    "TG_CHAT_ID": "-1009876543210",
}


@dataclass
class Desk:
    """A machine with a data folder, and what else its settings say."""

    folder: Path
    mode: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "ENGINE_DATA_DIR": str(self.folder / "var"), "TZ": "UTC", **self.settings}

    def run(self, *command: str, module: str = "-m runtime") -> tuple[int, dict[str, Any]]:
        """(exit code, the JSON of the last line)."""
        line = [sys.executable, *module.split(), *self.mode, *command]
        done = subprocess.run(
            line, cwd=ROOT, env=self.environment(), capture_output=True, text=True, check=False, timeout=100
        )
        assert not done.stderr, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        assert answer.pop("exit_code") == done.returncode
        return done.returncode, answer

    def hour(self, at: str) -> tuple[int, dict[str, Any]]:
        """One paper hour."""
        return self.run("--at", at, module="main.py")


@pytest.fixture(scope="module")
def first_hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first hour of a paper account leaves."""
    desk = Desk(tmp_path_factory.mktemp("first"), ("--mode", "paper"))
    assert desk.hour("2026-03-15T09")[0] == 0
    return desk.folder


@pytest.fixture
def paper(tmp_path: Path, first_hour: Path) -> Desk:
    """A paper account after its first hour."""
    shutil.copytree(first_hour, tmp_path, dirs_exist_ok=True)
    return Desk(tmp_path, ("--mode", "paper"))


def home(desk: Desk) -> Path:
    return desk.folder / "var" / "paper" / "embedded" / "main"


def lose(desk: Desk) -> None:
    """The disk with the state is gone."""
    for path in home(desk).glob("state.sqlite*"):
        path.unlink()


def test_a_lost_state_comes_back_and_the_next_hour_goes_on(paper: Desk) -> None:
    file = str(paper.folder / "b.jsonl.gz")
    code, made = paper.run("backup", file)
    assert (code, made["account"], made["slot_done"]) == (0, "main", "2026-03-15T09Z")
    before = paper.run("status")[1]
    lose(paper)
    assert paper.hour("2026-03-15T10")[0] == 3
    code, restored = paper.run("restore", file)
    assert (code, restored["restored"], restored["documents"]) == (0, "main", made["documents"])
    assert restored["sha256"] == made["sha256"]
    assert paper.run("status")[1] == before
    assert paper.hour("2026-03-15T10")[0] == 0


def test_a_backup_is_never_written_over_and_a_damaged_one_never_read(paper: Desk) -> None:
    file = paper.folder / "b.jsonl"
    assert paper.run("backup", str(file))[0] == 0
    code, refused = paper.run("backup", str(file))
    assert (code, "never overwritten" in refused["error"]) == (2, True)
    file.write_text(file.read_text().replace('"qty":"1.5107"', '"qty":"9.5107"'))
    code, refused = paper.run("restore", str(file), "--force", "main")
    assert code == 2
    assert "archive, journal, line 8: " in refused["error"]
    assert paper.hour("2026-03-15T10")[0] == 0


def test_what_is_overwritten_is_named(paper: Desk) -> None:
    file = str(paper.folder / "b.jsonl")
    paper.run("backup", file)
    paper.hour("2026-03-15T10")
    for wrong in ((), ("--force", "second")):
        code, refused = paper.run("restore", file, *wrong)
        assert code == 3
        assert "2026-03-15T10Z, newer than the 2026-03-15T09Z" in refused["error"]
    assert paper.run("restore", file, "--force", "main", "--check")[1]["checked"] == "main"
    assert paper.run("status")[1]["slot_done"] == "2026-03-15T10Z"
    assert paper.run("restore", file, "--force", "main")[0] == 0
    assert paper.run("status")[1]["slot_done"] == "2026-03-15T09Z"


def test_a_moved_account_trades_where_it_went_and_nowhere_else(paper: Desk) -> None:
    elsewhere = paper.folder / "elsewhere"
    code, moved = paper.run("move", "--to", f"sqlite:{elsewhere}")
    assert (code, moved["to"]) == (0, f"ENGINE_STORE=sqlite ENGINE_DATA_DIR={elsewhere}")
    for command in (("status",), ("control", "halt", "--why", "so"), ("adopt", "BTC", "1"), ("rebuild",)):
        code, refused = paper.run(*command)
        if command != ("status",):
            assert (code, f"ENGINE_DATA_DIR={elsewhere}" in refused["error"]) == (2, True), command
    code, refused = paper.hour("2026-03-15T10")
    assert (code, refused["status"], refused["orders"]) == (2, "bad_settings", 0)
    assert f"moved from this store to ENGINE_STORE=sqlite ENGINE_DATA_DIR={elsewhere}" in refused["error"]
    shutil.copy(home(paper) / "exchange.json", elsewhere / "paper" / "embedded" / "main")
    paper.settings["ENGINE_DATA_DIR"] = str(elsewhere)
    assert paper.hour("2026-03-15T10")[0] == 0


def test_a_dry_run_writes_nothing(paper: Desk) -> None:
    file = str(paper.folder / "b.jsonl")
    paper.run("backup", file)
    lose(paper)
    dry = Desk(paper.folder, settings={"ENGINE_STORE": "sqlite"})
    for way in ({"mode": ("--mode", "dry_run")}, {"settings": {"ENGINE_STORE": "sqlite", "ENGINE_MODE": "dry_run"}}):
        dry = Desk(paper.folder, **{"settings": {"ENGINE_STORE": "sqlite"}, **way})  # type: ignore[arg-type]
        assert dry.run("restore", file)[1]["checked"] == "main"
        code, refused = dry.run("move", "--to", f"sqlite:{paper.folder / 'x'}")
        assert (code, "dry_run" in refused["error"]) == (2, True)
    assert not (paper.folder / "x").exists()


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (("move", "--to", "sqlite"), "to: 'sqlite'"),
        (("move", "--to", "redis"), "must be firestore, or sqlite:FOLDER"),
        (("move", "--to", "firestore"), "needs GOOGLE_CLOUD_PROJECT"),
        (("restore", "/nowhere/b.jsonl"), "archive file"),
    ],
)
def test_bad_arguments_say_what_is_wrong(paper: Desk, command: tuple[str, ...], names: str) -> None:
    code, refused = paper.run(*command)
    assert code in {2, 3}
    assert names in refused["error"]


def test_moving_to_where_the_account_is_changes_nothing(paper: Desk) -> None:
    code, refused = paper.run("move", "--to", f"sqlite:{paper.folder}/./var")
    assert (code, "must be another store" in refused["error"]) == (2, True)
    assert paper.hour("2026-03-15T10")[0] == 0


def test_no_secret_of_the_settings_is_in_a_backup(paper: Desk) -> None:
    """Nor the token of the last run, a chat, or a path; a document that holds one stops the backup."""
    paper.hour("2026-03-15T10")
    live = paper.folder / "var" / "live" / "main"
    live.mkdir(parents=True)
    shutil.copy(home(paper) / "state.sqlite", live)
    for companion in home(paper).glob("state.sqlite-*"):
        shutil.copy(companion, live)
    with closing(sqlite3.connect(live / "state.sqlite")) as raw:
        owner = json.loads(raw.execute("SELECT lease FROM account").fetchone()[0])["owner"]
    desk = Desk(paper.folder, settings={"ENGINE_STORE": "sqlite", **SECRETS})
    file = paper.folder / "b.gz"
    assert desk.run("backup", str(file), "--cache")[0] == 0
    text = gzip.decompress(file.read_bytes()).decode()
    for secret in (*SECRETS.values(), owner, str(paper.folder)):
        assert secret not in text
    for secret in SECRETS.values():
        with closing(sqlite3.connect(live / "state.sqlite")) as raw, raw:
            body = json.dumps({"mode": "run", "why": f"because {secret}"})
            raw.execute("INSERT OR REPLACE INTO document VALUES ('main', 'control', '', 'control', ?)", (body,))
        code, refused = desk.run("backup", str(paper.folder / "never.gz"))
        assert (code, "holds a secret" in refused["error"]) == (3, True)
        assert secret not in refused["error"]
    assert not (paper.folder / "never.gz").exists()


def test_the_drill_on_the_page_is_what_its_commands_say(tmp_path: Path) -> None:
    """Every command of the runbook's drill, in order, and the last line of each."""
    page = (ROOT / "docs" / "runbook" / "restore-drill.md").read_text(encoding="utf-8")
    block = re.search(r"```text\n(.+?)```", page, re.DOTALL)
    assert block is not None
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TZ": "UTC"}
    said = []
    for line in block[1].splitlines():
        if not line.startswith("$ "):
            continue
        command = line[2:].replace(".venv/bin/python", sys.executable).replace("main.py", str(ROOT / "main.py"))
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        last = done.stdout.splitlines()[-1:]
        said += [line, *(re.sub(r"[0-9a-f]{64}", "...", text) for text in last)]
    assert said == block[1].splitlines()


# A restore whose machine dies at the n-th write to the store.
DYING = """
import os, signal, sys
from runtime.backup import Target, restore
from runtime.config import read_store_settings
from runtime.wiring_stores import archive_file, wired_store
at, after, calls = int(sys.argv[1]), sys.argv[2] == "after", 0
class Deadly:
    def __init__(self, real): self.real = real
    def __getattr__(self, name):
        method = getattr(self.real, name)
        def call(*given, **named):
            global calls
            calls += name in {"empty", "put", "commit"}
            due = calls == at and name in {"empty", "put", "commit"}
            if due and not after: os.kill(os.getpid(), signal.SIGKILL)
            answer = method(*given, **named)
            if due and after: os.kill(os.getpid(), signal.SIGKILL)
            return answer
        return call
settings = read_store_settings()
with wired_store(settings) as store:
    restore(archive_file(sys.argv[3]), Target(Deadly(store), settings.account, "owner"))
"""


@pytest.fixture(params=["sqlite", FIRESTORE])
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """A live account's store, nothing in it yet."""
    if request.param == "sqlite":
        yield Desk(tmp_path, settings={"ENGINE_STORE": "sqlite"})
        return
    host = request.getfixturevalue("firestore_emulator")
    project = f"b-{tmp_path.name[-20:].replace('_', '-')}-{os.getpid()}"
    yield Desk(tmp_path, settings={"GOOGLE_CLOUD_PROJECT": project, "ENGINE_FIRESTORE_EMULATOR": host})


def _but_the_log(file: str) -> list[str]:
    """The lines of an archive without its first and last, and without the audit log: a restore is an event itself."""
    lines = Path(file).read_text().splitlines()[1:-1]
    return [line for line in lines if '"section":"audit"' not in line and '"end":"audit"' not in line]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("live", "at", "after"),
    [
        *(("sqlite", at, after) for at, after in [(1, True), (2, False), (2, True), (3, False)]),
        *((FIRESTORE, at, after) for at, after in [(1, True), (3, False)]),
    ],
    indirect=["live"],
)
def test_a_restore_killed_in_the_middle_is_refused_by_everything_and_done_by_the_next_one(
    paper: Desk, live: Desk, at: int, after: bool
) -> None:
    """A real process and a real SIGKILL, at each place where the account is half there."""
    file = str(paper.folder / "b.jsonl")
    sha256 = paper.run("backup", file, "--cache")[1]["sha256"]
    command = [sys.executable, "-c", DYING, str(at), "after" if after else "before", file]
    died = subprocess.run(command, cwd=ROOT, env=live.environment(), capture_output=True, check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL, died.stderr
    for refused in (("backup", str(paper.folder / "never")), ("move", "--to", f"sqlite:{paper.folder / 'x'}")):
        code, answer = live.run(*refused)
        assert code == 3
        assert f"unfinished restore of the backup of 2026-03-15T09Z (sha256 {sha256})" in answer["error"]
    hour = Desk(paper.folder, ("--mode", "live"), {**live.settings, **SECRETS, "BINANCE_API_URL": "http://127.0.0.1:9"})
    hour.settings["TG_API_URL"] = "http://127.0.0.1:9"
    code, answer = hour.run(module="main.py")
    assert (code, answer["status"], answer["orders"]) == (3, "aborted", 0)
    assert "unfinished restore" in answer["error"]
    assert live.run("restore", file)[0] == 0
    again = str(paper.folder / "again.jsonl")
    assert live.run("backup", again, "--cache")[0] == 0
    assert _but_the_log(again) == _but_the_log(file)
    assert live.run("--mode", "live", "audit", "--json")[1]["events"][0]["kind"] == "restored"
