"""No secret comes out of a run: not printed, logged, reported, taped, stored or told, however the run goes.

Every secret that can enter is planted; the other side repeats what it hears, in every way of `tests/support/echoes.py`;
everything that is left behind is opened and searched for parts of them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from main import main
from runtime.__main__ import COMMANDS
from runtime.__main__ import main as operate
from runtime.adapters.firestore import Connection
from tests.support.echoes import ECHOES, TELEGRAMS
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.engine import Engine
from tests.support.google_secrets import FILES, TokenEndpoint
from tests.support.google_secrets import planted as planted_at_google
from tests.support.planted import API_KEY, API_SECRET, BOT_TOKEN, CHAT, files, leaks, opened
from tests.support.sources import ROOT
from tests.support.theatre import AROUND, Theatre, environment, printed, theatre
from tests.support.worlds import ACCOUNT, CLOCK, ORDER, POSITIONS

NOWHERE = "http://127.0.0.1:9"
ENDED = {0, 3, 4}


@pytest.fixture
def stage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Theatre]:
    """An account in the middle of those who repeat."""
    caplog.set_level(logging.INFO)
    with theatre(tmp_path) as made:
        yield made


def test_hours_that_trade_leave_no_secret_anywhere(
    stage: Theatre, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert stage.hour() == 0
    stage.next_hour()
    assert stage.hour(ENGINE_MODE="dry_run") == 0
    assert stage.hour(NOTIFY_LANG="zh") == 0
    assert stage.hour() == 0, "done already"
    assert [seen for seen in stage.binance.seen if seen.endpoint == ORDER]
    assert stage.told()
    assert len(files(stage.folder)) > 5
    assert stage.leaks(printed(capfd, caplog)) == []


# Every kind at every call is asked of the adapters alone (tests/adapters/test_secrets_at_the_edge.py).
MEETINGS = {
    ACCOUNT: sorted(ECHOES),
    CLOCK: ["200 object", "403 page"],
    POSITIONS: ["200 list", "403 page", "500"],
    ORDER: ["200 object", "200 text", "400 signature across the cut", "401", "403 key across the cut", "429", "reset"],
}


@pytest.mark.parametrize(
    ("endpoint", "kind"), [(endpoint, kind) for endpoint, kinds in MEETINGS.items() for kind in kinds]
)
def test_an_hour_that_meets_an_answer_with_its_secrets_leaves_none(
    stage: Theatre, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, endpoint: str, kind: str
) -> None:
    stage.strike(endpoint, ECHOES[kind])
    assert stage.hour() in ENDED
    assert any(seen.endpoint == endpoint for seen in stage.binance.seen)
    assert stage.leaks(printed(capfd, caplog)) == []


@pytest.mark.parametrize("kind", ["403 page", "reset", "400 of the Bot API", "429 of the Bot API"])
def test_a_chat_that_answers_with_the_token_changes_nothing(
    stage: Theatre, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    stage.chat.strike = (ECHOES | TELEGRAMS)[kind]
    assert stage.hour() == 0
    assert stage.chat.seen
    stage.chat.strike = lambda _: None
    stage.next_hour()
    assert stage.hour() == 0
    assert stage.leaks(printed(capfd, caplog)) == []


@pytest.mark.emulator
def test_the_documents_of_firestore_hold_no_secret(
    stage: Theatre,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    firestore_emulator: str,  # noqa: F811 - the fixture
) -> None:
    project = f"t-{token_hex(8)}"
    stage.environment |= {"ENGINE_STORE": "firestore", "GOOGLE_CLOUD_PROJECT": project}
    stage.environment["ENGINE_FIRESTORE_EMULATOR"] = firestore_emulator
    stage.strike(ORDER, ECHOES["403 key across the cut"])
    assert stage.hour() == 4
    stage.strike(ORDER, ECHOES["200 object"])
    stage.next_hour()
    assert stage.hour() in ENDED
    connection = Connection(project, emulator_host=firestore_emulator)
    documents = dict(documents_of(connection.client.collections()))
    connection.close()
    assert "strategy/MULTI_ASSET_STATE" in documents
    assert len(documents) > 5
    assert leaks(documents, stage.signatures()) == []
    assert stage.leaks(printed(capfd, caplog)) == []


def documents_of(collections: Iterable[Any]) -> Iterator[tuple[str, bytes]]:
    """Every document below, with its packed values unpacked."""
    for collection in collections:
        for reference in collection.list_documents():
            found = reference.get().to_dict() or {}
            packed = [piece for value in found.values() if isinstance(value, bytes) for piece in opened(value)]
            yield reference.path, repr(found).encode() + b"\n".join(packed)
            yield from documents_of(reference.collections())


DEFINITE = ("401", "403 page", "403 key across the cut", "400 signature alone", "451", "200 text", "200 object")
"""Kinds that are not tried again, so that nobody waits for real."""


@pytest.mark.parametrize("kind", DEFINITE)
def test_the_doctor_quotes_nobody_with_a_secret(
    stage: Theatre,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    stage.binance.strike = stage.chat.strike = ECHOES[kind]
    for name, value in stage.environment.items():
        monkeypatch.setenv(name, value)
    assert main(["--validate-only"]) == 3
    said = printed(capfd, caplog)
    assert "failed" in str(said["stdout"])
    assert leaks({**said, **files(stage.folder)}, stage.signatures()) == []


ARGUMENTS = {
    "adopt": ("BTC", "1"),
    "control": ("halt", "--why", "a test"),
    "orders": ("--settle", "bp-1", "--why", "a test"),
    "drift": ("--accept", "BTC"),
    "backup": ("--cache", "FOLDER/copy.jsonl.gz"),
    "restore": ("FOLDER/copy.jsonl.gz",),
    "move": ("--to", "sqlite:FOLDER/other"),
}


@pytest.mark.parametrize("kind", ["", "401", "403 key across the cut", "200 object"])
@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_an_operators_command_answers_without_a_secret(
    stage: Theatre,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    kind: str,
) -> None:
    if kind:
        stage.binance.strike = stage.chat.strike = ECHOES[kind]
    for name, value in stage.environment.items():
        monkeypatch.setenv(name, value)
    with suppress(SystemExit):  # a command that wants more arguments says so
        operate([command, *(word.replace("FOLDER", str(stage.folder)) for word in ARGUMENTS.get(command, ()))])
    said = printed(capfd, caplog)
    assert any(said.values())
    assert leaks({**said, **files(stage.folder), **stage.told()}, stage.signatures()) == []


# --- real processes ---------------------------------------------------------------------------------------------------


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """The command, in an empty folder."""
    return Engine(tmp_path)


def test_a_paper_hour_among_secrets_shows_none(engine: Engine) -> None:
    given = environment(engine.folder, NOWHERE, NOWHERE) | {"ENGINE_MODE": "paper"}
    run = engine(**given)
    assert run.code == 0
    assert leaks({"stdout": run.out, "stderr": run.err, **files(engine.folder)}) == []


@pytest.mark.parametrize("kind", ["401", "403 page", "200 with odd headers"])
def test_a_live_process_and_its_summary_show_no_secret_of_an_answer(stage: Theatre, tmp_path: Path, kind: str) -> None:
    stage.strike(ACCOUNT, ECHOES[kind])
    run = Engine(tmp_path)("--summary", str(tmp_path / "summary.md"), "--summary-figures", **stage.environment)
    assert run.code == 3
    assert (tmp_path / "summary.md").read_text()
    assert stage.leaks({"stdout": run.out, "stderr": run.err}) == []


@pytest.mark.parametrize("made", FILES, ids=lambda made: made.__name__)
def test_a_live_process_that_google_refuses_shows_nothing_of_its_credentials(
    stage: Theatre, tmp_path: Path, made: Callable[[str, Path], dict[str, Any]]
) -> None:
    with TokenEndpoint() as endpoint:
        endpoint.kind = "400 of Google"
        file = tmp_path / "google.json"
        file.write_text(json.dumps(made(endpoint.origin, tmp_path)))
        given = {
            "ENGINE_STORE": "firestore",
            "GOOGLE_CLOUD_PROJECT": "engine-1",
            "ENGINE_DATA_DIR": str(tmp_path / "var"),
        }
        run = Engine(tmp_path)(**stage.environment | given | {"GOOGLE_APPLICATION_CREDENTIALS": str(file)})
    assert endpoint.seen
    assert run.code == 3, run.out
    assert "sign in again" in run.line["error"]
    found: dict[str, str | bytes] = {"stdout": run.out, "stderr": run.err, **stage.told(), **files(tmp_path / "var")}
    assert leaks(found, [*planted_at_google(), *stage.signatures()]) == []


def test_secrets_in_the_wrong_place_are_named_and_not_shown(engine: Engine) -> None:
    misplaced = {
        "BINANCE_API_URL": f"https://api.binance.com/?key={API_KEY}",
        "TG_API_URL": f"https://api.telegram.org/bot{BOT_TOKEN}",
        "ENGINE_ACCOUNT": API_SECRET,
        "ENGINE_SLOT": CHAT,
        "ENGINE_STORE": BOT_TOKEN,
        "STRATEGY_PARAM_TOP_N": API_KEY,
        f"TG_{API_KEY.upper()}": "x",
    }
    run = engine(**environment(engine.folder, NOWHERE, NOWHERE) | misplaced)
    assert run.code == 2
    for name in list(misplaced)[:-1]:
        assert name in run.line["error"]
    assert leaks({"stdout": run.out, "stderr": run.err}) == []


SABOTAGE = {
    "an error": "raise KeyError(KEY)",
    "an error within an error": "try:\n        raise OSError(URL)\n    except OSError as lost:\n"
    "        raise KeyError(KEY) from lost",
    "an interrupt while an error is handled": "try:\n        raise OSError(URL)\n    except OSError:\n"
    "        raise KeyboardInterrupt(KEY)",
    "a group": "raise ExceptionGroup(KEY, [OSError(URL)])",
    "a thread": "lost = threading.Thread(target=fail)\n    lost.start()\n    lost.join()\n    raise KeyError(KEY)",
    "a finaliser": "Unlucky()\n    raise KeyError(KEY)",
    "a log line": "logging.getLogger('urllib3').critical(URL, exc_info=OSError(KEY))\n    raise KeyError(KEY)",
}
PROLOGUE = """
import logging, os, runpy, sys, threading
import runtime.command, runtime.cycle, runtime.wiring
KEY, SECRET = os.environ["BINANCE_API_KEY"], os.environ["BINANCE_API_SECRET"]
URL = "https://api.binance.com/api/v3/account?signature=" + "9f" * 32 + "&key=" + KEY + "&secret=" + SECRET
def fail(*_):
    raise OSError(URL)
