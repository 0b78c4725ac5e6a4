"""The simulated exchange in process and Binance's own client over HTTP: the same hours, byte for byte."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

import pytest
from urllib3.connectionpool import HTTPConnectionPool

from runtime.adapters.simulated.conditions import PAPER, Effect, Fault, Script
from runtime.domain.orders import Side
from runtime.ports import World
from tests.support.worlds import DOWN, KLINES, LOOK_UP, ORDER, POSITIONS, Scene, scene


def lived(s: Scene) -> list[Any]:
    """A day and more of hours, with events and faults; the digests of all reports and the trades."""
    found: list[Any] = []
    for number in range(30):
        if number == 2:
            s.exchange.events.deposit("USDT", Decimal("250.5"))
        if number == 5:
            s.exchange.events.manual_trade("DOGEUSDT", Side.BUY, Decimal(300))
            s.exchange.events.withdraw("USDT", Decimal("10.25"))
        if number == 7:
            s.faults({POSITIONS: DOWN})
        if number == 9:
            s.faults({KLINES: DOWN})
        if number in {8, 10}:
            s.faults()
        if number == 15:
            s.exchange.events.manual_trade("SOLUSDT", Side.SELL, Decimal(5))
            s.weather(faults=Script({ORDER: {1: Fault(effect=Effect.NOW, drop=True)}, LOOK_UP: {1: DOWN}}))
        found.append(s.hour() if number == 0 else s.next())
    return found


def uncounted(world: World) -> World:
    """Only a client over HTTP counts its requests, and tells when many of them fail."""
    return replace(world, usage=dict[str, int])


def test_hours_over_http_give_the_same_reports_byte_for_byte() -> None:
    conditions = replace(PAPER, costs=replace(PAPER.costs, fills_max=3))
    with scene(conditions) as inside, scene(conditions, http=True) as outside:
        outside.wrap = uncounted
        reports, over_http = lived(inside), lived(outside)
        documents = [document for _, document in inside.reports.reports]
        for mine, theirs in zip(documents, [document for _, document in outside.reports.reports], strict=True):
            assert _without_words(mine) == _without_words(theirs), mine["slot"]
        assert [r.exit_code for r in reports] == [r.exit_code for r in over_http]
        assert inside.orders() == outside.orders()
        assert inside.state.ledger == outside.state.ledger
        assert sum(report.orders != () for report in reports) >= 3


def test_quiet_weather_gives_the_same_digests_and_tapes() -> None:
    with scene() as inside, scene(http=True) as outside:
        outside.wrap = uncounted
        for s in (inside, outside):
            s.hour()
            for _ in range(26):
                s.next()
        digests = [document["sha256"] for _, document in inside.reports.reports]
        assert digests == [document["sha256"] for _, document in outside.reports.reports]
        for (slot, mine), (_, theirs) in zip(inside.reports.tapes, outside.reports.tapes, strict=True):
            assert [_by_value(line) for line in mine] == [_by_value(line) for line in theirs], slot
        assert all(a != b for a, b in pairwise(digests))


def _by_value(line: str) -> Any:
    """A taped stage. Answers stand on a tape as they were spelled, and Binance spells every price with eight places; so
    numbers count by value there, and the chain's digests, which bind the spelling, stay out.
    """
    stage = json.loads(line)
    return stage["stage"], _number(stage["payload"]) if stage["stage"] == "calls" else stage["payload"]


def _number(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _number(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_number(item) for item in value]
    try:
        return Decimal(value) if isinstance(value, str) else value
    except InvalidOperation:
        return value


def _without_words(document: Any) -> Any:
    """What people read of a fault names the network or does not; everything else must agree."""
    kept = {key: value for key, value in document.items() if key not in {"problems", "sha256", "error", "run"}}
    return {**kept, "problems": sorted(document["problems"])}


def test_an_hour_uses_one_http_session_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: Counter[str] = Counter()
    connect = HTTPConnectionPool._new_conn

    def counted(pool: HTTPConnectionPool) -> Any:
        opened[threading.current_thread().name] += 1
        return connect(pool)

    monkeypatch.setattr(HTTPConnectionPool, "_new_conn", counted)
    with scene(http=True) as s:
        for _ in range(2):
            opened.clear()
            s.next()
            assert s.used.total() > len(opened)
            assert set(opened.values()) == {1}
            assert len(opened) <= 9
