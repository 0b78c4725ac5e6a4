"""`docs/firestore.md` against the code and the emulator: permissions, rules, expiry, indexes, limits, commands."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
import requests

from runtime.adapters.archive_file import ArchiveFile
from runtime.adapters.firestore import Connection, FirestoreArchive, documents
from runtime.adapters.firestore.connection import ATTEMPT_SECONDS, READ_SECONDS
from runtime.adapters.firestore.store import SENDS_MAX
from runtime.backup import Target, back_up, restore
from runtime.domain.control import Control
from runtime.domain.report import CycleStatus
from runtime.domain.state import STATE_BYTES_MAX
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.gcloud import gcloud_tree, unknown_to_gcloud
from tests.support.grpc_wire import Wire
from tests.support.sources import ROOT
from tests.support.stores import everything, take
from tests.support.worlds import scene

PAGE = (ROOT / "docs" / "firestore.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (gcloud .+)$", PAGE, re.MULTILINE)
GROUPS = {"journal", "cycles", "ledger", "control", "cache"}


@dataclass
class Recorder(Wire):
    """A wire that keeps every request by the name of its call."""

    requests: list[tuple[str, Any]] = field(default_factory=list)

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        self.requests.append((client_call_details.method.rpartition("/")[2], request))
        return super().intercept_unary_unary(continuation, client_call_details, request)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        self.requests.append((client_call_details.method.rpartition("/")[2], request))
        return super().intercept_unary_stream(continuation, client_call_details, request)

    def deletes(self) -> int:
        """Documents that were asked to be deleted."""
        writes = [write for name, request in self.requests if name == "Commit" for write in request.writes]
        return sum(bool(write.delete) for write in writes)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """On every channel to an emulator that is opened from now on."""
    between, real = Recorder(), grpc.insecure_channel
    monkeypatch.setattr(grpc, "insecure_channel", lambda *a, **k: grpc.intercept_channel(real(*a, **k), between))
    return between


@pytest.fixture
def host(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("firestore_emulator"))


@pytest.fixture
def project() -> str:
    return f"t-{secrets.token_hex(8)}"


@pytest.fixture
def store(recorder: Recorder, host: str, project: str) -> Iterator[FirestoreArchive]:
    opened = FirestoreArchive(Connection(project, emulator_host=host))
    yield opened
    opened.close()


def live(store: FirestoreArchive, folder: Path) -> None:
    """All that the engine and the workflows do to a store."""
    store.probe()
    with scene(store=store) as s:
        for _ in range(2):
            assert s.next().status is CycleStatus.DONE
    store.set_control(Control())
    list(store.cycles(5, "2027"))
    list(store.journal())
    list(store.journal("2026-03-15T10Z"))
    list(store.ledger_days())
    back_up(store, ArchiveFile(folder / "backup.gz"), "main", cache=True)


def permissions(role: str) -> set[str]:
    (command,) = [command for command in COMMANDS if f"roles create {role} " in command]
    found = re.search(r"--permissions=(\S+)", command)
    assert found is not None
    return set(found[1].split(","))


def row(call: str) -> set[str]:
    """What the page's table says that a call needs."""
    found = re.search(rf"^\| {call} \|.*\| (.+) \|$", PAGE, re.MULTILINE)
    assert found is not None
    return set(re.findall(r"`(datastore\.[\w.]+)`", found[1]))


@pytest.mark.emulator
def test_the_roles_grant_what_the_calls_need_and_nothing_more(
    recorder: Recorder, store: FirestoreArchive, tmp_path: Path
) -> None:
    live(store, tmp_path)
    assert {name for name, _ in recorder.requests} == {"BatchGetDocuments", "RunQuery", "Commit"}
    assert recorder.deletes() == 0
    needed = row("BatchGetDocuments") | row("RunQuery") | row("Commit, a write")
    assert permissions("binanceEngine") == needed
    assert len(needed) == 4
    restore(ArchiveFile(tmp_path / "backup.gz"), Target(store, "main", "operator", "main"))
    assert recorder.deletes() > 0
    assert {name for name, _ in recorder.requests} == {"BatchGetDocuments", "RunQuery", "Commit"}
    assert permissions("binanceOperator") == needed | row("Commit, a delete")


