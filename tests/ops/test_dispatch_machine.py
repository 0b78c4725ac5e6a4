"""The dispatcher on a machine in trouble: a full disk, a clock that jumps, files that an editor or a hand has bent."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.support import github_server
from tests.support.dispatcher import Dispatcher, engine_stub
from tests.support.github_server import GitHub
from tests.support.http_stub import Reply
from tests.support.telegram_server import TelegramServer

STRAY = "github_pat_11ABCDEFG0_stray_token_in_the_wrong_line"


def bent(dispatch: Dispatcher, content: bytes) -> None:
    """Write these bytes as the env file."""
    dispatch.env_file.write_bytes(content)
    dispatch.env_file.chmod(0o600)


def lines(dispatch: Dispatcher) -> list[str]:
    """Good settings."""
    return [f"{name}={value}" for name, value in dispatch.good().items()]


def test_on_a_full_disk_the_hour_is_started_once_followed_and_the_disk_is_told(
    dispatch: Dispatcher, github: GitHub
) -> None:
    dispatch.disk_full = True
    ended = dispatch()
    assert (ended.code, ended.kinds, len(github.sent())) == (0, ["disk"], 1)


def test_on_a_full_disk_a_failed_hour_is_told_once_and_the_heartbeat_kept_as_it_was(
    dispatch: Dispatcher, github: GitHub
) -> None:
    dispatch.state.mkdir()
    noted = dispatch.state / "last_success"
    noted.write_text("1000000000\n")
    dispatch.disk_full = True
    github.run(github.state("completed", "failure"))
    assert dispatch().kinds == ["disk", "failed"]
    github.run(github.state("completed", "success"))
    assert dispatch().code == 0
    assert noted.read_text() == "1000000000\n"


def test_nothing_is_asked_of_the_temporary_folder(
    dispatch: Dispatcher, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    assert (dispatch().code, len(github.sent())) == (0, 1)


def test_what_could_not_be_told_is_bounded(dispatch: Dispatcher) -> None:
    """A bot that was deleted and never replaced."""
    dispatch.state.mkdir()
    (dispatch.state / "unsent").write_text("untold\n" * 50_000)
    dispatch.telegram.chats.clear()
    dispatch.github.dispatch(Reply(401))
    assert dispatch().code == 1
    assert (dispatch.state / "unsent").stat().st_size < 2_000
    assert (dispatch.state / "unsent.1").exists()


@pytest.mark.parametrize("what", ["state", "state/lock"])
def test_a_state_folder_that_cannot_be_used_is_told_and_nothing_is_started(
    dispatch: Dispatcher, github: GitHub, what: str
) -> None:
    if what == "state":
        dispatch.state.touch()
    else:
        (dispatch.state / "lock").mkdir(parents=True)
    ended = dispatch()
    assert (ended.code, ended.kinds, github.sent()) == (2, ["settings"], [])
    assert "DISPATCH_STATE_DIR: the " in ended.alerts[0]
    assert "unbound" not in ended.err


def test_limits_hold_while_the_wall_clock_stands_still_or_is_set_back(
    dispatch: Dispatcher, github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bash reads the file before the script: its name for the wall clock becomes a plain variable."""
    frozen = tmp_path / "frozen"
    frozen.write_text("unset EPOCHREALTIME; EPOCHREALTIME=1.000000\n")
    monkeypatch.setenv("BASH_ENV", str(frozen))
    dispatch.settings["DISPATCH_START_LIMIT_S"] = "60"
    github.run(github.state("queued"))
    assert dispatch().kinds == ["not_started"]


def test_a_success_noted_in_the_future_does_not_silence_the_heartbeat(dispatch: Dispatcher) -> None:
    dispatch.state.mkdir()
    noted = dispatch.state / "last_success"
    noted.write_text("4000000000\n")
    dispatch.github.run(GitHub.state("completed", "failure"))
    assert dispatch().kinds == ["failed"]
    assert int(noted.read_text()) <= time.time()


@pytest.mark.parametrize("shape", ["windows", "mark", "quoted", "spaces behind"])
def test_an_env_file_as_editors_write_it_is_understood(dispatch: Dispatcher, github: GitHub, shape: str) -> None:
    plain = "\n".join(lines(dispatch)) + "\n"
    shapes = {
        "windows": plain.replace("\n", "\r\n"),
        "mark": "\ufeff" + plain,
        "quoted": "\n".join(f'{name}="{value}"' for name, value in dispatch.good().items()),
        "spaces behind": plain.replace("\n", "  \t\n"),
    }
    bent(dispatch, shapes[shape].encode())
    done = dispatch.again()
    assert (done.returncode, done.stderr, len(github.sent())) == (0, "", 1)


