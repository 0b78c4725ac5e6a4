"""Two days of the soak in every run: real candles, trouble in most hours, and the ledger right to the last unit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.soak import HISTORY, STATE_BYTES_MAX, Tally, soaking, steady

pytestmark = pytest.mark.slow
needs_history = pytest.mark.skipif(
    not (HISTORY / "1h").is_dir(), reason="the candles of the soak (shared/data/klines) are not on this machine"
)


@needs_history
@pytest.mark.parametrize("strategy", ["real", "restless"])
def test_a_day_of_troubled_hours_leaves_nothing_unsettled(tmp_path: Path, strategy: str) -> None:
    with soaking(tmp_path / "soak", HISTORY, strategy, seed=11) as soak:
        for _ in range(24):
            soak.hour()
        soak.settle()
        tally = soak.tally
        assert tally.balanced >= 12
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
