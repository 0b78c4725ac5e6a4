"""Instruments: whatever the filters are, what may be sent meets all of them, and what may not is named."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from runtime.domain.instruments import Instrument, LotRule, buy_lots, parse_instrument, sell_lots
from runtime.errors import BadPayload

D = Decimal
SPARE = D("1.02")
off = st.just(D(0))
steps = st.sampled_from(["0.00000001", "0.00001", "0.003", "0.007", "0.01", "0.25", "1", "3", "1000"]).map(D)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Instrument, Decimal, Decimal]:
    """A pair, a quantity and a price: every bound lies within some steps of what the quantity meets."""

    def some(least: int, most: int) -> Decimal:
        return unit * draw(st.integers(least, most)) / 4

    def rule(step: Decimal) -> LotRule:
        largest = draw(st.one_of(off, st.builds(lambda: some(1, 400))))
        return LotRule(
            draw(st.one_of(off, st.builds(lambda: some(0, 40)))), largest, draw(st.sampled_from([D(0), step]))
        )

    unit = draw(steps)
    instrument = Instrument(
        "ETHUSDT",
        "ETH",
        "USDT",
        lot=rule(unit),
        market_lot=rule(unit * draw(st.sampled_from([D("0.5"), D(1), D(2), D("1.5")]))),
        min_notional=draw(st.sampled_from([D(0), D(5), D(10)])),
        max_notional=draw(st.one_of(off, st.integers(20, 900).map(D))),
        max_position=draw(st.one_of(off, st.builds(lambda: some(1, 4000)))),
        base_precision=draw(st.sampled_from([8, 8, 10, 0])),
    )
    price = draw(st.decimals(min_value=D("0.1"), max_value=20, places=4)) / unit
    return instrument, some(0, 4000), price


def breaches(instrument: Instrument, quantity: Decimal, price: Decimal) -> list[str]:
    """The filters a market order would break, by the exchange's own rules, with exact fractions."""
    broken = []
    q, value = Fraction(quantity), Fraction(quantity) * Fraction(price)
    for name, rule in (("LOT_SIZE", instrument.lot), ("MARKET_LOT_SIZE", instrument.market_lot)):
        if rule.min_qty > 0 and q < rule.min_qty:
            broken.append(f"{name} minQty")
        if rule.max_qty > 0 and q > rule.max_qty:
            broken.append(f"{name} maxQty")
        if rule.step > 0 and (q / Fraction(rule.step)).denominator != 1:
            broken.append(f"{name} stepSize")
    if (q * 10**instrument.base_precision).denominator != 1:
        broken.append("precision")
    if value < Fraction(instrument.min_notional) * Fraction(SPARE):
        broken.append("NOTIONAL min")
    if instrument.max_notional > 0 and value > Fraction(instrument.max_notional) * Fraction(98, 100):
        broken.append("NOTIONAL max")
    if q <= 0:
        broken.append("nothing")
    return broken


@settings(max_examples=400)
@given(cases())
def test_every_part_of_a_sale_meets_every_filter_and_no_more_is_sold_than_held(
    case: tuple[Instrument, Decimal, Decimal],
) -> None:
    instrument, quantity, price = case
    lots = sell_lots(instrument, quantity, price)
    assert [breaches(instrument, part, price) for part in lots.parts] == [[] for _ in lots.parts]
    assert lots.total <= quantity
    assert len(lots.parts) <= 20
    assert bool(lots.parts) != bool(lots.filter)
    event(f"{min(len(lots.parts), 3)} parts, refused by {lots.filter}")


