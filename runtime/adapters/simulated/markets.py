"""Market folders: history as a market, each answer as it would have been known at the clock's moment.

    1d/<SYMBOL>.csv.gz      daily candles                 exchangeInfo.json   the pairs' filters (optional)
    1h/<SYMBOL>.csv.gz      hourly candles                pool.json           the upstream document (optional)
    market.json             name and default hour (optional); pools/YYYY-MM-DD*.json dated upstream documents

The rule that matters is *no look-ahead*: no answer depends on anything that a row says about the time after now.

- The price in an hour is the open of its hourly candle. Without that candle (exchange closed, or no hourly file) it
  is the close of the candle that closed last, if at most 3 hours (hourly) or 2 days (daily) ago; else there is none.
- The candle in progress is built from what has happened: the day's closed hours and the present price.
- A pair is unknown before its first candle.

One such folder ships with the project (`EMBEDDED`): small, synthetic, made by `generate.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from runtime.adapters.simulated.candle_files import CandleFile
from runtime.adapters.simulated.documents import read_object
from runtime.adapters.simulated.listing import Listing
from runtime.domain.instruments import Instrument
from runtime.domain.market import Candle
from runtime.domain.pool import Rung
from runtime.domain.slots import DAY_MS, HOUR_MS, date_at, parse_slot
from runtime.errors import BadInput, BadPayload, Rejected, Unavailable
from runtime.ports import Clock

EMBEDDED = Path(__file__).with_name("embedded")
KLINES_MAX = 1000
_STEPS = {"1d": DAY_MS, "1h": HOUR_MS}
_PRICE_AGE_MAX = {DAY_MS: 2 * DAY_MS, HOUR_MS: 3 * HOUR_MS}
_TRADING_AGE_MAX_MS = 2 * DAY_MS
_SYMBOL = re.compile(r"[A-Z0-9]+USDT")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder says of itself: a name for reports, and the hour to run when none is asked for (a slot)."""

    name: str
    default_at: str | None


def manifest(folder: Path) -> Manifest:
    """`market.json` of the folder; without one, the folder's name and no default hour."""
    path = folder / "market.json"
    if not path.exists():
        return Manifest(folder.name, None)
    document = read_object(path)
    name, default_at = document.get("name"), document.get("default_at")
    if not isinstance(name, str) or not name:
        raise BadPayload(f"{path} name", name, "must be a non-empty text")
    if not isinstance(default_at, str):
        raise BadPayload(f"{path} default_at", default_at, "must be a UTC hour such as 2026-03-15T09")
    return Manifest(name, parse_slot(default_at))


class FolderMarket:
    """`MarketData` over a market folder."""

    def __init__(self, folder: Path, clock: Clock, symbols: Sequence[str] | None = None) -> None:
        """`symbols` limits what is listed to those the folder has; reading waits until something is asked for."""
        self._clock = clock
        self._listing = Listing(folder)
        self._files = _candle_files(folder, symbols)
        self._priced: tuple[int, Mapping[str, Decimal]] = (-1, {})

    def server_time_ms(self) -> int:
        return self._clock.now_ms()

    def prices(self) -> Mapping[str, Decimal]:
        hour = _floor(self._clock.now_ms(), HOUR_MS)
        if self._priced[0] != hour:
            known = ((symbol, _price(files, hour)) for symbol, files in self._files.items())
            self._priced = (hour, {symbol: price for symbol, price in known if price is not None})
        return dict(self._priced[1])

    def instruments(self, symbols: Sequence[str]) -> tuple[int, Mapping[str, Instrument]]:
        now = self._clock.now_ms()
        return now, {symbol: self._instrument(symbol, now) for symbol in symbols}

    def candles(self, symbol: str, interval: str, start_ms: int | None, limit: int) -> Sequence[Candle]:
        now = self._clock.now_ms()
        files = self._listed(symbol, now, f"klines {symbol}")
        if interval not in _STEPS:
            raise Rejected(f"klines {symbol} {interval}", -1120, "Invalid interval.")
        if limit < 1:
            raise Rejected(f"klines {symbol} limit {limit}", -1130, "Data sent for parameter 'limit' is not valid.")
        count = min(limit, KLINES_MAX)
        file = files.get(_STEPS[interval])
        if file is None:
            return []
        closed = file.closed_at(now)
        forming = _forming_day(files, now) if file.step_ms == DAY_MS else _forming_hour(file, now)
        if start_ms is None:
            return [*file.candles(closed - count, closed), *forming][-count:]
        first = file.index_at(start_ms)
        found = file.candles(first, min(closed, first + count))
        return [*found, *(c for c in forming if c.open_time_ms >= start_ms)][:count]

    def _instrument(self, symbol: str, now: int) -> Instrument:
        files = self._listed(symbol, now, f"exchangeInfo {symbol}")
        hour = _floor(now, HOUR_MS)
        newest = _newest_closed(files, hour)
        price = _price(files, hour)
        if price is None:
            price = newest.price if newest else _first_open(files)
        trading = newest is None or hour - newest.end_ms <= _TRADING_AGE_MAX_MS
        return self._listing.instrument(symbol, price, trading=trading)

    def _listed(self, symbol: str, now: int, what: str) -> Files:
        files = self._files.get(symbol)
        if files is None or not any(len(file) and file.open_ms(0) <= now for file in files.values()):
            raise Rejected(what, -1121, "Invalid symbol.")
        return files


