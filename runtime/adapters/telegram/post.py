"""Post: what an operator writes to the bot, read without a server, and the answers.

`getUpdates` with an offset confirms every update before it, so the offset is only ever that of what was written down.
What an answer means (only the code is contract):

    401 403 404   token or bot is wrong: a human must act
    409           somebody else reads this bot, or a webhook is set: a human must choose one
    429           later, as the answer says
    anything else not known; nothing was confirmed, the next run reads again

An update that is no message with text has no text here: it is counted as handled and means nothing. Every call ends
within the bot's total time; the token is in no error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import requests

from runtime.adapters.telegram.alerter import Answer, Bot, Delivery, silence, verdict
from runtime.domain.alerts import Severity
from runtime.domain.inbox import Update
from runtime.domain.messages import Page
from runtime.errors import Misconfigured, RateLimited, Unavailable
from runtime.ports import Clock

UPDATES_MAX = 20
"""A page of updates: with everything that Telegram quotes in them they stay below an answer's bound."""
WHAT = "Telegram inbox"
_FIX_TOKEN = "copy TG_TOKEN again from @BotFather"  # noqa: S105 - the name of a setting
_FIX_READERS = "let one process read this bot: remove its webhook (deleteWebhook), stop the other reader"
_REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN})


class TelegramPost:
    """The bot's messages. Each call has the bot's total time."""

    def __init__(self, bot: Bot, clock: Clock) -> None:
        """Nothing is asked yet."""
        self._bot, self._clock = bot, clock
        self._http = requests.Session()
        silence(bot)

    def read(self, offset: int | None) -> Sequence[Update]:
        """At most `UPDATES_MAX` updates from `offset` on, in no promised order."""
        answer = self._asked(offset, UPDATES_MAX)
        if not answer.ok and not answer.code:
            answer = self._asked(offset, 1)  # one update alone is certainly small enough to be read
        self._check(answer)
        found = answer.result if isinstance(answer.result, list) else []
        return [update for raw in found if (update := _update(raw)) is not None]

    def reply(self, chat: int, html: str) -> bool:
        """Send one message, silently."""
        bot = replace(self._bot, chat_id=str(chat)) if chat else self._bot
        answer = Delivery(bot, self._clock, self._http).send(Page(html, frozenset(), Severity.INFO))
        return answer.ok or answer.code in _REFUSED

    def _asked(self, offset: int | None, limit: int) -> Answer:
        asked: dict[str, Any] = {"limit": limit, "timeout": 0, "allowed_updates": ["message"]}
        if offset is not None:
            asked["offset"] = offset
        return Delivery(self._bot, self._clock, self._http).call("getUpdates", asked)

    def _check(self, answer: Answer) -> None:
        if answer.ok:
            return
        if answer.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
            raise Misconfigured(WHAT, verdict(answer), _FIX_TOKEN)
        if answer.code == HTTPStatus.CONFLICT:
            raise Misconfigured(WHAT, verdict(answer), _FIX_READERS)
        if answer.code == HTTPStatus.TOO_MANY_REQUESTS:
            pause_s = min(max(answer.whole("retry_after") or 0, 0), 3600)
            raise RateLimited(WHAT, "too many requests", self._clock.now_ms() + pause_s * 1000)
        raise Unavailable(WHAT, verdict(answer))


def _update(raw: object) -> Update | None:
    """An update in what Telegram sent; None where it has no id. What is not a message of a person has no text."""
    if not isinstance(raw, Mapping) or not _whole(raw.get("update_id")):
        return None
    message = raw.get("message")
    body: Mapping[str, Any] = message if isinstance(message, Mapping) else {}
    sender, chat, date, text = _id_in(body, "from"), _id_in(body, "chat"), body.get("date"), body.get("text")
    if not (_whole(sender) and _whole(chat) and _whole(date) and isinstance(text, str)):
        return Update(raw["update_id"], 0, 0, 0, "")
    return Update(raw["update_id"], int(str(sender)), int(str(chat)), int(str(date)) * 1000, text)


def _id_in(body: Mapping[str, Any], name: str) -> object:
    part = body.get(name)
    return part.get("id") if isinstance(part, Mapping) else None


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62