@settings(max_examples=400)
@given(cases())
def test_a_sale_leaves_nothing_that_an_order_could_still_sell(case: tuple[Instrument, Decimal, Decimal]) -> None:
    """Counter-check by the exchange's rules alone: of what is left, the whole and its largest legal part are tried."""
    instrument, quantity, price = case
    lots = sell_lots(instrument, quantity, price)
    step, rest = Fraction(instrument.step), Fraction(quantity) - Fraction(lots.total)
    caps = [Fraction(rule.max_qty) for rule in (instrument.lot, instrument.market_lot) if rule.max_qty > 0]
    if instrument.max_notional > 0:
        caps.append(Fraction(instrument.max_notional) * Fraction(98, 100) / Fraction(price))
    largest = min([rest, *caps]) // step * step
    left_over = breaches(instrument, D(largest.numerator) / D(largest.denominator), price)
    assert left_over or len(lots.parts) == 20
    event(f"{min(len(lots.parts), 3)} parts, the rest breaks {left_over[:1]}")


@settings(max_examples=400)
@given(cases(), st.decimals(min_value=0, max_value=2, places=6), st.integers(0, 30))
def test_a_purchase_meets_every_filter_and_never_costs_more_than_its_budget(
    case: tuple[Instrument, Decimal, Decimal], off_by: Decimal, held_steps: int
) -> None:
    instrument, quantity, price = case
    budget, held = quantity * price * off_by, held_steps * instrument.step
    lots = buy_lots(instrument, budget, price, held)
    assert [breaches(instrument, part, price) for part in lots.parts] == [[] for _ in lots.parts]
    assert Fraction(lots.total) * Fraction(price) <= Fraction(budget)
    assert len(lots.parts) <= 1
    assert bool(lots.parts) != bool(lots.filter)
    if lots.parts and instrument.max_position > 0:
        assert held + lots.total <= instrument.max_position
    event(f"bought {len(lots.parts)}, refused by {lots.filter}")


@given(cases())
def test_a_purchase_spends_its_budget_but_for_a_step_where_no_cap_binds(
    case: tuple[Instrument, Decimal, Decimal],
) -> None:
    instrument, quantity, price = case
    free = replace(
        instrument, lot=LotRule(step=instrument.lot.step), market_lot=LotRule(), max_notional=D(0), max_position=D(0)
    )
    budget = quantity * price
    lots = buy_lots(replace(free, min_notional=D(0)), budget, price, D(0))
    assert (Fraction(lots.total) + Fraction(free.step)) * Fraction(price) > Fraction(budget)


@settings(max_examples=400)
@given(cases())
def test_what_the_filters_let_a_single_order_do_is_not_refused(case: tuple[Instrument, Decimal, Decimal]) -> None:
    instrument, quantity, price = case
    whole = Fraction(quantity) // Fraction(instrument.step) * Fraction(instrument.step)
    exact = D(whole.numerator) / D(whole.denominator)
    if not breaches(instrument, exact, price):
        assert sell_lots(instrument, quantity, price).parts == (exact,)
    event("legal" if not breaches(instrument, exact, price) else "not")


def pair(**changed: Any) -> Instrument:
    return replace(Instrument("ETHUSDT", "ETH", "USDT", lot=LotRule(D("0.001"), D(100), D("0.001"))), **changed)


def test_a_sale_over_the_cap_is_split_into_even_parts() -> None:
    assert sell_lots(pair(), D("250.0009"), D(10)).parts == (D("83.334"), D("83.333"), D("83.333"))
    assert sell_lots(pair(), D(200), D(10)).parts == (D(100), D(100))


def test_a_split_leaves_no_part_too_small_while_another_could_spare_some() -> None:
    wide = pair(lot=LotRule(D(3), D(4), D(1)))
    assert sell_lots(wide, D(10), D(10)).parts == (D(4), D(3), D(3))
    assert sell_lots(wide, D(9), D(10)).parts == (D(3), D(3), D(3))


def test_where_even_parts_would_all_be_too_small_there_is_one_fewer() -> None:
    narrow = pair(lot=LotRule(D(3), D(4), D(1)))
    assert sell_lots(narrow, D(5), D(10)).parts == (D(4),)


def test_a_sale_of_more_than_twenty_parts_leaves_the_rest_for_the_next_hour() -> None:
    lots = sell_lots(pair(), D(2500), D(10))
    assert lots.parts == (D(100),) * 20


