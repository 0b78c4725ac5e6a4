"""A download that is killed at each of its file operations in turn, each time in a fresh folder, and then goes on.

    python -m tests.support.download_kills FOLDER

A real process is killed by a real SIGKILL: a fork of this one, before its n-th call that opens, writes, renames or
removes a file or flushes it to the disk. Then a second run goes on to the end. Prints a line for each n: the digest of
what stands in the folder then. Ends when a first run was no longer killed.
"""

from __future__ import annotations

import os
import signal
import sys
from hashlib import sha256
from pathlib import Path
from types import FrameType

from runtime.adapters.candles import CandleArchive
from runtime.adapters.clock import SimulatedClock
from runtime.domain.downloads import KlineFile, Span
from runtime.domain.slots import HOUR_MS
from runtime.download import Download
from tests.support.klines_listed import T0, ListedKlines, Listing

CALLS = frozenset({"open", "write", "truncate"})  # of files, which have no module
SYSTEM_CALLS = frozenset({"fsync", "replace", "unlink", "mkdir"})  # of the module posix
NOW_MS = T0 + 100 * HOUR_MS


def source() -> ListedKlines:
    """Small pages, an outage, and a pair that is listed late."""
    since = {"BTCUSDT": T0 - 50 * HOUR_MS, "ETHUSDT": T0 + 20 * HOUR_MS}
    return ListedKlines(
        Listing(NOW_MS, since, closed=range(T0 + 30 * HOUR_MS, T0 + 33 * HOUR_MS, HOUR_MS)), rows_max=30
    )


def download(folder: Path, start_ms: int, end_ms: int) -> None:
    """One run."""
    wanted = {KlineFile("1h", "BTCUSDT"): Span(start_ms, end_ms)}
    Download(source(), CandleArchive(folder), SimulatedClock(NOW_MS)).run(wanted)


def runs(folder: Path) -> None:
    """First a part in the middle, then more at both ends."""
    download(folder, T0, T0 + 40 * HOUR_MS)
    download(folder, T0 - 40 * HOUR_MS, T0 + 60 * HOUR_MS)


def digest(folder: Path) -> str:
    """The digest of all that is in a folder, names and contents."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return sha256(b"".join(str(path.relative_to(folder)).encode() + path.read_bytes() for path in files)).hexdigest()


def killed_at(number: int, folder: Path) -> bool:
    """Run in a fork that dies at its `number`-th file operation; whether it did."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    left = [number]

    def watch(_: FrameType, event: str, called: object) -> None:
        name, module = getattr(called, "__name__", ""), getattr(called, "__module__", None)
        if event == "c_call" and (name in CALLS or (name in SYSTEM_CALLS and module == "posix")):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)
    runs(folder)
    os._exit(0)


def main(place: Path) -> None:
    """All kills, one after the other."""
    number, killed = 0, True
    while killed:
        number += 1
        folder = place / str(number)
        killed = killed_at(number, folder)
        runs(folder)
        sys.stdout.write(f"{number} {digest(folder)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
