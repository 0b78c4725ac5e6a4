"""The tree and the tests: which names may stand where, and how a test is written."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tests.support.sources import Finding, Source, below, dotted, functions, imports

TOP_LEVEL = frozenset(
    {
        "main.py",
        "run_cycle_replay.py",
        "runtime",
        "strategies",
        "tests",
        ".github",
        "ops",
        "pyproject.toml",
        "requirements-lock.txt",
        "README.md",
        "Makefile",
        "docs",
        "CHANGELOG.md",
        "SECURITY.md",
        ".ci",
        "benchmarks",
        ".editorconfig",
        ".env.example",
        ".gitattributes",
        ".gitignore",
    }
)
SECOND_LEVEL = {".github": frozenset({"workflows"}), "ops": frozenset({"container", "metrics", "vps-dispatch"})}
NO_PLACE = frozenset({"services", "core", "utils", "helpers", "utils.py", "helpers.py"})
OWN = ("runtime", "strategies", "main", "run_cycle_replay")
WORDS_MIN = 4


def names_at_the_top_are_fixed(paths: Sequence[str]) -> Iterator[Finding]:
    """Only the agreed names stand at the top of the tree, and below .github and ops."""
    for path in paths:
        top, _, rest = path.partition("/")
        if top not in TOP_LEVEL:
            yield Finding(path, 1, f"{top} is not one of the agreed top-level names")
        elif top in SECOND_LEVEL and rest.partition("/")[0] not in SECOND_LEVEL[top]:
            yield Finding(path, 1, f"{top}/ holds only {', '.join(sorted(SECOND_LEVEL[top]))}/")


def no_place_for_leftovers(paths: Sequence[str]) -> Iterator[Finding]:
    """A folder or module is named by what it is about, never services, core, utils or helpers."""
    for path in paths:
        for part in set(path.split("/")) & NO_PLACE:
            yield Finding(path, 1, f"{part} says nothing about its content; name it by its subject")


def every_test_says_what_holds(source: Source) -> Iterator[Finding]:
    """A test has a docstring, or a name of at least four words after `test`."""
    if not source.path.rpartition("/")[2].startswith("test_"):
        return
    for function, _ in functions(source.tree):
        words = [word for word in function.name.split("_") if word]
        if words[:1] == ["test"] and len(words) <= WORDS_MIN and ast.get_docstring(function) is None:
            yield source.finding(function, f"{function.name} says too little; name what holds, or write a docstring")


def no_mocks_of_our_own_code(source: Source) -> Iterator[Finding]:
    """No mock library, and no replacing of this project's names: a fake is an adapter held to its port's contract."""
    for node, name in imports(source):
        if below(name, ("unittest.mock", "mock", "pytest_mock")):
            yield source.finding(node, f"imports {name}; use the port's fake adapter")
    for function, _ in functions(source.tree):
        if any(argument.arg == "mocker" for argument in function.args.args):
            yield source.finding(function, f"{function.name} asks for mocker; use the port's fake adapter")
    ours = _own_names(source)
    for call in ast.walk(source.tree):
        if isinstance(call, ast.Call) and dotted(call.func).rpartition(".")[2] in {"setattr", "delattr"} and call.args:
            target = call.args[0]
            text = target.value if isinstance(target, ast.Constant) else dotted(target)
            if isinstance(text, str) and (below(text, OWN) or text.split(".")[0] in ours):
                yield source.finding(call, f"replaces {text}; hand the code a fake adapter instead")


def _own_names(source: Source) -> set[str]:
    """The local names under which a file imports this project's modules and values."""
    found: set[str] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name.split(".")[0] for alias in node.names if below(alias.name, OWN)}
        elif isinstance(node, ast.ImportFrom) and below(node.module or "", OWN):
            found |= {alias.asname or alias.name for alias in node.names}
    return found
