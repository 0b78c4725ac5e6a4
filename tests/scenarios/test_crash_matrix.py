"""The crash matrix: the real hour, killed before and after every call on every port, in all weather, and run again.

Whatever happened, once the world is calm: no order twice, no fill missing from the ledger, ledger and exchange equal to
the last unit, nothing left open, everything told. A case that fails is one line; replay it with
`python -m tests.scenarios.matrix --replay "LINE"`. The long run is `make soak`.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest

from runtime.adapters.memory import MemoryStore
from runtime.domain.orders import Kind, Status
from tests.scenarios.matrix.cases import Case, calls_of, every_kill, every_send, parsed, play, sampled
from tests.scenarios.matrix.places import places, sqlite_place
from tests.scenarios.matrix.ports import How, Kill
from tests.scenarios.matrix.rig import CLOCK, Rig
from tests.scenarios.matrix.situations import SITUATIONS, prepared
from tests.scenarios.matrix.stories import STORIES
from tests.support.emulator import firestore_emulator

__all__ = ["firestore_emulator"]  # a fixture is known by its import

SEED = 20_261_121
SLICES = 8
SENDS = "exchange.send_order", "exchange.send_earn"


def hold(cases: Iterable[Case], emulator: str = "") -> None:
    """Fail with one line for each fault of any case."""
    found = [f"{case} :: {fault}" for case in cases for fault in play(case, places(emulator))]
    if found:
        pytest.fail(f"{len(found)} fault(s)\n" + "\n".join(found), pytrace=False)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(SLICES))
def test_a_kill_at_any_call_and_a_second_run_in_the_same_hour(part: int) -> None:
    for situation in SITUATIONS:
        cases = list(every_kill(situation, len(calls_of(situation, sqlite_place))))
        hold(cases[part::SLICES])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(SLICES))
def test_any_trouble_of_a_send_and_kills_and_weather_drawn_by_lot(part: int) -> None:
    calls = {name: len(calls_of(name, sqlite_place)) for name in SITUATIONS}
    random = Random(SEED + part)
    sends = [case for name in SITUATIONS for case in every_send(name)]
    hold([*random.sample(sends, 12), *(sampled(random, calls) for _ in range(20))])


@pytest.mark.emulator
@pytest.mark.parametrize("situation", ["first", "exit", "quiet"])
def test_the_same_on_firestore(situation: str, request: pytest.FixtureRequest) -> None:
    emulator = request.getfixturevalue("firestore_emulator")
    count = len(calls_of(situation, sqlite_place))
    random = Random(SEED)
    kills = random.sample(list(every_kill(situation, count, store="firestore")), 5)
    hold([*kills, *(sampled(random, {situation: count}, ["firestore"]) for _ in range(3))], emulator)


@pytest.mark.parametrize("name", STORIES)
def test_the_story_of_a_guard_ends_well(name: str) -> None:
    hold([parsed(STORIES[name])])


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_situation_has_the_sends_it_is_named_for(situation: str) -> None:
    sent = [call for call in calls_of(situation, sqlite_place) if call in SENDS]
    moves, orders = sent.count("exchange.send_earn"), sent.count("exchange.send_order")
    expected = {"first": (4, 1), "exit": (3, 1), "redeem": (2, 1), "breaker": (2, 1), "trim": (1, 1), "quiet": (0, 0)}
    assert (orders, moves) == expected[situation]


def test_what_is_sent_long_after_its_permit_is_refused_by_the_exchange() -> None:
    start, store = prepared("exit"), MemoryStore(CLOCK)
    rig = Rig.at(start.now_ms, start.copied_books(), SITUATIONS["exit"].settings, lambda: store)
    start.plant(store)
    ran = rig.hour(Kill(1, How.ASLEEP, "store.check"), meanwhile=lambda: CLOCK.sleep(10))
    assert ran.report is not None
    first, *_ = (intent for intent in ran.report.intents if intent.kind is Kind.ORDER)
    assert (first.status, first.detail[:5]) == (Status.REFUSED, "-1021")
    assert rig.exchange.find_order(first.symbol, first.id) is None


def test_a_story_is_read_back_as_the_case_it_tells() -> None:
    random = Random(SEED)
    cases = [sampled(random, dict.fromkeys(SITUATIONS, 40), ["sqlite", "firestore"]) for _ in range(100)]
    cases += map(parsed, STORIES.values())
    assert [parsed(str(case)) for case in cases] == cases


def test_a_line_that_tells_no_case_is_refused() -> None:
    with pytest.raises(ValueError, match="is no story"):
        parsed("exit sqlite kill=soon")
