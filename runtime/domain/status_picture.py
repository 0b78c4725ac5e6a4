"""The picture of the status report: equity over the last hours, and each holding's share against its target.

It shows numbers and tickers only; the words are the alert's, in the operator's language, as the caption. The shares
come from the alert itself (`shares_text` writes them, `shares_in` reads them back), so that a report that waited in the
outbox is drawn with what it says and not with what came later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from runtime.domain.drawing import Canvas, text_width
from runtime.domain.equity_picture import HOURS_SHOWN, Point, by_the_hour
from runtime.domain.money import ZERO
from runtime.domain.texts import MISSING

WIDTH, HEIGHT = 800, 520
LEFT, RIGHT = 24, WIDTH - 24
CHART_TOP, CHART_BOTTOM = 60, 300
BARS_TOP, BAR_STEP, BARS_MAX = 350, 26, 6
BAR_LEFT, BAR_RIGHT = 150, WIDTH - 200
_SHARE = re.compile(rf"([A-Z0-9]+) ([0-9]+\.[0-9])/({MISSING}|[0-9]+\.[0-9]) %")

Share = tuple[str, Decimal, Decimal | None]
"""Asset, its share of equity and its target in per cent; None = it has no target."""


def shares_text(values: Mapping[str, Decimal], targets: Mapping[str, Decimal]) -> str:
    """Each asset's share of the sum of `values` (USDT) and its target (a fraction), in per cent, the largest first:
    `BTC 35.0/40.0 %`; a dash for no target.
    """
    total = sum(values.values(), ZERO)
    assets = sorted(values.keys() | targets.keys(), key=lambda asset: (-values.get(asset, ZERO), asset))
    return ", ".join(
        f"{asset} {_part(values.get(asset, ZERO), total)}/"
        f"{_part(targets[asset], Decimal(1)) if asset in targets else MISSING} %"
        for asset in assets
        if total > 0
    )


def shares_in(text: str) -> list[Share]:
    """The shares that `shares_text` wrote; none for anything else."""
    return [
        (asset, Decimal(share), None if target == MISSING else Decimal(target))
        for asset, share, target in _SHARE.findall(text)
    ]


def status_picture(slot: str, history: Sequence[Point], shares: Sequence[Share]) -> bytes | None:
    """A PNG of 800 x 520 pixels for the report of `slot`; None where less than two hours are known. Values are USDT."""
    points = {point.slot: point for point in history if point.slot <= slot}
    values = by_the_hour(points, lambda point: point.equity)
    if len(values) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    canvas = Canvas(WIDTH, HEIGHT)
    canvas.text(LEFT, 20, f"Equity {values[-1]:,.2f} USDT", size=3)
    change = (values[-1] / values[0] - 1) * 100 if values[0] else ZERO
    said = f"{change:+.2f} % in {len(values) - 1} h"
    canvas.text(RIGHT - text_width(said), 24, said, "grey")
    _curve(canvas, values)
    canvas.text(LEFT, CHART_BOTTOM + 10, f"{HOURS_SHOWN} h to {slot}", "grey")
    _bars(canvas, shares[:BARS_MAX])
    return canvas.png()


def _curve(canvas: Canvas, values: Sequence[Decimal]) -> None:
    low, high = min(values), max(values)
    room = (high - low) or Decimal(1)
    for part in range(5):
        y = CHART_TOP + (CHART_BOTTOM - CHART_TOP) * part // 4
        canvas.box(LEFT, y, RIGHT, y + 1, "faint")
    along = max(1, len(values) - 1)
    at = [
        (LEFT + (RIGHT - LEFT) * n // along, CHART_BOTTOM - int((CHART_BOTTOM - CHART_TOP) * (value - low) / room))
        for n, value in enumerate(values)
    ]
    canvas.path(at, "line", 3)
    canvas.text(LEFT + 4, CHART_TOP + 6, f"{high:,.2f}", "grey")
    canvas.text(LEFT + 4, CHART_BOTTOM - 20, f"{low:,.2f}", "grey")


def _bars(canvas: Canvas, shares: Sequence[Share]) -> None:
    """A bar a holding; the red mark is its target. The longest of all is the whole width."""
    most = max([Decimal(1), *(max(share, target or ZERO) for _, share, target in shares)])
    for row, (asset, share, target) in enumerate(shares):
        y = BARS_TOP + row * BAR_STEP
        canvas.text(LEFT, y, asset[:10])
        canvas.box(BAR_LEFT, y, BAR_LEFT + _along(share, most), y + 14, "bar")
        if target is not None:
            x = BAR_LEFT + _along(target, most)
            canvas.box(x, y - 4, x + 3, y + 18, "mark")
        canvas.text(BAR_RIGHT + 12, y, f"{share} / {target if target is not None else '-'} %", "grey")


def _along(part: Decimal, most: Decimal) -> int:
    return int((BAR_RIGHT - BAR_LEFT) * part / most)


def _part(value: Decimal, total: Decimal) -> str:
    return f"{value / total * 100:.1f}"
