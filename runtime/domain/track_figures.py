"""Figures of a track: what a run over history earned, against what holding bitcoin or buying it by plan had earned.

All three get the same money at the same hours: the capital at the start, each deposit when it came.

    run   the account, as the engine ran it
    hold  everything into bitcoin at once, at the hour's price, with the plan's fee
    dca   the capital into bitcoin in equal parts, one each UTC day of the run; deposits at once; the rest waits as cash

Returns are linked by the hour; a deposit earns nothing in the hour in which it comes, since that hour is valued at the
one price at which it came. `domain.returns` says how each figure is made. Curves are sampled at the end of each UTC
day, for ratios, drawdowns and charts. These are figures about money: floats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from runtime.domain.returns import (
    DAYS_A_YEAR,
    calmar,
    max_drawdown,
    money_weighted,
    returns_of,
    sharpe,
    sortino,
    yearly,
)
from runtime.domain.slots import DAY_MS, HOUR_MS, date_at
from runtime.domain.track import Track, Trade

HOURS_A_DAY = 24
GATES_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Measures:
    """What one curve earned; fractions, None where a figure has no value."""

    total: float
    yearly: float | None
    money_weighted: float | None
    max_drawdown: float
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    end: float


@dataclass(frozen=True, slots=True)
class Curve:
    """One way to have invested, at each day's end: `values` in USDT, `index` 1 at the start and without deposits."""

    name: str
    values: tuple[float, ...]
    index: tuple[float, ...]
    measures: Measures

    def drawdowns(self) -> list[float]:
        """How far each day ended below the highest day so far, as a fraction <= 0."""
        peak, found = 1.0, []
        for value in self.index:
            peak = max(peak, value)
            found.append(value / peak - 1)
        return found


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that a page shows of a run. `days` are the UTC dates of the daily values; `months` the month of each
    value in `monthly` and `gates` (share of the month's hours in which that gate held something back).
    """

    days: tuple[str, ...]
    curves: tuple[Curve, ...]
    months: tuple[str, ...]
    monthly: tuple[float, ...]
    gates: Mapping[str, tuple[float, ...]]
    fees: Mapping[str, float]
    trades: int
    hit_rate: float | None
    turnover: float | None
    exposure: float | None
    closed_hours: int
    degraded_share: float


def figures_of(track: Track) -> Figures:
    """The figures of a run of at least one hour."""
    ends = _day_ends(track)
    months = [date_at(track.first_ms + hour * HOUR_MS).isoformat()[:7] for hour in ends]
    run = _curve(track, "run", track.column("equity"), ends)
    rungs = track.columns.rungs
    degraded = sum(1 for rung in track.columns.hours["rung"] if rungs[rung] != "fresh_upstream") if rungs else 0
    return Figures(
        days=tuple(date_at(track.first_ms + hour * HOUR_MS).isoformat() for hour in ends),
        curves=(run, _curve(track, "hold", _held(track), ends), _curve(track, "dca", _bought_by_plan(track), ends)),
        months=tuple(dict.fromkeys(months)),
        monthly=tuple(_monthly(months, run.index)),
        gates=_gates(track),
        fees=_fees(track.trades),
        trades=len(track.trades),
        hit_rate=_hit_rate(track.trades),
        turnover=_turnover(track),
        exposure=_exposure(track),
        closed_hours=sum(1 for code in track.columns.hours["exit"] if code),
        degraded_share=degraded / len(track),
    )


def _day_ends(track: Track) -> list[int]:
    """The last hour of each UTC day of the run; the last one of all, whatever its time."""
    first = track.first_ms // HOUR_MS
    hours = [hour for hour in range(len(track)) if (first + hour) % HOURS_A_DAY == HOURS_A_DAY - 1]
    return hours if hours and hours[-1] == len(track) - 1 else [*hours, len(track) - 1]


def _curve(track: Track, name: str, values: Sequence[float], ends: Sequence[int]) -> Curve:
    index = _index(track, values)
    daily = [index[hour] for hour in ends]
    days = len(track) / HOURS_A_DAY
    total, fall = daily[-1] - 1, max_drawdown([1.0, *daily])
    rate, returns = yearly(total, days), returns_of([1.0, *daily])
    own = money_weighted([*_paid_in(track), (days, values[-1])])
    measures = Measures(total, rate, own, fall, sharpe(returns), sortino(returns), calmar(rate, fall), values[-1])
    return Curve(name, tuple(values[hour] for hour in ends), tuple(daily), measures)


def _index(track: Track, values: Sequence[float]) -> list[float]:
    """The time-weighted index after each hour."""
    grown, before, found = 1.0, float(track.plan["capital"]), []
    for value, flow in zip(values, track.column("flow"), strict=True):
        grown *= (value - flow) / before if before > 0 else 1.0
        found.append(grown)
        before = value
    return found


def _paid_in(track: Track) -> Iterator[tuple[float, float]]:
    """(day, -amount) of what the owner put in."""
    yield 0.0, -float(track.plan["capital"])
    for hour, flow in enumerate(track.column("flow")):
        if flow:
            yield hour / HOURS_A_DAY, -flow


def _held(track: Track) -> list[float]:
    keep, units, cash, found = 1 - float(track.plan["fee"]), 0.0, float(track.plan["capital"]), []
    for price, flow in zip(track.column("price"), track.column("flow"), strict=True):
        cash += flow
        if price > 0:
            units, cash = units + cash * keep / price, 0.0
        found.append(units * price + cash)
    return found


def _bought_by_plan(track: Track) -> list[float]:
    keep, capital = 1 - float(track.plan["fee"]), float(track.plan["capital"])
    part = capital / max(1, -(-len(track) // HOURS_A_DAY))
    units, cash, day, found = 0.0, capital, -1, []
    for hour, (price, flow) in enumerate(zip(track.column("price"), track.column("flow"), strict=True)):
        cash += flow
        today = (track.first_ms + hour * HOUR_MS) // DAY_MS
        spent = min(cash, flow + (part if today != day else 0.0)) if price > 0 else 0.0
        if price > 0:
            units, cash, day = units + spent * keep / price, cash - spent, today
        found.append(units * price + cash)
    return found


def _monthly(months: Sequence[str], index: Sequence[float]) -> Iterator[float]:
    """The run's return in each month, by the index at the ends of months."""
    before = 1.0
    last = dict(zip(months, index, strict=True))
    for value in last.values():
        yield value / before - 1
        before = value


def _gates(track: Track) -> dict[str, tuple[float, ...]]:
    """The most frequent gates: the share of each month's hours in which they were met."""
    met: dict[str, Counter[str]] = {}
    hours: Counter[str] = Counter()
    begun, sets = 0, track.columns.gate_sets
    for end in _day_ends(track):
        month, day = (
            date_at(track.first_ms + end * HOUR_MS).isoformat()[:7],
            track.columns.hours["gates"][begun : end + 1],
        )
        hours[month] += len(day)
        for met_together, count in Counter(day).items():
            for gate in set(sets[met_together]):
                met.setdefault(gate, Counter())[month] += count
        begun = end + 1
    often = sorted(met, key=lambda gate: (-met[gate].total(), gate))[:GATES_SHOWN]
    return {gate: tuple(met[gate][month] / hours[month] for month in hours) for gate in often}


def _fees(trades: Sequence[Trade]) -> dict[str, float]:
    """Fees paid, by the asset they were paid in."""
    paid: Counter[str] = Counter()
    for trade in trades:
        for asset, amount in trade.fees.items():
            paid[asset] += float(amount)  # type: ignore[assignment] # counters count, and sum, any numbers
    return dict(sorted(paid.items()))


def _hit_rate(trades: Sequence[Trade]) -> float | None:
    """The share of sales above the position's average cost; None without a sale."""
    sales = [float(trade.price) > float(trade.entry) for trade in trades if trade.side == "SELL" and float(trade.entry)]
    return sum(sales) / len(sales) if sales else None


def _turnover(track: Track) -> float | None:
    """What was bought and sold in a year, as a multiple of the average equity."""
    mean, years = fmean(track.column("equity")), len(track) / HOURS_A_DAY / DAYS_A_YEAR
    return sum(float(trade.quote) for trade in track.trades) / mean / years if mean > 0 else None


def _exposure(track: Track) -> float | None:
    """The average share of the equity that is not cash."""
    columns = zip(track.column("cash"), track.column("equity"), strict=True)
    shares = [1 - cash / equity for cash, equity in columns if equity > 0]
    return fmean(shares) if shares else None
