"""Calm hours: the short way, one hour or many at a time, leaves the very bytes that hours in full leave."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runtime.adapters.candles import read_candles
from runtime.adapters.simulated.past_pools import fixed_pool
from runtime.backtest import run_history
from runtime.domain.candle_columns import CandleQuery
from runtime.domain.changing import changed
from runtime.domain.control import Control, Mode
from runtime.domain.documents import state_text
from runtime.domain.history import History
from runtime.domain.history_plan import Deposits, HistoryPlan
from runtime.domain.planning import plan_buys
from runtime.domain.recording import Worth
from runtime.domain.report import Report
from runtime.domain.slots import DAY_MS, HOUR_MS, date_at, slot_at, slot_date, slot_start_ms
from runtime.domain.standing import Fresh, Standing
from runtime.domain.state import State
from runtime.domain.track import Track
from runtime.domain.valuation import values_of
from runtime.errors import Unavailable
from runtime.hour import Hour
from runtime.rest import gate_names
from runtime.wiring_past import PastAccount, past_of
from strategies import REGISTRY, STEADY
from strategies.btc_dca import cheapness
from strategies.indicators import decisive_facts
from tests.support.klines import FOLDER
from tests.support.pasts import BEGIN_MS, PAIRS, a_past, columns_of, past_settings, rows_of, with_hours

WARM_DAYS = 225  # bitcoin's regime needs 220: without it nothing of the trend sleeve would be held
DAYS = 6
START_MS = BEGIN_MS + WARM_DAYS * DAY_MS
PLAN = HistoryPlan(START_MS, START_MS + DAYS * DAY_MS, resume_days=1)
SETTINGS: tuple[dict[str, str], ...] = (
    {},
    {"STRATEGY_PARAM_BREAKER_VOL_MULTIPLE": "0"},
    {"STRATEGY_PARAM_BREAKER_VOL_MULTIPLE": "0", "STRATEGY_PARAM_BREAKER_LOSS": "0.01"},
    {"STRATEGY_PARAM_ACCOUNT_DAY_LOSS": "0.02", "STRATEGY_PARAM_ACCOUNT_DRAWDOWN": "0.05"},
    {"STRATEGY_PARAM_TOP_UP_RATIO": "0.01"},
    {"ENGINE_BUDGET_FEES": "1", "ENGINE_BUDGET_SLIPPAGE": "1"},
    {"STRATEGY_PARAM_FUEL_MIN": "15"},  # as much as is bought: its worth crosses the bound both ways
)


@dataclass
class Watched:
    """A run that somebody looked at: its track, the states that were seen by slot, and how many hours ran in full."""

    track: Track
    states: dict[str, State] = field(default_factory=dict)
    in_full: int = 0


def watched(history: History, plan: HistoryPlan, together: int, **named: str) -> Watched:
    """A run with every hour in full (0), or with the short way allowed to so many hours at a time."""
    account = Looked(past_of(past_settings(**named), history, plan), together)
    return Watched(run_history(account, plan), account.states, account.in_full)


class Looked:
    """An account in the past that somebody looks at whenever the clock is moved."""

    def __init__(self, account: PastAccount, together: int) -> None:
        self.settings, self.world, self.history_sha256 = account.settings, account.world, account.history_sha256
        self.strategy = account.strategy
        self.account, self.together, self.in_full = account, together, 0
        self.states: dict[str, State] = {}

    @property
    def state(self) -> State | None:
        return self.account.state

    def enter(self, now_ms: int) -> bool:
        if self.state is not None:
            self.states[self.state.slot_done] = self.state
        return self.account.enter(now_ms)

    def deposit(self, amount: Decimal) -> None:
        self.account.deposit(amount)

    def calm_hours(self, until_ms: int) -> Sequence[Worth]:
        at_most_ms = self.world.clock.now_ms() + self.together * HOUR_MS
        return self.account.calm_hours(min(until_ms, at_most_ms)) if self.together else ()

    def done(self, hour: Hour, report: Report) -> None:
        self.in_full += 1
        self.account.done(hour, report)

    def saved(self) -> Mapping[str, Any]:
        return self.account.saved()


def assert_same(history: History, plan: HistoryPlan, together: int = 5, **named: str) -> tuple[Watched, Watched]:
    """Every hour in full, the short way one hour at a time, so many of them, and left alone: all leave the same."""
    full, *short = (watched(history, plan, count, **named) for count in (0, 1, together, 24))
    assert short[0].states.keys() == full.states.keys()
    for one in short:
        for slot, state in one.states.items():
            assert state == full.states[slot], slot
            if slot.endswith(("T05Z", "T23Z")):
                assert state_text(state) == state_text(full.states[slot]), slot
        assert one.track == full.track
    assert run_history(past_of(past_settings(**named), history, plan), plan) == full.track
    return full, short[-1]


@pytest.fixture(scope="module")
def warm() -> History:
    return a_past((WARM_DAYS + DAYS + 1) * 24)


def weathered(history: History, seed: int, swing: float, drift: float, holes: int) -> History:
    """The history with other hours from the plan's start on: a walk of its own for each pair, all made of `seed`."""
    dice = random.Random(seed)
    changed = {}
    for symbol, hours in history.candles.hourly.items():
        rows = [row for row in rows_of(hours) if row[0] < START_MS]
        price, gone = rows[-1][4], dice.randrange(24, DAYS * 24)
        for hour in range((DAYS + 1) * 24):
            opened, price = round(price, 4), max(0.01, price * math.exp(dice.gauss(drift, swing)))
            closed = round(price, 4)
            row = (START_MS + hour * HOUR_MS, opened, max(opened, closed) * 1.001, min(opened, closed) * 0.999, closed)
            if symbol == "BTCUSDT" or not gone <= hour < gone + holes:
                rows.append((*row, 1000.0, closed * 1000.0))
        changed[symbol] = columns_of(symbol, rows)
    return with_hours(history, changed)