def test_a_private_key_in_one_quoted_line_reaches_the_engine_as_a_shell_would_hand_it_over(
    dispatch: Dispatcher, tmp_path: Path
) -> None:
    """The set-up page reads the same file with `.`; the engine takes `\\n` for the end of a line."""
    pem = r"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIE\n-----END PRIVATE KEY-----"
    dispatch.settings |= {
        "DISPATCH_ENGINE_DIR": str(engine_stub(tmp_path / "engine", 0)),
        "BINANCE_API_SECRET": f'"{pem}"',
    }
    assert dispatch("--local").code == 0
    given = (tmp_path / "engine" / "environment").read_text().splitlines()
    assert f"BINANCE_API_SECRET={pem}" in given
    shell = subprocess.run(
        ["bash", "-c", f'set -a; . "{dispatch.env_file}"; env'], capture_output=True, text=True, check=True
    )
    assert f"BINANCE_API_SECRET={pem}" in shell.stdout.splitlines()


@pytest.mark.parametrize("end", ["\r", " ", "\\n"])
def test_lines_that_ran_together_show_no_secret(
    dispatch: Dispatcher, github: GitHub, telegram: TelegramServer, end: str
) -> None:
    bent(dispatch, (end.join(lines(dispatch)) + "\n").encode())
    done = dispatch.again()
    assert (done.returncode, github.seen) == (2, [])
    assert "DISPATCH_REPOSITORY: (" in done.stderr
    assert github_server.TOKEN not in done.stderr
    assert not telegram.messages


@pytest.mark.parametrize("name", ["DISPATCH_REPOSITORY", "DISPATCH_REF", "DISPATCH_MODE", "DISPATCH_WORKFLOW"])
def test_a_token_in_the_wrong_line_is_shown_nowhere(dispatch: Dispatcher, github: GitHub, name: str) -> None:
    dispatch.settings[name] = f"{STRAY}!"
    ended = dispatch()
    assert (ended.code, ended.kinds, github.seen) == (2, ["settings"], [])
    assert f"{name}: (52 characters, hidden)" in ended.alerts[0]
    assert STRAY not in ended.everything()


def test_more_problems_than_a_message_holds_are_told_all_the_same(dispatch: Dispatcher, github: GitHub) -> None:
    bent(dispatch, "\n".join([*lines(dispatch), *["not a setting"] * 400, "A" * 100_000 + "=1"]).encode())
    done = dispatch.again()
    assert (done.returncode, github.seen) == (2, [])
    (message,) = dispatch.telegram.messages
    assert len(str(message["text"])) <= 4096
    assert str(message["text"]).splitlines()[-1].endswith("docs/runbook/outside/settings.md")


@pytest.mark.parametrize("spare", range(3))
def test_a_long_alert_is_cut_between_characters(dispatch: Dispatcher, telegram: TelegramServer, spare: int) -> None:
    """Telegram refuses a text with half a character; the cut falls into the middle of a value of three-byte ones."""
    junk = [f"{'A' * 60}=1"] * 33
    last = [f"{'B' * (25 - spare)}=1", f"DISPATCH_MODE={'中' * 11}"]
    bent(dispatch, "\n".join([*lines(dispatch), *junk, *last]).encode())
    assert dispatch.again().returncode == 2
    (message,) = telegram.messages
    assert "'中" in str(message["text"])
    assert "中'" not in str(message["text"])
    assert "\ufffd" not in str(message["text"])


@pytest.mark.parametrize(
    ("name", "value"),
    [("DISPATCH_POLL_S", "3600"), ("DISPATCH_HTTP_TIMEOUT_S", "3600"), ("DISPATCH_REPOSITORY", "../.."),
     ("DISPATCH_REPOSITORY", "owner/.."), ("DISPATCH_WORKFLOW", "../x.yml"), ("DISPATCH_REF", "../main"),
     ("DISPATCH_REF", "--main")],
)  # fmt: skip
def test_settings_that_would_wait_too_long_or_lead_elsewhere_are_refused(
    dispatch: Dispatcher, github: GitHub, name: str, value: str
) -> None:
    dispatch.settings[name] = value
    ended = dispatch()
    assert (ended.code, github.seen) == (2, [])
    assert f"{name}: " in ended.err


@pytest.mark.parametrize("body", ["HTTP/1.1 200 OK\r\nRetry-After: 9\r\n\r\n{}", "a\0b", "x\n200", "x" * 1_100_000])
def test_a_body_is_never_taken_for_headers_or_status(dispatch: Dispatcher, github: GitHub, body: str) -> None:
    """A refusal stays one and is not tried again, whatever stands in its body; one that is too long is no answer."""
    dispatch.settings["DISPATCH_ATTEMPTS"] = "2"
    github.dispatch(Reply(403, body))
    ended = dispatch()
    endless = len(body) > 1_000_000
    assert (ended.kinds, len(github.sent())) == ((["unreachable"], 2) if endless else (["refused"], 1))
