"""Simple Earn: positions, product, moves, records; and the parameters that must never be left to their defaults."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from runtime.domain.market import EarnPosition, EarnProduct
from runtime.domain.orders import EarnDone, EarnRecord, Kind, Refused, Unknown
from runtime.domain.slots import DAY_MS
from runtime.errors import BadPayload, Unavailable
from tests.adapters.binance.conftest import NOW_MS, Bench
from tests.support.http_stub import Answer, Fate, Reply, Seen
from tests.support.recordings import recording

EARN = "/sapi/v1/simple-earn/flexible"
POSITION = f"GET {EARN}/position"
LIST = f"GET {EARN}/list"
QUOTA = f"GET {EARN}/personalLeftQuota"
SUBSCRIBE = f"POST {EARN}/subscribe"
REDEEM = f"POST {EARN}/redeem"
SUBSCRIPTIONS = f"GET {EARN}/history/subscriptionRecord"
REDEMPTIONS = f"GET {EARN}/history/redemptionRecord"
TEN = Decimal(10)


def _paged(rows: list[dict[str, Any]]) -> Callable[[Seen], Reply]:
    def answer(seen: Seen) -> Reply:
        size = int(seen.query["size"])
        first = (int(seen.query["current"]) - 1) * size
        return Reply(body={"rows": rows[first : first + size], "total": len(rows)})

    return answer


def test_positions_come_by_asset(bench: Bench) -> None:
    bench.stub.on(POSITION, Reply(body=recording("binance/earn_position")))
    assert bench.exchange.earn_positions() == {
        "USDT": EarnPosition(
            "USDT",
            "USDT001",
            Decimal("800.12345678"),
            Decimal("0.22759183"),
            Decimal("232.23123213"),
            auto_subscribe=True,
        ),
        "BNB": EarnPosition("BNB", "BNB001", Decimal("0.5"), Decimal("0.00000012"), can_redeem=False),
    }


def test_no_position_is_an_empty_answer(bench: Bench) -> None:
    bench.stub.on(POSITION, Reply(body={"rows": [], "total": 0}))
    assert bench.exchange.earn_positions() == {}


def test_rows_of_one_asset_are_summed_over_all_pages(bench: Bench) -> None:
    row = recording("binance/earn_position")["rows"][0]
    rows = [row | {"totalAmount": str(n), "productId": f"USDT{n}", "canRedeem": n != 7} for n in range(1, 251)]
    bench.stub.on(POSITION, _paged(rows))
    position = bench.exchange.earn_positions()["USDT"]
    assert position.total == sum(range(1, 251))
    assert position.pledged == Decimal("232.23123213") * 250
    assert position.product_id == "USDT250"
    assert not position.can_redeem
    assert [seen.query["current"] for seen in bench.stub.seen] == ["1", "2", "3"]


def test_pages_without_an_end_are_given_up(bench: Bench) -> None:
    rows = recording("binance/earn_position")["rows"][:1] * 100
    bench.stub.on(POSITION, Reply(body={"rows": rows, "total": 100}))
    with pytest.raises(Unavailable, match="pages"):
        bench.exchange.earn_positions()


@pytest.mark.parametrize("field", ["asset", "productId", "totalAmount", "canRedeem", "autoSubscribe"])
def test_one_malformed_position_spoils_the_whole(bench: Bench, field: str) -> None:
    body = recording("binance/earn_position")
    del body["rows"][1][field]
    bench.stub.on(POSITION, Reply(body=body))
    with pytest.raises(BadPayload, match=field):
        bench.exchange.earn_positions()


def test_the_product_is_looked_up_with_the_personal_quota(bench: Bench) -> None:
    bench.stub.on(LIST, Reply(body=recording("binance/earn_list")))
    bench.stub.on(QUOTA, Reply(body=recording("binance/earn_quota")))
    product = bench.exchange.earn_product("USDT")
    assert product == EarnProduct("USDT", "USDT001", Decimal("0.01"), can_purchase=True, left_quota=Decimal(1000))
    assert bench.stub.seen[0].query["asset"] == "USDT"
    assert bench.stub.seen[1].query["productId"] == "USDT001"


def test_an_asset_without_a_product_has_none(bench: Bench) -> None:
    bench.stub.on(LIST, Reply(body={"rows": [], "total": 0}))
    assert bench.exchange.earn_product("XYZ") is None
    assert bench.stub.count(QUOTA) == 0


@pytest.mark.parametrize("change", [{"canPurchase": False}, {"isSoldOut": True}, {"status": "END"}, {"status": None}])
def test_a_product_is_bought_only_where_everything_says_so(bench: Bench, change: dict[str, Any]) -> None:
    body = recording("binance/earn_list")
    body["rows"][0] |= change
    bench.stub.on(LIST, Reply(body=body))
    bench.stub.on(QUOTA, Reply(body=recording("binance/earn_quota")))
    product = bench.exchange.earn_product("USDT")
    assert product is not None
    assert not product.can_purchase


def test_of_several_products_one_on_sale_is_taken_and_other_assets_are_passed_over(bench: Bench) -> None:
    row = recording("binance/earn_list")["rows"][0]
    rows = [row | {"asset": "USDTX"}, row | {"isSoldOut": True, "productId": "OLD"}, row | {"productId": "NEW"}]
    bench.stub.on(LIST, Reply(body={"rows": rows, "total": 3}))
    bench.stub.on(QUOTA, Reply(body=recording("binance/earn_quota")))
    product = bench.exchange.earn_product("USDT")
    assert product is not None
    assert product.product_id == "NEW"


def test_a_subscription_names_source_amount_and_time_and_never_subscribes_by_itself(bench: Bench) -> None:
    bench.stub.on(SUBSCRIBE, Reply(body={"purchaseId": 40607, "success": True}))
    outcome = bench.exchange.send_earn(Kind.SUBSCRIBE, "USDT001", Decimal("1E+2"), NOW_MS - 5)
    assert outcome == EarnDone(40607)
    (seen,) = bench.stub.seen
    sent = {name: value for name, value in seen.form.items() if name not in {"signature", "recvWindow"}}
    assert sent == {
        "productId": "USDT001",
        "amount": "100",
        "autoSubscribe": "false",
        "sourceAccount": "SPOT",
        "timestamp": str(NOW_MS - 5),
    }


def test_a_redemption_goes_to_spot(bench: Bench) -> None:
    bench.stub.on(REDEEM, Reply(body={"redeemId": 40608, "success": True}))
    assert bench.exchange.send_earn(Kind.REDEEM, "USDT001", TEN, NOW_MS - 5) == EarnDone(40608)
    (seen,) = bench.stub.seen
    sent = {name: value for name, value in seen.form.items() if name not in {"signature", "recvWindow"}}
    assert sent == {"productId": "USDT001", "amount": "10", "destAccount": "SPOT", "timestamp": str(NOW_MS - 5)}


@pytest.mark.parametrize("kind", [Kind.REDEEM, Kind.SUBSCRIBE])
@pytest.mark.parametrize("code", [-6001, -6004, -6006, -6009, -6012, -6018, -12014])
def test_a_business_reject_is_a_refusal(bench: Bench, kind: Kind, code: int) -> None:
    bench.stub.on(REDEEM if kind is Kind.REDEEM else SUBSCRIBE, Reply(400, {"code": code, "msg": "no"}))
    assert bench.exchange.send_earn(kind, "USDT001", TEN, NOW_MS) == Refused(code, "no")


UNCLEAR: list[Answer] = [
    Fate.CUT,
    Fate.HALF,
    Reply(500, {"code": -1000, "msg": "?"}),
    Reply(504, {"code": -6006, "msg": "?"}),
    Reply(200, {"success": False}),
    Reply(200, {"success": True}),
    Reply(200, {"purchaseId": 1, "redeemId": 1}),
    Reply(200, "<html>"),
    Reply(200, []),
]


@pytest.mark.parametrize("kind", [Kind.REDEEM, Kind.SUBSCRIBE])
@pytest.mark.parametrize("answer", UNCLEAR, ids=str)
def test_anything_but_a_clear_answer_leaves_a_move_unknown_and_it_is_sent_once(
    bench: Bench, kind: Kind, answer: Answer
) -> None:
    bench.stub.on(REDEEM if kind is Kind.REDEEM else SUBSCRIBE, answer)
    assert isinstance(bench.exchange.send_earn(kind, "USDT001", TEN, NOW_MS), Unknown)
    assert len(bench.stub.seen) == 1


def test_subscription_records_come_oldest_first_with_what_became_of_them(bench: Bench) -> None:
    bench.stub.on(SUBSCRIPTIONS, Reply(body=recording("binance/subscription_record")))
    since = NOW_MS - DAY_MS
    found = bench.exchange.earn_records(Kind.SUBSCRIBE, "USDT", since)
    assert found == [
        EarnRecord(26054, Kind.SUBSCRIBE, "USDT", Decimal(7), 1795334300000, settled=False, failed=True),
        EarnRecord(26055, Kind.SUBSCRIBE, "USDT", Decimal(50), 1795334400000, settled=True),
        EarnRecord(26056, Kind.SUBSCRIBE, "USDT", Decimal(100), 1795337990000, settled=False),
    ]
    (seen,) = bench.stub.seen
    assert (seen.query["asset"], seen.query["startTime"], seen.query["size"]) == ("USDT", str(since), "100")


def test_redemption_records_are_settled_once_they_are_paid(bench: Bench) -> None:
    body = recording("binance/redemption_record")
    body["rows"].append(body["rows"][0] | {"redeemId": 40608, "status": "NEW", "time": 1795337100000})
    bench.stub.on(REDEMPTIONS, Reply(body=body))
    found = bench.exchange.earn_records(Kind.REDEEM, "USDT", NOW_MS - DAY_MS)
    assert [(record.move_id, record.settled, record.failed) for record in found] == [
        (40607, True, False),
        (40608, False, False),
    ]


def test_a_long_history_is_asked_for_in_windows_without_gap_or_overlap(bench: Bench) -> None:
    bench.stub.on(SUBSCRIPTIONS, Reply(body={"rows": [], "total": 0}))
    since = NOW_MS - 100 * DAY_MS
    assert bench.exchange.earn_records(Kind.SUBSCRIBE, "USDT", since) == []
    spans = [(int(seen.query["startTime"]), int(seen.query["endTime"])) for seen in bench.stub.seen]
    assert len(spans) == 4
    assert spans[0][0] == since
    assert spans[-1][1] > NOW_MS
    assert all(end - start <= 30 * DAY_MS for start, end in spans)
    assert all(after[0] == before[1] + 1 for before, after in pairwise(spans))
