"""The checks at the exchange: reach, place, clock, the API key's rights, account, Earn, orders that are only tested.

Nothing here trades: the one thing that is sent is `order/test`, which the exchange judges like an order and forgets.
With `deep` it is asked for every pair that the next hour may buy: the pool that hour would use, bitcoin and fuel.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from runtime.checks import STORE_READ, UPSTREAM, Case
from runtime.checkup import Check, Row, Rows, failed, ok, skipped, warning
from runtime.domain.api_key import EXPIRY_DAYS, KeyRights
from runtime.domain.instruments import Instrument, least_lots
from runtime.domain.ladder import Reading, climb
from runtime.domain.money import CASH, CORE, FUEL, plain
from runtime.domain.orders import Leg, Refused, Side, Sleeve, client_id
from runtime.domain.pool import Rung
from runtime.domain.slots import minute_text, slot_at
from runtime.errors import EngineError, LocationBlocked
from runtime.hour import SKEW_MAX_MS
from runtime.key_check import refused
from runtime.ports import OrderRequest, PoolSource
from runtime.run_settings import RunMode

REACH, PLACE, CLOCK, PRICES = "binance", "location", "clock", "market prices"
KEY, TRADE, WITHDRAW, ADDRESSES, EXPIRY, OTHERS = (
    "api key",
    "key may trade",
    "key may not withdraw",
    "key addresses",
    "key expiry",
    "key's other rights",
)
ACCOUNT, WHOSE, EARN, ORDERS = "account", "key's account", "simple earn", "test orders"
NO_MONEY_CODE = -2010

_REACH_FIX = "look at this machine's network and name server, at BINANCE_API_URL, and at Binance's status page"
_PRICES_FIX = "look at BINANCE_MARKET_URL and at Binance's status page"
_PLACE_FIX = "run on a machine where Binance serves, a self-hosted runner; the runbook's page is location_blocked"
_CLOCK_FIX = "repair this machine's time synchronisation (NTP)"
_KEY_FIX = "check BINANCE_API_KEY and BINANCE_API_SECRET, the key's permissions and its list of addresses"
_READ_FIX = "allow the key to read at Binance (Enable Reading)"
_TRADE_FIX = "allow the key spot trading at Binance (Enable Spot & Margin Trading)"
_ACCOUNT_FIX = "ask Binance why the account may not trade; a key cannot change it"
_WHOSE_FIX = "put the key of the state's account back; if this one takes its place: python -m runtime account --accept"
_EARN_FIX = "nothing for trading: until it answers, cash stays at spot and what is in Earn is not bought with"
_ORDER_FIX = "look at what the exchange says of this pair; until it is mended every order of it would be refused too"


def reach(case: Case) -> Check:
    """The host that takes orders: it answers, serves this place, and agrees on the time."""

    def run() -> Rows:
        clock = case.world.clock
        before = clock.now_ms()
        try:
            server = case.world.exchange.server_time_ms()
        except LocationBlocked as error:
            blocked = failed(PLACE, f"{error.what}: {error.why}", _PLACE_FIX)
            return [ok(REACH, "answers"), blocked, skipped(CLOCK, f"needs {PLACE}")]
        took = clock.now_ms() - before
        case.offset_ms = server - (before + clock.now_ms()) // 2
        case.world.exchange.sync_clock(case.offset_ms)
        return [ok(REACH, f"answered in {took} ms"), ok(PLACE, "served"), _skew(case.offset_ms)]

    return Check((REACH, PLACE, CLOCK), run, _REACH_FIX)


def _skew(offset_ms: int) -> Row:
    seen = f"differs by {offset_ms} ms ({SKEW_MAX_MS} ms allowed)"
    return ok(CLOCK, seen) if abs(offset_ms) <= SKEW_MAX_MS else failed(CLOCK, seen, _CLOCK_FIX)


def prices(case: Case) -> Check:
    """Public market data, where another host gives it, by itself."""

    def run() -> Rows:
        case.prices = case.world.market.prices()
        return [ok(PRICES, f"{len(case.prices)} pairs")]

    one_host = case.settings.mode is RunMode.PAPER or case.settings.binance_api == case.settings.binance_market
    return Check((PRICES,), run, _PRICES_FIX, (PLACE,) if one_host else ())


def key(case: Case) -> Check:
    """What the API key may do, and for how long."""

    def run() -> Rows:
        rights = case.world.exchange.key_rights()
        now_ms = case.world.clock.now_ms() + case.offset_ms
        return [
            ok(KEY, "accepted") if rights.reading else failed(KEY, "the key may not read", _READ_FIX),
            _trading(case, rights),
            _withdrawals(case, rights),
            _addresses(rights),
            _expiry(rights, now_ms),
            _others(rights),
        ]

    return Check((KEY, TRADE, WITHDRAW, ADDRESSES, EXPIRY, OTHERS), run, _KEY_FIX, (PLACE,))


def _trading(case: Case, rights: KeyRights) -> Row:
    case.may_trade = rights.trading
    if rights.trading:
        return ok(TRADE, "yes")
    if case.settings.mode is RunMode.LIVE:
        return failed(TRADE, "the key may not trade", _TRADE_FIX)
    return warning(TRADE, "the key may not trade: enough for this mode, not for live", _TRADE_FIX)


def _withdrawals(case: Case, rights: KeyRights) -> Row:
    if not rights.withdrawals:
        return ok(WITHDRAW, "it may not")
    account = case.settings.account
    fix = f"take the right from it at Binance; to trade with it all the same: ENGINE_ALLOW_WITHDRAW_KEY={account}"
    if refused(case.settings, rights):
        return failed(WITHDRAW, "it may withdraw: no hour trades with it (exit 2)", fix)
    return warning(WITHDRAW, "it may withdraw, and ENGINE_ALLOW_WITHDRAW_KEY allows it", "take the right from it")


def _addresses(rights: KeyRights) -> Row:
    if rights.ip_restricted:
        return ok(ADDRESSES, "bound to a list of addresses, and this one is on it")
    return warning(ADDRESSES, "the key works from any address", "bind it at Binance to the address of the runner")


def _expiry(rights: KeyRights, now_ms: int) -> Row:
    days = rights.days_left(now_ms)
    if rights.expires_ms is None or days is None:
        return ok(EXPIRY, "no end is set")
    seen, fix = f"ends {minute_text(rights.expires_ms)}, {days} days left", "make a new key, or bind it to addresses"
    if days < min(EXPIRY_DAYS):
        return failed(EXPIRY, seen, fix)
    return warning(EXPIRY, seen, fix) if days <= max(EXPIRY_DAYS) else ok(EXPIRY, seen)


def _others(rights: KeyRights) -> Row:
    if not rights.others:
        return ok(OTHERS, "none")
    return warning(OTHERS, ", ".join(rights.others), "untick at Binance what reading and spot trading do not need")


def account(case: Case) -> Check:
    """The account answers the key, and may trade."""

    def run() -> Rows:
        found = case.world.exchange.account()
        case.account_digest = found.digest
        if not found.can_trade:
            return [failed(ACCOUNT, "the account may not trade", _ACCOUNT_FIX)]
        return [ok(ACCOUNT, f"may trade; assets: {len(found.balances)}")]

    return Check((ACCOUNT,), run, _KEY_FIX, (KEY,))


def whose_key(case: Case) -> Check:
    """The account that answers the key is the one that the state was kept for."""

    def run() -> Rows:
        known = case.state.account_digest if case.state is not None else ""
        if not known or not case.account_digest:
            return [
                ok(WHOSE, "nothing to compare: " + ("the account tells no number" if known else "the state has none"))
            ]
        if case.account_digest != known:
            return [failed(WHOSE, "another Binance account's than the one that the state was kept for", _WHOSE_FIX)]
        return [ok(WHOSE, "the one that the state was kept for")]

    return Check((WHOSE,), run, _WHOSE_FIX, (ACCOUNT, STORE_READ))


def earn(case: Case) -> Check:
    """Simple Earn answers."""

    def run() -> Rows:
        return [ok(EARN, f"positions: {len(case.world.exchange.earn_positions())}")]

    return Check((EARN,), run, _EARN_FIX, (KEY,))


def test_orders(case: Case) -> Check:
    """`order/test` for bitcoin, or for every pair that the next hour may buy: judged by the exchange, never placed."""
    after = (STORE_READ, UPSTREAM) if case.deep else ()
    return Check((ORDERS,), partial(_tested, case), _ORDER_FIX, (TRADE, PRICES), after)


def _tested(case: Case) -> Rows:
    if not case.may_trade:
        return [skipped(ORDERS, "the key may not trade, not even to test")]
    wanted = tuple(dict.fromkeys((CORE + CASH, FUEL + CASH, *_pool(case)))) if case.deep else (CORE + CASH,)
    listed = tuple(symbol for symbol in wanted if symbol in case.prices)
    instruments = case.world.market.instruments(listed)[1]
    unlisted = [_left_out(symbol, "the exchange does not list it") for symbol in wanted if symbol not in instruments]
    answers = case.world.gather({s: partial(_test, case, instruments[s]) for s in listed if s in instruments})
    return [*(_answered(symbol, answer) for symbol, answer in answers.items()), *unlisted]


def _pool(case: Case) -> tuple[str, ...]:
    """The pool that the next hour would use: from upstream, from the state, from files, or the built-in list."""

    def readings() -> Iterator[Reading]:
        for source in case.world.pools:
            known = case.upstream if source.rung is Rung.FRESH_UPSTREAM else None
            yield known or _reading(source)

    accepted = case.state.pool if case.state is not None else None
    slot = slot_at(case.world.clock.now_ms() + case.offset_ms)
    return climb(readings(), accepted, case.settings.ladder, slot).locked_symbols


def _reading(source: PoolSource) -> Reading:
    if source.rung is Rung.FRESH_UPSTREAM:
        return Reading(source.rung, source.where, problem="it could not be read")
    try:
        return Reading(source.rung, source.where, payload=source.read())
    except EngineError as error:
        return Reading(source.rung, source.where, problem=str(error))


def _test(case: Case, pair: Instrument) -> Row:
    if not pair.tradable:
        return _left_out(pair.symbol, f"status {pair.status}")
    lots = least_lots(pair, case.settings.strategy.buy_min, case.prices[pair.symbol])
    row = _name(pair.symbol)
    if not lots.parts:
        numbers = ", ".join(f"{name} {value}" for name, value in lots.numbers.items())
        return failed(row, f"no quantity is legal: {lots.filter} ({numbers})", _ORDER_FIX)
    now_ms = case.world.clock.now_ms() + case.offset_ms
    leg = Leg(_sleeve(pair.symbol), pair.symbol, Side.BUY)
    name = client_id(case.settings.account, slot_at(now_ms), leg, 0)
    asked = OrderRequest(name, pair.symbol, Side.BUY, lots.total, now_ms)
    return _judged(row, f"{plain(lots.total)} {pair.base}", case.world.exchange.test_order(asked))


def _judged(name: str, what: str, answer: Refused | None) -> Row:
    if answer is None:
        return ok(name, f"{what} would be accepted")
    said = f"{what}: {answer.code} {answer.message}"
    if answer.code == NO_MONEY_CODE and "balance" in answer.message:
        return warning(name, said, "nothing to mend: there is too little free cash at spot to test with")
    return failed(name, f"refused: {said}", _KEY_FIX if answer.misconfigured else _ORDER_FIX)


def _answered(symbol: str, answer: Row | Exception) -> Row:
    return answer if isinstance(answer, Row) else failed(_name(symbol), str(answer), _ORDER_FIX)


def _left_out(symbol: str, why: str) -> Row:
    if symbol in {CORE + CASH, FUEL + CASH}:
        return failed(_name(symbol), f"not trading: {why}", "wait until the exchange trades it again")
    return warning(_name(symbol), f"not trading: {why}; the engine leaves it out", "tell the pool's publisher")


def _sleeve(symbol: str) -> Sleeve:
    return {CORE + CASH: Sleeve.BTC_CORE, FUEL + CASH: Sleeve.CASH}.get(symbol, Sleeve.TREND)


def _name(symbol: str) -> str:
    return f"test order {symbol}"
