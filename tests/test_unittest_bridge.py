"""`python3 -m unittest discover -s tests` runs pytest once, fails with it, and does nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ONLY_LOOK = (
    "--collect-only -q -p no:cacheprovider tests/test_socket_guard.py"  # the whole suite would start this file again
)
FAIL = "--no-such-option"


def discover(pytest_options: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run unittest's discovery as the README names it, with pytest held to `pytest_options`."""
    return subprocess.run(
        [sys.executable, "-m", "unittest", "discover", *options, "-v"],
        cwd=ROOT,
        env=os.environ | {"PYTEST_ADDOPTS": pytest_options},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.mark.parametrize("options", [("-s", "tests"), ("-s", "tests", "-t", "."), ()], ids=" ".join)
def test_discovery_finds_the_one_test_that_runs_pytest(options: tuple[str, ...]) -> None:
    done = discover(ONLY_LOOK, *options)
    assert done.returncode == 0, done.stderr
    assert "Ran 1 test in" in done.stderr
    assert "test_only_loopback_names_and_addresses_count_as_this_machine" in done.stdout


def test_discovery_fails_when_pytest_fails() -> None:
    done = discover(FAIL, "-s", "tests")
    assert done.returncode == 1
    assert "FAILED (failures=1)" in done.stderr