@given(
    seed=st.integers(0, 10**6),
    swing=st.sampled_from([0.002, 0.006, 0.012, 0.04]),
    drift=st.sampled_from([-0.002, 0.0, 0.002]),
    holes=st.sampled_from([0, 2, 5]),
    deposit=st.booleans(),
    together=st.integers(2, 23),
    named=st.sampled_from(SETTINGS),
)
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],  # an example is a week both ways: finding a smaller one takes minutes
)
def test_random_markets_leave_the_same_either_way(
    warm: History,
    seed: int,
    swing: float,
    drift: float,
    holes: int,
    together: int,
    *,
    deposit: bool,
    named: dict[str, str],
) -> None:
    plan = replace(PLAN, deposits=Deposits(Decimal(250), 1) if deposit else None)
    assert_same(weathered(warm, seed, swing, drift, holes), plan, together, **named)


@pytest.mark.parametrize("swing", [0.003, 0.02])
def test_made_up_days_leave_the_same_and_most_hours_take_the_short_way(warm: History, swing: float) -> None:
    full, short = assert_same(weathered(warm, 3, swing, 0.001, 0), PLAN)
    assert full.in_full == DAYS * 24
    assert short.in_full < DAYS * 24 / 3
    assert full.track.trades


@pytest.mark.parametrize(("usual", "factor"), [("dca_cash_low", 1.3), ("ahr999_high", 0.7)])
def test_an_answer_that_changes_for_an_hour_in_the_middle_of_a_calm_day_is_seen(
    warm: History, usual: str, factor: float
) -> None:
    """Bitcoin costs much more, or much less, for one hour only: its purchase is stopped by another gate."""
    still, jump_ms = weathered(warm, 3, 0.0005, 0.0, 0), START_MS + 37 * HOUR_MS
    rows = rows_of(still.candles.hourly["BTCUSDT"])
    jumped = [
        (at, *(price * factor for price in row[:4]), *row[4:]) if at == jump_ms else (at, *row) for at, *row in rows
    ]
    history, known = with_hours(still, {"BTCUSDT": columns_of("BTCUSDT", jumped)}), past_settings()
    bound = 15.0 if factor > 1 else 10.0  # its AHR999 is 13; nothing can be bought, because its share is 0
    never = {"dca_bands": ((bound, 1),), "btc_ratio_base": Decimal(0), "btc_ratio_slope": Decimal(0)}
    settled = known.model_copy(update={"strategy": known.strategy.model_copy(update=never)})
    looked = [Looked(past_of(settled, history, PLAN), together) for together in (0, 24)]
    full, short = (run_history(account, PLAN) for account in looked)
    assert short == full
    assert looked[1].in_full < looked[0].in_full / 3
    gates = [set(full.columns.gate_sets[int(at)]) for at in full.column("gates")]
    assert [f"btc_core:{usual}" in names for names in gates].index(False) == 37


