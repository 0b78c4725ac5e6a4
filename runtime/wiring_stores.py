"""Stores: where an account's documents are, by its settings. A wiring of its own: it needs neither key nor exchange.

The hour's wiring asks here for its store; the commands that only copy, prove or look at documents need nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.adapters.clock import SystemClock
from runtime.backup import Archive, File
from runtime.errors import BadInput, SettingsError
from runtime.ports import Clock, Identity
from runtime.run_settings import Settings

if TYPE_CHECKING:
    from runtime.adapters.firestore import FirestorePoolSource

BUILT_IN_MARKETS = frozenset({"embedded", "binance"})
CHECK_ATTEMPT_S, CHECK_READ_S = 4.0, 3.0
"""How long a check waits for an answer: it is asked once, by somebody who looks on, and must name what is dead soon."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """What is on Firestore: the account's documents and the upstream's pool. `dial` opens the connection early,
    `identity` says who signs in.
    """

    store: Archive
    upstream: FirestorePoolSource
    dial: Callable[[], None]
    identity: Callable[[], Identity]


@contextmanager
def wired_store(settings: Settings, *, paper: bool = False) -> Iterator[Archive]:
    """The account's store alone, real or (`paper`) simulated, for a command that asks the exchange for nothing."""
    if paper:
        must_be_market(settings.market)
    home = paper_home(settings) if paper else live_home(settings)
    local = settings.store == "sqlite"
    with closing(sqlite_store(home, SystemClock(), settings) if local else firestore_store(settings).store) as store:
        yield store


def archive_file(path: str) -> File:
    """A backup's file."""
    from runtime.adapters.archive_file import ArchiveFile

    return ArchiveFile(Path(path))


def export_place(path: Path | None) -> AbstractContextManager[Callable[[str], object]]:
    """What an export is written into: the file at `path`, or standard output; whole, or not at all."""
    from runtime.adapters.exports import whole_file, whole_stream

    return whole_stream() if path is None else whole_file(path)


def firestore_store(settings: Settings, *, brief: bool = False) -> Cloud:
    """What is on Firestore, through one connection; `brief`: one that does not wait for long."""
    from runtime.adapters.firestore import Connection, Deadlines, FirestoreArchive, FirestorePoolSource

    project = settings.google_project or ""
    deadlines = Deadlines(CHECK_ATTEMPT_S, CHECK_READ_S) if brief else Deadlines()
    connection = Connection(project, settings.firestore_database, settings.firestore_emulator, deadlines)
    store = FirestoreArchive(connection, settings.account, settings.state_collection, settings.state_document)
    upstream = FirestorePoolSource(connection, settings.upstream_collection, settings.upstream_document)
    return Cloud(store, upstream, connection.dial, connection.identity)


def sqlite_store(home: Path, clock: Clock, settings: Settings) -> Archive:
    """The account's documents in a file below `home`."""
    from runtime.adapters.sqlite import SqliteStore

    return SqliteStore(home / "state.sqlite", clock, settings.account)


def live_home(settings: Settings) -> Path:
    """The folder of a real account on this machine."""
    return Path(settings.data_dir) / "live" / settings.account


def paper_home(settings: Settings) -> Path:
    """The folder of a simulated account: its store, its exchange's books, its reports and tapes."""
    return Path(settings.data_dir) / "paper" / _place(settings.market) / settings.account


def must_be_market(market: str) -> None:
    """`SettingsError` for a market that is neither built in nor a folder: a typing error opens no account."""
    if market not in BUILT_IN_MARKETS and not Path(market).is_dir():
        raise SettingsError((f"--market: {market!r} – must be embedded, binance, or a folder of candles",))


def market_label(market: str) -> str:
    """The name of a market in reports: the same on every machine."""
    return market if market in BUILT_IN_MARKETS else Path(market).resolve().name


def _place(market: str) -> str:
    """The name of a market's own folder of state: two candle folders of the same name never share one account."""
    if market in BUILT_IN_MARKETS:
        return market
    return f"{market_label(market)}-{sha256(str(Path(market).resolve()).encode(errors='replace')).hexdigest()[:8]}"


def target_of(settings: Settings, to: str) -> Settings:
    """The settings of the store that `to` names: `firestore`, or `sqlite:FOLDER` with the data folder."""
    kind, _, folder = to.partition(":")
    if kind == "sqlite" and folder:
        return settings.model_copy(update={"store": "sqlite", "data_dir": folder})
    if to != "firestore":
        raise BadInput("to", to, "must be firestore, or sqlite:FOLDER with the folder that ENGINE_DATA_DIR will name")
    if not settings.google_project:
        raise BadInput("to", to, "needs GOOGLE_CLOUD_PROJECT: name the project that holds Firestore")
    return settings.model_copy(update={"store": "firestore"})


def place_of(settings: Settings) -> str:
    """A store as its settings name it."""
    if settings.store == "sqlite":
        return f"ENGINE_STORE=sqlite ENGINE_DATA_DIR={Path(settings.data_dir).resolve()}"
    document = f"ENGINE_STATE_COLLECTION={settings.state_collection} ENGINE_STATE_DOCUMENT={settings.state_document}"
    database = f"ENGINE_FIRESTORE_DATABASE={settings.firestore_database}"
    return f"ENGINE_STORE=firestore GOOGLE_CLOUD_PROJECT={settings.google_project} {database} {document}"
