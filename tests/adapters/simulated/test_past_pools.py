"""Pools of the past: how they are named on a command line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from runtime.adapters.simulated.past_pools import read_pools
from runtime.errors import BadInput

SPAN = (date(2021, 1, 15), date(2021, 3, 1))


def test_pairs_with_commas_stand_for_the_whole_span_however_many_they_are(tmp_path: Path) -> None:
    pairs = [f"COIN{number}USDT" for number in range(100)]
    pools = read_pools(",".join(pairs), tmp_path, SPAN)
    assert [pool.known_from for pool in pools] == [date(2021, 1, 1), date(2021, 2, 1), date(2021, 3, 1)]
    assert all(pool.document["symbols"] == pairs for pool in pools)


def test_what_is_neither_a_place_nor_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="must be a folder, a document, or pairs"):
        read_pools("nowhere/pools", tmp_path, SPAN)
