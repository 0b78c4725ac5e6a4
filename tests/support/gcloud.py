"""gcloud's own list of its commands and options, to hold a page to. Asking each for its help takes seconds."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest


def gcloud_tree() -> dict[str, Any]:
    """The commands, a tree with their flags; the test is skipped where gcloud or its list is not installed."""
    program = shutil.which("gcloud")
    tree = Path(program).resolve().parents[1] / "data" / "cli" / "gcloud_completions.py" if program else Path("none")
    if not tree.is_file():
        pytest.skip("gcloud is not installed, or has no list of its commands")
    return dict(runpy.run_path(str(tree))["STATIC_COMPLETION_CLI_TREE"])


def unknown_to_gcloud(line: str, tree: dict[str, Any]) -> list[str]:
    """The words of a command line that gcloud does not know as a command or as an option of it."""
    node, flags, unknown = tree, set(tree["flags"]), []
    for word in shlex.split(line)[1:]:
        if word.startswith("--"):
            name = re.sub(r"^--no-", "--", word.partition("=")[0])
            unknown += [] if name in {re.sub(r"^--no-", "--", flag) for flag in flags} else [word]
        elif word in node.get("commands", {}):
            node = node["commands"][word]
            flags |= set(node.get("flags", {}))
    return unknown + (["names a group, not a command"] if node.get("commands") else [])
