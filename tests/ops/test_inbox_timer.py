"""The inbox's timer: installed, started as cron starts it, with the real engine and a stand-in for Telegram."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runtime.adapters.clock import SystemClock
from runtime.adapters.sqlite import SqliteStore
from runtime.domain.control import Mode
from tests.support import telegram_server
from tests.support.dispatcher import ProcessList, engine_stub, page_of
from tests.support.github_server import GitHub
from tests.support.installer import Machine, machine_in
from tests.support.sources import ROOT
from tests.support.telegram_server import TOKEN, TelegramServer

ME = 700_123_456
SECRETS = (TOKEN, "binance-secret-planted", str(ME))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return machine_in(tmp_path)


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    state = TelegramServer(chats={telegram_server.CHAT, str(ME)}, now_s=time.time)
    with telegram_server.serving(state) as server:
        yield server


@dataclass
class Job:
    """The installed timer's job; `settings` override those with which it works, None takes one away."""

    machine: Machine
    telegram: TelegramServer
    settings: dict[str, str | None] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.machine.home / "state"

    @property
    def log(self) -> list[str]:
        """The lines of its log, without their moments."""
        path = self.state / "inbox.log"
        return [line.partition(" ")[2] for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def control(self) -> Mode:
        store = SqliteStore(self.machine.home / "var" / "live" / "main" / "state.sqlite", SystemClock())
        try:
            return store.control().mode
        finally:
            store.close()

    def engine(self) -> Path:
        """A checkout with an environment of its own: this one."""
        folder = self.machine.home / "engine"
        if not folder.exists():
            python = folder / ".venv" / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
            python.chmod(0o755)
            for name in ("runtime", "strategies", "main.py"):
                (folder / name).symlink_to(ROOT / name)
        return folder

    def prepare(self) -> None:
        """Write the env file."""
        good: dict[str, str | None] = {
            "DISPATCH_STATE_DIR": str(self.state),
            "DISPATCH_ENGINE_DIR": str(self.engine()),
            "DISPATCH_MODE": "dry_run",
            "DISPATCH_TIME_SCALE": "4",
            "BINANCE_API_SECRET": "binance-secret-planted",
            "ENGINE_STORE": "sqlite",
            "ENGINE_DATA_DIR": str(self.machine.home / "var"),
            "TG_TOKEN": TOKEN,
            "TG_CHAT_ID": telegram_server.CHAT,
            "TG_COMMAND_IDS": str(ME),
            "TG_API_URL": self.telegram.url,
        }
        lines = [f"{name}={value}" for name, value in (good | self.settings).items() if value is not None]
        self.machine.env_file.write_text("\n".join(lines) + "\n")

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """One command as cron runs it; nobody could read a secret meanwhile or afterwards."""
        self.prepare()
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.machine.home)}
        with ProcessList() as watched:
            done = subprocess.run(["sh", "-c", command], env=kept, capture_output=True, text=True, timeout=90)  # noqa: PLW1510
        files = [path.read_text() for path in self.state.glob("*")] if self.state.exists() else []
        readable = "\n".join((done.stdout, done.stderr, *watched.seen, *files))
        assert not [secret for secret in SECRETS if secret in readable]
        return done

    def __call__(self) -> int:
        """The line of the crontab, run; its exit code."""
        (line,) = [line for line in self.machine.table.splitlines() if line.startswith("* * * * * ")]
        done = self.run(line.removeprefix("* * * * * "))
        assert (done.stdout, done.stderr) == ("", ""), "cron would send a mail a minute"
        return done.returncode

    def check(self, **settings: str | None) -> tuple[int, list[str]]:
        """Exit code and rows of `dispatch.sh --check --inbox`."""
        self.settings |= settings
        done = self.run(f"'{self.machine.program}' --check --inbox '{self.machine.env_file}'")
        return done.returncode, (done.stdout + done.stderr).splitlines()

    def alerts(self) -> list[str]:
        """What the operator was told by the script."""
        return [str(sent["seen"]) for sent in self.telegram.messages if "engine dispatch: " in str(sent["seen"])]


@pytest.fixture
def job(machine: Machine, telegram: TelegramServer) -> Job:
    machine("install", "--inbox")
    return Job(machine, telegram)


# --- installed, kept, removed -------------------------------------------------------------------------------------


