"""A folder that holds a site: built beside it and put in its place in one step, so that nobody reads half of one.

A folder that holds anything else is refused: an option that is mistyped must not cost somebody his files.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from runtime.errors import BadInput, Unavailable

MARK = ".nojekyll"
"""Part of every site (it tells GitHub Pages to serve the files as they are), and so the sign that one is there."""


def write_site(folder: Path, files: Iterable[tuple[str, bytes]]) -> int:
    """Put the site in the place of `folder`; how many files it has. `BadInput` where something else is there,
    `Unavailable` where it cannot be written; then what was there stands.
    """
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MARK).is_file())):
        raise BadInput("folder", str(folder), f"must be new, empty, or a site made before (it holds {MARK})")
    beside, old = (folder.with_name(f".{folder.name}.{name}.{os.getpid()}") for name in ("new", "old"))
    count = 0
    try:
        for count, (path, data) in enumerate(files, start=1):  # noqa: B007 - how many there were is the answer
            place = beside / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        if folder.exists():
            folder.rename(old)
        beside.rename(folder)
    except OSError as error:
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise Unavailable(str(folder), error.strerror or str(error)) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return count
