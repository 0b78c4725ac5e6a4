"""Files: pools read from this machine, reports and tapes kept on it.

A file is foreign input until it is parsed: it may be missing, a folder, a pipe that never ends, a gigabyte, or text
that gives the same key twice. Each is one clear error (`Unavailable` if there is nothing to read, `BadPayload` if what
is there is wrong), so that the ladder can go on to the next rung.

What is written is written whole or not at all: into a temporary file in the same folder, flushed to the disk, then
renamed, then the folder flushed. Nothing is ever overwritten. The worked problem: an hour that is run again must not
erase the account of the first run, so its report is `2026-11-21T09Z-2.json`. The temporary file is created exclusively
and thereby reserves its name among runs that overlap; one that a killed run left behind only costs its number.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import re
import stat
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from runtime.domain.pool import Rung
from runtime.domain.slots import parse_slot
from runtime.errors import BadInput, BadPayload, Unavailable

POOL_BYTES_MAX = 1_048_576
TAPE_SUFFIX = ".jsonl.gz"
TAPE_BYTES_MAX = 268_435_456
REPORT_BYTES_MAX = 16_777_216
NUMBERS_MAX = 1000
SLOT_LENGTH = len("2026-11-21T09Z")
PRIVATE = 0o600
"""The mode of what is written: it names balances and orders, which are nobody else's business on a shared machine."""
_REPORT_NAME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}Z(-\d{1,4})?\.json")
_GZIP_MAGIC = b"\x1f\x8b"


class FilePoolSource:
    """A rung of the ladder that is a JSON file: the operator's, the repository's, or a sibling checkout's."""

    def __init__(self, rung: Rung, path: Path, where: str = "") -> None:
        """`path` may be missing until it is read; a link to a file counts as the file.

        `where` names it in reports and errors, so that they read alike on every machine; without it, the path does.
        """
        self.rung = rung
        self.where = where or str(path)
        self._path = path

    def read(self) -> Mapping[str, Any]:
        return _json_object(_read_bytes(self._path, POOL_BYTES_MAX, self.where), self.where)


