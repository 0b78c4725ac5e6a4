"""Archive files: whole or not at all, never over another, the same bytes each time, and read without trust."""

from __future__ import annotations

import gzip
import subprocess
import tracemalloc
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from runtime.adapters.archive_file import LINE_BYTES_MAX, ArchiveFile
from runtime.domain.archive import last_line
from runtime.errors import Abort, BadInput, BadPayload, Unavailable

LINES = ["one", "two", "three"]


def written(path: Path) -> str:
    return ArchiveFile(path).write(iter(LINES), lambda: "first")


@pytest.fixture(params=["backup.jsonl", "backup.jsonl.gz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / "new folder" / str(request.param)


def test_the_first_line_stands_first_and_the_digest_of_all_others_last(path: Path) -> None:
    digest = written(path)
    content = "".join(f"{line}\n" for line in ("first", *LINES))
    assert digest == sha256(content.encode()).hexdigest()
    assert list(ArchiveFile(path).lines()) == ["first", *LINES, last_line(4, digest)]


def test_the_first_line_is_asked_for_when_the_others_have_passed(tmp_path: Path) -> None:
    passed: list[str] = []

    def lines() -> Iterator[str]:
        for line in LINES:
            passed.append(line)
            yield line

    ArchiveFile(tmp_path / "a").write(lines(), lambda: f"{len(passed)} lines")
    assert (tmp_path / "a").read_text().startswith("3 lines\n")


def test_the_digest_is_what_sha256sum_says_of_the_lines_above_it(tmp_path: Path) -> None:
    digest = written(tmp_path / "a.jsonl")
    above = "head -n -1 a.jsonl | sha256sum"
    said = subprocess.run(["bash", "-c", above], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.split()[0] == digest


def test_the_same_lines_give_the_same_bytes_whatever_the_name(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz", "c.jsonl", "d.jsonl"):
        written(tmp_path / name)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == (tmp_path / "c.jsonl").read_bytes()


def test_only_its_owner_may_read_it(path: Path) -> None:
    written(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_there_is_never_replaced(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("mine")
    with pytest.raises(BadInput, match="never overwritten"):
        written(path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("at", range(4))
def test_what_goes_wrong_half_way_leaves_no_file(path: Path, at: int) -> None:
    def lines() -> Iterator[str]:
        yield from LINES[:at]
        raise Abort("half way")

    with pytest.raises(Abort):
        ArchiveFile(path).write(lines(), lambda: "first")
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_takes_no_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="archive file"):
        written(tmp_path / "file" / "backup")


def test_a_missing_file_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file"):
        list(ArchiveFile(tmp_path / "none").lines())


@pytest.mark.parametrize("kept", [3, 20, -1, -4, -9])
def test_a_compressed_file_that_was_cut_says_so(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.gz"
    written(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadPayload, match="archive, line"):
        list(ArchiveFile(path).lines())


def test_a_compressed_file_with_another_byte_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    written(path)
    whole = path.read_bytes()
    for at in range(10, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with pytest.raises(BadPayload, match="archive, line"):
            list(ArchiveFile(path).lines())


@pytest.mark.parametrize("content", [b"no line break", b"\xff\xfe\n", "größe\n".encode(), b"\x1f\x8b\n", b"\x00" * 99])
def test_what_is_no_text_of_ours_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(BadPayload, match="archive, line 1"):
        list(ArchiveFile(tmp_path / "a").lines())


def test_one_endless_line_is_read_to_its_limit_and_no_further(tmp_path: Path) -> None:
    """A few kilobytes that unpack to a gigabyte of one line."""
    with gzip.open(tmp_path / "bomb.gz", "wb") as bomb:
        for _ in range(64):
            bomb.write(b"x" * 1_048_576)
    tracemalloc.start()
    with pytest.raises(BadPayload, match="has no end"):
        list(ArchiveFile(tmp_path / "bomb.gz").lines())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * LINE_BYTES_MAX


@pytest.mark.slow
def test_a_large_archive_needs_little_memory(path: Path) -> None:
    line = "x" * 1000
    tracemalloc.start()
    ArchiveFile(path).write((line for _ in range(50_000)), lambda: "first")
    assert sum(1 for _ in ArchiveFile(path).lines()) == 50_002
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000
