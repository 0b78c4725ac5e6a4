"""The command line of a sweep: its options, its space file, and how far it is.

`run_cycle_replay.py --history FOLDER --sweep SPACE.toml` hands over what only an entry may import. Every option of a
history run has its meaning here too: range, capital, costs, pools, `--set`.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from runtime.config import parse_settings
from runtime.domain.history import History
from runtime.domain.history_plan import HistoryPlan
from runtime.domain.slots import slot_at
from runtime.domain.sweep_space import Parameters, Space, read_space
from runtime.domain.trials import Row
from runtime.domain.walk_forward import Windows
from runtime.errors import BadInput
from runtime.history_command import pairs_of, sized
from runtime.run_settings import Settings
from runtime.sweep import Ground

JOBS_MAX = 1024


def add_sweep_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that only a sweep has."""
    group = parser.add_argument_group("sweep (with --history)")
    group.add_argument("--sweep", type=Path, metavar="SPACE.toml", help="run it with other settings, again and again")
    group.add_argument(
        "--walk-forward", metavar="SPEC", help="search and judge in turns: train=365d,test=90d[,anchored]"
    )
    group.add_argument("--jobs", type=int, metavar="N", help="processes (default: the machine's cores)")
    group.add_argument("--dask", metavar="ADDRESS", help="run trials on a Dask cluster, such as tcp://10.0.0.5:8786")


def space_in(path: Path) -> Space:
    """The space in a TOML file; `BadInput` names file, field and fix."""
    try:
        document = tomllib.loads(path.read_bytes().decode(), parse_float=Decimal)
    except OSError as error:
        raise BadInput("--sweep", str(path), f"cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise BadInput("--sweep", str(path), f"is not TOML: {error}") from None
    return read_space(document, path.name)


def jobs_of(given: argparse.Namespace, cores: int) -> int:
    """How many processes are asked for."""
    if given.jobs is None:
        return cores
    if not 1 <= given.jobs <= JOBS_MAX:
        raise BadInput("--jobs", given.jobs, f"must be a number of processes from 1 to {JOBS_MAX}")
    return int(given.jobs)


def ground_of(given: argparse.Namespace, space: Space, history: History, plan: HistoryPlan, code: str) -> Ground:
    """What all trials have in common; `BadInput` where `--set` fixes a setting that the space tries."""
    base = pairs_of("--set", given.set)
    for made in space.dimensions:
        if made.name in base:
            raise BadInput("--set", made.name, "is tried by the sweep; leave it out here or there")

    def environment_of(parameters: Parameters) -> Mapping[str, str]:
        return sized({**base, **parameters}, history)

    def parsed(parameters: Parameters) -> Settings:
        return parse_settings(environment_of(parameters), {"first_run": "fresh"})

    parsed({})
    return Ground(plan, history.digest(), code, environment_of, parsed)


def folder_name(given: argparse.Namespace, plan: HistoryPlan, windows: Windows | None) -> str:
    """The name of a sweep's folder: the space's own, and the span; a walk has another one than a sweep."""
    walk = f"--walk-{windows.text().replace('=', '').replace(',', '-')}" if windows else ""
    return f"sweep-{given.sweep.stem}--{slot_at(plan.start_ms)[:10]}--{slot_at(plan.end_ms)[:10]}{walk}"


@contextmanager
def counted(total: int) -> Iterator[Callable[[Row], object]]:
    """Counts new rows on standard error, if that is a terminal."""
    console = Console(file=sys.stderr)
    columns = (TextColumn("trials run"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda _: bar.advance(task)
