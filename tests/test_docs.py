"""The pages say what the code does: settings, alerts, exit codes, the first hour, links, promises and mutations."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from json import dumps
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from runtime.__main__ import COMMANDS
from runtime.command import arguments
from runtime.config import PARAMETER_PREFIX, VARIABLES
from runtime.domain.alerts import AlertKind
from runtime.domain.settings import LadderSettings, StrategySettings
from runtime.reporting import EXIT_CODES
from runtime.run_settings import Settings
from tests.support.mutants import Mutation, Row, mutations, promises
from tests.support.sources import ROOT

DOCS = ROOT / "docs"
RUNBOOK = DOCS / "runbook"
TOP = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"]
PAGES = [*TOP, *sorted(DOCS.rglob("*.md")), *sorted((ROOT / "ops").rglob("*.md"))]
NOT_AN_ALERT = {
    "README",
    "exit-codes",
    "control",
    "restore-drill",
    "degraded-drill",
    "incident-template",
    "key-rotation",
}
SAMPLE = 3
LISTS = {"P": 92, "R": 20, "S": 12, "X": 52}


def shown(default: object) -> str:
    """A setting's default as the page writes it."""
    if default is None:
        return "not set"
    if isinstance(default, bool):
        return "1" if default else "0"
    if isinstance(default, tuple):
        texts = all(isinstance(item, str) for item in default)
        return f"`{','.join(default)}`" if texts else f"`{dumps(default, default=str)}`"
    return f"`{default}`"


def defaults() -> dict[str, str]:
    """Every setting's variable and default, as the page should write them."""
    found = {}
    for name, field in VARIABLES.items():
        group, _, leaf = field.rpartition(".")
        fields = LadderSettings.model_fields if group else Settings.model_fields
        found[name] = shown(fields[leaf].default)
    for leaf, info in StrategySettings.model_fields.items():
        found[PARAMETER_PREFIX + leaf.upper()] = shown(info.default)
    return found


def test_the_settings_page_lists_exactly_the_settings_with_their_defaults() -> None:
    rows = re.findall(r"^\| `([A-Z_0-9]+)` \| (.+?) \| .+? \| .+ \|$", (DOCS / "settings.md").read_text(), re.MULTILINE)
    assert len(rows) == len(dict(rows))
    assert dict(rows) == defaults()


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    assert {page.stem for page in RUNBOOK.glob("*.md")} - NOT_AN_ALERT == {kind.value for kind in AlertKind}
    for kind in AlertKind:
        text = (RUNBOOK / f"{kind}.md").read_text()
        assert text.startswith(f"# {kind}: ")
        assert all(part in text for part in ("**Means.**", "**Check**", "**Do**"))


def test_the_runbooks_index_links_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w-]+)\.md\)", (RUNBOOK / "README.md").read_text()))
    assert linked == {page.stem for page in RUNBOOK.glob("*.md")} - {"README"}


def test_the_decisions_index_links_every_decision_by_its_title() -> None:
    linked = dict(re.findall(r"\]\(([\w-]+\.md)\) \| (.+) \|", (DOCS / "decisions" / "README.md").read_text()))
    pages = {page.name: page.read_text().partition("\n")[0] for page in (DOCS / "decisions").glob("[0-9]*.md")}
    assert {name: f"# {title}" for name, title in linked.items()} == pages


def test_every_exit_code_has_its_page() -> None:
    assert {page.stem for page in (RUNBOOK / "exit").glob("*.md")} == {str(code) for code in {*EXIT_CODES.values(), 1}}


