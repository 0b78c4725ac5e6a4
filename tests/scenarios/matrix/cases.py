"""A case: a situation, a store, weather, where the process dies, and when the next one comes. One line of text each.

    exit sqlite kill=17+ second=- rerun=lease storm=1 weather=order:answer_lost@1,lag

`kill` and `second` number the calls of the first run and of the next one, all of them or those of one name (`17`,
`store.commit@2`): it dies before the call (`-`) or after it took effect (`+`), or it sleeps there past its lease, while
another run does the hour, and then goes on (`~`). `rerun` is `now` (at once), `lease` (after the dead run's lease), or
`next` (the next hour). The weather lasts for `storm` runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random

from runtime.adapters.simulated.conditions import PAPER
from runtime.domain.slots import slot_at
from runtime.ports import Store
from tests.scenarios.matrix import weather as sky
from tests.scenarios.matrix.checks import faults, kept_in
from tests.scenarios.matrix.harmless import differences
from tests.scenarios.matrix.ports import How, Kill
from tests.scenarios.matrix.rig import LEASE_MS, Rig
from tests.scenarios.matrix.situations import SITUATIONS, prepared

CALM_HOURS_MAX = 3
RERUNS = ("now", "lease", "next")
_STORY = re.compile(r"(\w+) (\w+) kill=(\S+) second=(\S+) rerun=(\w+) storm=(\d) weather=(\S+)")
_SENDS_OF = {
    "first": ("order@1", "order@2", "order@4", "subscribe@1"),
    "exit": ("order@1", "order@2", "order@3", "redeem@1"),
    "redeem": ("redeem@1", "order@1", "order@2"),
    "breaker": ("order@1", "order@2", "subscribe@1"),
    "trim": ("order@1", "subscribe@1"),
    "quiet": ("order@1",),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One story; its text is its name."""

    situation: str
    store: str = "sqlite"
    kill: Kill | None = None
    second: Kill | None = None
    rerun: str = "lease"
    storm: int = 1
    weather: tuple[str, ...] = ()

    def __str__(self) -> str:
        names = ",".join(self.weather) or "-"
        kills = f"kill={self.kill or '-'} second={self.second or '-'}"
        return f"{self.situation} {self.store} {kills} rerun={self.rerun} storm={self.storm} weather={names}"


def parsed(story: str) -> Case:
    """The case of a story; `ValueError` for a text that is none."""
    match = _STORY.fullmatch(story.strip())
    if match is None:
        raise ValueError(f"{story!r} is no story: {Case('first')} would be one")
    situation, store, kill, second, rerun, storm, names = match.groups()
    listed = () if names == "-" else tuple(names.split(","))
    return Case(situation, store, _kill(kill), _kill(second), rerun, int(storm), listed)


def _kill(text: str) -> Kill | None:
    if text == "-":
        return None
    call, _, number = text[:-1].rpartition("@")
    return Kill(int(number), How(text[-1]), call)


@dataclass(frozen=True, slots=True)
class Place:
    """A fresh account in one kind of store. `expire` ends a lease where the store has a clock of its own."""

    open_store: Callable[[], Store]
    expire: Callable[[], None] = lambda: None


PlaceOf = Callable[[str], AbstractContextManager[Place]]
"""A place for a case: by the kind of its store."""


def play(case: Case, place_of: PlaceOf) -> list[str]:
    """Live through a case; everything that does not hold afterwards, and nothing if all is well."""
    start = prepared(case.situation)
    with place_of(case.store) as place:
        store = place.open_store()
        rig = Rig.at(start.now_ms, start.copied_books(), SITUATIONS[case.situation].settings, place.open_store)
        start.plant(store)
        rig.first_slot = slot_at(start.now_ms)
        _live(case, rig, place.expire)
        kept = kept_in(store, SITUATIONS[case.situation].opened_ms, rig.clock.now_ms())
        found = faults(rig, kept)
        asleep = case.kill is not None and case.kill.how is How.ASLEEP
        if not case.weather and case.second is None and not asleep:
            found += differences(case.situation, rig, case.rerun)
        store.close()
        return found


