"""`manifest.json` of a candle folder: which files a download made, what they cover, and the SHA-256 of each.

    {"format": 1, "files": {"1h/BTCUSDT.csv.gz": {"sha256": "...", "rows": 31393, "from": ..., "to": ...}}}

`from` and `to` are the open times (epoch ms; `to` exclusive) that were asked for and answered. Every reader holds the
files against it: a byte that changed since the download is found, also where the text would still make sense.

The worked problem: a file and the manifest cannot be replaced in one step, and a run may be killed between the two. So
the coming entry is written first, as `next` beside the one that holds; then the file is replaced; then `next` takes the
place of the entry. At every moment the file is one of the two.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.domain.downloads import Span
from runtime.errors import BadPayload, Unavailable

NAME = "manifest.json"
FORMAT = 1
_FIX = "is no manifest of this format; remove it with the files it names, and download them again"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a file: its digest (hex), its number of candles, and the span that it covers."""

    sha256: str
    rows: int
    span: Span

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"sha256": self.sha256, "rows": self.rows, "from": self.span.start_ms, "to": self.span.end_ms}


@dataclass(frozen=True, slots=True)
class Listed:
    """The entry that holds for a file and the one that is about to; either may be missing."""

    now: Entry | None
    coming: Entry | None = None

    def of(self, sha256: str) -> Entry | None:
        """The entry of a file with this digest."""
        return next((entry for entry in (self.now, self.coming) if entry and entry.sha256 == sha256), None)


Files = Mapping[str, Listed]


def read_manifest(folder: Path) -> Files:
    """The files that a folder's manifest names; empty if there is none; `BadPayload` if it is damaged."""
    path = folder / NAME
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Unavailable(str(path), error.strerror or str(error)) from None
    except (ValueError, RecursionError) as error:
        raise BadPayload(str(path), str(error), _FIX) from None
    try:
        if document["format"] != FORMAT:
            raise BadPayload(f"{path} format", document["format"], f"must be {FORMAT}, the one this code knows")
        return {name: _listed(entry) for name, entry in document["files"].items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise BadPayload(str(path), f"{type(error).__name__} {error}", _FIX) from None


def write_manifest(folder: Path, files: Files) -> None:
    """Replace a folder's manifest."""
    listed = {name: _document(entry) for name, entry in sorted(files.items())}
    text = json.dumps({"format": FORMAT, "files": listed}, indent=1) + "\n"
    place(folder / NAME, text.encode())


def place(path: Path, data: bytes) -> None:
    """Write a file under its name only when it is whole and on the disk; its folder is made where it is missing."""
    beside = path.with_name(f".{path.name}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    opened = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _document(listed: Listed) -> dict[str, Any]:
    now = listed.now.document() if listed.now else {}
    return now | ({"next": listed.coming.document()} if listed.coming else {})


def _listed(document: Mapping[str, Any]) -> Listed:
    now = _entry(document) if "sha256" in document else None
    return Listed(now, _entry(document["next"]) if "next" in document else None)


def _entry(document: Mapping[str, Any]) -> Entry:
    sha256, numbers = document["sha256"], [document[name] for name in ("rows", "from", "to")]
    if not isinstance(sha256, str) or not all(type(number) is int for number in numbers):
        raise TypeError("an entry needs a sha256 and whole numbers")
    rows, start_ms, end_ms = numbers
    return Entry(sha256, rows, Span(start_ms, end_ms))