def test_the_largest_notional_splits_a_sale_and_cuts_a_purchase() -> None:
    capped = pair(max_notional=D(1000))
    assert sell_lots(capped, D(100), D(20)).parts == (D("33.334"), D("33.333"), D("33.333"))
    assert buy_lots(capped, D(5000), D(20), D(0)).parts == (D(49),)


def test_steps_that_do_not_divide_each_other_give_their_common_multiple() -> None:
    odd = pair(lot=LotRule(step=D("0.002")), market_lot=LotRule(step=D("0.003")))
    assert odd.step == D("0.006")
    assert sell_lots(odd, D("0.0299"), D(1000)).parts == (D("0.024"),)


@pytest.mark.parametrize(
    ("lot_step", "precision", "quantity", "sold"),
    [
        ("1", 8, "1234.9", "1234"),
        ("1000", 8, "123999.9", "123000"),
        ("1000", 0, "999", None),
        ("0", 8, "1.123456789", "1.12345678"),
        ("0", 0, "1.9", "1"),
        ("0.1", 8, "0.3", "0.3"),
    ],
)
def test_pairs_of_unusual_precision_are_floored_to_their_step(
    lot_step: str, precision: int, quantity: str, sold: str | None
) -> None:
    odd = pair(lot=LotRule(step=D(lot_step)), base_precision=precision)
    assert sell_lots(odd, D(quantity), D(10)).parts == ((D(sold),) if sold else ())


@pytest.mark.parametrize(
    ("changed", "quantity", "name", "numbers"),
    [
        ({}, "0.0009", "LOT_SIZE", {"quantity": "0", "min": "0.001"}),
        ({"market_lot": LotRule(D("0.5"))}, "0.4999", "LOT_SIZE", {"quantity": "0.499", "min": "0.5"}),
        ({"min_notional": D(5)}, "0.509", "NOTIONAL", {"notional": "5.09", "min": "5.1"}),
        ({"market_lot": LotRule(D(0), D("0.0004"))}, "2", "MARKET_LOT_SIZE", {"quantity": "2", "max": "0.0004"}),
    ],
)
def test_a_sale_the_filters_forbid_names_the_filter_and_what_it_compared(
    changed: dict[str, Any], quantity: str, name: str, numbers: dict[str, str]
) -> None:
    lots = sell_lots(pair(**changed), D(quantity), D(10))
    assert (lots.parts, lots.filter, lots.numbers) == ((), name, numbers)


def test_a_notional_needs_two_hundredths_to_spare() -> None:
    small = pair(min_notional=D(5))
    assert sell_lots(small, D("0.51"), D(10)).parts == (D("0.51"),)
    assert buy_lots(small, D("5.09"), D(10), D(0)).filter == "NOTIONAL"
    assert buy_lots(small, D("5.1"), D(10), D(0)).parts == (D("0.51"),)


def test_a_purchase_stops_at_the_largest_position() -> None:
    limited = pair(max_position=D(3))
    assert buy_lots(limited, D(1000), D(10), D("2.5")).parts == (D("0.5"),)
    assert buy_lots(limited, D(1000), D(10), D(3)).filter == "MAX_POSITION"
    assert sell_lots(limited, D(50), D(10)).parts == (D(50),)


@pytest.mark.parametrize("price", [D(0), D(-1)])
def test_without_a_price_above_zero_nothing_is_sent(price: Decimal) -> None:
    assert sell_lots(pair(), D(1), price).filter == "PRICE"
    assert buy_lots(pair(), D(100), price, D(0)).filter == "PRICE"


@pytest.mark.parametrize("budget", [D(0), D(-5), D("0.000001")])
def test_a_budget_of_nothing_buys_nothing(budget: Decimal) -> None:
    assert buy_lots(pair(), budget, D(10), D(0)).parts == ()


