"""Benchmarks run from anywhere by their name alone, and what they share measures what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures import Figure, measured, table
from tests.support.sources import ROOT

SCRIPTS = sorted(path.name for path in (ROOT / "benchmarks").glob("bench_*.py"))
MIB = 1024 * 1024


@pytest.mark.slow
@pytest.mark.parametrize("script", [*SCRIPTS, "everything.py"])
def test_a_benchmark_says_what_it_takes_wherever_it_is_called(script: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / script), "--help"]
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: " in done.stdout


def test_a_commands_last_line_its_time_and_its_own_memory_are_measured() -> None:
    """Not the memory of whoever measures it."""
    ours = bytearray(200 * MIB)
    found = measured([sys.executable, "-c", "print('said'); print('{\"n\": 7}')"])
    assert found is not None
    assert found["n"] == 7
    assert 0 < found["whole_cpu_s"] < found["whole_wall_s"] + 1
    assert 1 < found["peak_mib"] < 100
    large = measured([sys.executable, "-c", f"bytearray({len(ours)}); print(1)"])
    assert large is not None
    assert large["peak_mib"] > 200


def test_a_command_that_fails_gives_nothing_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert measured([sys.executable, "-c", "import sys; sys.exit('no candles')"]) is None
    assert "no candles" in capsys.readouterr().err


def test_the_table_names_each_goal_beside_its_figure() -> None:
    lines = table([Figure("an hour", "0.6", "at most 0.8"), Figure("  imports", "0.5")]).splitlines()
    assert [line.split() for line in lines] == [
        ["here", "goal"],
        ["an", "hour", "0.6", "at", "most", "0.8"],
        ["imports", "0.5"],
    ]
