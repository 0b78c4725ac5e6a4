"""The size and the words of the code: short functions, few parameters, short modules, every public name explained."""

from __future__ import annotations

import ast
import functools
import math
import re
from collections.abc import Iterator, Sequence

from tests.support.sources import Finding, Function, Source, dotted, functions, load

BODY_LINES_P90 = 25
BODY_LINES_MAX = 50
PARAMETERS_MAX = 5
MODULE_LINES_MAX = 300
MAIN_LINES_MAX = 60

# What this engine does not do (non-goals P16 to P19): the upstream project ranks, reports and publishes.
NON_GOALS = re.compile(
    r"(rank|rerank|publish)_(live_)?pool|select_live_pool|monthly_(research|report|review|rank)"
    r"|publish_(report|release|summary)|release_summary|review_package|research_report"
)
BYPASSES = re.compile(r"(--|[A-Z]+_)?(force|bypass|skip[-_]state|ignore[-_]state|no[-_]abort)([-_]\w+)*", re.IGNORECASE)


def body_lines(function: Function) -> int:
    """Lines from the first statement after the docstring to the end, blank lines and comments included."""
    first = 1 if ast.get_docstring(function) is not None else 0
    if len(function.body) == first:
        return 0
    last = function.end_lineno or function.lineno
    return last - function.body[first].lineno + 1


def no_function_is_long(source: Source) -> Iterator[Finding]:
    """No body has more than 50 lines."""
    for function, _ in functions(source.tree):
        if body_lines(function) > BODY_LINES_MAX:
            yield source.finding(
                function, f"{function.name}() has {body_lines(function)} lines, {BODY_LINES_MAX} at most"
            )


def most_functions_are_short(sources: Sequence[Source]) -> Iterator[Finding]:
    """Nine bodies in ten have 25 lines at most, over all of the engine; the longest are named."""
    bodies = [(body_lines(function), source, function) for source in sources for function, _ in functions(source.tree)]
    bodies.sort(key=lambda body: body[0])
    if not bodies or bodies[math.ceil(len(bodies) * 0.9) - 1][0] <= BODY_LINES_P90:
        return
    for lines, source, function in reversed(bodies[math.ceil(len(bodies) * 0.9) - 1 :]):
        yield source.finding(
            function, f"{function.name}() has {lines} lines; 9 in 10 may have {BODY_LINES_P90} at most"
        )


def few_parameters(source: Source) -> Iterator[Finding]:
    """No function takes more than five parameters, self and cls not counted."""
    for function, owner in functions(source.tree):
        given = function.args
        count = len(given.posonlyargs + given.args + given.kwonlyargs) + bool(given.vararg) + bool(given.kwarg)
        if owner and not any(dotted(decorator) == "staticmethod" for decorator in function.decorator_list):
            count -= 1
        if count > PARAMETERS_MAX:
            yield source.finding(function, f"{function.name}() takes {count} parameters, {PARAMETERS_MAX} at most")


def modules_are_short(source: Source) -> Iterator[Finding]:
    """A module has 300 lines at most, main.py 60."""
    limit = MAIN_LINES_MAX if source.path == "main.py" else MODULE_LINES_MAX
    lines = len(source.text.splitlines())
    if lines > limit:
        yield source.finding(lines, f"has {lines} lines, {limit} at most")


def everything_public_is_explained(source: Source) -> Iterator[Finding]:
    """Every module, public class and public function has a docstring; an adapter's method has its port's."""
    if ast.get_docstring(source.tree) is None:
        yield source.finding(1, "the module has no docstring")
    yield from _unexplained(source, source.tree)


def _unexplained(source: Source, holder: ast.Module | ast.ClassDef) -> Iterator[Finding]:
    for node in holder.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            if ast.get_docstring(node) is None:
                yield source.finding(node, f"class {node.name} has no docstring")
            yield from _unexplained(source, node)
        elif isinstance(node, Function) and not node.name.startswith("_"):
            inherited = isinstance(holder, ast.ClassDef) and _explained_elsewhere(source, node)
            if ast.get_docstring(node) is None and not inherited:
                yield source.finding(node, f"{node.name}() has no docstring")


def _explained_elsewhere(source: Source, method: Function) -> bool:
    """Whether a docstring would repeat another: a port's method in an adapter, an override, an overload, a setter."""
    marks = {dotted(decorator).rpartition(".")[2] for decorator in method.decorator_list}
    ports_own = source.within("runtime/adapters") and method.name in _port_methods()
    return ports_own or bool(marks & {"override", "overload", "setter"})


@functools.cache
def _port_methods() -> frozenset[str]:
    """The methods that the ports declare, and explain."""
    return frozenset(
        function.name
        for source in load("runtime/ports.py", "runtime/records.py")
        for function, _ in functions(source.tree)
    )


def non_goals_are_absent(source: Source) -> Iterator[Finding]:
    """No ranking, research report, release summary or publishing: the upstream project does these."""
    named = [(node, node.name) for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef | Function)]
    for node, name in [(source.tree, source.module), *named]:
        if NON_GOALS.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()):
            yield source.finding(node, f"{name} names something this engine leaves to the upstream project")


def nothing_bypasses_the_state_load(source: Source) -> Iterator[Finding]:
    """No argument or setting runs an hour whose state could not be read."""
    if not source.within("main.py", "run_cycle_replay.py", "runtime/config.py", "runtime/run_settings.py"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and BYPASSES.fullmatch(node.value):
            yield source.finding(node, f"{node.value!r} reads like a way round the state-load abort; there is none")
