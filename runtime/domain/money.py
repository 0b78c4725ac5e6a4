"""Money: exact decimals, and roundings that say their direction.

The worked problem: 0.3 BTC held with a lot step of 0.1 must sell 0.3. In binary floats 0.3 // 0.1 is 2, so a float
engine sells 0.2, keeps dust and believes it is flat. Here every amount is a `Decimal` made from text, and a rounding
helper names its direction, so that nothing is ever rounded up into money that is not there.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation
from functools import lru_cache
from math import lcm
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from runtime.errors import BadInput

ZERO = Decimal(0)
ONE = Decimal(1)
CASH = "USDT"
FUEL = "BNB"
CORE = "BTC"
STABLECOINS = frozenset({"USDT", "USDC", "FDUSD", "TUSD", "BUSD", "DAI", "USDP", "USDS", "USDE", "USD1", "RLUSD",
                         "PYUSD", "XUSD", "BFUSD", "EURI", "AEUR", "UST", "USTC", "PAX", "EUR", "GBP"})  # fmt: skip
ROUNDING = ONE.scaleb(-9)
"""More than 28 digits can be off by: a comparison by a shorter way keeps this far from the bound."""
EXPONENT_MAX = 100  # far beyond any amount; without a bound, 1e999999999 would be written out digit by digit

# Decimal's usual 28 digits would round the quotient of a long amount and a small step, and may round it up.
_WIDE = Context(prec=200, rounding=ROUND_DOWN)


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
    if parsed and abs(parsed.adjusted()) > EXPONENT_MAX:
        raise BadInput(field, value, f"must lie between 1e-{EXPONENT_MAX} and 1e{EXPONENT_MAX}")
    return parsed


def plain(value: Decimal) -> str:
    """Canonical text: no exponent, no trailing zeros; what Binance's number syntax accepts for values >= 0."""
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is <= `value`; step 0 switches the rule off."""
    if step <= 0:
        return value
    count, rest = _WIDE.divmod(value, step)
    return _WIDE.multiply(_WIDE.subtract(count, ONE) if rest < 0 else count, step)


def ceil_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is >= `value`; step 0 switches the rule off."""
    return value if step <= 0 else _WIDE.minus(floor_to_step(_WIDE.minus(value), step))


def floor_to_places(value: Decimal, places: int) -> Decimal:
    """`value` cut toward zero to `places` decimals."""
    return _WIDE.quantize(value, ONE.scaleb(-places))


def divide_down(value: Decimal, by: Decimal) -> Decimal:
    """`value` / `by` to 200 digits, cut toward zero: times `by` (> 0) it never exceeds a `value` >= 0."""
    return _WIDE.divide(value, by)


@lru_cache(maxsize=1024)
def common_step(*steps: Decimal) -> Decimal:
    """The smallest amount that is a multiple of every step; steps of 0 are off, and 0 if all are. Equal steps have one
    answer, however they are written, and each pair's are asked for again and again.
    """
    fractions = [step.as_integer_ratio() for step in steps if step > 0]
    if not fractions:
        return ZERO
    below = lcm(*(bottom for _, bottom in fractions))
    return _WIDE.divide(Decimal(lcm(*(top * (below // bottom) for top, bottom in fractions))), Decimal(below))


def significant(value: Decimal, digits: int = 10) -> Decimal:
    """`value` rounded (half even) to `digits` significant digits: for quotients and for people, never to be booked."""
    return value if not value else value.quantize(ONE.scaleb(value.adjusted() - digits + 1))


def clamp(value: Decimal, low: Decimal, high: Decimal) -> Decimal:
    """`value` within [low, high]; where high < low (no room) the answer is `low`."""
    return max(low, min(value, high))


def _from_text(value: object) -> Decimal:
    try:
        return parse_decimal(value, "amount")
    except BadInput as fault:
        # pydantic collects ValueErrors, with the path of the field; anything else would escape from its reader.
        raise ValueError(fault.fix) from None


Dec = Annotated[Decimal, BeforeValidator(_from_text), PlainSerializer(plain, return_type=str, when_used="json")]
"""A Decimal that is stored as canonical text and refuses floats when read back."""
