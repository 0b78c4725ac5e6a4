"""Replay: run a taped hour again, and show the first thing of each stage that differs.

A tape holds every answer that the world gave, so the same code must do the same: `run_cycle` itself runs again, over
ports that answer from the tape, and what it would write on a tape now is compared with what it wrote then, stage by
stage: pool, snapshot, decision, plans, journal, ledger, state, report. A call that the tape has no answer to, and an
answer that nobody asks for any more, are differences too.

Tapes of format 1 hold no answers. Of those, each stage is made again from the taped inputs of that stage: the pool from
the payloads, the decision from snapshot, state and pool, the plans from the decision and their wallets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from runtime.cycle import Strategy, run_cycle
from runtime.domain.decision import Decision, ExecutionPool
from runtime.domain.documents import decode, encode
from runtime.domain.instruments import tradable_of
from runtime.domain.ladder import Reading, climb, execution_pool
from runtime.domain.market import DailySeries, Snapshot
from runtime.domain.money import parse_decimal
from runtime.domain.planning import plan_buys, plan_sells
from runtime.domain.pool import Rung
from runtime.domain.settings import LadderSettings, StrategySettings
from runtime.domain.state import decode_state
from runtime.domain.tape import canonical, read_chain
from runtime.domain.valuation import Wallet
from runtime.errors import BadInput, EngineError
from runtime.ports import World
from runtime.run_settings import RunMode, Settings

T = TypeVar("T")
DECIDED, CALLS, JOURNAL = "decision", "calls", "journal"
NOT_COMPARED = frozenset({"header", CALLS})
"""Stages that say what wrote the tape and what was answered: inputs of the replay, not its results."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place of a stage where the replay is not what the tape says."""

    stage: str
    path: str
    taped: str
    replayed: str


class Retold(Protocol):
    """A world that answers from a tape, and what became of it."""

    @property
    def world(self) -> World:
        """To run the hour in."""

    @property
    def lines(self) -> Sequence[str]:
        """The tape that the hour wrote now."""

    @property
    def strays(self) -> Sequence[str]:
        """Calls that the tape has no answer to."""

    @property
    def commits(self) -> Sequence[tuple[object, object]]:
        """What was asked of the store, write by write: as taped, and now."""

    def unasked(self) -> Sequence[str]:
        """Calls of the taped hour that this one did not make."""


Retell = Callable[[Settings, Mapping[str, Any], Mapping[str, DailySeries]], Retold]
"""(settings, the tape's calls, the candles of its snapshot) -> a world that answers from them."""


def replay_tape(lines: Sequence[str], strategy: Strategy, retell: Retell) -> tuple[str, tuple[Difference, ...]]:
    """The slot of a tape, and what differs when its hour runs again (nothing = identical).

    `BadInput` names the record whose chain is broken, or the stage that is missing or malformed.
    """
    chain = read_chain(lines)
    stages = dict(chain)
    if CALLS not in stages or stages[CALLS] is None:
        return _decided_again(stages, strategy)
    settings = taped_settings(_needed(stages, "settings"))
    series = _candles(stages) if DECIDED in stages else {}
    retold = retell(settings, stages[CALLS], series)
    report = run_cycle(settings, strategy, retold.world)
    return report.slot, tuple(_compared(chain, retold))


def taped_settings(public: Mapping[str, Any]) -> Settings:
    """The settings that a tape holds: those of any mode, without the secrets that only a real hour needs."""
    try:
        settings = Settings.model_validate({**public, "mode": RunMode.PAPER, "at": None})
        return settings.model_copy(update={"mode": RunMode(public["mode"]), "at": public["at"]})
    except (ValidationError, EngineError, ValueError, TypeError, KeyError) as error:
        raise BadInput("tape settings", str(error), "must be as this version writes them") from None


