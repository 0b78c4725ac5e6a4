"""`install.sh` in a home of its own, with a stand-in for the `crontab` program."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.sources import ROOT

FOLDER = ROOT / "ops" / "vps-dispatch"
CRONTAB = """#!/usr/bin/env bash
table=$HOME/table
if [[ $1 == -l ]]; then
    [[ -f $table ]] || { echo "no crontab for engine" >&2; exit 1; }
    cat "$table"
else
    cat >"$table.new"; mv "$table.new" "$table"; echo written >>"$HOME/writes"
fi
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A user's home, and a `crontab` that keeps its table in it."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run the installer; what it said."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        done = subprocess.run(
            ["bash", str(FOLDER / "install.sh"), *arguments],
            env=kept | {"HOME": str(self.home), "PATH": f"{self.home}/bin:{kept['PATH']}"} | self.variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    @property
    def table(self) -> str:
        """The crontab."""
        path = self.home / "table"
        return path.read_text() if path.exists() else ""

    @property
    def program(self) -> Path:
        """The installed script."""
        return self.home / ".local/share/binance-dispatch/dispatch.sh"

    @property
    def env_file(self) -> Path:
        """Its settings."""
        return self.home / ".config/binance-dispatch/env"

    @property
    def units(self) -> Path:
        """Where units of the user lie."""
        return self.home / ".config/systemd/user"

    def files(self) -> dict[str, tuple[int, str]]:
        """Everything in this home, with mode and content."""
        found = [path for path in sorted(self.home.rglob("*")) if path.is_file()]
        return {str(path): (path.stat().st_mode & 0o777, path.read_text()) for path in found}


def machine_in(home: Path) -> Machine:
    """A home with nothing but `crontab`."""
    program = home / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(CRONTAB)
    program.chmod(0o755)
    return Machine(home)
