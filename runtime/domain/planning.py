"""Planning: from a decision to legal orders, twice an hour with the same decision.

`plan_sells` works on the wallet before anything was sold; `plan_buys` on the wallet that the real proceeds filled;
`plan_cash` on what the buys left. Nothing here decides *whether*: that is the decision's. Budgets below the minimum,
caps and the exchange's filters turn an order into a gate with its numbers.

Holdings keep the value that the decision gave them: a coin without a price this hour is not worth nothing, and its
share of the sleeve must not be bought twice. Quantities follow the newest price; one that jumped since the decision,
when prices were read again, is not bought at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from runtime.domain.decision import Decision, Exit, ExitReason, Gate, Plan, PlannedOrder, Target
from runtime.domain.instruments import buy_lots, sell_lots
from runtime.domain.limits import jumped
from runtime.domain.market import Snapshot
from runtime.domain.money import CASH, CORE, FUEL, ONE, ZERO, clamp, floor_to_places, plain
from runtime.domain.orders import Side, Sleeve
from runtime.domain.remembering import remembered
from runtime.domain.settings import StrategySettings
from runtime.domain.valuation import Wallet, total, trend_value, values_of
from runtime.domain.values import Value

CENT_PLACES = 2
NOTHING = Plan()
CORE_PAIR = CORE + CASH
FUEL_PAIR = FUEL + CASH
GateName = tuple[str, Sleeve, str]
"""A gate without its numbers: name, sleeve, symbol."""


def plan_sells(decision: Decision, snapshot: Snapshot, wallet: Wallet) -> Plan:
    """The exits of the decision as orders: no floor but the filters', split where they cap."""
    if not decision.exits:
        return NOTHING
    orders: list[PlannedOrder] = []
    gates: list[Gate] = []
    for leaving in decision.exits:
        planned, gate = _sell(leaving, snapshot, wallet)
        orders.extend(planned)
        gates.extend([gate] if gate else [])
    return Plan(tuple(orders), gates=tuple(gates))


def _sell(leaving: Exit, snapshot: Snapshot, wallet: Wallet) -> tuple[list[PlannedOrder], Gate | None]:
    asset = leaving.symbol.removesuffix(CASH)
    price = snapshot.prices[leaving.symbol]
    wanted = wallet.quantities.get(asset, ZERO) * leaving.fraction
    quantity = min(wanted, wallet.free.get(asset, ZERO))
    lots = sell_lots(snapshot.instruments[leaving.symbol], quantity, price)
    if not lots.parts:
        return [], Gate("filter", leaving.sleeve, leaving.symbol, {"filter": str(lots.filter), **lots.numbers})
    reason = leaving.reason.value
    if leaving.reason is ExitReason.TRIM:
        reason = f"{reason}:{leaving.numbers['tier']}"
    return [PlannedOrder(leaving.sleeve, leaving.symbol, Side.SELL, q, price, reason) for q in lots.parts], None


class _Purse:
    """What is left to spend while buys are planned, and what was planned so far."""

    def __init__(self, decision: Decision, snapshot: Snapshot, wallet: Wallet, settings: StrategySettings) -> None:
        self.decision, self.snapshot, self.wallet, self.settings = decision, snapshot, wallet, settings
        self.left = wallet.cash if decision.earn else wallet.free.get(CASH, ZERO)
        self.buys_left = decision.buys_left
        self.orders: list[PlannedOrder] = []
        self.gates: list[Gate] = []

    def gate(self, name: str, sleeve: Sleeve, symbol: str, **numbers: Decimal) -> None:
        """Note what kept an order from being planned."""
        self.gates.append(Gate(name, sleeve, symbol, {key: plain(value) for key, value in numbers.items()}))

    def buy(self, sleeve: Sleeve, symbol: str, budget: Decimal, reason: str) -> Decimal:
        """Plan one purchase of at most `budget` USDT; returns the budget it took (0 if it became a gate)."""
        budget = self._capped(sleeve, symbol, budget)
        if budget < self.settings.buy_min:
            self.gate("below_minimum", sleeve, symbol, budget=budget, min=self.settings.buy_min)
            return ZERO
        price, judged = self.snapshot.prices[symbol], self.decision.prices.get(symbol, ZERO)
        if judged > 0 and jumped(price, judged, self.settings):
            self.gate("price_suspect", sleeve, symbol, price=price, known=judged)
            return ZERO
        held = self.snapshot.account.total(symbol.removesuffix(CASH))
        lots = buy_lots(self.snapshot.instruments[symbol], budget * self.settings.spend_ratio, price, held)
        if not lots.parts:
            self.gates.append(Gate("filter", sleeve, symbol, {"filter": str(lots.filter), **lots.numbers}))
            return ZERO
        self.orders.append(PlannedOrder(sleeve, symbol, Side.BUY, lots.total, price, reason, budget))
        self.left -= budget
        self.buys_left -= budget
        return budget

    def _capped(self, sleeve: Sleeve, symbol: str, budget: Decimal) -> Decimal:
        equity_cap = self.settings.order_ratio_max * self.decision.equity
        caps = (
            ("no_cash", self.left),
            ("buys_day_cap", self.buys_left),
            ("order_cap", equity_cap),
            ("volume_cap", self.decision.order_caps.get(symbol, equity_cap)),
        )
        for name, cap in caps:
            if budget > cap:
                self.gate(name, sleeve, symbol, budget=budget, cap=cap)
                budget = max(ZERO, cap)
        return budget


