"""The installer in a home of its own, with a stand-in for the `crontab` program; and every script by shellcheck."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.installer import FOLDER, Machine, machine_in
from tests.support.sources import ROOT

OTHERS = "MAILTO=me\n\n5 4 * * * backup  --all # every night\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return machine_in(tmp_path)


def test_an_installation_runs_every_hour_and_its_settings_are_private(machine: Machine) -> None:
    machine("install", "--minute", "07")
    assert machine.table.splitlines()[-1] == f"7 * * * * '{machine.program}' '{machine.env_file}' >/dev/null"
    assert machine.program.read_text() == (FOLDER / "dispatch.sh").read_text()
    assert os.access(machine.program, os.X_OK)
    assert machine.env_file.stat().st_mode & 0o777 == 0o600
    assert machine.env_file.read_text() == (FOLDER / "vps-dispatch.env.example").read_text()


def test_what_is_installed_starts_and_asks_for_its_settings(machine: Machine) -> None:
    """The example's empty settings are refused one by one, by the installed program at its default place."""
    machine("install")
    assert "DISPATCH_REPOSITORY: not set" in machine("--check", code=2)


@pytest.mark.parametrize("missing", ["TG_TOKEN", "TG_CHAT_ID"])
def test_a_second_channel_of_the_engine_does_not_stand_in_for_the_dispatchers_bot(
    machine: Machine, missing: str
) -> None:
    bot = {"TG_TOKEN": "123456:planted-token-AAE", "TG_CHAT_ID": "-1001"} | {missing: ""}
    machine("install")
    machine.env_file.write_text(
        "DISPATCH_REPOSITORY=mine/own\nDISPATCH_TOKEN=github_pat_planted_0123456789\nENGINE_CHANNEL_URL=json://127.0.0.1/x\n"
        + "".join(f"{name}={value}\n" for name, value in bot.items())
    )
    said = machine("--check", code=2).splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"dispatch.sh: {missing}: not set: ")
    assert "by Telegram alone, also where the engine has another channel (ENGINE_CHANNEL_URL)" in said[0]


def test_doing_it_again_changes_nothing(machine: Machine) -> None:
    machine("install")
    before = machine.files()
    machine("upgrade")
    machine("install")
    assert machine.files() == before


def test_the_lines_of_others_in_the_crontab_stay_as_they_are(machine: Machine) -> None:
    (machine.home / "table").write_text(OTHERS)
    machine("install")
    assert machine.table.startswith(OTHERS)
    assert len(machine.table.splitlines()) == len(OTHERS.splitlines()) + 2
    machine("uninstall")
    assert machine.table == OTHERS


def test_an_upgrade_replaces_the_script_and_never_the_settings(machine: Machine) -> None:
    machine("install")
    machine.env_file.write_text("DISPATCH_REPOSITORY=mine/own\n")
    machine.program.write_text("an older version")
    machine("upgrade", "--minute", "9")
    assert machine.program.read_text() == (FOLDER / "dispatch.sh").read_text()
    assert machine.env_file.read_text() == "DISPATCH_REPOSITORY=mine/own\n"
    assert machine.table.count("dispatch.sh") == 1
    assert machine.table.splitlines()[-1].startswith("9 * * * *")


@pytest.mark.parametrize("scheduler", ["--cron", "--systemd"])
def test_an_upgrade_keeps_scheduler_and_minute(machine: Machine, scheduler: str) -> None:
    machine("install", scheduler, "--minute", "08", "--no-start")
    before = machine.files()
    machine("upgrade", "--no-start")
    assert machine.files() == before
    machine("upgrade", "--no-start", "--minute", "9")
    timer = machine.units / "binance-dispatch.timer"
    assert "*:09:00 UTC" in timer.read_text() if scheduler == "--systemd" else machine.table.endswith("/dev/null\n")
    assert ("9 * * * * '" in machine.table) is (scheduler == "--cron")


def test_settings_of_an_unusual_place_are_found_by_the_schedule(machine: Machine) -> None:
    """cron and systemd start without the variables that named the place."""
    elsewhere = machine.home / "my settings"
    machine.variables["XDG_CONFIG_HOME"] = str(elsewhere)
    machine("install")
    env_file = elsewhere / "binance-dispatch" / "env"
    assert env_file.is_file()
    assert f"'{env_file}'" in machine.table
    command = machine.table.splitlines()[-1].partition("* * * * ")[2]
    kept = {"PATH": os.environ["PATH"], "HOME": str(machine.home)}
    done = subprocess.run(["sh", "-c", command], env=kept, capture_output=True, text=True, timeout=60, check=False)
    assert "DISPATCH_REPOSITORY: not set" in done.stderr


