"""One live hour in a process of its own, timed from its start to its decision; prints one JSON line."""

from __future__ import annotations

import time

STARTED = time.monotonic()

# Everything below is what the hour itself imports: it belongs to the time that is measured.
import json  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402

from runtime.adapters.clock import SystemClock  # noqa: E402
from runtime.config import read_settings  # noqa: E402
from runtime.cycle import run_cycle  # noqa: E402
from runtime.domain.decision import Decision, ExecutionPool  # noqa: E402
from runtime.domain.market import Snapshot  # noqa: E402
from runtime.domain.settings import StrategySettings  # noqa: E402
from runtime.domain.state import State  # noqa: E402
from runtime.wiring import wired  # noqa: E402


def main() -> None:
    """Run the hour with the machine's clock shifted by the first argument (ms)."""
    figures: dict[str, object] = {}
    with wired(read_settings({"first_run": "fresh"}), lambda _: None, SystemClock(int(sys.argv[1]))) as wiring:

        def timed(snapshot: Snapshot, state: State, pool: ExecutionPool, settings: StrategySettings) -> Decision:
            figures["wall_s"] = round(time.monotonic() - STARTED, 3)
            decision = wiring.strategy(snapshot, state, pool, settings)
            figures["cpu_s"] = round(time.process_time(), 3)
            return decision

        report = run_cycle(wiring.settings, timed, wiring.world)
    figures |= {"status": report.status.value, "error": report.error, "orders": len(report.orders)}
    figures["whole_cpu_s"] = round(time.process_time(), 3)
    figures["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    sys.stdout.write(json.dumps(figures) + "\n")


main()
