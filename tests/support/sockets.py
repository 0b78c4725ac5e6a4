"""The socket guard: a test may talk to this machine's loopback addresses and to nobody else.

A forgotten fake must fail loudly, and not send a real request. `install` replaces the methods of `socket.socket` that
name an address, and the look-ups that would ask a name server. The error is no `Exception`: neither a library's broad
except nor an adapter that turns network errors into "unavailable" can swallow it.

C code with sockets of its own is out of reach. gRPC is the one such library here: `tests/conftest.py` sees to it that
it finds neither credentials nor a proxy, and that the emulator it is pointed at is on loopback.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

_METHODS = ("bind", "connect", "connect_ex", "sendto")
_LOOKUPS = ("getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex")


class NetworkForbiddenError(BaseException):
    """A test reached for an address outside this machine."""


def is_loopback(host: object) -> bool:
    """Whether `host`, a name or an address as text or bytes, stays on this machine. The wildcard address does not."""
    name = (host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)).strip("[]").split("%")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _allow(action: str, host: object) -> None:
    """Return when `host` is loopback; raise otherwise."""
    if not is_loopback(host):
        raise NetworkForbiddenError(f"{action}({host!r}): tests may use only loopback; use a fake or a recording")


def _guarded_method(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """The socket method `real`, which takes its address last; AF_UNIX stays on the machine by nature."""

    def guarded(self: socket.socket, *args: Any) -> Any:
        if self.family in {socket.AF_INET, socket.AF_INET6} and args and isinstance(args[-1], tuple):
            _allow(name, args[-1][0])
        return real(self, *args)

    return guarded


def _guarded_lookup(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """The look-up `real`, which takes the host first; no host at all means this machine."""

    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None:
            _allow(name, host)
        return real(host, *args, **kwargs)

    return guarded


def install() -> Callable[[], None]:
    """Put the guard in place for the whole process; returns what takes it off again."""
    before: list[tuple[Any, str, Any]] = [(socket, name, getattr(socket, name)) for name in _LOOKUPS]
    before += [(socket.socket, name, getattr(socket.socket, name)) for name in _METHODS]
    for owner, name, real in before:
        guard = _guarded_lookup if owner is socket else _guarded_method
        setattr(owner, name, guard(name, real))

    def restore() -> None:
        for owner, name, real in before:
            setattr(owner, name, real)

    return restore
