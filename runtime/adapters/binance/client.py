"""The connection to Binance: one HTTP session a thread, signed with the exchange's time, that never sends twice.

python-binance signs and speaks HTTP; this module turns off what it would decide by itself:

- It overwrites `timestamp` and `recvWindow` of every signed request. An order's timestamp is its fence (a run that was
  paused past its lease must be refused by Binance itself), so a timestamp that is given is kept; only reads are stamped
  here, with the local clock corrected by the measured offset.
- Its default timeout equals Binance's own limit of 10 s; ours is longer, so that `-1007` arrives instead of silence.
- It follows redirects, with the key in the headers. Here a redirect is an error, and the key goes with signed requests
  only.
- It opens an event loop for websockets that nobody closes. Here it gets one that is closed already.
- Its exceptions carry the signed request. Here a fault is a value with a text of our own.

There is no testnet or demo flag: those switch `/api` alone, and Earn calls would reach the real account. Hosts are
named instead, all three.
"""

# mypy: allow-untyped-calls
# The library annotates few of its methods; what they answer is `object` here and parsed.

from __future__ import annotations

import asyncio
import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from requests import PreparedRequest, Response
from requests.exceptions import RequestException

from runtime.adapters.binance.errors import CLOCK_CODE, Fault, NoAnswerError, network_fault, read_error, response_fault
from runtime.adapters.binance.tally import Tally
from runtime.domain.redaction import KNOWN_MIN
from runtime.errors import BadPayload, Misconfigured
from runtime.ports import Clock

with warnings.catch_warnings():
    # The library imports a deprecated websocket client at import; no websocket is ever opened.
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance.client import Client

TIMEOUTS_S = (3.05, 12.0)
RECV_WINDOW_MS = 5000
RETRY_DELAYS_S = (0.5, 1.5)
READ_BUDGET_S = 30.0
_KEY_HEADER = "X-MBX-APIKEY"
_WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"
_SIGNATURE = re.compile(r"\bsignature=([^&]+)")
_HEADER_SAFE = re.compile(r"[!-~]+")

