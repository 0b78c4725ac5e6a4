"""Slots: the names of the hours. A cycle is named by its UTC hour, `2026-11-21T09Z`; all daily rules use its date."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from runtime.errors import BadInput

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
_SLOT = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2})(?::?00)?(?::?00)?Z?")


def slot_at(now_ms: int) -> str:
    """The slot that contains the moment `now_ms` (epoch ms)."""
    return datetime.fromtimestamp(now_ms // 1000, UTC).strftime("%Y-%m-%dT%HZ")


def minute_text(now_ms: int) -> str:
    """The moment as `2026-11-21 09:30 UTC`."""
    return datetime.fromtimestamp(now_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def parse_slot(text: str) -> str:
    """The slot named by `2026-11-21T09`, with or without `:00` and `Z`; `BadInput` otherwise."""
    match = _SLOT.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        moment = datetime.strptime(f"{match[1]}T{match[2]}Z", "%Y-%m-%dT%HZ").replace(tzinfo=UTC)
    except ValueError:
        raise BadInput("slot", text, "must be a UTC hour such as 2026-11-21T09") from None
    return moment.strftime("%Y-%m-%dT%HZ")


def slot_start_ms(slot: str) -> int:
    """Epoch ms at which the slot begins."""
    return int(datetime.strptime(slot, "%Y-%m-%dT%HZ").replace(tzinfo=UTC).timestamp()) * 1000


def slot_date(slot: str) -> date:
    """The UTC date of the slot."""
    return date.fromisoformat(slot[:10])


def date_at(now_ms: int) -> date:
    """The UTC date of the moment `now_ms`."""
    return datetime.fromtimestamp(now_ms // 1000, UTC).date()


def day_start_ms(day: date) -> int:
    """Epoch ms of 00:00 UTC of `day`."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def slots_between(after: str, before: str) -> tuple[str, ...]:
    """The slots strictly between two slots: the hours that were missed."""
    start, end = slot_start_ms(after) + HOUR_MS, slot_start_ms(before)
    return tuple(slot_at(ms) for ms in range(start, end, HOUR_MS))


def days_later(day: date, days: int) -> date:
    """`day` plus `days`."""
    return day + timedelta(days=days)
