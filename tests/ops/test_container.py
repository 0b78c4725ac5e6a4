"""The container: what its file says, and its entry run as the image would run it, alone and beside another trigger."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runtime.adapters.clock import SystemClock
from runtime.adapters.simulated import wire
from runtime.adapters.simulated.books import Books
from runtime.adapters.simulated.conditions import PAPER
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.server import SimulatedServer
from runtime.config import VARIABLES
from runtime.run_settings import SECRET_FIELDS
from tests.support.container import DOCKERFILE, FOLDER, Container, copies, laid_out, named, steps
from tests.support.emulator import firestore_emulator  # noqa: F401 - a fixture, asked for by name
from tests.support.http_stub import Answer, Seen
from tests.support.markets import TableMarket
from tests.support.middleman import Middleman
from tests.support.sources import ROOT
from tests.support.worlds import CAPITAL, KEY, ORDER, SECRET

RUN = FOLDER / "run.sh"
CHANNELS = ".ci/requirements-channels-lock.txt"
"""What the build argument LOCK may name beside its default."""
PRICES = {"BTCUSDT": "60000", "BNBUSDT": "300", "ETHUSDT": "2500", "SOLUSDT": "150"}


# --- the file ---------------------------------------------------------------------------------------------------------


def test_two_stages_and_a_user_that_is_a_fixed_number_above_every_systems_own() -> None:
    first, final = steps()
    assert [step.name for step in first[:1]] == ["ARG"]
    assert all(named(stage, "FROM")[0].split()[0] == "${PYTHON_IMAGE}" for stage in (first, final))
    assert named(final, "USER") == ["10001:10001"]
    assert final.index(next(s for s in final if s.name == "USER")) > max(
        number for number, step in enumerate(final) if step.name in {"RUN", "COPY"}
    ), "what is built belongs to root, so that the user cannot change it"


def test_the_entry_is_mains_own_command_without_a_shell() -> None:
    assert [json.loads(words) for words in named(steps()[1], "ENTRYPOINT")] == [["python", "main.py"]]
    assert not [step for stage in steps() for step in stage if step.name in {"CMD", "SHELL", "ADD", "VOLUME"}]


def test_packages_come_by_hash_as_wheels_from_the_lock_alone() -> None:
    (installed,) = named(steps()[0], "RUN")
    assert re.findall(r"--(?:no-deps|require-hashes|only-binary :all:)", installed) == [
        "--no-deps",
        "--only-binary :all:",
        "--require-hashes",
    ]
    assert "-r /build/requirements-lock.txt" in installed
    assert list(copies(steps()[0])) == [("requirements-lock.txt", "/build/requirements-lock.txt")]
    assert named(steps()[0], "ARG")[1:] == ["LOCK=requirements-lock.txt"]
    assert named(steps()[0], "COPY") == ["${LOCK} /build/requirements-lock.txt"]
    assert [words for words in named(steps()[1], "COPY") if words.startswith("--from")] == [
        "--from=packages /opt/venv /opt/venv"
    ]


def test_the_lock_of_the_second_channel_adds_packages_and_changes_none() -> None:
    def pinned(name: str) -> dict[str, str]:
        return dict(re.findall(r"^(\S+==\S+) \\\n((?: .*\n)+)", (ROOT / name).read_text(), re.MULTILINE))

    plain, channels = pinned("requirements-lock.txt"), pinned(CHANNELS)
    assert plain.items() <= channels.items()
    assert "apprise" in {name.partition("==")[0] for name in channels.keys() - plain.keys()}
    assert all("--hash=sha256:" in hashes for hashes in channels.values())


def test_nothing_is_fetched_and_no_secret_is_built_in() -> None:
    text = DOCKERFILE.read_text()
    instructions = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    assert not re.search(r"\b(curl|wget|apt|git|http)", instructions)
    assert not re.search(r"(?i)key|secret|token|credential|password", instructions)


def test_the_build_sees_what_is_copied_and_nothing_else() -> None:
    lines = [
        line for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] not in {"#", ""}
    ]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert allowed == {CHANNELS, *(source for stage in steps() for source, _ in copies(stage))}
    assert [line for line in lines[1:] if not line.startswith("!")] == ["**/__pycache__"]


# --- how it is started ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Host:
    """A machine whose `docker` notes its arguments and ends with 3."""

    home: Path

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run run.sh."""
        given = {"HOME": str(self.home), "PATH": f"{self.home}/bin:{os.environ['PATH']}", **environment}
        return subprocess.run(
            [str(RUN), *arguments], env=given, capture_output=True, text=True, timeout=30, check=False
        )

    @property
    def env_file(self) -> Path:
        return self.home / ".config" / "binance-engine" / "env"

    @property
    def noted(self) -> list[str]:
        return (self.home / "noted").read_text().splitlines()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A machine that is set up."""
    made = Host(tmp_path)
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"$HOME/noted"\nexit 3\n')
    docker.chmod(0o755)
    made.env_file.parent.mkdir(parents=True)
    made.env_file.write_text("BINANCE_API_SECRET=planted-secret-planted\n")
    made.env_file.chmod(0o600)
    return made


def test_it_runs_without_powers_on_a_read_only_root_and_hands_the_engines_code_on(host: Host) -> None:
    done = host("--mode", "live")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    assert host.noted[-3:] == ["binance-engine", "--mode", "live"]
    text = " ".join(host.noted)
    for needed in (
        "run --rm --init --read-only",
        "--cap-drop ALL",
        "--security-opt no-new-privileges",
        "--tmpfs /tmp:rw,noexec,nosuid,nodev,size=16m",
        "--volume binance-engine:/data",
        f"--env-file {host.env_file}",
    ):
        assert needed in text
    assert "planted" not in text, "a secret must not stand in a process list"
    assert "privileged" not in text.replace("no-new-privileges", "")


def test_an_operators_command_and_googles_file_are_handed_on(host: Host) -> None:
    google = host.home / "google.json"
    google.write_text("{}")
    host(
        "-m", "runtime", "status", CONTAINER_GOOGLE_FILE=str(google), CONTAINER_IMAGE="mine", CONTAINER_PROGRAM="docker"
    )
    assert host.noted[-4:] == ["mine", "-m", "runtime", "status"]
    assert "--entrypoint python" in " ".join(host.noted)
    assert f"--volume {google}:/run/google.json:ro" in " ".join(host.noted)


@pytest.mark.parametrize(("mode", "says"), [(0o640, "chmod 600"), (0o644, "chmod 600"), (None, "no such file")])
def test_settings_that_others_may_read_are_refused(host: Host, mode: int | None, says: str) -> None:
    if mode is None:
        host.env_file.unlink()
    else:
        host.env_file.chmod(mode)
    done = host()
    assert done.returncode == 2
    assert says in done.stderr
    assert not (host.home / "noted").exists()


def test_the_units_start_it_every_hour_and_are_understood_by_systemd(tmp_path: Path) -> None:
    service = (FOLDER / "binance-engine.service").read_text()
    assert f"ExecStart=/opt/binance-platform/{RUN.relative_to(ROOT)} --mode live\n" in service
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not here to ask")
    for name, text in (("service", service), ("timer", (FOLDER / "binance-engine.timer").read_text())):
        (tmp_path / f"binance-engine.{name}").write_text(text.replace("/opt/binance-platform", str(ROOT)))
    units = sorted(map(str, tmp_path.glob("binance-engine.*")))
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_script_passes_shellcheck() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", str(RUN)], capture_output=True, text=True, check=False)
    assert done.stdout == ""


# --- the entry, inside ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def image() -> Iterator[Container]:
    """The image, in a folder that its user can reach."""
    with tempfile.TemporaryDirectory(prefix="container-") as folder:
        Path(folder).chmod(0o755)
        yield laid_out(Path(folder))


@pytest.fixture
def container(image: Container) -> Container:
    """The image with an empty volume; as root its user is really another one."""
    return image.fresh(real=os.geteuid() == 0)


def test_a_paper_hour_runs_as_nobody_in_particular_on_a_read_only_root(container: Container) -> None:
    """Also with the locked packages alone: nothing that only the tests need is in the image."""
    done = container.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "done"
    assert json.loads(container.run().stdout.splitlines()[-1])["status"] == "slot_done", "the volume remembers"
    told = container.run("-m", "runtime", "status", program=["python"])
    assert json.loads(told.stdout.splitlines()[-1])["slot_done"] == "2026-03-15T09Z"


def test_a_paper_hour_takes_the_example_of_the_settings_as_docker_would(container: Container) -> None:
    lines = (FOLDER / "engine.env.example").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    offered = {line.lstrip("#").partition("=")[0] for line in lines if re.match(r"#?[A-Z_]+=", line)}
    elsewhere = {"GLOBAL_TELEGRAM_CHAT_ID"}  # another spelling
    assert {name for name, field in VARIABLES.items() if field in SECRET_FIELDS} - elsewhere <= offered
    assert offered <= VARIABLES.keys()
    done = container.run(**given)
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "done"


TRY_THE_CHANNEL = """
from runtime.adapters.channel import Address, ChannelAlerter
from runtime.domain.texts import Language
print(ChannelAlerter(Address("json://127.0.0.1:1/x"), Language.EN).probe()["second channel"])
"""


def test_the_second_channel_speaks_from_an_image_that_was_built_for_it_and_from_no_other(container: Container) -> None:
    plain = container.run(program=["python", "-c", TRY_THE_CHANNEL])
    assert "the package `apprise` is not installed" in plain.stderr
    with tempfile.TemporaryDirectory(prefix="container-") as folder:
        Path(folder).chmod(0o755)
        built = laid_out(Path(folder), CHANNELS).fresh(real=os.geteuid() == 0)
        done = built.run(program=["python", "-c", TRY_THE_CHANNEL])
        assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_inside_there_is_no_root_no_power_and_nothing_to_write_but_the_volume_and_tmp(container: Container) -> None:
    look = (
        "id -u; id -g; for place in / /engine /engine/runtime /opt/venv /etc /usr /data /tmp; do"
        ' if touch "$place/x" 2>/dev/null; then echo "$place"; fi; done; ls -I __pycache__ /engine'
    )
    done = container.run(program=["sh", "-c", look])
    assert done.stdout.split() == [
        *(str(container.uid), str(container.uid), "/data", "/tmp"),
        *("main.py", "run_cycle_replay.py", "runtime", "strategies"),
    ]
    powers = container.run(program=["python", "-c", "import os; os.setuid(0)"])
    assert "PermissionError" in powers.stderr


def test_without_a_volume_it_may_write_to_the_hour_says_so_and_trades_nothing(container: Container) -> None:
    done = container.run(ENGINE_DATA_DIR="/engine/var")
    assert done.returncode in {1, 3}
    assert "done" not in done.stdout


# --- two triggers at once ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """A live account at a simulated exchange, and its two triggers: the container's command and the plain one."""

    container: Container
    exchange: SimulatedExchange
    middleman: Middleman
    settings: dict[str, str]

    def start(self, way: str) -> subprocess.Popen[str]:
        """Start the hour one `way`."""
        if way == "container":
            command, environment = self.container.command(**self.settings), {"PATH": os.environ["PATH"]}
        else:
            command = [sys.executable, str(ROOT / "main.py")]
            environment = {"PATH": os.environ["PATH"], **self.settings, "ENGINE_DATA_DIR": str(self.container.data)}
        return subprocess.Popen(
            command,
            env=environment,
            cwd=self.container.data,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def orders(self) -> list[str]:
        """Client ids of every order at the exchange."""
        return [row.client_id for rows in self.exchange.venue.books.orders.values() for row in rows]


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The exit line of a run that ended with 0 and without a word on standard error."""
    out, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, ""), out
    line: dict[str, Any] = json.loads(out.splitlines()[-1])
    return line


@contextmanager
def account(image: Container, **settings: str) -> Iterator[Account]:
    """An account with its exchange. A SQLite store is shared by one user: the container's is this one, renumbered."""
    exchange = SimulatedExchange(TableMarket(SystemClock(), PRICES), SystemClock(), PAPER, Books.opened(CAPITAL))
    with SimulatedServer(exchange, wire.Credentials(KEY, SECRET)) as server, Middleman(server.url) as middleman:
        given = {
            "ENGINE_MODE": "live",
            "ENGINE_FIRST_RUN": "fresh",
            "BINANCE_API_KEY": KEY,
            "BINANCE_API_SECRET": SECRET,
            "BINANCE_API_URL": middleman.origin,
            "BINANCE_MARKET_URL": middleman.origin,
            "TG_TOKEN": "123456:planted-token-planted",
            "TG_CHAT_ID": "-1007654321",
            "TG_API_URL": "http://127.0.0.1:9",
            **settings,
        }
        yield Account(image.fresh(real=False), exchange, middleman, given)


def stores(request: pytest.FixtureRequest, kind: str) -> dict[str, str]:
    """The settings that name a store both triggers share."""
    if kind == "sqlite":
        return {"ENGINE_STORE": "sqlite"}
    host = request.getfixturevalue("firestore_emulator")
    project = f"t-{os.urandom(8).hex()}"
    return {"ENGINE_STORE": "firestore", "GOOGLE_CLOUD_PROJECT": project, "ENGINE_FIRESTORE_EMULATOR": host}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("container", "plain", "sqlite"),
        ("plain", "container", "sqlite"),
        pytest.param("container", "plain", "firestore", marks=pytest.mark.emulator),
    ],
)
def test_a_trigger_that_finds_the_other_at_work_leaves_and_says_so(
    image: Container, request: pytest.FixtureRequest, first: str, second: str, kind: str
) -> None:
    with account(image, **stores(request, kind)) as shared:
        sending, go_on = threading.Event(), threading.Event()
        shared.middleman.strike = held_after_an_order(shared.middleman, sending, go_on)
        try:
            working = shared.start(first)
            assert sending.wait(60)
            late = ended(shared.start(second))
            assert (late["status"], late["orders"]) == ("lease_held", 0)
        finally:
            go_on.set()
        did = ended(working)
        assert (did["status"], did["orders"]) == ("done", 1)
        assert len(shared.orders()) == 1


def held_after_an_order(
    middleman: Middleman, sending: threading.Event, go_on: threading.Event
) -> Callable[[Seen], Answer | None]:
    """Whoever sends an order waits for its answer until the test has seen enough. The order itself is not late: Binance
    takes none that is older than five seconds.
    """

    def strike(seen: Seen) -> Answer | None:
        if seen.endpoint != ORDER:
            return None
        answer = middleman.passed_on(seen)
        sending.set()
        assert go_on.wait(60)
        return answer

    return strike


@pytest.mark.slow
def test_of_two_triggers_in_the_same_moment_one_executes(image: Container) -> None:
    with account(image, ENGINE_STORE="sqlite") as shared:
        lines = [ended(process) for process in [shared.start(way) for way in ("container", "plain")]]
        assert {line["status"] for line in lines} <= {"done", "lease_held", "slot_done"}
        did = [line["slot"] for line in lines if line["status"] == "done"]
        assert len(set(did)) == len(did) >= 1, "one did it; two only where an hour ended between their starts"
        assert len(shared.orders()) == len(did)
