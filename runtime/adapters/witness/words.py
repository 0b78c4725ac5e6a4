"""Words: a call's arguments and its answer as JSON values, and the answer back as the value that the port promised.

The types come from the ports' own signatures, so a method that is added to a port needs nothing here. Two things stay
out: what only a store may hold (lease owners, tokens of its documents), and errors' causes. An answer is

    {"value": ...}                          what was returned; `is` names the class where several are possible
    {"error": ..., "text": ..., "facts":..} the `EngineError` that was raised
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from hashlib import sha256
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter

from runtime import errors
from runtime.domain.documents import encode, state_text
from runtime.domain.state import decode_state, encode_state
from runtime.errors import BadInput, EngineError
from runtime.ports import Alerter, Changes, Exchange, Held, Lease, Loaded, MarketData, PoolSource, Store

PORTS: Mapping[str, type] = {
    "pool": PoolSource,
    "market": MarketData,
    "exchange": Exchange,
    "store": Store,
    "alerter": Alerter,
}
NOBODY = ""
"""Stands where a lease's owner was: the token opens the account's state to whoever has the store."""


def call_name(port: str, method: str, arguments: Sequence[object], owner: str) -> str:
    """What tells one call from another: port, method and arguments, without those that only a store understands, and
    without the `owner` of a lease.
    """
    shown = (value for value in arguments if not isinstance(value, Loaded | Held | Changes))
    told = [NOBODY if value == owner else _argument(value) for value in shown]
    return f"{port}.{method}{json.dumps(told, sort_keys=True, separators=(',', ':'), ensure_ascii=False)}"


def _argument(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return str(value)
    if is_dataclass(value):
        return encode(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_argument(item) for item in value]
    return value


def written(changes: Changes) -> dict[str, Any]:
    """What one atomic write asked for: the state by its digest, intents, entries and the slot's record in full."""
    return {
        "state": sha256(state_text(changes.state).encode()).hexdigest(),
        "intents": [encode(intent) for intent in changes.intents],
        "entries": [encode(entry) for entry in changes.entries],
        "cycle": encode(changes.cycle) if changes.cycle is not None else None,
        "release": changes.release,
    }


def answer_of(port: str, method: str, value: object) -> dict[str, Any]:
    """The answer to put down."""
    if isinstance(value, EngineError):
        return _error(value)
    if isinstance(value, Loaded):
        state = encode_state(value.state) if value.state is not None else None
        return {"value": {"state": state, "lease": _lease(value.lease), "read_ms": value.read_ms}}
    if isinstance(value, Held):
        return {"value": {"lease": _lease(value.lease)}}
    plain = dict(value) if isinstance(value, Mapping) else value
    kinds = _kinds(_promised(port, method))
    if len(kinds) > 1 and value is not None:
        return {"is": type(value).__name__, "value": encode(value)}
    return {"value": _adapter(port, method).dump_python(plain, mode="json")}


def value_of(port: str, method: str, answer: Mapping[str, Any], owner: str) -> object:
    """The value that was put down, or the error (to be raised); `BadInput` where it is not as this code writes it."""
    try:
        if "error" in answer:
            return _raised(answer)
        value = answer["value"]
        promised = _promised(port, method)
        if promised is Loaded:
            state = decode_state(value["state"]) if value["state"] is not None else None
            return Loaded(state, _leased(value["lease"], NOBODY), None, value["read_ms"])
        if promised is Held:
            return Held(_leased(value["lease"], owner), None)
        if "is" in answer:
            kind = next(kind for kind in _kinds(promised) if kind.__name__ == answer["is"])
            return TypeAdapter(kind).validate_python(value)
        return _adapter(port, method).validate_python(value)
    except (ValueError, TypeError, KeyError, AttributeError, StopIteration) as error:
        raise BadInput(f"tape {port}.{method}", str(error), "must be as this version writes it") from None


def _lease(lease: Lease | None) -> dict[str, Any] | None:
    return None if lease is None else {**encode(lease), "owner": NOBODY}


def _leased(value: Mapping[str, Any] | None, owner: str) -> Any:  # noqa: ANN401 - a lease, or none where there was none
    return None if value is None else Lease(**{**value, "owner": owner})


def _error(error: EngineError) -> dict[str, Any]:
    facts = {name: fact for name, fact in vars(error).items() if isinstance(fact, str | int) or fact is None}
    return {"error": type(error).__name__, "text": str(error), "facts": facts}


def _raised(answer: Mapping[str, Any]) -> EngineError:
    """The error again, with its text and facts, whatever its constructor asks for."""
    kind = getattr(errors, answer["error"])
    error: EngineError = kind.__new__(kind)
    error.args = (answer["text"],)
    vars(error).update(answer["facts"])
    return error


@cache
def _promised(port: str, method: str) -> Any:  # noqa: ANN401 - a type, or a union of types
    return get_type_hints(getattr(PORTS[port], method))["return"]


@cache
def _adapter(port: str, method: str) -> TypeAdapter[Any]:
    return TypeAdapter(_promised(port, method))


def _kinds(promised: Any) -> tuple[type, ...]:  # noqa: ANN401 - a type, or a union of types
    several = tuple(kind for kind in get_args(promised) if isinstance(kind, type) and is_dataclass(kind))
    return several or (promised,)
