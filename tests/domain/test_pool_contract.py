"""The contract of an upstream payload: each way to break it is refused with its own text."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.pool import PROBLEMS_MAX, PoolRejected, parse_pool
from runtime.domain.pool_contract import EXTRA_BYTES_MAX, EXTRA_DEPTH_MAX, FIELDS, storable
from runtime.domain.settings import LadderSettings
from tests.support.pools import SETTINGS, SYMBOLS, TODAY, bases, json_like, payload, release


def faults(document: object) -> tuple[str, ...]:
    try:
        parse_pool(document, TODAY, SETTINGS)
    except PoolRejected as refusal:
        return refusal.problems
    return ()


def problems(document: object, settings: LadderSettings = SETTINGS) -> tuple[str, ...]:
    with pytest.raises(PoolRejected) as caught:
        parse_pool(document, TODAY, settings)
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


def test_the_same_document_is_judged_anew_by_each_day_and_each_setting() -> None:
    document, as_of = payload(), date(2026, 11, 1)
    last = as_of + timedelta(days=SETTINGS.max_age_days)
    assert parse_pool(document, last, SETTINGS) == parse_pool(document, as_of, SETTINGS)
    for day, why in ((last + timedelta(days=1), "publish a release"), (as_of - timedelta(days=1), "in the future")):
        with pytest.raises(PoolRejected, match=why):
            parse_pool(document, day, SETTINGS)
    assert parse_pool(document, last, SETTINGS).as_of_date == as_of
    assert problems(document, LadderSettings(expected_size=4)) == (
        "pool_size: 5 – must be the expected size, which is 4",
    )
    assert "publish a release" in problems(document, LadderSettings(max_age_days=1))[0]
    assert parse_pool({**document, "version": "2026-11-01-x"}, last, SETTINGS).version == "2026-11-01-x"


def test_a_release_as_published_is_accepted_whole() -> None:
    pool = parse_pool(payload(), TODAY, SETTINGS)
    assert (pool.version, pool.as_of_date, pool.mode) == ("2026-11-01-core_major", date(2026, 11, 1), "core_major")
    assert pool.symbols == SYMBOLS
    assert pool.source_project == "crypto-live-pool-pipelines"
    assert pool.extra == {}


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "no date": ({"as_of_date": ...}, "as_of_date: missing – must be a date"),
    "a date that is no text": ({"as_of_date": 20261101}, "as_of_date: 20261101 – must be a date"),
    "a date with trailing junk": ({"as_of_date": "2026-11-01T00:00Z"}, "as_of_date: '2026-11-01T00:00Z' – must be"),
    "a date with a line break": ({"as_of_date": "2026-11-01\n"}, "as_of_date: '2026-11-01\\n' – must be"),
    "a date in other digits": (
        {"as_of_date": "\uff12\uff10\uff12\uff16-11-01"},
        "must be a date as text and nothing else",
    ),
    "a date of no calendar": ({"as_of_date": "2026-02-30"}, "as_of_date: '2026-02-30' – is not in the calendar"),
    "a date in the future": (
        {"as_of_date": "2026-11-22", "version": "v1"},
        "as_of_date: '2026-11-22' – is 1 day(s) in the future (today is 2026-11-21 UTC)",
    ),
    "a date too old": (
        {"as_of_date": "2026-10-06", "version": "v1"},
        "as_of_date: '2026-10-06' – is 46 days old, 45 at most: publish a release",
    ),
    "no mode": ({"mode": ...}, "mode: missing – must be one of: core_major"),
    "another mode": ({"mode": "shadow"}, "mode: 'shadow' – must be one of: core_major"),
    "a mode in capitals": ({"mode": "CORE_MAJOR"}, "mode: 'CORE_MAJOR' – must be one of: core_major"),
    "a mode that is a list": ({"mode": ["core_major"]}, "mode: a list with 1 item(s) – must be one of"),
    "no version": ({"version": ...}, "version: missing – must be a text"),
    "an empty version": ({"version": "  "}, "version: '  ' – must be a text"),
    "a version of no text": ({"version": 3}, "version: 3 – must be a text"),
    "a version with a line break": ({"version": "v1\nv2"}, "version: 'v1\\nv2' – must be a text of 1 to 100 printable"),
    "an endless version": ({"version": "v" * 101}, "must be a text of 1 to 100 printable"),
    "a version with another date": (
        {"version": "2026-10-01-core_major"},
        "version: '2026-10-01-core_major' – names 2026-10-01, which contradicts as_of_date 2026-11-01",
    ),
    "a version with another date in digits": ({"version": "r20261031T0905"}, "names 2026-10-31, which contradicts"),
    "a version with another moment in digits": ({"version": "20261031090500"}, "names 2026-10-31, which contradicts"),
    "a version with one right and one wrong date": (
        {"version": "2026-11-01_from_2026.10.01"},
        "names 2026-10-01, which contradicts",
    ),
    "no symbols at all": ({"symbols": ...}, "symbols: missing – must be a list of symbols"),
    "an empty list of symbols": ({"symbols": []}, "symbols: a list with 0 item(s) – must name at least one symbol"),
    "an empty mapping of symbols": ({"symbols": {}}, "symbols: an object with 0 item(s) – must name at least one"),
    "symbols as one text": ({"symbols": "ETHUSDT"}, "symbols: 'ETHUSDT' – must be a list of symbols"),
    "no pool_size": ({"pool_size": ...}, "pool_size: missing – must be a whole number"),
    "a broken pool_size": ({"pool_size": 5.9}, "pool_size: 5.9 – must be a whole number"),
    "a pool_size that is nearly whole": ({"pool_size": 5.0}, "pool_size: 5.0 – must be a whole number"),
    "a pool_size as text": ({"pool_size": "5"}, "pool_size: '5' – must be a whole number"),
    "a pool_size that is true": ({"pool_size": True}, "pool_size: True – must be a whole number"),
    "a pool_size of another list": ({"pool_size": 6}, "pool_size: 6 – must be the number of symbols, which is 5"),
    "a pool_size beyond reason": ({"pool_size": 10**5000}, "pool_size: a number of more than 20 digits – must be"),
    "a symbol_map that is a list": (
        {"symbol_map": list(SYMBOLS)},
        "symbol_map: a list with 5 item(s) – must be",
    ),
    "a symbol_map without one symbol": (
        {"symbol_map": bases(SYMBOLS[:4])},
        "symbol_map.ETHUSDT.base_asset: missing – must be 'ETH'",
    ),
    "a base asset of another pair": (
        {"symbol_map": bases(SYMBOLS) | {"ETHUSDT": {"base_asset": "BTC"}}},
        "symbol_map.ETHUSDT.base_asset: 'BTC' – must be 'ETH'",
    ),
    "a base asset that is not given as an object": (
        {"symbol_map": bases(SYMBOLS) | {"ETHUSDT": "ETH"}},
        "symbol_map.ETHUSDT.base_asset: 'ETH' – must be 'ETH'",
    ),
    "a legacy mapping with another base asset": (
        {"symbols": bases(SYMBOLS) | {"ETHUSDT": {"base_asset": "BTC"}}},
        "symbols.ETHUSDT.base_asset: 'BTC' – must be 'ETH'",
    ),
    "a source project that is no text": ({"source_project": 7}, "source_project: 7 – must be text, or left out"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_each_breach_is_refused_with_field_value_and_fix(name: str) -> None:
    changed, text = REFUSALS[name]
    assert any(text in problem for problem in problems(payload(**changed)))


@pytest.mark.parametrize(
    ("symbol", "text"),
    [
        ("BTCUSDT", "symbols[1]: 'BTCUSDT' – BTC is held outside the pool (the core): leave it out"),
        ("BNBUSDT", "symbols[1]: 'BNBUSDT' – BNB is held outside the pool (fuel for fees): leave it out"),
        ("USDCUSDT", "symbols[1]: 'USDCUSDT' – USDC is a stablecoin or cash: leave it out"),
        ("FDUSDUSDT", "FDUSD is a stablecoin or cash"),
        ("USDTUSDT", "USDT is a stablecoin or cash"),
        ("ethusdt", "symbols[1]: 'ethusdt' – must be an upper-case USDT pair"),
        ("EthUSDT", "must be an upper-case USDT pair"),
        ("ETHBTC", "must be an upper-case USDT pair"),
        ("ETHUSDC", "must be an upper-case USDT pair"),
        ("USDT", "must be an upper-case USDT pair"),
        ("ETHUSDT ", "symbols[1]: 'ETHUSDT ' – must be an upper-case USDT pair"),
        ("ETHUSDT\n", "must be an upper-case USDT pair"),
        ("ETH/USDT", "must be an upper-case USDT pair"),
        ("\u0415THUSDT", "must be an upper-case USDT pair"),
        ("币安人生USDT", "must be an upper-case USDT pair"),
        (None, "symbols[1]: missing – must be an upper-case USDT pair"),
        (["ETHUSDT"], "symbols[1]: a list with 1 item(s) – must be an upper-case USDT pair"),
    ],
)
def test_a_symbol_that_may_not_be_in_a_pool_is_refused(symbol: object, text: str) -> None:
    document = payload(symbols=["TRXUSDT", symbol, "ADAUSDT", "ZECUSDT", "SOLUSDT"], symbol_map=...)
    assert [problem for problem in problems(document) if text in problem]
    assert len(problems(document)) == 1


@pytest.mark.parametrize("symbol", ["1INCHUSDT", "1000SATSUSDT", "SUSDT", "BTCDOMUSDT"])
def test_unusual_but_legal_pairs_are_accepted(symbol: str) -> None:
    symbols = (symbol, *SYMBOLS[1:])
    assert parse_pool(release(date(2026, 11, 1), symbols), TODAY, SETTINGS).symbols == symbols


def test_a_symbol_named_twice_is_refused_by_its_places() -> None:
    symbols = ["TRXUSDT", "SOLUSDT", "TRXUSDT", "ADAUSDT", "ETHUSDT"]
    found = problems(payload(symbols=symbols, symbol_map=...))
    assert found == ("symbols[2]: 'TRXUSDT' – repeats symbols[0]: name it once",)


def test_a_pool_of_another_size_than_expected_is_refused() -> None:
    four = payload(symbols=list(SYMBOLS[:4]), pool_size=4)
    assert problems(four) == ("pool_size: 4 – must be the expected size, which is 5",)
    assert parse_pool(four, TODAY, LadderSettings(expected_size=4)).symbols == SYMBOLS[:4]


@pytest.mark.parametrize("document", [None, [], "text", 5, b"{}", [payload()], float("nan")])
def test_what_is_not_an_object_is_refused(document: object) -> None:
    (only,) = problems(document)
    assert only.startswith("payload: ")
    assert only.endswith(" – must be a JSON object")


def test_all_faults_are_told_at_once() -> None:
    found = problems({"as_of_date": "x", "symbols": ["BTCUSDT"], "pool_size": "1"})
    assert [problem.split(":")[0] for problem in found] == ["as_of_date", "version", "mode", "symbols[0]", "pool_size"]


def test_a_flood_of_faults_is_counted_instead_of_listed() -> None:
    found = problems(payload(symbols=["x"] * 5000, pool_size=5000, symbol_map=...))
    assert len(found) == PROBLEMS_MAX + 1
    assert found[-1] == f"and {5001 - PROBLEMS_MAX} more problems"


@pytest.mark.parametrize("days", [0, 1, 45])
def test_up_to_the_limit_a_date_is_fresh(days: int) -> None:
    day = TODAY - timedelta(days=days)
    assert parse_pool(release(day), TODAY, SETTINGS).as_of_date == day


@pytest.mark.parametrize(
    "version", ["20261101", "2026-11-01", "r7-2026_11_01T0905", "core_major-33488353081", "v1.2.3", "v" * 100]
)
def test_a_version_that_does_not_contradict_the_date_is_accepted(version: str) -> None:
    assert parse_pool(payload(version=version), TODAY, SETTINGS).version == version


def test_the_legacy_mapping_is_accepted_in_its_order() -> None:
    backwards = tuple(reversed(SYMBOLS))
    pool = parse_pool(payload(symbols=bases(backwards)), TODAY, SETTINGS)
    assert pool.symbols == backwards


@pytest.mark.parametrize("absent", [{"symbol_map": ...}, {"symbol_map": {}}, {"source_project": ...}])
def test_what_the_contract_does_not_need_may_be_absent(absent: dict[str, Any]) -> None:
    assert parse_pool(payload(**absent), TODAY, SETTINGS).symbols == SYMBOLS


def test_unknown_fields_are_kept_and_change_nothing() -> None:
    more = {"generated_at": "2026-11-01T09:05:48+00:00", "selection_meta": {"ETHUSDT": {"current_rank": 5}}}
    pool = parse_pool(payload(**more), TODAY, SETTINGS)
    assert pool.extra == more
    assert (pool.symbols, pool.left_out) == (SYMBOLS, ())


def test_a_timestamp_beside_the_contract_is_kept_as_text() -> None:
    """Firestore hands over its timestamps as datetimes."""
    moment = datetime.fromisoformat("2026-11-01T09:05:48+00:00")
    assert parse_pool(payload(updated=moment), TODAY, SETTINGS).extra == {"updated": "2026-11-01T09:05:48+00:00"}


def nested(depth: int) -> Any:
    """A list that is `depth` lists deep."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize("value", [float("nan"), 2**63, "\ud800", b"x", nested(100_000), {1: 2}, "x" * EXTRA_BYTES_MAX])