def test_a_dry_run_shows_the_timer_and_writes_nothing(machine: Machine) -> None:
    before = machine.files()
    assert "would write the crontab: the inbox, every minute" in machine("install", "--inbox", "--dry-run")
    said = machine("install", "--inbox", "--systemd", "--dry-run", "--check")
    assert f"would write {machine.units}/binance-inbox.timer" in said
    assert "would start binance-dispatch.timer binance-inbox.timer" in said
    assert f"would run {machine.program} --check --inbox" in said
    assert machine.files() == before


def test_it_is_installed_where_it_is_asked_for_and_an_upgrade_keeps_it(machine: Machine) -> None:
    machine("install")
    assert "--inbox" not in machine.table
    hourly = machine.table
    machine("upgrade", "--inbox")
    line = f"* * * * * '{machine.program}' --inbox '{machine.env_file}' >/dev/null 2>&1"
    assert machine.table.startswith(hourly)
    assert machine.table.splitlines()[-1] == line
    before = machine.files()
    said = machine("upgrade")
    assert machine.files() == before
    assert "dispatch.sh --check --inbox" in said
    machine("upgrade", "--minute", "9")
    assert machine.table.splitlines().count(line) == 1


@pytest.mark.parametrize("scheduler", ["--cron", "--systemd"])
def test_it_is_removed_alone_or_with_the_hour(machine: Machine, scheduler: str) -> None:
    (machine.home / "table").write_text("5 4 * * * backup\n")
    machine("install", scheduler, "--no-start")
    before = machine.files()
    machine("install", "--inbox", "--no-start")
    assert machine.files() != before
    machine("uninstall", "--inbox", "--no-start")
    assert {name: kept for name, kept in machine.files().items() if not name.endswith("/writes")} == {
        name: kept for name, kept in before.items() if not name.endswith("/writes")
    }
    machine("install", "--inbox", "--no-start")
    machine("uninstall", "--no-start")
    assert machine.table == "5 4 * * * backup\n"
    assert not machine.program.exists()
    assert not machine.units.exists() or list(machine.units.iterdir()) == []


def test_it_moves_with_the_hour_from_one_scheduler_to_the_other(machine: Machine) -> None:
    machine("install", "--inbox")
    machine("upgrade", "--systemd", "--no-start")
    assert machine.table == ""
    service = (machine.units / "binance-inbox.service").read_text()
    assert f'ExecStart="{machine.program}" --inbox "{machine.env_file}"' in service
    assert (machine.units / "binance-inbox.timer").exists()
    machine("upgrade", "--cron", "--no-start")
    assert list(machine.units.iterdir()) == []
    assert "--inbox" in machine.table


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_accepts_its_units(machine: Machine) -> None:
    machine("install", "--inbox", "--systemd", "--no-start")
    units = [str(path) for path in machine.units.glob("binance-inbox.*")]
    assert len(units) == 2
    done = subprocess.run(["systemd-analyze", "verify", "--user", *units], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "binance-" in line] == []


# --- at work ----------------------------------------------------------------------------------------------------------


def test_what_was_written_is_obeyed_and_answered_once_and_a_silent_minute_leaves_no_line(job: Job) -> None:
    job.telegram.write(ME, ME, "/halt")
    assert job() == 0
    assert job.control is Mode.HALT
    assert "Control is now: halted" in job.telegram.messages[-1]["seen"]
    assert job.log == ['inbox: {"exit_code": 0, "read": 1, "obeyed": 1, "answered": 1}']
    assert job() == 0
    assert (len(job.log), len(job.telegram.messages)) == (1, 1)


