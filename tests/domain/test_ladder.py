"""The ladder: the best rung that holds is taken, every other is explained, and a source alone never moves the pool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.domain.ladder import (
    STATIC_SYMBOLS,
    Reading,
    Resolution,
    Tried,
    climb,
    execution_pool,
    status_after,
)
from runtime.domain.pool import AcceptedPool, PoolRejected, Rung, accept, parse_pool
from runtime.domain.settings import LadderSettings
from runtime.errors import EngineError
from tests.support.pools import SETTINGS, SLOT, SYMBOLS, TODAY, payload, release

OTHERS = ("ETHUSDT", "LTCUSDT", "XRPUSDT", "LINKUSDT", "NEARUSDT")
EXPIRED = TODAY - timedelta(days=121)
STALE = release(TODAY - timedelta(days=46))


def remembered(day: date, symbols: tuple[str, ...] = SYMBOLS) -> AcceptedPool:
    """The state's release, dated `day`."""
    return accept(parse_pool(release(day, symbols), day, SETTINGS), None, SETTINGS, f"{day}T00Z")


def up(document: object) -> Reading:
    return Reading(Rung.FRESH_UPSTREAM, "firestore", payload=document)


def down() -> Reading:
    return Reading(Rung.FRESH_UPSTREAM, "firestore", problem="firestore: deadline exceeded")


def local(document: object, where: str = "pool.json") -> Reading:
    return Reading(Rung.LOCAL_FILE, where, payload=document)


def resolve(readings: Iterable[Reading], accepted: AcceptedPool | None = None, **settings: Any) -> Resolution:
    return climb(readings, accepted, LadderSettings(**settings), SLOT)


def passed_over(resolution: Resolution) -> list[tuple[Rung, str]]:
    return [(tried.rung, tried.why) for tried in resolution.tried if not tried.accepted]


def test_a_fresh_release_is_taken_and_becomes_the_accepted_one() -> None:
    resolution = resolve([up(payload())])
    assert (resolution.rung, resolution.where, resolution.symbols) == (Rung.FRESH_UPSTREAM, "firestore", SYMBOLS)
    assert (resolution.version, resolution.as_of_date) == ("2026-11-01-core_major", date(2026, 11, 1))
    assert (resolution.age_days, resolution.degraded, resolution.conflict) == (20, False, False)
    assert resolution.accepted == accept(parse_pool(payload(), TODAY, SETTINGS), None, SETTINGS, SLOT)
    assert resolution.tried == (
        Tried(
            Rung.FRESH_UPSTREAM,
            "firestore",
            accepted=True,
            why="release 2026-11-01-core_major, 5 symbols, 20 days old (45 at most)",
        ),
    )


def test_nothing_below_a_good_rung_is_read() -> None:
    def readings() -> Iterator[Reading]:
        yield up(payload())
        pytest.fail("a file was read although the upstream is fresh")

    assert resolve(readings()).rung is Rung.FRESH_UPSTREAM


def test_no_file_below_a_good_file_is_read() -> None:
    def readings() -> Iterator[Reading]:
        yield down()
        yield local(payload())
        pytest.fail("a second file was read although the first one holds")

    assert resolve(readings()).rung is Rung.LOCAL_FILE


def test_a_new_release_replaces_the_accepted_one_and_says_so() -> None:
    old = remembered(date(2026, 10, 1), OTHERS)
    resolution = resolve([up(payload())], old)
    assert resolution.accepted is not None
    assert (resolution.accepted.symbols, resolution.accepted.accepted_slot) == (SYMBOLS, SLOT)
    assert resolution.locked_symbols == SYMBOLS
    assert resolution.notes == ("release 2026-11-01-core_major replaces 2026-10-01-core_major (2026-10-01)",)


def test_the_same_release_changes_nothing() -> None:
    known = remembered(date(2026, 11, 1))
    resolution = resolve([up(release(date(2026, 11, 1)))], known)
    assert resolution.accepted == known
    assert resolution.notes == ()


def test_a_stale_upstream_falls_to_the_last_known_good_with_its_age() -> None:
    known = remembered(date(2026, 9, 1))
    resolution = resolve([up(STALE)], known)
    assert (resolution.rung, resolution.where, resolution.age_days) == (Rung.LAST_KNOWN_GOOD, "state", 81)
    assert (resolution.degraded, resolution.accepted) == (True, known)
    assert passed_over(resolution) == [
        (Rung.FRESH_UPSTREAM, "as_of_date: '2026-10-06' – is 46 days old, 45 at most: publish a release")
    ]
    assert resolution.tried[-1].why == (
        "release 2026-09-01-core_major, 5 symbols, 81 days old (120 at most); "
        "accepted at 2026-09-01T00Z under size 5 and modes core_major"
    )


