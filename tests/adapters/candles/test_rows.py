"""A changed file is never read as something it does not say: by a second, slow reading of the same bytes.

The second reading shares nothing with the first: it goes row by row with `csv` and `Decimal` and knows the rules only.
"""

from __future__ import annotations

import csv
import gzip
import io
import string
import tempfile
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.adapters.candles import read_candles
from runtime.adapters.candles.faults import row_faults
from runtime.adapters.candles.rows import OWN, PUBLIC, Shape, parse
from runtime.domain.candle_columns import CandleColumns
from runtime.domain.slots import HOUR_MS
from runtime.errors import BadCandles
from tests.support.candle_files import QUERY, public_rows, put, rows, text

BODIES = {
    OWN: text(rows(0, 12), None),
    PUBLIC: text([*public_rows(0, 6), *public_rows(6, 12, unit=1000)], None),
}
ODD = '.,-+eE\n\r "x_' + string.punctuation
EXPONENTS = text([line.replace(".25,", "e-3,") for line in rows(0, 12)], None)


def slow(body: bytes, shape: Shape) -> list[tuple[object, ...]] | None:
    """What the rows say: times and the texts of their numbers; None if they say anything that is not allowed."""
    if (body and not body.endswith(b"\n")) or b"\r" in body:
        return None
    try:
        found = [_row(cells, shape) for cells in csv.reader(io.StringIO(body.decode("ascii"), newline=""), strict=True)]
    except (ValueError, InvalidOperation, csv.Error, AssertionError, KeyError):
        return None
    times = [row[0] for row in found]
    return found if all(a < b for a, b in pairwise(times)) else None  # type: ignore[operator]


def _row(cells: list[str], shape: Shape) -> tuple[object, ...]:
    assert len(cells) == len(shape.names)
    assert all(set(cell) <= set("0123456789.eE+-") for cell in cells)
    named = dict(zip(shape.names, cells, strict=True))
    time, unit = int(named["open_time_ms"]), 1
    if time > 10**14:
        time, unit = time // 1000, 1000
    assert int(named["open_time_ms"]) == time * unit
    assert time % HOUR_MS == 0
    assert 1_262_304_000_000 <= time < 4_102_444_800_000
    if shape is PUBLIC:
        assert int(named["close_time"]) == (time + HOUR_MS) * unit - 1
    opened, high, low, close = (Decimal(named[name]) for name in ("open", "high", "low", "close"))
    assert Decimal("1e-30") <= low <= min(opened, close)
    assert max(opened, close) <= high <= Decimal("1e30")
    amounts = [Decimal(named[name]) if named[name] else None for name in ("volume", "quote_volume", "trades")]
    assert amounts[0] is not None
    assert all(amount is None or 0 <= amount <= Decimal("1e60") for amount in amounts)
    return time, Decimal(named["open"]), float(high), float(low), Decimal(named["close"]), float(amounts[0])


def fast(columns: CandleColumns) -> list[tuple[object, ...]]:
    count = len(columns)
    return list(
        zip(
            columns.opens_ms,
            columns.exact_open.between(0, count),
            columns.high,
            columns.low,
            columns.exact_close.between(0, count),
            columns.volume,
            strict=True,
        )
    )


@st.composite
def mutated(draw: st.DrawFn, body: bytes) -> bytes:
    """A file's rows with a few bytes or lines changed, dropped, doubled, swapped or cut."""
    for _ in range(draw(st.integers(1, 3))):
        body = draw(st.one_of(bytes_changed(body), lines_changed(body)))
    return body


@st.composite
def bytes_changed(draw: st.DrawFn, body: bytes) -> bytes:
    at = draw(st.integers(0, max(0, len(body) - 1)))
    letter = draw(st.one_of(st.sampled_from("0123456789"), st.sampled_from(ODD))).encode()
    changed = {
        "byte": body[:at] + letter + body[at + 1 :],
        "insert": body[:at] + letter + body[at:],
        "delete": body[:at] + body[at + 1 :],
        "cut": body[:at],
    }
    return changed[draw(st.sampled_from(sorted(changed)))]


