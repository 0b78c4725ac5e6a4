"""The whole decision: the gate table of the contract row by row, the shipped known answer, and determinism."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, replace
from datetime import date
from decimal import Decimal

import pytest
from pydantic import ValidationError

from runtime.domain.decision import BreakerMemory, Decision, ExecutionPool, ExitReason, HoldingMemory, Plan
from runtime.domain.market import DailyMarket
from runtime.domain.orders import Sleeve, Status
from runtime.domain.planning import plan_buys, plan_sells
from runtime.domain.settings import StrategySettings
from runtime.domain.state import DayBook
from runtime.domain.valuation import wallet_of
from strategies import REGISTRY
from strategies.crypto_live_pool_rotation import decide
from tests.support.situations import (
    NOW_MS,
    POOL,
    PRICES,
    SPOT,
    TODAY,
    Situation,
    account_of,
    ledger_of,
    ordinary,
    overheated,
    pairs,
    series,
    unknown_order,
)

D = Decimal

TABLE = """
| condition | trend entries | trend exits | DCA buy | DCA trim | Earn, fuel |
| --- | --- | --- | --- | --- | --- |
| source `fresh_upstream` | yes | yes | yes | yes | yes |
| degraded source | no, unless `STRATEGY_ARTIFACT_ALLOW_NEW_ENTRIES_ON_DEGRADED=1` | yes | yes | yes | yes |
| breaker latched or cooling | no | yes | yes | yes | yes |
| control `reduce_only` | no | yes | no | yes | yes |
| control `halt`, or control unreadable | no | no | no | no | no |
| one symbol's candles missing | that symbol no | last known stop, sma60 | yes | yes | yes |
| one symbol's price bad or it is not TRADING | that symbol no | that symbol no | if BTC no | if BTC no | yes |
| Earn unreadable | no | yes, of free spot | no | yes, of free spot | no |
| an unknown order | no | other symbols yes | no | yes | that asset no |
| unexplained drift | no | yes, up to min(ledger, free) | no | yes, likewise | no |
"""
"""Section 9, as it stands in the contract. Its last row (account unreadable, ...) ends the hour before any decision."""

Change = Callable[[Situation], Situation]
HALVES = account_of({**SPOT, "BTC": "0.005", "XRP": "50", "LTC": "0.5"}, {"BTC": "0.005", "XRP": "50", "LTC": "0.5"})


def bad_price(symbol: str) -> list[Change]:
    """A pair that may not be traded: no price, a price that jumped, an old one; halted, or not listed."""
    halted = replace(pairs()[symbol], status="BREAK")
    return [
        lambda s: s.with_prices(**{symbol: None}),
        lambda s: s.with_prices(**{symbol: str(D(PRICES[symbol]) * 3)}),
        lambda s: s.seen(instruments=pairs(**{symbol: halted})),
        lambda s: s.seen(instruments={k: v for k, v in pairs().items() if k != symbol}),
    ]


def cooling(situation: Situation) -> Situation:
    return situation.with_memory(breaker=BreakerMemory(date(2026, 3, 13), TODAY, trips=(date(2026, 3, 13),)))


def latched(situation: Situation) -> Situation:
    """Cooled for long, but the sale of what was held is not finished."""
    old = date(2026, 3, 1)
    return situation.with_memory(breaker=BreakerMemory(old, date(2026, 3, 4), liquidating=True, trips=(old,)))


def without_candles(symbol: str) -> Change:
    return lambda s: s.with_facts(s.snapshot.facts.btc if s.snapshot.facts else None, **{symbol: None})


def unknown(symbol: str, status: Status = Status.UNKNOWN) -> Change:
    return lambda s: s.with_state(intents=(unknown_order(symbol, status=status),))


CONDITIONS: dict[str, list[Change]] = {
    "source `fresh_upstream`": [lambda s: s],
    "degraded source": [lambda s: replace(s, pool=replace(POOL, degraded=True))],
    "breaker latched or cooling": [cooling, latched],
    "control `reduce_only`": [
        lambda s: s.seen(control="reduce_only"),
        lambda s: s.with_memory(reduce_only_ms=NOW_MS - 1),  # latched by a loss limit
    ],
    "control `halt`, or control unreadable": [
        lambda s: s.seen(control="halt"),
        lambda s: s.seen(control="no such mode"),
    ],
    "one symbol's candles missing": [
        without_candles("ETHUSDT"),
        without_candles("XRPUSDT"),
        without_candles("LTCUSDT"),
    ],
    "one symbol's price bad or it is not TRADING": [
        *bad_price("ETHUSDT"),
        *bad_price("XRPUSDT"),
        *bad_price("BTCUSDT"),
    ],
    "Earn unreadable": [lambda s: s.seen(earn=None, account=HALVES)],
    "an unknown order": [
        unknown("ETHUSDT"),
        unknown("XRPUSDT"),
        unknown("BNBUSDT"),
        unknown("XRPUSDT", Status.RECORDED),
    ],
    "unexplained drift": [lambda s: s.with_state(drift={"DOGE": D(1)}).seen(account=HALVES)],
}


@dataclass(frozen=True)
class Hour:
    """What a situation led to, column by column."""

    situation: Situation
    decision: Decision
    hot: Decision

    @property
    def entries(self) -> set[str]:
        return set(self.decision.entries)

    @property
    def exits(self) -> set[str]:
        return {e.symbol for e in self.decision.exits if e.sleeve is Sleeve.TREND}

    @property
    def trims(self) -> bool:
        return any(e.sleeve is Sleeve.BTC_CORE for e in self.hot.exits)

    def sold(self, decision: Decision) -> dict[str, Decimal]:
        """Planned sales by asset."""
        wallet = wallet_of(self.situation.state.ledger, self.situation.snapshot.account, self.situation.snapshot.earn)
        plan = plan_sells(decision, self.situation.snapshot, wallet)
        totals: dict[str, Decimal] = {}
        for order in plan.orders:
            asset = order.symbol.removesuffix("USDT")
            totals[asset] = totals.get(asset, D(0)) + order.quantity
        return totals


def hour_of(change: Change) -> Hour:
    cold, hot = change(ordinary()), change(overheated())
    return Hour(cold, cold.decide(), hot.decide())


def subject_of(row: str, index: int) -> str:
    """The symbol that the change of this row and index is about."""
    if row == "one symbol's candles missing":
        return ("ETHUSDT", "XRPUSDT", "LTCUSDT")[index]
    if row.startswith("one symbol's price"):
        return ("ETHUSDT", "XRPUSDT", "BTCUSDT")[index // 4]
    if row == "an unknown order":
        return ("ETHUSDT", "XRPUSDT", "BNBUSDT", "XRPUSDT")[index]
    return ""


def check_entries(cell: str, hour: Hour, subject: str) -> None:
    everything = {"ETHUSDT", "SOLUSDT"}
    if cell == "yes":
        assert hour.entries == everything
    elif cell == "that symbol no":
        assert hour.entries == everything - {subject}
    else:
        assert cell.startswith("no")
        assert hour.entries == set()
        assert hour.decision.targets, "selected symbols are shown whatever stops them"


def check_exits(cell: str, hour: Hour, subject: str) -> None:
    everything = {"XRPUSDT", "LTCUSDT"}
    if cell in {"yes", "yes, of free spot", "yes, up to min(ledger, free)"}:
        assert hour.exits == everything
        share = D(1) if cell == "yes" else D("0.5")
        assert hour.sold(hour.decision).items() >= {"XRP": 100 * share, "LTC": share}.items()
    elif cell == "last known stop, sma60":
        assert hour.exits == everything - ({"LTCUSDT"} if subject == "LTCUSDT" else set())
    elif cell in {"that symbol no", "other symbols yes"}:
        assert hour.exits == everything - {subject}
    else:
        assert cell == "no"
        assert hour.exits == set()


def check_buy(cell: str, hour: Hour, subject: str) -> None:
    assert (hour.decision.dca is not None) == (cell == "yes" or (cell == "if BTC no" and subject != "BTCUSDT"))


def check_trim(cell: str, hour: Hour, subject: str) -> None:
    assert hour.trims == (cell.startswith("yes") or (cell == "if BTC no" and subject != "BTCUSDT"))
    if cell in {"yes, of free spot", "yes, likewise"}:
        assert hour.sold(hour.hot)["BTC"] == D("0.001"), "10 % of 0.01, less than the half that is free"


def check_cash(cell: str, hour: Hour, subject: str) -> None:
    if cell == "that asset no":
        assert hour.decision.earn
        assert not hour.decision.fuel, "fuel is paid with the USDT that the unknown order may have spent"
    else:
        assert (hour.decision.earn, hour.decision.fuel) == ((cell == "yes"),) * 2


CHECKS = (check_entries, check_exits, check_buy, check_trim, check_cash)


def table_cases() -> list[tuple[str, int, str, int]]:
    """(row, column, cell, change): every cell of the table under every way its condition comes about."""
    rows = [[cell.strip() for cell in line.strip("| \n").split("|")] for line in TABLE.strip().splitlines()[2:]]
    return [
        (row, column, cell, change)
        for row, *cells in rows
        for column, cell in enumerate(cells)
        for change in range(len(CONDITIONS[row]))
    ]


@pytest.mark.parametrize(("row", "column", "cell", "change"), table_cases())
def test_gate_table(row: str, column: int, cell: str, change: int) -> None:
    """Each row and column of the contract's table holds, however its condition comes about."""
    hour = hour_of(CONDITIONS[row][change])
    CHECKS[column](cell, hour, subject_of(row, change))