def test_an_unreadable_upstream_and_no_memory_fall_to_the_file() -> None:
    resolution = resolve([down(), local(None, "a.json"), local(payload(), "b.json")])
    assert (resolution.rung, resolution.where, resolution.symbols) == (Rung.LOCAL_FILE, "b.json", SYMBOLS)
    assert (resolution.degraded, resolution.accepted) == (True, None)
    assert passed_over(resolution) == [
        (Rung.FRESH_UPSTREAM, "firestore: deadline exceeded"),
        (Rung.LAST_KNOWN_GOOD, "no upstream release was ever accepted"),
        (Rung.LOCAL_FILE, "payload: missing – must be a JSON object"),
    ]


def test_nothing_at_all_falls_to_the_static_pool() -> None:
    resolution = resolve([])
    assert (resolution.rung, resolution.symbols, resolution.version) == (Rung.STATIC, STATIC_SYMBOLS, "static")
    assert (resolution.as_of_date, resolution.age_days, resolution.degraded) == (None, None, True)
    assert [tried.rung for tried in resolution.tried] == [Rung.LAST_KNOWN_GOOD, Rung.STATIC]
    assert resolution.tried[-1].why == "11 built-in symbols, unchecked and undated: an emergency"


def test_the_static_pool_is_the_eleven_of_the_contract() -> None:
    names = "ETH SOL XRP LINK AVAX ADA DOGE TRX ATOM LTC BCH".split()  # noqa: SIM905 - as the contract writes it
    assert tuple(name + "USDT" for name in names) == STATIC_SYMBOLS


def test_a_last_known_good_beyond_its_limit_is_passed_over() -> None:
    """A release three years old is no fallback; a fresh file is."""
    resolution = resolve([down(), local(payload())], remembered(date(2023, 11, 1), OTHERS))
    assert (resolution.rung, resolution.notes) == (Rung.LOCAL_FILE, ())
    assert "is 1116 days old, 120 at most" in dict(passed_over(resolution))[Rung.LAST_KNOWN_GOOD]


def test_changed_settings_do_not_retire_the_last_known_good() -> None:
    resolution = resolve([down()], remembered(date(2026, 11, 1)), expected_size=7, acceptable_modes=("other",))
    assert resolution.rung is Rung.LAST_KNOWN_GOOD


def test_a_newer_file_is_pointed_out_and_not_preferred() -> None:
    known = remembered(date(2026, 10, 30))
    resolution = resolve([down(), local(payload())], known)
    assert (resolution.rung, resolution.accepted, resolution.symbols) == (Rung.LAST_KNOWN_GOOD, known, SYMBOLS)
    (note,) = resolution.notes
    assert note == (
        "local_file pool.json (not used) holds release 2026-11-01-core_major of 2026-11-01, 2 day(s) newer than the "
        "last known good: only the upstream replaces an accepted release"
    )


def test_a_newer_file_with_other_symbols_is_still_only_newer() -> None:
    (note,) = resolve([down(), local(release(TODAY, OTHERS))], remembered(date(2026, 10, 30))).notes
    assert "22 day(s) newer" in note
    assert "other symbols" not in note


@pytest.mark.parametrize("document", [None, release(date(2026, 10, 30)), release(date(2026, 10, 29)), STALE])
def test_a_file_that_is_not_newer_is_not_worth_a_word(document: object) -> None:
    resolution = resolve([down(), local(document)], remembered(date(2026, 10, 30)))
    assert (resolution.rung, resolution.notes, resolution.conflict) == (Rung.LAST_KNOWN_GOOD, (), False)


def test_a_file_that_gives_the_accepted_release_other_symbols_is_pointed_out() -> None:
    resolution = resolve([down(), local(payload(), "a.json")], remembered(date(2026, 11, 1), OTHERS))
    assert resolution.notes == (
        "local_file a.json (not used) gives release 2026-11-01-core_major other symbols: " + " ".join(SYMBOLS),
    )


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (release(date(2026, 11, 1), OTHERS), "with other symbols"),
        (release(date(2026, 11, 1), SYMBOLS[::-1]), "with the same symbols in another order"),
        (release(date(2026, 10, 31), OTHERS), "is 1 day(s) before the accepted release"),
    ],
)
def test_an_upstream_that_contradicts_the_accepted_release_is_refused_and_flagged(document: object, why: str) -> None:
    known = remembered(date(2026, 11, 1))
    resolution = resolve([up(document)], known)
    assert (resolution.rung, resolution.accepted, resolution.conflict) == (Rung.LAST_KNOWN_GOOD, known, True)
    assert why in dict(passed_over(resolution))[Rung.FRESH_UPSTREAM]


