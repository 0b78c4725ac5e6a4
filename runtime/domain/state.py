"""State: everything a stateless job must remember, as one typed document.

What can be derived is not stored; what was done today is stored by the fills that did it. Fields that this version
does not know are kept and written back (`unknown`), so that a newer version's or an operator's field survives; a newer
`schema_version` is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from runtime.domain.alerts import Alert, Incident
from runtime.domain.api_key import KeyRecord
from runtime.domain.costs import MonthCosts
from runtime.domain.decision import Memory
from runtime.domain.ledger import Balances
from runtime.domain.money import ONE, ZERO, Dec
from runtime.domain.orders import Intent
from runtime.domain.pool import AcceptedPool, PoolStatus
from runtime.domain.values import Value
from runtime.errors import Abort, SettingsError, StateUnreadable

SCHEMA_VERSION = 1
STATE_BYTES_MAX = 800_000


@dataclass(frozen=True, slots=True)
class Position:
    """The cost of a managed holding: `cost` is USDT paid for what is still held, fees included; `opened_ms` the time of
    the first fill.
    """

    cost: Dec
    quantity: Dec
    opened_ms: int

    @property
    def average(self) -> Dec:
        """Average USDT per unit; 0 for nothing."""
        return self.cost / self.quantity if self.quantity else ZERO


@dataclass(frozen=True, slots=True)
class DayBook(metaclass=Value):
    """What happened on one UTC day. Values are USDT.

    `start_quantities` are managed units at 00:00; `start_closes` the daily closes that value them; `done` holds marks
    such as `buy:ETHUSDT`, set only by fills; `sold`/`bought` sum the trend sleeve's trades of the day net of fees and
    `net_peak` is the largest running total of (bought − sold), at least 0. `index` is the return index at 00:00.
    """

    day: date
    start_quantities: Mapping[str, Dec] = field(default_factory=dict)
    start_closes: Mapping[str, Dec] = field(default_factory=dict)
    done: tuple[str, ...] = ()
    sold: Dec = ZERO
    bought: Dec = ZERO
    net_peak: Dec = ZERO
    buys_all: Dec = ZERO
    index: Dec = ONE


@dataclass(frozen=True, slots=True)
class Performance(metaclass=Value):
    """Time-weighted return: `index` now (1 at the start), its `peak`, and the equity (USDT) it was last linked at."""

    index: Dec = ONE
    peak: Dec = ONE
    equity: Dec | None = None


@dataclass(frozen=True, slots=True)
class Dependency:
    """Health of an outside system across runs: failures in a row, and no call before `retry_at_ms` (exchange clock)."""

    failures: int = 0
    retry_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class State(metaclass=Value):
    """One account's memory between hours.

    `drift` is what no evidence explains yet, by asset; `flows_seen` holds the evidence already booked (id -> epoch ms);
    `prices` are the last cycle's; `intents` are those of the newest slot and every open one; `control_ms` is when the
    control that was last told was set; `key` is the last verdict on the API key; `costs` are those of the
    last months, by month (`2026-11`); `account_digest` recognises the account at the exchange, empty until one is seen.
    `moved_to` names the store that holds the account now, `restoring` the copy that
    is being written here: where one of them is set, no hour may use this document (`refuse_unusable`).
    """

    account: str
    schema_version: int = SCHEMA_VERSION
    initialised_ms: int = 0
    slot_done: str = ""
    missed: tuple[str, ...] = ()
    pool: AcceptedPool | None = None
    pool_status: PoolStatus | None = None
    ledger: Balances = field(default_factory=Balances)
    positions: Mapping[str, Position] = field(default_factory=dict)
    earn_rewards: Mapping[str, Dec] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    day: DayBook | None = None
    performance: Performance = field(default_factory=Performance)
    prices: Mapping[str, Dec] = field(default_factory=dict)
    intents: tuple[Intent, ...] = ()
    reconciled_ms: int = 0
    drift: Mapping[str, Dec] = field(default_factory=dict)
    flows_seen: Mapping[str, int] = field(default_factory=dict)
    dependencies: Mapping[str, Dependency] = field(default_factory=dict)
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    outbox: tuple[Alert, ...] = ()
    status_told: str = ""
    control_ms: int = 0
    key: KeyRecord | None = None
    costs: Mapping[str, MonthCosts] = field(default_factory=dict)
    account_digest: str = ""
    moved_to: str = ""
    restoring: str = ""
    unknown: tuple[tuple[tuple[str, ...], Any], ...] = ()

    @property
    def open_intents(self) -> tuple[Intent, ...]:
        """Intents an earlier or this run has not settled."""
        return tuple([intent for intent in self.intents if intent.open]) if self.intents else ()


@cache
def _adapter() -> TypeAdapter[State]:
    return TypeAdapter(State)


Migrations = Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]
MIGRATIONS: Migrations = {}
"""schema_version → the function that lifts a document from it to the next one."""


def migrated(document: Mapping[str, Any], migrations: Migrations, version: int, target: int) -> dict[str, Any]:
    """The document lifted from its `version` to `target`, one schema at a time."""
    lifted = dict(document)
    for step in range(version, target):
        lifted = migrations[step](lifted)
    return {**lifted, "schema_version": target}


def encode_state(state: State) -> dict[str, Any]:
    """The stored document: JSON values only, amounts as text, unknown fields put back where they were."""
    document: dict[str, Any] = _adapter().dump_python(replace(state, unknown=()), mode="json")
    del document["unknown"]
    return _restored(document, state.unknown)


def decode_state(document: object) -> State:
    """The state in a stored document, migrated to this schema; `StateUnreadable` names the field that is wrong."""
    if not isinstance(document, Mapping):
        raise StateUnreadable(f"state document: is a {type(document).__name__} – must be an object")
    version = document.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise StateUnreadable(f"state document: schema_version: {version!r} – must be a whole number from 1")
    if version > SCHEMA_VERSION:
        raise StateUnreadable(
            f"state document: schema_version: {version} – is newer than this code ({SCHEMA_VERSION}): update the code"
        )
    lifted = migrated(document, MIGRATIONS, version, SCHEMA_VERSION)
    try:
        state = _adapter().validate_python({key: lifted[key] for key in lifted if key != "unknown"})
    except ValidationError as error:
        raise StateUnreadable(_first_fault(error)) from None
    return replace(state, unknown=tuple(_surplus(lifted, encode_state(state), ())))


def refuse_unusable(state: State | None, account: str) -> None:
    """Raise where the document may not be used for `account`: it was moved away, is half restored, or another one's."""
    refuse_moved(state)
    if state is None:
        return
    if state.restoring:
        raise Abort(f"state document: unfinished {state.restoring}: run that again; until it ends nothing else may")
    if state.account != account:
        raise SettingsError((f"ENGINE_ACCOUNT: {account!r} – but the state document is that of {state.account!r}",))


