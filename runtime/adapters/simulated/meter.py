"""Request accounting: how often each endpoint was called, what that weighed, and where Binance would say stop.

Windows are fixed, as at Binance: a minute of the exchange's clock for weights (`/api` shares one budget, each `/sapi`
endpoint has its own), ten seconds and a UTC day for unfilled orders. Counts and totals are kept for tests that hold
the engine to its number of calls; they are the same in process and over a socket.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from runtime.adapters.simulated.conditions import Limits
from runtime.adapters.simulated.refusals import ApiError
from runtime.domain.slots import DAY_MS, MINUTE_MS

TEN_SECONDS_MS = 10_000
UID_WEIGHT = frozenset({"GET /sapi/v1/capital/withdraw/history"})
FREE_WHEN_ACCEPTED = frozenset({"POST /api/v3/order", "DELETE /api/v3/order"})
EARN = "/sapi/v1/simple-earn/flexible"

WEIGHTS: Mapping[str, int] = {
    "GET /api/v3/ping": 1,
    "GET /api/v3/time": 1,
    "GET /api/v3/exchangeInfo": 20,
    "GET /api/v3/klines": 2,
    "GET /api/v3/avgPrice": 2,
    "GET /api/v3/ticker/price": 4,
    "GET /api/v3/ticker/bookTicker": 4,
    "GET /api/v3/account": 20,
    "GET /api/v3/account/commission": 20,
    "POST /api/v3/order": 1,
    "POST /api/v3/order/test": 1,
    "GET /api/v3/order": 4,
    "DELETE /api/v3/order": 1,
    "GET /api/v3/openOrders": 80,
    "GET /api/v3/allOrders": 20,
    "GET /api/v3/myTrades": 20,
    "GET /api/v3/rateLimit/order": 40,
    f"GET {EARN}/list": 150,
    f"GET {EARN}/position": 150,
    f"POST {EARN}/subscribe": 1,
    f"POST {EARN}/redeem": 1,
    f"GET {EARN}/personalLeftQuota": 150,
    f"GET {EARN}/history/subscriptionRecord": 150,
    f"GET {EARN}/history/redemptionRecord": 150,
    f"GET {EARN}/history/rewardsRecord": 150,
    "GET /sapi/v1/capital/deposit/hisrec": 1,
    "GET /sapi/v1/capital/withdraw/history": 18_000,
    "GET /sapi/v1/account/apiRestrictions": 1,
    "GET /sapi/v1/system/status": 1,
    "GET /sapi/v1/bnbBurn": 1,
    "POST /sapi/v1/bnbBurn": 1,
    "GET /sapi/v1/asset/tradeFee": 1,
}


class Meter:
    """Counts calls and weights; refuses with 429 what goes over a limit."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """Calls by endpoint, refused ones and (over the socket) unknown ones included."""
        self.weight: Counter[str] = Counter()
        """Weight charged by endpoint."""
        self._used: Counter[str] = Counter()
        self._orders: Counter[int] = Counter()
        self._window: dict[int, int] = {}

    def admit(self, endpoint: str, weight: int, now_ms: int, limits: Limits) -> None:
        """Charge `weight`; 429 with −1003 and the seconds to the next minute if the budget does not hold it."""
        self._turn(now_ms)
        budget, limit = _budget(endpoint, limits)
        if self._used[budget] + weight > limit:
            text = f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
            text += "Please use WebSocket Streams for live updates to avoid polling the API."
            raise ApiError(-1003, text, 429, _seconds_left(now_ms, MINUTE_MS))
        self.charge(endpoint, weight)

    def charge(self, endpoint: str, weight: int) -> None:
        """Add `weight` to the minute and to the totals."""
        self._used[_budget(endpoint, Limits())[0]] += weight
        self.weight[endpoint] += weight

    def admit_order(self, now_ms: int, limits: Limits) -> None:
        """429 with −1015 if one more unfilled order is over a limit."""
        self._turn(now_ms)
        for window, limit, words in _order_limits(limits):
            if self._orders[window] + 1 > limit:
                text = f"Too many new orders; current limit is {limit} orders per {words}."
                raise ApiError(-1015, text, 429, _seconds_left(now_ms, window))

    def count_order(self, change: int, now_ms: int) -> None:
        """Count an accepted order (+1) or the first fill of a taker (−1)."""
        self._turn(now_ms)
        for window in (TEN_SECONDS_MS, DAY_MS):
            self._orders[window] = max(0, self._orders[window] + change)

    def used(self, endpoint: str, now_ms: int) -> int:
        """Weight used in this minute from the budget that `endpoint` draws on."""
        self._turn(now_ms)
        return self._used[_budget(endpoint, Limits())[0]]

    def unfilled(self, now_ms: int) -> tuple[int, int]:
        """Unfilled orders counted in this window of ten seconds, and in this day."""
        self._turn(now_ms)
        return self._orders[TEN_SECONDS_MS], self._orders[DAY_MS]

    def _turn(self, now_ms: int) -> None:
        for window in (MINUTE_MS, TEN_SECONDS_MS, DAY_MS):
            number = now_ms // window
            if self._window.get(window) != number:
                self._window[window] = number
                self._orders[window] = 0
                if window == MINUTE_MS:
                    self._used.clear()


def _budget(endpoint: str, limits: Limits) -> tuple[str, int]:
    if " /api/" in endpoint:
        return "/api", limits.weight_1m
    return endpoint, limits.sapi_uid_weight_1m if endpoint in UID_WEIGHT else limits.sapi_weight_1m


def _order_limits(limits: Limits) -> tuple[tuple[int, int, str], ...]:
    return (TEN_SECONDS_MS, limits.orders_10s, "10 SECOND"), (DAY_MS, limits.orders_1d, "1 DAY")


def _seconds_left(now_ms: int, window_ms: int) -> int:
    return -(-(window_ms - now_ms % window_ms) // 1000)
