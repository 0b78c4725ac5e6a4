"""A live account whose every secret is planted, with somebody in between on both sides who may repeat all he hears.

The exchange is simulated and reached over HTTP, so is Telegram; time is simulated, so that no wait takes any. An hour
is run as `main.py` runs it, in this process; what could be read of it afterwards is gathered by place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.simulated import wire
from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import PAPER
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.markets import EMBEDDED, FolderMarket
from runtime.adapters.simulated.server import SimulatedServer
from runtime.command import Arguments, shown
from runtime.config import parse_settings
from runtime.cycle import run_cycle
from runtime.domain.slots import HOUR_MS, slot_start_ms
from runtime.wiring import wired
from tests.support import planted
from tests.support.http_stub import Answer, Seen
from tests.support.middleman import Middleman
from tests.support.planted import Planted
from tests.support.telegram_server import TelegramServer, serving
from tests.support.worlds import CAPITAL, FIRST, MINUTES_PAST_MS

AROUND = {
    "GITHUB_TOKEN": planted.GITHUB_TOKEN,
    "DISPATCH_TOKEN": planted.GITHUB_TOKEN,
    "GLOBAL_TELEGRAM_CHAT_ID": planted.GLOBAL_CHAT,
}
"""What else of secrets stands in a job's environment."""


@dataclass
class Theatre:
    """See the module. `environment` is the whole of a live run's settings; `owners` are the tokens by which its hours
    owned their leases, which only the store may know.
    """

    folder: Path
    clock: SimulatedClock
    exchange: SimulatedExchange
    binance: Middleman
    chat: Middleman
    telegram: TelegramServer
    environment: dict[str, str] = field(default_factory=dict)
    owners: list[Planted] = field(default_factory=list)

    def hour(self, **settings: str) -> int:
        """Run the clock's hour, printing as main.py does; the exit code."""
        parsed = parse_settings({**self.environment, **settings})
        given = Arguments({}, json_only=False)
        with wired(parsed, given.write, self.clock) as wiring:
            self.owners.append(Planted("the lease's owner", wiring.world.owner))
            report = run_cycle(wiring.settings, wiring.strategy, wiring.world)
        return shown(report, given, parsed.language)

    def next_hour(self) -> None:
        """Let an hour pass."""
        self.clock.set(self.clock.now_ms() + HOUR_MS)

    def strike(self, endpoint: str, answer: Callable[[Seen], Answer]) -> None:
        """Let the middleman on the way to the exchange answer this endpoint."""
        self.binance.strike = lambda seen: answer(seen) if seen.endpoint == endpoint else None

    def told(self) -> dict[str, str]:
        """What stands in the operator's chat."""
        return {f"message {number}": str(sent["seen"]) for number, sent in enumerate(self.telegram.messages)}

    def signatures(self) -> list[Planted]:
        """Every signature that went over the wire."""
        return planted.signatures(text for seen in self.binance.seen for text in seen.raw)

    def leaks(self, printed: Mapping[str, str | bytes]) -> list[str]:
        """What of all this could be read: printed, written to disk, told."""
        kept = planted.files(self.folder)
        outside = {name: content for name, content in kept.items() if ".sqlite" not in name}
        found = planted.leaks({**printed, **kept, **self.told()}, self.signatures())
        return found + planted.leaks({**printed, **outside, **self.told()}, self.owners)


@contextmanager
def theatre(folder: Path) -> Iterator[Theatre]:
    """An account with 10 000 USDT on the embedded market, at the first hour of its month."""
    clock = SimulatedClock(slot_start_ms(FIRST) + MINUTES_PAST_MS)
    exchange = SimulatedExchange(FolderMarket(EMBEDDED, clock), clock, PAPER, Books.opened(CAPITAL))
    with ExitStack() as closing:
        key = wire.Credentials(planted.API_KEY, planted.API_SECRET)
        venue = closing.enter_context(SimulatedServer(exchange, key))
        telegram = closing.enter_context(serving(TelegramServer(planted.BOT_TOKEN, {planted.CHAT})))
        binance = closing.enter_context(Middleman(venue.url))
        chat = closing.enter_context(Middleman(telegram.url))
        made = Theatre(folder, clock, exchange, binance, chat, telegram)
        made.environment = environment(folder, binance.origin, chat.origin)
        yield made


def environment(folder: Path, binance: str, telegram: str) -> dict[str, str]:
    """A live run's settings, and what else stands in its environment."""
    return {
        **AROUND,
        "ENGINE_MODE": "live",
        "ENGINE_STORE": "sqlite",
        "ENGINE_FIRST_RUN": "fresh",
        "ENGINE_DATA_DIR": str(folder),
        "BINANCE_API_KEY": planted.API_KEY,
        "BINANCE_API_SECRET": planted.API_SECRET,
        "BINANCE_API_URL": binance,
        "BINANCE_MARKET_URL": binance,
        "TG_TOKEN": planted.BOT_TOKEN,
        "TG_CHAT_ID": planted.CHAT,
        "TG_API_URL": telegram,
    }


def printed(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> dict[str, str | bytes]:
    """What this process printed and logged since the last call."""
    out, err = capfd.readouterr()
    log = caplog.text
    caplog.clear()
    return {"stdout": out, "stderr": err, "log": log}