def test_every_outcome_of_a_run_is_on_the_page_of_exit_codes() -> None:
    rows = re.findall(r"^\| (\d) \| `(\w+)` \|", (RUNBOOK / "exit-codes.md").read_text(), re.MULTILINE)
    told = {(status, int(code)) for code, status in rows}
    assert told == {(status.value, code) for status, code in EXIT_CODES.items()} | {("invalid", 3)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target


def test_the_picture_is_well_formed_and_shows_the_steps_in_order() -> None:
    picture = ET.parse(DOCS / "hour.svg")  # noqa: S314 - our own file
    texts = [node.text for node in picture.iter("{http://www.w3.org/2000/svg}text")]
    steps = ["load", "pool", "recover", "snapshot", "reconcile", "decide", "execute", "persist", "tell"]
    assert [text for text in texts if text in steps] == steps


def commands() -> Iterator[str]:
    """Every command of ours that a page prints: indented, or between backticks."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for line in re.findall(r"^    (.+)$|`([^`\n]+)`", text, re.MULTILINE):
            command = "".join(line).partition("   #")[0].strip()
            command = re.sub(r"^([A-Z_]+=\S+ )+", "", command)
            if command.startswith((".venv/bin/python ", "make ")):
                yield command


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_every_command_of_a_page_is_understood(command: str) -> None:
    program, script, *words = shlex.split(command)
    if program == "make":
        assert re.search(rf"^{script}:", (ROOT / "Makefile").read_text(), re.MULTILINE), command
    elif script == "main.py":
        arguments(words)
    elif script == "-m":
        assert words[0] == "runtime"
        assert set(words) & set(COMMANDS), command
    else:
        assert (ROOT / script).is_file(), command


def run(folder: Path, script: str, *words: str) -> str:
    """What a command of ours prints, from the checkout's code, with `folder` as the place it writes to."""
    quiet = {name: value for name, value in os.environ.items() if not name.startswith(("ENGINE_", "STRATEGY_"))}
    command = [sys.executable, str(ROOT / script), *words]
    done = subprocess.run(command, cwd=folder, env=quiet, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_the_readmes_first_hour_is_what_the_first_hour_prints(tmp_path: Path) -> None:
    block = re.search(r"```text\n(.+?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    printed = run(tmp_path, "main.py").splitlines()
    for line in block[1].splitlines():
        if line.strip() != "...":
            assert line in printed, line
            printed = printed[printed.index(line) + 1 :]


def locked(file: str) -> dict[str, str]:
    """The requirements of a lock file by name, each on one line."""
    lines = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return {line.partition("==")[0].partition("[")[0].lower(): " ".join(line.split()) for line in lines if line.strip()}


def test_the_locks_name_exact_versions_with_hashes_and_agree() -> None:
    """What decision 16 says; and that nothing is installed which a lock does not name."""
    runtime, development = locked("requirements-lock.txt"), locked(".ci/requirements-dev-lock.txt")
    channels = locked(".ci/requirements-channels-lock.txt")
    assert {name: channels.get(name) for name in runtime} == runtime, "the engine itself is the same with them"
    assert {name: development.get(name) for name in channels} == channels
    assert "apprise" in channels.keys() - runtime.keys()
    exact = re.compile(r"[\w.\[\]-]+==[\w.!]+( ; [^-]+)?( --hash=sha256:[0-9a-f]{64})+")
    assert all(exact.fullmatch(line) for line in (*runtime.values(), *development.values()))
    assert {name: development.get(name) for name in runtime} == runtime
    assert {"python-binance", "google-cloud-firestore", "google-auth", "requests", "pydantic"} <= runtime.keys()
    assert {"pytest", "freezegun", "responses"} <= development.keys()
    install = re.search(r"^INSTALL := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert install is not None
    assert {"--no-deps", "--require-hashes"} <= set(install[1].split())
    assert "--upgrade" not in install[1]


def test_the_map_of_the_house_names_every_file_of_the_engine() -> None:
    text = (ROOT / "runtime" / "__init__.py").read_text(encoding="utf-8")
    named = re.findall(r"^ +(\w+)/? {2,}\S", ast.get_docstring(ast.parse(text)) or "", re.MULTILINE)
    parts = [path for path in (ROOT / "runtime").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    assert set(named) == {path.stem for path in parts} - {"__init__"}
    assert len(named) == len(set(named))


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of a test file's functions, those of a class as `Class::name`."""
    names = set()
    for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{item.name}" for item in node.body if isinstance(item, ast.FunctionDef)}
    return frozenset(names)


def test_every_promise_has_one_row() -> None:
    named = [row.promise for row in promises()]
    wanted = [f"{part}{number:02}" for part, last in LISTS.items() for number in range(1, last + 1)]
    assert sorted(named) == wanted


@pytest.mark.parametrize("row", promises(), ids=lambda row: row.promise)
def test_a_held_promise_names_tests_that_exist(row: Row) -> None:
    assert bool(row.tests) or not row.held, "held by what?"
    for node in row.tests:
        file, _, name = node.partition("::")
        assert (ROOT / file).is_file(), node
        assert not name or name in names_in(file), node


@pytest.mark.parametrize("mutation", mutations(), ids=lambda mutation: mutation.promise)
def test_a_mutation_breaks_a_held_promise_in_one_place(mutation: Mutation) -> None:
    held = {row.promise: row.tests for row in promises() if row.held}
    assert mutation.test.partition("[")[0] in held.get(mutation.promise, ())
    text = (ROOT / mutation.file).read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1, mutation.old
    assert mutation.new != mutation.old


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_sample_of_the_mutations_is_noticed() -> None:
    command = [sys.executable, "-m", "tests.mutations", "--sample", str(SAMPLE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=590)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_fault_that_no_test_notices_and_a_text_that_is_gone_are_reported(tmp_path: Path) -> None:
    entry = "[[mutation]]\npromise = '{}'\nfile = 'runtime/domain/money.py'\nold = '{}'\nnew = '{}'\ntest = '{}'\n"
    test = "tests/domain/test_money.py::test_the_common_step_of_known_steps"
    table = tmp_path / "table.toml"
    faults = [("X01", "EXPONENT_MAX = 100", "EXPONENT_MAX = 99"), ("X02", "no such text", "nothing")]
    table.write_text("".join(entry.format(*fault, test) for fault in faults))
    command = [sys.executable, "-m", "tests.mutations", "--table", str(table)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 1, done.stderr
    assert re.findall(r"^(X\d\d)  (.+?)  ", done.stdout, re.MULTILINE) == [
        ("X01", "NOT NOTICED (pytest 0)"),
        ("X02", "X02: the old text is in runtime/domain/money.py 0 times, not once"),
    ]
