"""Requests that fail: counted where they are made, told when they are many, told when it is over, replayed the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from runtime.domain.report import CycleStatus
from runtime.replay import replay_tape
from runtime.wiring import retold
from strategies.crypto_live_pool_rotation import decide
from tests.support.worlds import ACCOUNT, DOWN, Scene, scene


def with_usage(s: Scene, usage: Mapping[str, int]) -> None:
    s.wrap = lambda world: replace(world, usage=lambda: usage)


def kinds(s: Scene) -> list[str]:
    told = [alert.kind for alert in s.messenger.taken]
    s.messenger.taken.clear()
    return [kind for kind in told if kind in {"api_errors", "recovered"}]


def test_many_failed_requests_are_told_and_their_end_too() -> None:
    with scene() as s:
        with_usage(s, {"calls": 25, "failed": 5, "weight": 300})
        report = s.hour()
        assert report.status is CycleStatus.DONE
        assert report.usage == {"calls": 25, "failed": 5, "weight": 300}
        assert kinds(s) == ["api_errors"]
        with_usage(s, {"calls": 25, "failed": 0, "weight": 300})
        s.next()
        assert kinds(s) == ["recovered"]


@pytest.mark.parametrize(("calls", "failed"), [(10, 4), (26, 5), (0, 0), (100, 19)])
def test_a_few_failed_requests_are_any_days(calls: int, failed: int) -> None:
    with scene() as s:
        with_usage(s, {"calls": calls, "failed": failed, "weight": 1})
        s.hour()
        assert kinds(s) == []


def test_an_hour_that_told_it_replays_identically() -> None:
    """What was counted is on the tape: the replay asks nobody, and tells the same."""
    with scene() as s:
        with_usage(s, {"calls": 25, "failed": 6, "weight": 300})
        s.hour()
        s.faults({ACCOUNT: DOWN})
        assert s.next().usage == {"calls": 25, "failed": 6, "weight": 300}, "also where the hour ended early"
        for slot, lines in s.reports.tapes:
            assert replay_tape(lines, decide, retold) == (slot, ())


def test_an_hour_over_http_knows_how_much_it_asked() -> None:
    with scene(http=True) as s:
        report = s.hour()
        assert report.usage["calls"] == sum(s.used.values())
        assert report.usage["failed"] == 0
        assert report.usage["weight"] > 0
