"""The picture of a run, for chats: equity against bitcoin held and bought by plan, and the run's drawdown."""

from __future__ import annotations

import io
from datetime import date

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from runtime.adapters.pages.charts import COLOURS, NAMES
from runtime.domain.track_figures import Figures

WIDTH_IN, HEIGHT_IN, DPI = 10.0, 6.0, 120


def equity_png(figures: Figures, title: str) -> bytes:
    """A PNG of 1200 x 720 pixels; the same figures give the same bytes."""
    picture = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    FigureCanvasAgg(picture)
    above, below = picture.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    days = [date.fromisoformat(day) for day in figures.days]
    for curve in figures.curves:
        above.plot(days, curve.values, color=COLOURS[curve.name], label=NAMES[curve.name], linewidth=1.2)
    run = figures.curves[0]
    below.fill_between(days, [100 * fall for fall in run.drawdowns()], color=COLOURS["run"], alpha=0.4)
    above.set_title(title, loc="left")
    above.set_ylabel("USDT")
    below.set_ylabel("drawdown, %")
    above.legend(frameon=False, loc="upper left")
    for axes in (above, below):
        axes.grid(alpha=0.25)
    written = io.BytesIO()
    picture.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()
