"""Mutants: one deliberate fault each, and the test that must notice it.

`tests/mutations.toml` lists them: the promise it would break, the file, the exact old text (once in that file), the new
text, and the test. A test that stays green under its mutant holds nothing.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.support.sources import ROOT

TABLE = ROOT / "tests" / "mutations.toml"
PROMISES = ROOT / "docs" / "promises.md"
_ROW = re.compile(r"^\| ([PRSX]\d\d) \| (.+?) \| (held|open) \| (.*?) \|$", re.MULTILINE)
_NODE = re.compile(r"`(tests/[^`]+)`")


@dataclass(frozen=True, slots=True)
class Mutation:
    """Replace `old` by `new` in `file` (a path in the checkout), and `test` (a pytest node id) must fail."""

    promise: str
    file: str
    old: str
    new: str
    test: str

    def apply(self, tree: Path) -> None:
        """Write the fault into the copy of the checkout at `tree`; `ValueError` if the old text is not there once."""
        path = tree / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1 or self.old == self.new:
            raise ValueError(f"{self.promise}: the old text is in {self.file} {text.count(self.old)} times, not once")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Row:
    """One promise of docs/promises.md: its id, whether it is held, and the tests that hold it."""

    promise: str
    text: str
    held: bool
    tests: tuple[str, ...]


def mutations(table: Path = TABLE) -> list[Mutation]:
    """Every mutation of the table, in its order."""
    return [Mutation(**entry) for entry in tomllib.loads(table.read_text(encoding="utf-8"))["mutation"]]


def promises() -> list[Row]:
    """Every row of the promises page, in its order."""
    text = PROMISES.read_text(encoding="utf-8")
    found = _ROW.findall(text)
    return [Row(name, words, status == "held", tuple(_NODE.findall(tests))) for name, words, status, tests in found]
