"""What each alert says: a title without values, a body with them, and advice where something can be done.

The braces of a body are the facts that the alert should bring; a fact that is missing shows as a dash, one that no
text names is listed below it, so nothing is lost when code and words drift apart.
"""
# ruff: noqa: RUF001 - Chinese text uses Chinese punctuation

from __future__ import annotations

from collections.abc import Mapping

ALERTS: Mapping[str, tuple[str, str]] = {
    "alert.trade.title": ("Order filled", "订单已成交"),
    "alert.trade.body": (
        "{side} {quantity} {symbol} at {price} for {quote} USDT, fees {fees}. Reason: {reason}.",
        "{side} {symbol} {quantity}，均价 {price}，金额 {quote} USDT，手续费 {fees}。原因：{reason}。",
    ),
    "alert.order_failed.title": ("Order failed", "订单失败"),
    "alert.order_failed.body": (
        "{side} {quantity} {symbol} ({reason}) did not execute: {detail}. Nothing was bought or sold.",
        "{side} {symbol} {quantity}（{reason}）没有成交：{detail}。没有买入或卖出。",
    ),
    "alert.order_failed.advice": (
        "The next hour decides anew; if it repeats, check the code in the runbook.",
        "下一小时会重新决策；若重复出现，请按手册查错误码。",
    ),
    "alert.order_unknown.title": ("Order outcome unknown", "订单结果未知"),
    "alert.order_unknown.body": (
        "{side} {quantity} {symbol}, id {client_id}: {detail}. Until it is settled, {symbol} and all buys are blocked.",
        "{side} {symbol} {quantity}，编号 {client_id}：{detail}。查清之前，{symbol} 和所有买入都被暂停。",
    ),
    "alert.order_unknown.advice": (
        (
            "Every hour looks it up again. After 3 hours look at the exchange yourself; if there is no such order, "
            "close it by hand: python -m runtime orders --settle {client_id} --why TEXT"
        ),
        (
            "每小时会自动再查。超过 3 小时请先到交易所核对；若确实没有这笔订单，"
            "请手工关闭：python -m runtime orders --settle {client_id} --why TEXT"
        ),
    ),
    "alert.breaker.title": ("Circuit breaker tripped", "熔断触发"),
    "alert.breaker.body": (
        "The trend sleeve returned {loss} today, the limit is {limit}. It is being sold; no new entries until {until}.",
        "趋势仓今日收益 {loss}，限额 {limit}。正在清仓，{until} 之前不开新仓。",
    ),
    "alert.breaker.advice": (
        "Bitcoin purchases and Earn go on. Three trips in 30 days switch to reduce_only.",
        "比特币定投和理财照常进行。30 天内触发三次会转为 reduce_only。",
    ),
    "alert.account_limit.title": ("Account loss limit", "账户亏损限额"),
    "alert.account_limit.body": (
        "{measure}: {value}. The limit is {limit}; {level} of it is reached.",
        "{measure}：{value}，限额 {limit}，已达到其 {level}。",
    ),
    "alert.account_limit.advice": (
        "At the limit only sales are made until you resume.",
        "达到限额后只卖不买，直到手动 resume。",
    ),
    "alert.degraded_source.title": ("Degraded pool source", "币池来源降级"),
    "alert.degraded_source.body": (
        "The pool comes from {source} (version {version}, {age} days old), {cycles} cycles in a row. Reason: {why}.",
        "当前币池来自{source}（版本 {version}，已 {age} 天），连续 {cycles} 个周期。原因：{why}。",
    ),
    "alert.degraded_source.advice": (
        "New entries are paused, exits go on. Fix upstream with its publisher rather than enable degraded entries.",
        "新开仓暂停，卖出照常。请与发布方一起修复上游，不要改为允许降级来源开仓。",
    ),
    "alert.release_conflict.title": ("Upstream release refused", "上游发布被拒绝"),
    "alert.release_conflict.body": (
        "Version {version} contradicts the accepted one: {why}. The accepted pool stays in force.",
        "版本 {version} 与已接受的发布矛盾：{why}。继续使用已接受的币池。",
    ),
    "alert.release_conflict.advice": (
        "Ask the publisher for a release under a new version.",
        "请发布方用新的版本号重新发布。",
    ),
    "alert.aborted.title": ("Cycle aborted before trading (exit 3)", "周期在交易前中止（退出码 3）"),
    "alert.aborted.body": ("{why}. Nothing was sent.", "{why}。没有发送任何订单。"),
    "alert.aborted.advice": (
        "The next hour tries again by itself; stops are not watched until one succeeds.",
        "下一小时会自动重试；在成功之前止损没有人看守。",
    ),
    "alert.unexpected.title": ("An hour ended early", "周期意外结束"),
    "alert.unexpected.body": ("{why} in step {step}.", "步骤 {step} 出错：{why}。"),
    "alert.unexpected.advice": (
        "What was sent is in the journal (exit 4) and is settled by the next hour. Keep the tape and the log.",
        "已发送的订单在日志簿中（退出码 4），下一小时会核对。请保留记录带和日志。",
    ),
    "alert.settings.title": ("Settings are wrong (exit 2)", "配置错误（退出码 2）"),
    "alert.settings.body": ("{why}", "{why}"),
    "alert.settings.advice": (
        "Nothing was contacted. Correct every line named and run again.",
        "没有访问任何外部系统。请逐条改正后重新运行。",
    ),
    "alert.missed_slots.title": ("Hours were missed", "有小时被错过"),
    "alert.missed_slots.body": (
        "{count} without a completed cycle: {slots}. They are not made up for.",
        "{count} 个小时没有完成周期：{slots}。不会补做。",
    ),
    "alert.missed_slots.advice": (
        "Check the scheduler and the runner.",
        "请检查调度器和运行机。",
    ),
    "alert.drift.title": ("Unexplained balance", "余额无法解释"),
    "alert.drift.body": (
        "Ledger and account differ without evidence: {drift}. Buys are stopped, sales stay within the smaller figure.",
        "账本与账户不一致且没有凭证：{drift}。已停止买入，卖出以较小的数为限。",
    ),
    "alert.drift.advice": (
        "Look for a manual trade, deposit or conversion; then adopt it or explain it.",
        "请查找手工交易、充值或兑换，然后用 adopt 接管或说明原因。",
    ),
    "alert.indicators_missing.title": ("Indicators missing", "指标缺失"),
    "alert.indicators_missing.body": (
        "{symbol}: {why}. It is not bought; its last known stop and average still protect it.",
        "{symbol}：{why}。不会买入；上次已知的止损价和均线仍然有效。",
    ),
    "alert.symbol_not_trading.title": ("Symbol is not trading", "交易对停止交易"),
    "alert.symbol_not_trading.body": (
        "{symbol} is {status} at the exchange: it can be neither bought nor sold, its stop cannot work.",
        "{symbol} 在交易所的状态是 {status}：不能买也不能卖，止损无法执行。",
    ),
    "alert.price_suspect.title": ("Suspect price", "价格可疑"),
    "alert.price_suspect.body": (
        "{symbol} is quoted at {price}; last close {close}, last cycle {previous}. It is not traded on this price.",
        "{symbol} 报价 {price}；上次收盘 {close}，上个周期 {previous}。不按此价格交易。",
    ),
    "alert.candle_revised.title": ("A closed candle was revised", "已收盘的K线被修改"),
    "alert.candle_revised.body": (
        "{symbol}, {day}: {change}. The new values are used from now on.",
        "{symbol}，{day}：{change}。今后使用新值。",
    ),
    "alert.fuel.title": ("BNB fuel is low", "BNB 手续费余额不足"),
    "alert.fuel.body": (
        "BNB is worth {value} USDT (minimum {minimum}) and was not refilled: {gates}.",
        "BNB 价值 {value} USDT（最低 {minimum}），未能补充：{gates}。",
    ),
    "alert.fuel.advice": (
        "Without BNB fees are taken from the coins bought, at a higher rate.",
        "没有 BNB 时，手续费会从买入的币中扣除，费率更高。",
    ),
    "alert.earn_failed.title": ("Earn move failed", "理财操作失败"),
    "alert.earn_failed.body": ("{move} of {amount} {asset}: {why}.", "{move} {amount} {asset}：{why}。"),
    "alert.earn_failed.advice": (
        "Buys use what is free; the next hour compares records before it tries again.",
        "买入只用可用余额；下一小时先核对记录再决定是否重试。",
    ),
    "alert.budget.title": ("A month's budget", "月度预算"),
    "alert.budget.body": (
        "{month}, {what}: {spent} of a budget of {budget} ({level} reached).",
        "{month}，{what}：已用 {spent}，预算 {budget}（已达 {level}）。",
    ),
    "alert.budget.advice": (
        "Nothing is held back for it. `python -m runtime costs` shows what it went to, month by month.",
        "不会因此停止任何操作。用 `python -m runtime costs` 查看每月费用。",
    ),
    "alert.misconfigured.title": ("Access or setting refused", "访问或设置被拒绝"),
    "alert.misconfigured.body": ("{what}: {why}.", "{what}：{why}。"),
    "alert.misconfigured.advice": ("{fix}", "{fix}"),
    "alert.location_blocked.title": ("Location blocked", "所在地区被拒绝"),
    "alert.location_blocked.body": ("{what}: {why}. Nothing trades.", "{what}：{why}。停止交易。"),
    "alert.location_blocked.advice": (
        "HTTP 451: hosted runners stand where Binance does not serve. Run the job on a machine of your own.",
        "HTTP 451：托管运行机所在地区不受 Binance 服务。请改用自己的运行机。",
    ),
    "alert.withdraw_key.title": ("The API key may withdraw (exit 2)", "API 密钥有提现权限（退出码 2）"),
    "alert.withdraw_key.body": (
        "The key of account {account} may withdraw. No hour trades with it.",
        "账户 {account} 的密钥有提现权限。使用它时不交易。",
    ),
    "alert.withdraw_key.advice": (
        "Take the right from it; the next hour looks again. To allow it: ENGINE_ALLOW_WITHDRAW_KEY={account}",
        "请在 Binance 取消该密钥的提现权限，下一小时会再查。若坚持使用：ENGINE_ALLOW_WITHDRAW_KEY={account}",
    ),
    "alert.other_account.title": ("The API key is another account's (exit 3)", "API 密钥属于另一个账户（退出码 3）"),
    "alert.other_account.body": (
        "The key is another Binance account's than the one that the state of {account} was kept for. Nothing was sent.",
        "该密钥对应的币安账户，与账户 {account} 的状态所记录的不是同一个。没有发送任何订单。",
    ),
    "alert.other_account.advice": (
        (
            "Put the key of that account back. If this one really takes its place: "
            "python -m runtime account --accept --why TEXT"
        ),
        "请换回原账户的密钥。若确实要改用这个账户：python -m runtime account --accept --why TEXT",
    ),
    "alert.key_expiry.title": ("The API key expires", "API 密钥即将到期"),
    "alert.key_expiry.body": (
        "The key's right to trade ends at {until}, in {days} days.",
        "密钥的交易权限将于 {until} 到期，还剩 {days} 天。",
    ),
    "alert.key_expiry.advice": (
        "Make a new key before then, put it into the secrets, and prove it with --validate-only.",
        "请在此之前新建密钥、更新机密设置，并用 --validate-only 验证。",
    ),
    "alert.key_unrestricted.title": ("The API key works from any address", "API 密钥未限制 IP"),
    "alert.key_unrestricted.body": (
        "The key has no list of addresses: whoever gets it may trade with it from anywhere.",
        "密钥没有 IP 白名单：任何人拿到它都可在任何地方交易。",
    ),
    "alert.key_unrestricted.advice": (
        "Restrict it at Binance to the address of the runner.",
        "请在 Binance 把密钥限制为运行机的 IP。",
    ),
    "alert.stopped.title": ("An hour was stopped", "本小时被停止"),
    "alert.stopped.body": (
        "{why}. It had sent {sent} requests for orders or Earn moves; nothing new was sent after that.",
        "{why}。此前已发出 {sent} 个订单或理财请求，之后没有再发。",
    ),
    "alert.stopped.advice": (
        "The lease was given back; the next run settles what is open and goes on.",
        "租约已归还；下一次运行会先结清未决事项再继续。",
    ),
    "alert.rate_limited.title": ("Rate limited", "请求过于频繁"),
    "alert.rate_limited.body": ("{what} asks for a pause until {until}.", "{what} 要求暂停到 {until}。"),
    "alert.rate_limited.advice": (
        "No run sends a request before that. Look for another program on the same address or key.",
        "在此之前任何运行都不再请求。请检查是否有其他程序共用同一地址或密钥。",
    ),
    "alert.api_errors.title": ("Many requests failed", "大量请求失败"),
    "alert.api_errors.body": (
        "{failed} of {calls} requests to the exchange had no good answer ({rate}); the hour was done all the same.",
        "{calls} 次交易所请求中有 {failed} 次没有得到有效回应（{rate}）；本小时仍已完成。",
    ),
    "alert.api_errors.advice": (
        "Look at the exchange's status page and at this machine's network.",
        "请查看交易所状态页和本机网络。",
    ),
    "alert.clock_skew.title": ("Clock is wrong", "时钟不准"),
    "alert.clock_skew.body": (
        "This machine differs from the exchange by {skew} ms, the limit is {limit} ms.",
        "本机与交易所相差 {skew} 毫秒，限额 {limit} 毫秒。",
    ),
    "alert.clock_skew.advice": ("Repair time synchronisation on the runner.", "请修复运行机的时间同步。"),
    "alert.lost_state.title": ("State is lost", "状态丢失"),
    "alert.lost_state.body": (
        "The exchange knows orders of ours, but there is no state document: {why}. Nothing trades.",
        "交易所有本系统的订单，但没有状态文档：{why}。停止交易。",
    ),
    "alert.lost_state.advice": (
        "Restore a backup, or run rebuild (workflow input first_run: rebuild). Never init here.",
        "请恢复备份，或运行 rebuild（工作流输入 first_run: rebuild）。此时绝不能 init。",
    ),
    "alert.new_account.title": ("New account", "新账户"),
    "alert.new_account.body": (
        "There is no state document and no order of ours: {why}. Nothing trades until init.",
        "没有状态文档，也没有本系统的订单：{why}。init 之前不交易。",
    ),
    "alert.new_account.advice": (
        "If the account is meant to be new, run init (workflow input first_run: fresh).",
        "若确为新账户，请运行 init（工作流输入 first_run: fresh）。",
    ),
    "alert.control_changed.title": ("Control changed", "控制状态已改变"),
    "alert.control_changed.body": (
        "Control is now {control}, by {who}: {why}.",
        "控制状态现为{control}，操作者 {who}：{why}。",
    ),
    "alert.status.title": ("Status", "状态报告"),
    "alert.status.body": (
        (
            "Equity {equity} USDT, today {today}, drawdown {drawdown}. Holdings in USDT: {holdings}. "
            "Share and target: {shares}. Pool: {source}, {age} days."
        ),
        (
            "总资产 {equity} USDT，今日 {today}，回撤 {drawdown}。持仓（USDT）：{holdings}。"
            "占比与目标：{shares}。币池：{source}，已 {age} 天。"
        ),
    ),
    "alert.recovered.title": ("Recovered", "已恢复"),
    "alert.recovered.body": (
        "{what}: over after {cycles} cycles (since {since}).",
        "{what}：已结束，持续 {cycles} 个周期（始于 {since}）。",
    ),
}
