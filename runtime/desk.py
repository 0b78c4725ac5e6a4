"""The desk: what the operator's commands work with that need the account's store and nothing else.

No key, no exchange and no lease. Where files and pool documents are is wired outside and handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from runtime.answers import Kept
from runtime.backup import Archive, File
from runtime.domain.site import Site
from runtime.domain.slots import date_at, parse_slot, slot_date
from runtime.domain.texts import Language
from runtime.ports import Loaded
from runtime.run_settings import Settings

Reading = Callable[[], list[str]]


class PoolPlace(Protocol):
    """Where a pool document is, or is to be."""

    @property
    def where(self) -> str:
        """Its name for people."""

    def read(self) -> Mapping[str, Any]:
        """The document; `Unavailable` where there is none, `BadPayload` where it is no JSON object."""

    def publish(self, payload: Mapping[str, Any]) -> str:
        """Put a document in its place, whole or not at all; says where. `Unavailable` where that is not possible, or
        where somebody else changed the document since it was read here.
        """


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are: `export` opens a file to write, `kept` finds a report of this machine, `pool` a pool document
    by its name (None = the upstream's) and date, `archive` a backup's file, `tapes` the tapes of a folder by name;
    `site` writes a site into a folder, and says how many files it has.
    """

    export: Callable[[Path | None], AbstractContextManager[Callable[[str], object]]]
    kept: Kept
    pool: Callable[[str | None, date | None], PoolPlace]
    archive: Callable[[str], File]
    tapes: Callable[[str | None], Mapping[str, Reading]]
    site: Callable[[Path, Site, Language], int]


@dataclass(frozen=True, slots=True)
class Desk:
    """One account's store, its settings, where things are, and how things are said. `at` is the hour of a simulated
    account that was asked for.
    """

    store: Archive
    settings: Settings
    places: Places
    say: Callable[[str], None]
    colour: bool = False
    at: str | None = None
    paper: bool = False

    @property
    def account(self) -> str:
        """Whose store it is."""
        return self.settings.account

    @property
    def folder(self) -> Path:
        """Where exports go."""
        return Path(self.settings.data_dir) / "exports"

    @property
    def language(self) -> Language:
        """How people are spoken to."""
        return Language(self.settings.language)

    @property
    def read_only(self) -> bool:
        """Whether nothing may be written: a dry run."""
        return self.settings.validate_only

    def today(self, loaded: Loaded) -> date:
        """The UTC date: of a simulated account that of its hour, of a real one that of the store's clock."""
        if self.at is not None:
            return slot_date(parse_slot(self.at))
        newest = loaded.state.slot_done if loaded.state is not None else ""
        return slot_date(newest) if self.paper and newest else date_at(loaded.read_ms)
