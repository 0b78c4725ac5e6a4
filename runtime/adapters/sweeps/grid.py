"""A grid: every point of a space, one after the other. It needs no library."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.domain.sweep_space import Parameters, Space


class GridSearch:
    """Every point of a grid, once."""

    learns = False

    def __init__(self, space: Space) -> None:
        """Begins with the first point."""
        self._points: Iterator[Parameters] = space.points()

    def ask(self) -> Parameters:
        """The next point; there are as many as the space has trials."""
        return next(self._points)

    def tell(self, value: float | None) -> None:
        """A grid learns nothing."""
