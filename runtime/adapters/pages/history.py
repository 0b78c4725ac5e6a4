"""The page of a run over history: one HTML file that asks nothing of a network.

Plotly's script is in the page; so is the picture, for readers whose browser runs no script. Every value is escaped by
the template; data goes into the page as JSON in which no tag can begin.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from runtime.adapters.pages.charts import NAMES, Closes, charts
from runtime.adapters.pages.picture import equity_png
from runtime.domain.slots import minute_text
from runtime.domain.track import Track
from runtime.domain.track_figures import Curve, Figures

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NONE = "–"
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def history_page(track: Track, figures: Figures, closes: Closes) -> str:
    """The whole page as text."""
    title = f"{figures.days[0]} to {figures.days[-1]}"
    return _TEMPLATES.get_template("history.html.jinja").render(
        title=title,
        plan=track.plan,
        digest=track.digest(),
        measures=[_measures(curve) for curve in figures.curves],
        facts=list(_facts(track, figures)),
        years=list(_years(figures)),
        month_names=MONTHS,
        trades=[_trade(trade) for trade in reversed(track.trades)],
        charts=charts(track, figures, closes),
        script=get_plotlyjs(),
        picture=base64.b64encode(equity_png(figures, title)).decode(),
    )


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction as people read it."""
    return NONE if value is None else f"{100 * value:+,.{digits}f} %".replace("-", "−")


def number(value: float | None, digits: int = 2) -> str:
    """A plain number as people read it."""
    return NONE if value is None else f"{value:,.{digits}f}".replace("-", "−")


def _measures(curve: Curve) -> tuple[str, ...]:
    m = curve.measures
    shares = (percent(m.total), percent(m.yearly), percent(m.money_weighted), percent(m.max_drawdown))
    return (NAMES[curve.name], number(m.end), *shares, number(m.sharpe), number(m.sortino), number(m.calmar))


def _facts(track: Track, figures: Figures) -> Iterator[tuple[str, str]]:
    yield "Hours", f"{len(track):,}"
    yield "Hours not completed", f"{figures.closed_hours:,}"
    yield "Trades", f"{figures.trades:,}"
    yield "Sales above cost", percent(figures.hit_rate).removeprefix("+")
    yield "Turnover a year", NONE if figures.turnover is None else f"{number(figures.turnover, 1)} × equity"
    yield "Average exposure", percent(figures.exposure).removeprefix("+")
    yield "Hours on a degraded pool", percent(figures.degraded_share).removeprefix("+")
    for asset, paid in figures.fees.items():
        yield f"Fees in {asset}", number(paid, 4)


def _years(figures: Figures) -> Iterator[tuple[str, list[str], str]]:
    """(year, twelve returns, the year's)."""
    by_month = dict(zip(figures.months, figures.monthly, strict=True))
    for year in dict.fromkeys(month[:4] for month in figures.months):
        found = [by_month.get(f"{year}-{month:02}") for month in range(1, 13)]
        grown = 1.0
        for value in found:
            grown *= 1 + (value or 0.0)
        yield year, ["" if value is None else percent(value) for value in found], percent(grown - 1)


def _trade(trade: Any) -> tuple[str, ...]:  # noqa: ANN401 - a Trade, whose fields are text
    fees = " + ".join(f"{amount} {asset}" for asset, amount in trade.fees.items())
    when = minute_text(trade.time_ms)
    return (when, trade.symbol, trade.side, trade.quantity, trade.price, number(float(trade.quote)), fees, trade.reason)
