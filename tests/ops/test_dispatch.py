"""The dispatcher against stand-ins for GitHub and Telegram: every answer, every end of a run, and what is told."""

from __future__ import annotations

import os
import re
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support import github_server, telegram_server
from tests.support.dispatcher import SCALE, SLOT, Dispatcher
from tests.support.github_server import JOBS, RUN_ID, RUNS, GitHub
from tests.support.http_stub import Fate, Reply

LIMITED = {"X-RateLimit-Remaining": "0"}
HEALTHY = {"X-RateLimit-Remaining": "4999"}
TITLE = f"hour {SLOT}"
DONE = GitHub.state("completed", "success")


def epoch(path: Path) -> int:
    """A moment that the script noted."""
    return int(path.read_text())


def test_a_good_hour_is_started_once_followed_and_not_told(dispatch: Dispatcher, github: GitHub) -> None:
    ended = dispatch()
    assert (ended.code, ended.alerts, ended.err) == (0, (), "")
    assert github.sent() == [{"ref": "main", "inputs": {"slot": SLOT, "mode": "live"}, "return_run_details": True}]
    assert f"run {RUN_ID} ended: success" in ended.log


def test_the_slot_is_the_utc_hour_unless_one_is_named(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.settings["TZ"] = None
    earlier = datetime.now(UTC)
    assert dispatch("--slot", "").code == 0
    hours = {moment.strftime("%Y-%m-%dT%HZ") for moment in (earlier, datetime.now(UTC))}
    assert github.sent()[0]["inputs"]["slot"] in hours


@pytest.mark.parametrize(
    "accepted", [Reply(204, ""), Reply(200, ""), Reply(200, "<html>"), Reply(200, {"workflow_run_id": None})]
)
def test_without_the_runs_id_it_is_found_by_its_name(dispatch: Dispatcher, github: GitHub, accepted: Reply) -> None:
    github.dispatch(accepted)
    github.on(RUNS, github.listed("hour 2026-11-21T08Z"), github.listed("hour 2026-11-21T10Z", TITLE))
    ended = dispatch()
    assert (ended.code, ended.kinds, len(github.sent())) == (0, [], 1)
    assert f"run {RUN_ID} ended: success" in ended.log


@pytest.mark.parametrize(
    "trouble",
    [
        *(Reply(status, "gateway") for status in (500, 502, 503, 504, 429)),
        Reply(403, {"message": "secondary rate limit"}, {"Retry-After": "1"}),
        Reply(403, {"message": "rate limit"}, LIMITED),
        Fate.CUT,
        Fate.HALF,
    ],
)
def test_trouble_that_may_pass_is_tried_again(dispatch: Dispatcher, github: GitHub, trouble: Reply | Fate) -> None:
    github.dispatch(trouble, trouble, github.accepted())
    ended = dispatch()
    assert (ended.code, ended.kinds, len(github.sent())) == (0, [], 3)


def test_where_nobody_listens_it_is_told_after_all_tries(dispatch: Dispatcher) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dispatch.settings["DISPATCH_API_URL"] = f"http://127.0.0.1:{taken.getsockname()[1]}"
        ended = dispatch()
    assert (ended.code, ended.kinds) == (1, ["unreachable"])
    assert "the last: no answer" in ended.alerts[0]


def test_a_server_that_hangs_is_left_and_asked_again(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.settings["DISPATCH_HTTP_TIMEOUT_S"] = "1"
    github.dispatch(Fate.SILENCE, github.accepted())
    ended = dispatch()
    assert (ended.code, ended.kinds, len(github.sent())) == (0, [], 2)


def test_delays_grow_and_tries_are_bounded(dispatch: Dispatcher, github: GitHub) -> None:
    github.dispatch(Reply(503))
    ended = dispatch()
    assert (ended.code, ended.kinds, len(github.sent())) == (1, ["unreachable"], 5)
    assert "in 5 attempts, the last: HTTP 503" in ended.alerts[0]
    for wait_s, least_s in zip(github.waits(), (5, 10, 20, 40), strict=True):
        assert wait_s >= least_s / SCALE


@pytest.mark.parametrize(
    ("asked", "least_s", "kind"), [("60", 60, "unreachable"), ("100000", 300, "unreachable")], ids=["asked", "capped"]
)
def test_the_wait_that_github_asks_for_is_kept_up_to_a_cap(
    dispatch: Dispatcher, github: GitHub, asked: str, least_s: int, kind: str
) -> None:
    dispatch.settings["DISPATCH_ATTEMPTS"] = "2"
    github.dispatch(Reply(429, "", {"Retry-After": asked}))
    ended = dispatch()
    assert ended.kinds == [kind]
    (wait_s,) = github.waits()
    assert least_s / SCALE <= wait_s < 600 / SCALE + 5


def test_waits_end_before_the_budget_of_the_start_does(dispatch: Dispatcher, github: GitHub) -> None:
    """Two waits of 250 s fit into 600 s, a third does not, whatever number of tries is allowed."""
    github.dispatch(Reply(503, "", {"Retry-After": "250"}))
    assert (dispatch().kinds, len(github.sent())) == (["unreachable"], 3)


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        (Reply(401, {"message": "Bad credentials"}), "the token is wrong"),
        (Reply(403, {"message": "Resource not accessible"}, HEALTHY), "Actions: write"),
        (Reply(403, {"message": "Resource not accessible"}), "Actions: write"),
        (Reply(404, {"message": "Not Found"}), "no such repository or workflow"),
        (Reply(422, {"message": "Unexpected inputs"}), "the workflow is disabled"),
        (Reply(410, ""), "does not document"),
        (Reply(301, "", {"Location": "/elsewhere"}), "does not document"),
    ],
)
def test_a_refusal_is_told_at_once_and_not_tried_again(
    dispatch: Dispatcher, github: GitHub, refusal: Reply, says: str
) -> None:
    github.dispatch(refusal)
    ended = dispatch()
    assert (ended.code, ended.kinds, len(github.sent())) == (1, ["refused"], 1)
    assert f"HTTP {refusal.status}: " in ended.alerts[0]
    assert says in ended.alerts[0]


