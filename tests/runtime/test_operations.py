"""What an operator does between hours: it is judged first, written once, and never races an hour."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from decimal import Decimal
from typing import cast

import pytest

from runtime.adapters.simulated.conditions import KeyTerms
from runtime.domain.control import Control, Mode
from runtime.domain.ledger import Book
from runtime.domain.money import CASH
from runtime.domain.orders import Intent, Kind, Side, Sleeve, Status
from runtime.domain.report import CycleStatus
from runtime.domain.state import State
from runtime.errors import Abort, BadInput, LeaseLost
from runtime.operations import accept_account, accept_drift, adopt, key_fits, open_intents, set_control, settle_by_hand
from runtime.records import Records
from tests.support.operators import left_open, operators_world, put_state, settings_of, start
from tests.support.worlds import ACCOUNT, CLOCK, DOWN, FIRST, Scene, scene

D = Decimal
RICH = {"USDT": "9000", "ETH": "2", "BTC": "0.05", "NOSUCH": "7"}


def rich(at: str = FIRST) -> AbstractContextManager[Scene]:
    """An account that holds coins already."""
    return scene(at=at, USDT=RICH["USDT"], ETH=RICH["ETH"], BTC=RICH["BTC"], NOSUCH=RICH["NOSUCH"])


@pytest.fixture
def s() -> Iterator[Scene]:
    """An account with reserved coins, after its first hour."""
    with rich() as opened:
        opened.hour()
        yield opened


def run_adopt(s: Scene, asset: str, amount: str) -> State:
    with operators_world(s) as world:
        return adopt(world, asset, D(amount))


class TestStart:
    def test_a_second_init_is_refused_and_changes_nothing(self, s: Scene) -> None:
        before = s.store.load()
        for first_run in ("fresh", "rebuild"):
            with pytest.raises(Abort, match="already"):
                start(s, first_run)
        assert s.store.load() == before

    def test_what_was_there_is_reserved_counts_for_nothing_and_is_never_sold(self) -> None:
        with rich("2026-03-16T00Z") as s:
            state = start(s, "fresh")
            assert state.ledger.assets(Book.RESERVED) == {name: D(RICH[name]) for name in ("ETH", "BTC", "NOSUCH")}
            assert s.store.load().state == state
            report = s.hour()
            assert report.equity is not None
            assert abs(report.equity.total - 9000) < 20
            for _ in range(110):
                s.next()
            books = s.exchange.venue.books
            assert any(row.side is Side.SELL for row in books.orders["ETHUSDT"])
            assert s.state.ledger.assets(Book.RESERVED) == state.ledger.assets(Book.RESERVED)
            assert books.free("ETH") >= 2

    def test_it_waits_for_no_hour_and_takes_no_lease_from_one(self) -> None:
        with scene() as s:
            s.store.take_lease(s.store.load(), "an hour", "2026-03-15T09Z", 420)
            with pytest.raises(LeaseLost):
                start(s, "fresh")
            assert not s.state.initialised_ms


class TestAdopt:
    @pytest.mark.parametrize(("asset", "symbol"), [("ETH", "ETHUSDT"), ("BTC", "BTCUSDT")])
    def test_an_adopted_coin_is_managed_at_its_price_and_no_profit(self, s: Scene, asset: str, symbol: str) -> None:
        """Neither of the account nor of the sleeve, this hour and the next, and no loss either."""
        before, price = s.state, s.exchange.prices()[symbol]
        held = before.positions[symbol]
        amount = D(RICH[asset])
        after = run_adopt(s, asset, RICH[asset])
        assert s.store.load().state == after
        assert after.ledger.owned(asset) - before.ledger.owned(asset) == amount
        assert not after.ledger.of(Book.RESERVED, asset)
        assert s.store.entries("2026-03-15")[-1].prices == {asset: price}
        joined = after.positions[symbol]
        assert (joined.quantity - held.quantity, joined.cost - held.cost) == (amount, amount * price)
        index = after.performance.index
        report = s.hour()
        assert report.status is CycleStatus.SLOT_DONE
        s.next()
        assert abs(s.state.performance.index / index - 1) < D("0.02")
        assert not s.state.memory.breaker.trips
        decision = s.next().decision
        assert decision is not None
        assert abs(D(decision.returns["sleeve_return"])) < D("0.02")
        assert not s.state.drift
        assert not s.differences()

    def test_the_price_moves_on_after_the_adoption_as_with_any_holding(self, s: Scene) -> None:
        entry = next(e for e in s.store.entries("2026-03-15") if e.kind == "opening")
        run_adopt(s, "ETH", "2")
        kinds = [e.kind for e in s.store.entries("2026-03-15")]
        assert (kinds.count("adopt"), entry.kind) == (1, "opening")
        assert "ETHUSDT" in s.state.positions

    def test_a_coin_adopted_beside_dust_opens_a_new_holding(self, s: Scene) -> None:
        """Or its trailing high would begin with the old one."""
        s.clock.sleep(7200)
        state = s.state
        assert state.day is not None
        put_state(s, replace(state, day=replace(state.day, done=())))
        now_ms = s.clock.now_ms()
        assert run_adopt(s, "ETH", "1").positions["ETHUSDT"].opened_ms == now_ms
        put_state(s, state)
        assert run_adopt(s, "ETH", "1").positions["ETHUSDT"].opened_ms == state.positions["ETHUSDT"].opened_ms

    @pytest.mark.parametrize(
        ("asset", "amount", "named"),
        [
            ("ETH", "0", "amount"),
            ("ETH", "-1", "amount"),
            ("ETH", "2.00000001", "amount"),
            ("SOL", "1", "asset"),
            ("USDT", "1", "asset"),
            ("NOSUCH", "1", "asset"),
        ],
    )
    def test_what_cannot_be_adopted_is_refused_and_keeps_no_lease(
        self, s: Scene, asset: str, amount: str, named: str
    ) -> None:
        before = s.store.load()
        with pytest.raises(BadInput) as caught:
            run_adopt(s, asset, amount)
        assert caught.value.field == named
        assert s.store.load() == before
        assert s.next().status is CycleStatus.DONE

    def test_without_a_state_there_is_nothing_to_adopt_into(self) -> None:
        with scene(ETH="2", USDT="100") as s, pytest.raises(Abort, match="init"):
            run_adopt(s, "ETH", "1")

    def test_while_an_hour_runs_nothing_changes(self, s: Scene) -> None:
        s.store.take_lease(s.store.load(), "an hour", "2026-03-15T10Z", 420)
        before = s.store.load()
        with pytest.raises(LeaseLost):
            run_adopt(s, "ETH", "1")
        assert s.store.load() == before


class TestControl:
    def test_it_is_set_shown_and_expires(self, s: Scene) -> None:
        with operators_world(s) as world:
            control = set_control(world, Mode.REDUCE_ONLY, "me", "news", 90)
            assert s.store.control() == control
            now_ms = s.clock.now_ms()
            ends_ms = now_ms + 90 * 60_000
            assert control == Control(Mode.REDUCE_ONLY, "me", now_ms, "news", ends_ms)
            assert [control.at(ms) for ms in (ends_ms - 1, ends_ms)] == [Mode.REDUCE_ONLY, Mode.RUN]

    @pytest.mark.parametrize(("why", "minutes", "named"), [("", None, "why"), (" ", 5, "why"), ("so", 0, "minutes")])
    def test_it_says_why_and_has_a_future(self, s: Scene, why: str, minutes: int | None, named: str) -> None:
        with operators_world(s) as world, pytest.raises(BadInput) as caught:
            set_control(world, Mode.HALT, "me", why, minutes)
        assert caught.value.field == named
        assert s.store.control() == Control()

    def test_the_switch_works_while_the_exchange_does_not_answer(self, s: Scene) -> None:
        s.faults({CLOCK: DOWN, ACCOUNT: DOWN})
        with operators_world(s) as world:
            set_control(world, Mode.HALT, "me", "fire", None)
        assert s.store.control().mode is Mode.HALT

    def test_it_takes_effect_at_the_next_batch_of_an_hour_that_runs(self) -> None:
        """Set from elsewhere right after the first batch, the sales, was written down: the purchases stay at home."""
        with scene() as s:
            s.faults()
            sent: list[str] = []

            with operators_world(s) as elsewhere:
                real = s.exchange.venue.save

                def after_a_change(books: object) -> None:
                    del books
                    if not sent and s.exchange.venue.books.orders:
                        sent.extend(s.orders())
                        set_control(elsewhere, Mode.HALT, "me", "now", None)
                        s.clock.sleep(3)

                s.exchange.venue.save = after_a_change
                report = s.hour()
                s.exchange.venue.save = real
            assert len(sent) == 1
            assert s.orders() == sent
            assert any(gate.name == "not_sent" and "halt" in gate.numbers["why"] for gate in report.gates)


class TestSettleByHand:
    def unknown(self, s: Scene, kind: Kind = Kind.ORDER, **before: str) -> Intent:
        now_ms = s.clock.now_ms()
        intent = Intent(
            id="bp-lost", slot=s.state.slot_done, kind=kind, sleeve=Sleeve.TREND if kind is Kind.ORDER else Sleeve.CASH,
            symbol="ETHUSDT" if kind is Kind.ORDER else CASH, side=Side.BUY, quantity=D(5), reason="entry",
            recorded_ms=now_ms, send_before_ms=now_ms, status=Status.UNKNOWN, before=before,
        )  # fmt: skip
        put_state(s, replace(s.state, intents=(*s.state.intents, intent)))
        return intent

    def test_an_unknown_order_is_closed_on_the_operators_word_and_the_word_is_kept(self, s: Scene) -> None:
        intent = self.unknown(s)
        with operators_world(s) as world:
            assert list(open_intents(world)) == [intent]
            closed = settle_by_hand(world, "bp-lost", "me", "not in the order list of the app")
        assert closed.status is Status.ABSENT
        assert closed.detail == "settled by me: not in the order list of the app"
        assert [i for i in s.store.journal() if i.id == "bp-lost"] == [closed]
        assert not s.state.open_intents
        assert s.next().status is CycleStatus.DONE

    def test_an_earn_move_that_never_arrived_goes_back_to_where_it_came_from(self, s: Scene) -> None:
        self.unknown(s, Kind.SUBSCRIBE, move_id="1", in_transit="1")
        state = s.state
        totals = {**state.ledger.totals, Book.TRANSIT: {CASH: D(5)}}
        put_state(s, replace(state, ledger=replace(state.ledger, totals=totals)))
        spot = state.ledger.of(Book.SPOT, CASH)
        with operators_world(s) as world:
            settle_by_hand(world, "bp-lost", "me", "failed, says support")
        assert s.state.ledger.of(Book.SPOT, CASH) == spot + 5
        assert not s.state.ledger.assets(Book.TRANSIT)

    @pytest.mark.parametrize(("name", "why", "named"), [("bp-lost", " ", "why"), ("bp-none", "so", "order")])
    def test_without_a_reason_or_an_open_intent_nothing_is_settled(
        self, s: Scene, name: str, why: str, named: str
    ) -> None:
        self.unknown(s)
        before = s.store.load()
        with operators_world(s) as world, pytest.raises(BadInput) as caught:
            settle_by_hand(world, name, "me", why)
        assert caught.value.field == named
        assert s.store.load() == before

    def test_while_an_hour_runs_nothing_is_settled(self, s: Scene) -> None:
        self.unknown(s)
        s.store.take_lease(s.store.load(), "an hour", "2026-03-15T10Z", 420)
        before = s.store.load()
        with operators_world(s) as world, pytest.raises(LeaseLost):
            settle_by_hand(world, "bp-lost", "me", "so")
        assert s.store.load() == before


class TestAcceptDrift:
    def test_what_the_operator_explains_stops_buys_no_longer_and_is_no_profit(self) -> None:
        """An airdrop of USDT that no record shows: it is outside money, and the books still balance."""
        with scene() as s:
            s.hour()
            s.exchange.events.grant(CASH, D(100))
            stopped = s.next()
            assert s.state.drift == {CASH: D(100)}
            assert "drift" in {gate.name for gate in stopped.gates}
            index = s.state.performance.index
            with operators_world(s) as world:
                after = accept_drift(world, CASH, "anna", "airdrop of 15 March")
            assert after.drift == {}
            assert after.ledger.of(Book.UNEXPLAINED, CASH) == 0
            assert after.performance.index == index
            entry = next(e for e in s.store.entries("2026-03-15") if e.kind == "drift_accepted")
            assert entry.reference == "anna: airdrop of 15 March"
            assert "drift" not in {gate.name for gate in s.next().gates}
            assert s.differences() == {}

    @pytest.mark.parametrize(("asset", "why", "named"), [("ETH", "it is mine", "USDT"), (CASH, " ", "why")])
    def test_only_open_drift_and_only_with_a_reason(self, asset: str, why: str, named: str) -> None:
        """The refusal names what is open, or the reason that is missing, and changes nothing."""
        with scene() as s:
            s.hour()
            s.exchange.events.grant(CASH, D(100))
            s.next()
            before = s.state
            with operators_world(s) as world, pytest.raises(BadInput, match=named):
                accept_drift(world, asset, "anna", why)
            assert s.state == before


class TestAcceptAccount:
    """An account that takes the place of another: on the operator's word alone, with the reason kept."""

    def test_the_account_that_the_operator_names_takes_its_place_and_what_differs_is_drift(self) -> None:
        with scene() as s:
            s.hour()
            s.weather(key=KeyTerms(uid=2))
            s.exchange.events.grant(CASH, D(100))
            with operators_world(s) as world:
                assert key_fits(world) == "another"
                after = accept_account(settings_of(s), world, "anna", "moved to the company's account")
                assert key_fits(world) == "the same"
            assert s.state == after
            assert s.next().exit_code == 0
            assert s.state.drift == {CASH: D(100)}
            (event,) = [e for e in cast("Records", s.store).audit(10) if e.kind == "account_accepted"]
            assert (event.actor, event.facts["why"]) == ("anna", "moved to the company's account")

    @pytest.mark.parametrize(("uid", "why", "named"), [(1, "so", "account"), (None, "so", "account"), (2, " ", "why")])
    def test_only_another_account_and_only_with_a_reason(self, s: Scene, uid: int | None, why: str, named: str) -> None:
        s.weather(key=KeyTerms(uid=uid))
        before = s.store.load()
        with operators_world(s) as world, pytest.raises(BadInput) as caught:
            accept_account(settings_of(s), world, "anna", why)
        assert caught.value.field == named
        assert s.store.load() == before

    def test_while_an_order_is_open_only_its_own_account_can_tell_its_end(self, s: Scene) -> None:
        left_open(s, sent=True, age_ms=500_000)
        before = s.store.load()
        s.weather(key=KeyTerms(uid=2))
        with operators_world(s) as world, pytest.raises(Abort, match="orders --settle"):
            accept_account(settings_of(s), world, "anna", "so")
        assert s.store.load() == before

    def test_a_state_or_an_account_that_does_not_tell_is_unknown(self, s: Scene) -> None:
        s.weather(key=KeyTerms(uid=None))
        with operators_world(s) as world:
            assert key_fits(world) == "unknown"


def test_a_changed_control_is_told_once_by_the_next_hour() -> None:
    """Who, what and why; the hour after it says nothing more."""
    with scene() as s:
        s.hour()
        with operators_world(s) as world:
            set_control(world, Mode.REDUCE_ONLY, "anna", "holidays", None)
        s.next()
        told = [alert for alert in s.messenger.taken if alert.kind == "control_changed"]
        assert [dict(alert.facts) for alert in told] == [{"control": "reduce_only", "who": "anna", "why": "holidays"}]
        s.next()
        assert s.messenger.kinds().count("control_changed") == 1
