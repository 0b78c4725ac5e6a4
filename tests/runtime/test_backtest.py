"""Runs over history: the same hours as live ones, resumable, blind to what comes after, honest about gaps."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from runtime.backtest import Checkpoint, Progress, read_checkpoint
from runtime.domain.history import History
from runtime.domain.history_plan import Deposits, HistoryPlan
from runtime.domain.slots import DAY_MS, HOUR_MS
from runtime.domain.track import canonical, read_track
from runtime.errors import BadInput
from runtime.wiring_past import simulate
from tests.support.pasts import BEGIN_MS, PAIRS, a_past, past_settings, without

WARM_DAYS = 210
PLAN = HistoryPlan(BEGIN_MS + WARM_DAYS * DAY_MS, BEGIN_MS + (WARM_DAYS + 5) * DAY_MS, deposits=Deposits(Decimal(100)))


@pytest.fixture(scope="module")
def history() -> History:
    return a_past((WARM_DAYS + 8) * 24)


def test_a_run_notes_every_hour_and_its_columns_agree(history: History) -> None:
    track = simulate(past_settings(), history, PLAN)
    assert len(track) == 5 * 24
    assert list(track.times_ms())[-1] == PLAN.end_ms - HOUR_MS
    hours = track.columns.hours
    for name in ("equity", "cash", "core", "trend", "fuel", "flow", "price", "exit", "rung", "gates", "breaker"):
        assert len(hours[name]) == len(track), name
    for at in range(len(track)):
        parts = sum(hours[name][at] for name in ("cash", "core", "trend", "fuel"))
        assert parts == pytest.approx(hours["equity"][at])
    assert track.columns.rungs == ("fresh_upstream",)
    assert track.trades
    assert {name: len(column) for name, column in track.columns.days.items()} == dict.fromkeys(track.columns.days, 5)


def test_the_same_run_leaves_the_same_bytes_and_reads_back(history: History) -> None:
    first, second = (simulate(past_settings(), history, PLAN) for _ in range(2))
    assert canonical(first) == canonical(second)
    assert canonical(read_track(canonical(first))) == canonical(first)
    assert read_track(canonical(first)).digest() == first.digest()


class Left(Exception):
    """The run was left."""


@pytest.mark.parametrize("days", [1, 3])
def test_a_run_that_was_left_and_taken_up_leaves_the_same_bytes(history: History, days: int) -> None:
    kept: list[Checkpoint] = []

    def leave(progress: Progress) -> None:
        if progress.done == days * 24:
            kept.append(progress.checkpoint())
            raise Left

    with pytest.raises(Left):
        simulate(past_settings(), history, PLAN, leave)
    resumed = read_checkpoint(kept[0].text())
    assert resumed.next_ms == PLAN.start_ms + days * DAY_MS
    track = simulate(past_settings(), history, PLAN, resume_from=resumed)
    assert canonical(track) == canonical(simulate(past_settings(), history, PLAN))


def test_a_checkpoint_of_another_run_is_refused(history: History) -> None:
    kept: list[Checkpoint] = []
    simulate(
        past_settings(),
        history,
        replace(PLAN, end_ms=PLAN.start_ms + 2 * DAY_MS),
        lambda p: kept.append(p.checkpoint()),
    )
    with pytest.raises(BadInput, match="begin anew"):
        simulate(past_settings(), history, PLAN, resume_from=kept[0])


def test_an_hour_in_which_no_pair_has_a_candle_is_a_closed_exchange(history: History) -> None:
    gone = range(PLAN.start_ms + 30 * HOUR_MS, PLAN.start_ms + 32 * HOUR_MS)
    gapped = history
    for symbol in history.candles.hourly:
        gapped = without(gapped, symbol, gone)
    track = simulate(past_settings(), gapped, PLAN)
    exits = track.columns.hours["exit"]
    assert [at for at, code in enumerate(exits) if code] == [30, 31]
    assert exits[30] == 3
    assert track.column("equity")[30] == track.column("equity")[29]


def test_a_gap_of_one_pair_stops_nothing_else(history: History) -> None:
    gone = range(PLAN.start_ms + 30 * HOUR_MS, PLAN.start_ms + 60 * HOUR_MS)
    track = simulate(past_settings(), without(history, PAIRS[0], gone), PLAN)
    assert not any(track.columns.hours["exit"])


def test_deposits_arrive_on_their_day_and_are_no_profit(history: History) -> None:
    plan = replace(PLAN, start_ms=BEGIN_MS + 210 * DAY_MS, end_ms=BEGIN_MS + 217 * DAY_MS)
    track = simulate(past_settings(), history, replace(plan, deposits=Deposits(Decimal(250), 1)))
    paid = [(at, amount) for at, amount in enumerate(track.column("flow")) if amount]
    assert paid == [((212 - 210) * 24, 250.0)]  # 2022-08-01
    assert track.ledger["flows"] == {"USDT": "-250"}
