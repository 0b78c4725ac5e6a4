"""Evidence for balances: what was credited, what has left, what Earn paid to spot."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from runtime.domain.slots import DAY_MS, HOUR_MS
from runtime.errors import BadPayload
from runtime.ports import Flow
from tests.adapters.binance.conftest import NOW_MS, Bench
from tests.support.http_stub import Reply, Seen
from tests.support.recordings import recording

DEPOSITS = "GET /sapi/v1/capital/deposit/hisrec"
WITHDRAWALS = "GET /sapi/v1/capital/withdraw/history"
REWARDS = "GET /sapi/v1/simple-earn/flexible/history/rewardsRecord"


@pytest.fixture
def history(bench: Bench) -> Bench:
    """All three histories as recorded."""
    bench.stub.on(DEPOSITS, Reply(body=recording("binance/deposits")))
    bench.stub.on(WITHDRAWALS, Reply(body=recording("binance/withdrawals")))
    bench.stub.on(REWARDS, Reply(body=recording("binance/rewards_record")))
    return bench


def test_flows_are_what_changed_the_spot_balance_oldest_first(history: Bench) -> None:
    assert history.exchange.flows(NOW_MS - DAY_MS) == [
        Flow("reward:USDT:1795310000000", "reward", "USDT", Decimal("0.00687654"), 1795310000000),
        Flow("deposit:769800519366885376", "deposit", "USDT", Decimal(250), 1795334500000),
        Flow("withdrawal:b6ae22b3aa844210a7041aee7589627c", "withdrawal", "USDT", Decimal("-8.914"), 1795335600000),
        Flow("withdrawal:156ec387f49b41df8724fa744fa82719", "withdrawal", "BTC", Decimal("-0.002"), 1795336800000),
        Flow("deposit:769754833590042626", "deposit", "BNB", Decimal("0.25"), 1795337100000),
    ]


def test_only_bonus_rewards_are_asked_for(history: Bench) -> None:
    """Real-time rewards grow the position; they never reach spot."""
    history.exchange.flows(NOW_MS - DAY_MS)
    assert [s.query["type"] for s in history.stub.seen if s.endpoint == REWARDS] == ["BONUS"]


def test_a_deposit_announced_earlier_counts_when_it_is_credited(history: Bench) -> None:
    since = 1795334000000
    assert recording("binance/deposits")[0]["insertTime"] < since
    found = history.exchange.flows(since)
    assert found[0].id == "deposit:769800519366885376"
    (asked,) = [s for s in history.stub.seen if s.endpoint == DEPOSITS]
    assert int(asked.query["startTime"]) < recording("binance/deposits")[0]["insertTime"]


def test_what_is_older_is_left_out(history: Bench) -> None:
    assert [flow.asset for flow in history.exchange.flows(NOW_MS - HOUR_MS // 2)] == ["BTC", "BNB"]


def test_transfers_are_fetched_page_by_page(history: Bench) -> None:
    def paged(name: str) -> Callable[[Seen], Reply]:
        rows = [recording(f"binance/{name}")[0] | {"id": str(n)} for n in range(1500)]

        def answer(seen: Seen) -> Reply:
            first = int(seen.query["offset"])
            return Reply(body=rows[first : first + int(seen.query["limit"])])

        return answer

    history.stub.on(DEPOSITS, paged("deposits"))
    history.stub.on(WITHDRAWALS, paged("withdrawals"))
    ids = [flow.id for flow in history.exchange.flows(NOW_MS - HOUR_MS)]
    assert len(ids) == len(set(ids)) == 3000


@pytest.mark.parametrize(
    ("endpoint", "name", "change"),
    [
        (DEPOSITS, "deposits", {"amount": "x"}),
        (DEPOSITS, "deposits", {"status": None}),
        (DEPOSITS, "deposits", {"completeTime": "yesterday"}),
        (WITHDRAWALS, "withdrawals", {"transactionFee": None}),
        (WITHDRAWALS, "withdrawals", {"completeTime": "22.11.2026"}),
        (WITHDRAWALS, "withdrawals", {"id": ""}),
    ],
)
def test_one_malformed_transfer_spoils_the_evidence(
    history: Bench, endpoint: str, name: str, change: dict[str, Any]
) -> None:
    rows = recording(f"binance/{name}")
    rows[0] |= change
    history.stub.on(endpoint, Reply(body=rows))
    with pytest.raises(BadPayload):
        history.exchange.flows(NOW_MS - DAY_MS)