def plan_buys(decision: Decision, snapshot: Snapshot, wallet: Wallet, settings: StrategySettings) -> Plan:
    """Entries and top-ups, then the DCA purchase, then fuel; and the one redemption that they need from Earn."""
    if not decision.entries and decision.dca is None and not decision.fuel:
        return _refill(wallet, settings) if decision.earn else NOTHING
    known, judged = snapshot.prices, decision.prices
    values = values_of(wallet, judged if judged is known else {**known, **judged})
    free = wallet.free.get(CASH, ZERO)
    purse = _Purse(decision, snapshot, wallet, settings)
    budgets = _budgets(
        wallet, values, decision.equity * decision.trend_target_ratio, decision.equity * decision.btc_target_ratio
    )
    _plan_entries(purse, values, budgets)
    _plan_dca(purse, budgets.core_cash)
    if decision.fuel:
        purse.buy(Sleeve.CASH, FUEL_PAIR, settings.fuel_order, "fuel")
    redeem = ZERO
    if decision.earn:
        needs = sum([order.budget for order in purse.orders], ZERO)
        redeem = _redemption(needs, free, wallet, settings)
    return Plan(tuple(purse.orders), redeem=redeem, gates=tuple(purse.gates))


def gates_of_nothing(
    decision: Decision, wallet: Wallet, values: Mapping[str, Decimal], btc_ratio: Decimal, settings: StrategySettings
) -> list[GateName] | None:
    """The gates of `plan_buys` for this decision at other amounts, where it certainly plans no order: what is missing,
    or the cash for it, is too little before any cap is looked at. None where `plan_buys` itself must be asked.

    `values` are what is held (USDT by asset), `btc_ratio` bitcoin's share of equity at them.
    """
    equity, gates = total(values), list[GateName]()
    budgets = _budgets(wallet, values, equity * (ONE - btc_ratio), equity * btc_ratio)
    for target in decision.targets:
        if target.symbol not in decision.entries:
            continue
        _, shortfall, least = _missing(target, budgets, values, equity, settings)
        if shortfall >= least:
            if budgets.trend_cash or not settings.buy_min:
                return None
            gates.append(("trend_cash", Sleeve.TREND, target.symbol))
        gates.append(("below_minimum", Sleeve.TREND, target.symbol))
    if decision.dca is not None:
        if budgets.core_cash >= settings.buy_min:
            return None
        gates.append(("dca_cash_low", Sleeve.BTC_CORE, CORE_PAIR))
    return None if decision.fuel else gates


@remembered
def _refill(wallet: Wallet, settings: StrategySettings) -> Plan:
    """What spot lacks of its target when nothing is bought."""
    redeem = _redemption(ZERO, wallet.free.get(CASH, ZERO), wallet, settings)
    return Plan(redeem=redeem) if redeem else NOTHING


@dataclass(frozen=True, slots=True)
class _Budgets(metaclass=Value):
    """What the trend sleeve is worth, and what it and the core may spend (USDT)."""

    trend: Decimal
    trend_cash: Decimal
    core_cash: Decimal


def _budgets(wallet: Wallet, values: Mapping[str, Decimal], trend_target: Decimal, core_target: Decimal) -> _Budgets:
    """The budgets that bring both sleeves to their targets (USDT): the trend's comes first."""
    trend, cash = trend_value(wallet, values), wallet.cash
    trend_cash = clamp(trend_target - trend, ZERO, cash)
    return _Budgets(trend, trend_cash, clamp(core_target - values.get(CORE, ZERO), ZERO, cash - trend_cash))


