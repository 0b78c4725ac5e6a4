"""Replay: decide again from a tape, and show the first thing that differs.

A tape holds everything that the decision saw, so the same code must decide the same. Each stage is made again from the
taped inputs of that stage and compared with the taped output: the pool from the payloads, the decision from snapshot,
state and pool, the plans from the decision and their wallets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from runtime.domain.decision import Decision, ExecutionPool
from runtime.domain.documents import decode, encode
from runtime.domain.ladder import Reading, climb, execution_pool
from runtime.domain.market import Snapshot
from runtime.domain.money import parse_decimal
from runtime.domain.planning import plan_buys, plan_sells
from runtime.domain.pool import Rung
from runtime.domain.settings import LadderSettings, StrategySettings
from runtime.domain.state import decode_state
from runtime.domain.tape import canonical, read_chain
from runtime.domain.valuation import Wallet
from runtime.errors import BadInput, EngineError

T = TypeVar("T")
DECIDED = "decision"


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place of a stage where the replay is not what the tape says."""

    stage: str
    path: str
    taped: str
    replayed: str


def replay_tape(lines: Sequence[str], strategy: Any) -> tuple[str, tuple[Difference, ...]]:  # noqa: ANN401
    """The slot of a tape, and what differs when its hour is decided again (nothing = identical).

    `BadInput` names the record whose chain is broken, or the stage that is missing.
    """
    stages = dict(read_chain(lines))
    if DECIDED not in stages:
        raise BadInput("tape", ", ".join(stages), "holds no decision: that hour ended before it")
    taped = _Taped(stages)
    differences = []
    for stage, made in taped.again(strategy):
        found = first_difference(stages[stage], made)
        if found is not None:
            differences.append(Difference(stage, *found))
    return taped.snapshot.slot, tuple(differences)


class _Taped:
    """The inputs of a tape's stages, as values."""

    def __init__(self, stages: Mapping[str, Any]) -> None:
        self.stages = stages
        self.strategy = self._value("settings", lambda p: StrategySettings.model_validate(p["strategy"]))
        self.ladder = self._value("settings", lambda p: LadderSettings.model_validate(p["ladder"]))
        self.before = self._value("state_before", decode_state)
        self.state = self._value("state_at_decision", decode_state)
        self.snapshot = self._decoded(Snapshot, "snapshot")

    def _value(self, stage: str, read: Callable[[Any], T]) -> T:
        """What `read` makes of a stage's payload; `BadInput` names a stage that is missing or malformed."""
        if stage not in self.stages:
            raise BadInput("tape", ", ".join(self.stages), f"holds no {stage}")
        try:
            return read(self.stages[stage])
        except (EngineError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadInput(f"tape {stage}", str(error), "must be as this version writes it") from None

    def _decoded(self, kind: type[T], stage: str) -> T:
        return self._value(stage, lambda payload: decode(kind, payload, stage))

    def again(self, strategy: Any) -> Iterator[tuple[str, object]]:  # noqa: ANN401
        """Each output stage's name and what this code makes of its taped inputs."""
        yield "pool", encode(self._pool())
        pool = self._decoded(ExecutionPool, "pool")
        yield DECIDED, encode(strategy(self.snapshot, self.state, pool, self.strategy))
        decision = self._decoded(Decision, DECIDED)
        if "plan_sells" in self.stages:
            yield "plan_sells", encode(plan_sells(decision, self.snapshot, self._wallet("sells")))
        if "plan_buys" in self.stages:
            snapshot, wallet = self._later_snapshot(), self._wallet("buys")
            yield "plan_buys", encode(plan_buys(decision, snapshot, wallet, self.strategy))

    def _pool(self) -> ExecutionPool:
        readings = self._value("pools", _readings)
        resolution = climb(readings, self.before.pool, self.ladder, self.snapshot.slot)
        tradable = {symbol for symbol, instrument in self.snapshot.instruments.items() if instrument.tradable}
        return execution_pool(resolution, tradable, self.ladder)

    def _wallet(self, name: str) -> Wallet:
        return self._decoded(Wallet, f"wallet_{name}")

    def _later_snapshot(self) -> Snapshot:
        if "prices" not in self.stages:
            return self.snapshot
        prices = self._value("prices", lambda payload: {s: parse_decimal(p, s) for s, p in payload.items()})
        return replace(self.snapshot, prices=prices)


def _readings(payload: Any) -> list[Reading]:  # noqa: ANN401
    return [Reading(Rung(r["rung"]), "", r["payload"], r["problem"]) for r in payload]


def first_difference(taped: Any, made: Any, path: str = "") -> tuple[str, str, str] | None:  # noqa: ANN401
    """(path, taped, replayed) of the first difference between two JSON values; None if they are equal."""
    if isinstance(taped, dict) and isinstance(made, dict):
        for key in (*taped, *(k for k in made if k not in taped)):
            found = first_difference(taped.get(key, "(absent)"), made.get(key, "(absent)"), f"{path}.{key}".lstrip("."))
            if found:
                return found
        return None
    if isinstance(taped, list) and isinstance(made, list) and len(taped) == len(made):
        for at, (one, other) in enumerate(zip(taped, made, strict=True)):
            found = first_difference(one, other, f"{path}[{at}]")
            if found:
                return found
        return None
    return None if taped == made else (path or "(all)", canonical(taped)[:120], canonical(made)[:120])