@pytest.mark.emulator
def test_no_query_needs_an_index_of_its_own(recorder: Recorder, store: FirestoreArchive, tmp_path: Path) -> None:
    """One field or the name: more than one field in a query's filter and order would need one to be made."""
    live(store, tmp_path)
    queries = [request.structured_query for name, request in recorder.requests if name == "RunQuery"]
    assert len(queries) >= 7
    for query in queries:
        filters = [query.where.field_filter, *(part.field_filter for part in query.where.composite_filter.filters)]
        fields = {part.field.field_path for part in (*filters, *query.order_by)} - {"", "__name__"}
        assert len(fields) <= 1, query


class Client:
    """Firestore's REST interface, as a browser or a phone reaches it; `token` signs in."""

    def __init__(self, host: str, project: str) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.host, self.project = host, project
        self.base = f"http://{host}/v1/projects/{project}/databases/(default)/documents"

    def publish(self, rules: str) -> int:
        """Put the rules in force."""
        url = f"http://{self.host}/emulator/v1/projects/{self.project}:securityRules"
        body = {"rules": {"files": [{"name": "firestore.rules", "content": rules}]}}
        return self.session.put(url, json=body, timeout=20).status_code

    def ask(self, method: str, path: str, token: str = "", **given: Any) -> requests.Response:
        """One request."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.session.request(method, f"{self.base}/{path}", headers=headers, timeout=20, **given)


def signed_in(user: str) -> str:
    """A user's token, as the emulator takes it: without a signature."""
    parts = ({"alg": "none"}, {"sub": user, "user_id": user, "iss": "https://securetoken.google.com/x", "aud": "x"})
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return ".".join([*encoded, ""])


@pytest.mark.emulator
def test_by_the_rules_on_the_page_nobody_but_the_engine_sees_or_changes_anything(
    store: FirestoreArchive, host: str, project: str, tmp_path: Path
) -> None:
    block = re.search(r"```text\n(rules_version.+?)```", PAGE, re.DOTALL)
    assert block is not None
    client = Client(host, project)
    state = "strategy/MULTI_ASSET_STATE"
    assert client.ask("GET", state, signed_in("somebody")).status_code == 404  # without rules all is open here
    assert client.publish(block[1]) == 200
    live(store, tmp_path)
    write = {"fields": {"mode": {"stringValue": "run"}}}
    for token in ("", signed_in("somebody")):
        for path in (state, *(f"{state}/{group}/{name}" for group, name in names(store))):
            assert client.ask("GET", path, token).status_code == 403, path
            assert client.ask("PATCH", path, token, json=write).status_code == 403, path
            assert client.ask("DELETE", path, token).status_code == 403, path
        for collection in ("strategy", *(f"{state}/{group}" for group in GROUPS)):
            assert client.ask("GET", collection, token).status_code == 403, collection
            assert client.ask("POST", collection, token, json=write).status_code == 403, collection


def names(store: FirestoreArchive) -> Iterator[tuple[str, str]]:
    """One document of each collection."""
    for group in sorted(GROUPS):
        name, _ = next(iter(store._connection.pages(store._at(group))))
        yield group, name


@pytest.mark.emulator
def test_only_what_may_go_carries_an_expiry_and_it_is_a_timestamp(
    store: FirestoreArchive, host: str, project: str
) -> None:
    """A policy looks at timestamps alone; a text or a number would never expire."""
    store.set_control(Control())
    store.commit(take(store), everything())
    client, state = Client(host, project), "strategy/MULTI_ASSET_STATE"
    expiring = set()
    for path, group in ((state, "strategy"), *((f"{state}/{group}/{name}", group) for group, name in names(store))):
        fields = client.ask("GET", path, "owner").json()["fields"]
        if "expires_at" in fields:
            assert set(fields["expires_at"]) == {"timestampValue"}
            expiring.add(group)
    assert (
        expiring == set(re.findall(r"ttls update expires_at --collection-group=(\w+)", PAGE)) == {"journal", "cycles"}
    )


def test_the_figures_on_the_page_are_those_of_the_code() -> None:
    assert f"| one attempt of a call | {ATTEMPT_SECONDS:.0f} s |" in PAGE
    assert f"| a read with all its attempts | {READ_SECONDS:.0f} s, plus" in PAGE
    assert SENDS_MAX == 3
    assert "at most two more attempts" in PAGE
    assert f"{STATE_BYTES_MAX:,} bytes" in PAGE
    assert f"{documents.KEPT_DAYS} days after" in PAGE


def test_gcloud_knows_every_command_of_the_page_and_its_flags() -> None:
    tree = gcloud_tree()
    assert len(COMMANDS) >= 10
    assert not {command: unknown for command in COMMANDS if (unknown := unknown_to_gcloud(command, tree))}
