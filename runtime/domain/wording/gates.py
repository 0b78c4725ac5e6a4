"""Why: gates (not traded), reasons (traded), conditions (not qualified), and the rungs of the ladder."""
# ruff: noqa: RUF001 - Chinese text uses Chinese punctuation

from __future__ import annotations

from collections.abc import Mapping

GATES: Mapping[str, tuple[str, str]] = {
    # not traded: the system as a whole
    "gate.degraded_source": ("degraded pool source", "币池来源降级"),
    "gate.breaker": ("circuit breaker latched or cooling", "熔断中或冷却中"),
    "gate.reduce_only": ("control: sales only", "控制：只卖不买"),
    "gate.halt": ("control: halted", "控制：已停止"),
    "gate.account_unreadable": ("account could not be read", "账户无法读取"),
    "gate.unknown_order": ("an order's outcome is unknown", "有订单结果未知"),
    "gate.drift": ("unexplained balance", "余额无法解释"),
    "gate.earn_unreadable": ("Earn could not be read", "理财无法读取"),
    "gate.earn_unsettled": ("an Earn move has not arrived", "理财操作尚未到账"),
    "gate.not_sent": ("stopped before sending", "发送前停止"),
    # not traded: the symbol
    "gate.indicators_missing": ("indicators missing", "指标缺失"),
    "gate.price_missing": ("price missing", "缺少价格"),
    "gate.price_suspect": ("suspect price", "价格可疑"),
    "gate.price_stale": ("price too old", "价格过期"),
    "gate.not_trading": ("not trading at the exchange", "交易所停止交易"),
    "gate.retired": ("no longer in the pool", "已不在币池"),
    "gate.not_qualified": ("does not qualify", "不符合条件"),
    "gate.not_selected": ("qualifies, not selected", "符合条件但未入选"),
    "gate.exit_now": ("would be sold at once", "买入后会立即卖出"),
    "gate.within_dead_band": ("within the dead band", "在容差之内"),
    "gate.dust": ("dust", "零头"),
    # not traded: the size
    "gate.filter": ("exchange filter", "交易所规则"),
    "gate.below_minimum": ("below our minimum", "低于最小金额"),
    "gate.order_cap": ("order cap", "单笔上限"),
    "gate.buys_day_cap": ("cap on a day's buys", "当日买入上限"),
    "gate.volume_cap": ("cap by traded volume", "成交量上限"),
    "gate.no_cash": ("no cash", "没有现金"),
    "gate.trend_cash": ("trend cash used up", "趋势现金用完"),
    # not traded: once a day
    "gate.sold_today": ("sold today", "今日已卖出"),
    "gate.bought_today": ("bought today", "今日已买入"),
    "gate.trimmed_today": ("trimmed today", "今日已减仓"),
    "gate.daily_limit": ("done today", "今日已完成"),
    "gate.fuel_done": ("fuel bought today", "今日已买燃料"),
    # not traded: bitcoin, Earn and fuel
    "gate.regime_off": ("regime is off", "大势不利"),
    "gate.ahr999_high": ("ahr999 above the bands", "ahr999 高于定投区间"),
    "gate.ahr999_missing": ("ahr999 missing", "缺少 ahr999"),
    "gate.dca_cash_low": ("too little cash for a purchase", "定投现金不足"),
    "gate.zscore_below_trigger": ("z-score below the trigger", "z 值低于触发线"),
    "gate.tier_done": ("tier already sold in this episode", "本轮该档已减仓"),
    "gate.core_too_small": ("too little bitcoin to trim", "比特币太少，不减仓"),
    "gate.earn_closed": ("Earn is closed", "理财暂停"),
    "gate.earn_window": ("no Earn moves around midnight", "午夜前后不做理财"),
    "gate.earn_minimum": ("below Earn's minimum", "低于理财最小额"),
    "gate.earn_quota": ("Earn quota used up", "理财额度用完"),
    "gate.fuel_enough": ("enough fuel", "燃料充足"),
    # traded: exits, then purchases and moves
    "reason.trailing_stop": ("trailing stop", "移动止损"),
    "reason.below_sma60": ("below the 60-day average", "跌破 60 日均线"),
    "reason.regime_off": ("regime turned off", "大势转弱"),
    "reason.not_qualified": ("no longer qualifies", "不再符合条件"),
    "reason.outranked": ("outranked", "排名落后"),
    "reason.breaker": ("circuit breaker", "熔断"),
    "reason.trim": ("bitcoin trim", "比特币减仓"),
    "reason.entry": ("entry", "开仓"),
    "reason.top_up": ("top-up", "加仓"),
    "reason.dca": ("bitcoin purchase", "比特币定投"),
    "reason.fuel": ("BNB fuel", "补充 BNB"),
    "reason.earn_buffer": ("Earn buffer", "理财缓冲"),
    # conditions of a candidate
    "condition.regime": ("regime", "大势"),
    "condition.regime_unknown": ("regime unknown", "大势未知"),
    "condition.indicators": ("indicators", "指标"),
    "condition.close": ("last close", "收盘价"),
    "condition.sma20": ("close > sma20", "收盘 > sma20"),
    "condition.sma60": ("close > sma60", "收盘 > sma60"),
    "condition.sma200": ("close > sma200", "收盘 > sma200"),
    "condition.vol20": ("volatility", "波动率"),
    "condition.relative_score": ("relative score", "相对得分"),
    "condition.momentum": ("momentum", "动量"),
    "condition.age": ("age", "上市天数"),
    # the ladder
    "rung.fresh_upstream": ("fresh upstream", "最新上游"),
    "rung.last_known_good": ("last known good", "上次可用版本"),
    "rung.local_file": ("local file", "本地文件"),
    "rung.static": ("built-in list", "内置列表"),
}
