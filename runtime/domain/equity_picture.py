"""The picture of equity: the last hours as a line that GitHub draws, and in words beside it.

GitHub shows no picture that a job made (it strips embedded images), but it renders Mermaid. One point an hour: an hour
that no run did keeps the value before it, so that the distance on the page is time. Where amounts may not be seen, the
line is the time-weighted return since its first point, which deposits do not move and which tells no amount.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runtime.domain.layout import percent
from runtime.domain.markdown import line_chart
from runtime.domain.money import ONE
from runtime.domain.report import Report
from runtime.domain.slots import HOUR_MS, slot_at, slot_start_ms
from runtime.domain.texts import Language, label, text

HOURS_SHOWN = 72


@dataclass(frozen=True, slots=True)
class Point:
    """An hour's end: `equity` USDT, `index` the time-weighted return (1 = start); None = not known."""

    slot: str
    equity: Decimal | None = None
    index: Decimal | None = None


def equity_picture(report: Report, history: Sequence[Point], language: Language, *, figures: bool) -> list[str]:
    """Lines of Markdown; none where fewer than two hours are known. `history` comes in any order."""
    now = [Point(report.slot, report.equity.total, report.index)] if report.equity else []
    points = {point.slot: point for point in (*history, *now) if point.slot <= report.slot}
    values = by_the_hour(points, lambda point: point.equity if figures else point.index)
    if not values or len(values) == 1 or not values[0]:
        return []
    change = [value / values[0] - ONE for value in values]
    shown = [round(value, 2) for value in values] if figures else [round(part * 100, 3) for part in change]
    facts = {
        "change": percent(change[-1]),
        "hours": str(len(values) - 1),
        "low": f"{min(shown):,f}",
        "high": f"{max(shown):,f}",
    }
    below = text("line.picture_hours", language, {"slot": max(points)})
    chart = line_chart(label("picture", "equity" if figures else "return", language), below, shown)
    return [*chart, "", text("line.picture", language, facts)]


def by_the_hour(points: Mapping[str, Point], value: Callable[[Point], Decimal | None]) -> list[Decimal]:
    """One value an hour, from the first that is known within `HOURS_SHOWN` to the last."""
    known = {slot: found for slot, point in points.items() if (found := value(point)) is not None}
    if not known:
        return []
    last_ms = slot_start_ms(max(known))
    values: list[Decimal] = []
    for back in range(HOURS_SHOWN - 1, -1, -1):
        slot = slot_at(last_ms - back * HOUR_MS)
        if slot in known:
            values.append(known[slot])
        elif values:
            values.append(values[-1])
    return values
