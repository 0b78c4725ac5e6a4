"""A folder that a download fills: it may be killed at any moment, and goes on from there.

    1h/BTCUSDT.csv.gz        what is done; replaced as a whole, never written into
    1h/.BTCUSDT.part         the span in progress (`parts`)
    manifest.json            what is done, with digests (`manifest`)
    .download.lock           held while a download runs here: one at a time

A finished file is never thrown away. One that differs from the manifest, or that no manifest names, is somebody's: the
download refuses to touch it.
"""

from __future__ import annotations

import fcntl
import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from runtime.adapters.candles.faults import row_faults
from runtime.adapters.candles.manifest import Entry, Listed, place, read_manifest, write_manifest
from runtime.adapters.candles.parts import Part
from runtime.adapters.candles.rows import HEADER, OWN, parse
from runtime.domain.downloads import KlineFile, KlineRow, Span, joined
from runtime.errors import BadCandles, BadInput, Unavailable

LOCK = ".download.lock"
_HEAD = f"{HEADER}\n".encode()


class CandleArchive:
    """The files of a folder, by what they cover."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read or made before `opened`."""
        self.folder = folder
        self._files: dict[str, Listed] = {}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Hold the folder for one download; `Unavailable` if another holds it, or where the disk does not obey."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / LOCK).open("ab") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise Unavailable(str(self.folder), "another download is at work here; wait for its end") from None
                self._files = dict(read_manifest(self.folder))
                yield
        except OSError as error:
            raise Unavailable(str(error.filename or self.folder), error.strerror or str(error)) from None

    def covered(self, file: KlineFile) -> Span | None:
        """What the finished file covers, None if there is none; `BadInput` if it is not as a download left it."""
        path = self.folder / file.name
        plain = path.with_suffix("")
        if plain.exists():
            raise BadInput(str(plain), "a plain file", "would stand beside the downloaded one; move it away")
        if not path.exists():
            self._files.pop(file.name, None)
            return None
        if file.name not in self._files:
            raise BadInput(str(path), "not in manifest.json", "is of no download; move it away, or use another folder")
        listed = self._files[file.name]
        entry = listed.of(sha256(path.read_bytes()).hexdigest())
        if entry is None:
            raise BadInput(str(path), "not as in manifest.json", "was changed; move it away to download it again")
        if listed.coming:  # a run was killed while it replaced the file
            self._list(file, Listed(entry))
        return entry.span

    def begin(self, file: KlineFile, span: Span) -> int:
        """Where to go on with a span (open time, epoch ms): at its start, or after what an earlier run fetched."""
        return Part(self.folder, file, span).begin()

    def append(self, file: KlineFile, span: Span, rows: Sequence[KlineRow]) -> None:
        """Keep a page of a span; `BadCandles` if a row of it breaks a rule."""
        Part(self.folder, file, span).append(rows)

    def finish(self, file: KlineFile, span: Span) -> int:
        """Join a span that was fetched to the file, which covers it from now on; how many candles the file has."""
        part, path, known = Part(self.folder, file, span), self.folder / file.name, self._files.get(file.name)
        before = known.now if known else None
        old = gzip.decompress(path.read_bytes())[len(_HEAD) :] if before else b""
        new = part.rows() or b""
        rows = old + new if before and before.span.start_ms < span.start_ms else new + old
        if parse(rows, OWN, file.symbol, file.step_ms) is None:
            raise BadCandles(tuple(row_faults(str(path), rows, OWN, file.step_ms)))
        if rows:
            data = gzip.compress(_HEAD + rows, mtime=0)
            entry = Entry(sha256(data).hexdigest(), rows.count(b"\n"), joined(span, before.span if before else None))
            self._list(file, Listed(before, entry))
            place(path, data)
            self._list(file, Listed(entry))
        part.remove()
        return rows.count(b"\n")

    def tidy(self, file: KlineFile) -> None:
        """Remove what a run left that was killed after its file was complete."""
        Part(self.folder, file, Span(0, 0)).remove()

    def _list(self, file: KlineFile, listed: Listed) -> None:
        self._files[file.name] = listed
        write_manifest(self.folder, self._files)
