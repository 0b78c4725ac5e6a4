"""Trials on a Dask cluster: machines that hold the same checkout, and the same candles under the same path.

A worker that dies is the scheduler's business: it gives the trial to another one. A trial is known there by its key, so
that two sweeps which ask for the same one have it run once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from distributed import CancelledError, Client, as_completed
from distributed.scheduler import KilledWorker

from runtime.domain.trials import Outcome, Task
from runtime.errors import BadInput, Unavailable

CONNECT_S = "5s"
RETRIES = 3
Evaluate = Callable[[Task], Outcome]


class Cluster:
    """The workers of one scheduler."""

    def __init__(self, evaluate: Evaluate, address: str) -> None:
        """Connects; `BadInput` where nobody answers at `address`."""
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        self._evaluate = evaluate
        try:
            self._client = Client(address, timeout=CONNECT_S)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            fix = "must be the address of a running scheduler, such as tcp://10.0.0.5:8786"
            raise BadInput("--dask", address, f"{fix} ({type(error).__name__})") from None

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        futures = [
            self._client.submit(self._evaluate, task, key=f"trial-{task.key}", retries=RETRIES, pure=True)
            for task in tasks
        ]
        for future in as_completed(futures):  # type: ignore[no-untyped-call]
            try:
                outcome: Outcome = future.result()
            except KilledWorker as error:
                raise Unavailable("--dask", f"workers die of this trial: {error}") from None
            except CancelledError:
                raise Unavailable("--dask", "the scheduler is gone; the same command goes on from here") from None
            yield outcome

    def close(self) -> None:
        """Leave the cluster as it was."""
        self._client.close()  # type: ignore[no-untyped-call]