def test_real_hours_leave_the_same_and_most_take_the_short_way() -> None:
    if not (FOLDER / "1h").is_dir():
        pytest.skip("no real candles beside this checkout")
    start_ms = slot_start_ms("2021-05-10T00Z")  # a crash: stops, breaker, loss limits
    plan = HistoryPlan(start_ms, start_ms + 16 * DAY_MS, resume_days=3)
    candles = read_candles(FOLDER, CandleQuery(plan.start_ms, plan.end_ms, ("BTCUSDT", "BNBUSDT", *PAIRS)))
    pools = fixed_pool(PAIRS, (date_at(plan.start_ms), date_at(plan.end_ms)))
    full, short = assert_same(History(candles, pools), plan)
    assert short.in_full < full.in_full / 3
    assert {trade.reason for trade in full.track.trades} >= {"entry", "breaker", "trailing_stop"}


def test_a_strategy_that_says_nothing_of_itself_is_asked_every_hour(warm: History) -> None:
    account, asked = past_of(past_settings(), warm, PLAN), list[str]()
    decide = REGISTRY["crypto_live_pool_rotation"]

    def another(*given: object) -> object:
        asked.append("")
        return decide(*given)  # type: ignore[arg-type]

    account.strategy = another  # type: ignore[assignment]
    assert run_history(account, PLAN) == run_history(past_of(past_settings(), warm, PLAN), PLAN)
    assert len(asked) == DAYS * 24


def test_what_somebody_else_changes_between_two_hours_is_seen(warm: History) -> None:
    """A control that is set, and a deposit, end the row of calm hours; so does a state that others wrote."""
    account = past_of(past_settings(), warm, PLAN)
    run_history(account, replace(PLAN, end_ms=START_MS + 12 * HOUR_MS))
    at_ms = START_MS + 12 * HOUR_MS + HOUR_MS // 4

    account.enter(at_ms)
    assert len(account.calm_hours(at_ms + 1)) == 1, "nothing has changed"
    account.enter(at_ms + HOUR_MS)
    account.store.set_control(Control(Mode.HALT, "me", at_ms))
    assert not account.calm_hours(PLAN.end_ms)


def test_a_control_that_expires_in_the_middle_of_a_day_ends_a_row_of_calm_hours(warm: History) -> None:
    ends_ms = START_MS + 37 * HOUR_MS
    looked = [Looked(past_of(past_settings(), warm, PLAN), together) for together in (0, 24)]
    for account in looked:
        account.world.store.set_control(Control(Mode.REDUCE_ONLY, "me", START_MS, expires_ms=ends_ms))
    full, short = (run_history(account, PLAN) for account in looked)
    assert short == full
    assert next(trade.time_ms for trade in full.trades if trade.sleeve == "trend") // HOUR_MS == ends_ms // HOUR_MS


def test_an_hour_that_is_done_stays_done_where_those_after_it_cannot_be_seen(warm: History) -> None:
    looked = [Looked(past_of(past_settings(), warm, PLAN), together) for together in (0, 24)]
    now_ms, highest = looked[1].world.clock.now_ms, looked[1].world.highest
    assert highest is not None

    def seen(symbol: str, since_ms: int, at_ms: int) -> Decimal | None:
        if at_ms > now_ms():
            raise Unavailable("highs", "not yet")
        return highest(symbol, since_ms, at_ms)

    looked[1].world = looked[1].account.world = replace(looked[1].world, highest=seen)
    full, short = (run_history(account, PLAN) for account in looked)
    assert short == full
    assert full.trades
    assert looked[1].in_full < looked[0].in_full / 3


@pytest.fixture(scope="module")
def standings(warm: History) -> list[Standing]:
    """Hours at rest of several markets and settings, with coins held and without."""
    found: dict[int, Standing] = {}
    for at, named in enumerate(SETTINGS):
        account = past_of(past_settings(**named), weathered(warm, at, 0.006, 0.0, 0), PLAN)
        looked = Looked(account, 1)
        enter = looked.enter

        def entered(now_ms: int, enter: Callable[[int], bool] = enter, account: PastAccount = account) -> bool:
            rest = account._calm._rest
            if rest is not None:
                found[id(rest.standing)] = rest.standing
            return enter(now_ms)

        looked.enter = entered  # type: ignore[method-assign]
        run_history(looked, PLAN)
    return list(found.values())


def on_edge(standing: Standing) -> Standing:
    """The standing hour under settings whose bounds lie just below what it saw: a small fall crosses each of them."""
    snapshot, known = standing.snapshot, standing.settings
    values, btc = values_of(standing.wallet, snapshot.prices), decisive_facts(snapshot.daily, known).btc
    value = cheapness(snapshot.prices["BTCUSDT"], btc, known, slot_date(snapshot.slot)) or 1.0
    sleeve = [values[asset] for asset in standing.wallet.trend_assets]
    edged = known.model_copy(
        update={
            "dca_bands": ((value * 0.98, 1),),
            "fuel_min": values.get("BNB", Decimal(0)) * Decimal("0.98"),
            "trim_value_min": values.get("BTC", Decimal(0)) * Decimal("0.98"),
            "dust": min(sleeve, default=known.dust) * Decimal("0.98"),
            "price_jump_max": Decimal("0.05"),
        }
    )
    day = replace(standing.state.day, done=()) if standing.state.day else None
    state = replace(standing.state, day=day)
    decided = REGISTRY["crypto_live_pool_rotation"](snapshot, state, standing.pool, edged)
    return replace(standing, settings=edged, decision=decided, state=replace(state, memory=decided.memory))


