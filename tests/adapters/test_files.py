"""Files: what is wrong with one is said in one error; what is written is whole, and never written over."""

from __future__ import annotations

import gzip
import json
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters import files
from runtime.adapters.files import (
    NUMBERS_MAX,
    POOL_BYTES_MAX,
    FilePoolSource,
    FolderReportSink,
    NullReportSink,
    canonical_json,
    pack_tape,
    read_tape,
)
from runtime.domain.ladder import Reading, climb
from runtime.domain.pool import Rung
from runtime.errors import BadInput, BadPayload, Unavailable
from runtime.ports import PoolSource, ReportSink
from tests.support.pools import SETTINGS, SLOT, SYMBOLS, TODAY, bases, payload, release


def source(path: Path) -> PoolSource:
    return FilePoolSource(Rung.LOCAL_FILE, path)


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "pool.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow beyond ten bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# --- pools ----------------------------------------------------------------------------------------------------------


def test_a_pool_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    read = source(written(tmp_path, json.dumps(payload(odd={"a": [1.5, None]}))))
    assert (read.rung, read.where) == (Rung.LOCAL_FILE, str(tmp_path / "pool.json"))
    assert read.read() == payload(odd={"a": [1.5, None]})


def test_the_legacy_mapping_in_a_file_keeps_its_order(tmp_path: Path) -> None:
    document = source(written(tmp_path, json.dumps(payload(symbols=bases(SYMBOLS))))).read()
    assert climb([Reading(Rung.LOCAL_FILE, "x", document)], None, SETTINGS, SLOT).symbols == SYMBOLS


def test_a_byte_order_mark_does_not_hide_a_pool(tmp_path: Path) -> None:
    assert source(written(tmp_path, b"\xef\xbb\xbf" + json.dumps(payload()).encode())).read() == payload()


def test_a_link_to_a_file_is_the_file(tmp_path: Path) -> None:
    written(tmp_path, json.dumps(payload()))
    (tmp_path / "link.json").symlink_to("pool.json")
    assert source(tmp_path / "link.json").read() == payload()


def test_what_is_no_file_is_unavailable_and_never_waits(tmp_path: Path) -> None:
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    written(tmp_path, "{}")
    for name, why in {
        "missing.json": "No such file",
        "broken": "No such file",
        "loop": "symbolic links",
        "pipe": "is not a file",
        ".": "is not a file",
        "pool.json/below": "Not a directory",
        "nu\0ll": "null",
    }.items():
        with pytest.raises(Unavailable, match=why):
            source(tmp_path / name).read()


