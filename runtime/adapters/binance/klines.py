"""Klines as they are written, for files: the exchange's own texts, and what asking for them weighed.

`BinanceMarket.candles` gives floats, which is what an indicator needs. A file must say what the exchange said: a volume
of 18 digits does not survive a float. So a row's texts are passed on untouched, once the row is known to be the one
that was asked for: of the interval, within the span, later than the row before it. Whether its prices make sense is
judged by whoever keeps the file.
"""

from __future__ import annotations

import re

from runtime.adapters.binance.client import BinanceSession, Connection
from runtime.adapters.binance.payloads import as_object, as_rows, integer
from runtime.domain.downloads import INFO_WEIGHT, PAGE_ROWS, Budget, KlineFile, KlinePage, KlineRow, Span
from runtime.domain.money import CASH, CORE
from runtime.errors import BadPayload

BITCOIN = CORE + CASH
_NUMBER = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?")
_CELLS = ((1, "open"), (2, "high"), (3, "low"), (4, "close"), (5, "volume"), (7, "quote volume"))
_ROW_CELLS = 9


class BinanceKlines:
    """Where a download gets its candles; the connection needs no credentials."""

    def __init__(self, connection: Connection) -> None:
        """Contacts nobody."""
        self._connection = connection

    def now_ms(self) -> int:
        """The exchange's clock, as far as it is known."""
        return self._connection.now_ms()

    def budget(self) -> Budget:
        """What a minute's requests may weigh, and what of it is used; takes note of the exchange's clock. Weighs 20."""
        before_ms = self._connection.clock.now_ms()
        answer, used = self._read("exchangeInfo", "exchangeInfo", symbol=BITCOIN)
        after_ms = self._connection.clock.now_ms()
        info = as_object(answer, "exchangeInfo")
        self._connection.sync_clock(integer(info, "serverTime", "exchangeInfo") - (before_ms + after_ms) // 2)
        for row in as_rows(info.get("rateLimits"), "exchangeInfo rateLimits"):
            kind = (row.get("rateLimitType"), row.get("interval"), row.get("intervalNum"))
            if kind == ("REQUEST_WEIGHT", "MINUTE", 1):
                budget = Budget(integer(row, "limit", "exchangeInfo rateLimits"))
                return budget.after(self.now_ms(), INFO_WEIGHT, used)
        raise BadPayload("exchangeInfo rateLimits", info.get("rateLimits"), "must name the REQUEST_WEIGHT of 1 MINUTE")

    def page(self, file: KlineFile, span: Span) -> KlinePage:
        """The first candles of a span, at most 1000, and the weight used in this minute. Weighs 2."""
        what = f"klines {file.symbol} {file.interval}"
        asked = {"symbol": file.symbol, "interval": file.interval, "limit": PAGE_ROWS}
        payload, used = self._read(what, "klines", startTime=span.start_ms, endTime=span.end_ms - 1, **asked)
        if not isinstance(payload, list):
            raise BadPayload(what, payload, "must be a list of rows")
        rows, newest_ms = [], span.start_ms - 1
        for index, cells in enumerate(payload):
            row = _row(cells, file, f"{what} row {index}")
            if not newest_ms < row.open_ms < span.end_ms:
                fix = f"must lie after {newest_ms} and before {span.end_ms}, as asked"
                raise BadPayload(f"{what} row {index} open time", row.open_ms, fix)
            rows.append(row)
            newest_ms = row.open_ms
        return KlinePage(tuple(rows), used)

    def _read(self, what: str, path: str, **asked: object) -> tuple[object, int | None]:
        """An answer and the used weight that came with it."""
        used: list[int | None] = [None]

        def call(session: BinanceSession) -> object:
            answer = session.public(path, **asked)
            used[0] = session.used_weight
            return answer

        return self._connection.read(what, call), used[0]


def _row(cells: object, file: KlineFile, where: str) -> KlineRow:
    if not isinstance(cells, list) or len(cells) < _ROW_CELLS:
        raise BadPayload(where, cells, f"must be a list of at least {_ROW_CELLS} cells")
    opened, closed, trades = cells[0], cells[6], cells[8]
    if type(opened) is not int or opened % file.step_ms:
        raise BadPayload(f"{where} open time", opened, f"must be epoch milliseconds, a multiple of {file.step_ms}")
    if closed != opened + file.step_ms - 1:
        raise BadPayload(f"{where} close time", closed, f"must be {opened + file.step_ms - 1}")
    if type(trades) is not int or trades < 0:
        raise BadPayload(f"{where} trades", trades, "must be a count")
    for at, name in _CELLS:
        if not isinstance(cells[at], str) or not _NUMBER.fullmatch(cells[at]):
            raise BadPayload(f"{where} {name}", cells[at], "must be a plain number as text")
    return KlineRow(opened, ",".join([str(opened), *(cells[at] for at, _ in _CELLS), str(trades)]))
