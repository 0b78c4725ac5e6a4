"""Candle folders: every layout gives the same columns; what is missing or wrong is named, all of it at once."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from runtime.adapters.candles import read_candles
from runtime.domain.candle_columns import CandleSet
from runtime.domain.slots import DAY_MS, HOUR_MS
from runtime.errors import BadCandles, BadInput
from tests.support.candle_files import DAYS, QUERY, T0, cells, day_rows, public_rows, put, rows, text
from tests.support.folders import HEADER
from tests.support.klines import FOLDER as REAL
from tests.support.klines import real_candles


def problems(folder: Path, **changes: object) -> list[str]:
    """What is wrong with a folder, without the folder's name."""
    with pytest.raises(BadCandles) as caught:
        read_candles(folder, replace(QUERY, **changes))  # type: ignore[arg-type]
    return [problem.replace(f"{folder}/", "").replace(str(folder), "FOLDER") for problem in caught.value.problems]


def notes(folder: Path, **changes: object) -> tuple[str, ...]:
    return read_candles(folder, replace(QUERY, **changes)).notes  # type: ignore[arg-type]


def values(candles: CandleSet) -> object:
    return [
        (symbol, columns.candles(0, 9999), columns.exact_open.texts(0, 9999), columns.exact_close.texts(0, 9999))
        for of in (candles.hourly, candles.daily)
        for symbol, columns in of.items()
    ]


