"""The doctor: one thing broken is one row; nothing is ever traded; a dead dependency costs seconds and is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import google.auth
import grpc  # type: ignore[import-untyped]
import pytest
import requests
from google.auth import exceptions as auth

from runtime.adapters.simulated.books import Draft
from runtime.adapters.simulated.conditions import KEY_ENDPOINT, Fault, KeyTerms
from runtime.adapters.simulated.persistence import to_document
from runtime.checks import secrets_row
from runtime.checkup import Verdict
from runtime.config import parse_settings
from runtime.doctor import NAMES
from runtime.domain.alerts import AlertKind, new_alert
from runtime.domain.control import Control, Mode
from runtime.domain.documents import encode
from runtime.domain.ledger import Balances, Book
from runtime.domain.orders import Side, Status
from runtime.domain.slots import DAY_MS, HOUR_MS, slot_at
from tests.support.clinic import STATE, UPSTREAM, Clinic, Finding, alive_s, black_hole, clinic, refusing
from tests.support.emulator import firestore_emulator
from tests.support.google_keys import key_file
from tests.support.grpc_wire import Wire, cut
from tests.support.telegram_server import CHAT
from tests.support.values import an_intent
from tests.support.worlds import ACCOUNT, CLOCK, KEY, POSITIONS, PRICES, SECRET

__all__ = ["firestore_emulator"]
pytestmark = pytest.mark.emulator

TEST_ORDER = "POST /api/v3/order/test"
RED = Fault(status=503, code=-1001, message="Internal error")
SHUT = Fault(status=403, body="<html>blocked</html>")
KEY_ROWS = ("key may trade", "key may not withdraw", "key addresses", "key expiry", "key's other rights")
BEHIND_THE_KEY = (*KEY_ROWS, "account", "key's account", "simple earn", "test orders")
BEHIND_THE_PLACE = ("market prices", "api key", *BEHIND_THE_KEY)
BEHIND_THE_STORE = (
    "slot and lease",
    "control",
    "heartbeat",
    "missed hours",
    "state store write",
    "upstream document",
    "key's account",
)


@pytest.fixture
def ward(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Clinic]:
    """An account in perfect health."""
    with clinic(monkeypatch, str(request.getfixturevalue("firestore_emulator")), tmp_path) as made:
        yield made


def no_credentials(c: Clinic) -> None:
    def none(**_: object) -> None:
        raise auth.DefaultCredentialsError("Your default credentials were not found.")  # type: ignore[no-untyped-call]

    c.monkeypatch.setattr(google.auth, "default", none)
    del c.environment["ENGINE_FIRESTORE_EMULATOR"]


def writes_refused(c: Clinic) -> None:
    between, real = Wire(), grpc.insecure_channel
    between.on_commit += [cut(grpc.StatusCode.PERMISSION_DENIED, "Missing or insufficient permissions.")] * 3
    c.monkeypatch.setattr(grpc, "insecure_channel", lambda *a, **k: grpc.intercept_channel(real(*a, **k), between))


def unknown_order(c: Clinic) -> None:
    c.state(intents=(replace(an_intent(), status=Status.UNKNOWN),))


def without_chat(c: Clinic) -> None:
    c.telegram.chats.clear()


@dataclass(frozen=True)
class Broken:
    """One thing broken: the row that says so, words of what was seen and of the fix, its verdict, what is skipped."""

    what: str
    do: Callable[[Clinic], object]
    row: str
    seen: str
    fix: str
    status: str = "failed"
    skipped: tuple[str, ...] = ()
    deep: bool = False


def setting(name: str, value: str) -> Callable[[Clinic], object]:
    return lambda c: c.environment.update({name: value})


def key(**terms: object) -> Callable[[Clinic], object]:
    return lambda c: c.weather(key=KeyTerms(**terms))  # type: ignore[arg-type] # as the case says


def fault(endpoint: str, what: Fault) -> Callable[[Clinic], object]:
    return lambda c: c.fault(endpoint, what)


def halted(symbol: str) -> Callable[[Clinic], object]:
    return lambda c: c.exchange.venue.orders.statuses.update({symbol: "BREAK"})


BROKEN = [
    Broken("no credentials", no_credentials, "google credentials", "DefaultCredentialsError", "application default",
           skipped=("state store read", *BEHIND_THE_STORE)),
    Broken("state unreadable", lambda c: c.document(STATE, {"schema_version": "one"}), "state store read",
           "schema_version", "store", skipped=BEHIND_THE_STORE),
    Broken("writes refused", writes_refused, "state store write", "PermissionDenied", "roles/datastore.user"),
    Broken("slot ahead", lambda c: c.state(slot_done=slot_at(c.now_ms + 48 * HOUR_MS)), "slot and lease", "now it is",
           "wrong clock"),
    Broken("order unknown", unknown_order, "slot and lease", "outcome unknown", "orders --settle", "warning"),
    Broken("no document", lambda c: c.document(STATE, None), "slot and lease", "no state document", "runtime init",
           "warning", skipped=("missed hours",)),
    Broken("halted", lambda c: c.document(f"{STATE}/control/control", encode(Control(Mode.HALT, "ann", 1, "tax"))),
           "control", "halt, by ann: tax", "control run", "warning"),
    Broken("control unreadable", lambda c: c.document(f"{STATE}/control/control", {"mode": "maybe"}), "control",
           "cannot be read", "control run"),
    Broken("heartbeat old", lambda c: c.state(ended_minutes_ago=200), "heartbeat", "3 hours ago", "scheduler",
           "warning"),
    Broken("hours missed", lambda c: c.state(slot_done=slot_at(c.now_ms - 4 * HOUR_MS)), "missed hours", "3: 20",
           "scheduler", "warning"),
    Broken("mode of another", lambda c: c.pool(mode="all_coins"), "upstream document",
           "mode all_coins (expected core_major)", "publisher"),
    Broken("size of another", setting("STRATEGY_ARTIFACT_EXPECTED_SIZE", "11"), "upstream document",
           "size 5 (expected 11)", "publisher"),
    Broken("version of another", lambda c: c.pool(version="1999-01-01-core_major"), "upstream document",
           "version 1999-01-01-core_major", "publisher"),
    Broken("stale", setting("STRATEGY_ARTIFACT_MAX_AGE_DAYS", "5"), "upstream document", "at most 5 days",
           "publisher"),
    Broken("never published", lambda c: c.document(UPSTREAM, None), "upstream document", "no such document",
           "publisher"),
    Broken("exchange down", fault(CLOCK, RED), "binance", "server time", "status page",
           skipped=("location", "clock", *BEHIND_THE_PLACE)),
    Broken("firewall", fault(CLOCK, SHUT), "binance", "firewall", "address",
           skipped=("location", "clock", *BEHIND_THE_PLACE)),
    Broken("location blocked", fault(CLOCK, Fault(status=451, message="restricted location")), "location",
           "does not serve this location", "self-hosted runner", skipped=("clock", *BEHIND_THE_PLACE)),
    Broken("clock ahead", lambda c: c.weather(skew_ms=9_000), "clock", "differs by 9", "time synchronisation"),
    Broken("clock behind", lambda c: c.weather(skew_ms=-9_000), "clock", "differs by -", "time synchronisation"),
    Broken("no prices", fault(PRICES, RED), "market prices", "prices", "BINANCE_MARKET_URL", skipped=("test orders",)),
    Broken("wrong secret", setting("BINANCE_API_SECRET", "w" * 64), "api key", "-1022", "secret",
           skipped=BEHIND_THE_KEY),
    Broken("wrong address", key(listed_address=False), "api key", "not accepted", "IP list", skipped=BEHIND_THE_KEY),
    Broken("rights unread", fault(KEY_ENDPOINT, RED), "api key", "API key", "BINANCE_API_KEY", skipped=BEHIND_THE_KEY),
    Broken("may not read", key(reading=False), "api key", "may not read", "Enable Reading",
           skipped=("account", "key's account", "simple earn")),
    Broken("may not trade", key(trading=False), "key may trade", "may not trade", "Enable Spot",
           skipped=("test orders",)),
    Broken("may withdraw", key(withdrawals=True), "key may not withdraw", "no hour trades with it",
           "ENGINE_ALLOW_WITHDRAW_KEY=main"),
    Broken("any address", key(ip_restricted=False), "key addresses", "any address", "bind it", "warning"),
    Broken("ends soon", lambda c: c.weather(key=KeyTerms(expires_ms=c.now_ms + 20 * DAY_MS)), "key expiry",
           "19 days left", "new key", "warning"),
    Broken("ends today", lambda c: c.weather(key=KeyTerms(expires_ms=c.now_ms + HOUR_MS)), "key expiry", "0 days left",
           "new key"),
    Broken("futures", key(others=frozenset({"enableFutures"})), "key's other rights", "enableFutures", "untick",
           "warning"),
    Broken("account closed", key(account_trades=False), "account", "may not trade", "ask Binance",
           skipped=("key's account",)),
    Broken("account unread", fault(ACCOUNT, RED), "account", "account", "BINANCE_API_KEY",
           skipped=("key's account",)),
    Broken("key of another", key(uid=2), "key's account", "another Binance account's", "account --accept"),
    Broken("earn down", fault(POSITIONS, RED), "simple earn", "Earn positions", "cash stays at spot"),
    Broken("order refused", fault(TEST_ORDER, Fault(status=400, code=-1013, message="Filter failure: LOT_SIZE")),
           "test order BTCUSDT", "LOT_SIZE", "this pair"),
    Broken("bitcoin halted", halted("BTCUSDT"), "test order BTCUSDT", "status BREAK", "wait"),
    Broken("pool coin halted", halted("SOLUSDT"), "test order SOLUSDT", "the engine leaves it out", "publisher",
           "warning", deep=True),
    Broken("fuel halted", halted("BNBUSDT"), "test order BNBUSDT", "status BREAK", "wait", deep=True),
    Broken("bot revoked", setting("TG_TOKEN", "654321:another-token-of-a-bot-AAE"), "telegram token", "401",
           "BotFather", skipped=("telegram chat",)),
    Broken("chat gone", without_chat, "telegram chat", "chat not found", "put the bot into the chat"),
    Broken("chat moved", lambda c: c.telegram.moved.update({CHAT: -100777}), "telegram chat", "the group has a new id",
           "TG_CHAT_ID"),
    Broken("nobody knows the channel", setting("ENGINE_CHANNEL_URL", "nosuch://host/x"), "second channel",
           "no address that Apprise knows", "ENGINE_CHANNEL_URL"),
    Broken("bot blocked", lambda c: c.telegram.blocked.add(CHAT), "telegram chat", "blocked", "put the bot"),
]  # fmt: skip


def test_in_health_every_row_is_there_and_holds(ward: Clinic) -> None:
    found = ward.examine()
    assert (found.code, found.line["status"]) == (0, "validated")
    assert found.having("ok") == [name.replace("test orders", "test order BTCUSDT") for name in NAMES]
    assert list(found.rows) == found.having("ok")
    assert len(found.printed.splitlines()) == 1


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: str(case.what))
def test_one_thing_broken_is_one_row_with_its_fix_and_no_other_changes(ward: Clinic, case: Broken) -> None:
    case.do(ward)
    found = ward.examine(deep=case.deep)
    row = found.rows[case.row]
    assert row["status"] == case.status, row
    assert case.seen in row["seen"]
    assert case.fix in row["fix"]
    assert found.having("failed") + found.having("warning") == [case.row]
    assert sorted(found.having("skipped")) == sorted(case.skipped)
    assert (found.code, found.line["status"]) == ((3, "invalid") if case.status == "failed" else (0, "validated"))


def test_without_a_bot_the_second_channel_is_the_one_that_is_looked_at(ward: Clinic) -> None:
    ward.environment |= {"TG_TOKEN": "", "TG_CHAT_ID": ""}
    found = ward.examine()
    assert found.code == 0
    assert found.having("skipped") == ["telegram token", "telegram chat"]
    assert found.rows["second channel"]["status"] == "ok"
    ward.environment["ENGINE_CHANNEL_URL"] = ""
    assert "TG_TOKEN" in ward.examine().rows["settings"]["seen"]


def test_without_a_second_channel_the_doctor_says_what_that_means(ward: Clinic) -> None:
    del ward.environment["ENGINE_CHANNEL_URL"]
    found = ward.examine()
    assert (found.code, found.having("skipped")) == (0, ["second channel"])
    assert "alerts wait" in found.rows["second channel"]["seen"]


def test_settings_that_are_wrong_are_one_row_and_nothing_is_contacted(ward: Clinic) -> None:
    before = ward.exchange.calls.total()
    ward.environment |= {"ENGINE_MODEE": "live", "STRATEGY_PARAM_TOP_N": "none"}
    found = ward.examine()
    assert (found.code, found.line["status"]) == (2, "bad_settings")
    assert found.having("failed") == ["settings"]
    assert {"ENGINE_MODEE", "STRATEGY_PARAM_TOP_N"} <= set(found.rows["settings"]["seen"].replace(":", " ").split())
    assert sorted(found.rows) == sorted(NAMES)
    assert found.having("skipped") == [name for name in NAMES if name != "settings"]
    assert ward.exchange.calls.total() == before
    assert ward.telegram.calls == []


def test_a_key_that_cannot_be_sent_is_a_setting_that_is_wrong(ward: Clinic) -> None:
    ward.environment["BINANCE_API_KEY"] = "a key\nin two lines"
    found = ward.examine()
    assert (found.code, found.having("failed")) == (3, ["settings"])
    assert "copy it again" in found.rows["settings"]["fix"]


def test_the_pool_is_shown_beside_what_is_expected_of_it(ward: Clinic) -> None:
    """Version, mode, size and age, in order and out of it."""
    seen = ward.examine().rows["upstream document"]["seen"]
    assert seen.startswith("version 20")
    assert seen.endswith(
        "-core_major; mode core_major (expected core_major); size 5 (expected 5); 10 days old (at most 45 days)"
    )
    ward.environment |= {
        "STRATEGY_ARTIFACT_ACCEPTABLE_MODES": "core_major_2,defi",
        "STRATEGY_ARTIFACT_EXPECTED_SIZE": "7",
        "STRATEGY_ARTIFACT_MAX_AGE_DAYS": "3",
    }
    seen = ward.examine().rows["upstream document"]["seen"]
    for words in ("mode core_major (expected core_major_2 or defi)", "size 5 (expected 7)", "(at most 3 days)"):
        assert words in seen


@pytest.mark.parametrize(
    ("home", "verdict", "words"),
    [
        ("", Verdict.OK, "own environment"),
        ("environment:main", Verdict.OK, "environment main; what it lacks comes from the repository"),
        ("repository:private", Verdict.OK, "of the private repository"),
        ("repository:public", Verdict.WARNING, "every workflow in it can read them"),
    ],
)
def test_where_the_secrets_live_is_told(home: str, verdict: Verdict, words: str) -> None:
    row = secrets_row(parse_settings({"ENGINE_SECRETS_HOME": home}))
    assert row.verdict is verdict
    assert words in row.seen


@pytest.mark.parametrize("columns", ["90", "150"])
def test_a_hostile_document_neither_breaks_the_table_nor_floods_it(
    ward: Clinic, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    ward.pool(version="\x1b[2J[red]gone[/red]\nsettings: all is well " + "x" * 5000, mode={"a": ["b"] * 2000})
    found = ward.examine(as_json=False)
    assert found.line["failed"] == ["upstream document"]
    assert "\x1b" not in found.printed
    assert "[red]gone[/red]" in found.printed
    rows = [line for line in found.printed.splitlines() if line[1:].startswith(tuple(Verdict))]
    assert len(rows) == len(NAMES), "the document has made a row of its own"
    assert len(found.printed) < 15_000


def test_a_world_that_cannot_be_made_is_told_as_a_row(ward: Clinic, tmp_path: Path) -> None:
    ward.environment = {"ENGINE_DATA_DIR": str(tmp_path)}
    books = tmp_path / "paper" / "embedded" / "main" / "exchange.json"
    books.parent.mkdir(parents=True)
    books.write_text("{")
    found = ward.examine()
    assert (found.code, found.having("failed")) == (3, ["settings"])


def test_a_folder_that_cannot_be_written_is_told_as_a_row(ward: Clinic, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    ward.environment = {"ENGINE_DATA_DIR": str(tmp_path / "a file")}
    found = ward.examine()
    assert (found.code, found.having("failed")) == (3, ["settings"])
    assert "ENGINE_DATA_DIR" in found.rows["settings"]["fix"]
    assert str(tmp_path) not in found.printed


def test_a_key_that_may_withdraw_is_a_warning_where_the_account_is_named(ward: Clinic) -> None:
    ward.weather(key=KeyTerms(withdrawals=True))
    ward.environment["ENGINE_ALLOW_WITHDRAW_KEY"] = "another"
    assert ward.examine().having("failed") == ["key may not withdraw"]
    ward.environment["ENGINE_ALLOW_WITHDRAW_KEY"] = "main"
    found = ward.examine()
    assert (found.code, found.having("warning")) == (0, ["key may not withdraw"])


def test_a_key_that_only_reads_is_enough_for_a_dry_run(ward: Clinic) -> None:
    ward.weather(key=KeyTerms(trading=False))
    ward.environment["ENGINE_MODE"] = "dry_run"
    found = ward.examine()
    assert (found.code, found.having("warning"), found.having("skipped")) == (0, ["key may trade"], ["test orders"])
    assert ward.documents()["probe/probe"]["mark"], "also a dry run has to prove that the store may be written"


def test_deep_tests_an_order_of_every_pair_in_play(ward: Clinic) -> None:
    tested = [name for name in ward.examine(deep=True).rows if name.startswith("test order")]
    pairs = ("BTCUSDT", "BNBUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "LINKUSDT", "LTCUSDT")
    assert tested == [f"test order {pair}" for pair in pairs]
    assert ward.exchange.calls[TEST_ORDER] == len(pairs)
    ward.document(UPSTREAM, None)
    found = ward.examine(deep=True)
    assert "test order DOGEUSDT" in found.rows, "the built-in list, which the next hour would use"
    assert found.rows["test order DOGEUSDT"]["seen"].startswith("not trading: the exchange does not list it")
    assert found.having("failed") == ["upstream document"]


def test_people_get_a_table_and_a_short_line(ward: Clinic) -> None:
    ward.weather(key=KeyTerms(ip_restricted=False))
    without_chat(ward)
    found = ward.examine(as_json=False)
    assert found.line == {
        "exit_code": 3,
        "status": "invalid",
        "failed": ["telegram chat"],
        "warning": ["key addresses"],
    }
    for text in ("google credentials", "put the bot into", "1 warning, 1 failed", "slot and lease"):
        assert text in found.printed


def test_no_secret_is_in_any_row(ward: Clinic) -> None:
    ward.fault(ACCOUNT, Fault(status=403, body=f"<html>GET /account X-MBX-APIKEY: {KEY} {SECRET}</html>"))
    ward.pool(version=f"{SECRET} {KEY}")
    without_chat(ward)
    for as_json in (True, False):
        printed = ward.examine(as_json=as_json, deep=True).printed
        for secret in (KEY, SECRET, ward.environment["TG_TOKEN"], CHAT, "hook-of-the-second-channel"):
            assert secret not in printed


class TestNeverTrades:
    """Whatever tempts it: the one thing that is sent to the exchange is `order/test`, and nobody is told anything."""

    @pytest.mark.parametrize("mode", ["live", "dry_run"])
    @pytest.mark.parametrize("deep", [False, True], ids=["plain", "deep"])
    def test_nothing_but_test_orders_is_posted_and_nothing_moves(self, ward: Clinic, mode: str, *, deep: bool) -> None:
        self.tempt(ward)
        books, documents = json.dumps(to_document(ward.exchange.venue.books)), ward.documents()
        ward.exchange.calls.clear()
        ward.environment["ENGINE_MODE"] = mode
        found = ward.examine(deep=deep)
        assert "failed" not in {row["status"] for row in found.rows.values()}, found.rows
        assert {name for name in ward.exchange.calls if not name.startswith("GET ")} == {TEST_ORDER}
        assert json.dumps(to_document(ward.exchange.venue.books)) == books
        left = ward.documents()
        assert left.pop("probe/probe")["mark"]
        assert left == documents
        assert {method for method, _ in ward.telegram.calls} == {"getMe", "getChat"}

    @staticmethod
    def tempt(ward: Clinic) -> None:
        """Cash for buys and for Earn, coins to sell, no fuel, an order to settle, alerts to tell, hours missed."""
        events = ward.exchange.events
        for asset, amount in {"USDT": 50_000, "ETH": 3, "SOL": 40, "BTC": 1}.items():
            events.deposit(asset, Decimal(amount))
        events.rest_order(Draft("LTCUSDT", Side.BUY, "left-behind", Decimal("0.1")), Decimal(50))
        ward.state(
            slot_done=slot_at(ward.now_ms - 5 * HOUR_MS),
            ledger=Balances({Book.SPOT: {"ETH": Decimal(3), "USDT": Decimal(100), "ADA": Decimal(7)}}),
            intents=(replace(an_intent(), status=Status.UNKNOWN),),
            outbox=(new_alert(AlertKind.DRIFT, slot_at(ward.now_ms), {"drift": "ADA"}),),
        )

    def test_what_the_server_does_not_know_would_be_seen_too(self, ward: Clinic) -> None:
        """The counter that the test above trusts counts unknown paths and refused requests as well."""
        url = ward.environment["BINANCE_API_URL"]
        assert requests.post(f"{url}/api/v3/order", timeout=5).status_code == 401
        assert requests.post(f"{url}/sapi/v1/capital/withdraw/apply", timeout=5).status_code == 404
        assert ward.exchange.calls["POST /api/v3/order"] == 1
        assert ward.exchange.calls["POST /sapi/v1/capital/withdraw/apply"] == 1


DEPENDENCIES = {
    "Binance": (("BINANCE_API_URL", "BINANCE_MARKET_URL"), "http://127.0.0.1:{}", "binance"),
    "Firestore": (("ENGINE_FIRESTORE_EMULATOR",), "127.0.0.1:{}", "state store read"),
    "Telegram": (("TG_API_URL",), "http://127.0.0.1:{}", "telegram token"),
}


@pytest.mark.slow
class TestDead:
    @pytest.mark.parametrize("fate", [refusing, black_hole], ids=["refused", "black hole"])
    @pytest.mark.parametrize("name", DEPENDENCIES)
    def test_one_dead_dependency_is_named_within_ten_seconds_and_the_others_are_judged(
        self, ward: Clinic, name: str, fate: Callable[[], AbstractContextManager[int]]
    ) -> None:
        variables, address, row = DEPENDENCIES[name]
        with fate() as port:
            ward.environment |= dict.fromkeys(variables, address.format(port))
            found, seconds = ward.process("--deep")
        assert seconds <= alive_s()
        assert found.code == 3
        assert found.having("failed") == [row]
        assert name.lower() in f"{row} {found.rows[row]['seen']}".lower()
        assert found.rows[row]["fix"]
        alive = {"binance", "state store read", "telegram token"} - {row}
        assert {found.rows[other]["status"] for other in alive} == {"ok"}

    def test_a_sign_in_that_hangs_is_named_and_keeps_nobody_waiting(self, ward: Clinic, tmp_path: Path) -> None:
        path = tmp_path / "key.json"
        with black_hole() as port:
            path.write_text(json.dumps(key_file(f"http://127.0.0.1:{port}/token")))
            del ward.environment["ENGINE_FIRESTORE_EMULATOR"]
            ward.environment["GOOGLE_APPLICATION_CREDENTIALS"] = str(path)
            found, seconds = ward.process()
        assert seconds <= alive_s()
        assert found.having("failed") == ["google credentials"]
        assert sorted(found.having("skipped")) == sorted(("state store read", *BEHIND_THE_STORE))
        assert "PRIVATE KEY" not in found.printed

    def test_all_of_them_dead_is_no_slower(self, ward: Clinic) -> None:
        with black_hole() as port:
            for variables, address, _ in DEPENDENCIES.values():
                ward.environment |= dict.fromkeys(variables, address.format(port))
            found, seconds = ward.process()
        assert seconds <= alive_s()
        assert found.having("failed") == ["state store read", "binance", "telegram token"]


def test_the_operators_command_is_the_same_doctor(ward: Clinic) -> None:
    first, _ = ward.process("--deep")
    again: Finding = ward.command("doctor", "--deep", "--json")
    assert [(row["name"], row["status"]) for row in first.rows.values()] == [
        (row["name"], row["status"]) for row in again.rows.values()
    ]
    assert again.code == 0
