"""Fixtures: hand-written hours that are taken exactly, or refused with the path of what is wrong."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.simulated.fixtures import KNOWN_ANSWER, Fixture, FixtureMarket, FixturePoolSource, load_fixture
from runtime.domain.pool import Rung
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import MINUTE_MS, slot_date, slot_start_ms
from runtime.errors import BadPayload, Rejected, Unavailable
from runtime.ports import MarketData, PoolSource
from strategies.indicators import absolute_momentum, ahr999, relative_score

DOCUMENT: dict[str, Any] = json.loads((KNOWN_ANSWER / "fixture.json").read_text())


def loaded(document: Any) -> Fixture:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "fixture.json").write_text(json.dumps(document))
        return load_fixture(Path(folder))


def changed(path: str, value: Any) -> dict[str, Any]:
    """The shipped fixture with one value replaced, or removed where `value` is `...`."""
    document = copy.deepcopy(DOCUMENT)
    *outer, last = path.split(".")
    place = document
    for name in outer:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """The paths of all values and objects, the pool's content left out: that is the upstream's to write."""
    if path:
        yield path
    if isinstance(value, dict) and path != "pool":
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)


def test_the_known_answer_is_read_exactly() -> None:
    fixture = load_fixture(KNOWN_ANSWER)
    assert fixture.now == "2026-03-15T00Z"
    assert fixture.now_ms == slot_start_ms("2026-03-15T00Z") + 15 * MINUTE_MS
    assert fixture.account == {"USDT": Decimal(1000), "BNB": Decimal("0.1")}
    assert fixture.prices["XRPUSDT"] == Decimal("1.2")
    assert fixture.costs.fee == Decimal("0.001")
    assert fixture.costs.spread_bps == fixture.costs.slippage_bps == 0


def test_the_known_answers_indicators_select_ethereum_and_solana() -> None:
    fixture, settings = load_fixture(KNOWN_ANSWER), StrategySettings()
    facts = fixture.facts()
    assert facts.btc is not None
    assert not facts.missing
    scores = {symbol: relative_score(each, facts.btc, settings) for symbol, each in facts.symbols.items()}
    # ETH: (0.5 · 0.10 + 0.3 · 0.20 + 0.2 · 0.35) / 0.04 = 4.5; SOL: (0.025 + 0.045 + 0.06) / 0.05 = 2.6
    expected = {
        "ETHUSDT": 4.5,
        "SOLUSDT": 2.6,
        "XRPUSDT": 0.059 / 0.06,
        "BCHUSDT": 0.028 / 0.06,
        "LTCUSDT": -0.058 / 0.08,
    }
    assert scores == pytest.approx(expected)
    assert all((absolute_momentum(each, settings) or 0) > 0 for each in facts.symbols.values())
    assert ahr999(60000.0, facts.btc, settings, slot_date(fixture.now)) == pytest.approx(0.7)


def test_a_fixtures_market_has_its_prices_and_steps_and_no_candles() -> None:
    fixture = load_fixture(KNOWN_ANSWER)
    clock = SimulatedClock(fixture.now_ms)
    market: MarketData = FixtureMarket(fixture, clock)
    clock.sleep(2)
    asked, pairs = market.instruments(["ETHUSDT", "BTCUSDT"])
    assert asked == market.server_time_ms() == fixture.now_ms + 2000
    assert pairs["ETHUSDT"].step == Decimal("0.001")
    assert pairs["BTCUSDT"].step == Decimal("0.0001"), "the fixture's step, not the live one"
    assert pairs["ETHUSDT"].min_notional == 5
    assert pairs["ETHUSDT"].tradable
    assert market.prices() == fixture.prices
    assert list(market.candles("ETHUSDT", "1d", None, 700)) == []


def test_a_pair_that_the_fixture_does_not_price_is_unknown() -> None:
    market = FixtureMarket(load_fixture(KNOWN_ANSWER), SimulatedClock(0))
    with pytest.raises(Rejected, match="-1121"):
        market.instruments(["ETHUSDT", "DOGEUSDT"])
    with pytest.raises(Rejected, match="-1121"):
        market.candles("DOGEUSDT", "1d", None, 1)


def test_a_fixtures_pool_is_the_upstream_document() -> None:
    source: PoolSource = FixturePoolSource(load_fixture(KNOWN_ANSWER))
    assert source.rung is Rung.FRESH_UPSTREAM
    assert source.read() == DOCUMENT["pool"]
    with pytest.raises(Unavailable):
        FixturePoolSource(loaded(changed("pool", None))).read()


def test_what_a_fixture_leaves_out_is_missing_and_named() -> None:
    facts = loaded(changed("symbols.SOLUSDT.sma60", None)).facts()
    assert set(facts.missing) == {"SOLUSDT"}
    assert facts.symbols["SOLUSDT"].sma60 is None
    assert "BTCUSDT" in loaded(changed("btc", None)).facts().missing


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("account.USDT", 1000.5, "1000.5 – must be a decimal number written as text, never a float"),
        ("account.USDT", "-1", "greater than or equal to 0"),
        ("account.USDT", "NaN", "finite"),
        ("account.usdt", "1", "pattern"),
        ("prices.ETHUSDT", "0", "greater than 0"),
        ("prices.ETHBTC", "0.05", "pattern"),
        ("prices.ETHUSDT", True, "written as text"),
        ("btc.zscore", "1.2", "valid number"),
        ("btc.zscore", True, "valid number"),
        ("btc.zcore", 1.2, "Extra inputs"),
        ("symbols.ETHUSDT.sma21", 1.0, "Extra inputs"),
        ("symbols.ETHUSDT.age_days", 1.5, "valid integer"),
        ("steps.ETHUSDT", "0", "greater than 0"),
        ("steps.ETHUSDT", "0.000000001", "decimal places"),
        ("conditions.fee", "1", "less than 1"),
        ("conditions.bnb_discount", "yes", "valid boolean"),
        ("now", "noon", "UTC hour"),
        ("wallet", {}, "Extra inputs"),
        ("prices", ..., "Field required"),
        ("pool", [], "valid dictionary"),
    ],
)
def test_a_fault_is_named_by_path_value_and_fix(path: str, value: Any, text: str) -> None:
    with pytest.raises(BadPayload) as caught:
        loaded(changed(path, value))
    assert path in caught.value.field
    assert text in str(caught.value)
    if value is not ...:
        assert repr(value) in str(caught.value) or path.rpartition(".")[2] in str(caught.value)


def test_all_faults_are_named_at_once() -> None:
    document = changed("account.USDT", 1.5)
    document["now"] = "noon"
    with pytest.raises(BadPayload, match=r"now.*also: account\.USDT"):
        loaded(document)


def test_a_folder_without_a_fixture_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"fixture\.json"):
        load_fixture(tmp_path)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1e999999", "0.1", "1E+2"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)


@given(path=st.sampled_from(sorted(leaves(DOCUMENT))), value=ANYTHING)
def test_any_replaced_value_is_taken_or_refused_by_path(path: str, value: Any) -> None:
    """And what is taken can be used: facts and filters are made without a fault."""
    try:
        fixture = loaded(changed(path, value))
    except BadPayload as fault:
        refusal: BadPayload | None = fault
    else:
        refusal = None
        fixture.facts()
        FixtureMarket(fixture, SimulatedClock(0)).instruments(list(fixture.prices))
    assert refusal is None or path in refusal.field or "JSON" in refusal.fix or path.startswith("pool")