def test_a_conflict_stays_flagged_whatever_is_passed_over_after_it() -> None:
    known = remembered(date(2026, 11, 1))
    resolution = resolve([up(release(TODAY - timedelta(days=30))), local(None)], known, lkg_max_age_days=10)
    assert (resolution.rung, resolution.conflict) == (Rung.STATIC, True)


def test_a_file_that_contradicts_an_expired_release_is_refused_too() -> None:
    known = remembered(date(2026, 11, 1))
    resolution = resolve([down(), local(release(date(2026, 10, 31)))], known, lkg_max_age_days=10)
    assert (resolution.rung, resolution.conflict) == (Rung.STATIC, True)


def test_unknown_fields_that_cannot_be_kept_are_pointed_out() -> None:
    assert resolve([up(payload(odd=float("inf")))]).notes == (
        "fresh_upstream: unknown fields that cannot be kept in the state: 'odd'",
    )


@pytest.mark.parametrize("rung", [Rung.LAST_KNOWN_GOOD, Rung.STATIC])
def test_a_source_cannot_claim_a_rung_that_is_not_read(rung: Rung) -> None:
    with pytest.raises(EngineError, match="upstream first, then local files only"):
        resolve([Reading(rung, "x", payload=payload())])


def test_sources_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(EngineError, match="upstream first"):
        resolve([local(None), up(payload())])


GOOD_DAYS = st.integers(0, 45).map(lambda days: TODAY - timedelta(days=days))
documents = st.one_of(
    st.builds(release, GOOD_DAYS, st.permutations(SYMBOLS).map(tuple)),
    st.builds(release, GOOD_DAYS, st.permutations(OTHERS).map(tuple)),
    st.sampled_from([None, STALE, payload(mode="x"), payload(symbols=[]), [], "text"]),
)
memories = st.none() | st.builds(
    remembered, st.integers(0, 200).map(lambda days: TODAY - timedelta(days=days)), st.sampled_from([SYMBOLS, OTHERS])
)
climbs = st.tuples(st.lists(documents.map(up), max_size=1), st.lists(documents.map(local), max_size=3), memories)


def holds(reading: Reading, accepted: AcceptedPool | None) -> bool:
    """Whether a reading is valid by the contract's words, told without the ladder."""
    try:
        pool = parse_pool(reading.payload, TODAY, SETTINGS)
    except PoolRejected:
        return False
    changed = accepted is not None and pool.version == accepted.version and pool.symbols != accepted.symbols
    return not changed and (accepted is None or pool.as_of_date >= accepted.as_of_date)


@given(climbs)
def test_the_rung_is_the_best_that_holds_and_the_others_have_a_reason(
    case: tuple[list[Reading], list[Reading], AcceptedPool | None],
) -> None:
    upstream, files, accepted = case
    resolution = resolve([*upstream, *files], accepted)
    ranks = [(reading.rung, holds(reading, accepted)) for reading in upstream]
    ranks.append((Rung.LAST_KNOWN_GOOD, accepted is not None and (TODAY - accepted.as_of_date).days <= 120))
    ranks += [(reading.rung, holds(reading, accepted)) for reading in files]
    ranks.append((Rung.STATIC, True))
    best = next(at for at, (_, valid) in enumerate(ranks) if valid)
    assert [(tried.rung, tried.accepted) for tried in resolution.tried] == ranks[: best + 1]
    assert resolution.rung is ranks[best][0]
    assert all(tried.why for tried in resolution.tried)


@given(climbs)
def test_only_a_valid_upstream_is_healthy_and_only_it_changes_what_is_accepted(
    case: tuple[list[Reading], list[Reading], AcceptedPool | None],
) -> None:
    upstream, files, accepted = case
    resolution = resolve([*upstream, *files], accepted)
    healthy = bool(upstream) and holds(upstream[0], accepted)
    assert resolution.degraded is not healthy
    if not healthy:
        assert resolution.accepted == accepted


tradables = st.sets(st.sampled_from(sorted({*SYMBOLS, *OTHERS, *STATIC_SYMBOLS})), min_size=8)


@given(climbs, tradables)
@example(([down()], [local(release(TODAY, tuple(reversed(SYMBOLS))))], remembered(EXPIRED)), set(SYMBOLS))
@example(([down()], [local(release(TODAY, OTHERS))], remembered(EXPIRED)), {*SYMBOLS, *OTHERS})
@example(([down()], [], remembered(EXPIRED)), {*SYMBOLS, *STATIC_SYMBOLS})
def test_a_degraded_source_only_ever_takes_symbols_out_of_the_accepted_release(
    case: tuple[list[Reading], list[Reading], AcceptedPool | None], tradable: set[str]
) -> None:
    """A symbol that stays keeps its order, and none comes in: so nobody's rank gets worse by a change of source.

    Told by what was put in: the upstream's own document and the remembered release, not by what the ladder calls them.
    """
    upstream, files, accepted = case
    resolution = resolve([*upstream, *files], accepted)
    pool = execution_pool(resolution, tradable, SETTINGS)
    if upstream and holds(upstream[0], accepted):
        release_now, named = parse_pool(upstream[0].payload, TODAY, SETTINGS).symbols, None
    elif accepted is not None and (TODAY - accepted.as_of_date).days <= 120:
        release_now, named = accepted.symbols, None
    else:
        file = next((reading for reading in files if holds(reading, accepted)), None)
        source = STATIC_SYMBOLS if file is None else parse_pool(file.payload, TODAY, SETTINGS).symbols
        release_now, named = (source if accepted is None else accepted.symbols), source
    kept = [s for s in release_now if s in tradable and (named is None or s in named)]
    assert pool.symbols == tuple(kept)
    assert pool.dropped.keys() == set(release_now) - set(kept)