def test_hours_become_columns_and_days_and_prices_keep_every_digit(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv.gz", rows())
    candles = read_candles(tmp_path, QUERY)
    hourly, daily = candles.hourly["BTCUSDT"], candles.daily["BTCUSDT"]
    assert (len(hourly), len(daily), candles.notes) == (DAYS * 24, DAYS, ())
    assert hourly.exact_open.texts(1, 2) == ["101.10"]
    assert hourly.exact_close.between(1, 2) == [Decimal("102.5")]
    assert [getattr(hourly.candle(3), name) for name in ("open_time_ms", "low", "volume", "quote_volume")] == [
        T0 + 3 * HOUR_MS,
        102.005,
        6.25,
        903.0,
    ]
    assert daily.candle(1).high == 102.0 + 47


HEAD = HEADER + "\r\n"
PUBLIC_BOTH = text([*public_rows(0, 50), *public_rows(50, 120, unit=1000)], None)


@pytest.mark.parametrize(
    "files",
    [
        {"1h/BTCUSDT.csv": text(rows())},
        {"BTCUSDT.csv.gz": text(rows())},
        {"BTCUSDT.csv": text(rows())},
        {"1h/BTCUSDT.csv.gz": text(rows()), "1d/BTCUSDT.csv": text(day_rows())},
        {"1h/BTCUSDT.csv.gz": text(rows()).replace(b"\n", b"\r\n")},
        {"1h/BTCUSDT.csv": text(public_rows(), None)},
        {"1h/BTCUSDT.csv.gz": text(public_rows(unit=1000), None)},
        {"1h/BTCUSDT.csv": PUBLIC_BOTH},
    ],
    ids=["plain", "flat", "flat-plain", "with-days", "crlf", "public", "public-us", "public-both-units"],
)
def test_every_layout_and_shape_gives_the_same_columns(tmp_path: Path, files: dict[str, bytes]) -> None:
    put(tmp_path / "plain", "1h/BTCUSDT.csv.gz", rows())
    for name, data in files.items():
        put(tmp_path / "other", name, data)
    first, other = read_candles(tmp_path / "plain", QUERY), read_candles(tmp_path / "other", QUERY)
    assert values(first) == values(other)


def test_the_fingerprint_follows_content_symbol_and_interval_and_nothing_else(tmp_path: Path) -> None:
    def fingerprint(name: str, **files: list[str]) -> str:
        for symbol, lines in files.items():
            put(tmp_path / name, f"1h/{symbol}.csv.gz", lines)
        return read_candles(tmp_path / name, QUERY).fingerprint

    other = [line.replace(",100.10,", ",100.11,") for line in rows()]
    known = fingerprint("first", BTCUSDT=rows(), ETHUSDT=other, SOLUSDT=rows())
    assert known == fingerprint("second", BTCUSDT=rows(), ETHUSDT=other, SOLUSDT=rows())
    assert known != fingerprint("third", BTCUSDT=rows(), ETHUSDT=rows(), SOLUSDT=other)
    assert fingerprint("fourth", BTCUSDT=rows(), ETHUSDT=other) != fingerprint("fifth", BTCUSDT=rows(), SOLUSDT=other)


def test_gzip_files_that_were_joined_are_read_to_the_end(tmp_path: Path) -> None:
    first = put(tmp_path, "a/BTCUSDT.csv.gz", rows(0, 30)).read_bytes()
    rest = put(tmp_path, "b/BTCUSDT.csv.gz", rows(30), header=None).read_bytes()
    (tmp_path / "1h").mkdir()
    (tmp_path / "1h/BTCUSDT.csv.gz").write_bytes(first + rest)
    assert len(read_candles(tmp_path, QUERY).hourly["BTCUSDT"]) == DAYS * 24


def test_a_run_sees_warm_up_and_range_and_nothing_at_or_after_the_end(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv.gz", rows())
    put(tmp_path, "1d/BTCUSDT.csv.gz", day_rows())
    part = replace(QUERY, start_ms=T0 + 2 * DAY_MS, end_ms=T0 + 3 * DAY_MS + HOUR_MS, warmup_days=1)
    candles = read_candles(tmp_path, part)
    hourly, daily = candles.hourly["BTCUSDT"], candles.daily["BTCUSDT"]
    assert (hourly.opens_ms[0], hourly.opens_ms[-1]) == (T0 + DAY_MS, T0 + 3 * DAY_MS)
    assert list(daily.opens_ms) == [T0 + DAY_MS, T0 + 2 * DAY_MS], "the third day is still open at the end"


def test_symbols_that_were_not_asked_for_are_not_even_read(tmp_path: Path) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT"):
        put(tmp_path, f"1h/{symbol}.csv.gz", rows())
    put(tmp_path, "1h/SOLUSDT.csv.gz", b"broken")
    assert set(read_candles(tmp_path, replace(QUERY, symbols=("ETHUSDT",))).hourly) == {"BTCUSDT", "ETHUSDT"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, ["candle folder: 'FOLDER' – must hold hours, as 1h/<SYMBOL>.csv.gz or as <SYMBOL>.csv.gz"]),
        (
            {"1d/BTCUSDT.csv": day_rows()},
            ["candle folder: 'FOLDER' – must hold hours, as 1h/<SYMBOL>.csv.gz or as <SYMBOL>.csv.gz"],
        ),
        (
            {"1h/BTCUSDT.csv": rows(), "ETHUSDT.csv": rows()},
            ["candle folder: 'FOLDER' – holds candle files beside 1h/; move them into 1h/"],
        ),
        (
            {"1h/BTCUSDT.csv": rows(), "1h/BTCUSDT.csv.gz": rows()},
            ["1h/BTCUSDT.csv.gz: 'BTCUSDT' – is there twice: keep this file or BTCUSDT.csv"],
        ),
        (
            {"1h/BTCUSDT.csv": rows(), "1h/ethusdt.csv": rows()},
            ["1h/ethusdt.csv: 'ethusdt' – must be named after an upper-case USDT pair, such as BTCUSDT.csv.gz"],
        ),
        (
            {"1h/ETHUSDT.csv": rows()},
            ["1h/BTCUSDT.csv.gz: 'missing' – must hold the hours of BTCUSDT; bitcoin's candles are always needed"],
        ),
    ],
    ids=["empty", "days-alone", "both-layouts", "twice", "lower-case", "no-bitcoin"],
)
def test_an_unclear_folder_is_refused(tmp_path: Path, files: dict[str, list[str]], expected: list[str]) -> None:
    for name, lines in files.items():
        put(tmp_path, name, lines)
    assert problems(tmp_path) == expected


