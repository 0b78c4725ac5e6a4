"""Binance's JSON as domain values: every number exact, every surprise a `BadPayload` that names row and field.

Two attitudes, on purpose. Where one row stands alone (a price, a pair), a malformed row is left out: what is missing
stops only the trades that depend on it. Where rows make up a whole (the account, orders, fills, Earn), one malformed
row spoils the whole, because a sum of what could be read would be a guess.

`LD` balances are Earn's shadows: `LDUSDT` repeats what the Earn position says, so counting it would double the money.
But `LDO` is a coin. A row is a shadow only if the rest of its name is an asset of the price list (or a stablecoin), and
the full name is not one itself. The price list alone decides, so that the answer does not depend on the order of calls.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from runtime.domain.api_key import account_digest
from runtime.domain.instruments import Instrument, parse_instrument
from runtime.domain.market import Account, Balance, Candle
from runtime.domain.money import STABLECOINS, ZERO, parse_decimal
from runtime.domain.orders import Fill, Order, Side
from runtime.errors import BadInput, BadPayload

Row = Mapping[str, Any]
_QUOTES = ("USDT", "USDC", "FDUSD", "BTC", "BNB", "ETH", "TRY", "EUR")
_CANDLE_COLUMNS = ("open time", "open", "high", "low", "close", "volume", "close time", "quote volume")


def as_object(payload: object, where: str) -> Row:
    """`payload`, if it is a JSON object."""
    if not isinstance(payload, dict):
        raise BadPayload(where, payload, "must be an object")
    return payload


def as_rows(payload: object, where: str) -> Sequence[Row]:
    """`payload`, if it is a list of objects."""
    if not isinstance(payload, list) or not all(isinstance(row, dict) for row in payload):
        raise BadPayload(where, payload, "must be a list of objects")
    return payload


def text(row: Row, key: str, where: str) -> str:
    """A non-empty text."""
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise BadPayload(f"{where} {key}", value, "must be a non-empty text")
    return value


def integer(row: Row, key: str, where: str) -> int:
    """An integer; older answers write some of them as text."""
    value = row.get(key)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadPayload(f"{where} {key}", value, "must be an integer")
    return value


def flag(row: Row, key: str, where: str) -> bool:
    """A boolean."""
    value = row.get(key)
    if not isinstance(value, bool):
        raise BadPayload(f"{where} {key}", value, "must be true or false")
    return value


def number(row: Row, key: str, where: str) -> Decimal:
    """A finite number; JSON floats are refused, because they are not exact."""
    try:
        return parse_decimal(row.get(key), f"{where} {key}")
    except BadInput as error:
        raise BadPayload(error.field, error.value, error.fix) from None


def amount(row: Row, key: str, where: str) -> Decimal:
    """A number that is not negative."""
    value = number(row, key, where)
    if value < 0:
        raise BadPayload(f"{where} {key}", row.get(key), "must not be negative")
    return value


def parse_prices(payload: object) -> dict[str, Decimal]:
    """Last prices by symbol; rows without a positive price are left out. `BadPayload` if that leaves none."""
    prices: dict[str, Decimal] = {}
    for row in payload if isinstance(payload, list) else ():
        try:
            price = parse_decimal(row["price"], "price")
            if price > 0 and isinstance(row["symbol"], str):
                prices[row["symbol"]] = price
        except (BadInput, KeyError, TypeError):
            continue
    if not prices:
        raise BadPayload("prices", payload, "must be a list of objects with symbol and price")
    return prices


def parse_instruments(payload: object) -> tuple[int, dict[str, Instrument]]:
    """Server time and pairs of an exchangeInfo; malformed pairs are left out. `BadPayload` if that leaves none."""
    info = as_object(payload, "exchangeInfo")
    server_ms = integer(info, "serverTime", "exchangeInfo")
    pairs: dict[str, Instrument] = {}
    fault: BadInput | None = None
    for row in as_rows(info.get("symbols"), "exchangeInfo symbols"):
        try:
            pair = parse_instrument(row)
            pairs[pair.symbol] = pair
        except BadInput as error:
            fault = error
    if fault and not pairs:
        raise BadPayload(fault.field, fault.value, fault.fix)
    return server_ms, pairs


def parse_candles(payload: object, symbol: str) -> list[Candle]:
    """Klines; a malformed row is named with its column. Whether they make a series is for the domain to judge."""
    if not isinstance(payload, list):
        raise BadPayload(f"{symbol} klines", payload, "must be a list of rows")
    candles = []
    for index, row in enumerate(payload):
        candle = _candle(row) if isinstance(row, list) else None
        if candle is None:
            raise _bad_candle(row, f"{symbol} klines row {index}")
        candles.append(candle)
    return candles


def _candle(row: list[Any]) -> Candle | None:
    try:
        opened, first, high, low, last, volume, _, quote = row[:8]
        values = (float(first), float(high), float(low), float(last), float(volume), float(quote))
    except (TypeError, ValueError):
        return None
    if type(opened) is not int or not math.isfinite(sum(values)):
        return None
    return Candle(opened, *values)


def _bad_candle(row: object, where: str) -> BadPayload:
    if not isinstance(row, list) or len(row) < len(_CANDLE_COLUMNS):
        return BadPayload(where, row, f"must be a list of at least {len(_CANDLE_COLUMNS)} columns")
    for index, column in enumerate(_CANDLE_COLUMNS):
        if index in {0, 6}:
            if type(row[index]) is not int:
                return BadPayload(f"{where} {column}", row[index], "must be epoch milliseconds")
        elif not _finite(row[index]):
            return BadPayload(f"{where} {column}", row[index], "must be a finite number")
    return BadPayload(where, row, "must be finite in sum")


def _finite(value: Any) -> bool:  # noqa: ANN401 - anything a JSON row may hold
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def parse_account(payload: object, symbols: Collection[str]) -> Account:
    """The spot account; the listed `symbols` tell shadows from coins."""
    body = as_object(payload, "account")
    balances: dict[str, Balance] = {}
    for index, row in enumerate(as_rows(body.get("balances"), "account balances")):
        asset = text(row, "asset", f"account balances row {index}")
        where = f"account {asset}"
        balance = Balance(amount(row, "free", where), amount(row, "locked", where))
        if balance.total and not is_shadow(asset, symbols):
            balances[asset] = balance
    return Account(balances, flag(body, "canTrade", "account"), _whose(body.get("uid")))


def _whose(uid: object) -> str:
    """Whose account it is. A test net may leave the number out; a shape that is not documented is nobody's guess."""
    if uid is None:
        return ""
    if isinstance(uid, bool) or not isinstance(uid, int | str) or not str(uid).strip():
        raise BadPayload("account uid", type(uid).__name__, "must be a number")  # the number itself is shown nowhere
    return account_digest(str(uid).strip())


