"""Ten accounts in one store at once: what becomes of one changes nothing for another."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.firestore import Connection, FirestoreArchive
from runtime.adapters.simulated.conditions import Fault
from runtime.adapters.sqlite import SqliteStore
from runtime.backup import Archive
from runtime.domain.report import CycleStatus, Report, to_document
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.store_accounts import FIRESTORE
from tests.support.stores import NOW_MS, take
from tests.support.worlds import ACCOUNT, FIRST, Scene, scene

NAMES = [f"account-{number}" for number in range(10)]
KEYLESS, BROKEN, LEASED = NAMES[2], NAMES[5], NAMES[8]
GOOD = [name for name in NAMES if name not in {KEYLESS, BROKEN, LEASED}]
HOURS = (FIRST, "2026-03-15T10Z")
REFUSED = Fault(status=401, code=-2015, message="Invalid API-key, IP, or permissions for action.")


@dataclass(frozen=True)
class House:
    """One store that holds all accounts: `open` gives one's documents, `spoil` makes its state unreadable."""

    open: Callable[[str], Archive]
    spoil: Callable[[str], None]


@pytest.fixture(params=["sqlite", FIRESTORE])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    opened: list[Archive] = []
    if request.param == "sqlite":
        path = tmp_path / "all.sqlite"

        def one(name: str) -> Archive:
            opened.append(SqliteStore(path, SimulatedClock(NOW_MS), name))
            return opened[-1]

        def spoil(name: str) -> None:
            with closing(sqlite3.connect(path)) as raw, raw:
                raw.execute("UPDATE account SET state = ? WHERE name = ?", (json.dumps({"schema_version": 0}), name))
    else:
        host, project = request.getfixturevalue("firestore_emulator"), f"t-{secrets.token_hex(8)}"

        def one(name: str) -> Archive:
            opened.append(FirestoreArchive(Connection(project, emulator_host=host), name))
            return opened[-1]

        def spoil(name: str) -> None:
            connection = Connection(project, emulator_host=host)
            document = connection.client.document(f"strategy/MULTI_ASSET_STATE_{name}")
            document.update({"schema_version": 0}, timeout=20, retry=None)
            connection.close()

    yield House(one, spoil)
    for store in opened:
        store.close()


def opened(stack: ExitStack, name: str, store: Archive | None = None) -> Scene:
    """An account with money of its own, on an exchange of its own."""
    made = stack.enter_context(scene(store=store, USDT=str(10_000 + 1_000 * NAMES.index(name))))
    made.environment["ENGINE_ACCOUNT"] = name
    return made


def told(report: Report) -> dict[str, object]:
    """All of a report but where it was kept."""
    return {key: value for key, value in to_document(report).items() if key not in {"run", "places"}}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_seven_accounts_trade_as_alone_while_three_beside_them_are_broken(house: House) -> None:
    for name in (BROKEN, LEASED):
        take(house.open(name), "another run", seconds=0 if name == BROKEN else 420)
    house.spoil(BROKEN)
    with ExitStack() as stack:
        scenes = {name: opened(stack, name, house.open(name)) for name in NAMES}
        scenes[KEYLESS].faults({ACCOUNT: REFUSED})
        gate = threading.Barrier(len(NAMES))

        def lives(name: str) -> list[Report]:
            gate.wait()
            return [scenes[name].hour(hour) for hour in HOURS]

        with ThreadPoolExecutor(len(NAMES)) as threads:
            reports = dict(zip(NAMES, threads.map(lives, NAMES), strict=True))
        for name in GOOD:
            alone = opened(stack, name)
            assert [told(report) for report in reports[name]] == [told(alone.hour(hour)) for hour in HOURS], name
            assert scenes[name].orders() == alone.orders()
            assert scenes[name].orders()
            assert scenes[name].differences() == {}
            assert scenes[name].messenger.kinds() == alone.messenger.kinds()
        everyone = [order for name in NAMES for order in scenes[name].orders()]
        assert len(everyone) == len(set(everyone))
        assert {report.exit_code for name in (KEYLESS, BROKEN) for report in reports[name]} == {3}
        assert {report.status for report in reports[LEASED]} == {CycleStatus.LEASE_HELD}
        assert [scenes[name].orders() for name in (KEYLESS, BROKEN, LEASED)] == [[], [], []]
        assert scenes[BROKEN].messenger.taken
        assert "misconfigured" in scenes[KEYLESS].messenger.kinds()