def test_the_table_is_whole() -> None:
    assert {case[0] for case in table_cases()} == set(CONDITIONS)
    assert {case[1] for case in table_cases()} == set(range(5))


@pytest.mark.parametrize("row", [row for row in CONDITIONS if "fresh" not in row])
def test_whatever_a_condition_stops_leaves_a_gate_that_names_it(row: str) -> None:
    names = {
        "degraded source": "degraded_source",
        "breaker latched or cooling": "breaker",
        "control `reduce_only`": "reduce_only",
        "control `halt`, or control unreadable": "halt",
        "one symbol's candles missing": "indicators_missing",
        "one symbol's price bad or it is not TRADING": "price_missing",
        "Earn unreadable": "earn_unreadable",
        "an unknown order": "unknown_order",
        "unexplained drift": "drift",
    }
    assert names[row] in {gate.name for gate in hour_of(CONDITIONS[row][0]).decision.gates}


def test_an_operator_may_allow_entries_on_a_degraded_source() -> None:
    """The setting is the ladder's: with it the pool no longer counts as degraded, whatever its source."""
    allowed = replace(ordinary(), pool=replace(POOL, degraded=False))
    assert allowed.decide().entries == ("ETHUSDT", "SOLUSDT")


def test_an_old_price_trades_nothing_but_still_values() -> None:
    stale = ordinary().seen(priced_ms=NOW_MS - 60_001)
    decision = stale.decide()
    assert (decision.entries, decision.exits, decision.dca, decision.fuel) == ((), (), None, False)
    assert decision.equity == D("2326.00")
    assert {"price_stale"} <= {gate.name for gate in decision.gates}
    fresh = ordinary().seen(priced_ms=NOW_MS - 60_000).decide()
    assert fresh.entries == ("ETHUSDT", "SOLUSDT")


