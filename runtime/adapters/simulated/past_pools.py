"""The pools of the past: dated documents, each known from its date on; or one list that never changes.

The file's name dates a document (`YYYY-MM-DD*.json`), as `markets.FolderPoolSource` reads them hour by hour; a history
reads them all beforehand, so that a run depends on nothing but its inputs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from runtime.adapters.simulated.documents import read_object
from runtime.domain.history import DatedPool
from runtime.domain.money import CASH
from runtime.domain.pool import Rung
from runtime.domain.slots import date_at
from runtime.errors import BadInput, Unavailable
from runtime.ports import Clock


class PastPools:
    """The upstream rung of a history: the newest document that is known at the clock's date."""

    rung = Rung.FRESH_UPSTREAM
    where = "pools of the past"

    def __init__(self, pools: Sequence[DatedPool], clock: Clock) -> None:
        """`pools` come oldest first."""
        self._pools, self._clock = pools, clock

    def read(self) -> Mapping[str, Any]:
        today = date_at(self._clock.now_ms())
        known = bisect_right(self._pools, today, key=lambda pool: pool.known_from)
        if not known:
            raise Unavailable(self.where, f"holds no pool dated {today} or earlier")
        return self._pools[known - 1].document


def read_pools(where: str | None, folder: Path, span: tuple[date, date]) -> tuple[DatedPool, ...]:
    """The pools that `where` names: a folder of dated documents; one document, or pairs with commas between them, which
    then stand for the whole `span`; None means those that lie in `folder` itself.
    """
    place = Path(where) if where is not None else folder
    if where is not None and not _exists(place):
        return fixed_pool(_listed(where), span)
    if place.is_dir():
        dated = _dated_documents(place)
        if dated:
            return dated
        place /= "pool.json"
        if not place.exists():
            fix = "must hold pools/YYYY-MM-DD*.json or pool.json; or name pairs such as ETHUSDT,SOLUSDT"
            raise BadInput("--pools", str(place.parent), fix)
    symbols = read_object(place).get("symbols")
    if not isinstance(symbols, list | dict) or not all(isinstance(symbol, str) for symbol in symbols):
        raise BadInput(f"{place} symbols", symbols, "must be a list of pairs")
    return fixed_pool(list(symbols), span)


def _exists(place: Path) -> bool:
    """Whether there is such a file or folder; a long list of pairs is longer than a name may be."""
    try:
        return place.exists()
    except OSError:
        return False


def _listed(text: str) -> list[str]:
    symbols = [name.strip() for name in text.split(",")]
    if not all(name.endswith(CASH) and name.isalnum() and name.isupper() for name in symbols):
        raise BadInput("--pools", text, "must be a folder, a document, or pairs such as ETHUSDT,SOLUSDT")
    return symbols


def _dated_documents(folder: Path) -> tuple[DatedPool, ...]:
    """Of several documents of a date the one whose name comes last; those in `pools/` and beside it count alike."""
    found: dict[date, Path] = {}
    for path in sorted((*folder.glob("*.json"), *(folder / "pools").glob("*.json")), key=lambda path: path.stem):
        day = _date(path.name)
        if day is not None:
            found[day] = path
    return tuple(DatedPool(day, read_object(path)) for day, path in sorted(found.items()))


def _date(name: str) -> date | None:
    try:
        return date.fromisoformat(name[:10])
    except ValueError:
        return None


def fixed_pool(symbols: Sequence[str], span: tuple[date, date]) -> tuple[DatedPool, ...]:
    """The same symbols published anew on the first of every month of the span: a pool that never changes or ages."""
    return tuple(DatedPool(day, _release(symbols, day)) for day in _months(*span))


def _months(first: date, last: date) -> Iterator[date]:
    day = first.replace(day=1)
    while day <= last:
        yield day
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _release(symbols: Sequence[str], day: date) -> Mapping[str, Any]:
    return {
        "as_of_date": day.isoformat(),
        "version": f"{day.isoformat()}-core_major",
        "mode": "core_major",
        "pool_size": len(symbols),
        "symbols": list(symbols),
        "symbol_map": {symbol: {"base_asset": symbol.removesuffix(CASH)} for symbol in symbols},
        "source_project": "fixed",
    }
