"""The doctor: prove that an hour could run, without trading. Each check names its fix; one that fails hides none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runtime.command import Arguments, print_line
from runtime.config import RunMode, Settings
from runtime.domain.instruments import buy_lots
from runtime.domain.money import CASH, CORE, ZERO, plain
from runtime.domain.orders import Leg, Side, Sleeve, client_id
from runtime.domain.pool import Rung, parse_pool
from runtime.domain.slots import date_at, slot_at
from runtime.errors import EngineError
from runtime.hour import SKEW_MAX_MS
from runtime.ports import OrderRequest, World


@dataclass(frozen=True, slots=True)
class Check:
    """One thing proved or not: `finding` says what was found, or what is wrong and how to mend it."""

    name: str
    ok: bool
    finding: str


def examine(settings: Settings, world: World, given: Arguments) -> int:
    """Run every check and print them; 0 only if all hold, else 3."""
    checks = [_settings(settings)]
    checks += [_checked(name, check) for name, check in _checks(settings, world).items()]
    if settings.mode is not RunMode.PAPER:
        checks += [Check(f"telegram {name}", found == "ok", found) for name, found in world.alerter.probe().items()]
    width = max(len(check.name) for check in checks)
    for check in checks:
        given.write(f"{'ok  ' if check.ok else 'FAIL'}  {check.name.ljust(width)}  {check.finding}")
    code = 0 if all(check.ok for check in checks) else 3
    found = [{"name": check.name, "ok": check.ok, "finding": check.finding} for check in checks]
    line: Mapping[str, object] = {"exit_code": code, "status": "validated" if not code else "invalid", "checks": found}
    print_line(line)
    return code


def _settings(settings: Settings) -> Check:
    return Check(
        "settings", ok=True, finding=f"mode {settings.mode}, account {settings.account}, store {settings.store}"
    )


def _checks(settings: Settings, world: World) -> Mapping[str, Callable[[], str]]:
    return {
        "state store read": lambda: _state(world),
        "state store write": lambda: _probed(world),
        "exchange clock": lambda: _clock(world),
        "exchange prices": lambda: f"{len(world.market.prices())} pairs",
        "account": lambda: _account(world),
        "earn": lambda: f"{len(world.exchange.earn_positions())} positions",
        "test order": lambda: _test_order(settings, world),
        "upstream pool": lambda: _pool(settings, world),
    }


def _checked(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, ok=True, finding=check())
    except EngineError as error:
        return Check(name, ok=False, finding=str(error))


def _state(world: World) -> str:
    loaded = world.store.load()
    if loaded.state is None:
        return "no state document yet: the first run needs first_run: fresh"
    return f"slot {loaded.state.slot_done or 'none'} done, {len(loaded.state.open_intents)} open intents"


def _probed(world: World) -> str:
    world.store.probe()
    return "probe document written and read"


def _clock(world: World) -> str:
    before = world.clock.now_ms()
    skew = world.market.server_time_ms() - (before + world.clock.now_ms()) // 2
    if abs(skew) > SKEW_MAX_MS:
        raise EngineError(f"differs by {skew} ms, the limit is {SKEW_MAX_MS} ms: repair time synchronisation")
    world.exchange.sync_clock(skew)
    return f"differs by {skew} ms"


def _account(world: World) -> str:
    account = world.exchange.account()
    if not account.can_trade:
        raise EngineError("the account may not trade: allow spot trading for the key")
    return f"{len(account.balances)} assets"


def _test_order(settings: Settings, world: World) -> str:
    """`order/test`: the exchange judges an order like a daily purchase and places nothing."""
    pair = CORE + CASH
    read_ms, instruments = world.market.instruments([pair])
    lots = buy_lots(instruments[pair], settings.strategy.buy_min, world.market.prices()[pair], ZERO)
    if not lots.parts:
        raise EngineError(f"{pair}: {plain(settings.strategy.buy_min)} USDT is less than the exchange's {lots.filter}")
    leg = Leg(Sleeve.BTC_CORE, pair, Side.BUY)
    name = client_id(settings.account, slot_at(read_ms), leg, 0)
    refused = world.exchange.test_order(OrderRequest(name, pair, Side.BUY, lots.total, read_ms))
    if refused is not None:
        raise EngineError(f"{pair}: refused: {refused.code} {refused.message}")
    return f"{plain(lots.total)} {pair} would be accepted"


def _pool(settings: Settings, world: World) -> str:
    """The published release beside what is expected of it."""
    upstream = next((source for source in world.pools if source.rung is Rung.FRESH_UPSTREAM), None)
    if upstream is None:
        raise EngineError("no upstream is set: name GOOGLE_CLOUD_PROJECT; until then new entries are paused")
    ladder, today = settings.ladder, date_at(world.clock.now_ms())
    pool = parse_pool(upstream.read(), today, ladder)
    age, modes = (today - pool.as_of_date).days, ", ".join(ladder.acceptable_modes)
    expected = f"at most {ladder.max_age_days} days, {ladder.expected_size} symbols, mode {modes}"
    return f"{pool.version}: {age} days old, {len(pool.symbols)} symbols, mode {pool.mode} (expected: {expected})"
