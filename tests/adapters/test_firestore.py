"""The Firestore store beyond the contract: costs, lost answers, dead hosts, what a human must mend."""

from __future__ import annotations

import random
import secrets
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import google.auth
import grpc  # type: ignore[import-untyped]
import pytest
from google.auth import compute_engine, credentials
from google.auth import exceptions as auth
from google.auth.credentials import AnonymousCredentials

from runtime.adapters.firestore import Connection, FirestorePoolSource, FirestoreStore, documents
from runtime.adapters.firestore.identity import identity_of
from runtime.domain.control import Control, Mode
from runtime.domain.market import DailySeries
from runtime.domain.pool import Rung
from runtime.domain.state import State
from runtime.errors import LeaseLost, StateUnreadable, StoreError, StoreMisconfigured, StoreUnavailable, Unavailable
from runtime.ports import Changes, DailyCache, Held, Identity
from tests.support import google_keys
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.grpc_wire import GrpcError, Wire, cut, lose_answer
from tests.support.stores import DAY, LONG, SLOT, cache, cycle, entry, everything, intent, state, take

PLACE = "strategy/MULTI_ASSET_STATE"


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Every channel to an emulator that is opened from now on goes through it."""
    between, real = Wire(), grpc.insecure_channel

    def channel(*args: Any, **kwargs: Any) -> grpc.Channel:
        return grpc.intercept_channel(real(*args, **kwargs), between)

    monkeypatch.setattr(grpc, "insecure_channel", channel)
    return between


@pytest.fixture
def host(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("firestore_emulator"))


@pytest.fixture
def project() -> str:
    return f"t-{secrets.token_hex(8)}"


@pytest.fixture
def connection(wire: Wire, host: str, project: str) -> Iterator[Connection]:
    opened = Connection(project, emulator_host=host)
    yield opened
    opened.close()


@pytest.fixture
def store(connection: Connection) -> FirestoreStore:
    return FirestoreStore(connection)


@pytest.fixture
def other(host: str, project: str) -> Iterator[FirestoreStore]:
    """Another run's store on the same account."""
    opened = FirestoreStore(Connection(project, emulator_host=host))
    yield opened
    opened.close()


LOST = [
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
]


@pytest.mark.emulator
class TestCosts:
    def test_an_hour_without_trades_stays_within_the_free_tiers_share(
        self, wire: Wire, connection: Connection, store: FirestoreStore
    ) -> None:
        store.commit(take(store), Changes(state(), cache=cache(), release=True))
        connection.client.document("strategy/POOL").set({"version": "v"}, retry=None, timeout=5)
        wire.reset()
        loaded = store.load()
        FirestorePoolSource(connection, "strategy", "POOL").read()
        held = store.take_lease(loaded, "run-a", SLOT, LONG)
        store.control()
        store.cache()
        held = store.commit(held, Changes(state(), cycle=cycle(), cache=cache()))
        store.commit(held, Changes(state(), release=True))
        assert (wire.reads, wire.writes, wire.commits) == (4, 5, 3)

    def test_loading_is_one_read_and_the_lease_one_write(self, wire: Wire, store: FirestoreStore) -> None:
        loaded = store.load()
        assert (wire.reads, wire.writes, wire.commits) == (1, 0, 0)
        store.take_lease(loaded, "run-a", SLOT, LONG)
        assert (wire.reads, wire.writes, wire.commits) == (1, 1, 1)

    def test_a_check_is_one_call(self, wire: Wire, store: FirestoreStore) -> None:
        held = take(store)
        wire.reset()
        store.check(held)
        assert (wire.calls, wire.reads, wire.writes) == (1, 2, 0)

    def test_entries_of_a_day_share_one_write_and_need_no_read(self, wire: Wire, store: FirestoreStore) -> None:
        held = store.commit(take(store), Changes(state(), entries=(entry("a"), entry("b"))))
        wire.reset()
        store.commit(held, Changes(state(), entries=(entry("c"), entry("d"))))
        assert (wire.reads, wire.writes) == (0, 2)

    def test_the_loser_of_a_race_pays_one_read_to_know(
        self, wire: Wire, store: FirestoreStore, other: FirestoreStore
    ) -> None:
        loaded = store.load()
        take(other, "run-b")
        wire.reset()
        with pytest.raises(LeaseLost):
            store.take_lease(loaded, "run-a", SLOT, LONG)
        assert (wire.reads, wire.commits) == (1, 1)


