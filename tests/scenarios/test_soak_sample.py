"""A week of the soak in every run: trouble in most hours, and the ledger right to the last unit.

On real candles where they lie beside the checkout, else on made-up ones.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.domain.slots import DAY_MS, date_at, day_start_ms
from tests.scenarios.soak import FIRST_MS, HISTORY, STATE_BYTES_MAX, SYMBOLS, Tally, soaking, steady
from tests.support.walks import walked_folder

pytestmark = pytest.mark.slow
WEEK = 7 * 24
BEFORE = 320
"""Days of candles that the longest average needs, and some."""


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if (HISTORY / "1h").is_dir():
        return HISTORY
    first_ms = day_start_ms(date_at(FIRST_MS)) - BEFORE * DAY_MS
    return walked_folder(tmp_path_factory.mktemp("walks"), SYMBOLS, first_ms, BEFORE + 20)


@pytest.mark.parametrize(("strategy", "hours"), [("real", WEEK), ("restless", 24)])
def test_troubled_hours_leave_nothing_unsettled(tmp_path: Path, market: Path, strategy: str, hours: int) -> None:
    with soaking(tmp_path / "soak", market, strategy, seed=11) as soak:
        for _ in range(hours):
            soak.hour()
        soak.settle()
        tally = soak.tally
        assert tally.balanced >= hours // 2
        assert len(tally.faults) >= 5
        assert max(tally.state_bytes) <= STATE_BYTES_MAX


def test_a_state_that_grows_with_the_hours_is_noticed() -> None:
    hours = 150
    flat = Tally(state_bytes=[9_000] * hours, memory_kib=[100_000] * hours)
    steady(flat)
    growing = Tally(state_bytes=[5_000 + 100 * hour for hour in range(hours)], memory_kib=[100_000] * hours)
    with pytest.raises(AssertionError, match="the state grows"):
        steady(growing)
    leaking = Tally(state_bytes=[9_000] * hours, memory_kib=[100_000 + 1_000 * hour for hour in range(hours)])
    with pytest.raises(AssertionError, match="memory grew"):
        steady(leaking)
