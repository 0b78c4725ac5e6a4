"""The last hours, as their documents in the store tell them: what pictures of equity are drawn from."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from runtime.domain.alerts import Alert, AlertKind
from runtime.domain.equity_picture import HOURS_SHOWN, Point
from runtime.domain.status_picture import shares_in, status_picture
from runtime.errors import EngineError
from runtime.ports import CycleRecord, Store


def last_hours(store: Store) -> tuple[Point, ...]:
    """The newest hours, in any order; raises what the store raises."""
    return tuple(_point(record) for record in store.cycles(HOURS_SHOWN))


def picture_of(alert: Alert, store: Store) -> bytes | None:
    """A PNG for an alert that has one (the status report); None where the store does not answer: words go without."""
    if alert.kind != AlertKind.STATUS:
        return None
    try:
        return status_picture(alert.slot, last_hours(store), shares_in(alert.facts.get("shares", "")))
    except EngineError:
        return None


def _point(record: CycleRecord) -> Point:
    return Point(record.slot, figure_of(record, "equity"), figure_of(record, "index"))


def figure_of(record: CycleRecord, name: str) -> Decimal | None:
    """A figure of an hour's document; None where an older version did not keep it, or it had none."""
    try:
        amount = Decimal(record.summary.get(name, ""))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