def test_a_suspect_price_values_at_the_last_one_and_never_raises_the_high() -> None:
    """XRP at 3.6 instead of 1.2: equity does not jump by 240, the high stays, nothing of XRP is sold."""
    decision = ordinary().with_prices(XRPUSDT="3.6").decide()
    assert decision.equity == D("2326.00")
    assert decision.memory.holdings["XRPUSDT"].highest == D("1.5")
    assert {e.symbol for e in decision.exits} == {"LTCUSDT"}


def test_a_suspect_price_never_begins_a_high() -> None:
    """A holding without a recorded position or memory begins at its last good price."""
    bare = ordinary().with_memory(holdings={}).with_state(positions={}).with_prices(XRPUSDT="3.6")
    assert bare.decide().memory.holdings["XRPUSDT"].highest == D("1.2")


def test_a_suspect_price_of_the_first_hour_values_at_the_last_close() -> None:
    market = DailyMarket(TODAY, {"XRPUSDT": series("XRPUSDT", [1.0] * 3)})
    first = ordinary().with_state(prices={}).seen(daily=market).with_prices(XRPUSDT="3.6")
    assert first.decide().equity == D("2306.00"), "100 XRP at their close of 1, not at 3.6"


def test_a_jump_that_either_known_price_supports_is_trusted() -> None:
    """40 % from both is suspect; a crash that the last hour saw already is believed, and its stop sells."""
    assert "XRPUSDT" in {e.symbol for e in ordinary().with_prices(XRPUSDT="0.73").decide().exits}
    crashed = ordinary().with_prices(XRPUSDT="0.6")
    assert "XRPUSDT" not in {e.symbol for e in crashed.decide().exits}
    believed = crashed.with_state(prices={**ordinary().state.prices, "XRPUSDT": D("0.6")})
    assert "XRPUSDT" in {e.symbol for e in believed.decide().exits}


def test_a_coin_without_a_price_keeps_its_value_when_buys_are_planned() -> None:
    """Without it the sleeve would look 600 USDT emptier, and that much more would be bought."""
    known = ordinary().owning({"USDT": "1000", "XRP": "500"})
    missing = known.with_prices(XRPUSDT=None)
    budgets = [sum(o.budget for o in buys(s).orders if o.sleeve is Sleeve.TREND) for s in (known, missing)]
    assert budgets[0] == budgets[1] > 0


