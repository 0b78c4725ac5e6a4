"""Upstream payloads as the publisher writes them, and strategies that make others."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import strategies as st

from runtime.domain.settings import LadderSettings

TODAY = date(2026, 11, 21)
SLOT = "2026-11-21T09Z"
SETTINGS = LadderSettings()
SYMBOLS = ("TRXUSDT", "SOLUSDT", "ADAUSDT", "ZECUSDT", "ETHUSDT")


def payload(**changed: Any) -> dict[str, Any]:
    """The release of November as the publisher's document, with fields changed; a field set to `...` is left out."""
    document: dict[str, Any] = {
        "as_of_date": "2026-11-01",
        "version": "2026-11-01-core_major",
        "mode": "core_major",
        "pool_size": 5,
        "symbols": list(SYMBOLS),
        "symbol_map": bases(SYMBOLS),
        "source_project": "crypto-live-pool-pipelines",
    }
    return {name: value for name, value in (document | changed).items() if value is not ...}


def bases(symbols: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """What the publisher's `symbol_map` says of `symbols`."""
    return {symbol: {"base_asset": symbol.removesuffix("USDT")} for symbol in symbols}


def release(day: date, symbols: tuple[str, ...] = SYMBOLS) -> dict[str, Any]:
    """The payload of a release dated `day`."""
    return payload(
        as_of_date=day.isoformat(),
        version=f"{day}-core_major",
        symbols=list(symbols),
        symbol_map=bases(symbols),
        pool_size=len(symbols),
    )


def json_like() -> st.SearchStrategy[Any]:
    """Anything that a store or a parser could hand over, and a little more."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates()
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=12,
    )
