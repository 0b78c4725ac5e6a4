"""Where a case begins: an account some hours into the embedded market, at an hour that has something to do.

    first       the very first hour: no document yet; entries, DCA, fuel, and the rest into Earn
    exit        a holding no longer qualifies: sold, a redemption, the next one bought, DCA
    redeem      an entry that spot alone cannot pay: redemption, entry, DCA
    breaker     the sleeve fell: everything is sold, the proceeds go into Earn
    trim        bitcoin is extreme: a part is sold, the proceeds go into Earn
    quiet       nothing to do

An account is prepared once a process and copied for each case: the exchange's books, and what the store held.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from runtime.adapters.memory import MemoryStore
from runtime.adapters.simulated.books import Books
from runtime.domain.ledger import Entry
from runtime.domain.orders import Intent
from runtime.domain.settings import StrategySettings
from runtime.domain.slots import DAY_MS, MINUTE_MS, date_at, parse_slot, slot_start_ms
from runtime.domain.state import State
from runtime.ports import Changes, CycleRecord, DailyCache, Store
from runtime.run_settings import Settings
from tests.scenarios.matrix.rig import CLOCK, MINUTE, Rig

CAPITAL = Decimal(10_000)
_NEVER_TOLD = 0
ORDINARY = StrategySettings()
FRAIL = StrategySettings(breaker_loss=Decimal("0.02"), breaker_vol_multiple=Decimal(0))
EXTREME = StrategySettings(btc_order_ratio=Decimal("0.02"), zscore_floor=0.0, zscore_quantile=0.01)


@dataclass(frozen=True, slots=True)
class Situation:
    """The account is opened at `opened` and runs undisturbed for `hours`; the case is the hour after those."""

    opened: str
    hours: int
    strategy: StrategySettings = ORDINARY

    @property
    def settings(self) -> Settings:
        """What the cycle is told; no status reports, which come by the hour and would only blur what is compared."""
        return Settings(first_run="fresh", strategy=self.strategy, status_interval_hours=_NEVER_TOLD)

    @property
    def opened_ms(self) -> int:
        """Epoch ms of the first hour's run."""
        return slot_start_ms(parse_slot(self.opened)) + MINUTE * MINUTE_MS


SITUATIONS: Mapping[str, Situation] = {
    "first": Situation("2026-03-10T00", 0),
    "exit": Situation("2026-03-23T00", 24),
    "redeem": Situation("2026-03-20T12", 12),
    "breaker": Situation("2026-03-23T00", 6, FRAIL),
    "trim": Situation("2026-03-10T00", 24, EXTREME),
    "quiet": Situation("2026-03-10T00", 2),
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """An account at the beginning of a case: the clock, the exchange's books, and everything the store held."""

    now_ms: int
    books: Books
    state: State | None
    journal: tuple[Intent, ...]
    entries: tuple[Entry, ...]
    cycle: CycleRecord | None
    cache: DailyCache

    def copied_books(self) -> Books:
        """Books that the case may change."""
        return deepcopy(self.books)

    def plant(self, store: Store) -> None:
        """Put what was stored into a store that nobody has used yet."""
        if self.state is None:
            return
        held = store.take_lease(store.load(), "planter", "", 1)
        store.commit(held, Changes(self.state, self.journal, self.entries, self.cycle, self.cache, release=True))


@cache
def prepared(name: str) -> Prepared:
    """The account of a situation, run up to its hour."""
    situation = SITUATIONS[name]
    books = Books.opened({"USDT": CAPITAL})
    store = MemoryStore(CLOCK)
    rig = Rig.at(situation.opened_ms, books, situation.settings, lambda: store)
    for _ in range(situation.hours):
        ran = rig.hour()
        if ran.report is None or ran.report.exit_code:
            raise AssertionError(f"the preparation of {name!r} failed: {ran.report}")
        rig.next_slot()
    days = range(situation.opened_ms // DAY_MS, CLOCK.now_ms() // DAY_MS + 1)
    return Prepared(
        now_ms=CLOCK.now_ms(),
        books=books,
        state=store.load().state,
        journal=tuple(store.journal()),
        entries=tuple(e for day in days for e in store.entries(date_at(day * DAY_MS).isoformat())),
        cycle=next(iter(store.cycles(1)), None),
        cache=store.cache(),
    )