@pytest.mark.emulator
class TestLostAnswers:
    @pytest.mark.parametrize("code", LOST, ids=lambda code: str(code.name))
    def test_a_commit_that_was_carried_out_counts_as_done(
        self, wire: Wire, store: FirestoreStore, code: grpc.StatusCode
    ) -> None:
        held = take(store)
        wire.on_commit.append(lose_answer(code))
        held = store.commit(held, everything())
        assert store.load().state == everything().state
        assert wire.commits == 2
        store.commit(held, Changes(state(slot_done="next")))

    @pytest.mark.parametrize("code", LOST, ids=lambda code: str(code.name))
    def test_a_commit_that_never_arrived_is_sent_again(
        self, wire: Wire, store: FirestoreStore, code: grpc.StatusCode
    ) -> None:
        held = take(store)
        wire.on_commit += [cut(code), cut(code)]
        held = store.commit(held, everything())
        assert wire.commits == 4
        assert store.load().token == held.token
        assert list(store.entries(DAY)) == [entry("e-1")]

    def test_a_commit_that_never_arrives_is_given_up_and_never_taken_for_done(
        self, wire: Wire, store: FirestoreStore
    ) -> None:
        held = take(store)
        wire.on_commit += [cut(grpc.StatusCode.UNAVAILABLE)] * 3
        with pytest.raises(StoreUnavailable, match="not applied"):
            store.commit(held, everything())
        assert store.load().state == State("main")

    def test_a_new_account_whose_answer_was_lost_is_ours(self, wire: Wire, store: FirestoreStore) -> None:
        wire.on_commit.append(lose_answer(grpc.StatusCode.DEADLINE_EXCEEDED))
        held = take(store)
        store.commit(held, Changes(state()))
        assert store.load().lease == held.lease

    def test_a_new_account_that_was_not_made_is_made_again(self, wire: Wire, store: FirestoreStore) -> None:
        wire.on_commit.append(cut(grpc.StatusCode.UNAVAILABLE))
        assert store.load().token != take(store).token
        assert store.load().state == State("main")

    def test_a_write_that_arrives_after_it_was_sent_again_counts_once(self, wire: Wire, store: FirestoreStore) -> None:
        held = take(store)
        late: list[Callable[[], Any]] = []

        def delay(call: Callable[[], Any]) -> Any:
            late.append(call)
            raise GrpcError(grpc.StatusCode.DEADLINE_EXCEEDED)

        def arrive_first(call: Callable[[], Any]) -> Any:
            late[0]().result()
            return call()

        wire.on_commit += [delay, arrive_first]
        held = store.commit(held, everything())
        assert store.load().token == held.token

    def test_another_runs_write_in_between_is_a_lost_lease(
        self, wire: Wire, store: FirestoreStore, other: FirestoreStore
    ) -> None:
        held = take(store, seconds=0)

        def other_run_takes_over(_call: Callable[[], Any]) -> Any:
            take(other, "run-b")
            raise GrpcError(grpc.StatusCode.UNAVAILABLE)

        wire.on_commit.append(other_run_takes_over)
        with pytest.raises(LeaseLost):
            store.commit(held, everything())
        assert store.load().state == State("main")

    def test_a_write_is_recognised_although_another_run_has_written_since(
        self, wire: Wire, store: FirestoreStore, other: FirestoreStore
    ) -> None:
        held = take(store)
        wire.on_commit.append(lose_answer(grpc.StatusCode.UNAVAILABLE, lambda: take(other, "run-b")))
        store.commit(held, Changes(state(), release=True))
        assert store.load().state == state()

    @pytest.mark.slow
    def test_if_looking_fails_too_the_fate_is_called_unknown(self, wire: Wire, store: FirestoreStore) -> None:
        held = take(store)
        wire.on_commit.append(lose_answer(grpc.StatusCode.UNAVAILABLE))
        wire.on_read += [cut(grpc.StatusCode.UNAVAILABLE)] * 50
        with pytest.raises(StoreUnavailable, match="not known whether it was done"):
            store.commit(held, everything())

    def test_a_document_that_was_deleted_meanwhile_is_not_made_again(
        self, connection: Connection, store: FirestoreStore
    ) -> None:
        held = take(store)
        connection.client.document(PLACE).delete(retry=None, timeout=5)
        with pytest.raises(LeaseLost):
            store.commit(held, everything())
        assert store.load().state is None
        assert list(store.journal()) == []

    def test_only_the_last_few_ids_are_kept(self, connection: Connection, store: FirestoreStore) -> None:
        held = take(store)
        for number in range(12):
            held = store.commit(held, Changes(state(slot_done=str(number))))
        stored = connection.read([PLACE]).found[PLACE].document["commits"]
        assert len(stored) == len(set(stored)) == 8


