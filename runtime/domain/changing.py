"""Changing: a frozen value with some fields changed, quickly.

`dataclasses.replace` looks at every field of the class anew, each time. The state has more than twenty, and an hour
changes a few of them twice; this asks the class once. The result is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, TypeVar, cast

V = TypeVar("V")
Shape = tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]
_SHAPES: dict[type, Shape] = {}


def changed(value: V, **changes: object) -> V:
    """`value`, a frozen dataclass of at least two fields whose constructor takes them all, with `changes`."""
    kind: Callable[..., V] = type(value)
    names, read = _SHAPES.get(type(value)) or _shape(type(value))
    return kind(**{**dict(zip(names, read(value), strict=True)), **changes})


def _shape(kind: type) -> Shape:
    """The names of the fields, and what reads them all at once."""
    names = tuple(field.name for field in fields(cast("Any", kind)))
    return _SHAPES.setdefault(kind, (names, attrgetter(*names)))
