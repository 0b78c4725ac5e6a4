"""Google's Firestore emulator for the tests that need it: one for all test processes of this machine's run.

Each process that wants it takes a shared lock for as long as it lives. The first one starts the emulator, the last one
ends it, by its process group. Tests do not clean up after themselves: every account has a project id of its own.

A test file makes the fixture known by importing it, and asks for it by name (`request.getfixturevalue`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import pytest

from runtime.adapters.firestore import Connection, FirestoreArchive
from runtime.errors import StoreError
from tests.support.stores import Account

START_SECONDS = 60


@pytest.fixture(scope="session")
def firestore_emulator() -> Iterator[str]:
    """`host:port` of a running emulator. Skips where there is none to start; on CI one that does not start fails."""
    with running_emulator() as host:
        yield host


@contextlib.contextmanager
def running_emulator() -> Iterator[str]:
    """The fixture for scripts: the same emulator, ended with the last process that uses it."""
    command = _command()
    if command is None:
        pytest.skip("the Firestore emulator needs gcloud (with its emulator component) and java")
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
    folder = Path(tempfile.gettempdir()) / f"firestore-emulator-{os.getuid()}-{run}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "gate").open("w") as gate, (folder / "users").open("w") as users:
        with _locked(gate):
            fcntl.flock(users, fcntl.LOCK_SH)
            port = _running(folder) or _start(folder, command)
        yield f"127.0.0.1:{port}"
        with _locked(gate):
            fcntl.flock(users, fcntl.LOCK_UN)
            _end_if_last(folder, users)


def firestore_account(host: str) -> Account:
    """A fresh account on the emulator at `host`: every run has a connection of its own."""
    project = f"t-{secrets.token_hex(8)}"

    def make() -> FirestoreArchive:
        return FirestoreArchive(Connection(project, emulator_host=host))

    def plant(document: Mapping[str, Any]) -> None:
        connection = Connection(project, emulator_host=host)
        connection.client.document("strategy/MULTI_ASSET_STATE").set(dict(document), timeout=5, retry=None)
        connection.close()

    return Account(make, plant)


def _command() -> list[str] | None:
    """How to start it: the emulator's own script beside gcloud starts faster than gcloud, which is the fall-back."""
    gcloud = shutil.which("gcloud")
    if gcloud is None or shutil.which("java") is None:
        return None
    script = Path(gcloud).resolve().parents[1] / "platform" / "cloud-firestore-emulator" / "cloud_firestore_emulator"
    if script.is_file():
        return [str(script), "start"]
    return [gcloud, "emulators", "firestore", "start", "--quiet"]


@contextlib.contextmanager
def _locked(gate: TextIO) -> Iterator[None]:
    fcntl.flock(gate, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(gate, fcntl.LOCK_UN)


def _running(folder: Path) -> int | None:
    try:
        port: int = json.loads((folder / "emulator.json").read_text())["port"]
    except FileNotFoundError:
        return None
    return port if _answers(port) else None


def _start(folder: Path, command: list[str]) -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    address = ["--host=127.0.0.1", f"--port={port}"] if command[-1] == "start" else [f"--host-port=127.0.0.1:{port}"]
    log = (folder / "log").open("wb")
    # A group of its own: gcloud and the script start java as a child.
    process = subprocess.Popen(
        [*command, *address], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    log.close()
    deadline = time.monotonic() + START_SECONDS
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            _end(process.pid)
            said = (folder / "log").read_text(errors="replace")[-2000:]
            message = f"the Firestore emulator did not start: {' '.join(command)}\n{said}"
            pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
        time.sleep(0.05)
    (folder / "emulator.json").write_text(json.dumps({"port": port, "pid": process.pid}))
    process.returncode = 0  # another process may have to end it: this one must neither wait for it nor warn
    return port


def _answers(port: int) -> bool:
    """Whether it takes calls, and answers one: a JVM's first answer may take longer than a product's deadline."""
    with socket.socket() as knock:
        knock.settimeout(1)
        if knock.connect_ex(("127.0.0.1", port)) != 0:
            return False
    connection = Connection("warm-up", emulator_host=f"127.0.0.1:{port}")
    try:
        connection.read(["warm/up"])
    except StoreError:
        return False
    finally:
        connection.close()
    return True


def _end_if_last(folder: Path, users: TextIO) -> None:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    with contextlib.suppress(FileNotFoundError):
        _end(json.loads((folder / "emulator.json").read_text())["pid"])
    shutil.rmtree(folder, ignore_errors=True)


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