@pytest.mark.emulator
class TestReads:
    def test_a_short_outage_is_sat_out(self, wire: Wire, store: FirestoreStore) -> None:
        take(store)
        wire.on_read += [cut(grpc.StatusCode.UNAVAILABLE), cut(grpc.StatusCode.INTERNAL)]
        assert store.load().state == State("main")

    def test_the_stores_clock_is_the_servers(self, store: FirestoreStore) -> None:
        assert abs(store.load().read_ms - time.time() * 1000) < 5000

    @pytest.mark.parametrize(
        "document", [{}, {"Mode": "halt"}, {"mode": "stop"}, {"mode": "run", "expires_ms": "soon"}, {"mode": None}]
    )
    def test_a_control_that_cannot_be_understood_is_halt(
        self, connection: Connection, store: FirestoreStore, document: dict[str, Any]
    ) -> None:
        held = take(store)
        connection.client.document(f"{PLACE}/control/control").set(document, retry=None, timeout=5)
        for control in (store.control(), store.check(held)):
            assert (control.mode, control.unreadable) == (Mode.HALT, True)

    def test_a_control_written_by_hand_needs_only_its_mode(self, connection: Connection, store: FirestoreStore) -> None:
        held = take(store)
        connection.client.document(f"{PLACE}/control/control").set(
            {"mode": "reduce_only", "note": 1}, retry=None, timeout=5
        )
        assert store.check(held) == store.control() == Control(Mode.REDUCE_ONLY)

    @pytest.mark.parametrize("document", [{}, {"packed": "text"}, {"packed": b"rubbish"}, {"packed": b""}])
    def test_a_cache_that_cannot_be_read_is_empty(
        self, connection: Connection, store: FirestoreStore, document: dict[str, Any]
    ) -> None:
        connection.client.document(f"{PLACE}/cache/daily").set(document, retry=None, timeout=5)
        assert store.cache() == DailyCache()

    @pytest.mark.parametrize("lease", ["mine", {"owner": "x"}])
    def test_a_malformed_lease_is_no_free_lease(
        self, connection: Connection, store: FirestoreStore, lease: object
    ) -> None:
        held = take(store)
        connection.client.document(PLACE).update({"lease": lease}, retry=None, timeout=5)
        with pytest.raises(StateUnreadable, match="lease"):
            store.load()
        with pytest.raises(StateUnreadable, match="lease"):
            store.check(held)

    @pytest.mark.parametrize("day", [{}, {"entries": [1]}, {"entries": {"a": 1}}, {"entries": {"a": {"id": "a"}}}])
    def test_a_malformed_ledger_day_is_said_to_be_one(
        self, connection: Connection, store: FirestoreStore, day: dict[str, Any]
    ) -> None:
        connection.client.document(f"{PLACE}/ledger/{DAY}").set(day, retry=None, timeout=5)
        with pytest.raises(StateUnreadable, match="ledger"):
            store.entries(DAY)

    def test_an_operators_timestamp_in_the_state_becomes_text_and_stays(
        self, connection: Connection, store: FirestoreStore
    ) -> None:
        store.commit(take(store), Changes(state(unknown=()), release=True))
        moment = datetime(2026, 11, 21, 9, tzinfo=UTC)
        connection.client.document(PLACE).update({"seen": moment}, retry=None, timeout=5)
        loaded = store.load().state
        assert loaded is not None
        assert loaded.unknown == ((("seen",), "2026-11-21T09:00:00+00:00"),)
        store.commit(take(store, "run-b"), Changes(loaded))
        assert store.load().state == loaded