def test_the_pool_stays_the_accepted_release_on_the_last_known_good() -> None:
    resolution = resolve([down(), local(release(TODAY, OTHERS))], remembered(date(2026, 10, 1)))
    assert execution_pool(resolution, SYMBOLS, SETTINGS).symbols == SYMBOLS


def test_an_expired_release_is_not_replaced_but_only_thinned_by_the_source_below() -> None:
    expired = remembered(date(2026, 6, 1), ("NEARUSDT", "LTCUSDT", "ETHUSDT", "ZECUSDT", "SOLUSDT"))
    pool = execution_pool(resolve([], expired), {*STATIC_SYMBOLS, "NEARUSDT", "ZECUSDT"}, SETTINGS)
    assert pool.symbols == ("LTCUSDT", "ETHUSDT", "SOLUSDT")
    assert pool.dropped == dict.fromkeys(
        ("NEARUSDT", "ZECUSDT"), "static does not name it, and it alone may not replace the accepted release"
    )


def test_without_any_accepted_release_the_sources_own_symbols_are_the_pool() -> None:
    assert execution_pool(resolve([]), STATIC_SYMBOLS, SETTINGS).symbols == STATIC_SYMBOLS


def test_a_symbol_that_the_exchange_does_not_trade_is_dropped_and_reported() -> None:
    pool = execution_pool(resolve([up(payload())]), set(SYMBOLS) - {"SOLUSDT"}, SETTINGS)
    assert pool.symbols == ("TRXUSDT", "ADAUSDT", "ZECUSDT", "ETHUSDT")
    assert pool.dropped == {"SOLUSDT": "the exchange does not list it as TRADING on spot"}


@pytest.mark.parametrize(("healthy", "allowed", "paused"), [(1, 0, 0), (1, 1, 0), (0, 0, 1), (0, 1, 0)])
def test_entries_pause_on_a_degraded_source_unless_allowed(healthy: int, allowed: int, paused: int) -> None:
    resolution = resolve([up(payload()) if healthy else down()], remembered(date(2026, 11, 1)))
    settings = LadderSettings(allow_new_entries_on_degraded=bool(allowed))
    assert execution_pool(resolution, SYMBOLS, settings).degraded is bool(paused)


HEALTHY, DEGRADED = resolve([up(payload())]), resolve([])


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_the_counter_is_the_length_of_the_unbroken_degraded_stretch(hours: list[bool]) -> None:
    status, length, since = None, 0, ""
    for hour, degraded in enumerate(hours):
        slot = f"2026-11-{1 + hour // 24:02}T{hour % 24:02}Z"
        status = status_after(status, DEGRADED if degraded else HEALTHY, slot)
        length = length + 1 if degraded else 0
        since = (since or slot) if degraded else ""
        assert (status.degraded, status.degraded_cycles, status.degraded_since) == (degraded, length, since)


def test_an_hour_that_is_done_again_is_not_counted_again() -> None:
    first = status_after(None, DEGRADED, "2026-11-21T09Z")
    assert status_after(first, DEGRADED, "2026-11-21T09Z") == first
    assert status_after(first, DEGRADED, "2026-11-21T10Z").degraded_cycles == 2


def test_the_status_names_the_source_its_version_and_its_age() -> None:
    status = status_after(None, HEALTHY, SLOT)
    assert (status.rung, status.version, status.age_days) == (Rung.FRESH_UPSTREAM, "2026-11-01-core_major", 20)
    assert (status.as_of_date, status.slot) == (date(2026, 11, 1), SLOT)


def test_a_change_of_rung_within_a_degraded_stretch_goes_on_counting() -> None:
    before = status_after(None, resolve([down()], remembered(date(2026, 11, 1))), "2026-11-21T09Z")
    after = status_after(before, DEGRADED, "2026-11-21T10Z")
    assert (after.rung, after.degraded_cycles, after.degraded_since) == (Rung.STATIC, 2, "2026-11-21T09Z")
