"""Alerts: what an operator must be told, as data; the words are chosen by language where they are rendered.

The worked problem: a condition that lasts a week must neither be told once and forgotten nor 168 times. So a lasting
condition is an *incident*: it is told when it opens, then at its 2nd, 4th, 8th and 24th hour and once a day after that,
each time with its count, it grows more urgent with time, and its end is told too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from runtime.domain.values import Value


class Severity(StrEnum):
    """Decides sound and urgency: `info` is silent, `warning` rings, `critical` rings and is repeated."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Alert(metaclass=Value):
    """One thing to tell. `kind` names the text and its runbook page, `id` makes delivery idempotent.

    `facts` are the values that the text shows, already formatted and free of secrets.
    """

    id: str
    kind: str
    severity: Severity
    slot: str
    facts: Mapping[str, str] = field(default_factory=dict)
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one alert: delivered, to be tried later, or refused for good; `why` holds no secret or text,
    `channel` names the service (`telegram`), never an address in it.
    """

    alert_id: str
    delivered: bool
    permanent: bool = False
    why: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Incident(metaclass=Value):
    """A condition that lasts: opened at a slot, seen in `count` slots, last told and last seen at a slot."""

    kind: str
    opened: str
    count: int = 1
    last_told: str = ""
    last_seen: str = ""


class AlertKind(StrEnum):
    """The kinds of alert; each has its texts and its page in the runbook."""

    TRADE = "trade"
    ORDER_FAILED = "order_failed"
    ORDER_UNKNOWN = "order_unknown"
    BREAKER = "breaker"
    ACCOUNT_LIMIT = "account_limit"
    DEGRADED_SOURCE = "degraded_source"
    RELEASE_CONFLICT = "release_conflict"
    ABORTED = "aborted"
    STOPPED = "stopped"
    UNEXPECTED = "unexpected"
    SETTINGS = "settings"
    MISSED_SLOTS = "missed_slots"
    DRIFT = "drift"
    INDICATORS_MISSING = "indicators_missing"
    SYMBOL_NOT_TRADING = "symbol_not_trading"
    PRICE_SUSPECT = "price_suspect"
    CANDLE_REVISED = "candle_revised"
    FUEL = "fuel"
    EARN_FAILED = "earn_failed"
    MISCONFIGURED = "misconfigured"
    LOCATION_BLOCKED = "location_blocked"
    WITHDRAW_KEY = "withdraw_key"
    OTHER_ACCOUNT = "other_account"
    KEY_EXPIRY = "key_expiry"
    KEY_UNRESTRICTED = "key_unrestricted"
    RATE_LIMITED = "rate_limited"
    API_ERRORS = "api_errors"
    BUDGET = "budget"
    CLOCK_SKEW = "clock_skew"
    LOST_STATE = "lost_state"
    NEW_ACCOUNT = "new_account"
    CONTROL_CHANGED = "control_changed"
    STATUS = "status"
    RECOVERED = "recovered"


_QUIET = frozenset({AlertKind.TRADE, AlertKind.CANDLE_REVISED, AlertKind.STATUS, AlertKind.RECOVERED})
_URGENT = frozenset(
    {
        AlertKind.BREAKER,
        AlertKind.ABORTED,
        AlertKind.UNEXPECTED,
        AlertKind.SETTINGS,
        AlertKind.DRIFT,
        AlertKind.MISCONFIGURED,
        AlertKind.LOCATION_BLOCKED,
        AlertKind.WITHDRAW_KEY,
        AlertKind.OTHER_ACCOUNT,
        AlertKind.CLOCK_SKEW,
        AlertKind.LOST_STATE,
    }
)
SEVERITIES: Mapping[AlertKind, Severity] = MappingProxyType(
    {
        kind: Severity.INFO if kind in _QUIET else Severity.CRITICAL if kind in _URGENT else Severity.WARNING
        for kind in AlertKind
    }
)
"""How urgent a kind is when neither its facts nor its duration make it worse."""

_GRAVE = {
    AlertKind.DEGRADED_SOURCE: ("source", "static"),
    AlertKind.ACCOUNT_LIMIT: ("level", "100"),
    AlertKind.ORDER_UNKNOWN: ("overdue", "3 h"),
    AlertKind.KEY_EXPIRY: ("level", "1"),
}
"""A fact that makes an alert critical at once: the built-in list is in use; a limit is reached; hours go by; the last
day of the key has begun.
"""

TOLD_AT = frozenset({1, 2, 4, 8, 24})
TOLD_EVERY = 24
ESCALATES_AT = 24
OUTBOX_MAX = 200


def new_alert(kind: AlertKind, slot: str, facts: Mapping[str, str], *, subject: str = "", count: int = 1) -> Alert:
    """The alert of `kind` about `subject`: as urgent as its kind, or more by its facts or after `count` hours of it.

    The id follows from slot, kind and subject: raised again by a run that repeats the slot, it is the same alert.
    """
    name = f"{kind}:{subject}" if subject else kind.value
    fact, grave = _GRAVE.get(kind, ("", ""))
    urgency = Severity.CRITICAL if grave and facts.get(fact, "").startswith(grave) else SEVERITIES[kind]
    return Alert(f"{slot}:{name}", kind.value, escalated(urgency, count), slot, facts)


def escalated(severity: Severity, count: int) -> Severity:
    """A warning becomes critical once its condition has lasted a day; information stays information."""
    return Severity.CRITICAL if severity is Severity.WARNING and count >= ESCALATES_AT else severity


def observe(incidents: Mapping[str, Incident], kind: str, slot: str) -> tuple[dict[str, Incident], bool]:
    """The incidents after `kind` was seen at `slot`, and whether it should be told now.

    `kind` may carry a subject (`indicators_missing:ETHUSDT`): then each subject is an incident of its own. A slot
    counts once, however often it is run.
    """
    before = incidents.get(kind)
    if before is not None and slot == before.last_seen:
        return dict(incidents), False
    count, opened, told = (before.count + 1, before.opened, before.last_told) if before else (1, slot, "")
    tell = _to_be_told(count)
    return {**incidents, kind: Incident(kind, opened, count, slot if tell else told, slot)}, tell


def observe_all(incidents: Mapping[str, Incident], slots: Sequence[str]) -> Mapping[str, Incident]:
    """The incidents after each of them was seen in all of `slots`, one after the other, and told where it was to be."""
    return {name: _lasted(incident, slots) for name, incident in incidents.items()} if slots else incidents


def _lasted(incident: Incident, slots: Sequence[str]) -> Incident:
    counted = list(enumerate(slots, incident.count + 1))
    told = next((slot for count, slot in reversed(counted) if _to_be_told(count)), incident.last_told)
    return Incident(incident.kind, incident.opened, counted[-1][0], told, slots[-1])


def _to_be_told(count: int) -> bool:
    """Whether a condition is told in the hour in which it is seen for the `count`th time."""
    return count in TOLD_AT or count % TOLD_EVERY == 0


def recovered(incidents: Mapping[str, Incident], kind: str) -> tuple[dict[str, Incident], Incident | None]:
    """The incidents without `kind`, and the one that is over, to be told; None if there was none.

    Only for a condition that was checked and found gone: an hour that could not look says nothing about it.
    """
    return {name: incident for name, incident in incidents.items() if name != kind}, incidents.get(kind)


def outcome_of(receipt: Receipt) -> dict[str, str]:
    """Which alert, by which service, and what became of it: neither its words nor where it went."""
    outcome = "delivered" if receipt.delivered else "refused" if receipt.permanent else "waits"
    return {"alert": receipt.alert_id, "channel": receipt.channel, "outcome": outcome}


def for_the_second(alerts: Collection[Alert], receipts: Mapping[str, Receipt], *, first_is_down: bool) -> list[Alert]:
    """What the second channel tells: of what the first did not take, all that is critical, that was tried before, or
    that is refused for good; everything where the first has been down for hours. The rest may wait for the first.
    """
    untold = (alert for alert in alerts if not (alert.id in receipts and receipts[alert.id].delivered))
    return [
        alert
        for alert in untold
        if first_is_down
        or alert.severity is Severity.CRITICAL
        or alert.attempts
        or (alert.id in receipts and receipts[alert.id].permanent)
    ]


def queued(outbox: tuple[Alert, ...], alerts: Collection[Alert]) -> tuple[Alert, ...]:
    """The outbox with `alerts` added, each id once; beyond `OUTBOX_MAX` the oldest of the least urgent go first."""
    if not alerts and len(outbox) <= OUTBOX_MAX:
        return outbox
    known = {alert.id for alert in outbox}
    both = [*outbox, *(alert for alert in alerts if alert.id not in known)]
    for severity in ("info", "warning"):
        while len(both) > OUTBOX_MAX and (at := next((a for a in both if a.severity == severity), None)):
            both.remove(at)
    return tuple(both[-OUTBOX_MAX:])
