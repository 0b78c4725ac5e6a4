"""Google's credentials with planted secrets, as files, and a token's endpoint that repeats what it is handed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.echoes import ECHOES, heard
from tests.support.http_stub import Answer, HttpStub, Reply, Seen
from tests.support.planted import Planted

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
