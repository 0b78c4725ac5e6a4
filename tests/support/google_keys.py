"""Google's credentials, made up: every kind that an operator may sign in with."""

# mypy: allow-untyped-calls
# google-auth types only part of itself.

from __future__ import annotations

from functools import cache
from typing import Any

from Crypto.PublicKey import RSA
from google.auth import credentials, identity_pool
from google.oauth2 import credentials as people
from google.oauth2 import service_account as accounts

ACCOUNT = "engine@made-up.iam.gserviceaccount.com"
PROVIDER = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/github"


@cache
def _pem() -> str:
    return RSA.generate(2048).export_key(pkcs=8).decode()


def key_file(token_uri: str = "https://oauth2.googleapis.com/token") -> dict[str, Any]:
    """The content of a service account's key file."""
    return {
        "type": "service_account",
        "project_id": "made-up",
        "private_key_id": "planted-key-id",
        "private_key": _pem(),
        "client_email": ACCOUNT,
        "client_id": "1",
        "token_uri": token_uri,
    }


def service_account() -> credentials.Credentials:
    """What signs in with a key file."""
    made: credentials.Credentials = accounts.Credentials.from_service_account_info(key_file())
    return made


def federated(**more: str) -> credentials.Credentials:
    """What the auth step of a workflow writes."""
    made: credentials.Credentials = identity_pool.Credentials.from_info(
        {
            "type": "external_account",
            "audience": PROVIDER,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": "/planted/token/file"},
            **more,
        }
    )
    return made


def impersonating() -> credentials.Credentials:
    """The same, as a service account."""
    url = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
    return federated(service_account_impersonation_url=url)


def person() -> credentials.Credentials:
    """What `gcloud auth application-default login` leaves behind."""
    return people.Credentials("planted-token", refresh_token="planted-refresh-token", client_secret="planted-secret")
