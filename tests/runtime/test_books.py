"""Books over whole hours: what is exported is what the exchange itself holds, to the unit, or nothing is exported."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from beancount import loader

from runtime.adapters.sqlite import SqliteStore
from runtime.books import costs_given, export
from runtime.domain.books import Timeline
from runtime.domain.exporting import Exporting, Request, Told
from runtime.domain.ledger import Book, Entry, transfer
from runtime.domain.lots import Method
from runtime.domain.money import parse_decimal
from runtime.errors import Abort, BadInput, EngineError, StateUnreadable
from runtime.ports import Changes, Store
from runtime.results import profits
from tests.domain.test_beancount_text import balances_of
from tests.domain.test_tax_formats import COLUMNS, sums
from tests.support.bookkeeping import amounts, at, interest, opened, rows, summed, together, traded
from tests.support.emulator import firestore_account, firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.operators import lose_state, start
from tests.support.restless_books import held_by_the_exchange, random_account
from tests.support.stores import take
from tests.support.worlds import Scene, scene

D = Decimal
SEEDS, HOURS = (1, 2, 3), 40


@dataclass
class Paper:
    """Takes what is written; what an exception interrupted is gone."""

    text: str = ""
    openings: int = 0

    @contextmanager
    def __call__(self) -> Iterator[Callable[[str], object]]:
        lines: list[str] = []
        self.openings += 1
        yield lines.append
        self.text = "".join(lines)


def exported(store: Store, **request: Any) -> tuple[Told, str]:
    paper = Paper()
    told = export(store, Request("main", **request), paper)
    return told, paper.text


def table(store: Store, name: str, **request: Any) -> list[dict[str, str]]:
    return rows(exported(store, table=name, **request)[1])


@pytest.fixture(scope="module", params=SEEDS)
def busy(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """An account after many random hours."""
    with random_account(request.param, HOURS) as s:
        yield s


class TestEqualsTheExchange:
    def test_trades_fees_earn_and_flows_sum_to_the_exchanges_own_books(self, busy: Scene) -> None:
        trades = table(busy.store, "trades")
        cash = {"USDT": sum((D(row["usdt"]) for row in trades), D(0))}
        others = (summed(table(busy.store, name), "quantity", "asset") for name in ("fees", "earn", "flows"))
        assert together(cash, summed(trades, "quantity", "asset"), *others) == held_by_the_exchange(busy)
        assert len(trades) > HOURS / 2

    @pytest.mark.parametrize("form", sorted(COLUMNS))
    def test_every_tax_format_sums_to_the_exchanges_own_books(self, busy: Scene, form: str) -> None:
        told, text = exported(busy.store, form=form)
        assert sums(form, rows(text)) == held_by_the_exchange(busy) == told.after
        assert told.before == {}

    @pytest.mark.parametrize("method", Method)
    def test_beancount_itself_finds_no_error_and_the_exchanges_balances(self, busy: Scene, method: Method) -> None:
        text = exported(busy.store, form="beancount", method=method)[1]
        directives, errors, _ = loader.load_string(text)
        assert errors == []
        held = balances_of(directives)
        for asset in busy.exchange.venue.books.balances:
            whole = busy.exchange.venue.books.free(asset) + busy.exchange.venue.books.locked(asset)
            assert held.get(("Assets:Binance:Spot", asset), D(0)) == whole
        (earn,) = busy.exchange.venue.positions()
        assert held["Assets:Binance:Earn", "USDT"] == earn.amount

    @pytest.mark.parametrize("method", Method)
    def test_lots_hold_what_the_exchange_holds_and_gains_account_for_what_left(
        self, busy: Scene, method: Method
    ) -> None:
        lots = summed(table(busy.store, "lots", method=method), "quantity", "asset")
        coins = {asset: amount for asset, amount in held_by_the_exchange(busy).items() if asset != "USDT"}
        assert lots == coins
        gains, years = table(busy.store, "gains", method=method), table(busy.store, "years", method=method)
        assert summed(gains, "gain_usdt", "asset") == summed(years, "gain_usdt", "asset")
        assert summed(gains, "quantity", "asset") == summed(years, "quantity", "asset")
        assert not [row for row in gains if row["basis"] == "missing"]

    def test_days_put_together_are_the_whole(self, busy: Scene) -> None:
        whole = table(busy.store, "journal")
        days = sorted({row["time_utc"][:10] for row in whole})
        parts = [table(busy.store, "journal", first=date.fromisoformat(d), last=date.fromisoformat(d)) for d in days]
        assert len(days) > 1
        assert [row for part in parts for row in part] == whole

    def test_a_day_begins_with_what_the_day_before_ended_with(self, busy: Scene) -> None:
        first = exported(busy.store, last=date(2026, 3, 15))[0]
        second = exported(busy.store, first=date(2026, 3, 16))[0]
        assert first.after == second.before
        assert second.after == held_by_the_exchange(busy)


def test_books_outlive_a_state_that_was_lost_and_rebuilt() -> None:
    """As on Firestore, where the ledger and the hours are documents of their own: the difference is one event."""
    with random_account(5, 30) as s:
        before = s.store
        (old,) = profits(before, ["all"], None, Method.FIFO)
        lose_state(s)
        start(s, "rebuild")
        for day in before.ledger_days():
            s.store.commit(take(s.store, "copy"), Changes(s.state, entries=tuple(before.entries(day)), release=True))
        for hour in before.cycles(99):
            s.store.commit(take(s.store, "copy"), Changes(s.state, cycle=hour, release=True))
        s.next()
        s.next()
        assert s.differences() == {}
        for form in ("generic", "cointracking"):
            told, text = exported(s.store, form=form)
            assert sums(form, rows(text)) == held_by_the_exchange(s) == told.after
        directives, errors, _ = loader.load_string(exported(s.store, form="beancount")[1])
        assert errors == []
        assert directives
        (new,) = profits(s.store, ["all"], None, Method.FIFO)
        assert (old.result.restarts, new.result.restarts) == (0, 1)
        assert old.result.time_weighted is not None
        assert new.result.time_weighted is not None
        assert abs(old.result.time_weighted - new.result.time_weighted) < 0.05
        assert new.result.start == old.result.start


@pytest.mark.emulator
def test_the_same_account_on_any_store_is_exported_alike(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    host = request.getfixturevalue("firestore_emulator")
    account = firestore_account(host)
    with random_account(4, 8) as s:
        local = SqliteStore(tmp_path / "s.sqlite", s.clock)
        for store in (local, account.open()):
            _copied(s.store, store)
        texts = {exported(store, form=form)[1] for store in (s.store, local, account.open()) for form in ("generic",)}
        assert len(texts) == 1
        assert len({exported(store, form="beancount")[1] for store in (s.store, local, account.open())}) == 1
        local.close()
    account.close()


def _copied(source: Store, target: Store) -> None:
    """What one store holds of the books, in another."""
    state = source.load().state
    assert state is not None
    held = take(target)
    for day in source.ledger_days():
        for entry in source.entries(day):
            held = target.commit(held, Changes(state, entries=(entry,)))


class TestRefusals:
    def test_books_that_do_not_add_up_are_refused_and_nothing_is_written(self) -> None:
        with scene() as s:
            s.hour()
            now_ms = s.clock.now_ms() + 1
            lost = Entry(
                "x", "2026-03-15T09Z", now_ms, "deposit", transfer(Book.FLOWS, Book.SPOT, "USDT", D("0.00000001"))
            )
            s.store.commit(take(s.store, "me"), Changes(s.state, entries=(lost,), release=True))
            paper = Paper()
            with pytest.raises(EngineError, match=r"do not add up \(spot USDT: .* in the entries, .* in the state\)"):
                export(s.store, Request("main"), paper)
            assert paper.text == ""

    def test_without_a_state_there_is_nothing_to_export(self) -> None:
        with scene() as s, pytest.raises(Abort, match="init"):
            exported(s.store)

    def test_too_many_lines_are_refused_and_nothing_is_written(self) -> None:
        with scene() as s:
            s.hour()
            paper = Paper()
            with pytest.raises(BadInput, match=r"--rows-max: 3 .* fewer"):
                export(s.store, Request("main", rows_max=3), paper)
            assert (paper.text, paper.openings) == ("", 1)

    def test_a_range_that_ends_before_it_begins_is_refused(self) -> None:
        with scene() as s, pytest.raises(BadInput, match="--to"):
            exported(s.store, first=date(2026, 2, 1), last=date(2026, 1, 1))

    def test_an_entry_of_newer_code_is_refused_with_its_day(self) -> None:
        with scene() as s:
            s.hour()
            odd = Entry("x", "2026-03-15T09Z", 0, "futures", ())
            s.store.commit(take(s.store, "me"), Changes(s.state, entries=(odd,), release=True))
            with pytest.raises(StateUnreadable, match="'futures' – is not known to this code"):
                exported(s.store)

    @pytest.mark.parametrize("text", ["BTC", "=3", "BTC=x", "BTC=-1", "BTC=NaN", "BTC="])
    def test_a_cost_that_is_none_is_refused_by_its_name(self, text: str) -> None:
        with pytest.raises(BadInput, match="--cost"):
            costs_given([text], parse_decimal)

    def test_costs_are_given_by_asset(self) -> None:
        assert costs_given(["btc=30000", "BNB=250.5"], parse_decimal) == amounts(BTC="30000", BNB="250.5")


@dataclass
class Moving:
    """A store into which an hour writes while its books are read, so many times."""

    real: Store
    times: int
    readings: int = field(default=0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def ledger_days(self) -> Sequence[str]:
        days = self.real.ledger_days()
        if self.readings < self.times:
            loaded = self.real.load()
            assert loaded.state is not None
            posted = Entry(
                f"n{self.readings}",
                "2026-03-15T10Z",
                loaded.read_ms + 1,
                "interest",
                transfer(Book.INCOME, Book.EARN, "USDT", D(1)),
            )
            state = replace(loaded.state, ledger=loaded.state.ledger.posted((posted,)))
            self.real.commit(take(self.real, "hour"), Changes(state, entries=(posted,), release=True))
        self.readings += 1
        return days


class TestWhileHoursWrite:
    def test_an_hour_that_writes_in_between_starts_the_reading_over(self) -> None:
        with scene() as s:
            s.hour()
            store: Any = Moving(s.store, times=1)
            told, text = exported(store, table="earn")
            assert store.readings == 2
            assert told.after == {a: x for a, x in _owned(s).items() if x}
            assert len(rows(text)) == 1

    def test_books_that_never_rest_are_refused(self) -> None:
        with scene() as s:
            s.hour()
            store: Any = Moving(s.store, times=99)
            with pytest.raises(Abort, match="moved while they were read"):
                exported(store)


def _owned(s: Scene) -> dict[str, Decimal]:
    ledger = s.state.ledger
    assets = {asset for book in (Book.SPOT, Book.EARN, Book.RESERVED) for asset in ledger.assets(book)}
    return {asset: ledger.owned(asset) + ledger.of(Book.RESERVED, asset) for asset in assets}


class TestOlderLedgers:
    def test_entries_of_an_older_version_are_read_and_what_they_lack_is_said(self, tmp_path: Path) -> None:
        """They had no prices: a fee in BNB then has no value, and the gain of it is not made up."""
        with scene(store=None) as s:
            store = SqliteStore(tmp_path / "s.sqlite", s.clock)
            s.store = store
            s.exchange.events.deposit("BNB", D(1))
            s.hour()
            s.next(24)
            told = exported(store, table="gains")[0]
            assert told.sold_without_gain.keys() <= {"BNB"}
            with store._transaction() as raw:
                raw.execute("UPDATE document SET body = json_remove(body, '$.prices') WHERE kind = 'entry'")
            fees = [row for row in table(store, "fees") if row["asset"] == "BNB" and row["pair"] != "BNBUSDT"]
            gains = table(store, "gains", given=amounts(BNB="100"))
            assert fees
            assert {row["value_usdt"] for row in fees} == {""}
            assert {row["gain_usdt"] for row in gains if row["how"] == "fee"} == {""}
            assert exported(store, given=amounts(BNB="100"))[0].sold_without_gain["BNB"] > 0
            store.close()

    def test_a_broken_entry_is_one_message_that_names_its_day(self, tmp_path: Path) -> None:
        with scene() as s:
            s.store = store = SqliteStore(tmp_path / "s.sqlite", s.clock)
            s.hour()
            with store._transaction() as raw:
                raw.execute("UPDATE document SET body = replace(body, 'spot', 'vault') WHERE kind = 'entry'")
            with pytest.raises(StateUnreadable, match=r"ledger: postings.*an entry of 2026-03-15: restore"):
                exported(store)
            store.close()


def test_half_a_year_of_trading_every_hour_needs_no_more_memory_than_a_month() -> None:
    """8,640 entries, what is bought is sold an hour later: only the window and the open lots are in memory."""

    def day(number: int) -> list[Entry]:
        made = [opened(at(0), USDT="100000")] if number == 0 else []
        for hour in range(24):
            made.append(interest(at(number, hour * 60 + 1), "0.01"))
            quantity, cash = ("0.1", "-100") if hour % 2 == 0 else ("-0.1", "101")
            made.append(traded(at(number, hour * 60 + 2), "ETHUSDT", quantity, cash))
        return made

    def run(days: int) -> tuple[int, int]:
        timeline, exporting, lines = Timeline(), Exporting(Request("main", table="gains")), 0
        books, peak = timeline.balances, 0
        tracemalloc.start()
        for number in range(days + 1):
            label = date(2026, 3, 1).toordinal() + number
            events = timeline.booked(str(date.fromordinal(label)), day(number)) if number < days else timeline.rest()
            for event in events:
                lines += sum(1 for _ in exporting.event(event, books))
                books = timeline.balances
            peak = max(peak, tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        return lines, peak

    began = time.monotonic()
    short, long = run(30), run(180)
    assert long[0] == 180 * 12 + 1
    assert long[1] < short[1] * 1.3 + 100_000
    assert time.monotonic() - began < 60
