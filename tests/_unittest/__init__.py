"""`python3 -m unittest discover -s tests -v` runs the whole suite too: one test, which starts pytest and fails with it.

unittest asks every package below its start folder for `load_tests`, in the order of their names; the underscore puts
this one first, so it can also tell the loader to look at no other file. It needs the standard library only, so any
interpreter may start it; the suite itself then runs on that of `.venv`, if there is one. Arguments go the usual way,
in `PYTEST_ADDOPTS`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEEDED = "import hypothesis, pytest, pytest_timeout"


def interpreter() -> str | None:
    """The first Python that has what the suite needs: the one `make test` filled, else the running one, else none."""
    for python in (str(ROOT / ".venv" / "bin" / "python"), sys.executable):
        if (
            shutil.which(python)
            and not subprocess.run([python, "-c", NEEDED], capture_output=True, check=False).returncode
        ):
            return python
    return None


class Everything(unittest.TestCase):
    """One test: the pytest run."""

    def test_everything_passes_under_pytest(self) -> None:
        """Pytest writes its own report above; this only fails with it."""
        python = interpreter()
        if python is None:
            self.fail("pytest is not installed: run `make test` once, or install .ci/requirements-dev-lock.txt")
        code = subprocess.run([python, "-m", "pytest"], cwd=ROOT, check=False).returncode
        if code != 0:
            self.fail(f"pytest ended with exit code {code}; its report is above")


def load_tests(loader: unittest.TestLoader, _standard: unittest.TestSuite, _pattern: str | None) -> unittest.TestSuite:
    """The protocol of unittest: what to run instead of what discovery would find by itself."""
    # Discovery would go on to import the pytest files and find nothing in them; its source names this override.
    loader._match_path = lambda *_: False  # type: ignore[method-assign]
    return loader.loadTestsFromTestCase(Everything)