@given(data=st.data())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_decision_that_is_said_to_stand_is_what_would_be_decided(
    standings: list[Standing], data: st.DataObject
) -> None:
    """Whatever the prices of the next hour are: the strategy's word on itself is `decide`'s own answer."""
    standing = data.draw(st.sampled_from(standings).map(on_edge) | st.sampled_from(standings))
    reach = data.draw(st.sampled_from([0.003, 0.03, 0.3]))
    factors = st.floats(1 - reach, 1 + reach).map(lambda factor: Decimal(f"{factor:.6f}"))
    moved = data.draw(st.sets(st.sampled_from(sorted(standing.snapshot.prices)), min_size=1))
    prices = {s: p * data.draw(factors) if s in moved else p for s, p in standing.snapshot.prices.items()}
    now_ms = standing.snapshot.now_ms + HOUR_MS
    if slot_at(now_ms)[:10] != standing.snapshot.slot[:10]:
        return
    fresh = Fresh(
        slot_at(now_ms),
        prices,
        standing.snapshot.prices,
        standing.snapshot.highs,
        values_of(standing.wallet, prices),
        standing.state.memory,
    )
    said = STEADY["crypto_live_pool_rotation"].memory(standing, fresh)
    if said is None:
        return
    snapshot = changed(standing.snapshot, slot=fresh.slot, now_ms=now_ms, priced_ms=now_ms, prices=prices)
    decided = REGISTRY["crypto_live_pool_rotation"](snapshot, standing.state, standing.pool, standing.settings)
    before = standing.decision
    assert decided.memory == said
    assert (decided.exits, decided.entries, decided.fuel, decided.earn) == ((), before.entries, False, before.earn)
    assert (decided.dca is None) is (before.dca is None)
    assert [(g.name, g.sleeve, g.symbol) for g in decided.gates] == [(g.name, g.sleeve, g.symbol) for g in before.gates]
    again = STEADY["crypto_live_pool_rotation"].decision(standing, fresh)
    same = {
        "slot",
        "equity",
        "btc_target_ratio",
        "btc_base_order",
        "order_caps",
        "buys_left",
        "prices",
        "dca",
        "targets",
    }
    assert {name: getattr(again, name) for name in same} == {name: getattr(decided, name) for name in same}
    idle = STEADY["crypto_live_pool_rotation"].idle(standing, fresh.values)
    if idle is not None:
        plan = plan_buys(decided, snapshot, standing.wallet, standing.settings)
        assert (plan.orders, gate_names(plan)) == ((), idle)


@given(data=st.data())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_said_at_the_lowest_and_the_highest_prices_is_said_at_any_between(
    standings: list[Standing], data: st.DataObject
) -> None:
    """And with stops that have risen less far."""
    standing = data.draw(st.sampled_from(standings).map(on_edge) | st.sampled_from(standings))
    reach, now_ms = data.draw(st.sampled_from([0.003, 0.03, 0.1])), standing.snapshot.now_ms
    shares = st.floats(0, 1).map(lambda share: Decimal(f"{share:.6f}"))
    known = standing.snapshot.prices
    low = {s: p * (1 - Decimal(str(reach)) * data.draw(shares)) for s, p in known.items()}
    high = {s: p * (1 + Decimal(str(reach)) * data.draw(shares)) for s, p in known.items()}
    between = {s: p + (high[s] - p) * data.draw(shares) for s, p in low.items()}
    highs = {s: max(p, high[s]) for s, p in standing.snapshot.highs.items()}
    lower = {s: p + (highs[s] - p) * data.draw(shares) for s, p in standing.snapshot.highs.items()}

    def said(prices: Mapping[str, Decimal], before: Mapping[str, Decimal], seen: Mapping[str, Decimal]) -> bool:
        values, memory = values_of(standing.wallet, prices), standing.state.memory
        fresh = Fresh(slot_at(now_ms), prices, before, seen, values, memory)
        return STEADY["crypto_live_pool_rotation"].memory(standing, fresh) is not None

    if said(low, high, highs) and said(high, low, highs):
        assert said(between, known, lower)
