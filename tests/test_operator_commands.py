"""The operator's command line as the operator uses it: processes, exit codes, one JSON line each."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runtime.domain.slots import minute_text
from tests.support.sources import ROOT


class Console:
    """A paper account in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "paper" / "embedded" / "main"

    def run(self, *command: str, module: str = "-m runtime") -> tuple[int, dict[str, Any]]:
        """(exit code, the JSON of the last line); standard error must stay empty."""
        environment = {"PATH": os.environ["PATH"], "ENGINE_DATA_DIR": str(self.folder), "TZ": "UTC"}
        line = [sys.executable, *module.split(), *command]
        done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert not done.stderr, done.stderr
        answer = json.loads(done.stdout.splitlines()[-1])
        assert answer["exit_code"] == done.returncode
        return done.returncode, answer

    def hour(self, at: str = "2026-03-15T09") -> tuple[int, dict[str, Any]]:
        """One paper hour."""
        return self.run("--at", at, module="main.py")

    def database(self, statement: str, *values: str) -> None:
        """What befalls the store's file."""
        with closing(sqlite3.connect(self.home / "state.sqlite")) as raw, raw:
            raw.execute(statement, values)

    def forget_outcomes(self) -> None:
        """Nobody knows any more what became of this hour's orders."""
        self.database("UPDATE account SET state = replace(state, ?, ?)", '"status":"done"', '"status":"unknown"')


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(tmp_path)


def test_init_opens_an_account_once_and_status_shows_it(console: Console) -> None:
    assert console.run("status") == (0, {"exit_code": 0, "state": "none"})
    code, opened = console.run("init")
    assert (code, opened["managed"]) == (0, {"USDT": "10000"})
    code, refused = console.run("init")
    assert (code, "already" in refused["error"]) == (3, True)
    code, refused = console.run("rebuild")
    assert (code, "already" in refused["error"]) == (3, True)
    assert console.run("status")[1]["managed"] == {"USDT": "10000"}
    assert console.hour()[0] == 0


def test_a_lost_state_is_refused_until_it_is_rebuilt(console: Console) -> None:
    console.hour()
    before = console.run("status")[1]
    for path in console.home.glob("state.sqlite*"):
        path.unlink()
    code, refused = console.hour()
    assert (code, "rebuild" in refused["error"]) == (3, True)
    code, refused = console.run("init")
    assert (code, "rebuild" in refused["error"]) == (3, True)
    code, rebuilt = console.run("--at", "2026-03-15T09", "rebuild")
    assert (code, rebuilt["managed"]) == (0, before["managed"])
    assert sorted(rebuilt["done_today"]) == sorted(before["done_today"])
    assert console.hour("2026-03-15T10")[0] == 0


def test_control_is_set_shown_and_ends_by_itself(console: Console) -> None:
    console.run("init")
    assert console.run("control")[1]["control"] == "run"
    code, refused = console.run("control", "halt")
    assert (code, "why" in refused["error"]) == (2, True)
    code, answer = console.run("control", "halt", "--who", "me", "--why", "news", "--minutes", "30")
    assert (code, answer["control"], answer["who"], answer["why"]) == (0, "halt", "me", "news")
    assert console.run("control")[1]["control"] == "halt"
    assert console.run("--at", "2026-03-15T11", "control")[1]["control"] == "run"
    code, stopped = console.hour()
    assert (code, stopped["orders"]) == (0, 0)


def test_a_command_on_a_simulated_account_happens_in_the_last_hour_that_it_lived(console: Console) -> None:
    """Not in the market's first hour: a control for half an hour would be over before it began."""
    console.hour()
    assert console.hour("2026-03-15T12")[0] == 0
    assert console.run("control", "halt", "--why", "news", "--minutes", "30")[0] == 0
    assert console.run("control")[1]["control"] == "halt"
    newest = console.run("audit", "--json")[1]["events"][0]
    assert (newest["kind"], minute_text(newest["at_ms"])) == ("control", "2026-03-15 12:15 UTC")


def test_a_control_that_cannot_be_read_halts(console: Console) -> None:
    console.run("init")
    console.run("control", "run", "--why", "so")
    console.database("UPDATE document SET body = '{\"mode\": \"sprint\"}' WHERE kind = 'control'")
    code, answer = console.run("control")
    assert (code, answer["control"]) == (0, "halt")
    assert console.hour()[1]["orders"] == 0


def test_an_unknown_order_is_listed_and_settled_with_a_reason(console: Console) -> None:
    console.hour()
    assert console.run("orders") == (0, {"exit_code": 0, "open": []})
    console.forget_outcomes()
    listed = console.run("orders")[1]["open"]
    assert listed
    name = listed[0]["id"]
    code, refused = console.run("orders", "--settle", name)
    assert (code, "why" in refused["error"]) == (2, True)
    code, refused = console.run("orders", "--settle", "nobody", "--why", "so")
    assert (code, "nobody" in refused["error"]) == (2, True)
    code, settled = console.run("orders", "--settle", name, "--who", "me", "--why", "not there")
    assert (code, settled["settled"], settled["status"]) == (0, name, "absent")
    assert len(console.run("orders")[1]["open"]) == len(listed) - 1


def test_while_an_hour_holds_the_lease_a_command_changes_nothing(console: Console) -> None:
    console.hour()
    lease = '{"owner":"an hour","expires_ms":9999999999999,"fence":9,"slot":"2026-03-15T09Z"}'
    console.forget_outcomes()
    console.database("UPDATE account SET lease = ?", lease)
    listed = console.run("orders")[1]["open"]
    code, refused = console.run("orders", "--settle", listed[0]["id"], "--why", "so")
    assert (code, "lease" in refused["error"]) == (3, True)
    assert console.run("orders")[1]["open"] == listed


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("adopt", "BTC", "x"), 2, "amount"),
        (("adopt", "BTC", "1"), 2, "asset"),
        (("--market", "nowhere", "control"), 2, "--market"),
        (("--at", "yesterday", "control"), 2, "--at"),
    ],
)
def test_bad_arguments_say_what_is_wrong(console: Console, arguments: tuple[str, ...], code: int, named: str) -> None:
    console.run("init")
    found, answer = console.run(*arguments)
    assert (found, named in answer["error"]) == (code, True)


def test_why_tells_the_newest_hour_and_any_other_as_a_table_or_as_json(console: Console) -> None:
    code, refused = console.run("why")
    assert (code, "no hour has ended yet" in refused["error"]) == (2, True)
    console.hour()
    code, told = console.run("why")
    assert (code, told["slot"], told["status"]) == (0, "2026-03-15T09Z", "done")
    code, told = console.run("why", "2026-03-15T09", "--json")
    needs = {held["symbol"]: held["needs"] for held in told["card"]["held"]}
    assert needs["LTCUSDT"] == ["close 98.4 must be above sma60 98.8483", "score -4.29142 must be above 0"]
    code, refused = console.run("why", "2026-03-15T03")
    assert (code, "2026-03-15T03Z" in refused["error"]) == (2, True)
