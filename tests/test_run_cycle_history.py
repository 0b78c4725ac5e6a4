"""A run over history as a process: interrupted, taken up again, the same bytes; what is wrong is named once."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.pasts import PAIRS
from tests.support.sources import ROOT
from tests.support.sweeps import write_candles

pytestmark = pytest.mark.slow
DAYS = 90
Change = Callable[[list[str]], list[str]]
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def candles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_candles(tmp_path_factory.mktemp("place") / "candles", DAYS)


def command(candles: Path, out: Path, *more: str) -> list[str]:
    """A run of 90 days with a deposit each month."""
    asked = ["--history", str(candles), "--pools", ",".join(PAIRS), "--from", "2022-08-04", "--to", "2022-11-02"]
    return [
        sys.executable, str(ROOT / "run_cycle_replay.py"), *asked, "--deposit", "100/month", "--out", str(out), *more
    ]  # fmt: skip


def run(candles: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run to the end."""
    return subprocess.run(
        command(candles, out, *more), env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.fixture(scope="module")
def unbroken(candles: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run that nobody disturbed."""
    done = run(candles, tmp_path_factory.mktemp("whole"), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_run_leaves_its_figures_its_track_and_its_pages(unbroken: dict[str, Any]) -> None:
    assert unbroken["hours"] == DAYS * 24
    assert unbroken["deposits"] == 300.0
    folder = Path(unbroken["track"]).parent
    assert {path.name for path in folder.iterdir()} == {"track.json", "report.json", "report.html", "equity.png"}


def interrupted(candles: Path, out: Path, *more: str) -> str:
    """Ctrl-C as soon as the progress bar on a terminal shows a simulated day; what it said after that."""
    ours, theirs = pty.openpty()
    asked = {"env": {**ENVIRONMENT, "TERM": "xterm"}, "stdout": subprocess.DEVNULL, "stderr": theirs}
    process = subprocess.Popen(command(candles, out, *more), **asked)  # type: ignore[call-overload]
    os.close(theirs)
    said, sent = "", False
    with os.fdopen(ours, "rb", buffering=0) as terminal, suppress(OSError):  # a terminal whose other end is closed
        while read := terminal.read(4096):
            said += read.decode(errors="replace")
            if not sent and re.search(r"2022-\d\d-\d\d", said):
                process.send_signal(signal.SIGINT)
                sent = True
    assert process.wait(60) == 1, said
    assert "Traceback" not in said
    return said


def test_ctrl_c_leaves_a_run_that_goes_on_and_ends_with_the_same_bytes(candles: Path, tmp_path: Path) -> None:
    interest = ("--earn-apr", "0.02")  # an account that earns has no calm hours: the run lasts a second
    whole = run(candles, tmp_path / "whole", *interest, "--json")
    unbroken = json.loads(whole.stdout)
    said = interrupted(candles, tmp_path / "broken", *interest)
    assert "interrupted at 2022-" in said
    assert "the same command goes on from there" in said
    (kept,) = tmp_path.rglob("checkpoint.json.gz")
    done = run(candles, tmp_path / "broken", *interest, "--json")
    assert done.returncode == 0
    assert done.stderr.startswith("going on from 2022-")
    found = json.loads(done.stdout)
    assert found["sha256"] == unbroken["sha256"]
    assert Path(found["track"]).read_bytes() == Path(unbroken["track"]).read_bytes()
    for name in ("report.json", "report.html", "equity.png"):
        assert (Path(found["track"]).parent / name).read_bytes() == (Path(unbroken["track"]).parent / name).read_bytes()
    assert not kept.exists()


def spoiled(candles: Path, folder: Path, symbol: str, change: Change) -> Path:
    """The folder with the lines of one file changed."""
    folder.mkdir()
    for path in candles.iterdir():
        (folder / path.name).symlink_to(path)
    path = folder / f"{symbol}.csv"
    lines = path.read_text().splitlines()
    path.unlink()
    path.write_text("\n".join(change(lines)) + "\n")
    return folder


@pytest.mark.parametrize(
    ("change", "more", "named"),
    [
        (lambda _: [], (), ("ETHUSDT.csv row 1", "open_time_ms")),
        (lambda lines: [*lines[:-200], *lines[-100:]], (), ("ETHUSDT", "100 h", "--allow-gaps")),
        (lambda lines: [*lines[:50], lines[51], lines[50], *lines[52:]], (), ("ETHUSDT.csv", "row 52")),
        (lambda lines: [*lines[:50], lines[50][:20]], (), ("ETHUSDT.csv", "row 51")),
        (lambda lines: [lines[0], *lines[1::4]], (), ("ETHUSDT.csv", "interval")),
        (lambda lines: ["time,price", *lines[1:]], (), ("ETHUSDT.csv", "open_time_ms")),
        (lambda lines: lines, ("--to", "2030-01"), ("BTCUSDT", "2030")),
        (lambda lines: lines, ("--from", "2019-01"), ("BTCUSDT", "2019")),
        (lambda lines: lines, ("--from", "2022-13"), ("--from", "2022-13")),
        (lambda lines: lines, ("--from", "2022-11-02"), ("--to", "must be later")),
        (lambda lines: lines, ("--symbols", "BTCUSDT,NOPEUSDT"), ("NOPEUSDT",)),
    ],
)
def test_candles_and_ranges_that_cannot_be_used_are_named_once(
    candles: Path,
    tmp_path: Path,
    change: Change,
    more: tuple[str, ...],
    named: tuple[str, ...],
) -> None:
    done = run(spoiled(candles, tmp_path / "c", "ETHUSDT", change), tmp_path / "out", *more)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr
    for part in named:
        assert part in done.stderr


def test_a_pair_that_is_listed_later_joins_then_and_is_noted(candles: Path, tmp_path: Path) -> None:
    folder = spoiled(candles, tmp_path / "c", "ETHUSDT", lambda lines: [lines[0], *lines[-200:]])
    done = run(folder, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "ETHUSDT" in done.stderr


@pytest.mark.parametrize("sweep", [False, True], ids=["a run", "a sweep"])
def test_ctrl_c_while_candles_are_read_has_the_usual_words(tmp_path: Path, sweep: bool) -> None:
    """The first file of the folder that is read has no end."""
    manifest, space = tmp_path / "candles" / "manifest.json", tmp_path / "space.toml"
    manifest.parent.mkdir()
    for symbol in ("BTCUSDT", *PAIRS):
        (manifest.parent / f"{symbol}.csv").touch()
    os.mkfifo(manifest)
    space.write_text("[search]\nobjective='total'\ntrials=1\n[parameters]\nSTRATEGY_PARAM_TOP_N={low=1,high=2}\n")
    asked = command(manifest.parent, tmp_path / "out", *(("--sweep", str(space)) if sweep else ()))
    with (
        subprocess.Popen(asked, env=ENVIRONMENT, text=True, stderr=subprocess.PIPE) as process,
        manifest.open("w"),  # opens when the run has begun to read
    ):
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said == f"replay: interrupted; the same command goes on from there ({tmp_path}/out)\n"
