"""The job summary: what a run of the command adds to the page of its GitHub job (`--summary`).

It is written when the hour is over and its lease given back, so nothing in here can hold up or change an hour: a file
that cannot be written, or a store that does not answer, is a line on standard error. One read of the store more, for
the picture: the last hours' documents. None where the process was told to stop, because then there is no time for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.domain.equity_picture import Point
from runtime.domain.report import CycleStatus, Report
from runtime.domain.summary_markdown import BYTES_MAX, render_checks, render_end, render_summary
from runtime.domain.texts import Language
from runtime.errors import EngineError
from runtime.last_hours import last_hours
from runtime.ports import World


@dataclass(frozen=True, slots=True)
class JobSummary:
    """The file to append to; `figures` = amounts of the account may be shown."""

    path: Path
    figures: bool = False

    def tell_hour(self, report: Report, language: Language, world: World) -> None:
        """Add the hour, with the picture of the hours before it."""
        history = _history(world) if report.equity is not None and not world.stop() else ()
        self._add(lambda room: render_summary(report, language, history, figures=self.figures, room=room))

    def tell_end(self, status: CycleStatus, code: int, problems: Sequence[str]) -> None:
        """Add how a run ended that has no report."""
        self._add(lambda _: render_end(status, code, problems, Language.EN, figures=self.figures))

    def tell_checks(self, rows: Sequence[tuple[str, ...]], status: str, code: int) -> None:
        """Add what the doctor found."""
        self._add(lambda _: render_checks(rows, status, code, figures=self.figures))

    def _add(self, rendered: Callable[[int], str]) -> None:
        try:
            used = self.path.stat().st_size if self.path.exists() else 0
            with self.path.open("a", encoding="utf-8") as file:
                file.write(rendered(max(0, BYTES_MAX - used)))
        except OSError as error:
            sys.stderr.write(f"--summary: {self.path} cannot be written: {error.strerror}\n")


def _history(world: World) -> tuple[Point, ...]:
    try:
        return last_hours(world.store)
    except EngineError as error:
        sys.stderr.write(f"--summary: no picture of the last hours: {error}\n")
        return ()
