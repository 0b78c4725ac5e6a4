"""From one HTTP request to one HTTP answer, without a socket: Binance's order of checks, bodies and headers.

A request is admitted by the venue like any call in process (counted, weighed, under its weather); within that it must
show its key, its timestamp, its signature and known parameter names, in this order, before anything looks at values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.adapters.simulated import routes_market, routes_trade, routes_wallet
from runtime.adapters.simulated.conditions import Fault
from runtime.adapters.simulated.meter import UID_WEIGHT
from runtime.adapters.simulated.refusals import BAD_REQUEST, SERVER_ERROR, ApiError
from runtime.adapters.simulated.routes import Ask, Route
from runtime.adapters.simulated.venue import Call, Faulted, Venue
from runtime.adapters.simulated.wire import (
    SIGNED_PARAMETERS,
    Credentials,
    Params,
    Request,
    check_key,
    check_signature,
    check_timestamp,
)
from runtime.errors import EngineError

ROUTES: Mapping[str, Route] = {**routes_market.ROUTES, **routes_trade.ROUTES, **routes_wallet.ROUTES}
JSON_TYPE, HTML_TYPE = "application/json;charset=UTF-8", "text/html"
_ORDER = "POST /api/v3/order"
_BROKEN_OFF = '{"symbol":"'


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. `dropped`: nothing is sent and the connection is closed."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    dropped: bool = False


def answer(venue: Venue, credentials: Credentials, request: Request) -> Answer:
    """The exchange's answer to one request. Never raises for anything a client can send."""
    endpoint = request.endpoint
    route = ROUTES.get(endpoint)
    if route is None:
        venue.meter.calls[endpoint] += 1
        return Answer(404, "<html><body><h2>404 Not found</h2></body></html>", {"Content-Type": HTML_TYPE})
    ask = Ask(venue, Params(request.query, request.body))

    def work() -> object:
        _admit(route, request, ask, credentials)
        return route.handle(ask)

    def later(due_ms: int) -> None:
        _admit(route, request, ask, credentials)
        if route.later is not None:
            route.later(ask, due_ms)

    call = Call(endpoint, weight=route.weigh(ask.params) if route.weigh else None, later=later)
    try:
        body, status, retry_after_s = json.dumps(venue.serve(call, work)), 200, None
    except ApiError as error:
        body, status, retry_after_s = error_body(error), error.status, error.retry_after_s
    except Faulted as lost:
        return _faulted(lost.fault)
    except EngineError as error:
        body, status, retry_after_s = error_body(ApiError(-1000, str(error))), SERVER_ERROR, None
    return Answer(status, body, _headers(venue, endpoint, status, retry_after_s))


def error_body(error: ApiError) -> str:
    """Binance's error object."""
    return json.dumps({"code": error.code, "msg": error.message})


def _admit(route: Route, request: Request, ask: Ask, credentials: Credentials) -> None:
    if not route.signed:
        ask.params.check_names(route.takes)
        return
    check_key(request, credentials)
    ask.venue.check_rights(request.endpoint)
    check_timestamp(ask.params, ask.venue.now_ms(), ask.venue.conditions.recv_window_ms)
    check_signature(request, ask.params, credentials.api_secret)
    ask.params.check_names(route.takes | SIGNED_PARAMETERS)


def _headers(venue: Venue, endpoint: str, status: int, retry_after_s: int | None) -> dict[str, str]:
    now_ms = venue.now_ms()
    kind = "X-MBX-USED-WEIGHT-1M"
    if " /sapi/" in endpoint:
        kind = f"X-SAPI-USED-{'UID' if endpoint in UID_WEIGHT else 'IP'}-WEIGHT-1M"
    headers = {"Content-Type": JSON_TYPE, kind: str(venue.meter.used(endpoint, now_ms))}
    if endpoint == _ORDER and status < BAD_REQUEST:
        ten_seconds, day = venue.meter.unfilled(now_ms)
        headers |= {"X-MBX-ORDER-COUNT-10S": str(ten_seconds), "X-MBX-ORDER-COUNT-1D": str(day)}
    return headers | ({} if retry_after_s is None else {"Retry-After": str(retry_after_s)})


def _faulted(fault: Fault) -> Answer:
    if fault.drop:
        return Answer(0, "", dropped=True)
    if fault.status is None:
        return Answer(200, _BROKEN_OFF, {"Content-Type": JSON_TYPE})
    headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    if fault.body is not None:
        return Answer(fault.status, fault.body, headers | {"Content-Type": HTML_TYPE})
    body = error_body(ApiError(fault.code, fault.message))
    return Answer(fault.status, body, headers | {"Content-Type": JSON_TYPE})
