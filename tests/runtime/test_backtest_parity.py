"""History against the live wiring: the same random hours, decided, sent and booked alike, over HTTP and in process.

The live side is what trades real money: the real client library over sockets, retries, threads, a tape and a report of
each hour. Only what answers at the other end is simulated. `PARITY_EXAMPLES=500` in the environment runs many more.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters.binance.client import Connection, Credentials, Hosts
from runtime.adapters.binance.exchange import BinanceExchange
from runtime.adapters.binance.market import BinanceMarket
from runtime.adapters.concurrency import ThreadGather
from runtime.adapters.simulated import wire
from runtime.adapters.simulated.conditions import Fault, Script
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.server import SimulatedServer
from runtime.backtest import run_history
from runtime.domain.decision import Decision, ExecutionPool
from runtime.domain.documents import encode
from runtime.domain.history import History
from runtime.domain.history_plan import Deposits, HistoryPlan
from runtime.domain.market import Snapshot
from runtime.domain.money import plain
from runtime.domain.report_text import render_text
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import DAY_MS, HOUR_MS
from runtime.domain.state import State
from runtime.domain.texts import Language
from runtime.domain.track import Track
from runtime.wiring_past import PastAccount, past_of
from strategies import REGISTRY
from tests.support.pasts import BEGIN_MS, a_past, columns_of, hours_of, past_settings, rows_of, unbilled, with_hours
from tests.support.worlds import KEY, PRICES, SECRET, Messenger, Shelf

pytestmark = pytest.mark.slow
STRATEGY = REGISTRY["crypto_live_pool_rotation"]
WARM_DAYS, HOURS = 220, 10
EXAMPLES = int(os.environ.get("PARITY_EXAMPLES", "10"))
START_MS = BEGIN_MS + WARM_DAYS * DAY_MS - 4 * HOUR_MS


@dataclass(frozen=True)
class Hours:
    """Hours to be run twice: a walk, money that arrives, and faults that retries get over."""

    seed: int
    drift: float
    swing: float
    deposit: int
    fault: str
    cheap: bool


hours = st.builds(
    Hours,
    seed=st.integers(0, 2**32),
    drift=st.sampled_from([-0.02, 0.0, 0.004]),
    swing=st.sampled_from([0.002, 0.02, 0.06]),
    deposit=st.sampled_from([0, 500]),
    fault=st.sampled_from(["", "busy", "late"]),
    cheap=st.booleans(),
)


@cache
def base(*, cheap: bool) -> History:
    """The time before, made once: bitcoin is `cheap` and bought each day, or a pair rises beyond it and is entered."""
    count = (WARM_DAYS + 1) * 24
    made = a_past(count)
    return with_hours(made, {"BTCUSDT": hours_of("BTCUSDT", count, drift=-0.0003)}) if cheap else made


def walked(asked: Hours) -> History:
    """The time before, and then a walk of its own for each pair."""
    changed = {}
    for symbol, known in base(cheap=asked.cheap).candles.hourly.items():
        dice = random.Random(f"{asked.seed} {symbol}")
        rows = [row for row in rows_of(known) if row[0] < START_MS]
        price = rows[-1][4]
        for at in range(48):
            opened, price = round(price, 4), price * math.exp(dice.gauss(asked.drift, asked.swing))
            closed = round(price, 4)
            high, low = round(max(opened, closed) * 1.001, 4), round(min(opened, closed) * 0.999, 4)
            rows.append((START_MS + at * HOUR_MS, opened, high, low, closed, 1000.0, closed * 1000))
        changed[symbol] = columns_of(
            symbol, [row for row in rows if row[0] < base(cheap=asked.cheap).candles.query.end_ms]
        )
    return with_hours(base(cheap=asked.cheap), changed)


class Noting:
    """The strategy, with every decision it made."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []

    def __call__(self, snapshot: Snapshot, state: State, pool: ExecutionPool, settings: StrategySettings) -> Decision:
        self.decisions.append(STRATEGY(snapshot, state, pool, settings))
        return self.decisions[-1]


@contextmanager
def live(account: PastAccount, fault: str) -> Iterator[None]:
    """Let the account live: python-binance over HTTP, threads, and sinks that keep every report and tape."""
    venue, clock = account._exchange.venue, account._clock
    acts = {"busy": Fault(status=503, code=-1001, message="busy"), "late": Fault(delay_out_ms=40)}
    script = Script({PRICES: {1: acts[fault]}, "GET /api/v3/account": {2: acts[fault]}}) if fault else Script()
    exchange = SimulatedExchange(account._market, clock, replace(venue.conditions, faults=script), venue.books)
    with SimulatedServer(exchange, wire.Credentials(KEY, SECRET)) as server:
        connection = Connection(clock, Credentials(KEY, SECRET), Hosts(server.url, server.url, server.url))
        gather = ThreadGather(4)
        account.world = replace(
            account.world,
            market=BinanceMarket(connection),
            exchange=BinanceExchange(connection),
            reports=Shelf(),
            alerter=Messenger(),
            gather=gather,
            render=lambda report: render_text(report, Language.EN),
            told=True,
            highest=None,
        )
        try:
            yield
        finally:
            gather.close()
            connection.session.close_connection()


def run(history: History, plan: HistoryPlan, fault: str | None) -> tuple[Track, list[Decision], PastAccount]:
    """The hours in process (`fault` None), or live."""
    account, noting = past_of(past_settings(STRATEGY_PARAM_ATR_MULTIPLE="0.5"), history, plan), Noting()
    account.strategy = noting
    if fault is None:
        return run_history(account, plan), noting.decisions, account
    with live(account, fault):
        return run_history(account, plan), noting.decisions, account


def books(account: PastAccount, track: Track) -> str:
    """All that an account holds afterwards: journal, ledger, orders at the exchange, state, trades. Amounts are
    written without the zeros at their end, which JSON over HTTP brings along.
    """
    store = account.store
    entries = [entry for day in store.ledger_days() for entry in store.entries(day)]
    orders = [row for rows in account._exchange.venue.books.orders.values() for row in rows]
    held = encode([store.journal(), entries, unbilled(account.state), track.trades])
    text = json.dumps([held, sorted(row.client_id for row in orders)], sort_keys=True)
    return re.sub(r'"(-?\d+\.\d+)"', lambda amount: f'"{plain(Decimal(amount[1]))}"', text)


def by_the_hour(found: str) -> str:
    """The same with the hour of every moment alone: a retry waits some seconds."""
    return re.sub(r"\b1\d{12}\b", lambda moment: str(int(moment[0]) // HOUR_MS), found)


@hypothesis.settings(max_examples=EXAMPLES, phases=[hypothesis.Phase.generate])
@given(hours)
def test_random_hours_are_decided_sent_and_booked_alike_live_and_in_history(asked: Hours) -> None:
    deposits = Deposits(Decimal(asked.deposit), 9) if asked.deposit else None
    plan = HistoryPlan(START_MS, START_MS + HOURS * HOUR_MS, slippage=Decimal("0.0005"), deposits=deposits)
    history = walked(asked)
    track, decided, past = run(history, plan, None)
    lived, decided_live, account = run(history, plan, asked.fault)
    assert len(decided) == HOURS
    assert decided == decided_live
    assert track.columns == lived.columns
    assert track.ledger == lived.ledger
    found, found_live = books(past, track), books(account, lived)
    if asked.fault:
        assert by_the_hour(found) == by_the_hour(found_live)
    else:
        assert found == found_live
        assert track == lived
