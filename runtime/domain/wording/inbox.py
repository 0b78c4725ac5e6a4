"""What the bot answers to an operator's messages."""
# ruff: noqa: RUF001 - Chinese text uses Chinese punctuation

from __future__ import annotations

from collections.abc import Mapping

INBOX: Mapping[str, tuple[str, str]] = {
    "inbox.obeyed": (
        "Control is now: {control}. It holds from the next order on. /{command} by {who}.",
        "控制状态现为：{control}。自下一笔订单起生效。/{command}，来自 {who}。",
    ),
    "inbox.obeyed_then": (
        "/{command} by {who} was obeyed: {did}. Then the control was set again, by {now_who}: it is now {control}.",
        "/{command}（来自 {who}）已执行：{did}。其后控制状态又被 {now_who} 设置，现为：{control}。",
    ),
    "inbox.late": (
        "/{command} came too late and was not obeyed: it is older than {minutes} minutes. Send it again.",
        "/{command} 到达太晚，未执行：已超过 {minutes} 分钟。请重新发送。",
    ),
    "inbox.overtaken": (
        "/{command} was not obeyed: the control was set after it was written. It is: {control}.",
        "/{command} 未执行：控制状态在其之后已被设置。现为：{control}。",
    ),
    "inbox.unknown": ("/{command} is no command. See /help.", "没有 /{command} 这个命令。见 /help。"),
    "inbox.flood": ("Too many commands at once: some are not answered.", "一次命令过多：部分未回答。"),
    "inbox.foreign": (
        "Somebody who is not allowed, number {command}, wrote to this bot. Nothing was done, and it is told only once.",
        "未经许可者（编号 {command}）向本机器人发送了消息。未执行任何操作，仅提示一次。",
    ),
    "inbox.replayed": (
        "A message came a second time ({update}) and was not obeyed again.",
        "一条消息再次到达（{update}），未再次执行。",
    ),
    "inbox.unanswered": ("/{command} cannot be answered now: {why}", "/{command} 暂时无法回答：{why}"),
    "inbox.status": (
        "{account}: last hour {slot}, exit {code}, {ago}. Control: {control}. Equity {equity} USDT.",
        "{account}：最近一小时 {slot}，退出码 {code}，{ago}。控制：{control}。资产 {equity} USDT。",
    ),
    "inbox.ago_minutes": ("{count} minutes ago", "{count} 分钟前"),
    "inbox.ago_hours": ("{count} hours ago", "{count} 小时前"),
    "inbox.ago_days": ("{count} days ago", "{count} 天前"),
    "inbox.risks": (
        "Drawdown {drawdown}, open orders {orders}, missed hours {missed}.",
        "回撤 {drawdown}，未结订单 {orders}，错过的小时 {missed}。",
    ),
    "inbox.incidents": ("Open incidents: {what}", "未结事件：{what}"),
    "inbox.position": (
        "{symbol}: {quantity}, {value} USDT, profit {profit}",
        "{symbol}：{quantity}，{value} USDT，盈亏 {profit}",
    ),
    "inbox.no_positions": ("Nothing is held but cash.", "除现金外无持仓。"),
    "inbox.pnl": (
        "{name}: profit {profit} USDT, return {change}, fees {fees}",
        "{name}：盈亏 {profit} USDT，收益率 {change}，手续费 {fees}",
    ),
    "inbox.pool": ("{rung}, version {version}: {symbols}", "{rung}，版本 {version}：{symbols}"),
    "inbox.no_pool": ("No hour has had a pool yet.", "尚无任何小时获得币池。"),
    "inbox.help": (
        "/status /pnl /positions /why [hour] /pool answer from the last hour.",
        "/status /pnl /positions /why [小时] /pool 依据最近一小时回答。",
    ),
    "inbox.help_control": (
        "/halt stops every order, /reduce_only allows sales only, /resume lets all run; more words are the reason.",
        "/halt 停止一切下单，/reduce_only 只卖不买，/resume 恢复；其后的文字为原因。",
    ),
}
