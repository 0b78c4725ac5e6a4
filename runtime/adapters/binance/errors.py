"""What Binance's answers mean, in one table; every foreign error is translated here and nowhere else.

Two questions are asked of a fault, and they have different answers. A *read* changed nothing: it asks what may be done
next (wait, give up, call a human). A *send* asks whether something may exist now: only a definite no of the list in
`CODES` is a refusal; everything else, however much it looks like an error, is unknown and will be looked up.

"Never sent" is claimed only where it is proved: the name did not resolve, the connection was refused or not made in
time, or the certificate did not verify (which happens before the first byte of a request). Any other TLS error may
come after the request was written, so it proves nothing. requests wraps all of these in one ConnectionError.

No text made here holds a URL, a header or a parameter: requests puts the signed URL into its messages.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from requests import Response
from requests.exceptions import RequestException
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError
from urllib3.exceptions import SSLError as TlsError

from runtime.domain.orders import Refused, Unknown
from runtime.domain.redaction import redact
from runtime.errors import (
    BadPayload,
    EngineError,
    LocationBlocked,
    Misconfigured,
    RateLimited,
    Rejected,
    Unavailable,
)

ABSENT_CODE = -2013
CLOCK_CODE = -1021
DUPLICATE_CODE = -2010
LOCATION_STATUS = 451
TEXT_MAX = 200
PAUSE_DEFAULT_S = {429: 60, 418: 120}
PAUSE_MAX_S = 3 * 86_400
_BANNED_UNTIL = re.compile(r"banned until (\d{13})\b")


class Read(StrEnum):
    """What a code means to a read."""

    REJECTED = "rejected"
    MISCONFIGURED = "misconfigured"
    LIMITED = "limited"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code means: `refused` = to a send it is a definite no (nothing exists); `read` = to a read."""

    refused: bool
    read: Read


_GROUPS: tuple[tuple[tuple[int, ...], Meaning], ...] = (
    # A definite no to exactly this request.
    ((-1013, CLOCK_CODE, DUPLICATE_CODE, *range(-1199, -1099)), Meaning(refused=True, read=Read.REJECTED)),
    # A definite no until a human changes key, secret or permission.
    ((-1022, -2014, -2015), Meaning(refused=True, read=Read.MISCONFIGURED)),
    # The same to a read; not on the list of what a send may trust.
    ((-1002, -2008), Meaning(refused=False, read=Read.MISCONFIGURED)),
    # To be trusted by a send only with its HTTP status, 429 or 418.
    ((-1003, -1015), Meaning(refused=False, read=Read.LIMITED)),
    # The back end does not know what became of the request.
    ((-1000, -1001, -1006, -1007, -1008), Meaning(refused=False, read=Read.UNAVAILABLE)),
    # A definite no to a read; not on the list of what a send may trust.
    ((-1016, -1020, -1220, -2011, ABSENT_CODE, -2026, -2039, -2043), Meaning(refused=False, read=Read.REJECTED)),
    # Simple Earn's business rejects: which of them a failure gets is not documented, so all of -6xxx count.
    ((-12014, *range(-6999, -5999)), Meaning(refused=True, read=Read.REJECTED)),
)
CODES: Mapping[int, Meaning] = {code: meaning for codes, meaning in _GROUPS for code in codes}
UNLISTED = Meaning(refused=False, read=Read.REJECTED)


@dataclass(frozen=True, slots=True)
class Fault:
    """A call without a usable answer. `status` is HTTP's (0 = no answer came), `code` Binance's (0 = none was given).

    `text` is Binance's message where it gave a code.
    `garbled` is a 2xx answer that is no JSON; `wait_s` and `banned_until_ms` are what a 429 or 418 asked for.
    """

    text: str
    status: int = 0
    code: int = 0
    never_sent: bool = False
    garbled: bool = False
    wait_s: int | None = None
    banned_until_ms: int = 0

    @property
    def meaning(self) -> Meaning:
        """The table's row for the code."""
        return CODES.get(self.code, UNLISTED)

    @property
    def limited(self) -> bool:
        """Whether the exchange asked for a pause."""
        return self.status in PAUSE_DEFAULT_S or self.meaning.read is Read.LIMITED

    @property
    def temporary(self) -> bool:
        """Whether an idempotent read may be tried again soon."""
        if self.limited or self.garbled or self.status in _CONFIGURATION:
            return False
        return self.status < 400 or self.status >= 500 or self.meaning.read is Read.UNAVAILABLE  # noqa: PLR2004 - HTTP's classes

    def resume_ms(self, now_ms: int) -> int:
        """When requests may go on (epoch ms, exchange clock); never later than the longest ban Binance gives."""
        wait_s = self.wait_s if self.wait_s is not None else PAUSE_DEFAULT_S.get(self.status, PAUSE_DEFAULT_S[429])
        return min(max(now_ms + wait_s * 1000, self.banned_until_ms), now_ms + PAUSE_MAX_S * 1000)