Files = Mapping[int, CandleFile]  # one symbol's candle files by interval (ms)


@dataclass(frozen=True, slots=True)
class _Close:
    end_ms: int
    step_ms: int
    price: Decimal


def _candle_files(folder: Path, symbols: Sequence[str] | None) -> Mapping[str, Files]:
    found: dict[str, dict[int, CandleFile]] = {}
    for interval, step_ms in _STEPS.items():
        for path in sorted((folder / interval).glob("*.csv.gz")):
            symbol = path.name.removesuffix(".csv.gz")
            if not _SYMBOL.fullmatch(symbol):
                raise BadInput(str(path), symbol, "must be named after an upper-case USDT pair, such as BTCUSDT.csv.gz")
            if symbols is None or symbol in symbols:
                found.setdefault(symbol, {})[step_ms] = CandleFile(path, step_ms)
    if not found:
        raise BadInput("market folder", str(folder), "must hold candles as 1d/<SYMBOL>.csv.gz or 1h/<SYMBOL>.csv.gz")
    return found


def _price(files: Files, hour: int) -> Decimal | None:
    hourly = files.get(HOUR_MS)
    if hourly is not None:
        index = hourly.index_at(hour)
        if index < len(hourly) and hourly.open_ms(index) == hour:
            return hourly.price(index, "open")
    newest = _newest_closed(files, hour)
    if newest is None or hour - newest.end_ms > _PRICE_AGE_MAX[newest.step_ms]:
        return None
    return newest.price


def _newest_closed(files: Files, hour: int) -> _Close | None:
    """The close that came last; of two at the same moment the longer candle's, which stays good for longer."""
    closes = []
    for file in files.values():
        index = file.closed_at(hour) - 1
        if index >= 0:
            closes.append(_Close(file.open_ms(index) + file.step_ms, file.step_ms, file.price(index, "close")))
    return max(closes, key=lambda close: (close.end_ms, close.step_ms), default=None)


def _first_open(files: Files) -> Decimal:
    """The price on a pair's very first day, which has no close yet."""
    return next(file.price(0, "open") for file in files.values() if len(file))


def _forming_hour(hourly: CandleFile, now: int) -> list[Candle]:
    hour = _floor(now, HOUR_MS)
    index = hourly.index_at(hour)
    if index == len(hourly) or hourly.open_ms(index) != hour:
        return []
    return [_flat(hour, float(hourly.price(index, "open")))]


def _forming_day(files: Files, now: int) -> list[Candle]:
    day, hour = _floor(now, DAY_MS), _floor(now, HOUR_MS)
    hourly = files.get(HOUR_MS)
    parts = hourly.candles(hourly.index_at(day), hourly.index_at(hour)) if hourly else []
    price = _price(files, hour)
    if price is not None:
        parts.append(_flat(hour, float(price)))
    if not parts:
        return []
    quoted = [part.quote_volume for part in parts if part.quote_volume is not None]
    return [
        Candle(
            day,
            parts[0].open,
            max(part.high for part in parts),
            min(part.low for part in parts),
            parts[-1].close,
            sum(part.volume for part in parts),
            sum(quoted) if len(quoted) == len(parts) else None,
        )
    ]


def _flat(open_ms: int, price: float) -> Candle:
    """A candle at its first moment: one price, nothing traded yet."""
    return Candle(open_ms, price, price, price, price, 0.0, 0.0)


def _floor(now_ms: int, step_ms: int) -> int:
    return now_ms - now_ms % step_ms


class FolderPoolSource:
    """The upstream rung of paper and replay: dated documents if there are any, else `pool.json`, else the file itself.

    Of documents named `YYYY-MM-DD*.json` (in the folder or its `pools/`) the newest that is not after the clock's
    date is served: the pool as it was known.
    """

    rung = Rung.FRESH_UPSTREAM

    def __init__(self, path: Path, clock: Clock, name: str = "") -> None:
        """`path` is a market folder, a folder of documents, or one document.

        `name` stands for it in reports and errors, so that they read alike on every machine; without it, the path does.
        """
        self._path, self._clock = path, clock
        self.where = name or str(path)

    def read(self) -> Mapping[str, Any]:
        document = self._document()
        return read_object(document, self.where if document == self._path else f"{document.name} of {self.where}")

    def _document(self) -> Path:
        if self._path.is_file():
            return self._path
        dated = [path for place in (self._path / "pools", self._path) for path in place.glob("*.json") if _date(path)]
        if not dated:
            return self._path / "pool.json"
        today = date_at(self._clock.now_ms()).isoformat()
        known = [path for path in dated if _date(path) <= today]
        if not known:
            raise Unavailable(self.where, f"holds no pool dated {today} or earlier")
        return max(known, key=lambda path: path.stem)


def _date(path: Path) -> str:
    """The date a document's name begins with, or an empty text."""
    match = re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", path.name)
    return match[0] if match else ""