def buys(situation: Situation) -> Plan:
    """What the hour would buy if nothing was sold before."""
    wallet = wallet_of(situation.state.ledger, situation.snapshot.account, situation.snapshot.earn)
    return plan_buys(situation.decide(), situation.snapshot, wallet, situation.settings)


def test_an_hour_that_trims_does_not_buy() -> None:
    """Both due at once: the trim comes first, and the purchase says why it waits."""
    both = ordinary().with_btc(zscore=3.0, ahr999=0.4).decide()
    assert [e.reason for e in both.exits if e.sleeve is Sleeve.BTC_CORE] == [ExitReason.TRIM]
    assert both.dca is None
    assert "trimmed_today" in {gate.name for gate in both.gates}


def test_a_day_of_bitcoin_is_either_bought_or_trimmed() -> None:
    assert ordinary().with_day(done=("trim",)).decide().dca is None
    hot = overheated().with_day(done=("dca",)).decide()
    assert not [e for e in hot.exits if e.sleeve is Sleeve.BTC_CORE]


def test_yesterdays_marks_and_purchases_do_not_bind_today() -> None:
    stale = DayBook(date(2026, 3, 14), done=("dca", "fuel", "buy:ETHUSDT", "sold:SOLUSDT"), buys_all=D(10_000))
    decision = ordinary().with_state(day=stale).decide()
    assert decision.entries == ("ETHUSDT", "SOLUSDT")
    assert decision.dca is not None
    assert decision.fuel
    assert decision.buys_left == D(2326)


@pytest.mark.parametrize(("mark", "gate"), [("buy:ETHUSDT", "bought_today"), ("sold:ETHUSDT", "sold_today")])
def test_a_symbol_traded_today_is_not_bought_again(mark: str, gate: str) -> None:
    decision = ordinary().with_day(done=(mark,)).decide()
    assert decision.entries == ("SOLUSDT",)
    assert gate in {g.name for g in decision.gates if g.symbol == "ETHUSDT"}


def test_what_the_live_price_would_sell_at_once_is_not_bought() -> None:
    """ETH closed above its sma60 of 2250 and qualifies, but trades below it now."""
    decision = ordinary().with_prices(ETHUSDT="2249").decide()
    assert decision.entries == ("SOLUSDT",)
    assert [dict(g.numbers) for g in decision.gates if g.name == "exit_now"] == [{"price": "2249", "sma60": "2250"}]
    assert ordinary().with_prices(ETHUSDT="2250").decide().entries == ("ETHUSDT", "SOLUSDT")


def test_a_symbol_that_leaves_this_hour_is_not_bought_this_hour() -> None:
    """XRP is selected (it alone qualifies with ETH) and hits its stop at the same time."""
    decision = replace(ordinary(), pool=replace(POOL, symbols=("ETHUSDT", "XRPUSDT"))).decide()
    assert {t.symbol for t in decision.targets} == {"ETHUSDT", "XRPUSDT"}
    assert decision.entries == ("ETHUSDT",)


def test_a_new_pool_and_a_degraded_one_sell_nothing_by_themselves() -> None:
    """ETH is held well above its stop. Whatever happens to the pool, it stays."""
    held = ordinary().owning({"USDT": "1000", "ETH": "0.2"})
    other = ExecutionPool(("SOLUSDT", "BCHUSDT"), degraded=False)
    omitted = ExecutionPool(("SOLUSDT",), degraded=True, dropped={"ETHUSDT": "static does not name it"})
    for pool in (POOL, replace(POOL, degraded=True), other, omitted, ExecutionPool((), degraded=True)):
        assert replace(held, pool=pool).decide().exits == (), pool


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.with_prices(ETHUSDT="2312"), ExitReason.TRAILING_STOP),  # 2500 - 2.5 * 75 = 2312.5
        (lambda s: s.with_memory(holdings={}).with_prices(ETHUSDT="2249"), ExitReason.BELOW_SMA60),  # stop 2061.5
        (lambda s: s.with_btc(close=54_999.0), ExitReason.REGIME_OFF),
    ],
)
def test_a_retired_symbol_leaves_by_stop_sma60_and_regime(change: Change, reason: ExitReason) -> None:
    held = ordinary().owning({"USDT": "1000", "ETH": "0.2"})
    held = held.with_memory(holdings={"ETHUSDT": HoldingMemory(D(2500))})
    retired = change(replace(held, pool=ExecutionPool(("SOLUSDT", "BCHUSDT"), degraded=False)))
    assert [e.reason for e in retired.decide().exits] == [reason]


