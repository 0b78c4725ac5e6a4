"""Slots: the names of the hours. A cycle is named by its UTC hour, `2026-11-21T09Z`; all daily rules use its date.

An hour asks for the same few names and days over and over, and reading a date costs more than a look-up: the newest
answers are kept, and every hour of a day has the same date object.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from runtime.errors import BadInput

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()
_SLOT = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2})(?::?00)?(?::?00)?Z?")
KEPT = 256


def slot_at(now_ms: int) -> str:
    """The slot that contains the moment `now_ms` (epoch ms)."""
    return _slot_of(now_ms // HOUR_MS)


@lru_cache(KEPT)
def _slot_of(hour: int) -> str:
    return f"{_date_of(hour // 24)}T{hour % 24:02}Z"


def minute_text(now_ms: int) -> str:
    """The moment as `2026-11-21 09:30 UTC`."""
    return datetime.fromtimestamp(now_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def since(minutes: int) -> tuple[int, str]:
    """A time in the unit that people use: minutes up to two hours, hours up to two days, then days."""
    for unit, length in (("days", 24 * 60), ("hours", 60)):
        if minutes >= 2 * length:
            return minutes // length, unit
    return minutes, "minutes"


def ago_text(minutes: int) -> str:
    """How long ago something was, as people say it; what is yet to come by this clock says so."""
    count, unit = since(abs(minutes))
    return f"{count} {unit if count != 1 else unit[:-1]} {'ago' if minutes >= 0 else 'ahead of this clock'}"


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


@lru_cache(KEPT)
def slot_start_ms(slot: str) -> int:
    """Epoch ms at which the slot begins; `ValueError` for what is no slot."""
    start_ms = day_start_ms(slot_date(slot)) + int(slot[11:13]) * HOUR_MS
    if slot_at(start_ms) != slot:
        raise ValueError(f"{slot!r} is no slot")
    return start_ms


def slot_date(slot: str) -> date:
    """The UTC date of the slot."""
    return _date_named(slot[:10])


@lru_cache(KEPT)
def _date_named(text: str) -> date:
    return _date_of(date.fromisoformat(text).toordinal() - _EPOCH)


def date_at(now_ms: int) -> date:
    """The UTC date of the moment `now_ms`."""
    return _date_of(now_ms // DAY_MS)


@lru_cache(KEPT)
def _date_of(day: int) -> date:
    return date.fromordinal(_EPOCH + day)


def day_start_ms(day: date) -> int:
    """Epoch ms of 00:00 UTC of `day`."""
    return (day.toordinal() - _EPOCH) * DAY_MS


def slots_between(after: str, before: str) -> tuple[str, ...]:
    """The slots strictly between two slots: the hours that were missed."""
    start, end = slot_start_ms(after) + HOUR_MS, slot_start_ms(before)
    return tuple(slot_at(ms) for ms in range(start, end, HOUR_MS))


def days_later(day: date, days: int) -> date:
    """`day` plus `days`."""
    return day + timedelta(days=days)
