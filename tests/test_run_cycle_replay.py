"""Replay as a process: the same SHA-256 on every machine, without network or home; wrong inputs named and refused."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import run_cycle_replay
from runtime.wiring import FIXTURE_FOLDER
from tests.support.sources import ROOT

NO_NETWORK = """
import socket, sys
def refused(*arguments, **named):
    raise BaseException("the network was asked")
for name in ("connect", "connect_ex", "bind", "sendto"):
    setattr(socket.socket, name, refused)
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refused)
import run_cycle_replay
sys.exit(run_cycle_replay.main(sys.argv[1:]))
"""


def replay(
    *arguments: str, cwd: Path = ROOT, code: str = "", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command: in this process, or with a code or an environment of its own in one that has nothing else."""
    if not code and environment is None:
        return _here(arguments, cwd)
    command = [sys.executable, *(["-c", code] if code else [str(ROOT / "run_cycle_replay.py")]), *arguments]
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **(environment or {})}
    return subprocess.run(command, env=given, cwd=cwd, capture_output=True, text=True, timeout=100, check=False)


def _here(arguments: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            ended = run_cycle_replay.main(arguments)
        except SystemExit as error:
            ended = int(error.code or 0)
    return subprocess.CompletedProcess(list(arguments), ended, out.getvalue(), err.getvalue())


def sha(run: subprocess.CompletedProcess[str]) -> str:
    """The digest in the last line."""
    assert run.returncode == 0, run.stderr
    return run.stdout.split()[-1]


@pytest.fixture(scope="module")
def known() -> str:
    """The digest of a plain run."""
    return sha(replay("--run-id", "local-check", environment={}))


def test_the_report_and_its_digest_are_printed() -> None:
    run = replay("--run-id", "local-check")
    assert run.stderr == ""
    assert "0.19" in run.stdout
    assert run.stdout.splitlines()[-1].startswith("run local-check · report SHA-256 ")
    assert len(sha(run)) == 64


@pytest.mark.parametrize(
    "environment",
    [
        {"TZ": "Pacific/Kiritimati"},
        {"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"},
        {"LC_ALL": "C"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "4242", "TZ": "America/New_York"},
        {"PYTHONOPTIMIZE": "2"},
        {"ENGINE_MODE": "live", "STRATEGY_PARAM_TOP_N": "1", "BINANCE_API_KEY": "k"},
    ],
    ids=str,
)
def test_the_digest_depends_on_nothing_around_it(known: str, environment: dict[str, str]) -> None:
    assert sha(replay(environment=environment)) == known


def test_the_digest_does_not_depend_on_the_folder_or_the_label(known: str, tmp_path: Path) -> None:
    assert sha(replay("--run-id", "another", cwd=tmp_path)) == known
    assert list(tmp_path.iterdir()) == []


def test_neither_network_nor_home_is_needed(known: str, tmp_path: Path) -> None:
    assert sha(replay(code=NO_NETWORK, cwd=tmp_path)) == known


def test_json_is_one_line_with_the_same_digest(known: str) -> None:
    run = replay("--json")
    assert len(run.stdout.splitlines()) == 1
    assert json.loads(run.stdout)["sha256"] == known


def test_the_language_changes_words_and_no_figure(known: str) -> None:
    chinese = replay("--language", "zh")
    assert sha(chinese) == known
    assert chinese.stdout != replay().stdout


def fixture() -> dict[str, Any]:
    """The shipped input."""
    found: dict[str, Any] = json.loads((FIXTURE_FOLDER / "fixture.json").read_text())
    return found


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"now": "noon"}, ("now", "noon")),
        ({"prices": {"BTCUSDT": -1}}, ("prices.BTCUSDT", "-1")),
        ({"prices": {"BTCUSDT": "dear"}}, ("prices.BTCUSDT", "dear")),
        ({"account": {"USDT": "1e99"}}, ("account.USDT", "1e99")),
        ({"steps": {"ETHUSDT": "0"}}, ("steps.ETHUSDT", "0")),
        ({"colour": "red"}, ("colour", "red")),
        ({"btc": {"ma200": "55000"}}, ("btc.ma200", "55000")),
        ({"conditions": {"fee": "2"}}, ("conditions.fee", "2")),
    ],
)
def test_a_malformed_fixture_ends_with_2_and_names_field_and_value(
    tmp_path: Path, change: dict[str, Any], named: tuple[str, str]
) -> None:
    (tmp_path / "fixture.json").write_text(json.dumps(fixture() | change))
    run = replay("--fixtures", str(tmp_path))
    assert run.returncode == 2
    assert run.stdout == ""
    for part in named:
        assert part in run.stderr


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"now": 1, "now": 2}', '{"now": NaN}', "\udcff"])
def test_a_file_that_is_no_fixture_ends_with_2(tmp_path: Path, text: str) -> None:
    (tmp_path / "fixture.json").write_bytes(text.encode(errors="surrogateescape"))
    run = replay("--fixtures", str(tmp_path))
    assert (run.returncode, run.stdout) == (2, "")
    assert "fixture.json" in run.stderr


@pytest.mark.parametrize("arguments", [["--fixtures", "nowhere"], ["--tape", "nowhere"], ["--tape", "."]])
def test_what_is_not_there_ends_with_2(arguments: list[str], tmp_path: Path) -> None:
    run = replay(*arguments, cwd=tmp_path)
    assert (run.returncode, run.stdout) == (2, "")
    assert "Traceback" not in run.stderr


def a_tape(folder: Path) -> Path:
    """The tape of a paper hour."""
    environment = {"PATH": os.environ["PATH"], "ENGINE_DATA_DIR": str(folder)}
    subprocess.run([sys.executable, str(ROOT / "main.py")], env=environment, capture_output=True, check=True)
    (path,) = folder.rglob("*.jsonl.gz")
    return path


def test_a_folder_of_tapes_replays_whole_and_says_what_it_could_not(tmp_path: Path) -> None:
    path = a_tape(tmp_path)
    place = path.parent
    (place / "2026-03-15T08Z.jsonl.gz").write_bytes(path.read_bytes()[:-9])
    run = replay("--tape", str(place))
    assert run.returncode == 2
    assert "2026-03-15T09Z: identical" in run.stdout
    assert run.stdout.splitlines()[-1] == "2 tapes: 1 identical, 0 different, 1 not replayed"
    assert "2026-03-15T08Z.jsonl.gz: " in run.stderr


def test_another_setting_shows_what_would_have_been_sent(tmp_path: Path) -> None:
    path = a_tape(tmp_path)
    run = replay("--tape", str(path), "--what-if", "STRATEGY_PARAM_TOP_N=1")
    assert (run.returncode, run.stderr) == (0, "")
    assert "no longer sent: BUY" in run.stdout
    wrong = replay("--tape", str(path), "--what-if", "TOP_N")
    assert wrong.returncode == 2
    assert "--what-if" in wrong.stderr


def test_a_tape_replays_identically_and_shows_what_was_changed(tmp_path: Path) -> None:
    path = a_tape(tmp_path)
    run = replay("--tape", str(path))
    assert (run.returncode, run.stderr) == (0, "")
    assert "identical" in run.stdout
    changed = gzip.decompress(path.read_bytes()).replace(b'"top_n":2', b'"top_n":3')
    path.write_bytes(gzip.compress(changed))
    broken = replay("--tape", str(path))
    assert broken.returncode == 2
    assert "tape record 1" in broken.stderr
