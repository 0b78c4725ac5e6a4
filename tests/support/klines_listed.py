"""An exchange's candles as a table: what a download should get, and two ways to get it from there.

`Listing` holds rows as texts, with the holes and the listing dates that a test gives them. `ListedKlines` answers a
download from it in process; `serve` puts it behind a real HTTP server with Binance's paths, headers and limits.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from runtime.domain.downloads import PAGE_ROWS, STEPS, Budget, KlineFile, KlinePage, KlineRow, Span
from runtime.domain.slots import HOUR_MS
from runtime.errors import Rejected
from tests.support.http_stub import HttpStub, Reply, Seen

T0 = 1_609_459_200_000  # 2021-01-01
KLINES, INFO = "GET /api/v3/klines", "GET /api/v3/exchangeInfo"


def row(open_ms: int, step_ms: int, symbol: str = "BTCUSDT") -> list[object]:
    """A kline as Binance writes it; a volume has more digits than a float can hold."""
    at = (open_ms - T0) // HOUR_MS
    first = len(symbol) * 10_000 + at
    last = first + step_ms // HOUR_MS
    prices = [f"{first}.10000000", f"{last + 1}.00000000", f"{first - 1}.50000000", f"{last}.00000001"]
    volume = f"1234567890{abs(at)}.12345678"
    return [open_ms, *prices, volume, open_ms + step_ms - 1, f"9{volume}", 42, volume, volume, "0"]


@dataclass
class Listing:
    """The candles of some symbols: since when, without those that open in `closed`, up to `now_ms`."""

    now_ms: int
    since_ms: dict[str, int] = field(default_factory=lambda: {"BTCUSDT": T0 - 1000 * 24 * HOUR_MS})
    until_ms: dict[str, int] = field(default_factory=dict)
    closed: Collection[int] = ()

    def rows(self, symbol: str, interval: str, span: Span) -> list[list[object]]:
        """The rows of a span, the open one included."""
        if symbol not in self.since_ms:
            raise Rejected(f"klines {symbol} {interval}", -1121, "Invalid symbol.")
        step = STEPS[interval]
        first = -(-max(span.start_ms, self.since_ms[symbol] // step * step) // step) * step
        stop = min(span.end_ms, self.now_ms + 1, self.until_ms.get(symbol, span.end_ms))
        return [row(at, step, symbol) for at in range(first, stop, step) if at not in self.closed]

    def lines(self, file: KlineFile, span: Span) -> list[str]:
        """What a complete file holds of a span."""
        return [line_of(cells) for cells in self.rows(file.symbol, file.interval, span)]


def line_of(cells: list[object]) -> str:
    """A row as it stands in a candle file."""
    return ",".join(str(cells[at]) for at in (0, 1, 2, 3, 4, 5, 7, 8))


class ListedKlines:
    """A `KlineSource` over a listing; counts its pages."""

    def __init__(self, listing: Listing, rows_max: int = PAGE_ROWS) -> None:
        self.listing, self.rows_max = listing, rows_max
        self.asked: list[tuple[KlineFile, Span]] = []

    def now_ms(self) -> int:
        return self.listing.now_ms

    def budget(self) -> Budget:
        return Budget(1_000_000)

    def page(self, file: KlineFile, span: Span) -> KlinePage:
        self.asked.append((file, span))
        rows = self.listing.rows(file.symbol, file.interval, span)[: self.rows_max]
        return KlinePage(tuple(KlineRow(int(str(cells[0])), line_of(cells)) for cells in rows), None)


def serve(stub: HttpStub, listing: Listing, limit: int = 6000) -> None:
    """Answer as Binance would, from a listing; every answer says that nothing was used yet."""
    limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": limit}]
    headers = {"X-MBX-USED-WEIGHT-1M": "1"}
    stub.on(INFO, lambda _: Reply(body={"serverTime": listing.now_ms, "rateLimits": limits, "symbols": []}))
    stub.on(KLINES, lambda seen: klines_reply(seen, listing, headers))


def klines_reply(seen: Seen, listing: Listing, headers: dict[str, str]) -> Reply:
    """One page, as asked."""
    asked = seen.query
    span = Span(int(asked["startTime"]), int(asked["endTime"]) + 1)
    try:
        found = listing.rows(asked["symbol"], asked["interval"], span)
    except Rejected as error:
        return Reply(400, {"code": error.code, "msg": error.message})
    return Reply(body=found[: int(asked["limit"])], headers=headers)
