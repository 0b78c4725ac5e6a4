"""Telegram: the hour's alerts as one message, or as few as the length limit allows.

Bot API over HTTPS, `POST /bot<token>/sendMessage`; the newest alert that has a picture is a `sendPhoto` of its own,
after all the others, and comes in words alone where the picture is not taken. What an answer means (only the code and
`parameters` are contract):

    200 ok                   delivered
    400 + migrate_to_chat_id the group has a new id: used for this delivery, and told in the group itself, nowhere else
    400                      the same text once more without markup; refused again: permanent
    401 403 404              token or chat is wrong, or the bot was blocked: permanent until a human acts
    429                      waits for `retry_after` once, up to 10 s; otherwise tried by a later cycle
    5xx, time-out, no answer, nonsense     not known to be delivered: tried by a later cycle, perhaps twice told

`permanent` informs the operator; it never takes an alert out of the outbox, because the human who repairs the chat
wants to read what happened. Nothing is raised, and a delivery ends within its total time even if the name look-up hangs
or the answer drips: every call runs in a thread of its own that is left behind when time is up. The token is part of
the URL, which every library error prints: errors leave here as the names of their types, and logs are redacted.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from http import HTTPStatus
from typing import Any

import requests
import urllib3

from runtime.domain.alerts import Alert, Severity
from runtime.domain.messages import Page, clean, digest, pages
from runtime.domain.paging import parsed, units
from runtime.domain.redaction import redact
from runtime.domain.texts import Language, text
from runtime.ports import Clock, Receipt

Picture = Callable[[Alert], bytes | None]
"""A PNG for an alert that has one."""
NAME = "telegram"
MOVED = "the group has a new id, for TG_CHAT_ID: alerts find it and name it there, what is written to the bot does not"
"""Told without the id: receipts and the doctor's table may be read by more people than the group."""
_MOVED_TO = "migrate_to_chat_id"
CAPTION_UNITS_MAX = 1024
RETRY_AFTER_MAX_S = 10
BETWEEN_MESSAGES_S = 1
ANSWER_BYTES_MAX = 1_000_000
_LOGGERS = ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.connection", "urllib3.poolmanager", "requests")
_PERMANENT = {
    400: "refused",
    401: "the token is wrong or revoked",
    403: "the bot was blocked or removed, or may not write to this chat",
    404: "the token is malformed",
}


