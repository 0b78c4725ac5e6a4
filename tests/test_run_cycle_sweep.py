"""Sweeps from the command line: the same rows on one core, two and a cluster; killed, interrupted, taken up again.

Where a process is the point (a kill, Ctrl-C, workers) there is one; else the same `main` is called here, because a
process costs a second of imports and candles.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import run_cycle_replay
from runtime.domain.candle_columns import CandleQuery
from runtime.domain.history_plan import HistoryPlan
from runtime.domain.slots import DAY_MS, slot_start_ms
from runtime.domain.trials import Task
from runtime.wiring_past import load_history
from runtime.wiring_sweep import Source, code_sha256, evaluate
from tests.support.pasts import PAIRS
from tests.support.sources import ROOT
from tests.support.sweeps import write_candles

pytestmark = pytest.mark.slow
DAYS = 8
FROM, TO = "2022-08-04", "2022-08-12"
SPACE = """
[search]
objective = "total"
trials = 12
batch = 4
seed = 5
[parameters]
STRATEGY_PARAM_ATR_MULTIPLE = { low = 0.5, high = 2.5, log = true }
STRATEGY_PARAM_MAX_SYMBOL_RATIO = { low = 0.05, high = 0.50, step = 0.05 }
"""
PARSED = "parsed-candles"
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "3"}


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command line came to."""

    code: int
    out: str
    err: str


