"""A stand-in for the Bot API on loopback: answers, refuses and fails as Telegram does.

Markup is parsed strictly, length is counted in UTF-16 units after parsing, chats can be blocked, unknown or moved, and
faults are played in order: a pause asked for, a gateway error, a delivered message whose answer never comes, an answer
that drips, a redirect, nonsense. Updates have growing ids, expire after 24 hours and are confirmed by the offset.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "123456:planted-token-AAE"
CHAT = "-1001"
TAGS = {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "a", "code", "pre", "blockquote"}
UPDATES_KEPT_S = 24 * 3600
PHOTO_BYTES_MAX, PHOTO_SIDES_MAX, CAPTION_MAX = 10_000_000, 10_000, 1024
_PIECES = re.compile(r"<[^<>]*>|&[^;\s&<]*;|[^<&]+|.", re.DOTALL)
_OPENING = re.compile(r'<([a-z]+)(?: href="[^"<>]*")?>')
_NAMED = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"'}


class MarkupError(ValueError):
    """The HTML is not what Telegram parses."""


def parse_html(html: str) -> str:
    """The text of strict Telegram HTML; `MarkupError` for an unknown, unclosed or crossed tag or an unknown escape."""
    seen: list[str] = []
    stack: list[str] = []
    for piece in _PIECES.findall(html):
        if piece.startswith("<"):
            _tag(piece, stack)
        elif piece.startswith("&"):
            seen.append(_escape(piece))
        else:
            seen.append(piece)
    if stack:
        raise MarkupError(f"can't find end tag corresponding to start tag {stack[-1]}")
    return "".join(seen)


def _tag(piece: str, stack: list[str]) -> None:
    opening = _OPENING.fullmatch(piece)
    if opening and opening[1] in TAGS:
        stack.append(opening[1])
    elif not stack or piece != f"</{stack.pop()}>":
        raise MarkupError(f"unexpected tag {piece!r}")


def _escape(piece: str) -> str:
    if piece in _NAMED:
        return _NAMED[piece]
    numeric = re.fullmatch(r"&#(\d+);", piece)
    if not numeric:
        raise MarkupError(f"unknown escape {piece!r}")
    return chr(int(numeric[1]))


@dataclass(frozen=True)
class Fault:
    """What a call meets: `kind` is pause, gateway, silent (delivered), drip, refuse, garbage, redirect or cut."""

    kind: str
    value: int = 0
    status: int = 502


@dataclass
class TelegramServer:
    """The state behind the server; tests set the knobs and read `messages` and `calls`."""

    token: str = TOKEN
    chats: set[str] = field(default_factory=lambda: {CHAT})
    blocked: set[str] = field(default_factory=set)
    moved: dict[str, int] = field(default_factory=dict)
    refuse_markup: bool = False
    refuse_all: bool = False
    conflict: bool = False
    refuse_photos: bool = False
    faults: list[Fault | None] = field(default_factory=list)
    now_s: Callable[[], float] = lambda: 0.0
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    photos: list[dict[str, Any]] = field(default_factory=list)
    updates: list[tuple[int, float, dict[str, Any]]] = field(default_factory=list)
    next_update_id: int = 100
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)

    def write(self, sender: int, chat: int, words: str) -> int:
        """A user writes to the bot: the id of the update."""
        now = self.now_s()
        body = {"message": {"from": {"id": sender}, "chat": {"id": chat}, "date": int(now), "text": words}}
        self.updates.append((self.next_update_id, now, body))
        self.next_update_id += 1
        return self.next_update_id - 1

    def answer(self, method: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """HTTP status and body of one call with the right token."""
        handler = {
            "getme": self._get_me,
            "getchat": self._get_chat,
            "sendmessage": self._send_message,
            "sendphoto": self._send_photo,
            "getupdates": self._get_updates,
        }.get(method.lower())
        return handler(given) if handler else error(404, "Not Found")

    def _get_me(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return ok({"id": 123456, "is_bot": True, "first_name": "engine", "username": "engine_bot"})

    def _get_chat(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return self._chat_fault(given) or ok({"id": int(given["chat_id"]), "type": "supergroup"})

    def _chat_fault(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        chat = str(given.get("chat_id", ""))
        if chat in self.moved:
            parameters = {"migrate_to_chat_id": self.moved[chat]}
            return error(400, "Bad Request: group chat was upgraded to a supergroup chat", parameters)
        if chat not in self.chats:
            return error(400, "Bad Request: chat not found")
        return error(403, "Forbidden: bot was blocked by the user") if chat in self.blocked else None

    def _send_message(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        fault = self._chat_fault(given)
        if fault:
            return fault
        text = str(given.get("text", ""))
        if given.get("parse_mode") == "HTML":
            try:
                if self.refuse_markup:
                    raise MarkupError("refused on request")
                text = parse_html(text)
            except MarkupError as fault_in_text:
                return error(400, f"Bad Request: can't parse entities: {fault_in_text}")
        if self.refuse_all:
            return error(400, "Bad Request: something else")
        if not text.strip():
            return error(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            return error(400, "Bad Request: message is too long")
        self.messages.append({**given, "seen": text})
        return ok({"message_id": len(self.messages), "date": int(self.now_s()), "text": text})

    def _send_photo(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Checked as Telegram checks it: a picture it can read, in its bounds, with a caption that is not too long."""
        fault = self._chat_fault(given)
        if fault:
            return fault
        photo, caption = given.get("photo", b""), str(given.get("caption", ""))
        if given.get("parse_mode") == "HTML":
            try:
                caption = parse_html(caption)
            except MarkupError as fault_in_text:
                return error(400, f"Bad Request: can't parse entities: {fault_in_text}")
        if self.refuse_photos or not photo.startswith(b"\x89PNG\r\n\x1a\n") or len(photo) > PHOTO_BYTES_MAX:
            return error(400, "Bad Request: IMAGE_PROCESS_FAILED")
        width, height = int.from_bytes(photo[16:20], "big"), int.from_bytes(photo[20:24], "big")
        if width + height > PHOTO_SIDES_MAX or max(width, height) > 20 * min(width, height):
            return error(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
        if len(caption.encode("utf-16-le")) // 2 > CAPTION_MAX:
            return error(400, "Bad Request: message caption is too long")
        self.photos.append({**given, "seen": caption})
        return ok({"message_id": len(self.photos), "date": int(self.now_s()), "photo": []})

    def _get_updates(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.conflict:
            return error(409, "Conflict: terminated by other getUpdates request")
        offset, limit = int(given.get("offset", 0)), int(given.get("limit", 100))
        fresh = [update for update in self.updates if self.now_s() - update[1] < UPDATES_KEPT_S]
        self.updates = fresh[offset:] if offset < 0 else [update for update in fresh if update[0] >= offset]
        return ok([{"update_id": number, **body} for number, _, body in self.updates[:limit]])


def multipart(content_type: str, body: bytes) -> dict[str, Any]:
    """The fields of a form: text, or bytes where a file name is given."""
    whole = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    found: dict[str, Any] = {}
    for part in whole.walk():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str):
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            found[name] = content if part.get_filename() else content.decode()
    return found


def ok(result: Any) -> tuple[int, dict[str, Any]]:
    return 200, {"ok": True, "result": result}


def error(code: int, description: str, parameters: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    told = {"ok": False, "error_code": code, "description": description}
    return code, told | ({"parameters": parameters} if parameters else {})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    telegram: TelegramServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Say nothing: the path holds the token."""

    def do_GET(self) -> None:
        self._serve(dict(parse_qsl(urlsplit(self.path).query)))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.headers.get("Content-Type", "")
        self._serve(multipart(kind, body) if kind.startswith("multipart/form-data") else json.loads(body or b"{}"))

    def _serve(self, given: dict[str, Any]) -> None:
        telegram = self.telegram
        path = re.fullmatch(r"/bot([^/]*)/(\w+)", urlsplit(self.path).path)
        method = path[2] if path else ""
        telegram.calls.append((method, given))
        fault = telegram.faults.pop(0) if telegram.faults else None
        if fault and fault.kind == "pause":
            self._reply(*error(429, f"Too Many Requests: retry after {fault.value}", {"retry_after": fault.value}))
        elif fault:
            self._fail(fault, method, given)
        elif not path:
            self._reply(*error(404, "Not Found"))
        elif path[1] != telegram.token:
            self._reply(*error(401, "Unauthorized"))
        else:
            self._reply(*telegram.answer(method, given))

    def _fail(self, fault: Fault, method: str, given: dict[str, Any]) -> None:
        self.close_connection = fault.kind != "redirect"
        if fault.kind == "silent":
            self.telegram.answer(method, given)
            self.telegram.released.wait(30)
        elif fault.kind == "drip":
            self._drip()
        elif fault.kind == "refuse":
            self._reply(*error(400, "Bad Request: something else"))
        elif fault.kind == "redirect":
            self.send_response(302)
            self.send_header("Location", f"{self.telegram.url}/elsewhere{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif fault.kind in {"gateway", "garbage"}:
            body = b"<html>gateway</html>" if fault.kind == "gateway" else b"[" * 100_000
            self._raw(fault.status if fault.kind == "gateway" else 200, body)

    def _drip(self) -> None:
        """A header that never ends, a byte at a time, each within any time-out between bytes."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.telegram.released.wait(0.05):
            self.wfile.write(b"a")
            self.wfile.flush()

    def _reply(self, status: int, body: dict[str, Any]) -> None:
        self._raw(status, json.dumps(body).encode())

    def _raw(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")  # said, or the next call may meet the closing connection
        self.end_headers()
        self.wfile.write(body)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is part of the test."""


@contextmanager
def serving(telegram: TelegramServer | None = None) -> Iterator[TelegramServer]:
    """A running stand-in on a free port of 127.0.0.1."""
    state = telegram or TelegramServer()
    handler = type("Handler", (_Handler,), {"telegram": state})
    server = _Quiet(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
