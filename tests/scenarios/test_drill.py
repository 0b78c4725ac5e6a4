"""The drill as the operator runs it: make's own command, every rung and control, and red where a step does not hold."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import replace

from runtime.domain.pool import Rung
from runtime.domain.texts import Language
from tests.scenarios.drill import ACTS, CONTROLS, LADDER, on, walk
from tests.support.sources import ROOT


def command() -> list[str]:
    """What `make drill` runs, with this interpreter."""
    found = re.search(r"^drill:.*\n\t@\$\(PYTHON\) (.+) \$\(ARGS\)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found is not None
    return [sys.executable, *shlex.split(found[1])]


def test_make_drill_walks_every_rung_and_every_control_and_shows_the_alerts() -> None:
    done = subprocess.run(command(), cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    for rung in Rung:
        assert f"source {rung}," in done.stdout, rung
    for mode in ("run", "reduce_only", "halt"):
        assert f"control {mode}," in done.stdout
    for words in ("Degraded pool source", "Recovered", "Control changed", "Access or setting refused", "as it must be"):
        assert words in done.stdout
    assert "NOT AS IT MUST BE" not in done.stdout
    for page in set(re.findall(r"docs/runbook/\S+\.md", done.stdout)):
        assert (ROOT / page).is_file(), page


def test_a_step_that_does_not_hold_is_named_and_shown() -> None:
    wrong = replace(LADDER[0], holds=on(Rung.STATIC))
    silent = replace(CONTROLS[0], tells=frozenset({"breaker"}))
    said: list[str] = []
    faults = walk(said.append, Language.EN, [("one", ACTS[0][1], (wrong,)), ("two", ACTS[0][1], (silent,))])
    assert [fault.partition(":")[0] for fault in faults] == [step.title.partition(":")[0] for step in (wrong, silent)]
    assert sum("NOT AS IT MUST BE" in text for text in said) == 2


def test_the_drill_speaks_chinese_where_the_operator_does() -> None:
    said: list[str] = []
    assert walk(said.append, Language.ZH, [ACTS[2]]) == []
    assert any("币池来源降级" in text for text in said)