@pytest.mark.parametrize(
    "odd", ["per%cent", "quo'te", 'quo"te', "dollar$HOME", "a&b", "back\\slash", "pi|pe", "two\nlines", "./relative"]
)
def test_a_home_that_a_schedule_would_misread_is_refused(machine: Machine, odd: str) -> None:
    machine.variables["XDG_DATA_HOME"] = odd if odd.startswith("./") else str(machine.home / odd)
    before = machine.files()
    assert "XDG_DATA_HOME" in machine("install", code=2)
    assert machine.files() == before


def test_a_home_behind_a_link_and_with_a_space_is_as_good_as_any(machine: Machine) -> None:
    (machine.home / "the real one").mkdir()
    (machine.home / "link").symlink_to(machine.home / "the real one")
    machine.variables.update(
        {"XDG_DATA_HOME": str(machine.home / "link"), "XDG_CONFIG_HOME": str(machine.home / "link")}
    )
    machine("install", "--systemd", "--no-start")
    service = (machine.home / "link/systemd/user/binance-dispatch.service").read_text()
    assert f'ExecStart="{machine.home}/link/binance-dispatch/dispatch.sh" "{machine.home}/link/' in service
    assert "DISPATCH_REPOSITORY: not set" in machine("--check", code=2)


def test_where_the_users_systemd_does_not_answer_it_is_said_what_to_do(machine: Machine) -> None:
    systemctl = machine.home / "bin" / "systemctl"
    systemctl.write_text("#!/bin/sh\necho Failed to connect to bus >&2\nexit 1\n")
    systemctl.chmod(0o755)
    machine("install")
    said = machine("install", "--systemd", code=1)
    assert "enable-linger" in said
    assert "binance-dispatch" in machine.table, "the schedule that works stays until the other one does"


def test_a_dry_run_says_everything_and_does_nothing(machine: Machine) -> None:
    before = machine.files()
    said = machine("install", "--dry-run", "--check")
    assert machine.files() == before
    for promise in (f"would write {machine.program}", f"would write {machine.env_file}", "would write the crontab"):
        assert promise in said


def test_removal_leaves_settings_and_log(machine: Machine) -> None:
    machine("install")
    machine("uninstall", "--dry-run")
    assert machine.program.exists()
    machine("uninstall")
    assert not machine.program.exists()
    assert machine.env_file.exists()
    assert "binance-dispatch" not in machine.table
    machine("uninstall")


def test_units_are_written_and_right(machine: Machine) -> None:
    machine("install", "--systemd", "--no-start", "--minute", "2")
    service = (machine.units / "binance-dispatch.service").read_text()
    timer = (machine.units / "binance-dispatch.timer").read_text()
    assert f'ExecStart="{machine.program}" "{machine.env_file}"' in service
    assert "OnCalendar=*-*-* *:02:00 UTC" in timer
    assert "@" not in service + timer
    before = machine.files()
    machine("upgrade", "--systemd", "--no-start", "--minute", "2")
    assert machine.files() == before
    machine("uninstall", "--no-start")
    assert list(machine.units.iterdir()) == []


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_accepts_the_units(machine: Machine) -> None:
    machine("install", "--systemd", "--no-start")
    units = [str(path) for path in machine.units.iterdir()]
    done = subprocess.run(["systemd-analyze", "verify", "--user", *units], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "binance-dispatch" in line]
    assert complaints == []
    calendar = subprocess.run(["systemd-analyze", "calendar", "*-*-* *:02:00 UTC"], capture_output=True, check=False)
    assert calendar.returncode == 0


def test_only_one_schedule_is_left(machine: Machine) -> None:
    machine("install")
    machine("install", "--systemd", "--no-start")
    assert "binance-dispatch" not in machine.table
    machine("install", "--cron", "--no-start")
    assert list(machine.units.iterdir()) == []
    assert "binance-dispatch" in machine.table


@pytest.mark.parametrize("arguments", [("--minute", "60"), ("--minute", "x"), ("--minute",), ("remove",)])
def test_wrong_arguments_are_refused_before_anything_is_done(machine: Machine, arguments: tuple[str, ...]) -> None:
    before = machine.files()
    assert "install.sh: " in machine(*arguments, code=2)
    assert machine.files() == before


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed; .ci/run installs it")
@pytest.mark.parametrize("script", ["ops/vps-dispatch/dispatch.sh", "ops/vps-dispatch/install.sh", ".ci/run"])
def test_scripts_are_clean_by_shellcheck(script: str) -> None:
    done = subprocess.run(["shellcheck", str(ROOT / script)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
