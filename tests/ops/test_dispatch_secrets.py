"""The dispatcher among those who repeat what they hear: GitHub the token, Telegram the bot's; nothing of it is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.support.dispatcher import Dispatcher
from tests.support.echoes import ECHOES, TELEGRAMS, heard
from tests.support.http_stub import Answer, HttpStub, Reply, Seen
from tests.support.middleman import Middleman
from tests.support.planted import API_KEY, API_SECRET, BOT_TOKEN, CHAT, GITHUB_TOKEN, leaks
from tests.support.telegram_server import TelegramServer, serving


def refused(status: int) -> Callable[[Seen], Reply]:
    """GitHub's own shape."""
    return lambda seen: Reply(status, {"message": f"Bad credentials {heard(seen)}", "documentation_url": heard(seen)})


GITHUBS: dict[str, Callable[[Seen], Answer]] = {
    **{kind: ECHOES[kind] for kind in ("403 page", "502 page", "200 text", "200 object", "302", "reset")},
    **{f"{status} of GitHub": refused(status) for status in (401, 404, 422, 500)},
}
SECRETS = {
    "DISPATCH_TOKEN": GITHUB_TOKEN,
    "TG_TOKEN": BOT_TOKEN,
    "TG_CHAT_ID": CHAT,
    "BINANCE_API_KEY": API_KEY,
    "BINANCE_API_SECRET": API_SECRET,
}
"""The last two are the engine's, for hours that run on the dispatcher's own machine."""


class Parrot(HttpStub):
    """GitHub, which answers everything with what it was asked."""

    says: Callable[[Seen], Answer]

    def answer(self, seen: Seen) -> Answer:
        """One answer."""
        self.seen.append(seen)
        return self.says(seen)


@pytest.fixture
def parrot() -> Iterator[Parrot]:
    with Parrot() as stub:
        yield stub


@pytest.fixture
def chat() -> Iterator[Middleman]:
    """The operator's chat, with somebody before it."""
    with serving(TelegramServer(BOT_TOKEN, {CHAT})) as telegram, Middleman(telegram.url) as middleman:
        yield middleman


@pytest.fixture
def among_secrets(dispatch: Dispatcher, parrot: Parrot, chat: Middleman) -> Dispatcher:
    """A dispatcher whose every secret is planted."""
    dispatch.settings |= SECRETS | {
        "DISPATCH_API_URL": parrot.origin,
        "TG_API_URL": chat.origin,
        "DISPATCH_ATTEMPTS": "2",
    }
    return dispatch


def left_behind(dispatch: Dispatcher, chat: Middleman, *arguments: str) -> dict[str, str]:
    """Run it; everything that anybody could read of it, but its env file and the requests' own fields."""
    ended = dispatch(*arguments)
    bodies = (json.loads(seen.raw[1] or "{}") for seen in chat.seen)
    kept = {path.name: path.read_text() for path in dispatch.state.rglob("*") if path.is_file()}
    return {"all": ended.everything(), "told": "\n".join(body.get("text", "") for body in bodies), **kept}


@pytest.mark.parametrize("kind", sorted(GITHUBS))
@pytest.mark.parametrize("arguments", [(), ("--check",)], ids=["start", "check"])
def test_github_repeats_the_token_and_nobody_else_hears_it(
    among_secrets: Dispatcher, parrot: Parrot, chat: Middleman, kind: str, arguments: tuple[str, ...]
) -> None:
    parrot.says = GITHUBS[kind]
    found = left_behind(among_secrets, chat, *arguments)
    assert parrot.seen[0].headers["authorization"] == f"Bearer {GITHUB_TOKEN}"
    assert leaks(found) == []
    assert found["told"] or arguments


@pytest.mark.parametrize(
    "kind", ["403 page", "200 text", "302", "reset", "400 of the Bot API", "401 of the Bot API", "500 of the Bot API"]
)
def test_telegram_repeats_its_token_and_it_is_not_kept_for_later(
    among_secrets: Dispatcher, parrot: Parrot, chat: Middleman, kind: str
) -> None:
    parrot.says = GITHUBS["401 of GitHub"]
    chat.strike = (ECHOES | TELEGRAMS)[kind]
    found = left_behind(among_secrets, chat)
    assert chat.seen
    assert leaks(found) == []
