"""A sweep's folder: rows read back as they were, one sweep at a time; nothing damaged or foreign is taken for rows."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from runtime.adapters.sweeps.folder import PARTS, SUMMARY, SWEEP, TRIALS
from runtime.domain.trials import STORED, WHOLE, Asked, Outcome, Row
from runtime.errors import BadInput, BadPayload, Unavailable
from tests.support.sources import ROOT
from tests.support.sweeps import FACTS, PARAMETERS, a_folder


def a_row(number: int, refused: str = "") -> Row:
    figures = {} if refused else {**dict.fromkeys(STORED, 0.1 * number), "calmar": None}
    outcome = Outcome(f"{number:064x}", figures, (0.1, -0.25, 1 / 3), "s" * 64, "t" * 64, 1.5)
    named = {name: str(number) for name in PARAMETERS}
    return Row(Asked(WHOLE, 2, number), named, 5, 7, FACTS["history_sha256"], "c", outcome, refused)  # type: ignore[arg-type]


def test_rows_read_back_as_they_were_before_and_after_they_are_gathered(tmp_path: Path) -> None:
    rows = {row.key: row for row in (a_row(2), a_row(1), a_row(3, refused="no"))}
    rows[a_row(3).key] = replace(a_row(3, refused="no"), outcome=Outcome(a_row(3).key, {}))
    folder = a_folder(tmp_path)
    with folder.opened(FACTS):
        for row in rows.values():
            folder.keep(row)
    again = a_folder(tmp_path)
    with again.opened(FACTS):
        assert again.known() == rows
        path = again.compact()
        again.keep_summary({"best": 1})
    assert list((tmp_path / PARTS).iterdir()) == []
    assert json.loads((tmp_path / SUMMARY).read_text()) == {"best": 1}
    last = a_folder(tmp_path)
    with last.opened(FACTS):
        assert last.known() == rows
    table = pq.read_table(path)
    assert table.column("number").to_pylist() == [1, 2, 3]
    assert set(PARAMETERS) | set(STORED) < set(table.column_names)


def test_a_trial_in_the_whole_and_in_a_part_is_one(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    with folder.opened(FACTS):
        folder.keep(a_row(1))
        part = (tmp_path / PARTS / f"{a_row(1).key}.parquet").read_bytes()
        folder.compact()
    (tmp_path / PARTS / f"{a_row(1).key}.parquet").write_bytes(part)
    with (again := a_folder(tmp_path)).opened(FACTS):
        assert list(again.known()) == [a_row(1).key]


@pytest.mark.parametrize("where", ["part", "whole"])
@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text"])
def test_a_damaged_file_is_named_and_never_fewer_trials(tmp_path: Path, where: str, damage: str) -> None:
    folder = a_folder(tmp_path)
    with folder.opened(FACTS):
        folder.keep(a_row(1))
        path = Path(folder.compact()) if where == "whole" else tmp_path / PARTS / f"{a_row(1).key}.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 4] ^= 0xFF
    damaged = {"cut": bytes(data[:-9]), "flip": bytes(data), "empty": b"", "text": b"not parquet"}[damage]
    path.write_bytes(damaged)
    with pytest.raises(BadPayload, match="remove it: its trials are run again") as caught, folder.opened(FACTS):
        pass
    assert path.name in str(caught.value)


def test_no_single_changed_byte_goes_unnoticed_or_unnamed(tmp_path: Path) -> None:
    """Every 37th byte in turn: the rows are the same, or the file is refused by its name."""
    folder = a_folder(tmp_path)
    with folder.opened(FACTS):
        folder.keep(a_row(1))
    path = tmp_path / PARTS / f"{a_row(1).key}.parquet"
    good = path.read_bytes()
    for at in range(0, len(good), 37):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :])
        try:
            with (again := a_folder(tmp_path)).opened(FACTS):
                assert again.known() == {a_row(1).key: a_row(1)}, at
        except BadPayload as error:
            assert path.name in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("name", "fix"),
    [("history_sha256", "put them back"), ("code", "other code"), ("space", "only trials may change")],
)
def test_a_folder_of_another_sweep_is_refused_by_what_differs(tmp_path: Path, name: str, fix: str) -> None:
    with a_folder(tmp_path).opened(FACTS):
        pass
    other: object = {"b": 2} if name == "space" else "f" * 64
    with pytest.raises(BadInput, match=fix) as caught, a_folder(tmp_path).opened({**FACTS, name: other}):
        pass
    assert f"{SWEEP}: {name}" in str(caught.value)
    assert "another --out" in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "3"])
def test_a_damaged_description_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / SWEEP).write_text(text)
    with pytest.raises(BadInput, match=r"sweep\.json"), a_folder(tmp_path).opened(FACTS):
        pass


def test_one_sweep_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    with (
        a_folder(tmp_path).opened(FACTS),
        pytest.raises(Unavailable, match="another sweep is at work"),
        a_folder(tmp_path).opened(FACTS),
    ):
        pass
    with a_folder(tmp_path).opened(FACTS):
        pass


def test_rows_of_other_parameters_are_refused(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    with folder.opened(FACTS):
        folder.keep(a_row(1))
    with pytest.raises(BadPayload, match="not of this sweep"), a_folder(tmp_path, {"A": 1}).opened(FACTS):
        pass


def test_a_disk_that_takes_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="file"), a_folder(tmp_path / "file").opened(FACTS):
        pass
    assert (tmp_path / TRIALS).exists() is False


KEEPING = """
import sys
from pathlib import Path
from runtime.adapters.sweeps.folder import SweepFolder
from tests.adapters.sweeps.test_folder import a_row
from tests.support.sources import ROOT
from tests.support.sweeps import FACTS, PARAMETERS

for _ in range(2):
    folder = SweepFolder(Path(sys.argv[1]), list(PARAMETERS))
    with folder.opened(FACTS):
        folder.keep(a_row(len(folder.known())))
        folder.compact()
assert len(folder.known()) == 2
sys.exit("pandas" in sys.modules)
"""


def test_rows_are_written_and_read_without_pandas(tmp_path: Path) -> None:
    """Arrow imports it of itself in many a place; it takes longer than all else that a sweep does alone."""
    done = subprocess.run([sys.executable, "-c", KEEPING, str(tmp_path)], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0
