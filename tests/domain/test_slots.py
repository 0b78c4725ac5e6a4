"""Slots: every moment has one hour, and the name of an hour says when it began, in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.slots import (
    DAY_MS,
    HOUR_MS,
    ago_text,
    date_at,
    day_start_ms,
    days_later,
    parse_slot,
    slot_at,
    slot_date,
    slot_start_ms,
    slots_between,
)
from runtime.errors import BadInput

moments = st.integers(0, 4_102_444_800_000)
hours = st.integers(0, 1_139_568)


@given(moments)
def test_a_moment_lies_in_its_slot_and_on_its_date(now_ms: int) -> None:
    slot = slot_at(now_ms)
    assert slot_start_ms(slot) <= now_ms < slot_start_ms(slot) + HOUR_MS
    assert day_start_ms(date_at(now_ms)) <= now_ms < day_start_ms(date_at(now_ms)) + DAY_MS
    assert slot_date(slot) == date_at(now_ms)


@given(moments)
def test_slots_sort_like_the_moments_they_name(now_ms: int) -> None:
    assert slot_at(now_ms) < slot_at(now_ms + HOUR_MS)


def test_a_slot_is_named_by_its_utc_hour() -> None:
    moment = datetime(2026, 11, 21, 9, 59, 59, 999000, tzinfo=UTC)
    now_ms = round(moment.timestamp() * 1000)
    assert slot_at(now_ms) == "2026-11-21T09Z"
    assert slot_at(now_ms + 1) == "2026-11-21T10Z"
    assert slot_start_ms("2026-11-21T09Z") == round(datetime(2026, 11, 21, 9, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T09",
        "2026-11-21T09Z",
        "2026-11-21T09:00",
        "2026-11-21T09:00Z",
        "2026-11-21T0900Z",
        "2026-11-21T09:00:00Z",
        " 2026-11-21T09Z\n",
    ],
)
def test_every_usual_way_to_write_the_hour_names_the_same_slot(text: str) -> None:
    assert parse_slot(text) == "2026-11-21T09Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-21",
        "2026-11-21T9",
        "2026-11-21T24",
        "2026-11-21T09:30",
        "2026-11-21T09:00:01Z",
        "2026-11-21T09+01:00",
        "2026-02-30T09",
        "2026-13-01T09",
        "21.11.2026 09",
        "2026-11-21T09Z tomorrow",
    ],
)
def test_anything_but_a_whole_utc_hour_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match=r"slot: .* must be a UTC hour such as 2026-11-21T09"):
        parse_slot(text)


@given(moments)
def test_a_slots_own_name_parses_to_itself(now_ms: int) -> None:
    assert parse_slot(slot_at(now_ms)) == slot_at(now_ms)


@given(start=hours, count=st.integers(0, 50))
def test_the_missed_slots_are_the_hours_strictly_between_two(start: int, count: int) -> None:
    after, before = slot_at(start * HOUR_MS), slot_at((start + count + 1) * HOUR_MS)
    assert slots_between(after, before) == tuple(slot_at((start + 1 + n) * HOUR_MS) for n in range(count))


def test_no_slot_is_missed_between_an_hour_and_itself_or_an_earlier_one() -> None:
    assert slots_between("2026-11-21T09Z", "2026-11-21T09Z") == ()
    assert slots_between("2026-11-21T09Z", "2026-11-21T03Z") == ()


def test_missed_slots_run_over_midnight_and_the_leap_day() -> None:
    assert slots_between("2028-02-28T22Z", "2028-02-29T01Z") == ("2028-02-28T23Z", "2028-02-29T00Z")


def test_days_later_counts_over_the_end_of_the_month_and_back() -> None:
    assert days_later(date(2028, 2, 28), 2) == date(2028, 3, 1)
    assert days_later(date(2026, 1, 1), -1) == date(2025, 12, 31)


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0, "0 minutes"),
        (119, "119 minutes"),
        (120, "2 hours"),
        (2879, "47 hours"),
        (2880, "2 days"),
        (361_996, "251 days"),
    ],
)
def test_how_long_ago_is_said_in_a_unit_that_fits(minutes: int, text: str) -> None:
    assert ago_text(minutes) == f"{text} ago"


@pytest.mark.parametrize(
    ("minutes", "told"),
    [
        (1, "1 minute ago"),
        (119, "119 minutes ago"),
        (120, "2 hours ago"),
        (2880, "2 days ago"),
        (-1200, "20 hours ahead of this clock"),
    ],
)
def test_how_long_ago_is_told_as_people_say_it(minutes: int, told: str) -> None:
    assert ago_text(minutes) == told
