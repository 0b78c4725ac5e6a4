"""Strategies for the values of the domain, made from their types: a field that is added is tried from then on."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from runtime.domain.orders import Fill, Intent, Kind, Order, Side, Sleeve

amounts = st.decimals(-(10**12), 10**12, places=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)
SCALARS: dict[object, st.SearchStrategy[Any]] = {
    Decimal: amounts,
    str: texts,
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
    date: st.dates(),
    type(None): st.none(),
    Any: json_values,
}


@cache
def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type: a dataclass with all its fields, a union, a tuple or mapping of them, a plain value."""
    inner = get_args(kind)
    if kind in SCALARS:
        return SCALARS[kind]
    if get_origin(kind) in {Union, types.UnionType}:
        return st.one_of(*map(values_of, inner))
    if get_origin(kind) is tuple:
        return st.lists(values_of(inner[0]), max_size=2).map(tuple)
    if get_origin(kind) is Mapping:
        return st.dictionaries(values_of(inner[0]), values_of(inner[1]), max_size=2)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{f.name: values_of(hints[f.name]) for f in dataclasses.fields(kind)})
    raise TypeError(f"{kind} has no strategy here")


def a_fill(trade_id: int, price: str, qty: str, commission: str = "0", asset: str = "BNB") -> Fill:
    """One trade of an order."""
    return Fill(trade_id, Decimal(price), Decimal(qty), Decimal(commission), asset)


def an_order(side: Side, *fills: Fill, executed: str | None = None) -> Order:
    """A filled order whose executed quantity and proceeds follow from its fills, unless `executed` says otherwise."""
    quantity = sum((fill.qty for fill in fills), Decimal(0)) if executed is None else Decimal(executed)
    proceeds = sum((fill.qty * fill.price for fill in fills), Decimal(0))
    return Order("ETHUSDT", 991, "id-1", side, "FILLED", quantity, proceeds, 1_795_251_615_000, fills)


def an_intent(side: Side = Side.BUY) -> Intent:
    """A recorded market order."""
    return Intent(
        id="id-1",
        slot="2026-11-21T09Z",
        kind=Kind.ORDER,
        sleeve=Sleeve.TREND,
        symbol="ETHUSDT",
        side=side,
        quantity=Decimal("0.19"),
        reason="entry",
        recorded_ms=1_795_251_612_000,
        send_before_ms=1_795_251_800_000,
    )
