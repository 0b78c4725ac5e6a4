"""Python files as the house rules see them: a path, a parsed tree, and what each rule finds in it.

A rule is a function from one `Source` (or all of them) to its findings; a finding names file, line, and what to do. A
path is written relative to the checkout, so a rule can be tried on a snippet that exists nowhere.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = ("main.py", "run_cycle_replay.py", "runtime/__main__.py")
ENGINE = ("runtime", "strategies", "main.py", "run_cycle_replay.py")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of one rule."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file: `path` is relative to the checkout, with forward slashes."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def parse(cls, path: str, text: str) -> Source:
        """A source from a snippet; a syntax error is the interpreter's to report."""
        return cls(path, text, ast.parse(text, path))

    @property
    def module(self) -> str:
        """The dotted name it is imported by."""
        parts = PurePosixPath(self.path).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def within(self, *places: str) -> bool:
        """Whether it is, or lies below, one of `places` (files or folders)."""
        return any(self.path == place or self.path.startswith(place + "/") for place in places)

    def finding(self, node: ast.AST | int, message: str) -> Finding:
        """A finding at `node`, or at a line."""
        return Finding(self.path, node if isinstance(node, int) else getattr(node, "lineno", 1), message)


Rule = Callable[[Source], Iterator[Finding]]
TreeRule = Callable[[Sequence[Source]], Iterator[Finding]]


def load(*places: str) -> list[Source]:
    """Every Python file at or below `places` that exists by now, in the order of their paths."""
    found: set[Path] = set()
    for place in places:
        path = ROOT / place
        found.update([path] if path.is_file() else path.rglob("*.py"))
    return [Source.parse(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in sorted(found)]


def functions(tree: ast.AST) -> Iterator[tuple[Function, ast.ClassDef | None]]:
    """Every function and method at any depth, each with the class it stands directly in."""
    owner = tree if isinstance(tree, ast.ClassDef) else None
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, Function):
            yield child, owner
        yield from functions(child)


def imports(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Every import, wherever it stands, as a dotted name; `from a import b` counts as `a.b`."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(source, node)
            yield from ((node, f"{base}.{alias.name}") for alias in node.names)


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = source.module.split(".")
    if not source.path.endswith("__init__.py"):
        package.pop()
    kept = package[: len(package) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or a chain of attributes; anything else in the chain shows as an empty first part."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def below(name: str, prefixes: Iterable[str]) -> bool:
    """Whether the dotted `name` is one of `prefixes`, or lies below one."""
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)
