"""The picture of the status report: it can be read, shows what it is given, and is the same for the same hours."""

from __future__ import annotations

import io
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread
from numpy.typing import NDArray

from runtime.domain.drawing import COLOURS, Canvas, text_width
from runtime.domain.equity_picture import Point
from runtime.domain.slots import HOUR_MS, slot_at, slot_start_ms
from runtime.domain.status_picture import (
    BAR_LEFT,
    BAR_RIGHT,
    BARS_TOP,
    CHART_BOTTOM,
    CHART_TOP,
    HEIGHT,
    WIDTH,
    shares_in,
    shares_text,
    status_picture,
)

SLOT = "2026-11-21T09Z"
D = Decimal
SHARES = [("BTC", D("35.0"), D("40.0")), ("ETH", D("15.0"), D("12.5")), ("USDT", D("50.0"), None)]


def history(*values: str, end: str = SLOT) -> list[Point]:
    last = slot_start_ms(end)
    return [Point(slot_at(last - back * HOUR_MS), D(value)) for back, value in enumerate(reversed(values))]


def pixels(png: bytes | None) -> NDArray[np.int64]:
    """Decoded by another program's reader: rows of red, green, blue."""
    assert png is not None
    read: NDArray[np.int64] = np.rint(imread(io.BytesIO(png), format="png")[:, :, :3] * 255).astype(int)
    return read


def where(picture: NDArray[np.int64], colour: str) -> NDArray[np.int64]:
    """Rows and columns of the pixels of a colour."""
    return np.argwhere((picture == np.array(COLOURS[colour])).all(axis=2))


def test_it_decodes_with_its_size_and_shows_line_bars_and_marks() -> None:
    picture = pixels(status_picture(SLOT, history("10000", "10100", "9900"), SHARES))
    assert picture.shape == (HEIGHT, WIDTH, 3)
    for colour in ("line", "bar", "mark", "ink"):
        assert len(where(picture, colour)), colour


def test_a_rising_equity_rises_to_the_right() -> None:
    line = where(pixels(status_picture(SLOT, history("1", "2", "3"), [])), "line")
    first, last = line[line[:, 1].argmin()], line[line[:, 1].argmax()]
    assert abs(first[0] - CHART_BOTTOM) <= 3
    assert abs(last[0] - CHART_TOP) <= 3


def test_bars_are_as_long_as_their_shares_and_marks_stand_at_the_targets() -> None:
    picture = pixels(status_picture(SLOT, history("1", "2"), SHARES))
    bars, marks = where(picture, "bar"), where(picture, "mark")
    first = bars[(bars[:, 0] >= BARS_TOP) & (bars[:, 0] < BARS_TOP + 14)]
    whole = BAR_RIGHT - BAR_LEFT
    assert abs(first[:, 1].max() - BAR_LEFT - whole * 35 / 50) <= 2
    target = marks[(marks[:, 0] >= BARS_TOP - 4) & (marks[:, 0] < BARS_TOP + 18)]
    assert abs(target[:, 1].min() - BAR_LEFT - whole * 40 / 50) <= 2
    assert marks[:, 0].max() < BARS_TOP + 2 * 26, "what has no target has no mark"


def test_later_hours_and_less_than_two_are_not_drawn() -> None:
    assert status_picture(SLOT, history("1"), SHARES) is None
    assert status_picture(SLOT, history("1", "2", end="2026-11-22T09Z"), SHARES) is None


@pytest.mark.parametrize("values", [("0", "0"), ("5", "5"), ("0", "1e9"), ("-3", "4")])
def test_flat_empty_and_huge_accounts_are_drawn(values: tuple[str, str]) -> None:
    assert pixels(status_picture(SLOT, history(*values), SHARES)).shape == (HEIGHT, WIDTH, 3)


def test_the_same_hours_give_the_same_bytes_and_few_of_them() -> None:
    one, two = (status_picture(SLOT, history("1", "2", "1.5"), SHARES) for _ in range(2))
    assert one is not None
    assert one == two
    assert len(one) < 20_000


shares = st.decimals(min_value=0, max_value=10**6, places=2)


@given(
    st.dictionaries(st.text("ABCXYZ019", min_size=1, max_size=9), shares),
    st.dictionaries(st.text("ABC", min_size=1), shares),
)
def test_what_the_alert_says_of_shares_is_read_back(values: dict[str, Decimal], targets: dict[str, Decimal]) -> None:
    said = shares_text(values, targets)
    total = sum(values.values())
    read = {asset: (share, target) for asset, share, target in shares_in(said)}
    assert set(read) == (values.keys() | targets.keys() if total else set())
    for asset, (share, target) in read.items():
        assert abs(share - values.get(asset, D(0)) / total * 100) <= D("0.05")
        assert (target is None) == (asset not in targets)


def test_what_falls_outside_the_sheet_is_left_out() -> None:
    canvas = Canvas(20, 10)
    canvas.box(-5, -5, 100, 3, "ink")
    canvas.path([(-10, 5), (30, 5)], "line")
    canvas.text(15, 5, "0%?")
    picture = pixels(canvas.png())
    assert picture.shape == (10, 20, 3)
    assert text_width("ab", 2) == 24
