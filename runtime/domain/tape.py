"""The tape: what a cycle saw, decided and did, as a chain that shows any later change.

One JSON record a line, in the order of the stages: `{"seq", "stage", "payload", "prev", "sha256"}`. Each digest covers
the record's number, stage, payload and the digest before it, so changing, dropping or reordering a record breaks the
chain from there on. The first record names the format and the code's version.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, TypeVar

from runtime.errors import BadInput

T = TypeVar("T")
FORMAT = 2
"""2: the calls of the hour are on the tape, so that all of it runs again. 1: only decision and plans are made again."""
READABLE = (1, 2)
VERSION = "0.1.0"
GENESIS = "0" * 64


def canonical(value: object) -> str:
    """Canonical JSON: sorted keys, no spaces, no NaN; the same value is the same text on every machine."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _as_it_is(value: object) -> object:
    return value


class Tape:
    """A tape being written: its `lines`, and the digest of the newest one as `head`."""

    def __init__(self) -> None:
        """An empty tape."""
        self.lines: list[str] = []
        self.head = GENESIS

    def start(self) -> None:
        """The first stage: what wrote this tape."""
        self.record("header", {"format": FORMAT, "code": VERSION})

    def record(self, stage: str, value: T, encoder: Callable[[T], object] = _as_it_is) -> None:
        """Append one stage; `encoder` makes JSON values of `value`, which must be frozen or nobody else's."""
        payload = encoder(value)
        link = _digest(len(self.lines), stage, payload, self.head)
        self.lines.append(_line(len(self.lines), self.head, link, stage, payload))
        self.head = link


class Silence(Tape):
    """The tape of an hour that nobody keeps: nothing is encoded for it."""

    def record(self, stage: str, value: T, encoder: Callable[[T], object] = _as_it_is) -> None:
        """Record nothing."""


def _line(seq: int, prev: str, link: str, stage: str, payload: object) -> str:
    return canonical({"seq": seq, "stage": stage, "payload": payload, "prev": prev, "sha256": link})


def _digest(seq: int, stage: str, payload: object, prev: str) -> str:
    return sha256(f"{prev}\n{seq}\n{stage}\n{canonical(payload)}".encode()).hexdigest()


def read_chain(lines: Sequence[str]) -> list[tuple[str, Any]]:
    """The stages of a tape as (name, payload), once its chain was checked; `BadInput` names the first broken record."""
    stages: list[tuple[str, Any]] = []
    head = GENESIS
    for number, line in enumerate(lines):
        where = f"tape record {number}"
        try:
            record = json.loads(line)
            stage, payload = record["stage"], record["payload"]
            claimed = (record["seq"], record["prev"], record["sha256"])
        except (ValueError, TypeError, KeyError):
            raise BadInput(
                where, line[:40], "must be a JSON record with seq, stage, payload, prev and sha256"
            ) from None
        if claimed != (number, head, _digest(number, stage, payload, head)) or line != _line(*claimed, stage, payload):
            raise BadInput(where, stage, "does not match the chain: the tape was changed")
        head = claimed[2]
        stages.append((stage, payload))
    if not stages:
        raise BadInput("tape", "", "is empty")
    version = stages[0][1].get("format") if isinstance(stages[0][1], dict) else None
    if stages[0][0] != "header" or version not in READABLE:
        known = " or ".join(map(str, READABLE))
        raise BadInput("tape format", version, f"must be {known}: replay it with the code that wrote it")
    return stages
