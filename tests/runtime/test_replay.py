"""Replay of tapes: any hour decides the same again, and what was changed is named where it first shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from runtime.adapters.simulated.conditions import Fault, Script
from runtime.domain.tape import Tape, read_chain
from runtime.errors import BadInput
from runtime.replay import first_difference, replay_tape
from runtime.wiring import retold
from strategies import REGISTRY
from tests.support.worlds import ACCOUNT, DOWN, KEY, LOOK_UP, ORDER, POSITIONS, PRICES, SECRET, Pool, scene

STRATEGY = REGISTRY["crypto_live_pool_rotation"]


@pytest.fixture(scope="module")
def tapes() -> Iterator[Sequence[tuple[str, Sequence[str]]]]:
    """The tapes of a day and a half of hours in changing weather."""
    with scene() as s:
        for number in range(36):
            if number == 4:
                s.faults({POSITIONS: DOWN})
            if number == 6:
                s.weather(faults=Script({ORDER: {1: Fault(drop=True)}, LOOK_UP: {0: DOWN}}))
            if number in {5, 9}:
                s.faults()
            if number == 12:
                s.pool = Pool(None)
            s.hour() if number == 0 else s.next()
        yield s.reports.tapes


def relinked(lines: Sequence[str], change: Callable[[dict[str, Any]], object]) -> list[str]:
    """The tape with its stages changed and its chain made right again."""
    stages = dict(read_chain(lines))
    change(stages)
    tape = Tape()
    for stage, payload in stages.items():
        tape.record(stage, payload)
    return tape.lines


def test_every_hour_replays_identically(tapes: Sequence[tuple[str, Sequence[str]]]) -> None:
    assert len(tapes) == 36
    for slot, lines in tapes:
        assert replay_tape(lines, STRATEGY, retold) == (slot, ())


def _price(stages: dict[str, Any]) -> None:
    stages["snapshot"]["prices"]["ETHUSDT"] = "9999"


def _answered(stages: dict[str, Any], call: str) -> dict[str, Any]:
    found: dict[str, Any] = next(a for a in stages["calls"]["answers"] if a["call"].startswith(call))
    return found


def _answered_price(stages: dict[str, Any]) -> None:
    for answer in stages["calls"]["answers"]:
        if answer["call"].startswith("market.prices"):
            answer["value"]["ETHUSDT"] = "9999"


def _quantity(stages: dict[str, Any]) -> None:
    _answered(stages, "store.commit")["written"]["intents"][0]["quantity"] = "7"


def _entry(stages: dict[str, Any]) -> None:
    writes = [a["written"] for a in stages["calls"]["answers"] if "written" in a]
    writes[1]["entries"][0]["postings"][0]["amount"] = "7"


def _after(stages: dict[str, Any]) -> None:
    stages["state_after"]["slot_done"] = "2020-01-01T00Z"


def _said(stages: dict[str, Any]) -> None:
    stages["report"]["equity"] = "7"


def _more(stages: dict[str, Any]) -> None:
    stages["calls"]["answers"].append({"call": 'exchange.find_order["X","Y"]', "value": None})


def _less(stages: dict[str, Any]) -> None:
    stages["calls"]["answers"].remove(_answered(stages, "market.prices"))


def _top_n(stages: dict[str, Any]) -> None:
    stages["settings"]["strategy"]["top_n"] = 1


def _payload(stages: dict[str, Any]) -> None:
    stages["pools"][0]["payload"]["symbols"].reverse()


def _wallet(stages: dict[str, Any]) -> None:
    stages["wallet_buys"]["free"]["USDT"] = "100"


def _decision(stages: dict[str, Any]) -> None:
    stages["decision"]["equity"] = "1"


def _gate(stages: dict[str, Any]) -> None:
    stages["decision"]["gates"] = []


@pytest.mark.parametrize(
    ("change", "stage", "path"),
    [
        (_answered_price, "snapshot", "prices.ETHUSDT"),
        (_price, "snapshot", "prices.ETHUSDT"),
        (_top_n, "decision", "entries"),
        (_payload, "pools", "[0].payload.symbols"),
        (_wallet, "wallet_buys", "free.USDT"),
        (_decision, "decision", "equity"),
        (_gate, "decision", "gates"),
        (_quantity, "journal", "write[0].intents[0].quantity"),
        (_entry, "journal", "write[1].entries[0].postings[0].amount"),
        (_after, "state_after", "slot_done"),
        (_said, "report", "equity"),
        (_more, "calls", "exchange.find_order"),
        (_less, "calls", "market.prices"),
    ],
)
def test_a_change_shows_as_the_first_difference_by_name(
    tapes: Sequence[tuple[str, Sequence[str]]], change: Callable[[dict[str, Any]], object], stage: str, path: str
) -> None:
    _, differences = replay_tape(relinked(tapes[0][1], change), STRATEGY, retold)
    named = [(found.stage, found.path) for found in differences]
    assert any(at == stage and where.startswith(path) for at, where in named), named


@pytest.mark.parametrize(
    ("change", "stage", "path"),
    [
        (_price, "decision", "entries"),
        (_top_n, "decision", "entries"),
        (_payload, "pool", "symbols[0]"),
        (_wallet, "plan_buys", "gates"),
        (_decision, "decision", "equity"),
        (_gate, "decision", "gates"),
    ],
)
def test_a_tape_of_the_first_format_is_decided_again_stage_by_stage(
    tapes: Sequence[tuple[str, Sequence[str]]], change: Callable[[dict[str, Any]], object], stage: str, path: str
) -> None:
    """Such a tape holds no answers; its decision and plans are made again from what it does hold."""

    def aged(stages: dict[str, Any]) -> None:
        stages["header"]["format"] = 1
        del stages["calls"], stages["entries"]

    old = relinked(tapes[0][1], aged)
    assert replay_tape(old, STRATEGY, retold) == (tapes[0][0], ())
    _, differences = replay_tape(relinked(old, change), STRATEGY, retold)
    named = [(found.stage, found.path) for found in differences]
    assert any(at == stage and where.startswith(path) for at, where in named), named


@pytest.mark.parametrize("stage", ["settings", "snapshot"])
def test_a_tape_without_an_input_is_refused_by_its_name(tapes: Sequence[tuple[str, Sequence[str]]], stage: str) -> None:
    lines = relinked(tapes[0][1], lambda stages: stages.pop(stage))
    with pytest.raises(BadInput, match=stage):
        replay_tape(lines, STRATEGY, retold)


@pytest.mark.parametrize("stage", ["state_before", "pools", "plan_sells", "entries", "report"])
def test_a_stage_that_the_tape_lacks_is_a_difference(tapes: Sequence[tuple[str, Sequence[str]]], stage: str) -> None:
    lines = relinked(tapes[0][1], lambda stages: stages.pop(stage))
    _, differences = replay_tape(lines, STRATEGY, retold)
    assert [found.stage for found in differences] == [stage]


def test_one_changed_byte_anywhere_is_detected(tapes: Sequence[tuple[str, Sequence[str]]]) -> None:
    lines = tapes[0][1]
    for number, line in enumerate(lines):
        for at in (0, len(line) // 2, len(line) - 1):
            changed = line[:at] + chr(ord(line[at]) ^ 1) + line[at + 1 :]
            with pytest.raises(BadInput, match="tape"):
                replay_tape([*lines[:number], changed, *lines[number + 1 :]], STRATEGY, retold)


@pytest.mark.parametrize(
    ("stage", "broken"),
    [("settings", {"strategy": {"top_n": "many"}, "ladder": {}}), ("settings", []), ("snapshot", {"slot": 1}),
     ("calls", {"answers": [{}]}), ("calls", []), ("calls", {"answers": [], "clock": 1}),
     ("settings", {"mode": "paper"}), ("snapshot", None)],
)  # fmt: skip
def test_a_stage_that_is_malformed_is_refused_and_never_crashes(
    tapes: Sequence[tuple[str, Sequence[str]]], stage: str, broken: object
) -> None:
    lines = relinked(tapes[0][1], lambda stages: stages.update({stage: broken}))
    with pytest.raises(BadInput):
        replay_tape(lines, STRATEGY, retold)


def test_an_hour_that_ended_early_replays_too() -> None:
    with scene() as s:
        s.hour()
        s.faults({PRICES: DOWN})
        assert s.next().exit_code == 3
        s.faults({ACCOUNT: DOWN})
        assert s.next().exit_code == 3
        for slot, lines in s.reports.tapes:
            assert replay_tape(lines, STRATEGY, retold) == (slot, ())


def test_an_hour_over_real_sockets_replays_identically() -> None:
    """python-binance, HTTP, threads that answer in any order: the replay asks for the same and does the same."""
    with scene(http=True) as s:
        s.hour()
        s.next()
        s.faults({POSITIONS: DOWN})
        s.next(24)
        assert len(s.reports.tapes) == 3
        for slot, lines in s.reports.tapes:
            assert replay_tape(lines, STRATEGY, retold) == (slot, ())


def test_neither_tapes_nor_reports_hold_a_secret() -> None:
    with scene(http=True) as s:
        planted = {
            "BINANCE_API_KEY": KEY,
            "BINANCE_API_SECRET": SECRET,
            "TG_TOKEN": "77:planted",
            "TG_CHAT_ID": "-40404",
        }
        s.environment.update(planted)
        s.hour()
        s.faults({POSITIONS: DOWN, ORDER: DOWN})
        s.next(24)
        text = json.dumps([s.reports.reports, s.reports.tapes, [alert.facts for alert in s.messenger.taken]])
        assert "ETHUSDT" in text
        for secret in planted.values():
            assert secret not in text


@pytest.mark.parametrize(
    ("taped", "made", "found"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {"a": 2}, ("a", "1", "2")),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ("a.b[1]", "2", "3")),
        ({"a": 1}, {}, ("a", "1", '"(absent)"')),
        ({}, {"a": 1}, ("a", '"(absent)"', "1")),
        ([1], [1, 2], ("(all)", "[1]", "[1,2]")),
    ],
)
def test_the_first_difference_is_named_by_its_path(taped: object, made: object, found: object) -> None:
    assert first_difference(taped, made) == found
