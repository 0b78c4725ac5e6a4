"""Dependencies: what every hour remembers of the outside systems that earlier hours found sick.

The worked problem: an exchange that is down for a day is asked six things at once, with retries, 24 times; and each
hour says so anew. So failures in a row are counted, and a third one opens the *breaker* of that system: from then on an
hour begins with one cheap probe (half-open) and gives up at once where it fails. One success closes it. A pause that a
system asked for is honoured by every later hour; one that is nearly over is waited out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runtime.domain.state import Dependency
from runtime.errors import EngineError, Misconfigured, RateLimited, Rejected, StoreError, Unavailable

BINANCE, TELEGRAM = "binance", "telegram"
OPEN_AFTER = 3
WORTH_WAITING_MS = 60_000

WELL = Dependency()
Dependencies = Mapping[str, Dependency]


def is_open(dependencies: Dependencies, name: str) -> bool:
    """Whether the breaker of `name` is open: it failed so often in a row that one probe must come first."""
    return dependencies.get(name, WELL).failures >= OPEN_AFTER


def pause_ms(dependencies: Dependencies, name: str, now_ms: int) -> int:
    """How long `name` still wants no requests; 0 = it may be asked."""
    return max(0, dependencies.get(name, WELL).retry_at_ms - now_ms)


def failed(dependencies: Dependencies, name: str, retry_at_ms: int = 0) -> dict[str, Dependency]:
    """One failure more in a row, and the pause it asked for, if any."""
    before = dependencies.get(name, Dependency())
    return {**dependencies, name: Dependency(before.failures + 1, max(before.retry_at_ms, retry_at_ms))}


def worked(dependencies: Dependencies, name: str, now_ms: int) -> dict[str, Dependency]:
    """`name` answered: its breaker is closed; a pause that is not over stays."""
    after = dict(dependencies)
    if pause_ms(dependencies, name, now_ms):
        after[name] = replace(after[name], failures=0)
    else:
        after.pop(name, None)
    return after


def after_abort(dependencies: Dependencies, error: EngineError) -> dict[str, Dependency]:
    """What an hour that ended early by `error` learned about the exchange; a pause that is kept is no failure, and a
    store that refuses us says nothing of the exchange.
    """
    if isinstance(error, StoreError):
        return dict(dependencies)
    if isinstance(error, RateLimited):
        known = error.retry_at_ms <= dependencies.get(BINANCE, Dependency()).retry_at_ms
        return dict(dependencies) if known else failed(dependencies, BINANCE, error.retry_at_ms)
    if isinstance(error, Unavailable | Misconfigured | Rejected):
        return failed(dependencies, BINANCE)
    return dict(dependencies)
