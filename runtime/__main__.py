"""The operator's command line: `python -m runtime COMMAND`. Every command ends with one JSON line and an exit code.

In a dry run a command shows what it would do: nothing is written, and the line counts what was held back.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex

from runtime.auditing import note, run_of
from runtime.backup import Archive, Copied, Target, back_up, move, restore
from runtime.book_commands import BOOK_COMMANDS
from runtime.command import Arguments, keep_to_ourselves, say, tell_aside, unsaid
from runtime.command_line import command_line
from runtime.config import asked_mode, read_settings, read_store_settings
from runtime.desk import Desk
from runtime.domain.audit import EventKind
from runtime.domain.control import Mode
from runtime.domain.money import parse_decimal, plain
from runtime.domain.slots import MINUTE_MS, ago_text
from runtime.domain.state import refuse_unusable
from runtime.errors import BadInput, EngineError, SettingsError
from runtime.operations import (
    accept_account,
    accept_drift,
    adopt,
    key_fits,
    set_control,
    settle_by_hand,
    start_account,
)
from runtime.operator_commands import ANSWER_COMMANDS, listed_orders, overview
from runtime.run_settings import RunMode, Settings
from runtime.site_command import SITE_COMMANDS
from runtime.state_commands import Damaged
from runtime.wiring import Wired, wired
from runtime.wiring_desk import places_of
from runtime.wiring_inbox import opened_mailbox
from runtime.wiring_stores import archive_file, place_of, target_of, wired_store

Answer = Mapping[str, object]
SECRET_MIN = 8
"""A shorter secret or chat id is a test's, and may stand in a price."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: what it answers, and the settings it needs."""

    run: Callable[[Wired, argparse.Namespace], Answer]
    overrides: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class StoreCommand:
    """One command that opens the account's store and nothing else."""

    run: Callable[[Settings, Archive, argparse.Namespace], Answer]


@dataclass(frozen=True, slots=True)
class BookCommand:
    """One command that reads the books of the account in the mode that an hour would run in."""

    run: Callable[[Desk, argparse.Namespace], Answer]


@dataclass(frozen=True, slots=True)
class WholeCommand:
    """One command that wires and prints for itself; `run` gives the exit code."""

    run: Callable[[argparse.Namespace], int]


def _started(wiring: Wired, given: argparse.Namespace) -> Answer:
    del given
    return overview(start_account(wiring.settings, wiring.world))


def _adopted(wiring: Wired, given: argparse.Namespace) -> Answer:
    amount = parse_decimal(given.amount, "amount")
    return overview(adopt(wiring.world, given.asset.upper(), amount))


def _controlled(wiring: Wired, given: argparse.Namespace) -> Answer:
    store = wiring.world.store
    if given.to is None:
        control = store.control()
    else:
        control = set_control(wiring.world, Mode(given.to), given.who, given.why, given.minutes)
    mode = control.at(wiring.world.clock.now_ms())
    return {"control": mode.value, "who": control.who, "why": control.why, "expires_ms": control.expires_ms}


def _orders(wiring: Wired, given: argparse.Namespace) -> Answer:
    if given.settle is not None:
        closed = settle_by_hand(wiring.world, given.settle, given.who, given.why)
        return {"settled": closed.id, "status": closed.status.value}
    listed = listed_orders(wiring.world.store.load().state)
    if not given.json:
        from runtime.operator_tables import orders_text

        say(orders_text(listed, colour=sys.stdout.isatty()))
        return {"open": listed["open"]}
    return listed


def _drift(wiring: Wired, given: argparse.Namespace) -> Answer:
    if given.accept is None:
        state = wiring.world.store.load().state
        return {"drift": {} if state is None else {asset: plain(amount) for asset, amount in state.drift.items()}}
    return overview(accept_drift(wiring.world, given.accept.upper(), given.who, given.why))


def _account(wiring: Wired, given: argparse.Namespace) -> Answer:
    settings, world = wiring.settings, wiring.world
    if given.accept:
        return overview(accept_account(settings, world, given.who, given.why))
    return {"account": settings.account, "api_key": key_fits(world)}


def _heartbeat(settings: Settings, store: Archive, given: argparse.Namespace) -> Answer:
    """The newest hour that ended, by the store's own clock; `EngineError` where that is too long ago."""
    newest = next(iter(store.cycles(1)), None)
    if newest is None:
        raise EngineError("no hour has ended yet: the store holds no cycle document")
    loaded = store.load()
    refuse_unusable(loaded.state, settings.account)
    minutes = (loaded.read_ms - newest.ended_ms) // MINUTE_MS
    if minutes > given.max_age_minutes:
        raise EngineError(
            f"the last hour that ended is {newest.slot}, {ago_text(minutes)}: {given.max_age_minutes} minutes allowed"
        )
    return {"slot": newest.slot, "age_minutes": minutes, "ended_with": newest.exit_code}


def _backed_up(settings: Settings, store: Archive, given: argparse.Namespace) -> Answer:
    private = (*settings.secrets(), settings.telegram_chat or "")
    secrets = [text for text in private if len(text) >= SECRET_MIN]
    copied = back_up(store, archive_file(given.file), settings.account, cache=given.cache, secrets=secrets)
    return {"file": given.file, "account": settings.account, **_copied(copied)}


def _restored(settings: Settings, store: Archive, given: argparse.Namespace) -> Answer:
    target = Target(store, settings.account, token_hex(16), given.force)
    check = given.check or settings.validate_only
    copied = restore(archive_file(given.file), target, given.of, check=check)
    if not check:
        note(store, run_of(settings, target.owner), EventKind.RESTORED, store.load().read_ms, sha256=copied.digest)
    return {"checked" if check else "restored": settings.account, **_copied(copied)}


