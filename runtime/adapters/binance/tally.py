"""The tally of a connection: how many requests went out, how many came to nothing, and what a minute weighed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping


class Tally:
    """Counts requests of several threads."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._counted: Counter[str] = Counter()
        self._lock = threading.Lock()

    def note(self, weight: int | None, *, failed: bool) -> None:
        """One request more; `weight` is what its answer said of this minute."""
        with self._lock:
            self._counted["calls"] += 1
            self._counted["failed"] += failed
            self._counted["weight"] = max(self._counted["weight"], weight or 0)

    def counts(self) -> Mapping[str, int]:
        """`calls` until now, those that `failed` (no answer, or an error), the most `weight` of a minute."""
        with self._lock:
            return dict(self._counted)
