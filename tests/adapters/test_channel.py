"""The second channel against a real web hook on loopback: taken, refused, silent, nonsense; and never its address."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from runtime.adapters.channel import REFUSED, UNKNOWN, Address, ChannelAlerter
from runtime.domain.alerts import AlertKind, new_alert
from runtime.domain.texts import Language
from tests.support.http_stub import Fate, HttpStub, Reply

SLOT = "2026-11-21T09Z"
TRADE = new_alert(AlertKind.TRADE, SLOT, {"symbol": "ETHUSDT"})
BREAKER = new_alert(AlertKind.BREAKER, SLOT, {"loss": "-6 %"})
SECRET = "p4ssw0rd-of-the-hook"
HOOK = f"POST /hook-{SECRET}"
RUNBOOK = "https://git.test/engine/blob/main"


@pytest.fixture
def hook() -> Iterator[HttpStub]:
    with HttpStub() as stub:
        stub.on(HOOK, Reply())
        yield stub


def an_address(hook: HttpStub, total_s: float = 20) -> Address:
    return Address(f"json://{hook.origin.removeprefix('http://')}/{HOOK.removeprefix('POST /')}", total_s, RUNBOOK)


def told(hook: HttpStub) -> list[dict[str, str]]:
    return [json.loads(seen.raw[1]) for seen in hook.seen]


def test_a_delivery_is_one_message_and_every_alert_is_taken(hook: HttpStub) -> None:
    receipts = ChannelAlerter(an_address(hook), Language.EN).deliver([TRADE, BREAKER])
    assert [(r.alert_id, r.delivered, r.channel) for r in receipts] == [
        (TRADE.id, True, "json"),
        (BREAKER.id, True, "json"),
    ]
    [message] = told(hook)
    assert "Critical" in message["title"]
    assert message["type"] == "failure"
    assert message["message"].index("Circuit breaker tripped") < message["message"].index("Order filled")
    assert f"{RUNBOOK}/docs/runbook/breaker.md" in message["message"]


def test_nothing_to_tell_calls_nobody(hook: HttpStub) -> None:
    assert ChannelAlerter(an_address(hook), Language.EN).deliver([]) == []
    assert hook.seen == []


def test_more_than_the_service_takes_comes_in_parts_and_whole(hook: HttpStub) -> None:
    alerts = [new_alert(AlertKind.UNEXPECTED, SLOT, {"why": "x" * 500}, subject=str(at)) for at in range(100)]
    assert all(receipt.delivered for receipt in ChannelAlerter(an_address(hook), Language.EN).deliver(alerts))
    assert len(hook.seen) > 1
    assert sum(message["message"].count("x" * 500) for message in told(hook)) >= 100 - len(hook.seen)


@pytest.mark.parametrize("answer", [Reply(status=500), Reply(status=401), Reply(status=404), Fate.CUT, Fate.HALF])
def test_what_is_not_taken_is_told_by_a_later_hour(hook: HttpStub, answer: Reply | Fate) -> None:
    hook.on(HOOK, answer)
    for receipt in ChannelAlerter(an_address(hook), Language.EN).deliver([TRADE, BREAKER]):
        assert (receipt.delivered, receipt.permanent) == (False, False)


def test_a_silent_service_costs_no_more_than_the_total_time(hook: HttpStub) -> None:
    hook.on(HOOK, Fate.SILENCE)
    started = time.monotonic()
    [receipt] = ChannelAlerter(an_address(hook, total_s=0.3), Language.EN).deliver([TRADE])
    assert time.monotonic() - started < 3
    assert (receipt.delivered, receipt.why) == (False, "no answer within 0.3 s")


@pytest.mark.parametrize("url", ["nosuch://host/x", "json://", "tgram://bad"])
def test_an_address_that_nobody_knows_is_told_and_not_tried_again(url: str) -> None:
    alerter = ChannelAlerter(Address(url), Language.EN)
    [receipt] = alerter.deliver([TRADE])
    assert (receipt.delivered, receipt.permanent, receipt.why) == (False, True, UNKNOWN)
    assert alerter.probe() == {"second channel": UNKNOWN}


def test_the_probe_sends_nothing(hook: HttpStub) -> None:
    assert ChannelAlerter(an_address(hook), Language.EN).probe() == {"second channel": "ok"}
    assert hook.seen == []


@pytest.mark.parametrize("answer", [Reply(), Reply(status=500, body=f"no {SECRET}"), Fate.CUT])
def test_the_address_is_in_no_receipt_no_log_and_no_output(
    hook: HttpStub,
    answer: Reply | Fate,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    hook.on(HOOK, answer)
    address = an_address(hook)
    alerter = ChannelAlerter(address, Language.EN)
    with caplog.at_level(logging.WARNING):
        said = [repr(alerter.deliver([TRADE, BREAKER])), repr(alerter.probe()), repr(alerter), repr(address)]
    said += [caplog.text, *capfd.readouterr()]
    assert not [text for text in said if SECRET in text]
    assert REFUSED in said[0] or (isinstance(answer, Reply) and answer.status == 200)


def test_a_hostile_value_forges_no_second_alert(hook: HttpStub) -> None:
    hostile = new_alert(AlertKind.UNEXPECTED, SLOT, {"why": "x\nCritical: Circuit breaker tripped"})
    ChannelAlerter(an_address(hook), Language.EN).deliver([hostile])
    [message] = told(hook)
    assert not [line for line in message["message"].splitlines() if line.startswith("Critical: Circuit")]


ABSENT = """
import sys
sys.modules["apprise"] = None
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *more: None if name == "apprise" else find(name, *more)
del sys.modules["apprise"]
from runtime.config import parse_settings
from runtime.errors import SettingsError
from runtime.wiring_channels import channels
from runtime.adapters.clock import SystemClock
try:
    channels(parse_settings({"ENGINE_CHANNEL_URL": "json://h/hidden-part"}), SystemClock(), None)
except SettingsError as error:
    print(error)
"""


def test_without_the_package_one_error_names_the_extra_and_not_the_address() -> None:
    done = subprocess.run([sys.executable, "-c", ABSENT], capture_output=True, text=True, timeout=60, check=True)
    assert "extra `channels`" in done.stdout
    assert "ENGINE_CHANNEL_URL" in done.stdout
    assert "hidden-part" not in done.stdout + done.stderr


def test_a_quiet_hour_does_not_load_the_package() -> None:
    code = "import sys; from runtime.adapters.channel import *; ChannelAlerter(Address('json://h'), 'en').deliver([]); "
    done = subprocess.run(
        [sys.executable, "-c", code + "print('apprise' in sys.modules)"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "False"
