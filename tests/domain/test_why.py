"""Why: the card of a slot is the same wherever it comes from, explains every gate, and is harmless in every medium."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters.files import canonical_json
from runtime.adapters.pages.why import why_fragment
from runtime.domain.decision import Gate
from runtime.domain.orders import Sleeve
from runtime.domain.paging import parsed, units
from runtime.domain.report import CycleStatus, Report, to_document
from runtime.domain.texts import CATALOGUE, Language, known
from runtime.domain.why import Card, card_of, packed, unpacked
from runtime.domain.why_text import TELEGRAM_UNITS_MAX, why_html, why_markdown, worded
from runtime.errors import BadPayload, StateUnreadable
from runtime.operator_tables import why_text
from tests.domain.test_markdown import HOSTILE
from tests.domain.test_texts import GATE_NAMES
from tests.support.rendered import blocks, marks
from tests.support.reports import SLOT, a_report
from tests.support.telegram_server import parse_html
from tests.support.worlds import scene

SHORT = Report(slot=SLOT, mode="live", account="main", status=CycleStatus.ABORTED, exit_code=3, error="no clock")


def an_hours_card(*gates: Gate, report: Report | None = None) -> Card:
    base = report or a_report()
    return card_of(to_document(replace(base, gates=(*base.gates, *gates))))


def test_a_real_hour_says_what_it_compared_and_what_would_have_to_change() -> None:
    with scene() as account:
        account.hour()
        card = card_of(account.reports.reports[-1][1])
    told = {(held.symbol, held.gate): held for held in worded(card, Language.EN).held}
    assert told["LTCUSDT", "does not qualify"].needs == (
        "close 98.4 must be above sma60 98.8483",
        "score -4.29142 must be above 0",
    )
    assert told["XRPUSDT", "qualifies, not selected"].needs == ("its rank 3 must be 2 or better (score 3.34532)",)
    assert told["BTCUSDT", "too little bitcoin to trim"].compared == ("min 20", "value 0")
    assert {"equity 9,991.10 USDT", "drawdown 0.0 %"} <= set(worded(card, Language.EN).saw)
    assert "hold ETHUSDT, 63.1 % of the sleeve" in worded(card, Language.EN).decided
    assert "regime on" in worded(card, Language.EN).saw
    assert any(line.startswith("buy bitcoin, 2 x 15 USDT") for line in worded(card, Language.EN).decided)
    assert any("ETHUSDT done" in line for line in worded(card, Language.EN).did)


def test_what_is_over_its_target_is_not_said_to_lack_a_negative_amount() -> None:
    def needs(shortfall: str) -> tuple[str, ...]:
        numbers = {"shortfall": shortfall, "min": "455", "target": "4552"}
        card = an_hours_card(Gate("below_minimum", Sleeve.TREND, "QQQUSDT", numbers=numbers))
        return next(held.needs for held in worded(card, Language.EN).held if held.symbol == "QQQUSDT")

    assert needs("-208.78") == ("it holds 208.78 USDT more than its target, and must lack 455",)
    assert needs("208.78") == ("what it lacks of its target, 208.78, must reach 455 USDT",)


def test_the_card_in_the_store_is_the_card_of_the_report() -> None:
    with scene() as account:
        account.hour()
        slot, report = account.reports.reports[-1]
        record = next(iter(account.store.cycles(1)))
        assert unpacked(record.card, slot) == card_of(report)
        assert card_of(json.loads(canonical_json(report))) == card_of(report)
        assert len(record.card) < 4_000


@pytest.mark.parametrize("report", [a_report(), SHORT])
def test_a_card_survives_packing_and_the_file_of_its_report(report: Report) -> None:
    card = card_of(to_document(report))
    assert unpacked(packed(card), SLOT) == card
    assert card_of(json.loads(canonical_json(to_document(report)))) == card


@pytest.mark.parametrize("name", sorted({*GATE_NAMES, *(key[5:] for key in CATALOGUE if key.startswith("gate."))}))
def test_every_gate_and_condition_says_what_would_have_to_change(name: str) -> None:
    if name != "not_qualified":
        assert known(f"change.{name}")
    conditions = [key for key in CATALOGUE if key.startswith("condition.")]
    assert [key for key in conditions if not known(f"change.{key}")] == []


def test_numbers_that_a_gate_does_not_have_are_not_made_up() -> None:
    card = an_hours_card(Gate("ahr999_high", Sleeve.BTC_CORE, "BTCUSDT"), report=SHORT)
    assert worded(card, Language.EN).held[0].needs == ()
    told = worded(
        an_hours_card(Gate("no_cash", Sleeve.TREND, "A", {"budget": "9", "cap": "3"}), report=SHORT), Language.EN
    )
    assert told.held[0].needs == ("cash 3 must cover 9 USDT",)


@pytest.mark.parametrize("damage", ["", "!", "AAAA", packed(an_hours_card())[:-8]])
def test_a_damaged_card_is_refused(damage: str) -> None:
    with pytest.raises(StateUnreadable, match=SLOT):
        unpacked(damage, SLOT)


def test_a_packed_card_that_unpacks_without_end_is_refused() -> None:
    endless = packed(replace(an_hours_card(), error="x" * 3_000_000))
    with pytest.raises(StateUnreadable, match="larger than"):
        unpacked(endless, SLOT)


@pytest.mark.parametrize(
    "document", [{}, {"slot": SLOT}, {**to_document(SHORT), "gates": [1]}, {**to_document(SHORT), "exit_code": "x"}]
)
def test_what_is_no_report_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(BadPayload, match="report"):
        card_of(document)


def hostile(value: str) -> Card:
    report = a_report()
    gate = Gate(value, Sleeve.TREND, value, {value: value, "why": value})
    late = Gate("not_sent", Sleeve.TREND, value, {"why": value})
    changed = replace(report, gates=(gate, late), error=value, account=value, problems={value: value})
    return card_of(to_document(changed))


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("figures", [True, False])
def test_markdown_of_a_hostile_card_has_the_same_marks(value: str, figures: bool) -> None:
    told, calm = ("\n".join(why_markdown(hostile(v), Language.EN, figures=figures)) for v in (value, "calm"))
    assert blocks(told) == blocks(calm)
    assert marks(told) <= {"text", "text_special", "<code>", "</code>", "<br>", "code_inline"}


@given(value=st.text(max_size=200), language=st.sampled_from(Language))
def test_telegrams_html_of_any_card_parses_and_is_one_message(value: str, language: Language) -> None:
    html = why_html(hostile(value), language)
    assert parse_html(html) == parsed(html)
    assert units(html) <= TELEGRAM_UNITS_MAX


def test_a_card_that_is_too_long_for_a_message_says_how_much_is_left_out() -> None:
    gates = [Gate("filter", Sleeve.TREND, f"SYM{n}", {"filter": "LOT_SIZE"}) for n in range(200)]
    html = why_html(an_hours_card(*gates), Language.EN)
    assert units(html) <= TELEGRAM_UNITS_MAX
    assert "more lines are in the report" in html.splitlines()[-1]


def test_every_value_on_a_page_is_escaped() -> None:
    page = why_fragment(hostile("</section><script>alert(1)</script>"), Language.EN)
    assert "<script>" not in page
    assert page.count("</section>") == 1
    assert "&lt;script&gt;" in page


def test_every_medium_tells_the_same_needs() -> None:
    card = an_hours_card(Gate("ahr999_high", Sleeve.BTC_CORE, "BTCUSDT", {"ahr999": "1.3", "bound": "1.2"}))
    need = "ahr999 1.3 must fall below 1.2"
    assert need in why_html(card, Language.EN)
    assert need in "\n".join(why_markdown(card, Language.EN, figures=True))
    assert need in why_fragment(card, Language.EN)
    assert need in why_text(card, Language.EN)
    assert need not in "\n".join(why_markdown(card, Language.EN, figures=False))


def test_without_figures_no_number_of_the_account_is_told() -> None:
    card = an_hours_card(Gate("no_cash", Sleeve.TREND, "A", {"cash": "1234.5", "min": "15"}))
    told = "\n".join(why_markdown(card, Language.EN, figures=False))
    assert "1234" not in told
    assert "1,234" not in told
    assert card.saw["equity"][:5] not in told


def test_no_markup_and_no_control_character_reaches_a_terminal() -> None:
    text = why_text(hostile("[red]x[/red] \x1b[31m\nsecond"), Language.EN)
    assert "[red]x[/red]" in text
    assert "\x1b[31m" not in text
