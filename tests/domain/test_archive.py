"""Archives: the same documents give the same lines, and no line can be changed, dropped, doubled or moved unnoticed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.archive import (
    FORMAT_VERSION,
    Header,
    Reader,
    Section,
    Stored,
    Tally,
    header_line,
    last_line,
    line_of,
    tallied,
)
from runtime.domain.documents import canonical
from runtime.errors import BadPayload

DOCUMENTS = (
    Stored(Section.CYCLES, "2026-11-21T09Z", {"slot": "2026-11-21T09Z", "exit_code": 0}),
    Stored(Section.CYCLES, "2026-11-21T10Z", {"slot": "2026-11-21T10Z", "exit_code": 4}),
    Stored(Section.JOURNAL, "bp-1", {"quantity": "0.1", "größe": [1.5, None]}, "2026-11-21T09Z"),
    Stored(Section.LEDGER, "order:a/b", {"amount": "1"}, "2026-11-21"),
    Stored(Section.STATE, "state", {"account": "main"}),
)


def archive(documents: Iterable[Stored] = DOCUMENTS, header: Mapping[str, object] = MappingProxyType({})) -> list[str]:
    """A whole archive, with other fields in its `header`."""
    tally = Tally()
    body = list(tally.lines(documents))
    first = json.loads(header_line(Header("main", "2026-11-21T10Z", 7, 1, tally.by_name()))) | dict(header)
    return sealed([canonical(first), *body])


def sealed(lines: list[str]) -> list[str]:
    """The lines with the last one."""
    digest = sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    return [*lines, last_line(len(lines), digest)]


def read(lines: Iterable[str]) -> list[Stored]:
    return list(Reader(iter(lines)).documents())


def test_an_archive_of_the_first_version_is_read_without_an_audit_log() -> None:
    tally = Tally()
    lines = [line for line in tally.lines(DOCUMENTS) if '"end":"audit"' not in line]
    counts = {name: count for name, count in tally.by_name().items() if name != "audit"}
    lines.insert(0, header_line(Header("main", "2026-11-21T10Z", 7, 1, counts, version=1)))
    digest = sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    assert tuple(Reader(iter([*lines, last_line(len(lines), digest)])).documents()) == DOCUMENTS


def test_what_was_written_is_read_back_with_its_digest() -> None:
    lines = archive()
    reader = Reader(iter(lines))
    assert reader.header().documents == {
        "control": 0, "cycles": 2, "journal": 1, "ledger": 1, "audit": 0, "cache": 0, "state": 1
    }  # fmt: skip
    assert (reader.header().account, reader.header().slot_done, reader.header().taken_ms) == (
        "main",
        "2026-11-21T10Z",
        7,
    )
    assert tuple(reader.documents()) == DOCUMENTS
    assert reader.digest == sha256("".join(f"{line}\n" for line in lines[:-1]).encode()).hexdigest()
    assert f'"{reader.digest}"' in lines[-1]


def test_lines_are_ascii_with_sorted_keys_and_no_spaces() -> None:
    for line in archive():
        assert line.isascii()
        assert line == json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"))


def test_an_archive_without_documents_has_an_end_for_every_section() -> None:
    lines = archive(())
    assert [json.loads(line)["end"] for line in lines[1:-1]] == [section.value for section in Section]
    assert read(lines) == []


documents = st.builds(
    Stored,
    st.sampled_from([section for section in Section if section is not Section.LEDGER]),
    st.text(min_size=1, max_size=8).filter(lambda name: "/" not in name),
    st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4) | st.none(), max_size=3),
)


@given(st.lists(documents, max_size=12))
def test_any_documents_come_back_as_they_were(given_documents: list[Stored]) -> None:
    order = list(Section)
    ordered = sorted(given_documents, key=lambda document: order.index(document.section))
    assert read(archive(ordered)) == ordered
    assert tallied(ordered).counts == tallied(read(archive(ordered))).counts


def edited(line: str) -> str:
    """The same line with one character of its values changed."""
    at = max(line.rfind(mark) for mark in "0123456789abcdefghijklmnopqrstuvwxyz")  # fmt: skip
    return line[:at] + ("1" if line[at] == "0" else "0") + line[at + 1 :]


def without(lines: list[str], at: int) -> list[str]:
    return [*lines[:at], *lines[at + 1 :]]


def doubled(lines: list[str], at: int) -> list[str]:
    return [*lines[: at + 1], *lines[at:]]


def swapped(lines: list[str], at: int) -> list[str]:
    after = (at + 1) % len(lines)
    changed = list(lines)
    changed[at], changed[after] = lines[after], lines[at]
    return changed


def cut(lines: list[str], at: int) -> list[str]:
    return lines[:at]


def changed(lines: list[str], at: int) -> list[str]:
    return [*lines[:at], edited(lines[at]), *lines[at + 1 :]]


@pytest.mark.parametrize("damage", [changed, without, doubled, swapped, cut])
@pytest.mark.parametrize("at", range(len(archive())))
def test_no_line_is_changed_dropped_doubled_moved_or_cut_off_unnoticed(
    damage: Callable[[list[str], int], list[str]], at: int
) -> None:
    with pytest.raises(BadPayload, match=r"^archive, \w+, line \d+"):
        read(damage(archive(), at))


@pytest.mark.parametrize("at", range(1, len(archive()) - 1))
def test_a_changed_document_is_named_by_section_and_line(at: int) -> None:
    lines = archive()
    record = json.loads(lines[at])
    with pytest.raises(BadPayload) as caught:
        read(changed(lines, at))
    section = record.get("section", record.get("end"))
    assert str(caught.value).startswith(f"archive, {section}, line {at + 1}: ")


def test_a_file_made_anew_around_a_changed_line_is_still_refused() -> None:
    """Whoever repairs the last line but not the section, or the section but not the line, is found."""
    lines = archive()[:-1]
    with pytest.raises(BadPayload, match="archive, cycles, line 3"):
        read(sealed(changed(lines, 2)))
    fields = json.loads(lines[2]) | {"body": {"exit_code": 9}}
    with pytest.raises(BadPayload, match="the line was changed"):
        read(sealed([*lines[:2], canonical(fields), *lines[3:]]))
    del fields["check"]
    document = Stored(Section.CYCLES, fields["id"], fields["body"])
    with pytest.raises(BadPayload, match=r"archive, cycles, line 5.*the section"):
        read(sealed([*lines[:2], line_of(document), *lines[3:]]))


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"version": FORMAT_VERSION + 1}, "update the code"),
        ({"format": "something else"}, "must be an archive"),
        ({"documents": {"cycles": 3}}, "the header counts"),
        ({"documents": "many"}, "must name account"),
        ({"account": 7}, "must name account"),
    ],
)
def test_a_header_that_is_not_ours_says_what_is_wrong(header: dict[str, object], says: str) -> None:
    with pytest.raises(BadPayload, match=says):
        read(archive(header=header))


@pytest.mark.parametrize("line", ["", "{", "[]", "null", '"text"', "[" * 100_000, ' {"end": "cycles"}'])
@pytest.mark.parametrize("at", [0, 1, 3, -1])
def test_lines_that_are_no_records_are_one_clear_error(line: str, at: int) -> None:
    lines = archive()
    lines[at] = line
    with pytest.raises(BadPayload, match=r"archive, \w+, line \d+"):
        read(lines)


@pytest.mark.parametrize(
    "document",
    [
        Stored(Section.CYCLES, "", {}),
        Stored(Section.CYCLES, "../../elsewhere", {}),
        Stored(Section.JOURNAL, "bp", {}, "a/b"),
    ],
)
def test_names_that_would_be_other_places_in_a_store_are_refused(document: Stored) -> None:
    with pytest.raises(BadPayload, match="must be a"):
        read(archive([document]))


def test_an_empty_file_is_cut_short() -> None:
    with pytest.raises(BadPayload, match=r"archive, header, line 1.*cut short"):
        read([])


def test_nothing_may_follow_the_last_line() -> None:
    with pytest.raises(BadPayload, match="the end of the file"):
        read([*archive(), "{}"])
