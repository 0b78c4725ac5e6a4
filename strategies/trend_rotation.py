"""Trend rotation: which pool symbols qualify on the last close, which are held, which must go.

Judged on closed days only, so the answer stands all day; the live price decides nothing but the stop and sma60.
The pool's order is the upstream's: it breaks ties, and nothing here re-ranks it for the next month. Missing data is
asymmetric on purpose: it never buys, and it never sells either, except by the last stop and sma60 that were known.
What cannot be scored because bitcoin's own rates are missing counts as missing, not as failed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runtime.domain.changing import changed
from runtime.domain.decision import Candidate, Exit, ExitReason, HoldingMemory, Target
from runtime.domain.market import BtcFacts, Facts, SymbolFacts, ratio
from runtime.domain.money import ONE, plain
from runtime.domain.orders import Sleeve
from runtime.domain.remembering import remembered
from runtime.domain.settings import StrategySettings
from runtime.domain.values import Value
from strategies.indicators import absolute_momentum, relative_score

NO_PRICES: Mapping[str, Decimal] = {}


def regime(btc: BtcFacts | None, price: Decimal | None) -> bool | None:
    """Whether the last close is above ma200 and ma200 rises; None if it cannot be judged.

    `price` stands for the close in a fixture that has none.
    """
    if btc is None or btc.ma200 is None or btc.ma200_slope is None:
        return None
    close = btc.close if btc.close is not None else (float(price) if price is not None else None)
    return None if close is None else close > btc.ma200 and btc.ma200_slope > 0


def judge(
    pool: Sequence[str], facts: Facts, prices: Mapping[str, Decimal], settings: StrategySettings
) -> tuple[Candidate, ...]:
    """Every pool symbol with its score and what it fails, in upstream order; those that qualify have a rank from 1.

    Prices stand in for closes that a fixture leaves out; without any, the answer is the day's.
    """
    return _judged(pool, facts, NO_PRICES if _closes_known(facts) else prices, settings)


@remembered
def _closes_known(facts: Facts) -> bool:
    closes = [known.close for known in (facts.btc, *facts.symbols.values()) if known is not None]
    return all(close is not None for close in closes)


@remembered
def _judged(
    pool: Sequence[str], facts: Facts, prices: Mapping[str, Decimal], settings: StrategySettings
) -> tuple[Candidate, ...]:
    on = regime(facts.btc, prices.get("BTCUSDT"))
    judged = [_candidate(symbol, facts, prices.get(symbol), settings, on=on) for symbol in pool]
    qualified = [c for c in judged if not c.failed]
    ranked = sorted(qualified, key=lambda c: -(c.score or 0.0))
    ranks = {candidate.symbol: rank for rank, candidate in enumerate(ranked, 1)}
    return tuple([changed(c, rank=ranks[c.symbol]) if c.symbol in ranks else c for c in judged])


def _candidate(
    symbol: str, facts: Facts, price: Decimal | None, settings: StrategySettings, *, on: bool | None
) -> Candidate:
    known = facts.symbols.get(symbol)
    failed = [] if on else ["regime" if on is False else "regime_unknown"]
    if known is None or not known.complete:
        return Candidate(symbol, None, None, (*failed, "indicators"))
    close = known.close if known.close is not None else (float(price) if price is not None else None)
    if close is None:
        return Candidate(symbol, None, None, (*failed, "close"))
    failed.extend(_below_averages(known, close, settings))
    score = relative_score(known, facts.btc, settings) if facts.btc is not None else None
    momentum = absolute_momentum(known, settings)
    if score is None or score <= 0:
        failed.append("relative_score")
    if momentum is None or momentum <= 0:
        failed.append("momentum")
    return Candidate(symbol, score, momentum, tuple(failed))


def _below_averages(known: SymbolFacts, close: float, settings: StrategySettings) -> list[str]:
    failed = []
    if known.sma20 is None or close <= known.sma20:
        failed.append("sma20")
    if known.sma60 is None or close <= known.sma60:
        failed.append("sma60")
    if known.sma200 is None or close <= known.sma200:
        failed.append("sma200")
    if known.vol20 is None or known.vol20 <= 0:
        failed.append("vol20")
    if known.age_days is not None and known.age_days < settings.min_age_days:
        failed.append("age")
    return failed


@remembered
def select(candidates: Sequence[Candidate], facts: Facts, settings: StrategySettings) -> tuple[Target, ...]:
    """The best `top_n` by rank, weighted by 1 / vol20 (weights are fractions that sum to 1)."""
    best = sorted((c for c in candidates if c.rank is not None and c.rank <= settings.top_n), key=lambda c: c.rank or 0)
    calm = [(c.symbol, 1 / (facts.symbols[c.symbol].vol20 or 1.0)) for c in best]
    total = sum(inverse for _, inverse in calm)
    weights = [ratio(inverse / total) for _, inverse in calm]
    if weights:
        weights[-1] = ONE - sum(weights[:-1])
    return tuple(Target(symbol, weight) for (symbol, _), weight in zip(calm, weights, strict=True))


@dataclass(frozen=True, slots=True)
class Holding(metaclass=Value):
    """A held trend symbol as exits see it. Prices are USDT; `price` None = not to be trusted this hour.

    `valued_at` is the last price that was known to be good: what the high begins with if nothing else is known.
    """

    symbol: str
    price: Decimal | None
    valued_at: Decimal
    average_entry: Decimal | None
    high: Decimal | None
    before: HoldingMemory | None


def remember(holding: Holding, known: SymbolFacts | None, settings: StrategySettings) -> HoldingMemory:
    """The highest price since entry, and the newest stop and sma60 that indicators allowed."""
    before = holding.before
    seen = (holding.average_entry, holding.price, holding.high, before.highest if before else None)
    highest = max([value for value in seen if value is not None], default=holding.valued_at)
    stop = before.stop if before else None
    sma60 = before.sma60 if before else None
    if known is not None and known.atr14 is not None and math.isfinite(known.atr14):
        stop = highest - ratio(settings.atr_multiple * known.atr14)
    if known is not None and known.sma60 is not None and math.isfinite(known.sma60):
        sma60 = ratio(known.sma60)
    if before is not None and (highest, stop, sma60) == (before.highest, before.stop, before.sma60):
        return before
    return HoldingMemory(highest, stop, sma60)


def leave(
    holding: Holding, memory: HoldingMemory, candidate: Candidate | None, exit_rank: int, *, on: bool | None
) -> Exit | None:
    """The first exit that applies to a holding whose price can be trusted; None = stay.

    A symbol that is no longer in the pool has no `candidate`: it leaves by stop, sma60 and regime only.
    """
    price = holding.price
    if price is None:
        return None
    if memory.stop is not None and price < memory.stop:
        numbers = {"price": plain(price), "stop": plain(memory.stop), "highest": plain(memory.highest)}
        return Exit(Sleeve.TREND, holding.symbol, ExitReason.TRAILING_STOP, numbers=numbers)
    if memory.sma60 is not None and price < memory.sma60:
        numbers = {"price": plain(price), "sma60": plain(memory.sma60)}
        return Exit(Sleeve.TREND, holding.symbol, ExitReason.BELOW_SMA60, numbers=numbers)
    if on is False:
        return Exit(Sleeve.TREND, holding.symbol, ExitReason.REGIME_OFF)
    return _outgrown(candidate, exit_rank) if on and candidate is not None else None


def _outgrown(candidate: Candidate, exit_rank: int) -> Exit | None:
    if _unjudged(candidate):
        return None
    if candidate.failed:
        numbers = {"failed": " ".join(candidate.failed)}
        return Exit(Sleeve.TREND, candidate.symbol, ExitReason.NOT_QUALIFIED, numbers=numbers)
    if candidate.rank is not None and candidate.rank > exit_rank:
        numbers = {"rank": str(candidate.rank), "exit_rank": str(exit_rank)}
        return Exit(Sleeve.TREND, candidate.symbol, ExitReason.OUTRANKED, numbers=numbers)
    return None


def _unjudged(candidate: Candidate) -> bool:
    """Whether data is missing; a volatility of 0 has no score either, but it is known, and does not qualify."""
    unscored = candidate.score is None and "vol20" not in candidate.failed
    return unscored or candidate.momentum is None or bool({"indicators", "close"} & set(candidate.failed))
