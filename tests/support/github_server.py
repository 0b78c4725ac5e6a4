"""A stand-in for the part of GitHub's API that starts and follows a run of a workflow.

    with GitHub() as github:
        github.dispatch(github.accepted())            # what the start is answered, in turn
        github.run(github.state("completed", "success"))

It is an `HttpStub` with GitHub's paths and shapes; what is not scripted is a 404, as GitHub answers. Arrival times are
kept, so that a test can see how long a client waited.
"""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

from tests.support.http_stub import Answer, HttpStub, Reply, Seen

REPOSITORY = "owner/engine"
TOKEN = "github_pat_planted_0123456789abcdef"
RUN_ID = 424242424242
_REPO = f"/repos/{REPOSITORY}"
DISPATCHES = f"POST {_REPO}/actions/workflows/main.yml/dispatches"
WORKFLOW = f"GET {_REPO}/actions/workflows/main.yml"
RUNS = f"{WORKFLOW}/runs"
RUN = f"GET {_REPO}/actions/runs/{RUN_ID}"
JOBS = f"{RUN}/jobs"


class GitHub(HttpStub):
    """One repository with one workflow."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: list[tuple[str, float]] = []

    def answer(self, seen: Seen) -> Answer:
        """Every request needs the token."""
        self.arrived.append((seen.endpoint, time.monotonic()))
        given = super().answer(seen)
        authorised = seen.headers.get("authorization") == f"Bearer {TOKEN}"
        return given if authorised else Reply(401, {"message": "Bad credentials"})

    def dispatch(self, *answers: Answer) -> None:
        """What a start is answered."""
        self.on(DISPATCHES, *answers)

    def run(self, *answers: Answer) -> None:
        """What a look at the run is answered."""
        self.on(RUN, *answers)

    def sent(self) -> list[dict[str, Any]]:
        """The bodies of the starts that arrived."""
        return [json.loads(seen.raw[1]) for seen in self.seen if seen.endpoint == DISPATCHES]

    def waits(self) -> list[float]:
        """Seconds between the starts that arrived."""
        times = [at for endpoint, at in self.arrived if endpoint == DISPATCHES]
        return [later - earlier for earlier, later in itertools.pairwise(times)]

    @staticmethod
    def accepted() -> Reply:
        """A start with the run's id, as `return_run_details` asks for."""
        web = f"https://github.com/{REPOSITORY}/actions/runs/{RUN_ID}"
        return Reply(200, {"workflow_run_id": RUN_ID, "run_url": "https://api.github.com/x", "html_url": web})

    @staticmethod
    def state(status: str, conclusion: str | None = None, title: str = "hour") -> Reply:
        """The run in one of its states."""
        return Reply(200, _run(status, conclusion, title))

    @staticmethod
    def listed(*titles: str) -> Reply:
        """The newest runs; the last title is the run of this stand-in, the others have other ids."""
        runs = [_run("queued", None, title) | {"id": RUN_ID + n} for n, title in enumerate(titles[::-1])]
        return Reply(200, {"total_count": len(runs), "workflow_runs": runs[::-1]})

    @staticmethod
    def steps(*failed: str) -> Reply:
        """A run's jobs, in each of which one step failed."""
        jobs = [_job(f"Run the hour ({n})", "failure", step) for n, step in enumerate(failed)]
        return Reply(200, {"total_count": len(jobs), "jobs": jobs})

    @staticmethod
    def jobs(**accounts: tuple[str, str]) -> Reply:
        """The jobs of a run by account: how each ended, and its failed step."""
        jobs = [_job(f"Run the hour ({account})", *ended) for account, ended in accounts.items()]
        return Reply(200, {"total_count": len(jobs), "jobs": jobs})


def _job(name: str, conclusion: str, failed: str) -> dict[str, Any]:
    names = ["Set up job", "engine stopped", *(f"engine exit {code}" for code in range(1, 5)), "Complete job"]
    steps = [
        {"name": step, "status": "completed", "conclusion": "failure" if step == failed else "skipped", "number": n}
        for n, step in enumerate([*names, "Run the engine"])
    ]
    return {"id": 1, "status": "completed", "conclusion": conclusion, "name": name, "steps": steps}


def _run(status: str, conclusion: str | None, title: str) -> dict[str, Any]:
    return {
        "id": RUN_ID,
        "name": 'Hour "status":"completed"',
        "node_id": "WFR_x",
        "head_branch": "main",
        "display_title": title,
        "event": "workflow_dispatch",
        "status": status,
        "conclusion": conclusion,
        "html_url": f"https://github.com/{REPOSITORY}/actions/runs/{RUN_ID}",
        "actor": {"login": "owner", "html_url": "https://github.com/owner"},
        "repository": {"id": 1, "private": True},
    }
