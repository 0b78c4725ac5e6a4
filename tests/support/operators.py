"""What an operator works with: a world outside of any hour, and an account whose state document is lost."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from decimal import Decimal

from runtime.adapters.binance.client import Connection, Credentials, Hosts
from runtime.adapters.binance.exchange import BinanceExchange
from runtime.adapters.binance.market import BinanceMarket
from runtime.adapters.clock import SimulatedClock
from runtime.adapters.concurrency import serial_gather
from runtime.adapters.memory import MemoryStore
from runtime.adapters.simulated.books import Draft
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.markets import EMBEDDED, FolderMarket, FolderPoolSource
from runtime.config import parse_settings
from runtime.domain.decision import Decision, ExecutionPool
from runtime.domain.market import Snapshot
from runtime.domain.orders import Intent, Kind, Leg, Side, Sleeve, client_id
from runtime.domain.report_text import render_text
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import slot_at
from runtime.domain.state import State
from runtime.domain.texts import Language
from runtime.operations import start_account
from runtime.ports import Changes, Exchange, MarketData, World
from runtime.run_settings import Settings
from runtime.wiring import explain
from tests.support.worlds import KEY, SECRET, Scene

QUANTITY = Decimal("0.01")
_owners = itertools.count(1)


@contextmanager
def operators_world(scene: Scene) -> Iterator[World]:
    """The world of one command at the scene's account; over HTTP where the scene is."""
    with ExitStack() as closing:
        market: MarketData = scene.exchange
        exchange: Exchange = scene.exchange
        if scene.url:
            connection = Connection(scene.clock, Credentials(KEY, SECRET), Hosts(scene.url, scene.url, scene.url))
            closing.callback(connection.session.close_connection)
            market, exchange = BinanceMarket(connection), BinanceExchange(connection)
        world = World(
            clock=scene.clock,
            pools=(scene.pool,),
            market=market,
            exchange=exchange,
            store=scene.store,
            reports=scene.reports,
            alerter=scene.messenger,
            gather=serial_gather,
            owner=f"operator-{next(_owners)}",
            render=lambda report: render_text(report, Language.EN),
            explain=explain,
        )
        yield scene.wrap(world)


def settings_of(scene: Scene, **overrides: object) -> Settings:
    """The settings of a command."""
    return parse_settings(scene.environment, overrides)


def start(scene: Scene, first_run: str) -> State:
    """`init` (fresh) or `rebuild`."""
    with operators_world(scene) as world:
        return start_account(settings_of(scene, first_run=first_run), world)


def lose_state(scene: Scene) -> State:
    """Give the account an empty store; returns what the lost one held."""
    lost = scene.state
    scene.store = MemoryStore(scene.clock, copy=True)
    return lost


def fork(scene: Scene) -> Scene:
    """The same account in a world of its own from here on: exchange, clock and state are copies."""
    clock = SimulatedClock(scene.clock.now_ms())
    books = copy.deepcopy(scene.exchange.venue.books)
    exchange = SimulatedExchange(FolderMarket(EMBEDDED, clock), clock, scene.exchange.venue.conditions, books)
    exchange.venue.orders.statuses = dict(scene.exchange.venue.orders.statuses)
    twin = Scene(clock, exchange, MemoryStore(clock, copy=True), FolderPoolSource(EMBEDDED, clock, "embedded"))
    twin.environment = dict(scene.environment)
    loaded = scene.store.load()
    if loaded.state is not None:
        put_state(twin, loaded.state)
    return twin


def put_state(scene: Scene, state: State) -> None:
    """Store a state as a run would have left it."""
    held = scene.store.take_lease(scene.store.load(), "before", "", 420)
    scene.store.commit(held, Changes(state, release=True))


def left_open(s: Scene, *, sent: bool, age_ms: int = 0) -> Intent:
    """An hour that died after its write-ahead, with the order at the exchange or not; `age_ms` after that the clock."""
    slot = slot_at(s.clock.now_ms())
    now_ms = s.clock.now_ms()
    intent = Intent(
        id=client_id("main", slot, Leg(Sleeve.TREND, "ETHUSDT", Side.BUY), 7),
        slot=slot, kind=Kind.ORDER, sleeve=Sleeve.TREND, symbol="ETHUSDT", side=Side.BUY, quantity=QUANTITY,
        reason="entry", recorded_ms=now_ms, send_before_ms=now_ms + 234_000,
    )  # fmt: skip
    held = s.store.take_lease(s.store.load(), "dead", slot, 420)
    state = replace(s.state, intents=(*s.state.intents, intent))
    s.store.commit(held, Changes(state, intents=(intent,)))
    if sent:
        s.exchange.venue.place(Draft("ETHUSDT", Side.BUY, intent.id, QUANTITY))
    s.clock.sleep(age_ms / 1000)
    return intent


def keep_decisions(scene: Scene) -> list[Decision]:
    """The decisions of the scene's hours from now on."""
    kept: list[Decision] = []
    real = scene.strategy

    def decide(snapshot: Snapshot, state: State, pool: ExecutionPool, settings: StrategySettings) -> Decision:
        kept.append(real(snapshot, state, pool, settings))
        return kept[-1]

    scene.strategy = decide
    return kept
