"""The workflows' own scripts, run in order on this machine: the YAML itself is proven, with the engine and without.

`python` on the path makes a virtual environment that notes what pip is asked for and otherwise runs this interpreter.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import telegram_server
from tests.support.dispatcher import Dispatcher
from tests.support.github_server import REPOSITORY, RUN_ID, TOKEN, GitHub
from tests.support.http_stub import Answer, Reply
from tests.support.rendered import seen
from tests.support.sources import ROOT
from tests.support.telegram_server import TelegramServer
from tests.support.workflows import Expressions, Runner, Value, load, steps

PYTHON = f"""#!/usr/bin/env bash
if [[ "$1 $2" == "-m venv" ]]; then
    mkdir -p "${{!#}}/bin"; cp "$0" "${{!#}}/bin/python"
elif [[ "$1 $2" == "-m pip" ]]; then
    echo "$*" >>"$PIP_NOTES"
else
    exec {sys.executable} "$@"
fi
"""
SECRETS: dict[str, Value] = {
    "secrets.BINANCE_API_KEY": "planted-key",
    "secrets.BINANCE_API_SECRET": "planted-secret",
    "secrets.TG_TOKEN": telegram_server.TOKEN,
    "secrets.TG_CHAT_ID": telegram_server.CHAT,
}
PRIVATE: dict[str, Value] = {
    "github.event.repository.private": True,
    "github.server_url": "https://git.test",
    "github.repository": "owner/engine",
    "github.sha": "0" * 40,
    "matrix.account": "main",
}
BY_HAND: dict[str, Value] = {"inputs.mode": "dry_run", "inputs.validate_only": False, "inputs.first_run": "refuse"}
STUB = "import json, os, sys\nprint(json.dumps(sys.argv[1:]))\n"
EXITS = ["engine stopped", *(f"engine exit {code}" for code in range(1, 5))]


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A clean directory that holds what a checkout holds, and a private repository."""
    work, tools = tmp_path / "work", tmp_path / "tools"
    tools.mkdir()
    for name in ("python", "python3.11"):
        (tools / name).write_text(PYTHON)
        (tools / name).chmod(0o755)
    work.mkdir()
    shutil.copy(ROOT / "requirements-lock.txt", work)
    notes = {"PIP_NOTES": str(tmp_path / "pip"), "RUNNER_TOOL_CACHE": str(tmp_path / "cache")}
    return Runner(work, tmp_path / "temporary", PRIVATE | SECRETS | BY_HAND, [tools], notes)


def with_engine(runner: Runner) -> None:
    """The real engine."""
    for name in ("runtime", "strategies"):
        shutil.copytree(ROOT / name, runner.work / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "main.py", runner.work)


def with_stub(runner: Runner, code: int, then: str = "", status: str = "of the stub") -> None:
    """An engine that notes how it was started and ends with `code`."""
    error = 'it said "exit_code": 9, "status": "stopped"'
    line = json.dumps({"error": error, "exit_code": code, "status": status}, sort_keys=True)
    notes = f"open({str(runner.temporary.parent / 'environment')!r}, 'w').write(json.dumps(dict(os.environ)))\n"
    (runner.work / "main.py").write_text(f"{STUB}{notes}{then}print({line!r})\nsys.exit({code})\n")


def environment(runner: Runner) -> dict[str, str]:
    """What the stub was given."""
    found: dict[str, str] = json.loads((runner.temporary.parent / "environment").read_text())
    return found


def outcomes(runner: Runner, *names: str) -> list[str]:
    return [runner.outcomes[name] for name in names]


def summary(runner: Runner) -> str:
    return (runner.temporary / "summary").read_text()


def test_a_paper_hour_runs_from_checkout_to_summary(runner: Runner) -> None:
    """The real engine, by the steps of main.yml and nothing else."""
    with_engine(runner)
    runner.contexts |= {"inputs.mode": "paper"}
    assert runner.job(load("main.yml"), "hour"), runner.printed
    assert outcomes(runner, "Sign in to Google Cloud", *EXITS) == ["skipped"] * 6
    assert runner.contexts["steps.outcome.outputs.exit_code"] == "0"
    assert summary(runner).startswith("### 2026-03-15T09Z · paper · main · done (exit 0)\n")
    for part in (
        "#### Orders",
        "#### Holdings",
        "| total | ",
        "#### Decision",
        "#### Not traded, and why",
        "#### Pool",
    ):
        assert part in summary(runner)
    assert list(runner.temporary.glob("var/**/reports/*.json"))
    assert list(runner.temporary.glob("var/**/tapes/*"))


