"""Leases: who may write an account, said once for all stores.

The worked problem: a run pauses for ten minutes, its lease expires, another run takes over, the first one wakes up and
writes. A lease therefore carries a *fence*, a number that only grows and is kept when the lease is released, and it
lives in the state document: a takeover changes the very document that the sleeper's conditional write names. Time is
the store's, never a runner's.

The lease itself is a value of `domain.stored`; the rules ask only for its fields.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from runtime.errors import LeaseLost


class Leased(Protocol):
    """What a lease says: a random owner token, the end on the store's clock (0 = released), its number and slot."""

    @property
    def owner(self) -> str:
        """Random token of one process."""

    @property
    def expires_ms(self) -> int:
        """Epoch ms on the store's clock."""

    @property
    def fence(self) -> int:
        """Grows with every lease of the account."""

    @property
    def slot(self) -> str:
        """The hour it was taken for."""


def next_fence(current: Leased | None, owner: str, now_ms: int) -> int:
    """The number of the lease that `owner` may take now; `LeaseLost` while another owner's lease is alive."""
    if current is None:
        return 1
    if current.owner != owner and now_ms < current.expires_ms:
        until = datetime.fromtimestamp(current.expires_ms // 1000, UTC)
        raise LeaseLost(
            f"lease: another run holds it for slot {current.slot} until {until:%FT%TZ}; nothing was written"
        )
    return current.fence + 1


def fence_over(current: Leased | None, owner: str, now_ms: int, *, restoring: bool) -> int:
    """The number of the lease under which `owner` may replace the whole account.

    As `next_fence`, except where a restore did not end: no hour runs there, so its lease may be taken over while it
    lives, and a restore that is still at work writes no more.
    """
    return current.fence + 1 if restoring and current is not None else next_fence(current, owner, now_ms)


def confirm(current: Leased | None, ours: Leased, now_ms: int) -> None:
    """`LeaseLost` unless the stored lease is `ours` and still alive at `now_ms`."""
    if current is None or (current.owner, current.fence) != (ours.owner, ours.fence):
        raise LeaseLost(f"lease: number {ours.fence} is no longer ours")
    if now_ms >= current.expires_ms:
        raise LeaseLost(f"lease: number {ours.fence} has expired")
