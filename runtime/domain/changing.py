"""Changing: a frozen value with some fields changed, quickly.

`dataclasses.replace` looks at every field of the class anew, each time. The state has more than twenty, and an hour
changes a few of them twice; this asks the class once. The result is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, TypeVar, cast

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Shape:
    """The names of a class's fields, where each stands, and what reads them all at once."""

    names: tuple[str, ...]
    places: Mapping[str, int]
    read: Callable[[object], tuple[object, ...]]
    named: bool
    """Whether its constructor takes them by name only."""


_SHAPES: dict[type, _Shape] = {}


def changed(value: V, **changes: object) -> V:
    """`value`, a frozen dataclass of at least two fields whose constructor takes them all, with `changes`."""
    kind: Callable[..., V] = type(value)
    shape = _SHAPES.get(type(value)) or _shape(type(value))
    if shape.named:
        return kind(**{**dict(zip(shape.names, shape.read(value), strict=True)), **changes})
    values = [*shape.read(value)]
    for name, new in changes.items():
        values[shape.places[name]] = new
    return kind(*values)


def _shape(kind: type) -> _Shape:
    known = fields(cast("Any", kind))
    names = tuple(field.name for field in known)
    places = {name: at for at, name in enumerate(names)}
    return _SHAPES.setdefault(kind, _Shape(names, places, attrgetter(*names), any(field.kw_only for field in known)))
