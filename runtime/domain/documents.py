"""Documents: the values that are stored beside the state, as JSON and back.

The state has its own codec, with versions and unknown fields (`domain.state`). Everything else a store keeps (intents,
ledger entries, cycle records, the control, the candle cache) is a frozen dataclass of plain values, so one codec does
for all: amounts are text, enums their value, nothing is a float that was not one before. The codec is generic; an
adapter names the type it reads.

What is read back is checked: a store outlives the code that wrote it, and an operator may edit it by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from runtime.domain.state import STATE_BYTES_MAX, State, encode_state
from runtime.errors import EngineError, StateUnreadable, StoreError

T = TypeVar("T")


def encode(value: object) -> dict[str, Any]:
    """The stored document of a dataclass: JSON values only, amounts as canonical text."""
    document: dict[str, Any] = _adapter(type(value)).dump_python(value, mode="json")  # type: ignore[arg-type] # classes hash
    return document


def decode(kind: type[T], document: Mapping[str, Any], where: str, required: tuple[str, ...] = ()) -> T:
    """The `kind` in a stored document; unknown fields are ignored.

    `StateUnreadable` names `where` and the field that is wrong, or one of `required` that is missing although the type
    has a default for it.
    """
    for name in required:
        if name not in document:
            raise StateUnreadable(f"{where}: {name}: missing – must be given")
    try:
        value: T = _adapter(kind).validate_python(dict(document))  # type: ignore[arg-type] # classes hash
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise StateUnreadable(f"{where}: {field}: {first['msg']} ({len(error.errors())} problem(s))") from None
    except EngineError as error:
        raise StateUnreadable(f"{where}: {error}") from None
    return value


def to_json(value: object) -> str:
    """`encode` as canonical text: the same value always gives the same characters."""
    return canonical(encode(value))


def from_json(kind: type[T], text: str | bytes, where: str, required: tuple[str, ...] = ()) -> T:
    """`decode` from text; `StateUnreadable` if it is not JSON."""
    return decode(kind, parse(text, where), where, required)


def canonical(document: Mapping[str, Any]) -> str:
    """ASCII JSON text with sorted keys and no spaces."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def parse(text: str | bytes, where: str) -> dict[str, Any]:
    """The JSON object in `text`; `StateUnreadable` if there is none."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise StateUnreadable(f"{where}: not JSON: {error}") from None
    if not isinstance(document, dict):
        raise StateUnreadable(f"{where}: {type(document).__name__} – must be an object")
    return document


def state_text(state: State) -> str:
    """The state document as canonical text; `StoreError` if it is larger than `STATE_BYTES_MAX`."""
    text = canonical(encode_state(state))
    check_state_size(len(text.encode()))
    return text


def check_state_size(size: int) -> None:
    """`StoreError` before anything is written, if `size` (bytes of the state document) is over the bound."""
    if size > STATE_BYTES_MAX:
        raise StoreError(
            f"state document: {size} bytes – at most {STATE_BYTES_MAX} fit; nothing was written: find what grows"
        )


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    """Built at first use: an hour that reads no journal does not pay for its codec."""
    return TypeAdapter(kind)
