"""The cache of parsed files: it saves the parsing, and never serves anything but what the file says now."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.adapters.candles import read_candles
from runtime.adapters.candles.cache import ENTRIES_MAX, ColumnCache
from runtime.domain.candle_columns import CandleSet
from runtime.errors import BadCandles
from tests.support.candle_files import QUERY, public_rows, put, rows, text

OTHER = [line.replace(".25,", ".26,") for line in rows()]
CONTENTS = {
    "ours": text(rows()),
    "other": text(OTHER),
    "public": text(public_rows(), None),
    "broken": text([*rows(0, 50), *rows(49)]),
}


def read(folder: Path, cache: Path | None) -> CandleSet | tuple[str, ...]:
    try:
        return read_candles(folder, QUERY, cache)
    except BadCandles as error:
        return error.problems


@settings(max_examples=25)
@given(steps=st.lists(st.tuples(st.sampled_from(sorted(CONTENTS)), st.booleans(), st.booleans()), max_size=8))
def test_whatever_was_read_before_the_answer_is_that_of_the_file_as_it_is(steps: list[tuple[str, bool, bool]]) -> None:
    """Files change their content, with the same name, size and time of change; entries are damaged in between."""
    with tempfile.TemporaryDirectory() as name:
        folder, cache = Path(name, "candles"), Path(name, "cache")
        for content, compressed, damage in steps:
            for old in folder.glob("1h/*"):
                old.unlink()
            path = put(folder, f"1h/BTCUSDT.csv{'.gz' if compressed else ''}", CONTENTS[content])
            os.utime(path, (1, 1))
            for entry in cache.glob("*") if damage else ():
                data = bytearray(entry.read_bytes())
                data[len(data) // 2] ^= 1
                entry.write_bytes(data)
            assert read(folder, cache) == read(folder, None)


def test_a_second_read_takes_what_the_first_one_kept_and_damaged_entries_count_as_absent(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", rows())
    cache = tmp_path / "cache"
    first = read(tmp_path, cache)
    (entry,) = cache.iterdir()
    kept = entry.read_bytes()
    assert read(tmp_path, cache) == first
    assert entry.read_bytes() == kept
    for damaged in (b"", kept[:40], kept[:-1], kept[:100] + b"\xff" + kept[101:]):
        entry.write_bytes(damaged)
        assert read(tmp_path, cache) == first
        assert entry.read_bytes() == kept, "an entry that could not be used is written anew"


def test_an_entry_that_is_whole_is_what_a_read_is_answered_with(tmp_path: Path) -> None:
    """So the tests above do not pass because nothing is ever found."""
    put(tmp_path, "1h/BTCUSDT.csv", rows())
    read(tmp_path, tmp_path / "cache")
    (entry,) = (tmp_path / "cache").iterdir()
    put(tmp_path / "foreign", "1h/BTCUSDT.csv", OTHER)
    read(tmp_path / "foreign", tmp_path / "other-cache")
    (other,) = (tmp_path / "other-cache").iterdir()
    entry.write_bytes(other.read_bytes())
    found = read_candles(tmp_path, QUERY, tmp_path / "cache")
    assert found.hourly["BTCUSDT"].volume[0] == 3.26


def test_another_content_or_interval_finds_nothing(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", rows())
    columns = read_candles(tmp_path, QUERY).hourly["BTCUSDT"]
    cache = ColumnCache(tmp_path / "cache")
    cache.keep("ab", 2, columns)
    assert cache.find("ab", "BTCUSDT", columns.step_ms) == (2, columns)
    assert cache.find("cd", "BTCUSDT", columns.step_ms) is None
    assert cache.find("ab", "BTCUSDT", columns.step_ms * 24) is None


def test_other_parsing_code_finds_nothing_of_what_this_code_kept(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", rows())
    columns = read_candles(tmp_path, QUERY).hourly["BTCUSDT"]
    code = tmp_path / "rows.py"
    code.write_text("LIMIT = 1\n")
    ColumnCache(tmp_path / "cache", (code,)).keep("ab", 2, columns)
    assert ColumnCache(tmp_path / "cache", (code,)).find("ab", "BTCUSDT", columns.step_ms) == (2, columns)
    code.write_text("LIMIT = 2\n")
    assert ColumnCache(tmp_path / "cache", (code,)).find("ab", "BTCUSDT", columns.step_ms) is None


def test_a_folder_that_cannot_be_written_costs_time_alone(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", rows())
    (tmp_path / "cache").write_text("a file stands in its place")
    assert read(tmp_path, tmp_path / "cache") == read(tmp_path, None)


def test_the_oldest_entries_go_when_there_are_too_many(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", rows())
    columns = read_candles(tmp_path, QUERY).hourly["BTCUSDT"]
    cache = ColumnCache(tmp_path / "cache")
    cache.keep("first", 2, columns)
    for number in range(ENTRIES_MAX):
        (tmp_path / "cache" / f"{number}.columns").touch()
    (oldest,) = (path for path in (tmp_path / "cache").iterdir() if path.stat().st_size)
    os.utime(oldest, (1, 1))
    cache.keep("last", 2, columns)
    assert len(list((tmp_path / "cache").iterdir())) == ENTRIES_MAX
    assert cache.find("first", "BTCUSDT", columns.step_ms) is None
    assert cache.find("last", "BTCUSDT", columns.step_ms) == (2, columns)