def test_an_unknown_field_that_the_state_cannot_hold_is_left_out_by_name(value: object) -> None:
    pool = parse_pool(payload(odd=value, even=1), TODAY, SETTINGS)
    assert (pool.extra, pool.left_out) == ({"even": 1}, ("'odd'",))


@pytest.mark.parametrize("value", [1.5, -(2**63), 2**63 - 1, True, None, nested(EXTRA_DEPTH_MAX), {"a": [{}]}])
def test_an_unknown_field_of_any_json_is_kept(value: object) -> None:
    pool = parse_pool(payload(odd=value), TODAY, SETTINGS)
    assert (pool.extra, pool.left_out) == ({"odd": value}, ())


def deep_object(depth: int) -> Any:
    return {"a": deep_object(depth - 1)} if depth > 1 else {}


@pytest.mark.parametrize("deep", [nested, deep_object])
def test_one_level_too_deep_is_left_out(deep: Any) -> None:
    assert parse_pool(payload(odd=deep(EXTRA_DEPTH_MAX + 1)), TODAY, SETTINGS).left_out == ("'odd'",)
    assert parse_pool(payload(odd=deep(EXTRA_DEPTH_MAX)), TODAY, SETTINGS).left_out == ()


@pytest.mark.parametrize(("name", "shown"), [(5, "5"), ("\ud800", r"'\ud800'"), (None, "missing")])
def test_an_unknown_field_whose_name_is_no_text_is_left_out(name: object, shown: str) -> None:
    document: dict[Any, Any] = {**payload(), name: 1}
    assert parse_pool(document, TODAY, SETTINGS).left_out == (shown,)


