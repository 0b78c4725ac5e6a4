"""The commands of the books as the operator uses them: processes, files, tables, one JSON line each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from beancount import loader

from runtime.domain.exporting import FORMATS, TABLES
from tests.support.bookkeeping import D, rows
from tests.support.sources import ROOT
from tests.test_operator_commands import Console


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Console:
    """An account after four hours on two days."""
    made = Console(tmp_path_factory.mktemp("books"))
    for at in ("2026-03-15T09", "2026-03-15T10", "2026-03-16T01", "2026-03-16T02"):
        assert made.hour(at)[0] == 0
    return made


def said(console: Console, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command with everything it prints."""
    around = {"PATH": os.environ["PATH"], "ENGINE_DATA_DIR": str(console.folder), "TZ": "UTC", **environment}
    line = [sys.executable, "-m", "runtime", *command]
    return subprocess.run(line, cwd=ROOT, env=around, capture_output=True, text=True, check=False, timeout=120)


class TestExport:
    @pytest.mark.parametrize("what", TABLES)
    def test_every_table_is_written_into_a_file_of_its_own(self, console: Console, what: str) -> None:
        code, told = console.run("export", "--what", what)
        path = Path(told["file"])
        assert (code, path.parent.name, path.suffix) == (0, "exports", ".csv")
        assert what in path.name
        records = rows(path.read_bytes().decode())
        assert len(records) == told["rows"]
        assert told["after"].keys() >= {"USDT", "BTC"}

    @pytest.mark.parametrize("form", FORMATS)
    def test_every_format_goes_to_standard_output_and_stands_there_alone(self, console: Console, form: str) -> None:
        done = said(console, "export", "--format", form, "--out", "-")
        assert done.returncode == 0
        assert json.loads(done.stderr)["file"] == "-"
        if form == "beancount":
            assert loader.load_string(done.stdout)[1] == []
        else:
            assert rows(done.stdout)

    def test_what_is_managed_is_what_the_file_sums_to(self, console: Console, tmp_path: Path) -> None:
        target = tmp_path / "mine.csv"
        told = console.run("export", "--format", "generic", "--out", str(target))[1]
        status = console.run("status")[1]
        assert told["file"] == str(target)
        for asset, amount in told["after"].items():
            held = D(status["managed"].get(asset, "0")) + D(status["earn"].get(asset, "0"))
            assert D(amount) == held

    def test_a_folder_gets_a_file_with_a_name_that_says_what_it_holds(self, console: Console, tmp_path: Path) -> None:
        command = ("export", "--what", "gains", "--method", "hifo", "--from", "2026-03-16", "--out", str(tmp_path))
        told = console.run(*command)[1]
        assert told["file"] == str(tmp_path / "books-main-gains-hifo-2026-03-16.csv")
        assert os.listdir(tmp_path) == ["books-main-gains-hifo-2026-03-16.csv"]  # noqa: PTH208 - names are compared

    @pytest.mark.parametrize(
        ("command", "named"),
        [
            (("--from", "yesterday"), "--from: 'yesterday' – must be a UTC day"),
            (("--from", "2026-03-02", "--to", "2026-03-01"), "--to: '2026-03-01' – must not be before"),
            (("--format", "koinly", "--what", "gains"), "--what: 'gains' – goes with --format csv"),
            (("--rows-max", "0"), "--rows-max: 0"),
            (("--rows-max", "2"), "--rows-max: 2"),
            (("--cost", "BTC"), "--cost: 'BTC' – must be"),
        ],
    )
    def test_bad_arguments_say_what_is_wrong_and_write_nothing(
        self, console: Console, tmp_path: Path, command: tuple[str, ...], named: str
    ) -> None:
        code, refused = console.run("export", *command, "--out", str(tmp_path / "x.csv"))
        assert (code, named in refused["error"]) == (2, True), refused
        assert not list(tmp_path.iterdir())

    def test_a_place_that_cannot_be_written_is_told(self, console: Console) -> None:
        code, refused = console.run("export", "--out", "/proc/nowhere/x.csv")
        assert (code, "export: /proc/nowhere/x.csv" in refused["error"]) == (3, True)


