"""What would have to change: for each gate, and for each condition of a candidate, what lets the trade through.

Placeholders are the numbers that the gate compared; `{symbol}` is its pair.
"""
# ruff: noqa: RUF001 - Chinese text uses Chinese punctuation

from __future__ import annotations

from collections.abc import Mapping

CHANGES: Mapping[str, tuple[str, str]] = {
    # the system as a whole
    "change.degraded_source": (
        "the upstream pool must be fresh and valid again: mend it there",
        "上游币池须恢复最新且有效：请在上游修复",
    ),
    "change.breaker": ("what is held must be sold, and then cooled down", "须先卖出持仓，再经过冷却"),
    "change.breaker.cooling_until": (
        "the cooling must end: its last day is {cooling_until}",
        "须结束冷却：最后一天 {cooling_until}",
    ),
    "change.reduce_only": (
        "the operator must resume (control run), or the loss limit must be lifted",
        "操作者须恢复运行（control run），或解除亏损限制",
    ),
    "change.halt": ("the operator must resume (control run)", "操作者须恢复运行（control run）"),
    "change.account_unreadable": ("the exchange must answer for the account", "交易所须能返回账户"),
    "change.unknown_order": ("the order's outcome must be known: see `orders`", "订单结果须已知：见 `orders`"),
    "change.drift": ("the balance must be explained, or accepted: see `drift`", "余额须得到解释或被接受：见 `drift`"),
    "change.earn_unreadable": ("Earn must answer", "理财须能读取"),
    "change.earn_unsettled": ("the earlier Earn move must arrive", "先前的理财操作须到账"),
    "change.not_sent": ("what stopped it must be over: {why}", "阻止发送的原因须消失：{why}"),
    # the symbol
    "change.indicators_missing": ("its candles must be complete: {why}", "K 线须完整：{why}"),
    "change.price_missing": ("the exchange must give a price above 0", "交易所须给出大于 0 的价格"),
    "change.price_suspect": (
        "the price {price} must be near what is known ({known})",
        "价格 {price} 须接近已知价格（{known}）",
    ),
    "change.price_stale": (
        "prices must be younger than {max_s} s, were {age_ms} ms old",
        "价格须在 {max_s} 秒以内，当时已 {age_ms} 毫秒",
    ),
    "change.not_trading": ("the exchange must list it and take its orders", "交易所须上架并接受其订单"),
    "change.retired": ("the accepted pool must hold it again ({why})", "已采用的币池须重新包含它（{why}）"),
    "change.not_qualified": ("it must meet every condition", "须满足全部条件"),
    "change.not_selected": (
        "its rank {rank} must be {top_n} or better (score {score})",
        "排名 {rank} 须在前 {top_n}（得分 {score}）",
    ),
    "change.exit_now": (
        "the price {price} must be at or above sma60 {sma60}",
        "价格 {price} 须不低于 sma60 {sma60}",
    ),
    "change.within_dead_band": (
        "free cash {free} must exceed the target {target} by more than {band}",
        "空闲现金 {free} 须超过目标 {target} 至少 {band}",
    ),
    "change.dust": ("the holding must be worth more", "持仓价值须更高"),
    # the size
    "change.filter": (
        "the amount must pass the exchange's filter {filter}",
        "数量须通过交易所规则 {filter}",
    ),
    "change.below_minimum": ("the purchase {budget} must reach {min} USDT", "买入额 {budget} 须达到 {min} USDT"),
    "change.below_minimum.shortfall": (
        "what it lacks of its target, {shortfall}, must reach {min} USDT",
        "距目标的缺口 {shortfall} 须达到 {min} USDT",
    ),
    "change.below_minimum.over": (
        "it holds {over} USDT more than its target, and must lack {min}",
        "持有超出目标 {over} USDT，须低于目标 {min}",
    ),
    "change.order_cap": ("cut to {cap}: equity must be larger for {budget}", "已减至 {cap}：买入 {budget} 需更多资产"),
    "change.buys_day_cap": (
        "cut to {cap}: the rest of {budget} waits for the next UTC day",
        "已减至 {cap}：{budget} 的其余部分等下一个 UTC 日",
    ),
    "change.volume_cap": (
        "cut to {cap}: the pair must trade more for {budget}",
        "已减至 {cap}：买入 {budget} 需更大成交量",
    ),
    "change.no_cash": ("cash {cash} must reach {min} USDT", "现金 {cash} 须达到 {min} USDT"),
    "change.no_cash.cap": ("cash {cap} must cover {budget} USDT", "现金 {cap} 须覆盖 {budget} USDT"),
    "change.trend_cash": (
        "the sleeve's cash {cash} must cover the shortfall {shortfall}",
        "趋势现金 {cash} 须覆盖缺口 {shortfall}",
    ),
    # once a day
    "change.sold_today": ("the next UTC day must begin", "须等到下一个 UTC 日"),
    "change.bought_today": ("the next UTC day must begin, bought already", "须等到下一个 UTC 日，今日已买"),
    "change.trimmed_today": ("the next UTC day must begin, trimmed already", "须等到下一个 UTC 日，今日已减仓"),
    "change.daily_limit": ("the next UTC day must begin, done already", "须等到下一个 UTC 日，今日已完成"),
    "change.fuel_done": ("the next UTC day must begin, fuel was bought", "须等到下一个 UTC 日，今日已买燃料"),
    # bitcoin, Earn and fuel
    "change.regime_off": (
        "bitcoin must close above a rising 200-day average",
        "比特币须收于上升的 200 日均线之上",
    ),
    "change.ahr999_high": ("ahr999 {ahr999} must fall below {bound}", "ahr999 {ahr999} 须低于 {bound}"),
    "change.ahr999_missing": (
        "bitcoin's price and its 200 days must be known",
        "须知道比特币价格及其 200 日数据",
    ),
    "change.dca_cash_low": (
        "cash for bitcoin {cash} must reach {min} USDT",
        "比特币可用现金 {cash} 须达到 {min} USDT",
    ),
    "change.zscore_below_trigger": (
        "the z-score {zscore} must rise above {trigger}",
        "z 值 {zscore} 须高于 {trigger}",
    ),
    "change.tier_done": (
        "a higher tier than {tier} must be reached, or the episode must end",
        "须达到高于 {tier} 的档位，或本轮结束",
    ),
    "change.core_too_small": ("bitcoin held {value} must be above {min} USDT", "持有比特币 {value} 须高于 {min} USDT"),
    "change.earn_closed": ("Binance must take subscriptions again", "币安须重新开放申购"),
    "change.earn_window": ("the hours around midnight UTC ({quiet}) must be over", "须过 UTC 午夜前后（{quiet}）"),
    "change.earn_minimum": ("the amount {amount} must reach {min}", "数量 {amount} 须达到 {min}"),
    "change.earn_quota": ("the quota {quota} must cover {amount}", "额度 {quota} 须覆盖 {amount}"),
    "change.fuel_enough": ("BNB held {value} must fall below {min} USDT", "持有 BNB {value} 须低于 {min} USDT"),
    "change.fuel_spent": (
        "what is left must fall below the minimum before an hour's trades",
        "剩余须在交易前低于最低额",
    ),
    # conditions of a candidate
    "change.condition.regime": (
        "bitcoin's close {btc_close} must be above its ma200 {btc_ma200}, and the slope {btc_ma200_slope} above 0",
        "比特币收盘 {btc_close} 须高于 ma200 {btc_ma200}，且斜率 {btc_ma200_slope} 大于 0",
    ),
    "change.condition.regime_unknown": ("bitcoin's indicators must be known", "比特币指标须已知"),
    "change.condition.indicators": ("its indicators must be complete ({why})", "指标须完整（{why}）"),
    "change.condition.close": ("its last close must be known", "收盘价须已知"),
    "change.condition.sma20": ("close {close} must be above sma20 {sma20}", "收盘 {close} 须高于 sma20 {sma20}"),
    "change.condition.sma60": ("close {close} must be above sma60 {sma60}", "收盘 {close} 须高于 sma60 {sma60}"),
    "change.condition.sma200": ("close {close} must be above sma200 {sma200}", "收盘 {close} 须高于 sma200 {sma200}"),
    "change.condition.vol20": ("volatility {vol20} must be above 0", "波动率 {vol20} 须大于 0"),
    "change.condition.relative_score": ("score {score} must be above 0", "得分 {score} 须大于 0"),
    "change.condition.momentum": ("momentum {momentum} must be above 0", "动量 {momentum} 须大于 0"),
    "change.condition.age": ("{age} days listed must reach the least age", "上市 {age} 天须达到最低天数"),
}