@st.composite
def lines_changed(draw: st.DrawFn, body: bytes) -> bytes:
    lines = body.splitlines(keepends=True)
    if not lines:
        return body
    line, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    kind = draw(st.sampled_from(["drop", "double", "swap", "slip"]))
    if kind == "drop":
        lines.pop(line)
    elif kind == "double":
        lines.insert(other, lines[line])
    elif kind == "swap":
        lines[line], lines[other] = lines[other], lines[line]
    elif lines[line].endswith(b"\n"):  # a row ends a cell early, and the next one begins with it
        *cells, last = lines[line][:-1].split(b",")
        lines[line] = b",".join(cells) + b"\n" + last + b","
    return b"".join(lines)


@pytest.mark.parametrize(("shape", "body"), [*BODIES.items(), (OWN, EXPONENTS)], ids=["own", "public", "exponents"])
@settings(max_examples=400)
@given(data=st.data())
def test_a_changed_text_is_read_as_what_it_says_or_refused_with_a_named_row(
    shape: Shape, body: bytes, data: st.DataObject
) -> None:
    changed = data.draw(mutated(body))
    columns, expected = parse(changed, shape, "AUSDT", HOUR_MS), slow(changed.replace(b"\r\n", b"\n"), shape)
    if columns is not None:
        assert expected is not None, f"{changed!r} was read, though it breaks a rule"
        assert fast(columns) == expected
        return
    faults = row_faults("FILE", changed, shape, HOUR_MS)
    assert all(fault.startswith("FILE row ") or fault.endswith("more such rows") for fault in faults), faults
    assert expected is None, f"{changed!r} was refused though it keeps every rule: {faults}"


@pytest.mark.parametrize(
    ("row", "column", "old", "new"),
    [(3, 6, b"1609473599999", b"1609473599998"), (3, 0, b"1609470000000", b"1609470000001"), (8, 0, b"000,", b"001,")],
    ids=["close-time", "off-the-grid", "off-by-a-microsecond"],
)
def test_a_row_of_another_time_is_refused_in_the_public_shape(row: int, column: int, old: bytes, new: bytes) -> None:
    lines = BODIES[PUBLIC].splitlines(keepends=True)
    assert old in lines[row]
    lines[row] = lines[row].replace(old, new, 1)
    assert parse(b"".join(lines), PUBLIC, "AUSDT", HOUR_MS) is None
    (fault,) = row_faults("FILE", b"".join(lines), PUBLIC, HOUR_MS)
    assert fault.startswith(f"FILE row {row + 1} {PUBLIC.names[column]}: ")


@given(data=st.data())
def test_a_changed_byte_of_a_compressed_file_gives_the_same_values_or_an_error(data: st.DataObject) -> None:
    """The file's own checksum sees to that; a byte of its name or date does not matter."""
    packed = gzip.compress(text(rows()), mtime=0)
    at, byte = data.draw(st.integers(0, len(packed) - 1)), data.draw(st.integers(0, 255))
    changed = packed[:at] + bytes([byte]) + packed[at + 1 :]
    cut = data.draw(st.sampled_from([changed, packed[:at], packed + bytes([byte])]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = put(folder, "1h/BTCUSDT.csv.gz", rows())
        original = fast(read_candles(folder, QUERY).hourly["BTCUSDT"])
        path.write_bytes(cut)
        with suppress(BadCandles):
            assert fast(read_candles(folder, QUERY).hourly["BTCUSDT"]) == original


@given(data=st.data())
def test_a_range_is_never_answered_by_a_file_that_was_cut(data: st.DataObject) -> None:
    """Plain text carries no checksum: a cut at a row's end is found because bitcoin must reach the end."""
    whole = text(rows())
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with tempfile.TemporaryDirectory() as name:
        put(Path(name), "1h/BTCUSDT.csv", cut)
        with pytest.raises(BadCandles):
            read_candles(Path(name), QUERY)
