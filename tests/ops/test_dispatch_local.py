"""What the dispatcher does without a run on GitHub: the hour on its own machine, the check, the plan."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support import github_server, telegram_server
from tests.support.dispatcher import SLOT, Dispatcher, engine_stub
from tests.support.github_server import DISPATCHES, WORKFLOW, GitHub
from tests.support.http_stub import Reply
from tests.support.sources import ROOT

REPOSITORY = f"GET /repos/{github_server.REPOSITORY}"


def local(dispatch: Dispatcher, code: int = 0, **lines: str) -> Path:
    """Settings for a local hour whose engine ends with `code`."""
    engine = engine_stub(dispatch.home / "engine", code, lines)
    dispatch.settings |= {
        "DISPATCH_ENGINE_DIR": str(engine),
        "BINANCE_API_KEY": "binance-key-planted",
        "BINANCE_API_SECRET": "binance-secret-planted",
    }
    return engine


def test_a_local_hour_runs_the_engine_with_its_own_variables_only(dispatch: Dispatcher, github: GitHub) -> None:
    engine = local(dispatch)
    dispatch.settings["NOTIFY_LANG"] = "zh"
    ended = dispatch("--local")
    assert (ended.code, ended.kinds, github.seen) == (0, [], [])
    assert (engine / "arguments").read_text() == f"main.py --mode live --slot {SLOT}\n"
    environment = dict(line.split("=", 1) for line in (engine / "environment").read_text().splitlines() if "=" in line)
    assert environment["BINANCE_API_SECRET"] == "binance-secret-planted"
    assert environment["TG_CHAT_ID"] == telegram_server.CHAT
    assert environment["NOTIFY_LANG"] == "zh"
    assert not [name for name in environment if name.startswith("DISPATCH_")]
    assert (dispatch.state / "last_success").exists()


@pytest.mark.parametrize(
    ("code", "says"),
    [(1, "nobody foresaw"), (2, "settings"), (3, "before trading"), (4, "unknown"), (137, "killed")],
)
def test_a_local_hour_that_fails_is_told_and_its_code_handed_on(dispatch: Dispatcher, code: int, says: str) -> None:
    local(dispatch, code)
    ended = dispatch("--local")
    assert (ended.code, ended.kinds) == (code, ["failed"])
    assert f"local hour, engine exit {code}: " in ended.alerts[0]
    assert says in ended.alerts[0]
    assert f'exit {code}: {{"exit_code": {code}' in ended.log


@pytest.mark.parametrize(("status", "code"), [("stopped", 3), ("cut_short", 4)])
def test_a_local_hour_that_was_told_to_stop_is_not_called_a_failed_order(
    dispatch: Dispatcher, status: str, code: int
) -> None:
    line = json.dumps({"exit_code": code, "status": status})
    local(dispatch, code, last=f"echo '{line}'; exit {code}")
    (alert,) = dispatch("--local").alerts
    assert "local hour, the engine was told to stop" in alert
    assert alert.endswith("/docs/runbook/stopped.md")


def test_without_a_repository_an_alert_names_its_page_by_its_path(dispatch: Dispatcher) -> None:
    local(dispatch, 1)
    dispatch.settings |= {"DISPATCH_REPOSITORY": None, "DISPATCH_TOKEN": None}
    (alert,) = dispatch("--local").alerts
    assert alert.splitlines()[-1] == "docs/runbook/unexpected.md"


@pytest.mark.parametrize("name", ["BINANCE_API_SECRET", "ENGINE_CHANNEL_URL"])
def test_a_secret_that_the_engine_prints_is_not_logged(dispatch: Dispatcher, name: str) -> None:
    local(dispatch, 1, printing=f"trap 'echo \"${name}\"' EXIT")
    dispatch.settings[name] = "planted-and-printed"
    assert "exit 1: ***" in dispatch("--local").log


def test_a_local_hour_that_hangs_is_stopped_and_told(dispatch: Dispatcher) -> None:
    dispatch.settings["DISPATCH_TIME_SCALE"] = "400"
    local(dispatch, 0, deaf="trap '' TERM INT", hanging="for _ in {1..200}; do sleep 0.1; done")
    ended = dispatch("--local")
    assert (ended.code, ended.kinds) == (137, ["timed_out"])


def test_a_signal_reaches_the_engine_and_the_hour_is_told(dispatch: Dispatcher) -> None:
    engine = local(
        dispatch,
        0,
        polite="trap 'exit 3' TERM",
        ready='touch "$PWD/ready"',
        hanging="for _ in {1..400}; do sleep 0.05; done",
    )
    process = dispatch.start("--local")
    while not (engine / "ready").exists():
        assert process.poll() is None
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 3


@pytest.mark.parametrize("code", [0, 4])
def test_where_its_words_cannot_be_kept_the_local_hour_runs_and_its_code_is_told(
    dispatch: Dispatcher, code: int
) -> None:
    """A disk without a free file: `local.out` cannot be made."""
    engine = local(dispatch, code)
    (dispatch.state / "local.out").mkdir(parents=True)
    ended = dispatch("--local")
    assert (engine / "arguments").exists()
    assert (ended.code, ended.kinds) == (code, ["failed"] * (code > 0))


def test_on_a_full_disk_a_local_hour_that_succeeded_is_not_told_as_failed(dispatch: Dispatcher) -> None:
    engine = local(dispatch)
    (engine / ".venv" / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (engine / "main.py").write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + SAYS)
    dispatch.disk_full = True
    ended = dispatch("--local")
    assert (ended.code, ended.kinds) == (0, ["disk"])


SAYS = """
from runtime.command import keep_to_ourselves, say
keep_to_ourselves()
say("the hour is done")
"""


def test_a_missing_checkout_is_refused_before_anything_runs(dispatch: Dispatcher) -> None:
    ended = dispatch("--local")
    assert (ended.code, ended.kinds) == (2, ["settings"])
    assert "DISPATCH_ENGINE_DIR: not set" in ended.err


def test_a_local_hour_needs_no_github(dispatch: Dispatcher) -> None:
    local(dispatch)
    dispatch.settings |= {"DISPATCH_REPOSITORY": None, "DISPATCH_TOKEN": None}
    assert dispatch("--local").code == 0


@pytest.mark.parametrize(("fallback", "ran", "code"), [("local", True, 0), ("none", False, 1)])
def test_the_hour_falls_back_to_this_machine_only_where_the_settings_say_so(
    dispatch: Dispatcher, github: GitHub, fallback: str, ran: bool, code: int
) -> None:
    engine = local(dispatch)
    dispatch.settings |= {"DISPATCH_FALLBACK": fallback, "DISPATCH_ATTEMPTS": "2"}
    github.dispatch(Reply(503))
    ended = dispatch()
    assert (ended.code, ended.kinds) == (code, ["unreachable"])
    assert (engine / "arguments").exists() == ran


def everything_fine(github: GitHub) -> None:
    """What GitHub answers a check that passes."""
    expiry = {"GitHub-Authentication-Token-Expiration": "2099-01-01 00:00:00 UTC"}
    github.on(REPOSITORY, Reply(200, {"id": 1, "private": True}, expiry))
    github.on(WORKFLOW, Reply(200, {"id": 1, "state": "active"}, expiry))
    github.dispatch(Reply(422, {"message": "No ref found for: no..such..branch"}, expiry))


def test_a_check_proves_everything_and_starts_nothing(dispatch: Dispatcher, github: GitHub) -> None:
    everything_fine(github)
    ended = dispatch("--check")
    assert (ended.code, ended.alerts) == (0, ())
    assert "FAIL" not in ended.out
    assert len(ended.out.splitlines()) == 7
    assert [sent["ref"] for sent in github.sent()] == ["no..such..branch"]


@pytest.mark.parametrize(
    ("endpoint", "answer", "line"),
    [
        (REPOSITORY, Reply(401, {}), "repository"),
        (REPOSITORY, Reply(200, {"private": False}), "is private"),
        (
            REPOSITORY,
            Reply(200, {"private": True}, {"GitHub-Authentication-Token-Expiration": "2020-01-01"}),
            "token expiry",
        ),
        (WORKFLOW, Reply(404, {}), "workflow"),
        (WORKFLOW, Reply(200, {"state": "disabled_manually"}), "workflow"),
        (DISPATCHES, Reply(403, {}), "may start runs"),
        (DISPATCHES, Reply(204, ""), "may start runs"),
    ],
)
def test_a_check_names_what_fails(
    dispatch: Dispatcher, github: GitHub, endpoint: str, answer: Reply, line: str
) -> None:
    everything_fine(github)
    github.on(endpoint, answer)
    ended = dispatch("--check")
    assert ended.code == 1
    assert any(found.startswith(f"FAIL  {line}") for found in ended.out.splitlines())


def test_a_check_names_a_chat_that_cannot_be_reached(
    dispatch: Dispatcher, github: GitHub, telegram: telegram_server.TelegramServer
) -> None:
    everything_fine(github)
    telegram.chats.clear()
    ended = dispatch("--check")
    assert (ended.code, [line[:19] for line in ended.out.splitlines() if "FAIL" in line]) == (
        1,
        ["FAIL  telegram chat"],
    )


def test_a_check_names_a_group_that_moved_and_not_where_to(
    dispatch: Dispatcher, github: GitHub, telegram: telegram_server.TelegramServer
) -> None:
    everything_fine(github)
    telegram.moved = {telegram_server.CHAT: -100777123}
    ended = dispatch("--check")
    (line,) = [line for line in ended.out.splitlines() if "FAIL" in line]
    assert (ended.code, line[:19]) == (1, "FAIL  telegram chat")
    assert "the group has a new id; the next alert in it names it: set TG_CHAT_ID" in line
    assert "100777123" not in ended.out


def test_a_plan_contacts_nobody_and_writes_nothing(
    dispatch: Dispatcher, github: GitHub, telegram: telegram_server.TelegramServer
) -> None:
    ended = dispatch("--dry-run")
    assert (ended.code, github.seen, telegram.calls, dispatch.state.exists()) == (0, [], [], False)
    assert f"inputs slot={SLOT} mode=live" in ended.out


@pytest.mark.parametrize("arguments", [("--lokal",), ("--slot", "yesterday"), ("--slot",)])
def test_wrong_arguments_are_refused(dispatch: Dispatcher, github: GitHub, arguments: tuple[str, ...]) -> None:
    process = dispatch.start(*arguments[:1]) if len(arguments) == 1 else dispatch.start(*arguments)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, github.seen) == (2, "", [])
    assert err.startswith("dispatch.sh: ")


def test_help_is_the_head_of_the_script(dispatch: Dispatcher) -> None:
    ended = dispatch("--help")
    assert ended.code == 0
    assert ended.out.startswith("Start the engine's hour on GitHub Actions")
    assert "--local" in ended.out
