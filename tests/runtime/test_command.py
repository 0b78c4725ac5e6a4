"""Signals: the real command, told to stop while it waits, ends at once and by its own exit line."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.adapters.clock import LOOK_S, SystemClock
from runtime.adapters.simulated.conditions import PAPER, Fault, Script
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.sqlite import SqliteStore
from tests.support.engine import Engine, live
from tests.support.worlds import LOOK_UP, ORDER

LOST = replace(PAPER, faults=Script({ORDER: {0: Fault(drop=True)}}))
SLOW = replace(PAPER, faults=Script({ORDER: {0: Fault(delay_out_ms=3_000)}}))
RUNNERS_PATIENCE_S = 7.5
"""From a runner's first signal to its second; 2.5 s later it kills."""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """The command, in an empty folder."""
    return Engine(tmp_path)


def until(process: subprocess.Popen[str], exchange: SimulatedExchange, endpoint: str) -> None:
    """Wait until the process has asked for this."""
    while not exchange.calls[endpoint]:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def lease_is_free(engine: Engine) -> bool:
    """Whether another run could begin at once."""
    with closing(SqliteStore(engine.folder / "live" / "main" / "state.sqlite", SystemClock())) as store:
        loaded = store.load()
        return loaded.lease is None or loaded.lease.expires_ms <= loaded.read_ms


@pytest.mark.slow
@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_wait_at_once_and_the_hour_by_its_own_exit_line(engine: Engine, told: signal.Signals) -> None:
    """The order's answer is lost, so the hour would wait 20 s for its fence."""
    with live(LOST) as (settings, exchange):
        process = engine.start(**settings)
        until(process, exchange, LOOK_UP)
        began = time.monotonic()
        process.send_signal(told)
        out, _ = process.communicate(timeout=60)
        assert time.monotonic() - began < RUNNERS_PATIENCE_S
        line = json.loads(out.splitlines()[-1])
        assert (process.returncode, line["status"]) == (4, "cut_short"), out
        assert line["error"] == f"told to stop by {told.name}"
        assert exchange.calls[ORDER] == 1
        assert lease_is_free(engine)


@pytest.mark.slow
@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGTERM), (signal.SIGTERM,) * 3], ids=["runner", "group"])
def test_signals_between_send_and_answer_let_the_order_be_confirmed_and_booked(
    engine: Engine, signals: tuple[signal.Signals, ...]
) -> None:
    """A runner that cancels a job sends two; systemd signals the dispatcher and the engine, and the one the other."""
    with live(SLOW) as (settings, exchange):
        process = engine.start("--json", **settings)
        until(process, exchange, ORDER)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.2)  # two of a kind that wait to be delivered would be one
        out, _ = process.communicate(timeout=60)
        line = json.loads(out.splitlines()[-1])
        assert [order["status"] for order in line["orders"]] == ["done"]
        assert line["exit_code"] == process.returncode
        assert lease_is_free(engine)
        again = engine("--json", **settings)
        assert (again.code, exchange.calls[ORDER]) == (0, 1), again.out


def test_a_wait_of_the_machines_clock_ends_when_the_process_is_told_to_stop() -> None:
    asked = iter(["", "", "told to stop by SIGTERM"])
    began = time.monotonic()
    SystemClock(stop=lambda: next(asked)).sleep(60)
    assert time.monotonic() - began < 60 * LOOK_S


def test_a_wait_that_nobody_ends_lasts_as_long_as_it_should() -> None:
    began = time.monotonic()
    SystemClock().sleep(0.12)
    assert 0.12 <= time.monotonic() - began < 5
