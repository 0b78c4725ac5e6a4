"""The workflow files as data: what they may do, what they are given, and that nothing foreign reaches a shell."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.config import VARIABLES
from tests.support.sources import ROOT
from tests.support.workflows import FILES, Expressions, Value, load, steps

NAMES = [path.name for path in FILES]
PINS = {
    "actions/checkout": ("de0fac2e4500dabe0009e67214ff5f5447ce83dd", "v6.0.2"),
    "actions/setup-python": ("a309ff8b426b58ec0e2a45f0f869d46889d02405", "v6.2.0"),
    "actions/upload-artifact": ("b7c566a772e6b6bfb58ed0dc250532a479d7789f", "v6.0.0"),
    "google-github-actions/auth": ("7c6bc770dae815cd3e89ee6cdf493a5fab2cc093", "v3.0.0"),
}
NOT_FROM_THE_REPOSITORY = {
    "ENGINE_MODE": "--mode, from the input",
    "ENGINE_SLOT": "--slot, from the input",
    "ENGINE_FIRST_RUN": "exported by the step, from the input",
    "ENGINE_FIRESTORE_EMULATOR": "for tests",
    "TG_API_URL": "for tests",
    "GITHUB_RUN_ID": "GitHub's own, in every step",
    "GITHUB_ACTOR": "GitHub's own, in every step",
    "GITHUB_SHA": "GitHub's own, in every step",
}
RUNS = [
    pytest.param(step["run"], id=f"{name}:{place}")
    for name in NAMES
    for place, step in steps(load(name))
    if "run" in step
]


def test_there_are_these_four_workflows() -> None:
    assert NAMES == ["backup.yml", "ci.yml", "main.yml", "watchdog.yml"]


def test_the_hour_starts_by_dispatch_only() -> None:
    assert list(load("main.yml")["on"]) == ["workflow_dispatch"]


def test_the_hour_asks_for_these_inputs_and_trades_only_when_told_to() -> None:
    inputs = load("main.yml")["on"]["workflow_dispatch"]["inputs"]
    assert set(inputs) == {"mode", "validate_only", "deep", "slot", "first_run", "accounts"}
    assert (inputs["mode"]["default"], inputs["first_run"]["default"]) == ("dry_run", "refuse")
    assert inputs["validate_only"] == inputs["validate_only"] | {"type": "boolean", "default": False}


def test_the_watchdog_looks_at_minute_37_on_githubs_own_machine() -> None:
    document = load("watchdog.yml")
    assert document["on"]["schedule"] == [{"cron": "37 * * * *"}]
    assert {job["runs-on"] for job in document["jobs"].values()} == {"ubuntu-latest"}


def test_checks_run_on_every_push_and_pull_request_by_the_repositorys_own_command() -> None:
    document = load("ci.yml")
    assert set(document["on"]) == {"push", "pull_request"}
    assert document["on"]["push"] is None
    assert document["on"]["pull_request"] is None
    assert "bash .ci/run" in [step.get("run") for _, step in steps(document)]


def test_no_hour_is_cancelled_by_another() -> None:
    document = load("main.yml")
    concurrency = document["jobs"]["hour"]["concurrency"]
    assert concurrency == {"group": "engine-hour-${{ matrix.account }}", "cancel-in-progress": False, "queue": "max"}
    assert "concurrency" not in document


PER_ACCOUNT = [("main.yml", "hour"), ("main.yml", "tell"), ("watchdog.yml", "look"), ("backup.yml", "backup")]


@pytest.mark.parametrize(("name", "job"), PER_ACCOUNT)
@pytest.mark.parametrize(
    ("given", "accounts", "environments"),
    [
        ({}, ["main"], [""]),
        ({"vars.ENGINE_ENVIRONMENT": "live"}, ["main"], ["live"]),
        ({"vars.ENGINE_ACCOUNT": "second"}, ["second"], [""]),
        ({"vars.ENGINE_ACCOUNTS": '["a", "b"]', "vars.ENGINE_ENVIRONMENT": "live"}, ["a", "b"], ["a", "b"]),
    ],
)
def test_each_account_has_a_job_of_its_own_with_its_own_environment(
    name: str, job: str, given: dict[str, Value], accounts: list[str], environments: list[str]
) -> None:
    document = load(name)["jobs"][job]
    assert document["strategy"]["fail-fast"] is False
    (expression,) = re.findall(r"^\$\{\{(.*)\}\}$", document["strategy"]["matrix"]["account"])
    assert Expressions(given).value(expression) == accounts
    of_each = [Expressions(given | {"matrix.account": account}) for account in accounts]
    assert [of.text(document["environment"]) for of in of_each] == environments


def test_a_dispatch_may_name_the_accounts_it_is_for() -> None:
    for job in ("hour", "tell"):
        document = load("main.yml")["jobs"][job]
        given: dict[str, Value] = {"inputs.accounts": '["b"]', "vars.ENGINE_ACCOUNTS": '["a", "b"]'}
        assert Expressions(given).value(document["strategy"]["matrix"]["account"][3:-2]) == ["b"]
        assert Expressions(given | {"matrix.account": "b"}).text(document["environment"]) == "b"


def test_our_own_machine_serves_no_public_repository() -> None:
    hour = load("main.yml")["jobs"]["hour"]
    assert hour["runs-on"] == "${{ vars.ENGINE_RUNNER || 'self-hosted' }}"
    assert hour["if"] == "${{ github.event.repository.private || vars.ENGINE_RUNNER == 'ubuntu-latest' }}"
    own = [job for name in NAMES for job in load(name)["jobs"].values() if job["runs-on"] != "ubuntu-latest"]
    assert own == [hour]


@pytest.mark.parametrize("name", NAMES)
def test_every_job_has_a_time_limit_and_the_least_permissions(name: str) -> None:
    document = load(name)
    assert document["permissions"] == {}
    for job in document["jobs"].values():
        assert job["timeout-minutes"] <= 60
        allowed = {"contents": "read", "id-token": "write", "actions": "read"}
        assert job["permissions"].items() <= allowed.items()
        uses_google = any("google-github-actions" in step.get("uses", "") for step in job["steps"])
        assert ("id-token" in job["permissions"]) is uses_google


def test_the_hour_is_stopped_after_ten_minutes() -> None:
    assert load("main.yml")["jobs"]["hour"]["timeout-minutes"] == 10


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it(path: Path) -> None:
    lines = [line.strip() for line in path.read_text().splitlines() if re.match(r"\s*(- )?uses:", line)]
    assert lines
    for line in lines:
        found = re.fullmatch(r"(?:- )?uses: ([\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", line)
        assert found, line
        assert PINS[found[1]] == (found[2], found[3])


@pytest.mark.parametrize("name", NAMES)
def test_the_checkout_keeps_no_credentials(name: str) -> None:
    for _, step in steps(load(name)):
        if "actions/checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("script", RUNS)
def test_no_expression_stands_inside_a_script(script: str) -> None:
    """Foreign text reaches a script as a variable, never as code."""
    assert "${{" not in script


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_is_given_to_the_step_that_needs_it_and_no_other(name: str) -> None:
    document = load(name)
    holders = [place for place, step in steps(document) if "secrets." in str(step)]
    tells = {f"{job}/Tell the operator" for job in ("tell", "look", "backup")}
    assert set(holders) <= {"hour/Run the engine", *tells}
    assert "secrets." not in str(document.get("env", {}))
    assert not [job for job in document["jobs"].values() if "secrets." in str(job.get("env", {}))]


def test_every_setting_of_the_engine_reaches_it() -> None:
    """A setting that the workflow forgets would silently be its default."""
    given = next(step["env"] for place, step in steps(load("main.yml")) if place == "hour/Run the engine")
    assert set(VARIABLES) - set(given) == set(NOT_FROM_THE_REPOSITORY)
    for name in set(given) & set(VARIABLES):
        fixed = {
            "ENGINE_STORE": "firestore",
            "ENGINE_DATA_DIR": "${{ runner.temp }}/var",
            "ENGINE_ACCOUNT": "${{ matrix.account }}",
            "ENGINE_SECRETS_HOME": given.get("ENGINE_SECRETS_HOME"),  # worked out in test_workflow_runs
            "ENGINE_RUNBOOK_URL": "${{ github.server_url }}/${{ github.repository }}/blob/${{ github.sha }}",
        }
        assert given[name] in {fixed.get(name), f"${{{{ vars.{name} }}}}", f"${{{{ secrets.{name} }}}}"}


@pytest.mark.parametrize("name", ["watchdog.yml", "backup.yml"])
def test_what_needs_the_store_only_is_given_no_key_of_the_exchange(name: str) -> None:
    assert "BINANCE" not in str(load(name))


def test_every_day_has_a_backup_that_is_kept_for_30_days_and_can_be_made_by_hand() -> None:
    document = load("backup.yml")
    assert document["on"] == {"schedule": [{"cron": "47 1 * * *"}], "workflow_dispatch": None}
    (kept,) = [step["with"] for _, step in steps(document) if "upload-artifact" in step.get("uses", "")]
    assert (kept["retention-days"], kept["if-no-files-found"]) == (30, "error")
    assert {job["runs-on"] for job in document["jobs"].values()} == {"ubuntu-latest"}


def test_reports_and_tapes_are_kept_for_90_days() -> None:
    (kept,) = [step["with"] for _, step in steps(load("main.yml")) if "upload-artifact" in step.get("uses", "")]
    assert kept["retention-days"] == 90


def test_installs_are_checked_against_the_locks_hashes() -> None:
    installs = [step["run"] for name in NAMES for _, step in steps(load(name)) if "pip install" in step.get("run", "")]
    assert len(installs) == 3
    for script in installs:
        assert "--require-hashes" in script
        assert "--no-deps" in script
        assert "-r requirements-lock.txt" in script or "lock=requirements-lock.txt\n" in script


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed; .ci/run installs it")
@pytest.mark.parametrize("script", RUNS)
def test_every_script_is_clean_by_shellcheck(script: str, tmp_path: Path) -> None:
    path = tmp_path / "step.sh"
    path.write_text("#!/usr/bin/env bash\nset -eo pipefail\n" + script)
    done = subprocess.run(["shellcheck", str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def tool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A linter from this interpreter's own environment."""
    program = Path(sys.executable).parent / arguments[0]
    if not program.exists():
        pytest.skip(f"{arguments[0]} is not installed: it comes with .ci/requirements-dev-lock.txt")
    return subprocess.run([str(program), *arguments[1:]], cwd=ROOT, capture_output=True, text=True, check=False)


