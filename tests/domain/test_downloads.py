"""What is missing, what has settled, and how long to wait: the arithmetic of a download."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.downloads import SETTLED_MS, SHARE, Budget, Span, joined, missing, settled
from runtime.domain.slots import DAY_MS, HOUR_MS, MINUTE_MS

T0 = 1_609_459_200_000
spans = st.tuples(st.integers(0, 100), st.integers(1, 100)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))


@given(asked=spans, covered=st.none() | spans)
def test_what_is_missing_and_what_is_covered_make_one_span_that_holds_all_that_is_asked(
    asked: Span, covered: Span | None
) -> None:
    whole, fetched = covered, 0
    for gap in missing(asked, covered):
        assert whole is None or gap.end_ms == whole.start_ms or gap.start_ms == whole.end_ms, "they touch"
        whole, fetched = joined(gap, whole), fetched + gap.length_ms
    assert whole is not None
    assert whole.start_ms <= asked.start_ms
    assert asked.end_ms <= whole.end_ms
    assert fetched == whole.length_ms - (covered.length_ms if covered else 0), "nothing is fetched twice"


def test_nothing_is_missing_of_an_empty_span() -> None:
    assert missing(Span(5, 5), None) == ()


@pytest.mark.parametrize(
    ("now_ms", "hours"), [(T0, 0), (T0 + HOUR_MS + SETTLED_MS - 1, 0), (T0 + HOUR_MS + SETTLED_MS, 1), (T0 + DAY_MS, 9)]
)
def test_only_whole_candles_that_closed_a_while_ago_count(now_ms: int, hours: int) -> None:
    assert settled(Span(T0, T0 + 9 * HOUR_MS + 5), HOUR_MS, now_ms) == Span(T0, T0 + hours * HOUR_MS)


def test_a_start_between_two_candles_means_the_later_one() -> None:
    assert settled(Span(T0 + 1, T0 + 3 * DAY_MS), DAY_MS, T0 + 9 * DAY_MS) == Span(T0 + DAY_MS, T0 + 3 * DAY_MS)


@given(said=st.lists(st.tuples(st.integers(0, 30_000), st.none() | st.integers(0, 200)), max_size=40))
def test_a_call_is_made_only_where_it_fits_the_share_or_is_the_first_of_its_minute(
    said: list[tuple[int, int | None]],
) -> None:
    budget, now_ms = Budget(100), T0
    for passed_ms, sum_said in said:
        now_ms += passed_ms
        wait_ms = budget.wait_ms(now_ms, 2)
        used = budget.at(now_ms).used
        assert (wait_ms == 0) == (used == 0 or used + 2 <= 100 * SHARE)
        assert wait_ms == 0 or (now_ms + wait_ms) % MINUTE_MS == 0
        now_ms += wait_ms
        assert budget.wait_ms(now_ms, 2) == 0, "after the wait it fits"
        budget = budget.after(now_ms, 2, sum_said)