@dataclass(frozen=True, slots=True)
class Bot:
    """Where to send. `chat_id` is a number or `@name`; `timeouts` are seconds to connect and between two bytes,
    `total_s` bounds one delivery or probe; `runbook_url` is what `docs/runbook/` is relative to (empty = no links).
    """

    token: str = field(repr=False)
    chat_id: str = field(repr=False)
    base_url: str = "https://api.telegram.org"
    timeouts: tuple[float, float] = (3, 10)
    total_s: float = 20
    runbook_url: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the Bot API; `code` 0 = none came, `why` then says what happened. `description` holds no secret."""

    code: int
    why: str = ""
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    result: object = None

    @property
    def ok(self) -> bool:
        """Whether the call did what it was asked."""
        return self.code == HTTPStatus.OK

    def whole(self, name: str) -> int | None:
        """A parameter that must be a whole number."""
        value = self.parameters.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


class TelegramAlerter:
    """The operator's Telegram chat; a page that carries a warning or worse makes a sound."""

    def __init__(self, bot: Bot, language: Language, clock: Clock, picture: Picture = lambda _: None) -> None:
        """`picture` draws an alert that has a picture; its PNG is sent with the words as caption."""
        self._bot = bot
        self._picture = picture
        self._language = language
        self._clock = clock
        self._http = requests.Session()  # whose adapters do not retry by themselves
        silence(bot)

    def __repr__(self) -> str:
        return f"TelegramAlerter({self._bot!r})"

    def deliver(self, alerts: Sequence[Alert]) -> Sequence[Receipt]:
        if not alerts:
            return []
        delivery = Delivery(self._bot, self._clock, self._http)
        pictured, png = self._pictured(alerts)
        outcome = self._in_words(delivery, [alert for alert in alerts if alert is not pictured])
        if pictured is not None:
            answer = delivery.show(digest([pictured], self._language, self._bot.runbook_url), png)
            outcome |= {pictured.id: answer} if answer.ok else self._in_words(delivery, [pictured])
        if delivery.moved_to and any(answer.ok for answer in outcome.values()):
            words = text("telegram.moved", self._language, {"id": delivery.moved_to})
            delivery.send(Page(escape(words, quote=False), frozenset(), Severity.WARNING))
        return [self._receipt(alert, outcome[alert.id], moved=bool(delivery.moved_to)) for alert in alerts]

    def _pictured(self, alerts: Sequence[Alert]) -> tuple[Alert | None, bytes]:
        """The newest alert that has a picture, and the picture."""
        for alert in reversed(alerts):
            if png := self._picture(alert):
                return alert, png
        return None, b""

    def _in_words(self, delivery: Delivery, alerts: Sequence[Alert]) -> dict[str, Answer]:
        """The answer that each alert's pages had, by id; the first that is not well stands."""
        outcome: dict[str, Answer] = {}
        for page in pages(alerts, self._language, self._bot.runbook_url):
            answer = delivery.send(page)
            for name in (alerts[at].id for at in page.alerts):
                if name not in outcome or outcome[name].ok:
                    outcome[name] = answer
        return outcome

    def probe(self) -> Mapping[str, str]:
        delivery = Delivery(self._bot, self._clock, self._http)
        token = delivery.call("getMe", {})
        chat = delivery.call("getChat", {"chat_id": self._bot.chat_id})
        return {"telegram token": verdict(token), "telegram chat": verdict(chat)}

    @staticmethod
    def _receipt(alert: Alert, answer: Answer, *, moved: bool) -> Receipt:
        if answer.ok:
            return Receipt(alert.id, delivered=True, why=MOVED if moved else "", channel=NAME)
        return Receipt(
            alert.id, delivered=False, permanent=answer.code in _PERMANENT, why=verdict(answer), channel=NAME
        )


def verdict(answer: Answer) -> str:
    """What an answer means, in words without a secret; `ok` for a good one."""
    if answer.ok:
        return "ok"
    if answer.whole(_MOVED_TO) is not None:
        return f"Telegram: {answer.code}: {MOVED}"
    said = f" ({answer.description})" if answer.description else ""
    return f"Telegram: {answer.code or 'no answer'}: {_PERMANENT.get(answer.code, answer.why or 'try later')}{said}"


