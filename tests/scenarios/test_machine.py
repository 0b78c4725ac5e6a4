"""Any story an account may live through, told by hypothesis: hours, mishaps, bad weather, money from outside, controls.

The market stands still, so equity may only melt by fees and grow by interest: every jump of the return index is a flow
that was not seen as one. After each hour the exchange's books and ours are audited; at the end of each story the sky
clears, and everything must be settled to the last unit.

What moves with a record is at least 10 units, what moves without one is less than 1: of two flows of one asset that
arrive between two looks, only their sum can be seen, and a story must not ask for more than can be known.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.memory import MemoryStore
from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import Conditions
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.sqlite import SqliteStore
from runtime.cycle import run_cycle
from runtime.domain.control import Control, Mode
from runtime.domain.market import Facts
from runtime.domain.money import ZERO
from runtime.domain.orders import Side
from runtime.domain.report import CycleStatus, Report
from runtime.domain.slots import DAY_MS, HOUR_MS, MINUTE_MS, date_at, slot_at
from runtime.ports import Store, World
from tests.support import hours
from tests.support.audit import Records, at_any_moment, open_intents, own_orders, records, unexplained, when_settled
from tests.support.hours import WRITES, Killed, Mishap, Place, Upstream
from tests.support.markets import TableMarket
from tests.support.restless import restless
from tests.support.shop import NOW_MS, PRICES
from tests.support.skies import CALM, FAULTS, PLACES, WEATHER, with_faults

POOLS = (("ETHUSDT", "XRPUSDT"), ("XRPUSDT", "DOGEUSDT"), ("DOGEUSDT", "ETHUSDT"))
ORDER = "POST /api/v3/order"
LEASE_OVER_S = 431
CALLS_MAX = 34
UNWATCHED_MS = 5 * DAY_MS

weathers = st.sampled_from(sorted(WEATHER))
faults = st.sampled_from(sorted(FAULTS))
moments = st.integers(1, CALLS_MAX)


@dataclass(frozen=True, slots=True)
class Sent:
    """What the exchange had of ours before an hour: client ids with effect, Earn moves, requests still on their way."""

    ids: set[str]
    moves: int
    late: int


class Account(RuleBasedStateMachine):
    """One account, and everything that may happen to it."""

    store: Store

    @initialize(on_disk=st.booleans())
    def opened(self, on_disk: bool) -> None:
        """An account with cash and one ETH that is the owner's own."""
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.clock = SimulatedClock(NOW_MS)
        self.market = TableMarket(self.clock, PRICES | {"XRPUSDT": "1.5"})
        books = Books.opened({"USDT": Decimal(10_000), "ETH": Decimal(1)})
        self.exchange = SimulatedExchange(self.market, self.clock, CALM, books)
        disk = SqliteStore(self.folder / "state.sqlite", self.clock) if on_disk else None
        self.store = disk or MemoryStore(self.clock, copy=True)
        self.pool = Upstream(*POOLS[0])
        self.place = Place(self.exchange, self.store, self.clock, self.pool, facts=Facts(None, {}))
        self.settings = hours.settings()
        self.reserved = {"ETH": Decimal(1)}
        self.given: dict[str, Decimal] = {}
        self.pending: dict[str, str] = {}
        self.settled_ms = NOW_MS
        self.index, self.income = Decimal(1), ZERO

    # --- hours --------------------------------------------------------------------------------------------------------

    @rule(weather=weathers)
    def hour(self, weather: str) -> None:
        """An hour in this weather."""
        self._run(self.place.world, WEATHER[weather])

    @rule()
    def hour_again(self) -> None:
        """The hour is dispatched once more, done or not."""
        self._run(self.place.world, CALM, again=True)

    @precondition(lambda self: self.clock.now_ms() - self.settled_ms < UNWATCHED_MS)
    @rule(ahead=st.sampled_from([1, 25]), skew_ms=st.sampled_from([3000, -3000, 4900, -7000, 7000]))
    def skewed_hour(self, ahead: int, skew_ms: int) -> None:
        """This machine's clock is wrong for an hour."""
        self.clock.sleep(ahead * 3600)
        self.skew_ms = skew_ms
        self._run(self.place.world, CALM, again=True)

    @rule(number=st.integers(0, 3), name=faults)
    def hour_with_a_lost_order(self, number: int, name: str) -> None:
        """An hour in which the n-th order (0 = every one) goes wrong on its way."""
        self._run(self.place.world, with_faults(CALM, [(ORDER, number, name)]))

    @rule(place=st.sampled_from(PLACES), number=st.integers(0, 2), name=faults, order=st.booleans())
    def hour_with_a_fault(self, place: str, number: int, name: str, order: bool) -> None:
        """An hour in which the n-th call of an endpoint goes wrong, and perhaps the first order is lost as well."""
        lost = [(ORDER, 1, "unanswered")] if order else []
        self._run(self.place.world, with_faults(CALM, [*lost, (place, number, name)]))

    @rule(at=moments, after=st.booleans(), weather=weathers)
    def killed_hour(self, at: int, after: bool, weather: str) -> None:
        """The process dies at its `at`-th call; its lease runs out before anybody comes back."""
        mishap = Mishap(at, hours.die, after=after)
        self._run(lambda: mishap.around(self.place.world()), WEATHER[weather])
        self.clock.sleep(LEASE_OVER_S)

    @rule(at=moments, after=st.booleans())
    def overlapped_hour(self, at: int, after: bool) -> None:
        """A second run starts in the middle; at most one of the two does the hour."""
        others: list[Report] = []
        mishap = Mishap(at, lambda _: others.append(self._cycle()), after=after)
        mine = self._run(lambda: mishap.around(self.place.world()), CALM)
        did = [r for r in (mine, *others) if r is not None and r.status is CycleStatus.DONE]
        assert len(did) <= 1, f"two runs did {did[0].slot}"

    @rule(at=moments, after=st.booleans())
    def sleeping_hour(self, at: int, after: bool) -> None:
        """The process stands still until its lease is over and another run has been; then it goes on."""

        def sleep(_: str) -> None:
            self.clock.sleep(LEASE_OVER_S)
            self._cycle()

        mishap = Mishap(at, sleep, after=after)
        self._run(lambda: mishap.around(self.place.world()), CALM)

    @rule(at=st.integers(1, 9), after=st.booleans())
    def hour_without_a_write(self, at: int, after: bool) -> None:
        """The store's `at`-th write fails, or succeeds and the answer is lost."""
        mishap = Mishap(at, hours.fail_store, after=after, only=WRITES)
        self._run(lambda: mishap.around(self.place.world()), CALM)
        self.clock.sleep(LEASE_OVER_S)

    @rule(at=moments, mode=st.sampled_from([Mode.HALT, Mode.REDUCE_ONLY]))
    def switched_hour(self, at: int, mode: Mode) -> None:
        """The operator turns the switch in the middle of an hour: what is checked after that obeys it."""
        mishap = Mishap(at, lambda _: self.store.set_control(Control(mode, "operator", self.clock.now_ms())))
        bought = len(self._bought())
        self._run(lambda: mishap.around(self.place.world()), CALM)
        later = mishap.calls[at - 1 :]
        told = later[later.index("check") :] if "check" in later else []
        sent = {"send_order", "send_earn"} & set(told)
        assert mode is not Mode.HALT or not sent, f"{sent} after the switch was read"
        if mode is Mode.REDUCE_ONLY and told and "send_order" not in mishap.calls[: at + later.index("check")]:
            assert len(self._bought()) == bought, "bought after the switch was read"

    @precondition(lambda self: self.clock.now_ms() - self.settled_ms < UNWATCHED_MS)
    @rule(ahead=st.sampled_from([1, 2, 25]))
    def later(self, ahead: int) -> None:
        """Hours pass in which nobody comes."""
        self.clock.sleep(ahead * 3600)

    skew_ms = 0

    # --- the outside world --------------------------------------------------------------------------------------------

    @rule(tens=st.integers(1, 100), asset=st.sampled_from(["USDT", "ETH"]))
    def deposit(self, tens: int, asset: str) -> None:
        """Money arrives with a record."""
        if self._recorded(asset):
            self.exchange.events.deposit(asset, Decimal(10 * tens))
            self._reserve(asset, Decimal(10 * tens))

    @rule(tens=st.integers(1, 100))
    def withdraw(self, tens: int) -> None:
        """Money leaves with a record."""
        if self.exchange.venue.books.free("USDT") >= 10 * tens and self._recorded("USDT"):
            self.exchange.events.withdraw("USDT", Decimal(10 * tens))

    @rule(tens=st.integers(1, 3))
    def bonus(self, tens: int) -> None:
        """Earn pays a bonus to spot."""
        if self._recorded("USDT"):
            self.exchange.events.pay_bonus("USDT", Decimal(10 * tens))
            self.income += 10 * tens

    @rule(side=st.sampled_from(Side))
    def manual_trade(self, side: Side) -> None:
        """The owner trades one of his own coins by hand."""
        quantity, books = Decimal("0.1"), self.exchange.venue.books
        if self.exchange.venue.orders.statuses.get("ETHUSDT", "TRADING") != "TRADING":
            return
        allowed = books.free("USDT") > 260 if side is Side.BUY else self.reserved["ETH"] >= quantity
        if allowed and self._recorded("ETH") and self._recorded("USDT"):
            order = self.exchange.events.manual_trade("ETHUSDT", side, quantity)
            fee = sum((f.commission for f in order.fills if f.commission_asset == "ETH"), ZERO)
            self._reserve("ETH", quantity - fee if side is Side.BUY else -quantity)

    @rule(cents=st.integers(-90, 90), asset=st.sampled_from(["USDT", "XRP"]))
    def unrecorded(self, cents: int, asset: str) -> None:
        """A balance changes and nobody says why; or what came so last time goes again."""
        amount = -self.given.get(asset, ZERO) or Decimal(cents) / 100
        owners = self.exchange.venue.books.free(asset) if asset == "USDT" else self._own(asset)
        if not amount or self.pending.get(asset) == "record" or not self._known() or owners + amount < 0:
            return
        self.exchange.events.grant(asset, amount)
        self.pending[asset] = "grant"
        self.given[asset] = self.given.get(asset, ZERO) + amount
        self._reserve(asset, amount)

    @rule(mode=st.sampled_from([Mode.RUN, Mode.RUN, *Mode, "unreadable"]))
    def control(self, mode: str) -> None:
        """The operator turns the switch, or somebody breaks it."""
        broken = mode == "unreadable"
        now_ms = self.clock.now_ms()
        self.store.set_control(Control(Mode.RUN if broken else Mode(mode), "operator", now_ms, unreadable=broken))

    @rule(
        symbol=st.sampled_from(["ETHUSDT", "XRPUSDT", "BTCUSDT"]),
        status=st.sampled_from(["BREAK", "TRADING", "TRADING"]),
    )
    def pair(self, symbol: str, status: str) -> None:
        """The exchange stops a pair, or lists it again."""
        self.exchange.events.halt(symbol, status)

    @rule(number=st.integers(-1, len(POOLS) - 1))
    def publish(self, number: int) -> None:
        """A new pool is published, or (-1) the publisher is down."""
        self.pool.symbols = None if number < 0 else POOLS[number]
        self.pool.day = date_at(self.clock.now_ms()).isoformat()

    # --- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def the_owners_coins_are_there(self) -> None:
        """What is not managed is never sold."""
        for asset, amount in self.reserved.items():
            held = self.exchange.venue.books.free(asset)
            assert held >= amount, f"{asset}: {held} left of {amount} that are the owner's"

    def teardown(self) -> None:
        """The sky clears: within a few hours everything is settled, and what was injected is what is unexplained."""
        if not hasattr(self, "place"):
            return
        try:
            self._clear()
            kept = self._kept()
            assert kept is not None
            self._settled(kept)
            injected = {asset: amount for asset, amount in self.given.items() if amount}
            assert unexplained(kept.state) == injected, f"unexplained {unexplained(kept.state)}, injected {injected}"
            assert dict(kept.state.drift) == injected, f"drift {kept.state.drift}, injected {injected}"
            self.the_owners_coins_are_there()
        finally:
            self.store.close()
            shutil.rmtree(self.folder)

    # --- how ----------------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        self.store.set_control(Control())
        self.exchange.venue.orders.statuses.clear()
        self.pool.symbols, self.skew_ms = POOLS[0], 0  # the clock has not gone back: an hour follows
        self.pool.day = date_at(self.clock.now_ms()).isoformat()
        for move in self.exchange.venue.earn._open:
            move.due_ms = move.due_ms or self.clock.now_ms()
        reports = []
        for _ in range(3):
            self.clock.sleep(3600)
            reports.append(self._run(self.place.world, CALM, again=True))
        assert [report.status for report in reports if report][-1:] == [CycleStatus.DONE], reports[-1]

    def _cycle(self) -> Report:
        return run_cycle(self.settings, restless, self.place.world())

    def _to_an_open_hour(self) -> None:
        """Move to the next hour if this one is done, or if this machine's clock spoiled it."""
        state = self.store.load().state
        if self.skew_ms or (state is not None and state.slot_done == slot_at(self.clock.now_ms())):
            self.clock.set(self.clock.now_ms() // HOUR_MS * HOUR_MS + HOUR_MS + MINUTE_MS)
            self.skew_ms = 0

    def _run(self, world: Callable[[], World], weather: Conditions, *, again: bool = False) -> Report | None:
        venue, books = self.exchange.venue, self.exchange.venue.books
        self.clock.sleep(1)
        if not again:
            self._to_an_open_hour()
        venue.conditions = replace(weather, skew_ms=self.skew_ms)
        before = Sent({row.client_id for row in own_orders(self.exchange)}, len(books.moves), len(books.late))
        minute, mode = venue.now_ms() // MINUTE_MS, self.store.control().at(venue.now_ms())
        try:
            report = run_cycle(self.settings, restless, world())
        except Killed:
            report = None
        venue.conditions = replace(CALM, skew_ms=self.skew_ms)
        if mode is self.store.control().at(venue.now_ms()):  # nobody turned the switch meanwhile
            self._sent_within(mode, before)
        self._audit(report if venue.now_ms() // MINUTE_MS == minute else None)
        return report

    def _sent_within(self, mode: Mode, before: Sent) -> None:
        """Nothing was sent that control forbids; what an earlier hour sent may still arrive."""
        if before.late:
            return
        new = [row for row in own_orders(self.exchange) if row.client_id not in before.ids]
        if mode is Mode.HALT:
            assert not new, f"sent under halt: {new}"
            assert len(self.exchange.venue.books.moves) == before.moves, "moved under halt"
        if mode is Mode.REDUCE_ONLY:
            bought = [row for row in new if row.side is Side.BUY and row.symbol != "BNBUSDT"]
            assert not bought, f"bought under reduce_only: {bought}"

    def _audit(self, report: Report | None) -> None:
        kept = self._kept()
        faults = at_any_moment(self.exchange, kept)
        assert faults == [], faults
        if kept is None:
            return
        change = kept.state.performance.index / self.index
        earned = self.income / (kept.state.performance.equity or Decimal(1))
        assert Decimal("0.98") < change < Decimal("1.0005") + 2 * earned, f"equity jumped: index x {change}"
        self.index = kept.state.performance.index
        whole = report is not None and kept.state.slot_done == slot_at(self.exchange.venue.now_ms())
        if whole and not open_intents(kept) and not self.exchange.venue.books.late and self._told(report):
            self._settled(kept)
            self.pending.clear()
            self.income = ZERO
            self.settled_ms = self.clock.now_ms()

    def _settled(self, kept: Records) -> None:
        faults = when_settled(self.exchange, kept)
        assert faults == [], faults

    @staticmethod
    def _told(report: Report | None) -> bool:
        """Whether the hour itself looked, and at everything; Earn grows by the minute, so a long one saw less."""
        done = report is not None and report.status in {CycleStatus.DONE, CycleStatus.FAILED_ORDERS}
        return done and report is not None and not report.error and not report.problems

    def _kept(self) -> Records | None:
        return records(self.store, date_at(NOW_MS), date_at(self.clock.now_ms() + HOUR_MS))

    def _known(self) -> bool:
        """Whether the account was opened: what came before that is its opening balance."""
        state = self.store.load().state
        return state is not None and state.initialised_ms > 0

    def _recorded(self, asset: str) -> bool:
        """Whether a flow with a record may happen now; notes it. No two things happen at one moment."""
        self.clock.sleep(1)
        if self.pending.get(asset) == "grant":
            return False
        self.pending[asset] = "record"
        return True

    def _bought(self) -> list[str]:
        """Purchases of ours with effect, fuel left out."""
        return [r.client_id for r in own_orders(self.exchange) if r.side is Side.BUY and r.symbol != "BNBUSDT"]

    def _own(self, asset: str) -> Decimal:
        return self.reserved.get(asset, ZERO)

    def _reserve(self, asset: str, amount: Decimal) -> None:
        """Coins that arrive are the owner's; what leaves by his hand were his."""
        if asset != "USDT":
            self.reserved[asset] = max(ZERO, self._own(asset) + amount)


TestAccount = pytest.mark.timeout(900)(Account.TestCase)  # a red one takes its time to shrink to a short story
TestAccount.settings = settings(max_examples=150, stateful_step_count=14)


def told(*steps: Callable[[Account], object]) -> None:
    """A story written down: what the machine once found, or must always find."""
    account = Account()
    account.opened(on_disk=False)
    account.hour("calm")
    for step in steps:
        step(account)
        account.the_owners_coins_are_there()
    account.teardown()


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_an_order_that_is_lost_in_any_way_is_settled_to_the_last_unit(name: str, number: int) -> None:
    told(lambda account: account.hour_with_a_lost_order(number, name))


@pytest.mark.parametrize("side", Side)
def test_a_manual_trade_while_earn_is_on_its_way_is_explained_once_that_arrives(side: Side) -> None:
    """Its coin is booked at once; its money cannot be judged before the move has arrived, and then is not off alone."""
    told(
        lambda account: account.hour("earn never"),
        lambda account: account.manual_trade(side),
        lambda account: account.hour("calm"),
    )


@pytest.mark.parametrize("at", range(9, 30))
@pytest.mark.parametrize("mode", [Mode.HALT, Mode.REDUCE_ONLY])
def test_a_switch_turned_at_any_call_of_an_hour_is_obeyed_from_the_next_look_at_it(at: int, mode: Mode) -> None:
    told(lambda account: account.switched_hour(at, mode))
