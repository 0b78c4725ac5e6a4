"""Situations: one hour as the strategy sees it, small and round, to be changed one thing at a time.

In the ordinary situation every rule has something to do: ETH and SOL are selected and not held, XRP is held below its
trailing stop, LTC is held and no longer qualifies, bitcoin is cheap, there is cash at spot and in Earn, and fuel runs
low. So whatever does *not* happen in a test is the work of the one thing the test changed.

    E = 1000 spot + 500 Earn + 6 BNB + 600 BTC + 120 XRP + 100 LTC = 2326
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from runtime.domain.decision import Decision, ExecutionPool, HoldingMemory, Memory
from runtime.domain.instruments import Instrument
from runtime.domain.ledger import Balances, Book
from runtime.domain.market import (
    Account,
    Balance,
    BtcFacts,
    DailyMarket,
    DailySeries,
    EarnPosition,
    Facts,
    Snapshot,
    SymbolFacts,
)
from runtime.domain.orders import Intent, Kind, Order, Side, Sleeve, Status
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import DAY_MS, MINUTE_MS, day_start_ms, slot_start_ms
from runtime.domain.state import DayBook, Position, State
from strategies.crypto_live_pool_rotation import decide
from tests.support.markets import pair

D = Decimal
SLOT = "2026-03-15T09Z"
TODAY = date(2026, 3, 15)
NOW_MS = slot_start_ms(SLOT) + 15 * MINUTE_MS
SETTINGS = StrategySettings()
POOL = ExecutionPool(("ETHUSDT", "SOLUSDT", "XRPUSDT", "LTCUSDT", "BCHUSDT"), degraded=False)
PRICES = {
    "BTCUSDT": "60000",
    "ETHUSDT": "2500",
    "SOLUSDT": "150",
    "XRPUSDT": "1.2",
    "LTCUSDT": "100",
    "BCHUSDT": "420",
    "BNBUSDT": "300",
}
STEPS = {"BTCUSDT": "0.00001", "XRPUSDT": "0.1", "SOLUSDT": "0.01", "BNBUSDT": "0.001"}


def amounts(texts: Mapping[str, str]) -> dict[str, Decimal]:
    """Texts as decimals."""
    return {name: Decimal(text) for name, text in texts.items()}


def coin(close: float, rocs: tuple[float, float, float], vol20: float, atr14: float, **changes: Any) -> SymbolFacts:
    """Facts of a coin in an uptrend: its averages lie 5, 10 and 20 % below its close."""
    facts = SymbolFacts(
        close=close,
        sma20=close * 0.95,
        sma60=close * 0.9,
        sma200=close * 0.8,
        roc20=rocs[0],
        roc60=rocs[1],
        roc120=rocs[2],
        vol20=vol20,
        atr14=atr14,
        avg_quote_vol_30=1e9,
        age_days=400,
    )
    return replace(facts, **changes)


BTC = BtcFacts(
    close=60000.0,
    ma200=55000.0,
    ma200_slope=0.03,
    zscore=1.2,
    sell_trigger=2.5,
    geom200=54000.0,
    cost200=54000.0,
    ahr999=0.7,
    roc20=0.05,
    roc60=0.10,
    roc120=0.15,
)
COINS = {
    "ETHUSDT": coin(2500, (0.15, 0.30, 0.50), 0.04, 75),
    "SOLUSDT": coin(150, (0.10, 0.25, 0.45), 0.05, 6.5),
    "XRPUSDT": coin(1.2, (0.08, 0.18, 0.25), 0.06, 0.05),
    "LTCUSDT": coin(100, (0.02, 0.03, 0.04), 0.08, 3.5),  # behind bitcoin: does not qualify
    "BCHUSDT": coin(420, (0.07, 0.14, 0.18), 0.06, 14),
}


def ledger_of(spot: Mapping[str, str], earn: str = "0", **books: Mapping[str, str]) -> Balances:
    """Balances with these amounts at spot, this USDT in Earn, and further books by name."""
    totals = {Book.SPOT: amounts(spot), Book.EARN: amounts({"USDT": earn})}
    return Balances(totals | {Book(name): amounts(held) for name, held in books.items()})


def account_of(free: Mapping[str, str], locked: Mapping[str, str] | None = None) -> Account:
    """An account with these free and locked amounts."""
    names = dict.fromkeys([*free, *(locked or {})])
    return Account({a: Balance(D(free.get(a, "0")), D((locked or {}).get(a, "0"))) for a in names})


def earn_of(total: str, **changes: Any) -> dict[str, EarnPosition]:
    """A flexible USDT position."""
    return {"USDT": EarnPosition("USDT", "USDT001", D(total), **changes)}


def pairs(**changes: Instrument) -> dict[str, Instrument]:
    """The pairs of all prices, with a minimum notional of 5."""
    return {symbol: pair(symbol, STEPS.get(symbol, "0.001")) for symbol in PRICES} | changes


def unknown_order(symbol: str, kind: Kind = Kind.ORDER, status: Status = Status.UNKNOWN) -> Intent:
    """An intent whose outcome nobody knows."""
    trend = symbol not in {"BTCUSDT", "BNBUSDT", "USDT"}
    sleeve = Sleeve.TREND if trend else Sleeve.BTC_CORE if symbol == "BTCUSDT" else Sleeve.CASH
    return Intent(
        f"id-{symbol}-{kind}", SLOT, kind, sleeve, symbol, Side.BUY, D(1), "entry", NOW_MS, NOW_MS + 1, status=status
    )


def filled(intent: Intent, order: Order) -> Intent:
    """The intent, done by `order`."""
    return intent.moved(Status.DONE, order=order)


def series(symbol: str, closes: list[float], day: date = TODAY) -> DailySeries:
    """Daily candles that end on the day before `day`; high and low are the close."""
    first = day_start_ms(day) - len(closes) * DAY_MS
    column = tuple(closes)
    return DailySeries(symbol, first, column, column, column, tuple(1e9 for _ in closes))


@dataclass(frozen=True)
class Situation:
    """The four inputs of a decision, with a copy that changes some of them."""

    snapshot: Snapshot
    state: State
    pool: ExecutionPool = POOL
    settings: StrategySettings = SETTINGS

    def decide(self) -> Decision:
        """What the strategy decides."""
        return decide(self.snapshot, self.state, self.pool, self.settings)

    def seen(self, **changes: Any) -> Situation:
        """With another snapshot."""
        return replace(self, snapshot=replace(self.snapshot, **changes))

    def with_state(self, **changes: Any) -> Situation:
        """With another state."""
        return replace(self, state=replace(self.state, **changes))

    def with_memory(self, **changes: Any) -> Situation:
        """With another memory of the strategy."""
        return self.with_state(memory=replace(self.state.memory, **changes))

    def with_day(self, **changes: Any) -> Situation:
        """With other things done today."""
        return self.with_state(day=replace(self.state.day or DayBook(TODAY), **changes))

    def with_settings(self, **changes: Any) -> Situation:
        """With some settings changed."""
        return replace(self, settings=StrategySettings(**changes))

    def with_facts(self, btc: BtcFacts | None = BTC, **coins: SymbolFacts | None) -> Situation:
        """With other indicators; None takes a coin's away."""
        known = {s: f for s, f in {**COINS, **coins}.items() if f is not None}
        return self.seen(facts=Facts(btc, known, {s: "not read" for s, f in coins.items() if f is None}))

    def with_btc(self, **changes: Any) -> Situation:
        """With bitcoin's indicators changed."""
        return self.with_facts(btc=replace(BTC, **changes))

    def with_prices(self, **changes: str | None) -> Situation:
        """With other prices; None takes one away."""
        known = {**self.snapshot.prices, **{s: D(p) for s, p in changes.items() if p is not None}}
        return self.seen(prices={s: p for s, p in known.items() if changes.get(s, "") is not None})

    def owning(self, spot: Mapping[str, str], earn: str = "0") -> Situation:
        """With exactly this owned, in ledger and account alike."""
        held = self.seen(account=account_of(spot), earn=earn_of(earn))
        return held.with_state(ledger=ledger_of(spot, earn))


