"""A dispatcher between stand-ins for GitHub, whose runs succeed, and Telegram."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import telegram_server
from tests.support.dispatcher import Dispatcher
from tests.support.github_server import GitHub


@pytest.fixture
def github() -> Iterator[GitHub]:
    """A repository whose runs succeed."""
    with GitHub() as server:
        server.dispatch(server.accepted())
        server.run(server.state("queued"), server.state("in_progress"), server.state("completed", "success"))
        yield server


@pytest.fixture
def telegram() -> Iterator[telegram_server.TelegramServer]:
    with telegram_server.serving() as server:
        yield server


@pytest.fixture
def dispatch(tmp_path: Path, github: GitHub, telegram: telegram_server.TelegramServer) -> Dispatcher:
    """Settings, home and process of `dispatch.sh`."""
    return Dispatcher(tmp_path, github, telegram)