def test_unknown_fields_share_one_room() -> None:
    """In the order given; what does not fit any more is named, what is smaller still gets in."""
    half = "x" * (EXTRA_BYTES_MAX // 2)
    pool = parse_pool(payload(a=half, b=half, c=1), TODAY, SETTINGS)
    assert (list(pool.extra), pool.left_out) == (["a", "c"], ("'b'",))
    exactly = "x" * (EXTRA_BYTES_MAX - len('["a", ""]'))
    assert parse_pool(payload(a=exactly), TODAY, SETTINGS).left_out == ()
    assert parse_pool(payload(a=exactly + "x"), TODAY, SETTINGS).left_out == ("'a'",)


@given(json_like())
def test_any_payload_parses_or_is_refused_with_a_reason(document: object) -> None:
    assert all(problems(document))


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), json_like() | st.just(...)))
def test_any_change_of_a_good_payload_parses_or_is_refused(changed: dict[str, Any]) -> None:
    found = faults(payload(**changed))
    assert all(fault.isprintable() and len(fault) < 300 for fault in found)
    assert found or len(parse_pool(payload(**changed), TODAY, SETTINGS).symbols) == SETTINGS.expected_size


@given(st.lists(st.from_regex(r"[A-Z0-9]{5,9}USDT", fullmatch=True), min_size=1, max_size=20, unique=True))
def test_the_order_of_the_symbols_is_the_publishers(symbols: list[str]) -> None:
    """Bases of five or more characters that happen to be stablecoins are left out of the trial."""
    listed = tuple(symbol for symbol in symbols if symbol not in {"FDUSDUSDT", "RLUSDUSDT", "PYUSDUSDT", "BFUSDUSDT"})
    for shape in (list(listed), bases(listed)):
        document = json.loads(json.dumps(payload(symbols=shape, symbol_map=bases(listed), pool_size=len(listed))))
        if listed:
            settings = LadderSettings(expected_size=len(listed))
            assert parse_pool(document, TODAY, settings).symbols == listed


@given(json_like())
def test_what_is_storable_survives_json_and_utf8(value: object) -> None:
    if storable(value):
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        assert json.loads(text.encode()) == json.loads(json.dumps(value))
