"""The direction of imports: `main → wiring → adapters → domain ← strategies`, and the engine's own chain.

Two kinds of rule. A module near the bottom has a list of what it may import (`ALLOWED`); a module of the engine has a
list of what it must not reach, even by a detour (`CHAIN`). Imports inside functions and for type checkers count.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from tests.support.sources import ENTRIES, Finding, Source, below, imports

PROJECT = ("runtime", "strategies", "main", "run_cycle_replay")
NOUNS = ("runtime.domain", "runtime.errors")
WIRINGS = (
    "runtime/wiring.py",
    "runtime/wiring_channels.py",
    "runtime/wiring_pages.py",
    "runtime/wiring_past.py",
    "runtime/wiring_stores.py",
    "runtime/wiring_desk.py",
    "runtime/wiring_sweep.py",
    "runtime/wiring_inbox.py",
)

# What of this project a module may import; the first place that holds the module decides.
ALLOWED: dict[str, tuple[str, ...]] = {
    "runtime/__init__.py": (),
    "runtime/errors.py": (),
    "runtime/domain": NOUNS,
    "runtime/ports.py": NOUNS,
    "runtime/run_settings.py": NOUNS,
    "runtime/config.py": (*NOUNS, "runtime.run_settings"),
    "runtime/adapters": (*NOUNS, "runtime.ports"),
    "strategies": (*NOUNS, "strategies"),
}

# Each may reach those after it, by any way, and none before it.
CHAIN = (
    "runtime.backtest",
    "runtime.cycle",
    "runtime.execution",
    "runtime.recovery",
    "runtime.ports",
    "runtime.domain",
)

# What may be imported from outside this project.
OUTSIDE: dict[str, tuple[str, ...]] = {"runtime/domain": ("pydantic",), "strategies": ()}


def _limits(source: Source, table: dict[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    return next((allowed for place, allowed in table.items() if source.within(place)), None)


def _adapter(source: Source) -> str:
    """The adapter a file belongs to, as a dotted name: its folder, or itself when it lies flat."""
    return ".".join(source.module.split(".")[:3])


def project_imports_point_one_way(source: Source) -> Iterator[Finding]:
    """Domain, ports, config, adapters and strategies import only what lies below them; adapters never each other."""
    allowed = _limits(source, ALLOWED)
    if allowed is None:
        return
    if source.within("runtime/adapters") and source.path != "runtime/adapters/__init__.py":
        allowed = (*allowed, _adapter(source))
    for node, name in imports(source):
        if below(name, PROJECT) and not below(name, allowed):
            yield source.finding(
                node, f"imports {name}; it may import of this project: {', '.join(allowed) or 'nothing'}"
            )


def domain_and_strategies_need_no_library(source: Source) -> Iterator[Finding]:
    """The domain knows the standard library and pydantic; a strategy only the standard library."""
    outside = _limits(source, OUTSIDE)
    if outside is None:
        return
    for node, name in imports(source):
        root = name.split(".", maxsplit=1)[0]
        if root not in sys.stdlib_module_names and not below(name, (*PROJECT, *outside)):
            yield source.finding(node, f"imports {name}; only the standard library{' and pydantic' if outside else ''}")


def only_wiring_imports_adapters_and_strategies(source: Source) -> Iterator[Finding]:
    """The choice of adapters and strategies is made in one place."""
    if source.within(*WIRINGS, "runtime/adapters", "strategies"):
        return
    for node, name in imports(source):
        if below(name, ("runtime.adapters", "strategies")):
            yield source.finding(node, f"imports {name}; only runtime/wiring.py may, others take what it hands them")


def only_entries_import_wiring(source: Source) -> Iterator[Finding]:
    """The engine takes its world as an argument; only a command wires one."""
    if source.within(*ENTRIES, *WIRINGS):
        return
    for node, name in imports(source):
        if below(name, tuple(path.removesuffix(".py").replace("/", ".") for path in WIRINGS)):
            yield source.finding(node, f"imports {name}; only an entry ({', '.join(ENTRIES)}) may")


def nothing_imports_an_entry(source: Source) -> Iterator[Finding]:
    """An entry is started, not imported."""
    for node, name in imports(source):
        if below(name, ("main", "run_cycle_replay", "runtime.__main__")):
            yield source.finding(node, f"imports the entry {name}; move what both need into runtime/")


def the_chain_is_never_climbed(sources: Sequence[Source]) -> Iterator[Finding]:
    """No module of the chain reaches one above it, neither directly nor through others."""
    edges = {source.module: _edges(source, sources) for source in sources}
    for source in sources:
        rank = next((at for at, link in enumerate(CHAIN) if below(source.module, [link])), 0)
        for above in CHAIN[:rank]:
            way = _way(edges, source.module, above)
            if way:
                yield source.finding(1, f"reaches {above}, which stands above it: {' -> '.join(way)}")


def _edges(source: Source, sources: Sequence[Source]) -> set[str]:
    """The modules of `sources` that `source` imports."""
    modules = {other.module for other in sources}
    found: set[str] = set()
    for _, name in imports(source):
        parts = name.split(".")
        known = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
        found.update(module for module in list(known)[:2] if module in modules)
    return found - {source.module}


def _way(edges: dict[str, set[str]], start: str, goal: str) -> list[str]:
    """The shortest chain of imports from `start` to `goal`; empty when there is none."""
    ways, seen = [[start]], {start}
    for way in ways:
        for module in sorted(edges.get(way[-1], set()) - seen):
            if module == goal:
                return [*way, module]
            seen.add(module)
            ways.append([*way, module])
    return []
