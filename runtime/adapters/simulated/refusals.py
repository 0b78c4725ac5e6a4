"""Binance's refusals, and what an in-process caller learns from them.

Inside the simulation a refusal is an exception with Binance's own code, text and HTTP status. At the socket it becomes
an error body; in process it becomes what a careful adapter makes of such an answer: a value for a send, one of
`runtime.errors` for a read. Both translations stand here, next to each other, so that they cannot drift apart.
"""

from __future__ import annotations

from runtime.domain.orders import Refused, Unknown
from runtime.errors import EngineError, LocationBlocked, Misconfigured, RateLimited, Rejected, Unavailable

BLOCKING = 451
FORBIDDING = frozenset({401, 403, BLOCKING})
LIMITING = frozenset({418, 429})
DUPLICATE = "Duplicate order sent."
BAD_REQUEST, SERVER_ERROR = 400, 500
_DEFINITE = frozenset({-1013, -1021, -1022, -2010, -2014, -2015, -12014, *range(-1199, -1099), *range(-6999, -5999)})
_RETRY_AFTER_UNSAID_S = 60


class ApiError(Exception):
    """One refusal: `code` and `message` as documented, `status` of HTTP, `retry_after_s` seconds where one is sent."""

    def __init__(self, code: int, message: str, status: int = BAD_REQUEST, retry_after_s: int | None = None) -> None:
        """An error body `{"code": code, "msg": message}` under `status`."""
        super().__init__(f"{status} {code} {message}")
        self.code, self.message, self.status, self.retry_after_s = code, message, status, retry_after_s


def filter_failure(name: str) -> ApiError:
    """−1013 of the filter `name`."""
    return ApiError(-1013, f"Filter failure: {name}")


def illegal(parameter: str, legal: str) -> ApiError:
    """−1100: `parameter` holds characters outside the pattern `legal`."""
    return ApiError(-1100, f"Illegal characters found in parameter '{parameter}'; legal range is '{legal}'.")


def missing(parameter: str) -> ApiError:
    """−1102: the mandatory `parameter` was not sent, or is malformed."""
    return ApiError(-1102, f"Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed.")


def check_time(timestamp_ms: int, now_ms: int, window_ms: int) -> None:
    """Binance's timestamp rule: less than 1 s ahead, at most `window_ms` behind; −1021 otherwise."""
    if timestamp_ms >= now_ms + 1000:
        raise ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - timestamp_ms > window_ms:
        raise ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")


def outcome(error: ApiError | None, now_ms: int) -> Refused | Unknown:
    """What a sender knows after this answer, or after none that can be read: only definite evidence is a refusal."""
    if error is None:
        return Unknown("no readable answer")
    if error.status in LIMITING:
        return Refused(error.code, error.message, retry_at_ms=_retry_at(error, now_ms))
    if error.status in FORBIDDING:
        return Refused(error.code, error.message, misconfigured=True)
    if error.status < SERVER_ERROR and error.code in _DEFINITE and error.message != DUPLICATE:
        return Refused(error.code, error.message)
    return Unknown(str(error))


def read_error(what: str, error: ApiError | None, now_ms: int) -> EngineError:
    """The error of the port for a read that was answered so, or not readably."""
    if error is None:
        return Unavailable(what, "no readable answer")
    why = f"{error.code} {error.message}"
    if error.status in LIMITING:
        return RateLimited(what, why, _retry_at(error, now_ms))
    if error.status in FORBIDDING:
        kind = LocationBlocked if error.status == BLOCKING else Misconfigured
        return kind(what, why, "check the key, its permissions and where this machine stands")
    if error.status >= SERVER_ERROR:
        return Unavailable(what, why)
    return Rejected(what, error.code, error.message)


def _retry_at(error: ApiError, now_ms: int) -> int:
    wait_s = _RETRY_AFTER_UNSAID_S if error.retry_after_s is None else error.retry_after_s
    return now_ms + wait_s * 1000
