"""Telling over two channels: each alert once where the first answers, by the second where it does not, never lost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from runtime.adapters.channel import Address, ChannelAlerter
from runtime.adapters.clock import SimulatedClock
from runtime.adapters.files import FolderReportSink
from runtime.adapters.telegram import Bot, TelegramAlerter
from runtime.domain.alerts import AlertKind, new_alert
from runtime.domain.dependencies import TELEGRAM
from runtime.domain.report import CycleStatus, document_digest
from runtime.domain.state import Dependency, State
from runtime.domain.texts import Language
from runtime.ports import Receipt, World
from runtime.telling import tell_at_once, told
from tests.support.http_stub import Fate, HttpStub, Reply
from tests.support.telegram_server import CHAT, TOKEN, Fault, TelegramServer, serving
from tests.support.worlds import ACCOUNT, DOWN, Scene, scene

SLOT = "2026-11-21T09Z"
TRADE = new_alert(AlertKind.TRADE, SLOT, {"symbol": "ETHUSDT"})
FUEL = new_alert(AlertKind.FUEL, SLOT, {"value": "1"})
BREAKER = new_alert(AlertKind.BREAKER, SLOT, {"loss": "-6 %"})
HOOK = "POST /hook"


@dataclass
class Two:
    """Telegram and a web hook on loopback, and a world that tells over both."""

    telegram: TelegramServer
    hook: HttpStub
    clock: SimulatedClock = field(default_factory=lambda: SimulatedClock(0))

    def put_in(self, s: Scene) -> None:
        """Let the hours of a scene tell over both."""
        s.wrap = lambda world: replace(world, alerter=self.first, second=self.second)

    @property
    def first(self) -> TelegramAlerter:
        bot = Bot(TOKEN, CHAT, self.telegram.url, timeouts=(5, 0.3), total_s=5)
        return TelegramAlerter(bot, Language.EN, self.clock)

    @property
    def second(self) -> ChannelAlerter:
        return ChannelAlerter(Address(f"json://{self.hook.origin.removeprefix('http://')}/hook"), Language.EN)

    def by_telegram(self, title: str) -> int:
        return sum(message["seen"].count(title) for message in self.telegram.messages)

    def by_hook(self, title: str) -> int:
        return sum(json.loads(seen.raw[1])["message"].count(title) for seen in self.hook.seen)


@pytest.fixture
def two() -> Iterator[Two]:
    with serving() as telegram, HttpStub() as hook:
        hook.on(HOOK, Reply())
        yield Two(telegram, hook)


def a_world(two: Two) -> World:
    seen: list[World] = []

    def kept(world: World) -> World:
        seen.append(world)
        return world

    with scene() as s:
        s.wrap = kept
        s.hour()
    return replace(seen[0], alerter=two.first, second=two.second)


def outcome(receipts: Sequence[Receipt]) -> dict[str, tuple[str, bool]]:
    return {receipt.alert_id: (receipt.channel, receipt.delivered) for receipt in receipts}


def test_what_telegram_takes_is_told_once_and_the_second_is_not_asked(two: Two) -> None:
    after, receipts = told(a_world(two), State("main", outbox=(TRADE, FUEL, BREAKER)), 0)
    assert after.outbox == ()
    assert set(outcome(receipts).values()) == {("telegram", True)}
    assert two.hook.seen == []


DOWN_FOR_NOW = [Fault("gateway"), Fault("garbage"), Fault("cut"), Fault("silent"), Fault("pause", 99)]


@pytest.mark.parametrize("fault", DOWN_FOR_NOW, ids=lambda fault: str(fault.kind))
def test_while_telegram_is_down_the_urgent_is_told_elsewhere_and_the_rest_waits(two: Two, fault: Fault) -> None:
    two.telegram.faults = [fault]
    after, receipts = told(a_world(two), State("main", outbox=(TRADE, FUEL, BREAKER)), 0)
    assert [alert.id for alert in after.outbox] == [TRADE.id, FUEL.id]
    assert outcome(receipts)[BREAKER.id] == ("json", True)
    assert outcome(receipts)[TRADE.id] == ("telegram", False)
    assert (two.by_hook("Circuit breaker tripped"), two.by_hook("Order filled")) == (1, 0)
    assert after.dependencies[TELEGRAM].failures == 1


def test_what_waited_an_hour_is_told_by_whichever_channel_answers(two: Two) -> None:
    world = a_world(two)
    two.telegram.faults = [Fault("gateway"), Fault("gateway")]
    after, _ = told(world, State("main", outbox=(TRADE, BREAKER)), 0)
    after, receipts = told(world, after, 0)
    assert after.outbox == ()
    assert outcome(receipts) == {TRADE.id: ("json", True)}
    assert (two.by_hook("Circuit breaker tripped"), two.by_hook("Order filled")) == (1, 1)


@pytest.mark.parametrize("refusal", ["blocked", "gone", "token"])
def test_what_telegram_refuses_for_good_is_told_elsewhere_at_once(two: Two, refusal: str) -> None:
    if refusal == "blocked":
        two.telegram.blocked.add(CHAT)
    elif refusal == "gone":
        two.telegram.chats.clear()
    else:
        two.telegram.token = "654321:another"
    after, receipts = told(a_world(two), State("main", outbox=(TRADE, BREAKER)), 0)
    assert after.outbox == ()
    assert set(outcome(receipts).values()) == {("json", True)}


def test_where_both_are_down_nothing_is_lost(two: Two) -> None:
    two.telegram.faults = [Fault("gateway")]
    two.hook.on(HOOK, Fate.CUT)
    world = a_world(two)
    after, receipts = told(world, State("main", outbox=(TRADE, BREAKER)), 0)
    assert [alert.id for alert in after.outbox] == [TRADE.id, BREAKER.id]
    assert {alert.attempts for alert in after.outbox} == {1}
    assert set(outcome(receipts).values()) == {("telegram", False)}, "what none took keeps the first channel's word"
    assert not any(receipt.delivered for receipt in receipts)
    after, _ = told(world, after, 0)
    assert after.outbox == ()
    assert two.by_telegram("Circuit breaker tripped") == 1


def test_while_its_breaker_is_open_telegram_is_only_probed_and_everything_goes_elsewhere(two: Two) -> None:
    two.telegram.chats.clear()
    sick = State("main", outbox=(TRADE, BREAKER), dependencies={TELEGRAM: Dependency(3)})
    after, receipts = told(a_world(two), sick, 0)
    assert {method for method, _ in two.telegram.calls} == {"getMe", "getChat"}
    assert after.outbox == ()
    assert set(outcome(receipts).values()) == {("json", True)}
    assert after.dependencies[TELEGRAM].failures == 4


def test_without_a_second_channel_what_telegram_does_not_take_waits(two: Two) -> None:
    two.telegram.faults = [Fault("gateway")]
    after, _ = told(replace(a_world(two), second=None), State("main", outbox=(TRADE, BREAKER)), 0)
    assert [alert.id for alert in after.outbox] == [TRADE.id, BREAKER.id]


def test_what_no_outbox_keeps_goes_over_every_channel_whatever_its_urgency(two: Two) -> None:
    two.telegram.faults = [Fault("gateway")]
    receipts = tell_at_once(a_world(two), [TRADE, FUEL])
    assert outcome(receipts) == {TRADE.id: ("json", True), FUEL.id: ("json", True)}


def test_an_hour_that_aborts_while_telegram_is_down_is_heard_of(two: Two) -> None:
    with scene() as s:
        s.hour()
        two.put_in(s)
        two.telegram.faults = [Fault("gateway")]
        s.faults({ACCOUNT: DOWN})
        report = s.next()
        assert report.status is CycleStatus.ABORTED
        assert [(receipt.channel, receipt.delivered) for receipt in report.receipts] == [("json", True)]
        assert two.by_hook("Cycle aborted") == 1
        assert s.state.outbox == ()


def test_an_hour_whose_store_is_gone_is_heard_of_over_the_second_channel(two: Two) -> None:
    with scene() as s:
        s.hour()
        two.put_in(s)
        two.telegram.blocked.add(CHAT)
        s.environment["ENGINE_ACCOUNT"] = "another"  # a state that is not this account's: refused at the load
        report = s.next()
        assert report.exit_code != 0
        assert [receipt.channel for receipt in report.receipts] == ["json"]


def test_the_kept_report_says_who_took_what_without_words_or_chat(two: Two, tmp_path: Path) -> None:
    with scene() as s:
        sink = FolderReportSink(tmp_path)
        s.wrap = lambda world: replace(world, alerter=two.first, second=two.second, reports=sink)
        report = s.hour()
    [path] = (tmp_path / "reports").glob("*.json")
    kept = json.loads(path.read_text())
    assert {receipt["channel"] for receipt in kept["run"]["receipts"]} == {"telegram"}
    assert {receipt["alert"] for receipt in kept["run"]["receipts"]} == {r.alert_id for r in report.receipts}
    assert {receipt["outcome"] for receipt in kept["run"]["receipts"]} == {"delivered"}
    assert kept["sha256"] == document_digest(kept), "what became of alerts is not in the digest"
    assert CHAT not in path.read_text()
    assert "Order filled" not in json.dumps(kept["run"])
    assert "telegram delivered" in path.with_suffix(".txt").read_text()


def test_where_a_chat_moved_to_is_not_in_the_report(two: Two, tmp_path: Path) -> None:
    two.telegram.moved[CHAT], two.telegram.chats = -100777123456, {"-100777123456"}
    with scene() as s:
        s.wrap = lambda world: replace(world, alerter=two.first, reports=FolderReportSink(tmp_path))
        report = s.hour()
    assert any("TG_CHAT_ID" in receipt.why for receipt in report.receipts)
    assert "100777123456" not in f"{report}"
    assert "-100777123456" in two.telegram.messages[-1]["seen"], "the group itself is told"
    assert not [path for path in (tmp_path / "reports").iterdir() if "100777123456" in path.read_text()]


def test_a_disk_that_is_full_by_then_costs_only_the_receipts(two: Two, tmp_path: Path) -> None:
    with scene() as s:
        s.wrap = lambda world: replace(world, alerter=two.first, reports=_Filling(tmp_path))
        report = s.hour()
        assert report.status is CycleStatus.DONE
        assert "receipts" in report.problems
        assert s.state.outbox == ()


class _Filling(FolderReportSink):
    """A folder that goes away once the report lies in it."""

    def amend_report(self, place: str, document: Mapping[str, object], text: str) -> None:
        Path(place).parent.rename(Path(place).parent.with_name("elsewhere"))
        super().amend_report(place, document, text)
