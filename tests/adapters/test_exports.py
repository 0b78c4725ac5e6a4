"""Exports: a file is there whole or not at all, whatever ends the writing; one from before stays until then."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from runtime.adapters.exports import whole_file, whole_stream
from runtime.errors import BadInput, Unavailable
from tests.support.sources import ROOT

KILLED_HALFWAY = """
import os, signal, sys
from pathlib import Path
from runtime.adapters.exports import whole_file
with whole_file(Path(sys.argv[1])) as write:
    for number in range(100_000):
        write(f"{number},a line of an export\\r\\n")
        if number == 60_000:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow beyond ten bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(folder: Path) -> list[str]:
    """What a folder holds, hidden files included."""
    return sorted(path.name for path in folder.iterdir())


def break_off(writing: AbstractContextManager[Callable[[str], object]]) -> None:
    """Write a part, and go wrong."""
    with writing as write:
        write("new")
        raise BadInput("x", "y", "must be z")


@pytest.fixture(params=["nameless", "hidden"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to be written, where nameless files exist and where they do not."""
    if request.param == "hidden":
        real = os.open

        def opened(path: str | Path, flags: int, mode: int = 0o777) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(95, "Operation not supported")
            return real(path, flags, mode)

        monkeypatch.setattr(os, "open", opened)
    return tmp_path / "folder" / "books.csv"


def test_what_is_written_stands_there_to_the_last_byte_for_its_owner_alone(target: Path) -> None:
    with whole_file(target) as write:
        write("a,b\r\n")
        write("币安,\ud800\r\n")
        assert not target.exists()
    assert target.read_bytes() == "a,b\r\n币安,\\ud800\r\n".encode()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert names(target.parent) == ["books.csv"]


def test_a_file_from_before_is_replaced_in_one_step_and_only_by_a_whole_one(target: Path) -> None:
    target.parent.mkdir()
    target.write_text("old")
    with pytest.raises(BadInput):
        break_off(whole_file(target))
    assert (target.read_text(), names(target.parent)) == ("old", ["books.csv"])
    with whole_file(target) as write:
        write("new")
        assert target.read_text() == "old"
    assert (target.read_text(), names(target.parent)) == ("new", ["books.csv"])


@pytest.mark.parametrize("before", [None, "old"])
def test_a_process_killed_halfway_leaves_nothing_behind(tmp_path: Path, before: str | None) -> None:
    target = tmp_path / "books.csv"
    if before is not None:
        target.write_text(before)
    done = subprocess.run([sys.executable, "-c", KILLED_HALFWAY, str(target)], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert names(tmp_path) == ([] if before is None else ["books.csv"])
    assert before is None or target.read_text() == before


def test_a_full_disk_is_told_and_leaves_nothing(target: Path) -> None:
    with (
        full_disk(),
        pytest.raises(Unavailable, match=r"export: .*books\.csv: File too large"),
        whole_file(target) as write,
    ):
        write("x" * 20_000)
    assert names(target.parent) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(Unavailable, match=r"export: .*: (Not a directory|File exists)"),
        whole_file(tmp_path / "file" / "x.csv"),
    ):
        raise AssertionError


def test_a_long_name_has_room_for_its_half(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 250 + ".csv")
    with whole_file(target) as write:
        write("a")
    assert target.read_text() == "a"


def test_what_is_no_file_is_refused_and_stays(tmp_path: Path) -> None:
    """A device or a pipe of that name would be gone, replaced by a file."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link"):
        with pytest.raises(BadInput, match="must be a file"):
            break_off(whole_file(tmp_path / name))
        assert (tmp_path / name).is_fifo()


def test_a_link_stays_and_what_it_names_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real.csv")
    with whole_file(tmp_path / "link") as write:
        write("a")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "a"


def test_standard_output_gets_all_of_it_or_nothing(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with pytest.raises(BadInput):
        break_off(whole_stream())
    assert capfdbinary.readouterr().out == b""
    with whole_stream() as write:
        write("a\r\n币\r\n")
    assert capfdbinary.readouterr().out == "a\r\n币\r\n".encode()
