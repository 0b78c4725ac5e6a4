"""Releases: what may follow what was accepted, and how long the last known good stays good."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.pool import (
    AcceptedPool,
    PoolRejected,
    ReleaseConflict,
    UpstreamPool,
    accept,
    check_release,
    parse_pool,
    recheck,
)
from runtime.domain.settings import LadderSettings
from tests.support.pools import SETTINGS, SLOT, SYMBOLS, TODAY, payload

POOL = parse_pool(payload(generated_at="2026-11-01T09:05:48Z"), TODAY, SETTINGS)
ACCEPTED = accept(POOL, None, SETTINGS, SLOT)


def refusal(pool: AcceptedPool, settings: LadderSettings = SETTINGS, today: date = TODAY) -> str:
    with pytest.raises(PoolRejected) as caught:
        recheck(pool, today, settings)
    return str(caught.value)


def conflict(pool: UpstreamPool) -> str:
    with pytest.raises(ReleaseConflict) as caught:
        check_release(pool, ACCEPTED)
    return str(caught.value)


def test_an_accepted_release_keeps_all_of_the_payload_and_its_terms() -> None:
    expected = AcceptedPool(
        version="2026-11-01-core_major",
        as_of_date=date(2026, 11, 1),
        mode="core_major",
        symbols=SYMBOLS,
        accepted_slot=SLOT,
        expected_size=5,
        acceptable_modes=("core_major",),
        source_project="crypto-live-pool-pipelines",
        extra={"generated_at": "2026-11-01T09:05:48Z"},
    )
    assert accept(POOL, None, SETTINGS, SLOT) == expected


def test_a_release_seen_again_keeps_its_first_slot_and_takes_todays_terms() -> None:
    wider = LadderSettings(acceptable_modes=("core_major", "shadow"))
    again = accept(POOL, ACCEPTED, wider, "2026-11-22T00Z")
    assert again == replace(ACCEPTED, acceptable_modes=("core_major", "shadow"))


@pytest.mark.parametrize("changed", [{"version": "r2"}, {"as_of_date": date(2026, 11, 2)}])
def test_a_new_version_or_date_is_a_new_release(changed: dict[str, object]) -> None:
    new = replace(POOL, **changed)  # type: ignore[arg-type]  # one field at a time
    assert accept(new, ACCEPTED, SETTINGS, "2026-11-22T00Z").accepted_slot == "2026-11-22T00Z"


def test_without_an_accepted_release_nothing_conflicts() -> None:
    check_release(POOL, None)


def test_the_accepted_release_itself_does_not_conflict() -> None:
    check_release(POOL, ACCEPTED)


def test_a_later_release_with_other_symbols_does_not_conflict() -> None:
    check_release(replace(POOL, version="r2", as_of_date=date(2026, 11, 2), symbols=SYMBOLS[::-1]), ACCEPTED)


def test_the_same_version_with_other_symbols_is_a_conflict() -> None:
    text = conflict(replace(POOL, symbols=("LTCUSDT", *SYMBOLS[1:])))
    assert text.startswith(
        "symbols: LTCUSDT SOLUSDT ADAUSDT ZECUSDT ETHUSDT – release 2026-11-01-core_major was accepted"
    )
    assert f"was accepted at {SLOT} with other symbols (TRXUSDT SOLUSDT" in text
    assert text.endswith("a changed list needs a new version")


def test_the_same_version_in_another_order_is_a_conflict() -> None:
    assert "with the same symbols in another order (TRXUSDT" in conflict(replace(POOL, symbols=SYMBOLS[::-1]))


def test_a_date_before_the_accepted_one_is_a_conflict_whatever_its_version() -> None:
    text = conflict(replace(POOL, version="rollback", as_of_date=date(2026, 10, 31)))
    assert text.startswith("as_of_date: 2026-10-31 – is 1 day(s) before the accepted release 2026-11-01-core_major")
    assert "published under a new version and date" in text


@given(st.integers(0, 120))
def test_the_last_known_good_holds_up_to_its_own_limit(days: int) -> None:
    """45 days, the limit of a fresh release, do not end it."""
    assert recheck(ACCEPTED, ACCEPTED.as_of_date + timedelta(days=days), SETTINGS).symbols == SYMBOLS


def test_the_last_known_good_ends_after_its_own_limit() -> None:
    text = refusal(ACCEPTED, today=ACCEPTED.as_of_date + timedelta(days=121))
    assert text == "as_of_date: '2026-11-01' – is 121 days old, 120 at most: publish a release"
    assert "3 at most" in refusal(ACCEPTED, LadderSettings(lkg_max_age_days=3))


def test_the_last_known_good_is_judged_by_the_terms_it_was_accepted_under() -> None:
    changed = LadderSettings(expected_size=7, acceptable_modes=("core_minor",))
    assert recheck(ACCEPTED, TODAY, changed).symbols == SYMBOLS


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"symbols": SYMBOLS[:4]}, "pool_size: 4 – must be the expected size, which is 5"),
        ({"symbols": ("BTCUSDT", *SYMBOLS[1:])}, "BTC is held outside the pool"),
        ({"symbols": ()}, "must name at least one symbol"),
        ({"mode": "shadow"}, "mode: 'shadow' – must be one of: core_major"),
        ({"as_of_date": date(2026, 11, 22)}, "is 1 day(s) in the future"),
        ({"version": ""}, "version: '' – must be a text"),
    ],
)
def test_a_last_known_good_that_is_not_good_is_refused(changed: dict[str, object], text: str) -> None:
    assert text in refusal(replace(ACCEPTED, **changed))  # type: ignore[arg-type]  # one field at a time
