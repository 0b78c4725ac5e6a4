"""The Telegram alerter against a real HTTP stand-in: every answer, every failure, and never the token."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests

from runtime.adapters.clock import SimulatedClock, SystemClock
from runtime.adapters.telegram import Bot, TelegramAlerter
from runtime.adapters.telegram.alerter import BETWEEN_MESSAGES_S, RETRY_AFTER_MAX_S
from runtime.domain.alerts import Alert, AlertKind, Severity, new_alert
from runtime.domain.drawing import Canvas
from runtime.domain.paging import parsed
from runtime.domain.texts import Language
from runtime.ports import Clock
from tests.support.telegram_server import CHAT, TOKEN, Fault, TelegramServer, serving

SLOT = "2026-11-21T09Z"
START_MS = 1_795_251_600_000
TRADE = new_alert(AlertKind.TRADE, SLOT, {"symbol": "ETHUSDT"})
BREAKER = new_alert(AlertKind.BREAKER, SLOT, {"loss": "-6 %"})


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with serving() as state:
        yield state


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START_MS)


def a_bot(server: TelegramServer) -> Bot:
    return Bot(TOKEN, CHAT, server.url, timeouts=(5, 10), total_s=20)


def an_alerter(server: TelegramServer, clock: Clock) -> TelegramAlerter:
    return TelegramAlerter(a_bot(server), Language.EN, clock)


def an_impatient_one(server: TelegramServer, clock: Clock) -> TelegramAlerter:
    return TelegramAlerter(replace(a_bot(server), timeouts=(5, 0.2)), Language.EN, clock)


def many(count: int, length: int = 500) -> list[Alert]:
    return [new_alert(AlertKind.UNEXPECTED, SLOT, {"why": "x" * length}, subject=str(at)) for at in range(count)]


def test_a_cycle_is_one_message_and_every_alert_is_delivered(server: TelegramServer, clock: SimulatedClock) -> None:
    receipts = an_alerter(server, clock).deliver([TRADE, BREAKER])
    assert [(r.alert_id, r.delivered, r.why) for r in receipts] == [(TRADE.id, True, ""), (BREAKER.id, True, "")]
    [message] = server.messages
    assert message["chat_id"] == CHAT
    assert message["parse_mode"] == "HTML"
    assert message["link_preview_options"] == {"is_disabled": True}
    assert message["seen"].index("Circuit breaker tripped") < message["seen"].index("Order filled")


@pytest.mark.parametrize(
    ("severity", "silent"), [(Severity.INFO, True), (Severity.WARNING, False), (Severity.CRITICAL, False)]
)
def test_only_information_comes_without_a_sound(
    server: TelegramServer, clock: SimulatedClock, severity: Severity, silent: bool
) -> None:
    an_alerter(server, clock).deliver([TRADE, replace(TRADE, severity=severity)])
    assert server.messages[0]["disable_notification"] is silent


def test_nothing_to_tell_calls_nobody(server: TelegramServer, clock: SimulatedClock) -> None:
    assert an_alerter(server, clock).deliver([]) == []
    assert server.calls == []


def test_a_long_digest_is_several_messages_a_second_apart(server: TelegramServer, clock: SimulatedClock) -> None:
    receipts = an_alerter(server, clock).deliver(many(30))
    assert all(receipt.delivered for receipt in receipts)
    assert len(server.messages) > 1
    assert clock.monotonic() == (len(server.messages) - 1) * BETWEEN_MESSAGES_S


def test_what_fails_midway_leaves_the_told_alerts_told_and_the_others_not(
    server: TelegramServer, clock: SimulatedClock
) -> None:
    server.faults = [None, Fault("gateway")]
    alerts = many(30)
    receipts = an_alerter(server, clock).deliver(alerts)
    told = [receipt.delivered for receipt in receipts]
    assert told == sorted(told, reverse=True)
    assert any(told)
    assert not all(told)
    assert len(server.calls) == 2, "after a failure that concerns every page nothing more is sent"
    for alert, receipt in zip(alerts, receipts, strict=True):
        assert not receipt.permanent
        if receipt.delivered:
            assert alert.facts["why"] in server.messages[0]["seen"].replace("\n", "")


def test_a_short_pause_is_waited_for_once(server: TelegramServer, clock: SimulatedClock) -> None:
    server.faults = [Fault("pause", RETRY_AFTER_MAX_S)]
    [receipt] = an_alerter(server, clock).deliver([TRADE])
    assert receipt.delivered
    assert clock.monotonic() == RETRY_AFTER_MAX_S


@pytest.mark.parametrize("pauses", [[RETRY_AFTER_MAX_S + 1], [3, 3], [-1]])
def test_a_longer_second_or_senseless_pause_leaves_it_to_a_later_cycle(
    server: TelegramServer, clock: SimulatedClock, pauses: list[int]
) -> None:
    server.faults = [Fault("pause", seconds) for seconds in pauses]
    [receipt] = an_alerter(server, clock).deliver([TRADE])
    assert (receipt.delivered, receipt.permanent) == (False, False)
    assert "429" in receipt.why
    assert clock.monotonic() <= RETRY_AFTER_MAX_S
    assert server.messages == []


def test_one_wait_is_all_a_delivery_spends_on_pauses(server: TelegramServer, clock: SimulatedClock) -> None:
    server.faults = [Fault("pause", 3), None, Fault("pause", 3)]
    receipts = an_alerter(server, clock).deliver(many(12))
    assert receipts[0].delivered
    assert not receipts[-1].delivered
    assert clock.monotonic() == 3 + BETWEEN_MESSAGES_S


def test_an_alert_is_delivered_only_when_all_of_its_pages_are(server: TelegramServer, clock: SimulatedClock) -> None:
    server.faults = [Fault("refuse"), Fault("refuse")]
    receipts = an_alerter(server, clock).deliver(many(12))
    [second] = server.messages
    cut = next(at for at, receipt in enumerate(receipts) if receipt.delivered)
    assert second["seen"].count("An hour ended early") == len(receipts) - cut
    assert [receipt.delivered for receipt in receipts] == [False] * cut + [True] * (len(receipts) - cut)
    assert not second["seen"].startswith("An hour ended early"), "the page before it ended inside an alert"


@pytest.mark.parametrize("fault", [Fault("gateway"), Fault("gateway", status=200), Fault("gateway", status=403),
                                   Fault("garbage"), Fault("redirect"), Fault("cut")])  # fmt: skip
def test_what_is_no_answer_of_the_bot_api_is_tried_by_a_later_cycle(
    server: TelegramServer, clock: SimulatedClock, fault: Fault
) -> None:
    server.faults = [fault]
    alerter = an_alerter(server, clock)
    [receipt] = alerter.deliver([TRADE])
    assert (receipt.delivered, receipt.permanent) == (False, False)
    assert len(server.calls) == 1, "a redirect is not followed: the token would go with it"
    [receipt] = alerter.deliver([TRADE])
    assert receipt.delivered


def test_a_message_whose_answer_never_came_is_tried_again_and_may_be_told_twice(
    server: TelegramServer, clock: SimulatedClock
) -> None:
    server.faults = [Fault("silent")]
    assert [r.delivered for r in an_impatient_one(server, clock).deliver([TRADE])] == [False]
    assert [r.delivered for r in an_alerter(server, clock).deliver([TRADE])] == [True]
    assert len(server.messages) == 2
    assert all(SLOT in message["seen"] for message in server.messages), "the hour shows that it is the same"


def test_refused_markup_is_sent_once_more_as_plain_text(server: TelegramServer, clock: SimulatedClock) -> None:
    server.refuse_markup = True
    [receipt] = an_alerter(server, clock).deliver([new_alert(AlertKind.ABORTED, SLOT, {"why": "a < b"})])
    assert receipt.delivered
    [message] = server.messages
    assert "parse_mode" not in message
    assert "a < b" in message["text"]
    assert message["text"] == parsed(server.calls[0][1]["text"])
    assert message["disable_notification"] is False


def test_a_refused_text_is_permanent_and_the_next_page_is_still_tried(
    server: TelegramServer, clock: SimulatedClock
) -> None:
    server.refuse_all = True
    receipts = an_alerter(server, clock).deliver(many(12))
    assert {(r.delivered, r.permanent) for r in receipts} == {(False, True)}
    assert len(server.calls) == 2 * 2


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda s: s.chats.clear(), "chat not found"),
        (lambda s: s.blocked.add(CHAT), "blocked"),
        (lambda s: setattr(s, "token", "another"), "401"),
    ],
)
def test_what_a_human_must_repair_is_permanent_and_says_what(
    server: TelegramServer, clock: SimulatedClock, break_it: object, told: str
) -> None:
    assert callable(break_it)
    break_it(server)
    [receipt] = an_alerter(server, clock).deliver([TRADE])
    assert (receipt.delivered, receipt.permanent) == (False, True)
    assert told in receipt.why


def test_a_malformed_token_is_permanent(server: TelegramServer, clock: SimulatedClock) -> None:
    alerter = TelegramAlerter(replace(a_bot(server), token="a/b"), Language.EN, clock)
    [receipt] = alerter.deliver([TRADE])
    assert receipt.permanent
    assert "404" in receipt.why


@pytest.mark.parametrize("language", Language)
def test_a_chat_that_moved_gets_the_whole_delivery_and_is_told_what_to_set(
    server: TelegramServer, clock: SimulatedClock, language: Language
) -> None:
    server.moved = {CHAT: -100200300}
    server.chats = {"-100200300"}
    receipts = TelegramAlerter(a_bot(server), language, clock).deliver(many(12))
    assert all(receipt.delivered and "TG_CHAT_ID" in receipt.why for receipt in receipts)
    assert "-100200300" not in f"{receipts}", "a receipt holds no address"
    assert {message["chat_id"] for message in server.messages} == {"-100200300"}
    assert [given["chat_id"] for _, given in server.calls].count(CHAT) == 1
    told = [message for message in server.messages if "-100200300" in message["seen"]]
    assert told == server.messages[-1:]
    assert "TG_CHAT_ID" in told[0]["seen"]
    assert told[0]["disable_notification"] is False


def test_a_chat_that_did_not_move_is_told_nothing_of_it(server: TelegramServer, clock: SimulatedClock) -> None:
    an_alerter(server, clock).deliver([TRADE])
    assert len(server.messages) == 1


def test_the_probe_names_a_group_that_moved_and_not_where_to(server: TelegramServer, clock: SimulatedClock) -> None:
    server.moved = {CHAT: -100200300}
    verdict = an_alerter(server, clock).probe()["telegram chat"]
    assert "the group has a new id, for TG_CHAT_ID" in verdict
    assert "100200300" not in verdict


def test_a_chat_that_moves_in_circles_ends(server: TelegramServer, clock: SimulatedClock) -> None:
    server.moved = {CHAT: -2, "-2": -1001}
    [receipt] = an_alerter(server, clock).deliver([TRADE])
    assert not receipt.delivered
    assert len(server.calls) <= 3


def test_nobody_listening_is_no_error(clock: SimulatedClock) -> None:
    with serving() as gone:
        bot = a_bot(gone)
    [receipt] = TelegramAlerter(bot, Language.EN, clock).deliver([TRADE])
    assert (receipt.delivered, receipt.permanent) == (False, False)
    assert "ConnectionError" in receipt.why


@pytest.mark.parametrize("url", ["not a url", "ftp://127.0.0.1/", "http://[::1", "http://127.0.0.1:99999"])
def test_a_senseless_address_is_no_error(clock: SimulatedClock, url: str) -> None:
    [receipt] = TelegramAlerter(Bot(TOKEN, CHAT, url), Language.EN, clock).deliver([TRADE])
    assert not receipt.delivered
    assert TOKEN not in receipt.why


def test_an_answer_that_drips_for_ever_ends_with_the_total_time(server: TelegramServer) -> None:
    server.faults = [Fault("drip")]
    bot = replace(a_bot(server), timeouts=(1, 5), total_s=0.4)
    started = time.monotonic()
    receipts = TelegramAlerter(bot, Language.EN, SystemClock()).deliver(many(30))
    assert time.monotonic() - started < 2
    assert not any(receipt.delivered for receipt in receipts)
    assert "0.4 s" in receipts[0].why


def test_pages_beyond_the_total_time_wait_for_a_later_cycle(server: TelegramServer, clock: SimulatedClock) -> None:
    receipts = an_alerter(server, clock).deliver(many(300))
    assert clock.monotonic() <= 20
    assert receipts[0].delivered
    assert not receipts[-1].delivered
    assert not receipts[-1].permanent


def test_the_probe_checks_token_and_chat_without_sending(server: TelegramServer, clock: SimulatedClock) -> None:
    alerter = an_alerter(server, clock)
    assert alerter.probe() == {"telegram token": "ok", "telegram chat": "ok"}
    assert [method for method, _ in server.calls] == ["getMe", "getChat"]
    server.chats.clear()
    assert "chat not found" in alerter.probe()["telegram chat"]
    server.token = "another"
    assert "401" in alerter.probe()["telegram token"]
    assert server.messages == []


FAULTS = [Fault("pause", 99), Fault("gateway"), Fault("garbage"), Fault("redirect"), Fault("cut"), Fault("silent")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.kind))
def test_the_token_is_in_no_receipt_no_log_and_no_output(
    server: TelegramServer,
    clock: SimulatedClock,
    fault: Fault,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "urllib3.connectionpool")  # Binance's adapter quiets it for the whole process
    alerter = (an_impatient_one if fault.kind == "silent" else an_alerter)(server, clock)
    server.faults = [fault, fault, fault, fault]
    told = [repr(alerter.deliver([TRADE, BREAKER])), repr(alerter.probe()), repr(alerter), repr(a_bot(server))]
    told += [caplog.text, *(str(record.__dict__) for record in caplog.records), *capfd.readouterr()]
    assert "POST /bot***/" in caplog.text or fault.kind in {"cut", "silent"}
    assert not [text for text in told if TOKEN in text]


def test_the_log_redaction_is_needed_and_is_added_once(
    server: TelegramServer, clock: SimulatedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "urllib3.connectionpool")
    requests.post(f"{server.url}/botanother-secret/getMe", timeout=2)
    assert "another-secret" in caplog.text
    pool = logging.getLogger("urllib3.connectionpool")
    an_alerter(server, clock)
    before = len(pool.filters)
    an_alerter(server, clock)
    assert len(pool.filters) == before


def test_the_stand_in_refuses_what_telegram_refuses(server: TelegramServer) -> None:
    def send(**given: object) -> tuple[int, str]:
        answer = requests.post(f"{server.url}/bot{TOKEN}/sendMessage", json={"chat_id": CHAT, **given}, timeout=2)
        return answer.status_code, answer.json().get("description", "")

    assert send(text="a" * 4096)[0] == 200
    assert send(text="😀" * 2048)[0] == 200
    assert "too long" in send(text="a" * 4097)[1]
    assert "too long" in send(text="😀" * 2048 + "a")[1]
    assert "empty" in send(text="  ")[1]
    assert send(text="&lt;" * 4096, parse_mode="HTML")[0] == 200
    for html in ("a < b", "<b>", "</b>", "<b><i></b></i>", "a & b", "<x>y</x>", "&nbsp;"):
        assert "can't parse entities" in send(text=html, parse_mode="HTML")[1], html


def test_the_stand_in_queues_updates_confirms_by_offset_and_forgets_after_a_day() -> None:
    now = [0.0]
    with serving(TelegramServer(now_s=lambda: now[0])) as server:

        def updates(**given: int) -> list[int]:
            answer = requests.get(f"{server.url}/bot{TOKEN}/getUpdates", params=given, timeout=2).json()
            return [update["update_id"] for update in answer["result"]]

        first, second = server.write(1, 2, "halt"), server.write(1, 2, "status")
        assert updates() == updates() == [first, second]
        assert updates(offset=first + 1, limit=1) == [second]
        assert updates() == [second]
        now[0] = 24 * 3600
        assert updates() == []


STATUS = new_alert(AlertKind.STATUS, SLOT, {"equity": "10000", "shares": "BTC 35.0/40.0 %"})


def png_of(alert: Alert) -> bytes | None:
    canvas = Canvas(80, 40)
    canvas.box(0, 0, 40, 20, "line")
    return canvas.png() if alert.kind == AlertKind.STATUS else None


def an_illustrated_one(server: TelegramServer, clock: Clock) -> TelegramAlerter:
    return TelegramAlerter(a_bot(server), Language.EN, clock, png_of)


def test_a_status_comes_as_a_picture_with_its_words_after_what_is_urgent(
    server: TelegramServer, clock: SimulatedClock
) -> None:
    receipts = an_illustrated_one(server, clock).deliver([STATUS, BREAKER])
    assert [(r.alert_id, r.delivered) for r in receipts] == [(STATUS.id, True), (BREAKER.id, True)]
    assert [method for method, _ in server.calls] == ["sendMessage", "sendPhoto"]
    [photo] = server.photos
    assert photo["photo"] == png_of(STATUS)
    assert photo["chat_id"] == CHAT
    assert photo["disable_notification"] == "true"
    assert "Equity 10,000.00 USDT" in photo["seen"]
    assert "Equity" not in server.messages[0]["seen"]


@pytest.mark.parametrize("fault", ["refused", "gateway", "garbage", "cut"])
def test_a_picture_that_is_not_taken_leaves_the_words(
    server: TelegramServer, clock: SimulatedClock, fault: str
) -> None:
    server.refuse_photos = fault == "refused"
    server.faults = [] if fault == "refused" else [None, Fault(fault)]
    receipts = an_illustrated_one(server, clock).deliver([STATUS, BREAKER])
    assert all(receipt.delivered for receipt in receipts)
    assert server.photos == []
    assert "Equity 10,000.00 USDT" in server.messages[-1]["seen"]


def test_more_words_than_a_caption_takes_come_without_a_picture(server: TelegramServer, clock: SimulatedClock) -> None:
    long = replace(STATUS, facts={"equity": "1", "shares": "x" * 590, "holdings": "y" * 590})
    [receipt] = an_illustrated_one(server, clock).deliver([long])
    assert receipt.delivered
    assert [method for method, _ in server.calls] == ["sendMessage"]


def test_a_chat_that_refuses_everything_gets_no_picture_either(server: TelegramServer, clock: SimulatedClock) -> None:
    server.blocked.add(CHAT)
    receipts = an_illustrated_one(server, clock).deliver([STATUS, BREAKER])
    assert not any(receipt.delivered for receipt in receipts)
    assert server.photos == []
    assert [method for method, _ in server.calls] == ["sendMessage"]


def test_a_moved_chat_gets_its_picture_at_the_new_address(server: TelegramServer, clock: SimulatedClock) -> None:
    server.moved[CHAT] = -100777
    server.chats = {"-100777"}
    [receipt] = an_illustrated_one(server, clock).deliver([STATUS])
    assert receipt.delivered
    assert server.photos[0]["chat_id"] == "-100777"
