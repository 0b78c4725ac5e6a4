"""API key: what the account's key may do, how a verdict on it is remembered, and what an operator must hear of it.

The worked problem: a key that may withdraw turns a stolen file into an empty account, so no hour trades with one. But
what a key may do changes once a year, and asking for it every hour costs a call. So the answer is kept with its UTC day
and with a salted digest that recognises the key: another day or another key is asked about anew. A refusal is not kept,
so that the hour after the right was taken away trades again.

Nor may a key of another account be taken for ours: its balances would read as drift, and its history as proof that our
orders never existed. The exchange gives every account a number; the state remembers a digest of it, so short that many
numbers share each, which says whether two answers come from one account and tells nobody which.

What only has to be known (no list of addresses, an end that comes near) is told once: `marks` names what holds now, and
what was told before is dropped as soon as it no longer holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from runtime.domain.changing import changed
from runtime.domain.slots import DAY_MS

EXPIRY_DAYS = (1, 7, 30)
"""Days before the end of a key at which it is told, nearest first."""

TRUSTED_DAYS = 7
"""How long the last verdict stands in for one that cannot be read."""

UNRESTRICTED = "unrestricted"
_DIGEST_LENGTH = 32
_ACCOUNT_DIGEST_LENGTH = 6


@dataclass(frozen=True, slots=True)
class KeyRights:
    """What the exchange says of a key. `expires_ms` is the end of its right to trade (epoch ms, None = none is set);
    `others` are rights beyond reading and spot trading, by the exchange's names.
    """

    reading: bool
    trading: bool
    withdrawals: bool
    ip_restricted: bool
    expires_ms: int | None = None
    others: tuple[str, ...] = ()

    def days_left(self, now_ms: int) -> int | None:
        """Whole days until the end, rounded down (negative when it is past); None without one."""
        return None if self.expires_ms is None else (self.expires_ms - now_ms) // DAY_MS


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A verdict that was asked for on the UTC day `day`. `salt` and `digest` recognise the key without holding it;
    `told` are the marks that the operator heard of.
    """

    salt: str
    digest: str
    day: date
    rights: KeyRights
    told: tuple[str, ...] = ()

    def fresh_on(self, today: date) -> bool:
        """Whether it is young enough to be trusted where today's verdict cannot be read."""
        return 0 <= (today - self.day).days <= TRUSTED_DAYS


def digest(salt: str, key: str) -> str:
    """What recognises a key: SHA-256 of salt and key, shortened. Keys are long and random, so none can be guessed."""
    return sha256(f"{salt}\n{key}".encode()).hexdigest()[:_DIGEST_LENGTH]


def account_digest(uid: str) -> str:
    """What recognises an account by its number at the exchange, and cannot be turned back into it. It is the same under
    every name that the account has here, so that a copy under another name still knows it.
    """
    return digest("account", uid)[:_ACCOUNT_DIGEST_LENGTH]


def marks(rights: KeyRights, now_ms: int) -> tuple[str, ...]:
    """What there is to tell of a key at `now_ms`: no list of addresses, and each level of an end that is reached."""
    open_to_all = () if rights.ip_restricted else (UNRESTRICTED,)
    return (*open_to_all, *(f"{level} {rights.expires_ms}" for level in _levels(rights, now_ms)))


def expiry_level(rights: KeyRights, now_ms: int) -> int | None:
    """The nearest of `EXPIRY_DAYS` that is reached; None where the end is further away, or none is set."""
    return next(iter(_levels(rights, now_ms)), None)


def noted(record: KeyRecord, before: KeyRecord | None, now_ms: int) -> tuple[KeyRecord, tuple[str, ...]]:
    """The record with everything told that holds now, and the marks that are new since the record `before`."""
    current = marks(record.rights, now_ms)
    known: Iterable[str] = before.told if before is not None else ()
    return changed(record, told=current), tuple(mark for mark in current if mark not in known)


def _levels(rights: KeyRights, now_ms: int) -> list[int]:
    if rights.expires_ms is None:
        return []
    return [level for level in EXPIRY_DAYS if rights.expires_ms - now_ms <= level * DAY_MS]
