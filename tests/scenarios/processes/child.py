"""One hour in a process of its own: what `main.py` does, on the shared clock, with a restless strategy and a trap."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.adapters.binance import exchange as _binance  # noqa: F401 - imported once, before the fork
from runtime.adapters.firestore import store as _firestore  # noqa: F401 - the same
from runtime.command import arguments, bad_settings, shown, unexpected
from runtime.config import read_settings
from runtime.cycle import run_cycle
from runtime.errors import SettingsError
from runtime.ports import World
from runtime.wiring import wired
from tests.scenarios.processes.clock import SharedClock
from tests.support.hours import Mishap
from tests.support.restless import restless

FILE_BYTES_MAX = "TEST_FILE_BYTES_MAX"


def live(order: Mapping[str, Any]) -> int:
    """Run the hour; returns the exit code that `main.py` would return."""
    environment = dict(order["environment"])
    limit = environment.pop(FILE_BYTES_MAX, "")
    user = environment.pop("TEST_USER", "")
    os.environ.clear()
    os.environ.update(environment)
    given = arguments(["--json"])
    if user:
        os.setgid(int(user))
        os.setuid(int(user))
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    try:
        settings = read_settings()
        with wired(settings, lambda _: None, SharedClock(Path(order["clock"]))) as wiring:
            world = _trapped(wiring.world, order["trap"])
            return shown(run_cycle(wiring.settings, restless, world), given, settings.language)
    except SettingsError as error:
        return bad_settings(error, given)
    except Exception as error:  # noqa: BLE001 - as main.py: an hour always ends with its exit line
        return unexpected(error, given)


def _trapped(world: World, trap: Mapping[str, Any] | None) -> World:
    if trap is None:
        return world
    only = frozenset({trap["only"]}) if trap["only"] else frozenset[str]()
    return Mishap(trap["at"], lambda _: os.kill(os.getpid(), trap["signal"]), after=trap["after"], only=only).around(
        world
    )
