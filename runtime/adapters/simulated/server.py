"""The simulated exchange over a socket: Binance's own paths on loopback, for python-binance and any other client.

The same venue answers as in process, one request at a time, so an hour traded over the socket is the hour traded in
process. Connections are kept alive and answered without delay (TCP_NODELAY), so a call costs well under a millisecond.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Self

from runtime.adapters.simulated.dispatch import answer
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.wire import Credentials, Request

_FORM = "application/x-www-form-urlencoded"
_IDLE_S = 60


class SimulatedServer:
    """A context manager that serves `exchange` while it is open; `credentials` are the one key it accepts."""

    def __init__(
        self, exchange: SimulatedExchange, credentials: Credentials, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        """Port 0 takes a free one. Nothing is served before `start` (or `with`)."""
        self._http = _Http((host, port), exchange, credentials)
        self._thread = Thread(target=self._http.serve_forever, args=(0.02,), name="simulated-exchange", daemon=True)

    @property
    def url(self) -> str:
        """Origin, such as `http://127.0.0.1:40123`; python-binance wants `url + "/api"` and `url + "/sapi"`."""
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Serve from a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving, close every connection, wait for the threads."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.hang_up()
        self._http.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Http(ThreadingHTTPServer):
    """Threads by connection; remembers connections, so that closing does not wait for a client to hang up."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], exchange: SimulatedExchange, credentials: Credentials) -> None:
        self.venue, self.credentials = exchange.venue, credentials
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__(address, _Handler)

    def remember(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def hang_up(self) -> None:
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # the client was faster
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the middle of an answer is no news; anything else is."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    """One connection. An answer leaves in one write."""

    protocol_version = "HTTP/1.1"
    server_version = "simulated"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = _IDLE_S
    server: _Http

    def setup(self) -> None:
        self.server.remember(self.request)
        super().setup()

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server.forget(self.request)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: the meter counts."""

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        raw = self.rfile.read(int(length) if length.isdecimal() else 0).decode("latin-1")
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        form = raw if headers.get("content-type", "").startswith(_FORM) else ""
        made = answer(self.server.venue, self.server.credentials, Request(self.command, path, query, form, headers))
        if made.dropped:
            self.close_connection = True
            return
        body = made.body.encode()
        self.send_response(made.status)
        for name, value in made.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    do_GET = do_POST = do_DELETE = do_PUT = _serve  # noqa: N815 - the library looks handlers up by these names