def test_a_run_that_no_runner_takes_is_told(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.settings["DISPATCH_START_LIMIT_S"] = "60"
    github.run(github.state("queued"))
    ended = dispatch()
    assert (ended.code, ended.kinds) == (1, ["not_started"])
    assert "still 'queued' after 60 s" in ended.alerts[0]
    assert f"/actions/runs/{RUN_ID}" in ended.alerts[0]


def test_a_run_that_is_never_seen_is_told(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.settings["DISPATCH_START_LIMIT_S"] = "60"
    github.dispatch(Reply(204, ""))
    github.on(RUNS, github.listed("hour 2026-11-21T08Z"))
    ended = dispatch()
    assert (ended.code, ended.kinds) == (1, ["not_started"])
    assert "no run was seen" in ended.alerts[0]


def test_a_run_that_never_ends_is_told(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.settings["DISPATCH_RUN_LIMIT_S"] = "60"
    github.run(github.state("in_progress"))
    ended = dispatch()
    assert (ended.code, ended.kinds) == (1, ["not_finished"])
    assert "still going after 60 s" in ended.alerts[0]


def test_trouble_while_following_is_no_failure_of_the_run(dispatch: Dispatcher, github: GitHub) -> None:
    github.run(Reply(404), Fate.CUT, Reply(502), github.state("in_progress"), Reply(200, "[[["), DONE)
    ended = dispatch()
    assert (ended.code, ended.kinds) == (0, [])


def test_a_rate_limit_while_following_is_kept(dispatch: Dispatcher, github: GitHub) -> None:
    github.run(Reply(429, "", {"Retry-After": "90"}), DONE)
    assert dispatch().code == 0
    first, second = (at for endpoint, at in github.arrived if endpoint == github_server.RUN)
    assert second - first >= 100 / SCALE


@pytest.mark.parametrize(
    ("conclusion", "kind"),
    [
        ("cancelled", "cancelled"),
        ("timed_out", "timed_out"),
        ("startup_failure", "failed"),
        ("skipped", "failed"),
        ("action_required", "failed"),
        ("failure", "failed"),
    ],
)
def test_every_end_but_success_is_told(dispatch: Dispatcher, github: GitHub, conclusion: str, kind: str) -> None:
    github.run(github.state("completed", conclusion))
    ended = dispatch()
    assert (ended.code, ended.kinds) == (1, [kind])


@pytest.mark.parametrize(
    ("code", "says"),
    [(1, "nobody foresaw"), (2, "settings are wrong"), (3, "before trading"), (4, "failed or is unknown")],
)
def test_the_engines_exit_code_is_read_from_the_failed_step(
    dispatch: Dispatcher, github: GitHub, code: int, says: str
) -> None:
    github.run(github.state("completed", "failure"))
    github.on(JOBS, github.steps(f"engine exit {code}"))
    ended = dispatch()
    assert ended.kinds == ["failed"]
    assert f"engine exit {code}: " in ended.alerts[0]
    assert says in ended.alerts[0]
    page = {1: "unexpected", 2: "settings", 3: "aborted", 4: "order_failed"}[code]
    assert ended.alerts[0].endswith(f"/blob/main/docs/runbook/{page}.md")


def test_an_engine_that_was_told_to_stop_is_not_called_a_failed_order(dispatch: Dispatcher, github: GitHub) -> None:
    github.run(github.state("completed", "failure"))
    github.on(JOBS, github.steps("engine stopped"))
    (alert,) = dispatch().alerts
    assert "the engine was told to stop and gave its lease back" in alert
    assert alert.endswith("/docs/runbook/stopped.md")


def test_of_several_accounts_every_exit_code_is_told(dispatch: Dispatcher, github: GitHub) -> None:
    github.run(github.state("completed", "failure"))
    github.on(JOBS, github.steps("engine exit 4", "", "engine exit 2"))
    told = dispatch().alerts[0]
    assert "engine exit 2: " in told
    assert "engine exit 4: " in told
    assert "engine exit 1" not in told
    assert told.endswith("/docs/runbook/outside/failed.md")


def test_another_failed_step_is_not_taken_for_the_engines_word(dispatch: Dispatcher, github: GitHub) -> None:
    github.run(github.state("completed", "failure"))
    github.on(JOBS, github.steps("Run the hour"))
    assert "did not say how it ended" in dispatch().alerts[0]


def test_a_success_is_noted_and_the_outside_monitor_is_asked(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.settings["DISPATCH_PING_URL"] = f"{github.origin}/ping-planted"
    github.on("GET /ping-planted", Reply(200, "OK"))
    assert dispatch().code == 0
    assert github.count("GET /ping-planted") == 1
    assert "authorization" not in next(seen for seen in github.seen if "ping" in seen.endpoint).headers


def test_a_failed_hour_is_no_heartbeat(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.settings["DISPATCH_PING_URL"] = f"{github.origin}/ping-planted"
    dispatch.state.mkdir()
    noted = int(datetime.now(UTC).timestamp()) - 100
    (dispatch.state / "last_success").write_text(str(noted))
    github.run(github.state("completed", "cancelled"))
    dispatch()
    assert epoch(dispatch.state / "last_success") == noted
    assert github.count("GET /ping-planted") == 0


def test_a_heartbeat_that_is_too_old_is_told_once_and_so_is_its_return(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.state.mkdir()
    (dispatch.state / "last_success").write_text("1000000000")
    github.run(github.state("completed", "cancelled"))
    assert dispatch().kinds == ["heartbeat", "cancelled"]
    assert dispatch().kinds == ["heartbeat", "cancelled", "cancelled"]
    github.run(DONE)
    assert dispatch().kinds == ["heartbeat", "cancelled", "cancelled", "recovered"]
    assert dispatch().kinds[4:] == []


@pytest.mark.parametrize(("days", "kinds"), [(1, ["token"]), (6, ["token"]), (30, [])])
def test_a_token_that_expires_soon_is_told_once_a_day(
    dispatch: Dispatcher, github: GitHub, days: int, kinds: list[str]
) -> None:
    expiry = datetime.now(UTC) + timedelta(days=days)
    header = {"GitHub-Authentication-Token-Expiration": expiry.strftime("%Y-%m-%d %H:%M:%S UTC")}
    github.dispatch(Reply(204, "", header))
    github.on(RUNS, github.listed(TITLE))
    assert dispatch().kinds == kinds
    assert dispatch().kinds == kinds
    if kinds:
        (dispatch.state / "token_told").write_text("2026-11-20")
        assert dispatch().kinds == kinds * 2


def test_an_alert_that_telegram_does_not_take_is_told_by_the_next_start(
    dispatch: Dispatcher, github: GitHub, telegram: telegram_server.TelegramServer
) -> None:
    github.dispatch(Reply(422))
    telegram.blocked.add(telegram_server.CHAT)
    ended = dispatch()
    assert (ended.code, ended.alerts) == (1, ())
    assert "alert not delivered: refused" in ended.err
    telegram.blocked.clear()
    github.dispatch(github.accepted())
    told = dispatch()
    assert len(told.alerts) == 1
    assert told.alerts[0].startswith("not delivered earlier:\nengine dispatch: refused")
    assert len(dispatch().alerts) == 1


def test_an_alert_is_tried_again_while_telegram_is_in_trouble(
    dispatch: Dispatcher, github: GitHub, telegram: telegram_server.TelegramServer
) -> None:
    github.dispatch(Reply(401))
    telegram.faults = [telegram_server.Fault("gateway"), telegram_server.Fault("pause", 7)]
    assert dispatch().kinds == ["refused"]
    assert len(telegram.calls) == 3


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_group_that_moved_gets_the_alert_and_is_told_what_to_set(
    dispatch: Dispatcher, github: GitHub, telegram: telegram_server.TelegramServer, language: str
) -> None:
    dispatch.settings["NOTIFY_LANG"] = language
    github.dispatch(Reply(401))
    telegram.moved, telegram.chats = {telegram_server.CHAT: -100777123}, {"-100777123"}
    ended = dispatch()
    assert ended.kinds == ["refused"]
    assert telegram.messages[0]["chat_id"] == "-100777123"
    assert "TG_CHAT_ID=-100777123" in telegram.messages[0]["seen"]
    assert "set TG_CHAT_ID" in ended.log
    assert "100777123" not in ended.log + ended.out + ended.err


def test_a_group_that_moves_in_circles_ends(
    dispatch: Dispatcher, github: GitHub, telegram: telegram_server.TelegramServer
) -> None:
    github.dispatch(Reply(401))
    telegram.moved = {telegram_server.CHAT: -2, "-2": int(telegram_server.CHAT)}
    ended = dispatch()
    assert len(telegram.calls) == 2
    assert "NOT delivered" in ended.log


def test_an_alert_with_foreign_text_is_plain_and_whole(
    dispatch: Dispatcher, telegram: telegram_server.TelegramServer
) -> None:
    dispatch.settings["DISPATCH_REPOSITORY"] = '<b>"\\x'
    ended = dispatch()
    assert (ended.code, ended.kinds) == (2, ["settings"])
    assert "DISPATCH_REPOSITORY: '<b>\"\\x': write owner/name" in ended.alerts[0]
    assert "parse_mode" not in telegram.messages[0]


def test_every_problem_of_the_settings_is_told_at_once_and_nothing_is_started(
    dispatch: Dispatcher, github: GitHub
) -> None:
    dispatch.settings |= {"DISPATCH_TOKEN": None, "DISPATCH_MODE": "life", "DISPATCH_POLL": "5", "DISPATCH_POLL_S": "0"}
    ended = dispatch()
    assert (ended.code, ended.kinds, github.seen) == (2, ["settings"], [])
    for name in ("DISPATCH_TOKEN: not set", "DISPATCH_MODE: 'life'", "DISPATCH_POLL: no such", "DISPATCH_POLL_S: '0'"):
        assert name in ended.alerts[0]
        assert name in ended.err


@pytest.mark.parametrize("name", ["TG_TOKEN", "TG_CHAT_ID"])
def test_without_a_way_to_tell_nothing_is_started(dispatch: Dispatcher, github: GitHub, name: str) -> None:
    dispatch.settings[name] = "not a $(touch planted) value"
    ended = dispatch()
    assert (ended.code, ended.alerts, github.seen) == (2, (), [])
    assert f"{name}: (hidden)" in ended.err


def test_limits_that_would_meet_the_next_hour_are_refused(dispatch: Dispatcher) -> None:
    dispatch.settings |= {"DISPATCH_START_LIMIT_S": "1200", "DISPATCH_RUN_LIMIT_S": "1300"}
    assert "would meet the next hour" in dispatch().err


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o400, 0o700, 0o660])
def test_an_env_file_of_another_mode_is_refused(dispatch: Dispatcher, github: GitHub, mode: int) -> None:
    dispatch.mode = mode
    ended = dispatch()
    assert (ended.code, ended.alerts, github.seen) == (2, (), [])
    assert "chmod 600" in ended.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_an_env_file_of_somebody_else_is_refused(dispatch: Dispatcher, github: GitHub) -> None:
    process = dispatch.start("--dry-run")
    process.communicate(timeout=30)
    assert process.returncode == 0
    os.chown(dispatch.env_file, 65534, 65534)
    done = dispatch.again()
    assert (done.returncode, github.seen) == (2, [])
    assert "belongs to another user" in done.stderr


def test_an_env_file_that_is_missing_or_a_link_is_refused(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.write_settings()
    dispatch.env_file.rename(dispatch.home / "elsewhere")
    assert "no such file" in dispatch.again().stderr
    dispatch.env_file.symlink_to(dispatch.home / "elsewhere")
    done = dispatch.again()
    assert (done.returncode, github.seen) == (2, [])


def test_the_env_file_is_read_and_never_executed(dispatch: Dispatcher, github: GitHub, tmp_path: Path) -> None:
    dispatch.settings["DISPATCH_REF"] = f"'$(touch {tmp_path}/planted)'"
    assert dispatch().code == 2
    dispatch.settings["DISPATCH_REF"] = '"main"  '
    assert dispatch().code == 0
    assert not (tmp_path / "planted").exists()


def test_a_second_start_leaves_the_first_one_alone(dispatch: Dispatcher, github: GitHub) -> None:
    github.run(github.state("queued"))
    first = dispatch.start()
    while not github.sent():
        assert first.poll() is None
    second = dispatch()
    assert (second.code, second.kinds, len(github.sent())) == (75, ["overlap"], 1)
    github.run(DONE)
    first.communicate(timeout=30)
    assert first.returncode == 0


def test_the_log_is_bounded(dispatch: Dispatcher) -> None:
    dispatch.state.mkdir()
    log = dispatch.state / "dispatch.log"
    for _ in range(3):
        log.write_text("x" * 300_000 + "\n")
        assert dispatch().code == 0
    assert sorted(path.name for path in dispatch.state.glob("dispatch.log*")) == ["dispatch.log", "dispatch.log.1"]
    assert log.stat().st_size < 2_000


def test_log_lock_and_times_are_for_their_owner_only(dispatch: Dispatcher) -> None:
    dispatch()
    assert {path.stat().st_mode & 0o077 for path in [dispatch.state, *dispatch.state.iterdir()]} == {0}


def test_nothing_is_left_in_the_temporary_folder(
    dispatch: Dispatcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    dispatch()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_process_list_was_really_watched(dispatch: Dispatcher) -> None:
    """The other tests assert that it shows no secret; this one that it shows the processes at all."""
    ended = dispatch()
    assert re.search(r"curl --disable --config -", ended.commands)
    assert "dispatch.sh" in ended.commands


def test_a_hostile_curlrc_is_not_read(dispatch: Dispatcher) -> None:
    (dispatch.home / ".curlrc").write_text(f'trace-ascii = "{dispatch.home}/trace"\n')
    assert dispatch().code == 0
    assert not (dispatch.home / "trace").exists()


def test_the_token_goes_to_github_and_nowhere_else(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch()
    assert {seen.headers["authorization"] for seen in github.seen} == {f"Bearer {github_server.TOKEN}"}


def test_a_good_hour_costs_little_processor_time(dispatch: Dispatcher) -> None:
    """Three looks at the run, without the time of the watcher, which is this process's own."""
    dispatch()
    process = dispatch.start()
    _, _, used = os.wait4(process.pid, 0)
    process.communicate()
    assert used.ru_utime + used.ru_stime <= 0.2
