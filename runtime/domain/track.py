"""The track: what a run over history leaves behind, as columns by hour, and every trade.

It is made for charts, tables and comparisons: amounts that the engine reckoned in exact decimals are floats here, and
nothing is ever booked from them. Trades keep their exact amounts. One `Track` is one value: the same history, settings
and plan give the same `digest` on every machine, whether the run was interrupted or not.

    columns   one value an hour, in the order of `first_ms` + n hours; an hour that ended early repeats the one before
              equity, cash (spot, Earn and in transit), core (bitcoin), trend, fuel: USDT at the hour's end
              flow: USDT that came in from outside in that hour; price: the bitcoin price of the hour
              exit: the hour's exit code; rung: index into `rungs`; gates: index into `gate_sets`; breaker: bits,
              see `LATCHED`
    days      USDT by asset at the end of each UTC day, in the order of the days; 0 where there was none
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from runtime.domain.slots import HOUR_MS
from runtime.errors import BadInput

FORMAT = 1
FLOATS = ("equity", "cash", "core", "trend", "fuel", "flow", "price")
COUNTS = ("exit", "rung", "gates", "breaker")
LATCHED, REDUCE_ONLY = 1, 2
"""Bits of `breaker`: the sleeve's breaker is latched; a loss limit of the account is."""
_TYPES = {**dict.fromkeys(FLOATS, "d"), **dict.fromkeys(COUNTS, "H")}


@dataclass(frozen=True, slots=True)
class Trade:
    """One filled order. Amounts are exact decimals as text: `quantity` base units, `price` the average fill in USDT,
    `quote` USDT; `entry` is the average price that the position had cost (for a purchase: costs afterwards).
    """

    time_ms: int
    symbol: str
    sleeve: str
    side: str
    quantity: str
    price: str
    quote: str
    fees: Mapping[str, str]
    reason: str
    entry: str


@dataclass(frozen=True, slots=True)
class Columns:
    """The values by hour, and by day and asset; see the module's docstring. Arrays, so that years stay small."""

    hours: Mapping[str, array[Any]] = field(default_factory=lambda: {n: array(t) for n, t in _TYPES.items()})
    days: Mapping[str, array[Any]] = field(default_factory=dict)
    rungs: Sequence[str] = ()
    gate_sets: Sequence[tuple[str, ...]] = ()

    def __len__(self) -> int:
        """How many hours there are."""
        return len(self.hours["equity"])


@dataclass(frozen=True, slots=True)
class Track:
    """A whole run. `plan` and `settings` are what was asked for, as JSON values; `state_sha256` is the digest of the
    state that the last hour left, `ledger` its totals (book -> asset -> amount as text).
    """

    first_ms: int
    plan: Mapping[str, Any]
    settings: Mapping[str, Any]
    history_sha256: str
    columns: Columns
    trades: tuple[Trade, ...]
    state_sha256: str
    ledger: Mapping[str, Mapping[str, str]]

    def __len__(self) -> int:
        """How many hours were run."""
        return len(self.columns)

    def times_ms(self) -> Iterator[int]:
        """When each hour began (epoch ms)."""
        return iter(range(self.first_ms, self.first_ms + len(self) * HOUR_MS, HOUR_MS))

    def column(self, name: str) -> Sequence[float]:
        """One column by its name."""
        found: Sequence[float] = self.columns.hours[name]
        return found

    def gates_at(self, hour: int) -> tuple[str, ...]:
        """The names of the gates, as `sleeve:name`, that the `hour`-th hour met."""
        return self.columns.gate_sets[int(self.columns.hours["gates"][hour])]

    def digest(self) -> str:
        """SHA-256 (hex) over all of it."""
        return sha256(canonical(self).encode()).hexdigest()


def canonical(track: Track) -> str:
    """The track as one line of JSON: the same track is the same text on every machine."""
    return json.dumps(to_document(track), sort_keys=True, separators=(",", ":"), allow_nan=False)


def to_document(track: Track) -> dict[str, Any]:
    """JSON values only."""
    return {
        "format": FORMAT,
        "first_ms": track.first_ms,
        "plan": dict(track.plan),
        "settings": dict(track.settings),
        "history_sha256": track.history_sha256,
        "columns": columns_document(track.columns),
        "trades": [trade_document(trade) for trade in track.trades],
        "state_sha256": track.state_sha256,
        "ledger": {book: dict(assets) for book, assets in track.ledger.items()},
    }


def columns_document(columns: Columns) -> dict[str, Any]:
    """JSON values of the columns."""
    return {
        "hours": {name: column.tolist() for name, column in columns.hours.items()},
        "days": {asset: column.tolist() for asset, column in columns.days.items()},
        "rungs": list(columns.rungs),
        "gate_sets": [list(names) for names in columns.gate_sets],
    }


def trade_document(trade: Trade) -> dict[str, Any]:
    """JSON values of a trade."""
    return {name: getattr(trade, name) for name in Trade.__slots__} | {"fees": dict(trade.fees)}


def read_columns(document: Mapping[str, Any]) -> Columns:
    """The columns in a document."""
    return Columns(
        {name: array(kind, document["hours"][name]) for name, kind in _TYPES.items()},
        {asset: array("d", values) for asset, values in document["days"].items()},
        list(document["rungs"]),
        [tuple(names) for names in document["gate_sets"]],
    )


def read_track(text: str) -> Track:
    """The track in `text`, as `canonical` wrote it; `BadInput` where it is not one."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise BadInput("track format", document["format"], f"must be {FORMAT}: run it again with this code")
        return Track(
            document["first_ms"],
            document["plan"],
            document["settings"],
            document["history_sha256"],
            read_columns(document["columns"]),
            tuple(Trade(**trade) for trade in document["trades"]),
            document["state_sha256"],
            document["ledger"],
        )
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise BadInput("track", str(error), "must be a track.json as this code writes it") from None
