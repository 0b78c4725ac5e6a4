"""What may go wrong at the simulated exchange, by name: faults of a request, the requests they befall, bad weather."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from runtime.adapters.simulated.conditions import FIXTURE, Conditions, Costs, EarnTerms, Effect, Fault, Script

EARN = "/sapi/v1/simple-earn/flexible"

FAULTS = {
    "lost": Fault(drop=True),
    "unanswered": Fault(drop=True, effect=Effect.NOW),
    "late": Fault(drop=True, effect=Effect.LATER, after_ms=7_000),
    "broken": Fault(status=503, body="<html>", effect=Effect.NOW),
    "down": Fault(status=502, body="<html>"),
    "busy": Fault(status=429, code=-1003, message="Too many requests", retry_after_s=90),
    "cut": Fault(cut=True, effect=Effect.NOW),
    "slow": Fault(delay_in_ms=6_000),
}

PLACES = (
    "POST /api/v3/order",
    f"POST {EARN}/redeem",
    f"POST {EARN}/subscribe",
    "GET /api/v3/order",
    "GET /api/v3/account",
    f"GET {EARN}/position",
    "GET /api/v3/allOrders",
    "GET /api/v3/openOrders",
    "GET /api/v3/myTrades",
    f"GET {EARN}/history/redemptionRecord",
)
"""Requests whose failure an hour must live through."""

CALM = FIXTURE

WEATHER = {
    "calm": CALM,
    "thin": replace(CALM, costs=Costs(liquidity={"*": Decimal(200)}, fills_max=3)),
    "earn in an hour": replace(CALM, earn=EarnTerms(redeem_s=3000, subscribe_s=3000)),
    "earn never": replace(CALM, earn=EarnTerms(redeem_s=None, subscribe_s=None)),
    "earn sold out": replace(CALM, earn=EarnTerms(sold_out=frozenset({"USDT"}), redeem_closed=frozenset({"USDT"}))),
}


def with_faults(weather: Conditions, faults: list[tuple[str, int, str]]) -> Conditions:
    """The weather in which the n-th call of an endpoint (0 = every one) goes wrong by name."""
    acts: dict[str, dict[int, Fault]] = {}
    for endpoint, number, name in faults:
        acts.setdefault(endpoint, {})[number] = FAULTS[name]
    return replace(weather, faults=Script(acts))