def test_a_missing_folder_and_a_missing_symbol_are_named(tmp_path: Path) -> None:
    assert problems(tmp_path / "none") == ["candle folder: 'FOLDER' – must be a folder that exists"]
    put(tmp_path, "1h/BTCUSDT.csv", rows())
    assert problems(tmp_path, symbols=("SOLUSDT",)) == [
        "1h/SOLUSDT.csv.gz: 'missing' – must hold the hours of SOLUSDT; download them, or leave the symbol out"
    ]


@pytest.mark.parametrize(("start", "end", "text"), [(1, HOUR_MS, "full hour"), (HOUR_MS, HOUR_MS, "earlier than")])
def test_a_range_without_hours_is_refused_before_anything_is_read(start: int, end: int, text: str) -> None:
    with pytest.raises(BadInput, match=text):
        read_candles(Path("/nowhere"), replace(QUERY, start_ms=T0 + start, end_ms=T0 + end))


def changed(at: int, column: int, value: str) -> list[str]:
    """The rows with one cell changed."""
    row = cells(at)
    row[column] = value
    return [*rows(0, at), ",".join(row), *rows(at + 1)]


ROW = "1h/BTCUSDT.csv.gz row 12"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (changed(10, 1, "abc"), f"{ROW} open: 'abc' – must be a number such as 0.0123"),
        (changed(10, 1, ""), f"{ROW} open: '' – must be a number such as 0.0123"),
        (changed(10, 2, "nan"), f"{ROW} high: 'nan' – must be a number such as 0.0123"),
        (changed(10, 2, "1_000"), f"{ROW} high: '1_000' – must be a number such as 0.0123"),
        (changed(10, 3, "0"), f"{ROW} low: '0' – must be a price above 0 (1e-30 to 1e+30)"),
        (changed(10, 3, "-5"), f"{ROW} low: '-5' – must be a price above 0 (1e-30 to 1e+30)"),
        (changed(10, 2, "1e999"), f"{ROW} high: '1e999' – must be a price above 0 (1e-30 to 1e+30)"),
        (changed(10, 3, "113"), f"{ROW} low: '113' – must not be above the high, 112"),
        (changed(10, 4, "112.01"), f"{ROW} close: '112.01' – must lie between low 109.005 and high 112"),
        (changed(10, 1, "109"), f"{ROW} open: '109' – must lie between low 109.005 and high 112"),
        (changed(10, 5, "-1"), f"{ROW} volume: '-1' – must be finite and not negative"),
        (changed(10, 6, "-1"), f"{ROW} quote_volume: '-1' – must be finite and not negative"),
        (changed(10, 7, "x"), f"{ROW} trades: 'x' – must be a number such as 0.0123"),
        (changed(10, 7, "-3"), f"{ROW} trades: '-3' – must be finite and not negative"),
        (changed(10, 0, "160949520000"), f"{ROW} open_time_ms: '160949520000' – must be 13 digits, epoch milliseconds"),
        (
            changed(119, 0, "9123456789012345678"),
            "1h/BTCUSDT.csv.gz row 121 open_time_ms: '9123456789012345678' – must be 13 digits, epoch milliseconds",
        ),
        (changed(10, 0, ""), f"{ROW} open_time_ms: '' – must be 13 digits, epoch milliseconds"),
        (
            changed(10, 0, "1609495200001"),
            f"{ROW} open_time_ms: '1609495200001' – must be a multiple of 3600000 ms: is it of another interval?",
        ),
        (
            [*rows(0, 11), *rows(10)],
            "1h/BTCUSDT.csv.gz row 13 open_time_ms: '1609495200000' – repeats the row before it; keep one of them",
        ),
        (
            [*rows(0, 10), *rows(11, 12), *rows(10, 11), *rows(12)],
            (
                "1h/BTCUSDT.csv.gz row 13 open_time_ms: '1609495200000' – must be later than the rows before it "
                "(1609498800000); sort the file"
            ),
        ),
    ],
)
def test_a_wrong_row_is_named_with_column_value_and_fix(tmp_path: Path, lines: list[str], expected: str) -> None:
    put(tmp_path, "1h/BTCUSDT.csv.gz", lines)
    assert problems(tmp_path) == [expected]


