"""The command line of an hour: its arguments, what it prints, and the one JSON line that it ends with."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, TextIO

from runtime.domain.alerts import AlertKind, new_alert
from runtime.domain.report import CycleStatus, Report, to_document
from runtime.domain.report_text import render_text
from runtime.domain.slots import slot_at
from runtime.domain.texts import Language
from runtime.errors import EngineError, SettingsError
from runtime.job_summary import JobSummary
from runtime.ports import World
from runtime.telling import tell_at_once


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the command line asked for; `overrides` are settings by field, `summary` a job's page to add to."""

    overrides: Mapping[str, object]
    json_only: bool
    summary: JobSummary | None = None
    validate_only: bool = False
    deep: bool = False

    def write(self, text: str) -> None:
        """Print for people; silent with --json."""
        if not self.json_only:
            say(text)


class Parser(argparse.ArgumentParser):
    """Wrong arguments end like wrong settings: with exit 2 and the exit line."""

    def error(self, message: str) -> NoReturn:
        """End the process, with the usage on standard error and the line on standard output."""
        self.print_usage(sys.stderr)
        print_line({"exit_code": 2, "status": CycleStatus.BAD_SETTINGS.value, "error": f"arguments: {message}"})
        sys.exit(2)


def heed_signals() -> Callable[[], str]:
    """Take SIGINT and SIGTERM as the wish to end; returns what says which one came, or nothing.

    The hour then ends by itself, between two sends. Further signals change nothing: a service manager that signals a
    whole group sends each process several. Only a process's main thread may ask for this.
    """
    came: list[str] = []

    def heard(number: int, frame: FrameType | None) -> None:
        del frame
        came.append(f"told to stop by {signal.Signals(number).name}")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, heard)
    return lambda: came[0] if came else ""


def say(text: str) -> None:
    """Print a text and a line's end, on any terminal: what its encoding lacks is shown as an escape. Nothing is raised:
    what a run did does not depend on who listens (`unsaid` tells what was lost).
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.removesuffix("\n").encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stdout.flush()
    except OSError as error:
        _go_on_silently(error)


unsaid: list[str] = []
"""Why standard output took no more, once, if it is to be told: a reader that has seen enough (`| head`) is no fault."""


def _go_on_silently(error: OSError) -> None:
    if not isinstance(error, BrokenPipeError):
        unsaid.append(f"standard output: {error.strerror or error}")
        tell_aside(unsaid[-1])
    _send_nowhere(sys.stdout)


def _send_nowhere(stream: TextIO) -> None:
    """From here on nothing of it is lost a second time, also not at the end of the process, which would fail by it."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def arguments(argv: Sequence[str] | None) -> Arguments:
    """Parse the command line; exits with 2 and its usage where it is wrong."""
    parser = Parser(
        description="Run one hour of the engine.",
        epilog="Exit codes: 0 done (also: lease held, slot done) · 1 unexpected error · 2 bad settings · "
        "3 aborted before trading · 4 finished with failed or unknown orders",
    )
    parser.add_argument("--mode", choices=["paper", "dry_run", "live"], help="default: ENGINE_MODE, else paper")
    parser.add_argument("--validate-only", action="store_true", help="prove that an hour could run; never trades")
    parser.add_argument("--deep", action="store_true", help="with --validate-only: a test order for every pair in play")
    parser.add_argument("--slot", metavar="HOUR", help="the UTC hour this run was asked for, as 2026-11-21T09")
    parser.add_argument("--at", metavar="HOUR", help="paper only: the simulated UTC hour, as 2024-03-01T09")
    parser.add_argument("--market", metavar="WHAT", help="paper only: embedded, a candle folder, or binance")
    parser.add_argument("--pools", metavar="PATH", help="paper only: a pool document, or a folder of dated ones")
    parser.add_argument("--json", action="store_true", help="print the whole report as one JSON line and nothing else")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="add the hour to this file, in GitHub's Markdown")
    parser.add_argument("--summary-figures", action="store_true", help="with the account's amounts; else shares alone")
    given = parser.parse_args(argv)
    if given.deep and not given.validate_only:
        parser.error("--deep: belongs to --validate-only")
    overrides = {name: getattr(given, name) for name in ("mode", "slot", "at", "market", "pools")}
    summary = JobSummary(given.summary, given.summary_figures) if given.summary else None
    return Arguments(overrides, given.json, summary, given.validate_only, given.deep)


