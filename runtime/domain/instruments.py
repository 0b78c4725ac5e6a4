"""Instruments: a trading pair, its filters, and quantities made legal for market orders.

The worked problem: Binance refuses a quantity off the step, below or above a bound, or too small in value, and each
refusal costs a call and an hour. So a quantity is made legal before it is sent: floored to the common step of LOT_SIZE
and MARKET_LOT_SIZE, held under the caps (a sale is split, a purchase is cut), and checked against the notional bounds
with 2 % to spare, because Binance values it at a price that is not ours. What the filters forbid is a value (`Lots`
with no parts and the name of the filter), not an error.

Unknown filter types are ignored; a pair may carry NOTIONAL, MIN_NOTIONAL, both or neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from runtime.domain.money import (
    ONE,
    ZERO,
    Dec,
    ceil_to_step,
    common_step,
    divide_down,
    floor_to_step,
    parse_decimal,
    plain,
)
from runtime.domain.remembering import remembered
from runtime.errors import BadInput, BadPayload

NOTIONAL_SPARE = Decimal("0.02")
TEST_SPARE = Decimal("0.05")
SELL_PARTS_MAX = 20
PRECISION_MAX = 18


@dataclass(frozen=True, slots=True)
class LotRule:
    """LOT_SIZE or MARKET_LOT_SIZE in base units; a 0 switches its rule off."""

    min_qty: Dec = ZERO
    max_qty: Dec = ZERO
    step: Dec = ZERO


@dataclass(frozen=True, slots=True)
class Instrument:
    """A spot pair with the filters that bear on market orders. Notional bounds are quote units, 0 = no bound."""

    symbol: str
    base: str
    quote: str
    status: str = "TRADING"
    lot: LotRule = field(default_factory=LotRule)
    market_lot: LotRule = field(default_factory=LotRule)
    min_notional: Dec = ZERO
    max_notional: Dec = ZERO
    max_position: Dec = ZERO
    base_precision: int = 8
    market_orders: bool = True

    @property
    def tradable(self) -> bool:
        """Whether a market order may be sent at all."""
        return self.status == "TRADING" and self.market_orders

    @property
    def step(self) -> Decimal:
        """The smallest step that satisfies both lot rules and the asset's precision."""
        return common_step(self.lot.step, self.market_lot.step, ONE.scaleb(-self.base_precision))

    @property
    def min_qty(self) -> Decimal:
        """The larger minimum of both lot rules."""
        return max(self.lot.min_qty, self.market_lot.min_qty)

    @property
    def max_qty(self) -> Decimal | None:
        """The smaller maximum of both lot rules; None where neither caps."""
        caps = [cap for cap in (self.lot.max_qty, self.market_lot.max_qty) if cap > 0]
        return min(caps) if caps else None


@dataclass(frozen=True, slots=True)
class Lots:
    """Quantities that may be sent, in order; if empty, `filter` names what forbids them, `numbers` what it compared."""

    parts: tuple[Decimal, ...] = ()
    filter: str | None = None
    numbers: Mapping[str, str] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        """Sum of the parts in base units."""
        return sum(self.parts, ZERO)


@remembered
def tradable_of(instruments: Mapping[str, Instrument]) -> frozenset[str]:
    """The pairs among `instruments` in which a market order may be sent."""
    return frozenset(symbol for symbol, instrument in instruments.items() if instrument.tradable)


def sell_lots(instrument: Instrument, quantity: Decimal, price: Decimal) -> Lots:
    """`quantity` (base units) floored to the step and split under the caps, valued at `price`.

    The parts are even, so that none is too small while another could spare some; where even ones would all be too
    small, there is one fewer and the rest is left. At most 20 parts: what is beyond them is for the next hour.
    """
    if price <= 0:
        return _refuse("PRICE", price=price)
    whole = floor_to_step(quantity, instrument.step)
    cap = _cap(instrument, price)
    if cap is not None and cap <= 0:
        return _refuse("MARKET_LOT_SIZE", quantity=whole, max=instrument.max_qty or ZERO)
    refusal = _forbidden(instrument, whole if cap is None else min(whole, cap), price)
    if refusal:
        return refusal
    if cap is None or whole <= cap:
        return Lots((whole,))
    full = int(divide_down(whole, cap))
    if full >= SELL_PARTS_MAX:
        return Lots((cap,) * SELL_PARTS_MAX)
    parts = _even_parts(whole, full + (whole > cap * full), instrument.step)
    return Lots((cap,) * full) if _forbidden(instrument, parts[-1], price) else Lots(parts)


def buy_lots(instrument: Instrument, budget: Decimal, price: Decimal, held: Decimal) -> Lots:
    """One purchase that costs at most `budget` (quote units) at `price`, with `held` base units already there."""
    if price <= 0:
        return _refuse("PRICE", price=price)
    quantity = divide_down(budget, price)
    cap = _cap(instrument, price)
    if cap is not None:
        quantity = min(quantity, cap)
    if instrument.max_position > 0:
        quantity = min(quantity, instrument.max_position - held)
        if quantity <= 0:
            return _refuse("MAX_POSITION", held=held, max=instrument.max_position)
    whole = floor_to_step(quantity, instrument.step)
    return _forbidden(instrument, whole, price) or Lots((whole,))


