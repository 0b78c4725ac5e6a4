"""Answers in Binance's own shapes: amounts are text with 8 decimals or more, ids and times are integers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from runtime.adapters.simulated.books import PLACES, EarnMove, Holding, OrderRow, Reward, Transfer
from runtime.adapters.simulated.conditions import Conditions, Costs, EarnTerms, Limits
from runtime.adapters.simulated.earn import product_id
from runtime.domain.instruments import Instrument, LotRule
from runtime.domain.market import Balance, Candle, exact
from runtime.domain.money import ONE, ZERO
from runtime.domain.orders import Fill, Kind, Side

Json = dict[str, Any]
_UNIT = ONE.scaleb(-PLACES)


def fixed(value: Decimal) -> str:
    """The amount with 8 decimals, or with as many more as it has."""
    return format(value if int(value.as_tuple().exponent) < -PLACES else value.quantize(_UNIT), "f")


def instrument(pair: Instrument) -> Json:
    """One symbol of exchangeInfo."""
    filters: list[Json] = [
        {"filterType": "PRICE_FILTER"} | dict.fromkeys(("minPrice", "maxPrice", "tickSize"), fixed(ZERO)),
        {"filterType": "LOT_SIZE"} | _lot(pair.lot),
        {"filterType": "MARKET_LOT_SIZE"} | _lot(pair.market_lot),
        {
            "filterType": "NOTIONAL",
            "minNotional": fixed(pair.min_notional),
            "applyMinToMarket": True,
            "maxNotional": fixed(pair.max_notional),
            "applyMaxToMarket": pair.max_notional > 0,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    ]
    if pair.max_position > 0:
        filters.append({"filterType": "MAX_POSITION", "maxPosition": fixed(pair.max_position)})
    return {
        "symbol": pair.symbol,
        "status": pair.status,
        "baseAsset": pair.base,
        "baseAssetPrecision": pair.base_precision,
        "quoteAsset": pair.quote,
        "quotePrecision": PLACES,
        "quoteAssetPrecision": PLACES,
        "baseCommissionPrecision": PLACES,
        "quoteCommissionPrecision": PLACES,
        "orderTypes": ["LIMIT", "MARKET"] if pair.market_orders else ["LIMIT"],
        "quoteOrderQtyMarketAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters,
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def _lot(rule: LotRule) -> Json:
    return {"minQty": fixed(rule.min_qty), "maxQty": fixed(rule.max_qty), "stepSize": fixed(rule.step)}


def rate_limits(limits: Limits) -> list[Json]:
    """The rate limits of exchangeInfo."""
    rows = (
        ("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_1m),
        ("ORDERS", "SECOND", 10, limits.orders_10s),
        ("ORDERS", "DAY", 1, limits.orders_1d),
    )
    return [{"rateLimitType": kind, "interval": i, "intervalNum": n, "limit": most} for kind, i, n, most in rows]


def kline(candle: Candle, step_ms: int) -> list[Any]:
    """One row of klines. A missing quote volume is close × volume, which is what its reader would assume."""
    quote = candle.close * candle.volume if candle.quote_volume is None else candle.quote_volume
    prices = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    texts = [fixed(exact(value)) for value in prices]
    end_ms = candle.open_time_ms + step_ms - 1
    return [candle.open_time_ms, *texts, end_ms, fixed(exact(quote)), 0, fixed(ZERO), fixed(ZERO), "0"]


def account(balances: Mapping[str, Balance], conditions: Conditions, costs: Costs, now_ms: int) -> Json:
    """GET account."""
    points = int(costs.fee * 10_000)
    names = ("maker", "taker", "buyer", "seller")
    fees = (points, points, 0, 0)
    return {
        **{f"{name}Commission": fee for name, fee in zip(names, fees, strict=True)},
        "commissionRates": _rates(costs),
        "canTrade": conditions.key.account_trades,
        **dict.fromkeys(("canWithdraw", "canDeposit"), True),
        **dict.fromkeys(("brokered", "requireSelfTradePrevention", "preventSor"), False),
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": fixed(balance.free), "locked": fixed(balance.locked)}
            for asset, balance in sorted(balances.items())
        ],
        "permissions": ["SPOT"],
        **({} if conditions.key.uid is None else {"uid": conditions.key.uid}),
    }


def _rates(costs: Costs) -> Json:
    return {"maker": fixed(costs.fee), "taker": fixed(costs.fee), "buyer": fixed(ZERO), "seller": fixed(ZERO)}


def commission(symbol: str, costs: Costs) -> Json:
    """GET account/commission."""
    zero = dict.fromkeys(("maker", "taker", "buyer", "seller"), fixed(ZERO))
    return {
        "symbol": symbol,
        "standardCommission": _rates(costs),
        "specialCommission": zero,
        "taxCommission": zero,
        "discount": {
            "enabledForAccount": costs.bnb_discount,
            "enabledForSymbol": True,
            "discountAsset": "BNB",
            "discount": fixed(ONE - costs.bnb_discount_share),
        },
    }


def _order_parts(row: OrderRow) -> Json:
    parts: Json = {
        "price": fixed(row.price),
        "origQty": fixed(row.quantity),
        "executedQty": fixed(row.executed_qty),
        "origQuoteOrderQty": fixed(row.quote_quantity),
        "cummulativeQuoteQty": fixed(row.quote_qty),
        "status": row.status,
        "timeInForce": "GTC",
        "type": row.type,
        "side": row.side.value,
        "workingTime": row.time_ms,
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }
    return parts | ({"expiryReason": "INSUFFICIENT_LIQUIDITY"} if row.status == "EXPIRED" else {})


def order_sent(row: OrderRow, shape: str) -> Json:
    """POST order as ACK, RESULT or FULL."""
    ack: Json = {
        "symbol": row.symbol,
        "orderId": row.order_id,
        "orderListId": -1,
        "clientOrderId": row.client_id,
        "transactTime": row.time_ms,
    }
    if shape == "ACK":
        return ack
    return ack | _order_parts(row) | ({"fills": [_fill(fill) for fill in row.fills]} if shape == "FULL" else {})


def _fill(fill: Fill) -> Json:
    return {
        "price": fixed(fill.price),
        "qty": fixed(fill.qty),
        "commission": fixed(fill.commission),
        "commissionAsset": fill.commission_asset,
        "tradeId": fill.trade_id,
    }


def order(row: OrderRow) -> Json:
    """GET order and the lists of orders."""
    return {
        "symbol": row.symbol,
        "orderId": row.order_id,
        "orderListId": -1,
        "clientOrderId": row.client_id,
        **_order_parts(row),
        "stopPrice": fixed(ZERO),
        "icebergQty": fixed(ZERO),
        "time": row.time_ms,
        "updateTime": row.update_ms,
        "isWorking": True,
    }


def order_cancelled(row: OrderRow, cancel_id: str) -> Json:
    """DELETE order: `clientOrderId` names the cancellation."""
    head = {"symbol": row.symbol, "origClientOrderId": row.client_id, "orderId": row.order_id, "orderListId": -1}
    return head | {"clientOrderId": cancel_id, "transactTime": row.update_ms} | _order_parts(row)


def trade(row: OrderRow, fill: Fill, quote_qty: Decimal) -> Json:
    """One row of myTrades."""
    return {
        "symbol": row.symbol,
        "id": fill.trade_id,
        "orderId": row.order_id,
        "orderListId": -1,
        "price": fixed(fill.price),
        "qty": fixed(fill.qty),
        "quoteQty": fixed(quote_qty),
        "commission": fixed(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": row.update_ms,
        "isBuyer": row.side is Side.BUY,
        "isMaker": False,
        "isBestMatch": True,
    }


def earn_product(asset: str, terms: EarnTerms) -> Json:
    """One row of flexible/list."""
    sold_out = asset in terms.sold_out
    return {
        "asset": asset,
        "productId": product_id(asset),
        "latestAnnualPercentageRate": fixed(terms.apr[asset]),
        "canPurchase": not sold_out,
        "canRedeem": asset not in terms.redeem_closed,
        "isSoldOut": sold_out,
        "hot": False,
        "minPurchaseAmount": fixed(terms.min_purchase),
        "subscriptionStartTime": "1646182276000",
        "status": "PURCHASING",
    }


def earn_position(holding: Holding, terms: EarnTerms) -> Json:
    """One row of flexible/position."""
    return {
        "totalAmount": fixed(holding.amount),
        "latestAnnualPercentageRate": fixed(terms.apr.get(holding.asset, ZERO)),
        "asset": holding.asset,
        "canRedeem": holding.asset not in terms.redeem_closed,
        "collateralAmount": fixed(ZERO),
        "productId": product_id(holding.asset),
        "yesterdayRealTimeRewards": fixed(ZERO),
        "cumulativeBonusRewards": fixed(holding.bonus),
        "cumulativeRealTimeRewards": fixed(holding.rewards),
        "cumulativeTotalRewards": fixed(holding.bonus + holding.rewards),
        "autoSubscribe": holding.auto_subscribe,
    }


def earn_record(move: EarnMove) -> Json:
    """One row of the subscription or redemption history."""
    row: Json = {"amount": fixed(move.amount), "asset": move.asset, "time": move.time_ms}
    if move.kind is Kind.REDEEM:
        status = "PAID" if move.settled else "PENDING"
        names = {"projectId": product_id(move.asset), "redeemId": move.move_id, "destAccount": "SPOT"}
        return row | names | {"status": status}
    status = "SUCCESS" if move.settled else "PURCHASING"
    amounts = {"amtFromSpot": fixed(move.amount), "amtFromFunding": fixed(ZERO)}
    names = {"purchaseId": move.move_id, "productId": product_id(move.asset), "sourceAccount": "SPOT"}
    return row | names | amounts | {"type": "NORMAL", "status": status}


def reward(row: Reward) -> Json:
    """One row of the rewards history."""
    named = {"projectId": product_id(row.asset), "type": row.kind, "time": row.time_ms}
    return {"asset": row.asset, "rewards": fixed(row.amount)} | named


def deposit(row: Transfer) -> Json:
    """One row of the deposit history (credited)."""
    head = {"id": str(row.id), "amount": fixed(row.amount), "coin": row.asset, "network": row.asset, "status": 1}
    times = {"insertTime": row.time_ms, "completeTime": row.time_ms}
    return head | {"address": "", "addressTag": "", "txId": f"simulated-{row.id}", "transferType": 0} | times


def withdrawal(row: Transfer) -> Json:
    """One row of the withdrawal history (completed); its times are text, UTC, to the second."""
    moment = datetime.fromtimestamp(row.time_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    head = {"id": str(row.id), "amount": fixed(-row.amount), "transactionFee": "0", "coin": row.asset, "status": 6}
    return head | {"applyTime": moment, "completeTime": moment, "txId": f"simulated-{row.id}", "transferType": 0}
