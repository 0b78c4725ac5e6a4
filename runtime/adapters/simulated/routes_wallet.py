"""Simple Earn and the wallet under `/sapi/v1`. Histories are newest first and, unless asked otherwise, 30 days long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.adapters.simulated import answers
from runtime.adapters.simulated.answers import Json, fixed
from runtime.adapters.simulated.books import EarnMove, Late, Reward, Transfer
from runtime.adapters.simulated.conditions import KEY_ENDPOINT
from runtime.adapters.simulated.earn import BONUS, REALTIME, product_asset
from runtime.adapters.simulated.meter import EARN
from runtime.adapters.simulated.refusals import ApiError, missing
from runtime.adapters.simulated.routes import Ask, Route, Routes, names
from runtime.adapters.simulated.venue import EarnAsk
from runtime.domain.money import ZERO
from runtime.domain.orders import Kind
from runtime.domain.slots import DAY_MS

_SIZE, _SIZE_MAX = 10, 100
_EARN_DAYS, _TRANSFER_DAYS = 30, 90
_TRANSFERS = 1000
_HISTORY = names("productId purchaseId redeemId asset startTime endTime current size")
_TRANSFER = names("coin status startTime endTime limit offset txId includeSource withdrawOrderId idList")
_OTHER_RIGHTS = names(
    "enableInternalTransfer enableMargin enableFutures permitsUniversalTransfer "
    "enableVanillaOptions enableFixApiTrade enableFixReadOnly enablePortfolioMarginTrading"
)
_KEY_MADE_MS = 1_700_000_000_000
_REWARD_KINDS = {"BONUS": {BONUS}, "REALTIME": {REALTIME}, "REWARDS": {BONUS}, "ALL": {BONUS, REALTIME}}


def _page(ask: Ask, rows: Sequence[Json]) -> Json:
    current = ask.params.number("current", 1, 10**6)
    size = ask.params.number("size", _SIZE, _SIZE_MAX)
    return {"rows": list(rows[(current - 1) * size : current * size]), "total": len(rows)}


def _products(ask: Ask) -> Json:
    terms, asset = ask.venue.conditions.earn, ask.params.text("asset")
    return _page(ask, [answers.earn_product(name, terms) for name in sorted(terms.apr) if asset in {None, name}])


def _positions(ask: Ask) -> Json:
    terms, asset, product = ask.venue.conditions.earn, ask.params.text("asset"), ask.params.text("productId")
    rows = [answers.earn_position(holding, terms) for holding in ask.venue.positions()]
    wanted = [row for row in rows if asset in {None, row["asset"]} and product in {None, row["productId"]}]
    return _page(ask, wanted)


def _quota(ask: Ask) -> Json:
    venue, terms = ask.venue, ask.venue.conditions.earn
    asset = product_asset(ask.params.needed("productId"), terms)
    return {"leftPersonalQuota": fixed(venue.earn.left_quota(asset, terms, venue.now_ms()))}


def _subscription(ask: Ask) -> EarnAsk:
    params = ask.params
    product, amount = params.needed("productId"), params.amount("amount")
    if amount is None:
        raise missing("amount")
    if params.text("sourceAccount") not in {None, "SPOT"}:
        raise ApiError(-1020, "This operation is not supported.")
    return Kind.SUBSCRIBE, product, amount


def _subscribe(ask: Ask) -> Json:
    sweep = ask.params.flag("autoSubscribe", default=True)
    wanted = _subscription(ask)
    move = ask.venue.move(wanted)
    holding = ask.venue.books.holdings.get(move.asset)
    if holding is not None:
        holding.auto_subscribe = sweep
        ask.venue.changed()
    return {"purchaseId": move.move_id, "success": True}


def _redemption(ask: Ask) -> EarnAsk:
    params = ask.params
    product, amount = params.needed("productId"), params.amount("amount")
    if params.text("destAccount") not in {None, "SPOT"}:
        raise ApiError(-1020, "This operation is not supported.")
    if params.flag("redeemAll", default=False):
        return Kind.REDEEM, product, ZERO
    if amount is None:
        raise missing("amount")
    if not amount:
        raise ApiError(-6006, "Redeem amount error")
    return Kind.REDEEM, product, amount


def _redeem(ask: Ask) -> Json:
    return {"redeemId": ask.venue.move(_redemption(ask)).move_id, "success": True}


def _moves(ask: Ask, kind: Kind, id_name: str) -> Json:
    rows: list[EarnMove] = [row for row in _span(ask, ask.venue.books.moves, _EARN_DAYS) if row.kind is kind]
    wanted_id = ask.params.integer(id_name)
    return _page(ask, [answers.earn_record(row) for row in rows if wanted_id in {None, row.move_id}])


def _rewards(ask: Ask) -> Json:
    kinds = _REWARD_KINDS.get(ask.params.needed("type"))
    if kinds is None:
        raise ApiError(-1130, "Data sent for parameter 'type' is not valid.")
    rows: list[Reward] = [row for row in _span(ask, ask.venue.books.rewards, _EARN_DAYS) if row.kind in kinds]
    return _page(ask, [answers.reward(row) for row in rows])


def _span(ask: Ask, rows: Sequence[Any], days: int) -> list[Any]:
    """The rows of the asset (or coin) and time that were asked for, newest first."""
    params = ask.params
    start, end, span_ms = params.integer("startTime"), params.integer("endTime"), days * DAY_MS
    if end is None:
        end = ask.venue.now_ms() if start is None else start + span_ms
    if start is None:
        start = end - span_ms
    if end - start > span_ms:
        raise ApiError(-1127, f"More than {days * 24} hours between startTime and endTime.")
    asset = params.text("asset") or params.text("coin")
    product = params.text("productId")
    asset = asset or (product_asset(product, ask.venue.conditions.earn) if product else None)
    found = [row for row in ask.venue.recorded(rows) if start <= row.time_ms <= end and asset in {None, row.asset}]
    return found[::-1]


def _transfers(ask: Ask, sign: int) -> list[Transfer]:
    rows: list[Transfer] = [r for r in _span(ask, ask.venue.books.transfers, _TRANSFER_DAYS) if r.amount * sign > 0]
    first = ask.params.integer("offset") or 0
    return rows[first : first + ask.params.number("limit", _TRANSFERS, _TRANSFERS)]


def _restrictions(ask: Ask) -> Json:
    key = ask.venue.conditions.key
    return {
        "ipRestrict": key.ip_restricted,
        "createTime": _KEY_MADE_MS,
        "enableReading": key.reading,
        "enableSpotAndMarginTrading": key.trading,
        "enableWithdrawals": key.withdrawals,
        **{name: name in key.others for name in sorted(_OTHER_RIGHTS | key.others)},
        **({} if key.expires_ms is None else {"tradingAuthorityExpirationTime": key.expires_ms}),
    }


def _bnb_burn(ask: Ask) -> Json:
    return {"spotBNBBurn": ask.venue.costs.bnb_discount, "interestBNBBurn": False}


def _set_bnb_burn(ask: Ask) -> Json:
    if "spotBNBBurn" not in ask.params and "interestBNBBurn" not in ask.params:
        raise missing("spotBNBBurn")
    ask.venue.books.bnb_burn = ask.params.flag("spotBNBBurn", default=ask.venue.costs.bnb_discount)
    ask.venue.changed()
    return _bnb_burn(ask)


def _trade_fee(ask: Ask) -> list[Json]:
    symbol, fee = ask.params.text("symbol"), fixed(ask.venue.costs.fee)
    symbols = sorted(ask.venue.market.prices()) if symbol is None else [ask.venue.orders.instrument(symbol).symbol]
    return [{"symbol": name, "makerCommission": fee, "takerCommission": fee} for name in symbols]


ROUTES: Routes = {
    f"GET {EARN}/list": Route(_products, names("asset current size")),
    f"GET {EARN}/position": Route(_positions, names("asset productId current size")),
    f"GET {EARN}/personalLeftQuota": Route(_quota, names("productId")),
    f"POST {EARN}/subscribe": Route(
        _subscribe,
        names("productId amount autoSubscribe sourceAccount"),
        later=lambda ask, due_ms: ask.venue.postpone(Late(due_ms, move=_subscription(ask))),
    ),
    f"POST {EARN}/redeem": Route(
        _redeem,
        names("productId redeemAll amount destAccount"),
        later=lambda ask, due_ms: ask.venue.postpone(Late(due_ms, move=_redemption(ask))),
    ),
    f"GET {EARN}/history/subscriptionRecord": Route(lambda ask: _moves(ask, Kind.SUBSCRIBE, "purchaseId"), _HISTORY),
    f"GET {EARN}/history/redemptionRecord": Route(lambda ask: _moves(ask, Kind.REDEEM, "redeemId"), _HISTORY),
    f"GET {EARN}/history/rewardsRecord": Route(_rewards, _HISTORY | {"type"}),
    "GET /sapi/v1/capital/deposit/hisrec": Route(
        lambda ask: [answers.deposit(row) for row in _transfers(ask, 1)], _TRANSFER
    ),
    "GET /sapi/v1/capital/withdraw/history": Route(
        lambda ask: [answers.withdrawal(row) for row in _transfers(ask, -1)], _TRANSFER
    ),
    KEY_ENDPOINT: Route(_restrictions),
    "GET /sapi/v1/system/status": Route(lambda _: {"status": 0, "msg": "normal"}, signed=False),
    "GET /sapi/v1/bnbBurn": Route(_bnb_burn),
    "POST /sapi/v1/bnbBurn": Route(_set_bnb_burn, names("spotBNBBurn interestBNBBurn")),
    "GET /sapi/v1/asset/tradeFee": Route(_trade_fee, names("symbol")),
}
