"""Book tables: what others wrote is shown as text, and what the figures leave out is said."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from runtime.book_tables import ledger_text, percent, performance_text, profit_text, ratio
from runtime.domain.evidence import FlowKind
from runtime.domain.ledger import Balances, Book, Entry, transfer
from runtime.domain.results import Earned, Point, Quality, Result
from runtime.results import Performance, Period
from tests.support.bookkeeping import amounts, at, flowed, opened, traded

D = Decimal
START = Point("2026-03-01T09Z", at(0), D("10000"), D(1), D(60000))
END = Point("2026-03-31T09Z", at(30), D("12345.678"), D("1.2"), D(66000))
RESULT = Result(START, END, D(500), D(20), 0.2, 0.5, 0.1)
PERIOD = Period("all", RESULT, Earned(D("1.5"), D("2.25"), 3, D(900), D("-4.5")), frozenset())


def test_no_markup_and_no_control_character_of_others_reaches_the_terminal() -> None:
    evil = "[red]x[/red] \x1b[31m\nsecond\tline [/] [link=http://evil]"
    entries = [flowed(FlowKind.DEPOSIT, at(1), "[b]", "5", name=evil)]
    for colour in (False, True):
        text = ledger_text(entries, Balances().posted(entries), colour=colour)
        assert "[red]x[/red]" in text
        assert "second line [/] [link=http://evil]" in text
        assert "\x1b[31m" not in text
        assert "\t" not in text


def test_every_entry_shows_what_came_what_went_and_what_it_cost() -> None:
    entries = [
        opened(at(0), USDT="1000", reserved=amounts(ADA="5")),
        traded(at(1), "ETHUSDT", "0.19", "-475", {"ETH": "0.00019", "BNB": "0.001"}),
        Entry("m", "2026-03-02T01Z", at(1, 61), "earn_redeem", transfer(Book.EARN, Book.TRANSIT, "USDT", D("28.5"))),
    ]
    text = ledger_text(entries, Balances().posted(entries))
    for part in ("+0.19 ETH", "-475 USDT", "0.00019 ETH", "0.001 BNB", "28.5 USDT earn > transit", "reserved"):
        assert part in text


def test_a_line_of_profit_holds_its_figures() -> None:
    (line,) = (line for line in profit_text([PERIOD]).splitlines() if line.strip().startswith("all"))
    figures = "2026-03-01T09Z 30.0 12,345.68 480.00 1,865.68 20.00 % 10.00 % 1.50 2.25 -4.50"
    assert line.split()[1:] == figures.split()


def test_what_the_figures_leave_out_is_said_once() -> None:
    older = replace(RESULT, time_weighted=None, restarts=1)
    period = replace(PERIOD, result=older, unvalued=frozenset({"BNB"}), earned=Earned(untold=frozenset({"fee in XRP"})))
    text = profit_text([period, period])
    notes = [line for line in text.splitlines() if line.startswith("note: ")]
    assert len(notes) == 4
    assert all(any(word in note for note in notes) for word in ("BNB", "fee in XRP", "rebuilt", "older version"))


def test_performance_stands_beside_bitcoin_and_shows_a_dash_where_there_is_no_figure() -> None:
    account = Quality(0.2, 30, 8.19, -0.05, 2.5, None, 163.8)
    lines = performance_text(Performance(PERIOD, account, None)).splitlines()
    (sharpe,) = (line for line in lines if "Sharpe" in line)
    (sortino,) = (line for line in lines if "Sortino" in line)
    assert sharpe.split() == ["Sharpe", "2.50", "–"]
    assert sortino.split() == ["Sortino", "–", "–"]


def test_figures_for_the_eye() -> None:
    """Negative nothing is nothing; none is a dash."""
    assert (percent(0.12345), percent(-0.0), percent(None)) == ("12.35 %", "0.00 %", "–")
    assert (ratio(-1.005), ratio(None)) == ("-1.00", "–")
