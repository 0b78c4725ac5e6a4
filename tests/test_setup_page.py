"""The way from nothing to a live hour: every command on it is understood, and what it promises is what comes.

The engine's own commands are run from the page, in its order, against stand-ins for Binance and Telegram. What only
somebody else's machine can answer (GitHub, Google Cloud) is held to that program's own list of commands, where it is
installed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runtime.command import arguments
from runtime.command_line import command_line
from runtime.doctor import NAMES
from tests.support.engine import live
from tests.support.gcloud import gcloud_tree, unknown_to_gcloud
from tests.support.planted import BOT_TOKEN, CHAT
from tests.support.sources import ROOT
from tests.support.telegram_server import TelegramServer, serving

SETUP = ROOT / "docs" / "setup.md"
PAGES = (
    SETUP,
    ROOT / "SECURITY.md",
    ROOT / "docs" / "github.md",
    ROOT / "docs" / "accounts.md",
    ROOT / "ops" / "container" / "README.md",
    ROOT / "ops" / "vps-dispatch" / "README.md",
)


def lines(page: Path) -> list[str]:
    """What a page shows as commands: indented, or between backticks."""
    found = re.findall(r"^ {4,}(\S.*)$|`([^`\n]+)`", page.read_text(encoding="utf-8"), re.MULTILINE)
    shown = (re.sub(r"\s{2,}#.*", "", "".join(pair)).strip() for pair in found)
    return [re.sub(r"^(?:[A-Z_]+=\S* )+", "", line) for line in shown]


def words_after(line: str, start: str) -> list[str] | None:
    """The arguments of a command that begins with (or is) a program of ours."""
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    return words[1:] if words and re.fullmatch(start, words[0]) else None


def commands(start: str) -> list[tuple[str, list[str]]]:
    """Every command of the pages by a program, with its arguments."""
    found = {line: words_after(line, start) for page in PAGES for line in lines(page)}
    return [(line, words) for line, words in sorted(found.items()) if words is not None]


def understood(words: list[str]) -> None:
    """Arguments of python, or of the container's run.sh: parsed by the command that would get them."""
    if words[:2] == ["-m", "runtime"]:
        command_line().parse_args(words[2:])
    elif words[:1] == ["main.py"]:
        arguments(words[1:])


@pytest.mark.parametrize("line", [line for line, _ in commands(r"(\.venv/bin/)?python")])
def test_every_command_of_the_engine_is_understood(line: str) -> None:
    understood(words_after(line, r".*") or [])


@pytest.mark.parametrize("line", [line for line, _ in commands(r"main\.py")])
def test_every_short_form_of_the_hour_is_understood(line: str) -> None:
    arguments(words_after(line, r".*") or [])


@pytest.mark.parametrize("line", [line for line, _ in commands(r".*/?(run|dispatch|install)\.sh")])
def test_every_script_is_there_and_knows_its_options(line: str) -> None:
    program, *words = shlex.split(line)
    name = program.rpartition("/")[2]
    (script,) = (ROOT / "ops").rglob(name)
    assert os.access(script, os.X_OK)
    if name == "run.sh":
        understood(words if words[:1] == ["-m"] else ["main.py", *words])
        return
    for option in words:
        assert option in script.read_text(), f"{name} does not know {option}"


def test_the_rows_that_the_page_names_are_rows_of_the_doctor() -> None:
    steps = SETUP.read_text(encoding="utf-8").split("\n## ")
    said = "\n".join(step for step in steps if step.startswith(("5. ", "9. ")))
    shown = set(re.findall(r"(?<!\*)\*([a-z][a-z ]+)\*(?!\*)", said)) - {"validate only", "deep", "reserved"}
    assert {"secrets", "key may trade", "slot and lease", "upstream document"} <= shown
    assert shown <= set(NAMES)


def test_google_clouds_commands_exist_with_these_options() -> None:
    tree = gcloud_tree()
    asked = [line for line, _ in commands(r"gcloud")]
    assert len(asked) >= 10
    assert not {line: unknown for line in asked if (unknown := unknown_to_gcloud(line, tree))}


# --- the walk ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Walker:
    """Somebody at the machine, who copies the page's lines into a shell in the checkout."""

    home: Path
    environment: dict[str, str]

    def __call__(self, *typed: str, code: int = 0) -> list[dict[str, Any]]:
        """Type these lines of the page, and read the JSON lines that come."""
        text = SETUP.read_text()
        for line in typed:
            assert line in text, f"the page does not say: {line}"
        done = subprocess.run(
            ["bash", "-c", "\n".join(typed)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **self.environment},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert (done.returncode, done.stderr) == (code, ""), done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.fixture
def walker(tmp_path: Path) -> Iterator[Walker]:
    """An account at a simulated exchange, a chat, and an env file as step 10 leaves it."""
    with live() as (settings, _), serving(TelegramServer(BOT_TOKEN, {CHAT})) as telegram:
        names = ("BINANCE_API_KEY", "BINANCE_API_SECRET", "BINANCE_API_URL", "BINANCE_MARKET_URL")
        kept = {name: settings[name] for name in names}
        kept |= {"TG_TOKEN": BOT_TOKEN, "TG_CHAT_ID": CHAT, "TG_API_URL": telegram.url, "DISPATCH_MODE": "dry_run"}
        file = tmp_path / ".config" / "binance-dispatch" / "env"
        file.parent.mkdir(parents=True)
        file.write_text("".join(f"{name}={value}\n" for name, value in kept.items()))
        yield Walker(tmp_path, {"ENGINE_STORE": "sqlite", "ENGINE_DATA_DIR": str(tmp_path / "var")})


@pytest.mark.slow
def test_the_page_leads_to_a_live_hour(walker: Walker) -> None:
    have = "set -a; . ~/.config/binance-dispatch/env; set +a"
    (empty,) = walker(".venv/bin/python -m runtime heartbeat", code=3)
    assert empty["error"] in SETUP.read_text()
    dry, opened, status = walker(
        have,
        ".venv/bin/python -m runtime --mode dry_run init",
        ".venv/bin/python -m runtime --mode live init",
        ".venv/bin/python -m runtime --mode live status",
    )
    assert dry["suppressed"]
    assert {name: dry[name] for name in opened} == opened == status
    assert (status["managed"], status["drift"], status["open_intents"]) == ({"USDT": "10000"}, {}, 0)
    hour = walker.home / "hour.sh"
    hour.write_text(f"{have}\n.venv/bin/python main.py --mode dry_run\n.venv/bin/python main.py --mode live\n")
    ran = subprocess.run(
        ["bash", str(hour)], cwd=ROOT, env={"PATH": os.environ["PATH"], "HOME": str(walker.home), **walker.environment},
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    tried, did = (json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{"))
    assert (tried["status"], did["status"]) == ("done", "done")
    assert "live · main · done (exit 0)" in ran.stdout
    (beat,) = walker(".venv/bin/python -m runtime heartbeat --max-age-minutes 75")
    assert beat["age_minutes"] == 0
    kept, checked = walker(
        have,
        ".venv/bin/python -m runtime --mode live backup ~/engine-backup.jsonl.gz",
        "ENGINE_STORE=sqlite ENGINE_DATA_DIR=~/drill .venv/bin/python -m runtime --mode live restore --check "
        "~/engine-backup.jsonl.gz",
    )
    assert kept["sha256"] == checked["sha256"]
    assert checked["checked"] == "main"