def test_an_omitted_symbol_is_retired_and_one_the_exchange_halted_is_not_trading() -> None:
    dropped = {"ETHUSDT": "static does not name it", "DOGEUSDT": "not listed"}
    decision = replace(ordinary(), pool=ExecutionPool(("SOLUSDT",), degraded=True, dropped=dropped)).decide()
    assert {(g.name, g.symbol) for g in decision.gates} >= {("retired", "ETHUSDT"), ("not_trading", "DOGEUSDT")}


def test_dust_counts_in_equity_but_is_neither_managed_nor_sold() -> None:
    """4 XRP are worth 4.80, below 5: no memory, no exit, although the regime is off."""
    decision = ordinary().owning({"USDT": "100", "XRP": "4"}).with_btc(close=1.0).decide()
    assert decision.equity == D("104.80")
    assert (decision.exits, dict(decision.memory.holdings)) == ((), {})
    held = ordinary().owning({"USDT": "100", "XRP": "4.2"}).with_btc(close=1.0).decide()
    assert {e.symbol for e in held.exits} == {"XRPUSDT"}, "4.2 XRP are worth 5.04"


def test_reserved_coins_are_outside_equity_and_never_sold() -> None:
    """5 ETH arrived unasked: they are not valued, not held, not sold, although the regime is off."""
    spot = {"USDT": "1000", "ETH": "5"}
    reserved = ordinary().seen(account=account_of(spot), earn={})
    reserved = reserved.with_state(ledger=ledger_of({"USDT": "1000"}, reserved={"ETH": "5"}))
    decision = reserved.with_btc(close=1.0).decide()
    assert decision.equity == D(1000)
    assert decision.exits == ()
    both = reserved.with_state(ledger=ledger_of({"USDT": "1000", "ETH": "1"}, reserved={"ETH": "4"}))
    hour = Hour(both.with_btc(close=1.0), both.with_btc(close=1.0).decide(), both.decide())
    assert hour.sold(hour.decision) == {"ETH": D(1)}


def test_the_caps_follow_equity_turnover_and_what_was_bought() -> None:
    """E = 2326: 0.5 E = 1163 an order; 0.1 % of a turnover of 300 000 is 300; 1.0 E a day, of which 326 are spent."""
    thin = replace(ordinary().snapshot.facts.symbols["ETHUSDT"], avg_quote_vol_30=300_000.0)  # type: ignore[union-attr]
    young = replace(ordinary().snapshot.facts.symbols["SOLUSDT"], avg_quote_vol_30=None)  # type: ignore[union-attr]
    decision = ordinary().with_facts(ETHUSDT=thin, SOLUSDT=young).with_day(buys_all=D(326)).decide()
    assert decision.order_caps["ETHUSDT"] == D(300)
    assert decision.order_caps["SOLUSDT"] == decision.order_caps["BNBUSDT"] == D(1163)
    assert decision.buys_left == D(2000)


def test_the_same_inputs_give_the_same_decision() -> None:
    first, second = ordinary(), ordinary()
    before = (repr(first.snapshot), repr(first.state))
    assert first.decide() == first.decide() == second.decide()
    assert (repr(first.snapshot), repr(first.state)) == before, "nothing handed in is changed"
    assert REGISTRY["crypto_live_pool_rotation"] is decide


def test_settings_and_decisions_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        StrategySettings().top_n = 3  # type: ignore[misc] # the point
    with pytest.raises(FrozenInstanceError):
        ordinary().decide().slot = ""  # type: ignore[misc] # the point


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"top_n": 6}, "exit_rank"),
        ({"earn_spot_min": 400}, "earn_spot_max"),
        ({"buy_min": 20}, "fuel_order"),
        ({"dca_bands": ((0.8, 2), (0.45, 5))}, "dca_bands"),
        ({"trim_tiers": (("z4", 4.0, "0.3"),)}, "trim_tiers"),
        ({"trim_tiers": (("a", 0.0, "0.1"), ("a", 4.0, "0.3"))}, "trim_tiers"),
        ({"trim_tiers": (("a", 0.0, "0.3"), ("b", 0.0, "0.1"))}, "trim_tiers"),
        ({"score_weights": (float("nan"), 0.3, 0.2)}, "score_weights"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        StrategySettings(**changes)  # type: ignore[arg-type] # as they come from outside
