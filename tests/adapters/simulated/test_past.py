"""The past in memory answers hour by hour as a market folder of the same candles does, in outages and halts too."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from runtime.adapters.candles import read_candles
from runtime.adapters.clock import SimulatedClock
from runtime.adapters.simulated.markets import FolderMarket
from runtime.adapters.simulated.past import PastMarket
from runtime.domain.candle_columns import CandleQuery
from runtime.domain.slots import DAY_MS, HOUR_MS, MINUTE_MS
from runtime.errors import EngineError, Unavailable
from tests.support.folders import write_candles
from tests.support.pasts import BEGIN_MS, candles_of, columns_of, hours_of, rows_of

DAYS = 6
LATE, HALTED = 48, range(60, 64)
CLOSED = range(90, 93)
QUERY = CandleQuery(BEGIN_MS, BEGIN_MS + DAYS * DAY_MS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Bitcoin, a pair that is listed late and halted for some hours; an hour of three in which all is closed."""
    for symbol, since in (("BTCUSDT", 0), ("ETHUSDT", LATE), ("SOLUSDT", 0)):
        hours = hours_of(symbol, DAYS * 24)
        gone = {*CLOSED, *(HALTED if symbol == "ETHUSDT" else ())}
        kept = [row for at, row in enumerate(rows_of(hours)) if at >= since and at not in gone]
        lines = [",".join([str(int(row[0])), *map(repr, row[1:]), ""]) for row in kept]
        write_candles(tmp_path, "1h", symbol, lines)
    for symbol, columns in read_candles(tmp_path, QUERY).daily.items():
        days = rows_of(columns)
        write_candles(tmp_path, "1d", symbol, [",".join([str(int(row[0])), *map(repr, row[1:]), ""]) for row in days])
    return tmp_path


def asked(question: Callable[[], Any]) -> Any:
    """An answer, or the kind of the refusal."""
    try:
        return question()
    except EngineError as error:
        return type(error)


def test_every_answer_of_every_hour_is_that_of_the_folder(folder: Path) -> None:
    clock = SimulatedClock(BEGIN_MS)
    market, past = FolderMarket(folder, clock), PastMarket(read_candles(folder, QUERY), clock)
    for hour in range(24, DAYS * 24):
        clock.set(BEGIN_MS + hour * HOUR_MS + 15 * MINUTE_MS)
        assert past.open_at(clock.now_ms()) == (hour not in CLOSED)
        if hour in CLOSED:
            with pytest.raises(Unavailable, match="closed"):
                past.prices()
            continue
        assert past.prices() == market.prices(), hour
        assert past.server_time_ms() == market.server_time_ms()
        for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT", "NOPEUSDT"):
            for interval, start_ms in (("1h", None), ("1d", None), ("1h", BEGIN_MS + 50 * HOUR_MS), ("1d", BEGIN_MS)):
                answers = [
                    asked(lambda m=m, a=(symbol, interval, start_ms, 40): m.candles(*a))  # type: ignore[misc]
                    for m in (past, market)
                ]
                assert answers[0] == answers[1], (hour, symbol, interval, start_ms)


def test_the_highest_high_is_that_of_the_closed_hours_whenever_it_is_asked(folder: Path) -> None:
    clock = SimulatedClock(BEGIN_MS)
    candles = read_candles(folder, QUERY)
    past, hours = PastMarket(candles, clock), candles.hourly["SOLUSDT"]
    for since, now in ((20, 40), (20, 41), (30, 41), (20, 70), (71, 72), (10, 11), (88, 95), (20, 100)):
        since_ms, now_ms = BEGIN_MS + since * HOUR_MS, BEGIN_MS + now * HOUR_MS + 15 * MINUTE_MS
        closed = [row[2] for row in rows_of(hours) if since_ms <= row[0] <= now_ms - HOUR_MS]
        expected = Decimal(repr(max(closed))) if closed else None
        assert past.highest("SOLUSDT", since_ms, now_ms) == expected, (since, now)


def test_pairs_that_are_remembered_are_what_they_would_be_if_they_were_looked_at_anew() -> None:
    """Over a halt of five days and the turn of a month, whoever else asked between."""
    made = {symbol: hours_of(symbol, 40 * 24, drift=0.001) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")}
    rows = rows_of(made["ETHUSDT"])
    made["ETHUSDT"] = columns_of("ETHUSDT", [*rows[: 10 * 24 + 7], *rows[15 * 24 + 5 :]])
    candles, clock, symbols = candles_of(made, BEGIN_MS + 40 * DAY_MS), SimulatedClock(BEGIN_MS), tuple(made)
    past, seen = PastMarket(candles, clock), list[tuple[str, Decimal]]()
    for hour in range(24, 40 * 24):
        clock.set(BEGIN_MS + hour * HOUR_MS + 15 * MINUTE_MS)
        anew = PastMarket(candles, clock)
        assert past.instruments(symbols) == anew.instruments(symbols), hour
        assert past.instruments(["ETHUSDT"]) == anew.instruments(["ETHUSDT"]), hour
        known = past.instruments(symbols)[1]
        seen.append((known["ETHUSDT"].status, known["SOLUSDT"].market_lot.max_qty))
    assert [status for status, _ in groupby(status for status, _ in seen)] == ["TRADING", "BREAK", "TRADING"]
    assert len({most for _, most in seen}) == 2, "the turn of the month reviews the filters"
