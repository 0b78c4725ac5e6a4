"""What Firestore holds for an account, and how a value becomes a Firestore document.

    strategy/MULTI_ASSET_STATE                    the state, with `lease` and `commits` (the last writes' random ids)
        journal/<intent id>                       an intent; `expires_at` for a TTL policy
        ledger/<day>                              `entries`: entry id -> entry, each with its rank of booking
        cycles/<slot>                             the slot's record; `expires_at` for a TTL policy
        audit/<event id>                          an event of the audit log; never changed, never removed
        control/control, inbox/inbox, cache/daily, probe/probe

A ledger day is appended to without reading it: a merge names the fields `entries.<id>`, so booking an entry again
replaces it. Maps have no order in Firestore, hence the rank: the state document's last update before the commit, which
grows with every commit, then the place within the commit. The cache is one compressed field; columns of floats would
otherwise cost an index entry each.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from runtime.domain.documents import decode, from_json, to_json
from runtime.domain.ledger import Entry
from runtime.errors import StateUnreadable
from runtime.ports import DailyCache

KEPT_DAYS = 400
"""Journal and cycles stay this long where a TTL policy on `expires_at` is set: a year, and time to look."""

PACKED_BYTES_MAX = 1_000_000
"""A field may hold 1 MiB less 89 bytes."""

UNPACKED_BYTES_MAX = 20_000_000
"""About 400 symbols with 1000 days each: what unpacks to more was not packed here."""


def intent_document(body: Mapping[str, Any]) -> dict[str, Any]:
    """A stored intent with its expiry."""
    return _expiring(body, "recorded_ms")


def cycle_document(body: Mapping[str, Any]) -> dict[str, Any]:
    """A stored cycle record with its expiry."""
    return _expiring(body, "ended_ms")


def rank(booked_us: int, place: int) -> str:
    """What orders the entries of a day: `booked_us` (epoch µs) orders commits, `place` the entries of one."""
    return f"{booked_us:020d}-{place:06d}"


def ledger_entries(day: Mapping[str, Any]) -> list[Entry]:
    """The entries of a ledger day, in order of booking."""
    return [decode(Entry, value, "ledger") for _, value in ranked(day)]


def ranked(day: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The stored entries of a ledger day by their ids, in order of booking."""
    stored = day.get("entries")
    if not isinstance(stored, Mapping) or not all(isinstance(value, Mapping) for value in stored.values()):
        raise StateUnreadable("ledger: entries: must be a map of maps")
    return sorted(stored.items(), key=lambda item: str(item[1].get("rank", "")))


def pack(cache: DailyCache) -> bytes | None:
    """The cache, compressed; None if it is too large for a document: then it is fetched again, not kept."""
    packed = zlib.compress(to_json(cache).encode())
    return packed if len(packed) <= PACKED_BYTES_MAX else None


def unpack(packed: object) -> DailyCache:
    """The cache in a stored field; `StateUnreadable` if it is not one."""
    if not isinstance(packed, bytes):
        raise StateUnreadable(f"cache: {type(packed).__name__} – must be bytes")
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(packed, UNPACKED_BYTES_MAX)
    except zlib.error as error:
        raise StateUnreadable(f"cache: {error}") from None
    if not unpacking.eof:
        raise StateUnreadable("cache: cut short, or too large")
    return from_json(DailyCache, text, "cache")


def json_values(value: Any) -> Any:  # noqa: ANN401 - whatever a document may hold
    """A value that others wrote, as JSON: timestamps in ISO form, bytes in base64, references and points as text."""
    if isinstance(value, Mapping):
        return {key: json_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_values(item) for item in value]
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if value is None or isinstance(value, str | int | float):
        return value
    return value.isoformat() if isinstance(value, datetime) else str(value)


def stored_size(value: object) -> int:
    """Bytes of a field's value by Firestore's own arithmetic: text is its UTF-8 length and 1, a number 8, a truth 1."""
    if isinstance(value, Mapping):
        return sum(len(str(key).encode()) + 1 + stored_size(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(stored_size, value))
    if isinstance(value, str):
        return len(value.encode()) + 1
    return 1 if value is None or isinstance(value, bool) else 8


def _expiring(body: Mapping[str, Any], since: str) -> dict[str, Any]:
    """The document with its expiry, counted from its field `since` (epoch ms); without one if that is no time."""
    from_ms = body.get(since)
    if type(from_ms) is not int:
        return dict(body)
    return dict(body) | {"expires_at": datetime.fromtimestamp(from_ms // 1000, UTC) + timedelta(days=KEPT_DAYS)}
