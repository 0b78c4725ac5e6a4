"""Archive files: lines of text in one file, plain or (by its name, `.gz`) compressed, of any size in little memory.

A file is written whole or not at all: into temporary files beside it, flushed to the disk, then renamed; a file that is
there already is never replaced. The first line holds counts that are known only at the end, so the others wait in a
temporary file of their own. The compressed form carries no time and no name: the same lines give the same bytes.

Read back, a file is foreign: it may be missing, cut, not compressed although its name says so, or one endless line.
"""

from __future__ import annotations

import gzip
import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, BinaryIO, cast

from runtime.domain.archive import last_line
from runtime.errors import BadInput, BadPayload, Unavailable

LINE_BYTES_MAX = 33_554_432
"""The longest line is the candle cache's: some megabytes."""

_BLOCK = 262_144
_GZIP_MAGIC = b"\x1f\x8b"


class ArchiveFile:
    """One archive at `path`."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened yet."""
        self._path = path

    def write(self, lines: Iterable[str], first: Callable[[], str]) -> str:
        """Write `first()`, which is asked for last, then `lines`, then the digest of them all; returns that digest.

        `BadInput` if the file exists, `Unavailable` if it cannot be written; whatever `lines` raises leaves no file.
        """
        if self._path.exists():
            raise BadInput("file", str(self._path), "must not exist yet: a backup is never overwritten")
        with _translated(self._path), ExitStack() as opened:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            body = opened.enter_context(tempfile.TemporaryFile(dir=self._path.parent))
            count = sum(body.write(f"{line}\n".encode()) > 0 for line in lines)
            head = f"{first()}\n".encode()
            descriptor, temporary = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
            opened.callback(Path(temporary).unlink, missing_ok=True)
            with os.fdopen(descriptor, "wb") as file:
                digest = self._assemble(file, head, body, count + 1)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).rename(self._path)
            _flush_folder(self._path.parent)
        return digest

    def lines(self) -> Iterator[str]:
        """The lines without their breaks; `Unavailable` if there is no such file, `BadPayload` if it is not text."""
        with _translated(self._path), ExitStack() as opened:
            file: BinaryIO = opened.enter_context(self._path.open("rb"))
            if file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC:
                file.seek(0)
                file = cast("BinaryIO", opened.enter_context(gzip.GzipFile(fileobj=file)))
            else:
                file.seek(0)
            number = 0
            while True:
                number += 1
                line = _line(file, number)
                if line is None:
                    return
                yield line

    def _assemble(self, file: BinaryIO, head: bytes, body: IO[bytes], count: int) -> str:
        with ExitStack() as opened:
            packed = self._path.suffix == ".gz"
            sink = opened.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0)) if packed else file
            digest = sha256(head)
            sink.write(head)
            body.seek(0)
            while block := body.read(_BLOCK):
                digest.update(block)
                sink.write(block)
            sink.write(f"{last_line(count, digest.hexdigest())}\n".encode())
        return digest.hexdigest()


def _line(file: BinaryIO, number: int) -> str | None:
    """The next line; None at the end of the file."""
    where = f"archive, line {number}"
    try:
        raw = file.readline(LINE_BYTES_MAX)
        if not raw:
            return None
        if not raw.endswith(b"\n"):
            raise BadPayload(where, "", "has no end: the file was cut short, or it is no archive")
        return raw[:-1].decode("ascii")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadPayload(where, str(error), "must be whole: the compressed file was cut short or changed") from None
    except UnicodeDecodeError:
        raise BadPayload(where, "", "must be ASCII text as it was written") from None


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """The file system's errors as `Unavailable`."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"archive file {path}", error.strerror or type(error).__name__) from None