def _moved(settings: Settings, store: Archive, given: argparse.Namespace) -> Answer:
    to = target_of(settings, given.to)
    here, there = place_of(settings), place_of(to)
    if here == there:
        raise BadInput("to", given.to, "must be another store than the account's own")
    if settings.validate_only:
        raise BadInput("mode", given.mode or "dry_run", "must not be dry_run: a move writes to both stores")
    with wired_store(to, paper=given.mode == RunMode.PAPER) as other:
        copied = move(store, Target(other, settings.account, token_hex(16), given.force), here, there)
        note(other, run_of(settings, ""), EventKind.MOVED, other.load().read_ms, source=here)
    return {"moved": settings.account, "to": there, **_copied(copied)}


def _read_inbox(settings: Settings, store: Archive, given: argparse.Namespace) -> Answer:
    """Messages to the bot, read, obeyed and answered; `EngineError` where the messenger or the store failed."""
    del given
    if settings.validate_only:
        raise BadInput("mode", "dry_run", "must not be dry_run: to read a message is to confirm it")
    refuse_unusable(store.load().state, settings.account)
    mailbox = opened_mailbox(settings, store, None, run_of(settings, token_hex(16)))
    mailbox.obey()
    mailbox.answer()
    if mailbox.problem:
        raise EngineError(mailbox.problem)
    return {"read": mailbox.read, "obeyed": mailbox.obeyed, "answered": mailbox.answered}


def _copied(copied: Copied) -> Answer:
    said = {"slot_done": copied.slot_done, "documents": dict(copied.documents), "sha256": copied.digest}
    return said | {"control_kept": copied.control_kept} if copied.control_kept else said


def _simulated_hour(given: argparse.Namespace) -> str | None:
    """The hour of a simulated account that a command is about: the one asked for, else the last one that it lived."""
    if given.at or asked_mode(given.mode) is not RunMode.PAPER or given.market == "binance":
        asked: str | None = given.at
        return asked
    with wired_store(read_store_settings(RunMode.PAPER, given.market), paper=True) as store:
        state = store.load().state
    return state.slot_done or None if state is not None else None


def _examined(given: argparse.Namespace) -> int:
    from runtime.doctor import consult

    try:
        at = _simulated_hour(given)
    except EngineError:  # the doctor meets it too, and says it in its table
        at = given.at
    overrides = {"mode": given.mode, "at": at, "market": given.market}
    return consult(Arguments(overrides, given.json, validate_only=True, deep=given.deep), wired)


def _completed(given: argparse.Namespace) -> int:
    import shtab

    say(shtab.complete(command_line(given.name), shell=given.shell))
    return 0


COMMANDS: Mapping[str, Command | StoreCommand | BookCommand | WholeCommand] = {
    "init": Command(_started, {"first_run": "fresh"}),
    "rebuild": Command(_started, {"first_run": "rebuild"}),
    "adopt": Command(_adopted, {}),
    "control": Command(_controlled, {}),
    "orders": Command(_orders, {}),
    "drift": Command(_drift, {}),
    "account": Command(_account, {}),
    "heartbeat": StoreCommand(_heartbeat),
    "backup": StoreCommand(_backed_up),
    "restore": StoreCommand(_restored),
    "move": StoreCommand(_moved),
    "inbox": StoreCommand(_read_inbox),
    "doctor": WholeCommand(_examined),
    "completion": WholeCommand(_completed),
    **{name: BookCommand(run) for name, run in {**BOOK_COMMANDS, **ANSWER_COMMANDS, **SITE_COMMANDS}.items()},
}


def _answered(given: argparse.Namespace, command: Command | StoreCommand | BookCommand) -> Answer:
    if isinstance(command, StoreCommand):
        paper = given.mode == RunMode.PAPER
        settings = read_store_settings(given.mode, given.market)
        with wired_store(settings, paper=paper) as store:
            return command.run(settings, store, given)
    if isinstance(command, BookCommand):
        return _from_the_books(command, given)
    overrides = {"mode": given.mode, "at": _simulated_hour(given), "market": given.market, **command.overrides}
    with wired(read_settings(overrides), lambda _: None) as wiring:
        answer = command.run(wiring, given)
        held_back = wiring.world.suppressed
        return {**answer, "suppressed": dict(held_back)} if held_back else answer


def _from_the_books(command: BookCommand, given: argparse.Namespace) -> Answer:
    mode = asked_mode(given.mode)
    settings, paper = read_store_settings(mode, given.market), mode is RunMode.PAPER
    with wired_store(settings, paper=paper) as store:
        places = places_of(settings, paper=paper)
        return command.run(Desk(store, settings, places, say, sys.stdout.isatty(), given.at, paper), given)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 = done, 2 = bad settings or arguments, 3 = refused."""
    given = command_line().parse_args(argv)
    command = COMMANDS[given.command]
    if isinstance(command, WholeCommand):
        return command.run(given)
    try:
        answer, code = _answered(given, command), 0
    except (SettingsError, BadInput) as error:
        answer, code = {"error": str(error)}, 2
    except EngineError as error:
        proved = {"tapes": error.tapes} if isinstance(error, Damaged) and given.json else {}
        answer, code = {"error": str(error), **proved}, 3
    to_stderr = getattr(given, "out", None) == "-"  # what is exported stands alone
    out = sys.stderr if to_stderr else sys.stdout
    plain = not (out.encoding or "utf-8").lower().startswith("utf")
    line = json.dumps({"exit_code": code, **answer}, ensure_ascii=plain)
    (tell_aside if to_stderr else say)(line)
    return code or (3 if unsaid else 0)


if __name__ == "__main__":
    keep_to_ourselves()
    sys.exit(main())
