"""Performance: the day's opening values and the time-weighted return.

The return is linked hour by hour (facts: time-weighted return = product of sub-period returns, with a boundary at every
external flow): equity now, less what came in from outside since the last link, over equity then. Trades and fees inside
an hour show at the next link. A flow counts at the end of its sub-period. The index never reaches 0: from there no
later return could be linked, and every loss would be a division by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

from runtime.domain.changing import changed
from runtime.domain.ledger import Book, Entry, owned_of
from runtime.domain.market import DailyMarket, exact
from runtime.domain.money import CASH, CORE, FUEL, ONE, ZERO
from runtime.domain.remembering import remembered
from runtime.domain.slots import DAY_MS, day_start_ms
from runtime.domain.state import DayBook, Performance, State

INDEX_PLACES = ONE.scaleb(-12)
_MANAGED = frozenset({Book.SPOT, Book.EARN, Book.TRANSIT})
_OUTSIDE = frozenset({Book.FLOWS, Book.UNEXPLAINED, Book.OPENING, Book.RESERVED})


def linked(performance: Performance, equity: Decimal, flows: Decimal) -> Performance:
    """The return index after equity became `equity` USDT, of which `flows` came from outside since the last link."""
    index = performance.index
    if performance.equity is not None and performance.equity > 0:
        index = _index(index * (equity - flows) / performance.equity)
    return Performance(index, max(performance.peak, index), equity)


@remembered
def losses(performance: Performance, day: DayBook | None) -> tuple[Decimal, Decimal]:
    """(loss today, drawdown from the peak) of the return, as positive fractions."""
    index = performance.index
    day_start = day.index if day else index
    return max(ZERO, ONE - index / day_start), max(ZERO, ONE - index / performance.peak)


def outside_value(entries: Iterable[Entry], prices: Mapping[str, Decimal]) -> Decimal:
    """USDT value of what `entries` moved between the managed books and the outside (deposits +, withdrawals -)."""
    total = ZERO
    for entry in entries:
        if any(posting.book in _OUTSIDE for posting in entry.postings):
            for posting in entry.postings:
                if posting.book in _MANAGED:
                    price = ONE if posting.asset == CASH else prices.get(posting.asset + CASH, ZERO)
                    total += posting.amount * price
    return total


def unvalued(entry: Entry, prices: Mapping[str, Decimal]) -> frozenset[str]:
    """The assets that `outside_value` would have to count as 0, because `prices` lacks them."""
    if not any(posting.book in _OUTSIDE for posting in entry.postings):
        return frozenset()
    moved = {posting.asset for posting in entry.postings if posting.book in _MANAGED and posting.asset != CASH}
    return frozenset(asset for asset in moved if asset + CASH not in prices)


def opened_day(state: State, today: date, daily: DailyMarket, prices: Mapping[str, Decimal]) -> State:
    """The state with the book of `today` opened, once a UTC day and before the hour's first booking.

    The sleeve's start is what the ledger held at 00:00, valued at yesterday's daily close, so that missed hours do not
    move it; where a close is unknown, `prices` stand in. The return index at 00:00 is valued the same way.
    """
    if state.day is not None and state.day.day >= today:
        return state
    owned = owned_of(state.ledger)
    closes = _closes(owned, today, daily, prices)
    trend = {a: q for a, q in owned.items() if a not in {CASH, FUEL, CORE}}
    then = sum([q * closes.get(a, ONE if a == CASH else ZERO) for a, q in owned.items()], ZERO)
    index, last = state.performance.index, state.performance.equity
    if last is not None and last > 0:
        index = _index(index * then / last)
    start = {asset: closes[asset] for asset in trend if asset in closes}
    return changed(state, day=DayBook(today, trend, start, index=index))


def resumed(state: State) -> State:
    """The state after the operator lifted a latched loss limit: losses are counted from here on."""
    index = state.performance.index
    day = replace(state.day, index=index) if state.day else None
    return replace(state, performance=replace(state.performance, peak=index), day=day)


def moved_outside(day: DayBook, asset: str, quantity: Decimal, price: Decimal) -> DayBook:
    """The day after `quantity` units of a managed trend coin left (or, if negative, came) other than by our trades.

    Valued at `price` (USDT), it counts as sold or bought: a coin that the operator took out is no loss of the sleeve,
    and one that was adopted no profit.
    """
    if asset in {CASH, FUEL, CORE} or not quantity:
        return day
    worth = abs(quantity) * price
    sold, bought = (day.sold + worth, day.bought) if quantity > 0 else (day.sold, day.bought + worth)
    return replace(day, sold=sold, bought=bought, net_peak=max(day.net_peak, bought - sold))


def _index(value: Decimal) -> Decimal:
    return max(INDEX_PLACES, value.quantize(INDEX_PLACES))


def _closes(
    assets: Iterable[str], today: date, daily: DailyMarket, prices: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    yesterday_ms = day_start_ms(today) - DAY_MS
    closes = {}
    for asset in assets:
        series = daily.series.get(asset + CASH)
        if series is not None and series.last_open_ms == yesterday_ms:
            closes[asset] = exact(series.close[-1])
        elif asset + CASH in prices:
            closes[asset] = prices[asset + CASH]
    return closes
