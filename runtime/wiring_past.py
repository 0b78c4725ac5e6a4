"""Wiring of the past: a history, settings and a plan become an account that `backtest.run_history` can run.

The world is the paper world in memory: the simulated exchange and its matching rules over the columns of a history, the
memory store, sinks that keep nothing. What a live hour has beside it and this one has not: local pool files (the past
has only what was published), alerts that leave the process, and a BNB discount.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.concurrency import serial_gather
from runtime.adapters.console import ConsoleAlerter
from runtime.adapters.files import NullReportSink
from runtime.adapters.memory import MemoryStore
from runtime.adapters.run_folder import RunFolder
from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import Conditions, Costs, EarnTerms
from runtime.adapters.simulated.documents import read_object
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.past import PastMarket, PastPools
from runtime.adapters.simulated.past_files import fixed_pool, read_history, read_pools
from runtime.adapters.simulated.persistence import from_document, to_document
from runtime.backtest import Checkpoint, Progress, run_history
from runtime.config import Settings
from runtime.domain.control import Control
from runtime.domain.documents import decode, encode
from runtime.domain.history import DatedPool, History
from runtime.domain.history_plan import HistoryPlan
from runtime.domain.money import CASH, CORE
from runtime.domain.slots import DAY_MS, HOUR_MS, date_at, slot_at
from runtime.domain.state import decode_state, encode_state
from runtime.domain.texts import Language
from runtime.domain.track import Track
from runtime.errors import BadInput
from runtime.ports import DailyCache, World
from runtime.wiring import explain
from strategies import REGISTRY

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
        self.history_sha256 = history.digest()
        self._clock = SimulatedClock(plan.start_ms)
        span = (plan.start_ms, plan.end_ms)
        self._market = PastMarket(history.candles, self._clock, span, history.instruments)
        costs = Costs(fee=plan.fee, slippage_bps=plan.slippage * BPS)
        conditions = Conditions(costs=costs, earn=EarnTerms(apr={CASH: plan.earn_apr}))
        self._exchange = SimulatedExchange(self._market, self._clock, conditions, books)
        self.store = MemoryStore(self._clock, settings.account)
        self.world = World(
            clock=self._clock,
            pools=(PastPools(history.pools, self._clock),),
            market=self._exchange,
            exchange=self._exchange,
            store=self.store,
            reports=NullReportSink(),
            alerter=ConsoleAlerter(lambda _: None, Language(settings.language)),
            gather=serial_gather,
            owner="history",
            render=lambda _: "",
            explain=explain,
        )

    def enter(self, now_ms: int) -> bool:
        """Move the clock; whether the exchange is open in that hour."""
        self._clock.set(now_ms)
        return self._market.open_at(now_ms)

    def deposit(self, amount: Decimal) -> None:
        """USDT arrives, with a record."""
        self._exchange.events.deposit(CASH, amount)

    def saved(self) -> Mapping[str, Any]:
        """Store and exchange as JSON values."""
        state = self.store.load().state
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
    core = history.candles.get(CORE + CASH)
    if core is None:
        raise BadInput("history", ", ".join(sorted(history.candles)), f"must hold {CORE + CASH}: it is the regime")
    first, end = core.hours.open_ms[0], core.hours.open_ms[-1] + HOUR_MS
    if not first <= plan.start_ms < plan.end_ms <= end:
        asked = f"{date_at(plan.start_ms)} to {date_at(plan.end_ms)}"
        raise BadInput(
            "range", asked, f"must lie within the candles of {CORE + CASH}: {date_at(first)} to {date_at(end)}"
        )


def run_folder(folder: Path) -> RunFolder:
    """Where one run is kept."""
    return RunFolder(folder)


def load_history(folder: Path, pools: str | None, span_ms: tuple[int, int]) -> History:
    """The history in a folder with its pools: `pools` is a folder of dated documents, one document or a list of pairs
    (both stand unchanged, published anew each month), or None for the folder's own.
    """
    history = read_history(folder)
    return replace(history, pools=_pools(folder, pools, span_ms))


def _pools(folder: Path, pools: str | None, span_ms: tuple[int, int]) -> tuple[DatedPool, ...]:
    if pools is not None and not Path(pools).exists():
        symbols = [name.strip().upper() for name in pools.split(",") if name.strip()]
        if all(name.endswith(CASH) for name in symbols):
            return _fixed(symbols, span_ms)
        raise BadInput("--pools", pools, "must be a folder, a document, or pairs such as ETHUSDT,SOLUSDT")
    place = Path(pools) if pools is not None else folder
    if place.is_dir():
        with suppress(BadInput):
            return read_pools(place)
        place /= "pool.json"
    if not place.exists():
        raise BadInput("--pools", str(place), "does not exist: name a folder of dated pools, a document, or pairs")
    listed = read_object(place).get("symbols")
    if not isinstance(listed, list | dict) or not all(isinstance(name, str) for name in listed):
        raise BadInput(f"{place} symbols", listed, "must be a list of pairs")
    return _fixed(list(listed), span_ms)


def _fixed(symbols: list[str], span_ms: tuple[int, int]) -> tuple[DatedPool, ...]:
    return fixed_pool(symbols, (date_at(span_ms[0]), date_at(span_ms[1] + DAY_MS)))
