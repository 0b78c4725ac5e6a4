"""The embedded market's `exchangeInfo.json`: its 13 pairs with filters like Binance's, in Binance's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# base: tickSize, LOT_SIZE step, LOT_SIZE maxQty, MARKET_LOT_SIZE maxQty; ticks and steps as listed by Binance in 2026
_RULES: Mapping[str, tuple[str, str, str, str]] = {
    "BTC": ("0.01", "0.00001", "9000", "141.67845966"),
    "ETH": ("0.01", "0.0001", "9000", "2840.11563700"),
    "BNB": ("0.01", "0.001", "9000", "2193.76421500"),
    "SOL": ("0.01", "0.001", "90000", "32418.90774500"),
    "XRP": ("0.0001", "0.1", "9222449", "1896255.41000000"),
    "LINK": ("0.01", "0.01", "90000", "41120.73400000"),
    "AVAX": ("0.01", "0.01", "90000", "38004.15800000"),
    "ADA": ("0.0001", "0.1", "900000", "821774.62000000"),
    "DOGE": ("0.00001", "1", "9000000", "8204117.30000000"),
    "TRX": ("0.0001", "0.1", "9000000", "3105226.80000000"),
    "ATOM": ("0.001", "0.01", "90000", "60871.29400000"),
    "LTC": ("0.01", "0.001", "90000", "9713.44850000"),
    "BCH": ("0.1", "0.001", "90000", "2077.36120000"),
}


def exchange_info() -> dict[str, Any]:
    """The whole document, pairs in the order of the table."""
    return {
        "timezone": "UTC",
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
            {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200000},
        ],
        "exchangeFilters": [],
        "symbols": [_pair(base) for base in _RULES],
    }


def _pair(base: str) -> dict[str, Any]:
    return {
        "symbol": base + "USDT",
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": "USDT",
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "quoteOrderQtyMarketAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(*_RULES[base]),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def _filters(tick: str, step: str, most: str, market_most: str) -> list[dict[str, Any]]:
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": most, "stepSize": step},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": market_most, "stepSize": "0.00000000"},
        {
            "filterType": "NOTIONAL",
            "minNotional": "5.00000000",
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    ]
