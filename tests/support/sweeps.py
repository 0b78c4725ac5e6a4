"""Sweeps for tests: a space, common ground, trials whose outcome is reckoned from their settings, a folder of candles.

    python -m tests.support.sweeps FOLDER

runs a small sweep into FOLDER again and again, each time in a fork that is killed by a real SIGKILL before its n-th
file operation, and then goes on in another one. Prints a line for each n: the digest of the rows that stand there then,
their number, how many were kept twice, and how many unfinished files are left. Ends when a first run was no longer
killed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from types import FrameType

from runtime.adapters.sweeps.choosing import OptunaSearch
from runtime.adapters.sweeps.folder import LOCK, SweepFolder
from runtime.adapters.sweeps.grid import GridSearch
from runtime.config import parse_settings
from runtime.domain.history_plan import HistoryPlan
from runtime.domain.slots import DAY_MS
from runtime.domain.sweep_space import Parameters, Space, read_space
from runtime.domain.trials import STORED, Outcome, Row, Task, digest_of
from runtime.run_settings import Settings
from runtime.sweep import Equipment, Ground, Search, Sweep
from tests.support.pasts import BEGIN_MS, a_past, rows_of

WARM_DAYS = 215
FACTS = {"history_sha256": "h" * 64, "code": "c" * 64, "space": {"a": 1}}
CALLS = frozenset({"open", "write"})  # of files, which have no module
SYSTEM_CALLS = frozenset({"fsync", "replace", "unlink", "mkdir"})  # of the module posix
PARAMETERS = {
    "STRATEGY_PARAM_TOP_N": {"low": 1, "high": 6},
    "STRATEGY_PARAM_EXIT_RANK": {"low": 3, "high": 8},
    "STRATEGY_PARAM_BTC_RATIO_BASE": {"low": Decimal("0.05"), "high": Decimal("0.30"), "step": Decimal("0.05")},
    "STRATEGY_PARAM_ATR_MULTIPLE": {"low": Decimal("1.5"), "high": Decimal(6), "log": True},
}

SMALL = {"STRATEGY_PARAM_TOP_N": {"low": 1, "high": 4, "step": 3}, "STRATEGY_PARAM_EXIT_RANK": {"values": ["3", "9"]}}
"""Four points, one of which is refused."""


def a_space(parameters: Mapping[str, object] = PARAMETERS, **search: object) -> Space:
    """A space; `search` changes how it is searched."""
    given = {"objective": "sharpe", "trials": 12, "batch": 4, "seed": 3, **search}
    asked = {name: value for name, value in given.items() if value is not None}
    return read_space({"search": asked, "parameters": parameters}, "space.toml")


def settings_of(parameters: Parameters) -> Settings:
    """The settings of a trial."""
    return parse_settings(parameters, {"first_run": "fresh"})


def a_ground(days: int = 30) -> Ground:
    """Common ground of trials over some days."""
    plan = HistoryPlan(BEGIN_MS, BEGIN_MS + days * DAY_MS)
    return Ground(plan, FACTS["history_sha256"], FACTS["code"], dict, settings_of)  # type: ignore[arg-type]


def reckoned(task: Task) -> Outcome:
    """An outcome that depends on settings and plan alone, without running anything."""
    text = repr((sorted(task.settings.items()), task.plan.start_ms, task.plan.end_ms))
    dice = sha256(text.encode()).digest()
    returns = tuple((byte - 120) / 5000 for byte in dice)
    figures: dict[str, float | None] = dict.fromkeys(STORED, 0.0)
    figures |= {"sharpe": sum(returns), "sortino": None, "total": returns[0], "hold_total": 0.01}
    return Outcome(task.key, figures, returns, sha256(dice).hexdigest(), sha256(text.encode()).hexdigest(), dice[0] / 7)


class Hands:
    """Workers that note what they ran, and how many trials were open at each time; `pick` says which of them is the
    next that is done.
    """

    def __init__(self, pick: Callable[[int], int] = lambda _: 0, wanted: int = 1) -> None:
        self.ran: list[str] = []
        self.open: list[int] = []
        self.wanted = wanted
        self._begun: list[Task] = []
        self._pick = pick

    def begin(self, task: Task) -> None:
        """Note a trial."""
        self._begun.append(task)

    def next_done(self) -> Outcome:
        """Run one."""
        self.open.append(len(self._begun))
        task = self._begun.pop(self._pick(len(self._begun)))
        self.ran.append(task.key)
        return reckoned(task)


def search_of(space: Space, seed: int) -> Search:
    """The search that a space asks for."""
    return GridSearch(space) if space.sampler == "grid" else OptunaSearch(space, seed)


def a_sweep(
    folder: SweepFolder, hands: Hands, space: Space | None = None, on_row: Callable[[Row], object] = lambda _: None
) -> Sweep:
    """A sweep in an open folder."""
    return Sweep(space or a_space(), a_ground(), Equipment(folder, hands, search_of, on_row))


def a_folder(path: Path, parameters: Mapping[str, object] = PARAMETERS) -> SweepFolder:
    """The folder of a sweep of these parameters."""
    return SweepFolder(path, list(parameters))


def write_candles(folder: Path, days: int) -> Path:
    """A folder of made-up hours: `WARM_DAYS` to warm up, and `days` more."""
    folder.mkdir(parents=True)
    for symbol, hours in a_past((WARM_DAYS + days) * 24).candles.hourly.items():
        lines = ["open_time_ms,open,high,low,close,volume,quote_volume,trades"]
        lines += [",".join([str(int(row[0])), *map(repr, row[1:]), ""]) for row in rows_of(hours)]
        (folder / f"{symbol}.csv").write_text("\n".join(lines) + "\n")
    return folder


def _small(path: Path, log: Path) -> None:
    def noted(row: Row) -> None:
        with log.open("a") as lines:
            lines.write(f"{row.key}\n")

    folder = a_folder(path, SMALL)
    with folder.opened(FACTS):
        a_sweep(folder, Hands(), a_space(SMALL, sampler="grid", trials=None), noted).sweep()
        folder.compact()


def _killed_at(number: int, path: Path, log: Path) -> bool:
    """Run in a fork that dies at its `number`-th file operation; whether it did."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    left = [number]

    def watch(frame: FrameType, event: str, called: object) -> None:
        name, module = getattr(called, "__name__", ""), getattr(called, "__module__", None)
        if not frame.f_code.co_filename.endswith(("folder.py", "pathlib.py")):
            return
        if event == "c_call" and (name in CALLS or (name in SYSTEM_CALLS and module == "posix")):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)
    _small(path, log)
    sys.setprofile(None)
    os._exit(0)


def main(place: Path) -> None:
    """Kill at each operation in turn."""
    place.mkdir(parents=True)
    number, killed = 0, True
    while killed:
        number += 1
        path, log = place / str(number), place / f"{number}.log"
        log.touch()
        killed = _killed_at(number, path, log)
        _small(path, log)
        folder = a_folder(path, SMALL)
        with folder.opened(FACTS):
            rows = list(folder.known().values())
        ran = log.read_text().split()
        left = [found for found in path.rglob(".*") if found.name != LOCK]
        sys.stdout.write(f"{digest_of(rows)} {len(rows)} {len(ran) - len(set(ran))} {len(left)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
