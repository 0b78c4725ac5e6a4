"""Workflow files, read as data and run as a runner would: conditions, environment, steps in order, on a local bash.

Steps that use an action are noted and succeed. Expressions are evaluated for the part of the language that is used:
contexts, texts, `==`, `!=`, `&&`, `||`, parentheses, `format`, `fromJSON` and the status functions.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.sources import ROOT

FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKENS = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|[(),]|[A-Za-z_][\w.-]*)")

Value = str | bool | list[str]


def load(name: str) -> dict[str, Any]:
    """A workflow file; YAML reads the key `on` as true."""
    document: dict[Any, Any] = yaml.safe_load((FOLDER / name).read_text())
    return {("on" if key is True else str(key)): value for key, value in document.items()}


def steps(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every step of every job, with a name to find it by."""
    for job_name, job in document["jobs"].items():
        for number, step in enumerate(job["steps"]):
            yield f"{job_name}/{step.get('name', number)}", step


@dataclass
class Expressions:
    """What expressions may name: `inputs.mode` and the like; what is not there is empty."""

    values: dict[str, Value]
    failed: bool = False

    def text(self, template: object) -> str:
        """A value of the file with its expressions replaced."""
        return _EXPRESSION.sub(lambda found: _shown(self.value(found[1])), str(template))

    def holds(self, condition: str | None) -> bool:
        """An `if:`; without a status function it holds only while nothing has failed."""
        if condition is None:
            return not self.failed
        inner = _EXPRESSION.fullmatch(condition.strip())
        words = inner[1] if inner else condition
        asked = any(f"{name}()" in words for name in ("always", "failure", "cancelled"))
        return bool(self.value(words)) and (asked or not self.failed)

    def value(self, words: str) -> Value:
        """One expression."""
        tokens = [found[1] for found in _TOKENS.finditer(words)]
        assert "".join(tokens) == re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", words), f"cannot read {words!r}"
        return self._either(tokens)

    def _either(self, tokens: list[str]) -> Value:
        value = self._both(tokens)
        while tokens[:1] == ["||"]:
            tokens.pop(0)
            other = self._both(tokens)
            value = value or other
        return value

    def _both(self, tokens: list[str]) -> Value:
        value = self._compared(tokens)
        while tokens[:1] == ["&&"]:
            tokens.pop(0)
            other = self._compared(tokens)
            value = value and other
        return value

    def _compared(self, tokens: list[str]) -> Value:
        value = self._single(tokens)
        if tokens[:1] in (["=="], ["!="]):
            same = tokens.pop(0) == "=="
            return (_shown(value) == _shown(self._single(tokens))) is same
        return value

    def _single(self, tokens: list[str]) -> Value:
        token = tokens.pop(0)
        if token == "(":
            value = self._either(tokens)
            assert tokens.pop(0) == ")"
            return value
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if tokens[:2] == ["(", ")"]:
            del tokens[:2]
            return {"always": True, "failure": self.failed, "success": not self.failed, "cancelled": False}[token]
        if tokens[:1] == ["("]:
            return self._called(token, tokens)
        return self.values.get(token, "")

    def _called(self, name: str, tokens: list[str]) -> Value:
        given = []
        while tokens.pop(0) != ")":
            given.append(self._either(tokens))
        if name == "fromJSON":
            found: list[str] = json.loads(_shown(given[0]))
            return found
        assert name == "format", f"cannot call {name}"
        return _shown(given[0]).format(*map(_shown, given[1:]))


def _shown(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass
class Runner:
    """A machine that runs jobs: `work` is the checkout, `temporary` what `runner.temp` names, `path` comes first."""

    work: Path
    temporary: Path
    contexts: dict[str, Value]
    path: Sequence[Path] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)

    def job(self, document: Mapping[str, Any], name: str) -> bool:
        """Run a job's steps in order; whether it succeeded."""
        self.temporary.mkdir(exist_ok=True)
        expressions = Expressions(self.contexts | {"runner.temp": str(self.temporary)})
        for step in document["jobs"][name]["steps"]:
            if not expressions.holds(step.get("if")):
                self.outcomes[step["name"]] = "skipped"
                continue
            code = 0 if "uses" in step else self._run(step, expressions)
            self.outcomes[step["name"]] = "failure" if code else "success"
            expressions.failed |= bool(code)
        self.contexts.update({name: value for name, value in expressions.values.items() if name.startswith("steps.")})
        return not expressions.failed

    def environment(self, step: Mapping[str, Any], expressions: Expressions) -> dict[str, str]:
        """What the step's process gets."""
        kept = {name: os.environ[name] for name in ("HOME", "NO_PROXY", "no_proxy") if name in os.environ}
        given = {name: expressions.text(value) for name, value in step.get("env", {}).items()}
        own = {
            "PATH": ":".join([*map(str, self.path), os.environ["PATH"]]),
            "RUNNER_TEMP": str(self.temporary),
            "GITHUB_OUTPUT": str(self.temporary / "output"),
            "GITHUB_STEP_SUMMARY": str(self.temporary / "summary"),
        }
        return {**kept, **own, **given, **self.extra}

    def command(self, step: Mapping[str, Any]) -> list[str]:
        """How a runner starts the script of a step with `shell: bash`."""
        script = self.temporary / "step.sh"
        script.write_text(step["run"])
        return ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]

    def _run(self, step: Mapping[str, Any], expressions: Expressions) -> int:
        output = self.temporary / "output"
        output.write_text("")
        done = subprocess.run(
            self.command(step),
            cwd=self.work,
            env=self.environment(step, expressions),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        self.printed[step["name"]] = done.stdout
        for line in output.read_text().splitlines():
            name, _, value = line.partition("=")
            expressions.values[f"steps.{step['id']}.outputs.{name}"] = value
        return done.returncode
