"""Google's credentials: whatever their file holds or their token's endpoint answers, nothing of them comes out."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.adapters.firestore import Connection
from runtime.errors import EngineError, StoreMisconfigured
from tests.support.google_secrets import (
    FILES,
    JWT,
    REFRESH_TOKEN,
    TOKENS,
    TokenEndpoint,
    planted,
    private_key,
    service_account,
)
from tests.support.planted import leaks


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with TokenEndpoint() as stub:
        yield stub


def refusal(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> tuple[EngineError, dict[str, str]]:
    """The engine's own error for a read with the ambient credentials, and all that could be read of it."""
    caplog.set_level(logging.INFO)
    connection = Connection("engine-1")
    connection.dial()
    with pytest.raises(EngineError) as caught:
        connection.read(["strategy/MULTI_ASSET_STATE"])
    connection.close()
    out, err = capfd.readouterr()
    told = "".join(traceback.format_exception(caught.value))
    return caught.value, {
        "error": str(caught.value),
        "traceback": told,
        "log": caplog.text,
        "stdout": out,
        "stderr": err,
    }


@pytest.mark.parametrize("kind", sorted(TOKENS))
@pytest.mark.parametrize("made", FILES, ids=lambda made: made.__name__)
def test_a_token_endpoint_that_repeats_the_credentials_is_not_quoted_with_them(
    endpoint: TokenEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    made: Callable[[str, Path], dict[str, Any]],
    kind: str,
) -> None:
    endpoint.kind = kind
    (tmp_path / "google.json").write_text(json.dumps(made(endpoint.origin, tmp_path)))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "google.json"))
    error, told = refusal(capfd, caplog)
    assert endpoint.seen
    assert leaks(told, planted()) == []
    assert "Firestore" in str(error)


def broken_files() -> dict[str, bytes]:
    """Files that are no credentials, with secrets in every place where an error could quote them."""
    whole = json.dumps(service_account("http://127.0.0.1:9", Path()))
    return {
        "cut off": whole[:-40].encode(),
        "a list": json.dumps([private_key(), REFRESH_TOKEN]).encode(),
        "a text": json.dumps(JWT).encode(),
        "empty": b"",
        "the key itself": private_key().encode(),
        "a type that is none": json.dumps({"type": REFRESH_TOKEN, "private_key": private_key()}).encode(),
        "no fields": json.dumps({"type": "service_account", "private_key": private_key()}).encode(),
        "a key that is none": whole.replace("PRIVATE KEY", "PRIVATE TOY").encode(),
        "a key that is cut": json.dumps(json.loads(whole) | {"private_key": private_key()[:400]}).encode(),
        "not UTF-8": whole.encode("utf-16"),
        "a source that is none": json.dumps({"type": "external_account", "credential_source": JWT}).encode(),
    }


@pytest.mark.parametrize("kind", sorted(broken_files()))
def test_a_file_that_is_no_credentials_is_named_and_not_quoted(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    (tmp_path / "google.json").write_bytes(broken_files()[kind])
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "google.json"))
    error, told = refusal(capfd, caplog)
    assert isinstance(error, StoreMisconfigured)
    assert leaks(told, planted()) == []
    assert told["stderr"] == ""
