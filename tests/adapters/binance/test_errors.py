"""The table of codes: every code of Binance's documents has a row, and a send trusts only the list."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests import Response, Session
from requests.exceptions import (
    ChunkedEncodingError,
    ConnectTimeout,
    ContentDecodingError,
    InvalidURL,
    ProxyError,
    ReadTimeout,
    RequestException,
    SSLError,
    TooManyRedirects,
)
from requests.exceptions import ConnectionError as ConnectionFailed
from urllib3 import HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
)
from urllib3.exceptions import ReadTimeoutError as Urllib3ReadTimeout
from urllib3.exceptions import SSLError as TlsError

from runtime.adapters.binance.errors import CODES, Fault, Read, network_fault, read_error, response_fault, send_outcome
from runtime.domain.orders import Refused, Unknown
from runtime.errors import BadPayload, EngineError, Misconfigured, RateLimited, Rejected, Unavailable
from tests.support.http_stub import Fate, HttpStub

NOW_MS = 1_795_338_000_000
POOL = HTTPSConnectionPool("api.binance.com")

# Every code of the fact sheets on Spot and Simple Earn, by what a send may conclude from it with HTTP 400.
REFUSED = [-1013, -1021, -1022, -1100, -1101, -1102, -1103, -1104, -1105, -1106, -1111, -1116, -1117, -1120, -1121,
           -1127, -1128, -1130, -2010, -2014, -2015]  # fmt: skip
EARN = [*range(-6001, -6000), -6003, -6004, -6005, -6006, -6007, -6008, -6009, *range(-6020, -6010), -12014]
UNKNOWN = [-1000, -1001, -1002, -1003, -1006, -1007, -1008, -1015, -1016, -1020, -1220, -2008, -2011, -2013, -2026,
           -2039, -2043]  # fmt: skip


@pytest.mark.parametrize("code", [*REFUSED, *EARN, *UNKNOWN])
def test_every_documented_code_has_a_row(code: int) -> None:
    assert code in CODES


@pytest.mark.parametrize("code", [*REFUSED, *EARN])
def test_a_listed_code_is_a_refusal(code: int) -> None:
    outcome = send_outcome(Fault("no", 400, code), NOW_MS)
    assert isinstance(outcome, Refused)
    assert outcome.code == code
    assert outcome.misconfigured == (code in {-1022, -2014, -2015})


@pytest.mark.parametrize("code", [*UNKNOWN, 0, -9999, -1012, -1014, -1099, -1200, -7000])
def test_any_other_code_is_unknown_to_a_send(code: int) -> None:
    assert isinstance(send_outcome(Fault("what?", 400, code), NOW_MS), Unknown)


@pytest.mark.parametrize("code", [*REFUSED, *EARN, *UNKNOWN])
@pytest.mark.parametrize("status", [0, 200, 202, 302, 500, 502, 503, 504])
def test_no_code_makes_a_refusal_of_an_answer_that_is_not_4xx(code: int, status: int) -> None:
    assert isinstance(send_outcome(Fault("?", status, code), NOW_MS), Unknown)


@pytest.mark.parametrize("text", ["HTTP 400: Duplicate order sent.", "duplicate order sent"])
def test_a_duplicate_is_unknown_because_ours_exists(text: str) -> None:
    assert isinstance(send_outcome(Fault(text, 400, -2010), NOW_MS), Unknown)


@pytest.mark.parametrize("status", [401, 403, 451])
def test_a_closed_door_refuses_a_send_for_a_human(status: int) -> None:
    outcome = send_outcome(Fault("no", status), NOW_MS)
    assert isinstance(outcome, Refused)
    assert outcome.misconfigured


@pytest.mark.parametrize("status", [429, 418])
def test_a_rate_limit_refuses_a_send_and_says_until_when(status: int) -> None:
    outcome = send_outcome(Fault("slow down", status, -1015, wait_s=9), NOW_MS)
    assert outcome == Refused(-1015, "slow down", retry_at_ms=NOW_MS + 9000)


@given(status=st.integers(100, 599), code=st.integers(-20_000, 0), never=st.booleans())
def test_a_refusal_always_has_a_reason_of_the_list(status: int, code: int, *, never: bool) -> None:
    outcome = send_outcome(Fault("text", status, code, never_sent=never), NOW_MS)
    if isinstance(outcome, Refused):
        listed = code in CODES and CODES[code].refused and 400 <= status < 500
        assert never or status in {401, 403, 451, 429, 418} or listed
    else:
        assert outcome.why


@given(status=st.integers(300, 599), code=st.integers(-20_000, 0))
def test_every_fault_of_a_read_is_an_error_of_the_port(status: int, code: int) -> None:
    error = read_error("what", Fault("text", status, code), NOW_MS)
    assert isinstance(error, Unavailable | Misconfigured | Rejected)
    assert not isinstance(error, Rejected) or (error.code == code and 400 <= status < 500)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("t", 400, -2008), Misconfigured),
        (Fault("t", 400, -1022), Misconfigured),
        (Fault("t", 400, -1003), RateLimited),
        (Fault("t", 400, -1001), Unavailable),
        (Fault("t", 400, -2013), Rejected),
        (Fault("t", 400, -9999), Rejected),
        (Fault("t", 503, -1121), Unavailable),
        (Fault("t", 200, garbled=True), BadPayload),
        (Fault("t"), Unavailable),
    ],
)
def test_what_a_fault_means_to_a_read(fault: Fault, kind: type[EngineError]) -> None:
    assert type(read_error("what", fault, NOW_MS)) is kind


def test_the_table_says_limited_only_of_the_two_limits() -> None:
    assert {code for code, meaning in CODES.items() if meaning.read is Read.LIMITED} == {-1003, -1015}


def _wrapped(kind: type[ConnectionFailed], reason: Exception) -> ConnectionFailed:
    return kind(MaxRetryError(POOL, "/api/v3/order?signature=abc", reason))


NEVER_SENT = [
    _wrapped(ConnectionFailed, NewConnectionError(POOL, "refused")),  # type: ignore[arg-type]
    _wrapped(ConnectionFailed, NameResolutionError("api.binance.com", POOL, OSError())),  # type: ignore[arg-type]
    _wrapped(ConnectTimeout, ConnectTimeoutError(POOL, "slow")),
    _wrapped(SSLError, TlsError(ssl.SSLCertVerificationError("self-signed"))),
]
PERHAPS_SENT = [
    _wrapped(SSLError, TlsError(ssl.SSLEOFError("EOF occurred in violation of protocol"))),
    _wrapped(SSLError, TlsError(ssl.SSLError("DECRYPTION_FAILED_OR_BAD_RECORD_MAC"))),
    _wrapped(ConnectionFailed, ProtocolError("Connection aborted.", ConnectionResetError())),
    _wrapped(ConnectionFailed, Urllib3ReadTimeout(POOL, "/", "slow")),
    _wrapped(ProxyError, OSError("tunnel")),
    ConnectionFailed(ProtocolError("Connection aborted.", ConnectionResetError())),
    ConnectionFailed(),
    ReadTimeout(),
    ChunkedEncodingError(ProtocolError("IncompleteRead")),
    ContentDecodingError(),
    TooManyRedirects(),
    InvalidURL("https://api?signature=abc"),
    RequestException("anything new"),
]


def _kind(error: RequestException) -> str:
    """The same in every process: an error's text may hold an address of memory."""
    return type(error).__name__