def test_wrong_settings_of_the_real_engine_end_as_exit_2(runner: Runner) -> None:
    """A live hour without its keys, and without a project."""
    with_engine(runner)
    runner.contexts |= {"inputs.mode": "live", "secrets.BINANCE_API_KEY": ""}
    assert not runner.job(load("main.yml"), "hour")
    assert [name for name in EXITS if runner.outcomes[name] == "failure"] == ["engine exit 2"]
    assert "BINANCE_API_KEY: not set" in seen(summary(runner))


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_the_engines_exit_code_is_the_one_failed_step_of_that_name(runner: Runner, code: int) -> None:
    """Read from the last line, whatever a line before it looks like."""
    with_stub(runner, code, """print('{"exit_code": 9}')\n""")
    assert not runner.job(load("main.yml"), "hour")
    failed = [name for name in EXITS if runner.outcomes[name] == "failure"]
    assert failed == [f"engine exit {code}"]
    assert outcomes(runner, "Keep report and tape") == ["success"]


def test_an_engine_that_is_killed_has_no_exit_code(runner: Runner) -> None:
    with_stub(runner, 0, "sys.stdout.flush(); os.kill(os.getpid(), 9)\n")
    assert not runner.job(load("main.yml"), "hour")
    assert runner.contexts["steps.outcome.outputs.exit_code"] == ""
    assert {runner.outcomes[name] for name in EXITS} == {"skipped"}
    assert "without a word" in summary(runner)


def test_an_install_that_fails_runs_no_engine(runner: Runner) -> None:
    with_stub(runner, 0)
    (runner.work / "requirements-lock.txt").unlink()
    assert not runner.job(load("main.yml"), "hour")
    assert outcomes(runner, "Install", "Run the engine", "Read the exit line") == ["failure", "skipped", "success"]


def test_inputs_become_arguments_of_the_engine(runner: Runner) -> None:
    with_stub(runner, 0)
    slot = "2026-11-21T09Z"
    runner.contexts |= {"inputs.mode": "live", "inputs.validate_only": True, "inputs.slot": slot}
    assert runner.job(load("main.yml"), "hour"), runner.printed
    shown = ["--summary", str(runner.temporary / "summary"), "--summary-figures"]
    assert runner.printed["Run the engine"].splitlines()[0] == json.dumps(
        ["--mode", "live", *shown, "--validate-only", "--slot", slot]
    )


def test_hostile_inputs_stay_text(runner: Runner) -> None:
    with_stub(runner, 0)
    hostile = "$(touch planted) `touch planted`; touch planted"
    runner.contexts |= {"inputs.mode": "live", "inputs.slot": hostile, "vars.NOTIFY_LANG": hostile}
    assert runner.job(load("main.yml"), "hour")
    assert json.loads(runner.printed["Run the engine"].splitlines()[0])[-1] == hostile
    assert not (runner.work / "planted").exists()


@pytest.mark.parametrize(("asked", "given"), [("refuse", None), ("fresh", "fresh"), ("rebuild", "rebuild")])
def test_a_first_run_is_handed_to_the_engine(runner: Runner, asked: str, given: str | None) -> None:
    with_stub(runner, 0)
    runner.contexts |= {"inputs.first_run": asked}
    assert runner.job(load("main.yml"), "hour")
    assert environment(runner).get("ENGINE_FIRST_RUN") == given


@pytest.mark.parametrize(
    ("mode", "provider", "outcome"),
    [
        ("live", "projects/1/locations/global/workloadIdentityPools/github/providers/engine", "success"),
        ("live", "", "skipped"),
        ("paper", "projects/1/locations/global/workloadIdentityPools/github/providers/engine", "skipped"),
    ],
)
def test_a_live_hour_signs_in_without_a_key(runner: Runner, mode: str, provider: str, outcome: str) -> None:
    """By GitHub's own word for the job, before the engine starts, and with nothing that could be stolen."""
    with_stub(runner, 0)
    names = {"vars.GOOGLE_SERVICE_ACCOUNT": "engine@p.iam.gserviceaccount.com", "vars.GOOGLE_CLOUD_PROJECT": "p"}
    runner.contexts |= {"inputs.mode": mode, "vars.GOOGLE_WORKLOAD_IDENTITY_PROVIDER": provider, **names}
    job = load("main.yml")["jobs"]["hour"]
    assert runner.job(load("main.yml"), "hour"), runner.printed
    assert outcomes(runner, "Sign in to Google Cloud") == [outcome]
    order = [step["name"] for step in job["steps"]]
    assert order.index("Sign in to Google Cloud") < order.index("Run the engine")
    step = job["steps"][order.index("Sign in to Google Cloud")]
    given = {name: Expressions(runner.contexts).text(value) for name, value in step["with"].items()}
    assert given == {
        "workload_identity_provider": provider,
        "service_account": names["vars.GOOGLE_SERVICE_ACCOUNT"],
        "project_id": "p",
    }
    assert job["permissions"]["id-token"] == "write"
    assert "secrets." not in json.dumps(step)


