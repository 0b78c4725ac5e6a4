"""Leases: who may take one, who still holds one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.leases import confirm, next_fence
from runtime.errors import LeaseLost
from runtime.ports import Lease

MS = st.integers(0, 10**13)
LEASES = st.builds(Lease, st.sampled_from(["a", "b"]), MS, st.integers(1, 10**6), st.just("2026-11-21T09Z"))


def test_the_first_lease_of_an_account_has_number_one() -> None:
    assert next_fence(None, "a", 0) == 1


@given(LEASES, st.sampled_from(["a", "b"]), MS)
def test_a_lease_is_refused_only_while_anothers_is_alive_and_numbers_only_grow(
    lease: Lease, owner: str, now_ms: int
) -> None:
    if lease.owner != owner and now_ms < lease.expires_ms:
        with pytest.raises(LeaseLost, match=lease.slot):
            next_fence(lease, owner, now_ms)
    else:
        assert next_fence(lease, owner, now_ms) == lease.fence + 1


@given(LEASES | st.none(), LEASES, MS)
def test_a_lease_is_ours_only_with_our_owner_our_number_and_before_its_end(
    current: Lease | None, ours: Lease, now_ms: int
) -> None:
    alive = current is not None and now_ms < current.expires_ms
    same = current is not None and current.owner == ours.owner and current.fence == ours.fence
    if alive and same:
        confirm(current, ours, now_ms)
    else:
        with pytest.raises(LeaseLost):
            confirm(current, ours, now_ms)


def test_the_stored_end_counts_not_the_one_we_remember() -> None:
    ours = Lease("a", 1000, 3, "s")
    confirm(Lease("a", 2000, 3, "s"), ours, 1500)
    with pytest.raises(LeaseLost, match="expired"):
        confirm(Lease("a", 0, 3, "s"), ours, 500)