def filters(**more: dict[str, Any]) -> list[dict[str, Any]]:
    """BTCUSDT's filters as captured live in 2026; `more` replaces or adds, an empty one removes."""
    live: dict[str, dict[str, Any]] = {
        "PRICE_FILTER": {"minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000"},
        "LOT_SIZE": {"minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
        "MARKET_LOT_SIZE": {"minQty": "0.00000000", "maxQty": "141.67845966", "stepSize": "0.00000000"},
        "NOTIONAL": {
            "minNotional": "5.00000000",
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        "TRAILING_DELTA": {"minTrailingAboveDelta": 10},
    }
    return [{"filterType": name, **body} for name, body in (live | more).items() if body]


def row(**changed: Any) -> dict[str, Any]:
    base = {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "baseAsset": "BTC",
        "baseAssetPrecision": 8,
        "quoteAsset": "USDT",
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS"],
        "isSpotTradingAllowed": True,
        "permissions": [],
        "filters": filters(),
    }
    return base | changed


def test_a_live_row_becomes_an_instrument() -> None:
    assert parse_instrument(row()) == Instrument(
        "BTCUSDT",
        "BTC",
        "USDT",
        lot=LotRule(D("0.00001"), D(9000), D("0.00001")),
        market_lot=LotRule(D(0), D("141.67845966"), D(0)),
        min_notional=D(5),
    )
    parsed = parse_instrument(row())
    assert parsed.tradable
    assert (parsed.step, parsed.min_qty, parsed.max_qty) == (D("0.00001"), D("0.00001"), D("141.67845966"))
    assert sell_lots(parsed, D(200), D(60000)).parts == (D(100), D(100))


def test_filters_nobody_knows_yet_are_ignored() -> None:
    unknown: dict[str, Any] = {"limit": {"deep": [1, None]}, "minQty": "not a number"}
    assert parse_instrument(row(filters=filters(T_PLUS_SELL=unknown))) == parse_instrument(row())


def test_a_pair_without_filters_has_only_its_precision() -> None:
    bare = parse_instrument(row(filters=[], baseAssetPrecision=3))
    assert (bare.step, bare.min_qty, bare.max_qty, bare.min_notional) == (D("0.001"), D(0), None, D(0))


OLDER = {"minNotional": "10.0", "applyToMarket": True, "avgPriceMins": 5}
NEWER = {"minNotional": "5", "applyMinToMarket": True, "maxNotional": "900", "applyMaxToMarket": True}


@pytest.mark.parametrize(
    ("notional", "older", "least", "most"),
    [
        ({}, {}, 0, 0),
        ({}, OLDER, 10, 0),
        ({}, OLDER | {"applyToMarket": False}, 0, 0),
        (NEWER, {}, 5, 900),
        (NEWER, OLDER, 10, 900),
        (NEWER | {"minNotional": "50"}, OLDER, 50, 900),
        (NEWER | {"applyMinToMarket": False}, {}, 0, 900),
        (NEWER | {"applyMaxToMarket": False}, {}, 5, 0),
        (NEWER | {"applyMinToMarket": False}, OLDER, 10, 900),
    ],
)
def test_the_notional_filters_count_where_they_apply_to_market_orders(
    notional: dict[str, Any], older: dict[str, Any], least: int, most: int
) -> None:
    parsed = parse_instrument(row(filters=filters(NOTIONAL=notional, MIN_NOTIONAL=older)))
    assert (parsed.min_notional, parsed.max_notional) == (D(least), D(most))


def test_the_largest_position_is_read() -> None:
    assert parse_instrument(row(filters=filters(MAX_POSITION={"maxPosition": "10.5"}))).max_position == D("10.5")


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "HALT"},
        {"status": "CANCEL_ONLY"},
        {"orderTypes": ["LIMIT"]},
        {"orderTypes": []},
        {"isSpotTradingAllowed": False},
        {"isSpotTradingAllowed": None},
    ],
)
def test_a_pair_that_takes_no_market_orders_now_is_not_tradable(changed: dict[str, Any]) -> None:
    assert not parse_instrument(row(**changed)).tradable