@pytest.mark.emulator
class TestLayout:
    def test_each_account_has_its_own_documents(self, connection: Connection, store: FirestoreStore) -> None:
        second = FirestoreStore(connection, account="second")
        store.commit(take(store), everything())
        assert second.load().state is None
        take(second)
        assert second.load().state == State("second")
        assert list(second.journal()) == []
        assert connection.read([f"{PLACE}_second"]).found

    def test_journal_and_cycles_carry_an_expiry_for_ttl_policies(
        self, connection: Connection, store: FirestoreStore
    ) -> None:
        store.commit(take(store), everything())
        for path, from_ms in (
            (f"journal/{intent('bp-1').id}", intent("x").recorded_ms),
            (f"cycles/{SLOT}", cycle().ended_ms),
        ):
            raw = connection.client.document(f"{PLACE}/{path}").get(retry=None, timeout=5).to_dict()
            assert raw is not None
            expected = datetime.fromtimestamp(from_ms // 1000, UTC) + timedelta(days=documents.KEPT_DAYS)
            assert raw["expires_at"] == expected

    def test_amounts_are_stored_as_text(self, connection: Connection, store: FirestoreStore) -> None:
        store.commit(take(store), Changes(state()))
        stored = connection.read([PLACE]).found[PLACE].document
        assert stored["positions"]["ETHUSDT"]["cost"] == "475"
        assert stored["ledger"]["totals"]["spot"]["1INCH"] == "0.00000001"

    def test_a_document_the_server_refuses_is_an_error_and_changes_nothing(self, store: FirestoreStore) -> None:
        held = take(store)
        with pytest.raises(StoreError, match="nothing was written"):
            store.commit(held, Changes(state(unknown=((("rows",), [[1], [2]]),)), entries=(entry("x"),)))
        assert store.load().token == held.token
        assert list(store.entries(DAY)) == []


@pytest.mark.emulator
class TestUpstream:
    def test_the_document_comes_as_json_values_in_one_read(self, wire: Wire, connection: Connection) -> None:
        payload = {
            "as_of_date": "2026-11-01",
            "symbols": ["ETHUSDT"],
            "at": datetime(2026, 11, 1, tzinfo=UTC),
            "raw": b"x",
        }
        connection.client.document("strategy/POOL").set(payload, retry=None, timeout=5)
        wire.reset()
        source = FirestorePoolSource(connection, "strategy", "POOL")
        assert source.read() == payload | {"at": "2026-11-01T00:00:00+00:00", "raw": "eA=="}
        assert (source.rung, source.where) == (Rung.FRESH_UPSTREAM, "strategy/POOL")
        assert (wire.reads, wire.writes) == (1, 0)

    def test_a_missing_document_is_unavailable_and_named(self, connection: Connection) -> None:
        with pytest.raises(Unavailable, match="strategy/NONE"):
            FirestorePoolSource(connection, "strategy", "NONE").read()

    @pytest.mark.parametrize("code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.DATA_LOSS])
    def test_any_failure_degrades_the_pool_and_nothing_else(
        self, wire: Wire, connection: Connection, code: grpc.StatusCode
    ) -> None:
        wire.on_read.append(cut(code))
        with pytest.raises(Unavailable, match="made up"):
            FirestorePoolSource(connection, "strategy", "POOL").read()


MENDABLE = [
    ("PERMISSION_DENIED", "Missing or insufficient permissions.", "roles/datastore.user"),
    ("PERMISSION_DENIED", "Firestore API has not been used in project 1 before or it is disabled.", "enable the Cloud"),
    ("UNAUTHENTICATED", "Request had invalid authentication credentials.", "sign in again"),
    ("NOT_FOUND", "The database (default) does not exist for project x", "create the database"),
    ("FAILED_PRECONDITION", "The API is not available for Firestore in Datastore Mode", "Native mode"),
]


@pytest.mark.emulator
@pytest.mark.parametrize(("name", "details", "fix"), MENDABLE)
def test_what_a_human_must_mend_says_how(wire: Wire, store: FirestoreStore, name: str, details: str, fix: str) -> None:
    code = grpc.StatusCode[name]
    held = take(store)
    wire.on_read.append(cut(code, details))
    with pytest.raises(StoreMisconfigured, match="Firestore read") as caught:
        store.load()
    assert fix in caught.value.fix
    assert details in caught.value.why
    wire.on_commit.append(cut(code, details))
    wire.on_read.append(cut(code, details))
    with pytest.raises(StoreMisconfigured) as caught:
        store.commit(held, Changes(state()))
    assert fix in caught.value.fix


@pytest.mark.slow
def test_a_dead_host_costs_seconds_not_minutes() -> None:
    store = FirestoreStore(Connection("dead", emulator_host="127.0.0.1:1"))
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="Firestore read"):
        store.load()
    assert time.monotonic() - began < 12
    store.close()


def lost(name: str, *args: object, **kwargs: object) -> auth.GoogleAuthError:
    """One of google-auth's errors (their constructors are not typed)."""
    error: auth.GoogleAuthError = getattr(auth, name)(*args, **kwargs)
    return error


class TestSignIn:
    def test_an_emulator_in_the_environment_stops_a_live_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
        monkeypatch.setattr(google.auth, "default", lambda **_: (Fresh(), "p"))
        with pytest.raises(StoreMisconfigured, match="unset FIRESTORE_EMULATOR_HOST"):
            FirestoreStore(Connection("live")).load()

    @pytest.mark.emulator
    def test_the_settings_emulator_wins_over_the_environments(
        self, monkeypatch: pytest.MonkeyPatch, store: FirestoreStore
    ) -> None:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
        assert isinstance(take(store), Held)

    @pytest.mark.parametrize(
        ("error", "kind", "text"),
        [
            (lost("DefaultCredentialsError", "none found"), StoreMisconfigured, "application default credentials"),
            (lost("RefreshError", "invalid_grant"), StoreMisconfigured, "sign in again"),
            (lost("RefreshError", "try later", retryable=True), StoreUnavailable, "try later"),
            (lost("TransportError", "no route"), StoreUnavailable, "no route"),
        ],
    )
    def test_credentials_are_judged_before_any_call(
        self, monkeypatch: pytest.MonkeyPatch, error: auth.GoogleAuthError, kind: type[Exception], text: str
    ) -> None:
        monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
        monkeypatch.setattr(google.auth, "default", lambda **_: (Fresh(error), "p"))
        with pytest.raises(kind, match=text):
            FirestoreStore(Connection("live")).load()

    def test_making_a_connection_contacts_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(google.auth, "default", lambda **_: pytest.fail("looked for credentials"))
        store = FirestoreStore(Connection("live"))
        FirestorePoolSource(Connection("live"), "c", "d")
        store.close()


class TestIdentity:
    @pytest.mark.parametrize(
        ("made", "kind", "account"),
        [
            (google_keys.service_account, "service account, key file", google_keys.ACCOUNT),
            (google_keys.impersonating, "workload identity federation", google_keys.ACCOUNT),
            (google_keys.federated, "workload identity federation", google_keys.PROVIDER),
            (google_keys.person, "a person, by gcloud", ""),
        ],
    )
    def test_the_kind_of_credentials_and_their_account_are_told_and_no_secret(
        self, made: Callable[[], credentials.Credentials], kind: str, account: str
    ) -> None:
        found = identity_of(made(), "their-project")
        assert found == Identity(kind, account, "their-project")
        assert "planted" not in repr(found)
        assert "PRIVATE" not in repr(found)

    def test_a_machines_own_identity_is_told(self) -> None:
        own = compute_engine.Credentials()  # type: ignore[no-untyped-call] # Google's
        assert identity_of(own, "p").kind == "metadata server of this machine"

    def test_a_kind_that_nobody_knew_is_told_by_its_name(self) -> None:
        class Novel(credentials.Credentials):
            def refresh(self, request: object) -> None:
                raise NotImplementedError

        novel = Novel()  # type: ignore[no-untyped-call] # Google's constructor
        assert identity_of(novel, "p") == Identity("Novel", "", "p")

    @pytest.mark.emulator
    def test_an_emulator_needs_none(self, connection: Connection) -> None:
        assert connection.identity() == Identity("none: an emulator is asked", "", "")

    def test_who_signs_in_is_asked_of_google_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[object] = []

        def default(**options: object) -> tuple[Fresh, str]:
            asked.append(options)
            return Fresh(), "theirs"

        monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
        monkeypatch.setattr(google.auth, "default", default)
        opened = Connection("ours")
        assert opened.identity().project == "theirs"
        assert opened.identity().project == "theirs"
        assert len(asked) == 1
        opened.close()


class TestClose:
    def test_a_sign_in_that_hangs_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        begun, over = threading.Event(), threading.Event()

        def hang(**_: object) -> None:
            begun.set()
            over.wait(30)
            raise lost("TransportError", "no route")

        monkeypatch.setattr(google.auth, "default", hang)
        opened = Connection("live")
        opened.dial()
        assert begun.wait(10)
        started = time.monotonic()
        opened.close()
        assert time.monotonic() - started < 5
        over.set()


class Fresh(AnonymousCredentials):
    """Credentials whose refresh succeeds, or fails with what it is given."""

    def __init__(self, error: auth.GoogleAuthError | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.error = error

    def refresh(self, request: object) -> None:
        if self.error is not None:
            raise self.error


class TestDocuments:
    def test_sizes_follow_googles_own_example(self) -> None:
        fields = {"type": "Personal", "done": False, "priority": 1, "description": "Learn Cloud Firestore"}
        assert documents.stored_size(fields) == 71

    def test_sizes_of_nested_values_add_up(self) -> None:
        assert documents.stored_size({"a": {"b": [1, None, True, 2.5, "é"]}}) == 2 + 2 + 8 + 1 + 1 + 8 + 3

    def test_a_cache_of_25_symbols_and_1000_days_fits_one_field(self) -> None:
        column = tuple(round(1000 + 37.123 * ((number * 7919) % 1000) / 7, 4) for number in range(1000))
        names = [f"S{number}USDT" for number in range(25)]
        full = DailyCache({name: DailySeries(name, 0, column, column, column, column) for name in names})
        packed = documents.pack(full)
        assert packed is not None
        assert documents.unpack(packed) == full

    def test_a_cache_too_large_to_store_is_left_out(self) -> None:

        numbers = random.Random(1)
        column = tuple(numbers.random() for _ in range(100_000))
        assert documents.pack(DailyCache({"X": DailySeries("X", 0, column, column, column, column)})) is None

    def test_a_small_field_that_unpacks_without_end_is_refused(self) -> None:

        with pytest.raises(StateUnreadable, match="too large"):
            documents.unpack(zlib.compress(b" " * (documents.UNPACKED_BYTES_MAX + 1)))