@pytest.mark.parametrize("error", NEVER_SENT, ids=_kind)
def test_a_connection_that_was_never_made_refuses_with_code_0(error: RequestException) -> None:
    outcome = send_outcome(network_fault(error), NOW_MS)
    assert isinstance(outcome, Refused)
    assert outcome.code == 0
    assert "signature" not in outcome.message


@pytest.mark.parametrize("error", PERHAPS_SENT, ids=_kind)
def test_any_other_network_error_may_have_come_after_sending(error: RequestException) -> None:
    """A TLS error too: OpenSSL reports a connection that is dropped while reading as one."""
    outcome = send_outcome(network_fault(error), NOW_MS)
    assert isinstance(outcome, Unknown)
    assert "signature" not in outcome.why


def test_the_exceptions_above_are_those_that_requests_raises() -> None:
    """Against real sockets: refused, and reset after sending; both are ConnectionError."""
    with HttpStub() as stub, Session() as session:
        stub.on("POST /order", Fate.CUT)
        with pytest.raises(ConnectionFailed) as reset:
            session.post(stub.origin + "/order", timeout=5)
        closed = stub.origin
    assert not network_fault(reset.value).never_sent
    with Session() as session, pytest.raises(ConnectionFailed) as refused:
        session.post(closed + "/order", timeout=5)
    assert network_fault(refused.value).never_sent


@given(st.integers(300, 599), st.binary(max_size=400))
def test_no_body_is_an_error_of_its_own(status: int, body: bytes) -> None:
    response = Response()
    response.status_code, response._content = status, body
    fault = response_fault(response)
    assert fault.status == status
    assert len(fault.text) < 250
    assert "\n" not in fault.text
