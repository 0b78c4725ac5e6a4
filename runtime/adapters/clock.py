"""Clocks: the machine's own, and one that only moves when somebody waits (paper, history and tests)."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_S = 0.05
"""How long a wait goes on at most after the process was told to stop. (A signal alone ends no wait of Python's.)"""


class SystemClock:
    """This machine's clock, `shift_ms` away from its own opinion (to live in another year on recorded data).

    Once `stop` says anything, no wait lasts longer than `LOOK_S`.
    """

    def __init__(self, shift_ms: int = 0, stop: Callable[[], str] = str) -> None:
        """Unshifted, and stopped by nobody, by default."""
        self._shift_ms = shift_ms
        self._stop = stop

    def now_ms(self) -> int:
        """Epoch ms."""
        return time.time_ns() // 1_000_000 + self._shift_ms

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        left = seconds
        while left > 0 and not self._stop():
            time.sleep(min(left, LOOK_S))
            left -= LOOK_S


class SimulatedClock:
    """A clock at a given moment that advances by waiting alone: the same hour always takes the same time."""

    def __init__(self, now_ms: int) -> None:
        """Start at `now_ms` (epoch ms)."""
        self._started_ms = self._now_ms = now_ms

    def now_ms(self) -> int:
        """Epoch ms of the simulated moment."""
        return self._now_ms

    def monotonic(self) -> float:
        """Simulated seconds since the start."""
        return (self._now_ms - self._started_ms) / 1000

    def sleep(self, seconds: float) -> None:
        """Advance by `seconds`, at once."""
        self._now_ms += round(seconds * 1000)

    def set(self, now_ms: int) -> None:
        """Jump to another moment (also backwards: clocks do that)."""
        self._now_ms = now_ms
