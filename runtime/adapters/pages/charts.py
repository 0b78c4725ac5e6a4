"""Charts of a run over history, as plotly figures in JSON. Colours of text and grid are the page's, by its theme."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from runtime.domain.slots import minute_text
from runtime.domain.track import Track, Trade
from runtime.domain.track_figures import Figures

NAMES = {"run": "this run", "hold": "bitcoin, held", "dca": "bitcoin, by plan"}
COLOURS = {"run": "#2f7ed8", "hold": "#f28f43", "dca": "#8a8a8a"}
SOUGHT, SOLD = "#2ca02c", "#d62728"
Closes = Mapping[str, tuple[Sequence[str], Sequence[float]]]
"""Daily closes by pair: (dates, prices)."""


def charts(track: Track, figures: Figures, closes: Closes) -> list[dict[str, Any]]:
    """Every chart of the page: `id`, `title`, and plotly's `figure`."""
    found = [
        ("equity", "Equity, USDT", _equity(figures)),
        ("growth", "Growth without deposits", _growth(figures)),
        ("drawdown", "Below the highest so far", _drawdown(figures)),
        ("allocation", "Allocation", _allocation(track, figures)),
        ("gates", "What held the engine back: share of each month's hours", _gates(figures)),
    ]
    found += [(f"price-{symbol}", f"{symbol}: price and trades", chart) for symbol, chart in _prices(track, closes)]
    return [{"id": name, "title": title, "figure": json.loads(chart.to_json())} for name, title, chart in found]


def _line(x: Sequence[str], y: Sequence[float], name: str, **more: object) -> go.Scattergl:
    return go.Scattergl(x=list(x), y=list(y), name=name, mode="lines", **more)


def _equity(figures: Figures) -> go.Figure:
    return _laid_out(
        [_line(figures.days, c.values, NAMES[c.name], line={"color": COLOURS[c.name]}) for c in figures.curves]
    )


def _growth(figures: Figures) -> go.Figure:
    chart = _laid_out(
        [_line(figures.days, c.index, NAMES[c.name], line={"color": COLOURS[c.name]}) for c in figures.curves]
    )
    return chart.update_yaxes(type="log")


def _drawdown(figures: Figures) -> go.Figure:
    chart = _laid_out(
        [_line(figures.days, c.drawdowns(), NAMES[c.name], line={"color": COLOURS[c.name]}) for c in figures.curves]
    )
    return chart.update_yaxes(tickformat=".0%")


def _allocation(track: Track, figures: Figures) -> go.Figure:
    held = sorted(track.columns.days, key=lambda asset: -sum(track.columns.days[asset]))
    traces = [
        go.Scatter(x=list(figures.days), y=list(track.columns.days[asset]), name=asset, stackgroup="all", mode="none")
        for asset in held
    ]
    return _laid_out(traces)


def _gates(figures: Figures) -> go.Figure:
    chart = go.Heatmap(
        x=list(figures.months),
        y=list(figures.gates),
        z=[list(shares) for shares in figures.gates.values()],
        colorscale="Blues",
        zmin=0,
        zmax=1,
    )
    return _laid_out([chart]).update_yaxes(automargin=True).update_xaxes(type="category")


def _prices(track: Track, closes: Closes) -> Iterator[tuple[str, go.Figure]]:
    """A chart for each pair that was traded, most traded first."""
    traded: dict[str, list[Trade]] = {}
    for trade in track.trades:
        traded.setdefault(trade.symbol, []).append(trade)
    for symbol in sorted(traded, key=lambda name: (-len(traded[name]), name)):
        days, prices = closes.get(symbol, ((), ()))
        line = [_line(days, prices, symbol, line={"color": "#888"})] if days else []
        marks = [_marks(side, [t for t in traded[symbol] if t.side == side]) for side in ("BUY", "SELL")]
        yield symbol, _laid_out([*line, *marks])


def _marks(side: str, trades: Sequence[Trade]) -> go.Scattergl:
    shape = {"symbol": "triangle-up", "color": SOUGHT} if side == "BUY" else {"symbol": "triangle-down", "color": SOLD}
    return go.Scattergl(
        x=[minute_text(trade.time_ms).removesuffix(" UTC") for trade in trades],
        y=[float(trade.price) for trade in trades],
        text=[f"{trade.side} {trade.quantity} at {trade.price}<br>{_plain(trade.reason)}" for trade in trades],
        name=side.lower(),
        mode="markers",
        hoverinfo="text+x",
        marker={**shape, "size": 9},
    )


def _plain(text: str) -> str:
    """Text for a hover label, which reads a few tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _laid_out(traces: Sequence[object]) -> go.Figure:
    chart = go.Figure(data=list(traces))
    return chart.update_layout(
        template="none",
        height=360,
        margin={"l": 56, "r": 16, "t": 12, "b": 40},
        legend={"orientation": "h", "y": 1.12},
        hovermode="closest",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
