"""Reasons: whole sentences that the engine itself makes up, with their Chinese.

An alert or a report quotes them as they were said, in English: they come with an error, long before anybody knows who
will read them. `domain.reasons` finds them again by these templates. What is not here (an answer of others, a text of
the system) is quoted as it is.
"""
# ruff: noqa: RUF001 - Chinese text uses Chinese punctuation

from __future__ import annotations

BETWEEN, COLON = "；", "："
"""What stands between sentences, and between a field and its value."""
REASONS: tuple[tuple[str, str], ...] = (
    # the upstream document against its contract: what is wrong with a field
    ("must be a JSON object", "须为 JSON 对象"),
    ("must be one JSON object", "须为一个 JSON 对象"),
    ("must be one JSON object in UTF-8", "须为一个 UTF-8 编码的 JSON 对象"),
    ("must be a date as text and nothing else, such as {example}", "须为日期文本且别无其他，如 {example}"),
    ("is not in the calendar", "日历中没有这一天"),
    ("is {days} day(s) in the future (today is {today} UTC)", "比今天晚 {days} 天（今天是 {today} UTC）"),
    ("is {age} days old, {limit} at most: publish a release", "已 {age} 天，最多 {limit} 天：请发布新版本"),
    (
        "must be a text of 1 to {most} printable characters, such as {example}",
        "须为 1 到 {most} 个可见字符的文本，如 {example}",
    ),
    ("names {day}, which contradicts as_of_date {as_of}", "其中的 {day} 与 as_of_date {as_of} 矛盾"),
    ("must be one of: {names}", "须为以下之一：{names}"),
    ("must be a list of symbols, or a mapping by symbol", "须为交易对列表，或以交易对为键的对象"),
    ("must name at least one symbol", "须至少有一个交易对"),
    ("repeats {place}: name it once", "与 {place} 重复：只写一次"),
    ("must be an upper-case {quote} pair, such as {example}", "须为大写的 {quote} 交易对，如 {example}"),
    ("{base} is held outside the pool (the core): leave it out", "{base} 作为核心在币池之外持有：请去掉"),
    ("{base} is held outside the pool (fuel for fees): leave it out", "{base} 作为手续费在币池之外持有：请去掉"),
    ("{base} is a stablecoin or cash: leave it out", "{base} 是稳定币或现金：请去掉"),
    ("must be a whole number", "须为整数"),
    ("must be the number of symbols, which is {count}", "须等于交易对数量 {count}"),
    ("must be the expected size, which is {count}", "须等于预期数量 {count}"),
    ("must be an object by symbol, or left out", "须为以交易对为键的对象，或不写"),
    ("must be text, or left out", "须为文本，或不写"),
    ("must be '{base}'", "须为 '{base}'"),
    ("and {count} more problems", "另有 {count} 个问题"),
    # what was read of it
    ("missing", "缺失"),
    ("an object with {count} item(s)", "含 {count} 项的对象"),
    ("a list with {count} item(s)", "含 {count} 项的列表"),
    ("a number of more than {digits} digits", "超过 {digits} 位的数字"),
    # against the accepted release
    (
        (
            "release {version} was accepted at {slot} with the same symbols in another order ({symbols}): "
            "a changed list needs a new version"
        ),
        "版本 {version} 已于 {slot} 被采用，交易对相同但顺序不同（{symbols}）：改动的列表须用新版本号",
    ),
    (
        "release {version} was accepted at {slot} with other symbols ({symbols}): a changed list needs a new version",
        "版本 {version} 已于 {slot} 被采用，交易对不同（{symbols}）：改动的列表须用新版本号",
    ),
    (
        (
            "is {days} day(s) before the accepted release {version} ({date}): an older list, and a rollback too, must "
            "be published under a new version and date"
        ),
        "比已采用的版本 {version}（{date}）早 {days} 天：较旧的列表，包括回退，也须用新的版本号和日期发布",
    ),
    # the rungs of the ladder
    ("no upstream release was ever accepted", "从未采用过上游版本"),
    ("{where}: there is no such document", "{where}：没有这个文档"),
    ("{where}: is not a file", "{where}：不是文件"),
    ("{where}: No such file or directory", "{where}：没有这个文件"),
    (
        "release {version}, {count} symbols, {age} days old ({limit} at most)",
        "版本 {version}，{count} 个交易对，已 {age} 天（最多 {limit} 天）",
    ),
    ("accepted at {slot} under size {size} and modes {modes}", "于 {slot} 按数量 {size}、模式 {modes} 采用"),
    (
        "{count} built-in symbols, unchecked and undated: an emergency",
        "内置的 {count} 个交易对，未经检查、没有日期：仅供应急",
    ),
    ("release {version} replaces {before} ({date})", "版本 {version} 取代 {before}（{date}）"),
    (
        "{rung}: unknown fields that cannot be kept in the state: {names}",
        "{rung}：有无法存入状态的未知字段：{names}",
    ),
    (
        "{rung} {where} (not used) gives release {version} other symbols: {symbols}",
        "{rung} {where}（未使用）给版本 {version} 不同的交易对：{symbols}",
    ),
    (
        (
            "{rung} {where} (not used) holds release {version} of {date}, {days} day(s) newer than the last known "
            "good: only the upstream replaces an accepted release"
        ),
        "{rung} {where}（未使用）有 {date} 的版本 {version}，比已采用的新 {days} 天：只有上游能取代已采用的版本",
    ),
    ("{symbol}: the exchange does not list it as TRADING on spot", "{symbol}：交易所现货未列为 TRADING"),
    (
        "{symbol}: {rung} does not name it, and it alone may not replace the accepted release",
        "{symbol}：{rung} 中没有它，而单凭该来源不能取代已采用的版本",
    ),
    # candles
    ("no daily candles", "没有日 K 线"),
    ("needs {needed} closed days, has {found}", "需要 {needed} 个收盘日，只有 {found} 个"),
    ("at least one closed daily candle is needed", "至少需要一根已收盘的日 K 线"),
    ("prices must be finite and above 0 ({least} to {most})", "价格须有限且大于 0（{least} 至 {most}）"),
    ("high must not be below low", "最高价不得低于最低价"),
    ("open and close must lie between low and high", "开盘价和收盘价须在最低价与最高价之间"),
    ("volume must be finite and not negative", "成交量须有限且不为负"),
    ("quote volume must be finite and not negative", "成交额须有限且不为负"),
    ("open time must be a multiple of {step} ms", "开盘时间须为 {step} 毫秒的整数倍"),
    ("repeats the open time before it", "与前一根的开盘时间重复"),
    ("is older than the row before it ({time})", "早于前一行（{time}）"),
    ("{count} candle(s) missing after {time}", "{time} 之后缺 {count} 根"),
    ("must continue the cached ones without a gap", "须与缓存的 K 线相接，不得有缺口"),
    ("high/low/close {before} became {after}", "最高/最低/收盘由 {before} 变为 {after}"),
    # the hour and its orders
    ("told to stop by {name}", "收到停止信号 {name}"),
    ("{what} failed {count} hours in a row", "{what} 已连续 {count} 小时失败"),
    (
        "each hour now begins with one probe and ends where it fails",
        "此后每小时先做一次探测，失败即结束",
    ),
    (
        "no state document, but the exchange remembers orders of ours in {symbols}: run rebuild",
        "没有状态文档，但交易所有本系统在 {symbols} 的订单：请运行 rebuild",
    ),
    (
        "no orders of ours, so nothing to rebuild: run init (first_run: fresh)",
        "没有本系统的订单，无可重建：请运行 init（first_run: fresh）",
    ),
    (
        "no state document and no orders of ours: run init (first_run: fresh)",
        "没有状态文档，也没有本系统的订单：请运行 init（first_run: fresh）",
    ),
    ("not found yet", "尚未找到"),
    ("not placed: proved absent after its fence", "未到达：时限之后已证明不存在"),
    ("no record of it after its fence", "时限之后没有它的记录"),
    ("failed at the exchange", "在交易所失败"),
    ("accepted, not credited yet", "已受理，尚未到账"),
    ("not sent: control is halt", "未发送：控制状态为停止"),
    ("suppressed: dry run", "空跑，未执行"),
    ("cannot be read", "无法读取"),
    ("set it anew with `control run`", "请用 `control run` 重新设置"),
    ("until then nothing is sent", "在此之前不发送任何订单"),
    (
        "check the key, its permissions and IP list, and where the runner stands",
        "请检查密钥、其权限和 IP 白名单，以及运行机所在地",
    ),
)
