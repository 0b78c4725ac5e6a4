"""Walk-forward: windows that never overlap what they are judged by, and tests linked one after the other."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.overfitting import deflated
from runtime.domain.slots import DAY_MS
from runtime.domain.trials import TEST, TRAIN, Asked, Outcome, Row
from runtime.domain.walk_forward import Fold, Windows, read_windows, splits_of, stitched
from runtime.errors import BadInput


def test_the_option_reads_back_as_it_was_written() -> None:
    assert read_windows("train=365d,test=90d") == Windows(365, 90)
    assert read_windows("test=9d, train=30d ,anchored") == Windows(30, 9, anchored=True)
    assert read_windows(Windows(30, 9, anchored=True).text()) == Windows(30, 9, anchored=True)


@pytest.mark.parametrize(
    "text",
    ["", "train=365d", "train=365,test=90", "train=0d,test=9d", "train=9d,test=9d,test=9d", "train=9d,test=9d,x"],
)
def test_what_is_no_pair_of_windows_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadInput, match=r"--walk-forward.*train=365d,test=90d"):
        read_windows(text)


def test_rolling_and_anchored_windows_are_those_drawn_by_hand() -> None:
    rolling = splits_of(Windows(4, 2), 0, 9 * DAY_MS)
    days = [[at // DAY_MS for at in (*split.train_ms, *split.test_ms)] for split in rolling]
    assert days == [[0, 4, 4, 6], [2, 6, 6, 8]]
    anchored = splits_of(Windows(4, 2, anchored=True), 0, 9 * DAY_MS)
    assert [split.train_ms[0] for split in anchored] == [0, 0]
    assert [split.test_ms for split in anchored] == [split.test_ms for split in rolling]


@given(st.integers(1, 40), st.integers(1, 20), st.booleans(), st.integers(0, 200))
def test_no_test_window_touches_its_train_window_or_another_test(train: int, test: int, anchored: bool, n: int) -> None:
    end_ms = (train + test + n) * DAY_MS
    splits = splits_of(Windows(train, test, anchored), 0, end_ms)
    for split in splits:
        assert split.train_ms[1] == split.test_ms[0]
        assert split.test_ms[1] - split.test_ms[0] == test * DAY_MS
        assert split.train_ms[0] == 0 if anchored else split.train_ms[1] - split.train_ms[0] == train * DAY_MS
    for before, after in pairwise(splits):
        assert before.test_ms[1] == after.test_ms[0]
    assert splits[0].train_ms[0] == 0
    assert 0 <= end_ms - splits[-1].test_ms[1] < test * DAY_MS


def test_windows_that_do_not_fit_once_are_refused() -> None:
    with pytest.raises(BadInput, match="does not fit once"):
        splits_of(Windows(4, 2), 0, 6 * DAY_MS - 1)


def a_row(number: int, returns: tuple[float, ...], part: str = TRAIN, refused: str = "") -> Row:
    outcome = Outcome(f"key{number}{part}", {"hold_total": 0.1}, returns)
    return Row(Asked(part, 0, number), {}, 0, DAY_MS, "h", "c", outcome, refused)


def test_tests_are_linked_and_judged_against_every_trial_of_every_fold() -> None:
    rows = [a_row(0, (0.01, 0.0, 0.02)), a_row(1, (0.0, 0.03, -0.01)), a_row(2, (0.02, 0.01, 0.0))]
    first, second = (0.1, -0.2, 0.1), (0.05, 0.0, 0.1)
    folds = [
        Fold((rows[0], rows[1], a_row(9, (), refused="no")), rows[0], a_row(0, first, TEST), None),
        Fold((rows[2],), rows[2], a_row(2, second, TEST), None),
    ]
    found = stitched(folds)
    assert found.days == 6
    assert found.total == pytest.approx(1.1 * 0.8 * 1.1 * 1.05 * 1.1 - 1)
    assert found.max_drawdown == pytest.approx(-0.2)
    assert found.hold == pytest.approx(1.1 * 1.1 - 1)
    assert found.deflated == deflated([*first, *second], [row.outcome.returns for row in rows])
    assert found.above_zero is not None
    assert 0 < found.above_zero < 1
