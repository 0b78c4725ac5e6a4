"""A wire between Google's Firestore client and the network: it counts, and it fails where it is told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc  # type: ignore[import-untyped]

Fault = Callable[[Callable[[], Any]], Any]
"""Gets the real call, answers instead of it."""


class GrpcError(grpc.RpcError):  # type: ignore[misc]
    """An error as it comes off the wire."""

    def __init__(self, code: grpc.StatusCode, details: str = "made up") -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> tuple[()]:
        return ()

    def result(self) -> object:
        """grpc asks an interceptor's answer for its result."""
        raise self


@dataclass
class Wire(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):  # type: ignore[misc]
    """Stands between Google's client and the network: counts documents, and plays the faults it is given, in order."""

    reads: int = 0
    writes: int = 0
    commits: int = 0
    calls: int = 0
    on_commit: list[Fault] = field(default_factory=list)
    on_read: list[Fault] = field(default_factory=list)

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        assert client_call_details.method.endswith("/Commit")
        self.calls += 1
        self.commits += 1
        self.writes += len(request.writes)
        return _played(self.on_commit, lambda: continuation(client_call_details, request))

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        self.calls += 1
        self.reads += len(getattr(request, "documents", ())) or 1
        return _played(self.on_read, lambda: continuation(client_call_details, request))

    def reset(self) -> None:
        self.reads = self.writes = self.commits = self.calls = 0


def _played(faults: list[Fault], call: Callable[[], Any]) -> Any:
    return faults.pop(0)(call) if faults else call()


def cut(code: grpc.StatusCode, details: str = "made up") -> Fault:
    """The request never arrives; `code` is what the client sees."""

    def fault(_call: Callable[[], Any]) -> Any:
        raise GrpcError(code, details)

    return fault


def lose_answer(code: grpc.StatusCode, then: Callable[[], object] = lambda: None) -> Fault:
    """The request is carried out, its answer is lost; `then` happens before the client notices."""

    def fault(call: Callable[[], Any]) -> Any:
        call().result()
        then()
        raise GrpcError(code)

    return fault
