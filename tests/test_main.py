"""The command line of an hour, as a process of its own: exit codes, the exit line, and what is printed before it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from runtime.adapters.simulated.conditions import PAPER, Fault, Script
from tests.support.engine import Engine, live
from tests.support.sources import ROOT
from tests.support.worlds import KEY, ORDER, SECRET

KLINES = ROOT.parent / "shared" / "data" / "klines"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """The command, in an empty folder."""
    return Engine(tmp_path)


def test_the_default_hour_ends_with_0_and_its_exit_line(engine: Engine) -> None:
    run = engine()
    assert (run.code, run.err) == (0, "")
    assert run.line["exit_code"] == 0
    assert run.line["status"] == "done"
    assert run.line["orders"] >= 2
    for text in ("ETHUSDT", "bitcoin purchase", "Not traded, and why"):
        assert text in run.out


def test_the_same_hour_again_is_done_and_the_next_one_goes_on(engine: Engine) -> None:
    engine()
    again = engine()
    assert (again.code, again.line["status"], again.line["orders"]) == (0, "slot_done", 0)
    following = engine("--at", "2026-03-15T10")
    assert (following.code, following.line["status"]) == (0, "done")
    assert following.line["slot"] == "2026-03-15T10Z"
    assert "ETHUSDT" in following.out


def test_json_prints_one_line_and_nothing_else(engine: Engine) -> None:
    run = engine("--json")
    assert run.code == 0
    assert len(run.out.splitlines()) == 1
    assert run.line["slot"] == "2026-03-15T09Z"
    assert run.line["gates"]
    for broken in (engine("--json", "--at", "noon"), engine("--json", "--validate-only")):
        assert len(broken.out.splitlines()) == 1


def test_the_report_says_the_same_wherever_it_is_made(engine: Engine, tmp_path: Path) -> None:
    elsewhere = Engine(tmp_path / "another" / "folder")
    elsewhere.folder.mkdir(parents=True)
    first = engine("--json")
    second = elsewhere("--json", TZ="Asia/Shanghai", LC_ALL="C", PYTHONHASHSEED="7", ENGINE_DATA_DIR="here")
    assert first.line["sha256"] == second.line["sha256"]
    report = {name: value for name, value in first.line.items() if name != "run"}
    assert str(tmp_path) not in json.dumps(report)
    assert str(ROOT) not in json.dumps(report)


def test_a_market_folder_may_lie_anywhere(engine: Engine, tmp_path: Path) -> None:
    embedded = ROOT / "runtime" / "adapters" / "simulated" / "embedded"
    lines = []
    for place in ("one", "two"):
        shutil.copytree(embedded, tmp_path / place / "candles")
        run = engine("--json", "--market", str(tmp_path / place / "candles"))
        assert run.line["status"] == "done", "folders of one name have accounts of their own"
        lines.append(run.line["sha256"])
    assert lines[0] == lines[1]


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        (["--foo"], {}, "--foo"),
        (["--mode", "test"], {}, "--mode"),
        (["--at", "noon"], {}, "--at"),
        (["--market", "nowhere"], {}, "--market"),
        (["--mode", "live"], {}, "BINANCE_API_KEY"),
        ([], {"ENGINE_MODE": "live"}, "TG_TOKEN"),
        ([], {"STRATEGY_PARAM_TOPN": "1"}, "STRATEGY_PARAM_TOP_N"),
        ([], {"STRATEGY_PROFILE": "momentum"}, "STRATEGY_PROFILE"),
        (["--slot", "2027-01-01T00"], {}, "lies ahead"),
    ],
)
def test_wrong_settings_and_arguments_end_with_2(
    engine: Engine, arguments: list[str], environment: dict[str, str], named: str
) -> None:
    run = engine(*arguments, **environment)
    assert run.code == 2
    assert run.line["exit_code"] == 2
    assert run.line["status"] == "bad_settings"
    assert named in run.line["error"]


def test_a_lost_state_ends_with_3(engine: Engine) -> None:
    engine()
    for path in engine.folder.rglob("state.sqlite*"):
        path.unlink()
    run = engine("--at", "2026-03-15T10")
    assert (run.code, run.line["exit_code"]) == (3, 3)
    assert "rebuild" in run.line["error"]


def test_an_error_that_nobody_expected_ends_with_1_and_tells_no_value(engine: Engine) -> None:
    script = (
        "import sys, main\n"
        "def broken(*arguments):\n    raise KeyError('hunter2-hunter2')\n"
        "main.run_cycle = broken\n"
        "sys.exit(main.main([]))\n"
    )
    run = engine(script=script)
    assert run.code == 1
    assert (run.line["exit_code"], run.line["status"]) == (1, "unexpected")
    assert "An hour ended early" in run.out
    assert "KeyError in step broken" in run.out
    assert "hunter2" not in run.out + run.err


def test_help_names_every_exit_code(engine: Engine) -> None:
    run = engine("--help")
    assert run.code == 0
    for code in ("0 done", "1 unexpected", "2 bad settings", "3 aborted", "4 finished"):
        assert code in " ".join(run.out.split())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_terminal_gets_a_valid_exit_line(engine: Engine, encoding: str) -> None:
    run = engine("--at", "é–", PYTHONIOENCODING=encoding)
    assert run.code == 2
    assert "é–" in run.line["error"]


HOUR = str(ROOT / "main.py")


@pytest.mark.parametrize("what", [HOUR, "-m runtime ledger", "-m runtime why --json"])
def test_a_reader_that_has_seen_enough_is_no_fault_and_draws_no_traceback(engine: Engine, what: str) -> None:
    """As `| head -1`, which ends before the writer: the hour is done all the same, with its own exit code."""
    assert engine().code == 0
    done = piped(engine, f"{sys.executable} {what} | true")
    assert (done.stdout.split(), done.stderr) == (["0"], "")


def test_an_export_that_its_reader_cuts_off_says_so(engine: Engine) -> None:
    assert engine().code == 0
    done = piped(engine, f"{sys.executable} -m runtime export --out - | true")
    assert done.stdout.split() == ["3"]
    assert json.loads(done.stderr) == {"exit_code": 3, "error": "export: standard output: Broken pipe"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_below_standard_output_is_one_clear_line(engine: Engine) -> None:
    assert engine().code == 0
    for what, code in ((HOUR, "0"), ("-m runtime ledger --json", "3"), ("-m runtime export --out -", "3")):
        done = piped(engine, f"{sys.executable} {what} > /dev/full")
        assert done.stdout.split() == [code]
        assert "standard output: No space left on device" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_hour_that_nobody_can_hear_is_done_all_the_same(engine: Engine) -> None:
    """Both streams lie on a disk that is full, as where a scheduler keeps them in a file."""
    done = piped(engine, f"{sys.executable} {HOUR} > /dev/full 2>&1")
    assert done.stdout.split() == ["0"]
    assert engine().line["status"] == "slot_done"
    for what, code in (("-m runtime ledger --json", "3"), ("-m runtime status nonsense", "2")):
        assert piped(engine, f"{sys.executable} {what} > /dev/full 2>&1").stdout.split() == [code]


def piped(engine: Engine, command: str) -> subprocess.CompletedProcess[str]:
    """The shell's command in the engine's folder; its standard output is the exit code of the pipe's first part."""
    script = f"{command}\necho ${{PIPESTATUS[0]}}"
    environment = {"PATH": os.environ["PATH"], "ENGINE_DATA_DIR": str(engine.folder), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-c", script],
        env=environment,
        cwd=engine.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_live_over_loopback_trades_and_shows_no_secret(engine: Engine) -> None:
    with live() as (settings, exchange):
        run = engine(**settings)
        assert run.code == 0, run.out
        assert [row.symbol for rows in exchange.venue.books.orders.values() for row in rows] == ["BNBUSDT"]
        written = b"".join(path.read_bytes() for path in engine.folder.rglob("*") if path.is_file())
        for secret in (KEY, SECRET, "planted-token", "1007654321"):
            assert secret not in run.out + run.err
            assert secret.encode() not in written


def test_an_order_that_is_refused_ends_with_4(engine: Engine) -> None:
    refusal = Fault(status=400, code=-2010, message="Account has insufficient balance for requested action.")
    with live() as (settings, exchange):
        exchange.venue.conditions = type(PAPER)(faults=Script({ORDER: {0: refusal}}))
        run = engine(**settings)
        assert (run.code, run.line["status"]) == (4, "failed_orders")


def test_a_dry_run_of_a_live_account_sends_nothing(engine: Engine) -> None:
    with live() as (settings, exchange):
        run = engine("--mode", "dry_run", "--json", **settings)
        assert run.code == 0, run.out
        assert run.line["suppressed"]["order BUY"] == 1
        assert exchange.venue.books.orders == {}
        (path,) = engine.folder.rglob("state.sqlite")
        with closing(sqlite3.connect(path)) as file:
            assert file.execute("SELECT COUNT(*) FROM account").fetchone() == (0,)


def test_validate_only_proves_what_it_can_and_names_what_it_cannot(engine: Engine) -> None:
    paper = engine("--validate-only", "--deep")
    assert (paper.code, paper.err, paper.line["status"]) == (0, "", "validated")
    assert "version 2026-03-01-core_major; mode core_major (expected core_major); size 5" in paper.out
    with live() as (settings, exchange):
        run = engine("--validate-only", "--deep", **settings)
        assert (run.code, run.line["failed"]) == (3, ["telegram token"])
        assert run.line["warning"][0] == "upstream document"
        assert exchange.venue.books.orders == {}
        assert {name for name in exchange.calls if not name.startswith("GET ")} == {"POST /api/v3/order/test"}
        wrong = engine("--validate-only", **settings | {"BINANCE_API_SECRET": "another-secret"})
        assert wrong.line["failed"] == ["api key", "telegram token"]


def test_deep_is_for_the_doctor_alone(engine: Engine) -> None:
    run = engine("--deep")
    assert (run.code, run.line["status"]) == (2, "bad_settings")
    assert "--deep" in run.line["error"]


@pytest.mark.skipif(not KLINES.is_dir(), reason="the recorded Binance candles are not beside this checkout")
def test_an_hour_runs_on_real_candles_and_prices(engine: Engine) -> None:
    run = engine("--json", "--market", str(KLINES), "--at", "2024-03-01T09")
    assert run.code == 0
    assert run.line["slot"] == "2024-03-01T09Z"
    assert run.line["indicators"]["btc"]["close"] == pytest.approx(61130.99, rel=0.01)
    assert run.line["pool"]["rung"] == "static"