class Unlucky:
    __del__ = fail
def broken(*_, **__):
    {}
"""
STARTS = {
    "main.py": "runtime.cycle.run_cycle = broken; sys.argv = ['main.py']; runpy.run_path(ROOT + '/main.py', "
    "run_name='__main__')",
    "-m runtime": "runtime.wiring.wired = broken; sys.argv = ['x', 'init']; runpy.run_module('runtime', "
    "run_name='__main__')",
    "run_cycle_replay.py": "runtime.cycle.run_cycle = broken; sys.argv = ['x']; runpy.run_path(ROOT + "
    "'/run_cycle_replay.py', run_name='__main__')",
}


@pytest.mark.parametrize(
    ("start", "how"),
    [
        *(("main.py", how) for how in sorted(SABOTAGE)),
        *((start, how) for start in ("-m runtime", "run_cycle_replay.py") for how in ("a thread", "an error")),
    ],
)
def test_an_error_that_nobody_expected_is_named_by_its_kind_and_place_alone(
    engine: Engine, start: str, how: str
) -> None:
    script = f"ROOT = {str(ROOT)!r}\n" + PROLOGUE.format(SABOTAGE[how]) + STARTS[start]
    given = environment(engine.folder, NOWHERE, NOWHERE) | {"ENGINE_MODE": "paper"}
    run = engine(script=script, **given)
    assert run.code not in {0, 2}
    said = run.out + run.err
    if "interrupt" in how:
        assert "KeyboardInterrupt in broken:" in said
    else:
        line = json.loads(run.out.splitlines()[-1])
        assert (line["exit_code"], line["status"]) == (1, "unexpected")
        assert line["where"].startswith("broken:")
    assert "Traceback" not in said
    assert leaks({"stdout": run.out, "stderr": run.err, **files(engine.folder)}) == []
    assert AROUND["GITHUB_TOKEN"] not in said
