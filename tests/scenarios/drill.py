"""The drill: every rung of the pool's ladder and every control, on the simulated exchange, with the alerts that come.

    python -m tests.scenarios.drill [--language zh]

What an operator would otherwise meet for the first time on a bad day: how each degraded source and each control looks
on his phone, what still trades and what does not. Each step says beforehand what must hold; the drill ends with 1 and
names what did not. Nothing outside this process is touched, and it takes a few seconds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from runtime.domain.control import Mode
from runtime.domain.messages import plain_text
from runtime.domain.orders import Side, Sleeve
from runtime.domain.pool import Rung
from runtime.domain.report import Report
from runtime.domain.slots import MINUTE_MS
from runtime.domain.texts import Language
from tests.support.worlds import POOL_11, Pool, Scene, release, scene

Say = Callable[[str], object]
RUNBOOK = "docs/runbook"


@dataclass(frozen=True)
class Step:
    """One hour of the drill: what is done before it, and what must hold of its report and of the alerts it tells."""

    title: str
    page: str
    before: Callable[[Scene], object]
    holds: Callable[[Report], bool]
    tells: frozenset[str] = frozenset()


def entries(report: Report) -> int:
    """How many trend purchases the hour sent."""
    return sum(1 for order in report.orders if order.sleeve is Sleeve.TREND and order.side is Side.BUY)


def on(rung: Rung) -> Callable[[Report], bool]:
    """The pool came from `rung`; a degraded one bought no trend coin."""
    return lambda r: r.pool is not None and r.pool.rung is rung and (rung is Rung.FRESH_UPSTREAM or not entries(r))


def upstream(s: Scene, symbols: Sequence[str] | None) -> None:
    """Let the publisher's document be these symbols, or be silent."""
    assert isinstance(s.pool, Pool)
    s.pool.payload = release(symbols, "2026-03-10") if symbols else None


def fallback_file(s: Scene) -> None:
    """A validated file on this machine, below the upstream."""
    local = Pool(release(POOL_11[:5]), Rung.LOCAL_FILE, "STRATEGY_ARTIFACT_FILE")
    s.wrap = lambda world: replace(world, pools=(*world.pools, local))


def order(mode: Mode, minutes: int | None = None) -> Callable[[Scene], object]:
    """The operator sets the kill switch."""

    def do(s: Scene) -> None:
        now = s.clock.now_ms()
        until = None if minutes is None else now + minutes * MINUTE_MS
        s.control(mode=mode, who="drill", why="a drill", when_ms=now, expires_ms=until)

    return do


LADDER = (
    Step("fresh upstream: entries are allowed", "status", lambda _: None, lambda r: on(Rung.FRESH_UPSTREAM)(r)
         and entries(r) > 0, frozenset({"trade"})),
    Step("upstream silent, a release was accepted before: last known good, no new entries", "degraded_source",
         lambda s: upstream(s, None), on(Rung.LAST_KNOWN_GOOD), frozenset({"degraded_source"})),
    Step("upstream back: healthy again", "recovered", lambda s: upstream(s, POOL_11[:5]), on(Rung.FRESH_UPSTREAM),
         frozenset({"recovered"})),
)  # fmt: skip
FILE = (
    Step("upstream silent, nothing accepted yet: the file of this machine, no entries", "degraded_source",
         fallback_file, on(Rung.LOCAL_FILE), frozenset({"degraded_source"})),
)  # fmt: skip
BUILT_IN = (
    Step("no source at all: the built-in list, critical at once, no entries", "degraded_source", lambda _: None,
         on(Rung.STATIC), frozenset({"degraded_source"})),
)  # fmt: skip
CONTROLS = (
    Step("halt: nothing is sent", "control", order(Mode.HALT), lambda r: r.control == "halt" and not r.intents,
         frozenset({"control_changed"})),
    Step("reduce_only: nothing is bought for the trend", "control", order(Mode.REDUCE_ONLY),
         lambda r: r.control == "reduce_only" and not entries(r), frozenset({"control_changed"})),
    Step("run: entries again", "control", order(Mode.RUN), lambda r: r.control == "run" and entries(r) > 0,
         frozenset({"control_changed", "trade"})),
    Step("halt for 30 minutes, an hour ago: it is over by itself", "control", order(Mode.HALT, minutes=30),
         lambda r: r.control == "run"),
    Step("a control document that cannot be read: it halts, and is told", "control",
         lambda s: s.control(unreadable=True, why="not a mode: hlat"), lambda r: r.control == "halt" and not r.intents,
         frozenset({"misconfigured"})),
)  # fmt: skip
ACTS = (("the ladder", POOL_11[:5], LADDER), ("the file", None, FILE), ("the built-in list", None, BUILT_IN),
        ("the controls", POOL_11[:5], CONTROLS))  # fmt: skip


def walk(say: Say, language: Language, acts: Sequence[tuple[str, Sequence[str] | None, Sequence[Step]]]) -> list[str]:
    """Play the acts, each on an account of its own; the steps that did not hold."""
    return [fault for name, symbols, steps in acts for fault in _act(say, language, name, symbols, steps)]


def _act(
    say: Say, language: Language, name: str, symbols: Sequence[str] | None, steps: Sequence[Step]
) -> Iterator[str]:
    say(f"\n=== {name}")
    with scene(pool=Pool(release(symbols) if symbols else None)) as s:
        for step in steps:
            s.messenger.taken.clear()
            step.before(s)
            report = s.next()
            told = frozenset(s.messenger.kinds())
            held = step.holds(report) and step.tells <= told
            rung = report.pool.rung.value if report.pool else "none"
            say(f"\n--- {step.title}: {'as it must be' if held else 'NOT AS IT MUST BE'}")
            say(f"    source {rung}, control {report.control}, {len(report.orders)} orders, {RUNBOOK}/{step.page}.md")
            say("\n".join(f"    {line}" for line in plain_text(s.messenger.taken, language).splitlines()))
            if not held:
                yield f"{step.title}: source {rung}, control {report.control}, told {sorted(told)}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the drill; 1 where a step did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--language", choices=[language.value for language in Language], default=Language.EN.value)
    given = parser.parse_args(argv)
    faults = walk(lambda text: sys.stdout.write(f"{text}\n"), Language(given.language), ACTS)
    sys.stdout.write(f"\n{'; '.join(faults) or 'every step was as it must be'}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
