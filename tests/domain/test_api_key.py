"""The API key: a verdict that is recognised without the key, and what is told of it, once each."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.api_key import (
    TRUSTED_DAYS,
    UNRESTRICTED,
    KeyRecord,
    KeyRights,
    digest,
    expiry_level,
    marks,
    noted,
)
from runtime.domain.slots import DAY_MS, days_later

NOW_MS = 1_795_338_000_000
DAY = date(2026, 11, 22)
GOOD = KeyRights(reading=True, trading=True, withdrawals=False, ip_restricted=True)
RECORD = KeyRecord("salt", digest("salt", "key"), DAY, GOOD)


def ends_in(days: float) -> KeyRights:
    """A good key whose right to trade ends in so many days."""
    return replace(GOOD, expires_ms=NOW_MS + round(days * DAY_MS))


@given(st.text(), st.text(), st.text())
def test_a_record_knows_its_key_and_no_other_and_does_not_hold_it(salt: str, key: str, other: str) -> None:
    assert (digest(salt, key) == digest(salt, other)) == (key == other)
    assert key not in str(KeyRecord(salt, digest(salt, key), DAY, GOOD)) or len(key) < 8 or key in salt


def test_the_same_key_under_another_salt_has_another_digest() -> None:
    assert digest("a", "key") != digest("b", "key")
    assert len(digest("a", "key")) == 32


@pytest.mark.parametrize(("days", "trusted"), [(-1, False), (0, True), (TRUSTED_DAYS, True), (TRUSTED_DAYS + 1, False)])
def test_an_old_verdict_is_trusted_for_a_week(days: int, *, trusted: bool) -> None:
    assert RECORD.fresh_on(days_later(DAY, days)) == trusted


@pytest.mark.parametrize(
    ("days", "level", "left"),
    [(31, None, 31), (30, 30, 30), (29.5, 30, 29), (7.01, 30, 7), (7, 7, 7), (1, 1, 1), (0.5, 1, 0), (-2, 1, -2)],
)
def test_an_end_is_told_at_30_7_and_1_days(days: float, level: int | None, left: int) -> None:
    assert expiry_level(ends_in(days), NOW_MS) == level
    assert ends_in(days).days_left(NOW_MS) == left


def test_a_key_without_end_that_is_bound_to_addresses_gives_nothing_to_tell() -> None:
    assert marks(GOOD, NOW_MS) == ()
    assert expiry_level(GOOD, NOW_MS) is None
    assert GOOD.days_left(NOW_MS) is None


def test_each_thing_is_news_once_and_again_after_it_was_gone() -> None:
    record, news = noted(replace(RECORD, rights=replace(GOOD, ip_restricted=False)), None, NOW_MS)
    assert news == (UNRESTRICTED,)
    assert noted(record, record, NOW_MS)[1] == ()
    mended, news = noted(RECORD, record, NOW_MS)
    assert (mended.told, news) == ((), ())
    assert noted(record, mended, NOW_MS)[1] == (UNRESTRICTED,)


def test_each_level_of_an_end_is_news_once_and_another_end_begins_anew() -> None:
    told, record = [], None
    for days in (40, 29, 20, 6, 5, 0.9, 0.5):
        rights = replace(GOOD, expires_ms=NOW_MS + 40 * DAY_MS)
        record, news = noted(replace(RECORD, rights=rights), record, NOW_MS + round((40 - days) * DAY_MS))
        told.append(len(news))
    assert told == [0, 1, 0, 1, 0, 1, 0]
    assert record is not None
    renewed = replace(RECORD, rights=ends_in(20))
    assert len(noted(renewed, record, NOW_MS)[1]) == 1
