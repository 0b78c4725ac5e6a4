"""The doctor (`--validate-only`, `python -m runtime doctor`): prove that an hour could run, and trade nothing.

One table: what was looked at, what was seen, and the fix of whatever is not as it should be; and one JSON line with the
same. Its world is made for looking: it asks once and not for long, orders and alerts are held back behind the ports,
and of the store it writes the probe document alone. How the checks run side by side is told in `checkup`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from io import StringIO
from shutil import get_terminal_size
from time import monotonic
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runtime import checks, checks_exchange
from runtime.checkup import Check, Row, Verdict, failed, hold, skipped
from runtime.command import Arguments, print_line
from runtime.config import read_settings
from runtime.domain.messages import clean
from runtime.domain.redaction import redact
from runtime.domain.report import CycleStatus
from runtime.errors import EngineError, Misconfigured, SettingsError
from runtime.ports import World
from runtime.run_settings import Settings

SECONDS = 6.5
LEAST_SECONDS = 2.0
"""How long wiring and checks may take together, and the checks at least: so the doctor answers within 10 s whatever is
dead, also where loading Google's and Binance's clients takes a slow machine seconds.
"""

WIDTH = 140
_COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "bold red", Verdict.SKIPPED: "dim"}


class Wiring(Protocol):
    """What the doctor needs of a wired world."""

    @property
    def settings(self) -> Settings:
        """The settings as they hold in it."""

    @property
    def world(self) -> World:
        """The world."""


Wire = Callable[[Settings, Callable[[str], object]], AbstractContextManager[Wiring]]


def consult(given: Arguments, wire: Wire) -> int:
    """Examine what `given` asks for; 0 if nothing failed, 2 where the settings are wrong, else 3."""
    begun = monotonic()
    try:
        settings = read_settings({**given.overrides, "validate_only": True})
        with wire(settings, given.write) as wiring:
            case = checks.Case(wiring.settings, wiring.world, given.deep)
            rows = hold(examinations(case), max(LEAST_SECONDS, begun + SECONDS - monotonic()))
            return _told([_clean(row, settings) for row in rows], given)
    except SettingsError as error:
        row = failed("settings", "; ".join(error.problems), "correct each of them; docs/settings.md explains them")
        return _told(_nothing_else(row), given, wrong=str(error))
    except Misconfigured as error:
        return _told(_nothing_else(failed("settings", f"{error.what}: {error.why}", error.fix)), given)
    except EngineError as error:
        return _told(
            _nothing_else(failed("settings", str(error), "mend what is named: no world can be made of it")), given
        )
    except OSError as error:
        why = f"the files of this machine: {error.strerror or type(error).__name__}"
        fix = "ENGINE_DATA_DIR must be a folder that this user may write, on a disk with room"
        return _told(_nothing_else(failed("settings", why, fix)), given)


def examinations(case: checks.Case) -> list[Check | Row]:
    """Every check, in the order of the table."""
    return [
        checks.settings_row(case.settings),
        checks.secrets_row(case.settings),
        checks.sign_in(case),
        *checks.store(case),
        checks.upstream(case),
        checks_exchange.reach(case),
        checks_exchange.prices(case),
        checks_exchange.key(case),
        checks_exchange.account(case),
        checks_exchange.whose_key(case),
        checks_exchange.earn(case),
        checks_exchange.test_orders(case),
        *checks.messenger(case),
        checks.second_channel(case),
    ]


NAMES = (
    "settings",
    checks.SECRETS,
    checks.SIGN_IN,
    checks.STORE_READ,
    checks.SLOT,
    checks.CONTROL,
    checks.HEARTBEAT,
    checks.MISSED,
    checks.STORE_WRITE,
    checks.UPSTREAM,
    checks_exchange.REACH,
    checks_exchange.PLACE,
    checks_exchange.CLOCK,
    checks_exchange.PRICES,
    checks_exchange.KEY,
    checks_exchange.TRADE,
    checks_exchange.WITHDRAW,
    checks_exchange.ADDRESSES,
    checks_exchange.EXPIRY,
    checks_exchange.OTHERS,
    checks_exchange.ACCOUNT,
    checks_exchange.WHOSE,
    checks_exchange.EARN,
    checks_exchange.ORDERS,
    checks.TOKEN,
    checks.CHAT,
    checks.CHANNEL,
)
"""The rows of the table."""


def _nothing_else(row: Row) -> list[Row]:
    """The table where nothing could be looked at."""
    return [row, *(skipped(name, f"needs {row.name}: nothing was contacted") for name in NAMES if name != row.name)]


def _clean(row: Row, settings: Settings) -> Row:
    """The row without a secret, should the other side have echoed one, and in one line that moves no cursor."""
    known = (*settings.secrets(), settings.telegram_chat or "")
    return replace(row, seen=clean(redact(row.seen, known)), fix=clean(redact(row.fix, known)))


def _told(rows: Sequence[Row], given: Arguments, wrong: str = "") -> int:
    """Print the table and the last line; returns the exit code."""
    counts = Counter(row.verdict for row in rows)
    code = 2 if wrong else 3 if counts[Verdict.FAILED] else 0
    status = CycleStatus.BAD_SETTINGS.value if wrong else "invalid" if code else "validated"
    given.write(table(rows, colours=sys.stdout.isatty()))
    given.write(", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]))
    if given.summary is not None:
        given.summary.tell_checks([(r.verdict.value, r.name, r.seen, r.fix) for r in rows], status, code)
    line: dict[str, object] = {"exit_code": code, "status": status} | ({"error": wrong} if wrong else {})
    if given.json_only:
        print_line(line | {"checks": [_document(row) for row in rows]})
    else:
        print_line(
            line | {v.value: [r.name for r in rows if r.verdict is v] for v in (Verdict.FAILED, Verdict.WARNING)}
        )
    return code


def _document(row: Row) -> Mapping[str, str]:
    return {"name": row.name, "status": row.verdict.value, "seen": row.seen, "fix": row.fix}


def table(rows: Sequence[Row], *, colours: bool) -> str:
    """The rows for people, as wide as the terminal."""
    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("", "check", "seen", "fix"):
        shown.add_column(title, overflow="fold")
    for row in rows:
        verdict = Text(row.verdict.value, style=_COLOURS[row.verdict])
        shown.add_row(verdict, Text(row.name), Text(row.seen), Text(row.fix))
    width = get_terminal_size((WIDTH, 0)).columns
    page = Console(file=StringIO(), width=width, force_terminal=colours, color_system="auto" if colours else None)
    with page.capture() as printed:
        page.print(shown)
    return "\n".join(line.rstrip() for line in printed.get().splitlines())
