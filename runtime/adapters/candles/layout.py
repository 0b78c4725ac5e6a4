"""Where the candles of a symbol lie in a folder, and what of that is unclear.

Two layouts: hours and days in folders of their own (`1h/`, `1d/`), or hours alone, flat. A folder that has both, or a
symbol twice, is refused: which one is meant is not for a program to guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from runtime.adapters.candles.findings import Findings
from runtime.domain.money import CASH, CORE
from runtime.domain.slots import DAY_MS, HOUR_MS

BITCOIN = CORE + CASH
STEPS = {"1h": HOUR_MS, "1d": DAY_MS}
_SYMBOL = re.compile(r"[A-Z0-9]+USDT")
_SUFFIXES = (".csv.gz", ".csv")

Files = dict[str, dict[str, Path]]  # interval -> symbol -> file


def find_files(folder: Path, symbols: tuple[str, ...] | None, found: Findings) -> Files:
    """The files of the asked symbols and bitcoin (None: of all symbols that have hours)."""
    places = _places(folder, found)
    files = {interval: _by_symbol(places[interval], found) if interval in places else {} for interval in STEPS}
    hours = files["1h"]
    if "1h" not in places:
        return {interval: {} for interval in STEPS}
    asked = set(symbols) if symbols is not None else set(hours)
    for symbol in sorted(asked | {BITCOIN} - set(hours)):
        if symbol not in hours:
            why = (
                "bitcoin's candles are always needed" if symbol == BITCOIN else "download them, or leave the symbol out"
            )
            found.problem(str(places["1h"] / f"{symbol}.csv.gz"), "missing", f"must hold the hours of {symbol}; {why}")
    days_alone = sorted(set(files["1d"]) - set(hours))
    if symbols is None and days_alone:
        found.note(f"left out, because there are days but no hours of them: {', '.join(days_alone)}")
    wanted = asked | {BITCOIN}
    return {
        interval: {s: path for s, path in sorted(of.items()) if s in wanted and s in hours}
        for interval, of in files.items()
    }


def symbols_in(folder: Path) -> frozenset[str]:
    """The symbols that a folder has hours of, whatever else is wrong with it."""
    hours = folder / "1h"
    place = hours if hours.is_dir() else folder
    return frozenset(symbol for symbol, _ in _candle_files(place)) if place.is_dir() else frozenset()


def _places(folder: Path, found: Findings) -> dict[str, Path]:
    """The folder of each interval."""
    if not folder.is_dir():
        found.problem("candle folder", str(folder), "must be a folder that exists")
        return {}
    nested = {interval: folder / interval for interval in STEPS if (folder / interval).is_dir()}
    flat = any(_candle_files(folder))
    if flat and nested:
        fix = f"holds candle files beside {' and '.join(f'{name}/' for name in nested)}; move them into 1h/"
        found.problem("candle folder", str(folder), fix)
    elif flat:
        return {"1h": folder}
    elif "1h" not in nested:
        found.problem("candle folder", str(folder), "must hold hours, as 1h/<SYMBOL>.csv.gz or as <SYMBOL>.csv.gz")
    else:
        return nested
    return {}


def _candle_files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()):
        suffix = next((end for end in _SUFFIXES if path.name.endswith(end)), None)
        if suffix and not path.name.startswith("."):
            yield path.name.removesuffix(suffix), path


def _by_symbol(folder: Path, found: Findings) -> dict[str, Path]:
    by_symbol: dict[str, Path] = {}
    for symbol, path in _candle_files(folder):
        if not _SYMBOL.fullmatch(symbol):
            found.problem(str(path), symbol, "must be named after an upper-case USDT pair, such as BTCUSDT.csv.gz")
        elif symbol in by_symbol:
            found.problem(str(path), symbol, f"is there twice: keep this file or {by_symbol[symbol].name}")
        else:
            by_symbol[symbol] = path
    return by_symbol