def _live(case: Case, rig: Rig, expire: Callable[[], None]) -> None:
    """The killed run, the next one, and calm hours until nothing is open."""
    stormy = sky.weather(case.weather)
    rig.weather(stormy.conditions)
    rig.messenger.down = stormy.phone_down
    rig.hour(case.kill, stormy.troubles, lambda: _another_run(rig, expire))
    if case.storm == 1:
        _clear(rig)
    _move_on(case.rerun, rig, expire)
    rig.hour(case.second, stormy.troubles if case.storm > 1 else None, lambda: _another_run(rig, expire))
    _clear(rig)
    if case.second is not None:
        _move_on("lease", rig, expire)
        rig.hour()
    for _ in range(CALM_HOURS_MAX):
        _move_on("next", rig, expire)
        report = rig.hour().report
        if (
            report is not None
            and not report.exit_code
            and not any(i.open for i in (*report.intents, *report.recovered))
        ):
            break


def _another_run(rig: Rig, expire: Callable[[], None]) -> None:
    """What happens while a process sleeps: its lease ends, and another one does the hour."""
    _move_on("lease", rig, expire)
    rig.hour()


def _clear(rig: Rig) -> None:
    rig.weather(PAPER)
    rig.messenger.down = False


def _move_on(how: str, rig: Rig, expire: Callable[[], None]) -> None:
    """To the next run: at once, past the dead run's lease, or to the next hour."""
    if how == "now":
        return
    if how == "lease":
        rig.clock.sleep(LEASE_MS / 1000)
    else:
        rig.next_slot()
    expire()


def calls_of(situation: str, place_of: PlaceOf) -> tuple[str, ...]:
    """The calls of the undisturbed hour, in order."""
    start = prepared(situation)
    with place_of("sqlite") as place:
        store = place.open_store()
        rig = Rig.at(start.now_ms, start.copied_books(), SITUATIONS[situation].settings, place.open_store)
        start.plant(store)
        store.close()
        return tuple(rig.hour().wire.calls)


def every_kill(situation: str, calls: int, rerun: str = "lease", store: str = "sqlite") -> Iterator[Case]:
    """The process dies before or after each of its calls, or falls asleep there and wakes up after another run."""
    for number in range(1, calls + 1):
        for how in How:
            yield Case(situation, store, Kill(number, how), rerun=rerun)


def every_send(situation: str) -> Iterator[Case]:
    """Each send meets everything that a send can meet, and the process lives."""
    for send in _SENDS_OF[situation]:
        where, _, number = send.partition("@")
        for what in (*sky.ANSWERS, *sky.EFFECTS):
            yield Case(situation, weather=(f"{where}:{what}@{number}",))


def sampled(random: Random, calls: dict[str, int], stores: Sequence[str] = ("sqlite",)) -> Case:
    """A case drawn at random: any situation, kills or none, one to three kinds of trouble."""
    situation = random.choice(list(calls))
    kill, second = (_drawn_kill(random, calls[situation]) for _ in range(2))
    return Case(
        situation,
        random.choice(stores),
        kill if random.random() < 0.7 else None,
        second if random.random() < 0.3 else None,
        random.choice(RERUNS),
        random.choice((1, 1, 2)),
        tuple(dict.fromkeys(_drawn_trouble(random, situation) for _ in range(random.randint(0, 3)))),
    )


def _drawn_kill(random: Random, calls: int) -> Kill:
    return Kill(random.randint(1, calls + 4), random.choice((How.BEFORE, How.AFTER, How.AFTER, How.ASLEEP)))


def _drawn_trouble(random: Random, situation: str) -> str:
    kind = random.random()
    if kind < 0.45:
        where, _, number = random.choice(_SENDS_OF[situation]).partition("@")
        what = random.choice((*sky.ANSWERS, *sky.EFFECTS, *sky.EFFECTS))
        return f"{where}:{what}@{random.choice((number, '0'))}"
    if kind < 0.65:
        return f"{random.choice(list(sky.READS))}:{random.choice(list(sky.ANSWERS))}@{random.randint(0, 3)}"
    if kind < 0.8:
        where = random.choice(list(sky.TROUBLES))
        return f"{where}:{random.choice(list(sky.TROUBLES[where]))}@{random.randint(0, 5)}"
    return random.choice((*sky.WHOLE, *sky.WHOLE, sky.PHONE_DOWN))
