"""A real HTTP server on loopback that answers what it is told, and breaks off as networks do.

    with HttpStub() as stub:
        stub.on("GET /api/v3/time", Reply(body={"serverTime": 1}), Fate.CUT)
        ...                      # the last answer of an endpoint is repeated; an unscripted one gets a 404
        stub.seen[0].query       # what arrived, in order, with the number of its connection

It keeps connections alive, so that the number of connections is the number of a client's sessions.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl


class Fate(Enum):
    """What may become of a request instead of an answer."""

    CUT = "the connection is reset after the request was read"
    SILENCE = "nothing is answered while the stub lives"
    HALF = "the answer stops in the middle of its body"


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived; `raw` is the query and the body as bytes on the wire, as a signature covers them."""

    endpoint: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    connection: int
    raw: tuple[str, str]

    @property
    def params(self) -> Mapping[str, str]:
        """Query and form together."""
        return {**self.form, **self.query}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; a body that is no text is sent as JSON."""

    status: int = 200
    body: object = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def payload(self) -> bytes:
        """The body as bytes."""
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


Answer = Reply | Fate | Callable[[Seen], Reply]


class HttpStub:
    """A scriptable server on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.over = threading.Event()
        self._script: dict[str, list[Answer]] = {}
        self._connections = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.stub = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def origin(self) -> str:
        """Such as `http://127.0.0.1:40001`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def on(self, endpoint: str, *answers: Answer) -> None:
        """Answer `METHOD /path` with these in turn, and with the last one ever after."""
        with self._lock:
            self._script[endpoint] = list(answers)

    def count(self, endpoint: str) -> int:
        """How often `METHOD /path` was asked."""
        return sum(seen.endpoint == endpoint for seen in self.seen)

    def connections(self) -> set[int]:
        """The connections that requests arrived on."""
        return {seen.connection for seen in self.seen}

    def answer(self, seen: Seen) -> Answer:
        """The next answer for a request, which is remembered."""
        with self._lock:
            self.seen.append(seen)
            script = self._script.get(seen.endpoint)
            if not script:
                return Reply(404, {"code": 0, "msg": f"the stub has no answer for {seen.endpoint}"})
            return script.pop(0) if len(script) > 1 else script[0]

    def connected(self) -> int:
        """The number of a new connection."""
        with self._lock:
            self._connections += 1
            return self._connections

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    stub: HttpStub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.connection_number = self.server.stub.connected()

    def do_GET(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def respond(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        seen = Seen(
            endpoint=f"{self.command} {path}",
            query=dict(parse_qsl(query, keep_blank_values=True)),
            form=dict(parse_qsl(body, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            connection=self.connection_number,
            raw=(query, body),
        )
        answer = self.server.stub.answer(seen)
        if isinstance(answer, Fate):
            self.break_off(answer)
        else:
            self.send(answer if isinstance(answer, Reply) else answer(seen))

    def send(self, reply: Reply, keep: int | None = None) -> None:
        payload = reply.payload
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload[:keep])
        self.wfile.flush()

    def break_off(self, fate: Fate) -> None:
        self.close_connection = True
        if fate is Fate.SILENCE:
            self.server.stub.over.wait()
        elif fate is Fate.HALF:
            self.send(Reply(body={"cut": "in the middle of this text"}), keep=10)
        else:
            # Linger 0: closing sends a reset instead of an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Servers print their requests; this one keeps them in `seen`."""
