"""One hour in a process of its own: what `main.py` does, on the shared clock, with a restless strategy and a trap."""

from __future__ import annotations

import ctypes
import os
import resource
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runtime.adapters.binance import exchange as _binance  # noqa: F401 - imported once, before the fork
from runtime.adapters.firestore import store as _firestore  # noqa: F401 - the same
from runtime.command import arguments, bad_settings, heed_signals, shown, unexpected
from runtime.config import read_settings
from runtime.cycle import run_cycle
from runtime.errors import SettingsError
from runtime.ports import World
from runtime.wiring import wired
from tests.scenarios.processes.clock import SharedClock
from tests.support.hours import Mishap
from tests.support.restless import restless

FILE_BYTES_MAX, POWERLESS = "TEST_FILE_BYTES_MAX", "TEST_POWERLESS"
"""Not settings: the largest file the process may write; and to be bound by permissions even as root."""


_CAPABILITY_VERSION = 0x20080522


def live(order: Mapping[str, Any]) -> int:
    """Run the hour; returns the exit code that `main.py` would return."""
    environment = dict(order["environment"])
    limit, powerless = environment.pop(FILE_BYTES_MAX, ""), environment.pop(POWERLESS, "")
    os.environ.clear()
    os.environ.update(environment)
    given = arguments(["--json"])
    if powerless:
        _drop_capabilities()
    try:
        settings = read_settings()
        clock, stop = SharedClock(Path(order["clock"])), heed_signals()
        with wired(settings, lambda _: None, clock, stop) as wiring, _limited(limit):
            report = run_cycle(wiring.settings, restless, _trapped(wiring.world, order["trap"]))
        return shown(report, given, settings.language)
    except SettingsError as error:
        return bad_settings(error, given)
    except Exception as error:  # noqa: BLE001 - as main.py: an hour always ends with its exit line
        return unexpected(error, given)


def _drop_capabilities() -> None:
    """Give up every privilege that root has beyond owning its files: a read-only file is one for root too."""
    header, nothing = struct.pack("<Ii", _CAPABILITY_VERSION, 0), bytes(24)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(header, nothing):
        raise OSError(ctypes.get_errno(), "capset")


@contextmanager
def _limited(size: str) -> Iterator[None]:
    """No file may grow beyond `size` bytes in this block: to the process, a full disk."""
    if not size:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _trapped(world: World, trap: Mapping[str, Any] | None) -> World:
    if trap is None:
        return world
    only = frozenset({trap["only"]}) if trap["only"] else frozenset[str]()
    return Mishap(trap["at"], lambda _: os.kill(os.getpid(), trap["signal"]), after=trap["after"], only=only).around(
        world
    )
