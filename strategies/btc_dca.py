"""Bitcoin: one purchase a day while it is cheap, a trim once a tier and episode while it is extreme.

A value that is missing, not finite or not positive buys nothing: the system before this one read a missing ahr999 as
0 and bought five times. An hour never both buys and trims: a trim that is due comes first.
"""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal

from runtime.domain.decision import Exit, ExitReason, Gate, TrimMemory
from runtime.domain.market import BtcFacts
from runtime.domain.orders import Sleeve
from runtime.domain.remembering import remembered
from runtime.domain.settings import StrategySettings
from strategies.indicators import ahr999

PAIR = "BTCUSDT"
BOUGHT_TODAY = Gate("bought_today", Sleeve.BTC_CORE, PAIR)
TRIMMED_TODAY = Gate("trimmed_today", Sleeve.BTC_CORE, PAIR)
TOO_DEAR = "ahr999_high"
DONE = (BOUGHT_TODAY.name, TRIMMED_TODAY.name)
"""Answers to a purchase that no price changes."""
_PLAIN = {gate.name: gate for gate in (BOUGHT_TODAY, TRIMMED_TODAY)}


def cheapness(price: Decimal | None, btc: BtcFacts | None, settings: StrategySettings, day: date) -> float | None:
    """The AHR999 of bitcoin at `price` on the UTC date `day`; None if it cannot be told."""
    return ahr999(float(price), btc, settings, day) if btc is not None and price else None


def multiplier(ahr999: float, settings: StrategySettings) -> int:
    """How many base orders to buy: the first band whose bound is above `ahr999`; 0 above all bands."""
    return next((times for bound, times in settings.dca_bands if ahr999 < bound), 0)


def answer(ahr999: float | None, done: tuple[str, ...], settings: StrategySettings) -> int | str:
    """Today's multiplier, or the name of the gate that stops the purchase."""
    if "dca" in done:
        return BOUGHT_TODAY.name
    if "trim" in done:
        return TRIMMED_TODAY.name
    if ahr999 is None or not math.isfinite(ahr999) or ahr999 <= 0:
        return "ahr999_missing"
    return multiplier(ahr999, settings) or TOO_DEAR


def purchase(ahr999: float | None, done: tuple[str, ...], settings: StrategySettings) -> int | Gate:
    """Today's multiplier, or the gate that stops the purchase."""
    found = answer(ahr999, done, settings)
    if isinstance(found, int):
        return found
    if found != TOO_DEAR:
        return _PLAIN.get(found) or Gate(found, Sleeve.BTC_CORE, PAIR)
    bound = settings.dca_bands[-1][0] if settings.dca_bands else 0.0
    return Gate(found, Sleeve.BTC_CORE, PAIR, {"ahr999": f"{ahr999:.6g}", "bound": f"{bound:g}"})


def episode(btc: BtcFacts | None, memory: TrimMemory, settings: StrategySettings) -> TrimMemory:
    """The trim memory, emptied once the z-score has stayed at or below its trigger for `trim_reset_days`."""
    over = btc is not None and btc.zscore_days >= settings.trim_reset_days
    return TrimMemory() if over and memory.tiers else memory


@remembered
def trim(btc: BtcFacts | None, memory: TrimMemory, done: tuple[str, ...], settings: StrategySettings) -> Exit | Gate:
    """The trim that is due, or the gate that stops it.

    The highest tier reached is sold, and with it every lower one counts as sold: a z-score on its way down must not
    sell again what it sold on its way up.
    """
    if btc is None or btc.zscore is None or btc.sell_trigger is None or not math.isfinite(btc.zscore):
        return Gate("indicators_missing", Sleeve.BTC_CORE, PAIR)
    numbers = {"zscore": f"{btc.zscore:.6g}", "trigger": f"{btc.sell_trigger:.6g}"}
    if btc.zscore <= btc.sell_trigger:
        return Gate("zscore_below_trigger", Sleeve.BTC_CORE, PAIR, numbers)
    if "dca" in done:
        return Gate("bought_today", Sleeve.BTC_CORE, PAIR, numbers)
    reached = [tier for tier in settings.trim_tiers if btc.zscore > tier[1]]
    name, _, fraction = reached[-1]
    if name in memory.tiers:
        return Gate("tier_done", Sleeve.BTC_CORE, PAIR, {**numbers, "tier": name})
    tiers = "+".join(tier[0] for tier in reached)
    return Exit(Sleeve.BTC_CORE, PAIR, ExitReason.TRIM, fraction, {**numbers, "tier": tiers})
