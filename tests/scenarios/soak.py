"""The soak: weeks of consecutive hours on real candles, something going wrong in most of them, nobody to repair it.

    python -m tests.scenarios.soak --hours 720 --seed 1 [--strategy restless] [--market FOLDER]

One account on a SQLite file from 2021-01-15 on, a pool document a month, a deposit on each first, interest in Earn.
What goes wrong in an hour is decided by the seed and the hour alone: lost and late requests, thin books, slow Earn, a
store that fails, a process that dies or sleeps. After every hour that saw the whole account the ledger is compared with
the exchange to the last unit; at the end everything must be settled. The candles are not in the repository: without
them there is no soak.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from random import Random

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.simulated.conditions import PAPER, Conditions, Delays
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.markets import FolderMarket, FolderPoolSource
from runtime.adapters.sqlite import SqliteStore
from runtime.cycle import Strategy, run_cycle
from runtime.domain.documents import state_text
from runtime.domain.ledger import fees
from runtime.domain.money import ZERO, plain
from runtime.domain.report import CycleStatus, Report
from runtime.domain.slots import DAY_MS, HOUR_MS, MINUTE_MS, date_at, slot_start_ms
from runtime.ports import World
from strategies.crypto_live_pool_rotation import decide
from tests.support import hours
from tests.support.audit import at_any_moment, imbalances, open_intents, own_orders, records, when_settled
from tests.support.hours import WRITES, Killed, Mishap, Place
from tests.support.restless import restless
from tests.support.skies import FAULTS, PLACES, WEATHER, with_faults

HISTORY = Path(__file__).resolve().parents[3] / "shared" / "data" / "klines"
FIRST_MS = slot_start_ms("2021-01-15T00Z") + 15 * MINUTE_MS
POOLS = {
    "2021-01-01": ("ETHUSDT", "XRPUSDT", "ADAUSDT", "LINKUSDT", "LTCUSDT"),
    "2021-02-01": ("ETHUSDT", "ADAUSDT", "LINKUSDT", "BCHUSDT", "DOGEUSDT"),
    "2021-03-01": ("ETHUSDT", "ADAUSDT", "LTCUSDT", "XLMUSDT", "TRXUSDT"),
    "2021-04-01": ("ETHUSDT", "XRPUSDT", "ATOMUSDT", "BCHUSDT", "DOGEUSDT"),
}
SYMBOLS = sorted({"BTCUSDT", "BNBUSDT", *(symbol for pool in POOLS.values() for symbol in pool)})
STRATEGIES: dict[str, Strategy] = {"real": decide, "restless": restless}
DEPOSIT = Decimal(1_000)
STATE_BYTES_MAX = 60_000
UNSEEN_HOURS_MAX = 8
SPARE_KIB = 48 * 1024
LEASE_OVER_S = 421


@dataclass(slots=True)
class Tally:
    """What a soak met."""

    hours: int = 0
    balanced: int = 0
    unseen: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    state_bytes: list[int] = field(default_factory=list)
    memory_kib: list[int] = field(default_factory=list)


class Soak:
    """One account over many hours."""

    def __init__(self, folder: Path, market: Path, strategy: Strategy, seed: int) -> None:
        pools = folder / "pools"
        write_pools(pools)
        self.seed, self._strategy = seed, strategy
        self.clock = SimulatedClock(FIRST_MS)
        self.exchange = SimulatedExchange(FolderMarket(market, self.clock, SYMBOLS), self.clock, PAPER)
        self.exchange.events.deposit("USDT", Decimal(10_000))
        self.exchange.events.deposit("ETH", Decimal(1))
        self.store = SqliteStore(folder / "state.sqlite", self.clock)
        self._source = FolderPoolSource(pools, self.clock, "pools")
        self._place = Place(self.exchange, self.store, self.clock, self._source)
        self._settings = hours.settings(5, limits=strategy is decide)
        self.tally = Tally()

    def hour(self) -> None:
        """One hour, with what the seed has in store for it; then the audit."""
        number = self.tally.hours
        rng = Random(f"{self.seed}:{number}")
        now = date_at(self.clock.now_ms())
        if now.day == 1 and self.clock.now_ms() % DAY_MS < HOUR_MS:
            self.exchange.events.deposit("USDT", DEPOSIT)
        name, weather, mishap = _trouble(rng, self._sleep)
        self.tally.faults[name] += 1
        self._run(weather, mishap)
        self.tally.hours += 1
        if number % 24 == 0:
            self._audit(1)
        self.clock.set(FIRST_MS + (number + 1) * HOUR_MS)

    def settle(self) -> None:
        """The sky clears for three hours; then everything must be settled."""
        for move in self.exchange.venue.earn._open:
            move.due_ms = move.due_ms or self.clock.now_ms()
        for _ in range(3):
            self._run(PAPER, None)
            self.tally.hours += 1
            self.clock.set(FIRST_MS + self.tally.hours * HOUR_MS)
        self.clock.set(FIRST_MS + (self.tally.hours - 1) * HOUR_MS)
        kept = records(self.store, date_at(FIRST_MS), date_at(self.clock.now_ms()))
        assert kept is not None
        faults = when_settled(self.exchange, kept)
        assert faults == [], faults
        assert not kept.state.drift, kept.state.drift
        steady(self.tally)

    def totals(self) -> str:
        """Orders, fees and troubles in one text."""
        orders = own_orders(self.exchange)
        paid: Counter[str] = Counter()
        sums: dict[str, Decimal] = {}
        for row in orders:
            for asset, fee in fees(row.order(fills=True)).items():
                sums[asset] = sums.get(asset, ZERO) + fee
        paid.update(row.side.value for row in orders)
        tally = self.tally
        lines = [
            f"{tally.hours} hours, seed {self.seed}; {tally.balanced} compared with the exchange to the last unit",
            f"orders {len(orders)} ({dict(paid)}), Earn moves {len(self.exchange.venue.books.moves)}",
            "fees " + ", ".join(f"{plain(amount)} {asset}" for asset, amount in sorted(sums.items())),
            "ends " + ", ".join(f"{name} {count}" for name, count in sorted(tally.ends.items())),
            "troubles " + ", ".join(f"{name} {count}" for name, count in sorted(tally.faults.items())),
            f"state {max(tally.state_bytes)} bytes at most, memory {tally.memory_kib[-1] // 1024} MiB",
        ]
        return "\n".join(lines)

    def _run(self, weather: Conditions, mishap: Mishap | None) -> None:
        minute = self.clock.now_ms() // MINUTE_MS
        self.exchange.venue.conditions = replace(
            weather, costs=weather.costs if weather.costs.liquidity else PAPER.costs
        )
        report = self._cycle(mishap)
        if report is None or report.status is CycleStatus.ABORTED:
            self.clock.sleep(LEASE_OVER_S)
        self.exchange.venue.conditions = PAPER
        self.tally.ends[report.status.value if report else "killed"] += 1
        self._compare(report, same_minute=self.clock.now_ms() // MINUTE_MS == minute)

    def _cycle(self, mishap: Mishap | None) -> Report | None:
        world: World = self._place.world()
        try:
            return run_cycle(self._settings, self._strategy, mishap.around(world) if mishap else world)
        except Killed:
            return None

    def _sleep(self, _: str) -> None:
        self.clock.sleep(LEASE_OVER_S)
        self._cycle(None)

    def _compare(self, report: Report | None, *, same_minute: bool) -> None:
        """Ledger against exchange, if the hour saw all of the account and nothing of it is still on its way."""
        state = self.store.load().state
        self.tally.memory_kib.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        if state is None:
            return
        self.tally.state_bytes.append(len(state_text(state).encode()))
        assert self.tally.state_bytes[-1] <= STATE_BYTES_MAX, f"the state has {self.tally.state_bytes[-1]} bytes"
        assert not state.drift, f"hour {self.tally.hours}: drift {state.drift}"
        whole = report is not None and report.status in {CycleStatus.DONE, CycleStatus.FAILED_ORDERS}
        whole = whole and report is not None and not report.error and not report.problems
        if whole and same_minute and not state.open_intents and not self.exchange.venue.books.late:
            faults = imbalances(self.exchange, state.ledger)
            assert faults == [], f"hour {self.tally.hours}: {faults}"
            self.tally.balanced += 1
            self.tally.unseen = 0
        self.tally.unseen += 1
        assert self.tally.unseen <= UNSEEN_HOURS_MAX, (
            f"hour {self.tally.hours}: unsettled for {self.tally.unseen} hours"
        )

    def _audit(self, days: int) -> None:
        """Every order is booked rightly, and what the documents tell is what the state says."""
        kept = records(self.store, date_at(FIRST_MS), date_at(self.clock.now_ms() + days * DAY_MS))
        faults = at_any_moment(self.exchange, kept)
        assert faults == [], f"hour {self.tally.hours}: {faults}"
        assert kept is None or len(open_intents(kept)) <= len(kept.state.open_intents), "the journal knows more"


def _trouble(rng: Random, sleep: Callable[[str], None]) -> tuple[str, Conditions, Mishap | None]:
    """What befalls one hour: a name, the weather, and a mishap or none."""
    kind = rng.choices(
        ["calm", "request", "requests", "thin", "slow earn", "lag", "killed", "asleep", "store"],
        [25, 25, 10, 8, 4, 8, 12, 4, 4],
    )[0]
    at, after = rng.randint(1, 34), rng.random() < 0.5
    faults = [(rng.choice(PLACES), rng.randint(1, 3), rng.choice(sorted(FAULTS))) for _ in range(2)]
    weather = {
        "request": with_faults(PAPER, faults[:1]),
        "requests": with_faults(PAPER, faults),
        "thin": WEATHER["thin"],
        "slow earn": WEATHER["earn in an hour"],
        "lag": replace(PAPER, delays=Delays(order_ms=1500, history_ms=3000, records_ms=2000)),
    }.get(kind, PAPER)
    mishap = {
        "killed": Mishap(at, hours.die, after=after),
        "asleep": Mishap(at, sleep, after=after),
        "store": Mishap(1 + at % 7, hours.fail_store, after=after, only=WRITES),
    }.get(kind)
    return kind, weather, mishap


def steady(tally: Tally) -> None:
    """Neither the state nor the process grows with the hours: the last third against the first."""
    third = len(tally.state_bytes) // 3
    if third >= 48:
        first, last = max(tally.state_bytes[:third]), max(tally.state_bytes[-third:])
        assert last <= first * 1.25 + 2_000, f"the state grows: {first} bytes at most at first, {last} at last"
        grown = tally.memory_kib[-1] - tally.memory_kib[third]
        assert grown <= SPARE_KIB, f"memory grew by {grown} KiB after the first third"


def write_pools(folder: Path) -> None:
    """The upstream's documents, one a month."""
    folder.mkdir(parents=True)
    for day, symbols in POOLS.items():
        document = {
            "as_of_date": day,
            "version": f"{day}-core_major",
            "mode": "core_major",
            "pool_size": len(symbols),
            "symbols": symbols,
            "symbol_map": {symbol: {"base_asset": symbol.removesuffix("USDT")} for symbol in symbols},
        }
        (folder / f"{day}.json").write_text(json.dumps(document))


@contextmanager
def soaking(folder: Path, market: Path, strategy: str = "real", seed: int = 1) -> Iterator[Soak]:
    """A soak that has not begun; its store is closed at the end."""
    soak = Soak(folder, market, STRATEGIES[strategy], seed)
    try:
        yield soak
    finally:
        soak.store.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Soak, and print the totals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=720)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strategy", choices=sorted(STRATEGIES), default="real")
    parser.add_argument("--market", type=Path, default=HISTORY, help="a folder of candles from 2020 on")
    given = parser.parse_args(argv)
    if not (given.market / "1h").is_dir():
        sys.stdout.write(f"no soak: {given.market} holds no candles\n")
        return 0
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        soaking(Path(folder), given.market, given.strategy, given.seed) as soak,
    ):
        for _ in range(given.hours):
            soak.hour()
        soak.settle()
        spent = time.monotonic() - began
        sys.stdout.write(f"{soak.totals()}\n{spent:.0f} s, {soak.tally.hours / spent:.1f} hours a second\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
