"""The check-up: side by side, in order of the table, within its time; one cause is one red row."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from runtime.checkup import Check, Row, Rows, Verdict, failed, hold, ok, skipped, warning
from runtime.errors import Misconfigured, RateLimited, Unavailable

LONG_S = 30.0


def giving(*rows: Row) -> Callable[[], Rows]:
    return lambda: list(rows)


def raising(error: Exception) -> Callable[[], Rows]:
    def run() -> Rows:
        raise error

    return run


def check(name: str, *needs: str, run: Callable[[], Rows] | None = None, after: tuple[str, ...] = ()) -> Check:
    return Check((name,), run or giving(ok(name, "well")), "mend it", needs, after)


def verdicts(rows: list[Row]) -> dict[str, str]:
    return {row.name: row.verdict.value for row in rows}


@pytest.fixture
def hung() -> Iterator[Callable[[], Rows]]:
    """A check that answers only when the test is over."""
    over = threading.Event()

    def run() -> Rows:
        over.wait(LONG_S)
        return []

    yield run
    over.set()


def test_rows_stand_in_the_order_of_the_checks_whichever_ends_first() -> None:
    slow = threading.Event()

    def late() -> Rows:
        slow.wait(LONG_S)
        return [ok("a", "late")]

    def early() -> Rows:
        slow.set()
        return [ok("b", "early")]

    rows = hold([check("a", run=late), ok("given", ""), check("b", run=early)], LONG_S)
    assert [row.name for row in rows] == ["a", "given", "b"]


def test_independent_checks_run_at_the_same_time() -> None:
    """Each waits for all the others: run in turn, none would end."""
    together = threading.Barrier(12)

    def meet() -> Rows:
        together.wait(LONG_S)
        return [ok(threading.current_thread().name, "met")]

    rows = hold([Check((f"c{n}",), meet, "") for n in range(12)], LONG_S)
    assert {row.verdict for row in rows} == {Verdict.OK}
    assert len(rows) == 12


def test_what_needs_a_row_that_failed_is_skipped_to_the_last_link() -> None:
    rows = hold(
        [check("a", run=giving(failed("a", "dead", "fix"))), check("b", "a"), check("c", "b"), check("d")], LONG_S
    )
    assert verdicts(rows) == {"a": "failed", "b": "skipped", "c": "skipped", "d": "ok"}
    assert [row.seen for row in rows[1:3]] == ["needs a", "needs b"]


def test_a_warning_holds_and_a_skipped_row_does_not() -> None:
    given = [warning("w", "", ""), skipped("s", "not here")]
    rows = hold([*given, check("a", "w"), check("b", "s"), check("c", after=("s",))], LONG_S)
    assert verdicts(rows) == {"w": "warning", "s": "skipped", "a": "ok", "b": "skipped", "c": "ok"}


def test_a_check_begins_after_what_it_waits_for_whatever_that_says() -> None:
    order: list[str] = []

    def noted(name: str, row: Row) -> Callable[[], Rows]:
        def run() -> Rows:
            order.append(name)
            return [row]

        return run

    second = check("second", run=noted("second", ok("second", "")), after=("first",))
    hold([second, check("first", run=noted("first", failed("first", "", "")))], LONG_S)
    assert order == ["first", "second"]


@pytest.mark.parametrize(
    ("error", "seen", "fix"),
    [
        (Unavailable("prices", "no answer"), "prices: no answer", "mend it"),
        (Misconfigured("Binance", "refused", "change the key"), "Binance: refused", "change the key"),
        (
            RateLimited("prices", "slow down", 0),
            "prices: slow down",
            "ask nothing before 1970-01-01 00:00 UTC; look for",
        ),
        (KeyError("hunter2-hunter2"), "KeyError: a fault of the check itself", "report it"),
    ],
)
def test_an_error_is_one_failed_row_with_its_fix_and_no_foreign_text(error: Exception, seen: str, fix: str) -> None:
    broken = Check(("a", "a2", "a3"), raising(error), "mend it")
    rows = hold([broken, check("b"), check("c", "a2")], LONG_S)
    assert verdicts(rows) == {"a": "failed", "a2": "skipped", "a3": "skipped", "b": "ok", "c": "skipped"}
    assert rows[0].seen == seen
    assert rows[0].fix.startswith(fix)
    assert "hunter2" not in str(rows)


def test_when_time_is_up_the_check_that_hangs_is_named_and_left_behind(hung: Callable[[], Rows]) -> None:
    started = time.monotonic()
    rows = hold([check("dead", run=hung), check("b"), check("c", "dead"), check("d", after=("dead",))], 0.3)
    assert time.monotonic() - started < 5
    assert verdicts(rows) == {"dead": "failed", "b": "ok", "c": "skipped", "d": "skipped"}
    assert rows[0].seen == "no answer within 0.3 s"
    assert rows[0].fix == "mend it"


def test_who_should_have_answered_is_named_where_the_row_does_not_say(hung: Callable[[], Rows]) -> None:
    (row,) = hold([Check(("dead",), hung, "mend it", of="Firestore")], 0.1)
    assert row.seen == "no answer from Firestore within 0.1 s"


def test_a_check_may_give_rows_that_nobody_knew_before() -> None:
    found = Check(("orders",), giving(ok("order A", ""), failed("order B", "refused", "")), "")
    rows = hold([found, check("c", "orders")], LONG_S)
    assert verdicts(rows) == {"order A": "ok", "order B": "failed", "c": "skipped"}


def test_nothing_to_check_gives_what_was_given() -> None:
    assert hold([ok("a", "")], LONG_S) == [ok("a", "")]
    assert hold([], LONG_S) == []
