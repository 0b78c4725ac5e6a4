"""The command `report`: an account's last days as a static site, which needs the account's store and nothing else."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from runtime.desk import Desk
from runtime.domain.site import public
from runtime.errors import BadInput, EngineError
from runtime.site import Tapes, site_of

DAYS = 30


def add_site_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The arguments of the command."""
    report = commands.add_parser("report", help="a static site of the last days: hours, performance, books, incidents")
    report.add_argument("folder", help="where the site goes: new, empty, or a site made before")
    report.add_argument("--days", type=int, default=DAYS, help=f"how many UTC days; default {DAYS}")
    report.add_argument("--redact", action="store_true", help="without any amount, so that it may be public")


def run_report(desk: Desk, given: argparse.Namespace) -> Mapping[str, object]:
    """Build the site and put it in its folder."""
    if desk.read_only:
        raise BadInput("mode", "dry_run", "must not be dry_run: a site is a folder of files")
    site = site_of(desk.store, given.days, desk.places.kept, _tapes(desk))
    site = public(site) if given.redact else site
    files = desk.places.site(Path(given.folder), site, desk.language)
    if not given.json:
        desk.say(f"{files} files in {given.folder}: open index.html there")
    return {"site": given.folder, "files": files, "hours": len(site.hours), "newest": site.hours[0].slot}


def _tapes(desk: Desk) -> Tapes:
    """The account's own tapes on this machine by slot; none where it keeps none."""
    try:
        found = desk.places.tapes(None)
    except EngineError:
        return {}
    return {Path(name).name.partition(".")[0]: read for name, read in found.items()}


SITE_COMMANDS: Mapping[str, Callable[[Desk, argparse.Namespace], Mapping[str, object]]] = {"report": run_report}
