"""The container of `ops/container/Dockerfile`, made and run without a container engine.

The file is read instruction by instruction. The final stage is laid out in a folder: what is copied is copied, what is
run is run inside (chroot), and the packages, which the first stage installs, are those of this environment that
the lock names, and no others. The entry then runs as the image would run it: in namespaces of its own,
under the image's user, with its environment alone, on a root that is mounted read-only but for `/data` and `/tmp`.

As root the user's number can be real. Otherwise it is this user under that number, in a user namespace.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, distributions
from pathlib import Path
from string import Template

import pytest

from tests.support.sources import ROOT

FOLDER = ROOT / "ops" / "container"
DOCKERFILE = FOLDER / "Dockerfile"
SYSTEM = ("usr", "bin", "sbin", "lib", "lib64", "etc")
DEVICES = ("null", "zero", "urandom")
_SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"

# $1 = the image's folder; then what is needed for the one use or the other.
_MOUNTED = """
set -eu
root=$1; shift
mount --bind "$root" "$root"
for place in {places}; do mount --rbind "/$place" "$root/$place"; mount -o remount,bind,ro "$root/$place"; done
for device in {devices}; do mount --bind "/dev/$device" "$root/dev/$device"; done
"""
_MAKE = 'exec chroot "$root" /bin/sh -euc "$1"'
_RUN = """
mount -t tmpfs -o mode=1777,noexec,nosuid,nodev tmpfs "$root/tmp"
mount --bind "$1" "$root/data"
mount -o remount,bind,ro "$root"
shift
exec chroot "$root" "$@"
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: `COPY`, and what follows it on its (continued) line."""

    name: str
    words: str


def steps(path: Path = DOCKERFILE) -> list[list[Step]]:
    """The instructions of a Dockerfile by stage; what stands before the first FROM belongs to the first."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    stages: list[list[Step]] = [[]]
    for line in filter(None, map(str.strip, lines)):
        name, _, words = line.partition(" ")
        if name == "FROM" and any(step.name == "FROM" for step in stages[-1]):
            stages.append([])
        stages[-1].append(Step(name, words.strip()))
    return stages


def named(stage: Sequence[Step], name: str) -> list[str]:
    """What stands behind every instruction of this name."""
    return [step.words for step in stage if step.name == name]


def copies(stage: Sequence[Step]) -> Iterator[tuple[str, str]]:
    """(source in the checkout, destination) of every COPY that is not from another stage, with ARGs by default."""
    given = dict(words.split("=", 1) for words in named(stage, "ARG"))
    for words in (Template(words).safe_substitute(given) for words in named(stage, "COPY")):
        *sources, target = words.split()
        if not words.startswith("--from"):
            yield from ((source, target) for source in sources)


@dataclass(frozen=True, slots=True)
class Container:
    """An image laid out at `root`; `data` is the volume. `uid` is the user's number inside; `real` = also outside."""

    root: Path
    data: Path
    uid: int
    real: bool
    environment: Mapping[str, str]
    workdir: str
    entry: Sequence[str]

    def command(self, *arguments: str, program: Sequence[str] | None = None, **environment: str) -> list[str]:
        """How to run the entry (or another `program` of the image) with these arguments and variables."""
        variables = [f"{name}={value}" for name, value in {**self.environment, **environment}.items()]
        own = [f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"] if self.real else ["--ambient-caps=-all"]
        powerless = ["setpriv", *own, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
        within = [*powerless, "env", "-i", "-C", self.workdir, *variables, *(program or self.entry), *arguments]
        return [*_inside(self.root, None if self.real else self.uid, _RUN), str(self.data), *within]

    def fresh(self, *, real: bool) -> Container:
        """The same image with an empty volume."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o750)
        if real:
            os.chown(self.data, self.uid, self.uid)
        return replace(self, real=real)

    def run(
        self, *arguments: str, program: Sequence[str] | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        command = self.command(*arguments, program=program, **environment)
        return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def laid_out(folder: Path, lock: str = "requirements-lock.txt") -> Container:
    """The image in `folder`, which its user must be able to reach, with the packages of `lock`; skips where no image
    can be run.
    """
    _, final = steps()
    root, uid, real = folder / "image", int(named(final, "USER")[0].split(":")[0]), os.geteuid() == 0
    _lay_out(root, final, lock)
    making = [*_inside(root, None if real else uid, _MAKE), " && ".join(named(final, "RUN"))]
    made = subprocess.run(making, capture_output=True, text=True, check=False)
    if "unshare" in made.stderr or "mount:" in made.stderr:
        pytest.skip(f"this machine gives no namespaces: {made.stderr.strip()}")
    assert made.returncode == 0, made.stderr
    variables = dict(pair.split("=", 1) for pair in shlex.split(" ".join(named(final, "ENV"))))
    (workdir,), (entry,) = named(final, "WORKDIR"), named(final, "ENTRYPOINT")
    return Container(root, folder / "data", uid, real, variables, workdir, json.loads(entry))


def _lay_out(root: Path, final: Sequence[Step], lock: str) -> None:
    for place in ("dev", "tmp", *(words.strip("/") for words in named(final, "WORKDIR"))):
        (root / place).mkdir(parents=True)
    for place in _places():
        _stand_in(root, place)
    for device in DEVICES:
        (root / "dev" / device).touch()
    for source, target in copies(final):
        _copy(ROOT / source, root / target.strip("/"), into=target.endswith("/"))
    _packages(root / "opt" / "venv", lock)


def _inside(root: Path, uid: int | None, script: str) -> list[str]:
    """A shell with the image mounted, and the start of its arguments; `uid` is what this user is called in there."""
    own = [] if uid is None else ["--user", f"--map-user={uid}", f"--map-group={uid}", "--keep-caps"]
    mounts = " ".join(shlex.quote(place) for place in _places() if not Path("/", place).is_symlink())
    mounted = _MOUNTED.format(places=mounts, devices=" ".join(DEVICES))
    return ["unshare", *own, "--mount", "/bin/sh", "-c", mounted + script, "sh", str(root)]


def _places() -> list[str]:
    """What of this machine stands for the base image: the system, and the interpreter's home if it is elsewhere."""
    home = sys.base_prefix.strip("/")
    places = (*SYSTEM, *([] if home.split("/")[0] in SYSTEM else [home]))
    return [place for place in places if Path("/", place).exists()]


def _stand_in(root: Path, place: str) -> None:
    """A folder to mount on, or the same link as here."""
    here = Path("/", place)
    if here.is_symlink():
        (root / place).symlink_to(here.readlink())
    else:
        (root / place).mkdir(parents=True)


def _copy(source: Path, target: Path, *, into: bool) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        return
    place = target / source.name if into else target
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, place)


def _packages(venv: Path, lock: str) -> None:
    """A virtual environment with the locked packages alone, as links to the installed files."""
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    (venv / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
    locked = re.findall(r"^([a-zA-Z0-9._-]+)==", (ROOT / lock).read_text(), re.MULTILINE)
    wanted = {_plain(name) for name in locked}
    for package in distributions():
        if _plain(package.metadata["Name"]) in wanted:
            _link(package, venv / _SITE)


def _link(package: Distribution, site: Path) -> None:
    for file in package.files or ():
        source = Path(str(package.locate_file(file)))
        if ".." in file.parts or not source.is_file():
            continue
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(source)
        except OSError:  # another file system
            shutil.copy(source, target)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
