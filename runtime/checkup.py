"""The check-up: independent checks side by side, each within its time, none hidden by another that fails.

The worked problem: one dead dependency must cost seconds and must be the only thing that is red. So a check runs on a
thread of its own as soon as what it needs has held; what needs something that failed is skipped and says so, because a
second red row for the same cause hides the first. When time is up, what has not answered is named and left behind: the
threads are daemons, a call that hangs keeps nobody waiting.

A check gives rows. An error of ours is a row too, with the fix that it carries; any other error is a fault of the check
itself, and is named by its kind alone, because its text may hold anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.pool import ThreadPool
from queue import Empty, SimpleQueue
from time import monotonic

from runtime.domain.slots import minute_text
from runtime.errors import EngineError, Misconfigured, RateLimited


class Verdict(StrEnum):
    """How a check ended. A warning does not stop an hour; skipped = not looked at, and why is said."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was looked at: what was seen, and what to do where it is not as it should be."""

    name: str
    verdict: Verdict
    seen: str
    fix: str = ""

    @property
    def holds(self) -> bool:
        """Whether what builds on it may be looked at."""
        return self.verdict in {Verdict.OK, Verdict.WARNING}


Rows = Sequence[Row]


@dataclass(frozen=True, slots=True)
class Check:
    """One look at the world. `names` are its rows in order; the first is the one that fails where `run` raises, with
    `fix` where the error has none. `needs` are rows that must hold, `after` rows that must be known before it begins.
    `of` names whoever should answer, where the rows' names do not.
    """

    names: tuple[str, ...]
    run: Callable[[], Rows]
    fix: str
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    of: str = ""


def ok(name: str, seen: str) -> Row:
    """A row that holds."""
    return Row(name, Verdict.OK, seen)


def warning(name: str, seen: str, fix: str) -> Row:
    """A row that an operator should know of, and that stops no hour."""
    return Row(name, Verdict.WARNING, seen, fix)


def failed(name: str, seen: str, fix: str) -> Row:
    """A row that stops an hour, or would let it do harm."""
    return Row(name, Verdict.FAILED, seen, fix)


def skipped(name: str, why: str) -> Row:
    """A row that was not looked at."""
    return Row(name, Verdict.SKIPPED, why)


def hold(checks: Sequence[Check | Row], seconds: float) -> list[Row]:
    """All rows in the order of `checks`, after `seconds` at most; a row that is given stands as it is."""
    sitting = _Sitting(checks)
    ends = monotonic() + seconds
    with ThreadPool(max(1, len(sitting.waiting))) as threads:
        sitting.begin(threads)
        while sitting.running:
            try:
                check, answer = sitting.answers.get(timeout=max(0.0, ends - monotonic()))
            except Empty:
                break
            sitting.take(check, answer)
            sitting.begin(threads)
    sitting.close(seconds)
    return [row for item in checks for row in sitting.rows_of(item)]


class _Sitting:
    """The state of one check-up: what waits, what runs, and the rows so far."""

    def __init__(self, checks: Sequence[Check | Row]) -> None:
        self.waiting = [check for check in checks if isinstance(check, Check)]
        self.running: list[Check] = []
        self.answers: SimpleQueue[tuple[Check, Rows | BaseException]] = SimpleQueue()
        self._known = {row.name: row for row in checks if isinstance(row, Row)}
        self._found: dict[tuple[str, ...], Rows] = {}

    def begin(self, threads: ThreadPool) -> None:
        """Start every check that may begin, and skip those that never will."""
        while unmet := next(filter(self._broken_need, self.waiting), None):
            self.waiting.remove(unmet)
            self._keep(unmet, [skipped(name, f"needs {self._broken_need(unmet)}") for name in unmet.names])
        for check in [check for check in self.waiting if self._known.keys() >= {*check.needs, *check.after}]:
            self.waiting.remove(check)
            self.running.append(check)
            tell = self._teller(check)
            threads.apply_async(check.run, callback=tell, error_callback=tell)

    def take(self, check: Check, answer: Rows | BaseException) -> None:
        """Keep what a check found."""
        self.running.remove(check)
        if isinstance(answer, BaseException):
            self._give_up(check, *_words(answer, check.fix))
        else:
            self._keep(check, answer)

    def close(self, seconds: float) -> None:
        """Time is up: name what has not answered, and what was therefore not looked at."""
        for check in self.running:
            whose = f" from {check.of}" if check.of else ""
            self._give_up(check, f"no answer{whose} within {seconds:.1f} s", check.fix)
        for check in self.waiting:
            missing = next(name for name in (*check.needs, *check.after) if not self._holds(name))
            self._keep(check, [skipped(name, f"needs {missing}") for name in check.names])

    def rows_of(self, item: Check | Row) -> Rows:
        return [item] if isinstance(item, Row) else self._found[item.names]

    def _teller(self, check: Check) -> Callable[[Rows | BaseException], None]:
        return lambda answer: self.answers.put((check, answer))

    def _holds(self, name: str) -> bool:
        return name in self._known and self._known[name].holds

    def _broken_need(self, check: Check) -> str | None:
        """The first row that the check needs and that is known not to hold."""
        return next((name for name in check.needs if name in self._known and not self._known[name].holds), None)

    def _give_up(self, check: Check, seen: str, fix: str) -> None:
        first, *others = check.names
        self._keep(check, [failed(first, seen, fix), *(skipped(name, f"needs {first}") for name in others)])

    def _keep(self, check: Check, rows: Rows) -> None:
        self._found[check.names] = rows
        self._known |= {row.name: row for row in rows}
        # A check may name what it looked at only when it has looked: whoever waits for it need not know these names.
        first = next((row for row in rows if not row.holds), rows[0] if rows else ok(check.names[0], ""))
        self._known |= {name: first for name in check.names if name not in self._known}


def _words(error: BaseException, fix: str) -> tuple[str, str]:
    """What a check's error says was seen, and what to do about it."""
    if isinstance(error, RateLimited):
        until = minute_text(error.retry_at_ms)
        return str(error), f"ask nothing before {until}; look for another program on the same address or key"
    if isinstance(error, Misconfigured):
        return f"{error.what}: {error.why}", error.fix
    if isinstance(error, EngineError):
        return str(error), fix
    return f"{type(error).__name__}: a fault of the check itself", "report it with the version of the engine"
