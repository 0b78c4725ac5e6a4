"""Google's credentials: whatever their file holds or their token's endpoint answers, nothing of them comes out."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from runtime.adapters.firestore import Connection
from runtime.errors import EngineError, StoreMisconfigured
from tests.support.echoes import ECHOES, heard
from tests.support.http_stub import Answer, HttpStub, Reply, Seen
from tests.support.planted import Planted, leaks

JWT = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6IjdBM0Q5RjJCMUM4RTRGNkEifQ."
    "eyJpc3MiOiJodHRwczovL3Rva2VuLmFjdGlvbnMiLCJzdWIiOiJyZXBvOm93bmVyL2VuZ2luZSIsIm5vbmNlIjoiUTd4VjJtIn0."
    "k3PqZ8wLrT1vYbNcX5sJdF0hGmU2oAeR7iKtW9yBzEfQnHjVpDlSxMgCaIuO4w6ZLqN8vXcT3bYrP1mKfGdJhS5eUoWiAtRyQzEx"
)
REFRESH_TOKEN = "1//0gZx9QvLm3TnRwYcAgAKBwSNgF-L9IrPq7Xk2VbJd8HsUe4MtGo6WiFyCzBn1KaTlDxEuOjRpSvQhNm"


@cache
def private_key() -> str:
    """A service account's key, as PEM."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.private_bytes(*form).decode()


def planted() -> list[Planted]:
    """All that is secret in the files below. A key is looked for line by line."""
    lines = [line for line in private_key().splitlines() if not line.startswith("-----")]
    found = [*lines, *JWT.split(".")[1:], REFRESH_TOKEN]
    return [Planted("a Google secret", value, 16) for value in found]


def service_account(origin: str, folder: Path) -> dict[str, Any]:
    """A key file, as `gcloud iam service-accounts keys create` writes it."""
    del folder
    return {
        "type": "service_account",
        "project_id": "engine-1",
        "private_key_id": "0f1e2d3c",
        "private_key": private_key(),
        "client_email": "engine@engine-1.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{origin}/token",
    }


def federated(origin: str, folder: Path) -> dict[str, Any]:
    """What google-github-actions/auth writes: an identity token in a file, exchanged at the token's endpoint."""
    (folder / "subject").write_text(JWT)
    pool = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/github/providers/github"
    return {
        "type": "external_account",
        "audience": pool,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{origin}/token",
        "credential_source": {"file": str(folder / "subject")},
    }


FILES = (service_account, federated)


def token(seen: Seen) -> str:
    """The token that was handed in: the longest of the fields."""
    return max(seen.form.values(), key=len)


TOKENS: dict[str, Callable[[Seen], Answer]] = {
    **{kind: ECHOES[kind] for kind in ("403 page", "403 in base64", "200 text", "200 object", "451", "reset", "302")},
    "400 of Google": lambda seen: Reply(400, {"error": "invalid_grant", "error_description": token(seen)}),
    "401 of Google": lambda seen: Reply(401, {"error": f"{token(seen)[-250:]} {heard(seen)}"}),
}


class TokenEndpoint(HttpStub):
    """Where credentials are exchanged for a token; it repeats what it was sent."""

    kind = ""

    def answer(self, seen: Seen) -> Answer:
        """One answer."""
        self.seen.append(seen)
        return TOKENS[self.kind](seen)


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