def test_reading_a_folder_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = len([*Path("/dev/fd").iterdir()])
    for _ in range(5):
        with pytest.raises(Unavailable):
            source(tmp_path).read()
    assert len([*Path("/dev/fd").iterdir()]) == before


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "pool.json line 1 column 1: '' – must be JSON: Expecting value"),
        ('{"a": 1,\n "b": }', "pool.json line 2 column 7: '\"b\": }' – must be JSON: Expecting value"),
        ("{} {}", "line 1 column 4: '{} {}' – must be JSON: Extra data"),
        ("[1]", "pool.json: 'a list' – must be one JSON object"),
        ("null", "'a NoneType' – must be one JSON object"),
        ('{"a": NaN}', "NaN is not a finite number"),
        ('{"a": 1e999}', "1e999 is not a finite number"),
        ('{"a": 1, "b": {"x": 0, "c": 1, "c": 2}}', "'c' is given twice"),
        ('{"a": "\\ud800"}', "must be one JSON object in UTF-8"),
        (b'{"a": "\xff"}', "must be one JSON object in UTF-8"),
        ('{"a": ' + "1" * 5000 + "}", "must be one JSON object in UTF-8"),
        ("[" * 200_000, "must be one JSON object in UTF-8"),
        ("{" + " " * POOL_BYTES_MAX + "}", f"'more than {POOL_BYTES_MAX} bytes' – is too big"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_file_that_is_no_pool_is_refused_by_its_fault(tmp_path: Path, content: str | bytes, text: str) -> None:
    with pytest.raises(BadPayload) as caught:
        source(written(tmp_path, content)).read()
    assert str(tmp_path / "pool.json") in str(caught.value)
    assert text in str(caught.value)


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    assert source(written(tmp_path, "{" + " " * (POOL_BYTES_MAX - 2) + "}")).read() == {}


def test_a_source_with_a_name_is_called_by_it_in_every_error(tmp_path: Path) -> None:
    """So that reports read alike on every machine; without a name the path has to do."""
    named = FilePoolSource(Rung.LOCAL_FILE, tmp_path / "pool.json", "the repository's artifact")
    assert (named.where, source(tmp_path / "x").where) == ("the repository's artifact", str(tmp_path / "x"))
    for content in (None, "[]", "{", "{" + " " * POOL_BYTES_MAX + "}"):
        if content is not None:
            written(tmp_path, content)
        with pytest.raises((Unavailable, BadPayload), match=r"^the repository's artifact") as caught:
            named.read()
        assert str(tmp_path) not in str(caught.value)


@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:01eE.-\\u \n', max_size=40).map(str.encode))
def test_any_bytes_are_an_object_or_a_bad_payload(content: bytes) -> None:
    try:
        found = files._json_object(content, "x")
    except BadPayload:
        return
    assert isinstance(found, dict)


# --- reports --------------------------------------------------------------------------------------------------------

REPORT: dict[str, Any] = {"slot": SLOT, "b": {"z": "1.5", "a": None}, "a": ["é", "币", 1, 0.5, True]}


def test_a_report_is_one_canonical_document_and_its_text(tmp_path: Path) -> None:
    where = FolderReportSink(tmp_path).write_report(SLOT, REPORT, "all quiet: 币安\n")
    assert where == str(tmp_path / "reports" / "2026-11-21T09Z.json")
    text = '{"a":["é","币",1,0.5,true],"b":{"a":null,"z":"1.5"},"slot":"2026-11-21T09Z"}\n'
    assert Path(where).read_bytes() == text.encode()
    assert Path(where).with_suffix(".txt").read_bytes() == "all quiet: 币安\n".encode()


def test_a_second_report_of_an_hour_stands_beside_the_first(tmp_path: Path) -> None:
    sink = FolderReportSink(tmp_path)
    names = [Path(sink.write_report(SLOT, {"run": run}, f"run {run}")).name for run in (1, 2, 3)]
    assert names == ["2026-11-21T09Z.json", "2026-11-21T09Z-2.json", "2026-11-21T09Z-3.json"]
    for run, name in enumerate(names, 1):
        path = tmp_path / "reports" / name
        assert json.loads(path.read_bytes()) == {"run": run}
        assert path.with_suffix(".txt").read_bytes() == f"run {run}".encode()


def test_nothing_is_left_beside_what_was_written(tmp_path: Path) -> None:
    sink = FolderReportSink(tmp_path)
    sink.write_report(SLOT, REPORT, "")
    sink.write_tape(SLOT, ["{}"])
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert found == [f"reports/{SLOT}.json", f"reports/{SLOT}.txt", f"tapes/{SLOT}.jsonl.gz"]


@pytest.mark.parametrize("taken", [f"{SLOT}.json", f"{SLOT}.txt", f".{SLOT}.tmp"])
def test_a_name_that_is_taken_even_in_part_is_left_alone(tmp_path: Path, taken: str) -> None:
    """A run that was killed while it wrote leaves a part, or the reservation of its name."""
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / taken).write_bytes(b"evidence")
    where = FolderReportSink(tmp_path).write_report(SLOT, REPORT, "")
    assert Path(where).name == f"{SLOT}-2.json"
    assert (tmp_path / "reports" / taken).read_bytes() == b"evidence"


