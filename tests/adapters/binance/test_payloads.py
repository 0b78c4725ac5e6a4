"""JSON to domain values: to the last digit, and with the field named where it is wrong."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters.binance.payloads import (
    is_shadow,
    parse_account,
    parse_candles,
    parse_instruments,
    parse_order,
    parse_prices,
)
from runtime.domain.api_key import account_digest
from runtime.domain.market import Balance, Candle
from runtime.domain.orders import Fill, Order, Side
from runtime.errors import BadPayload
from tests.support.recordings import recording

LISTED = frozenset({"BTCUSDT", "BNBUSDT", "LDOUSDT", "OUSDT"})


def test_prices_are_exact_to_the_last_digit() -> None:
    prices = parse_prices(recording("binance/ticker_price"))
    assert prices["BTCUSDT"] == Decimal("94123.45")
    assert len(prices) == 6


BAD_PRICES = [
    *({"symbol": "A", "price": price} for price in (None, "NaN", 1.5, "0.0", "-1", "")),
    *({}, None, "x", {"symbol": 7, "price": "1"}),
]


@pytest.mark.parametrize("row", BAD_PRICES, ids=repr)
def test_one_bad_price_leaves_the_others(row: object) -> None:
    assert list(parse_prices([row, {"symbol": "BTCUSDT", "price": "1"}])) == ["BTCUSDT"]


@pytest.mark.parametrize("payload", [None, [], {}, "", [{"symbol": "A"}]])
def test_no_price_at_all_is_a_bad_payload(payload: object) -> None:
    with pytest.raises(BadPayload, match="prices"):
        parse_prices(payload)


def test_pairs_carry_server_time_and_filters() -> None:
    server_ms, pairs = parse_instruments(recording("binance/exchange_info"))
    assert server_ms == 1_795_338_000_123
    assert pairs["BTCUSDT"].step == Decimal("0.00001")
    assert pairs["BTCUSDT"].max_qty == Decimal("141.67845966")
    assert not pairs["BNBUSDT"].tradable


def test_one_malformed_pair_leaves_the_others() -> None:
    payload = recording("binance/exchange_info")
    payload["symbols"][0]["filters"][1]["stepSize"] = None
    assert list(parse_instruments(payload)[1]) == ["BNBUSDT"]
    payload["symbols"][1]["filters"] = "none"
    with pytest.raises(BadPayload, match="BNBUSDT filters"):
        parse_instruments(payload)


def test_klines_become_candles_the_open_one_included() -> None:
    candles = parse_candles(recording("binance/klines"), "BTCUSDT")
    assert candles[0] == Candle(1795132800000, 93000.1, 94000.0, 92500.5, 93800.0, 1500.25, 140012345.67)
    assert len(candles) == 3


@pytest.mark.parametrize(
    ("column", "value", "name"),
    [
        (0, "1795219200000", "open time"),
        (0, True, "open time"),
        (1, "NaN", "open"),
        (2, "Infinity", "high"),
        (3, None, "low"),
        (4, "", "close"),
        (5, [], "volume"),
        (7, "twelve", "quote volume"),
    ],
)
def test_a_malformed_kline_is_named_with_row_and_column(column: int, value: object, name: str) -> None:
    rows = recording("binance/klines")
    rows[1][column] = value
    with pytest.raises(BadPayload, match=rf"BTCUSDT klines row 1 {name}: "):
        parse_candles(rows, "BTCUSDT")


@pytest.mark.parametrize("payload", [None, {}, "rows", [{}], ["12345678"], [[1, "1"]], [None]])
def test_klines_of_another_shape_are_a_bad_payload(payload: object) -> None:
    with pytest.raises(BadPayload, match="BTCUSDT klines"):
        parse_candles(payload, "BTCUSDT")


def test_the_account_keeps_coins_and_drops_zeros_and_shadows() -> None:
    account = parse_account(recording("binance/account"), LISTED)
    assert account.balances == {
        "BTC": Balance(Decimal("0.01234567")),
        "USDT": Balance(Decimal("1500.00000001"), Decimal("20.5")),
        "LDO": Balance(Decimal(42)),
    }
    assert account.can_trade


def test_whose_account_it_is_is_told_by_a_digest_of_its_number() -> None:
    payload = recording("binance/account")
    whose = {}
    for uid in (354937868, "354937868", 354937869, None):
        whose[uid] = parse_account({**payload, "uid": uid}, LISTED).digest
    assert whose[354937868] == whose["354937868"] == account_digest("354937868")
    assert len({*whose.values()}) == 3
    assert whose[None] == ""
    payload.pop("uid", None)
    assert parse_account(payload, LISTED).digest == ""


@pytest.mark.parametrize("uid", [True, 354937868.5, "", " ", [354937868], {"id": 354937868}])
def test_a_number_of_another_shape_spoils_the_account_and_is_not_shown(uid: object) -> None:
    with pytest.raises(BadPayload, match="account uid") as caught:
        parse_account({**recording("binance/account"), "uid": uid}, LISTED)
    assert "354937868" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "shadow"),
    [
        ("LDUSDT", True),
        ("LDBTC", True),
        ("LDO", False),
        ("LD", False),
        ("BTC", False),
        ("LDNEW", False),
        ("LDFDUSD", True),
    ],
)
def test_a_shadow_is_the_name_of_a_known_asset_after_ld_that_is_no_coin_itself(*, name: str, shadow: bool) -> None:
    """LDO is listed, although O is too; LDNEW is kept, because nothing says that NEW exists."""
    assert is_shadow(name, LISTED) is shadow


BAD_BALANCES = [(field, value) for field in ("free", "locked") for value in (None, 1.5, "NaN", "-1", "")]


@pytest.mark.parametrize(("field", "value"), [*BAD_BALANCES, ("asset", None), ("asset", 1.5), ("asset", "")])
def test_one_malformed_balance_spoils_the_account(field: str, value: object) -> None:
    payload = recording("binance/account")
    payload["balances"][1][field] = value
    with pytest.raises(BadPayload, match=field):
        parse_account(payload, LISTED)


def test_an_order_and_its_fills_are_exact() -> None:
    assert parse_order(recording("binance/order_full"), "order") == Order(
        symbol="BTCUSDT",
        order_id=28,
        client_id="bp1a2b3-26112109-tB0-BTCUSDT",
        side=Side.BUY,
        status="FILLED",
        executed_qty=Decimal("0.003"),
        quote_qty=Decimal("282.38025"),
        time_ms=1795338001234,
        fills=(
            Fill(56, Decimal("94123.45"), Decimal("0.001"), Decimal("0.000001"), "BTC"),
            Fill(57, Decimal("94128.4"), Decimal("0.002"), Decimal("0.00023001"), "BNB"),
        ),
    )


def test_a_looked_up_order_is_the_same_without_fills() -> None:
    sent, found = (parse_order(recording(f"binance/{name}"), "order") for name in ("order_full", "order_query"))
    assert found.fills == ()
    assert (found.order_id, found.quote_qty, found.time_ms) == (sent.order_id, sent.quote_qty, sent.time_ms)


def test_a_negative_quote_quantity_is_replaced_by_what_the_fills_say() -> None:
    payload = recording("binance/order_full")
    payload["cummulativeQuoteQty"] = "-1.00000000"
    assert parse_order(payload, "order").quote_qty == Decimal("282.38025")


FIELDS = ["symbol", "orderId", "clientOrderId", "side", "status", "executedQty", "cummulativeQuoteQty", "transactTime"]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [None, [], {}, 1.5, ""])
def test_an_order_with_a_wrong_field_is_a_bad_payload(field: str, value: object) -> None:
    payload = recording("binance/order_full")
    payload[field] = value
    with pytest.raises(BadPayload, match=field):
        parse_order(payload, "order")


@pytest.mark.parametrize("field", FIELDS[:-1])
def test_an_order_without_a_field_is_a_bad_payload(field: str) -> None:
    payload = recording("binance/order_full")
    del payload[field]
    with pytest.raises(BadPayload, match=field):
        parse_order(payload, "order")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*FIELDS, "balances", "asset"]), inner),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_parsed_or_refused_by_name(payload: Any) -> None:
    for parse in (
        parse_prices,
        parse_instruments,
        lambda p: parse_candles(p, "X"),
        lambda p: parse_order(p, "order"),
        lambda p: parse_account(p, ()),
    ):
        with suppress(BadPayload):
            parse(payload)