def here(*words: str) -> Ended:
    """The command line, in this process."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = run_cycle_replay.main(words)
    return Ended(code, out.getvalue(), err.getvalue())


class Place:
    """A folder of candles and a space; `start` starts a sweep of it, `run` waits for one, `found` runs one here."""

    def __init__(self, folder: Path) -> None:
        self.candles = write_candles(folder / "candles", DAYS)
        self.space = folder / "space.toml"
        self.space.write_text(SPACE)
        self.out = folder / "out"

    def words(self, out: Path, *more: str) -> list[str]:
        asked = ["--history", str(self.candles), "--pools", ",".join(PAIRS), "--from", FROM, "--to", TO]
        return [*asked, "--sweep", str(self.space), "--out", str(out), *more]

    def command(self, out: Path, *more: str) -> list[str]:
        return [sys.executable, str(ROOT / "run_cycle_replay.py"), *self.words(out, *more)]

    def start(self, out: Path, *more: str) -> subprocess.Popen[str]:
        if not out.joinpath(PARSED).exists():  # read once, by the sweep in one process
            shutil.copytree(self.out / PARSED, out / PARSED)
        return subprocess.Popen(
            self.command(out, *more),
            env=ENVIRONMENT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, out: Path, *more: str) -> Ended:
        done = subprocess.run(
            self.command(out, *more), env=ENVIRONMENT, capture_output=True, text=True, timeout=110, check=False
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def found(self, out: Path, *more: str) -> dict[str, Any]:
        """What a sweep in one process that went well ended with."""
        done = here(*self.words(out, "--jobs", "1", "--json", *more))
        assert (done.code, done.err) == (0, "")
        ended: dict[str, Any] = json.loads(done.out)
        return ended


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def alone(place: Place) -> dict[str, Any]:
    """An unbroken sweep in one process."""
    return place.found(place.out)


def rows_of(path: Path | str) -> list[dict[str, Any]]:
    """The trials in a Parquet file."""
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def parts(out: Path) -> dict[str, float]:
    """Key and duration of each trial that is kept by now."""
    whole = [path for path in out.rglob("*.parquet") if not path.name.startswith(".")]
    return {row["key"]: row["duration_s"] for path in whole for row in rows_of(path)}


def held(process: subprocess.Popen[str], out: Path, count: int) -> dict[str, float]:
    """Stop a sweep in the middle of its work, as soon as `count` trials are kept; what is kept then."""
    end = time.monotonic() + 60
    while len(list(out.rglob("parts/[!.]*.parquet"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    assert not list(out.rglob("trials.parquet")), "the sweep was over before it could be broken off"
    return parts(out)


def test_the_best_trial_its_verdict_and_every_row_are_shown_and_kept(alone: dict[str, Any]) -> None:
    rows = rows_of(alone["rows"])
    assert len(rows) == alone["trials"] == len({row["key"] for row in rows})
    best = max(row["total"] for row in rows)
    assert alone["best"]["figures"]["total"] == best
    assert set(alone["best"]["parameters"]) == {"STRATEGY_PARAM_ATR_MULTIPLE", "STRATEGY_PARAM_MAX_SYMBOL_RATIO"}
    assert 0 <= alone["deflated_sharpe"]["probability"] <= 1
    assert len({row["state_sha256"] for row in rows}) > 1
    assert all(len(row["returns"]) == DAYS for row in rows)
    summary = json.loads((Path(alone["rows"]).parent / "summary.json").read_text())
    assert summary == {name: value for name, value in alone.items() if name != "rows"}


def test_killed_then_interrupted_then_taken_up_again_two_cores_find_what_one_finds(
    place: Place, alone: dict[str, Any], tmp_path: Path
) -> None:
    with place.start(tmp_path, "--jobs", "2") as killed:
        kept = held(killed, tmp_path, 2)
        killed.kill()
        killed.wait()
    with place.start(tmp_path, "--jobs", "2") as interrupted:
        kept |= held(interrupted, tmp_path, len(kept) + 2)
        os.killpg(interrupted.pid, signal.SIGINT)  # as a terminal does: workers too
        interrupted.send_signal(signal.SIGCONT)
        out, err = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 1, (out, err)
    assert err.startswith("replay: interrupted; the same command goes on from there")
    assert "Traceback" not in err
    ended = place.run(tmp_path, "--jobs", "2")
    assert (ended.code, ended.err) == (0, "")
    assert f"trials SHA-256 {alone['sha256']}" in ended.out
    assert "highest total first" in ended.out
    assert "deflated Sharpe ratio, best trial" in ended.out
    (rows,) = tmp_path.rglob("trials.parquet")
    times = {row["key"]: row["duration_s"] for row in rows_of(rows)}
    assert {key: times[key] for key in kept} == kept, "no trial that was kept was run again"


@contextmanager
def cluster() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers, each a process of its own, one trial at a time."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    quiet: Mapping[str, Any] = {"env": ENVIRONMENT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    worker = ["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
    started = [
        subprocess.Popen([sys.executable, "-m", "dask", *asked], **quiet) for asked in (scheduler, worker, worker)
    ]
    try:
        yield address, started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_a_cluster_that_loses_a_worker_in_the_middle_loses_and_doubles_nothing(
    place: Place, alone: dict[str, Any], tmp_path: Path
) -> None:
    with cluster() as (address, workers), place.start(tmp_path, "--dask", address, "--json") as sweep:
        kept = held(sweep, tmp_path, 2)
        workers[0].kill()
        workers[0].wait()
        sweep.send_signal(signal.SIGCONT)
        out, err = sweep.communicate(timeout=100)
    assert (sweep.returncode, err) == (0, "")
    ended = json.loads(out)
    assert ended["sha256"] == alone["sha256"]
    rows = rows_of(ended["rows"])
    assert len(rows) == len({row["key"] for row in rows}) == alone["trials"]
    times = {row["key"]: row["duration_s"] for row in rows}
    assert {key: times[key] for key in kept} == kept


def test_a_walk_forward_shows_what_was_found_and_what_it_was_worth(place: Place, alone: dict[str, Any]) -> None:
    more = ("--walk-forward", "train=3d,test=2d")
    done = here(*place.words(place.out, "--jobs", "1", *more))
    assert (done.code, done.err) == (0, "")
    for part in ("2 folds", "2022-08-07 to 2022-08-09", "2022-08-09 to 2022-08-11", "out of sample, 4 days linked"):
        assert part in done.out
    assert "bitcoin held" in done.out
    again = place.found(place.out, *more)
    assert f"trials SHA-256 {again['sha256']}" in done.out
    assert len(again["folds"]) == 2
    assert again["out_of_sample"]["deflated"]["trials"] == sum(fold["trials"] for fold in again["folds"])


def refused(done: Ended) -> str:
    """The error of a sweep that must not run."""
    assert (done.code, done.out) == (2, ""), done.err
    assert "Traceback" not in done.err
    assert done.err.count("\n") == 1
    return done.err


def wrong(place: Place, *more: str) -> str:
    """The same, run here."""
    return refused(here(*place.words(place.out, "--jobs", "1", *more)))


def test_candles_that_changed_under_a_sweep_are_named(place: Place, alone: dict[str, Any]) -> None:
    path = place.candles / "ETHUSDT.csv"
    before = path.read_text()
    lines = before.splitlines()
    cells = lines[-30].split(",")
    lines[-30] = ",".join([*cells[:5], "999.5", *cells[6:]])
    path.write_text("\n".join(lines) + "\n")
    try:
        said = wrong(place)
    finally:
        path.write_text(before)
    assert "sweep.json: history_sha256" in said
    assert "put them back, or name another --out" in said


@pytest.mark.parametrize(
    ("text", "more", "named"),
    [
        ("[search", (), ("--sweep", "is not TOML")),
        (
            SPACE.replace("ATR_M", "ATRM"),
            (),
            ("STRATEGY_PARAM_ATRMULTIPLE", "did you mean STRATEGY_PARAM_ATR_MULTIPLE?"),
        ),
        (
            SPACE.replace("high = 2.5", "high = 99.0"),
            (),
            ("STRATEGY_PARAM_ATR_MULTIPLE", "'99'", "refused by the settings"),
        ),
        (SPACE.replace('"total"', '"luck"'), (), (".toml: search.objective", "'luck'", "sharpe")),
        (SPACE, ("--set", "STRATEGY_PARAM_ATR_MULTIPLE=2"), ("--set", "STRATEGY_PARAM_ATR_MULTIPLE", "leave it out")),
        (SPACE, ("--jobs", "0"), ("--jobs", "0", "from 1 to")),
        (SPACE, ("--walk-forward", "90"), ("--walk-forward", "'90'", "train=365d,test=90d")),
        (SPACE, ("--walk-forward", "train=9d,test=9d"), ("--walk-forward", "does not fit once")),
    ],
)
def test_what_is_wrong_is_said_once_with_field_and_fix(
    place: Place, tmp_path: Path, text: str, more: tuple[str, ...], named: tuple[str, ...]
) -> None:
    space = tmp_path / f"{tmp_path.name}.toml"  # a sweep's folder has its name
    space.write_text(text)
    said = wrong(place, "--sweep", str(space), *more)
    for part in named:
        assert part in said


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere"])
def test_a_cluster_that_is_not_there_is_said_once_with_its_address(place: Place, alone: object, address: str) -> None:
    """In a process: a client of a cluster starts threads."""
    said = refused(place.run(place.out, "--dask", address))
    for part in ("--dask", address, "running scheduler"):
        assert part in said


def test_a_sweep_without_a_history_or_a_space_says_what_is_missing(place: Place, tmp_path: Path) -> None:
    assert "cannot be read" in wrong(place, "--sweep", str(tmp_path / "none.toml"))
    assert "needs --history FOLDER" in refused(here("--sweep", str(place.space)))


@pytest.mark.parametrize("package", ["pyarrow", "optuna", "distributed"])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str
) -> None:
    for name in [name for name in sys.modules if name.startswith("runtime.adapters.sweeps.")]:
        monkeypatch.delitem(sys.modules, name)  # imported anew, as a first sweep does
    monkeypatch.setitem(sys.modules, package, None)
    space = tmp_path / f"{tmp_path.name}.toml"  # a sweep's folder has its name
    space.write_text(SPACE)
    more = ("--dask", "tcp://127.0.0.1:9") if package == "distributed" else ()
    said = wrong(place, "--sweep", str(space), *more)
    assert f"{package}: a sweep needs the packages of the `research` extra" in said


def test_a_worker_with_other_candles_or_other_code_refuses(place: Place, tmp_path: Path) -> None:
    start_ms = slot_start_ms(f"{FROM}T00Z")
    plan = HistoryPlan(start_ms, start_ms + DAY_MS)
    task, query = Task("k", {}, plan), CandleQuery(plan.start_ms, plan.end_ms)
    known = load_history(place.candles, query, ",".join(PAIRS)).digest()
    source = Source(place.candles, query, ",".join(PAIRS), tmp_path, known, code_sha256())
    assert evaluate(replace(source, code="other"), task).failed.startswith("worker: runs other code")
    assert "is not what it was when the sweep began" in evaluate(replace(source, history_sha256="0"), task).failed
    outcome = evaluate(source, task)
    assert (outcome.failed, outcome.key, len(outcome.returns)) == ("", "k", 1)
