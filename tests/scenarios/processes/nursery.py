"""The nursery: a process that has imported everything, and forks a child for each hour.

A live hour spends most of its time importing; forking makes hundreds of real processes affordable. The child is a
process of its own in every other respect: its own connections, its own file handles, its own death. Orders come as
JSON lines on standard input, answers leave as JSON lines on standard output:

    {"run": {...}}    -> {"pid": 123}
    {"wait": 123}     -> {"ended": "exited", "with": 0}; `killed` or `stopped` come with the signal's number
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Trap:
    """Where a process sends itself `signal`: at the `at`-th call (from 1) that crosses a port, before it or `after`;
    `only` counts calls of that name alone.
    """

    at: int
    signal: int
    after: bool = False
    only: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, or that it was stopped: `exited`, `killed` or `stopped`, with its exit code or signal."""

    how: str
    number: int


class Nursery:
    """A context manager around the parent process."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def run(self, environment: Mapping[str, str], clock: Path, out: Path, trap: Trap | None = None) -> int:
        """Start an hour; returns its process id. What it prints goes to `out`."""
        order = {"environment": dict(environment), "clock": str(clock), "out": str(out)}
        return int(self._ask({"run": order | {"trap": asdict(trap) if trap else None}})["pid"])

    def wait(self, pid: int) -> Ended:
        """Wait until the process ended or was stopped."""
        answer = self._ask({"wait": pid})
        return Ended(answer["ended"], answer["with"])

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def main() -> None:
    """Serve orders until standard input ends."""
    from tests.scenarios.processes import child  # noqa: PLC0415 - imported here alone, before the first fork

    for line in sys.stdin:
        question = json.loads(line)
        answer = _forked(child.live, question["run"]) if "run" in question else _waited(question["wait"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _forked(live: Callable[[Mapping[str, Any]], int], order: Mapping[str, Any]) -> dict[str, int]:
    pid = os.fork()
    return {"pid": pid} if pid else _child(live, order)


def _child(live: Callable[[Mapping[str, Any]], int], order: Mapping[str, Any]) -> NoReturn:
    code = 70
    try:
        out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(out, stream.fileno())
        os.close(sys.stdin.fileno())
        code = live(order)
        sys.stdout.flush()
    finally:
        os._exit(code)


def _waited(pid: int) -> dict[str, str | int]:
    status = os.waitpid(pid, os.WUNTRACED)[1]
    if os.WIFSTOPPED(status):
        return {"ended": "stopped", "with": os.WSTOPSIG(status)}
    if os.WIFSIGNALED(status):
        return {"ended": "killed", "with": os.WTERMSIG(status)}
    return {"ended": "exited", "with": os.WEXITSTATUS(status)}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main()