SCHEMA = ("check-jsonschema", "--builtin-schema", "vendor.github-workflows")
ZIZMOR = ("zizmor", "--offline", "--no-progress", "--pedantic")
ACTIONLINT = ("actionlint", "-no-color")
LINTERS = pytest.mark.parametrize("command", [SCHEMA, ZIZMOR, ACTIONLINT], ids=["schema", "zizmor", "actionlint"])


@LINTERS
def test_the_workflow_linters_find_nothing(command: tuple[str, ...]) -> None:
    done = tool(*command, *map(str, FILES))
    assert done.returncode == 0, done.stdout + done.stderr


@LINTERS
def test_the_workflow_linters_would_find_something(command: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    bad = folder / "bad.yml"
    bad.write_text(
        "on: pull_request_target\njobs:\n  one:\n    runs_on: ubuntu-latest\n    runs-on: ubuntu-latest\n"
        "    steps:\n      - run: echo ${{ github.event.issue.title }}\n"
    )
    assert tool(*command, str(bad)).returncode != 0


@pytest.mark.parametrize(
    ("right", "wrong", "found"),
    [
        ("steps.outcome.outputs.exit_code == '1'", "steps.outcom.outputs.exit_code == '1'", '"outcom" is not defined'),
        ("inputs.slot }}", "inputs.slots }}", '"slots" is not defined'),
        ("needs: hour", "needs: hours", "does not exist"),
        ("cancel-in-progress: false", "cancel-in-progress: true", '"queue: max" cannot be combined'),
    ],
)  # fmt: skip
def test_actionlint_finds_what_no_script_would_tell(right: str, wrong: str, found: str, tmp_path: Path) -> None:
    """Expressions are GitHub's own language: a misspelt name in one is empty, and says nothing."""
    source = (ROOT / ".github" / "workflows" / "main.yml").read_text(encoding="utf-8")
    assert right in source
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "main.yml").write_text(source.replace(right, wrong), encoding="utf-8")
    done = tool(*ACTIONLINT, str(folder / "main.yml"))
    assert (done.returncode, found in done.stdout) == (1, True), done.stdout


def test_scripts_run_in_bash_that_stops_at_the_first_error() -> None:
    for name in ("backup.yml", "main.yml", "watchdog.yml"):
        assert load(name)["defaults"] == {"run": {"shell": "bash"}}