def test_secrets_and_variables_reach_the_engine(runner: Runner) -> None:
    with_stub(runner, 0)
    runner.contexts |= {"matrix.account": "second", "vars.STRATEGY_ARTIFACT_MAX_AGE_DAYS": "30"}
    assert runner.job(load("main.yml"), "hour")
    given = environment(runner)
    assert given["BINANCE_API_SECRET"] == "planted-secret"
    assert given["TG_CHAT_ID"] == telegram_server.CHAT
    assert given["ENGINE_RUNBOOK_URL"] == f"https://git.test/owner/engine/blob/{'0' * 40}"
    assert (given["ENGINE_ACCOUNT"], given["STRATEGY_ARTIFACT_MAX_AGE_DAYS"]) == ("second", "30")


def test_further_settings_come_from_one_variable(runner: Runner) -> None:
    with_stub(runner, 0)
    runner.contexts["vars.ENGINE_SETTINGS"] = (
        "# mine\r\n\r\nSTRATEGY_PARAM_TOP_N=3\r\nSTRATEGY_PARAM_DCA_BANDS=[[0.45,5],[0.8,2]]\n"
    )
    assert runner.job(load("main.yml"), "hour")
    given = environment(runner)
    assert given["STRATEGY_PARAM_TOP_N"] == "3"
    assert given["STRATEGY_PARAM_DCA_BANDS"] == "[[0.45,5],[0.8,2]]"


@pytest.mark.parametrize(
    "line",
    ["PATH=/planted", "BINANCE_API_KEY=planted-word", "LD_PRELOAD=/x.so", "rubbish", "ENGINE_ACCOUNT=another",
     "ENGINE_SECRETS_HOME=repository:private"],
)  # fmt: skip
def test_a_line_that_is_no_setting_stops_the_hour(runner: Runner, line: str) -> None:
    with_stub(runner, 0)
    runner.contexts["vars.ENGINE_SETTINGS"] = line
    assert not runner.job(load("main.yml"), "hour")
    assert "is not a setting of the engine" in runner.printed["Run the engine"]
    assert "planted-word" not in runner.printed["Run the engine"]


@pytest.mark.parametrize(("allowed", "shown"), [("", False), ("true", True)])
def test_a_public_repository_shows_no_figures_unless_told_to(runner: Runner, allowed: str, shown: bool) -> None:
    """Of a real hour: nothing in the log, shares alone in the summary, nothing kept."""
    with_engine(runner)
    runner.contexts |= {"inputs.mode": "paper", "github.event.repository.private": False}
    runner.contexts["vars.PUBLISH_REPORTS"] = allowed
    assert runner.job(load("main.yml"), "hour"), runner.printed
    assert ("ETHUSDT" in runner.printed["Run the engine"]) is shown
    assert ("| total | 9,991.10 | 100.0 % |" in summary(runner)) is shown
    assert ("| total | 100.0 % |" in summary(runner)) is not shown
    assert ("Amounts are hidden" in summary(runner)) is not shown
    assert outcomes(runner, "Keep report and tape") == ["success" if shown else "skipped"]


def test_what_a_check_found_is_in_the_summary_once(runner: Runner) -> None:
    """The real doctor, who looks at a paper account and tells where the secrets live."""
    with_engine(runner)
    runner.contexts |= {"inputs.mode": "paper", "inputs.validate_only": True}
    assert runner.job(load("main.yml"), "hour"), runner.printed
    assert summary(runner).count("of the private repository") == 1
    assert summary(runner).count("state store write") == 1


