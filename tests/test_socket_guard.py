"""The socket guard bites on every way out of this machine, and leaves loopback alone."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.support.sockets import NetworkForbiddenError, is_loopback

OUTSIDE = "192.0.2.1"  # TEST-NET-1: reserved for documentation, never routed
OUTSIDE_NAME = "example.invalid"  # reserved: no such name can exist


def _on(kind: socket.SocketKind, act: Callable[[socket.socket], object]) -> None:
    with socket.socket(socket.AF_INET, kind) as opened:
        act(opened)


def _accept_and_close(server: socket.socket) -> None:
    server.accept()[0].close()


WAYS_OUT: dict[str, Callable[[], object]] = {
    "connect": lambda: _on(socket.SOCK_STREAM, lambda s: s.connect((OUTSIDE, 443))),
    "connect_ex": lambda: _on(socket.SOCK_STREAM, lambda s: s.connect_ex((OUTSIDE, 443))),
    "create_connection": lambda: socket.create_connection((OUTSIDE, 443)),
    "sendto": lambda: _on(socket.SOCK_DGRAM, lambda s: s.sendto(b"x", (OUTSIDE, 53))),
    "sendto with flags": lambda: _on(socket.SOCK_DGRAM, lambda s: s.sendto(b"x", 0, (OUTSIDE, 53))),
    "bind to an outside address": lambda: _on(socket.SOCK_STREAM, lambda s: s.bind((OUTSIDE, 0))),
    "bind to every address": lambda: _on(socket.SOCK_STREAM, lambda s: s.bind(("0.0.0.0", 0))),  # noqa: S104 - refused
    "bind to the empty address": lambda: _on(socket.SOCK_STREAM, lambda s: s.bind(("", 0))),
    "getaddrinfo": lambda: socket.getaddrinfo(OUTSIDE_NAME, 443),
    "gethostbyname": lambda: socket.gethostbyname(OUTSIDE_NAME),
    "gethostbyname_ex": lambda: socket.gethostbyname_ex(OUTSIDE_NAME),
    "gethostbyaddr": lambda: socket.gethostbyaddr(OUTSIDE),
    "urllib": lambda: urllib.request.urlopen(f"http://{OUTSIDE_NAME}/"),
    "requests": lambda: requests.get(f"https://{OUTSIDE}/", timeout=1),
}


@pytest.mark.parametrize("way", WAYS_OUT.values(), ids=WAYS_OUT.keys())
def test_every_way_out_of_this_machine_is_refused(way: Callable[[], object]) -> None:
    with pytest.raises(NetworkForbiddenError, match="only loopback"):
        way()


def test_a_broad_except_cannot_swallow_the_refusal() -> None:
    assert not issubclass(NetworkForbiddenError, Exception)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_loopback_server_can_be_reached(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = threading.Thread(target=_accept_and_close, args=(server,))
        answer.start()
        with socket.create_connection((host, server.getsockname()[1]), timeout=5) as client:
            assert client.recv(1) == b""
        answer.join()


def test_a_unix_socket_is_left_alone(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("::1%lo", True),
        (b"127.0.0.1", True),
        ("", False),
        ("0.0.0.0", False),  # noqa: S104 - a wildcard, named to be refused
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.invalid", False),
        ("metadata.google.internal", False),
    ],
)
def test_only_loopback_names_and_addresses_count_as_this_machine(host: str | bytes, expected: bool) -> None:
    assert is_loopback(host) is expected
