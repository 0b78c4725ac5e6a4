"""The documents beside a folder's candles: its manifest, and the pool as it was known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.simulated.markets import FolderPoolSource, Manifest, manifest
from runtime.domain.pool import Rung
from runtime.domain.slots import slot_start_ms
from runtime.errors import BadInput, BadPayload, Unavailable
from runtime.ports import PoolSource


def test_a_manifest_names_the_folder_and_its_default_hour(tmp_path: Path) -> None:
    assert manifest(tmp_path) == Manifest(tmp_path.name, None)
    (tmp_path / "market.json").write_text('{"name": "bear 2022", "default_at": "2022-06-18T09"}')
    assert manifest(tmp_path) == Manifest("bear 2022", "2022-06-18T09Z")


@pytest.mark.parametrize(
    "text", ['{"name": "x", "default_at": "noon"}', '{"name": "x"}', '{"default_at": "2022-06-18T09"}', "[]"]
)
def test_a_malformed_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "market.json").write_text(text)
    with pytest.raises(BadInput):
        manifest(tmp_path)


def pool_version(path: Path, slot: str) -> Any:
    source: PoolSource = FolderPoolSource(path, SimulatedClock(slot_start_ms(slot)))
    assert source.rung is Rung.FRESH_UPSTREAM
    return source.read()["version"]


def test_the_pool_is_the_newest_document_not_after_today(tmp_path: Path) -> None:
    for name in ("2026-01-01", "2026-02-01", "2026-02-01-core_major", "2026-03-01"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"version": name}))
    (tmp_path / "pool.json").write_text('{"version": "undated"}')
    assert pool_version(tmp_path, "2026-02-28T23Z") == "2026-02-01-core_major"
    assert pool_version(tmp_path, "2026-03-01T00Z") == "2026-03-01"
    with pytest.raises(Unavailable, match="2025-12-31"):
        pool_version(tmp_path, "2025-12-31T23Z")


def test_the_pool_is_pool_json_or_the_document_itself_or_in_pools(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"pool\.json"):
        pool_version(tmp_path, "2026-02-28T23Z")
    (tmp_path / "pool.json").write_text('{"version": "undated"}')
    assert pool_version(tmp_path, "2026-02-28T23Z") == "undated"
    assert pool_version(tmp_path / "pool.json", "2026-02-28T23Z") == "undated"
    (tmp_path / "pools").mkdir()
    (tmp_path / "pools" / "2026-02-01.json").write_text('{"version": "dated"}')
    assert pool_version(tmp_path, "2026-02-28T23Z") == "dated"


@pytest.mark.parametrize(
    "text", ["[]", "", "{", '{"a": NaN}', '{"a": 1e999}', '{"a": 1, "a": 2}', '"x"', "\xff", "[" * 100_000]
)
def test_a_pool_that_is_not_one_json_object_is_a_named_fault(tmp_path: Path, text: str) -> None:
    (tmp_path / "pool.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadPayload, match=r"pool\.json"):
        pool_version(tmp_path, "2026-02-28T23Z")
