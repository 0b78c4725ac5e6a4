"""Wiring of sweeps: a folder of candles, a space and a place to keep trials become a `runtime.sweep.Sweep`.

Workers of this machine are split off with engine and candles in memory: that is first, before the other libraries of
the `research` extra are imported, which start threads, and before the folder's lock is held. Workers of a cluster, and
those that replace a dead one, are sent a trial's settings and plan, never candles: each reads its own folder once
(parsed copies are kept, `adapters/candles/cache`) and holds what it read against the digest that the sweep was begun
with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from runtime.adapters.sweeps.alone import Alone
from runtime.adapters.sweeps.grid import GridSearch
from runtime.config import parse_settings
from runtime.domain.candle_columns import CandleQuery
from runtime.domain.history import History
from runtime.domain.sweep_space import Space
from runtime.domain.trials import Outcome, Row, Task, outcome_of
from runtime.errors import EngineError, Unavailable
from runtime.sweep import Equipment, Ground, Search, Sweep, Workers
from runtime.wiring_past import load_history, simulate

if TYPE_CHECKING:
    from runtime.adapters.sweeps.cluster import Cluster
    from runtime.adapters.sweeps.folder import SweepFolder
    from runtime.adapters.sweeps.processes import Processes

FIX = "a sweep needs the packages of the `research` extra; `make test` installs them into .venv"
ROOT = Path(__file__).resolve().parent.parent
_ONE_AT_A_TIME = Lock()


@dataclass(frozen=True, slots=True)
class Source:
    """Where a worker of a cluster finds the candles, and the digest that they must have; `code` is that of the code it
    must run.
    """

    folder: Path
    query: CandleQuery
    pools: str | None
    cache: Path
    history_sha256: str
    code: str


@dataclass(frozen=True, slots=True)
class Hands:
    """Who runs the trials: `jobs` processes of this machine, or a Dask cluster."""

    jobs: int
    dask: str | None = None


@cache
def code_sha256() -> str:
    """SHA-256 (hex) of the code that a trial runs: every module of the engine and the strategies."""
    named = sorted(
        (str(p.relative_to(ROOT)), p) for top in ("runtime", "strategies") for p in (ROOT / top).rglob("*.py")
    )
    return sha256(b"\0".join(name.encode() + b"\0" + path.read_bytes() for name, path in named)).hexdigest()


def run_trial(history: History, task: Task) -> Outcome:
    """Run one trial over a history in memory. Faults come back as a text: an error need not survive the way between two
    processes.
    """
    begun = time.perf_counter()
    try:
        track = simulate(parse_settings(task.settings, {"first_run": "fresh"}), history, task.plan)
    except EngineError as error:
        return Outcome(task.key, {}, failed=str(error))
    return outcome_of(task.key, track, time.perf_counter() - begun)


def evaluate(source: Source, task: Task) -> Outcome:
    """Run one trial where candles must be read first."""
    with _ONE_AT_A_TIME:  # a process runs Python on one core; what is remembered is of one history at a time
        try:
            history = _history_of(source)
        except EngineError as error:
            return Outcome(task.key, {}, failed=str(error))
        return run_trial(history, task)


@lru_cache(maxsize=1)
def _history_of(source: Source) -> History:
    if code_sha256() != source.code:
        raise Unavailable("worker", "runs other code than the sweep; bring its checkout to the same commit")
    history = load_history(source.folder, source.query, source.pools, source.cache)
    if history.digest() != source.history_sha256:
        raise Unavailable(str(source.folder), "is not what it was when the sweep began: begin anew with another --out")
    return history


@contextmanager
def at_work(history: History, source: Source, hands: Hands) -> Iterator[Workers]:
    """Who runs the trials, while the context lasts."""
    workers = _workers(history, source, hands)
    try:
        yield workers
    finally:
        workers.close()


@contextmanager
def wired_sweep(
    space: Space, ground: Ground, workers: Workers, place: tuple[Path, Callable[[Row], object]]
) -> Iterator[tuple[Sweep, SweepFolder]]:
    """A sweep and its folder, held while the context lasts; `place` is the folder, and who is told of each new row."""
    try:
        from runtime.adapters.sweeps.folder import SweepFolder  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    folder, on_row = place
    kept = SweepFolder(folder, [made.name for made in space.dimensions])
    facts: Mapping[str, Any] = {
        "history_sha256": ground.history_sha256,
        "code": ground.code,
        "space": space.public(),
        "plan": ground.plan.public(),
        "settings": dict(ground.environment_of({})),
    }
    with kept.opened(facts):
        yield Sweep(space, ground, Equipment(kept, workers, _search_of, on_row)), kept


def _search_of(space: Space, seed: int) -> Search:
    if space.sampler == "grid":
        return GridSearch(space)
    try:
        from runtime.adapters.sweeps.choosing import OptunaSearch  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    return OptunaSearch(space, seed)


def _workers(history: History, source: Source, hands: Hands) -> Alone | Processes | Cluster:
    if hands.dask is None and hands.jobs == 1:
        return Alone(partial(run_trial, history))
    try:
        if hands.dask is None:
            from runtime.adapters.sweeps.processes import Processes  # noqa: PLC0415 - of an extra

            return Processes(partial(run_trial, history), partial(evaluate, source), hands.jobs)
        from runtime.adapters.sweeps.cluster import Cluster  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    return Cluster(partial(evaluate, source), hands.dask)


def _missing(error: ModuleNotFoundError) -> Unavailable:
    return Unavailable(error.name or "a package", FIX)
