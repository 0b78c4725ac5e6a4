"""The mailbox over real HTTP: read, obeyed once, answered at least once, and never in an hour's way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.adapters.clock import SimulatedClock, SystemClock
from runtime.adapters.memory import MemoryStore
from runtime.adapters.sqlite import SqliteStore
from runtime.adapters.telegram import Bot, TelegramPost
from runtime.domain.audit import Run
from runtime.domain.control import Control, Mode
from runtime.domain.documents import decode
from runtime.domain.inbox import LATE_MS, Owed
from runtime.domain.texts import Language
from runtime.inbox_answers import Answers
from runtime.mailbox import Mailbox
from runtime.ports import Changes
from tests.support.engine import Engine, live
from tests.support.sources import ROOT
from tests.support.stores import NOW_MS, state, take
from tests.support.telegram_server import CHAT, TOKEN, Fault, TelegramServer, parse_html, serving
from tests.support.worlds import Scene, scene

ME, STRANGER = 7, 666
RUN = Run("run-1", "engine", "0.1.0", "abc")


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with serving() as made:
        made.now_s = lambda: NOW_MS / 1000
        made.chats.add(str(ME))
        yield made


def mailbox_of(server: TelegramServer, store: Any, clock: Any, total_s: float = 2.5) -> Mailbox:
    bot = Bot(TOKEN, CHAT, server.url, timeouts=(total_s, total_s), total_s=total_s)
    answers = Answers(store, "main", Language.EN, clock.now_ms)
    return Mailbox(store, TelegramPost(bot, clock), clock, frozenset({ME}), answers, frozenset({int(CHAT)}), RUN)


class Account:
    """A store, the stand-in, and a mailbox that is made anew for each run, as a process would."""

    def __init__(self, server: TelegramServer) -> None:
        self.server, self.clock = server, SimulatedClock(NOW_MS)
        self.store = MemoryStore(self.clock, copy=True)

    def run(self, *, answer: bool = True) -> Mailbox:
        """One run: obey, and answer."""
        mailbox = mailbox_of(self.server, self.store, self.clock)
        mailbox.obey()
        if answer:
            mailbox.answer()
        return mailbox

    def told(self) -> list[tuple[str, str]]:
        """(chat, words) of every message that was sent."""
        return [(str(message["chat_id"]), message["seen"]) for message in self.server.messages]


@pytest.fixture
def account(server: TelegramServer) -> Account:
    return Account(server)


def test_a_command_is_obeyed_acknowledged_logged_and_confirmed(account: Account) -> None:
    number = account.server.write(ME, ME, "/halt the news")
    account.run()
    assert account.store.control() == Control(Mode.HALT, f"telegram:{ME}", NOW_MS, "the news")
    assert account.told() == [
        (str(ME), "Control is now: halted. It holds from the next order on. /halt by telegram:7.")
    ]
    [event] = account.store.audit(10)
    assert (event.actor, event.run, event.facts["command"]) == ("telegram:7", "run-1", "halt")
    account.run()
    assert [given.get("offset") for method, given in account.server.calls if method == "getUpdates"][-1] == number + 1
    assert account.server.updates == []
    assert len(account.told()) == 1


def test_nothing_written_is_one_call_and_no_write(account: Account) -> None:
    before = account.store.mail()
    account.run()
    assert [method for method, _ in account.server.calls] == ["getUpdates"]
    assert account.store.mail() == before


def test_each_command_of_one_batch_is_answered_with_what_it_did_in_order(account: Account) -> None:
    for words in ("/halt", "/reduce_only", "/halt", "/resume"):
        account.server.write(ME, ME, words)
    account.run()
    assert account.store.control().mode is Mode.RUN
    then = "Then the control was set again, by telegram:7: it is now run."
    assert [words for _, words in account.told()] == [
        f"/halt by telegram:7 was obeyed: halted. {then}",
        f"/reduce_only by telegram:7 was obeyed: sales only. {then}",
        f"/halt by telegram:7 was obeyed: halted. {then}",
        "Control is now: run. It holds from the next order on. /resume by telegram:7.",
    ]


def test_a_command_is_answered_by_the_name_of_who_wrote_it(account: Account) -> None:
    account.server.write(ME, ME, "/halt")
    account.run(answer=False)
    account.store.set_control(Control(Mode.HALT, "anna", NOW_MS + 1, "storm"))
    account.run()
    (told,) = account.told()
    assert told[1].endswith("/halt by telegram:7.")


def test_an_answer_that_an_older_version_owes_is_given(account: Account) -> None:
    mail = account.store.mail()
    owed = decode(Owed, {"update": 9, "chat": ME, "command": "halt", "words": "", "outcome": "obeyed"}, "owed")
    account.store.obey(mail, replace(mail.inbox, owed=(owed,)), Control(Mode.HALT, "x", NOW_MS, "y"), ())
    account.run()
    assert account.told() == [(str(ME), "Control is now: halted. It holds from the next order on. /halt by –.")]


def test_a_stranger_gets_no_answer_and_the_operator_is_told_once(account: Account) -> None:
    for words in ("/halt", "/status", "hello"):
        account.server.write(STRANGER, STRANGER, words)
        account.run()
    assert account.store.control() == Control()
    assert [chat for chat, _ in account.told()] == [CHAT]
    assert "666" in account.told()[0][1]


def test_between_effect_and_answer_a_crash_loses_neither(account: Account) -> None:
    """The run dies after its one write; the next one answers, and obeys nothing again."""
    account.server.write(ME, ME, "/halt")
    account.run(answer=False)
    account.store.set_control(Control(Mode.RUN, "me", NOW_MS + 1, "over"))
    account.run()
    assert account.store.control().mode is Mode.RUN
    assert len(account.told()) == 1
    account.run()
    assert len(account.told()) == 1


def test_before_the_write_a_crash_has_changed_nothing(account: Account) -> None:
    """The updates were read, and the store did not take them: they are read again."""
    account.server.write(ME, ME, "/halt")
    mail, real = account.store.mail(), account.store
    account.store.obey(mail, replace(mail.inbox, at_ms=1), None, ())

    class Late(MemoryStore):
        def mail(self) -> Any:
            return mail

        def obey(self, *arguments: Any) -> Any:
            return real.obey(*arguments)

    slow = mailbox_of(account.server, Late(account.clock), account.clock)
    slow.obey()
    assert (slow.obeyed, account.store.control().mode) == (0, Mode.RUN)
    account.run()
    assert account.store.control().mode is Mode.HALT


FAULTS = [
    (Fault("pause", 99), "429"),
    (Fault("gateway"), "502"),
    (Fault("garbage"), "without a Bot API answer"),
    (Fault("redirect"), "302"),
    (Fault("refuse"), "400"),
]


@pytest.mark.parametrize(("fault", "said"), FAULTS, ids=lambda value: getattr(value, "kind", ""))
def test_a_messenger_in_trouble_changes_nothing_and_is_read_by_the_next_run(
    account: Account, fault: Fault, said: str
) -> None:
    account.server.write(ME, ME, "/halt")
    account.server.faults = [fault, fault]
    mailbox = account.run()
    assert (said in mailbox.problem or "too many requests" in mailbox.problem) is True
    assert TOKEN not in mailbox.problem
    assert account.store.control() == Control()
    account.server.faults = []
    account.run()
    assert account.store.control().mode is Mode.HALT


@pytest.mark.parametrize("status", [401, 409])
def test_what_a_human_must_mend_is_named(account: Account, status: int) -> None:
    if status == 401:
        account.server.token = "another"
    else:
        account.server.conflict = True
    problem = account.run().problem
    assert str(status) in problem
    assert ("TG_TOKEN" if status == 401 else "deleteWebhook") in problem


@pytest.mark.parametrize("kind", ["silent", "drip"])
def test_a_messenger_that_hangs_ends_within_its_time(server: TelegramServer, kind: str) -> None:
    store = MemoryStore(SystemClock())
    server.faults = [Fault(kind), Fault(kind), Fault(kind)]
    started = time.monotonic()
    mailbox = mailbox_of(server, store, SystemClock(), total_s=0.3)
    mailbox.obey()
    assert time.monotonic() - started < 2
    assert mailbox.problem


def test_a_flood_is_read_to_its_end_and_the_operator_in_it_is_heard(account: Account) -> None:
    for number in range(90):
        account.server.write(STRANGER + number, STRANGER + number, "x" * 4096)
    account.server.write(ME, ME, "/halt")
    account.run()
    assert account.store.control().mode is Mode.HALT
    assert len(account.store.mail().inbox.owed) <= 100


def test_a_message_that_no_answer_reaches_is_owed_still_and_a_refused_one_is_not(account: Account) -> None:
    account.server.write(ME, ME, "/status")
    account.run(answer=False)
    account.server.faults = [Fault("gateway")]
    mailbox_of(account.server, account.store, account.clock).answer()
    assert len(account.store.mail().inbox.owed) == 1
    account.server.blocked.add(str(ME))
    mailbox_of(account.server, account.store, account.clock).answer()
    assert account.store.mail().inbox.owed == ()


WHOLE = {"from": {"id": ME}, "chat": {"id": ME}, "date": NOW_MS // 1000, "text": "/halt"}
BODIES: list[dict[str, Any]] = [
    {},
    {"message": 5},
    {"message": {"text": "/halt"}},
    {"edited_message": WHOLE},
    {"message": WHOLE | {"from": {"id": str(ME)}}},
    {"message": WHOLE | {"date": 10**30}},
    {"message": WHOLE | {"text": ["/halt"]}},
]


@pytest.mark.parametrize("body", BODIES)
def test_an_update_that_is_no_message_is_passed_over_and_confirmed(account: Account, body: dict[str, Any]) -> None:
    account.server.updates.append((100, NOW_MS / 1000, body))
    account.run()
    assert (account.store.control(), account.store.mail().inbox.handled) == (Control(), 100)


HOSTILE = "<b>&amp;</b> \x00\n[x](http://evil) " + "\U0001d54f" * 50


@pytest.mark.parametrize("command", ["status", "pnl", "positions", "why", "pool", "help", "halt", "nonsense", HOSTILE])
def test_every_answer_is_html_that_telegram_takes(account: Account, command: str) -> None:
    with scene() as lived:
        lived.hour()
        answers = Answers(lived.store, "main", Language.ZH, lived.clock.now_ms)
        for outcome in ("asked", "obeyed", "late", "overtaken", "unknown", "flood", "foreign", "replayed"):
            html = answers(Owed(1, ME, command, HOSTILE, outcome))
            assert parse_html(html).strip()


def test_answers_say_what_the_commands_say() -> None:
    with scene() as lived:
        lived.hour()
        answers = Answers(lived.store, "main", Language.EN, lived.clock.now_ms)

        def ask(command: str, words: str = "") -> str:
            return parse_html(answers(Owed(1, ME, command, words, "asked")))

        assert "last hour 2026-03-15T09Z, exit 0" in ask("status")
        assert "ETHUSDT: 1.5091893, 4,650.33 USDT" in ask("positions")
        assert "score -4.29142 must be above 0" in ask("why", "2026-03-15T09")
        assert "must be an hour that this account completed" in ask("why", "2026-03-15T03")
        assert ask("pool").startswith("fresh upstream, version 2026-03-01-core_major: ETHUSDT")
        assert ask("pnl").startswith("day: profit")
        answers = replace(answers, language=Language.ZH)
        assert ask("pnl").startswith("今日")
        assert "分钟前" in ask("status")
        assert "minutes" not in ask("status")


def heeding(lived: Scene, server: TelegramServer) -> Mailbox:
    """The scene's hours heed what is written to the stand-in."""
    mailbox = mailbox_of(server, lived.store, lived.clock)
    lived.wrap = lambda world: replace(world, obey_commands=mailbox.obey)
    server.now_s = lambda: lived.clock.now_ms() / 1000
    return mailbox


