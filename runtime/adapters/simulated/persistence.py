"""Books in a file: two paper hours in two processes trade on one account.

One JSON file, replaced in one step and flushed to the disk first, so that a crash leaves the old books or the new ones
and never half. It is the exchange's own record: the engine's store is somewhere else and may be lost without it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from runtime.adapters.simulated.books import Books
from runtime.errors import BadPayload

_BOOKS = TypeAdapter(Books)


def save(books: Books, path: Path) -> None:
    """Write the books to `path`, atomically; folders are made."""
    document = _BOOKS.dump_json(books)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        file.write(document)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def to_document(books: Books) -> dict[str, Any]:
    """The books as JSON values."""
    document: dict[str, Any] = _BOOKS.dump_python(books, mode="json")
    return document


def from_document(document: Mapping[str, Any], where: str) -> Books:
    """The books in a document; `BadPayload` naming the first thing that is wrong with it."""
    try:
        return _BOOKS.validate_python(document)
    except ValidationError as error:
        raise _fault(error, where) from None


def load(path: Path) -> Books:
    """The books in `path`; `BadPayload` naming the first thing that is wrong with the file."""
    try:
        return _BOOKS.validate_json(path.read_bytes())
    except ValidationError as error:
        raise _fault(error, str(path)) from None


def _fault(error: ValidationError, where: str) -> BadPayload:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"])) or "the file"
    fix = f"{first['msg']}; restore the file, or move it away to open a new paper account"
    return BadPayload(f"{where}: {place}", first["input"], fix)