def test_a_full_disk_is_an_error_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    sink = FolderReportSink(tmp_path)
    with full_disk(), pytest.raises(Unavailable, match=r"report folder: .*: File too large"):
        sink.write_report(SLOT, REPORT, "short")
    with full_disk(), pytest.raises(Unavailable, match="report folder"):
        sink.write_tape(SLOT, ["x" * 1000])
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {f"{SLOT}.txt"}
    assert Path(sink.write_report(SLOT, REPORT, "")).name == f"{SLOT}-2.json"


def test_the_main_file_is_the_last_to_appear(tmp_path: Path) -> None:
    """Who finds the document finds its text too."""
    with full_disk(), pytest.raises(Unavailable):
        FolderReportSink(tmp_path).write_report(SLOT, REPORT, "short")
    assert (tmp_path / "reports" / f"{SLOT}.txt").read_bytes() == b"short"
    assert not (tmp_path / "reports" / f"{SLOT}.json").exists()


def test_what_is_written_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut leaves the whole file or none: contents first, then the name, then the folder that holds the name."""
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def flushed(descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("folder" if folder else f"{os.fstat(descriptor).st_size} bytes")
        fsync(descriptor)

    def named(path: Path, target: Path) -> Path:
        steps.append(target.suffix)
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "rename", named)
    FolderReportSink(tmp_path).write_report(SLOT, {"a": 1}, "text")
    assert steps == ["4 bytes", ".txt", "8 bytes", ".json", "folder"]


def test_writing_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = len([*Path("/dev/fd").iterdir()])
    for _ in range(5):
        FolderReportSink(tmp_path).write_report(SLOT, REPORT, "")
    assert len([*Path("/dev/fd").iterdir()]) == before


def test_an_hour_has_only_so_many_reports(tmp_path: Path) -> None:
    sink = FolderReportSink(tmp_path / "new" / "deep")
    folder = Path(sink.write_report(SLOT, REPORT, "")).parent
    for number in range(2, NUMBERS_MAX):
        (folder / f"{SLOT}-{number}.json").touch()
    assert Path(sink.write_report(SLOT, REPORT, "")).stem == f"{SLOT}-{NUMBERS_MAX}"
    with pytest.raises(Unavailable, match=f"report folder: .*: {NUMBERS_MAX} reports of {SLOT} exist already"):
        sink.write_report(SLOT, REPORT, "")


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "reports").write_bytes(b"")
    with pytest.raises(Unavailable, match="report folder"):
        FolderReportSink(tmp_path).write_report(SLOT, REPORT, "")
    with pytest.raises(Unavailable, match="report folder"):
        FolderReportSink(tmp_path / "reports").write_tape(SLOT, [])


@pytest.mark.parametrize("slot", ["../2026-11-21T09Z", "", "2026-11-21T25Z", "x"])
def test_only_a_slot_names_a_file(tmp_path: Path, slot: str) -> None:
    with pytest.raises(BadInput, match="slot"):
        FolderReportSink(tmp_path).write_report(slot, REPORT, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object()])
def test_a_report_that_is_no_json_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(BadInput, match="must hold JSON values with finite numbers only"):
        FolderReportSink(tmp_path).write_report(SLOT, {"a": value}, "")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_a_canonical_document_reads_back_and_does_not_depend_on_the_order_of_its_keys(document: dict[str, Any]) -> None:
    written_once = canonical_json(document)
    assert json.loads(written_once) == document
    assert canonical_json(dict(reversed(document.items()))) == written_once
    assert written_once.endswith(b"\n")


def test_half_a_character_does_not_lose_a_report() -> None:
    assert json.loads(canonical_json({"a": "\ud800"})) == {"a": "\ud800"}


# --- tapes ----------------------------------------------------------------------------------------------------------

LINES = ['{"a":1}', "", '{"text":"\u2028 币 \x85 \\n"}', "last"]


def test_reports_and_tapes_are_for_their_owner_only(tmp_path: Path) -> None:
    sink = FolderReportSink(tmp_path)
    sink.write_report(SLOT, {"slot": SLOT}, "a report")
    sink.write_tape(SLOT, ["{}"])
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()}
    assert modes == {0o600}


def test_a_tape_reads_back_line_by_line(tmp_path: Path) -> None:
    where = FolderReportSink(tmp_path).write_tape(SLOT, LINES)
    assert where == str(tmp_path / "tapes" / "2026-11-21T09Z.jsonl.gz")
    assert read_tape(Path(where)) == LINES


def test_a_second_tape_of_an_hour_stands_beside_the_first(tmp_path: Path) -> None:
    sink = FolderReportSink(tmp_path)
    first, second = (Path(sink.write_tape(SLOT, [line])) for line in ("one", "two"))
    assert (first.name, second.name) == ("2026-11-21T09Z.jsonl.gz", "2026-11-21T09Z-2.jsonl.gz")
    assert (read_tape(first), read_tape(second)) == (["one"], ["two"])


def test_the_same_lines_give_the_same_bytes_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack_tape(LINES)
    monkeypatch.setattr("time.time", lambda: 1.0e9)
    assert pack_tape(LINES) == packed
    assert packed[4:8] == bytes(4), "the time in the header"


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\n", exclude_categories=["Cs"]))))
def test_any_lines_survive_the_tape(lines: list[str]) -> None:
    assert gzip.decompress(pack_tape(lines)).decode() == "".join(line + "\n" for line in lines)


def test_a_line_that_would_become_two_is_refused() -> None:
    with pytest.raises(BadInput, match="tape line 2: 'b\\\\nc' – must not hold a line break"):
        pack_tape(["a", "b\nc"])


@pytest.mark.parametrize("lines", [[], [""], ["", ""], ["a"], ["a", ""]])
def test_empty_lines_are_lines_too(tmp_path: Path, lines: list[str]) -> None:
    assert read_tape(Path(FolderReportSink(tmp_path).write_tape(SLOT, lines))) == lines


def test_an_unpacked_tape_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    path.write_bytes("".join(line + "\n" for line in LINES).encode())
    assert read_tape(path) == LINES


@pytest.mark.parametrize("damage", ["cut", "flipped", "longer", "no text"])
def test_a_damaged_tape_is_refused(tmp_path: Path, damage: str) -> None:
    packed = bytearray(pack_tape(LINES))
    path = tmp_path / "tape.gz"
    if damage == "flipped":
        packed[len(packed) // 2] ^= 0xFF
    damaged: dict[str, bytes | bytearray] = {
        "cut": packed[:-3],
        "longer": packed + b"x",
        "no text": b"\xff\xfe",
        "flipped": packed,
    }
    path.write_bytes(damaged[damage])
    with pytest.raises(BadPayload, match="must be a whole tape as written"):
        read_tape(path)


def test_a_tape_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tape.gz"
    path.write_bytes(pack_tape(["x" * 1000]))
    with pytest.raises(BadPayload, match="is too big for a tape"):
        read_tape(path, bytes_max=1000)
    assert read_tape(path, bytes_max=1001) == ["x" * 1000]


def test_a_tape_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file"):
        read_tape(tmp_path / "none.gz")


def test_the_sink_that_keeps_nothing_says_so() -> None:
    sink: ReportSink = NullReportSink()
    assert (sink.write_report(SLOT, REPORT, "x"), sink.write_tape(SLOT, LINES)) == ("", "")


def test_a_file_rung_goes_through_the_ladder(tmp_path: Path) -> None:
    """From bytes to the pool: a stale file is passed over, the next one is taken."""
    stale, good = tmp_path / "a.json", tmp_path / "b.json"
    stale.write_text(json.dumps(release(TODAY - timedelta(days=46))))
    good.write_text(json.dumps(payload()))
    readings = (Reading(Rung.LOCAL_FILE, str(path), source(path).read()) for path in (stale, good))
    resolution = climb(readings, None, SETTINGS, SLOT)
    assert (resolution.rung, resolution.where, resolution.symbols) == (Rung.LOCAL_FILE, str(good), SYMBOLS)