def test_an_hour_heeds_a_halt_before_it_decides(server: TelegramServer) -> None:
    with scene() as lived:
        mailbox = heeding(lived, server)
        server.write(ME, ME, "/halt")
        report = lived.hour()
        assert (report.orders, report.control) == ((), "halt")
        mailbox.answer()
        assert "Control is now: halted" in server.messages[-1]["seen"]


def test_the_inbox_costs_no_call_at_the_exchange_and_stands_beside_the_others(server: TelegramServer) -> None:
    with scene() as plain, scene() as heeded:
        plain.hour()
        heeding(heeded, server)
        heeded.hour()
        assert heeded.used == plain.used
        assert heeded.waves == plain.waves
        assert heeded.reports.reports == plain.reports.reports


def test_a_dead_messenger_is_no_trouble_of_the_hour(server: TelegramServer) -> None:
    with scene() as lived:
        heeding(lived, server)
        server.faults = [Fault("gateway")] * 9
        assert lived.hour().exit_code == 0


class TestProcess:
    """`python -m runtime inbox` and a live hour as processes."""

    def environment(self, folder: Path, server: TelegramServer) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "ENGINE_STORE": "sqlite",
            "ENGINE_DATA_DIR": str(folder),
            "TG_TOKEN": TOKEN,
            "TG_CHAT_ID": CHAT,
            "TG_COMMAND_IDS": str(ME),
            "TG_API_URL": server.url,
        }

    def start(self, folder: Path, server: TelegramServer) -> subprocess.Popen[str]:
        line = [sys.executable, "-m", "runtime", "--mode", "live", "inbox"]
        return subprocess.Popen(line, cwd=ROOT, env=self.environment(folder, server), stdout=subprocess.PIPE, text=True)

    def ended(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        out = process.communicate(timeout=60)[0]
        answer: dict[str, Any] = json.loads(out.splitlines()[-1])
        assert answer["exit_code"] == process.returncode
        return answer

    def store(self, folder: Path) -> SqliteStore:
        return SqliteStore(folder / "live" / "main" / "state.sqlite", SystemClock())

    def test_killed_between_effect_and_answer_the_next_run_answers_and_obeys_nothing_again(
        self, tmp_path: Path, server: TelegramServer
    ) -> None:
        server.now_s = time.time
        server.write(ME, ME, "/halt")
        server.faults = [None, None, Fault("silent")]  # the page, the empty one after it, and the answer
        process = self.start(tmp_path, server)
        until = time.monotonic() + 30
        while not any(method == "sendMessage" for method, _ in server.calls):
            assert time.monotonic() < until
            time.sleep(0.02)
        process.kill()
        process.communicate(timeout=30)
        store = self.store(tmp_path)
        assert store.control().mode is Mode.HALT
        store.set_control(Control(Mode.RUN, "me", 9_999_999_999_999, "over"))
        told = self.ended(self.start(tmp_path, server))
        assert (told["obeyed"], told["answered"]) == (0, 1)
        assert store.control().mode is Mode.RUN
        assert len([event for event in store.audit(10) if event.kind == "command"]) == 1
        store.close()

    def test_killed_while_it_reads_nothing_has_changed(self, tmp_path: Path, server: TelegramServer) -> None:
        server.now_s = time.time
        server.write(ME, ME, "/halt")
        server.faults = [Fault("silent")]
        process = self.start(tmp_path, server)
        until = time.monotonic() + 30
        while not server.calls:
            assert time.monotonic() < until
            time.sleep(0.02)
        process.kill()
        process.communicate(timeout=30)
        told = self.ended(self.start(tmp_path, server))
        assert (told["exit_code"], told["obeyed"], told["answered"]) == (0, 1, 1)

    def test_what_is_missing_and_what_is_wrong_is_named(self, tmp_path: Path, server: TelegramServer) -> None:
        environment = self.environment(tmp_path, server)
        for value, said in (("", "TG_COMMAND_IDS: not set"), ("7,x", "(hidden)")):
            line = [sys.executable, "-m", "runtime", "--mode", "live", "inbox"]
            given = environment | {"TG_COMMAND_IDS": value}
            done = subprocess.run(line, cwd=ROOT, env=given, capture_output=True, text=True, check=False, timeout=60)
            assert done.returncode == 2
            assert said in json.loads(done.stdout)["error"]

    def test_a_live_hour_obeys_before_it_trades_and_answers_when_it_is_over(
        self, tmp_path: Path, server: TelegramServer
    ) -> None:
        server.now_s = time.time
        server.write(ME, ME, "/halt")
        with live() as (settings, _):
            chat = {"TG_TOKEN": TOKEN, "TG_CHAT_ID": CHAT, "TG_API_URL": server.url, "TG_COMMAND_IDS": str(ME)}
            run = Engine(tmp_path)(**{**settings, **chat})
        assert (run.code, run.line["orders"]) == (0, 0)
        methods = [method for method, _ in server.calls]
        assert methods[0] == "getUpdates"
        assert "Control is now: halted" in server.messages[-1]["seen"]
        assert TOKEN not in run.out


def test_late_is_as_long_as_an_hour_and_a_quarter(account: Account) -> None:
    account.server.write(ME, ME, "/halt")
    account.clock.sleep(LATE_MS / 1000 + 1)
    account.run()
    assert account.store.control() == Control()
    assert "came too late" in account.told()[0][1]


def test_an_account_in_use_can_be_written_to(account: Account) -> None:
    held = take(account.store)
    account.server.write(ME, ME, "/reduce_only")
    account.run()
    assert account.store.check(held).mode is Mode.REDUCE_ONLY
    account.store.commit(held, Changes(state(), release=True))
