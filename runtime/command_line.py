"""The operator's command line: which commands there are, and what each may be told. Every command takes `--json`."""

from __future__ import annotations

import argparse

from runtime.auditing import add_audit_parser
from runtime.book_commands import add_book_parsers
from runtime.command import Parser
from runtime.domain.control import Mode
from runtime.operations import HEARTBEAT_MINUTES
from runtime.operator_commands import add_answer_parsers
from runtime.pool_commands import add_pool_parsers
from runtime.site_command import add_site_parser
from runtime.state_commands import add_state_parsers

DESCRIPTION = "What an operator asks of an account and does to it between hours."
EPILOG = "Exit codes: 0 done · 1 unexpected error · 2 bad settings or arguments · 3 refused, or nothing answered"
SHELLS = ("bash", "zsh", "tcsh")
Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse gives the type no public name


def command_line(name: str = "python -m runtime") -> argparse.ArgumentParser:
    """The parser, of what a person types as `name`."""
    parser: argparse.ArgumentParser = Parser(prog=name, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--mode", choices=["paper", "dry_run", "live"], help="default: ENGINE_MODE, else paper")
    parser.add_argument("--at", metavar="HOUR", help="paper only: the simulated UTC hour")
    parser.add_argument("--market", metavar="WHAT", help="paper only: embedded, a candle folder, or binance")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_answer_parsers(commands)
    add_book_parsers(commands)
    _add_acting(commands)
    _add_proving(commands)
    add_pool_parsers(commands)
    add_state_parsers(commands)
    add_site_parser(commands)
    add_audit_parser(commands)
    commands.add_parser("inbox", help="read, obey and answer what was written to the bot; for a timer of a minute")
    _add_copying(commands)
    for command in commands.choices.values():
        _take_json(command)
    completion = commands.add_parser("completion", help="print the completion script of a shell")
    completion.add_argument("shell", choices=SHELLS)
    completion.add_argument("--name", default="engine", help="the alias that is completed; default: engine")
    return parser


def _take_json(command: argparse.ArgumentParser) -> None:
    """`--json`, on the command and on each of its own."""
    command.add_argument("--json", action="store_true", help="one JSON line with everything, and nothing else")
    for action in command._actions:  # noqa: SLF001 - argparse has no other way to ask
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for inner in action.choices.values():
                _take_json(inner)


def _add_acting(commands: Commands[argparse.ArgumentParser]) -> None:
    commands.add_parser("init", help="first start: what is there becomes managed (USDT, BNB) or reserved (the rest)")
    commands.add_parser("rebuild", help="state lost: rebuild it from the exchange's own records")
    adopting = commands.add_parser("adopt", help="put a reserved coin under management")
    adopting.add_argument("asset")
    adopting.add_argument("amount")
    control = commands.add_parser("control", help="show or set the kill switch")
    control.add_argument("to", nargs="?", choices=[mode.value for mode in Mode])
    control.add_argument("--minutes", type=int, help="back to run after so many minutes")
    orders = commands.add_parser("orders", help="the newest hour's orders and every open one, or settle one by hand")
    orders.add_argument("--settle", metavar="ID", help="close it as not placed, after looking at the exchange")
    drift = commands.add_parser("drift", help="show what no evidence explains, or accept it")
    drift.add_argument("--accept", metavar="ASSET", help="declare it explained: buys may go on")
    account = commands.add_parser("account", help="whose the API key is: the state's account's; or accept another's")
    account.add_argument("--accept", action="store_true", help="this other account takes its place")
    for command in (control, orders, drift, account):
        command.add_argument("--who", default="operator")
        command.add_argument("--why", default="")


def _add_proving(commands: Commands[argparse.ArgumentParser]) -> None:
    doctor = commands.add_parser("doctor", help="prove that an hour could run; never trades (main.py --validate-only)")
    doctor.add_argument("--deep", action="store_true", help="a test order for every pair in play")
    heartbeat = commands.add_parser("heartbeat", help="exit 3 if no hour has ended lately; needs only the store")
    heartbeat.add_argument("--max-age-minutes", type=int, default=HEARTBEAT_MINUTES)


def _add_copying(commands: Commands[argparse.ArgumentParser]) -> None:
    backup = commands.add_parser("backup", help="every document of the account into one file; needs only the store")
    backup.add_argument("file", help="a new file; compressed if its name ends in .gz")
    backup.add_argument("--cache", action="store_true", help="with the candle cache, which can be fetched again")
    restoring = commands.add_parser("restore", help="put a backup in the place of the account's documents")
    restoring.add_argument("file")
    restoring.add_argument("--of", metavar="ACCOUNT", default="", help="the file is this other account's")
    restoring.add_argument("--check", action="store_true", help="prove the file and the target; write nothing")
    moving = commands.add_parser("move", help="take the account to another store; this one is closed for good")
    moving.add_argument(
        "--to", metavar="STORE", required=True, help="firestore, or sqlite:FOLDER (its ENGINE_DATA_DIR)"
    )
    for command in (restoring, moving):
        command.add_argument("--force", metavar="ACCOUNT", default="", help="overwrite the state of this account")