FIRST, SECOND = (",".join(cells(at)).encode() for at in range(2))
LACKS = "high, low, close, volume, quote_volume, trades; must be HEADER"
CUT = "is the last line and does not end: the file was cut; write it again, with a line break at its end"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", f"row 1: '' – lacks open_time_ms, open, {LACKS}"),
        (b"time,open\n1,2\n", f"row 1: 'time,open' – lacks open_time_ms, {LACKS}"),
        (FIRST + b"\n", f"row 1: '{FIRST.decode()}' – has no header: put HEADER before it"),
        (HEAD.encode(), ": 'no rows' – must hold candles below its header"),
        (HEAD.encode() + b"1,2,3\n", "row 2: '1,2,3' – has 3 columns, must have 8: HEADER"),
        (HEAD.encode() + FIRST + b"\n\n" + SECOND + b"\n", "row 3: '' – has 1 columns, must have 8: HEADER"),
        (HEAD.encode() + FIRST + b"\n" + SECOND[:-1], f"row 3: '{SECOND.decode()[:-1]}' – {CUT}"),
    ],
    ids=["empty", "other-header", "no-header", "header-alone", "few-columns", "empty-line", "cut"],
)
def test_a_file_of_another_shape_is_named(tmp_path: Path, data: bytes, expected: str) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", data)
    assert [text.replace(HEAD.strip(), "HEADER") for text in problems(tmp_path)] == [
        f"1h/BTCUSDT.csv{'' if expected.startswith(':') else ' '}{expected}"
    ]


def test_a_damaged_or_wrongly_named_gzip_file_is_named(tmp_path: Path) -> None:
    whole = put(tmp_path, "1h/BTCUSDT.csv.gz", rows()).read_bytes()
    for data, fix in (
        (whole[:-9], "is not a whole gzip file; write it again"),
        (whole[:-8] + bytes(8), "is not a whole gzip file; write it again"),
        (whole + b"more", "is not a whole gzip file; write it again"),
        (b"open_time_ms", "is not a gzip file; compress it, or name it .csv"),
    ):
        (tmp_path / "1h/BTCUSDT.csv.gz").write_bytes(data)
        (problem,) = problems(tmp_path)
        assert problem.startswith("1h/BTCUSDT.csv.gz: "), problem
        assert problem.endswith(fix), problem


def test_a_file_that_unpacks_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv.gz", bytes(70_000_000))
    assert problems(tmp_path) == ["1h/BTCUSDT.csv.gz: 'its text' – must have 67108864 bytes at most"]


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "1h/BTCUSDT.csv").mkdir(parents=True)
    assert problems(tmp_path) == ["1h/BTCUSDT.csv: 'no regular file' – must be a file of candles"]


