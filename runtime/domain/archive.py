"""Archive: an account's documents as lines of text, to be kept, moved between stores, and proved whole.

    {"account": "main", "documents": {...}, "format": ..., ...}                what this is, whose, when, how much
    {"body": {...}, "check": ..., "id": ..., "part": ..., "section": "cycles"}   one document a line, sections in order
    {"documents": 14, "end": "cycles", "sha256": ...}                      after each section, an empty one too
    {"end": "archive", "lines": 99, "sha256": ...}                         last: the digest of every byte before it

Each line is canonical JSON in ASCII, so the same documents give the same bytes whichever store they come from. What
only one store needs (lease, rank, expiry) is not in a body. A line's own `check` exists to name the line that was
changed; the section's digest finds lines that are missing, doubled or moved, and the last line a file that was cut. The
state is the last section: whoever writes an archive into a store opens the account with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from runtime.domain.documents import canonical, decode, encode
from runtime.domain.tape import VERSION
from runtime.errors import BadPayload, StateUnreadable

FORMAT = "binance-platform archive"
FORMAT_VERSION = 2
"""2: with the audit log. 1: without; it is read all the same."""
ARCHIVE = "archive"
_CHECK_CHARACTERS = 16


class Section(StrEnum):
    """The kinds of documents, in the order of an archive."""

    CONTROL = "control"
    CYCLES = "cycles"
    JOURNAL = "journal"
    LEDGER = "ledger"
    AUDIT = "audit"
    CACHE = "cache"
    STATE = "state"


_SECTIONS: Mapping[int, tuple[Section, ...]] = {
    1: tuple(section for section in Section if section is not Section.AUDIT),
    2: tuple(Section),
}


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as every store keeps it: `part` is an intent's slot or an entry's day, `body` JSON values."""

    section: Section
    id: str
    body: Mapping[str, Any]
    part: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: whose documents, up to which completed hour, taken when (epoch ms), and how many by section."""

    account: str
    slot_done: str
    taken_ms: int
    schema_version: int
    documents: Mapping[str, int]
    code: str = VERSION
    version: int = FORMAT_VERSION
    format: str = FORMAT


class Tally:
    """Counts and digests of documents while they pass; complete once all of them did."""

    def __init__(self) -> None:
        """Nothing has passed."""
        self.counts: dict[Section, int] = dict.fromkeys(Section, 0)
        self.digests: dict[Section, str] = {}

    def lines(self, documents: Iterable[Stored]) -> Iterator[str]:
        """The lines of `documents`, which come in the order of their sections, each section with its end."""
        left, digest = list(Section), sha256()
        for document in documents:
            while left[0] is not document.section:
                yield self._ended(left.pop(0), digest.hexdigest())
                digest = sha256()
            line = line_of(document)
            digest.update(f"{line}\n".encode())
            self.counts[document.section] += 1
            yield line
        for section in left:
            yield self._ended(section, digest.hexdigest())
            digest = sha256()

    def by_name(self) -> dict[str, int]:
        """The number of documents by the name of their section."""
        return {section.value: count for section, count in self.counts.items()}

    def _ended(self, section: Section, digest: str) -> str:
        self.digests[section] = digest
        return canonical({"end": section.value, "documents": self.counts[section], "sha256": digest})


def tallied(documents: Iterable[Stored]) -> Tally:
    """The tally of `documents`, once they have all passed."""
    tally = Tally()
    for _ in tally.lines(documents):
        pass
    return tally


def line_of(document: Stored) -> str:
    """The line of one document."""
    fields = {
        "section": document.section.value, "part": document.part, "id": document.id, "body": document.body
    }  # fmt: skip
    return canonical(fields | {"check": _check(fields)})


def header_line(header: Header) -> str:
    """The first line."""
    return canonical(encode(header))


def last_line(lines: int, digest: str) -> str:
    """The last line: how many came before it, and the SHA-256 of all their bytes."""
    return canonical({"end": ARCHIVE, "lines": lines, "sha256": digest})


def _check(fields: Mapping[str, Any]) -> str:
    return sha256(canonical(fields).encode()).hexdigest()[:_CHECK_CHARACTERS]


class Reader:
    """Reads an archive line by line and proves it on the way; `BadPayload` names section and line of what is wrong.

    `digest` is the archive's own, once it was read to its end.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        """Nothing is read yet; the lines come without their line breaks."""
        self._lines = lines
        self._number = 0
        self._running = sha256()
        self._header: Header | None = None
        self.digest = ""

    def header(self) -> Header:
        """The first line; refused where it is no archive, or one of newer code."""
        if self._header is None:
            record = self._next("header")
            if record.get("format") != FORMAT:
                raise self._wrong("header", record.get("format"), f"must be an archive of the engine ({FORMAT})")
            version = record.get("version")
            if type(version) is not int or version not in _SECTIONS:
                raise self._wrong("header", version, f"must be version {FORMAT_VERSION}: update the code")
            try:
                self._header = decode(Header, record, "header", required=("documents", "account", "slot_done"))
            except StateUnreadable as error:
                raise self._wrong("header", str(error), "must name account, slot and counts") from None
        return self._header

    def documents(self) -> Iterator[Stored]:
        """Every document in order; to be read to the end, because the last line is the proof of the whole."""
        header = self.header()
        for section in _SECTIONS[header.version]:
            yield from self._section(section, header.documents.get(section.value, 0))
        expected = (self._number, self._running.hexdigest())
        record = self._next(ARCHIVE)
        if (record.get("end"), record.get("lines"), record.get("sha256")) != (ARCHIVE, *expected):
            raise self._wrong(ARCHIVE, record.get("sha256"), "does not match what is above it: the file was changed")
        if next(self._lines, None) is not None:
            raise self._wrong(ARCHIVE, "more lines", "must be the end of the file")
        self.digest = expected[1]

    def _section(self, section: Section, count: int) -> Iterator[Stored]:
        digest, found = sha256(), 0
        while "end" not in (record := self._next(section)):
            yield self._document(record, section)
            digest.update(f"{canonical(record)}\n".encode())
            found += 1
        if record.get("end") != section.value:
            raise self._wrong(section, record.get("end"), f"must be the end of section {section}")
        if (record.get("documents"), record.get("sha256")) != (found, digest.hexdigest()):
            raise self._wrong(section, record.get("sha256"), "does not match the section: lines are missing or changed")
        if found != count:
            raise self._wrong(section, found, f"must be the {count} documents that the header counts")

    def _document(self, record: dict[str, Any], section: Section) -> Stored:
        check = record.pop("check", None)
        if record.get("section") != section.value or check != _check(record):
            raise self._wrong(section, check, "does not match its document: the line was changed")
        record["check"] = check
        name, part, body = record.get("id"), record.get("part"), record.get("body")
        if not (isinstance(name, str) and isinstance(part, str) and isinstance(body, dict) and name):
            raise self._wrong(section, name, "must be a document with id, part and body")
        if section is not Section.LEDGER and "/" in name + part:
            raise self._wrong(section, name, "must be a name without a slash")
        return Stored(section, name, body, part)

    def _next(self, section: str) -> dict[str, Any]:
        line = next(self._lines, None)
        if line is None:
            raise BadPayload(f"archive, {section}, line {self._number + 1}", "", "is missing: the file was cut short")
        if section != ARCHIVE:
            self._running.update(f"{line}\n".encode(errors="replace"))
        self._number += 1
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise self._wrong(section, line[:40], "must be JSON") from None
        if not isinstance(record, dict) or canonical(record) != line:
            raise self._wrong(section, line[:40], "must be a JSON object as it was written")
        return record

    def _wrong(self, section: str, value: object, fix: str) -> BadPayload:
        return BadPayload(f"archive, {section}, line {self._number}", value, fix)
