"""The real process, killed, stopped, or robbed of its disk: nothing is sent twice, nothing is lost, nothing is guessed.

Live wiring over HTTP, a SQLite file or Firestore's emulator, moments chosen by a seed. The long campaign is
`python -m tests.scenarios.processes`.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.processes.campaign import episodes, played
from tests.scenarios.processes.child import FILE_BYTES_MAX, POWERLESS
from tests.scenarios.processes.nursery import Ended, Nursery, Trap
from tests.scenarios.processes.stage import Stage, Strike, staged
from tests.support.audit import own_orders, when_settled
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name

POST_ORDER = "POST /api/v3/order"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as opened:
        yield opened


@pytest.fixture
def stage(nursery: Nursery, tmp_path: Path) -> Iterator[Stage]:
    """An account on SQLite that has lived for one hour."""
    with staged(tmp_path / "stage", nursery) as opened:
        assert opened.hour()["exit_code"] == 0
        opened.next_hour()
        yield opened


def settled(stage: Stage) -> list[str]:
    """Faults after one more ordinary hour, which must end well."""
    stage.next_hour()
    said = stage.hour()
    assert said["exit_code"] == 0, said
    kept = stage.kept()
    assert kept is not None
    return when_settled(stage.exchange, kept)


@pytest.mark.parametrize("part", range(4))
def test_a_run_that_dies_anywhere_leaves_nothing_open(nursery: Nursery, tmp_path: Path, part: int) -> None:
    """32 episodes on four accounts: killed or stopped at any request, call or time; then an hour; then the audit."""
    with staged(tmp_path, nursery) as stage:
        outcomes = [played(stage, episode) for episode in episodes(2026, part * 8, 8)]
    assert [(str(o.episode), o.faults) for o in outcomes if o.faults] == []
    assert {o.ended.how for o in outcomes} & {"killed", "stopped"}


@pytest.mark.emulator
def test_a_run_on_firestore_that_dies_anywhere_leaves_nothing_open(
    nursery: Nursery, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The same in Google's emulator: 8 episodes."""
    host = str(request.getfixturevalue("firestore_emulator"))
    with staged(tmp_path, nursery, host) as stage:
        outcomes = [played(stage, episode) for episode in episodes(2026, 32, 8)]
    assert [(str(o.episode), o.faults) for o in outcomes if o.faults] == []


@pytest.mark.parametrize("taken_over", [True, False])
@pytest.mark.parametrize("order", [1, 2])
def test_an_order_sent_after_a_sleep_past_the_lease_is_refused_by_the_exchange(
    stage: Stage, order: int, taken_over: bool
) -> None:
    """Stopped exactly between the check of lease and control and the POST: the request leaves all the same, and bears
    the time from before the check. So the exchange refuses it, and the run that lost its lease cannot write.
    """
    run = stage.start(Trap(order, int(signal.SIGSTOP), only="send_order"))
    assert stage.wait(run) == Ended("stopped", signal.SIGSTOP)
    stage.lease_over()
    if taken_over:
        assert stage.hour()["status"] == "done"
    before, posts, ours = stage.kept(), stage.exchange.calls[POST_ORDER], len(own_orders(stage.exchange))
    ended = stage.wake(run)
    assert stage.exchange.calls[POST_ORDER] == posts + 1, "the sleeper's request never left: nothing was proved"
    assert len(own_orders(stage.exchange)) == ours
    assert ended == Ended("exited", 4), run.said()
    assert stage.kept() == before or not taken_over  # nobody came: noting the refusal overwrites nothing
    assert settled(stage) == []


@pytest.mark.parametrize("taken_over", [True, False])
def test_an_earn_move_sent_after_a_sleep_past_the_lease_is_refused(stage: Stage, taken_over: bool) -> None:
    run = stage.start(Trap(1, int(signal.SIGSTOP), only="send_earn"))
    assert stage.wait(run) == Ended("stopped", signal.SIGSTOP)
    stage.lease_over()
    if taken_over:
        assert stage.hour()["status"] == "done"
    before, moves = stage.kept(), len(stage.exchange.venue.books.moves)
    stage.wake(run)
    assert len(stage.exchange.venue.books.moves) == moves
    assert stage.kept() == before or not taken_over
    assert settled(stage) == []


# --- the disk ---------------------------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 1 MiB at `folder`; skips where this user may not mount one."""
    folder.mkdir(parents=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a small disk needs the right to mount one: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Use the last byte of the disk."""
    with suppress(OSError), (folder / "filler").open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def ended_well(stage: Stage, said: dict[str, Any], before: int) -> int:
    """The exit code, once it agrees with what was sent: 3 sent nothing, 4 did."""
    sent = len(own_orders(stage.exchange)) - before
    code = int(said["exit_code"])
    assert code in {0, 3, 4}, said
    assert code != 3 or not sent, f"exit 3, and {sent} orders were sent"
    return code


def test_a_disk_that_fills_up_at_any_moment_ends_the_hour_cleanly(nursery: Nursery, tmp_path: Path) -> None:
    """Full from the k-th request on: 3 before trading or 4 after it, and the next hour with room books everything."""
    codes = []
    with small_disk(tmp_path / "stage" / "data") as disk, staged(tmp_path / "stage", nursery) as stage:
        stage.hour()
        for at in range(1, 12):
            stage.next_hour()
            before = len(own_orders(stage.exchange))
            run = stage.start(Strike(at, act=lambda: fill(disk)))
            assert stage.wait(run).how == "exited"
            codes.append(ended_well(stage, run.said(), before))
            (disk / "filler").unlink(missing_ok=True)
            stage.lease_over()
            assert settled(stage) == [], f"full at request {at}"
            for kind in ("reports", "tapes"):
                shutil.rmtree(stage.home / kind, ignore_errors=True)
    assert {3, 4} <= set(codes), codes


def test_files_that_may_not_grow_end_the_hour_cleanly(stage: Stage) -> None:
    """The same by the process's own limit on the size of a file, which needs no right to mount."""
    codes = set()
    for size in (0, 4_096, 20_000, 50_000, 70_000, 90_000, 110_000, 130_000, 150_000, 400_000):
        before = len(own_orders(stage.exchange))
        run = stage.start(None, **{FILE_BYTES_MAX: str(size)})
        assert stage.wait(run).how == "exited"
        codes.add(ended_well(stage, run.said(), before))
        stage.lease_over()
        assert settled(stage) == [], f"{size} bytes a file"
        stage.next_hour()
    assert {3, 4} <= codes, codes


@contextmanager
def read_only(*paths: Path) -> Iterator[None]:
    """The paths cannot be written in this block, nor anything be made in them."""
    modes = [path.stat().st_mode for path in paths]
    for path, mode in zip(paths, modes, strict=True):
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in zip(paths, modes, strict=True):
            path.chmod(mode)


def test_a_read_only_store_aborts_before_trading(stage: Stage) -> None:
    before = len(own_orders(stage.exchange))
    with read_only(stage.home, stage.home / "state.sqlite"):
        said = stage.hour(**{POWERLESS: "1"})
    assert (said["exit_code"], len(own_orders(stage.exchange)) - before) == (3, 0), said
    assert settled(stage) == []


@pytest.mark.parametrize("kind", ["reports", "tapes"])
def test_a_read_only_report_folder_loses_no_hour(stage: Stage, kind: str) -> None:
    """The report is not written, which the report on standard output says; the hour itself is done."""
    with read_only(stage.home / kind):
        said = stage.hour(**{POWERLESS: "1"})
    assert said["exit_code"] == 0, said
    assert "report" in said["problems"], said["problems"]
    assert settled(stage) == []
