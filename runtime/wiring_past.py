"""Wiring of the past: a history, settings and a plan become an account that `backtest.run_history` can run.

The world is the paper world in memory: the simulated exchange and its matching rules over the columns of a history, the
memory store, sinks that keep nothing. What a live hour has beside it and this one has not: local pool files (the past
has only what was published), alerts that leave the process, and a BNB discount.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from runtime.adapters.candles import CandleArchive, read_candles, symbols_in
from runtime.adapters.clock import SimulatedClock, SystemClock
from runtime.adapters.concurrency import serial_gather
from runtime.adapters.console import NullAlerter
from runtime.adapters.files import NullReportSink
from runtime.adapters.memory import MemoryStore
from runtime.adapters.run_folder import RunFolder
from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import Conditions, Costs, EarnTerms
from runtime.adapters.simulated.listing import listed
from runtime.adapters.simulated.past import PastMarket
from runtime.adapters.simulated.past_exchange import PastExchange
from runtime.adapters.simulated.past_pools import PastPools, read_pools
from runtime.adapters.simulated.persistence import from_document, to_document
from runtime.backtest import Checkpoint, Progress, run_history
from runtime.calm import Calm
from runtime.domain.candle_columns import CandleQuery
from runtime.domain.control import Control
from runtime.domain.documents import decode, encode
from runtime.domain.history import History
from runtime.domain.history_plan import HistoryPlan
from runtime.domain.money import CASH, CORE, FUEL
from runtime.domain.recording import Worth
from runtime.domain.report import Report
from runtime.domain.slots import date_at, slot_at
from runtime.domain.state import State, decode_state, encode_state
from runtime.domain.track import Track
from runtime.download import Download, Step
from runtime.errors import BadInput
from runtime.hour import Hour
from runtime.ports import DailyCache, World
from runtime.run_settings import Settings
from runtime.wiring import explain
from strategies import REGISTRY, STEADY

RECORDS_MAX = 1000
BPS = Decimal(10_000)


def simulate(
    settings: Settings,
    history: History,
    plan: HistoryPlan,
    on_progress: Callable[[Progress], object] | None = None,
    resume_from: Checkpoint | None = None,
) -> Track:
    """The track of one run: the whole of it in one call, a pure function of its first three arguments."""
    return run_history(past_of(settings, history, plan, resume_from), plan, on_progress, resume_from)


class PastAccount:
    """A `backtest.Past`: an account on the simulated exchange of a history."""

    def __init__(self, settings: Settings, history: History, plan: HistoryPlan, books: Books) -> None:
        """Nothing is stored yet; `books` are what the exchange knows of the account."""
        self.settings, self.strategy = settings, REGISTRY[settings.profile]
        self._calm = Calm(STEADY[settings.profile])
        self.history_sha256 = history.digest()
        self._clock = SimulatedClock(plan.start_ms)
        self._market = PastMarket(history.candles, self._clock, history.instruments)
        costs = Costs(fee=plan.fee, slippage_bps=plan.slippage * BPS)
        conditions = Conditions(costs=costs, earn=EarnTerms(apr={CASH: plan.earn_apr}))
        self._exchange = PastExchange(self._market, self._clock, conditions, books)
        self.store = MemoryStore(self._clock, settings.account, records_max=RECORDS_MAX)
        self.world = World(
            clock=self._clock,
            pools=(PastPools(history.pools, self._clock),),
            market=self._exchange,
            exchange=self._exchange,
            store=self.store,
            reports=NullReportSink(),
            alerter=NullAlerter(),
            gather=serial_gather,
            owner="history",
            render=lambda _: "",
            explain=explain,
            told=False,
            highest=self._market.highest,
            days=self._market.days,
            coming=self._market.coming,
        )

    @property
    def state(self) -> State | None:
        """The state as the last hour left it."""
        self._calm.settle()
        return self.store.state

    def enter(self, now_ms: int) -> bool:
        """Move the clock; whether the exchange is open in that hour."""
        self._clock.set(now_ms)
        return self._market.open_at(now_ms)

    def calm_hours(self, until_ms: int) -> Sequence[Worth]:
        """What this hour and those after it saw, if they are calm; a world that is told of its hours has none."""
        return () if self.world.told else self._calm.hours(self.settings, self.strategy, self.world, until_ms)

    def done(self, hour: Hour, report: Report) -> None:
        """See an hour that ran in full."""
        self._calm.keep(hour, report)

    def deposit(self, amount: Decimal) -> None:
        """USDT arrives, with a record."""
        self._exchange.events.deposit(CASH, amount)

    def saved(self) -> Mapping[str, Any]:
        """Store and exchange as JSON values."""
        state = self.state
        return {
            "state": encode_state(state) if state is not None else None,
            "cache": encode(self.store.cache()),
            "control": encode(self.store.control()),
            "books": to_document(self._exchange.venue.books),
        }

    def put_back(self, kept: Mapping[str, Any]) -> None:
        """Let the store hold what `saved` gave."""
        state = decode_state(kept["state"]) if kept["state"] is not None else None
        self.store.put_back(state, decode(DailyCache, kept["cache"], "checkpoint cache"))
        self.store.set_control(decode(Control, kept["control"], "checkpoint control"))


def past_of(
    settings: Settings, history: History, plan: HistoryPlan, resume_from: Checkpoint | None = None
) -> PastAccount:
    """The account of a plan at its start, or as a checkpoint left it; `BadInput` where the history is too short."""
    _check_span(history, plan)
    if resume_from is None:
        return PastAccount(settings, history, plan, Books.opened({CASH: plan.capital}))
    account = PastAccount(settings, history, plan, from_document(resume_from.past["books"], "checkpoint books"))
    account.put_back(resume_from.past)
    return account


def _check_span(history: History, plan: HistoryPlan) -> None:
    query = history.candles.query
    if not query.start_ms <= plan.start_ms < plan.end_ms <= query.end_ms:
        spans = ((plan.start_ms, plan.end_ms), (query.start_ms, query.end_ms))
        asked, known = (f"{slot_at(first)} to {slot_at(end)}" for first, end in spans)
        raise BadInput("range", asked, f"must lie within what was read of the candles: {known}")


def wired_download(folder: Path, market_data: str, tell: Callable[[Step], object]) -> Download:
    """A download of Binance's candles into a folder; `market_data` is the origin that is asked."""
    # Here, so that a history run never pays for Binance's client.
    from runtime.adapters.binance.client import Connection, Hosts  # noqa: PLC0415
    from runtime.adapters.binance.klines import BinanceKlines  # noqa: PLC0415

    clock = SystemClock()
    connection = Connection(clock, hosts=Hosts(market=market_data))
    return Download(BinanceKlines(connection), CandleArchive(folder), clock, tell)


def run_folder(folder: Path) -> RunFolder:
    """Where one run is kept."""
    return RunFolder(folder)


def load_history(folder: Path, query: CandleQuery, pools: str | None, cache: Path | None = None) -> History:
    """The history in a folder of candles, with the pools that `read_pools` finds; its filters, if it brings any.

    `cache` is where parsed candles are kept for the next run, if anywhere.
    Without `query.symbols`, what is read is what the run can touch: bitcoin, BNB, and every pair of the pools that the
    folder has.
    """
    span = (date_at(query.start_ms), date_at(query.end_ms))
    known = read_pools(pools, folder, span)
    if query.symbols is None:
        named = {CORE + CASH, FUEL + CASH, *(symbol for pool in known for symbol in pool.document.get("symbols") or ())}
        query = replace(query, symbols=tuple(sorted(named & symbols_in(folder))))
    info = folder / "exchangeInfo.json"
    return History(read_candles(folder, query, cache), known, listed(info) if info.exists() else {})