def test_all_problems_of_a_folder_are_told_at_once_and_their_number_is_bounded(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", changed(3, 1, "x"))
    put(tmp_path, "1h/ETHUSDT.csv", [line.replace(".5,", ".5x,") for line in rows()])
    put(tmp_path, "1d/ETHUSDT.csv", b"nothing")
    found = problems(tmp_path)
    assert [text.split(":")[0] for text in found] == [
        "1h/BTCUSDT.csv row 5 open",
        *[f"1h/ETHUSDT.csv row {row} close" for row in range(2, 7)],
        "1h/ETHUSDT.csv",
        "1d/ETHUSDT.csv row 1",
    ]
    assert found[6].endswith("115 more such rows")
    for number in range(30):
        put(tmp_path, f"1h/A{number}USDT.csv", b"nothing")
    found = problems(tmp_path)
    assert (len(found), found[-1]) == (21, "and 18 more problems")


FOURTHS = [",".join(cells(at)) for at in range(0, 120, 4)]
THEN_THIRDS = [*rows(0, 60), *(",".join(cells(at)) for at in range(60, 120, 3))]


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        ("1h/BTCUSDT.csv", day_rows(0, 8), "row 7: '5 rows 24 h apart' – must be 1 h apart"),
        ("1h/BTCUSDT.csv", FOURTHS, "row 7: '5 rows 4 h apart' – must be 1 h apart"),
        ("1h/BTCUSDT.csv", THEN_THIRDS, "row 67: '5 rows 3 h apart' – must be 1 h apart"),
        ("1d/BTCUSDT.csv", rows(), "open_time_ms: '1609462800000' – must be a multiple of 86400000 ms"),
        ("1h/BTCUSDT.csv", public_rows(0, 5, step_ms=DAY_MS), "close_time: '1609545599999' – must be the end of the"),
    ],
    ids=["days-as-hours", "four-hours", "mixed", "hours-as-days", "public-days-as-hours"],
)
def test_a_file_of_another_interval_is_named(tmp_path: Path, name: str, lines: list[str], expected: str) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", rows())
    put(tmp_path, name, lines, header=None if lines[0].count(",") > 8 else HEAD.strip())
    assert expected in problems(tmp_path)[0]


