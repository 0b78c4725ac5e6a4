"""JSON documents of a market folder or a fixture: one object a file, numbers exact."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from runtime.errors import BadPayload, Unavailable


def read_object(path: Path, number: Callable[[str], object] = Decimal) -> dict[str, Any]:
    """The JSON object in `path`; a number with a point becomes `number` of its text, by default an exact `Decimal`.

    `Unavailable` if the file cannot be read, `BadPayload` if it is not one JSON object (a key given twice is refused).
    """
    try:
        value = json.loads(
            path.read_bytes(), parse_float=number, parse_constant=_constant, object_pairs_hook=_without_repeats
        )
    except OSError as error:
        raise Unavailable(str(path), error.strerror or str(error)) from None
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise BadPayload(str(path), str(error), "must be one JSON object") from None
    if not isinstance(value, dict):
        raise BadPayload(str(path), value, "must be one JSON object")
    return value


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found
