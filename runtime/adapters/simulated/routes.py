"""What a path of the server is: who may ask, what it takes, what it weighs, and what answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runtime.adapters.simulated.venue import Venue
from runtime.adapters.simulated.wire import Params


@dataclass(frozen=True, slots=True)
class Ask:
    """One request that passed key, timestamp, signature and names."""

    venue: Venue
    params: Params


@dataclass(frozen=True, slots=True)
class Route:
    """`handle` gives the answer's JSON. `takes` are the parameters beside those of signing. `weigh` gives the weight
    where it depends on them. `later` does what the request asks for at a later moment (epoch ms).
    """

    handle: Callable[[Ask], object]
    takes: frozenset[str] = frozenset()
    signed: bool = True
    weigh: Callable[[Params], int] | None = None
    later: Callable[[Ask, int], None] | None = None


Routes = Mapping[str, Route]
"""Routes by endpoint, such as `GET /api/v3/account`."""


def names(text: str) -> frozenset[str]:
    """Parameter names written in one line."""
    return frozenset(text.split())
