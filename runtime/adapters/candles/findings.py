"""What a look at a folder found: problems that stop a run, and notes that it should know."""

from __future__ import annotations

from runtime.errors import BadCandles, BadInput

PROBLEMS_MAX = 20


class Findings:
    """Collects, so that one look reports everything at once."""

    def __init__(self) -> None:
        """Nothing found yet."""
        self.problems: list[str] = []
        self.notes: list[str] = []

    def problem(self, field: str, value: object, fix: str) -> None:
        """Something that stops the run: where, what is there, and what it should be."""
        self.problems.append(str(BadInput(field, value, fix)))

    def note(self, text: str) -> None:
        """Something an operator should know."""
        self.notes.append(text)

    def settle(self) -> None:
        """`BadCandles` with the first problems and the number of the others, if there are any."""
        if len(self.problems) > PROBLEMS_MAX:
            more = f"and {len(self.problems) - PROBLEMS_MAX} more problems"
            raise BadCandles((*self.problems[:PROBLEMS_MAX], more))
        if self.problems:
            raise BadCandles(tuple(self.problems))