def _needed(stages: Mapping[str, Any], stage: str) -> Any:  # noqa: ANN401 - a stage's payload
    if stage not in stages:
        raise BadInput("tape", ", ".join(stages), f"holds no {stage}")
    return stages[stage]


def _candles(stages: Mapping[str, Any]) -> Mapping[str, DailySeries]:
    """The daily candles of the snapshot, which the taped calls refer to."""
    try:
        return decode(Snapshot, _needed(stages, "snapshot"), "tape snapshot").daily.series
    except (EngineError, ValueError, TypeError) as error:
        raise BadInput("tape snapshot", str(error), "must be as this version writes it") from None


def _compared(chain: Sequence[tuple[str, Any]], retold: Retold) -> Iterator[Difference]:
    """What differs, in the order of the tape's stages; the journal stands where the calls do."""
    made = dict(_numbered(read_chain(retold.lines))) if retold.lines else {}
    for name, taped in _numbered(chain):
        if name == CALLS:
            yield from _asked(retold)
        if name in NOT_COMPARED:
            continue
        found = first_difference(taped, made.get(name, "(no such stage)"))
        if found is not None:
            yield Difference(name, *found)
    known = {name for name, _ in _numbered(chain)}
    yield from (Difference(name, "(all)", "(no such stage)", "made") for name in made if name not in known)


def _asked(retold: Retold) -> Iterator[Difference]:
    for number, (taped, asked) in enumerate(retold.commits):
        found = first_difference(taped, asked, f"write[{number}]")
        if found is not None:
            yield Difference(JOURNAL, *found)
    yield from (Difference(CALLS, call, "(not asked)", "asked") for call in retold.strays[:1])
    yield from (Difference(CALLS, call, "asked", "(not asked)") for call in retold.unasked()[:1])


def _numbered(chain: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Stages by unique names: the second of a name is `name 2`."""
    counts: Counter[str] = Counter()
    named = []
    for stage, payload in chain:
        counts[stage] += 1
        named.append((stage if counts[stage] == 1 else f"{stage} {counts[stage]}", payload))
    return named


def _decided_again(stages: Mapping[str, Any], strategy: Strategy) -> tuple[str, tuple[Difference, ...]]:
    if DECIDED not in stages:
        raise BadInput("tape", ", ".join(stages), "holds no decision: that hour ended before it")
    taped = Taped(stages)
    differences = []
    for stage, made in taped.again(strategy):
        found = first_difference(stages[stage], made)
        if found is not None:
            differences.append(Difference(stage, *found))
    return taped.snapshot.slot, tuple(differences)


class Taped:
    """The inputs of a tape's stages, as values."""

    def __init__(self, stages: Mapping[str, Any]) -> None:
        """`BadInput` names a stage that is missing or malformed."""
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

    def again(self, strategy: Strategy) -> Iterator[tuple[str, object]]:
        """Each output stage's name and what this code makes of its taped inputs."""
        yield "pool", encode(self.pool(self.ladder))
        pool = self._decoded(ExecutionPool, "pool")
        yield DECIDED, encode(strategy(self.snapshot, self.state, pool, self.strategy))
        decision = self._decoded(Decision, DECIDED)
        if "plan_sells" in self.stages:
            yield "plan_sells", encode(plan_sells(decision, self.snapshot, self.wallet("sells")))
        if "plan_buys" in self.stages:
            snapshot, wallet = self._later_snapshot(), self.wallet("buys")
            yield "plan_buys", encode(plan_buys(decision, snapshot, wallet, self.strategy))

    def pool(self, ladder: LadderSettings) -> ExecutionPool:
        """The pool that the taped payloads give under these settings of the ladder."""
        readings = self._value("pools", _readings)
        resolution = climb(readings, self.before.pool, ladder, self.snapshot.slot)
        return execution_pool(resolution, tradable_of(self.snapshot.instruments), ladder)

    def wallet(self, name: str) -> Wallet:
        """The wallet that the plan of that name was made for."""
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
