"""Standing: whether the profile's rules answer an hour as they answered the one that was decided in full before it.

Only rules that look at a price are asked; all others answer from what has not changed. Each is asked itself, or held
against the bound that it compares with itself; where that leaves a doubt, the hour is decided in full:

    prices          within the day's bounds: none is missing or suspect (`limits.all_usual`)
    what is held    the same coins are worth more than dust
    exits           no holding is below its stop or sma60; highest and stop rise as `remember` says
    entries         each target on the same side of its sma60; how much is bought is the plan's to say
    breaker         the sleeve has not lost what the limit is at the least; the account's limits are the hour's to watch
    bitcoin         the same answer to today's purchase; the holding is on the same side of what may be trimmed
    fuel            the same answer

All of them look at a price from one side, or want it between two bounds: what is answered at two prices alike is
answered alike at any between. So one who asks at the lowest and at the highest prices of some hours knows it of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from runtime.domain.changing import changed
from runtime.domain.decision import Candidate, Dca, Decision, HoldingMemory, Memory
from runtime.domain.limits import all_usual
from runtime.domain.market import Facts
from runtime.domain.money import CASH, CORE, FUEL, ZERO
from runtime.domain.planning import GateName, gates_of_nothing
from runtime.domain.remembering import remembered
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import slot_date
from runtime.domain.standing import Fresh, Standing
from runtime.domain.valuation import is_dust, total, values_of
from strategies.allocation import btc_target_ratio
from strategies.btc_dca import DONE, PAIR, TOO_DEAR, answer, cheapness, multiplier
from strategies.crypto_live_pool_rotation import amounts, below_exit, by_symbol
from strategies.earn_buffer import refuel_gate
from strategies.indicators import decisive_facts
from strategies.loss_limits import least_limit, untripped
from strategies.trend_rotation import Holding, leave, regime, remember


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the standing hour answered, and what the rules need that does not change before midnight."""

    facts: Facts
    on: bool | None
    candidates: Mapping[str, Candidate]
    held: frozenset[str]
    assets: tuple[str, ...]
    loss_limit: Decimal
    """What the breaker lets the sleeve lose at the least, as a positive fraction."""
    purchase: tuple[int | str, int]
    dear_from: Decimal | None
    """The price of bitcoin from which today's purchase certainly has the same answer: AHR999 rises with the price."""
    sides: list[object]


def memory(standing: Standing, fresh: Fresh) -> Memory | None:
    """The memory that the hour ends with; None where a rule may answer otherwise."""
    answers, snapshot, settings = _answers(standing), standing.snapshot, standing.settings
    if answers is None or not all_usual(fresh.prices, fresh.before, snapshot.daily, settings):
        return None
    known = fresh.memory
    if answers.assets and not _unharmed(standing, fresh, answers):
        return None
    if not _as_dear(fresh, answers) and _purchase(standing, fresh, answers.facts) != answers.purchase:
        return None
    if _sides(standing, fresh, answers.facts) != answers.sides:
        return None
    holdings = _holdings(standing, fresh, answers)
    if holdings is None:
        return None
    return known if holdings == known.holdings else changed(known, holdings=holdings)


def decision(standing: Standing, fresh: Fresh) -> Decision:
    """The standing decision with the amounts of this hour; the hour must be one that `memory` speaks for."""
    facts, settings = decisive_facts(standing.snapshot.daily, standing.settings), standing.settings
    day = standing.state.day
    again = amounts(standing.pool, total(fresh.values), facts, day.buys_all if day else ZERO, settings)
    dca = standing.decision.dca
    if dca is not None:
        value = cheapness(fresh.prices.get(PAIR), facts.btc, settings, slot_date(fresh.slot))
        assert value is not None, "an hour that wants to buy as the one before"
        dca = Dca(multiplier(value, settings), again["btc_base_order"], value, settings.ahr999_cost)
    return changed(standing.decision, slot=fresh.slot, prices=fresh.prices, dca=dca, **again)


def idle(standing: Standing, values: Mapping[str, Decimal]) -> list[GateName] | None:
    """The gates of the plan for that decision where it certainly buys nothing; None: `decision` must be planned."""
    settings = standing.settings
    ratio = btc_target_ratio(total(values), settings)
    return gates_of_nothing(standing.decision, standing.wallet, values, ratio, settings)


