"""A folder for one run over history: its checkpoint while it runs, its track when it is done.

    checkpoint.json.gz    the run as it stood; removed when the track is written
    track.json            the whole run, as `domain.track` words it
    report.html, .json    what people and programs read of it; equity.png for a chat

Each file is written beside its name and renamed, so what stands there is whole.
"""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

from runtime.errors import BadPayload, Unavailable

CHECKPOINT, TRACK = "checkpoint.json.gz", "track.json"


class RunFolder:
    """The files of one run."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made with the first write."""
        self.folder = folder

    def checkpoint(self) -> str | None:
        """The text of the checkpoint; None if there is none; `BadPayload` if it is damaged."""
        path = self.folder / CHECKPOINT
        try:
            return gzip.decompress(path.read_bytes()).decode()
        except FileNotFoundError:
            return None
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise BadPayload(str(path), str(error), "is not a whole checkpoint; remove it to begin anew") from None

    def keep_checkpoint(self, text: str) -> Path:
        """Replace the checkpoint."""
        return self._write(CHECKPOINT, gzip.compress(text.encode(), compresslevel=1, mtime=0))

    def finish(self, text: str) -> Path:
        """Write the track; the checkpoint is done with."""
        path = self._write(TRACK, (text + "\n").encode())
        (self.folder / CHECKPOINT).unlink(missing_ok=True)
        return path

    def keep(self, name: str, data: bytes) -> Path:
        """Write a page or picture of the run beside its track."""
        return self._write(name, data)

    def _write(self, name: str, data: bytes) -> Path:
        path, beside = self.folder / name, self.folder / f".{name}.{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(data)
            return beside.replace(path)
        except OSError as error:
            raise Unavailable(str(path), error.strerror or str(error)) from None
