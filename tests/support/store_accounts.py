"""Every kind of store that the contract is held against, and fresh accounts in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.emulator import firestore_account
from tests.support.stores import Account, memory_account, sqlite_account

FIRESTORE = pytest.param("firestore", marks=pytest.mark.emulator)
RAW = ["sqlite", FIRESTORE]
"""Stores whose document can be written past the adapter."""

ENCODING = ["memory-copy", *RAW]
"""Stores that encode what they keep."""

KINDS = ["memory", *ENCODING]


@contextmanager
def accounts(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], Account]]:
    """Makes accounts that nobody has used yet, in stores of `kind`; closes what they opened."""
    made: list[Account] = []
    host = request.getfixturevalue("firestore_emulator") if kind == "firestore" else ""

    def make() -> Account:
        if kind == "firestore":
            made.append(firestore_account(host))
        elif kind == "sqlite":
            made.append(sqlite_account(folder / f"{len(made)}.sqlite"))
        else:
            made.append(memory_account(copy=kind == "memory-copy"))
        return made[-1]

    yield make
    for account in made:
        account.close()
