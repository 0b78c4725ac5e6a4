"""Exports: a file of any length that is there whole or not at all.

It is written into a file without a name, in the folder where it will stand, and gets its name when all of it is on the
disk. A process that is killed on the way leaves nothing behind, not even something to sweep up; a file of that name
from before stays as it was until the new one takes its place in one step. Where the file system knows no nameless files
the half is a hidden one, removed by whatever ends the writing but a kill.

What goes to standard output is written the same way first: a reader further down the pipe sees all of it or nothing.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from runtime.errors import BadInput, Unavailable

Write = Callable[[str], object]
PRIVATE = 0o600
"""An export holds amounts: it is its owner's alone."""


@contextmanager
def whole_file(path: Path) -> Iterator[Write]:
    """Write the file at `path`, replacing one that is there; on any exception nothing is changed.

    A link stays, and what it names is written. `BadInput` for what is there and no file (a device, a pipe): a new file
    in its place would destroy it. `Unavailable` if it cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            raise BadInput("out", str(path), "must be a file, or - for standard output")
        path = Path(os.path.realpath(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        file, waiting = _opened(path)
    except OSError as error:
        raise _refused(path, error) from None
    done = False
    try:
        with file:
            yield file.write
            file.flush()
            os.fsync(file.fileno())
            with _folder(path.parent) as folder:
                if waiting is None:
                    waiting = path.parent / _hidden(path)
                    os.link(f"/proc/self/fd/{file.fileno()}", waiting.name, dst_dir_fd=folder, follow_symlinks=True)
                waiting.replace(path)
                done = True
                os.fsync(folder)
    except OSError as error:
        raise _refused(path, error) from None
    finally:
        if not done and waiting is not None:
            with suppress(OSError):
                waiting.unlink()


@contextmanager
def whole_stream() -> Iterator[Write]:
    """Write to standard output, at the end and all at once; on any exception nothing comes out."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="backslashreplace", newline="") as file:
        yield file.write
        file.seek(0)
        sys.stdout.flush()
        try:
            with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", newline="") as out:
                shutil.copyfileobj(file, out)
        except OSError as error:
            raise Unavailable("export", f"standard output: {error.strerror or error}") from None


def _opened(path: Path) -> tuple[IO[str], Path | None]:
    """A file to write into, and its name as long as it has one that must not stay."""
    try:
        number, waiting = os.open(path.parent, getattr(os, "O_TMPFILE", 0) | os.O_WRONLY | os.O_CLOEXEC, PRIVATE), None
    except OSError:
        waiting = path.parent / _hidden(path)
        number = os.open(waiting, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, PRIVATE)
    return os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace", newline=""), waiting


def _hidden(path: Path) -> str:
    return f".{path.name[:100]}.{secrets.token_hex(8)}.tmp"


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield opened
    finally:
        os.close(opened)


def _refused(path: Path, error: OSError) -> Unavailable:
    return Unavailable("export", f"{path}: {error.strerror or error}")
