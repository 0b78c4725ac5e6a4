"""Trials on a Dask cluster: machines that hold the same checkout, and the same candles under the same path.

A worker that dies is the scheduler's business: it gives the trial to another one. A trial is known there by its key, so
that two sweeps which ask for the same one have it run once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from distributed import CancelledError, Client, as_completed
from distributed.scheduler import KilledWorker

from runtime.domain.trials import Outcome, Task
from runtime.errors import BadInput, Unavailable

CONNECT_S = "5s"
RETRIES = 3
Evaluate = Callable[[Task], Outcome]


class Cluster:
    """The workers of one scheduler."""

    wanted = 1000
    """However many there are: they come and go."""

    def __init__(self, evaluate: Evaluate, address: str) -> None:
        """Connects; `BadInput` where nobody answers at `address`."""
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        self._evaluate = evaluate
        try:
            self._client = Client(address, timeout=CONNECT_S)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            fix = "must be the address of a running scheduler, such as tcp://10.0.0.5:8786"
            raise BadInput("--dask", address, f"{fix} ({type(error).__name__})") from None
        self._begun = as_completed([], loop=self._client.loop)  # type: ignore[no-untyped-call]

    def begin(self, task: Task) -> None:
        """Have a trial run."""
        future = self._client.submit(self._evaluate, task, key=f"trial-{task.key}", retries=RETRIES, pure=True)
        self._begun.add(future)  # type: ignore[no-untyped-call]

    def next_done(self) -> Outcome:
        """Wait for the next trial that is done."""
        try:
            outcome: Outcome = next(self._begun).result()
        except KilledWorker as error:
            raise Unavailable("--dask", f"workers die of this trial: {error}") from None
        except CancelledError:
            raise Unavailable("--dask", "the scheduler is gone; the same command goes on from here") from None
        return outcome

    def close(self) -> None:
        """Leave the cluster as it was."""
        self._client.close()  # type: ignore[no-untyped-call]
