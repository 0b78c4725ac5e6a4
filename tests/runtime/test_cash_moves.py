"""Cash moves: what was allowed when the hour decided is asked again when it is sent."""

from __future__ import annotations

from runtime.domain.decision import Decision, ExecutionPool
from runtime.domain.market import Snapshot
from runtime.domain.orders import Status
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import MINUTE_MS, slot_start_ms
from runtime.domain.state import State
from strategies import REGISTRY
from tests.support.worlds import Scene, scene

DECIDE = REGISTRY["crypto_live_pool_rotation"]


def decided_late(s: Scene, minutes: int) -> None:
    """Let the clock move on by `minutes` between the decision and what follows from it."""

    def slow(snapshot: Snapshot, state: State, pool: ExecutionPool, settings: StrategySettings) -> Decision:
        decision = DECIDE(snapshot, state, pool, settings)
        s.clock.sleep(60 * minutes)
        return decision

    s.strategy = slow


def test_no_earn_move_is_sent_in_the_quiet_minutes_although_the_hour_decided_before_them() -> None:
    """Decided at 23:49, sent at 23:51: the exchange settles then, so the cash stays where it is."""
    with scene() as s:
        s.clock.set(slot_start_ms("2026-03-15T23Z") + 49 * MINUTE_MS)
        decided_late(s, 2)
        report = s.hour()
        (move,) = report.earn_moves
        assert move.status is Status.ABSENT
        assert "23:50" in move.detail
        assert not s.exchange.venue.books.moves
        assert s.differences() == {}


def test_an_earn_move_decided_and_sent_before_the_quiet_minutes_goes_out() -> None:
    """The same hour two minutes earlier moves its cash: it is the clock that stopped it, nothing else."""
    with scene() as s:
        s.clock.set(slot_start_ms("2026-03-15T23Z") + 47 * MINUTE_MS)
        decided_late(s, 2)
        (move,) = s.hour().earn_moves
        assert move.status is Status.DONE
