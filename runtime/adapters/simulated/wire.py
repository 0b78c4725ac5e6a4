"""Requests as Binance reads them: parameters, signatures, and the syntax of values.

Parameters come from the query string and the form body; the query wins. The signature is over the raw bytes, query
and body joined without a separator, less the signature itself; so whatever a client encodes, it must sign what it
sends. What cannot be read is refused with the documented code: −1022, −1100, −1101, −1102, −1104, −1105, −1111, −1130.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from urllib.parse import unquote_plus

from runtime.adapters.simulated.refusals import ApiError, check_time, illegal, missing

SIGNED_PARAMETERS = frozenset({"timestamp", "recvWindow", "signature"})
RECV_WINDOW_MAX_MS = 60_000
NUMBER = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
INTEGER = r"^[0-9]{1,20}$"
_WINDOW = re.compile(r"[0-9]{1,20}(\.[0-9]{1,3})?")
_MICROSECONDS_FROM = 10**14


@dataclass(frozen=True, slots=True)
class Credentials:
    """The one key that the server knows."""

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)


class Params:
    """Parameters of one request, by name; each reader refuses what does not have its syntax."""

    def __init__(self, query: str, body: str) -> None:
        self._values: dict[str, str] = {}
        self.twice = False
        for source in (query, body):
            found: dict[str, str] = {}
            for part in source.split("&") if source else ():
                name, _, value = part.partition("=")
                self.twice = self.twice or name in found
                found[unquote_plus(name)] = unquote_plus(value)
            self._values = found | self._values

    def check_names(self, allowed: Collection[str]) -> None:
        """−1101 for a repeated name, −1104 for one that nobody reads."""
        if self.twice:
            raise ApiError(-1101, "Duplicate values for a parameter detected.")
        unread = self._values.keys() - allowed
        if unread:
            sent = len(self._values)
            text = f"Not all sent parameters were read; read '{sent - len(unread)}' parameter(s) but was sent '{sent}'."
            raise ApiError(-1104, text)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str | None:
        """The value, None where it was not sent; −1105 for an empty one."""
        value = self._values.get(name)
        if value == "":
            raise ApiError(-1105, f"Parameter '{name}' was empty.")
        return value

    def needed(self, name: str) -> str:
        """The value of a mandatory parameter."""
        value = self._values.get(name)
        if not value:
            raise missing(name)
        return value

    def amount(self, name: str, places: int = 8) -> Decimal | None:
        """A plain decimal number with at most `places` decimals."""
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(NUMBER, value):
            raise illegal(name, NUMBER)
        if len(value.partition(".")[2].rstrip("0")) > places:
            raise ApiError(-1111, f"Parameter '{name}' has too much precision.")
        return Decimal(value)

    def integer(self, name: str) -> int | None:
        """A whole number."""
        value = self.text(name)
        if value is not None and not re.fullmatch(INTEGER, value):
            raise illegal(name, INTEGER)
        return None if value is None else int(value)

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from 1 to `most` (what is above is taken as `most`)."""
        value = self.integer(name)
        if value == 0:
            raise ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")
        return min(default if value is None else value, most)

    def flag(self, name: str, *, default: bool) -> bool:
        """`true` or `false`, in lower case; −1130 otherwise."""
        value = self.text(name)
        if value not in {None, "true", "false"}:
            raise ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")
        return default if value is None else value == "true"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: the raw query and body, header names in lower case."""

    method: str
    path: str
    query: str = ""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        """Method and path: what calls are counted and weighed by."""
        return f"{self.method} {self.path}"


def signature(secret: str, payload: str) -> str:
    """HMAC-SHA256 of the payload, in hexadecimal."""
    return hmac.new(secret.encode(), payload.encode("latin-1"), sha256).hexdigest()


def check_key(request: Request, credentials: Credentials) -> None:
    """−2014 without a key, −2015 with a wrong one; both HTTP 401."""
    key = request.headers.get("x-mbx-apikey")
    if not key:
        raise ApiError(-2014, "API-key format invalid.", 401)
    if not hmac.compare_digest(key.encode(), credentials.api_key.encode()):
        raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def check_timestamp(params: Params, now_ms: int, window_ms: int) -> None:
    """The timestamp rule, with the request's own recvWindow if it sent one; µs are read as such."""
    timestamp = int(params.needed("timestamp")) if params.needed("timestamp").isdecimal() else None
    if timestamp is None:
        raise illegal("timestamp", INTEGER)
    window = params.text("recvWindow")
    if window is not None:
        if not _WINDOW.fullmatch(window):
            raise illegal("recvWindow", _WINDOW.pattern)
        window_ms = int(Decimal(window))
        if window_ms > RECV_WINDOW_MAX_MS:
            raise ApiError(-1131, "recvWindow must be less than 60000.")
    check_time(timestamp // 1000 if timestamp >= _MICROSECONDS_FROM else timestamp, now_ms, window_ms)


def check_signature(request: Request, params: Params, secret: str) -> None:
    """−1022 unless the signature is that of the raw query and body, without the signature itself."""
    sent = params.needed("signature")
    payload = "".join(
        "&".join(part for part in source.split("&") if not part.startswith("signature="))
        for source in (request.query, request.body)
    )
    if not hmac.compare_digest(sent.lower().encode(), signature(secret, payload).encode()):
        raise ApiError(-1022, "Signature for this request is not valid.")
