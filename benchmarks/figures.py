"""What benchmarks share: a command measured as a whole process, and one table of what was found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table of `everything`: what was measured, what it came to, and what is asked for, if anything."""

    what: str
    value: str
    goal: str = ""


def measured(command: Sequence[str], folder: Path = ROOT, environment: Mapping[str, str] | None = None) -> Found | None:
    """The last line of a command as JSON, if it is, with `whole_cpu_s`, `whole_wall_s` and `peak_mib` of the whole
    process; None where it failed, with the end of what it said on standard error. A neighbour at work changes the first
    less than the second.

    A small process is its parent: what a large one has in memory counts as its children's peak.
    """
    given = {**os.environ, "PYTHONPATH": str(ROOT)} if environment is None else dict(environment)
    done = subprocess.run(
        [sys.executable, "-S", __file__, *command], cwd=folder, env=given, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.stderr.write(f"{' '.join(command)[:200]}\n{done.stderr[-500:]}\n")
        return None
    found: Found = json.loads(done.stdout)
    return found


def _measure(command: Sequence[str]) -> int:
    """Run it and print what `measured` gives; its exit code."""
    with tempfile.TemporaryFile() as out:
        begun = time.perf_counter()
        process = subprocess.Popen(list(command), stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode, wall_s = os.waitstatus_to_exitcode(status), time.perf_counter() - begun
        out.seek(0)
        lines = out.read().decode().splitlines()
    found: Found = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    cpu_s, mib = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    spent = {"whole_cpu_s": round(cpu_s, 3), "whole_wall_s": round(wall_s, 3), "peak_mib": round(mib, 1)}
    print(json.dumps(found | spent))
    return process.returncode


def shown(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a table, its first column to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def table(figures: Sequence[Figure]) -> str:
    """What was measured, as one table."""
    rows = [("", "here", "goal"), *((figure.what, figure.value, figure.goal) for figure in figures)]
    return shown(rows)


if __name__ == "__main__":
    sys.exit(_measure(sys.argv[1:]))
