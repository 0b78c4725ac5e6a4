"""JSON documents of a market folder or a fixture: one object a file, each key once, no NaN or infinity."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from runtime.errors import BadPayload, Unavailable


def read_object(path: Path, where: str = "") -> dict[str, Any]:
    """The JSON object in `path`; `Unavailable` if it cannot be read, `BadPayload` if it is not one JSON object.

    Errors name it as `where`, or by its path.
    """
    where = where or str(path)
    try:
        value = json.loads(
            path.read_bytes(), parse_float=_finite, parse_constant=_finite, object_pairs_hook=_without_repeats
        )
    except OSError as error:
        raise Unavailable(where, error.strerror or str(error)) from None
    except (ValueError, RecursionError) as error:
        raise BadPayload(where, str(error), "must be one JSON object") from None
    if not isinstance(value, dict):
        raise BadPayload(where, value, "must be one JSON object")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found
