"""Wiring: from settings to a world. The only importer of adapters and strategies.

A mode is a choice of adapters, made here once; nothing behind this asks which mode it is. Heavy clients are imported by
the mode that needs them, so a paper hour never pays for Google's or Binance's.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

from runtime.adapters.clock import SimulatedClock, SystemClock
from runtime.adapters.concurrency import serial_gather
from runtime.adapters.console import ConsoleAlerter
from runtime.adapters.dry_run import ProbedStore, ReadOnlyExchange, ReadOnlyStore, SilentAlerter
from runtime.adapters.files import TAPE_SUFFIX, FilePoolSource, FolderReportSink, read_tape
from runtime.adapters.witness import Teller, Witness
from runtime.auditing import run_of
from runtime.backup import Archive
from runtime.domain.api_key import digest
from runtime.domain.market import DailySeries, Facts, Snapshot
from runtime.domain.money import CASH, CORE
from runtime.domain.pool import Rung
from runtime.domain.report import Report
from runtime.domain.report_text import render_text
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import MINUTE_MS, parse_slot, slot_date, slot_start_ms
from runtime.domain.texts import Language
from runtime.errors import BadInput, SettingsError, Unavailable
from runtime.mailbox import Mailbox
from runtime.ports import Clock, Identity, MarketData, PoolSource, World
from runtime.run_settings import RunMode, Settings
from runtime.wiring_channels import channels
from runtime.wiring_inbox import mailbox
from runtime.wiring_stores import firestore_store, live_home, market_label, must_be_market, paper_home, sqlite_store
from strategies import REGISTRY, Strategy
from strategies.indicators import ahr999, facts_of

ROOT = Path(__file__).resolve().parent.parent
LOCAL_ARTIFACTS = {
    "artifacts/live_pool.json": ROOT / "artifacts" / "live_pool.json",
    "CryptoLivePoolPipelines/artifacts/live_pool.json": ROOT.parent
    / "CryptoLivePoolPipelines/artifacts/live_pool.json",
}
"""Where a pool is looked for when the upstream is silent, by the name that reports give it."""
FIXTURE_FOLDER = Path(__file__).resolve().parent / "adapters" / "simulated" / "fixtures_data" / "known_answer"
PAPER_CAPITAL = Decimal(10_000)
PAPER_MINUTE = 15
WORKERS = 8
CHECK_TIMEOUTS_S = (3.0, 4.0)
"""How long a check waits for an answer of Binance."""


@dataclass(frozen=True, slots=True)
class Wired:
    """A world, its strategy, and the settings as they hold in it."""

    settings: Settings
    strategy: Strategy
    world: World
    mailbox: Mailbox | None = None


@contextmanager
def wired(
    settings: Settings,
    write: Callable[[str], object],
    clock: Clock | None = None,
    stop: Callable[[], str] = str,
) -> Iterator[Wired]:
    """The world of `settings`; `write` prints what a paper hour tells, `clock` stands in for this machine's in a real
    mode, `stop` says that the process was told to end. Everything opened is closed on leaving.
    """
    with ExitStack() as opened:
        real = settings.mode is not RunMode.PAPER
        world = _real(settings, clock or SystemClock(stop=stop), opened) if real else _paper(settings, write)
        world = replace(world, stop=stop, key_digest=partial(digest, key=_revealed(settings.binance_key)))
        world = replace(world, run=run_of(settings, world.owner))
        post = mailbox(settings, cast("Archive", world.store), world.clock, world.run)
        world = replace(world, obey_commands=post.obey) if post is not None else world
        if settings.validate_only:
            world = _read_only(world, ProbedStore)
        elif settings.mode is RunMode.DRY_RUN:
            world = _read_only(world, ReadOnlyStore)
        opened.callback(world.store.close)
        yield Wired(settings, REGISTRY[settings.profile], Witness(world).world, post)


def _revealed(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""


def _paper(settings: Settings, write: Callable[[str], object]) -> World:
    from runtime.adapters.simulated.conditions import PAPER
    from runtime.adapters.simulated.exchange import SimulatedExchange
    from runtime.adapters.simulated.markets import FolderPoolSource
    from runtime.adapters.simulated.persistence import load

    folder, clock, market = _paper_market(settings)
    home = paper_home(settings)
    books = home / "exchange.json"
    exchange = SimulatedExchange(market, clock, PAPER, load(books) if books.exists() else None)
    exchange.autosave(books)
    if not books.exists():
        exchange.events.deposit(CASH, PAPER_CAPITAL)
    upstream = (
        FolderPoolSource(Path(settings.pools), clock, "--pools")
        if settings.pools
        else FolderPoolSource(folder, clock, market_label(settings.market))
    )
    return World(
        clock=clock,
        pools=(upstream, *_local_files(settings)),
        market=exchange,
        exchange=exchange,
        store=sqlite_store(home, clock, settings),
        reports=FolderReportSink(home),
        alerter=ConsoleAlerter(write, Language(settings.language)),
        gather=serial_gather,
        owner=secrets.token_hex(16),
        render=_renderer(settings),
        explain=explain,
    )


@contextmanager
def wired_fixture(settings: Settings, folder: Path, write: Callable[[str], object]) -> Iterator[Wired]:
    """The world of a fixture: given indicators, the simulated exchange at exact prices, nothing kept on disk."""
    from runtime.adapters.files import NullReportSink
    from runtime.adapters.memory import MemoryStore
    from runtime.adapters.simulated.conditions import Conditions
    from runtime.adapters.simulated.exchange import SimulatedExchange
    from runtime.adapters.simulated.fixtures import FixtureMarket, FixturePoolSource, load_fixture

    fixture = load_fixture(folder)
    clock = SimulatedClock(fixture.now_ms)
    exchange = SimulatedExchange(FixtureMarket(fixture, clock), clock, Conditions(costs=fixture.costs))
    for asset, amount in fixture.account.items():
        exchange.events.deposit(asset, amount)
    world = World(
        clock=clock,
        pools=(FixturePoolSource(fixture),),
        market=exchange,
        exchange=exchange,
        store=MemoryStore(clock, settings.account),
        reports=NullReportSink(),
        alerter=ConsoleAlerter(write, Language(settings.language)),
        gather=serial_gather,
        owner=secrets.token_hex(16),
        render=_renderer(settings),
        explain=explain,
        facts=fixture.facts(),
    )
    yield Wired(settings, REGISTRY[settings.profile], world)


def _paper_market(settings: Settings) -> tuple[Path, Clock, MarketData]:
    """The folder that may hold a pool, the clock, and the market of a paper hour."""
    from runtime.adapters.simulated.markets import EMBEDDED, FolderMarket, manifest

    if settings.market == "binance":
        clock = SystemClock()
        return Path("binance"), clock, _binance_market(settings, clock)
    must_be_market(settings.market)
    folder = EMBEDDED if settings.market == "embedded" else Path(settings.market)
    try:
        simulated = SimulatedClock(_paper_moment(settings, manifest(folder).default_at))
        return folder, simulated, FolderMarket(folder, simulated)
    except (BadInput, Unavailable) as error:
        raise SettingsError((f"--market: {error}",)) from None


def _paper_moment(settings: Settings, default: str | None) -> int:
    """Epoch ms at which a paper hour happens: 15 minutes into its slot."""
    at = settings.at or default
    if at is None:
        raise SettingsError((f"--at: not set - {settings.market} names no hour of its own; say one, as 2024-03-01T09",))
    try:
        return slot_start_ms(parse_slot(at)) + PAPER_MINUTE * MINUTE_MS
    except BadInput as error:
        raise SettingsError((f"--at: {error}",)) from None


def _binance_market(settings: Settings, clock: Clock) -> MarketData:
    from runtime.adapters.binance.client import Connection, Hosts
    from runtime.adapters.binance.market import BinanceMarket

    return BinanceMarket(Connection(clock, hosts=Hosts(market=settings.binance_market)))


def _real(settings: Settings, clock: Clock, opened: ExitStack) -> World:
    home = live_home(settings)
    # First: its connection is made in the background while Binance's client is imported.
    store, upstream, identity = _store_and_upstream(settings, home, clock)
    from runtime.adapters.binance.client import Connection, Credentials, Hosts
    from runtime.adapters.binance.exchange import BinanceExchange
    from runtime.adapters.binance.market import BinanceMarket
    from runtime.adapters.concurrency import ThreadGather

    hosts = Hosts(settings.binance_api, settings.binance_api, settings.binance_market)
    keys = Credentials(*(_revealed(secret) for secret in (settings.binance_key, settings.binance_secret)))
    if settings.validate_only:
        connection = Connection(clock, keys, hosts, CHECK_TIMEOUTS_S, retry_delays_s=())
    else:
        connection = Connection(clock, keys, hosts)
    gather = ThreadGather(WORKERS)
    opened.callback(gather.close)
    alerter, second = channels(settings, clock, store)
    return World(
        clock=clock,
        pools=(*upstream, *_local_files(settings)),
        market=BinanceMarket(connection),
        exchange=BinanceExchange(connection),
        store=store,
        reports=FolderReportSink(home),
        alerter=alerter,
        second=second,
        usage=connection.tally.counts,
        gather=gather,
        owner=secrets.token_hex(16),
        render=_renderer(settings),
        explain=explain,
        identity=identity,
    )


def _store_and_upstream(
    settings: Settings, home: Path, clock: Clock
) -> tuple[Archive, tuple[PoolSource, ...], Callable[[], Identity] | None]:
    if not settings.google_project:
        return sqlite_store(home, clock, settings), (), None
    cloud = firestore_store(settings, brief=settings.validate_only)
    cloud.dial()
    store = sqlite_store(home, clock, settings) if settings.store == "sqlite" else cloud.store
    return store, (cloud.upstream,), cloud.identity


def _local_files(settings: Settings) -> tuple[PoolSource, ...]:
    own = {"STRATEGY_ARTIFACT_FILE": Path(settings.artifact_file)} if settings.artifact_file else {}
    return tuple(FilePoolSource(Rung.LOCAL_FILE, path, where) for where, path in (own | LOCAL_ARTIFACTS).items())


def _read_only(world: World, store: type[ReadOnlyStore]) -> World:
    counts: Counter[str] = Counter()
    return replace(
        world,
        exchange=ReadOnlyExchange(world.exchange, counts),
        store=store(world.store, counts),
        alerter=SilentAlerter(world.alerter, counts),
        second=SilentAlerter(world.second, counts) if world.second is not None else None,
        suppressed=counts,
    )


def strategy_of(settings: Settings) -> Strategy:
    """The strategy of a profile."""
    return REGISTRY[settings.profile]


def tape_lines(path: Path) -> list[str]:
    """The records of a tape file; `BadInput` or `Unavailable` where it is not one."""
    return read_tape(path)


def tapes_in(place: Path) -> list[Path]:
    """The tape files of a folder and of those below it, oldest first, or the one file; `Unavailable` without any."""
    found = sorted(place.rglob(f"*{TAPE_SUFFIX}")) if place.is_dir() else [place]
    if not found:
        raise Unavailable(str(place), f"holds no tape (*{TAPE_SUFFIX})")
    return found


def retold(settings: Settings, words: Mapping[str, Any], series: Mapping[str, DailySeries]) -> Teller:
    """The world of a taped hour: it answers what the tape says, and nothing else is asked."""
    return Teller(words, series, (_renderer(settings), explain))


def _renderer(settings: Settings) -> Callable[[Report], str]:
    return lambda report: render_text(report, Language(settings.language))


def explain(snapshot: Snapshot, settings: StrategySettings) -> tuple[Facts, float | None]:
    """The indicators of a snapshot, and ahr999 at its live price."""
    facts = snapshot.facts or facts_of(snapshot.daily, settings)
    price = snapshot.price(CORE)
    if facts.btc is None or price is None:
        return facts, None
    return facts, ahr999(float(price), facts.btc, settings, slot_date(snapshot.slot))