def test_bitcoin_must_cover_the_range(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", rows(5, 100))
    assert problems(tmp_path) == problems(tmp_path, allow_gaps=True)
    assert problems(tmp_path) == [
        (
            "1h/BTCUSDT.csv row 2: 'begins 2021-01-01 05:00 UTC' – must reach back to 2021-01-01 00:00 UTC: start "
            "later, or download what is missing"
        ),
        (
            "1h/BTCUSDT.csv row 96: 'ends 2021-01-05 04:00 UTC' – must reach 2021-01-06 00:00 UTC: end earlier, "
            "or download what is missing"
        ),
    ]


def test_a_symbol_that_is_listed_later_joins_then(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", rows())
    put(tmp_path, "1h/SOLUSDT.csv", rows(30))
    assert notes(tmp_path) == ("SOLUSDT begins at 2021-01-02 06:00 UTC, after the start: it joins then",)


def test_a_symbol_that_ends_early_is_refused_or_counts_as_delisted(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", rows())
    put(tmp_path, "1h/SOLUSDT.csv", rows(0, 48))
    assert problems(tmp_path) == [
        (
            "1h/SOLUSDT.csv row 49: 'ends 2021-01-03 00:00 UTC' – must reach 2021-01-06 00:00 UTC: end earlier, "
            "download what is missing, leave the symbol out, or pass --allow-gaps (it then counts as delisted)"
        )
    ]
    told = ("SOLUSDT ends 2021-01-03 00:00 UTC, 72 h before the end: from then on it has no price",)
    assert notes(tmp_path, allow_gaps=True) == told == notes(tmp_path, gap_hours_max=72)


def test_a_symbol_outside_the_range_is_left_out_unless_it_was_asked_for(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", rows())
    put(tmp_path, "1h/OLDUSDT.csv", rows(0, 24))
    late = {"start_ms": T0 + DAY_MS}
    assert notes(tmp_path, **late) == (
        "OLDUSDT is left out: its hours are 2021-01-01 00:00 UTC to 2021-01-02 00:00 UTC",
    )
    assert problems(tmp_path, symbols=("OLDUSDT",), **late) == [
        (
            "1h/OLDUSDT.csv: '2021-01-01 00:00 UTC to 2021-01-02 00:00 UTC' – has no hour from 2021-01-02 00:00 UTC to "
            "2021-01-06 00:00 UTC: ask for another range, or leave the symbol out"
        )
    ]


def test_an_outage_is_history_and_a_long_hole_is_not(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", [*rows(0, 10), *rows(12, 20), *rows(21)])
    assert notes(tmp_path) == (
        (
            "BTCUSDT lacks 3 h of the range (holes: 2, the longest 2 h from 2021-01-01 10:00 UTC): "
            "the exchange counts as closed where no other pair has a candle"
        ),
    )
    assert len(read_candles(tmp_path, QUERY).closed_hours()) == 3
    put(tmp_path, "1h/BTCUSDT.csv", [*rows(0, 10), *rows(59)])
    hole = "49 h missing before it, from 2021-01-01 10:00 UTC"
    assert problems(tmp_path) == [
        (
            f"1h/BTCUSDT.csv row 12: {hole!r} – may be 48 h at most: download them, leave the symbol out, "
            "or pass --allow-gaps"
        )
    ]
    assert notes(tmp_path, allow_gaps=True)[0] == f"{tmp_path}/1h/BTCUSDT.csv row 12: {hole}"
    put(tmp_path, "1h/BTCUSDT.csv", [*rows(0, 10), *rows(58)])
    assert len(notes(tmp_path)) == 1, "48 hours are within the limit"


def test_hours_that_one_pair_alone_lacks_are_told_apart_from_an_outage(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", [*rows(0, 10), *rows(12)])
    put(tmp_path, "1h/ETHUSDT.csv", [*rows(0, 9), *rows(12)])
    put(tmp_path, "1h/SOLUSDT.csv", [*rows(0, 10), *rows(12)])
    assert [note.split(" (")[0] for note in notes(tmp_path)] == [
        "BTCUSDT lacks 2 h of the range",
        "ETHUSDT lacks 1 h in which BTCUSDT traded, the first 2021-01-01 09:00 UTC",
    ]


def test_a_hole_that_no_part_of_the_run_looks_at_is_no_problem(tmp_path: Path) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", [*rows(0, 2), *rows(60, 120)])
    late = {"start_ms": T0 + 4 * DAY_MS, "warmup_days": 1}
    assert notes(tmp_path, **late) == ()
    assert len(problems(tmp_path, start_ms=T0 + 4 * DAY_MS, warmup_days=2)) == 1


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (day_rows(1), "row 2: 'begins 2021-01-02 00:00 UTC' – must reach back to 2021-01-01 00:00 UTC, as the hours"),
        (day_rows(0, 4), "row 5: 'ends 2021-01-05 00:00 UTC' – must reach 2021-01-06 00:00 UTC, as the hours do"),
        ([*day_rows(0, 2), *day_rows(3)], "row 4: '1 d missing before it, from 2021-01-03 00:00 UTC' – days must"),
        ([day_rows()[0], day_rows()[1].replace("148.5", "148.4"), *day_rows(2)],
         "row 3 close: 148.4 – the last hour of that day closes at 148.5 in 1h/BTCUSDT.csv; take both from"),
    ],
    ids=["late", "short", "hole", "contradiction"],
)  # fmt: skip
def test_days_that_do_not_fit_the_hours_are_named(tmp_path: Path, lines: list[str], expected: str) -> None:
    put(tmp_path, "1h/BTCUSDT.csv", rows())
    put(tmp_path, "1d/BTCUSDT.csv", lines)
    (problem,) = problems(tmp_path)
    assert problem.startswith(f"1d/BTCUSDT.csv {expected}")


@pytest.mark.slow
def test_the_real_candles_are_read_as_they_are() -> None:
    """Five symbols over three and a half years, days from their own files, outages and late listings included."""
    symbols = ("ETHUSDT", "SOLUSDT", "AVAXUSDT", "SHIBUSDT")
    want = {symbol: real_candles(symbol, "1h") for symbol in ("BTCUSDT", *symbols)}
    query = replace(QUERY, end_ms=1_719_792_000_000, symbols=symbols)
    candles = read_candles(REAL, query)
    for symbol, rows_of in want.items():
        columns = candles.hourly[symbol]
        kept = [row for row in rows_of if columns.opens_ms[0] <= row.open_time_ms < query.end_ms]
        assert columns.candles(0, len(columns)) == kept
        texts = columns.exact_open.texts(0, len(columns))
        assert list(map(float, texts)) == [row.open for row in kept]
    assert [note.split(" ")[0] for note in candles.notes] == ["SHIBUSDT", "BTCUSDT"]
    assert "lacks 14 h of the range (holes: 7, the longest 4 h" in candles.notes[1]