class NoAnswerError(Exception):
    """Carries a `Fault` out of the library's call stack; never leaves this folder."""

    def __init__(self, fault: Fault) -> None:
        """`fault` is what came instead of a payload."""
        super().__init__(fault.text)
        self.fault = fault


_LOCATION = (
    "Binance does not serve this location",
    "run the job in an allowed location (a self-hosted runner), not through another country's address",
)
_CONFIGURATION: Mapping[int, tuple[str, str]] = {
    401: ("the API key is not accepted", "check the key, its permissions and its IP list"),
    403: ("refused by Binance's firewall", "check the runner's address and the key's IP list; do not retry at once"),
    LOCATION_STATUS: _LOCATION,
}
_KEY_FIX = "check that key and secret belong together, the key's permissions and its IP list"


def response_fault(response: Response, secrets: Collection[str] = ()) -> Fault:
    """The fault in an answer that is not 2xx, whatever its body is: JSON, HTML or nothing; it is cut short, and what it
    repeats of the request's `secrets` is taken out before.
    """
    try:
        body = response.json()
    except ValueError:
        body = None
    known = isinstance(body, dict)
    code = body.get("code") if known else None
    code = code if isinstance(code, int) else 0
    message = str(body.get("msg", "")) if known else response.text
    said, until = short(message, secrets), _BANNED_UNTIL.search(message)
    wait = response.headers.get("Retry-After", "").strip()
    return Fault(
        text=said if code else f"HTTP {response.status_code}: {said}",
        status=response.status_code,
        code=code,
        wait_s=int(wait) if wait.isascii() and wait.isdigit() else None,
        banned_until_ms=int(until[1]) if until else 0,
    )


def network_fault(error: RequestException) -> Fault:
    """The fault of a call that got no answer: named by its kinds alone, because its text holds the signed URL."""
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    kinds = list(dict.fromkeys(type(e).__name__ for e in (error, reason) if isinstance(e, Exception)))
    never_sent = isinstance(cause, MaxRetryError) and (
        isinstance(reason, NewConnectionError | ConnectTimeoutError) or _bad_certificate(reason)
    )
    return Fault(text=f"no answer ({', '.join(kinds)})", never_sent=never_sent)


def _bad_certificate(reason: object) -> bool:
    return isinstance(reason, TlsError) and any(isinstance(e, ssl.SSLCertVerificationError) for e in reason.args)


def read_error(what: str, fault: Fault, now_ms: int) -> EngineError:
    """The engine's error for a read that failed; `now_ms` is the exchange's clock."""
    if fault.limited:
        return RateLimited(what, fault.text, fault.resume_ms(now_ms))
    if fault.status in _CONFIGURATION:
        why, fix = _CONFIGURATION[fault.status]
        kind = LocationBlocked if fault.status == LOCATION_STATUS else Misconfigured
        return kind(what, f"{why} ({fault.text})", fix)
    if fault.garbled:
        return BadPayload(what, fault.text, "must be JSON")
    if fault.temporary or not fault.code:
        return Unavailable(what, fault.text)
    if fault.meaning.read is Read.MISCONFIGURED:
        return Misconfigured(what, f"{fault.code} {fault.text}", _KEY_FIX)
    return Rejected(what, fault.code, fault.text)


def send_outcome(fault: Fault, now_ms: int) -> Refused | Unknown:
    """What a send that got no usable answer may conclude: a refusal only from the list, or what was never sent."""
    if fault.never_sent:
        return Refused(0, fault.text)
    if fault.status in PAUSE_DEFAULT_S:
        return Refused(fault.code, fault.text, retry_at_ms=fault.resume_ms(now_ms))
    if fault.status in _CONFIGURATION:
        return Refused(fault.code, fault.text, misconfigured=True)
    if 400 <= fault.status < 500 and fault.meaning.refused and not _exists_already(fault):  # noqa: PLR2004 - HTTP's classes
        return Refused(fault.code, fault.text, misconfigured=fault.meaning.read is Read.MISCONFIGURED)
    return Unknown(f"HTTP {fault.status}: {fault.code} {fault.text}" if fault.code else fault.text)


def _exists_already(fault: Fault) -> bool:
    """Binance refuses a second order under an open order's id: then ours exists, and must be looked up."""
    return fault.code == DUPLICATE_CODE and "duplicate order" in fault.text.lower()


def short(text: str, secrets: Collection[str] = ()) -> str:
    """One line of at most 200 characters, without secrets; they go before the cut, or half of one would be left."""
    line = redact(" ".join(text.split()), secrets)
    return line if len(line) <= TEXT_MAX else line[: TEXT_MAX - 3] + "..."
