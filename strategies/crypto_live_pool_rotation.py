"""The profile `crypto_live_pool_rotation`: trend rotation, bitcoin DCA and the cash buffer, as one pure decision.

`decide` asks each rule in turn and collects two things: what to hold, and every reason not to act. It sees only its
arguments, so the same hour always decides the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from runtime.domain.decision import (
    Candidate,
    Dca,
    Decision,
    ExecutionPool,
    Exit,
    ExitReason,
    Gate,
    HoldingMemory,
    Memory,
    Target,
)
from runtime.domain.instruments import sell_lots
from runtime.domain.limits import (
    Action,
    quiet_hours,
    standing_gates,
    symbol_gates,
)
from runtime.domain.market import Facts, Snapshot, SymbolFacts, ratio
from runtime.domain.money import CASH, CORE, FUEL, ONE, ZERO, plain
from runtime.domain.orders import Sleeve
from runtime.domain.remembering import remembered
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import slot_date
from runtime.domain.state import State
from runtime.domain.valuation import is_dust
from strategies.allocation import btc_base_order, btc_target_ratio, order_caps
from strategies.btc_dca import PAIR, cheapness, episode, purchase, trim
from strategies.earn_buffer import FUEL_PAIR, refuel
from strategies.loss_limits import settled
from strategies.trend_rotation import Holding, judge, leave, regime, remember, select
from strategies.view import View, view_of


def decide(snapshot: Snapshot, state: State, pool: ExecutionPool, settings: StrategySettings) -> Decision:
    """What to hold this hour and why; every rule that says no leaves a gate."""
    view = view_of(snapshot, state, pool, settings)
    on = regime(view.facts.btc, snapshot.price(CORE))
    candidates = judge(pool.symbols, view.facts, snapshot.prices, settings)
    targets = select(candidates, view.facts, settings)
    memories, leaving, exit_gates = _trend_exits(view, candidates, on=on)
    entries, entry_gates = _trend_entries(view, candidates, targets, {e.symbol for e in leaving})
    dca, trimming, core_gates = _core(view)
    earn, fuel, cash_gates = _cash(view)
    return Decision(
        slot=snapshot.slot,
        **amounts(pool, view.equity, view.facts, view.bought, settings),
        regime_on=on is True,
        candidates=candidates,
        targets=targets,
        entries=entries,
        exits=(*leaving, *trimming),
        prices=view.prices,
        dca=dca,
        earn=earn,
        fuel=fuel,
        gates=(*exit_gates, *entry_gates, *core_gates, *cash_gates),
        returns=view.judgement.figures,
        memory=_memory(view, memories),
    )


def amounts(
    pool: ExecutionPool, equity: Decimal, facts: Facts, bought: Decimal, settings: StrategySettings
) -> dict[str, Any]:
    """The fields of a decision that follow from equity (USDT), by name; `bought` is what was bought today."""
    btc_ratio = btc_target_ratio(equity, settings)
    return {
        "equity": equity,
        "btc_target_ratio": btc_ratio,
        "trend_target_ratio": ONE - btc_ratio,
        "btc_base_order": btc_base_order(equity, settings),
        "order_caps": order_caps((*pool.symbols, PAIR, FUEL_PAIR), equity, facts, settings),
        "buys_left": max(ZERO, settings.buys_day_ratio_max * equity - bought),
    }


def _memory(view: View, holdings: Mapping[str, HoldingMemory]) -> Memory:
    """What to remember: the same object where nothing changed."""
    known, latch = view.state.memory, view.judgement.reduce_only_ms
    trim_memory = episode(view.facts.btc, known.trim, view.settings)
    breaker = settled(view.judgement.breaker, slot_date(view.snapshot.slot), holdings, partial(_sellable, view))
    if (holdings, trim_memory, breaker, latch) == (known.holdings, known.trim, known.breaker, known.reduce_only_ms):
        return known
    return Memory(holdings, trim_memory, breaker, latch)


def _held(view: View) -> list[str]:
    """Managed trend pairs worth more than dust, sorted; the rest counts in equity and is left alone."""
    held = []
    for asset in view.wallet.trend_assets:
        instrument = view.snapshot.instruments.get(asset + CASH)
        unlisted = instrument is None and asset + CASH in view.state.memory.holdings
        if unlisted or not is_dust(view.values[asset], instrument, view.settings):
            held.append(asset + CASH)
    return held


def _sellable(view: View, symbol: str) -> bool:
    """Whether the exchange would take a sale of the holding at all: its pair trades, and the filters let it through."""
    instrument, quantity = view.snapshot.instruments.get(symbol), view.wallet.quantities[symbol.removesuffix(CASH)]
    if instrument is None or not instrument.tradable:
        return False
    return bool(sell_lots(instrument, quantity, view.prices.get(symbol, ZERO)).parts)


def _holding(view: View, symbol: str, *, trusted: bool) -> Holding:
    snapshot, position = view.snapshot, view.state.positions.get(symbol)
    return Holding(
        symbol,
        snapshot.prices[symbol] if trusted else None,
        view.prices.get(symbol, ZERO),
        position.average if position else None,
        snapshot.highs.get(symbol),
        view.state.memory.holdings.get(symbol),
    )


def _trend_exits(
    view: View, candidates: tuple[Candidate, ...], *, on: bool | None
) -> tuple[dict[str, HoldingMemory], list[Exit], list[Gate]]:
    chosen = by_symbol(candidates)
    closed = standing_gates(view.circumstances, Action.TREND_EXIT)
    memories: dict[str, HoldingMemory] = {}
    leaving: list[Exit] = []
    gates: list[Gate] = list(closed)
    for symbol in _held(view):
        distrust = symbol_gates(view.circumstances, Action.TREND_EXIT, symbol)
        holding = _holding(view, symbol, trusted=not distrust)
        known = view.facts.symbols.get(symbol)
        memories[symbol] = remember(holding, known, view.settings)
        gates.extend(distrust)
        if known is None or not known.complete:
            why = view.facts.missing.get(symbol, "incomplete")
            gates.append(Gate("indicators_missing", Sleeve.TREND, symbol, {"why": why}))
        if closed or holding.price is None:
            continue
        if view.judgement.breaker.liquidating:
            figures = {name: plain(value) for name, value in view.judgement.figures.items()}
            leaving.append(Exit(Sleeve.TREND, symbol, ExitReason.BREAKER, numbers=figures))
            continue
        way_out = leave(holding, memories[symbol], chosen.get(symbol), view.settings.exit_rank, on=on)
        leaving.extend([way_out] if way_out else [])
    return memories, leaving, gates


@remembered
def by_symbol(candidates: tuple[Candidate, ...]) -> Mapping[str, Candidate]:
    """The candidates by their symbols."""
    return {candidate.symbol: candidate for candidate in candidates}


def _trend_entries(
    view: View, candidates: tuple[Candidate, ...], targets: tuple[Target, ...], leaving: set[str]
) -> tuple[tuple[str, ...], list[Gate]]:
    gates = [*_unselected(candidates, view.facts, view.settings)]
    if view.pool.dropped:
        gates += [_dropped(view, symbol, why) for symbol, why in sorted(view.pool.dropped.items())]
    blocked = standing_gates(view.circumstances, Action.TREND_ENTRY)
    gates += blocked
    entries = []
    for target in targets:
        own = _entry_gates(view, target.symbol, leaving=target.symbol in leaving)
        gates.extend(own)
        if not own and not blocked:
            entries.append(target.symbol)
    return tuple(entries), gates


def _dropped(view: View, symbol: str, why: str) -> Gate:
    """An official symbol that is not traded now: because the exchange does not, or because a lower rung omits it."""
    instrument = view.snapshot.instruments.get(symbol)
    name = "retired" if instrument is not None and instrument.tradable else "not_trading"
    return Gate(name, Sleeve.TREND, symbol, {"why": why})


@remembered
def _unselected(candidates: tuple[Candidate, ...], facts: Facts, settings: StrategySettings) -> list[Gate]:
    return [gate for candidate in candidates if (gate := _not_selected(candidate, facts, settings))]


def _not_selected(candidate: Candidate, facts: Facts, settings: StrategySettings) -> Gate | None:
    if candidate.failed:
        numbers = {"failed": " ".join(candidate.failed)}
        if candidate.score is not None:
            numbers["score"] = f"{candidate.score:.6g}"
        if "indicators" in candidate.failed:
            numbers["why"] = facts.missing.get(candidate.symbol, "incomplete")
            return Gate("indicators_missing", Sleeve.TREND, candidate.symbol, numbers)
        return Gate("not_qualified", Sleeve.TREND, candidate.symbol, numbers)
    if candidate.rank is not None and candidate.rank > settings.top_n:
        numbers = {"rank": str(candidate.rank), "top_n": str(settings.top_n), "score": f"{candidate.score:.6g}"}
        return Gate("not_selected", Sleeve.TREND, candidate.symbol, numbers)
    return None


def _entry_gates(view: View, symbol: str, *, leaving: bool) -> list[Gate]:
    gates = list(symbol_gates(view.circumstances, Action.TREND_ENTRY, symbol))
    price, known, done = view.snapshot.prices.get(symbol), view.facts.symbols.get(symbol), view.done
    if leaving or (done and f"sold:{symbol}" in done):
        gates.append(Gate("sold_today", Sleeve.TREND, symbol))
    elif done and f"buy:{symbol}" in done:
        gates.append(Gate("bought_today", Sleeve.TREND, symbol))
    elif price is not None and (level := below_exit(price, known)) is not None:
        numbers = {"price": plain(price), "sma60": plain(level)}
        gates.append(Gate("exit_now", Sleeve.TREND, symbol, numbers))
    return gates


def below_exit(price: Decimal, known: SymbolFacts | None) -> Decimal | None:
    """The sma60 that `price` is below, so that what is bought would be sold at once; None where it is not."""
    level = ratio(known.sma60) if known is not None and known.sma60 is not None else None
    return level if level is not None and price < level else None


def _core(view: View) -> tuple[Dca | None, list[Exit], list[Gate]]:
    snapshot, settings, btc = view.snapshot, view.settings, view.facts.btc
    value = cheapness(snapshot.price(CORE), btc, settings, slot_date(snapshot.slot))
    gates = [
        *standing_gates(view.circumstances, Action.DCA_BUY),
        *symbol_gates(view.circumstances, Action.DCA_BUY, PAIR),
    ]
    trimming, trim_gates = _trim(view)
    times = purchase(value, (*view.done, "trim") if trimming else view.done, settings)
    dca = None
    if isinstance(times, Gate):
        gates.append(times)
    elif not gates and value is not None:
        dca = Dca(times, btc_base_order(view.equity, settings), value, settings.ahr999_cost)
    return dca, trimming, gates + trim_gates


def _trim(view: View) -> tuple[list[Exit], list[Gate]]:
    gates = [
        *standing_gates(view.circumstances, Action.DCA_TRIM),
        *symbol_gates(view.circumstances, Action.DCA_TRIM, PAIR),
    ]
    worth = view.values.get(CORE, ZERO)
    if worth <= view.settings.trim_value_min:
        numbers = {"value": plain(round(worth, 8)), "min": plain(view.settings.trim_value_min)}
        return [], [*gates, Gate("core_too_small", Sleeve.BTC_CORE, PAIR, numbers)]
    memory = episode(view.facts.btc, view.state.memory.trim, view.settings)
    due = trim(view.facts.btc, memory, view.done, view.settings)
    if isinstance(due, Gate):
        return [], [*gates, due]
    return ([] if gates else [due]), gates


def _cash(view: View) -> tuple[bool, bool, list[Gate]]:
    standing = list(standing_gates(view.circumstances, Action.CASH_MOVE))
    quiet = quiet_hours(view.snapshot.now_ms)
    earn_gates = [*standing, *([quiet] if quiet else [])]
    fuel_gates = [
        *[g for g in standing if g.name == "halt"],
        *symbol_gates(view.circumstances, Action.CASH_MOVE, FUEL_PAIR),
        *[Gate("unknown_order", Sleeve.CASH, FUEL_PAIR) for _ in view.circumstances.unknown_orders[:1]],
    ]
    empty = refuel(view.values.get(FUEL, ZERO), view.wallet.cash, view.done, view.settings)
    fuel_gates.extend([empty] if empty else [])
    drift = [g for g in standing if g.name in {"drift", "earn_unreadable"}]
    return not earn_gates, not (fuel_gates or drift), earn_gates + [g for g in fuel_gates if g not in standing]