class TestTables:
    @pytest.mark.parametrize("command", ["ledger", "pnl", "performance"])
    def test_a_person_gets_a_table_and_then_the_line(self, console: Console, command: str) -> None:
        done = said(console, command)
        *shown, line = done.stdout.splitlines()
        assert json.loads(line)["exit_code"] == 0
        assert len(shown) > 4
        assert not done.stderr
        assert "\x1b" not in done.stdout

    @pytest.mark.parametrize("command", ["ledger", "pnl", "performance"])
    def test_with_json_there_is_one_line_that_holds_everything(self, console: Console, command: str) -> None:
        done = said(console, command, "--json")
        (line,) = done.stdout.splitlines()
        assert len(json.loads(line)) > 1

    def test_any_terminal_can_show_them(self, console: Console) -> None:
        done = said(console, "ledger", PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")

    def test_the_ledger_lists_the_days_that_were_asked_for(self, console: Console) -> None:
        everything = console.run("ledger", "--json")[1]
        assert (everything["from"], everything["to"]) == ("2026-03-10", "2026-03-16")
        first = console.run("ledger", "--from", "2026-03-15", "--to", "2026-03-15", "--json")[1]
        assert {entry["slot"][:10] for entry in first["entries"]} == {"2026-03-15"}
        assert first["entries"] == everything["entries"][: len(first["entries"])]
        assert everything["balances"]["spot"].keys() >= {"BTC", "USDT"}

    def test_profit_of_the_day_and_since_a_day(self, console: Console) -> None:
        (day,) = console.run("pnl", "day", "--json")[1]["periods"]
        (since,) = console.run("pnl", "since", "2026-03-16", "--json")[1]["periods"]
        assert {**day, "name": ""} == {**since, "name": ""}
        assert (day["from"], day["to"]) == ("2026-03-15T10Z", "2026-03-16T02Z")
        names = [period["name"] for period in console.run("pnl", "--json")[1]["periods"]]
        assert names == ["day", "week", "month", "all"]

    def test_performance_tells_the_account_and_bitcoin(self, console: Console) -> None:
        found = console.run("performance", "--json")[1]
        assert found["account"].keys() == found["holding_btc"].keys()
        assert found["period"]["equity_start"] == "10000"
        assert D(found["period"]["profit"]) == D(found["period"]["equity_end"]) - 10_000

    @pytest.mark.parametrize("words", [("century",), ("since",), ("since", "x"), ("day", "since", "2026-01-01")])
    def test_a_period_that_is_none_is_refused_by_its_name(self, console: Console, words: tuple[str, ...]) -> None:
        code, refused = console.run("pnl", *words)
        assert (code, "since DATE" in refused["error"] or "UTC day" in refused["error"]) == (2, True)


@pytest.mark.parametrize(
    ("command", "found_by"),
    [
        (("ledger", "--from", "2026-03-16"), "^Ledger"),
        (("pnl",), "^Profit"),
        (("export", "--what", "gains", "--out", "-"), "^disposed_utc"),
        (("export", "--format", "beancount", "--out", "-"), "^2026-03-16 \\* "),
        (("export", "--format", "beancount", "--out", "-"), "^2026-03-17 balance"),
    ],
)
def test_the_page_shows_what_the_commands_print(console: Console, command: tuple[str, ...], found_by: str) -> None:
    """Line by line and in order, for the four hours that the page names."""
    blocks = re.findall(r"```text\n(.+?)```", (ROOT / "docs" / "books.md").read_text(encoding="utf-8"), re.DOTALL)
    (block,) = (block for block in blocks if re.match(found_by, block))
    printed = said(console, *command).stdout.splitlines()
    for line in block.splitlines():
        assert line in printed, line
        printed = printed[printed.index(line) + 1 :]


class TestAccounts:
    def test_without_an_account_there_is_one_clear_refusal(self, tmp_path: Path) -> None:
        for command in ("export", "ledger", "pnl", "performance"):
            code, refused = Console(tmp_path).run(command)
            assert (code, "run init or rebuild first" in refused["error"]) == (3, True)

    def test_the_real_accounts_books_need_no_key(self, tmp_path: Path) -> None:
        environment: dict[str, Any] = {"ENGINE_MODE": "live", "ENGINE_STORE": "sqlite"}
        done = said(Console(tmp_path), "ledger", **environment)
        assert (done.returncode, "run init or rebuild first" in done.stdout) == (3, True)
        assert (tmp_path / "live" / "main").is_dir()

    def test_the_real_accounts_books_on_firestore_need_the_project(self, tmp_path: Path) -> None:
        done = said(Console(tmp_path), "--mode", "live", "ledger")
        assert (done.returncode, "GOOGLE_CLOUD_PROJECT: not set" in done.stdout) == (2, True)

    def test_a_mode_that_is_none_is_refused(self, tmp_path: Path) -> None:
        done = said(Console(tmp_path), "ledger", ENGINE_MODE="life")
        assert (done.returncode, "ENGINE_MODE: 'life'" in done.stdout) == (2, True)