def test_two_of_them_never_overlap_and_the_second_does_nothing(job: Job) -> None:
    job.telegram.write(ME, ME, "/halt")
    job.state.mkdir()
    with (job.state / "inbox.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert job() == 75
    assert (job.telegram.calls, job.log) == ([], [])


def test_it_reads_while_an_hour_is_at_work(job: Job) -> None:
    job.telegram.write(ME, ME, "/halt")
    job.state.mkdir()
    with (job.state / "lock").open("w") as hour:
        fcntl.flock(hour, fcntl.LOCK_EX)
        assert job() == 0
    assert job.control is Mode.HALT


def test_a_fault_is_logged_when_it_begins_and_when_it_ends(job: Job) -> None:
    job.telegram.conflict = True
    assert [job(), job()] == [3, 3]
    assert len(job.log) == 1
    assert job.log[0].startswith("inbox: exit 3: ")
    job.telegram.conflict = False
    assert job() == 0
    assert job.log[1:] == ["inbox: works again"]
    assert job.alerts() == []


def test_a_fault_that_lasts_is_told_once(job: Job) -> None:
    job.telegram.conflict = True
    job.state.mkdir()
    (job.state / "inbox_failed").write_text(f"{int(time.time()) - 901} no another fault\n")
    job()
    (alert,) = job.alerts()
    assert alert.startswith("engine dispatch: inbox\n")
    assert "have not been read for 15 minutes: exit 3: " in alert
    assert page_of(alert).stem == "inbox"
    job()
    assert len(job.alerts()) == 1


def test_the_alert_that_telegram_did_not_take_is_tried_again_in_a_minute(job: Job) -> None:
    job.settings["TG_COMMAND_IDS"] = None
    job.state.mkdir()
    (job.state / "inbox_failed").write_text(f"{int(time.time()) - 901} no another fault\n")
    job.telegram.refuse_all = True
    assert job() == 2
    job.telegram.refuse_all = False
    assert job() == 2
    assert len(job.alerts()) == 1
    assert not (job.state / "unsent").exists()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TG_COMMAND_IDS", None, "TG_COMMAND_IDS: not set"),
        ("TG_COMMAND_IDS", "me", "TG_COMMAND_IDS: (hidden)"),
        ("DISPATCH_ENGINE_DIR", None, "DISPATCH_ENGINE_DIR: not set"),
    ],
)
def test_settings_that_are_wrong_are_named_in_its_log(job: Job, name: str, value: str | None, says: str) -> None:
    job.settings[name] = value
    assert job() == 2
    assert says in job.log[0]
    assert (len(job.log), job.telegram.calls) == (1, [])


def test_an_engine_that_hangs_is_stopped_within_the_minute(job: Job) -> None:
    stub = engine_stub(job.machine.home / "stub", 0, {"hang": "exec sleep 60"})
    job.settings |= {"DISPATCH_ENGINE_DIR": str(stub), "DISPATCH_TIME_SCALE": "400"}
    assert job() == 143
    assert job.log == ["inbox: it did not end within 50 s and was stopped"]
    assert (stub / "arguments").read_text() == "-m runtime --mode live inbox\n"


def test_its_log_is_two_files_of_a_quarter_of_a_megabyte(job: Job) -> None:
    job.state.mkdir()
    (job.state / "inbox.log").write_text("x" * 262_145)
    job.telegram.write(ME, ME, "/status")
    assert job() == 0
    assert (job.state / "inbox.log.1").stat().st_size == 262_145
    assert len(job.log) == 1


# --- proved -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def proved(job: Job) -> Iterator[Job]:
    """A job whose dispatcher has a repository on GitHub, so that nothing else fails a check."""
    with GitHub() as github:
        job.settings |= {
            "DISPATCH_REPOSITORY": "owner/engine",
            "DISPATCH_TOKEN": "github-token-of-a-check",
            "DISPATCH_API_URL": github.origin,
        }
        yield job


def rows(lines: list[str]) -> dict[str, str]:
    """The verdict of each row about the inbox and its engine."""
    return {line[6:24].strip(): line[:4].strip() for line in lines if line[6:].startswith(("inbox", "local engine"))}


def test_a_check_proves_engine_bot_and_store_and_confirms_no_message(proved: Job) -> None:
    proved.telegram.write(ME, ME, "/halt")
    _, lines = proved.check()
    assert rows(lines) == {"local engine": "ok", "inbox bot": "ok", "inbox store": "ok"}
    assert len(proved.telegram.updates) == 1
    assert proved() == 0
    assert proved.control is Mode.HALT


def test_a_check_names_what_the_inbox_lacks(proved: Job) -> None:
    proved.telegram.conflict = True
    code, lines = proved.check(ENGINE_ACCOUNT="Not An Account")
    assert code == 1
    assert rows(lines) == {"local engine": "ok", "inbox bot": "FAIL", "inbox store": "FAIL"}
    (store,) = [line for line in lines if "inbox store" in line]
    assert "ENGINE_ACCOUNT" in store
    code, lines = proved.check(TG_COMMAND_IDS=None)
    assert (code, lines) == (
        2,
        ["dispatch.sh: TG_COMMAND_IDS: not set: the ids of who may write to the bot, as 12345678,87654321"],
    )
