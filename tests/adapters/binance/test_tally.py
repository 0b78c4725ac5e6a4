"""The tally of a connection: every request once, whatever became of it, and the heaviest minute."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.adapters.binance.tally import Tally
from runtime.errors import Unavailable
from tests.adapters.binance.conftest import Bench
from tests.support.http_stub import Fate, Reply

TIME = "GET /api/v3/time"


def weighing(weight: int, status: int = 200) -> Reply:
    body = {"serverTime": 1} if status == 200 else {"code": -1001, "msg": "Internal error"}
    return Reply(status, body, {"x-mbx-used-weight-1m": str(weight)})


def test_tries_that_failed_are_counted_as_requests_and_as_failures(bench: Bench) -> None:
    bench.stub.on(TIME, weighing(5, 503), weighing(7))
    bench.market.server_time_ms()
    assert bench.connection.tally.counts() == {"calls": 2, "failed": 1, "weight": 7}


def test_no_answer_is_a_failure_too_and_the_heaviest_minute_stays(bench: Bench) -> None:
    bench.stub.on(TIME, weighing(900))
    bench.market.server_time_ms()
    bench.stub.on(TIME, Fate.CUT)
    with pytest.raises(Unavailable):
        bench.market.server_time_ms()
    counts = bench.connection.tally.counts()
    assert counts["weight"] == 900
    assert counts["failed"] == counts["calls"] - 1 == bench.stub.count(TIME) - 1


def test_threads_lose_no_count() -> None:
    tally = Tally()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: tally.note(number, failed=number % 2 == 0), range(1000)))
    assert tally.counts() == {"calls": 1000, "failed": 500, "weight": 999}