class Delivery:
    """The calls of one delivery: they share a deadline, one wait, and where the chat moved to."""

    def __init__(self, bot: Bot, clock: Clock, http: requests.Session) -> None:
        self._bot, self._clock, self._http = bot, clock, http
        self._deadline = clock.monotonic() + bot.total_s
        self._waited = self._sent = False
        self._over: Answer | None = None
        self.moved_to = ""

    def send(self, page: Page) -> Answer:
        """Send one page; after a failure that concerns every page nothing more is sent, and its answer stands."""
        if self._over:
            return self._over
        if self._sent:
            self._clock.sleep(max(0.0, min(BETWEEN_MESSAGES_S, self._left())))
        message: dict[str, Any] = {
            "text": page.html,
            "parse_mode": "HTML",
            "disable_notification": page.severity is Severity.INFO,
            "link_preview_options": {"is_disabled": True},
        }
        answer = self._post(message)
        if answer.code == HTTPStatus.BAD_REQUEST:
            del message["parse_mode"]
            answer = self._post(message | {"text": parsed(page.html)})
        if not answer.ok and answer.code != HTTPStatus.BAD_REQUEST:
            self._over = answer
        self._sent = True
        return answer

    def show(self, html: str, png: bytes) -> Answer:
        """Send a picture with its words, silently; not at all where they are longer than a caption may be."""
        if self._over:
            return self._over
        if units(parsed(html)) > CAPTION_UNITS_MAX:
            return Answer(0, "too long for a caption")
        if self._sent:
            self._clock.sleep(max(0.0, min(BETWEEN_MESSAGES_S, self._left())))
        self._sent = True
        words = {"caption": html, "parse_mode": "HTML", "disable_notification": "true"}
        return self._post(words, png)

    def _post(self, message: Mapping[str, Any], png: bytes = b"") -> Answer:
        answer = self._call_patiently(message, png)
        moved = answer.whole(_MOVED_TO)
        if moved is None or self.moved_to:
            return answer
        self.moved_to = str(moved)
        return self._call_patiently(message, png)

    def _call_patiently(self, message: Mapping[str, Any], png: bytes) -> Answer:
        payload = {"chat_id": self.moved_to or self._bot.chat_id, **message}
        method = "sendPhoto" if png else "sendMessage"
        answer = self.call(method, payload, png)
        if answer.code != HTTPStatus.TOO_MANY_REQUESTS:
            return answer
        pause = answer.whole("retry_after")
        if pause is None or not 0 <= pause <= min(RETRY_AFTER_MAX_S, self._left()) or self._waited:
            return answer
        self._waited = True
        self._clock.sleep(pause)
        return self.call(method, payload, png)

    def _left(self) -> float:
        return self._deadline - self._clock.monotonic()

    def call(self, method: str, payload: Mapping[str, Any], png: bytes = b"") -> Answer:
        """One call, bounded by what is left of the total time; never raises."""
        left = self._left()
        if left <= 0:
            return Answer(0, f"no time left of {self._bot.total_s:g} s")
        answers: list[Answer] = []
        caller = threading.Thread(target=lambda: answers.append(self._request(method, payload, png)), daemon=True)
        caller.start()
        caller.join(left)
        return answers[0] if answers else Answer(0, f"no answer within {self._bot.total_s:g} s")

    def _request(self, method: str, payload: Mapping[str, Any], png: bytes) -> Answer:
        url = f"{self._bot.base_url.rstrip('/')}/bot{self._bot.token}/{method}"
        body: dict[str, Any] = {"json": payload}
        if png:
            body = {"data": payload, "files": {"photo": ("status.png", png, "image/png")}}
        try:
            with self._http.post(
                url, **body, timeout=self._bot.timeouts, allow_redirects=False, stream=True
            ) as response:
                answer = response.raw.read(ANSWER_BYTES_MAX, decode_content=True)
                return self._read(response.status_code, answer)
        except requests.Timeout:
            return Answer(0, "timed out")
        # Whatever these say holds the URL and so the token: only the name of the type leaves.
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return Answer(0, type(error).__name__)

    def _read(self, status: int, body: bytes) -> Answer:
        """The documented shape, or an answer without a code that says what came instead."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or (status == HTTPStatus.OK) != (answer.get("ok") is True):
            return Answer(0, f"HTTP {status} without a Bot API answer")
        parameters = answer.get("parameters")
        # Redacted before it is cut: half a token is not found any more.
        described = redact(clean(str(answer.get("description", ""))), (self._bot.token, self._bot.chat_id))[:200]
        return Answer(status, "", described, parameters if isinstance(parameters, dict) else {}, answer.get("result"))


def silence(bot: Bot) -> None:
    """Keep token and chat out of what the HTTP library logs."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_Redaction((bot.token, bot.chat_id)))


@dataclass(frozen=True)
class _Redaction(logging.Filter):
    """Takes token and chat out of a log record; equal for equal ones, so that a logger carries it once."""

    secrets: tuple[str, ...] = field(repr=False)

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage(), self.secrets), ()
        record.exc_info = record.exc_text = record.stack_info = None  # a traceback quotes the URL, and names no cause
        return True
