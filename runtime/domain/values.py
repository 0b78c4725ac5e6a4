"""Values: frozen dataclasses that are made quickly.

Python sets each field of a frozen dataclass through `object.__setattr__` and by name, which costs five times as much as
a plain assignment: two microseconds for a state of two dozen fields, and an hour sets some four hundred. A class with
the metaclass `Value` is a frozen dataclass like any other, made in another way: a twin class of the same fields, which
is not frozen, is filled at the speed of any object; then the finished object becomes one of the frozen class, before
anybody has seen it. It pays from some four fields on.

    @dataclass(frozen=True, slots=True)
    class Gate(metaclass=Value):

Not for a class with a `__post_init__`: the twin has none.
"""

from __future__ import annotations

from dataclasses import MISSING, field, fields, make_dataclass
from typing import TYPE_CHECKING, Any

_TWINS: dict[type, type] = {}


class Value(type):
    """The metaclass of frozen, slotted dataclasses that an hour makes often."""

    if not TYPE_CHECKING:  # for a type checker a constructor is what the dataclass says

        def __call__(cls, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the fields are
            """A new value: the twin's, turned into this class's."""
            made = (_TWINS.get(cls) or _twin_of(cls))(*args, **named)
            made.__class__ = cls
            return made


def _twin_of(kind: Any) -> type:  # noqa: ANN401 - any dataclass
    """A class of the same fields and slots that is not frozen; made once."""
    made: list[tuple[str, Any, Any]] = []
    for known in fields(kind):
        if known.default_factory is not MISSING:
            made.append((known.name, Any, field(default_factory=known.default_factory)))
        else:
            made.append((known.name, Any, field(default=known.default)))
    return _TWINS.setdefault(kind, make_dataclass(kind.__name__, made, slots=True, eq=False, repr=False))
