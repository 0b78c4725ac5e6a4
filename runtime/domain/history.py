"""History: the past as one value, which is everything a history run may know of the market.

History
  candles      closed hours and days by symbol, as columns (`domain.candle_columns`)
  pools        dated upstream documents, oldest first: each is known from its date on
  instruments  the filters of pairs, where the source brings Binance's own; others are derived from prices
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Any

from runtime.domain.candle_columns import CandleSet
from runtime.domain.instruments import Instrument


@dataclass(frozen=True, slots=True)
class DatedPool:
    """An upstream document and the UTC date from which it is known."""

    known_from: date
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class History:
    """Everything a run over the past may know; see the module's docstring."""

    candles: CandleSet
    pools: tuple[DatedPool, ...] = ()
    instruments: Mapping[str, Instrument] = field(default_factory=dict)

    def digest(self) -> str:
        """SHA-256 (hex): the same files and documents have the same digest on every machine."""
        documents = [[str(pool.known_from), pool.document] for pool in self.pools]
        filters = repr(sorted(self.instruments.items()))
        named = [self.candles.fingerprint, sorted(self.candles.hourly), documents, filters]
        return sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()
