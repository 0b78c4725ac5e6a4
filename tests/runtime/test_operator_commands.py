"""The operator's commands one by one, in this process: what each shows, its JSON, and what it refuses."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runtime import __main__ as operator
from runtime.adapters.archive_file import ArchiveFile
from runtime.adapters.firestore import Connection, FirestorePoolSource
from runtime.command_line import command_line
from runtime.domain import state as states
from runtime.errors import Abort, Unavailable
from runtime.ports import Changes
from runtime.state_commands import migrate
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.stores import sqlite_account, state, take
from tests.support.worlds import release
from tests.test_operator_commands import Console

AT = "2026-03-15T09"
FIVE = ("ETHUSDT", "SOLUSDT", "XRPUSDT", "LINKUSDT", "LTCUSDT")
Run = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command: exit code, the last line's JSON, and everything printed."""
    monkeypatch.setenv("ENGINE_DATA_DIR", str(tmp_path / "var"))

    def command(*arguments: str) -> tuple[int, dict[str, Any], str]:
        try:
            code = operator.main(list(arguments))
        except SystemExit as stopped:
            code = int(str(stopped.code))
        out = capsys.readouterr().out
        return code, json.loads(out.splitlines()[-1]), out

    return command


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an account after one hour."""
    made = Console(tmp_path_factory.mktemp("lived"))
    assert made.hour(AT)[0] == 0
    return made.folder


@pytest.fixture
def account(run: Run, lived: Path, tmp_path: Path) -> Run:
    """The account, in a folder of its own."""
    shutil.copytree(lived, tmp_path / "var")
    return run


STORED = ("status", "positions", "costs", "why", "orders", "drift", "control", "ledger", "pnl", "performance",
          "pool show", "state show", "state check", "tapes")  # fmt: skip


@pytest.mark.parametrize("command", STORED)
def test_json_stands_alone_and_holds_more_than_the_exit_code(account: Run, command: str) -> None:
    code, answer, out = account(*command.split(), "--json")
    assert (code, answer["exit_code"]) == (0, 0)
    assert len(out.splitlines()) == 1
    assert len(answer) > 1


@pytest.mark.parametrize("command", [name for name in STORED if name not in {"drift", "control"}])
def test_without_json_a_person_gets_a_table_and_the_last_line_is_json(account: Run, command: str) -> None:
    code, answer, out = account(*command.split())
    assert (code, answer["exit_code"]) == (0, 0)
    assert len(out.splitlines()) > 4


def test_every_command_takes_json() -> None:
    found = command_line().parse_args
    for words in ("init", "rebuild", "adopt A 1", "doctor", "heartbeat", "backup f", "restore f", "move --to firestore",
                  "export", "pool check", "pool publish f", "state migrate --backup f", *STORED):  # fmt: skip
        assert found([*words.split(), "--json"]).json is True


def test_status_says_how_the_account_stands(account: Run) -> None:
    answer = account("status", "--json")[1]
    assert (answer["equity"], answer["mode"], answer["missed"]) == ("9991.10", "run", 0)
    assert "fresh upstream, version 2026-03-01-core_major" in account("status")[2]
    assert "subscribe" in account("orders")[2]  # an Earn move is neither bought nor sold
    account("control", "halt", "--why", "news", "--who", "me")
    assert account("status", "--json")[1]["mode"] == "halt"
    assert "halt by me: news" in account("status")[2]


@pytest.mark.parametrize("command", ["positions", "state show", "state check"])
def test_an_account_that_nobody_opened_has_nothing_to_show(run: Run, command: str) -> None:
    code, answer, _ = run(*command.split())
    assert (code, "there is no state document" in answer["error"]) == (3, True)


def test_positions_are_the_managed_holdings_with_entry_and_value(account: Run) -> None:
    held = {p["symbol"]: p for p in account("positions", "--json")[1]["positions"]}
    assert list(held) == ["ETHUSDT", "SOLUSDT", "BTCUSDT", "BNBUSDT"]
    assert held["ETHUSDT"]["quantity"] == "1.5091893"
    assert held["ETHUSDT"]["value"].startswith("4650.32")


def test_orders_are_the_newest_hours(account: Run) -> None:
    newest = account("orders", "--json")[1]["newest"]
    assert [order["status"] for order in newest] == ["done"] * 5


class TestPool:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "pool.json"
        path.write_text(json.dumps(release(FIVE, "2026-03-10")))
        return path

    def test_a_valid_document_is_shown_beside_what_is_expected(self, account: Run, file: Path) -> None:
        code, answer, out = account("pool", "check", str(file))
        assert (code, answer["valid"], answer["age_days"]) == (0, True, 5)
        assert answer["expected"] == {"mode": ["core_major"], "pool_size": 5}
        assert "expected" in out

    @pytest.mark.parametrize("action", ["check", "publish"])
    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"pool_size": 4}, "pool_size: 4 – must be the number of symbols"),
            ({"symbols": ["BTCUSDT", *FIVE[1:]]}, "BTC is held outside the pool"),
            ({"as_of_date": "2026-02-28", "version": "2026-02-28-core_major"}, "an older list"),
            (
                {"version": "2026-03-01-core_major", "as_of_date": "2026-03-01", "symbols": list(reversed(FIVE))},
                "needs a new version",
            ),
            ({"as_of_date": "2026-04-01", "version": "x"}, "in the future"),
        ],
    )
    def test_what_breaks_the_contract_is_refused_and_nothing_is_written(
        self, account: Run, file: Path, tmp_path: Path, action: str, changes: dict[str, object], named: str
    ) -> None:
        file.write_text(json.dumps(release(FIVE, "2026-03-10") | changes))
        target = tmp_path / "live.json"
        to = ("--to", str(target)) if action == "publish" else ()
        code, answer, _ = account("pool", action, str(file), *to)
        assert (code, named in answer["error"]) == (3, True)
        assert not target.exists()

    def test_it_is_published_to_the_letter_and_what_changes_is_shown(
        self, account: Run, file: Path, tmp_path: Path
    ) -> None:
        target = tmp_path / "live.json"
        target.write_text(json.dumps(release(FIVE)))
        code, answer, out = account("pool", "publish", str(file), "--to", str(target))
        assert (code, answer["published"]) == (0, True)
        assert answer["changes"]["version"] == {"from": "2026-03-01-core_major", "to": "2026-03-10-core_major"}
        assert "2026-03-01-core_major → 2026-03-10-core_major" in out
        assert json.loads(target.read_text()) == json.loads(file.read_text())
        code, answer, _ = account("pool", "publish", str(file), "--to", str(target))
        assert (code, answer["published"], answer["changes"]) == (0, False, {})

    def test_a_folder_gets_a_dated_document_and_a_check_writes_none(
        self, account: Run, file: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "pools"
        folder.mkdir()
        assert account("pool", "publish", str(file), "--to", str(folder), "--check")[1]["published"] is False
        assert list(folder.iterdir()) == []
        assert account("pool", "publish", str(file), "--to", str(folder))[1]["published"] is True
        assert [path.name for path in folder.iterdir()] == ["2026-03-10.json"]

    def test_without_a_place_it_says_what_to_set(self, account: Run) -> None:
        code, answer, _ = account("pool", "check")
        assert (code, "GOOGLE_CLOUD_PROJECT" in answer["error"]) == (2, True)

    @pytest.mark.emulator
    def test_on_firestore_it_replaces_only_what_was_read(self, request: pytest.FixtureRequest) -> None:
        host = request.getfixturevalue("firestore_emulator")
        connection = Connection("demo-publish", emulator_host=host)
        mine, theirs = (FirestorePoolSource(connection, "strategy", "POOL") for _ in range(2))
        mine.publish(release(FIVE) | {"extra": 1})
        with pytest.raises(Unavailable, match="somebody else"):
            theirs.publish(release(FIVE))
        theirs.read()
        mine.read()
        theirs.publish(release(FIVE, "2026-03-10"))
        assert theirs.read() == release(FIVE, "2026-03-10")
        with pytest.raises(Unavailable, match="somebody else"):
            mine.publish(release(FIVE))
        connection.close()


class TestState:
    def test_the_books_are_held_against_the_state(self, account: Run, tmp_path: Path) -> None:
        assert account("state", "check", "--json")[1]["books"] == "add up"
        file = next((tmp_path / "var").rglob("state.sqlite"))
        with closing(sqlite3.connect(file)) as raw, raw:
            raw.execute("DELETE FROM document WHERE kind = 'entry' AND body LIKE '%ETHUSDT%'")
        code, answer, _ = account("state", "check")
        assert (code, "the books do not add up" in answer["error"]) == (3, True)

    def test_a_state_of_this_version_is_left_alone(self, account: Run, tmp_path: Path) -> None:
        code, answer, _ = account("state", "migrate", "--backup", str(tmp_path / "b.gz"))
        assert (code, answer["migrated"]) == (0, False)
        assert not (tmp_path / "b.gz").exists()

    def test_an_older_state_is_backed_up_and_written_anew(self, tmp_path: Path) -> None:
        store = sqlite_account(tmp_path / "state.sqlite").open()
        store.commit(take(store), Changes(state(), release=True))
        before = store.load()
        told = migrate(store, ArchiveFile(tmp_path / "b.gz"), "main", states.SCHEMA_VERSION + 1)
        assert (told["migrated"], told["from"]) == (True, states.SCHEMA_VERSION)
        assert (store.load().state, store.load().token == before.token) == (before.state, False)
        assert '"schema_version":1,' in gzip.decompress((tmp_path / "b.gz").read_bytes()).decode()

    def test_while_an_hour_runs_nothing_is_migrated(self, tmp_path: Path) -> None:
        store = sqlite_account(tmp_path / "state.sqlite").open()
        store.commit(take(store), Changes(state()))
        with pytest.raises(Abort, match="an hour is at work"):
            migrate(store, ArchiveFile(tmp_path / "b.gz"), "main", states.SCHEMA_VERSION + 1)
        assert not (tmp_path / "b.gz").exists()


class TestTapes:
    def test_a_changed_tape_is_named_and_the_others_are_told(self, account: Run, tmp_path: Path) -> None:
        tape = next((tmp_path / "var").rglob("*.jsonl.gz"))
        whole = gzip.decompress(tape.read_bytes())
        (tape.parent / "changed.jsonl.gz").write_bytes(gzip.compress(whole.replace(b'"ETHUSDT"', b'"ETCUSDT"', 1)))
        (tape.parent / "cut.jsonl.gz").write_bytes(tape.read_bytes()[:-20])
        code, answer, out = account("tapes")
        assert (code, "2 of 3 tapes are damaged: changed.jsonl.gz, cut.jsonl.gz" in answer["error"]) == (3, True)
        assert [bool(tape["fault"]) for tape in account("tapes", "--json")[1]["tapes"]] == [False, True, True]
        assert "2026-03-15T09Z.jsonl.gz" in out

    def test_a_place_without_tapes_is_named(self, account: Run, tmp_path: Path) -> None:
        code, answer, _ = account("tapes", str(tmp_path / "nowhere"))
        assert (code, "holds no tape" in answer["error"]) == (3, True)


WITH_ARGUMENTS = {
    "adopt": "ETH 1",
    "backup": "copy.json",
    "restore": "copy.json",
    "move": "--to sqlite:elsewhere",
    "pool": "show",
    "state": "show",
    "report": "site",
}
OPENS_NO_ACCOUNT = {"completion"}


@pytest.mark.parametrize("name", sorted(operator.COMMANDS.keys() - OPENS_NO_ACCOUNT))
def test_no_command_makes_an_account_of_a_market_that_is_not_there(account: Run, tmp_path: Path, name: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    code, answer, _ = account("--mode", "paper", "--market", "nowhere", name, *WITH_ARGUMENTS.get(name, "").split())
    assert (code, answer["exit_code"]) == (2, 2)
    assert "--market: 'nowhere' – must be embedded, binance, or a folder of candles" in answer["error"]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("words", ["--mode live status", "--mode dry_run pnl", "--mode live heartbeat", "heartbeat"])
def test_a_market_beside_a_real_account_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setenv("ENGINE_STORE", "sqlite")
    code, answer, _ = run("--market", str(tmp_path), *words.split())
    assert (code, answer["exit_code"]) == (2, 2)
    assert "--market" in answer["error"]
    assert "exists only with the simulated exchange (--mode paper)" in answer["error"]
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(("name", "value"), [("ENGINE_MODEE", "paper"), ("ENGINE_MODE", "weird")])
def test_the_doctor_names_a_wrong_setting_where_no_mode_is_asked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    code, answer, _ = run("doctor")
    assert (code, answer["status"]) == (2, "bad_settings")
    assert name in answer["error"]


LATER = "must not be after the day of the last hour that ended, 2026-03-15"
EVENT_ID = "must be the id of an event, as `audit --json` shows it"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("performance --since 2026-03-16", f"--since: '2026-03-16' – {LATER}"),
        ("pnl since 2099-01-01", f"since: '2099-01-01' – {LATER}"),
        ("ledger --from 2026-03-15 --to 2026-03-14", "--to: '2026-03-14' – must not be before --from, 2026-03-15"),
        ("ledger --from 2026-03-16", "--from: '2026-03-16' – must not be after the newest hour's day, 2026-03-15"),
        ("audit --before zzz", f"--before: 'zzz' – {EVENT_ID}"),
        ("audit --before 1773565200000-orders", f"--before: '1773565200000-orders' – {EVENT_ID}"),
    ],
)
def test_a_range_that_can_hold_nothing_is_one_error_with_field_value_and_fix(
    account: Run, words: str, error: str
) -> None:
    code, answer, out = account(*words.split())
    assert (code, answer["error"]) == (2, error)
    assert len(out.splitlines()) == 1


def test_the_last_day_and_an_event_that_is_shown_are_no_errors(account: Run) -> None:
    for words in ("performance --since 2026-03-15", "pnl since 2026-03-15", "ledger --from 2026-03-15"):
        assert account(*words.split())[0] == 0
    code, answer, _ = account("control", "halt", "--why", "test")
    assert code == 0
    shown = account("audit", "--json")[1]["events"]
    code, answer, _ = account("audit", "--json", "--before", shown[0]["id"])
    assert (code, answer["events"]) == (0, shown[1:])


@pytest.mark.parametrize("words", [(), ("nonsense",), ("adopt",), ("pool",), ("control", "sprint")])
def test_wrong_arguments_end_with_2_and_one_line(run: Run, words: tuple[str, ...]) -> None:
    code, answer, out = run(*words)
    assert (code, answer["exit_code"]) == (2, 2)
    assert answer["error"].startswith("arguments: ")
    assert len(out.splitlines()) == 1


def test_completion_in_a_real_shell_knows_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert operator.main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    ask = (
        "COMP_WORDS=(engine po); COMP_CWORD=1; COMP_LINE='engine po'; COMP_POINT=9; _shtab_engine; echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=False, timeout=20)
    assert set(done.stdout.split()) == {"positions", "pool"}


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_completion_is_printed_for_the_other_shells(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert operator.main(["completion", shell, "--name", "mine"]) == 0
    assert "mine" in capsys.readouterr().out