def _missing(
    target: Target, budgets: _Budgets, values: Mapping[str, Decimal], equity: Decimal, settings: StrategySettings
) -> tuple[Decimal, Decimal, Decimal]:
    """What a target should be worth, what is missing of it, and the least that is bought at a time (USDT)."""
    full = min(target.weight * (budgets.trend + budgets.trend_cash), settings.max_symbol_ratio * equity)
    shortfall = full - values.get(target.symbol.removesuffix(CASH), ZERO)
    return full, shortfall, max(settings.buy_min, settings.top_up_ratio * full)


def _plan_entries(purse: _Purse, values: Mapping[str, Decimal], budgets: _Budgets) -> None:
    decision, settings = purse.decision, purse.settings
    left = budgets.trend_cash
    for target in decision.targets:
        if target.symbol not in decision.entries:
            continue
        full, shortfall, least = _missing(target, budgets, values, decision.equity, settings)
        if shortfall < least:
            purse.gate("below_minimum", Sleeve.TREND, target.symbol, shortfall=shortfall, min=least, target=full)
            continue
        if shortfall > left:
            purse.gate("trend_cash", Sleeve.TREND, target.symbol, shortfall=shortfall, cash=left)
        reason = "top_up" if target.symbol in decision.memory.holdings else "entry"
        left -= purse.buy(Sleeve.TREND, target.symbol, min(shortfall, left), reason)


def _plan_dca(purse: _Purse, dca_cash: Decimal) -> None:
    dca = purse.decision.dca
    if dca is None:
        return
    if dca_cash < purse.settings.buy_min:
        purse.gate("dca_cash_low", Sleeve.BTC_CORE, CORE_PAIR, cash=dca_cash, min=purse.settings.buy_min)
        return
    purse.buy(Sleeve.BTC_CORE, CORE_PAIR, min(dca_cash, dca.base_order * dca.multiplier), "dca")


def spot_target(cash: Decimal, settings: StrategySettings) -> Decimal:
    """USDT to keep free at spot when `cash` is all of it, spot and Earn."""
    return clamp(settings.earn_ratio * cash, settings.earn_spot_min, settings.earn_spot_max)


def _redemption(needs: Decimal, free: Decimal, wallet: Wallet, settings: StrategySettings) -> Decimal:
    shortfall = needs + spot_target(wallet.cash - needs, settings) - free
    if shortfall <= settings.earn_dead_band and needs <= free:
        return ZERO
    return max(ZERO, floor_to_places(min(shortfall, wallet.redeemable), CENT_PLACES))


def plan_cash(decision: Decision, wallet: Wallet, settings: StrategySettings) -> Plan:
    """The excess over the spot target that goes into Earn after everything else (whole cents, rounded down)."""
    return _excess(wallet, settings) if decision.earn else NOTHING


@remembered
def _excess(wallet: Wallet, settings: StrategySettings) -> Plan:
    free = wallet.free.get(CASH, ZERO)
    target = spot_target(wallet.cash, settings)
    excess = free - target
    if excess <= settings.earn_dead_band:
        numbers = {"free": plain(free), "target": plain(target), "band": plain(settings.earn_dead_band)}
        return Plan(gates=(Gate("within_dead_band", Sleeve.CASH, CASH, numbers),))
    return Plan(subscribe=floor_to_places(excess, CENT_PLACES))


def shrunk(orders: Iterable[PlannedOrder], snapshot: Snapshot, wallet: Wallet, settings: StrategySettings) -> Plan:
    """The same buys within what is really free at spot, first come first served: Earn did not deliver in time.

    At the newest price, because time has passed; no order ever becomes larger than it was.
    """
    left = wallet.free.get(CASH, ZERO)
    kept: list[PlannedOrder] = []
    gates: list[Gate] = []
    for order in orders:
        budget, price = min(order.budget, left), snapshot.prices.get(order.symbol, order.price)
        held = snapshot.account.total(order.symbol.removesuffix(CASH))
        worth = min(budget * settings.spend_ratio, order.quantity * price)  # a fall may leave it below the filters
        lots = buy_lots(snapshot.instruments[order.symbol], worth, price, held)
        if budget < settings.buy_min or not lots.parts:
            gates.append(
                Gate("no_cash", order.sleeve, order.symbol, {"budget": plain(order.budget), "cap": plain(left)})
            )
            continue
        kept.append(PlannedOrder(order.sleeve, order.symbol, order.side, lots.total, price, order.reason, budget))
        left -= budget
    return Plan(tuple(kept), gates=tuple(gates))
