"""The view: an hour as the rules see it, with everything worked out that several of them ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from runtime.domain.changing import changed
from runtime.domain.decision import ExecutionPool
from runtime.domain.limits import Circumstances, valuation_prices
from runtime.domain.market import Facts, Snapshot
from runtime.domain.money import ZERO
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import slot_date
from runtime.domain.state import State
from runtime.domain.valuation import Wallet, total, values_of, wallet_of
from runtime.domain.values import Value
from strategies.indicators import decisive_facts
from strategies.loss_limits import Judgement, judge_losses


@dataclass(frozen=True, slots=True)
class View(metaclass=Value):
    """The hour as the rules see it: facts, trusted values, and the circumstances after the loss limits spoke."""

    snapshot: Snapshot
    state: State
    pool: ExecutionPool
    settings: StrategySettings
    facts: Facts
    wallet: Wallet
    prices: Mapping[str, Decimal]
    values: Mapping[str, Decimal]
    circumstances: Circumstances
    judgement: Judgement

    @property
    def equity(self) -> Decimal:
        """USDT of everything managed."""
        return total(self.values)

    @property
    def done(self) -> tuple[str, ...]:
        """What fills already did today."""
        return self.state.day.done if self.state.day is not None else ()

    @property
    def bought(self) -> Decimal:
        """USDT of all purchases today."""
        return self.state.day.buys_all if self.state.day is not None else ZERO


def view_of(snapshot: Snapshot, state: State, pool: ExecutionPool, settings: StrategySettings) -> View:
    """The view of an hour."""
    facts = snapshot.facts or decisive_facts(snapshot.daily, settings)
    if state.day is not None and state.day.day != slot_date(snapshot.slot):
        state = changed(state, day=None)
    wallet = wallet_of(state.ledger, snapshot.account, snapshot.earn)
    before = Circumstances(snapshot, state, pool.degraded, settings)
    prices = valuation_prices(snapshot, state.prices, settings)
    values = values_of(wallet, prices)
    judgement = judge_losses(snapshot, state, {a: values[a] for a in wallet.trend_assets}, facts, settings)
    after, known = before, state.memory
    if (judgement.breaker, judgement.reduce_only_ms) != (known.breaker, known.reduce_only_ms):
        memory = changed(known, breaker=judgement.breaker, reduce_only_ms=judgement.reduce_only_ms)
        after = changed(before, state=changed(state, memory=memory))
    return View(snapshot, state, pool, settings, facts, wallet, prices, values, after, judgement)