def refuse_moved(state: State | None) -> None:
    """`SettingsError` where the account lives in another store by now."""
    if state is not None and state.moved_to:
        raise SettingsError((f"ENGINE_STORE: account {state.account} was moved from this store to {state.moved_to}",))


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where, value = ".".join(str(part) for part in first["loc"]), first["input"]
    shown = repr(value)[:80] if isinstance(value, str | bool | float | None) else f"a {type(value).__name__}"
    return f"state document: {where}: {shown} – {first['msg']} ({error.error_count()} problem(s) in all)"


def _surplus(stored: object, known: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What `stored` holds beyond `known`, with its path; the items of a list are told apart by their ids."""
    if isinstance(stored, list | tuple) and isinstance(known, list | tuple):
        stored, known = _by_id(stored), _by_id(known)
    elif isinstance(stored, Mapping) and isinstance(known, Mapping):
        yield from (((*path, key), stored[key]) for key in stored if key not in known)
    else:
        return
    for key in stored:
        if key in known:
            yield from _surplus(stored[key], known[key], (*path, key))


def _restored(document: dict[str, Any], unknown: tuple[tuple[tuple[str, ...], Any], ...]) -> dict[str, Any]:
    """Put unknown fields back; where the object that held one is gone, the field is gone with it."""
    for (*parents, key), value in unknown:
        place: Any = document
        for parent in parents:
            place = (_by_id(place) if isinstance(place, list) else place).get(parent)
            if not isinstance(place, dict | list):
                break
        if isinstance(place, dict):
            place.setdefault(key, value)
    return document


def _by_id(items: Sequence[Any]) -> dict[str, Any]:
    """The objects of a list by what names them: an intent's and an alert's `id`, a fill's `trade_id`."""
    named = (item for item in items if isinstance(item, Mapping))
    return {str(item.get("id", item.get("trade_id"))): item for item in named}
