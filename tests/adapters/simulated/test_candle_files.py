"""Candle files: found quickly, read exactly, and refused with file, row and column."""

from __future__ import annotations

import gzip
import tempfile
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters.simulated.candle_files import COLUMNS, CandleFile
from runtime.domain.slots import HOUR_MS
from runtime.errors import BadPayload, Unavailable
from tests.support.folders import HEADER, row, write_candles

T0 = 1_700_000_000_000 // HOUR_MS * HOUR_MS
GOOD = [row(T0 + hour * HOUR_MS, "10.10 12 9.5 11", "3.25", "33") for hour in range(6)]


def file_of(folder: Path, rows: list[str]) -> CandleFile:
    return CandleFile(write_candles(folder, "1h", "AUSDT", rows), HOUR_MS)


def read_all(file: CandleFile) -> None:
    for index, _ in enumerate(file.candles(0, len(file))):
        file.price(index, "open")
        file.price(index, "close")


def fault_of(file: CandleFile) -> str | None:
    """The text of the fault that reading everything meets, None if it is read."""
    try:
        read_all(file)
    except BadPayload as fault:
        return str(fault)
    return None


def test_a_row_becomes_a_candle_and_its_price_keeps_every_digit(tmp_path: Path) -> None:
    file = file_of(tmp_path, [row(T0, "0.10000000000000000001 12 0.01 11", "3.25")])
    candle = file.candle(0)
    assert (candle.open_time_ms, candle.high, candle.low, candle.close, candle.volume) == (T0, 12.0, 0.01, 11.0, 3.25)
    assert candle.quote_volume is None, "an empty quote volume is unknown, not 0"
    assert file.price(0, "open") == Decimal("0.10000000000000000001")


@given(hours=st.sets(st.integers(0, 200), max_size=40), now=st.integers(-HOUR_MS, 220 * HOUR_MS))
def test_a_row_is_found_by_time_as_a_plain_search_finds_it(hours: set[int], now: int) -> None:
    opens = [T0 + hour * HOUR_MS for hour in sorted(hours)]
    with tempfile.TemporaryDirectory() as folder:
        file = file_of(Path(folder), [row(ms, "1") for ms in opens])
        moment = T0 + now
        assert file.index_at(moment) == sum(ms < moment for ms in opens)
        assert file.closed_at(moment) == sum(ms + HOUR_MS - 1 < moment for ms in opens)
        assert [file.open_ms(index) for index in range(len(file))] == opens


def test_windows_line_ends_and_a_missing_last_one_are_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "AUSDT.csv.gz"
    path.write_bytes(gzip.compress("\r\n".join([HEADER, *GOOD]).encode()))
    assert len(CandleFile(path, HOUR_MS).candles(0, 99)) == len(GOOD)


@pytest.mark.parametrize(
    ("wrong", "place", "fix"),
    [
        (row(T0 + 2 * HOUR_MS, "10 x1 9 10"), "row 4 high: 'x1'", "plain number"),
        (row(T0 + 2 * HOUR_MS, "10 nan 9 10"), "row 4 high: 'nan'", "plain number"),
        (row(T0 + 2 * HOUR_MS, "10 11 -9 10"), "row 4 low: '-9'", "plain number"),
        (row(T0 + 2 * HOUR_MS, "10 11 9 1_0"), "row 4 close: '1_0'", "plain number"),
        (row(T0 + 2 * HOUR_MS, "0.0"), "row 4 open: '0.0'", "above 0"),
        (row(T0 + 2 * HOUR_MS, "1", ""), "row 4 volume: ''", "plain number"),
        (row(T0 + 2 * HOUR_MS + 1, "1"), "row 4 open_time_ms", "multiple of"),
        (f"{T0 + 2 * HOUR_MS},1,1,1,1,1", "row 4", "8 columns"),
        (row(T0 + HOUR_MS, "1"), "row 4 open_time_ms", "later than the row before it"),
        (row(T0, "1"), "row 4 open_time_ms", "later than the row before it"),
        ("", "row 4 open_time_ms: ''", "13 digits"),
        (row(T0 // 1000, "1"), "row 4 open_time_ms", "13 digits"),
        ("17000000x0000,1,1,1,1,1,,", "row", "13 digits"),
    ],
)
def test_a_bad_row_is_named_with_file_row_column_and_fix(tmp_path: Path, wrong: str, place: str, fix: str) -> None:
    file = file_of(tmp_path, [*GOOD[:2], wrong, *GOOD[3:]])
    with pytest.raises(BadPayload) as caught:
        read_all(file)
    assert str(file.path) in str(caught.value)
    assert place in str(caught.value)
    assert fix in caught.value.fix


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "AUSDT.csv.gz"
    path.write_bytes(gzip.compress(HEADER.replace("volume,", "", 1).encode() + b"\n"))
    with pytest.raises(BadPayload, match=r"row 1.*lacks volume"):
        len(CandleFile(path, HOUR_MS))


def test_an_empty_file_lacks_its_header(tmp_path: Path) -> None:
    path = tmp_path / "AUSDT.csv.gz"
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(BadPayload, match="row 1"):
        len(CandleFile(path, HOUR_MS))


def test_a_file_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="AUSDT"):
        len(CandleFile(tmp_path / "AUSDT.csv.gz", HOUR_MS))


@given(keep=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused_by_name(keep: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = file_of(Path(folder), GOOD)
        whole = file.path.read_bytes()
        file.path.write_bytes(whole[: int(keep * len(whole))])
        with pytest.raises(BadPayload) as caught:
            read_all(file)
        assert str(file.path) in str(caught.value)


@given(cut=st.integers(0, 400), junk=st.binary(max_size=30), removed=st.integers(0, 30))
def test_any_damage_is_either_harmless_or_a_named_fault(cut: int, junk: bytes, removed: int) -> None:
    text = "\n".join([HEADER, *GOOD]).encode()
    damaged = text[:cut] + junk + text[cut + removed :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "AUSDT.csv.gz"
        path.write_bytes(gzip.compress(damaged))
        assert str(path) in (fault_of(CandleFile(path, HOUR_MS)) or str(path))


@given(data=st.binary(max_size=60))
def test_bytes_that_are_no_gzip_file_are_a_named_fault(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "AUSDT.csv.gz"
        path.write_bytes(b"\x1f\x8b" + data)
        with pytest.raises(BadPayload, match="AUSDT"):
            len(CandleFile(path, HOUR_MS))


@given(
    column=st.integers(0, len(COLUMNS) - 1),
    text=st.text(st.characters(blacklist_characters="\r\n,", max_codepoint=0x17F), max_size=12),
)
def test_a_cell_that_is_not_its_number_is_refused(column: int, text: str) -> None:
    cells = GOOD[2].split(",")
    cells[column] = text
    with tempfile.TemporaryDirectory() as folder:
        file = file_of(Path(folder), [*GOOD[:2], ",".join(cells), *GOOD[3:]])
        fault = fault_of(file)
        assert str(file.path) in (fault or str(file.path))
        if fault is None:
            assert text.isascii()
            assert not text or float(text) >= 0
