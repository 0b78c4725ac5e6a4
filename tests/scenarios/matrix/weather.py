"""Everything that can go wrong, by name, so that a case is one line of text.

    order:answer_lost@2     the 2nd order sent: it took effect, its answer is lost
    store.commit:applied@3  the 3rd commit is written and reported as failed
    lag  partial  slow_earn ...   a whole hour's weather

Number 0 stands for every call. Worse than the world, in bounds: an accepted request takes effect up to 10 s later by
itself; orders, trades, balances and records show up to 5 s after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from runtime.adapters.simulated.conditions import PAPER, Conditions, Delays, Effect, Fault, Script
from runtime.errors import StoreUnavailable, Unavailable
from tests.scenarios.matrix.ports import Trouble

_EARN = "/sapi/v1/simple-earn/flexible"
_TIMEOUT_MS = 12_000
SENDS: Mapping[str, str] = {
    "order": "POST /api/v3/order",
    "redeem": f"POST {_EARN}/redeem",
    "subscribe": f"POST {_EARN}/subscribe",
}
READS: Mapping[str, str] = {
    "time": "GET /api/v3/time",
    "prices": "GET /api/v3/ticker/price",
    "info": "GET /api/v3/exchangeInfo",
    "klines": "GET /api/v3/klines",
    "account": "GET /api/v3/account",
    "position": f"GET {_EARN}/position",
    "product": f"GET {_EARN}/list",
    "quota": f"GET {_EARN}/personalLeftQuota",
    "find": "GET /api/v3/order",
    "history": "GET /api/v3/allOrders",
    "resting": "GET /api/v3/openOrders",
    "trades": "GET /api/v3/myTrades",
    "redeemed": f"GET {_EARN}/history/redemptionRecord",
    "subscribed": f"GET {_EARN}/history/subscriptionRecord",
}


def _status(status: int, code: int, message: str, effect: Effect = Effect.NONE) -> Fault:
    return Fault(effect, status=status, code=code, message=message)


ANSWERS: Mapping[str, Fault] = {
    "request_lost": Fault(drop=True),
    "late_answer": Fault(delay_out_ms=4_000),
    "timeout": Fault(drop=True, delay_out_ms=_TIMEOUT_MS),
    "error_500": _status(500, 0, "Internal server error"),
    "code_1006": _status(500, -1006, "An unexpected response was received from the message bus."),
    "code_1007": _status(504, -1007, "Timeout waiting for response from backend server."),
    "code_1008": _status(503, -1008, "Server is currently overloaded with other requests."),
    "code_1021": _status(400, -1021, "Timestamp for this request is outside of the recvWindow."),
    "limit_429": replace(_status(429, -1003, "Too many requests queued."), retry_after_s=30),
    "ban_418": replace(_status(418, -1003, "Way too much request weight used; IP banned."), retry_after_s=120),
    "forbidden_403": Fault(status=403, body="<html>403 Forbidden</html>"),
    "place_451": _status(451, 0, "Service unavailable from a restricted location."),
}
"""What any call may be answered; nothing happens at the exchange, but for `late_answer`."""

EFFECTS: Mapping[str, Fault] = {
    "answer_lost": Fault(Effect.NOW, drop=True),
    "answer_lost_late": Fault(Effect.NOW, drop=True, delay_out_ms=_TIMEOUT_MS),
    "body_cut": Fault(Effect.NOW, cut=True),
    "bad_json": Fault(Effect.NOW, status=200, body='{"symbol": "ETHUS'),
    "error_500_done": _status(500, 0, "Internal server error", Effect.NOW),
    "code_1006_done": _status(500, -1006, "An unexpected response was received.", Effect.NOW),
    "code_1007_done": _status(504, -1007, "Timeout waiting for response.", Effect.NOW),
    "effect_in_3s": Fault(Effect.LATER, after_ms=3_000, drop=True),
    "effect_in_10s": Fault(Effect.LATER, after_ms=10_000, drop=True),
    "code_1007_in_10s": replace(_status(504, -1007, "Timeout.", Effect.LATER), after_ms=10_000),
    "slow_way_effect_in_10s": Fault(Effect.LATER, after_ms=10_000, drop=True, delay_in_ms=4_900),
    "slow_way": Fault(delay_in_ms=4_000),
    "too_slow_a_way": Fault(delay_in_ms=6_000),
    "filter": _status(400, -1013, "Filter failure: LOT_SIZE"),
    "no_money": _status(400, -2010, "Account has insufficient balance for requested action."),
    "duplicate": _status(400, -2010, "Duplicate order sent.", Effect.NOW),
    "unlisted_code": _status(400, -9999, "A code that nobody listed.", Effect.NOW),
}
"""What a send may meet besides: it took effect and nobody said so, or it was refused with Binance's own words."""

