"""Replay without network or credentials: a fixed input, a recorded tape, or years of history; never an account."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from runtime.backtest import read_checkpoint
from runtime.command import keep_to_ourselves, print_line, say
from runtime.config import parse_settings
from runtime.cycle import Strategy, run_cycle
from runtime.domain.report import digest, to_document
from runtime.domain.report_text import render_text
from runtime.domain.slots import slot_at
from runtime.domain.texts import Language
from runtime.domain.track import canonical
from runtime.domain.walk_forward import read_windows, splits_of
from runtime.download_command import add_download_arguments, figures_of, lines_of, telling, wanted_of
from runtime.errors import BadInput, EngineError, Unavailable
from runtime.history_command import (
    Interrupted,
    add_arguments,
    pairs_of,
    plan_of,
    query_of,
    run_name,
    shown,
    sized,
    summary_of,
    watched,
)
from runtime.replay import replay_tape
from runtime.run_settings import Settings
from runtime.sweep_command import (
    add_sweep_arguments,
    counted,
    folder_name,
    ground_of,
    jobs_of,
    space_in,
)
from runtime.sweep_figures import swept_lines, swept_summary
from runtime.what_if import what_if
from runtime.wiring import FIXTURE_FOLDER, retold, strategy_of, tape_lines, tapes_in, wired_fixture
from runtime.wiring_pages import pages_of
from runtime.wiring_past import load_history, run_folder, simulate, wired_download
from runtime.wiring_sweep import Hands, Source, at_work, code_sha256, wired_sweep

OUTCOMES = ("identical", "different", "not replayed")


def main(argv: Sequence[str] | None = None) -> int:
    """Replay what the command line names.

    0 = done or identical, 1 = different, or a run or download that was interrupted, 2 = the input is wrong.
    """
    given = _arguments(argv)
    settings = parse_settings({}, {"language": given.language})
    try:
        if given.sweep is not None or given.history is not None:
            return _past(given)
        if given.download is not None:
            return _download(given)
        return _tape(given, settings) if given.tape else _fixture(given, settings)
    except EngineError as error:
        sys.stderr.write(f"{given.run_id}: {error}\n")
        return 2


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", default="replay", help="a label for the output; it is not part of any digest")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--fixtures", metavar="DIR", type=Path, default=FIXTURE_FOLDER, help="folder of a fixture.json")
    source.add_argument(
        "--tape", metavar="FILE", type=Path, help="run the hour of a tape, or of each in a folder, again"
    )
    parser.add_argument(
        "--what-if", metavar="NAME=VALUE", action="append", default=[], help="with --tape: decide with another setting"
    )
    source.add_argument("--download", metavar="PAIRS", help="fetch candles of pairs (BTCUSDT,ETHUSDT) from Binance")
    source.add_argument("--history", metavar="DIR", type=Path, help="run every hour of a folder of candles")
    parser.add_argument("--language", choices=["en", "zh"], default="en")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON line and nothing else")
    add_arguments(parser)
    add_sweep_arguments(parser)
    add_download_arguments(parser)
    return parser.parse_args(argv)


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
    """Replay one tape, or every tape of a folder; what cannot be replayed is said, and the others still are."""
    strategy, outcomes = strategy_of(settings), []
    changes = pairs_of("--what-if", given.what_if)
    for path in tapes_in(given.tape):
        try:
            outcomes.append(_one_tape(path, strategy, changes))
        except EngineError as error:
            sys.stderr.write(f"{path.name}: {error}\n")
            outcomes.append(2)
    if len(outcomes) > 1 and not changes:
        say(f"{len(outcomes)} tapes: {', '.join(f'{outcomes.count(n)} {what}' for n, what in enumerate(OUTCOMES))}")
    return max(outcomes)


def _one_tape(path: Path, strategy: Strategy, changes: Mapping[str, str]) -> int:
    lines = tape_lines(path)
    if changes:
        other = what_if(lines, strategy, changes)
        say("\n".join(f"{other.slot}: {line}" for line in other.lines()))
        return 0
    slot, differences = replay_tape(lines, strategy, retold)
    for found in differences:
        say(f"{slot}: {found.stage}: {found.path}: the tape says {found.taped}, now {found.replayed}")
    if not differences:
        say(f"{slot}: identical · tape SHA-256 {json.loads(lines[-1])['sha256']}")
    return 1 if differences else 0


def _past(given: argparse.Namespace) -> int:
    """A history or a sweep; Ctrl-C while candles are read, before there is a run to stop, has the usual words."""
    try:
        return _sweep(given) if given.sweep is not None else _history(given)
    except KeyboardInterrupt:
        sys.stderr.write(f"{given.run_id}: interrupted; the same command goes on from there ({given.out})\n")
        return 1


def _history(given: argparse.Namespace) -> int:
    plan = plan_of(given)
    history = load_history(given.history, query_of(given, plan), given.pools, given.out / "parsed-candles")
    for note in history.candles.notes:
        sys.stderr.write(f"{note}\n")
    settings = parse_settings(sized(pairs_of("--set", given.set), history), {"first_run": "fresh"})
    place = run_folder(given.out / run_name(settings, history, plan))
    kept = place.checkpoint()
    resumed = read_checkpoint(kept) if kept is not None else None
    if resumed is not None:
        sys.stderr.write(f"going on from {slot_at(resumed.next_ms)}\n")
    try:
        with watched(place.keep_checkpoint) as watch:
            track = simulate(settings, history, plan, watch, resumed)
    except Interrupted as stopped:
        sys.stderr.write(f"interrupted at {stopped}; the same command goes on from there ({place.folder})\n")
        return 1
    path = place.finish(canonical(track))
    try:
        for name, data in pages_of(track, history.candles.daily):
            place.keep(name, data)
    except Unavailable as error:
        sys.stderr.write(f"{error}\n")
    print_line(summary_of(track) | {"track": str(path)}) if given.json else say(shown(track, path))
    return 0


def _sweep(given: argparse.Namespace) -> int:
    """A sweep, or with --walk-forward a walk; Ctrl-C leaves what was found."""
    if given.history is None:
        raise BadInput("--sweep", str(given.sweep), "needs --history FOLDER, --from and --to beside it")
    space, plan = space_in(given.sweep), plan_of(given)
    windows = read_windows(given.walk_forward) if given.walk_forward is not None else None
    splits = splits_of(windows, plan.start_ms, plan.end_ms) if windows is not None else ()
    query, cache = query_of(given, plan), given.out / "parsed-candles"
    hands = Hands(jobs_of(given, os.cpu_count() or 1), given.dask)
    history = load_history(given.history, query, given.pools, cache)
    for note in history.candles.notes:
        sys.stderr.write(f"{note}\n")
    ground = ground_of(given, space, history, plan, code_sha256())
    source = Source(given.history.absolute(), query, given.pools, cache.absolute(), ground.history_sha256, ground.code)
    folder = given.out / folder_name(given, plan, windows)
    total = space.trials * max(1, len(splits)) + len(splits)
    try:
        with (
            at_work(history, source, hands) as workers,
            counted(total) as count,
            wired_sweep(space, ground, workers, (folder, count)) as (sweep, kept),
        ):
            found = sweep.walk(splits) if windows is not None else sweep.sweep()
            path = sweep.finish()
            ended = swept_summary(space, found)
            kept.keep_summary(ended)
    except KeyboardInterrupt:
        sys.stderr.write(f"{given.run_id}: interrupted; the same command goes on from there ({folder})\n")
        return 1
    print_line(ended | {"rows": path}) if given.json else say("\n".join(swept_lines(space, found, path)))
    return 0


def _download(given: argparse.Namespace) -> int:
    wanted = wanted_of(given)
    market_data = parse_settings({}, {"binance_market": given.market_data}).binance_market
    try:
        with telling() as tell:
            done = wired_download(given.to_folder, market_data, tell).run(wanted)
    except Unavailable as error:
        sys.stderr.write(f"{given.run_id}: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"{given.run_id}: interrupted; the same command goes on from there ({given.to_folder})\n")
        return 1
    print_line(figures_of(done)) if given.json else say("\n".join(lines_of(wanted, done)))
    return 2 if done.unknown else 0


if __name__ == "__main__":
    keep_to_ourselves()
    sys.exit(main())
