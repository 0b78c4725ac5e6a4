"""The site's values from every store: the days asked for, hours that nobody did, and no amount where it is public."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from runtime.__main__ import main
from runtime.answers import nothing_kept
from runtime.domain.alerts import Incident
from runtime.domain.documents import to_json
from runtime.domain.report import to_document
from runtime.domain.site import HourRow, day_return, public, public_card
from runtime.domain.why import card_of, packed
from runtime.errors import Abort, BadInput
from runtime.ports import Changes, CycleRecord, Store
from runtime.site import DAYS_MAX, site_of
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.reports import SLOT, a_report
from tests.support.store_accounts import KINDS, accounts
from tests.support.stores import state, take

D = Decimal


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Hours of three days, with a gap, a failed one, an incident, and a card of the newest."""
    with accounts(str(request.param), tmp_path, request) as make:
        made = make().open()
        held = take(made)
        told = replace(state(), incidents={"fuel": Incident("fuel", "2026-11-20T01Z", 7, "2026-11-20T04Z")})
        for number, slot in enumerate(("2026-11-19T23Z", "2026-11-20T02Z", "2026-11-21T08Z", SLOT)):
            figures = {"status": "done", "equity": f"{1000 + number}.37", "index": f"1.0{number}", "orders": "2"}
            card = packed(card_of(to_document(a_report()))) if slot == SLOT else ""
            record = CycleRecord(slot, 4 if number == 1 else 0, number + 1, summary=figures, card=card)
            held = made.commit(held, Changes(replace(told, slot_done=slot), cycle=record, release=slot == SLOT))
        yield made


def test_the_hours_of_the_days_asked_for_newest_first_and_the_gaps_between(store: Store) -> None:
    site = site_of(store, 2, nothing_kept)
    assert [hour.slot for hour in site.hours] == [SLOT, "2026-11-21T08Z", "2026-11-20T02Z"]
    assert [hour.exit_code for hour in site.hours] == [0, 0, 4]
    assert len(site.missed) == 29
    assert site.missed == tuple(sorted(site.missed, reverse=True))
    assert [(trouble.kind, trouble.count) for trouble in site.troubles] == [("fuel", 7)]
    assert site.hours[0].card is not None
    assert len(site_of(store, 3, nothing_kept).hours) == 4
    assert len(site_of(store, 1, nothing_kept).hours) == 2


@pytest.mark.parametrize("days", [0, -1, DAYS_MAX + 1])
def test_too_few_and_too_many_days_are_refused_by_name(store: Store, days: int) -> None:
    with pytest.raises(BadInput, match="--days"):
        site_of(store, days, nothing_kept)


def test_an_account_without_hours_has_no_site(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with accounts("sqlite", tmp_path, request) as make, pytest.raises(Abort, match=r"no hour has ended|no state"):
        site_of(make().open(), 1, nothing_kept)


def test_no_amount_is_left_in_what_is_public(store: Store) -> None:
    site = site_of(store, 30, nothing_kept)
    shown = public(site)
    assert shown.hidden
    assert {hour.equity for hour in shown.hours} == {None}
    assert shown.balances is None
    assert all(not entry.amounts for entry in shown.booked)
    assert all(earning.profit is None and earning.fees is None for earning in shown.earnings)
    assert [hour.index for hour in shown.hours] == [hour.index for hour in site.hours]


def test_a_public_card_keeps_names_and_outcomes_and_no_figure() -> None:
    card = card_of(to_document(a_report()))
    shown = public_card(card)
    said = to_json(replace(shown, slot="", account="", source=None, report_sha256="", missed=0, exit_code=0))
    for deed in card.did:
        assert deed.quantity not in said
        assert not deed.value or deed.value not in said
    assert [deed.symbol for deed in shown.did] == [deed.symbol for deed in card.did]
    assert [held.gate for held in shown.held] == [held.gate for held in card.held]
    assert any(held.numbers for held in card.held)
    assert not any(held.numbers for held in shown.held)
    assert not any(choice.size or choice.numbers for choice in shown.decided)
    assert shown.saw == {}


def test_a_days_return_is_from_the_last_index_before_it() -> None:
    def hour(slot: str, index: str | None) -> HourRow:
        return HourRow(slot, "done", 0, None, D(index) if index else None, 0, 0, "", None)

    today = [hour("2026-11-21T09Z", "1.10"), hour("2026-11-21T08Z", "1.05")]
    assert day_return(today, hour("2026-11-20T23Z", "1.00")) == D("0.1")
    assert day_return(today, None) == D("1.10") / D("1.05") - 1
    assert day_return([hour("2026-11-21T09Z", None)], None) is None
    assert day_return(today[:1], None) is None


def test_the_command_writes_a_site_and_refuses_a_folder_that_is_not_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from main import main as hour  # noqa: PLC0415 - an entry, for this test alone

    monkeypatch.setenv("ENGINE_DATA_DIR", str(tmp_path / "var"))
    assert hour(["--json"]) == 0
    capsys.readouterr()
    place = tmp_path / "site"
    assert main(["--mode", "paper", "report", str(place), "--redact", "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["files"] == sum(1 for path in place.rglob("*") if path.is_file())
    page = place / "hours" / "2026-03-15T09Z.html"
    assert "<dt>Tape</dt><dd>whole</dd>" in page.read_text()
    (tape,) = (tmp_path / "var").rglob("*.jsonl.gz")
    lines = gzip.decompress(tape.read_bytes()).splitlines(keepends=True)
    for left, said in (([*lines[:3], *lines[4:]], "damaged: "), (lines[:-1], "of another run"), ([], "not on this")):
        if left:
            tape.write_bytes(gzip.compress(b"".join(left)))
        else:
            tape.unlink()
        assert main(["--mode", "paper", "report", str(place), "--redact", "--json"]) == 0
        assert f"<dt>Tape</dt><dd>{said}" in page.read_text()
    capsys.readouterr()
    assert (place / "index.html").is_file()
    (place / ".nojekyll").unlink()
    assert main(["--mode", "paper", "report", str(place)]) == 2
    assert "must be new, empty" in json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