# urllib3 logs URLs, signature and all: requests and retries at DEBUG, an answer with odd headers as a warning.
logging.getLogger("urllib3").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Hosts:
    """Origins, without a path: `api` and `sapi` for signed calls, `market` for public ones.

    For market data without an account, `https://data-api.binance.vision` serves locations that are blocked elsewhere.
    """

    api: str = "https://api.binance.com"
    sapi: str = "https://api.binance.com"
    market: str = "https://api.binance.com"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key with its HMAC secret, or with an Ed25519 or RSA private key as PEM text (in `api_secret` too)."""

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)

    @property
    def private_key(self) -> str | None:
        """The PEM text as the library wants it (it tells the kinds of key by the length of their text), or None."""
        text = self.api_secret.replace("\\n", "\n").strip()
        if not text.startswith("-----BEGIN"):
            return None
        return "\n".join(line.strip() for line in text.splitlines() if line.strip()) + "\n"


class BinanceSession(Client):
    """python-binance's client for one thread, with explicit hosts, timeouts (s: connect, read) and time."""

    def __init__(
        self,
        credentials: Credentials | None,
        hosts: Hosts,
        now_ms: Callable[[], int],
        timeouts_s: tuple[float, float] = TIMEOUTS_S,
        recv_window_ms: int = RECV_WINDOW_MS,
    ) -> None:
        """Opens no connection. `now_ms` is the exchange's clock; `Misconfigured` for a key that cannot sign."""
        self.API_URL = hosts.api.rstrip("/") + "/api"
        self.MARGIN_API_URL = hosts.sapi.rstrip("/") + "/sapi"
        self.REQUEST_RECVWINDOW = recv_window_ms
        self._market_url = hosts.market.rstrip("/") + "/api"
        self._now_ms = now_ms
        pem = credentials.private_key if credentials else None
        unreadable = False
        with _closed_event_loop():
            try:
                super().__init__(
                    credentials.api_key if credentials else None,
                    credentials.api_secret if credentials and not pem else None,
                    requests_params={"timeout": timeouts_s, "allow_redirects": False},
                    private_key=pem,
                    ping=False,
                )
            except (ValueError, IndexError, TypeError):  # what the cryptography raises for keys it cannot read
                unreadable = True
        if unreadable:
            raise Misconfigured(
                "Binance", "the private key cannot be read", "give an unencrypted Ed25519 or RSA key (PEM)"
            )

    def public(self, path: str, **params: object) -> object:
        """An unsigned GET below `/api/v3`."""
        return self._get(path, data=params)

    def api(self, path: str) -> object:
        """An unsigned GET below `/api/v3` of the host that takes signed requests."""
        return self._request("get", self._create_api_uri(path, signed=True), signed=False)

    @property
    def used_weight(self) -> int | None:
        """What this address's requests of this minute weigh, as the last answer said; None if it did not."""
        response: Response | None = self.response
        said = "" if response is None else response.headers.get(_WEIGHT_HEADER, "")
        return int(said) if said.isascii() and said.isdigit() else None

    def sapi(self, path: str, **params: object) -> object:
        """A signed GET below `/sapi/v1` for which the library has no method."""
        return self._request_margin_api("get", path, signed=True, data=params)

    def close_connection(self) -> None:
        """Close the HTTP session; the library's finaliser calls this too, even after a constructor that failed."""
        session = getattr(self, "session", None)
        if session is not None:
            session.close()

    def _create_api_uri(self, path: str, signed: bool = True, version: str = Client.PUBLIC_API_VERSION) -> str:  # noqa: FBT001, FBT002 - the library's signature
        return super()._create_api_uri(path, signed, version) if signed else f"{self._market_url}/{version}/{path}"

    def _get_headers(self) -> dict[str, Any]:
        headers: dict[str, Any] = super()._get_headers()
        headers.pop(_KEY_HEADER, None)
        return headers

    def _request(self, method: str, uri: str, signed: bool, force_params: bool = False, **kwargs: Any) -> object:  # noqa: ANN401, FBT001, FBT002 - the library's signature
        if signed:
            kwargs.setdefault("data", {})["headers"] = {_KEY_HEADER: self.API_KEY}
        return super()._request(method, uri, signed, force_params, **kwargs)

    def _get_request_kwargs(
        self, method: str, signed: bool, force_params: bool = False, **kwargs: Any  # noqa: ANN401, FBT001, FBT002 - the library's signature
    ) -> dict[str, Any]:  # fmt: skip
        if signed:
            data = kwargs["data"]
            data.setdefault("timestamp", self._now_ms())
            data["recvWindow"] = self.REQUEST_RECVWINDOW
            data["signature"] = self._generate_signature(data)
        # Signed above: told "signed", the library would stamp and sign anew.
        made: dict[str, Any] = super()._get_request_kwargs(method, False, force_params, **kwargs)
        return made

    @staticmethod
    def _handle_response(response: Response) -> object:
        secrets = _secrets_of(response.request)
        if response.status_code // 100 != 2:  # noqa: PLR2004 - HTTP's classes
            raise NoAnswerError(response_fault(response, secrets))
        fault = f"HTTP {response.status_code} without JSON"
        try:
            # No answer of Binance's repeats them; whatever does is quoted nowhere, however well its JSON reads.
            if not any(secret.encode() in response.content for secret in secrets):
                return response.json()
            fault = f"HTTP {response.status_code} that repeats the request's key or signature"
        except ValueError:
            pass
        raise NoAnswerError(Fault(fault, response.status_code, garbled=True))


def _secrets_of(request: PreparedRequest) -> set[str]:
    """What the other side learnt from this request: key and signature, as sent and decoded."""
    sent = [request.url or "", request.body.decode() if isinstance(request.body, bytes) else str(request.body or "")]
    signatures = {found for text in sent for found in _SIGNATURE.findall(text)}
    key = request.headers.get(_KEY_HEADER, "")
    return {secret for secret in (key, *signatures, *map(unquote, signatures)) if len(secret) >= KNOWN_MIN}


