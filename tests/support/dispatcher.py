"""`dispatch.sh` as cron starts it: a process and a home of its own, and somebody who watches the process list."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.support import github_server, telegram_server
from tests.support.github_server import GitHub
from tests.support.sources import ROOT
from tests.support.telegram_server import TelegramServer

SCRIPT = ROOT / "ops" / "vps-dispatch" / "dispatch.sh"
SLOT = "2026-11-21T09Z"
SCALE = 200
FULL = ("bash", "-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "full")
"""Runs a command that can make files and write nothing into them, as on a full disk."""
SECRETS = (github_server.TOKEN, telegram_server.TOKEN, "binance-key-planted", "binance-secret-planted", "ping-planted")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a start ended; `alerts` are the words of the messages, `commands` what the process list showed meanwhile."""

    code: int
    out: str
    err: str
    log: str
    alerts: tuple[str, ...]
    commands: str

    @property
    def kinds(self) -> list[str]:
        """The kinds of the alerts, in order."""
        return [alert.splitlines()[0].rpartition(": ")[2] for alert in self.alerts]

    def everything(self) -> str:
        """Whatever anybody could read of it."""
        return "\n".join((self.out, self.err, self.log, *self.alerts, self.commands))


@dataclass
class Dispatcher:
    """A home with an env file; `settings` override those of a good one, None takes one away."""

    home: Path
    github: GitHub
    telegram: TelegramServer
    mode: int = 0o600
    settings: dict[str, str | None] = field(default_factory=dict)
    disk_full: bool = False

    @property
    def state(self) -> Path:
        """Where the script keeps log, lock and heartbeat."""
        return self.home / "state"

    @property
    def env_file(self) -> Path:
        """Its settings."""
        return self.home / "env"

    def good(self) -> dict[str, str | None]:
        """Settings with which everything works, on a clock that runs `SCALE` times faster."""
        return {
            "DISPATCH_REPOSITORY": github_server.REPOSITORY,
            "DISPATCH_TOKEN": github_server.TOKEN,
            "DISPATCH_API_URL": self.github.origin,
            "DISPATCH_STATE_DIR": str(self.state),
            "DISPATCH_TIME_SCALE": str(SCALE),
            "DISPATCH_HTTP_TIMEOUT_S": "5",
            "TG_TOKEN": telegram_server.TOKEN,
            "TG_CHAT_ID": telegram_server.CHAT,
            "TG_API_URL": self.telegram.url,
        }

    def write_settings(self) -> None:
        """Write the env file, with its mode."""
        lines = [f"{name}={value}" for name, value in (self.good() | self.settings).items() if value is not None]
        self.env_file.write_text("\n".join(["# settings", "", *lines]) + "\n")
        self.env_file.chmod(self.mode)

    def again(self) -> subprocess.CompletedProcess[str]:
        """Run it to its end with the env file as it lies there."""
        process = self._started()
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it and do not wait."""
        self.write_settings()
        return self._started(*arguments)

    def _started(self, *arguments: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TG_", "DISPATCH_"))}
        return subprocess.Popen(
            [*(FULL if self.disk_full else []), "bash", str(SCRIPT), "--slot", SLOT, *arguments, str(self.env_file)],
            env=kept | {"HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str) -> Ended:
        """Run it to its end; whatever comes out of it holds no secret."""
        watch = ProcessList()
        with watch:
            process = self.start(*arguments)
            out, err = process.communicate(timeout=60)
        log = "".join(path.read_text() for path in sorted(self.state.glob("dispatch.log*")))
        alerts = tuple(str(message["seen"]) for message in self.telegram.messages)
        ended = Ended(process.returncode, out, err, log, alerts, "\n".join(sorted(watch.seen)))
        assert not [secret for secret in SECRETS if secret in ended.everything()]
        assert not [alert for alert in alerts if not page_of(alert).is_file()]
        return ended


def page_of(alert: str) -> Path:
    """The runbook page that an alert names in its last line."""
    return ROOT / "docs" / alert.splitlines()[-1].rpartition("docs/")[2]


class ProcessList:
    """What `ps` would show, looked at again and again."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.003):
            for process in Path("/proc").iterdir():
                if process.name.isdigit():
                    self.seen.add(_command(process))


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def engine_stub(folder: Path, code: int, lines: Mapping[str, str] | None = None) -> Path:
    """A checkout whose `.venv/bin/python` notes its arguments and environment, and ends with `code`."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        f'#!/usr/bin/env bash\nprintf "%s\\n" "$*" >"{folder}/arguments"\nenv >"{folder}/environment"\n'
        + "".join(f"{line}\n" for line in (lines or {}).values())
        + f'echo \'{{"exit_code": {code}, "status": "stub"}}\'\nexit {code}\n'
    )
    python.chmod(0o755)
    (folder / "main.py").touch()
    return folder
