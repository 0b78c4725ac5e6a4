"""History is the live hour: the same with sinks that keep everything, and blind to whatever comes after the hour."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters.candles import read_candles
from runtime.adapters.files import FolderReportSink
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.past_pools import fixed_pool
from runtime.backtest import run_history
from runtime.domain.candle_columns import CandleColumns, CandleQuery
from runtime.domain.decision import Decision, ExecutionPool
from runtime.domain.history import History
from runtime.domain.history_plan import HistoryPlan
from runtime.domain.market import Snapshot
from runtime.domain.report_text import render_text
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import DAY_MS, HOUR_MS, date_at, slot_start_ms
from runtime.domain.state import State
from runtime.domain.texts import Language
from runtime.domain.track import Track
from runtime.wiring_past import PastAccount, past_of
from strategies import REGISTRY
from tests.support.klines import FOLDER
from tests.support.pasts import BEGIN_MS, PAIRS, a_past, columns_of, past_settings, rows_of, with_hours

WARM_DAYS = 210
PLAN = HistoryPlan(BEGIN_MS + WARM_DAYS * DAY_MS, BEGIN_MS + (WARM_DAYS + 5) * DAY_MS)
STRATEGY = REGISTRY["crypto_live_pool_rotation"]


class Noting:
    """The strategy, with every decision it made."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []

    def __call__(self, snapshot: Snapshot, state: State, pool: ExecutionPool, settings: StrategySettings) -> Decision:
        self.decisions.append(STRATEGY(snapshot, state, pool, settings))
        return self.decisions[-1]


def run(history: History, plan: HistoryPlan, folder: Path | None = None) -> tuple[Track, list[Decision], PastAccount]:
    """A run, with `folder` on an exchange with weather and meter and sinks that keep report and tape of every hour."""
    account = past_of(past_settings(), history, plan)
    noting = Noting()
    account.strategy = noting
    if folder is not None:
        venue = account._exchange.venue
        exchange = SimulatedExchange(account._market, account._clock, venue.conditions, venue.books)
        account.world = replace(
            account.world,
            market=exchange,
            exchange=exchange,
            reports=FolderReportSink(folder),
            render=lambda report: render_text(report, Language.EN),
            told=True,
            highest=None,
            days=None,
        )
    return run_history(account, plan), noting.decisions, account


def assert_same(history: History, plan: HistoryPlan, folder: Path) -> None:
    quiet, decided, account = run(history, plan)
    told, decided_too, account_too = run(history, plan, folder)
    assert decided == decided_too
    assert account.state is not None
    assert account.state.costs
    assert account.state == account_too.state
    assert account.store.journal() == account_too.store.journal()
    for day in account.store.ledger_days():
        assert account.store.entries(day) == account_too.store.entries(day)
    assert quiet == told
    assert quiet.trades
    assert len(list((folder / "tapes").iterdir())) == len(quiet)


def test_made_up_hours_are_the_same_with_sinks_that_keep_everything(tmp_path: Path) -> None:
    assert_same(a_past((WARM_DAYS + 6) * 24), PLAN, tmp_path)


def test_real_hours_are_the_same_with_sinks_that_keep_everything(tmp_path: Path) -> None:
    if not (FOLDER / "1h").is_dir():
        pytest.skip("no real candles beside this checkout")
    start_ms = slot_start_ms("2021-02-01T00Z")
    plan = HistoryPlan(start_ms, start_ms + 5 * DAY_MS)
    symbols = ("BTCUSDT", "BNBUSDT", *PAIRS)
    candles = read_candles(FOLDER, CandleQuery(plan.start_ms, plan.end_ms, symbols))
    pools = fixed_pool(PAIRS, (date_at(plan.start_ms), date_at(plan.end_ms)))
    assert_same(History(candles, pools), plan, tmp_path)


def altered(hours: CandleColumns, after_ms: int, factor: float) -> CandleColumns:
    """The hours with everything changed that nobody knows at `after_ms`: of the hour in progress all but its open, and
    each later hour as a whole.
    """
    now = after_ms - after_ms % HOUR_MS
    rows = [
        (
            opened,
            price if opened <= now else price * factor,
            *(value * (factor if opened >= now else 1) for value in rest),
        )
        for opened, price, *rest in rows_of(hours)
    ]
    return columns_of(hours.symbol, rows)


@pytest.mark.parametrize("factor", [0.5, 1.9])
@pytest.mark.parametrize("hour", [0, 23, 24, 57])
def test_nothing_after_an_hour_changes_a_decision_up_to_it(hour: int, factor: float) -> None:
    history = a_past((WARM_DAYS + 6) * 24)
    moment_ms = PLAN.start_ms + hour * HOUR_MS
    changed = {symbol: altered(hours, moment_ms, factor) for symbol, hours in history.candles.hourly.items()}
    _, decided, _ = run(history, PLAN)
    _, decided_otherwise, _ = run(with_hours(history, changed), PLAN)
    assert decided[: hour + 1] == decided_otherwise[: hour + 1]
    assert decided[hour + 1 :] != decided_otherwise[hour + 1 :]


WALK = HistoryPlan(BEGIN_MS + 220 * DAY_MS - 4 * HOUR_MS, BEGIN_MS + 221 * DAY_MS)


@cache
def quiet_walk() -> tuple[History, list[Decision]]:
    """A day and four hours in which pairs are entered, and what is decided in them."""
    history = a_past(222 * 24)
    return history, run(history, WALK)[1]


def reshaped(hours: CandleColumns, now_ms: int, dice: random.Random) -> CandleColumns:
    """The hours with a future of its own: at random other prices, other volumes, or no candle at all."""
    rows = []
    for opened, *values in rows_of(hours):
        if opened < now_ms:
            rows.append((opened, *values))
            continue
        price, *rest = values
        known = price if opened == now_ms else price * dice.uniform(0.2, 5)
        high, low = known * dice.uniform(1, 3), known * dice.uniform(0.3, 1)
        made = (opened, known, high, low, dice.uniform(low, high), dice.uniform(0, 9), rest[-1] * dice.uniform(0, 9))
        if opened == now_ms or dice.random() > 0.1:
            rows.append(made)
    return columns_of(hours.symbol, rows)


@hypothesis.settings(max_examples=20)
@given(st.integers(0, 26), st.integers(0, 2**32), st.booleans())
def test_no_future_whatever_it_is_reaches_a_decision_before_it(hour: int, seed: int, everything: bool) -> None:
    """Every candle after a random hour is altered, of all pairs or of some; nothing that was decided by then moves."""
    history, decided = quiet_walk()
    now_ms, dice = WALK.start_ms + hour * HOUR_MS, random.Random(seed)
    chosen = [symbol for symbol in history.candles.hourly if everything or dice.random() < 0.5]
    changed = {symbol: reshaped(history.candles.hourly[symbol], now_ms, dice) for symbol in chosen}
    _, decided_otherwise, _ = run(with_hours(history, changed), replace(WALK, end_ms=now_ms + 2 * HOUR_MS))
    assert decided_otherwise[: hour + 1] == decided[: hour + 1]