@pytest.mark.parametrize(
    ("contexts", "home"),
    [
        ({}, "repository:private"),
        ({"github.event.repository.private": False}, "repository:public"),
        ({"vars.ENGINE_ENVIRONMENT": "engine"}, "environment:engine"),
        ({"vars.ENGINE_ACCOUNTS": '["main"]', "vars.ENGINE_ACCOUNT": "main"}, "environment:main"),
        ({"inputs.accounts": '["main"]', "vars.ENGINE_ACCOUNT": "main"}, "environment:main"),
    ],
)
def test_the_engine_is_told_where_its_secrets_live(runner: Runner, contexts: dict[str, Value], home: str) -> None:
    with_stub(runner, 0)
    runner.contexts |= contexts
    assert runner.job(load("main.yml"), "hour"), runner.printed
    assert environment(runner)["ENGINE_SECRETS_HOME"] == home


@pytest.mark.parametrize(
    ("validate_only", "deep", "told"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_orders_are_tested_where_it_is_asked_for(runner: Runner, validate_only: bool, deep: bool, told: bool) -> None:
    with_stub(runner, 0)
    runner.contexts |= {"inputs.validate_only": validate_only, "inputs.deep": deep}
    assert runner.job(load("main.yml"), "hour"), runner.printed
    assert ("--deep" in json.loads(runner.printed["Run the engine"].splitlines()[0])) is told


@pytest.mark.parametrize(("broken", "outcome"), [("", "success"), ("lint", "failure"), ("test", "failure")])
def test_the_checks_run_the_linters_and_the_tests_and_hide_neither(runner: Runner, broken: str, outcome: str) -> None:
    """The step of ci.yml itself, with the commands behind the two make targets left out."""
    (runner.work / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", runner.work / ".ci")
    called = runner.temporary.parent / "made"
    for tool in ("make", "shellcheck", "jq", "chromium", "promtool"):
        stub = runner.temporary.parent / "tools" / tool
        stub.write_text(f'#!/usr/bin/env bash\necho "$1" >>{called}\n[[ "$1" != "{broken or "none"}" ]]\n')
        stub.chmod(0o755)
    assert runner.job(load("ci.yml"), "check") is not bool(broken), runner.printed
    assert outcomes(runner, "Run the checks") == [outcome]
    assert called.read_text().split() == ["lint", "test"]


@pytest.mark.parametrize(("status", "code"), [("stopped", 3), ("cut_short", 4)])
def test_an_engine_that_was_told_to_stop_is_the_one_failed_step_of_that_name(
    runner: Runner, status: str, code: int
) -> None:
    """Its exit code alone would say that an hour aborted or an order failed."""
    with_stub(runner, code, status=status)
    assert not runner.job(load("main.yml"), "hour")
    assert [name for name in EXITS if runner.outcomes[name] == "failure"] == ["engine stopped"]


def without_python(runner: Runner) -> None:
    """A machine that has what the scripts need, and no Python at all."""
    tools = runner.temporary.parent / "bare"
    tools.mkdir()
    for name in ("bash", "cat", "sha256sum", "tail", "curl", "flock", "jq", "mkdir", "rm", "sleep"):
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    runner.path = []
    runner.extra = {**runner.extra, "PATH": str(tools)}


def test_where_python_never_started_the_job_fails_and_says_so(runner: Runner) -> None:
    with_stub(runner, 0)
    without_python(runner)
    assert not runner.job(load("main.yml"), "hour")
    assert "no Python 3.11 or newer" in runner.printed["Install"]
    assert outcomes(runner, "Install", "Run the engine", "Read the exit line") == ["failure", "skipped", "success"]
    assert "without a word" in summary(runner)


@pytest.mark.parametrize(("verdict", "taken"), [("0", True), ("1", False)], ids=["new enough", "too old"])
def test_our_own_machine_uses_the_python_that_it_has(runner: Runner, verdict: str, taken: bool) -> None:
    """Whatever its system: GitHub builds Pythons for Ubuntu alone."""
    with_stub(runner, 0)
    without_python(runner)
    for name in ("chmod", "cp", "find", "tee", "touch"):
        (Path(runner.extra["PATH"]) / name).symlink_to(str(shutil.which(name)))
    own = Path(runner.extra["PATH"]) / "python3"
    own.write_text(
        PYTHON.replace("else\n", f'elif [[ "$*" == *version_info* ]]; then exit {verdict}\nelse\n').replace(
            "/usr/bin/env bash", str(shutil.which("bash"))
        )
    )
    own.chmod(0o755)
    runner.contexts["runner.environment"] = "self-hosted"
    assert runner.job(load("main.yml"), "hour") is taken, runner.printed
    assert runner.outcomes["Set up Python"] == "skipped"
    assert runner.outcomes["Run the engine"] == ("success" if taken else "skipped")


def test_githubs_own_machine_is_given_a_python(runner: Runner) -> None:
    with_stub(runner, 0)
    runner.contexts["runner.environment"] = "github-hosted"
    assert runner.job(load("main.yml"), "hour")
    assert runner.outcomes["Set up Python"] == "success"


def test_packages_are_installed_once_for_each_lock(runner: Runner) -> None:
    with_stub(runner, 0)
    notes = Path(runner.extra["PIP_NOTES"])
    for lock, installs in (("a==1\n", 1), ("a==1\n", 1), ("a==2\n", 2)):
        (runner.work / "requirements-lock.txt").write_text(lock)
        assert runner.job(load("main.yml"), "hour"), runner.printed
        assert len(notes.read_text().splitlines()) == installs
    assert "--require-hashes -r requirements-lock.txt" in notes.read_text()


def test_an_environment_that_another_hour_may_be_using_stays_and_an_old_one_goes(runner: Runner) -> None:
    """Runners of one machine may share their tool cache, and accounts may differ in their lock."""
    with_stub(runner, 0)
    place = Path(runner.extra["RUNNER_TOOL_CACHE"]) / "engine-venv"

    def kept_after(lock: str) -> set[Path]:
        (runner.work / "requirements-lock.txt").write_text(lock)
        assert runner.job(load("main.yml"), "hour"), runner.printed
        return {path for path in place.iterdir() if path.is_dir()}

    (idle,) = kept_after("a==1\n")
    (busy,) = kept_after("a==2\n") - {idle}
    four_hours_ago = time.time() - 4 * 3600
    for path in (idle, busy):
        os.utime(path, (four_hours_ago, four_hours_ago))
    assert kept_after("a==2\n") == {idle, busy}
    assert kept_after("a==3\n") > {busy}
    assert not idle.exists()


def test_a_place_that_another_runner_is_filling_is_waited_for(runner: Runner) -> None:
    """Not for ever: the step names its patience, and the job has ten minutes."""
    with_stub(runner, 0)
    place = Path(runner.extra["RUNNER_TOOL_CACHE"]) / "engine-venv"
    place.mkdir(parents=True)
    step = next(step for where, step in steps(load("main.yml")) if where == "hour/Install")
    script = str(step["run"]).replace("--wait 240", "--nonblock")
    assert script != step["run"]
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        runner.temporary.mkdir()
        environment = runner.environment(step, Expressions(runner.contexts))
        command = runner.command({**step, "run": script})
        assert subprocess.run(command, cwd=runner.work, env=environment, check=False).returncode != 0
    assert not Path(runner.extra["PIP_NOTES"]).exists()


def test_a_cancelled_run_signals_the_engine_itself(runner: Runner) -> None:
    """The runner signals the step's first process, which therefore must have become the engine."""
    ready, got = runner.work / "ready", runner.work / "got"
    with_stub(
        runner,
        0,
        "import pathlib, signal, time\n"
        f"signal.signal(signal.SIGINT, lambda *_: (pathlib.Path({str(got)!r}).touch(), sys.exit(3)))\n"
        f"pathlib.Path({str(ready)!r}).touch()\nfor _ in range(400): time.sleep(0.05)\n",
    )
    runner.temporary.mkdir()
    step = next(step for place, step in steps(load("main.yml")) if place == "hour/Run the engine")
    python: dict[str, Value] = {"steps.install.outputs.python": sys.executable}
    given = runner.environment(step, Expressions(runner.contexts | python))
    command = runner.command(step)
    with subprocess.Popen(command, cwd=runner.work, env=given, stdout=subprocess.DEVNULL) as process:
        while not ready.exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait() == 3
    assert got.exists()


@pytest.mark.parametrize(
    ("own", "runs"), [("second", True), ("main", False), ("", False)], ids=["its own", "another's", "none"]
)
def test_of_several_accounts_none_runs_with_another_ones_secrets(runner: Runner, own: str, runs: bool) -> None:
    """An environment that was never made has no variable, and GitHub would hand out the repository's secrets."""
    with_stub(runner, 0)
    runner.contexts |= {"vars.ENGINE_ACCOUNTS": '["main","second"]', "matrix.account": "second"}
    runner.contexts["vars.ENGINE_ACCOUNT"] = own
    assert runner.job(load("main.yml"), "hour") is runs
    assert (runner.temporary.parent / "environment").exists() is runs
    assert ("lacks the variable ENGINE_ACCOUNT=second" in runner.printed["Run the engine"]) is not runs


JOBS = f"GET /repos/{REPOSITORY}/actions/runs/{RUN_ID}/attempts/1/jobs"


@pytest.fixture
def last_job(runner: Runner) -> Iterator[Callable[[str, Answer], str]]:
    """Runs the last job for the account `main`, given how all hours ended and what GitHub says; what was told."""
    with telegram_server.serving() as telegram, GitHub() as github:
        runner.extra = {"TG_API_URL": telegram.url}
        runner.contexts |= {
            "github.sha": "0123abc",
            "github.server_url": "https://github.com",
            "github.api_url": github.origin,
            "github.repository": REPOSITORY,
            "github.run_id": str(RUN_ID),
            "github.run_attempt": "1",
            "github.token": TOKEN,
        }

        def run(result: str, answer: Answer) -> str:
            github.on(JOBS, answer)
            runner.contexts["needs.hour.result"] = result
            assert runner.job(load("main.yml"), "tell") is (result != "skipped")
            assert telegram_server.TOKEN not in "".join(runner.printed.values())
            assert TOKEN not in "".join(runner.printed.values())
            told = "\n".join(str(message["seen"]) for message in telegram.messages)
            assert not told or re.search(rf"/{REPOSITORY}/actions/runs/{RUN_ID}\n", told)
            page = re.search(rf"https://github.com/{REPOSITORY}/blob/0123abc/(\S+)$", told)
            assert not told or (page and (ROOT / page[1]).is_file()), told
            return told

        yield run


@pytest.mark.parametrize("result", ["success", "failure", "cancelled", "skipped"])
def test_the_last_job_starts_where_an_hour_did_not_succeed(result: str) -> None:
    expressions = Expressions({"needs.hour.result": result})
    assert expressions.holds(load("main.yml")["jobs"]["tell"]["if"]) is (result != "success")


NOTHING = "ended with 'failure'; the engine said nothing"


@pytest.mark.parametrize(
    ("conclusion", "step", "says"),
    [
        ("failure", "engine exit 3", ""),
        ("failure", "engine exit 4", ""),
        ("failure", "engine exit 1", "the engine said exit 1"),
        ("failure", "engine exit 2", "the engine said exit 2"),
        ("failure", "Install", NOTHING),
        ("failure", "engine stopped", "was told to stop and gave its lease back"),
        ("cancelled", "", "ended with 'cancelled'; the engine said nothing"),
        ("cancelled", "engine exit 4", "ended with 'cancelled'; the engine said exit 4"),
        ("success", "", ""),
    ],
)
def test_the_last_job_speaks_for_its_own_account_where_the_engine_could_not(
    last_job: Callable[[str, Answer], str], conclusion: str, step: str, says: str
) -> None:
    """One message at most that Telegram takes, whatever became of another account."""
    others = {"before": ("failure", "engine exit 1"), "main-2": ("failure", "engine exit 3")}
    told = last_job("failure", GitHub.jobs(**others, main=(conclusion, step)))
    assert told == "" if not says else says in told
    assert told.count("engine, the hour's job of main:") == bool(says)


@pytest.mark.parametrize("answer", [Reply(200, "not JSON"), GitHub.jobs(other=("success", ""))])
def test_where_nobody_can_look_the_last_job_speaks(last_job: Callable[[str, Answer], str], answer: Answer) -> None:
    assert NOTHING in last_job("failure", answer)


@pytest.mark.parametrize(
    ("result", "step", "says"),
    [
        ("failure", "engine stopped", "引擎被要求停止"),
        ("failure", "engine exit 1", "引擎退出码 1"),
        ("failure", "Install", "引擎没有留下任何信息"),
        ("skipped", "", "此仓库是公开的"),
    ],
)
def test_the_last_job_speaks_chinese_where_the_operator_does(
    runner: Runner, last_job: Callable[[str, Answer], str], result: str, step: str, says: str
) -> None:
    runner.contexts["vars.NOTIFY_LANG"] = "zh"
    told = last_job(result, GitHub.jobs() if result == "skipped" else GitHub.jobs(main=(result, step)))
    assert "本小时的作业 main: " in told
    assert says in told


def test_the_last_job_needs_no_python(runner: Runner, last_job: Callable[[str, Answer], str]) -> None:
    without_python(runner)
    assert NOTHING in last_job("failure", GitHub.jobs(main=("failure", "Install")))


def test_an_hour_that_was_refused_is_told_and_the_run_fails(last_job: Callable[[str, Answer], str]) -> None:
    assert "this repository is public" in last_job("skipped", GitHub.jobs())


def only_message(telegram: TelegramServer) -> str:
    (message,) = telegram.messages
    return str(message["seen"])


OLD = json.dumps({"error": '94 minutes "ago"', "exit_code": 3})


@pytest.fixture
def watchdog(runner: Runner) -> Iterator[Callable[[int], str]]:
    """Runs the watchdog with a command whose answer has this exit code; what was told."""
    program = runner.work / "runtime"
    program.mkdir()
    runner.contexts |= {"github.server_url": "https://github.com", "github.repository": REPOSITORY, "github.sha": "0a"}
    with telegram_server.serving() as telegram:
        runner.extra = {**runner.extra, "TG_API_URL": telegram.url}

        def run(code: int) -> str:
            expected = ["heartbeat", "--max-age-minutes", "75"]
            said = f"print({OLD!r})\n" if code == 3 else ""
            lines = f"import sys\nassert sys.argv[1:] == {expected!r}\n{said}sys.exit({code})\n"
            (program / "__main__.py").write_text(lines)
            assert runner.job(load("watchdog.yml"), "look") is (code == 0)
            assert telegram_server.TOKEN not in "".join(runner.printed.values())
            return only_message(telegram) if code else str(telegram.messages or "")

        yield run


@pytest.mark.parametrize(
    ("code", "said"),
    [(3, OLD), (1, "the heartbeat could not be read")],
)
def test_the_watchdog_tells_an_old_heartbeat_and_its_own_failure(
    watchdog: Callable[[int], str], code: int, said: str
) -> None:
    """In whatever words the command found for it; with its own page."""
    first, _, page = watchdog(code).splitlines()
    assert first == f"engine watchdog, main: no sign of life. {said}"
    assert (ROOT / page.removeprefix(f"https://github.com/{REPOSITORY}/blob/0a/")).is_file()


def test_the_watchdog_is_silent_while_hours_end(watchdog: Callable[[int], str]) -> None:
    assert watchdog(0) == ""


def test_the_watchdog_speaks_chinese_where_the_operator_does(runner: Runner, watchdog: Callable[[int], str]) -> None:
    runner.contexts["vars.NOTIFY_LANG"] = "zh"
    assert "main: 没有心跳。 无法读取心跳" in watchdog(1)


def test_the_watchdogs_alarm_needs_no_python(runner: Runner, watchdog: Callable[[int], str]) -> None:
    without_python(runner)
    assert "the heartbeat could not be read" in watchdog(1)


@pytest.mark.parametrize("place", ["look/Tell the operator"])
def test_the_watchdog_also_speaks_when_its_look_took_too_long(place: str) -> None:
    step = next(step for found, step in steps(load("watchdog.yml")) if found == place)
    assert step["if"] == "${{ failure() || cancelled() }}"


def test_the_name_of_a_run_is_what_the_dispatcher_looks_for() -> None:
    name = load("main.yml")["run-name"]
    inputs: dict[str, Value] = {"inputs.slot": "2026-11-21T09Z", "inputs.validate_only": False}
    assert Expressions(inputs).text(name) == "hour 2026-11-21T09Z"
    assert Expressions({"inputs.validate_only": True}).text(name) == "hour now (validate only)"


def test_the_workflow_knows_every_input_that_the_dispatcher_sends(dispatch: Dispatcher, github: GitHub) -> None:
    known = load("main.yml")["on"]["workflow_dispatch"]["inputs"]
    for mode in known["mode"]["options"]:
        dispatch.settings["DISPATCH_MODE"] = mode
        assert dispatch().code == 0
    sent = [start["inputs"] for start in github.sent()]
    assert [inputs["mode"] for inputs in sent] == known["mode"]["options"]
    assert all(set(inputs) <= set(known) for inputs in sent)
