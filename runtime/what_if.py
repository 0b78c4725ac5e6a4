"""What if: an hour of a tape decided once more with other settings, and what it would have sent instead.

Pool, decision and plans are made twice from what the tape says that the hour saw, once with its own settings and once
with the changed ones, by the code that decides live. Both are reckoned alike: sales fill whole at the snapshot's price,
without fees, before the purchases are planned. So what differs between the two differs by the settings alone; what
really filled in that hour is on the tape itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from runtime.config import PARAMETER_PREFIX, VARIABLES, parse_settings
from runtime.cycle import Strategy
from runtime.domain.decision import Decision, PlannedOrder
from runtime.domain.market import Snapshot
from runtime.domain.money import CASH, ZERO, plain
from runtime.domain.planning import plan_buys, plan_sells
from runtime.domain.settings import LadderSettings, StrategySettings
from runtime.domain.tape import read_chain
from runtime.domain.valuation import Wallet
from runtime.errors import BadInput
from runtime.replay import DECIDED, Taped
from runtime.run_settings import Settings

GROUPS = ("strategy", "ladder")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one set of settings makes of the hour."""

    decision: Decision
    orders: tuple[PlannedOrder, ...]

    @property
    def gates(self) -> frozenset[str]:
        """What stopped something, as `part:gate`."""
        return frozenset(f"{gate.sleeve}:{gate.name}" for gate in self.decision.gates)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """An hour with its own settings and with others."""

    slot: str
    own: Outcome
    other: Outcome

    def lines(self) -> Iterator[str]:
        """What differs, for people; one line where nothing does."""
        own, other = [_shown(o) for o in self.own.orders], [_shown(o) for o in self.other.orders]
        yield from (f"no longer sent: {order}" for order in own if order not in other)
        yield from (f"sent instead:   {order}" for order in other if order not in own)
        yield from (f"gate no longer met: {gate}" for gate in sorted(self.own.gates - self.other.gates))
        yield from (f"gate met instead:   {gate}" for gate in sorted(self.other.gates - self.own.gates))
        if own == other and self.own.gates == self.other.gates:
            yield f"nothing would have changed: {len(own)} order(s), the same gates"


def what_if(lines: Sequence[str], strategy: Strategy, changes: Mapping[str, str]) -> WhatIf:
    """The hour of a tape under `changes` (settings by their names, as the environment would hold them).

    `SettingsError` or `BadInput` where a setting is wrong or has no part in a decision, and where the tape ended before
    one.
    """
    stages = dict(read_chain(lines))
    if DECIDED not in stages:
        raise BadInput("tape", ", ".join(stages), "holds no decision: that hour ended before it")
    taped = Taped(stages)
    own = _outcome(taped, strategy, taped.strategy, taped.ladder)
    changed = _changed(taped, changes)
    return WhatIf(taped.snapshot.slot, own, _outcome(taped, strategy, *changed))


def _changed(taped: Taped, changes: Mapping[str, str]) -> tuple[StrategySettings, LadderSettings]:
    parsed = parse_settings(changes)
    found: dict[str, dict[str, object]] = {group: {} for group in GROUPS}
    for name in changes:
        path = VARIABLES.get(name) or f"strategy.{name.removeprefix(PARAMETER_PREFIX).lower()}"
        group, _, leaf = path.partition(".")
        if group not in GROUPS:
            raise BadInput("--what-if", name, f"decides nothing: take a {PARAMETER_PREFIX}* or STRATEGY_ARTIFACT_* one")
        found[group][leaf] = getattr(_group(parsed, group), leaf)
    strategy = StrategySettings.model_validate({**dict(taped.strategy), **found["strategy"]})
    return strategy, LadderSettings.model_validate({**dict(taped.ladder), **found["ladder"]})


def _group(settings: Settings, name: str) -> StrategySettings | LadderSettings:
    return settings.strategy if name == "strategy" else settings.ladder


def _outcome(taped: Taped, strategy: Strategy, settings: StrategySettings, ladder: LadderSettings) -> Outcome:
    snapshot = taped.snapshot
    decision = strategy(snapshot, taped.state, taped.pool(ladder), settings)
    if "wallet_sells" not in taped.stages:
        raise BadInput("tape", ", ".join(taped.stages), "holds no wallet: that hour ended before it planned")
    wallet = taped.wallet("sells")
    sells = plan_sells(decision, snapshot, wallet).orders
    buys = plan_buys(decision, snapshot, _sold(wallet, sells, snapshot), settings).orders
    return Outcome(decision, (*sells, *buys))


def _sold(wallet: Wallet, sells: Sequence[PlannedOrder], snapshot: Snapshot) -> Wallet:
    """The wallet once the sales filled at the snapshot's prices."""
    quantities, free = dict(wallet.quantities), dict(wallet.free)
    for order in sells:
        asset, proceeds = order.symbol.removesuffix(CASH), order.quantity * snapshot.prices[order.symbol]
        for amounts in (quantities, free):
            amounts[asset] = amounts.get(asset, ZERO) - order.quantity
            amounts[CASH] = amounts.get(CASH, ZERO) + proceeds
    return replace(wallet, quantities={a: q for a, q in quantities.items() if q > 0}, free=free)


def _shown(order: PlannedOrder) -> str:
    return (
        f"{order.side} {plain(order.quantity)} {order.symbol} at {plain(order.price)} ({order.sleeve}: {order.reason})"
    )