_UNAVAILABLE = Trouble(StoreUnavailable("store: did not answer"))
_APPLIED = Trouble(StoreUnavailable("store: not known whether it was done"), after=True)
TROUBLES: Mapping[str, Mapping[str, Trouble]] = {
    "store.load": {"unavailable": _UNAVAILABLE},
    "store.cache": {"unavailable": _UNAVAILABLE},
    "store.control": {"unavailable": _UNAVAILABLE},
    "store.check": {"unavailable": _UNAVAILABLE},
    "store.take_lease": {"unavailable": _UNAVAILABLE, "applied": _APPLIED},
    "store.commit": {"unavailable": _UNAVAILABLE, "applied": _APPLIED},
    "pool.read": {"unavailable": Trouble(Unavailable("upstream", "did not answer"))},
    "reports.write_report": {"full": Trouble(Unavailable("report folder", "No space left on device"))},
    "reports.write_tape": {"full": Trouble(Unavailable("report folder", "No space left on device"))},
}

_ANY = "*"
_LAG_MS = 5_000
WHOLE: Mapping[str, Conditions] = {
    "lag": replace(PAPER, delays=Delays(_LAG_MS, _LAG_MS, _LAG_MS, _LAG_MS)),
    "history_lag": replace(PAPER, delays=Delays(history_ms=_LAG_MS)),
    "records_lag": replace(PAPER, delays=Delays(records_ms=_LAG_MS)),
    "partial": replace(PAPER, costs=replace(PAPER.costs, liquidity={_ANY: Decimal(900)})),
    "no_liquidity": replace(PAPER, costs=replace(PAPER.costs, liquidity={_ANY: Decimal(3)})),
    "many_fills": replace(PAPER, costs=replace(PAPER.costs, fills_max=5)),
    "slow_earn": replace(PAPER, earn=replace(PAPER.earn, redeem_s=40, subscribe_s=40)),
    "earn_next_hour": replace(PAPER, earn=replace(PAPER.earn, redeem_s=3_000, subscribe_s=3_000)),
    "earn_in_two_hours": replace(PAPER, earn=replace(PAPER.earn, redeem_s=5_000, subscribe_s=5_000)),
    "earn_sold_out": replace(PAPER, earn=replace(PAPER.earn, sold_out=frozenset({"USDT"}))),
    "redeem_closed": replace(PAPER, earn=replace(PAPER.earn, redeem_closed=frozenset({"USDT"}))),
}
PHONE_DOWN = "phone_down"


@dataclass(frozen=True, slots=True)
class Weather:
    """The weather of a run: conditions at the exchange, troubles at the other ports, and the operator's phone."""

    conditions: Conditions = PAPER
    troubles: Mapping[tuple[str, int], Trouble] = field(default_factory=dict)
    phone_down: bool = False


def weather(names: Iterable[str]) -> Weather:
    """The weather of these names together; `KeyError` for one that nobody knows."""
    conditions, acts = PAPER, dict[str, dict[int, Fault]]()
    troubles: dict[tuple[str, int], Trouble] = {}
    names = tuple(names)
    for name in names:
        if name in WHOLE:
            conditions = _joined(conditions, WHOLE[name])
        elif name != PHONE_DOWN:
            where, _, rest = name.partition(":")
            what, _, number = rest.partition("@")
            if where in TROUBLES:
                troubles[where, int(number)] = TROUBLES[where][what]
            else:
                fault = {**ANSWERS, **EFFECTS}[what]
                acts.setdefault({**SENDS, **READS}[where], {})[int(number)] = fault
    return Weather(replace(conditions, faults=Script(acts)), troubles, PHONE_DOWN in names)


def _joined(one: Conditions, other: Conditions) -> Conditions:
    """Both at once; where they differ from ordinary weather in the same thing, the later one holds."""
    changed = {name: getattr(other, name) for name in ("costs", "delays", "earn")}
    return replace(one, **{name: value for name, value in changed.items() if value != getattr(PAPER, name)})
