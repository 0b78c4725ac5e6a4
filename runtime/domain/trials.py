"""Trials of a sweep: what one is known by, what it found, and which was best.

A trial is a run over history with certain settings. Its `key` is a digest of all that its outcome depends on: settings,
plan, candles and pools, and code. So a row that was stored once answers for the same question forever, and never for
another one. Figures are those of `domain.track_figures`: floats about money, from which nothing is ever booked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from runtime.domain.history_plan import HistoryPlan
from runtime.domain.returns import returns_of
from runtime.domain.slots import slot_at
from runtime.domain.track import Track
from runtime.domain.track_figures import figures_of
from runtime.errors import BadInput

MEASURES = ("total", "yearly", "money_weighted", "max_drawdown", "sharpe", "sortino", "calmar", "end")
COUNTED = ("trades", "hit_rate", "turnover", "exposure", "closed_hours")
FIGURES = (*MEASURES, *COUNTED)
"""What a sweep may search by; `hold_total`, bitcoin's own return, is stored beside them."""
STORED = (*FIGURES, "hold_total")
WHOLE, TRAIN, TEST = "whole", "train", "test"
"""Which part of a sweep asked for a trial first."""


@dataclass(frozen=True, slots=True)
class Task:
    """A trial to be run: its key, its settings as an environment would hold them, and its plan."""

    key: str
    settings: Mapping[str, str]
    plan: HistoryPlan


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found: figures by name (None: has no value), the returns of its UTC days, digests of its last state
    and of its track. `failed` says why there is nothing else; `duration_s` is the time it took.
    """

    key: str
    figures: Mapping[str, float | None]
    returns: tuple[float, ...] = ()
    state_sha256: str = ""
    track_sha256: str = ""
    duration_s: float = 0.0
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for a trial first: which part of the sweep, which fold of a walk-forward (0 else), and its number."""

    part: str
    fold: int
    number: int

    @property
    def order(self) -> tuple[int, bool, int]:
        """Who is first of two that ask for the same trial: fold by fold, a search before the test of what it found."""
        return self.fold, self.part == TEST, self.number


@dataclass(frozen=True, slots=True)
class Row:
    """A trial as it is kept. `refused` says why the settings cannot be used together; such a trial was never run."""

    asked: Asked
    parameters: Mapping[str, str]
    start_ms: int
    end_ms: int
    history_sha256: str
    code: str
    outcome: Outcome
    refused: str = ""

    @property
    def key(self) -> str:
        """What the row is known by."""
        return self.outcome.key

    def value(self, figure: str) -> float | None:
        """A figure by its name; None where it has no value."""
        return self.outcome.figures.get(figure)

    def window(self) -> str:
        """The hours that were run, for people."""
        return f"{slot_at(self.start_ms)} to {slot_at(self.end_ms)}"

    def document(self) -> dict[str, Any]:
        """JSON values of all that is the same in every run of the same sweep: all but the time it took."""
        asked, outcome = self.asked, self.outcome
        return {
            "key": self.key,
            "asked": [asked.part, asked.fold, asked.number],
            "parameters": dict(sorted(self.parameters.items())),
            "span": [self.start_ms, self.end_ms],
            "history_sha256": self.history_sha256,
            "code": self.code,
            "figures": dict(sorted(outcome.figures.items())),
            "returns": list(outcome.returns),
            "state_sha256": outcome.state_sha256,
            "track_sha256": outcome.track_sha256,
            "refused": self.refused,
        }


def key_of(*facts: object) -> str:
    """The SHA-256 (hex) of JSON values that a trial depends on."""
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def outcome_of(key: str, track: Track, duration_s: float) -> Outcome:
    """What a track of at least one hour says."""
    figures = figures_of(track)
    run, hold = figures.curves[0], figures.curves[1]
    found = {name: getattr(run.measures, name) for name in MEASURES} | {n: getattr(figures, n) for n in COUNTED}
    named = {name: None if value is None else float(value) for name, value in found.items()}
    returns = tuple(returns_of([1.0, *run.index]))
    named["hold_total"] = hold.measures.total
    return Outcome(key, named, returns, track.state_sha256, track.digest(), duration_s)


def best_of(rows: Sequence[Row], objective: str, *, minimize: bool) -> Row:
    """The row with the best value, the earliest of equals; `BadInput` where none has a value."""
    judged = [(value, row) for row in rows if (value := row.value(objective)) is not None]
    if not judged:
        span = rows[0].window() if rows else "nothing"
        raise BadInput("search.objective", objective, f"has no value in any trial of {span}: take a longer range")
    sign = -1 if minimize else 1
    return max(judged, key=lambda found: (sign * found[0], -found[1].asked.number))[1]


def digest_of(rows: Sequence[Row]) -> str:
    """SHA-256 (hex) over rows in the order of their keys; the same for the same sweep, broken off or not."""
    documents = [row.document() for row in sorted(rows, key=lambda row: row.key)]
    return sha256(json.dumps(documents, sort_keys=True, allow_nan=False).encode()).hexdigest()