def shown(report: Report, given: Arguments, language: str) -> int:
    """Print the report and the exit line; returns the exit code."""
    given.write(render_text(report, Language(language)))
    document = to_document(report)
    line = document if given.json_only else _exit_line(report, str(document["sha256"]))
    print_line(line)
    return report.exit_code


def _exit_line(report: Report, digest: str) -> dict[str, object]:
    return {
        "exit_code": report.exit_code,
        "status": report.status.value,
        "slot": report.slot,
        "error": report.error,
        "orders": len(report.orders),
        "gates": len(report.gates),
        "report_sha256": digest,
    }


def bad_settings(error: SettingsError, given: Arguments) -> int:
    """Say everything that is wrong with the settings, at once (exit 2)."""
    given.write("Settings are wrong; nothing was contacted:")
    for problem in error.problems:
        given.write(f"  {problem}")
    if given.summary is not None:
        given.summary.tell_end(CycleStatus.BAD_SETTINGS, 2, error.problems)
    print_line({"exit_code": 2, "status": CycleStatus.BAD_SETTINGS.value, "error": str(error)})
    return 2


def tell_aside(problem: str) -> None:
    """A line on standard error for what does not change how the hour ended; nothing is raised where it takes none."""
    if not problem:
        return
    try:
        sys.stderr.write(f"{problem}\n")
        sys.stderr.flush()
    except OSError:
        _send_nowhere(sys.stderr)


def tell_unexpected(world: World, error: Exception) -> None:
    """Tell the operator of an error that nobody expected, by its kind and place alone: its text may hold anything."""
    facts = {"why": type(error).__name__, "step": _place(error.__traceback__)}
    tell_at_once(world, [new_alert(AlertKind.UNEXPECTED, slot_at(world.clock.now_ms()), facts)])


def _place(trace: TracebackType | None) -> str:
    where = traceback.extract_tb(trace)
    return f"{where[-1].name}:{where[-1].lineno}" if where else ""


def unexpected(error: Exception, given: Arguments) -> int:
    """Say where an error that nobody expected came from, without its values (exit 1); 3 for one the engine knows."""
    known = isinstance(error, EngineError)
    text = str(error) if known else type(error).__name__
    place = _place(error.__traceback__)
    given.write(f"{'Aborted' if known else 'Unexpected error'}: {text} ({place})")
    code, status = (3, CycleStatus.ABORTED) if known else (1, CycleStatus.UNEXPECTED)
    if given.summary is not None:
        given.summary.tell_end(status, code, [f"{text} ({place})"])
    print_line({"exit_code": code, "status": status.value, "error": text, "where": place})
    return code


def keep_to_ourselves() -> None:
    """For a process's start: from here on only this module speaks. A library's log line or a traceback quotes URLs, and
    with them signatures and tokens; what was not caught (an interrupt, a thread's fault) is named by kind and place.
    """
    logging.disable()
    sys.excepthook = _last_word
    threading.excepthook = lambda fault: _aside(fault.exc_type, fault.exc_traceback)
    sys.unraisablehook = lambda fault: _aside(fault.exc_type, fault.exc_traceback)


def _last_word(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends a process uncaught: the exit line for an error, one line on standard error for an interrupt."""
    del error
    if issubclass(kind, Exception):
        unexpected = CycleStatus.UNEXPECTED.value
        print_line({"exit_code": 1, "status": unexpected, "error": kind.__name__, "where": _place(trace)})
    else:
        _aside(kind, trace)


def _aside(kind: type[BaseException], trace: TracebackType | None) -> None:
    tell_aside(f"{kind.__name__} in {_place(trace)}")


def print_line(document: Mapping[str, object]) -> None:
    """Print one JSON line: the last word of every command."""
    plain = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    say(json.dumps(document, ensure_ascii=plain, sort_keys=True))