def least_lots(instrument: Instrument, budget: Decimal, price: Decimal) -> Lots:
    """What a test order asks for: the smallest quantity that every filter allows and that is worth `budget` (quote
    units) at `price`, a little above the least notional, because a test should fail for a filter and not for a tick.
    """
    if price <= 0:
        return _refuse("PRICE", price=price)
    worth = max(budget, instrument.min_notional * (ONE + TEST_SPARE))
    whole = ceil_to_step(max(divide_down(worth, price), instrument.min_qty), instrument.step)
    cap = _cap(instrument, price)
    if cap is not None and whole > cap:
        return _refuse("MARKET_LOT_SIZE", quantity=whole, max=cap)
    return _forbidden(instrument, whole, price) or Lots((whole,))


def _cap(instrument: Instrument, price: Decimal) -> Decimal | None:
    caps = [] if instrument.max_qty is None else [instrument.max_qty]
    if instrument.max_notional > 0:
        caps.append(divide_down(instrument.max_notional * (ONE - NOTIONAL_SPARE), price))
    return floor_to_step(min(caps), instrument.step) if caps else None


def _even_parts(whole: Decimal, count: int, step: Decimal) -> tuple[Decimal, ...]:
    """`whole`, a multiple of `step`, in `count` multiples that differ by one step at most, larger ones first."""
    each, more = divmod(int(divide_down(whole, step)), count)
    return tuple((each + (part < more)) * step for part in range(count))


def _forbidden(instrument: Instrument, quantity: Decimal, price: Decimal) -> Lots | None:
    if quantity <= 0 or quantity < instrument.min_qty:
        return _refuse("LOT_SIZE", quantity=quantity, min=max(instrument.min_qty, instrument.step))
    least = instrument.min_notional * (ONE + NOTIONAL_SPARE)
    if quantity * price < least:
        return _refuse("NOTIONAL", notional=quantity * price, min=least)
    return None


def _refuse(name: str, **numbers: Decimal) -> Lots:
    return Lots((), name, {key: plain(value) for key, value in numbers.items()})


def parse_instrument(row: Mapping[str, Any]) -> Instrument:
    """One symbol of Binance's exchangeInfo; `BadPayload` names the field that is missing or malformed."""
    if not isinstance(row, Mapping):
        raise BadPayload("exchangeInfo", row, "each symbol must be an object")
    symbol = _text(row, "symbol", "exchangeInfo")
    where = f"exchangeInfo {symbol}"
    filters = row.get("filters")
    if not isinstance(filters, list) or not all(isinstance(f, Mapping) for f in filters):
        raise BadPayload(f"{where} filters", filters, "must be a list of objects")
    by_type: dict[str, Mapping[str, Any]] = {str(f.get("filterType")): f for f in filters}
    least, most = _notional(by_type, where)
    types = row.get("orderTypes", ["MARKET"])
    if not isinstance(types, list):
        raise BadPayload(f"{where} orderTypes", types, "must be a list")
    return Instrument(
        symbol=symbol,
        base=_text(row, "baseAsset", where),
        quote=_text(row, "quoteAsset", where),
        status=_text(row, "status", where),
        lot=_lot(by_type.get("LOT_SIZE"), f"{where} LOT_SIZE"),
        market_lot=_lot(by_type.get("MARKET_LOT_SIZE"), f"{where} MARKET_LOT_SIZE"),
        min_notional=least,
        max_notional=most,
        max_position=_number(by_type.get("MAX_POSITION"), "maxPosition", f"{where} MAX_POSITION"),
        base_precision=_precision(row, where),
        market_orders="MARKET" in types and row.get("isSpotTradingAllowed", True) is True,
    )


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise BadPayload(f"{where} {key}", value, "must be a non-empty text")
    return value


def _precision(row: Mapping[str, Any], where: str) -> int:
    value = row.get("baseAssetPrecision", 8)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= PRECISION_MAX:
        raise BadPayload(f"{where} baseAssetPrecision", value, f"must be an integer between 0 and {PRECISION_MAX}")
    return value


def _number(source: Mapping[str, Any] | None, key: str, where: str) -> Decimal:
    if source is None:
        return ZERO
    try:
        value = parse_decimal(source.get(key), f"{where} {key}")
    except BadInput as fault:
        raise BadPayload(fault.field, fault.value, fault.fix) from None
    if value < 0:
        raise BadPayload(f"{where} {key}", plain(value), "must not be negative")
    return value


def _lot(source: Mapping[str, Any] | None, where: str) -> LotRule:
    if source is None:
        return LotRule()
    return LotRule(*(_number(source, key, where) for key in ("minQty", "maxQty", "stepSize")))


def _notional(by_type: Mapping[str, Mapping[str, Any]], where: str) -> tuple[Decimal, Decimal]:
    least, most = ZERO, ZERO
    modern, older = by_type.get("NOTIONAL"), by_type.get("MIN_NOTIONAL")
    if modern is not None:
        if modern.get("applyMinToMarket", True):
            least = _number(modern, "minNotional", f"{where} NOTIONAL")
        if modern.get("applyMaxToMarket", False):
            most = _number(modern, "maxNotional", f"{where} NOTIONAL")
    if older is not None and older.get("applyToMarket", True):
        least = max(least, _number(older, "minNotional", f"{where} MIN_NOTIONAL"))
    return least, most
