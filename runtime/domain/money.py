"""Money: exact decimals, and roundings that say their direction.

The worked problem: 0.3 BTC held with a lot step of 0.1 must sell 0.3. In binary floats 0.3 // 0.1 is 2, so a float
engine sells 0.2, keeps dust and believes it is flat. Here every amount is a `Decimal` made from text, and a rounding
helper names its direction, so that nothing is ever rounded up into money that is not there.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from runtime.errors import BadInput

ZERO = Decimal(0)
ONE = Decimal(1)
CASH = "USDT"
FUEL = "BNB"
CORE = "BTC"
STABLECOINS = frozenset({"USDT", "USDC", "FDUSD", "TUSD", "BUSD", "DAI", "USDP", "USDS", "USDE", "USD1", "RLUSD",
                         "PYUSD", "XUSD", "BFUSD", "EURI", "AEUR", "UST", "USTC", "PAX", "EUR", "GBP"})  # fmt: skip


def parse_decimal(value: object, field: str) -> Decimal:
    """An exact, finite decimal from text or an integer; `BadInput` for floats, NaN, infinities and anything else."""
    if isinstance(value, Decimal):
        parsed = value
    elif isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        try:
            parsed = Decimal(value)
        except InvalidOperation:
            raise BadInput(field, value, "must be a decimal number written as text") from None
    else:
        raise BadInput(field, value, "must be a decimal number written as text, never a float")
    if not parsed.is_finite():
        raise BadInput(field, value, "must be a finite number")
    return parsed


def plain(value: Decimal) -> str:
    """Canonical text: no exponent, no trailing zeros; what Binance's number syntax accepts for values >= 0."""
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is <= `value` (value >= 0); step 0 switches the rule off."""
    if step <= 0:
        return value
    return (value / step).to_integral_value(rounding=ROUND_FLOOR) * step


def ceil_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is >= `value` (value >= 0); step 0 switches the rule off."""
    if step <= 0:
        return value
    return (value / step).to_integral_value(rounding=ROUND_CEILING) * step


def floor_to_places(value: Decimal, places: int) -> Decimal:
    """`value` cut toward zero to `places` decimals."""
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_DOWN)


def clamp(value: Decimal, low: Decimal, high: Decimal) -> Decimal:
    """`value` within [low, high]; where high < low (no room) the answer is `low`."""
    return max(low, min(value, high))


def _from_text(value: Any) -> Any:
    return parse_decimal(value, "amount")


Dec = Annotated[Decimal, BeforeValidator(_from_text), PlainSerializer(plain, return_type=str, when_used="json")]
"""A Decimal that is stored as canonical text and refuses floats when read back."""