SPOT = {"USDT": "1000", "BNB": "0.02", "BTC": "0.01", "XRP": "100", "LTC": "1"}
ENTERED_MS = int(datetime(2026, 3, 1, 9, 30, tzinfo=UTC).timestamp()) * 1000


def ordinary() -> Situation:
    """The situation of this module's docstring."""
    snapshot = Snapshot(
        slot=SLOT,
        now_ms=NOW_MS,
        priced_ms=NOW_MS - 500,
        skew_ms=0,
        account=account_of(SPOT),
        prices=amounts(PRICES),
        instruments=pairs(),
        daily=DailyMarket(TODAY, {}),
        earn=earn_of("500"),
        facts=Facts(BTC, COINS),
    )
    state = State(
        "main",
        initialised_ms=1,
        ledger=ledger_of(SPOT, "500"),
        positions={
            "XRPUSDT": Position(D(110), D(100), ENTERED_MS),
            "LTCUSDT": Position(D(99), D(1), ENTERED_MS),
        },
        memory=Memory({"XRPUSDT": HoldingMemory(D("1.5"), D("1.375"), D("1.08"))}),
        day=DayBook(
            TODAY,
            start_quantities=amounts({"XRP": "100", "LTC": "1"}),
            start_closes=amounts({"XRP": "1.2", "LTC": "100"}),
        ),
        prices=amounts(PRICES),
    )
    return Situation(snapshot, state)


def overheated() -> Situation:
    """The ordinary situation with bitcoin far above its trigger, so that it is trimmed instead of bought."""
    return ordinary().with_btc(zscore=3.0, ahr999=2.0)