MISSING = object()
LOT = {"minQty": "0.001", "maxQty": "100", "stepSize": "0.001"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"symbol": MISSING}, "exchangeInfo symbol: None – must be a non-empty text"),
        ({"symbol": 7}, "exchangeInfo symbol: 7 – must be a non-empty text"),
        ({"baseAsset": ""}, "exchangeInfo BTCUSDT baseAsset: '' – must be a non-empty text"),
        ({"quoteAsset": None}, "exchangeInfo BTCUSDT quoteAsset: None – must be a non-empty text"),
        ({"status": MISSING}, "exchangeInfo BTCUSDT status: None – must be a non-empty text"),
        ({"filters": MISSING}, "exchangeInfo BTCUSDT filters: None – must be a list of objects"),
        ({"filters": {"LOT_SIZE": {}}}, "exchangeInfo BTCUSDT filters: {'LOT_SIZE': {}} – must be a list of objects"),
        ({"filters": ["LOT_SIZE"]}, "exchangeInfo BTCUSDT filters: ['LOT_SIZE'] – must be a list of objects"),
        ({"orderTypes": "MARKET"}, "exchangeInfo BTCUSDT orderTypes: 'MARKET' – must be a list"),
        ({"orderTypes": None}, "exchangeInfo BTCUSDT orderTypes: None – must be a list"),
        ({"baseAssetPrecision": "8"}, "baseAssetPrecision: '8' – must be an integer between 0 and 18"),
        ({"baseAssetPrecision": 8.0}, "baseAssetPrecision: 8.0 – must be an integer between 0 and 18"),
        ({"baseAssetPrecision": True}, "baseAssetPrecision: True – must be an integer between 0 and 18"),
        ({"baseAssetPrecision": -1}, "baseAssetPrecision: -1 – must be an integer between 0 and 18"),
        ({"baseAssetPrecision": 19}, "baseAssetPrecision: 19 – must be an integer between 0 and 18"),
        (
            {"filters": filters(LOT_SIZE=LOT | {"stepSize": 0.001})},
            "exchangeInfo BTCUSDT LOT_SIZE stepSize: 0.001 – must be a decimal number written as text, never a float",
        ),
        (
            {"filters": filters(LOT_SIZE={"minQty": "0.001", "maxQty": "100"})},
            "exchangeInfo BTCUSDT LOT_SIZE stepSize: None – must be a decimal number",
        ),
        (
            {"filters": filters(MARKET_LOT_SIZE=LOT | {"maxQty": "-1"})},
            "exchangeInfo BTCUSDT MARKET_LOT_SIZE maxQty: '-1' – must not be negative",
        ),
        (
            {"filters": filters(LOT_SIZE=LOT | {"minQty": "NaN"})},
            "exchangeInfo BTCUSDT LOT_SIZE minQty: 'NaN' – must be a finite number",
        ),
        (
            {"filters": filters(NOTIONAL={"minNotional": "five"})},
            "exchangeInfo BTCUSDT NOTIONAL minNotional: 'five' – must be a decimal number written as text",
        ),
        (
            {"filters": filters(MIN_NOTIONAL={"applyToMarket": True})},
            "exchangeInfo BTCUSDT MIN_NOTIONAL minNotional: None – must be a decimal number",
        ),
        (
            {"filters": filters(MAX_POSITION={"maxPosition": []})},
            "exchangeInfo BTCUSDT MAX_POSITION maxPosition: [] – must be a decimal number",
        ),
    ],
)
def test_a_malformed_row_is_one_error_that_names_pair_field_value_and_fix(changed: dict[str, Any], said: str) -> None:
    malformed = {key: value for key, value in row(**changed).items() if value is not MISSING}
    with pytest.raises(BadPayload) as caught:
        parse_instrument(malformed)
    assert said in str(caught.value)


@pytest.mark.parametrize("malformed", [None, [], "BTCUSDT", 7])
def test_a_row_that_is_no_object_is_one_error_too(malformed: Any) -> None:
    with pytest.raises(BadPayload, match=r"exchangeInfo: .* – each symbol must be an object"):
        parse_instrument(malformed)
