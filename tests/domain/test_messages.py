"""What the operator reads: every fact, in words, escaped, the urgent first; and which alerts each page tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.domain.alerts import Alert, AlertKind, Severity, new_alert
from runtime.domain.messages import FACT_LENGTH_MAX, clean, digest, pages, plain_text, render
from runtime.domain.paging import parsed, units
from runtime.domain.texts import CATALOGUE, Language, placeholders
from tests.support.telegram_server import parse_html

SLOT = "2026-11-21T09Z"
FACTS = st.dictionaries(
    st.sampled_from(["symbol", "why", "source", "what", "extra"]), st.text(max_size=300), max_size=4
)
ALERTS = st.lists(
    st.builds(
        Alert,
        id=st.uuids().map(str),
        kind=st.sampled_from([*AlertKind, "kind_of_tomorrow"]) | st.text(max_size=20),
        severity=st.sampled_from(Severity),
        slot=st.just(SLOT),
        facts=FACTS,
    ),
    max_size=12,
)


def an_alert(kind: AlertKind = AlertKind.ABORTED, **facts: str) -> Alert:
    return new_alert(kind, SLOT, facts)


@given(ALERTS, st.sampled_from(Language), st.integers(64, 600))
def test_pages_are_valid_fit_and_cover_every_alert_whatever_its_facts(
    alerts: list[Alert], language: Language, limit: int
) -> None:
    found = pages(alerts, language, "https://example.org/x?a=1&b=2", limit)
    for page in found:
        parse_html(page.html)
        assert units(page.html) <= limit
        page.html.encode("utf-8")
        assert page.severity == min((alerts[at].severity for at in page.alerts), key=[*reversed(Severity)].index)
    assert frozenset[int]().union(*(page.alerts for page in found)) == frozenset(range(len(alerts)))


@pytest.mark.parametrize("kind", AlertKind)
@pytest.mark.parametrize("language", Language)
def test_every_fact_that_a_text_names_is_shown(kind: AlertKind, language: Language) -> None:
    named = placeholders(CATALOGUE[f"alert.{kind}.body"][0])
    message = render(an_alert(kind, **{name: f"value-of-{name}" for name in named}), language)
    told = "\n".join(message.lines)
    assert all(f"value-of-{name}" in told for name in named)
    assert "{" not in told


def test_a_reason_that_is_a_sentence_ends_once() -> None:
    assert render(an_alert(why="no account."), Language.EN).lines[0] == "no account. Nothing was sent."


def test_a_fact_that_no_text_names_is_listed() -> None:
    assert "retry_at: 10:15" in render(an_alert(why="no account", retry_at="10:15"), Language.EN).lines


def test_an_empty_fact_shows_as_a_dash() -> None:
    told = render(an_alert(AlertKind.DEGRADED_SOURCE, source="static", age=""), Language.EN).lines[0]
    assert "– days old" in told


def test_machine_names_are_worded_in_the_language() -> None:
    facts = {"side": "SELL", "reason": "trailing_stop", "symbol": "ETHUSDT"}
    assert "移动止损" in render(an_alert(AlertKind.TRADE, **facts), Language.ZH).lines[0]
    assert "trailing stop" in render(an_alert(AlertKind.TRADE, **facts), Language.EN).lines[0]
    told = render(an_alert(AlertKind.RECOVERED, what="indicators_missing:ETHUSDT"), Language.EN).lines[0]
    assert told.startswith("Indicators missing ETHUSDT:")


def test_a_hostile_value_stays_text_on_one_line_and_is_shortened() -> None:
    hostile = '</b><a href="tg://x">click</a>\n\nAll is well\u202e\x00\ud800' + "x" * 5000
    html = digest([an_alert(why=hostile), Alert("1", "<b>&kind", Severity.INFO, "<slot>")], Language.EN)
    assert "<b>&kind · <slot>" in parse_html(html)
    assert "<a" not in html
    assert "\nAll is well" not in html
    assert '</b><a href="tg://x">click</a> All is well' in parse_html(html)
    assert not {"\u202e", "\x00", "\ud800"} & set(html)
    assert len(render(an_alert(why=hostile), Language.EN).lines[0]) < FACT_LENGTH_MAX + 50


def test_the_most_urgent_come_first_under_one_heading_each() -> None:
    alerts = [
        an_alert(AlertKind.TRADE),
        an_alert(AlertKind.BREAKER),
        an_alert(AlertKind.FUEL),
        an_alert(AlertKind.DRIFT),
    ]
    lines = parsed(digest(alerts, Language.EN)).split("\n")
    headings = [line for line in lines if line.endswith(("Critical", "Warning", "Info"))]
    assert [heading.split()[-1] for heading in headings] == ["Critical", "Warning", "Info"]
    titles = [lines.index(f"{title} · {SLOT}") for title in
              ("Circuit breaker tripped", "Unexplained balance", "BNB fuel is low", "Order filled")]  # fmt: skip
    assert titles == sorted(titles)


def test_an_ordinary_hour_is_one_message() -> None:
    alerts = [an_alert(kind, why="x" * 60) for kind in list(AlertKind)[:10]]
    assert len(pages(alerts, Language.ZH, "https://example.org/engine/blob/main")) == 1


def test_each_alert_links_to_the_page_of_its_kind_and_a_hostile_kind_to_none() -> None:
    base = "https://example.org/blob/main/"
    assert render(an_alert(), Language.EN, base).runbook == "https://example.org/blob/main/docs/runbook/aborted.md"
    assert render(Alert("1", "drift:ETH", Severity.INFO, SLOT), Language.EN, base).runbook.endswith("/drift.md")
    assert not render(Alert("1", "../../x", Severity.INFO, SLOT), Language.EN, base).runbook
    assert not render(an_alert(), Language.EN).runbook


def test_plain_text_has_no_markup_and_the_same_words() -> None:
    told = plain_text([an_alert(AlertKind.TRADE), an_alert(why="a < b & c")], Language.EN)
    assert told.splitlines()[0] == f"Critical: Cycle aborted before trading (exit 3) [{SLOT}]"
    assert "a < b & c" in told
    assert "<b>" not in told


@given(st.text())
def test_cleaning_is_stable_and_leaves_one_line(value: str) -> None:
    once = clean(value)
    assert clean(once) == once
    assert len(once.splitlines()) <= 1


@pytest.mark.parametrize(
    ("name", "given", "shown"),
    [
        ("equity", "9991.1", "Equity 9,991.10 USDT"),
        ("equity", "10000", "Equity 10,000.00 USDT"),
        ("equity", "1E+999999", "Equity 1E+999999 USDT"),
        ("equity", "much", "Equity much USDT"),
    ],
)
def test_a_sum_is_shown_to_the_cent_and_what_is_no_number_as_it_is(name: str, given: str, shown: str) -> None:
    assert shown in render(an_alert(AlertKind.STATUS, **{name: given}), Language.EN).lines[0]


@pytest.mark.parametrize(
    ("given", "shown"),
    [("3105.7611", "3,105.76"), ("0.000012345678", "0.0000123457"), ("86842.966", "86,843"), ("0", "0")],
)
def test_a_price_is_shown_to_six_digits(given: str, shown: str) -> None:
    assert (
        f" at {shown} for 14.50 USDT"
        in render(an_alert(AlertKind.TRADE, price=given, quote="14.5"), Language.EN).lines[0]
    )


def test_what_is_counted_once_is_told_in_the_singular() -> None:
    english = render(an_alert(AlertKind.DEGRADED_SOURCE, age="1", cycles="1"), Language.EN).lines[0]
    assert "1 day old), 1 cycle in a row" in english
    more = render(an_alert(AlertKind.DEGRADED_SOURCE, age="21", cycles="0.1"), Language.EN).lines[0]
    assert "21 days old), 0.1 cycles in a row" in more


def test_why_fuel_was_not_bought_and_which_limit_is_near_are_told_in_the_operators_language() -> None:
    fuel = render(an_alert(AlertKind.FUEL, value="8.89", minimum="10", gates="fuel_spent halt"), Language.ZH).lines[0]
    assert "本小时手续费之前充足、控制" in fuel
    limit = render(an_alert(AlertKind.ACCOUNT_LIMIT, measure="loss today", value="2.60 %"), Language.ZH).lines[0]
    assert limit.startswith("今日亏损")
    assert "2.60 %" in limit
    over = render(an_alert(AlertKind.RECOVERED, what="account_limit:drawdown 50.00 %"), Language.ZH).lines[0]
    assert "账户亏损限额 回撤 50.00 %" in over
