"""A clock that several processes share: eight bytes in a mapped file.

It stands still unless somebody waits on it or the test moves it. So a process that was stopped for seven minutes was
stopped for as long as the test says, and nothing waits in real time.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_MS = struct.Struct("<q")


class SharedClock:
    """The clock kept in the file `path`; `started_ms` makes the file."""

    def __init__(self, path: Path, started_ms: int | None = None) -> None:
        if started_ms is not None:
            path.write_bytes(_MS.pack(started_ms))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _MS.size)

    def now_ms(self) -> int:
        """Epoch ms."""
        return int(_MS.unpack_from(self._memory)[0])

    def monotonic(self) -> float:
        """Seconds on the same clock."""
        return self.now_ms() / 1000

    def sleep(self, seconds: float) -> None:
        """Advance by `seconds`, at once."""
        self.set(self.now_ms() + round(seconds * 1000))

    def set(self, now_ms: int) -> None:
        """Move to another moment."""
        _MS.pack_into(self._memory, 0, now_ms)
