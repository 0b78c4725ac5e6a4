"""Replay an hour without network or credentials: a fixed input, or a recorded tape; never touches an account."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.command import keep_to_ourselves, print_line, say
from runtime.config import Settings, parse_settings
from runtime.cycle import run_cycle
from runtime.domain.report import digest, to_document
from runtime.domain.report_text import render_text
from runtime.domain.texts import Language
from runtime.errors import EngineError
from runtime.replay import replay_tape
from runtime.wiring import FIXTURE_FOLDER, strategy_of, tape_lines, wired_fixture


def main(argv: Sequence[str] | None = None) -> int:
    """Replay what the command line names; 0 = done or identical, 1 = different, 2 = the input is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", default="replay", help="a label for the output; it is not part of any digest")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--fixtures", metavar="DIR", type=Path, default=FIXTURE_FOLDER, help="folder of a fixture.json")
    source.add_argument("--tape", metavar="FILE", type=Path, help="decide again from the tape of an hour and compare")
    parser.add_argument("--language", choices=["en", "zh"], default="en")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON line and nothing else")
    given = parser.parse_args(argv)
    settings = parse_settings({}, {"language": given.language})
    try:
        return _tape(given, settings) if given.tape else _fixture(given, settings)
    except EngineError as error:
        sys.stderr.write(f"{given.run_id}: {error}\n")
        return 2


def _fixture(given: argparse.Namespace, settings: Settings) -> int:
    with wired_fixture(settings, given.fixtures, lambda _: None) as wiring:
        report = run_cycle(settings, wiring.strategy, wiring.world)
    if given.json:
        print_line(to_document(report))
    else:
        say(render_text(report, Language(settings.language)))
        say(f"run {given.run_id} · report SHA-256 {digest(report)}")
    return report.exit_code


def _tape(given: argparse.Namespace, settings: Settings) -> int:
    lines = tape_lines(given.tape)
    slot, differences = replay_tape(lines, strategy_of(settings))
    for found in differences:
        say(f"{slot}: {found.stage}: {found.path}: the tape says {found.taped}, now {found.replayed}")
    if not differences:
        say(f"{slot}: identical · tape SHA-256 {json.loads(lines[-1])['sha256']}")
    return 1 if differences else 0


if __name__ == "__main__":
    keep_to_ourselves()
    sys.exit(main())
