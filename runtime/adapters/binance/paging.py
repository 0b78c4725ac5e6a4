"""Histories in pieces: time windows no longer than an endpoint allows, and pages until one is not full.

Histories are asked a little past our idea of now, because the exchange's clock may be ahead of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from runtime.errors import Unavailable

T = TypeVar("T")
AHEAD_MS = 10_000
PAGES_MAX = 200


def windows(since_ms: int, now_ms: int, span_ms: int) -> Iterator[tuple[int, int]]:
    """Start and end (both included, epoch ms) of windows of at most `span_ms` that cover `since_ms` to now."""
    end_ms = max(now_ms, since_ms) + AHEAD_MS
    for start in range(since_ms, end_ms + 1, span_ms + 1):
        yield start, min(start + span_ms, end_ms)


def pages(what: str, size: int, fetch: Callable[[int], Sequence[T]]) -> list[T]:
    """All rows of the pages 1, 2, ... of `size` rows; `Unavailable` if they do not end."""
    rows: list[T] = []
    for page in range(1, PAGES_MAX + 1):
        found = fetch(page)
        rows += found
        if len(found) < size:
            return rows
    raise Unavailable(what, f"more than {PAGES_MAX} pages of {size} rows")
