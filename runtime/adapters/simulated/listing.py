"""What a market folder's exchange lists: its pairs and their filters.

A folder may bring Binance's own answer (`exchangeInfo.json`); then its filters hold. Otherwise they are derived: the
live steps of the pairs that are traded most, and for any other pair the power of ten that is worth 0.01 to 0.1 USDT,
which is how Binance chooses them. A pair is TRADING while it has candles within two days, else BREAK.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from runtime.adapters.simulated.documents import read_object
from runtime.domain.instruments import Instrument, LotRule, parse_instrument
from runtime.domain.money import CASH, ONE, ZERO, floor_to_step
from runtime.errors import BadPayload

MIN_NOTIONAL = Decimal(5)
_MARKET_VALUE_MAX = Decimal(2_000_000)  # USDT in one market order; Binance's own cap is an average of recent volume
_LOT_STEPS_MAX = Decimal(90_000_000)  # maxQty of LOT_SIZE, in steps
_STEP_WORTH_MAX = Decimal("0.1")
# LOT_SIZE steps as listed by Binance in 2026, in base units; the values change rarely.
_STEPS: Mapping[str, tuple[str, ...]] = {
    "0.00001": ("BTC",),
    "0.0001": ("ETH", "PAXG", "TAO"),
    "0.001": ("BNB", "SOL", "LTC", "BCH", "AAVE", "QNT", "ZEC"),
    "0.01": ("LINK", "AVAX", "ATOM", "DOT", "FIL", "ICP", "APT", "TON"),
    "0.1": ("XRP", "ADA", "TRX", "NEAR", "SUI", "ARB", "EOS", "XTZ", "MATIC", "POL", "VET"),
    "1": ("DOGE", "XLM", "HBAR", "ALGO", "SHIB", "PEPE"),
}
_STEP_OF = {base: Decimal(step) for step, bases in _STEPS.items() for base in bases}


class Listing:
    """The filters of a folder's pairs; `folder/exchangeInfo.json` is read once, when first needed."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the market folder."""
        self._path = folder / "exchangeInfo.json"
        self._rows: Mapping[str, Mapping[str, Any]] | None = None

    def instrument(self, symbol: str, price: Decimal, *, trading: bool) -> Instrument:
        """The pair's filters; `price` (USDT) sizes derived ones, `trading` is whether it still has candles."""
        row = self._documents().get(symbol)
        if row is None:
            return derived(symbol, price, trading=trading)
        listed = parse_instrument(row)
        return listed if trading or not listed.tradable else replace(listed, status="BREAK")

    def _documents(self) -> Mapping[str, Mapping[str, Any]]:
        if self._rows is None:
            self._rows = _by_symbol(self._path) if self._path.exists() else {}
        return self._rows


def listed(path: Path) -> dict[str, Instrument]:
    """Every USDT pair of an `exchangeInfo.json`."""
    rows = _by_symbol(path)
    return {symbol: parse_instrument(row) for symbol, row in rows.items() if symbol.endswith(CASH)}


def derived(symbol: str, price: Decimal, *, trading: bool = True, step: Decimal | None = None) -> Instrument:
    """A USDT pair with realistic filters at `price` (USDT); `step` (base units) overrides the known or derived one."""
    base = symbol.removesuffix(CASH)
    lot_step = step or _STEP_OF.get(base) or step_worth(price)
    market_max = max(lot_step, floor_to_step(_MARKET_VALUE_MAX / price, lot_step))
    return Instrument(
        symbol=symbol,
        base=base,
        quote=CASH,
        status="TRADING" if trading else "BREAK",
        lot=LotRule(lot_step, max(_LOT_STEPS_MAX * lot_step, market_max), lot_step),
        market_lot=LotRule(ZERO, market_max, ZERO),
        min_notional=MIN_NOTIONAL,
    )


def step_worth(price: Decimal) -> Decimal:
    """The power of ten (base units) that is worth more than 0.01 and at most 0.1 USDT at `price`."""
    return min(ONE.scaleb((_STEP_WORTH_MAX / price).adjusted()), ONE.scaleb(8))


def _by_symbol(path: Path) -> Mapping[str, Mapping[str, Any]]:
    rows = read_object(path).get("symbols")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadPayload(f"{path} symbols", rows, "must be a list of objects, as Binance's exchangeInfo has it")
    return {str(row.get("symbol")): row for row in rows}
