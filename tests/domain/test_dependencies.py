"""Failures in a row, breakers and pauses, as values."""

from __future__ import annotations

import pytest

from runtime.domain.dependencies import BINANCE, TELEGRAM, after_abort, failed, is_open, pause_ms, worked
from runtime.domain.state import Dependency
from runtime.errors import (
    Abort,
    EngineError,
    Misconfigured,
    RateLimited,
    Rejected,
    StoreMisconfigured,
    StoreUnavailable,
    Unavailable,
)


def test_the_third_failure_in_a_row_opens_and_one_success_closes() -> None:
    known: dict[str, Dependency] = {}
    opened = []
    for _ in range(4):
        known = failed(known, BINANCE)
        opened.append(is_open(known, BINANCE))
    assert opened == [False, False, True, True]
    assert not is_open(known, TELEGRAM)
    assert worked(known, BINANCE, 0) == {}


def test_a_success_in_between_starts_the_count_anew() -> None:
    known = failed(worked(failed(failed({}, BINANCE), BINANCE), BINANCE, 0), BINANCE)
    assert known == {BINANCE: Dependency(1)}


def test_a_pause_outlives_a_success_until_it_is_over() -> None:
    known = failed({}, BINANCE, 1_000)
    assert (pause_ms(known, BINANCE, 400), pause_ms(known, BINANCE, 1_000)) == (600, 0)
    assert worked(known, BINANCE, 999) == {BINANCE: Dependency(0, 1_000)}
    assert worked(known, BINANCE, 1_000) == {}


def test_a_shorter_pause_never_replaces_a_longer_one() -> None:
    assert failed({BINANCE: Dependency(1, 9_000)}, BINANCE, 5_000) == {BINANCE: Dependency(2, 9_000)}


@pytest.mark.parametrize(
    ("error", "failures"),
    [
        (Unavailable("prices", "no answer"), 1),
        (Misconfigured("account", "451", "move"), 1),
        (Rejected("account", -1, "no"), 1),
        (RateLimited("account", "slow down", 5), 1),
        (StoreUnavailable("store: no answer"), 0),
        (StoreMisconfigured("Firestore commit", "403", "grant the role"), 0),
        (Abort("something of ours"), 0),
    ],
)
def test_only_the_exchanges_own_failures_count_against_it(error: EngineError, failures: int) -> None:
    assert after_abort({}, error).get(BINANCE, Dependency()).failures == failures


def test_keeping_a_pause_is_no_new_failure() -> None:
    known = after_abort({}, RateLimited("account", "slow down", 5_000))
    assert after_abort(known, RateLimited(BINANCE, "an earlier run was told to wait", 5_000)) == known