def is_shadow(name: str, symbols: Collection[str]) -> bool:
    """Whether a balance is Earn's shadow of another asset (module docstring)."""
    rest = name.removeprefix("LD")
    if rest in {name, ""} or _listed(name, symbols):
        return False
    return rest in STABLECOINS or _listed(rest, symbols)


def _listed(asset: str, symbols: Collection[str]) -> bool:
    return any(asset + quote in symbols for quote in _QUOTES)


def parse_order(payload: object, where: str) -> Order:
    """An order from any of Binance's answers; the fills are those it carries (only `POST order` does).

    A negative `cummulativeQuoteQty` means "not available": the fills then say what was paid.
    """
    row = as_object(payload, where)
    side = text(row, "side", where)
    if side not in Side.__members__:
        raise BadPayload(f"{where} side", side, "must be BUY or SELL")
    fills = tuple(
        parse_fill(fill, "tradeId", f"{where} fill") for fill in as_rows(row.get("fills", []), f"{where} fills")
    )
    quote = number(row, "cummulativeQuoteQty", where)
    return Order(
        symbol=text(row, "symbol", where),
        order_id=integer(row, "orderId", where),
        client_id=text(row, "clientOrderId", where),
        side=Side(side),
        status=text(row, "status", where),
        executed_qty=amount(row, "executedQty", where),
        quote_qty=quote if quote >= 0 else paid(fills),
        time_ms=integer(row, "transactTime" if "transactTime" in row else "time", where),
        fills=fills,
    )


def parse_fill(row: Row, id_key: str, where: str) -> Fill:
    """One fill; its id is called `tradeId` in an order's answer and `id` in the trades."""
    return Fill(
        trade_id=integer(row, id_key, where),
        price=amount(row, "price", where),
        qty=amount(row, "qty", where),
        commission=amount(row, "commission", where),
        commission_asset=text(row, "commissionAsset", where),
    )


def paid(fills: Sequence[Fill]) -> Decimal:
    """Quote units of all fills."""
    return sum((fill.price * fill.qty for fill in fills), ZERO)
