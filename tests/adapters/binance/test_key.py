"""The API key's rights: one signed call of python-binance's own, read strictly where money depends on it."""

from __future__ import annotations

import pytest

from runtime.domain.api_key import KeyRights
from runtime.errors import BadPayload, LocationBlocked, Misconfigured
from tests.adapters.binance.conftest import KEY, NOW_MS, Bench
from tests.support.http_stub import Reply
from tests.support.recordings import recording

RIGHTS = "GET /sapi/v1/account/apiRestrictions"
TIME = "GET /api/v3/time"


def test_a_recorded_answer_becomes_rights_in_one_signed_call(bench: Bench) -> None:
    bench.stub.on(RIGHTS, Reply(body=recording("binance/api_restrictions")))
    assert bench.exchange.key_rights() == KeyRights(
        reading=True,
        trading=True,
        withdrawals=False,
        ip_restricted=False,
        expires_ms=1_797_930_000_000,
        others=("enableInternalTransfer", "permitsUniversalTransfer"),
    )
    (seen,) = bench.stub.seen
    assert seen.headers["x-mbx-apikey"] == KEY
    assert seen.query.keys() == {"timestamp", "recvWindow", "signature"}
    assert seen.query["timestamp"] == str(NOW_MS)


@pytest.mark.parametrize("end", [{}, {"tradingAuthorityExpirationTime": None}, {"tradingAuthorityExpirationTime": 0}])
def test_a_key_without_an_end_has_none(bench: Bench, end: dict[str, object]) -> None:
    body = recording("binance/api_restrictions")
    del body["tradingAuthorityExpirationTime"]
    bench.stub.on(RIGHTS, Reply(body=body | end))
    assert bench.exchange.key_rights().expires_ms is None


@pytest.mark.parametrize("name", ["enableReading", "enableSpotAndMarginTrading", "enableWithdrawals", "ipRestrict"])
@pytest.mark.parametrize("value", [None, "false", 0, "absent"])
def test_a_right_that_is_not_told_plainly_is_a_bad_payload(bench: Bench, name: str, value: object) -> None:
    body = recording("binance/api_restrictions")
    del body[name]
    bench.stub.on(RIGHTS, Reply(body=body if value == "absent" else body | {name: value}))
    with pytest.raises(BadPayload, match=name):
        bench.exchange.key_rights()


@pytest.mark.parametrize("body", [[], "text", {"tradingAuthorityExpirationTime": "soon"}])
def test_an_answer_of_another_shape_is_a_bad_payload(bench: Bench, body: object) -> None:
    bench.stub.on(RIGHTS, Reply(body=recording("binance/api_restrictions") | body if isinstance(body, dict) else body))
    with pytest.raises(BadPayload):
        bench.exchange.key_rights()


def test_a_key_that_is_not_accepted_from_here_says_what_to_look_at(bench: Bench) -> None:
    refusal = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
    bench.stub.on(RIGHTS, Reply(401, refusal))
    with pytest.raises(Misconfigured, match="IP list") as caught:
        bench.exchange.key_rights()
    assert type(caught.value) is Misconfigured


def test_the_clock_of_the_signing_host_is_asked_there_and_without_the_key(bench: Bench) -> None:
    bench.stub.on(TIME, Reply(body=recording("binance/time")))
    assert bench.exchange.server_time_ms() == NOW_MS
    (seen,) = bench.stub.seen
    assert "x-mbx-apikey" not in seen.headers
    assert not seen.params


def test_a_blocked_location_is_told_from_every_other_refusal(bench: Bench) -> None:
    bench.stub.on(TIME, Reply(451, recording("binance/error_451")))
    with pytest.raises(LocationBlocked, match="does not serve this location"):
        bench.exchange.server_time_ms()
