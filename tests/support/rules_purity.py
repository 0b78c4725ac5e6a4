"""What a file may touch: the world, the environment, floats, every exception.

The same inputs must give the same decision on any machine, so the domain and the strategies see only what they are
handed. They may import the standard modules listed here and no others; a new one is added with the thought that it
neither reads nor writes anything.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.support.sources import Finding, Source, dotted, imports

PURE = frozenset(
    {
        "__future__",
        "abc",
        "array",
        "base64",
        "binascii",
        "bisect",
        "calendar",
        "collections",
        "contextlib",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "hashlib",
        "heapq",
        "itertools",
        "json",
        "math",
        "numbers",
        "operator",
        "re",
        "statistics",
        "string",
        "textwrap",
        "types",
        "typing",
        "unicodedata",
        "zlib",
    }
)
WORLDLY_CALLS = frozenset({"open", "print", "input", "exec", "eval", "compile", "breakpoint", "__import__"})
CLOCKS = frozenset({"now", "utcnow", "today"})
FILE_METHODS = frozenset({"open", "read_text", "read_bytes", "write_text", "write_bytes"})
MONEY = tuple(f"runtime/domain/{name}.py" for name in ("money", "orders", "planning", "ledger", "instruments"))
BROAD = frozenset({"Exception", "BaseException"})


def domain_and_strategies_touch_nothing(source: Source) -> Iterator[Finding]:
    """No I/O, clock, environment, randomness, threads or print in runtime/domain and strategies."""
    if not source.within("runtime/domain", "strategies"):
        return
    for node, name in imports(source):
        root = name.split(".", maxsplit=1)[0]
        if root not in PURE | {"pydantic", "runtime", "strategies"}:
            yield source.finding(
                node, f"imports {name}; it is not in the list of pure modules (tests/support/rules_purity)"
            )
    for call in ast.walk(source.tree):
        if isinstance(call, ast.Call) and _touches_the_world(call.func):
            yield source.finding(call, f"calls {dotted(call.func).lstrip('.')}(); what it learns must be handed in")


def _touches_the_world(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id in WORLDLY_CALLS
    return isinstance(function, ast.Attribute) and function.attr in CLOCKS | FILE_METHODS


def only_config_reads_the_environment(source: Source) -> Iterator[Finding]:
    """Settings are read once, in runtime/config.py, and handed on."""
    if source.path == "runtime/config.py":
        return
    readers = {"os.environ", "os.environb", "os.getenv", "os.getenvb"}
    for node, name in imports(source):
        if name in readers:
            yield source.finding(node, f"imports {name}; only runtime/config.py reads the environment")
    for used in ast.walk(source.tree):
        if isinstance(used, ast.Attribute) and dotted(used) in readers:
            yield source.finding(used, f"uses {dotted(used)}; only runtime/config.py reads the environment")


def money_knows_no_float(source: Source) -> Iterator[Finding]:
    """Money, orders, plans, ledger and instruments: Decimal from text, never a float."""
    if source.path not in MONEY:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id == "float":
            yield source.finding(node, "names float; an amount is a Decimal made from text")
        elif isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield source.finding(node, f'holds the float {node.value!r}; write Decimal("{node.value!r}")')


def no_broad_except(source: Source) -> Iterator[Finding]:
    """Only main.py may turn any error at all into an exit code; elsewhere the errors that are expected are named."""
    if source.path == "main.py":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
            yield source.finding(node, "catches everything; name the errors that are expected here")
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("suppress") and any(map(_is_broad, node.args)):
            yield source.finding(node, "suppresses everything; name the errors that are expected here")


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(map(_is_broad, caught.elts))
    return caught is None or dotted(caught).rpartition(".")[2] in BROAD


def domain_values_are_frozen(source: Source) -> Iterator[Finding]:
    """A dataclass of the domain or of a strategy is a value: frozen and slotted."""
    if not source.within("runtime/domain", "strategies"):
        return
    for node in ast.walk(source.tree):
        for decorator in node.decorator_list if isinstance(node, ast.ClassDef) else []:
            call = decorator if isinstance(decorator, ast.Call) else None
            if dotted(call.func if call else decorator).rpartition(".")[2] != "dataclass":
                continue
            told = {word.arg for word in (call.keywords if call else []) if getattr(word.value, "value", None) is True}
            if not {"frozen", "slots"} <= told:
                yield source.finding(node, "is a dataclass without frozen=True, slots=True")
