"""Wiring of the desk: where reports, tapes, exports, backups and pool documents are for the operator's commands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial
from pathlib import Path

from runtime.adapters.files import TAPE_SUFFIX, PoolFile, kept_report, read_tape
from runtime.desk import Places, PoolPlace, Reading
from runtime.errors import BadInput, Unavailable
from runtime.run_settings import Settings
from runtime.wiring_pages import leave_site
from runtime.wiring_stores import archive_file, export_place, firestore_store, live_home, paper_home

CLOUD = "firestore"
"""The name of the upstream's document on the command line."""


def places_of(settings: Settings, *, paper: bool) -> Places:
    """Where things of an account are, by its settings; nothing is opened yet."""
    home = paper_home(settings) if paper else live_home(settings)
    return Places(
        export=export_place,
        kept=partial(kept_report, home),
        pool=partial(_pool_place, settings),
        archive=archive_file,
        tapes=partial(_tapes, home),
        site=leave_site,
    )


def _pool_place(settings: Settings, name: str | None, as_of: date | None) -> PoolPlace:
    """The document at `name`; without one the upstream's, which is on Firestore or the operator's own file."""
    if name is None:
        name = CLOUD if settings.google_project else settings.artifact_file
    if name is None:
        raise BadInput("place", "", "must be named: neither GOOGLE_CLOUD_PROJECT nor STRATEGY_ARTIFACT_FILE is set")
    if name != CLOUD:
        return PoolFile(Path(name), as_of)
    if not settings.google_project:
        raise BadInput("place", name, "needs GOOGLE_CLOUD_PROJECT: name the project that holds Firestore")
    return firestore_store(settings).upstream


def _tapes(home: Path, folder: str | None) -> Mapping[str, Reading]:
    """The tapes of a folder and of those below it, oldest first, or the one file."""
    place = Path(folder) if folder is not None else home / "tapes"
    found = sorted(place.rglob(f"*{TAPE_SUFFIX}")) if place.is_dir() else [place]
    if not found or not (place.is_dir() or place.is_file()):
        raise Unavailable(str(place), f"holds no tape (*{TAPE_SUFFIX})")
    return {str(path.relative_to(place)) if place.is_dir() else path.name: partial(read_tape, path) for path in found}