class PoolFile:
    """A pool document of the operator's: a file, or, in a folder, one that is named by its date."""

    def __init__(self, path: Path, as_of: date | None = None) -> None:
        """Nothing is read yet."""
        self._path = path / f"{as_of}.json" if path.is_dir() and as_of is not None else path
        self.where = str(self._path)

    def read(self) -> Mapping[str, Any]:
        return _json_object(_read_bytes(self._path, POOL_BYTES_MAX, self.where), self.where)

    def publish(self, payload: Mapping[str, Any]) -> str:
        """Replace the file in one step."""
        data = _encoded(json.dumps(payload, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        try:
            _place(self._path.with_name(f".{self._path.name}.tmp"), self._path, data)
            _flush_folder(self._path.parent)
        except OSError as error:
            raise Unavailable(self.where, error.strerror or str(error)) from None
        return self.where


class FolderReportSink:
    """Keeps reports and tapes in a folder: `reports/<slot>.json` and `.txt`, `tapes/<slot>.jsonl.gz`."""

    def __init__(self, folder: Path) -> None:
        """`folder` is created with the first write."""
        self._folder = folder

    def write_report(self, slot: str, document: Mapping[str, Any], text: str) -> str:
        return self._write("reports", slot, {".txt": _encoded(text), ".json": canonical_json(document)})

    def write_tape(self, slot: str, lines: Sequence[str]) -> str:
        return self._write("tapes", slot, {TAPE_SUFFIX: pack_tape(lines)})

    def amend_report(self, place: str, document: Mapping[str, Any], text: str) -> None:
        target = Path(place)
        try:
            for path, data in ((target.with_suffix(".txt"), _encoded(text)), (target, canonical_json(document))):
                _place(path.with_name(f".{path.name}.tmp"), path, data)
            _flush_folder(target.parent)
        except OSError as error:
            raise Unavailable("report folder", f"{self._folder}: {error.strerror or error}") from None

    def _write(self, kind: str, slot: str, contents: Mapping[str, bytes]) -> str:
        """Write files of one free name, the main one last, so that it stands only beside whole companions."""
        name = parse_slot(slot)
        try:
            folder = self._folder / kind
            folder.mkdir(parents=True, exist_ok=True)
            *_, main = contents
            for number in range(1, NUMBERS_MAX + 1):
                stem = name if number == 1 else f"{name}-{number}"
                if _write_new(folder, stem, contents):
                    return str(folder / (stem + main))
        except OSError as error:
            raise Unavailable("report folder", f"{self._folder}: {error.strerror or error}") from None
        raise Unavailable("report folder", f"{self._folder}: {NUMBERS_MAX} {kind} of {name} exist already")


def kept_report(folder: Path, slot: str | None) -> Mapping[str, Any] | None:
    """The newest report that `FolderReportSink` kept in `folder` of a slot, or of the newest slot; None without one."""
    pattern = f"{parse_slot(slot)}*.json" if slot else "*.json"
    found = _found(folder, pattern)
    if not found:
        return None
    path = max(found, key=lambda path: (path.stem[:SLOT_LENGTH], int(path.stem[SLOT_LENGTH + 1 :] or 1)))
    return _json_object(_read_bytes(path, REPORT_BYTES_MAX), path.name)


def _found(folder: Path, pattern: str) -> list[Path]:
    try:
        return [path for path in (folder / "reports").glob(pattern) if _REPORT_NAME.fullmatch(path.name)]
    except OSError as error:
        raise Unavailable("report folder", f"{folder}: {error.strerror or error}") from None


class NullReportSink:
    """Keeps nothing."""

    def write_report(self, slot: str, document: Mapping[str, Any], text: str) -> str:  # noqa: ARG002 - the port's names
        return ""

    def write_tape(self, slot: str, lines: Sequence[str]) -> str:  # noqa: ARG002 - the port's names
        return ""

    def amend_report(self, place: str, document: Mapping[str, Any], text: str) -> None:
        """There is no report to change."""


def canonical_json(document: Mapping[str, Any]) -> bytes:
    """The one way to write a document: sorted keys, no spaces, UTF-8, a newline; `BadInput` if it is not JSON."""
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadInput("report", str(error), "must hold JSON values with finite numbers only") from None
    return _encoded(text + "\n")


def pack_tape(lines: Sequence[str]) -> bytes:
    """The bytes of a tape: one line each, compressed without a time or a name: the same lines give the same bytes."""
    for at, line in enumerate(lines):
        if "\n" in line:
            raise BadInput(f"tape line {at + 1}", line, "must not hold a line break")
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as file:
        file.write(_encoded("".join(line + "\n" for line in lines)))
    return packed.getvalue()


def read_tape(path: Path, bytes_max: int = TAPE_BYTES_MAX) -> list[str]:
    """The lines of a tape, compressed or plain; `Unavailable` if it cannot be read, `BadPayload` if it is damaged or
    unpacks to more than `bytes_max`.
    """
    packed = _read_bytes(path, bytes_max)
    try:
        text = _unpacked(packed, path, bytes_max).decode() if packed.startswith(_GZIP_MAGIC) else packed.decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise BadPayload(str(path), str(error), "must be a whole tape as written: UTF-8 lines, plain or gzip") from None
    return text.removesuffix("\n").split("\n") if text else []


def _unpacked(packed: bytes, path: Path, bytes_max: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    data = unpacker.decompress(packed, bytes_max + 1)
    if len(data) > bytes_max:
        raise BadPayload(str(path), f"more than {bytes_max} bytes", "is too big for a tape")
    if not unpacker.eof or unpacker.unused_data:
        raise EOFError("the file ends before the tape does, or goes on after it")
    return data


def _encoded(text: str) -> bytes:
    """UTF-8; half a character (it can come from foreign text) is written as the JSON escape that names it."""
    return text.encode(errors="backslashreplace")


def _read_bytes(path: Path, limit: int, where: str = "") -> bytes:
    """All of a regular file; never waits (a pipe would), never reads more than `limit` bytes; `where` names it."""
    where = where or str(path)
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise Unavailable(where, "is not a file")
            with os.fdopen(opened, "rb", closefd=False) as file:
                data = file.read(limit + 1)
        finally:
            os.close(opened)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise Unavailable(where, getattr(error, "strerror", None) or str(error)) from None
    if len(data) > limit:
        raise BadPayload(where, f"more than {limit} bytes", "is too big for what it should be")
    return data


def _json_object(data: bytes, where: str) -> dict[str, Any]:
    try:
        text = data.decode("utf-8-sig")
        value = json.loads(text, object_pairs_hook=_each_key_once, parse_constant=_finite, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()  # half a character, which an escape can name, fits no store
    except json.JSONDecodeError as error:
        line, place = error.doc.split("\n")[error.lineno - 1].strip(), f"line {error.lineno} column {error.colno}"
        raise BadPayload(f"{where} {place}", line, f"must be JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise BadPayload(where, str(error), "must be one JSON object in UTF-8") from None
    if not isinstance(value, dict):
        raise BadPayload(where, f"a {type(value).__name__}", "must be one JSON object")
    return value


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def _write_new(folder: Path, stem: str, contents: Mapping[str, bytes]) -> bool:
    """Write all of `contents` under `stem`, or nothing and False if any of the names is taken or reserved."""
    reserved = folder / f".{stem}.tmp"
    try:
        opened = os.open(reserved, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
    except FileExistsError:
        return False
    try:
        os.close(opened)
        # Asked only now: whoever wrote under this name held the reservation, so it is either there or not coming.
        if any((folder / (stem + suffix)).exists() for suffix in contents):
            return False
        for suffix, data in contents.items():
            _place(folder / f".{stem}{suffix}.tmp", folder / (stem + suffix), data)
        _flush_folder(folder)
    finally:
        with suppress(OSError):  # what was written stands; a name that stays reserved only costs its number
            reserved.unlink()
    return True


def _place(temporary: Path, target: Path, data: bytes) -> None:
    try:
        made = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE)
        with os.fdopen(made, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(target)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


def _flush_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
