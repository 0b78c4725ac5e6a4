"""Somebody between the engine and the exchange: passes every request on, unless a test lets it strike.

    with SimulatedServer(...) as server, Middleman(server.url) as middleman:
        middleman.strike = lambda seen: Reply(502, seen.raw[0]) if seen.endpoint == ORDER else None

It stands for the proxies, firewalls and gateways of the world: it sees headers and URLs, and may answer with them. A
strike may also wait, so that a test can hold a process at one of its requests.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable
from urllib.parse import urlsplit

from tests.support.http_stub import Answer, HttpStub, Reply, Seen

_PASSED_ON = ("content-type", "x-mbx-apikey")


class Middleman(HttpStub):
    """A server on a free port of 127.0.0.1 in front of `upstream` (an origin)."""

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self._upstream = urlsplit(upstream).netloc
        self.strike: Callable[[Seen], Answer | None] = lambda _: None

    def answer(self, seen: Seen) -> Answer:
        """What the strike says, or else the upstream."""
        self.seen.append(seen)
        return self.strike(seen) or self.passed_on(seen)

    def passed_on(self, seen: Seen) -> Reply:
        """The upstream's answer."""
        method, _, path = seen.endpoint.partition(" ")
        query, body = seen.raw
        kept = {name: value for name, value in seen.headers.items() if name in _PASSED_ON}
        connection = http.client.HTTPConnection(self._upstream, timeout=30)
        try:
            connection.request(method, f"{path}?{query}" if query else path, body or None, kept)
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name.lower() != "content-length"}
            return Reply(answer.status, answer.read().decode(), headers)
        finally:
            connection.close()
