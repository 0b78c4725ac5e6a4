"""What an hour leaves in its own document: the figures that returns are reckoned from later."""

from __future__ import annotations

from decimal import Decimal

from runtime.domain.ledger import Entry
from tests.support.worlds import FIRST, Scene, scene

D = Decimal


def booked(s: Scene, kind: str) -> list[Entry]:
    """The entries of a kind, of the scene's first two days."""
    return [e for day in ("2026-03-15", "2026-03-16") for e in s.store.entries(day) if e.kind == kind]


def test_the_slots_document_keeps_equity_index_and_the_price_of_bitcoin() -> None:
    with scene() as s:
        report = s.hour()
        (record,) = s.store.cycles(1)
        assert record.slot == FIRST
        assert report.equity is not None
        assert D(record.summary["equity"]) == round(report.equity.total, 2)
        assert D(record.summary["index"]) == report.index == s.state.performance.index
        assert D(record.summary["btc"]) == s.exchange.prices()["BTCUSDT"]


def test_what_came_and_went_is_booked_with_its_price_of_the_hour() -> None:
    with scene() as s:
        s.hour()
        s.exchange.events.deposit("BNB", D("0.5"))
        s.exchange.events.pay_bonus("BNB", D("0.001"))
        s.exchange.events.deposit("USDT", D(100))
        s.next()
        worth = s.exchange.prices()["BNBUSDT"]
        assert [e.prices for e in booked(s, "deposit")] == [{"BNB": worth}, {}]
        assert [e.prices for e in booked(s, "reward")] == [{"BNB": worth}]
        assert all(not e.prices for e in booked(s, "interest"))