@remembered
def _answers(standing: Standing) -> _Answers | None:
    """None for an hour whose decision is not to be repeated: it sells, refuels, or is about to finish a sale."""
    snapshot, settings, decided = standing.snapshot, standing.settings, standing.decision
    day, known = standing.state.day, standing.state.memory
    facts = decisive_facts(snapshot.daily, settings)
    pairs = {asset + CASH for asset in standing.wallet.trend_assets}
    if decided.exits or decided.fuel or known.breaker.liquidating or not pairs <= snapshot.instruments.keys():
        return None
    if day is None or decided.memory is not known or facts.btc is None or decided.prices is not snapshot.prices:
        return None
    values = values_of(standing.wallet, snapshot.prices)
    seen = Fresh(snapshot.slot, snapshot.prices, snapshot.prices, snapshot.highs, values, known)
    bought, assets = _purchase(standing, seen, facts), standing.wallet.trend_assets
    return _Answers(
        facts=facts,
        on=regime(facts.btc, None),
        candidates=by_symbol(decided.candidates),
        held=frozenset(known.holdings),
        assets=assets,
        loss_limit=least_limit(assets, facts, settings),
        purchase=bought,
        dear_from=_dear_from(bought[0], snapshot.prices.get(PAIR), settings),
        sides=_sides(standing, seen, facts),
    )


def _dear_from(bought: int | str, price: Decimal | None, settings: StrategySettings) -> Decimal | None:
    """From which price of bitcoin the answer to today's purchase certainly stays; None = it must be asked."""
    if bought in DONE:
        return ZERO
    rising = all(times for _, times in settings.dca_bands)  # a band that buys nothing may lie below one that buys
    return price if bought == TOO_DEAR and rising else None


def _unharmed(standing: Standing, fresh: Fresh, answers: _Answers) -> bool:
    """Whether the breaker certainly does not trip. Without a coin in the sleeve it is worth as much as it was."""
    day, trend = standing.state.day, sum([fresh.values[asset] for asset in answers.assets], ZERO)
    return day is not None and untripped(day, fresh.memory.breaker, trend, answers.loss_limit)


def _as_dear(fresh: Fresh, answers: _Answers) -> bool:
    """Whether bitcoin certainly is not bought: it was too dear at a price as low as this one, or was bought today."""
    return answers.dear_from is not None and fresh.prices.get(PAIR, ZERO) >= answers.dear_from


def _purchase(standing: Standing, seen: Fresh, facts: Facts) -> tuple[int | str, int]:
    """What the rule answers to today's purchase of bitcoin, and above how many of its bounds bitcoin stands."""
    settings, day = standing.settings, standing.state.day
    value = cheapness(seen.prices.get(PAIR), facts.btc, settings, slot_date(seen.slot))
    above = sum(bound <= value for bound, _ in settings.dca_bands) if value is not None else -1
    return answer(value, day.done if day else (), settings), above


def _sides(standing: Standing, seen: Fresh, facts: Facts) -> list[object]:
    """What the other rules answer that neither sell a holding nor remember one."""
    settings, prices, values = standing.settings, seen.prices, seen.values
    done = standing.state.day.done if standing.state.day else ()
    sides: list[object] = [
        refuel_gate(values.get(FUEL, ZERO), standing.wallet.cash, done, settings),
        values.get(CORE, ZERO) <= settings.trim_value_min,
    ]
    for target in standing.decision.targets:
        price = prices.get(target.symbol)
        sides.append(below_exit(price, facts.symbols.get(target.symbol)) if price is not None else None)
    return sides


def _holdings(standing: Standing, fresh: Fresh, answers: _Answers) -> dict[str, HoldingMemory] | None:
    """What is remembered of each holding; None where one must go, or where others are held than before."""
    snapshot, settings, positions = standing.snapshot, standing.settings, standing.state.positions
    holdings: dict[str, HoldingMemory] = {}
    for asset in answers.assets:
        symbol = asset + CASH
        if is_dust(fresh.values[asset], snapshot.instruments[symbol], settings) is (symbol in answers.held):
            return None
        if symbol not in answers.held:
            continue
        price, position = fresh.prices[symbol], positions.get(symbol)
        average = position.average if position else None
        holding = Holding(symbol, price, price, average, fresh.highs.get(symbol), fresh.memory.holdings[symbol])
        holdings[symbol] = remember(holding, answers.facts.symbols.get(symbol), settings)
        if leave(holding, holdings[symbol], answers.candidates.get(symbol), settings.exit_rank, on=answers.on):
            return None
    return holdings
