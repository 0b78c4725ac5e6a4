"""Recorded payloads: what the outside world answers, as files under `tests/recordings`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent.parent / "recordings"


def recording(name: str) -> Any:
    """The payload `name`, such as `binance/account`; a fresh copy each time."""
    return json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