@contextmanager
def _closed_event_loop() -> Iterator[None]:
    """The library asks the thread for an event loop, which it keeps and never uses: a closed one holds no sockets."""
    loop = asyncio.new_event_loop()
    loop.close()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)


class Connection:
    """What all calls share: key, hosts, the exchange's clock, a pause it asked for; and one session a thread."""

    def __init__(
        self,
        clock: Clock,
        credentials: Credentials | None = None,
        hosts: Hosts | None = None,
        timeouts_s: tuple[float, float] = TIMEOUTS_S,
        retry_delays_s: Sequence[float] = RETRY_DELAYS_S,
    ) -> None:
        """Contacts nobody. Without credentials only public calls work. `Misconfigured` for a malformed key."""
        if credentials and not _HEADER_SAFE.fullmatch(credentials.api_key):
            raise Misconfigured("Binance", "the API key is malformed", "copy it again, without spaces and line ends")
        self.clock = clock
        self.credentials = credentials
        self._hosts = hosts or Hosts()
        self._timeouts_s, self._retry_delays_s = timeouts_s, retry_delays_s
        self._offset_ms = 0
        self._resume_ms = 0
        self.tally = Tally()
        self._local = threading.local()
        self.listed: frozenset[str] = frozenset()
        self.listing = threading.Lock()  # held while prices are asked for: whoever needs `listed` waits for that answer
        self.session  # noqa: B018 - a key that cannot sign is found here, not in the middle of the hour

    @property
    def session(self) -> BinanceSession:
        """This thread's session; requests does not promise that threads may share one."""
        session: BinanceSession | None = getattr(self._local, "session", None)
        if session is None:
            session = BinanceSession(self.credentials, self._hosts, self.now_ms, self._timeouts_s)
            self._local.session = session
        return session

    def now_ms(self) -> int:
        """The exchange's clock: the local one, corrected by the last measured offset."""
        return self.clock.now_ms() + self._offset_ms

    def sync_clock(self, offset_ms: int) -> None:
        """Set the offset: exchange clock - local clock (ms)."""
        self._offset_ms = offset_ms

    def read(self, what: str, call: Callable[[BinanceSession], object]) -> object:
        """The payload of an idempotent read; tried again a few times, briefly, where that may help."""
        started, delays, measured = self.clock.monotonic(), iter(self._retry_delays_s), False
        while isinstance(answer := self.once(call), Fault):
            if answer.code == CLOCK_CODE and not measured:
                measured = True
                self.sync_clock(self._measured_offset_ms())
                continue
            delay = next(delays, None) if answer.temporary else None
            if delay is None or self.clock.monotonic() - started + delay > READ_BUDGET_S:
                raise read_error(what, answer, self.now_ms())
            self.clock.sleep(delay)
        return answer

    def once(self, call: Callable[[BinanceSession], object]) -> object | Fault:
        """The payload or the fault of exactly one request; none is made during a pause that Binance asked for."""
        if self.now_ms() < self._resume_ms:
            return Fault("held back: Binance asked for a pause", 429, wait_s=0, banned_until_ms=self._resume_ms)
        session = self.session
        try:
            answer = call(session)
        except NoAnswerError as error:
            fault = error.fault
        except RequestException as error:
            fault = network_fault(error)
        else:
            self.tally.note(session.used_weight, failed=False)
            return answer
        self.tally.note(session.used_weight, failed=True)
        # Past the handlers, so that no error of ours carries the library's, with its signed request, as its context.
        if fault.limited:
            self._resume_ms = max(self._resume_ms, fault.resume_ms(self.now_ms()))
        return fault

    def _measured_offset_ms(self) -> int:
        before_ms = self.clock.now_ms()
        answer = self.once(lambda session: session.get_server_time())
        if isinstance(answer, Fault):
            raise read_error("server time", answer, self.now_ms())
        after_ms = self.clock.now_ms()
        server_ms = answer.get("serverTime") if isinstance(answer, dict) else None
        if not isinstance(server_ms, int):
            raise BadPayload("server time", answer, "must be an object with the integer serverTime")
        return server_ms - (before_ms + after_ms) // 2
